"""Several treatments against one control (Dunnett 1955, J. Am. Stat. Assoc. 50, 1096).

The comparisons share the control, so their statistics correlate λᵢ·λⱼ with λᵢ = √(nᵢ / (n₀ + nᵢ)). Given the
control's own deviation they are independent, and the probability that none passes c is one integral over it;
with an estimated variance there is a second one, over the estimate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, stdtrit
from scipy.stats import chi

from analysis.inference import Alternative, check_alternative, check_level
from analysis.multiplicity import Adjusted, Family

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(300)


def adjust_dunnett(
    p_values: Mapping[str, float | None],
    n_control: int,
    n_treatments: Mapping[str, int],
    *,
    alternative: Alternative = "two-sided",
    alpha: float = 0.05,
    df: float = math.inf,
) -> Family:
    """Single-step Dunnett adjustment of the p-values of each treatment against control.

    The adjusted p-value is the probability that the largest of all the statistics passes this one. It is
    below α exactly when the unadjusted p is below `dunnett_level`, and the interval at that level excludes
    the null value.

    Args:
        p_values: of each treatment against control, by name, all with this alternative; None if not computed.
            Such a member still counts in the family.
        n_control, n_treatments: units in the control arm and in each treatment arm, by the same names.
        df: of the variance common to all arms; by default it is taken as known, as with many units.

    Raises:
        ValueError: for names that differ, a p-value outside [0, 1], an arm without units, or a bad level.
    """
    _check(alpha, alternative, n_control, n_treatments)
    if set(p_values) != set(n_treatments):
        raise ValueError(
            f"n_treatments: {sorted(n_treatments)} are not the names {sorted(p_values)}; give the "
            "units of each treatment compared"
        )
    wrong = {name: p for name, p in p_values.items() if p is not None and not 0 <= p <= 1}
    if wrong:
        raise ValueError(f"p_values: {wrong} not allowed; give probabilities from 0 to 1, or None")
    loadings = _loadings(n_control, tuple(n_treatments.values()))
    members = {}
    for name, p in p_values.items():
        if p is None:
            members[name] = Adjusted(None, None, False)
            continue
        adjusted = max(p, _family_wise_error(p, loadings, df, alternative))
        members[name] = Adjusted(p, adjusted, adjusted < alpha)
    return Family("dunnett", alpha, members, tuple(name for name, p in p_values.items() if p is None))


def dunnett_level(
    n_control: int,
    n_treatments: Sequence[int],
    *,
    alternative: Alternative = "two-sided",
    alpha: float = 0.05,
    df: float = math.inf,
) -> float:
    """Level at which each treatment is compared with control so that the family's error is α.

    Raises:
        ValueError: for an arm without units, no treatment, or a level or alternative that is not allowed.
    """
    _check(alpha, alternative, n_control, {str(i): n for i, n in enumerate(n_treatments)})
    loadings = _loadings(n_control, tuple(n_treatments))
    if len(loadings) == 1:
        return alpha

    def excess(log_level: float) -> float:
        return _family_wise_error(math.exp(log_level), loadings, df, alternative) - alpha

    lowest = math.log(alpha / len(loadings)) - 1e-6  # Bonferroni
    return math.exp(float(brentq(excess, lowest, math.log(alpha), xtol=1e-14, rtol=1e-14)))


def _family_wise_error(
    level: float, loadings: NDArray[np.float64], df: float, alternative: Alternative
) -> float:
    """Probability, all nulls true, that some comparison has an unadjusted p below `level`."""
    if level <= 0 or level >= 1 or len(loadings) == 1:
        return level
    critical = -float(stdtrit(df, level / 2 if alternative == "two-sided" else level))
    z, weight = _normal_nodes()
    if math.isinf(df):
        return float(weight @ _some_pass(critical, z, loadings, alternative))
    scales, scale_weights = _scale_nodes(df)
    return float(
        sum(
            w * (weight @ _some_pass(critical * scale, z, loadings, alternative))
            for scale, w in zip(scales, scale_weights, strict=True)
        )
    )


def _some_pass(
    critical: float, z: NDArray[np.float64], loadings: NDArray[np.float64], alternative: Alternative
) -> NDArray[np.float64]:
    """Given the control's deviate z, the probability that some comparison passes the critical value."""
    own = np.sqrt(1 - loadings**2)[:, None]
    common = loadings[:, None] * z
    passes = ndtr((common - critical) / own)
    if alternative == "two-sided":
        passes = passes + ndtr((-common - critical) / own)
    # 1 − Π(1 − passes), without losing small probabilities.
    with np.errstate(divide="ignore"):
        some: NDArray[np.float64] = -np.expm1(np.sum(np.log1p(-np.minimum(passes, 1.0)), axis=0))
    return some


def _normal_nodes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    z = 10.0 * _NODES
    return z, 10.0 * _WEIGHTS * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _scale_nodes(df: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes for s = √(χ²/df), over all but 1e-14 of its distribution."""
    scale = 1 / math.sqrt(df)
    lowest, highest = chi.ppf(1e-15, df) * scale, chi.isf(1e-15, df) * scale
    nodes, weights = np.polynomial.legendre.leggauss(80)
    s = (highest + lowest) / 2 + (highest - lowest) / 2 * nodes
    return s, (highest - lowest) / 2 * weights * chi.pdf(s / scale, df) / scale


def _loadings(n_control: int, n_treatments: tuple[int, ...]) -> NDArray[np.float64]:
    n = np.asarray(n_treatments, dtype=float)
    loadings: NDArray[np.float64] = np.sqrt(n / (n_control + n))
    return loadings


def _check(alpha: float, alternative: str, n_control: int, n_treatments: Mapping[str, int]) -> None:
    check_level(alpha)
    check_alternative(alternative)
    if not n_treatments:
        raise ValueError("n_treatments: no treatment; give one or more to compare with control")
    if n_control < 1 or min(n_treatments.values()) < 1:
        raise ValueError(
            f"n_control, n_treatments: {n_control}, {dict(n_treatments)} not allowed; every arm needs units"
        )
