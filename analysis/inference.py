"""From a statistic and its reference distribution to a p-value, an interval and a standard normal deviate.

The reference distribution is Student's t with `df` degrees of freedom; `df = math.inf` is the standard
normal. Tails are taken directly, never as one minus the other side, so that p = 1e-20 is 1e-20.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from scipy.special import ndtri, stdtr, stdtrit

Alternative = Literal["two-sided", "greater", "less"]
"""Which way the treatment must differ from the null value: either way, above it, or below it."""

Interval = tuple[float, float]
"""Lower and upper bound, both belonging to the interval; a one-sided interval has an infinite side."""


def p_value(statistic: float, df: float, alternative: Alternative) -> float:
    """Probability, under the null, of a statistic at least as far out as this one."""
    if alternative == "two-sided":
        return min(1.0, 2.0 * float(stdtr(df, -abs(statistic))))
    return float(stdtr(df, -statistic if alternative == "greater" else statistic))


def critical_value(alpha: float, df: float, alternative: Alternative) -> float:
    """The positive value that the statistic must pass: at α/2 when two-sided, else at α."""
    return -float(stdtrit(df, alpha / 2 if alternative == "two-sided" else alpha))


def normal_deviate(statistic: float, df: float) -> float:
    """The standard normal value with the same one-sided p as this t, sign kept: z = Φ⁻¹(1 − p).

    Where the tail of t is too small for a double (beyond some 37 standard deviations), Wallace's (1959,
    Annals of Mathematical Statistics 30, 1124) approximation, there good to a few parts in 10⁴.
    """
    if math.isinf(df):
        return statistic
    tail = float(stdtr(df, -abs(statistic)))
    if tail > 1e-300:
        return math.copysign(-float(ndtri(tail)), statistic)
    z = (8 * df + 1) / (8 * df + 3) * math.sqrt(df * math.log1p(statistic * statistic / df))
    return math.copysign(z, statistic)


def interval_around(
    estimate: float, standard_error: float, df: float, alpha: float, alternative: Alternative
) -> Interval:
    """All values that the test of (estimate − value) / standard error does not reject at level α."""
    reach = critical_value(alpha, df, alternative) * standard_error
    lower = -math.inf if alternative == "less" else estimate - reach
    upper = math.inf if alternative == "greater" else estimate + reach
    return lower, upper


def agree_with_test(interval: Interval, null: float, p: float, alpha: float) -> Interval:
    """The same interval, its bound moved by rounding error where it contradicts p at the null value.

    Test and interval are one procedure computed along two ways, so they can differ only in the last digits
    when p lies within them of α. The p-value decides: p < α exactly when the null value is outside.
    """
    lower, upper = interval
    outside = null < lower or null > upper
    if outside == (p < alpha):
        return interval
    if outside:
        return min(lower, null), max(upper, null)
    if null - lower <= upper - null:
        return math.nextafter(null, math.inf), upper
    return lower, math.nextafter(null, -math.inf)


def check_level(alpha: float) -> None:
    """Raises ValueError unless 0 < α < 1."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha: {alpha} is not allowed; give a level between 0 and 1, for example 0.05")


def check_alternative(alternative: str) -> None:
    """Raises ValueError unless the alternative is one of `Alternative`."""
    allowed = get_args(Alternative)
    if alternative not in allowed:
        raise ValueError(f"alternative: {alternative!r} is not allowed; give one of {', '.join(allowed)}")
