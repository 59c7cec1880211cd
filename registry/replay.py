"""What the tables should hold by the ledger's records, and where they hold something else."""

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from registry.canonical import canonical_json, sha256_of_text
from registry.ledger import Entry
from registry.tables import VOUCHED, documents

UNREADABLE: Final = (ValueError, TypeError, DBAPIError)
"""What reading raises when a column holds something that never was one of its values."""

_UNVOUCHED: Final = frozenset({"body"})  # a document's body is vouched for by its hash


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was written: at which record, and what."""

    seq: int | None
    """The record that is broken, or that vouches for the row; None when no record knows the row."""
    what: str


@dataclass(slots=True)
class _Vouched:
    """A row as the ledger knows it, and the last record that spoke of it."""

    seq: int
    values: dict[str, Any]


class Replay:
    """Builds from the records what the tables should hold."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, _Vouched]] = {table.name: {} for table in VOUCHED}
        self._gone: dict[tuple[str, str], int] = {}

    def take(self, entry: Entry) -> None:
        for table, key, values in _changes(entry):
            rows = self._rows.get(table)
            if rows is None:
                continue
            name = canonical_json(key)
            if values is None:
                rows.pop(name, None)
                self._gone[table, name] = entry.seq
            elif name in rows:
                rows[name].seq = entry.seq
                rows[name].values |= values
            else:
                rows[name] = _Vouched(entry.seq, key | values)

    def differences(self, connection: Connection) -> list[Finding]:
        """Where the tables hold something else than the records say."""
        found: list[Finding] = []
        for table in VOUCHED:
            expected = dict(self._rows[table.name])
            keys = [column.name for column in table.primary_key]
            try:
                for row in connection.execute(select(table).execution_options(yield_per=1_000)).mappings():
                    name = canonical_json({key: row[key] for key in keys})
                    vouched = expected.pop(name, None)
                    found += self._row_differences(table.name, name, dict(row), vouched)
            except UNREADABLE as error:
                found.append(Finding(None, f"A row of {table.name} cannot be read: {error}."))
                continue
            found += [
                Finding(
                    lost.seq, f"{table.name} {name}: the row is gone; record {lost.seq} says it is there."
                )
                for name, lost in expected.items()
            ]
        return sorted(found, key=lambda finding: finding.seq or 0)

    def _row_differences(
        self, table: str, name: str, row: dict[str, Any], vouched: _Vouched | None
    ) -> list[Finding]:
        if vouched is None:
            seq = self._gone.get((table, name))
            says = "no record speaks of it" if seq is None else f"record {seq} took it away"
            return [Finding(seq, f"{table} {name}: the row is in the table, but {says}.")]
        found = [
            Finding(
                vouched.seq,
                f"{table} {name}: {column} is {_short(row[column])}; by the ledger (last record "
                f"{vouched.seq}) it is {_short(vouched.values.get(column))}.",
            )
            for column in row
            if column not in _UNVOUCHED and not _same(row[column], vouched.values.get(column))
        ]
        if table == documents.name and sha256_of_text(row["body"]) != row["sha256"]:
            found.append(
                Finding(vouched.seq, f"Document {row['sha256']} was edited: its text has another hash.")
            )
        return found


def _changes(entry: Entry) -> list[tuple[str, dict[str, Any], dict[str, Any] | None]]:
    try:
        return [(str(table), dict(key), values) for table, key, values in json.loads(entry.detail)["changes"]]
    except (ValueError, KeyError, TypeError):
        return []  # an edited record: its hash has told so already


def _same(found: object, expected: object) -> bool:
    if type(found) is str and type(expected) is str:
        return found == expected
    return canonical_json(found) == canonical_json(expected)


def _short(value: object) -> str:
    text = canonical_json(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
