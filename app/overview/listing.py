"""The list of experiments: one row each, found by filters, with how far it has come and never what it shows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.formats import count, instant, share
from app.readings import verdict_reading
from registry.lifecycle.states import CLOSED
from registry.portfolio import Portfolio
from registry.records import Experiment, State
from registry.words import state_in_words

PAGE = 100
"""Rows on one page of the list."""

NOBODY = "(none)"
"""Stands in a filter for experiments without a team or a primary metric."""


COLUMNS = (
    "id",
    "title",
    "state",
    "state_words",
    "owner",
    "team",
    "primary_metric",
    "progress",
    "comes_next",
    "health",
    "amendments",
    "verdict",
    "labels",
    "changed_at",
)
"""Of the list as a file."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which experiments are wanted; an empty one wants all.

    Attributes:
        states: values of `registry.records.State`.
        text: looked for in id, title, owner and primary metric, each word of it.
        only: of these ids, which somebody starred; None for all.
    """

    states: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    text: str = ""
    only: frozenset[str] | None = None

    def take(self, one: Experiment) -> bool:
        """Whether an experiment is wanted."""
        chosen = (
            (self.states, one.state.value),
            (self.teams, one.team or NOBODY),
            (self.owners, one.owner),
            (self.metrics, one.primary_metric or NOBODY),
        )
        if any(wanted and value not in wanted for wanted, value in chosen):
            return False
        if self.only is not None and one.id not in self.only:
            return False
        said = " ".join((one.id, one.title, one.owner, one.primary_metric or "")).casefold()
        return all(word in said for word in self.text.casefold().split())

    @property
    def any(self) -> bool:
        chosen = self.states or self.teams or self.owners or self.metrics or self.text.strip()
        return bool(chosen) or self.only is not None


@dataclass(frozen=True, slots=True)
class Listed:
    """One experiment of the list.

    Attributes:
        progress: share of the planned information so far; None where nobody asked yet, or where it has ended.
        progress_words: the same for people.
        comes_next: in one sentence.
        health: "Good", "Warning", "Failing", or None before the first check.
        verdict: of the released readout; None before.
    """

    id: str
    title: str
    state: str
    words: str
    owner: str
    team: str
    primary_metric: str
    progress: float | None
    progress_words: str
    comes_next: str
    health: str | None
    amendments: int
    verdict: str | None
    labels: tuple[str, ...]
    changed_at: datetime

    @property
    def verdict_words(self) -> str:
        return "not released" if self.verdict is None else str(verdict_reading(self.verdict))


@dataclass(frozen=True, slots=True)
class Choices:
    """What the filters offer: what there is, and nothing else.

    Attributes:
        states: words, and the value of `registry.records.State` they stand for.
    """

    states: Mapping[str, str]
    teams: tuple[str, ...]
    owners: tuple[str, ...]
    metrics: tuple[str, ...]


def choices(found: Portfolio) -> Choices:
    """What the list of these experiments can be filtered by."""
    present = {one.state for one in found.experiments}
    return Choices(
        states={state_words(state): state.value for state in State if state in present},
        teams=_names(one.team or NOBODY for one in found.experiments),
        owners=_names(one.owner for one in found.experiments),
        metrics=_names(one.primary_metric or NOBODY for one in found.experiments),
    )


def listed(found: Portfolio, filters: Filters = Filters()) -> tuple[Listed, ...]:
    """The experiments that the filters want, newest first."""
    return rows_of((one for one in found.experiments if filters.take(one)), found)


def on_home(found: Portfolio, wanted: Filters) -> tuple[Experiment, ...]:
    """The experiments that the filters want, newest first; the closed ones only where a state was chosen."""
    taken = (one for one in found.experiments if wanted.take(one))
    return tuple(one for one in taken if wanted.states or one.state not in CLOSED)


def rows_of(wanted: Iterable[Experiment], found: Portfolio) -> tuple[Listed, ...]:
    """A row for each of these experiments."""
    return tuple(_listed(one, found) for one in wanted)


def state_words(state: State) -> str:
    """A state as people read it, of no experiment in particular."""
    words = state.value.replace("_", " ")
    return words[:1].upper() + words[1:]


def as_csv(rows: Iterable[Listed]) -> str:
    """The list as a file: the columns of the page, progress as a share."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        progress = "" if row.progress is None else f"{row.progress:.4f}"
        words = (row.id, row.title, row.state, row.words, row.owner, row.team, row.primary_metric, progress)
        more = (
            row.comes_next,
            row.health or "",
            str(row.amendments),
            row.verdict or "",
            "; ".join(row.labels),
        )
        writer.writerow([as_text(cell) for cell in (*words, *more, row.changed_at.isoformat())])
    return out.getvalue()


def as_text(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: one that begins like a formula is given an apostrophe.

    OWASP, CSV injection.
    """
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _listed(one: Experiment, found: Portfolio) -> Listed:
    reached, words = _progress(one, found)
    health = found.health.get(one.id)
    released = one.released_at is not None
    return Listed(
        id=one.id,
        title=one.title,
        state=one.state.value,
        words=found.words[one.id],
        owner=one.owner,
        team=one.team or "",
        primary_metric=one.primary_metric or "",
        progress=reached,
        progress_words=words,
        comes_next=comes_next(one, found),
        health=None if health is None else str(health.result.get("health", "")) or None,
        amendments=max(one.plan_version - 1, 0),
        verdict=one.verdict.value if one.verdict is not None and released else None,
        labels=tuple(label.value for label in one.labels),
        changed_at=one.changed_at,
    )


def comes_next(one: Experiment, found: Portfolio) -> str:
    """What happens next to an experiment, in one sentence; it tells no outcome."""
    match one.state:
        case State.DRAFT:
            return "The owner sends it for review"
        case State.IN_REVIEW:
            return f"{one.reviewer or 'The reviewer'} reviews it"
        case State.REGISTERED:
            start = one.administrative.get("expected_start")
            about = f" (expected {_day(str(start))})" if start else ""
            return f"Starts with the first exposure{about}"
        case State.RUNNING | State.STOPPED | State.MATURE:
            return _next_look(one, found)
        case State.READOUT:
            return "A decider decides"
        case State.INVALID if one.id not in found.decisions:
            return "Mend the cause and run it again"
        case _:
            return ""


def _next_look(one: Experiment, found: Portfolio) -> str:
    waiting = [look for look in found.looks.get(one.id, ()) if look.status in ("open", "held")]
    if waiting:
        return state_in_words(one, waiting)
    look = _look(one, found)
    if not look:
        return "The look" if one.state is State.MATURE else "The next look"
    which = f"Look {look['k']}" if look["of"] > 1 else "The look"
    if look["due"]:
        return f"{which} is due"
    expected = look.get("expected")
    return f"{which}, about {_day(expected)}" if expected else which


def _progress(one: Experiment, found: Portfolio) -> tuple[float | None, str]:
    look = _look(one, found)
    if not look:
        return None, ""
    reached = min(float(look["information"]), 1.0)
    return reached, f"{share(round(reached, 2))} of the planned units, {count(sum(look['enrolled']))} so far"


def _look(one: Experiment, found: Portfolio) -> Mapping[str, Any]:
    """Where the next look stands, by the last job that asked; empty where none did."""
    standing = found.standing.get(one.id)
    if one.state not in (State.RUNNING, State.STOPPED, State.MATURE) or standing is None:
        return {}
    return standing.result.get("look") or {}


def _day(written: str) -> str:
    """4 Jan 2027; what people wrote otherwise as it is."""
    try:
        return instant(datetime.fromisoformat(written)).partition(",")[0]
    except ValueError:
        return written


def _names(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(values), key=lambda value: (value == NOBODY, value.casefold())))
