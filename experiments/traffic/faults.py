"""What goes wrong in live logs, to be switched on one by one.

Each fault draws from its own random stream: switching one on changes nothing else in the logs.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class LostUnits:
    """Broken allocation: a share of one arm's units is in no log, always or on some days (0 is the first)."""

    arm: str
    share: float
    days: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Misassigned:
    """A share of units is given, and logged with, another arm than the hash's: the audit must see it."""

    share: float


@dataclass(frozen=True, slots=True)
class Crossovers:
    """A share of units has a second row in the assignments log, within a day, in another arm."""

    share: float


@dataclass(frozen=True, slots=True)
class DuplicatedExposures:
    """A share of units has ``copies`` further rows in the exposures log, over ``spread`` after the first."""

    share: float = 1.0
    copies: int = 1
    spread: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class OutcomesBeforeExposure:
    """A clock that lags: a share of units has the rows of its window up to ``by`` before its exposure."""

    share: float
    by: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class FutureTimestamps:
    """A clock that leads: a share of the outcome rows occurred ``by`` later than they were recorded."""

    share: float
    by: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class MissingOutcomes:
    """A share of one arm's units has no rows of an event (of any event: None) after exposure."""

    arm: str
    share: float
    event: str | None = None


@dataclass(frozen=True, slots=True)
class NullValues:
    """A share of the outcome rows of an event (of any event: None) has no value."""

    share: float
    event: str | None = None


@dataclass(frozen=True, slots=True)
class LatePartition:
    """A day's partition of a log arrives ``late`` after its day is over; until then it is not there."""

    log: Literal["assignments", "exposures", "outcomes"]
    day: date
    late: timedelta


Fault: TypeAlias = (
    LostUnits
    | Misassigned
    | Crossovers
    | DuplicatedExposures
    | OutcomesBeforeExposure
    | FutureTimestamps
    | MissingOutcomes
    | NullValues
    | LatePartition
)
