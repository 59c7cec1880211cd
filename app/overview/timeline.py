"""When things happen: enrolment, maturity, looks and decisions of each experiment, as far as they are known. No outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from registry.portfolio import Portfolio
from registry.records import Experiment, Look, State

MOST: Final = 20
"""Experiments that one picture shows; more cannot be read."""

AWAITING: Final = (State.RUNNING, State.STOPPED, State.MATURE)


@dataclass(frozen=True, slots=True)
class Period:
    """From when to when.

    Attributes:
        expected: whether it lies ahead, as last estimated or declared.
    """

    start: datetime
    end: datetime
    expected: bool = False


@dataclass(frozen=True, slots=True)
class LookMark:
    """A look on the timeline: taken at a moment, or expected about it."""

    at: datetime
    k: int
    of: int
    taken: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """One experiment's line.

    Attributes:
        enrolment: past part first, then the part that is expected.
        maturing: while the last units' windows run out and their labels come in.
    """

    experiment: str
    title: str
    state: str
    enrolment: tuple[Period, ...]
    maturing: Period | None
    looks: tuple[LookMark, ...]
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Lanes, newest start first.

    Attributes:
        further: experiments with dates beyond `MOST`, which are not shown.
        undated: experiments of which nothing is dated yet.
    """

    lanes: tuple[Lane, ...]
    further: int
    undated: int
    now: datetime


def dated(wanted: Sequence[Experiment]) -> tuple[list[Experiment], int]:
    """Those whose start is known, newest first, and how many more are not shown on one picture."""
    starts = [(start, one) for one in wanted if (start := _start(one)) is not None]
    newest = sorted(starts, key=lambda pair: (pair[0], pair[1].id), reverse=True)
    return [one for _, one in newest[:MOST]], max(len(starts) - MOST, 0)


def timeline(
    found: Portfolio, wanted: Sequence[Experiment], plans: Mapping[str, Mapping[str, Any]]
) -> Timeline:
    """The timeline of these experiments.

    Args:
        plans: the material document of each that `dated` gives, by id.
    """
    shown, further = dated(wanted)
    return Timeline(
        lanes=tuple(_lane(one, found, plans.get(one.id, {})) for one in shown),
        further=further,
        undated=len(wanted) - len(shown) - further,
        now=found.now,
    )


def _lane(one: Experiment, found: Portfolio, plan: Mapping[str, Any]) -> Lane:
    looks = found.looks.get(one.id, ())
    decision = found.decisions.get(one.id)
    maturity = _seconds(plan.get("maturity"))
    if one.first_exposure_at is None:
        enrolment = _declared(one, plan, found.now)
    else:
        enrolment = _enrolment(one, found, looks, maturity)
    return Lane(
        experiment=one.id,
        title=one.title,
        state=found.words[one.id],
        enrolment=enrolment,
        maturing=_maturing(one, enrolment, maturity),
        looks=(*_taken(looks), *_coming(one, found)),
        decided_at=None if decision is None else decision.decided_at,
    )


def _declared(one: Experiment, plan: Mapping[str, Any], now: datetime) -> tuple[Period, ...]:
    """Of one that has not begun: from its declared start over the shortest enrolment that its plan allows."""
    start, shortest = _start(one), _seconds((plan.get("stopping") or {}).get("minimum_duration"))
    if start is None or not shortest or start + shortest <= now:
        return ()
    return (Period(start, start + shortest, expected=True),)


def _enrolment(
    one: Experiment, found: Portfolio, looks: Sequence[Look], maturity: timedelta
) -> tuple[Period, ...]:
    start = _start(one)
    if start is None:
        return ()
    ended = _enrolment_end(one, looks)
    if ended is not None:
        return (Period(start, max(start, ended)),)
    so_far = Period(start, max(start, found.now))
    look = _next_look(one, found)
    expected = look.get("expected")
    until = datetime.fromisoformat(expected) - maturity if expected else None
    if until is None or until <= found.now:
        return (so_far,)
    return (so_far, Period(found.now, until, expected=True))


def _enrolment_end(one: Experiment, looks: Sequence[Look]) -> datetime | None:
    """Up to when units were exposed that count: the last look's cut-off, or the day it was stopped; None while it goes on."""
    last = looks[-1] if looks else None
    if last is not None and last.outcome == "stop":
        return last.cutoff
    if one.stopped_at is not None:
        return one.stopped_at
    return one.closed_at if one.state not in AWAITING else None


def _maturing(one: Experiment, enrolment: Sequence[Period], maturity: timedelta) -> Period | None:
    if not enrolment or not maturity or one.state in (State.ABANDONED, State.INVALID):
        return None
    last = enrolment[-1]
    if not last.expected and one.state is State.RUNNING:
        return None  # nobody has estimated yet how long units still come
    return Period(last.end, last.end + maturity, expected=last.expected)


def _taken(looks: Sequence[Look]) -> tuple[LookMark, ...]:
    return tuple(LookMark(look.opened_at, look.k, look.of, taken=True) for look in looks)


def _coming(one: Experiment, found: Portfolio) -> tuple[LookMark, ...]:
    look = _next_look(one, found)
    if not look or look["due"] or not look.get("expected"):
        return ()
    return (LookMark(datetime.fromisoformat(look["expected"]), look["k"], look["of"], taken=False),)


def _next_look(one: Experiment, found: Portfolio) -> Mapping[str, Any]:
    """Where the next look stands, by the last job that asked; empty where none did."""
    standing = found.standing.get(one.id)
    if standing is None or one.state not in AWAITING:
        return {}
    return standing.result.get("look") or {}


def _start(one: Experiment) -> datetime | None:
    """The first exposure; of one that has not begun, the day that was declared."""
    if one.first_exposure_at is not None or one.state is not State.REGISTERED:
        return one.first_exposure_at
    try:
        moment = datetime.fromisoformat(str(one.administrative.get("expected_start") or ""))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=one.created_at.tzinfo)


def _seconds(declared: Any) -> timedelta:
    return timedelta(seconds=declared) if isinstance(declared, int) else timedelta()
