"""Units whose outcomes are whole numbers, and many experiments' sums of them, drawn at once and exact to the last unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from experiments.simulation.pairs import Arm, Floats, Pair

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Population:
    """One arm's units: each is one row of ``values``, with its probability.

    Attributes:
        values: whole numbers, shape (kinds of unit, variables): the outcome, then a ratio's denominator or a covariate.
        second: what the second variable is.
    """

    values: Counts
    probabilities: Floats
    second: str | None = None

    @property
    def mean(self) -> float:
        """Of the outcome; of a ratio, total over total."""
        means = self.probabilities @ self.values
        return float(means[0] / means[1]) if self.second == "denominator" else float(means[0])

    @property
    def sd(self) -> float:
        """Of one unit's outcome; of a ratio, of its linearised value."""
        outcome = self.values[:, 0].astype(float)
        if self.second == "denominator":
            outcome = (outcome - self.mean * self.values[:, 1]) / float(
                self.probabilities @ self.values[:, 1]
            )
        centre = float(self.probabilities @ outcome)
        return float(np.sqrt(self.probabilities @ (outcome - centre) ** 2))

    @property
    def skewness(self) -> float:
        outcome = self.values[:, 0].astype(float)
        centre = float(self.probabilities @ outcome)
        third = float(self.probabilities @ (outcome - centre) ** 3)
        return third / float(np.sqrt(self.probabilities @ (outcome - centre) ** 2)) ** 3

    @property
    def is_yes_no(self) -> bool:
        return self.second is None and set(self.values[:, 0].tolist()) == {0, 1}

    def treated(self, effect: float) -> Population:
        """The same kinds of unit under a treatment with this true effect, in the metric's unit: larger outcomes more often.

        Probabilities are tilted exponentially, which moves a binomial to another binomial.

        Raises:
            ValueError: an effect on a ratio or beside a covariate, whose second variable a tilt would move too.
        """
        if effect == 0:
            return self
        if self.second is not None:
            raise ValueError(f"effect: {effect} with a {self.second} is not allowed; give 0")
        outcome = self.values[:, 0].astype(float)

        def tilted(slope: float) -> Floats:
            shares = self.probabilities * np.exp(slope * (outcome - self.mean))
            return np.asarray(shares / shares.sum())

        reach = 20 / self.sd
        slope = brentq(lambda at: tilted(at) @ outcome - self.mean - effect, -reach, reach, xtol=1e-14)
        return Population(self.values, tilted(slope))


def yes_no(rate: float) -> Population:
    return Population(np.array([[0], [1]]), np.array([1 - rate, rate]))


def points() -> Population:
    """Five points, symmetric about 3 with a standard deviation of 1."""
    return Population(np.arange(1, 6)[:, None], _binomial(4, 0.5))


def points_with_history(correlation: float = 0.6) -> Population:
    """Points, and the same unit's points before: copies with this correlation (four in ten draw anew at 0.6)."""
    single = _binomial(4, 0.5)
    pairs = np.array([(now, before) for now in range(1, 6) for before in range(1, 6)])
    together = np.outer(single, single) * (1 - correlation) + np.diag(single) * correlation
    return Population(pairs, together.ravel(), "covariate")


def spend() -> Population:
    """Euros of a shop: seven units in ten spend nothing, the others a lognormal amount (of a log, sd 1.2), capped at 500."""
    edges = np.array([0, 5, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320, 500])
    values = np.array([3, 8, 12, 17, 25, 35, 50, 70, 100, 140, 200, 280, 400, 500])
    with np.errstate(divide="ignore"):
        below = ndtr((np.log(edges) - np.log(25)) / 1.2)
    shares = np.diff(np.append(below, 1.0))
    return Population(np.concatenate([[0], values])[:, None], np.concatenate([[0.7], 0.3 * shares]))


def clicks_per_view() -> Population:
    """Clicks and views of a user: 1 to 6 views, more of few; three users in ten click at 40 %, the others at 5 %."""
    rows, shares = [], []
    weights = 1 / np.arange(1, 7) ** 1.2
    for views, weight in zip(range(1, 7), weights / weights.sum(), strict=True):
        chances = 0.3 * _binomial(views, 0.4) + 0.7 * _binomial(views, 0.05)
        rows += [(clicks, views) for clicks in range(views + 1)]
        shares += list(weight * chances)
    return Population(np.array(rows), np.array(shares), "denominator")


def _binomial(n: int, rate: float) -> Floats:
    return np.array([comb(n, k) * rate**k * (1 - rate) ** (n - k) for k in range(n + 1)])


@dataclass(frozen=True)
class Sums:
    """One measure in one arm by each look: shapes (replays, looks), (…, variables), (…, variables, variables)."""

    n: Floats
    sums: Floats
    products: Floats
    second: str | None
    yes_no: bool


@dataclass(frozen=True)
class Cohorts:
    """Many replays of one experiment as the rule takes them (``experiments.simulation.rule.Sample``).

    Attributes:
        units: by replay, look and arm, cumulative.
        drawn: by measure (its place in the design) and arm.
    """

    units: Floats
    drawn: Mapping[int, tuple[Sums, ...]]

    def with_value(self, measure: int) -> None:
        """No unit is without a value."""

    def pair(self, measure: int, treatment: int) -> Pair:
        control, treated = self.drawn[measure][0], self.drawn[measure][treatment]
        if control.second == "covariate":
            return _adjusted(control, treated)
        return Pair(_arm(control), _arm(treated))


def draw(
    added: Counts, populations: Mapping[int, tuple[Population, ...]], random: np.random.Generator
) -> Cohorts:
    """Sums at every look.

    Args:
        added: new units by replay, look and arm.
        populations: by measure and arm; measures are independent of each other.
    """
    units = added.cumsum(axis=1).astype(float)
    drawn = {
        index: tuple(_sums(added[:, :, arm], units[:, :, arm], one, random) for arm, one in enumerate(arms))
        for index, arms in populations.items()
    }
    return Cohorts(units, drawn)


def _sums(added: Counts, n: Floats, population: Population, random: np.random.Generator) -> Sums:
    values, k = population.values, population.values.shape[1]
    products = (values[:, :, None] * values[:, None, :]).reshape(len(values), k * k)
    each = random.multinomial(added, population.probabilities / population.probabilities.sum())
    totals = (each.astype(float) @ np.concatenate([values, products], axis=1)).cumsum(axis=1)
    return Sums(
        n,
        totals[..., :k],
        totals[..., k:].reshape(*added.shape, k, k),
        population.second,
        population.is_yes_no,
    )


def _arm(drawn: Sums) -> Arm:
    n, total, square = drawn.n, drawn.sums[..., 0], drawn.products[..., 0, 0]
    least = np.maximum(n, 1)
    if drawn.second == "denominator":
        views = drawn.sums[..., 1]
        ratio = total / np.maximum(views, 1)
        residual = square - 2 * ratio * drawn.products[..., 0, 1] + ratio**2 * drawn.products[..., 1, 1]
        return Arm(n, ratio, residual / np.maximum(n - 1, 1) / (np.maximum(views, 1) / least) ** 2)
    variance = np.maximum(square - total**2 / least, 0.0) / np.maximum(n - 1, 1)
    return Arm(n, total / least, variance, total if drawn.yes_no else None)


def _adjusted(control: Sums, treated: Sums) -> Pair:
    """Adjusted for one covariate by the pooled within-arm slope, written apart from ``analysis.adjustment``."""
    arms = (control, treated)
    means = [arm.sums / np.maximum(arm.n, 1)[..., None] for arm in arms]
    within = [
        arm.products - arm.n[..., None, None] * mean[..., :, None] * mean[..., None, :]
        for arm, mean in zip(arms, means, strict=True)
    ]
    spread = within[0][..., 1, 1] + within[1][..., 1, 1]
    slope = (within[0][..., 0, 1] + within[1][..., 0, 1]) / np.where(spread > 0, spread, 1)
    common = (control.sums[..., 1] + treated.sums[..., 1]) / np.maximum(control.n + treated.n, 1)
    found = []
    for arm, mean, part in zip(arms, means, within, strict=True):
        left = part[..., 0, 0] - 2 * slope * part[..., 0, 1] + slope**2 * part[..., 1, 1]
        value = mean[..., 0] - slope * (mean[..., 1] - common)
        found.append(Arm(arm.n, value, np.maximum(left, 0.0) / np.maximum(arm.n - 1, 1)))
    return Pair(found[0], found[1])
