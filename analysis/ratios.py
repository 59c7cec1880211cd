"""Ratio metrics: Σ numerator / Σ denominator over an arm (clicks per view), by the delta method.

The variance is that of the randomisation unit's linearised ratio (Deng, Knoblich & Lu 2018, KDD, section 3;
the sandwich variance of a ratio estimator in Cochran 1977, section 6.3), so a unit with five hundred requests
counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.effects import (
    ArmEstimate,
    Effect,
    RelativeMethod,
    compare_estimates,
    compare_estimates_to_multiple,
)
from analysis.inference import Alternative
from analysis.moments import CoMoments, Moments

_NAME = "Welch t of the linearised ratio (delta method)"
_NAME_OF_MULTIPLE = f"{_NAME} of treatment − multiple · control; Fieller interval"


def compare_ratios(
    control: CoMoments,
    treatment: CoMoments,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    relative: RelativeMethod | None = "log-delta",
) -> Effect:
    """Difference of two ratios of sums, per randomisation unit.

    Args:
        control, treatment: co-moments over the arm's units of the numerator (index 0) and denominator (index
            1).
        alpha: level of the test, in (0, 1).
        null: difference tested, in the ratio's unit.
        relative: interval for treatment / control − 1 to show beside the difference, or None.
    """
    return compare_estimates(
        ratio_estimate(control),
        ratio_estimate(treatment),
        method=_NAME,
        alpha=alpha,
        alternative=alternative,
        null=null,
        relative=relative,
    )


def compare_ratios_to_multiple(
    control: CoMoments,
    treatment: CoMoments,
    multiple: float,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Effect:
    """Test of ratio_treatment = multiple · ratio_control; see `effects.compare_to_multiple`."""
    return compare_estimates_to_multiple(
        ratio_estimate(control),
        ratio_estimate(treatment),
        multiple,
        method=_NAME_OF_MULTIPLE,
        alpha=alpha,
        alternative=alternative,
    )


def compare_linearised(
    control: Moments,
    treatment: Moments,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    relative: RelativeMethod | None = "log-delta",
) -> Effect:
    """`compare_ratios` of ratios that are linearised already, as `analysis.adjustment.adjust_ratios` leaves them."""
    return compare_estimates(
        ArmEstimate.of_mean(control),
        ArmEstimate.of_mean(treatment),
        method=_NAME,
        alpha=alpha,
        alternative=alternative,
        null=null,
        relative=relative,
    )


def compare_linearised_to_multiple(
    control: Moments,
    treatment: Moments,
    multiple: float,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Effect:
    """`compare_ratios_to_multiple` of ratios that are linearised already."""
    return compare_estimates_to_multiple(
        ArmEstimate.of_mean(control),
        ArmEstimate.of_mean(treatment),
        multiple,
        method=_NAME_OF_MULTIPLE,
        alpha=alpha,
        alternative=alternative,
    )


def ratio_estimate(arm: CoMoments) -> ArmEstimate:
    """Ratio of the two means and the variance of this estimate, on n − 1 degrees of freedom."""
    if arm.n == 0:
        return ArmEstimate(0, None, None, 1.0, "fewer than 2 units (found 0)")
    if arm.means[1] == 0:
        return ArmEstimate(arm.n, None, None, 1.0, "the denominator's mean is 0")
    return ArmEstimate.of_mean(linearised_ratio(arm))


def linearised_ratio(arm: CoMoments, numerator: int = 0, denominator: int = 1) -> Moments:
    """Moments of the linearised ratio over the units: a mean of R, and the spread of (yᵢ − R·dᵢ) / mean(d).

    Raises:
        ValueError: where the denominator's mean is 0.
    """
    return linearise(arm, [Ratio(numerator, denominator)]).marginal(0)


def effective_units(arm: CoMoments, denominator: int = 1) -> float | None:
    """How many units of equal size would weigh on the ratio as these do: (Σd)² / Σd² = n / (1 + CV²).

    The delta method's variance needs this number to be large, not n (Kish 1965, Survey Sampling, section 8.2;
    Carter, Schnepel & Steigerwald 2017, Review of Economics and Statistics 99, 698): three hundred users of
    whom a few make most of the requests can count as thirty, and intervals at 95 % then cover 90 to 92 %. From
    about 100 in each arm they hold (tests/analysis/test_cluster_coverage.py).

    Returns:
        None for an arm without units, or whose denominator's mean is 0.
    """
    if arm.n == 0 or arm.means[denominator] == 0:
        return None
    return arm.n / (1 + arm.marginal(denominator).m2 / arm.n / arm.means[denominator] ** 2)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Which variables of a set of co-moments form a ratio."""

    numerator: int
    denominator: int


def linearise(arm: CoMoments, variables: Sequence[Ratio | int]) -> CoMoments:
    """Co-moments with ratios put in the place of their parts, for adjusting a ratio by covariates.

    Args:
        variables: what the new variables are: a `Ratio` is linearised, an index is a variable kept as it is.

    Raises:
        ValueError: where a denominator's mean is 0.
    """
    weights, means = [], []
    for variable in variables:
        row = [0.0] * arm.k
        if isinstance(variable, Ratio):
            denominator = arm.means[variable.denominator]
            if denominator == 0:
                raise ValueError(
                    f"denominator: variable {variable.denominator} has mean 0; a ratio needs another"
                )
            ratio = arm.means[variable.numerator] / denominator
            row[variable.numerator] += 1 / denominator
            row[variable.denominator] -= ratio / denominator
            means.append(ratio)
        else:
            row[variable] = 1.0
            means.append(arm.means[variable])
        weights.append(row)
    return arm.combine(weights, means)
