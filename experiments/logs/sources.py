"""Logs: the contracts, and sources that map a team's files and tables onto them.

Two files name them. The *sources* file holds assignments and exposures; anyone may load it. The *outcomes* file holds
the outcome logs; only what opens a look loads it (design rule 1), so they are separate values here as well.

===========  ======================================================================================
assignments  experiment, unit, arm, assigned_at, [delivered], [pre-exposure attributes…]
exposures    experiment, unit, exposed_at (left out: assignment is exposure)
outcomes     unit, event, occurred_at, value, [recorded_at]; or wide: unit and a column per event
===========  ======================================================================================

Times are UTC. A log without times needs ``complete: true``: nothing more will come, and every window is over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final, Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from experiments.designs.metrics import Frozen, Name
from experiments.designs.written import Column, Moment
from experiments.forms.documents import Document, parse_document, read_document
from experiments.forms.problems import Invalid, Problem, unknown_name
from experiments.forms.validation import collect

Entry = TypeVar("Entry", bound=Frozen)

SOURCE_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
"""What a source may be called that begins with a file handed in; it is also the name of a folder."""


class Table(Frozen):
    """A table inside a DuckDB file, opened read-only."""

    database: str = Field(min_length=1)
    name: str = Field(min_length=1, description="table or schema.table")


class Log(Frozen):
    """Where one log lies: exactly one of ``files`` (a path, a glob or a list), ``table`` and ``frame``."""

    files: tuple[str, ...] | str | None = None
    table: Table | None = None
    frame: Name | None = Field(
        default=None, description="the name of an Arrow or pandas table given in Python"
    )
    format: Literal["parquet", "csv"] | None = Field(
        default=None, description="default: from the file's ending"
    )
    hive: bool = Field(default=True, description="take key=value folders as columns")
    partition: Column | None = Field(
        default=None, description="the date folder (dt=2026-11-01) by which completeness is known"
    )
    watermark: Moment | None = Field(default=None, description="complete up to here; overrides the source's")

    @model_validator(mode="after")
    def _exactly_one(self) -> Log:
        if sum(place is not None for place in (self.files, self.table, self.frame)) != 1:
            raise ValueError("give exactly one of files, table and frame")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        if self.files is None:
            return ()
        return (self.files,) if isinstance(self.files, str) else self.files


class AssignmentColumns(Frozen):
    unit: Column
    arm: Column
    experiment: Column | None = None
    assigned_at: Column | None = None
    delivered: Column | None = None


class AssignmentLog(Log):
    columns: AssignmentColumns
    arms: dict[str, str] = Field(default={}, description="arm as logged: arm as designed")
    delivered: dict[str, str] = Field(default={}, description="delivered arm as logged: arm as designed")
    attributes: dict[str, Column] = Field(default={}, description="pre-exposure attribute: its column")


class ExposureColumns(Frozen):
    unit: Column
    exposed_at: Column
    experiment: Column | None = None


class ExposureLog(Log):
    columns: ExposureColumns


class OutcomeColumns(Frozen):
    unit: Column
    event: Column | None = None
    value: Column | None = None
    occurred_at: Column | None = None
    recorded_at: Column | None = None


class OutcomeLog(Log):
    """Long (``columns.event``, one row an event) or ``wide`` (one row a unit, a column an event)."""

    columns: OutcomeColumns
    wide: dict[str, Column] = Field(default={}, description="event: its column, of a wide table")

    @model_validator(mode="after")
    def _long_or_wide(self) -> OutcomeLog:
        if bool(self.wide) == (self.columns.event is not None):
            raise ValueError("give either columns.event (a long log) or wide (a column per event)")
        if self.wide and self.columns.value is not None:
            raise ValueError("columns.value belongs to a long log; a wide one names its columns in wide")
        return self


class Source(Frozen):
    """Who was assigned and exposed. Holds no outcome."""

    assignments: AssignmentLog
    exposures: ExposureLog | None = None
    complete: bool = Field(
        default=False, description="nothing more will come; needed where there are no times"
    )
    watermark: Moment | None = Field(default=None, description="every log here is complete up to this moment")

    @model_validator(mode="after")
    def _times_or_complete(self) -> Source:
        if self.assignments.columns.assigned_at is None and not self.complete:
            raise ValueError(
                "assignments have no assigned_at; name its column, or say complete: true if no more rows will come"
            )
        return self


class OutcomeSource(Frozen):
    """The outcome logs of a source."""

    logs: tuple[OutcomeLog, ...] = Field(min_length=1)
    complete: bool = False
    watermark: Moment | None = None

    @model_validator(mode="after")
    def _times_or_complete(self) -> OutcomeSource:
        for index, log in enumerate(self.logs):
            if log.columns.occurred_at is None and not self.complete:
                raise ValueError(f"logs[{index}] has no occurred_at; name its column, or say complete: true")
        return self


@dataclass(frozen=True, slots=True)
class Place:
    """Where relative paths start, and the tables handed over in Python by name."""

    folder: FilePath = FilePath()
    frames: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sources:
    by_name: dict[str, Source]
    place: Place

    def __getitem__(self, name: str) -> Source:
        return _named(self.by_name, name, "a source of the sources file")


@dataclass(frozen=True, slots=True)
class OutcomeSources:
    by_name: dict[str, OutcomeSource]
    place: Place

    def __getitem__(self, name: str) -> OutcomeSource:
        return _named(self.by_name, name, "a source of the outcomes file")


def load_sources(file: FilePath) -> Sources:
    """Read the sources file (assignments, exposures).

    Raises:
        Invalid: every problem at once.
    """
    return sources_of(read_document(file, f"sources {file}"), Place(FilePath(file).parent))


def load_outcome_sources(file: FilePath) -> OutcomeSources:
    """Read the outcomes file. Only what opens a look, or checks ids and times, may call this."""
    return outcome_sources_of(read_document(file, f"outcomes {file}"), Place(FilePath(file).parent))


def parse_sources(text: str, place: Place | None = None) -> Sources:
    return sources_of(parse_document(text, "sources"), place or Place())


def parse_outcome_sources(text: str, place: Place | None = None) -> OutcomeSources:
    return outcome_sources_of(parse_document(text, "outcomes"), place or Place())


def sources_of(document: Document, place: Place) -> Sources:
    return Sources(_entries(document, "sources", Source), place)


def outcome_sources_of(document: Document, place: Place) -> OutcomeSources:
    return OutcomeSources(_entries(document, "outcomes", OutcomeSource), place)


def _entries(document: Document, top: str, model: type[Entry]) -> dict[str, Entry]:
    problems: list[Problem] = []
    entries: dict[str, Entry] = {}
    for key in document.body:
        if key != top:
            problems.append(document.problem((key,), unknown_name(key, [top], "a field here")))
    written = document.body.get(top)
    if not isinstance(written, dict) or not written:
        problems.append(document.problem((top,), "expected at least one named source"))
        written = {}
    for name, body in written.items():
        try:
            entries[name] = model.model_validate(body)
        except ValidationError as error:
            problems += collect(error, model, document, (top, name))
    if problems:
        raise Invalid(f"{top} {document.file or ''}".strip(), problems)
    return entries


def _named(entries: dict[str, Entry], name: str, kind: str) -> Entry:
    if name not in entries:
        raise Invalid("source", [Problem(("source",), unknown_name(name, sorted(entries), kind))])
    return entries[name]
