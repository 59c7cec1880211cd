"""How fast units come, against the traffic that the design declares: from the counts of a health finding alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from experiments.forms.documents import scan_document

SLOW_BELOW: Final = 0.8
"""Of the declared traffic: a fifth less lengthens an experiment by a quarter."""

SLOW_AFTER: Final = timedelta(days=3)
"""Before, a day of few units says nothing."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Units so far, all arms together.

    Attributes:
        days: since enrolment began, up to where the logs are complete.
        declared: units a day.
    """

    enrolled: int
    planned: int
    days: float
    declared: float

    @property
    def per_day(self) -> float:
        return self.enrolled / self.days

    @property
    def is_slow(self) -> bool:
        """Whether fewer come than were declared, and more are needed."""
        late_enough = self.days >= SLOW_AFTER / timedelta(days=1)
        return late_enough and self.enrolled < self.planned and self.per_day < SLOW_BELOW * self.declared


def pace_of(health: Mapping[str, Any], declared: float) -> Pace | None:
    """The pace by a health finding; None where its logs have no times, or nobody was exposed yet."""
    weeks, until = health["maturing"], health["watermark"]
    if not weeks or until is None:
        return None
    days = (datetime.fromisoformat(until) - datetime.fromisoformat(weeks[0]["from_"])) / timedelta(days=1)
    if days <= 0:
        return None
    return Pace(
        enrolled=sum(week["mature"] + week["waiting"] for week in weeks),
        planned=sum(arm["planned"] for arm in health["arms"]),
        days=days,
        declared=declared,
    )


def declared_per_day(written: str) -> float | None:
    """The traffic that a design declares, by its written text; it is not part of what is locked."""
    power = scan_document(written, "design").body.get("power")
    declared = power.get("units_per_day") if isinstance(power, dict) else None
    return float(declared) if isinstance(declared, int | float) and declared > 0 else None
