"""A/A replays of past logs: the buckets fall to the arms anew, and each re-split's moments go through the whole rule.

There is no difference between the arms by construction, and everything else is as it was: tails, zeros, missing values, how
metrics move together, how users came. Every arm gets its share of the buckets, so that its units vary as by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from experiments.designs.design import Design, Measure
from experiments.simulation.buckets import BUCKETS, Buckets, Gathered, PooledQuantile
from experiments.simulation.pairs import Arm, Floats, Pair


@dataclass(frozen=True, slots=True)
class ArmMoments:
    """Moments of a measure's variables in one arm by each look: n, means, centred co-moments."""

    n: Floats
    means: Floats
    comoments: Floats


class Resplit:
    """One batch of re-splits, as the rule takes it."""

    def __init__(self, design: Design, buckets: Buckets, labels: Floats) -> None:
        self.design, self.buckets = design, buckets
        self._in_arm = [(labels == arm).astype(np.float64) for arm in range(len(design.arms))]
        self._moments: dict[int, tuple[ArmMoments, ...]] = {}
        self._pairs: dict[tuple[int, int], Pair] = {}

    @cached_property
    def units(self) -> Floats:
        return self._by_arm(self.buckets.units)

    def with_value(self, measure: int) -> Floats:
        return self._by_arm(self.buckets.with_value[measure])

    def pair(self, measure: int, treatment: int) -> Pair:
        if (measure, treatment) not in self._pairs:
            self._pairs[measure, treatment] = self._pair(measure, treatment)
        return self._pairs[measure, treatment]

    def _pair(self, measure: int, treatment: int) -> Pair:
        declared, arms = self.design.measures[measure], self._arms(measure)
        quantile = self.buckets.quantiles.get(measure)
        if quantile is not None:
            return Pair(_quantile_arm(arms[0], quantile), _quantile_arm(arms[treatment], quantile))
        if declared.metric.is_binary and not declared.covariates:
            return Pair(_rate_arm(arms[0]), _rate_arm(arms[treatment]))
        variables = _variables(declared)
        control, treated = _linearised(arms[0], variables), _linearised(arms[treatment], variables)
        if len(variables) == 1:
            return Pair(_first(control), _first(treated))
        return _adjusted(control, treated)

    def _arms(self, measure: int) -> tuple[ArmMoments, ...]:
        if measure not in self._moments:
            gathered = self.buckets.gathered[measure]
            self._moments[measure] = tuple(_moments(gathered, members) for members in self._in_arm)
        return self._moments[measure]

    def _by_arm(self, per_bucket: Floats) -> Floats:
        """Cumulative counts by replay, look and arm."""
        return np.stack([(members @ per_bucket).cumsum(axis=1) for members in self._in_arm], axis=2)


def resplit(design: Design, buckets: Buckets, replays: int, random: np.random.Generator) -> Resplit:
    """Deal the buckets out to the arms at random, each its planned share of them."""
    shares = np.cumsum([float(arm.share) for arm in design.arms])
    ends = np.round(shares / shares[-1] * BUCKETS).astype(int)
    labels = np.repeat(np.arange(len(shares), dtype=np.int8), np.diff(ends, prepend=0))
    return Resplit(design, buckets, random.permuted(np.tile(labels, (replays, 1)), axis=1))


def _moments(gathered: Gathered, members: Floats) -> ArmMoments:
    """Cumulative moments over the looks of the buckets that are members, shape (replays, looks, …)."""
    looks, k = gathered.sums.shape[1:]
    flat = np.concatenate(
        [gathered.n[:, :, None], gathered.sums, gathered.products.reshape(BUCKETS, looks, k * k)], axis=2
    )
    total = (members @ flat.reshape(BUCKETS, -1)).reshape(len(members), looks, -1).cumsum(axis=1)
    n, sums = total[:, :, 0], total[:, :, 1 : 1 + k]
    mean = sums / np.maximum(n, 1)[:, :, None]
    products = total[:, :, 1 + k :].reshape(len(members), looks, k, k)
    return ArmMoments(n, gathered.centres + mean, products - sums[..., :, None] * mean[..., None, :])


def _variables(measure: Measure) -> list[tuple[int, int | None]]:
    """Where a measure and then each of its covariates stand among the variables: one place, or numerator and denominator."""
    found: list[tuple[int, int | None]] = []
    place = 0
    for metric in (measure.metric, *(covariate.metric for covariate in measure.covariates)):
        ratio = metric is not None and metric.type == "ratio"
        found.append((place, place + 1 if ratio else None))
        place += 2 if ratio else 1
    return found


def _linearised(arm: ArmMoments, variables: Sequence[tuple[int, int | None]]) -> ArmMoments:
    """Ratios in the place of their parts (``analysis.ratios.linearise``)."""
    weights = np.zeros((*arm.n.shape, len(variables), arm.means.shape[2]))
    means = np.empty((*arm.n.shape, len(variables)))
    for row, (numerator, denominator) in enumerate(variables):
        if denominator is None:
            weights[..., row, numerator] = 1.0
            means[..., row] = arm.means[..., numerator]
            continue
        below = np.where(arm.means[..., denominator] == 0, np.inf, arm.means[..., denominator])
        ratio = arm.means[..., numerator] / below
        weights[..., row, numerator], weights[..., row, denominator] = 1 / below, -ratio / below
        means[..., row] = ratio
    return ArmMoments(arm.n, means, weights @ arm.comoments @ weights.swapaxes(-1, -2))


def _first(arm: ArmMoments) -> Arm:
    return Arm(arm.n, arm.means[..., 0], _per_unit(arm.comoments[..., 0, 0], arm.n))


def _rate_arm(arm: ArmMoments) -> Arm:
    successes = np.round(arm.means[..., 0] * arm.n)
    return Arm(arm.n, arm.means[..., 0], _per_unit(arm.comoments[..., 0, 0], arm.n), successes)


def _quantile_arm(arm: ArmMoments, quantile: PooledQuantile) -> Arm:
    share = _first(_linearised(arm, [(0, 1)]))
    value = quantile.value - quantile.slope * (share.value - quantile.share)
    return Arm(arm.n, value, quantile.slope**2 * share.variance)


def _adjusted(control: ArmMoments, treatment: ArmMoments) -> Pair:
    """Both arms adjusted to the covariates' common mean, θ from the co-moments within the arms (``analysis.adjustment``)."""
    within = control.comoments + treatment.comoments
    spread = np.sqrt(np.maximum(within.diagonal(axis1=-2, axis2=-1), np.finfo(float).tiny))
    correlations = within / (spread[..., :, None] * spread[..., None, :])
    inverse = np.linalg.pinv(correlations[..., 1:, 1:], rcond=1e-8, hermitian=True)
    theta = (inverse @ correlations[..., 1:, :1])[..., 0] * spread[..., :1] / spread[..., 1:]
    n = control.n + treatment.n
    weight = np.divide(treatment.n, n, out=np.zeros_like(n), where=n > 0)[..., None]
    common = control.means + weight * (treatment.means - control.means)
    weights = np.concatenate([np.ones_like(theta[..., :1]), -theta], axis=-1)

    def arm(one: ArmMoments) -> Arm:
        away = (theta * (one.means - common)[..., 1:]).sum(axis=-1)
        squares = np.einsum("...i,...ij,...j->...", weights, one.comoments, weights)
        return Arm(one.n, one.means[..., 0] - away, _per_unit(squares, one.n))

    return Pair(arm(control), arm(treatment))


def _per_unit(squares: Floats, n: Floats) -> Floats:
    found: Floats = np.maximum(squares, 0.0) / np.maximum(n - 1, 1)
    return found
