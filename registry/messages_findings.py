"""What a job's finding tells the outside: what it changes against the one before. Counts and checks, blind to outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from registry.asking import Kind
from registry.enrolment import Pace, pace_of
from registry.messages import Message


def messages_of_finding(
    kind: Kind, found: Mapping[str, Any], before: Mapping[str, Any] | None, per_day: float | None
) -> Iterator[Message]:
    """What a finding is told as: what is new in it.

    Args:
        before: what the job of this kind before it found; None for the first.
        per_day: the declared traffic, of a running experiment that declares one.
    """
    tell = _OF_FINDINGS.get(kind)
    if tell is not None:
        yield from tell(found, before)
    if kind is Kind.HEALTH and per_day is not None:
        yield from _slow(pace_of(found, per_day), None if before is None else pace_of(before, per_day))


def _health(found: Mapping[str, Any], before: Mapping[str, Any] | None) -> Iterator[Message]:
    standing = _failing(found)
    earlier = {} if before is None else _failing(before)
    worse = [check for name, check in standing.items() if name not in earlier]
    better = [name for name in earlier if name not in standing]
    if worse:
        said = "; ".join(f"{check['name']}: {check['detail']}" for check in worse)
        checks = [{name: check[name] for name in ("name", "result", "detail", "p_value")} for check in worse]
        counts = {arm["arm"]: arm["assigned"] for arm in found["arms"]}
        planned = {arm["arm"]: arm["planned_share"] for arm in found["arms"]}
        yield Message(
            "health.failed",
            f"{_checks(len(worse))} failed: {said} ({_allocation(found)}). Outcomes stay closed.",
            {"checks": checks, "assigned": counts, "planned_shares": planned},
        )
    if better:
        left = f" {_checks(len(standing))} still failing." if standing else ""
        yield Message(
            "health.recovered",
            f"{_checks(len(better))} passing again: {', '.join(better)}.{left}",
            {"checks": better, "still_failing": sorted(standing)},
        )


def _due(found: Mapping[str, Any], before: Mapping[str, Any] | None) -> Iterator[Message]:
    look, earlier = found["look"], None if before is None else before["look"]
    if look is None or not look["due"]:
        return
    if earlier is None or not earlier["due"] or earlier["k"] != look["k"]:
        detail = {"k": look["k"], "of": look["of"], "enrolled": look["enrolled"]}
        yield Message(
            "look.due", f"look {look['k']} of {look['of']} is due and may be taken.", detail, "looks"
        )


def _slow(pace: Pace | None, earlier: Pace | None) -> Iterator[Message]:
    if pace is None or not pace.is_slow or (earlier is not None and earlier.is_slow):
        return
    yield Message(
        "enrolment.slow",
        f"enrolment is slow: {_a_day(pace.per_day)} units a day so far, {_a_day(pace.declared)} declared "
        f"({pace.enrolled:,} of {pace.planned:,} planned units after {int(pace.days)} days).",
        {
            "enrolled": pace.enrolled,
            "planned": pace.planned,
            "days": round(pace.days, 2),
            "units_per_day": round(pace.per_day, 2),
            "declared_units_per_day": pace.declared,
        },
    )


_OF_FINDINGS: Final[
    Mapping[Kind, Callable[[Mapping[str, Any], Mapping[str, Any] | None], Iterator[Message]]]
] = {Kind.HEALTH: _health, Kind.LOOK_STATUS: _due}


def _a_day(units: float) -> str:
    return f"{units:,.0f}" if units >= 10 or units == int(units) else f"{units:.1f}"


def _failing(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {check["name"]: check for check in found["checks"] if check["result"] in ("fail", "hold")}


def _allocation(found: Mapping[str, Any]) -> str:
    """``10,420 vs 9,610, planned 50/50``."""
    counts = " vs ".join(f"{arm['assigned']:,}" for arm in found["arms"])
    shares = "/".join(f"{100 * arm['planned_share']:g}" for arm in found["arms"])
    return f"assigned {counts}, planned {shares}"


def _checks(n: int) -> str:
    return "1 check" if n == 1 else f"{n} checks"
