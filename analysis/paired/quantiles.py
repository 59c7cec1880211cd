"""Differences of quantiles (p50, p95, p99 of latency) of two models on the same requests, by user.

What is compared are the two marginal quantiles, not the quantile of the differences. Each one's standard error
is that of `analysis.quantiles`: the spread over users of the share of requests at or below it, carried to the
quantile by the order statistics at the outer levels. Both come from the same users; the correlation of the two
estimates is that of the two shares over users (delta method on both influence functions: Deng, Knoblich & Lu
2018, KDD, section 4; van der Vaart 1998, Asymptotic Statistics, section 21.2).

Three passes over the log give all that is needed: 1. each model's quantile at level q over the paired
requests; 2. per user, the requests at or below it for the champion, for the candidate, and all pairs; over
users their `CoMoments`, into `paired_outer_levels`; 3. each model's quantiles at its two outer levels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from analysis.inference import normal_deviate
from analysis.moments import CoMoments
from analysis.paired.inference import (
    Alternative,
    check_alternative,
    check_level,
    check_margin,
    tail_p_value,
    two_sided_critical,
)
from analysis.paired.ratios import PairedEstimates, RelativeNonInferiority, relative_noninferiority
from analysis.quantiles import OuterLevels, QuantileArm, outer_levels


@dataclass(frozen=True, slots=True)
class PairedQuantiles:
    """What a log says of one quantile of both models.

    Attributes:
        champion, candidate: each model's quantile with its order statistics at the outer levels.
        requests: co-moments over users of the requests at or below the champion's quantile (0), those at or
            below the candidate's own (1), and all pairs (2).
        resolution: the step in which values were recorded (1 for whole milliseconds). No quantile is then
            taken to be known better than to one step, so that order statistics that coincide have an interval
            too, a wide one. None: such quantiles have no interval.

    Raises:
        ValueError: for two different levels q, another number of variables or of users, or a resolution not
            above 0.
    """

    champion: QuantileArm
    candidate: QuantileArm
    requests: CoMoments
    resolution: float | None = None

    def __post_init__(self) -> None:
        a, b = self.champion.levels, self.candidate.levels
        problems = []
        if a.q != b.q:
            problems.append(f"q: {a.q} for the champion, {b.q} for the candidate; give the same for both")
        if self.requests.k != 3:
            problems.append(
                f"requests: {self.requests.k} variables; give those at or below the champion's quantile, at "
                "or below the candidate's, and all pairs"
            )
        if a.alpha != b.alpha:
            problems.append(f"alpha: levels taken at {a.alpha} and {b.alpha}; take both at the same")
        if not a.units == b.units == self.requests.n:
            problems.append(
                f"requests: {self.requests.n} users, {a.units} and {b.units} in the levels; give the same users"
            )
        if self.resolution is not None and not 0 < self.resolution < math.inf:
            problems.append(
                f"resolution: {self.resolution} is not allowed; give the step of the values, above 0"
            )
        if problems:
            raise ValueError("\n".join(problems))

    @property
    def q(self) -> float:
        return self.champion.levels.q


@dataclass(frozen=True, slots=True)
class PairedQuantileDifference:
    """Difference of two quantiles of the same requests, candidate − champion. ``ci`` inverts the test."""

    q: float
    alternative: Alternative
    null_difference: float
    level: float
    users: int
    champion: float | None
    candidate: float | None
    difference: float | None
    correlation: float | None  # of the two estimates
    standard_error: float | None
    ci: tuple[float, float] | None
    statistic: float | None  # Student's t with users − 1 degrees of freedom
    p_value: float | None
    not_computed: str | None = None

    @property
    def z(self) -> float | None:
        """The statistic on the normal scale, by its one-sided p, sign kept: for sequential boundaries."""
        return None if self.statistic is None else normal_deviate(self.statistic, self.users - 1)


@dataclass(frozen=True, slots=True)
class PairedQuantileNonInferiority:
    """Test that the candidate's quantile is worse by less than ``margin``, in the metric's unit.

    ``difference.ci`` is two-sided at 1 − 2·alpha; its harmful bound is inside the margin exactly when
    ``ruled_out``.
    """

    margin: float
    direction: Literal["higher", "lower"]
    alpha: float
    difference: PairedQuantileDifference
    ruled_out: bool  # the margin; False whenever nothing could be computed


def paired_outer_levels(
    requests: CoMoments, q: float, *, alpha: float = 0.05
) -> tuple[OuterLevels, OuterLevels]:
    """The levels to look up for the champion and for the candidate; see `analysis.quantiles.outer_levels`.

    Args:
        requests: co-moments over users of the requests at or below the champion's quantile, those at or below
            the candidate's own, and all pairs.
    """
    champion = outer_levels(requests.select([0, 2]), q, alpha=alpha)
    return champion, outer_levels(requests.select([1, 2]), q, alpha=alpha)


def paired_quantile_difference(
    found: PairedQuantiles,
    *,
    level: float = 0.95,
    null_difference: float = 0.0,
    alternative: Alternative = "two-sided",
) -> PairedQuantileDifference:
    """Difference of the two quantiles, tested against ``null_difference``, on users − 1 degrees of freedom.

    Raises:
        ValueError: naming the parameter that is not allowed.
    """
    check_level(level)
    check_alternative(alternative)
    if not math.isfinite(null_difference):
        raise ValueError(f"null_difference: {null_difference} is not allowed; give a finite number")
    users = found.requests.n
    estimates = quantile_estimates(found)
    error = 0.0 if isinstance(estimates, str) else estimates.error_at(1.0)
    if isinstance(estimates, str) or error == 0:
        why = estimates if isinstance(estimates, str) else _IDENTICAL
        return PairedQuantileDifference(
            found.q,
            alternative,
            null_difference,
            level,
            users,
            found.champion.estimate,
            found.candidate.estimate,
            None,
            None,
            None,
            None,
            None,
            None,
            why,
        )
    difference = estimates.candidate - estimates.champion
    statistic = (difference - null_difference) / error
    reach = two_sided_critical(level, users - 1) * error
    return PairedQuantileDifference(
        q=found.q,
        alternative=alternative,
        null_difference=null_difference,
        level=level,
        users=users,
        champion=estimates.champion,
        candidate=estimates.candidate,
        difference=difference,
        correlation=estimates.covariance
        / math.sqrt(estimates.champion_variance * estimates.candidate_variance),
        standard_error=error,
        ci=(difference - reach, difference + reach),
        statistic=statistic,
        p_value=tail_p_value(statistic, alternative, users - 1),
    )


def paired_quantile_noninferiority(
    found: PairedQuantiles,
    margin: float,
    *,
    alpha: float = 0.025,
    direction: Literal["higher", "lower"] = "lower",
) -> PairedQuantileNonInferiority:
    """Non-inferiority of the candidate's quantile against an absolute margin, positive, in the metric's unit."""
    check_margin(margin, alpha, direction)
    difference = paired_quantile_difference(
        found,
        level=1 - 2 * alpha,
        null_difference=margin if direction == "lower" else -margin,
        alternative="less" if direction == "lower" else "greater",
    )
    ruled_out = difference.p_value is not None and difference.p_value < alpha
    return PairedQuantileNonInferiority(margin, direction, alpha, difference, ruled_out)


def paired_quantile_relative_noninferiority(
    found: PairedQuantiles,
    margin: float,
    *,
    alpha: float = 0.025,
    direction: Literal["higher", "lower"] = "lower",
) -> RelativeNonInferiority:
    """The same against a margin that is a share of the champion's quantile; 0.1 for ten per cent slower."""
    check_margin(margin, alpha, direction)
    estimates = quantile_estimates(found)
    if isinstance(estimates, str):
        return RelativeNonInferiority(
            margin,
            direction,
            alpha,
            found.requests.n,
            found.champion.estimate,
            found.candidate.estimate,
            None,
            None,
            None,
            None,
            False,
            estimates,
        )
    return relative_noninferiority(estimates, margin, alpha=alpha, direction=direction)


_IDENTICAL = "the two models' quantiles move together over all users: no spread to test with"


def quantile_estimates(found: PairedQuantiles) -> PairedEstimates | str:
    """Both quantiles with their covariance, or why there are none, both models named at once."""
    champion, candidate = _with_error(found.champion, found), _with_error(found.candidate, found)
    reasons = [
        f"{model}: {estimate}"
        for model, estimate in (("champion", champion), ("candidate", candidate))
        if isinstance(estimate, str)
    ]
    if isinstance(champion, str) or isinstance(candidate, str):
        return "; ".join(reasons)
    below_champion, below_candidate, pairs = found.requests.means
    shares = found.requests.combine(
        [(1, 0, -below_champion / pairs), (0, 1, -below_candidate / pairs)], [0.0, 0.0]
    )
    correlation = shares.covariance(0, 1) / math.sqrt(shares.covariance(0, 0) * shares.covariance(1, 1))
    (a, a_error), (b, b_error) = champion, candidate
    covariance = correlation * a_error * b_error
    if found.resolution is not None:
        least = found.resolution / _look_up_critical(found)
        covariance = min(covariance, (a_error**2 + b_error**2 - least**2) / 2)
    return PairedEstimates(a, b, a_error**2, b_error**2, covariance, found.requests.n)


def _with_error(arm: QuantileArm, found: PairedQuantiles) -> tuple[float, float] | str:
    """A quantile and its standard error: half the distance of its bounds over the t they were taken at."""
    if arm.estimate is None or arm.lower is None or arm.upper is None:
        return arm.levels.not_computed or "no requests"
    half = (arm.upper - arm.lower) / 2
    if found.resolution is not None:
        half = max(half, found.resolution)
    if half == 0:
        return (
            f"the values at levels {arm.levels.lower} and {arm.levels.upper} are the same: too coarse for an "
            "interval; give their resolution"
        )
    return arm.estimate, half / _look_up_critical(found)


def _look_up_critical(found: PairedQuantiles) -> float:
    return two_sided_critical(1 - found.champion.levels.alpha, found.requests.n - 1)
