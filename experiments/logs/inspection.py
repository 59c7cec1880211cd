"""What the logs of a source look like: files, columns and what they are mapped to, rows, times, completeness.

Of an outcome log it reads the schema, how many events of each name there are, and their times; never a value, and
never anything by arm. Assignments are no outcomes: their rows are counted by arm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from experiments.forms.problems import Invalid, Path, Problem, unknown_name
from experiments.logs.contracts import TIMES, is_number
from experiments.logs.engines.duckdb import DuckDB, OpenedLog
from experiments.logs.masking import masked
from experiments.logs.quality import Quality, quality_of
from experiments.logs.sources import (
    AssignmentLog,
    ExposureLog,
    Log,
    OutcomeLog,
    OutcomeSource,
    OutcomeSources,
    Place,
    Sources,
)
from experiments.logs.sources import Source as Source
from experiments.logs.sql import Step, at_moment, ident
from experiments.logs.watermark import earliest, watermark_of

MOST_NAMES = 100
"""Names of events, or arms, that are listed; the rest are counted as further ones."""

_KINDS = {
    "assigned_at": "time",
    "exposed_at": "time",
    "occurred_at": "time",
    "recorded_at": "time",
    "value": "number",
}


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """A column of the contract: the log's column it is mapped to and that one's type, or what is wrong."""

    role: str
    column: str
    type: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Named:
    """Rows under one name, an event or an arm as logged, with the times of the first and last."""

    name: str
    rows: int
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogReport:
    """One log.

    Attributes:
        files: read, in order; empty for a table or a frame.
        columns: every column of the log with its type.
        mapped: the contract's columns.
        rows, without_unit, first, last: None where the log or the column cannot be read.
        watermark: up to when it is complete; None where nothing more will come, or where it is unknown, which
            is a problem.
        arms: rows of an assignment log by arm as logged.
        events: rows of an outcome log by event, arms pooled.
        further_names: arms or events beyond those listed.
        unit_example: one unit id, masked; none of an outcome log.
        quality: how the log comes in; None where it cannot be read.
    """

    log: str
    place: str
    files: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    mapped: tuple[MappedColumn, ...] = ()
    rows: int | None = None
    without_unit: int | None = None
    first: datetime | None = None
    last: datetime | None = None
    watermark: datetime | None = None
    watermark_why: str = ""
    arms: tuple[Named, ...] = ()
    events: tuple[Named, ...] = ()
    further_names: int = 0
    unit_example: str | None = None
    quality: Quality | None = None


@dataclass(frozen=True, slots=True)
class SourceReport:
    """All logs of a source, and every problem found in them."""

    source: str
    logs: tuple[LogReport, ...]
    watermark: datetime | None
    watermark_why: str
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def inspect_source(
    name: str, sources: Sources, outcomes: OutcomeSources | None = None, *, threads: int | None = None
) -> SourceReport:
    """Open every log of a source and report what is there; what cannot be read is a problem, not an end.

    Args:
        outcomes: the outcome logs, or None to leave them closed.

    Raises:
        Invalid: there is no source of this name.
    """
    source = sources[name]
    problems: list[Problem] = []
    reports: list[LogReport] = []
    marks = []
    assigned: tuple[OpenedLog, str] | None = None
    with DuckDB(threads) as engine:
        for label, path, log, owner, place in _logs(name, source, sources.place, outcomes):
            try:
                opened = engine.open(label, log, place)
                report = _report(engine, opened, log, assigned)
            except Invalid as error:
                problems += [Problem(path, problem.message) for problem in error.problems]
                reports.append(LogReport(label, _place(log)))
                continue
            if isinstance(log, AssignmentLog) and log.columns.unit in opened.types:
                assigned = opened, log.columns.unit
            problems += [
                Problem((*path, *column.role.split(".")), column.problem)
                for column in report.mapped
                if column.problem
            ]
            mark = watermark_of(label, log, owner, opened.files)
            if isinstance(mark, Problem):
                problems.append(Problem(path, mark.message))
            else:
                marks.append(mark)
                at = None if mark.us is None else at_moment(mark.us)
                report = replace(report, watermark=at, watermark_why=mark.why)
            reports.append(report)
    if len(marks) < len(reports):
        return SourceReport(name, tuple(reports), None, "unknown: a log has none", tuple(problems))
    over_all = earliest(marks)
    at = None if over_all.us is None else at_moment(over_all.us)
    return SourceReport(name, tuple(reports), at, over_all.why, tuple(problems))


def _logs(
    name: str, source: Source, place: Place, outcomes: OutcomeSources | None
) -> Iterable[tuple[str, Path, Log, Source | OutcomeSource, Place]]:
    yield "assignments", ("sources", name, "assignments"), source.assignments, source, place
    if source.exposures is not None:
        yield "exposures", ("sources", name, "exposures"), source.exposures, source, place
    if outcomes is not None:
        owner = outcomes[name]
        for index, log in enumerate(owner.logs):
            yield f"outcomes_{index}", ("outcomes", name, "logs", index), log, owner, outcomes.place


def _place(log: Log) -> str:
    if log.table is not None:
        return f"{log.table.database}: {log.table.name}"
    return f"frame {log.frame}" if log.frame is not None else ", ".join(log.paths)


def _report(engine: DuckDB, opened: OpenedLog, log: Log, assigned: tuple[OpenedLog, str] | None) -> LogReport:
    mapped = tuple(_mapped(role, column, opened.types) for role, column in _roles(log))
    good = {column.role: column.column for column in mapped if column.problem is None}
    time = next((good[f"columns.{role}"] for role in _TIME_OF[type(log)] if f"columns.{role}" in good), None)
    rows, without_unit, first, last = _extent(engine, opened, good.get("columns.unit"), time)
    report = LogReport(
        log=opened.name,
        place=_place(log),
        files=tuple(str(file) for file in opened.files),
        columns=opened.types,
        mapped=mapped,
        rows=rows,
        without_unit=without_unit,
        first=first,
        last=last,
    )
    if isinstance(log, AssignmentLog | ExposureLog) and "columns.unit" in good:
        report = replace(report, unit_example=_example(engine, opened, good["columns.unit"]))
    if isinstance(log, AssignmentLog) and "columns.arm" in good:
        names, further = _rows_by(engine, opened, good["columns.arm"], None)
        report = replace(report, arms=names, further_names=further)
    if isinstance(log, OutcomeLog):
        if "columns.event" in good:
            names, further = _rows_by(engine, opened, good["columns.event"], time)
            report = replace(report, events=names, further_names=further)
        else:
            wide = {event: column for event, column in log.wide.items() if f"wide.{event}" in good}
            report = replace(report, events=_present(engine, opened, wide))
    columns = {
        role.removeprefix("columns."): name for role, name in good.items() if role.startswith("columns.")
    }
    events = len(report.events) if "event" in columns else None
    return replace(report, quality=quality_of(engine, opened, log, columns, assigned, events=events))


_TIME_OF: Mapping[type[Log], tuple[str, ...]] = {
    AssignmentLog: ("assigned_at",),
    ExposureLog: ("exposed_at",),
    OutcomeLog: ("occurred_at",),
}


def _roles(log: Log) -> Iterable[tuple[str, str]]:
    """Every column a log maps, by its path in the source file."""
    if isinstance(log, AssignmentLog | ExposureLog | OutcomeLog):
        for role, column in log.columns:
            if column is not None:
                yield f"columns.{role}", column
    if isinstance(log, AssignmentLog):
        yield from ((f"attributes.{name}", column) for name, column in log.attributes.items())
    if isinstance(log, OutcomeLog):
        yield from ((f"wide.{event}", column) for event, column in log.wide.items())


def _mapped(role: str, column: str, types: Mapping[str, str]) -> MappedColumn:
    kind = types.get(column)
    if kind is None:
        return MappedColumn(role, column, None, unknown_name(column, list(types), "a column of this log"))
    group, _, last = role.partition(".")
    wanted = "number" if group == "wide" else _KINDS.get(last) if group == "columns" else None
    if wanted == "time" and not kind.startswith(TIMES):
        return MappedColumn(role, column, kind, f"{column} is {kind}; a time must be a timestamp or a date")
    if wanted == "number" and not is_number(kind):
        return MappedColumn(role, column, kind, f"{column} is {kind}; a value must be a number")
    return MappedColumn(role, column, kind, None)


def _extent(
    engine: DuckDB, opened: OpenedLog, unit: str | None, time: str | None
) -> tuple[int, int | None, datetime | None, datetime | None]:
    """Rows, rows without a unit, first and last time."""
    at = "NULL" if time is None else f"epoch_us({ident(time)})"
    units = "0" if unit is None else f"count({ident(unit)})"
    row = engine.run(Step("extent", f"SELECT count(*), {units}, min({at}), max({at}) FROM {opened.sql}"))[0]
    rows = int(row[0])
    return rows, None if unit is None else rows - int(row[1]), _moment(row[2]), _moment(row[3])


def _rows_by(
    engine: DuckDB, opened: OpenedLog, column: str, time: str | None
) -> tuple[tuple[Named, ...], int]:
    """Rows by name, most first, and how many names there are beyond those listed."""
    at = "NULL" if time is None else f"epoch_us({ident(time)})"
    found = engine.run(
        Step(
            "rows_by_name",
            f"SELECT CAST({ident(column)} AS VARCHAR) AS name, count(*) AS n, min({at}), max({at}) FROM {opened.sql} "
            "GROUP BY name ORDER BY n DESC, name",
        )
    )
    names = tuple(
        Named("(none)" if name is None else str(name), int(n), _moment(first), _moment(last))
        for name, n, first, last in found[:MOST_NAMES]
    )
    return names, max(0, len(found) - MOST_NAMES)


def _example(engine: DuckDB, opened: OpenedLog, unit: str) -> str | None:
    """A unit id as it is logged, masked."""
    known = f"{ident(unit)} IS NOT NULL"
    found = engine.run(Step("example", f"SELECT {ident(unit)} FROM {opened.sql} WHERE {known} LIMIT 1"))
    return masked(found[0][0]) if found else None


def _present(engine: DuckDB, opened: OpenedLog, wide: Mapping[str, str]) -> tuple[Named, ...]:
    """Rows of a wide log in which each event's column is filled."""
    if not wide:
        return ()
    counts = ", ".join(f"count({ident(column)})" for column in wide.values())
    row = engine.run(Step("present", f"SELECT {counts} FROM {opened.sql}"))[0]
    return tuple(Named(event, int(n)) for event, n in zip(wide, row, strict=True))


def _moment(us: int | None) -> datetime | None:
    return None if us is None else at_moment(int(us))
