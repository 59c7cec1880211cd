"""How a log comes in, in sentences: late arrivals, rows whose unit nobody assigned, rows that stand there twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from app.formats import instant, share
from experiments.logs.quality import Arrivals, Quality

LEVELS = (0.95, 0.99)
"""Shares of rows whose days of arrival are said; the first is what a label delay usually covers."""


def quality_sentences(quality: Quality) -> tuple[str, ...]:
    """What is known of how a log comes in; what is not known is said only where somebody could mend it."""
    return tuple(_sentences(quality))


def arrivals_sentence(arrivals: Arrivals) -> str:
    """``95% of rows arrive within 3 days of their event, 99% within 7 days.``"""
    if arrivals.not_computed is not None:
        return f"Late arrivals are not computed: {arrivals.not_computed}."
    days = [(level, arrivals.days_until(level)) for level in LEVELS]
    reached = [(level, within) for level, within in days if within is not None]
    if not reached:
        longest = len(arrivals.shares) - 1
        return f"Only {share(round(arrivals.shares[-1], 4))} of rows arrive within {_days(longest)} of their event."
    (level, first), *rest = reached
    more = "".join(f", {share(one)} within {_days(within)}" for one, within in rest if within != first)
    begun = "at once" if first == 0 else f"within {_days(first)} of their event"
    return f"{share(level)} of rows arrive {begun}{more}."


def span(length: timedelta) -> str:
    """``2 days 3 h``, ``5 h``, ``12 min``; a log that is complete beyond the moment is not behind."""
    minutes = max(0, int(length.total_seconds()) // 60)
    days, hours = minutes // 1440, minutes % 1440 // 60
    if days:
        return _days(days) + (f" {hours} h" if hours else "")
    return f"{hours} h" if hours else f"{minutes} min"


def day(moment: datetime) -> str:
    """``9 Nov 2026``."""
    return instant(moment).partition(",")[0]


def _sentences(quality: Quality) -> Iterator[str]:
    if quality.matched_share is not None:
        yield f"{_almost(quality.matched_share)} of rows have a unit that was assigned."
    if quality.repeated_share is not None:
        repeated = "No row repeats another" if quality.repeated_share == 0 else None
        yield f"{repeated or f'{_almost(quality.repeated_share)} of rows repeat another'} in all but its value."
    if quality.early_share:
        yield f"{_almost(quality.early_share)} of rows were recorded before they occurred: are both times UTC?"
    if quality.arrivals.not_computed is None:
        yield arrivals_sentence(quality.arrivals)
        yield f"(Late arrivals: rows that occurred before {instant(quality.arrivals.before)}; younger ones may still come.)"


def _almost(part: float) -> str:
    """A share that is neither nothing nor all is never written as either."""
    if 0 < part < 0.0001:
        return "Less than 0.01%"
    if 0.9999 < part < 1:
        return "More than 99.99%"
    return share(round(part, 4))


def _days(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"
