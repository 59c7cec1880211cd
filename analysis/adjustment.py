"""Regression adjustment by pre-exposure covariates (CUPED), from co-moments alone.

Deng, Xu, Kohavi & Walker (2013, WSDM, section 3) with several covariates. θ comes from the centred co-moments
within the arms, added up over both: an effect on the outcome, or a chance difference of the covariates
between the arms, does not enter it. A ratio of sums, as outcome or as covariate, is adjusted in its linearised
form (Deng, Knoblich & Lu 2018, KDD, section 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.moments import CoMoments, Moments
from analysis.ratios import Ratio, linearise

LEAST_OWN_SHARE = 1e-8
"""Share of a covariate's variation that earlier covariates must leave for it to be used beside them."""

_LEAST_RELATIVE_VARIANCE = 1e-24  # (1e-12)²: below this, what varies is the rounding of doubles


@dataclass(frozen=True, slots=True)
class Coefficient:
    """What became of one covariate.

    Attributes:
        covariate: its name.
        value: θ, in units of the outcome per unit of the covariate; None if not used.
        not_used: why the covariate was left out, else None.
    """

    covariate: str
    value: float | None
    not_used: str | None = None


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Outcomes adjusted to the covariates' common mean, ready for `compare_means` or `compare_linearised`.

    The adjusted values are yᵢ − Σ θ·(xᵢ − x̄), x̄ over both arms. Their variance is taken as that of any
    other value; what the estimation of θ adds is of the order k/n and left out, so n should be large beside
    the k covariates.

    Attributes:
        control, treatment: moments of the adjusted values; None when not computed.
        coefficients: one per covariate, in the order given.
        variance_reduction: 1 − variance of the adjusted difference / variance of the unadjusted one; below 0
            only where a θ common to both arms does harm. None when not computed.
        not_computed: why there are no numbers, else None.
    """

    control: Moments | None
    treatment: Moments | None
    coefficients: tuple[Coefficient, ...]
    variance_reduction: float | None
    not_computed: str | None = None


def adjust_means(
    control: CoMoments, treatment: CoMoments, covariates: Sequence[str] | None = None
) -> Adjustment:
    """Adjusts the outcome (index 0) by the covariates (the other indices), each measured before exposure.

    A covariate that does not vary within the arms, or that the covariates before it determine, is left out
    and reported. With none left the adjusted values are the unadjusted ones.

    Args:
        control, treatment: co-moments over the arm's units, of the same variables in the same order.
        covariates: their names; by default "covariate 1" and so on.

    Raises:
        ValueError: without a covariate, or if the arms' variables or the names do not fit each other.
    """
    k = control.k - 1
    if k < 1 or treatment.k != control.k:
        raise ValueError(
            f"control, treatment: {control.k} and {treatment.k} variables; give the outcome and then the "
            "same covariates, one or more, in both"
        )
    names = tuple(covariates) if covariates is not None else tuple(f"covariate {i + 1}" for i in range(k))
    if len(names) != k:
        raise ValueError(f"covariates: {len(names)} names for {k} covariates; give one name for each")
    arms = (("control", control.n), ("treatment", treatment.n))
    few = [f"{arm} arm: fewer than 2 units (found {n})" for arm, n in arms if n < 2]
    if few:
        return Adjustment(None, None, tuple(Coefficient(name, None) for name in names), None, "; ".join(few))
    within = np.add(control.comoments, treatment.comoments)
    reasons = _reasons_not_used(within, _scale(control, treatment), names)
    used = [i for i in range(1, k + 1) if reasons[i - 1] is None]
    if control.n + treatment.n - 2 - len(used) < 1:
        reason = f"{control.n + treatment.n} units are too few for {len(used)} covariates"
        return Adjustment(None, None, tuple(Coefficient(name, None) for name in names), None, reason)
    theta = _theta(within, used)
    adjusted_control, adjusted_treatment = apply_adjustment(control, treatment, theta)
    before, after = (
        c.variance / c.n + t.variance / t.n
        for c, t in (
            (control.marginal(0), treatment.marginal(0)),
            (adjusted_control, adjusted_treatment),
        )
    )
    return Adjustment(
        adjusted_control,
        adjusted_treatment,
        tuple(
            Coefficient(name, None if reason else float(theta[i]), reason)
            for i, (name, reason) in enumerate(zip(names, reasons, strict=True))
        ),
        1 - after / before if before > 0 else 0.0,
    )


def adjust_ratios(
    control: CoMoments,
    treatment: CoMoments,
    outcome: Ratio | int,
    covariates: Sequence[Ratio | int],
    names: Sequence[str] | None = None,
) -> Adjustment:
    """`adjust_means` where the outcome, covariates or both are ratios of two sums.

    Each ratio stands as R + (yᵢ − R·dᵢ) / mean(d), with R and mean(d) of the unit's own arm, so the arms'
    adjusted means differ by (R_t − R_c) − Σ θ·(X_t − X_c), X an arm's mean or ratio of the covariate. A unit
    without history (0 of 0) stands at its arm's ratio and pulls neither way.

    A ratio covariate whose denominator never occurs in an arm is left out and reported.

    Args:
        control, treatment: co-moments over the arm's units, of the same variables in the same order.
        outcome, covariates: which variables they are: a pair for a ratio, one index for any other.
        names: of the covariates.

    Raises:
        ValueError: without a covariate, or if the arms' variables or the names do not fit each other.
    """
    names = tuple(names) if names is not None else tuple(f"covariate {i + 1}" for i in range(len(covariates)))
    if not covariates or len(names) != len(covariates):
        raise ValueError(
            f"names: {len(names)} for {len(covariates)} covariates; give one or more, each with one name"
        )
    if control.k != treatment.k:
        raise ValueError(
            f"control, treatment: {control.k} and {treatment.k} variables; give the same in both"
        )
    arms = (("control", control), ("treatment", treatment))
    absent = [
        f"{name} arm: " + (f"fewer than 2 units (found {arm.n})" if arm.n < 2 else _NO_DENOMINATOR)
        for name, arm in arms
        if arm.n < 2 or _has_no_denominator(arm, outcome)
    ]
    if absent:
        return Adjustment(
            None, None, tuple(Coefficient(name, None) for name in names), None, "; ".join(absent)
        )
    left_out: dict[int, str] = {}
    for i, covariate in enumerate(covariates):
        where = [name for name, arm in arms if _has_no_denominator(arm, covariate)]
        if where:
            left_out[i] = f"{_NO_DENOMINATOR} in {' and '.join(where)}"
    kept = [i for i in range(len(covariates)) if i not in left_out]
    variables = [outcome, *(covariates[i] for i in kept)]
    linearised = linearise(control, variables), linearise(treatment, variables)
    if not kept:
        unadjusted = [arm.marginal(0) for arm in linearised]
        found = Adjustment(unadjusted[0], unadjusted[1], (), 0.0)
    else:
        found = adjust_means(*linearised, [names[i] for i in kept])
    used = iter(found.coefficients)
    coefficients = tuple(
        Coefficient(name, None, left_out[i]) if i in left_out else next(used) for i, name in enumerate(names)
    )
    return replace(found, coefficients=coefficients)


def apply_adjustment(
    control: CoMoments, treatment: CoMoments, theta: Sequence[float] | NDArray[np.float64]
) -> tuple[Moments, Moments]:
    """Moments of the outcome less θ times each covariate's distance from its mean over both arms.

    Args:
        theta: one coefficient per covariate, 0 for one that is not used.
    """
    weights = [1.0, *(-float(value) for value in theta)]
    common = control.merge(treatment).means

    def adjusted(arm: CoMoments) -> Moments:
        shift = math.fsum(
            -weight * (mean - centre)
            for weight, mean, centre in zip(weights[1:], arm.means[1:], common[1:], strict=True)
        )
        return arm.combine([weights], [arm.means[0] - shift]).marginal(0)

    return adjusted(control), adjusted(treatment)


_NO_DENOMINATOR = "the denominator's mean is 0"


def _has_no_denominator(arm: CoMoments, variable: Ratio | int) -> bool:
    return isinstance(variable, Ratio) and arm.means[variable.denominator] == 0


def _scale(control: CoMoments, treatment: CoMoments) -> NDArray[np.float64]:
    """Σ n·mean² over the arms, per variable: what a sum of squares is small beside."""
    scale: NDArray[np.float64] = control.n * np.square(control.means) + treatment.n * np.square(
        treatment.means
    )
    return scale


def _reasons_not_used(
    within: NDArray[np.float64], scale: NDArray[np.float64], names: tuple[str, ...]
) -> list[str | None]:
    reasons: list[str | None] = []
    used: list[int] = []
    for j in range(1, len(names) + 1):
        own = within[j, j]
        if own <= _LEAST_RELATIVE_VARIANCE * scale[j]:
            reasons.append("does not vary within the arms")
            continue
        if used and _share_left(within, used, j) < LEAST_OWN_SHARE:
            reasons.append(f"determined by {', '.join(names[i - 1] for i in used)}")
            continue
        reasons.append(None)
        used.append(j)
    return reasons


def _share_left(within: NDArray[np.float64], used: list[int], j: int) -> float:
    """1 − R² of covariate j on those used."""
    R, r = _correlations(within, used, j)
    return float(1 - r @ np.linalg.solve(R, r))


def _theta(within: NDArray[np.float64], used: list[int]) -> NDArray[np.float64]:
    theta = np.zeros(len(within) - 1)
    if used and within[0, 0] > 0:
        R, r = _correlations(within, used, 0)
        spread = np.sqrt(np.diagonal(within))
        theta[np.array(used) - 1] = np.linalg.solve(R, r) * spread[0] / spread[used]
    return theta


def _correlations(
    within: NDArray[np.float64], used: list[int], j: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Within-arm correlations among the covariates used, and of each with variable j."""
    spread = np.sqrt(np.diagonal(within))
    R = within[np.ix_(used, used)] / np.outer(spread[used], spread[used])
    return R, within[used, j] / (spread[used] * spread[j])
