"""The audit trail as a page reads it: records in words, who read outcomes, and whether the record is whole."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from app.formats import count, short_hash
from app.overview.listing import as_text
from registry.canonical import canonical_json
from registry.clock import parse_instant
from registry.ledger import Entry
from registry.verification import Verification

COLUMNS = (
    "seq",
    "at",
    "simulated",
    "actor",
    "role",
    "action",
    "entity",
    "version",
    "summary",
    "reason",
    "hash",
)

SEALED = ("verdict",)
"""Columns of a sealed look that are shown by its release, which is an act of its own."""


@dataclass(frozen=True, slots=True)
class Told:
    """One record of the ledger, for people."""

    record: int
    at: datetime
    who: str
    did: str
    to: str
    what: str
    why: str
    hash: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Who read outcomes of something, what for, how often, and when last."""

    entity: str
    who: str
    purpose: str
    times: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether anybody changed the record behind the registry's back, in words."""

    ok: bool
    headline: str
    lines: tuple[str, ...]


def told(entry: Entry) -> Told:
    """A record for people. What the act changed in the tables is in the download."""
    to = entry.entity if entry.version is None else f"{entry.entity}, plan v{entry.version}"
    return Told(
        entry.seq,
        parse_instant(entry.at),
        f"{entry.actor} ({entry.role})",
        entry.action,
        to,
        entry.summary,
        (entry.reason or "").splitlines()[0] if entry.reason else "",
        short_hash(entry.hash),
    )


def as_csv(entries: Iterable[Entry]) -> str:
    """Records as a table file, for people; only the JSONL holds all that the hashes cover."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in entries:
        values = asdict(entry)
        cells = ("" if values[name] is None else str(values[name]) for name in COLUMNS)
        writer.writerow([as_text(cell) for cell in cells])
    return out.getvalue()


def as_jsonl(entries: Iterable[Entry]) -> str:
    """Records whole, one JSON document a line, as `fairtrial audit export` writes them."""
    return "".join(f"{canonical_json(asdict(entry))}\n" for entry in entries)


def changes(entry: Entry) -> tuple[tuple[str, str, str], ...]:
    """What an act changed: table and key, column, and the value it has since; nothing for a deleted row."""
    found = []
    for table, key, values in json.loads(entry.detail).get("changes", ()):
        of = f"{table} {' '.join(str(part) for part in key.values())}"
        if values is None:
            found.append((of, "the row", "taken away"))
            continue
        hidden = SEALED if table == "looks" else ()
        found += [
            (of, column, _short(value))
            for column, value in values.items()
            if value is not None and column not in hidden
        ]
    return tuple(found)


def answer(found: Verification) -> Answer:
    """What the check of the chain says."""
    sealed = "sealed with the ledger's key" if found.keyed else "hashed, without a key"
    witnessed = (
        "No file outside the database witnesses them."
        if found.unwitnessed is None
        else f"{count(found.records - found.unwitnessed)} of them are witnessed by a file outside the database."
    )
    if found.ok:
        return Answer(
            True,
            f"The record is whole: {count(found.records)} records, none edited, deleted, reordered or cut.",
            (f"Last hash {found.head}, {sealed}.", witnessed),
        )
    first = "" if found.first_broken is None else f" The first broken record is {count(found.first_broken)}."
    return Answer(
        False,
        f"The registry was changed behind its back.{first}",
        (*(finding.what for finding in found.findings), f"Last hash {found.head}, {sealed}.", witnessed),
    )


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"
