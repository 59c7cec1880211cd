"""The data sources in words: what the sources file maps, and what the worker's last check found of their logs.

The outcomes file is named and never opened here: which process reads what is in `README`, "Processes".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.formats import NOTHING, count, instant
from app.overview.example_logs import PURPOSES
from app.overview.quality import day, span
from experiments.logs.quality import Arrivals, Day, Quality
from experiments.logs.sources import AssignmentLog, ExposureLog, Log, Source, Sources
from registry.database import Registry
from registry.jobs import JobState, Kind, latest

TESTED_WITHIN = timedelta(hours=24)
"""How long a check of a plan's source counts."""

OPEN = "open: assignments and exposures are no outcomes"
CLOSED = "closed to the app; read only by the worker, at a declared look"


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
        quality: how the log comes in; None before a check.
        complete_to: up to when it was complete at the last check; None where nothing more comes, or it is unknown.
    """

    name: str
    purpose: str
    access: str
    place: str
    columns: tuple[Column, ...]
    counts: tuple[tuple[str, str], ...]
    events: tuple[tuple[str, str, str], ...] = ()
    quality: Quality | None = None
    complete_to: datetime | None = None

    @property
    def last_day(self) -> str:
        """``1 310 on 9 Nov 2026``; nothing where rows by day are not told."""
        if self.quality is None or not self.quality.days:
            return NOTHING
        last = self.quality.days[-1]
        return f"{count(last.rows)} on {day(last.day)}"


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
    complete_to: datetime | None = None

    @property
    def standing(self) -> str:
        """Of the last check, with its icon."""
        if self.ok is None:
            return "not checked yet"
        n = len(self.problems)
        return "✓ no problem found" if self.ok else f"✕ {count(n)} problem{'' if n == 1 else 's'}"

    @property
    def behind(self) -> str:
        """How far its logs were behind at the last check, together."""
        if self.checked_at is None or self.complete_to is None:
            return NOTHING
        return span(self.checked_at - self.complete_to)

    @property
    def last_time(self) -> str:
        """When the newest row of any log is from."""
        times = [words for log in self.logs for what, words in log.counts if what == "Last time"]
        return ", ".join(dict.fromkeys(times)) if len(set(times)) == 1 else NOTHING


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


def tested(registry: Registry, source: str) -> tuple[bool, str]:
    """Whether a source's logs were checked within a day and nothing was wrong with them, and the sentence that says so."""
    done = latest(registry, source, Kind.SOURCE_CHECK, (JobState.DONE,))
    if done is None or done.result is None or done.finished_at is None:
        return False, f"The logs of source {source} have not been checked yet."
    ago = registry.clock.now() - done.finished_at
    said = f"The logs of source {source} were checked {span(ago)} ago"
    if not done.result["ok"]:
        return False, f"{said}, and something was wrong with them."
    return ago <= TESTED_WITHIN, f"{said}, and nothing was wrong with them."


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
        complete_to=None if found is None else _moment(found["watermark"]),
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
    purpose = PURPOSES["exposures"] if label == "exposures" else PURPOSES["assignments"]
    return MappedLog(
        label,
        purpose,
        OPEN,
        _place(log),
        tuple(columns),
        _counts(found),
        quality=_quality(found),
        complete_to=None if found is None else _moment(found["watermark"]),
    )


def _outcomes(label: str, found: Mapping[str, Any]) -> MappedLog:
    columns = [
        Column(one["role"].removeprefix("columns."), one["column"], one["type"], one["problem"])
        for one in found["mapped"]
    ]
    events = tuple((one["name"], _time(one["first"]), _time(one["last"])) for one in found["events"])
    quality = _quality(found)
    return MappedLog(
        label,
        PURPOSES["outcomes"],
        CLOSED,
        found["place"],
        tuple(columns),
        _counts(found, rows=quality is not None and bool(quality.days)),
        events,
        quality,
        _moment(found["watermark"]),
    )


def _quality(found: Mapping[str, Any] | None) -> Quality | None:
    """As the worker left it; a check from before it was looked at has none."""
    known = None if found is None else found.get("quality")
    if known is None:
        return None
    late = known["arrivals"]
    return Quality(
        days=tuple(Day(_known(one["day"]), one["rows"]) for one in known["days"]),
        no_days=known["no_days"],
        arrivals=Arrivals(tuple(late["shares"]), _moment(late["before"]), late["not_computed"]),
        matched_share=known["matched_share"],
        no_match=known["no_match"],
        repeated_share=known["repeated_share"],
        early_share=known["early_share"],
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
    if found.get("unit_example"):
        known.append(("A unit id, masked", found["unit_example"]))
    arms = ", ".join(f"{arm['name']} {count(arm['rows'])}" for arm in found["arms"])
    return (*known, *((("Rows by arm as logged", arms),) if arms else ()))


def _time(moment: str | None) -> str:
    return instant(_moment(moment))


def _moment(moment: str | None) -> datetime | None:
    return None if moment is None else _known(moment)


def _known(moment: str) -> datetime:
    return datetime.fromisoformat(moment)
