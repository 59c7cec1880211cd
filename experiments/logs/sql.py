"""The only place where names and values become SQL text.

Statements are written as readable DuckDB SQL in the subset that Spark shares, one named step of the cohort each.
Identifiers are always quoted and values always literals made here, so no text of a design can become SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache

import sqlglot
from sqlglot import exp

MICROSECONDS = 1_000_000
DAY_US = 86_400 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan: its name in the words of the domain, and its SQL."""

    name: str
    sql: str

    def pretty(self) -> str:
        """The statement laid out for reading; the text that runs is ``sql``."""
        return laid_out(self.sql)


@lru_cache(maxsize=256)
def laid_out(sql: str) -> str:
    """A statement with line breaks; parsing takes longer than most statements run."""
    return sqlglot.parse_one(sql, read="duckdb").sql(dialect="duckdb", pretty=True)


def ident(name: str) -> str:
    """A quoted identifier."""
    return exp.to_identifier(name, quoted=True).sql(dialect="duckdb")


def text(value: str) -> str:
    """A quoted string literal."""
    return exp.Literal.string(value).sql(dialect="duckdb")


def scalar(value: str | float | bool | Fraction) -> str:
    """A literal of a plain value."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Fraction):
        return repr(float(value))
    return repr(value)


def texts(values: Sequence[str]) -> str:
    return "(" + ", ".join(text(value) for value in values) + ")"


def whole(number: str, step: int) -> str:
    """How many whole steps a whole number holds, rounded down; // rounds towards 0, which differs before 1970."""
    return f"(({number}) - ((({number}) % {step}) + {step}) % {step}) // {step}"


def moment(microseconds: int, *, with_zone: bool) -> str:
    """A timestamp literal, so that a bound can be pushed into the scan of a time column."""
    at = datetime.fromtimestamp(microseconds // MICROSECONDS, UTC).replace(
        microsecond=microseconds % MICROSECONDS
    )
    written = at.strftime("%Y-%m-%d %H:%M:%S.%f")
    return f"CAST('{written}+00' AS TIMESTAMPTZ)" if with_zone else f"CAST('{written}' AS TIMESTAMP)"


def microseconds(at: datetime) -> int:
    """Whole microseconds since 1970 of a UTC moment, without going through a float."""
    since = at.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * MICROSECONDS + since.microseconds


def at_moment(microseconds_since_1970: int) -> datetime:
    seconds, rest = divmod(microseconds_since_1970, MICROSECONDS)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
