"""The data sources in words: what the sources file maps, and what the worker's last check found of their logs.

The outcomes file is named and never opened here: which process reads what is in `README`, "Processes".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.formats import count, instant
from experiments.logs.sources import AssignmentLog, ExposureLog, Log, Source, Sources

OPEN = "open: assignments and exposures are no outcomes"
CLOSED = "closed to the app; read only by the worker, at a declared look"

PURPOSES = {
    "assignments": "who was assigned to which arm, and when",
    "exposures": "when the arms could first differ for a unit",
    "outcomes": "what happened to the units afterwards",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the contract, and the log's column it is mapped to.

    Attributes:
        kind: the log's own type, by the last check; None before one.
        problem: what is wrong with it, by the last check.
    """

    field: str
    column: str
    kind: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class MappedLog:
    """One log as the sources file maps it, with what the last check found.

    Attributes:
        counts: rows, files and times in words; empty before a check.
        events: names of events the worker saw, with their first and last times, arms pooled; outcome logs only. How many
            there were is left out: over the number of units it would be the pooled outcome.
    """

    name: str
    purpose: str
    access: str
    place: str
    columns: tuple[Column, ...]
    counts: tuple[tuple[str, str], ...]
    events: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class MappedSource:
    """One source: its logs, and the last check of them.

    Attributes:
        checked_at: None before the first check.
        ok: whether the last check found nothing wrong; None before one.
        problems: each in words.
    """

    name: str
    complete: str
    logs: tuple[MappedLog, ...]
    checked_at: datetime | None
    ok: bool | None
    problems: tuple[str, ...]
    reach: str

    @property
    def standing(self) -> str:
        """Of the last check, with its icon."""
        if self.ok is None:
            return "not checked yet"
        n = len(self.problems)
        return "✓ no problem found" if self.ok else f"✕ {count(n)} problem{'' if n == 1 else 's'}"


def mapped_sources(
    sources: Sources, checks: Mapping[str, tuple[datetime | None, Mapping[str, Any]]]
) -> tuple[MappedSource, ...]:
    """Every source of the sources file.

    Args:
        checks: when the last finished check of a source was, and what it found (`registry.findings.SourceFound`).
    """
    return tuple(
        _mapped(name, source, *checks.get(name, (None, None))) for name, source in sources.by_name.items()
    )


def _mapped(
    name: str, source: Source, checked_at: datetime | None, found: Mapping[str, Any] | None
) -> MappedSource:
    logs = {log["log"]: log for log in found["logs"]} if found else {}
    written: list[tuple[str, Log]] = [("assignments", source.assignments)]
    if source.exposures is not None:
        written.append(("exposures", source.exposures))
    mapped = [_log(label, log, logs.get(label)) for label, log in written]
    mapped += [_outcomes(label, log) for label, log in logs.items() if label.startswith("outcomes")]
    if not any(log.name.startswith("outcomes") for log in mapped):
        mapped.append(
            MappedLog("outcomes", PURPOSES["outcomes"], CLOSED, "named in the outcomes file", (), ())
        )
    return MappedSource(
        name=name,
        complete=_complete(source),
        logs=tuple(mapped),
        checked_at=checked_at,
        ok=None if found is None else bool(found["ok"]),
        problems=() if found is None else tuple(found["problems"]),
        reach="" if found is None else _reach(found),
    )


def _complete(source: Source) -> str:
    if source.complete:
        return "nothing more will come"
    if source.watermark is not None:
        return f"complete up to {instant(source.watermark)}, as declared"
    return "complete up to the last whole partition of each log"


def _reach(found: Mapping[str, Any]) -> str:
    why = found["watermark_why"]
    return f"Complete up to {_time(found['watermark'])}" + (f" ({why})" if why else "")


def _log(label: str, log: Log, found: Mapping[str, Any] | None) -> MappedLog:
    seen = {column["role"]: column for column in found["mapped"]} if found else {}
    columns = [
        Column(
            role.removeprefix("columns."),
            name,
            seen.get(role, {}).get("type"),
            seen.get(role, {}).get("problem"),
        )
        for role, name in _roles(log)
    ]
    return MappedLog(label, PURPOSES[label], OPEN, _place(log), tuple(columns), _counts(found))


def _outcomes(label: str, found: Mapping[str, Any]) -> MappedLog:
    columns = [
        Column(one["role"].removeprefix("columns."), one["column"], one["type"], one["problem"])
        for one in found["mapped"]
    ]
    events = tuple((one["name"], _time(one["first"]), _time(one["last"])) for one in found["events"])
    return MappedLog(
        label,
        PURPOSES["outcomes"],
        CLOSED,
        found["place"],
        tuple(columns),
        _counts(found, rows=False),
        events,
    )


def _roles(log: Log) -> Iterator[tuple[str, str]]:
    if isinstance(log, AssignmentLog | ExposureLog):
        for role, column in log.columns:
            if column is not None:
                yield f"columns.{role}", column
    if isinstance(log, AssignmentLog):
        yield from ((f"attributes.{name}", column) for name, column in log.attributes.items())


def _place(log: Log) -> str:
    if log.table is not None:
        return f"table {log.table.name} of {log.table.database}"
    return f"frame {log.frame}" if log.frame is not None else ", ".join(log.paths)


def _counts(found: Mapping[str, Any] | None, *, rows: bool = True) -> tuple[tuple[str, str], ...]:
    if found is None:
        return ()
    if found["rows"] is None:
        return (("Opened", "no: see the problems"),)
    known = [("Rows", count(found["rows"]) if rows else "some" if found["rows"] else "none")]
    if found["files"]:
        known.append(("Files", count(found["files"])))
    if found["without_unit"] and rows:
        known.append(("Rows without a unit", count(found["without_unit"])))
    known += [("First time", _time(found["first"])), ("Last time", _time(found["last"]))]
    arms = ", ".join(f"{arm['name']} {count(arm['rows'])}" for arm in found["arms"])
    return (*known, *((("Rows by arm as logged", arms),) if arms else ()))


def _time(moment: str | datetime | None) -> str:
    return instant(datetime.fromisoformat(moment) if isinstance(moment, str) else moment)
