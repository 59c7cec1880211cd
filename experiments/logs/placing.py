"""Where a file that is handed in comes to lie among a log's files, and how it gets there.

It is written anew as the log's own kind of file, under the log's own column names and types, and only the columns that are
mapped. Until it is put in place it lies in a folder that no source reads, so a reader sees all of a file or none of it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Final, Literal

from experiments.forms.problems import Invalid, Problem, unknown_name
from experiments.logs.engines.duckdb import DuckDB
from experiments.logs.manifest import Part, file_part
from experiments.logs.sources import (
    SOURCE_NAME,
    AssignmentLog,
    ExposureLog,
    Log,
    OutcomeLog,
    OutcomeSources,
    Place,
    Sources,
)
from experiments.logs.sql import Step, ident
from experiments.logs.upload import as_log
from experiments.logs.upload_columns import ROLES, TIME_OF, LogKind, Wanted

DAY_FOLDER: Final = "dt"
"""The day folders of a log that begins with a file that is handed in."""

STAGING: Final = ".arriving-"
"""Begins the name of a folder that no pattern of a source matches: patterns pass over names that begin with a full stop."""


@dataclass(frozen=True, slots=True)
class Target:
    """The log that a file joins.

    Attributes:
        label: ``assignments``, ``exposures``, ``outcomes_0``…
        folder: under which its files lie.
        partition: the day folder's name; None where all files lie in one folder.
        entry: what the sources or outcomes file has to say of a new log, ``files`` and all; None for one that it has.
    """

    source: str
    kind: LogKind
    label: str
    wanted: Wanted
    folder: FilePath
    partition: str | None
    format: Literal["csv", "parquet"]
    entry: Mapping[str, object] | None


def target_of(
    source: str,
    log: str,
    sources: Sources,
    outcomes: OutcomeSources | None,
    *,
    place: Place,
    complete: bool = False,
    attributes: Iterable[str] = (),
) -> Target:
    """The log of a source that a file may join.

    Args:
        log: ``assignments``, ``exposures``, ``outcomes``; or one of several outcome logs, ``outcomes_1``.
        outcomes: None where the outcomes file does not name the source, or is not there.
        place: where new logs are to lie.
        complete: of a new source or outcome log: nothing more will come after this file.
        attributes: further columns that a new assignment log is to have.

    Raises:
        Invalid: there is no such log to be, or its place takes no further file.
    """
    kind, index = _kind(log)
    known = _known(source, kind, index, sources, outcomes)
    if known is not None:
        owner = outcomes.place if kind == "outcomes" and outcomes is not None else sources.place
        label = f"outcomes_{index}" if kind == "outcomes" else kind
        return _existing(source, kind, label, known, owner)
    if kind != "assignments" and source not in sources.by_name:
        raise _problem(
            "source", f"a new source begins with its assignments; add {source}'s assignments first"
        )
    if not SOURCE_NAME.fullmatch(source):
        raise _problem(
            "source",
            f"{source!r} is not allowed; give a name of small letters, digits, - and _, for example search-logs",
        )
    if kind == "exposures":
        complete = sources[source].complete
    return _new(source, kind, place, complete=complete, attributes=tuple(attributes))


def stage(
    target: Target, file: FilePath, format: Literal["csv", "parquet"], mapping: Mapping[str, str], name: str
) -> tuple[Part, ...]:
    """Write a file that was looked over as the log's own, into the staging folder; gives what was written and will be in place.

    Args:
        name: of the new files, before their ending.
    """
    staging = _staging(target, name)
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    with DuckDB() as engine:
        opened = engine.open("upload", as_log(file, format), Place(file.parent))
        chosen = [
            f"{_cast(column, opened.types[column], target.wanted.types.get(target.wanted.columns[role]))} "
            f"AS {ident(target.wanted.columns[role])}"
            for role, column in mapping.items()
        ]
        sql = f"SELECT {', '.join(chosen)}"
        if target.partition is None:
            step = Step("staged", f"{sql} FROM {opened.sql}")
            engine.write_file(step, staging / f"{name}.{target.format}", target.format)
        else:
            day = f"strftime(CAST({ident(mapping[TIME_OF[target.kind]])} AS DATE), '%Y-%m-%d')"
            step = Step("staged", f"{sql}, {day} AS {ident(target.partition)} FROM {opened.sql}")
            engine.write_folders(step, staging, target.partition, name, target.format)
    return tuple(file_part(target.label, one, staging) for one in staged(target, name))


def put_in_place(target: Target, name: str) -> tuple[FilePath, ...]:
    """Move what was staged to where the source reads it; what is in place already stays. Gives the files in place."""
    staging = _staging(target, name)
    placed = []
    for file in staged(target, name):
        to = target.folder / file.relative_to(staging)
        to.parent.mkdir(parents=True, exist_ok=True)
        file.replace(to)
        placed.append(to)
    shutil.rmtree(staging, ignore_errors=True)
    return tuple(placed)


def unstage(target: Target, name: str) -> None:
    """Take back what was staged."""
    shutil.rmtree(_staging(target, name), ignore_errors=True)


def staged(target: Target, name: str) -> tuple[FilePath, ...]:
    """The files that were staged and are not in place yet."""
    return tuple(sorted(path for path in _staging(target, name).rglob("*") if path.is_file()))


def days_marked_complete(
    target: Target, file: FilePath, format: Literal["csv", "parquet"], mapping: Mapping[str, str]
) -> int:
    """On how many of a file's days its log is marked as complete already: adding rows changes what was complete."""
    if target.partition is None:
        return 0
    with DuckDB() as engine:
        opened = engine.open("upload", as_log(file, format), Place(file.parent))
        day = f"strftime(CAST({ident(mapping[TIME_OF[target.kind]])} AS DATE), '%Y-%m-%d')"
        found = engine.run(Step("days", f"SELECT DISTINCT {day} AS day FROM {opened.sql}"))
    return sum((target.folder / f"{target.partition}={day}" / "_SUCCESS").exists() for (day,) in found)


def _staging(target: Target, name: str) -> FilePath:
    return target.folder / f"{STAGING}{name}"


def _kind(log: str) -> tuple[LogKind, int]:
    match = re.fullmatch(r"(assignments|exposures|outcomes)(?:_(\d{1,3}))?", log)
    if match is None or (match[2] is not None and match[1] != "outcomes"):
        raise _problem("log", unknown_name(log, ["assignments", "exposures", "outcomes"], "a log"))
    kinds: dict[str, LogKind] = {kind: kind for kind in ROLES}
    return kinds[match[1]], int(match[2] or 0)


def _known(
    source: str, kind: LogKind, index: int, sources: Sources, outcomes: OutcomeSources | None
) -> Log | None:
    if kind == "outcomes":
        logs = outcomes[source].logs if outcomes is not None and source in outcomes.by_name else ()
        if index and index >= len(logs):
            raise _problem(
                "log", f"source {source} has {len(logs)} outcome logs; there is no outcomes_{index}"
            )
        return logs[index] if logs else None
    found = sources.by_name.get(source)
    if found is None:
        return None
    return found.assignments if kind == "assignments" else found.exposures


def _existing(source: str, kind: LogKind, label: str, log: Log, place: Place) -> Target:
    pattern = next((one for one in log.paths if "*" in FilePath(one).name), None)
    if pattern is None:
        where = "a table" if log.table else "a frame given in Python" if log.frame else "one file"
        raise _problem(
            "log",
            f"{label} of {source} is {where}, to which no file can be added; name a folder in the sources file, for "
            "example files: logs/assignments/*.parquet",
        )
    parents = FilePath(pattern).parent.parts
    patterns = [part for part in parents if re.search(r"[*?\[]", part)]
    day = None if log.partition is None else f"{log.partition}=*"
    if patterns not in ([], [day]) or (patterns and parents[-1] != day) or (log.partition and not patterns):
        raise _problem(
            "log",
            f"{label} of {source} lies in {pattern}; a file can be added where all lie in one folder, or in folders of a day "
            "that partition names",
        )
    folder = place.folder / FilePath(*parents[: -1 if patterns else None])
    with DuckDB() as engine:
        try:
            types = engine.open(label, log, place).types
        except Invalid:
            types = {}  # nothing lies there yet
    columns = _columns(log)
    if log.partition in columns.values():
        raise _problem(
            "log",
            f"{label} of {source} takes its column {log.partition} from the names of its folders; lay the file there by hand",
        )
    needed = [role for role in columns if role == "experiment" or role.startswith("wide.")]
    return Target(
        source,
        kind,
        label,
        Wanted(kind, columns, (*_needed(kind, columns, timed=log.partition is not None), *needed), types),
        folder,
        log.partition,
        log.format or ("csv" if ".csv" in pattern else "parquet"),
        None,
    )


def _new(source: str, kind: LogKind, place: Place, *, complete: bool, attributes: tuple[str, ...]) -> Target:
    columns = {role.name: role.name for role in ROLES[kind]}
    columns |= {f"attributes.{name}": name for name in attributes}
    partition = None if complete else DAY_FOLDER
    days = "" if partition is None else f"{partition}=*/"
    entry: dict[str, object] = {"files": f"logs/{source}/{kind}/{days}*.parquet"}
    if partition is not None:
        entry["partition"] = partition
    label = "outcomes_0" if kind == "outcomes" else kind
    return Target(
        source,
        kind,
        label,
        Wanted(kind, columns, _needed(kind, columns, timed=not complete), {}),
        place.folder / "logs" / source / kind,
        partition,
        "parquet",
        entry,
    )


def _columns(log: Log) -> dict[str, str]:
    columns: dict[str, str] = {}
    if isinstance(log, AssignmentLog | ExposureLog | OutcomeLog):
        columns = {role: column for role, column in log.columns if column is not None}
    if isinstance(log, AssignmentLog):
        columns |= {f"attributes.{name}": column for name, column in log.attributes.items()}
    if isinstance(log, OutcomeLog):
        columns |= {f"wide.{event}": column for event, column in log.wide.items()}
    return columns


def _needed(kind: LogKind, columns: Mapping[str, str], *, timed: bool) -> tuple[str, ...]:
    """What the contract needs; a time only where more rows will come, or where days are told apart."""
    needed = (role.name for role in ROLES[kind] if role.needed and role.name in columns)
    return tuple(role for role in needed if timed or role != TIME_OF[kind])


def _cast(column: str, kind: str, there: str | None) -> str:
    return ident(column) if there in (None, kind) else f"CAST({ident(column)} AS {there})"


def _problem(field: str, message: str) -> Invalid:
    return Invalid("the file", [Problem((field,), message)])
