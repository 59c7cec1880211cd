"""Up to when the logs are complete: declared, else the last complete partition; never now(), never max(occurred_at)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path as FilePath

from experiments.logs import Log, OutcomeSource, Source
from experiments.problems import Problem
from experiments.sql import microseconds


@dataclass(frozen=True, slots=True)
class Watermark:
    """The moment and where it comes from; ``us`` is None when the source is complete: nothing more will come."""

    us: int | None
    why: str


def of_partitions(files: Sequence[FilePath], partition: str) -> datetime | None:
    """Start of the newest day folder, or its end when the folder holds a ``_SUCCESS`` marker.

    A day's folder may still grow while it is the newest, so it counts as complete only when marked.
    """
    days: dict[datetime, FilePath] = {}
    for file in files:
        for folder in file.parents:
            match = re.fullmatch(re.escape(partition) + r"=(\d{4}-\d{2}-\d{2})", folder.name)
            if match:
                days[datetime.strptime(match[1], "%Y-%m-%d").replace(tzinfo=UTC)] = folder
    if not days:
        return None
    newest = max(days)
    return newest + timedelta(days=1) if (days[newest] / "_SUCCESS").exists() else newest


def watermark_of(
    name: str, log: Log, source: Source | OutcomeSource, files: Sequence[FilePath]
) -> Watermark | Problem:
    """The watermark of one log, or the problem that it has none."""
    if log.watermark is not None:
        return Watermark(microseconds(log.watermark), f"{name}: declared for the log")
    if source.complete:
        return Watermark(None, f"{name}: declared complete")
    if source.watermark is not None:
        return Watermark(microseconds(source.watermark), f"{name}: declared for the source")
    if log.partition is not None:
        found = of_partitions(files, log.partition)
        if found is not None:
            return Watermark(microseconds(found), f"{name}: last complete partition of {log.partition}")
    return Problem(
        (name,),
        "has no watermark, so nobody can know which windows are over; declare watermark, or partition (the date folder), "
        "or complete: true when nothing more will come",
    )


def earliest(watermarks: Sequence[Watermark]) -> Watermark:
    """The minimum over the logs a look needs; complete only when every log is."""
    bounded = [w for w in watermarks if w.us is not None]
    if not bounded:
        return Watermark(None, "all logs declared complete")
    return min(bounded, key=lambda w: w.us or 0)
