"""What time it is: the only place that asks the machine, and it says whether the time is simulated."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time in UTC, and whether it is the real one."""

    @property
    def simulated(self) -> bool: ...

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's clock."""

    simulated: bool = False

    def now(self) -> datetime:
        return datetime.now(UTC)


class SimulatedClock:
    """A clock set by hand, for demonstrations and tests.

    Every ledger entry written under it is flagged as simulated, and so is every experiment it touches.
    """

    simulated = True

    def __init__(self, now: datetime) -> None:
        self._now = as_utc(now)

    def now(self) -> datetime:
        return self._now

    def advance(self, step: timedelta) -> datetime:
        """Move forward by `step` and give the new time."""
        if step < timedelta(0):
            raise ValueError(f"step: {step} is not allowed; a clock only goes forward")
        self._now += step
        return self._now

    def set(self, now: datetime) -> None:
        """Move forward to `now`."""
        self.advance(as_utc(now) - self._now)


def as_utc(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        ValueError: when the time has no zone, for then nobody knows which moment it is.
    """
    if moment.tzinfo is None:
        raise ValueError(
            f"time {moment.isoformat()}: no time zone; give one, for example +00:00 or tzinfo=UTC"
        )
    return moment.astimezone(UTC)


def instant(moment: datetime) -> str:
    """A moment as the registry writes it: UTC to the microsecond, so that text sorts as time does."""
    return as_utc(moment).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_instant(text: str) -> datetime:
    """The moment that `instant` wrote down."""
    return datetime.fromisoformat(text)
