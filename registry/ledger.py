"""The ledger: every act in order, each record sealing the one before it.

A record's hash is SHA-256 over its own canonical JSON, which holds the hash of the record before; with a key
kept outside the database it is HMAC-SHA256, which nobody who can only write to the database can compute.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, insert, select

from registry.canonical import canonical_json
from registry.errors import LedgerKeyError
from registry.tables import ledger

GENESIS: Final = "0" * 64
"""What the first record names as the hash before it."""

ADOPT_KEY: Final = "adopt ledger key"
"""The act after which every record is keyed; it vouches for the unkeyed ones before it."""

READ_OUTCOMES: Final = "read outcomes"
"""The act of reading outcomes, whoever does it and for whatever purpose."""

MINIMUM_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the ledger, as it is stored."""

    seq: int
    at: str
    simulated: bool
    actor: str
    role: str
    action: str
    entity: str
    version: int | None
    summary: str
    reason: str | None
    detail: str
    key_id: str | None
    prev_hash: str
    hash: str

    def sealed_bytes(self) -> bytes:
        """What the hash is computed over: every field but the hash itself."""
        return canonical_json(
            {
                "seq": self.seq,
                "at": self.at,
                "simulated": self.simulated,
                "actor": self.actor,
                "role": self.role,
                "action": self.action,
                "entity": self.entity,
                "version": self.version,
                "summary": self.summary,
                "reason": self.reason,
                "detail": self.detail,
                "key_id": self.key_id,
                "prev_hash": self.prev_hash,
            }
        ).encode()


@dataclass(frozen=True, slots=True)
class Head:
    """Where the ledger ends: how many records, and the hash of the last."""

    count: int
    hash: str
    at: str | None
    key_id: str | None = None


def head(connection: Connection) -> Head:
    """The end of the ledger; an empty one has no records and the hash of `GENESIS`."""
    columns = (ledger.c.seq, ledger.c.hash, ledger.c.at, ledger.c.key_id)
    row = connection.execute(select(*columns).order_by(ledger.c.seq.desc()).limit(1)).one_or_none()
    return Head(0, GENESIS, None) if row is None else Head(row.seq, row.hash, row.at, row.key_id)


def append(
    connection: Connection,
    *,
    key: bytes | None,
    at: str,
    simulated: bool,
    actor: str,
    role: str,
    action: str,
    entity: str,
    version: int | None,
    summary: str,
    reason: str | None,
    detail: Mapping[str, Any],
) -> Entry:
    """Add a record after the last one. The caller holds the write lock.

    Raises:
        LedgerKeyError: when the ledger is keyed and the key is missing or another, or when a key is set that
            the ledger has not adopted.
    """
    last = head(connection)
    key_id = None if key is None else key_id_of(key)
    adopting = action == ADOPT_KEY and last.key_id is None
    if last.count and last.key_id != key_id and not adopting:
        raise LedgerKeyError(_key_mismatch(last.key_id, key_id))
    unsealed = Entry(
        seq=last.count + 1,
        at=at,
        simulated=simulated,
        actor=actor,
        role=role,
        action=action,
        entity=entity,
        version=version,
        summary=summary,
        reason=reason,
        detail=canonical_json(dict(detail)),
        key_id=key_id,
        prev_hash=last.hash,
        hash="",
    )
    row = {name: getattr(unsealed, name) for name in Entry.__slots__}
    row["hash"] = hash_of(unsealed, key)
    connection.execute(insert(ledger).values(row))
    return Entry(**row)


def hash_of(entry: Entry, key: bytes | None) -> str:
    """The hash that seals a record: HMAC-SHA256 with a key (FIPS 198-1), SHA-256 without (FIPS 180-4)."""
    if key is None:
        return hashlib.sha256(entry.sealed_bytes()).hexdigest()
    return hmac.new(key, entry.sealed_bytes(), hashlib.sha256).hexdigest()


def key_id_of(key: bytes) -> str:
    """A name for a key that does not give it away: 16 hexadecimal digits."""
    return hmac.new(key, b"fairtrial ledger key", hashlib.sha256).hexdigest()[:16]


def checked_key(key: bytes) -> bytes:
    """The key itself, if it is long enough to keep anybody from guessing it.

    Raises:
        ValueError: for a shorter one.
    """
    if len(key) < MINIMUM_KEY_BYTES:
        raise ValueError(
            f"ledger key: {len(key)} bytes are not allowed; give at least {MINIMUM_KEY_BYTES} random ones, "
            "for example the output of: openssl rand -hex 32"
        )
    return key


def entries(
    connection: Connection,
    *,
    entity: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int | None = None,
    newest_first: bool = False,
) -> Iterator[Entry]:
    """Records in order, filtered; `since` is included, `until` is not."""
    query = select(ledger)
    for column, value in ((ledger.c.entity, entity), (ledger.c.actor, actor), (ledger.c.action, action)):
        if value is not None:
            query = query.where(column == value)
    if since is not None:
        query = query.where(ledger.c.at >= since)
    if until is not None:
        query = query.where(ledger.c.at < until)
    query = query.order_by(ledger.c.seq.desc() if newest_first else ledger.c.seq)
    return _entries(connection, query if limit is None else query.limit(limit))


def count(connection: Connection, entity: str, actions: tuple[str, ...]) -> int:
    """How many records of an entity are of one of these acts."""
    query = select(func.count()).where(ledger.c.entity == entity, ledger.c.action.in_(actions))
    return connection.execute(query).scalar_one()


def _entries(connection: Connection, query: Select[Any]) -> Iterator[Entry]:
    for row in connection.execute(query.execution_options(yield_per=5_000)):
        yield _entry(row)


def _entry(row: Row[Any]) -> Entry:
    return Entry(**row._mapping)


def _key_mismatch(written: str | None, set_: str | None) -> str:
    if written is None:
        return (
            "a ledger key is set, but the ledger's records so far carry none; adopt it once with adopt_key, "
            "or unset FAIRTRIAL_LEDGER_KEY. Nothing was saved"
        )
    if set_ is None:
        return (
            f"the ledger is keyed ({written}) and no key is set; set FAIRTRIAL_LEDGER_KEY. Nothing was saved"
        )
    return f"the ledger is keyed with key {written}, the key that is set is {set_}. Nothing was saved"
