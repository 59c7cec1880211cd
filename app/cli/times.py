"""Moments and durations as they are typed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.cli.errors import BadUsage


def moment_of(option: str, text: str) -> datetime:
    """A moment: ``2026-12-01``, ``2026-12-01T09:30`` or with a time zone; without one it is UTC.

    Raises:
        BadUsage: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadUsage(
            f"{option}: {text!r} is no moment; give 2026-12-01 or 2026-12-01T09:30:00Z (UTC)"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def duration_of(option: str, text: str) -> timedelta:
    """A duration: ``7d``, ``12h``, ``30m``.

    Raises:
        BadUsage: it is none.
    """
    from experiments.forms.durations import seconds

    try:
        return timedelta(seconds=seconds(text))
    except ValueError as error:
        raise BadUsage(f"{option}: {error}") from None
