"""Durations as people write them: ``90m``, ``36h``, ``7d``, ``2w``; held as whole seconds."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
DAY = SECONDS["d"]
WEEK = SECONDS["w"]
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def seconds(written: Any) -> int:
    """Whole seconds of a written duration.

    Raises:
        ValueError: not a number with one of s, m, h, d, w, or not a whole number of seconds.
    """
    if isinstance(written, bool) or not isinstance(written, str):
        raise ValueError(f"{written!r} has no unit; write a number with s, m, h, d or w, for example 7d")
    match = _WRITTEN.fullmatch(written.strip())
    if match is None:
        raise ValueError(
            f"{written!r} is not a duration; write a number with s, m, h, d or w, for example 7d"
        )
    amount = float(match[1]) * SECONDS[match[2]]
    if amount != int(amount):
        raise ValueError(f"{written!r} is not a whole number of seconds")
    return int(amount)


def written(duration: int) -> str:
    """The shortest exact spelling, weeks excepted: ``604800`` is ``7d``."""
    for unit in ("d", "h", "m"):
        if duration and duration % SECONDS[unit] == 0:
            return f"{duration // SECONDS[unit]}{unit}"
    return f"{duration}s"


def _parse(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value == 0 else seconds(value)


Duration = Annotated[int, BeforeValidator(_parse), PlainSerializer(written, return_type=str)]
