"""DuckDB, embedded: opens logs where they lie, read-only, and runs the steps of a plan."""

from __future__ import annotations

import glob
import hashlib
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from types import TracebackType
from typing import Any, Literal

import duckdb

from experiments.forms.problems import Invalid, Problem
from experiments.logs.sources import Log, Place
from experiments.logs.sql import Step, ident, text, texts
from experiments.logs.unreadable import Known, unreadable

Row = tuple[Any, ...]

_WRITTEN = {"parquet": "FORMAT parquet, COMPRESSION zstd", "csv": "FORMAT csv, HEADER"}

LOCK_WAITS = (0.2, 0.4, 0.8)
"""Seconds between attempts to open a DuckDB file that a writer holds; live logs are better kept as Parquet."""


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """A log as a scan: SQL to read it, the type of every column, and the files behind it."""

    name: str
    sql: str
    types: dict[str, str]
    files: tuple[FilePath, ...]
    database: FilePath | None = None


class DuckDB:
    """One session over logs that are only read. Results are the same at any thread count."""

    def __init__(
        self, threads: int | None = None, memory: str | None = None, scratch: FilePath | None = None
    ) -> None:
        config: dict[str, Any] = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        self._connection = duckdb.connect(":memory:", config=config)
        run = self._connection.execute
        run("SET TimeZone = 'UTC'")
        run("SET preserve_insertion_order = false")
        if threads is not None:
            run(f"SET threads = {int(threads)}")
        if memory is not None:
            run(f"SET memory_limit = {text(memory)}")
        # DuckDB would spill rows into the working directory, where they might stay
        self._scratch = tempfile.TemporaryDirectory(prefix="fairtrial-", dir=scratch)
        run(f"SET temp_directory = {text(self._scratch.name)}")
        self._attached: dict[str, str] = {}
        self._known = Known()
        self.steps: list[Step] = []

    def __enter__(self) -> DuckDB:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._scratch.cleanup()

    @property
    def version(self) -> str:
        return str(duckdb.__version__)

    def run(self, step: Step) -> list[Row]:
        """Run one step and keep its SQL for the record.

        Raises:
            Invalid: a value in the logs cannot be read as what its contract says.
        """
        self.steps.append(step)
        try:
            return self._connection.execute(step.sql).fetchall()
        except duckdb.Error as error:
            raise Invalid("logs", [Problem((step.name,), unreadable(error, self._known))]) from None

    def write_parquet(self, step: Step, file: FilePath) -> None:
        """Write the result of a query to one Parquet file."""
        self._write(step, file, "FORMAT parquet, COMPRESSION zstd", "extract")

    def write_file(self, step: Step, file: FilePath, format: Literal["csv", "parquet"]) -> None:
        """Write the result of a query to one file of a log."""
        self._write(step, file, _WRITTEN[format], "file")

    def write_folders(
        self, step: Step, folder: FilePath, column: str, name: str, format: Literal["csv", "parquet"]
    ) -> None:
        """Write the result of a query to files under a folder, one folder for each value of a column, which is left out of them."""
        options = (
            f"{_WRITTEN[format]}, PARTITION_BY ({ident(column)}), FILENAME_PATTERN {text(name + '-{i}')}"
        )
        self._write(step, folder, f"{options}, OVERWRITE_OR_IGNORE", "file")

    def _write(self, step: Step, to: FilePath, options: str, what: str) -> None:
        self.steps.append(step)
        try:
            self._connection.execute(f"COPY ({step.sql}) TO {text(str(to))} ({options})")
        except duckdb.Error as error:
            why = unreadable(error, self._known)
            raise Invalid(what, [Problem((to.name,), f"cannot be written: {why}")]) from None

    def open(self, name: str, log: Log, place: Place, only: Sequence[FilePath] | None = None) -> OpenedLog:
        """Open a log for reading; ``only`` limits it to files that a seal named.

        Raises:
            Invalid: no such file, table or frame, or it cannot be read.
        """
        files: tuple[FilePath, ...] = ()
        database: FilePath | None = None
        try:
            if log.table is not None:
                database = place.folder / log.table.database
                sql = self._table(database, log.table.name)
            elif log.frame is not None:
                sql = self._frame(name, log.frame, place)
            else:
                files = tuple(only) if only is not None else matching_files(log, place)
                sql = _scan(log, files)
            self._known = self._known.with_log((), map(str, files))
            described = self._connection.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
        except duckdb.Error as error:
            why = unreadable(error, self._known)
            raise Invalid("logs", [Problem((name,), f"cannot be opened: {why}")]) from None
        except (OSError, ValueError, KeyError) as error:
            raise Invalid(
                "logs", [Problem((name,), f"cannot be opened: {str(error).strip(chr(39))}")]
            ) from error
        types = {str(row[0]): str(row[1]) for row in described}
        self._known = self._known.with_log(types, ())
        return OpenedLog(name, sql, types, files, database)

    def digest(self, opened: OpenedLog, columns: Sequence[str] | None = None) -> tuple[int, str]:
        """Row count and an order-free digest of a table's rows, or of some of its columns."""
        wanted = "*" if columns is None else ", ".join(ident(column) for column in columns)
        rows = self._connection.execute(
            "SELECT count(*), CAST(sum(CAST(md5_number_lower(CAST(whole AS VARCHAR)) AS HUGEINT)) AS VARCHAR) "
            f"FROM (SELECT {wanted} FROM {opened.sql}) AS whole"
        ).fetchall()
        return int(rows[0][0]), hashlib.sha256(str(rows[0][1]).encode()).hexdigest()

    def _table(self, database: FilePath, table: str) -> str:
        key = str(database)
        if key not in self._attached:
            if not database.exists():
                raise ValueError(f"no file {database}")
            alias = f"logs_{len(self._attached)}"
            self._attach(f"ATTACH {text(key)} AS {alias} (READ_ONLY)")
            self._attached[key] = alias
        return ".".join([self._attached[key], *(ident(part) for part in table.split("."))])

    def _attach(self, sql: str) -> None:
        """Attach a file that another process may be writing to just now; its lock names the holder."""
        for wait in (*LOCK_WAITS, None):
            try:
                self._connection.execute(sql)
            except duckdb.IOException as error:
                if wait is None or "lock" not in str(error):
                    raise
                time.sleep(wait)
            else:
                return

    def _frame(self, name: str, frame: str, place: Place) -> str:
        if frame not in place.frames:
            given = ", ".join(sorted(place.frames)) or "none"
            raise ValueError(f"no frame {frame!r} was given (given: {given})")
        alias = f"frame_{name}"
        self._connection.register(alias, place.frames[frame])
        return ident(alias)


def matching_files(log: Log, place: Place) -> tuple[FilePath, ...]:
    """The files of a log, sorted.

    Raises:
        ValueError: a path or glob matches nothing.
    """
    found: list[FilePath] = []
    for pattern in log.paths:
        here = (
            pattern
            if FilePath(pattern).is_absolute()
            else str(FilePath(glob.escape(str(place.folder))) / pattern)
        )
        matches = sorted(path for path in glob.glob(here, recursive=True) if FilePath(path).is_file())
        if not matches:
            raise ValueError(f"no file matches {pattern!r} in {place.folder}")
        found += [FilePath(path) for path in matches]
    return tuple(dict.fromkeys(found))


def _scan(log: Log, files: Sequence[FilePath]) -> str:
    if not files:
        raise ValueError("no files")
    kinds = {log.format or ("csv" if ".csv" in path.name else "parquet") for path in files}
    if len(kinds) > 1:
        raise ValueError("files of several formats; name one log for each, or set format")
    listed = "[" + texts([_exactly(path) for path in files])[1:-1] + "]"
    hive = "true" if log.hive else "false"
    if kinds == {"csv"}:
        return f"read_csv({listed}, hive_partitioning = {hive}, union_by_name = true, sample_size = -1)"
    return f"read_parquet({listed}, hive_partitioning = {hive}, union_by_name = true)"


def _exactly(path: FilePath) -> str:
    """The path of one file, so that DuckDB does not take its characters for a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))
