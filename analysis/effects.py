"""The effect of a treatment against a control: one test, and the interval that is this test's own inversion.

Effect = treatment − control in the metric's own unit, or treatment / control − 1 where the test is of a
multiple of the control. Everything here needs only each arm's estimate, its variance and that variance's
degrees of freedom, so means, linearised ratios and quantiles all come through the same door.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from analysis.contrasts import Contrast, fieller_interval, log_ratio_interval
from analysis.inference import (
    Alternative,
    Interval,
    agree_with_test,
    check_alternative,
    check_level,
    interval_around,
    normal_deviate,
    p_value,
)
from analysis.moments import Moments

RelativeMethod = Literal["log-delta", "fieller"]
"""How the interval of a relative effect is made: delta method on the log ratio, or Fieller's theorem."""


@dataclass(frozen=True, slots=True)
class RelativeEffect:
    """Treatment / control − 1, shown beside an absolute effect; it decides nothing.

    Attributes:
        estimate: 0.03 is an increase of 3 %. None when not computed.
        ci: interval at the level of the effect it stands beside, with that effect's open side.
        method: how the interval was made.
        not_computed: why there are no numbers, else None.
    """

    estimate: float | None
    ci: Interval | None
    method: str
    not_computed: str | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """A comparison of two arms. The interval excludes `null` exactly when p < α.

    Attributes:
        estimate: treatment − control, or treatment / control − 1 on the relative scale.
        ci: lower and upper bound at `level`; one side is infinite for a one-sided alternative.
        alpha: level of the test, two-sided or one-sided as `alternative` says.
        p_value: of the null value against the alternative.
        statistic: on the t distribution with `df` degrees of freedom, on the normal when `df` is None.
        standard_error: of the contrast tested, in the metric's own unit, as it enters the statistic.
        null: the value tested, on the scale of `estimate`.
        method: the test, and where it needs saying the interval, by their names.
        control_mean, treatment_mean: each arm's own estimate; None only if the arm has none.
        relative: the relative effect beside an absolute one, where it was asked for.
        scale: "absolute" (difference) or "relative" (ratio − 1).
        not_computed: why the numbers above are None, else None.
    """

    method: str
    alternative: Alternative
    alpha: float
    null: float
    n_control: int
    n_treatment: int
    control_mean: float | None
    treatment_mean: float | None
    estimate: float | None = None
    ci: Interval | None = None
    p_value: float | None = None
    statistic: float | None = None
    df: float | None = None
    standard_error: float | None = None
    relative: RelativeEffect | None = None
    scale: Literal["absolute", "relative"] = "absolute"
    not_computed: str | None = None

    @property
    def level(self) -> float:
        """Confidence level of `ci`, 1 − α."""
        return 1 - self.alpha

    @property
    def z(self) -> float | None:
        """The statistic on the normal scale, by its one-sided p, sign kept: for sequential boundaries."""
        if self.statistic is None:
            return None
        return normal_deviate(self.statistic, math.inf if self.df is None else self.df)

    @property
    def rejects_null(self) -> bool | None:
        """Whether p < α; None when there is no p."""
        return None if self.p_value is None else self.p_value < self.alpha


@dataclass(frozen=True, slots=True)
class ArmEstimate:
    """What one arm says about a quantity.

    Attributes:
        n: number of randomised units in the arm.
        value: the estimate, None if the arm has none.
        variance: of the estimate (not of the units), above or equal to 0.
        df: degrees of freedom of that variance, `math.inf` where it is taken as known.
        not_computed: why value or variance is missing, else None.
    """

    n: int
    value: float | None
    variance: float | None
    df: float
    not_computed: str | None = None

    @classmethod
    def of_mean(cls, moments: Moments) -> ArmEstimate:
        """The mean of the units, with variance s²/n on n − 1 degrees of freedom."""
        if moments.n < 2:
            value = moments.mean if moments.n else None
            return cls(moments.n, value, None, math.inf, f"fewer than 2 units (found {moments.n})")
        return cls(moments.n, moments.mean, moments.variance / moments.n, moments.n - 1)


def compare_means(
    control: Moments,
    treatment: Moments,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    relative: RelativeMethod | None = "log-delta",
) -> Effect:
    """Welch's t test of the difference of two means, with its interval (Welch 1947, Biometrika 34, 28).

    Args:
        control, treatment: moments of the units of each arm.
        alpha: level of the test, in (0, 1).
        null: difference tested, in the metric's own unit.
        relative: interval for treatment / control − 1 to show beside the difference, or None.

    Raises:
        ValueError: for a level, alternative, null or relative method that is not allowed.
    """
    return compare_estimates(
        ArmEstimate.of_mean(control),
        ArmEstimate.of_mean(treatment),
        method="Welch t",
        alpha=alpha,
        alternative=alternative,
        null=null,
        relative=relative,
    )


def compare_to_multiple(
    control: Moments,
    treatment: Moments,
    multiple: float,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Effect:
    """Test of μ_treatment = multiple · μ_control for means, with the interval for the ratio.

    A relative margin of 5 % where higher is better is ``multiple=0.95, alternative="greater"``. See
    `compare_estimates_to_multiple`.
    """
    return compare_estimates_to_multiple(
        ArmEstimate.of_mean(control),
        ArmEstimate.of_mean(treatment),
        multiple,
        method="Welch t of treatment − multiple · control; Fieller interval",
        alpha=alpha,
        alternative=alternative,
    )


def compare_estimates(
    control: ArmEstimate,
    treatment: ArmEstimate,
    *,
    method: str,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    relative: RelativeMethod | None = None,
) -> Effect:
    """Test and interval for the difference of two independent estimates.

    statistic = (treatment − control − null) / √(V_t + V_c), df = (V_t + V_c)² / (V_t²/df_t + V_c²/df_c)
    (Satterthwaite 1946).
    """
    _check(alpha, alternative, null)
    if relative is not None and relative not in get_args(RelativeMethod):
        raise ValueError(f"relative: {relative!r} is not allowed; give log-delta, fieller or None")
    effect = Effect(method, alternative, alpha, null, control.n, treatment.n, control.value, treatment.value)
    contrast = _contrast(control, treatment)
    if isinstance(contrast, str):
        return replace(effect, not_computed=contrast)
    standard_error, df = contrast.standard_error(1.0), contrast.df(1.0)
    if standard_error == 0:
        return replace(effect, not_computed="no variation in either arm")
    estimate = contrast.treatment - contrast.control
    statistic = (estimate - null) / standard_error
    p = p_value(statistic, df, alternative)
    ci = interval_around(estimate, standard_error, df, alpha, alternative)
    return replace(
        effect,
        estimate=estimate,
        ci=agree_with_test(ci, null, p, alpha),
        p_value=p,
        statistic=statistic,
        df=None if math.isinf(df) else df,
        standard_error=standard_error,
        relative=None if relative is None else _relative_effect(contrast, relative, alpha, alternative),
    )


def compare_estimates_to_multiple(
    control: ArmEstimate,
    treatment: ArmEstimate,
    multiple: float,
    *,
    method: str,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
) -> Effect:
    """Test of treatment = multiple · control, with the interval for treatment / control − 1 that inverts it.

    statistic = (treatment − m·control) / √(V_t + m²·V_c), Satterthwaite's df for these two terms;
    the interval is Fieller's. The effect is on the relative scale and its null is multiple − 1.

    Not computed where the control's estimate is not above 0, or so near to 0 that the ratios not rejected
    form no interval.

    Raises:
        ValueError: for a multiple below 0, or a level or alternative that is not allowed.
    """
    _check(alpha, alternative, multiple - 1)
    if multiple < 0:
        raise ValueError(f"multiple: {multiple} is not allowed; give 1 ± margin, 0 or more, for example 0.95")
    effect = Effect(
        method,
        alternative,
        alpha,
        multiple - 1,
        control.n,
        treatment.n,
        control.value,
        treatment.value,
        scale="relative",
    )
    contrast = _contrast(control, treatment)
    if isinstance(contrast, str):
        return replace(effect, not_computed=contrast)
    if contrast.control <= 0:
        return replace(
            effect, not_computed=f"control estimate {contrast.control} is not above 0: no ratio to it"
        )
    standard_error, df = contrast.standard_error(multiple), contrast.df(multiple)
    if standard_error == 0:
        return replace(effect, not_computed="no variation in either arm")
    ratios = fieller_interval(contrast, alpha, alternative)
    if ratios is None:
        return replace(effect, not_computed=_NEAR_ZERO)
    statistic = contrast.statistic(multiple)
    p = p_value(statistic, df, alternative)
    return replace(
        effect,
        estimate=contrast.treatment / contrast.control - 1,
        ci=agree_with_test((ratios[0] - 1, ratios[1] - 1), multiple - 1, p, alpha),
        p_value=p,
        statistic=statistic,
        df=None if math.isinf(df) else df,
        standard_error=standard_error,
    )


_NEAR_ZERO = (
    "the control estimate is not distinguishable from 0 at this level: the ratio has no interval (Fieller)"
)


def _contrast(control: ArmEstimate, treatment: ArmEstimate) -> Contrast | str:
    """The two arms as numbers, or why there are none, both arms named at once."""
    reasons = [
        f"{arm} arm: {estimate.not_computed or 'no estimate'}"
        for arm, estimate in (("control", control), ("treatment", treatment))
        if estimate.value is None or estimate.variance is None
    ]
    if (
        control.value is None
        or control.variance is None
        or treatment.value is None
        or treatment.variance is None
    ):
        return "; ".join(reasons)
    return Contrast(
        control.value, control.variance, control.df, treatment.value, treatment.variance, treatment.df
    )


def _relative_effect(
    contrast: Contrast, method: RelativeMethod, alpha: float, alternative: Alternative
) -> RelativeEffect:
    if contrast.control <= 0:
        reason = f"control estimate {contrast.control} is not above 0: no ratio to it"
        return RelativeEffect(None, None, method, reason)
    estimate = contrast.treatment / contrast.control - 1
    if method == "log-delta":
        if contrast.treatment <= 0:
            reason = f"treatment estimate {contrast.treatment} is not above 0: no logarithm of the ratio"
            return RelativeEffect(None, None, method, reason)
        ratios: Interval | None = log_ratio_interval(contrast, alpha, alternative)
    else:
        ratios = fieller_interval(contrast, alpha, alternative)
    if ratios is None:
        return RelativeEffect(None, None, method, _NEAR_ZERO)
    return RelativeEffect(estimate, (ratios[0] - 1, ratios[1] - 1), method)


def _check(alpha: float, alternative: str, null: float) -> None:
    check_level(alpha)
    check_alternative(alternative)
    if not math.isfinite(null):
        raise ValueError(f"null: {null} is not allowed; give a finite number, for example 0.0")
