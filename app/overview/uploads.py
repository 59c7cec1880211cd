"""Files that were handed in: those that wait, what was found of one, what became of it, and those a source was given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.formats import NOTHING, count
from app.spool import waits
from registry.database import Registry
from registry.findings import AddedFound, UploadFound
from registry.jobs import Job, JobState, Kind, asked_by, find
from registry.store import find_ledger
from registry.uploads import ADD_FILE

NOT_KEPT: Final = "not kept"

MOST_ADDED: Final = 100
"""Of a person's acts of adding, the newest that are looked through."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A file that was handed in, by the job that looked it over.

    Attributes:
        found: what is in it; None until the worker has looked.
        waiting: whether it still waits for the worker to add it.
        adding: the job that adds it, if that was asked for.
        added: what came of that.
    """

    check: Job
    found: UploadFound | None
    waiting: bool
    adding: Job | None
    added: AddedFound | None

    @property
    def name(self) -> str:
        return str(self.check.parameters["name"])

    @property
    def standing(self) -> str:
        """In a word or two."""
        if self.added is not None:
            return "added"
        if not self.waiting:
            return "no longer here"
        if self.adding is not None and self.adding.unfinished:
            return "being added"
        if self.found is None:
            return "being looked over" if self.check.unfinished else "could not be read"
        return "ready to be added" if self.found.ok else "something is wrong with it"


def handed_in(registry: Registry, folder: Path, check: int) -> Handed | None:
    """A file by the job that looked it over; None where that job is about something else.

    Raises:
        Unknown: there is no such job.
    """
    job = find(registry, check)
    return _handed(registry, folder, job) if job.kind is Kind.UPLOAD_CHECK else None


def waiting_of(registry: Registry, folder: Path, person: str) -> tuple[Handed, ...]:
    """The files that somebody handed in and neither added nor discarded, each as it was looked over last."""
    newest: dict[str, Job] = {}
    for job in asked_by(registry, person, Kind.UPLOAD_CHECK):
        newest.setdefault(str(job.parameters["upload"]), job)
    found = (_handed(registry, folder, job) for job in newest.values())
    return tuple(one for one in found if one.waiting and one.added is None)


def files_added(registry: Registry, source: str) -> list[dict[str, str]]:
    """The files that a source was given here, newest first, as a table has them."""
    rows = []
    for entry in find_ledger(registry, entity=source, action=ADD_FILE, newest_first=True):
        facts: Mapping[str, Any] = json.loads(entry.detail)["facts"]
        rows.append(
            {
                "When": f"{entry.at[:10]} {entry.at[11:16]}",
                "Who": entry.actor,
                "Log": facts["log"],
                "File": facts["name"],
                "Rows": count(facts["rows"]),
                "SHA-256": facts["sha256"][:12],
                "Record": str(entry.seq),
            }
        )
    return rows


def size_in_words(size: int) -> str:
    """``12 kB``, ``3.4 MB``."""
    if size < 1_000_000:
        return f"{max(1, round(size / 1000))} kB"
    return f"{size / 1_000_000:.1f} MB"


def schema_of(found: UploadFound) -> list[dict[str, str]]:
    """Every column of a file, what it is mapped to and what is wrong with that; the names that look like values are only counted."""
    by_column = {one.column: one for one in found.mapped}
    rows = [
        {
            "Column of the file": name,
            "Type": kind,
            "Is": by_column[name].role if name in by_column else NOT_KEPT,
            "Problem": (by_column[name].problem or "") if name in by_column else "",
        }
        for name, kind in found.columns.items()
    ]
    if found.hidden_columns:
        said = f"{count(found.hidden_columns)} more, whose names look like values"
        rows.append({"Column of the file": said, "Type": NOTHING, "Is": NOT_KEPT, "Problem": ""})
    return rows


def counts_of(found: UploadFound) -> list[dict[str, str]]:
    """What was counted in a file."""
    rows = [("Rows", count(found.rows))]
    if found.days is not None:
        rows.append(("Days with rows", count(found.days)))
    if found.arms:
        rows.append(("Rows by arm as logged", ", ".join(f"{arm} {count(n)}" for arm, n in found.arms)))
    if found.without_unit:
        rows.append(("Rows without a unit", count(found.without_unit)))
    if found.repeated:
        rows.append(("Rows that repeat another in all but its value", count(found.repeated)))
    if found.complete_days:
        said = f"{count(found.complete_days)}; adding rows changes what was complete"
        rows.append(("Days that the log marks as complete already", said))
    return [{"What": what, "Found": words} for what, words in rows]


def _handed(registry: Registry, folder: Path, check: Job) -> Handed:
    mine = asked_by(registry, check.requested_by, Kind.UPLOAD_COMMIT, MOST_ADDED)
    adding = next((job for job in mine if job.parameters["check"] == check.id), None)
    done = adding is not None and adding.state is JobState.DONE
    return Handed(
        check,
        None if check.result is None else UploadFound.model_validate(check.result),
        waits(folder, str(check.parameters["upload"]), str(check.parameters["ending"])),
        adding,
        AddedFound.model_validate(adding.result) if adding is not None and done else None,
    )
