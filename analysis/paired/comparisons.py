"""What is compared of two models on the same requests, in the one form that every stopping rule takes.

A comparison answers two questions, at any null value and at any level: its statistic on the normal scale, and
the null values that a critical value does not reject. A t statistic enters through its p-value, the sign
kept, so that one boundary serves all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from scipy.special import ndtr, stdtrit

from analysis.inference import normal_deviate
from analysis.moments import CoMoments
from analysis.paired.clustered import ClusterMethod, user_interval, user_statistic
from analysis.paired.estimates import ClusteredEstimate
from analysis.paired.quantiles import PairedQuantiles, quantile_estimates
from analysis.paired.ratios import PairedEstimates
from analysis.paired.user_moments import ClusterMoments


class Comparison(Protocol):
    """A number that is above the null, or below it, and the users it rests on."""

    @property
    def name(self) -> str: ...

    @property
    def users(self) -> int: ...

    @property
    def estimate(self) -> float | None: ...

    def z(self, null: float) -> float | str:
        """Statistic of estimate − null on the normal scale, or why there is none."""
        ...

    def interval(self, critical: float) -> tuple[float, float] | None:
        """The nulls whose |z| is at most ``critical``; None where they have no end."""
        ...


@dataclass(frozen=True, slots=True)
class PairDifference:
    """Difference per pair, candidate − champion: correctness, a loss, a score, an error."""

    moments: ClusterMoments
    method: ClusterMethod = "obuchowski"

    @property
    def name(self) -> str:
        return f"paired difference by user ({self.method})"

    @property
    def users(self) -> int:
        return self.moments.users

    @property
    def estimate(self) -> float | None:
        return self.moments.difference_mean / self.moments.pairs_mean if self.moments.users else None

    def z(self, null: float) -> float | str:
        found = user_statistic(self.moments, self.method, null)
        if isinstance(found, str) or self.method != "linearised":
            return found
        return normal_deviate(found, self.users - 1)

    def interval(self, critical: float) -> tuple[float, float] | None:
        if self.method == "linearised":
            critical = students(critical, self.users - 1)
        return user_interval(self.moments, self.method, critical)


@dataclass(frozen=True, slots=True)
class RelativeMean:
    """Candidate's mean over the champion's, less 1, by a clustered test of candidate − multiple · champion.

    Attributes:
        moments: of the candidate's sums as differences and the champion's as pairs, so that a difference per pair
            is a multiple of the champion.
    """

    moments: ClusterMoments | str  # the reason in the place of numbers
    users: int
    method: ClusterMethod = "obuchowski"

    @property
    def name(self) -> str:
        return f"relative change of the mean by user ({self.method})"

    @property
    def estimate(self) -> float | None:
        if isinstance(self.moments, str):
            return None
        return self.moments.difference_mean / self.moments.pairs_mean - 1

    def z(self, null: float) -> float | str:
        if isinstance(self.moments, str):
            return self.moments
        return PairDifference(self.moments, self.method).z(1 + null)

    def interval(self, critical: float) -> tuple[float, float] | None:
        if isinstance(self.moments, str):
            return None
        if self.method == "linearised":
            raise ValueError(
                "method: linearised is not allowed for a ratio of means; paired_ratio has Fieller's"
            )
        multiples = user_interval(self.moments, self.method, critical)
        return None if multiples is None else (multiples[0] - 1, multiples[1] - 1)


@dataclass(frozen=True, slots=True)
class EstimateDifference:
    """Difference of two estimates from the same users: quantiles, means."""

    estimates: PairedEstimates | str  # the reason in the place of numbers
    users: int
    name: str

    @property
    def estimate(self) -> float | None:
        if isinstance(self.estimates, str):
            return None
        return self.estimates.candidate - self.estimates.champion

    def z(self, null: float) -> float | str:
        if isinstance(self.estimates, str):
            return self.estimates
        error = self.estimates.error_at(1.0)
        if error == 0:
            return NO_SPREAD
        difference = self.estimates.candidate - self.estimates.champion
        return normal_deviate((difference - null) / error, self.users - 1)

    def interval(self, critical: float) -> tuple[float, float] | None:
        if isinstance(self.estimates, str):
            return None
        reach = students(critical, self.users - 1) * self.estimates.error_at(1.0)
        difference = self.estimates.candidate - self.estimates.champion
        return (difference - reach, difference + reach) if math.isfinite(reach) else None


@dataclass(frozen=True, slots=True)
class RelativeChange:
    """Candidate's estimate over the champion's, less 1; a null of 0.05 tests candidate − 1.05 · champion."""

    estimates: PairedEstimates | str
    users: int
    name: str

    @property
    def estimate(self) -> float | None:
        if isinstance(self.estimates, str) or self.estimates.champion <= 0:
            return None
        return self.estimates.candidate / self.estimates.champion - 1

    def z(self, null: float) -> float | str:
        if isinstance(self.estimates, str):
            return self.estimates
        if self.estimates.champion <= 0:
            return f"the champion's estimate {self.estimates.champion} is not above 0: no ratio to it"
        error = self.estimates.error_at(1 + null)
        if error == 0:
            return NO_SPREAD
        excess = self.estimates.candidate - (1 + null) * self.estimates.champion
        return normal_deviate(excess / error, self.users - 1)

    def interval(self, critical: float) -> tuple[float, float] | None:
        if isinstance(self.estimates, str) or self.estimates.champion <= 0:
            return None
        ratios = self.estimates.ratio_interval(students(critical, self.users - 1))
        return None if ratios is None else (ratios[0] - 1, ratios[1] - 1)


@dataclass(frozen=True, slots=True)
class OneEstimate:
    """A single number by user: the candidate's own p95, a kappa, a concordance."""

    found: ClusteredEstimate
    name: str

    @property
    def users(self) -> int:
        return self.found.users

    @property
    def estimate(self) -> float | None:
        return self.found.estimate

    def z(self, null: float) -> float | str:
        if self.found.estimate is None or self.found.standard_error is None:
            return self.found.not_computed or "no estimate"
        return normal_deviate((self.found.estimate - null) / self.found.standard_error, self.users - 1)

    def interval(self, critical: float) -> tuple[float, float] | None:
        if self.found.estimate is None or self.found.standard_error is None:
            return None
        reach = students(critical, self.users - 1) * self.found.standard_error
        if not math.isfinite(reach):
            return None
        return self.found.estimate - reach, self.found.estimate + reach


NO_SPREAD = "no spread over users: nothing to test with"


def quantile_comparison(
    found: PairedQuantiles, *, relative: bool = False
) -> EstimateDifference | RelativeChange:
    """The two models' quantiles, by their difference or by the relative change."""
    name = f"paired difference of the {found.q:g} quantile by user"
    if relative:
        return RelativeChange(quantile_estimates(found), found.requests.n, f"{name}, relative")
    return EstimateDifference(quantile_estimates(found), found.requests.n, name)


def mean_comparison(
    sums: CoMoments, *, relative: bool = False, method: ClusterMethod = "obuchowski"
) -> PairDifference | RelativeMean:
    """The two models' means per pair, by their difference or by the relative change.

    Args:
        sums: co-moments over users of the candidate's sum, the champion's sum and the number of pairs.
        method: obuchowski or linearised; the first keeps its level with few effective users, too.
    """
    if not relative:
        return PairDifference(
            ClusterMoments.of_comoments(sums, difference=(1, -1, 0), pairs=(0, 0, 1)), method
        )
    if sums.n == 0 or sums.means[1] <= 0:
        why = (
            "no pairs"
            if sums.n == 0
            else f"the champion's mean {sums.means[1]} is not above 0: no ratio to it"
        )
        return RelativeMean(why, sums.n, method)
    against = ClusterMoments.of_comoments(sums, difference=(1, 0, 0), pairs=(0, 1, 0))
    return RelativeMean(against, sums.n, method)


def students(critical: float, df: float) -> float:
    """The t with as much beyond it as a standard normal has beyond ``critical``."""
    if critical <= 0:
        return 0.0
    return -float(stdtrit(df, float(ndtr(-critical))))
