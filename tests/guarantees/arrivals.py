"""How units come: new units of every arm at each look of many replays.

Replays that take different numbers of looks come in groups, since a group is one array (replays, looks, arms).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from experiments.designs.design import Design
from experiments.designs.sequential import planned_looks
from experiments.readouts.past import SAME_INFORMATION
from experiments.simulation.pairs import Floats
from tests.guarantees.populations import Counts

Arrivals = Callable[[Design, int, np.random.Generator], list[Counts]]


def exactly(*shares: float) -> Arrivals:
    """Every arm has just these shares of its planned units at the looks; by default those of the plan."""

    def added(found: Design, replays: int, _random: np.random.Generator) -> list[Counts]:
        at = np.array(shares or planned_looks(found.stopping))
        units = np.round(at[:, None] * np.array(found.plan.n_per_arm)).astype(np.int64)
        return [np.broadcast_to(np.diff(units, axis=0, prepend=0), (replays, *units.shape))]

    return added


def by_chance(*shares: float) -> Arrivals:
    """These shares of the planned units in all, which fall to the arms by chance."""

    def added(found: Design, replays: int, random: np.random.Generator) -> list[Counts]:
        totals = np.round(np.array(shares or planned_looks(found.stopping)) * found.plan.total).astype(
            np.int64
        )
        new = np.diff(totals, prepend=0)
        return [random.multinomial(new, _arms(found), (replays, len(new)))]

    return added


def daily(days: int) -> Arrivals:
    """A look on every day after as many units as on the day before, until the planned units have come."""
    return by_chance(*(day / days for day in range(1, days + 1)))


def unevenly(days: int = 28, swing: float = 0.4) -> Arrivals:
    """Traffic that differs from day to day and replay to replay, arms by chance, the cohort as the steps of a real look have it.

    Of a replay's mean traffic some bring the planned units in half the ``days``, some never within them. A look is taken on
    the first day with the information it waits for, or on the last day with what has come
    (``experiments.looks.stopping.next_look``, against which a test holds this).
    """

    def added(found: Design, replays: int, random: np.random.Generator) -> list[Counts]:
        mean = found.plan.total / days * random.lognormal(0.25, swing, (replays, 1))
        traffic = random.poisson(mean * random.lognormal(0.0, swing, (replays, days)))
        arrived = random.multinomial(traffic, _arms(found)).cumsum(axis=1)
        return grouped(arrived, look_days(found, information(found, arrived.astype(float))))

    return added


def look_days(found: Design, reached: Floats) -> list[list[int]]:
    """The days (from 0) on which each replay is looked at, by the information reached on every day."""
    planned, last = planned_looks(found.stopping), reached.shape[1] - 1
    first = found.minimum_duration // found.stopping.step - 1
    taken: list[list[int]] = []
    for path in reached:
        days: list[int] = []
        while not days or (days[-1] < last and path[days[-1]] < 1):
            before = path[days[-1]] if days else 0.0
            wanted = next((look for look in planned if look > before + SAME_INFORMATION), 1.0)
            start = days[-1] + 1 if days else first
            enough = np.flatnonzero(path[start:] >= wanted)
            days.append(start + int(enough[0]) if len(enough) else last)
        taken.append(days)
    return taken


def grouped(arrived: Counts, days: Sequence[Sequence[int]]) -> list[Counts]:
    """New units at the looks taken, replays with as many looks together."""
    found = []
    for looks in sorted({len(one) for one in days}):
        rows = [row for row, one in enumerate(days) if len(one) == looks]
        at = np.array([days[row] for row in rows])
        units = np.take_along_axis(arrived[rows], at[:, :, None], axis=1)
        found.append(np.diff(units, axis=1, prepend=0))
    return found


def information(found: Design, units: Floats) -> Floats:
    """Share of the planned information by replay and look, of the treatment that has least."""
    with np.errstate(divide="ignore"):
        shares = [
            1 / (1 / units[:, :, 0] + 1 / units[:, :, t]) / found.plan.information(t)
            for t in range(1, units.shape[2])
        ]
    return np.min(shares, axis=0)


def _arms(found: Design) -> Floats:
    shares = np.array([float(arm.share) for arm in found.arms])
    return shares / shares.sum()
