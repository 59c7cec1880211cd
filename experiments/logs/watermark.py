"""Up to when the logs are complete: declared, else the last complete partition; never now(), never max(occurred_at)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path as FilePath

from experiments.forms.problems import Problem
from experiments.logs.sources import Log, OutcomeSource, Source
from experiments.logs.sql import microseconds


@dataclass(frozen=True, slots=True)
class Watermark:
    """The moment and where it comes from; ``us`` is None when the source is complete: nothing more will come."""

    us: int | None
    why: str


def of_partitions(files: Sequence[FilePath], partition: str) -> datetime | None:
    """End of the last day before which every day has its folder and is over.

    A day's folder may still grow while it is the newest, so that one counts only with a ``_SUCCESS`` marker in it; where
    markers are in use, every day needs one. A day without a folder has not arrived: a day on which nothing happened needs
    an empty folder with a marker (or declare the watermark). Of several such trees the one that is least far counts.
    """
    places = {folder.parent for file in files for folder in file.parents if _day(folder, partition)}
    return min((_complete_until(place, partition) for place in places), default=None)


def _complete_until(place: FilePath, partition: str) -> datetime:
    days: dict[datetime, bool] = {}
    for folder in place.iterdir():
        day = _day(folder, partition)
        if day is not None and folder.is_dir():
            days[day] = (folder / "_SUCCESS").exists()
    marked = any(days.values())
    day, newest = min(days), max(days)
    while day in days and (days[day] or (not marked and day < newest)):
        day += timedelta(days=1)
    return day


def _day(folder: FilePath, partition: str) -> datetime | None:
    match = re.fullmatch(re.escape(partition) + r"=(\d{4}-\d{2}-\d{2})", folder.name)
    return None if match is None else datetime.strptime(match[1], "%Y-%m-%d").replace(tzinfo=UTC)


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
