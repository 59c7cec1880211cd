"""What every kind of outcome declares: its event, effects, window, history and label delay."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Effect:
    """A change of the mean for the units of an arm, of a segment (attribute, level), or of both.

    Without an arm it is a difference between segments that was there before the experiment, and shows in the
    history too. Relative changes multiply first, absolute ones are added after.
    """

    size: float
    relative: bool = False
    arm: str | None = None
    segment: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class LabelDelay:
    """How long after it happened an outcome is recorded: ``least`` to ``most``, and soon rather than late.

    least + (most − least) · Beta(1, 3); the mean is a quarter of the way.
    """

    least: timedelta = timedelta(0)
    most: timedelta = timedelta(0)

    @property
    def mean(self) -> timedelta:
        return self.least + (self.most - self.least) / 4

    def draw(self, chance: np.random.Generator, n: int) -> Integers:
        """Return ``n`` delays in microseconds."""
        beta = 1 - np.cbrt(chance.random(n))
        spread = microseconds(self.most) - microseconds(self.least)
        delays: Integers = microseconds(self.least) + np.floor(beta * spread).astype(np.int64)
        return delays


@dataclass(frozen=True, slots=True)
class Happened:
    """Rows of one event: whose they are (an index into the units drawn for) and their values."""

    event: str
    unit: Integers
    value: Floats
    when: Literal["before", "within", "after"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(ABC):
    """What every kind of outcome declares.

    ``event`` names its rows in the log. They fall evenly into ``window`` after exposure (half-open), from
    ``opens`` on where a return counts only then; those of the history fall into ``history`` before it. A unit's
    sum in its history has ``history_correlation`` with its outcome: within an arm and segment, and exactly for
    a unit at its baseline. ``afterwards`` is the mean number of rows per unit in a second window after the
    first, which no analysis may count.
    """

    event: str
    effects: tuple[Effect, ...] = ()
    window: timedelta = timedelta(days=7)
    opens: timedelta = timedelta(0)
    history: timedelta = timedelta(days=14)
    history_correlation: float | None = None
    delay: LabelDelay = LabelDelay()
    afterwards: float = 0.0

    @property
    @abstractmethod
    def baseline(self) -> float:
        """The mean in control, before effects of segments."""

    @property
    def events(self) -> tuple[str, ...]:
        return (self.event,)

    @abstractmethod
    def draw(self, chance: np.random.Generator, before: Floats, means: Floats) -> Iterator[Happened]:
        """Yield the rows of units with mean ``before`` in the history and ``means`` after exposure."""

    @abstractmethod
    def variance(self, means: Floats) -> Floats:
        """Return the variance of one observation of these means: of a unit, a request (Latency), or a
        unit's linearised ratio (Ratio)."""

    def mixture_variance(self, share: Floats, means: Floats) -> float:
        """Return the variance of one observation from a mixture of segments with these shares."""
        mean = share @ means
        return float(share @ self.variance(means) + share @ (means - mean) ** 2)

    def row_values(self, means: Floats) -> Floats:
        """Return the value of a row that stands outside every window: 1 where rows are counted."""
        return np.ones(len(means))

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with this declaration by itself."""
        if not self.event:
            yield "event: '' is not allowed; name the event as the log does"
        if self.window <= timedelta(0) or self.history <= timedelta(0):
            yield "window, history: must be longer than nothing; give a timedelta"
        elif not timedelta(0) <= self.opens < self.window:
            yield f"opens: {self.opens} is not allowed; give 0 or more, less than the window"
        if not timedelta(0) <= self.delay.least <= self.delay.most:
            yield f"delay: {self.delay} is not allowed; give 0 <= least <= most"
        if not self.afterwards >= 0:
            yield f"afterwards: {self.afterwards} is not allowed; give a mean number of rows, 0 or more"
        if self.history_correlation is not None and not 0 <= self.history_correlation < 1:
            yield f"history_correlation: {self.history_correlation} is not allowed; give 0 <= ρ < 1, or None"

    def cell_problems(self, before: Floats, means: Floats) -> Iterator[str]:
        """Yield what is wrong with the means that the effects lead to."""
        if not (np.all(before > 0) and np.all(means > 0)):
            yield "effects: they lead to a mean of 0 or below; make them smaller"


def microseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)
