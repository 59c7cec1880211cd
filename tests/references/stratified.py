"""Stratified comparisons computed another way: one unit at a time in exact fractions, and the score's rates by bisection."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import sqrt

Units = Sequence[tuple[int, bool, Fraction]]
"""Stratum, whether it is a treated unit, and its value."""


def weighted_difference(
    units: Units, multiple: Fraction = Fraction(1)
) -> tuple[Fraction, Fraction, Fraction]:
    """Σ w (treated − multiple · control) / Σ w, its variance, and Σ w."""
    total = gap = spread = Fraction(0)
    for stratum in sorted({stratum for stratum, _, _ in units}):
        arms = [
            [value for here, treated, value in units if here == stratum and treated is arm]
            for arm in (False, True)
        ]
        means = [sum(arm, Fraction(0)) / len(arm) for arm in arms]
        variances = [
            sum(((value - mean) ** 2 for value in arm), Fraction(0)) / (len(arm) - 1) / len(arm)
            for arm, mean in zip(arms, means, strict=True)
        ]
        harmonic = Fraction(len(arms[0]) * len(arms[1]), len(arms[0]) + len(arms[1]))
        total += harmonic
        gap += harmonic * (means[1] - multiple * means[0])
        spread += harmonic**2 * (variances[1] + multiple**2 * variances[0])
    return gap / total, spread / total**2, total


def score_z(tables: Sequence[tuple[int, int, int, int]], delta: float, *, factor: bool) -> float:
    """The stratified score statistic of a common difference; tables are (x_c, n_c, x_t, n_t).

    The restricted rate of a stratum is where the likelihood's slope along p_t = p_c + delta is 0.
    """
    gap = variance = 0.0
    for x_c, n_c, x_t, n_t in tables:
        w = n_c * n_t / (n_c + n_t)
        rate = _restricted(x_c, n_c, x_t, n_t, delta)
        of_stratum = rate * (1 - rate) / n_c + (rate + delta) * (1 - rate - delta) / n_t
        gap += w * (x_t / n_t - x_c / n_c - delta)
        variance += w * w * of_stratum * ((n_c + n_t) / (n_c + n_t - 1) if factor else 1.0)
    return gap / sqrt(variance)


def _restricted(x_c: int, n_c: int, x_t: int, n_t: int, delta: float) -> float:
    low, high = max(0.0, -delta), min(1.0, 1.0 - delta)

    def slope(rate: float) -> float:
        other = rate + delta
        parts = (
            x_c / rate if x_c else 0.0,
            -(n_c - x_c) / (1 - rate) if n_c - x_c else 0.0,
            x_t / other if x_t else 0.0,
            -(n_t - x_t) / (1 - other) if n_t - x_t else 0.0,
        )
        return sum(parts)

    for _ in range(200):
        middle = (low + high) / 2
        if slope(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
