"""When a webhook is told: at once, once a day in a digest, and not in its quiet hours. Hours are UTC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

Digest = Literal["daily"]
DIGESTS: Final = ("daily",)

DIGEST_HOUR: Final = 8
"""A day's digest is made from this hour on; with quiet hours that it lies in, from their end on."""

_HOURS: Final = re.compile(r"([01][0-9]|2[0-3])-([01][0-9]|2[0-3])")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Whole hours of a day, from ``start`` up to but without ``end``; over midnight where ``start`` is later."""

    start: int
    end: int

    def cover(self, hour: int) -> bool:
        if self.start < self.end:
            return self.start <= hour < self.end
        return hour >= self.start or hour < self.end


def quiet_hours(written: str | None) -> QuietHours | None:
    """Quiet hours as they are written, ``20-07``; None where there are none.

    Raises:
        ValueError: it is written otherwise.
    """
    if written is None:
        return None
    found = _HOURS.fullmatch(written)
    if found is None or found[1] == found[2]:
        raise ValueError(
            f"quiet: {written!r} is not allowed; give two different hours of the day, UTC, for example 20-07"
        )
    return QuietHours(int(found[1]), int(found[2]))


def is_quiet(written: str | None, now: datetime) -> bool:
    """Whether what is not urgent waits now."""
    hours = quiet_hours(written)
    return hours is not None and hours.cover(now.astimezone(UTC).hour)


def is_digest_time(written: str | None, now: datetime) -> bool:
    """Whether the day's digest may be made now."""
    hours, hour = quiet_hours(written), now.astimezone(UTC).hour
    if hours is None:
        return hour >= DIGEST_HOUR
    begins = hours.end if hours.cover(DIGEST_HOUR) else DIGEST_HOUR
    return hour >= begins and not hours.cover(hour)


def timing_problems(digest: str | None, quiet: str | None) -> Iterator[str]:
    """What is wrong with how a webhook wants to be told."""
    if digest is not None and digest not in DIGESTS:
        yield f"digest: {digest!r} is not allowed; give daily, or none to be told at once"
    try:
        quiet_hours(quiet)
    except ValueError as error:
        yield str(error)
