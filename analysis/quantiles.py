"""Differences of quantiles between arms (p95 latency) where a unit has many requests.

Requests of one user resemble each other, so the spread of "share of requests at or below v" is taken over
users, by the delta method, and carried to the quantile by looking up the order statistics at the outer levels
of that share (Deng, Knoblich & Lu 2018, KDD, section 4; Liu, Sun, Varshney & Xu 2019, "Large Scale Online
Experimentation with Quantile Metrics").

Three passes over the log give all that is needed:

1. per arm, the quantile of its requests at level q: the smallest value v with at least a share q at or below
it; 2. per user, the requests at or below v and all requests; over users their `CoMoments`, into
`outer_levels`; 3. per arm, the quantiles at the two outer levels, by the same definition as in 1, into
`QuantileArm`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.effects import (
    ArmEstimate,
    Effect,
    RelativeMethod,
    compare_estimates,
    compare_estimates_to_multiple,
)
from analysis.inference import Alternative, check_level, critical_value
from analysis.moments import CoMoments
from analysis.ratios import linearised_ratio

_NAME = "t of the difference of quantiles (outer order statistics, clustered by unit)"


@dataclass(frozen=True, slots=True)
class OuterLevels:
    """Levels at which an arm's quantiles bound its q-quantile at level 1 − α.

    Attributes:
        q: level of the quantile wanted, in (0, 1).
        lower, upper: levels to look up, inside (0, 1); None when not computed.
        alpha: two-sided error of the bounds.
        units: randomised units in the arm.
        not_computed: why there are no levels, else None.
    """

    q: float
    lower: float | None
    upper: float | None
    alpha: float
    units: int
    not_computed: str | None = None


@dataclass(frozen=True, slots=True)
class QuantileArm:
    """An arm's quantile with the order statistics found at its outer levels.

    Attributes:
        levels: the outer levels that were looked up.
        estimate: the quantile at level q; None without requests.
        lower, upper: the quantiles at `levels.lower` and `levels.upper`; None when these were not computed.

    Raises:
        ValueError: if the three are not in order, or a bound is given without its level or missing with it.
    """

    levels: OuterLevels
    estimate: float | None
    lower: float | None
    upper: float | None

    def __post_init__(self) -> None:
        looked_up = self.levels.not_computed is None
        values = (self.lower, self.estimate, self.upper)
        if looked_up and None in values:
            raise ValueError(f"lower, estimate, upper: {values} not allowed; look up all three levels")
        if not looked_up and not (self.lower is None and self.upper is None):
            raise ValueError("lower, upper: there are no outer levels to look up; give None")
        if looked_up and list(values) != sorted(v for v in values if v is not None):
            raise ValueError(
                f"lower, estimate, upper: {values} not allowed; quantiles rise with their levels"
            )


def outer_levels(requests: CoMoments, q: float, *, alpha: float = 0.05) -> OuterLevels:
    """Levels q ± t·s, s the standard error over units of the share of requests at or below the estimate.

    Args:
        requests: co-moments over the arm's units of the requests at or below the estimated quantile (index 0)
            and of all its requests (index 1).
        q: level of the quantile, in (0, 1).
        alpha: two-sided error of the bounds; the standard error made from them hardly depends on it.

    Raises:
        ValueError: for a level not in (0, 1), or where more requests are at or below than there are.
    """
    check_level(alpha)
    if not 0 < q < 1:
        raise ValueError(f"q: {q} is not allowed; give a level between 0 and 1, for example 0.95")
    at_or_below, everything = requests.means
    if at_or_below > everything:
        raise ValueError(f"requests: means {requests.means}; give those at or below first, then all")
    n = requests.n
    if n < 2:
        return OuterLevels(q, None, None, alpha, n, f"fewer than 2 units (found {n})")
    if everything == 0:
        return OuterLevels(q, None, None, alpha, n, "no requests")
    standard_error = math.sqrt(linearised_ratio(requests).variance / n)
    reach = critical_value(alpha, n - 1, "two-sided") * standard_error
    if standard_error == 0:
        reason = "every unit has the same share of requests at or below the quantile"
        return OuterLevels(q, None, None, alpha, n, reason)
    if not (q - reach > 0 and q + reach < 1):
        reason = (
            f"too few units for the {q} quantile: its outer levels are {q - reach:.4f} and {q + reach:.4f}"
        )
        return OuterLevels(q, None, None, alpha, n, reason)
    return OuterLevels(q, q - reach, q + reach, alpha, n)


def compare_quantiles(
    control: QuantileArm,
    treatment: QuantileArm,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    relative: RelativeMethod | None = "log-delta",
) -> Effect:
    """Difference of the two arms' quantiles, in the metric's unit.

    Each arm's standard error is half the distance of its bounds over the t they were taken at; the rest is as
    for means, on units − 1 degrees of freedom each.

    Raises:
        ValueError: for two different levels q, or a level, alternative or null that is not allowed.
    """
    _same_level(control, treatment)
    return compare_estimates(
        quantile_estimate(control),
        quantile_estimate(treatment),
        method=_NAME,
        alpha=alpha,
        alternative=alternative,
        null=null,
        relative=relative,
    )


def compare_quantiles_to_multiple(
    control: QuantileArm,
    treatment: QuantileArm,
    multiple: float,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Effect:
    """Test of quantile_treatment = multiple · quantile_control; see `effects.compare_to_multiple`."""
    _same_level(control, treatment)
    return compare_estimates_to_multiple(
        quantile_estimate(control),
        quantile_estimate(treatment),
        multiple,
        method=f"{_NAME}, treatment − multiple · control; Fieller interval",
        alpha=alpha,
        alternative=alternative,
    )


def quantile_estimate(arm: QuantileArm) -> ArmEstimate:
    """The quantile with the variance that its outer order statistics imply."""
    levels = arm.levels
    if arm.estimate is None or arm.lower is None or arm.upper is None:
        return ArmEstimate(levels.units, arm.estimate, None, 1.0, levels.not_computed or "no requests")
    width = arm.upper - arm.lower
    if width == 0:
        reason = (
            f"the values at levels {levels.lower} and {levels.upper} are the same: too coarse for an interval"
        )
        return ArmEstimate(levels.units, arm.estimate, None, 1.0, reason)
    df = levels.units - 1
    standard_error = width / 2 / critical_value(levels.alpha, df, "two-sided")
    return ArmEstimate(levels.units, arm.estimate, standard_error**2, df)


def _same_level(control: QuantileArm, treatment: QuantileArm) -> None:
    if control.levels.q != treatment.levels.q:
        raise ValueError(
            f"q: {control.levels.q} in control, {treatment.levels.q} in treatment; give the same in both"
        )
