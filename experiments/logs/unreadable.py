"""What the engine says of a log that it cannot read, without repeating what stands in it.

The engine quotes the value, or the whole line, that stopped it; in an outcome log that is an outcome. Said are the column,
the type expected, the file and the line: each is taken over only where it is one that is known beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import duckdb

QUOTES_NOTHING: Final = (duckdb.IOException, duckdb.CatalogException, duckdb.BinderException)
"""Raised before a row is read: their words name files, tables and columns."""

_WHOLE = r"U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?(?:8|16|32|64|128)?"
_TYPE = rf"(?:{_WHOLE}|FLOAT|DOUBLE|BOOLEAN|DATE|TIME|VARCHAR|DECIMAL(?:\(\d+,\d+\))?|TIMESTAMP(?:_\w+)?)"
_EXPECTED: Final = re.compile(rf"(?:\bto|destination type) '?({_TYPE})(?!\w)")
_TIME: Final = re.compile(r"\b(timestamp|date|time) field")
_LINE: Final = re.compile(r"[A-Za-z ]+ Error: CSV Error on Line: (\d+)\n")
_COLUMN: Final = re.compile(r'(?:source column (\S[^\n]*)|converting column "([^"\n]*)")')
_FILE: Final = re.compile(r"^\s*file = (\S[^\n]*)$", re.MULTILINE)

ADVICE: Final = (
    "Not a number and infinity are no values (write NULL where there is none); a value too large for its decimals needs "
    "fewer decimals in the metric"
)


@dataclass(frozen=True, slots=True)
class Known:
    """What may be named: the columns and the files of the logs that are open."""

    columns: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()

    def with_log(self, columns: Iterable[str], files: Iterable[str]) -> Known:
        return Known(self.columns | set(columns), self.files | set(files))


def unreadable(error: duckdb.Error, known: Known) -> str:
    """Why rows could not be read: "a value of column value cannot be read as DOUBLE (line 3 of a.csv)…"."""
    if isinstance(error, QUOTES_NOTHING):
        return str(error).splitlines()[0]
    said = str(error)
    if "No magic bytes found" in said:
        return f"{_file(said, known) or 'a file'} is no Parquet file"
    if not isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
        return (
            f"the rows cannot be read{_place(said, known)} ({type(error).__name__.removesuffix('Exception')}). Every line "
            "needs the same columns, and the first one their names; what was read is not repeated here"
        )
    column = _column(said, known)
    what = "a value" if column is None else f"a value of column {column}"
    return (
        f"{what} cannot be read as {_expected(said)}{_place(said, known)}; it is not repeated here. {ADVICE}"
    )


def _column(said: str, known: Known) -> str | None:
    named = (match[1] or match[2] for match in _COLUMN.finditer(said))
    return next((name for name in named if name in known.columns), None)


def _expected(said: str) -> str:
    types = _EXPECTED.findall(said)
    if types:
        return str(types[-1])
    time = _TIME.search(said)
    return "its contract says" if time is None else f"a {time[1]}"


def _place(said: str, known: Known) -> str:
    line, file = _LINE.match(said), _file(said, known)
    if line is None:
        return "" if file is None else f" in {file}"
    return f" in line {line[1]}" + ("" if file is None else f" of {file}")


def _file(said: str, known: Known) -> str | None:
    named = [match[1] for match in _FILE.finditer(said)] + re.findall(r"'([^'\n]*)'", said)
    return next((name for name in named if name in known.files), None)
