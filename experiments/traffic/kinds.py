"""Five kinds of outcome, each with a truth in closed form."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import norm

from experiments.traffic.outcomes import Floats, Happened, Integers, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion(Outcome):
    """At most one row per unit, of value 1, with the unit's probability."""

    probability: float

    @property
    def baseline(self) -> float:
        return self.probability

    def draw(self, chance: np.random.Generator, before: Floats, means: Floats) -> Iterator[Happened]:
        given = means
        if self.history_correlation is not None:
            had = chance.random(len(means)) < before
            yield ones(self.event, np.flatnonzero(had), "before")
            both = both_happen(before, means, self.history_correlation)
            given = np.where(had, both / before, (means - both) / (1 - before))
        yield ones(self.event, np.flatnonzero(chance.random(len(means)) < given), "within")

    def variance(self, means: Floats) -> Floats:
        return means * (1 - means)

    def cell_problems(self, before: Floats, means: Floats) -> Iterator[str]:
        if not (np.all((before > 0) & (before < 1)) and np.all((means > 0) & (means < 1))):
            yield "probability: with its effects it must stay between 0 and 1; make the effects smaller"
        elif self.history_correlation is not None:
            both = both_happen(before, means, self.history_correlation)
            if np.any(both > np.minimum(before, means)):
                yield (
                    f"history_correlation: {self.history_correlation} cannot be reached by probabilities"
                    " so far apart; make it or the effects smaller"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Count(Outcome):
    """Rows of value 1; their number is negative binomial, variance μ + dispersion · μ² (0: Poisson).

    A unit's rate is μ times a gamma variable of mean 1 and variance ``dispersion``, one for its whole life.
    """

    mean: float
    dispersion: float = 0.0

    @property
    def baseline(self) -> float:
        return self.mean

    def draw(self, chance: np.random.Generator, before: Floats, means: Floats) -> Iterator[Happened]:
        rate = unit_rates(chance, self.dispersion, len(means))
        if self.history_correlation is not None:
            yield counted(self.event, chance.poisson(before / self.mean * self.history_mean * rate), "before")
        yield counted(self.event, chance.poisson(means * rate), "within")

    @property
    def history_mean(self) -> float:
        """The mean number of rows before exposure that gives the declared correlation.

        Two counts that share a gamma rate have ρ² = ab, where a = αμ / (1 + αμ) for each; solved for the
        other mean.
        """
        if self.history_correlation is None or self.dispersion == 0:
            return 0.0
        reliability = self.dispersion * self.mean / (1 + self.dispersion * self.mean)
        other = self.history_correlation**2 / reliability
        return other / (self.dispersion * (1 - other))

    def variance(self, means: Floats) -> Floats:
        return means + self.dispersion * means**2

    def problems(self) -> Iterator[str]:
        yield from Outcome.problems(self)
        if not self.dispersion >= 0:
            yield f"dispersion: {self.dispersion} is not allowed; give 0 (Poisson) or more"
        elif self.history_correlation:
            most = np.sqrt(self.dispersion * self.mean / (1 + self.dispersion * self.mean))
            if self.history_correlation >= most:
                yield (
                    f"history_correlation: {self.history_correlation} is not allowed; counts of this mean"
                    f" and dispersion reach less than {most:.4g}: raise the dispersion"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount(Outcome):
    """One row per unit with a continuous value: normal (effects shift it) or lognormal (effects scale it)."""

    mean: float
    sd: float
    shape: Literal["normal", "lognormal"] = "normal"

    @property
    def baseline(self) -> float:
        return self.mean

    def draw(self, chance: np.random.Generator, before: Floats, means: Floats) -> Iterator[Happened]:
        everybody = np.arange(len(means))
        after = chance.standard_normal(len(means))
        if self.history_correlation is not None:
            latent = self.latent_correlation(self.history_correlation)
            earlier = latent * after + np.sqrt(1 - latent**2) * chance.standard_normal(len(means))
            yield Happened(self.event, everybody, self.values(before, earlier), "before")
        yield Happened(self.event, everybody, self.values(means, after), "within")

    def values(self, means: Floats, normal: Floats) -> Floats:
        if self.shape == "normal":
            return means + self.sd * normal
        return means * np.exp(self.log_sd * normal - self.log_sd**2 / 2)

    @property
    def log_sd(self) -> float:
        return float(np.sqrt(np.log1p((self.sd / self.mean) ** 2)))

    def row_values(self, means: Floats) -> Floats:
        return means

    def latent_correlation(self, correlation: float) -> float:
        """Return the correlation r of the normals: lognormals have (exp(rσ²) − 1) / (exp(σ²) − 1)."""
        if self.shape == "normal":
            return correlation
        return float(np.log1p(correlation * np.expm1(self.log_sd**2)) / self.log_sd**2)

    def variance(self, means: Floats) -> Floats:
        if self.shape == "normal":
            return np.full_like(means, self.sd**2)
        return (means * (self.sd / self.mean)) ** 2

    def problems(self) -> Iterator[str]:
        yield from Outcome.problems(self)
        if not self.sd > 0:
            yield f"sd: {self.sd} is not allowed; give a standard deviation above 0"

    def cell_problems(self, before: Floats, means: Floats) -> Iterator[str]:
        if self.shape == "lognormal":
            yield from Outcome.cell_problems(self, before, means)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency(Outcome):
    """Many requests per unit, lognormal values that share the unit's own level.

    A value is mean · exp(u + e − (user_sd² + request_sd²) / 2), u ~ N(0, user_sd²) for the unit and
    e ~ N(0, request_sd²) for the request. A unit makes 1 + negative binomial requests, ``requests`` in the
    mean, whose number has nothing to do with their values.
    """

    mean: float
    user_sd: float
    request_sd: float
    requests: float
    requests_dispersion: float = 1.0

    @property
    def baseline(self) -> float:
        return self.mean

    def draw(self, chance: np.random.Generator, before: Floats, means: Floats) -> Iterator[Happened]:  # noqa: ARG002 (no history)
        n = len(means)
        rate = unit_rates(chance, self.requests_dispersion, n)
        unit = np.repeat(np.arange(n), 1 + chance.poisson((self.requests - 1) * rate))
        level = means * np.exp(self.user_sd * chance.standard_normal(n) - self.log_variance / 2)
        noise = np.exp(self.request_sd * chance.standard_normal(len(unit)))
        yield Happened(self.event, unit, level[unit] * noise, "within")

    @property
    def log_variance(self) -> float:
        return self.user_sd**2 + self.request_sd**2

    def variance(self, means: Floats) -> Floats:
        variances: Floats = np.square(means) * np.expm1(self.log_variance)
        return variances

    def row_values(self, means: Floats) -> Floats:
        return means

    def distribution(self, value: float, means: Floats) -> Floats:
        """Return the share of requests up to ``value`` for units of these means."""
        log_sd = np.sqrt(self.log_variance)
        shares: Floats = norm.cdf((np.log(value / means) + self.log_variance / 2) / log_sd)
        return shares

    def problems(self) -> Iterator[str]:
        yield from Outcome.problems(self)
        if self.history_correlation is not None:
            yield "history_correlation: Latency has no history; leave it out"
        if not (self.user_sd >= 0 and self.request_sd > 0):
            yield "user_sd, request_sd: give 0 or more for the user and above 0 for the request (log scale)"
        if not self.requests >= 1:
            yield f"requests: {self.requests} is not allowed; every unit makes at least 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio(Outcome):
    """Rows of a denominator event (views) and, for some of them, of ``event`` (clicks), all of value 1.

    A unit has 1 + negative binomial views, ``per_unit`` in the mean, and clicks with its own probability,
    beta distributed around the mean with intraclass correlation ``clustering``.
    """

    denominator: str
    ratio: float
    per_unit: float
    per_unit_dispersion: float = 1.0
    clustering: float = 0.1

    @property
    def baseline(self) -> float:
        return self.ratio

    @property
    def events(self) -> tuple[str, ...]:
        return (self.event, self.denominator)

    def draw(self, chance: np.random.Generator, before: Floats, means: Floats) -> Iterator[Happened]:  # noqa: ARG002 (no history)
        views = 1 + chance.poisson(
            (self.per_unit - 1) * unit_rates(chance, self.per_unit_dispersion, len(means))
        )
        concentration = 1 / self.clustering - 1
        own = chance.beta(means * concentration, (1 - means) * concentration)
        yield counted(self.denominator, views, "within")
        yield counted(self.event, chance.binomial(views, own), "within")

    def variance(self, means: Floats) -> Floats:
        """Delta method: Var(clicks − R · views) / E(views)², with E(clicks − R · views | views) = 0."""
        within = self.per_unit * (1 - self.clustering) + self.views_squared * self.clustering
        return means * (1 - means) * within / self.per_unit**2

    def mixture_variance(self, share: Floats, means: Floats) -> float:
        """A unit of another segment is off the common ratio by as much on each of its views."""
        between = share @ (means - share @ means) ** 2 * self.views_squared / self.per_unit**2
        return float(share @ self.variance(means) + between)

    @property
    def views_squared(self) -> float:
        """The second moment of the number of views."""
        more = self.per_unit - 1
        return 1 + 3 * more + (1 + self.per_unit_dispersion) * more**2

    def problems(self) -> Iterator[str]:
        yield from Outcome.problems(self)
        if self.history_correlation is not None:
            yield "history_correlation: Ratio has no history; leave it out"
        if not 0 < self.clustering < 1:
            yield f"clustering: {self.clustering} is not allowed; give an intraclass correlation in (0, 1)"
        if not self.per_unit >= 1:
            yield f"per_unit: {self.per_unit} is not allowed; every unit has at least 1"

    def cell_problems(self, before: Floats, means: Floats) -> Iterator[str]:
        if not (np.all((before > 0) & (before < 1)) and np.all((means > 0) & (means < 1))):
            yield "ratio: with its effects it must stay between 0 and 1; make the effects smaller"


def both_happen(before: Floats, means: Floats, correlation: float) -> Floats:
    """Return P(both) of two events with these probabilities and this correlation."""
    both: Floats = before * means + correlation * np.sqrt(before * (1 - before) * means * (1 - means))
    return both


def unit_rates(chance: np.random.Generator, dispersion: float, n: int) -> Floats:
    return np.ones(n) if dispersion == 0 else chance.gamma(1 / dispersion, dispersion, n)


def ones(event: str, unit: Integers, when: Literal["before", "within", "after"]) -> Happened:
    return Happened(event, unit, np.ones(len(unit)), when)


def counted(event: str, counts: Integers, when: Literal["before", "within", "after"]) -> Happened:
    return ones(event, np.repeat(np.arange(len(counts)), counts), when)
