"""A declared piece of traffic: who arrives when, in which arm, and what they do."""

import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from experiments.assignment import Assignment
from experiments.traffic.checks import effect_problems, fault_problems, mean_problems, own_problems
from experiments.traffic.faults import Fault
from experiments.traffic.outcomes import Floats, Outcome

WEEKDAYS = (1.05, 1.05, 1.05, 1.05, 1.0, 0.85, 0.95)
HOURS = (4, 2, 1, 1, 1, 2, 5, 9, 12, 13, 13, 13, 14, 13, 13, 13, 13, 14, 16, 18, 19, 17, 12, 7)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property units have before the experiment, with the share of each level."""

    name: str
    levels: tuple[tuple[str, float], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(level for level, _ in self.levels)

    @property
    def shares(self) -> Floats:
        return np.array([share for _, share in self.levels])


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything the logs of an experiment follow from; the same scenario writes the same bytes.

    ``units_per_day`` is the mean number of units that arrive on an average day, before a layer keeps some out
    (Poisson, shaped by ``weekdays`` from Monday and by ``hours``; with ``exact`` that number itself). Units
    that the layer keeps out have outcomes and no assignment. ``exposed`` of the assigned units are exposed,
    evenly within ``exposure_delay`` of their assignment; the others do as control does.

    With ``replicates`` above 1 it is that many small experiments with units of their own, named
    ``experiment``-00001 and so on, each with this traffic.

    Raises:
        ValueError: with every problem.
    """

    experiment: str
    start: date
    days: int
    units_per_day: float
    assignment: Assignment
    outcomes: tuple[Outcome, ...]
    attributes: tuple[Attribute, ...] = ()
    faults: tuple[Fault, ...] = ()
    exposed: float = 1.0
    exposure_delay: timedelta = timedelta(minutes=30)
    weekdays: tuple[float, ...] = WEEKDAYS
    hours: tuple[float, ...] = HOURS
    exact: bool = False
    replicates: int = 1
    unit_prefix: str | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        problems = [*own_problems(self), *effect_problems(self), *fault_problems(self)]
        # Means can be computed only from effects that name what exists.
        problems = problems or list(mean_problems(self))
        if problems:
            raise ValueError("\n".join(problems))

    @property
    def events(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(event for outcome in self.outcomes for event in outcome.events))

    @property
    def first_day(self) -> date:
        """The first day with a partition: the longest history before the start."""
        return self.start - longest([outcome.history for outcome in self.outcomes])

    @property
    def mature_at(self) -> datetime:
        """When the last unit's last window and label delay are over."""
        enrolled = datetime.combine(self.start, time(), UTC) + timedelta(days=self.days) + self.exposure_delay
        return enrolled + max(outcome.window + outcome.delay.most for outcome in self.outcomes)

    @property
    def end(self) -> datetime:
        """The midnight up to which everything is logged: a whole day after the last unit is mature."""
        midnight = datetime.combine(self.mature_at.date(), time(), UTC)
        return midnight + timedelta(days=1 if self.mature_at == midnight else 2)

    def expected_units(self, day: int) -> float:
        """Return the mean number of units that arrive on a day (0 is the first), per experiment."""
        weekday = (self.start + timedelta(days=day)).weekday()
        return self.units_per_day * self.weekdays[weekday] * len(self.weekdays) / sum(self.weekdays)

    def chance(self, purpose: str, day: int = 0) -> np.random.Generator:
        """Return the random stream of one purpose on one day, whatever else is drawn before or after it."""
        names = [zlib.crc32(text.encode()) for text in (self.experiment, purpose)]
        return np.random.default_rng([self.seed, *names, day])


def longest(durations: list[timedelta]) -> timedelta:
    return timedelta(days=-(-max(durations) // timedelta(days=1)))
