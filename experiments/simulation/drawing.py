"""Parametric data: every measure's moments at every look of many replays, drawn at the design's baselines.

Looks are cumulative: each look's units are those of the look before and new ones, drawn independently. Units fall to the arms
by chance, in the planned shares. A rate is a binomial count. A mean, sum or count is a normal total with a chi-squared sum
of squares, so that its variance is estimated as in real data; a linearised ratio and a quantile are drawn alike, with the
spread that their baseline declares. Measures are independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from experiments.designs.design import Design
from experiments.simulation.pairs import Arm, Floats, Pair


@dataclass(frozen=True, slots=True)
class Drawn:
    """One batch of replays.

    Attributes:
        units: by replay, look and arm.
        arms: by measure (its place in the design) and arm.
    """

    units: Floats
    arms: Mapping[int, tuple[Arm, ...]]

    def with_value(self, measure: int) -> None:
        """No unit of drawn data is without a value."""

    def pair(self, measure: int, treatment: int) -> Pair:
        return Pair(self.arms[measure][0], self.arms[measure][treatment])


def draw(
    design: Design,
    measures: tuple[int, ...],
    effects: Mapping[int, float],
    units: tuple[int, ...],
    replays: int,
    random: np.random.Generator,
) -> Drawn:
    """Moments of ``measures`` in so many replays.

    Args:
        effects: true treatment − control by measure, the same in every treatment; 0 where absent.
        units: in all arms together by each look, rising.
    """
    shares = np.array([float(arm.share) for arm in design.arms])
    new_units = np.diff(units, prepend=0)
    added: Floats = random.multinomial(new_units, shares / shares.sum(), (replays, len(units))).astype(float)
    total: Floats = added.cumsum(axis=1)
    arms: dict[int, tuple[Arm, ...]] = {}
    for index in measures:
        found = []
        for arm in range(len(shares)):
            effect = effects.get(index, 0.0) if arm else 0.0
            found.append(_arm(design, index, effect, added[:, :, arm], random))
        arms[index] = tuple(found)
    return Drawn(total, arms)


def _arm(design: Design, index: int, effect: float, added: Floats, random: np.random.Generator) -> Arm:
    """An arm of one measure from the units that each look adds.

    A declared design effect widens the spread of a mean by so much; of a rate, it leaves so many fewer independent units.
    """
    measure, design_effect = design.measures[index], design.written.power.design_effect
    baseline = measure.baseline
    if baseline is None:
        raise ValueError(f"{measure.label} has no baseline; a simulation needs its mean and spread")
    explained = math.fsum(c.variance_reduction or 0.0 for c in measure.covariates)
    mean = baseline.mean + effect
    if measure.metric.is_binary and not measure.covariates:
        independent = np.diff(np.floor(added.cumsum(axis=1) / design_effect), axis=1, prepend=0.0)
        return _rate(mean, independent, random)
    if measure.metric.is_binary:
        spread = math.sqrt(mean * (1 - mean))
    elif baseline.sd is not None:
        spread = baseline.sd
    else:
        raise ValueError(f"{measure.label} has no standard deviation in its baseline; a simulation needs it")
    return _mean(baseline.mean, effect, spread * math.sqrt((1 - explained) * design_effect), added, random)


def _rate(rate: float, added: Floats, random: np.random.Generator) -> Arm:
    n: Floats = added.cumsum(axis=1)
    successes: Floats = random.binomial(added.astype(np.int64), rate).cumsum(axis=1).astype(np.float64)
    value = successes / np.maximum(n, 1)
    return Arm(n, value, value * (1 - value) * n / np.maximum(n - 1, 1), successes)


def _mean(centre: float, effect: float, sd: float, added: Floats, random: np.random.Generator) -> Arm:
    """Totals and sums of squares around ``centre``; new units' squares are those of their mean and a chi-squared around it."""
    root = np.sqrt(added)
    total_over_root = root * effect + sd * random.standard_normal(added.shape)
    around_mean = 2 * sd**2 * random.standard_gamma(np.maximum(added - 1, 0) / 2)
    squares = np.where(added > 0, total_over_root**2 + around_mean, 0.0).cumsum(axis=1)
    total = (root * total_over_root).cumsum(axis=1)
    n: Floats = added.cumsum(axis=1)
    away = total / np.maximum(n, 1)
    variance = np.maximum(squares - away * total, 0.0) / np.maximum(n - 1, 1)
    return Arm(n, centre + away, variance)
