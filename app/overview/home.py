"""Home: what needs the person here, how many experiments are where, how well the programme keeps to its plans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.overview.listing import state_words
from app.overview.needs import Need, needs_of
from registry.actors import Person
from registry.portfolio import Found, Portfolio
from registry.records import Experiment, Label, State, Verdict

PERIOD = timedelta(days=90)
"""How far back the programme's quality and the released readouts reach."""

EVENTS = 8
RELEASES = 8


@dataclass(frozen=True, slots=True)
class Kept:
    """A rule of good practice, and how many experiments kept it; never what they found.

    Attributes:
        rule: "Registered before the first exposure".
        why: it is worth keeping.
        broken: those that did not, by id.
    """

    rule: str
    why: str
    kept: int
    of: int
    broken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that is expected to happen.

    Attributes:
        at: when, as last estimated.
        as_of: when that was estimated; None where people declared it.
    """

    at: datetime
    experiment: str
    title: str
    what: str
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class Release:
    """A readout that was released: from then on its verdict is no secret."""

    at: datetime
    experiment: str
    title: str
    verdict: str


@dataclass(frozen=True, slots=True)
class HomePage:
    """The first page of one person.

    Attributes:
        counts: experiments by state in words, in the order of an experiment's life; states that hold some.
        ended: experiments whose readout was released in the period.
    """

    needs: tuple[Need, ...]
    counts: tuple[tuple[State, str, int], ...]
    ended: int
    kept: tuple[Kept, ...]
    coming: tuple[Event, ...]
    released: tuple[Release, ...]
    now: datetime


def home_of(person: Person, found: Portfolio) -> HomePage:
    """The first page of a person, from everything the registry holds."""
    since = found.now - PERIOD
    ended = [one for one in found.experiments if one.released_at is not None and one.released_at >= since]
    by_state = [one.state for one in found.experiments]
    return HomePage(
        needs=needs_of(person, found),
        counts=tuple(
            (state, state_words(state), by_state.count(state)) for state in State if state in by_state
        ),
        ended=len(ended),
        kept=_quality(ended, found),
        coming=_coming(found),
        released=_released(ended),
        now=found.now,
    )


def _quality(ended: Sequence[Experiment], found: Portfolio) -> tuple[Kept, ...]:
    late = {Label.LATE, Label.RETROSPECTIVE}
    signed = [one for one in ended if one.id in found.decisions]
    return (
        _kept(
            "Registered before the first exposure",
            "A plan made after the data can be made to fit them.",
            ended,
            lambda one: not late & set(one.labels),
        ),
        _kept(
            "Reviewed by a second person",
            "The owner wants it to work; somebody else asks what if it does not.",
            ended,
            lambda one: Label.SELF_REVIEWED not in one.labels,
        ),
        _kept(
            "Ended as planned, not by hand",
            "Stopping when it looks good, or bad, bends the result.",
            ended,
            lambda one: not one.stopped_by_hand,
        ),
        _kept(
            "Outcomes read once at each look",
            "Who reads twice may choose; the ledger counts every read.",
            ended,
            lambda one: one.id not in found.read_again,
        ),
        _kept(
            "Validity checks passed",
            "Where groups were not formed as planned, nothing can be read from their difference.",
            ended,
            lambda one: one.verdict is not Verdict.INVALID,
        ),
        _kept(
            "Plan not amended after the start",
            "Every amendment is in the open; fewer are better.",
            ended,
            lambda one: one.id not in found.amended_after_start,
        ),
        _kept(
            "Decided, with a reason on record",
            "A readout that nobody acts on was not needed.",
            ended,
            lambda one: one.id in found.decisions,
        ),
        _kept(
            "Decision as the declared rule said",
            "A decision against the verdict needs a second decider and a longer reason.",
            signed,
            lambda one: not found.decisions[one.id].against_verdict,
        ),
    )


def _kept(rule: str, why: str, among: Sequence[Experiment], keeps: Callable[[Experiment], bool]) -> Kept:
    broken = tuple(one.id for one in among if not keeps(one))
    return Kept(rule, why, len(among) - len(broken), len(among), broken)


def _coming(found: Portfolio) -> tuple[Event, ...]:
    events = [event for one in found.experiments if (event := _event(one, found)) is not None]
    return tuple(sorted(events, key=lambda event: event.at)[:EVENTS])


def _event(one: Experiment, found: Portfolio) -> Event | None:
    if one.state is State.REGISTERED and (start := one.administrative.get("expected_start")):
        at = _moment(str(start), found.now)
        return None if at is None else Event(at, one.id, one.title, "Expected to start", None)
    if one.state in (State.RUNNING, State.STOPPED, State.MATURE) and (standing := found.standing.get(one.id)):
        return _look_event(one, standing)
    return None


def _look_event(one: Experiment, standing: Found) -> Event | None:
    look = standing.result.get("look")
    if not look or look["due"] or not look.get("expected"):
        return None
    which = f"Look {look['k']} of at most {look['of']}" if look["of"] > 1 else "The look"
    return Event(
        datetime.fromisoformat(look["expected"]), one.id, one.title, f"{which} is expected", standing.at
    )


def _moment(written: str, now: datetime) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)


def _released(ended: Sequence[Experiment]) -> tuple[Release, ...]:
    released = [
        Release(one.released_at, one.id, one.title, one.verdict.value)
        for one in ended
        if one.released_at is not None and one.verdict is not None
    ]
    return tuple(sorted(released, key=lambda one: (one.at, one.experiment), reverse=True)[:RELEASES])
