"""The registry's handle: an engine, a clock, a ledger key and an anchor; two ways to touch the tables.

SQLite (write-ahead log) by default, Postgres by URL. Writers queue up: on both engines a write transaction
takes one lock before its first read, so that what it checks still holds when it commits, and the ledger's
sequence has no gaps. Readers never wait and see one moment of the whole registry.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError

from registry.clock import Clock
from registry.errors import RegistryBusy

WAIT_SECONDS: Final = 30
"""How long a writer waits for the one before it."""

_WRITE_LOCK: Final = 0x66616972  # "fair": any number the other users of the database do not take


@dataclass(frozen=True, slots=True)
class Registry:
    """An open registry. Close it when done, or use it in a `with` statement."""

    engine: Engine = field(repr=False)
    clock: Clock
    key: bytes | None = field(repr=False, default=None)
    anchor: Path | None = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read-only look at one moment of the registry."""
        with self.engine.connect() as connection:
            if self.engine.dialect.name == "postgresql":
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that waits for the writer before it, and is saved whole or not at all."""
        with self.engine.connect() as connection:
            connection = connection.execution_options(fairtrial_write=True)
            try:
                with connection.begin():
                    take_write_lock(connection)
                    yield connection
            except OperationalError as error:
                if _is_waiting_too_long(error):
                    raise RegistryBusy(
                        f"another process has been writing to the registry for more than {WAIT_SECONDS} "
                        "seconds; nothing of yours was saved; find it and let it end, then repeat"
                    ) from error
                raise

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> "Registry":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def take_write_lock(connection: Connection) -> None:
    """Wait until no other writer is inside; SQLite did so already with its BEGIN IMMEDIATE."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _WRITE_LOCK})


def engine_for(url: str) -> Engine:
    """An engine for a SQLite file or a Postgres database.

    Raises:
        ValueError: for any other kind of database.
    """
    parsed = _with_driver(url)
    engine = create_engine(parsed)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for Postgres."""
    parsed = _with_driver(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def _with_driver(url: str) -> URL:
    parsed = make_url(url if "://" in url else f"sqlite:///{url}")
    if parsed.get_backend_name() == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise ValueError(
                f"registry: {url!r} is not allowed; a registry outlives the process: name a file"
            )
        return parsed
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg")
    raise ValueError(
        f"registry: {parsed.drivername!r} is not allowed; give a file, sqlite:///path or postgresql://user@host/name"
    )


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN would come too late: see _begin_sqlite
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # With NORMAL a power cut may lose commits that the anchor file has already witnessed.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(
        "PRAGMA recursive_triggers = ON"
    )  # so that INSERT OR REPLACE meets the append-only triggers
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("fairtrial_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _is_waiting_too_long(error: OperationalError) -> bool:
    original: Any = error.orig
    locked = isinstance(original, sqlite3.OperationalError) and "locked" in str(original)
    return locked or getattr(original, "sqlstate", None) == "55P03"  # lock_not_available
