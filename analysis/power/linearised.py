"""Sample size for ratio metrics and quantiles, from the asymptotic variance of one unit."""

import math
from collections.abc import Sequence

from analysis.power.means import MeansComparison, per_arm
from analysis.power.plan import Direction, Multiplicity, PowerPlan, error_rates, refuse
from analysis.power.sample_size import SampleSize, sample_size


def sample_size_ratio(
    variance: float | Sequence[float],
    effect: float = 0.0,
    *,
    alpha: float | None = None,
    power: float = 0.8,
    sides: int | None = None,
    allocation: Sequence[float] = (1, 1),
    comparisons: int | None = None,
    multiplicity: Multiplicity = "bonferroni",
    variance_reduction: float = 0.0,
    design_effect: float = 1.0,
    inflation: float = 1.0,
    margin: float | None = None,
    direction: Direction = "higher",
    relative: bool = False,
    ratio: float | None = None,
) -> SampleSize:
    """Units per arm for a ratio of sums (clicks per view), linearised per randomisation unit.

    Args:
        variance: delta-method variance of one randomisation unit, see :func:`ratio_variance`; one number,
            or one per arm with control first.
        effect: difference of the ratios, treatment − control.
        ratio: control ratio, needed by a relative margin.

    The other arguments are those of :func:`sample_size_means`.
    """
    alpha, sides = error_rates(alpha, sides, margin)
    plan = PowerPlan(
        alpha,
        power,
        sides,
        tuple(allocation),
        comparisons,
        multiplicity,
        variance_reduction,
        design_effect,
        inflation,
    )
    sds = _roots(variance, len(plan.allocation))
    return sample_size(
        [
            MeansComparison(sds[0], s, effect, margin, direction, relative, ratio, "normal", "ratio")
            for s in sds[1:]
        ],
        plan,
    )


def sample_size_quantile(
    variance: float | Sequence[float],
    effect: float = 0.0,
    *,
    alpha: float | None = None,
    power: float = 0.8,
    sides: int | None = None,
    allocation: Sequence[float] = (1, 1),
    comparisons: int | None = None,
    multiplicity: Multiplicity = "bonferroni",
    design_effect: float = 1.0,
    inflation: float = 1.0,
    margin: float | None = None,
    direction: Direction = "lower",
    relative: bool = False,
    quantile: float | None = None,
) -> SampleSize:
    """Users per arm for a difference of quantiles (p95 latency), from the asymptotic variance per user.

    Args:
        variance: number of users times the variance of the estimated quantile: q(1 − q) / f(x_q)² for
            independent values, the cluster-aware figure where a user has several. One number, or one per
            arm with control first.
        effect: difference of the quantiles, treatment − control.
        quantile: value of the quantile in control, needed by a relative margin.

    The other arguments are those of :func:`sample_size_means`; a quantile has no covariate adjustment.
    """
    alpha, sides = error_rates(alpha, sides, margin)
    plan = PowerPlan(
        alpha, power, sides, tuple(allocation), comparisons, multiplicity, 0.0, design_effect, inflation
    )
    sds = _roots(variance, len(plan.allocation))
    return sample_size(
        [
            MeansComparison(sds[0], s, effect, margin, direction, relative, quantile, "normal", "quantile")
            for s in sds[1:]
        ],
        plan,
    )


def ratio_variance(
    numerator_mean: float,
    denominator_mean: float,
    numerator_variance: float,
    denominator_variance: float,
    covariance: float,
) -> float:
    """Delta-method variance of one unit of a ratio metric: var(x − R·y) / ȳ² with R = x̄ / ȳ.

    Deng, Knoblich & Lu (2018), KDD, section 3.1. Divide by the number of units for the variance of the ratio.
    """
    problems = []
    if not (denominator_mean > 0 and math.isfinite(denominator_mean)):
        problems.append(
            f"denominator_mean: {denominator_mean} is not allowed; give the positive mean per unit"
        )
    if numerator_variance < 0 or denominator_variance < 0:
        problems.append("numerator_variance, denominator_variance: a variance is not negative")
    elif covariance**2 > numerator_variance * denominator_variance * (1 + 1e-9):
        problems.append(f"covariance: {covariance} is not allowed; it exceeds the product of the deviations")
    refuse(problems)
    r = numerator_mean / denominator_mean
    return (numerator_variance - 2 * r * covariance + r**2 * denominator_variance) / denominator_mean**2


def _roots(variance: float | Sequence[float], arms: int) -> tuple[float, ...]:
    variances = per_arm("variance", variance, arms)
    if not all(v > 0 and math.isfinite(v) for v in variances):
        raise ValueError(f"variance: {variance} is not allowed; give the positive variance of one unit")
    return tuple(math.sqrt(v) for v in variances)
