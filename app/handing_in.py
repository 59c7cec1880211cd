"""A file that is handed in for a source: looked over, and added as it was looked over. Done by the worker and the command line.

It is on record before it is in place, and in place all at once: whoever dies in between leaves a record and a staged file, and
doing the same again puts it in place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.cli.errors import Refusal
from app.settings import Settings
from experiments.forms.problems import Invalid
from experiments.logs.placing import Target, days_marked_complete, put_in_place, stage, target_of, unstage
from experiments.logs.source_files import name_log
from experiments.logs.sources import (
    OutcomeSources,
    Place,
    Sources,
    load_outcome_sources,
    load_sources,
)
from experiments.logs.upload import UploadReport, inspect_upload
from registry.database import Registry
from registry.uploads import Added, add_file, on_record


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A file, and what it is to be looked over as.

    Attributes:
        file: where it lies.
        name: what whoever handed it in calls it.
        log: of the source; see `registry.uploads.UploadAsked`, as for ``columns`` and ``complete``.
    """

    file: Path
    name: str
    log: str
    columns: Mapping[str, str]
    complete: bool = False

    @property
    def format(self) -> Literal["csv", "parquet"]:
        return "parquet" if self.file.name.endswith(".parquet") else "csv"


@dataclass(frozen=True, slots=True)
class LookedOver:
    """What was found of a file, and where it would go.

    Attributes:
        complete_days: on how many of its days the log is marked as complete already.
    """

    target: Target
    report: UploadReport
    sha256: str
    size: int
    complete_days: int


def look_over(settings: Settings, source: str, handed: HandedIn) -> LookedOver:
    """Read a file's schema and counts, and check it as rows of a log.

    Raises:
        Invalid: the source has no such log, or its place takes no further file.
        OSError: the file is not there.
    """
    sha256, size = _hash(handed.file)
    target = _target(settings, source, handed)
    report = inspect_upload(handed.file, handed.format, target.wanted, handed.columns)
    days = days_marked_complete(target, handed.file, handed.format, report.mapping) if report.ok else 0
    return LookedOver(target, report, sha256, size, days)


def add(
    settings: Settings,
    registry: Registry,
    actor: str,
    source: str,
    handed: HandedIn,
    *,
    upload: str,
    sha256: str,
) -> tuple[LookedOver, int]:
    """Add a file to a source, as it was looked over; gives what was found and how many files it became.

    Args:
        upload: by which it is known; adding the same again finishes what was begun.
        sha256: of the file when it was looked over.

    Raises:
        Refused: the actor may not, or this very file was added before.
        Refusal: the file has changed since it was looked over.
        Invalid: something stands in its way by now.
    """
    found = look_over(settings, source, handed)
    if found.sha256 != sha256:
        raise Refusal(
            f"{handed.name} has changed since it was looked over; nothing was added, look it over again"
        )
    if not found.report.ok:
        raise Invalid(handed.name, found.report.problems)
    target, name = found.target, f"upload-{upload[:12]}"
    parts = stage(target, handed.file, handed.format, found.report.mapping, name)
    if not on_record(registry, source, upload):
        added = Added(
            upload=upload,
            name=handed.name,
            sha256=found.sha256,
            size=found.size,
            rows=found.report.rows,
            log=target.label,
            mapping=dict(found.report.mapping),
            files=tuple((part.name, part.sha256) for part in parts),
        )
        try:
            add_file(registry, actor, source, added)
        except BaseException:
            unstage(target, name)
            raise
    put_in_place(target, name)
    if target.entry is not None:
        file = settings.outcomes if target.kind == "outcomes" else settings.sources
        columns = {role: target.wanted.columns[role] for role in found.report.mapping}
        name_log(file, source, target.kind, target.entry, columns, complete=handed.complete)
    return found, len(parts)


def _target(settings: Settings, source: str, handed: HandedIn) -> Target:
    place = Place(settings.sources.parent)
    sources = load_sources(settings.sources) if settings.sources.is_file() else Sources({}, place)
    outcomes: OutcomeSources | None = None
    if handed.log.startswith("outcomes"):
        place = Place(settings.outcomes.parent)
        outcomes = load_outcome_sources(settings.outcomes) if settings.outcomes.is_file() else None
    return target_of(
        source,
        handed.log,
        sources,
        outcomes,
        place=place,
        complete=handed.complete,
        attributes=[role.partition(".")[2] for role in handed.columns if role.startswith("attributes.")],
    )


def _hash(file: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size
