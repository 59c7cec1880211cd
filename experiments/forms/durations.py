"""Durations as people write them: ``90m``, ``36h``, ``7d``, ``2w``; held as whole seconds."""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
DAY = SECONDS["d"]
WEEK = SECONDS["w"]
LONGEST = 5_200 * WEEK
_WRITTEN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*([smhdw])")
_HOW = "write a number with s, m, h, d or w, for example 7d"


def seconds(written: Any) -> int:
    """Whole seconds of a written duration; in Python a ``timedelta`` will do as well.

    Raises:
        ValueError: not a number with one of s, m, h, d, w, not a whole number of seconds, or over a century.
    """
    if isinstance(written, timedelta):
        amount = Fraction(written // timedelta(microseconds=1), 1_000_000)
    elif isinstance(written, int | float) and not isinstance(written, bool):
        raise ValueError(f"{written!r} has no unit; {_HOW}")
    else:
        match = _WRITTEN.fullmatch(written.strip()) if isinstance(written, str) else None
        if match is None:
            raise ValueError(f"{written!r} is not a duration; {_HOW}")
        amount = Fraction(match[1]) * SECONDS[match[2]]
    if amount.denominator != 1:
        raise ValueError(f"{str(written)!r} is not a whole number of seconds; {_HOW}")
    if not 0 <= amount <= LONGEST:
        raise ValueError(f"{str(written)!r} is not allowed; give a duration from 0s to {LONGEST // WEEK}w")
    return int(amount)


def written(duration: int) -> str:
    """The shortest exact spelling, weeks excepted: ``604800`` is ``7d``."""
    for unit in ("d", "h", "m"):
        if duration and duration % SECONDS[unit] == 0:
            return f"{duration // SECONDS[unit]}{unit}"
    return f"{duration}s"


def _parse(value: Any) -> int:
    return 0 if value == 0 and isinstance(value, int) and not isinstance(value, bool) else seconds(value)


Duration = Annotated[int, BeforeValidator(_parse), PlainSerializer(written, return_type=str)]
