"""Two arms compared within strata, so that what differs between strata is not read as an effect.

In a rollout the shares grow from step to step while the base rate drifts; the pooled difference then mixes the two. Here
every stratum gives its own difference, and these are averaged with the weights

    w_s = n_t n_c / (n_t + n_c),

the information of a stratum when the units of all strata vary alike (Cochran 1954, Biometrics 10, p. 446; Mantel & Haenszel
1959, JNCI 22, 719). The weights are counts, so they know nothing of the outcome, and the information of the whole is their sum.

Means, linearised ratios and quantiles are averaged arm by arm with these common weights: two numbers with their variances
come out, and every test and interval of ``analysis.effects`` applies to them. Proportions keep the score test, with each
stratum's own restricted rates (Miettinen & Nurminen 1985, Statistics in Medicine 4, 213, section 5, without their iterated
weights and, for "score", without N/(N − 1)).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from scipy.optimize import brentq
from scipy.special import chdtrc

from analysis import score
from analysis.effects import ArmEstimate, Effect, compare_estimates, compare_estimates_to_multiple
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
from analysis.srm import StratifiedSRM, srm_test

HAIR = 1e-12
"""Bounds are looked for this far from the estimate and from ±1, where the variance may be 0."""
LARGEST_RATIO = 1e9


def weight(n_control: int, n_treatment: int) -> float:
    """What a stratum counts for: n_t n_c / (n_t + n_c), 0 where an arm has no unit."""
    return n_control * n_treatment / (n_control + n_treatment) if n_control and n_treatment else 0.0


@dataclass(frozen=True, slots=True)
class StratifiedArms:
    """Both arms over all strata with the common weights, ready for ``compare_estimates``.

    Attributes:
        control, treatment: Σ w_s m_s / Σ w_s with variance Σ w_s² V_s / (Σ w_s)² and Satterthwaite's degrees of freedom.
        weights: of every stratum given; 0 where it took no part.
        information: Σ w_s.
        left_out: by stratum why it took no part, None where it did.
        not_computed: why there is nothing to compare, else None.
    """

    control: ArmEstimate
    treatment: ArmEstimate
    weights: tuple[float, ...]
    information: float
    left_out: tuple[str | None, ...]
    not_computed: str | None = None


def stratified_arms(strata: Sequence[tuple[ArmEstimate, ArmEstimate]]) -> StratifiedArms:
    """Each arm averaged over the strata in which both arms have an estimate with a variance.

    Args:
        strata: (control, treatment) of each stratum.
    """
    left_out = tuple(_why_left_out(control, treatment) for control, treatment in strata)
    weights = tuple(
        0.0 if reason is not None else weight(control.n, treatment.n)
        for (control, treatment), reason in zip(strata, left_out, strict=True)
    )
    information = math.fsum(weights)
    if information == 0:
        reason = "; ".join(dict.fromkeys(why for why in left_out if why)) or "no stratum"
        empty = [sum(pair[arm].n for pair in strata) for arm in (0, 1)]
        control, treatment = (ArmEstimate(n, None, None, math.inf, reason) for n in empty)
        return StratifiedArms(control, treatment, weights, 0.0, left_out, reason)
    control = _averaged([pair[0] for pair in strata], weights, information)
    treatment = _averaged([pair[1] for pair in strata], weights, information)
    return StratifiedArms(control, treatment, weights, information, left_out)


def compare_stratified(
    strata: Sequence[tuple[ArmEstimate, ArmEstimate]],
    *,
    method: str,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    multiple: float | None = None,
) -> Effect:
    """Test and interval of the stratified difference, or of treatment = multiple · control in every stratum.

    Args:
        method: name of the test of one stratum, for example "Welch t".
        null: difference tested, in the metric's own unit; without ``multiple`` only.
        multiple: 1 ± a relative margin; the effect is then treatment / control − 1.

    Raises:
        ValueError: for a level, alternative, null or multiple that is not allowed.
    """
    arms = stratified_arms(strata)
    name = f"{method}, stratified"
    if multiple is not None:
        found = compare_estimates_to_multiple(
            arms.control, arms.treatment, multiple, method=name, alpha=alpha, alternative=alternative
        )
    else:
        found = compare_estimates(
            arms.control, arms.treatment, method=name, alpha=alpha, alternative=alternative, null=null
        )
    return found if arms.not_computed is None else replace(found, not_computed=arms.not_computed)


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


def shares_by_stratum(strata: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> StratifiedSRM:
    """Chi-squared of every stratum against its own planned shares, added up with its degrees of freedom.

    As ``analysis.srm.stratified_srm``, for shares that differ from stratum to stratum, as those of a rollout do. A stratum with
    an expected count below 5 is left out and named: it cannot be pooled with strata of other shares.

    Args:
        strata: by name the counts and the planned shares or weights, in the same order of arms.

    Raises:
        ValueError: as for ``analysis.srm.srm_test``.
    """
    tested: list[str] = []
    left_out: list[str] = []
    statistics: list[float] = []
    df = 0
    for name, (observed, planned) in strata.items():
        found = srm_test(observed, planned)
        if found.statistic is None or found.df is None:
            left_out.append(name)
            continue
        tested.append(name)
        statistics.append(found.statistic)
        df += found.df
    if not statistics:
        reason = "no stratum has an expected count of 5 or more in each arm"
        return StratifiedSRM(None, None, None, (), (), tuple(left_out), reason)
    statistic = math.fsum(statistics)
    return StratifiedSRM(statistic, df, float(chdtrc(df, statistic)), tuple(tested), (), tuple(left_out))


def units_still_needed(
    gap: float, standard_error: float, information: float, critical: float
) -> float | None:
    """Further units per arm, in equal slices, until the estimate as it stands lies ``critical`` standard errors inside a margin.

    The variance of an average of units goes with 1 / Σ w, so that the information wanted is information · (critical ·
    standard_error / gap)²; every further unit in each arm adds ½ to it.

    Args:
        gap: distance from the estimate to the margin, above 0 inside it; on the scale of ``standard_error``.
        information: Σ w_s so far.

    Returns:
        0 or more; None where the estimate is not inside the margin: more of the same would not settle it.

    Raises:
        ValueError: for values that are not allowed, all of them.
    """
    given = {"standard_error": standard_error, "information": information, "critical": critical}
    bad = [
        f"{name}: {value} is not allowed; give a number above 0"
        for name, value in given.items()
        if not 0 < value < math.inf
    ]
    if bad:
        raise ValueError("; ".join(bad))
    if not gap > 0:
        return None
    return max(0.0, 2 * information * ((critical * standard_error / gap) ** 2 - 1))


def _root(f: Callable[[float], float], inside: float, end: float) -> float:
    """Where f, above 0 inside, falls below 0 on the way to the end; the end where it does not."""
    if f(end) >= 0:
        return end
    return float(brentq(f, inside, end, xtol=1e-15, rtol=8.9e-16)) if f(inside) > 0 else inside


def _why_left_out(control: ArmEstimate, treatment: ArmEstimate) -> str | None:
    reasons = [
        f"{name} arm: {one.not_computed or 'no estimate'}"
        for name, one in (("control", control), ("treatment", treatment))
        if one.value is None or one.variance is None
    ]
    return "; ".join(reasons) or None


def _averaged(arms: Sequence[ArmEstimate], weights: Sequence[float], whole: float) -> ArmEstimate:
    used = [(arm, w) for arm, w in zip(arms, weights, strict=True) if w > 0]
    shares = [(w / whole) ** 2 * (arm.variance or 0.0) for arm, w in used]
    variance = math.fsum(shares)
    spread = math.fsum(share * share / arm.df for share, (arm, _) in zip(shares, used, strict=True))
    value = math.fsum(w / whole * (arm.value or 0.0) for arm, w in used)
    df = variance * variance / spread if spread > 0 else math.inf
    return ArmEstimate(sum(arm.n for arm, _ in used), value, variance, df)
