"""Two arms compared within strata, so that what differs between strata is not read as an effect.

In a rollout the shares grow from step to step while the base rate drifts; the pooled difference then mixes the two. Here
every stratum gives its own difference, and these are averaged with the weights

    w_s = n_t n_c / (n_t + n_c),

the information of a stratum when the units of all strata vary alike (Cochran 1954, Biometrics 10, p. 446; Mantel & Haenszel
1959, JNCI 22, 719). The weights are counts, so they know nothing of the outcome, and the information of the whole is their sum.

Means, linearised ratios and quantiles are averaged arm by arm with these common weights: two numbers with their variances
come out, and every test and interval of ``analysis.effects`` applies to them. Proportions keep the score test
(``analysis.stratified_proportions``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from scipy.special import chdtrc

from analysis.effects import ArmEstimate, Effect, compare_estimates, compare_estimates_to_multiple
from analysis.inference import (
    Alternative,
)
from analysis.srm import StratifiedSRM, srm_test


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
