"""Two proportions compared within strata by the score test, with the interval that inverts it.

The differences (or gaps to a ratio) of the strata are averaged with the weights of ``analysis.stratified``; each stratum's
variance is taken at its own restricted rates under the value tested (Miettinen & Nurminen 1985, Statistics in Medicine 4, 213,
section 5, without their iterated weights and, for "score", without N/(N − 1)). At a difference of 0, with that factor, the
square of z is the Cochran–Mantel–Haenszel statistic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from scipy.optimize import brentq

from analysis import score
from analysis.effects import Effect
from analysis.inference import (
    Alternative,
    Interval,
    agree_with_test,
    check_alternative,
    check_level,
    critical_value,
    p_value,
)
from analysis.proportions import Proportion, ScoreMethod
from analysis.stratified import weight

HAIR = 1e-12
"""Bounds are looked for this far from the estimate and from ±1, where the variance may be 0."""
LARGEST_RATIO = 1e9


def compare_stratified_proportions(
    strata: Sequence[tuple[Proportion, Proportion]],
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    multiple: float | None = None,
    method: ScoreMethod = "score",
) -> Effect:
    """Stratified score test of a common difference, or of a common ratio, and the interval that inverts it.

    z(δ) = Σ w_s (p̂_ts − p̂_cs − δ) / √Σ w_s² Ṽ_s(δ), with Ṽ_s at stratum s's own restricted rates; for a ratio φ the gap is
    p̂_ts − φ p̂_cs. Normal; strata without a unit in one arm take no part.

    Args:
        strata: (control, treatment) of each stratum.
        null: difference tested, in (−1, 1); without ``multiple`` only.
        multiple: ratio tested instead, above 0; the effect is then the ratio of the averaged rates − 1.

    Raises:
        ValueError: for a level, alternative, null or multiple that is not allowed.
    """
    check_level(alpha)
    check_alternative(alternative)
    if multiple is None and not -1 < null < 1:
        raise ValueError(f"null: {null} is not allowed; give a difference between −1 and 1, for example 0.02")
    if multiple is not None and not 0 < multiple < math.inf:
        raise ValueError(f"multiple: {multiple} is not allowed; give a ratio above 0, for example 1.05")
    used = [(control, treatment) for control, treatment in strata if control.n and treatment.n]
    name = "score, stratified" if method == "score" else "Miettinen–Nurminen score, stratified"
    effect = Effect(
        name,
        alternative,
        alpha,
        null if multiple is None else multiple - 1,
        sum(control.n for control, _ in strata),
        sum(treatment.n for _, treatment in strata),
        None,
        None,
        scale="absolute" if multiple is None else "relative",
    )
    if not used:
        return replace(effect, not_computed="no stratum has units in both arms")
    test = _ScoreTest(used, relative=multiple is not None, factor=method == "miettinen-nurminen")
    control_rate, treatment_rate = test.rates
    effect = replace(effect, control_mean=control_rate, treatment_mean=treatment_rate)
    if multiple is not None and control_rate == 0:
        return replace(effect, not_computed="no successes in the control arm: no ratio to it")
    tested = null if multiple is None else multiple
    z, standard_error = test.statistic(tested)
    if not math.isfinite(z) or standard_error == 0:
        return replace(effect, not_computed="no variation in either arm")
    p = p_value(z, math.inf, alternative)
    shift = 0.0 if multiple is None else 1.0
    lower, upper = test.interval(alpha, alternative)
    return replace(
        effect,
        estimate=treatment_rate - control_rate if multiple is None else treatment_rate / control_rate - 1,
        ci=agree_with_test((lower - shift, upper - shift), effect.null, p, alpha),
        p_value=p,
        statistic=z,
        standard_error=standard_error,
    )


class _ScoreTest:
    """The stratified score statistic as a function of the value tested."""

    def __init__(
        self, strata: Sequence[tuple[Proportion, Proportion]], *, relative: bool, factor: bool
    ) -> None:
        self._x_c = [control.successes for control, _ in strata]
        self._n_c = [control.n for control, _ in strata]
        self._x_t = [treatment.successes for _, treatment in strata]
        self._n_t = [treatment.n for _, treatment in strata]
        self._weights = [weight(control.n, treatment.n) for control, treatment in strata]
        self._whole = math.fsum(self._weights)
        self._relative, self._factor = relative, factor

    @property
    def rates(self) -> tuple[float, float]:
        """The averaged rates, control first."""
        control = math.fsum(w * x / n for w, x, n in zip(self._weights, self._x_c, self._n_c, strict=True))
        treatment = math.fsum(w * x / n for w, x, n in zip(self._weights, self._x_t, self._n_t, strict=True))
        return control / self._whole, treatment / self._whole

    def statistic(self, tested: float) -> tuple[float, float]:
        """z and the standard error of the averaged gap under the value tested."""
        of_stratum = score.ratio_statistic if self._relative else score.difference_statistic
        _, errors = of_stratum(self._x_c, self._n_c, self._x_t, self._n_t, tested, factor=self._factor)
        gap = self._gap(tested)
        variance = math.fsum((w * float(se)) ** 2 for w, se in zip(self._weights, errors, strict=True))
        standard_error = math.sqrt(variance) / self._whole
        if standard_error == 0:
            return (0.0 if gap == 0 else math.copysign(math.inf, gap)), 0.0
        return gap / standard_error, standard_error

    def interval(self, alpha: float, alternative: Alternative) -> Interval:
        """All differences (or ratios) that are not rejected; the open side of a one-sided interval is infinite."""
        q = critical_value(alpha, math.inf, alternative)
        lowest = 0.0 if self._relative else -1.0
        lower = -math.inf if alternative == "less" else self._bound(q, -1)
        upper = math.inf if alternative == "greater" else self._bound(q, +1)
        return max(lower, lowest) if math.isfinite(lower) else lower, upper

    def _bound(self, q: float, side: int) -> float:
        """Where z falls to −q above the estimate, or rises to q below it."""
        control, treatment = self.rates

        def excess(tested: float) -> float:
            return side * self._gap(tested) + q * self.statistic(tested)[1]

        if self._relative:
            return self._ratio_bound(excess, side)
        observed = treatment - control
        if observed == side:
            return float(side)
        inside = min(max(observed + side * HAIR, HAIR - 1), 1 - HAIR)
        return _root(excess, inside, side * (1 - HAIR))

    def _ratio_bound(self, excess: Callable[[float], float], side: int) -> float:
        control, treatment = self.rates
        if side < 0:
            return 0.0 if treatment == 0 else _root(excess, treatment / control, treatment / control * 1e-12)
        start = treatment / control if treatment else HAIR
        far = max(1.0, start)
        while excess(far) > 0:
            far *= 4
            if far > LARGEST_RATIO:
                return math.inf
        return _root(excess, start, far)

    def _gap(self, tested: float) -> float:
        """The averaged difference from what is tested; each stratum's own first, so that none is lost to rounding."""
        multiple, shift = (tested, 0.0) if self._relative else (1.0, tested)
        counts = zip(self._weights, self._x_c, self._n_c, self._x_t, self._n_t, strict=True)
        return (
            math.fsum(w * (xt / nt - multiple * (xc / nc) - shift) for w, xc, nc, xt, nt in counts)
            / self._whole
        )


def _root(f: Callable[[float], float], inside: float, end: float) -> float:
    """Where f, above 0 inside, falls below 0 on the way to the end; the end where it does not."""
    if f(end) >= 0:
        return end
    return float(brentq(f, inside, end, xtol=1e-15, rtol=8.9e-16)) if f(inside) > 0 else inside
