"""A file that somebody hands in for a log: what it holds, which of its columns are which, and what keeps it from being added.

Read are the schema and counts. Of assignments and exposures the first rows are shown, those columns alone that the contract
names, with unit ids masked: any other column may hold an outcome. Of outcomes no row, no value and no time is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any, Final, Literal

from experiments.forms.problems import Invalid, Problem
from experiments.logs.contracts import UNKNOWN_ARM
from experiments.logs.engines.duckdb import DuckDB, OpenedLog
from experiments.logs.inspection import MappedColumn
from experiments.logs.masking import masked
from experiments.logs.sources import Log, Place
from experiments.logs.sql import Step, ident
from experiments.logs.upload_columns import ROLES, TIME_OF, LogKind, Wanted, mapped_column, proposed

PREVIEW_ROWS: Final = 20
NO_HEADER: Final = "the first line seems to hold values; write the names of the columns on a line above them"


@dataclass(frozen=True, slots=True)
class UploadReport:
    """What a file holds, in schema and counts.

    Attributes:
        columns: every column with its type, those apart whose name looks like a value.
        hidden_columns: how many those are.
        mapping: role → column, as given or as proposed.
        repeated: rows that repeat another in all but its value.
        days: on how many days there are rows.
        preview: the first rows, by role; none of outcomes.
    """

    rows: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)
    hidden_columns: int = 0
    mapping: Mapping[str, str] = field(default_factory=dict)
    mapped: tuple[MappedColumn, ...] = ()
    without_unit: int = 0
    repeated: int = 0
    days: int | None = None
    arms: tuple[tuple[str, int], ...] = ()
    preview_columns: tuple[str, ...] = ()
    preview: tuple[tuple[str, ...], ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems


def inspect_upload(
    file: FilePath, format: Literal["csv", "parquet"], wanted: Wanted, columns: Mapping[str, str]
) -> UploadReport:
    """Look a file over as rows of a log; what cannot be read is a problem, not an end.

    Args:
        columns: role → column of the file. What is left out is proposed by name and type; an empty name maps a role to nothing.
    """
    with DuckDB() as engine:
        try:
            opened = engine.open("upload", as_log(file, format), Place(file.parent))
            return _report(engine, opened, wanted, columns)
        except Invalid as error:
            problems = tuple(Problem(("file",), problem.message) for problem in error.problems)
            return UploadReport(problems=problems)


def as_log(file: FilePath, format: Literal["csv", "parquet"]) -> Log:
    """A single file as a log, whatever its folder's names look like."""
    return Log(files=file.name, format=format, hive=False)


def _report(engine: DuckDB, opened: OpenedLog, wanted: Wanted, columns: Mapping[str, str]) -> UploadReport:
    shown = {name: kind for name, kind in opened.types.items() if not _looks_like_a_value(name)}
    hidden = len(opened.types) - len(shown)
    given = {role: column for role, column in columns.items() if column}
    left = [role for role in wanted.columns if role not in columns]
    guess = proposed(wanted, {name: kind for name, kind in shown.items() if name not in given.values()})
    mapping = given | {role: guess[role] for role in left if role in guess}
    problems = [Problem(("file",), NO_HEADER)] if hidden or _is_numbered(opened.types) else []
    mapped = tuple(mapped_column(role, column, wanted, shown) for role, column in mapping.items())
    problems += [Problem(("columns", one.role), one.problem) for one in mapped if one.problem]
    problems += [
        Problem(
            ("columns", role), f"no column of the file is mapped to {role}; choose one of: {', '.join(shown)}"
        )
        for role in wanted.needed
        if role not in mapping
    ]
    good = {one.role: one.column for one in mapped if one.problem is None}
    time = good.get(TIME_OF[wanted.kind])
    rows, units, times, days = _counts(engine, opened, good.get("unit"), time)
    if not rows:
        problems.append(Problem(("file",), "it holds no row"))
    if time is not None and times < rows:
        problems.append(
            Problem(
                ("columns", TIME_OF[wanted.kind]), f"{rows - times:,} rows have no time; every row needs one"
            )
        )
    arms = _arms(engine, opened, good["arm"]) if "arm" in good and rows else ()
    if len(arms) > UNKNOWN_ARM - 1:
        arms = ()
        good.pop("arm")
        why = f"{mapping['arm']} has {UNKNOWN_ARM} different values or more; is it the arm?"
        problems.append(Problem(("columns", "arm"), why))
    names, preview = _preview(engine, opened, wanted.kind, good)
    return UploadReport(
        rows=rows,
        columns=shown,
        hidden_columns=hidden,
        mapping=mapping,
        mapped=mapped,
        without_unit=rows - units if "unit" in good else 0,
        repeated=_repeated(engine, opened, good) if rows and "unit" in good else 0,
        days=days,
        arms=arms,
        preview_columns=names,
        preview=preview,
        problems=tuple(problems),
    )


def _counts(
    engine: DuckDB, opened: OpenedLog, unit: str | None, time: str | None
) -> tuple[int, int, int, int | None]:
    """Rows, those with a unit, those with a time, and on how many days."""
    units = "0" if unit is None else f"count({ident(unit)})"
    times, days = "0", "NULL"
    if time is not None:
        times, days = f"count({ident(time)})", f"count(DISTINCT CAST({ident(time)} AS DATE))"
    found = engine.run(Step("counts", f"SELECT count(*), {units}, {times}, {days} FROM {opened.sql}"))[0]
    return int(found[0]), int(found[1]), int(found[2]), None if found[3] is None else int(found[3])


def _arms(engine: DuckDB, opened: OpenedLog, arm: str) -> tuple[tuple[str, int], ...]:
    found = engine.run(
        Step(
            "rows_by_arm",
            f"SELECT CAST({ident(arm)} AS VARCHAR) AS arm, count(*) AS n FROM {opened.sql} GROUP BY arm "
            f"ORDER BY n DESC, arm LIMIT {UNKNOWN_ARM}",
        )
    )
    return tuple(("(none)" if name is None else str(name), int(n)) for name, n in found)


def _repeated(engine: DuckDB, opened: OpenedLog, good: Mapping[str, str]) -> int:
    alike = (role for role in good if role not in {"value", "recorded_at"} and not role.startswith("wide."))
    keys = [ident(good[role]) for role in alike]
    grouped = f"SELECT count(*) AS n FROM {opened.sql} GROUP BY {', '.join(keys)}"
    return int(engine.run(Step("repeated", f"SELECT sum(n - 1) FROM ({grouped}) AS alike"))[0][0] or 0)


def _preview(
    engine: DuckDB, opened: OpenedLog, kind: LogKind, good: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The first rows of the contract's own columns; attributes may hold anything and stay closed."""
    roles = [role.name for role in ROLES[kind] if role.name in good]
    if kind == "outcomes" or not roles:
        return (), ()
    columns = ", ".join(ident(good[role]) for role in roles)
    found = engine.run(Step("preview", f"SELECT {columns} FROM {opened.sql} LIMIT {PREVIEW_ROWS}"))
    rows = (tuple(_cell(role, value) for role, value in zip(roles, row, strict=True)) for row in found)
    return tuple(roles), tuple(rows)


def _cell(role: str, value: Any) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ", timespec="seconds")
    return masked(value) if role == "unit" else str(value)[:60]


_VALUE = re.compile(r"[-+]?[\d.,]*\d[\d.,eE+-]*|\d{4}-\d\d-\d\d.*|(?i:nan|inf|null|true|false)|\s*")


def _looks_like_a_value(name: str) -> bool:
    return _VALUE.fullmatch(name) is not None


def _is_numbered(names: Iterable[str]) -> bool:
    """Names that the engine gave because the file has none."""
    return all(re.fullmatch(r"column\d+", name) for name in names)
