"""What can be mended: while one of these stands the check is held, and nothing by arm is read.

Beside the checks of any look (``experiments.looks.holds``) a canary asks whether every day is there. A guardrail that counts
events takes a day without rows for a good day; that is how a log which broke would pass for a candidate that did no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from math import log1p

from experiments.canaries.design import CanaryDesign
from experiments.canaries.evidence import CanaryEvidence
from experiments.canaries.reading import CanaryReading, Reached
from experiments.logs.sql import DAY_US, at_moment, microseconds
from experiments.looks.holds import join_check, log_checks_of
from experiments.readouts.readout import Check, CheckResult

RARE = 20
"""An event that comes fewer times a day may be absent for one by chance (e⁻²⁰ otherwise)."""
BY_CHANCE = -20.7
"""Logarithm of the probability below which nobody of a day is taken to be missing by chance (10⁻⁹)."""


def holds(
    design: CanaryDesign,
    reading: CanaryReading,
    evidence: CanaryEvidence,
    begun: Sequence[datetime],
    at: datetime,
) -> list[Check]:
    """The checks of the logs themselves, before any outcome is read."""
    cohort = evidence.as_cohort()
    found = [_somebody(design, evidence), *log_checks_of(reading.design, reading, cohort)]
    return [
        *found,
        _days_of_exposures(design, evidence, begun, at),
        *_days_of_outcomes(design, reading, begun, at),
    ]


def reading_checks(design: CanaryDesign, reading: CanaryReading) -> list[Check]:
    """Whether the outcome logs know the units at all, and those of every day and arm."""
    return [join_check(reading.design, reading), days_by_arm(design, reading.reached_by_day())]


def days_by_arm(design: CanaryDesign, reached: Sequence[Reached]) -> Check:
    """Days of which the outcome logs know nobody of an arm, though they know enough of the other to tell."""
    found: dict[tuple[int, int], dict[int, Reached]] = {}
    for one in reached:
        found.setdefault((one.step, one.day), {})[one.arm] = one
    absent = []
    for (step, day), arms in sorted(found.items()):
        for arm, one in sorted(arms.items()):
            other = arms.get(1 - arm)
            if one.known or other is None or not other.known:
                continue
            share = other.known / other.units
            if share >= 1 or one.units * log1p(-share) < BY_CHANCE:
                absent.append(
                    f"{design.arms[arm].name} on {_day(day)}, step {step} (0 of {one.units:,} units; {design.arms[1 - arm].name} "
                    f"{other.known:,} of {other.units:,})"
                )
    return Check(
        name="Outcome rows of every day and arm",
        result="hold" if absent else "pass",
        detail=f"none of {'; '.join(absent)}"
        if absent
        else "the outcome logs know units of every day in both arms",
        rule="no day without a row of one arm that knows enough of the other to tell",
    )


def _somebody(design: CanaryDesign, evidence: CanaryEvidence) -> Check:
    """No unit at all in the log is a key or a log that is wrong; few units are an answer, not a fault."""
    units = sum(evidence.analysed_in_all())
    detail = f"{units:,} mature units of {evidence.units:,} in the log"
    if evidence.units == 0:
        detail = f"the assignment log has no unit of experiment {design.key!r}; the key in the log must be the canary's"
    return Check(
        name="Units of this canary",
        result="pass" if evidence.units else "hold",
        detail=detail,
        rule="the assignment log knows the canary",
    )


def _days_of_exposures(
    design: CanaryDesign, evidence: CanaryEvidence, begun: Sequence[datetime], at: datetime
) -> Check:
    """Whole days of a step on which nobody came, though many did on its others; every step has its own share."""
    checks = []
    for step, (start, until) in enumerate(pairwise([*begun, at]), start=1):
        by_day: dict[int, int] = {}
        for count in evidence.exposed:
            if count.step == step:
                by_day[count.day] = by_day.get(count.day, 0) + count.units
        checks.append(_every_day(design, "Exposures of every day", by_day, start, until, least=RARE))
    return next((check for check in checks if check.result != "pass"), checks[-1])


def _days_of_outcomes(
    design: CanaryDesign, reading: CanaryReading, begun: Sequence[datetime], at: datetime
) -> list[Check]:
    found = []
    wanted = tuple({event: None for measure in design.measures for event in measure.metric.events()})
    for index in range(len(reading.outcome_logs)):
        for event, by_day in reading.rows_by_day(index, wanted, begun[0], at).items():
            name = "Rows of every day" + (f": {event}" if event else "") + f" (outcome log {index})"
            least = 0 if event is None else RARE
            found.append(_every_day(design, name, by_day, begun[0], at, least=least))
    return found


def _every_day(
    design: CanaryDesign, name: str, by_day: dict[int, int], start: datetime, until: datetime, *, least: float
) -> Check:
    """Whole UTC days without a row.

    Args:
        by_day: rows between the two moments, by day; the first and the last may be parts of one.
        least: rows a day in the rest of the time below which an empty day may be chance.
    """
    first, end = -(-microseconds(start) // DAY_US), microseconds(until) // DAY_US
    days = range(first, end)
    empty = [day for day in days if not by_day.get(day)]
    left = (microseconds(until) - microseconds(start)) / DAY_US - len(empty)
    others = sum(by_day.values()) / left if left > 0 else 0.0
    telling = bool(empty) and others >= least
    result: CheckResult = "pass"
    if telling:
        result = "hold" if design.written.days_without_rows == "hold" else "warn"
    listed = ", ".join(_day(day) for day in empty[:5]) + (", …" if len(empty) > 5 else "")
    detail = f"{len(days)} whole days, each with rows" if days else "no whole day yet"
    if telling:
        detail = f"none on {listed}; {others:,.0f} a day otherwise"
    elif empty:
        detail = f"none on {listed}, of {others:,.0f} a day otherwise: may be chance"
    allowed = "" if design.written.days_without_rows == "hold" else "; declared to be taken for true"
    return Check(
        name=name, result=result, detail=detail, rule=f"no whole day of the canary without rows{allowed}"
    )


def _day(day: int) -> str:
    return f"{at_moment(day * DAY_US):%d %b %Y}"
