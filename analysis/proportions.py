"""Comparison of two independent proportions by the score test, with the interval that inverts this test."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from analysis import score
from analysis.contrasts import Contrast, log_ratio_interval
from analysis.effects import Effect, RelativeEffect
from analysis.inference import Alternative, agree_with_test, check_alternative, check_level, p_value
from analysis.moments import Moments

ScoreMethod = Literal["score", "miettinen-nurminen"]
"""The score test as it stands, or with Miettinen & Nurminen's factor N/(N − 1) on its variance."""

RelativeProportionMethod = Literal["koopman", "log-delta"]
"""Interval of a ratio of proportions: score (Koopman 1984), or delta method on the log (Katz et al. 1978)."""

_TESTS = {
    ("score", "absolute"): "score (Farrington–Manning; Mee interval)",
    ("miettinen-nurminen", "absolute"): "Miettinen–Nurminen score test and interval",
    ("score", "relative"): "score test of the ratio (Koopman interval)",
    ("miettinen-nurminen", "relative"): "Miettinen–Nurminen score test and interval of the ratio",
}


@dataclass(frozen=True, slots=True)
class Proportion:
    """Successes among the units of one arm.

    Raises:
        ValueError: unless 0 ≤ successes ≤ n.
    """

    successes: int
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.n:
            raise ValueError(
                f"successes: {self.successes} of {self.n} is not allowed; give a count from 0 to the units"
            )

    @property
    def rate(self) -> float | None:
        """Successes / n; None without units."""
        return self.successes / self.n if self.n else None

    @property
    def moments(self) -> Moments:
        """The same units as zeros and ones, for an adjusted proportion, which is tested as a mean."""
        if self.n == 0:
            return Moments(0, 0.0, 0.0)
        return Moments(self.n, self.successes / self.n, self.successes * ((self.n - self.successes) / self.n))


def compare_proportions(
    control: Proportion,
    treatment: Proportion,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    method: ScoreMethod = "score",
    relative: RelativeProportionMethod | None = "koopman",
) -> Effect:
    """Score test of p_treatment − p_control = null, and the interval of all differences it does not reject.

    With `method` "score" this is the pooled z test at 0 and Farrington & Manning's at another null; the
    interval is Mee's. With "miettinen-nurminen" the variance carries N/(N − 1), in the test and in the
    interval alike.

    Args:
        alpha: level of the test, in (0, 1).
        null: difference tested, in (−1, 1); a margin of 0.02 where higher is better is −0.02, alternative
            "greater".
        relative: interval for the ratio − 1 to show beside the difference, or None.

    Raises:
        ValueError: for a level, alternative, null or method that is not allowed.
    """
    _check(alpha, alternative, method)
    if not -1 < null < 1:
        raise ValueError(f"null: {null} is not allowed; give a difference between −1 and 1, for example 0.0")
    if relative is not None and relative not in get_args(RelativeProportionMethod):
        raise ValueError(f"relative: {relative!r} is not allowed; give koopman, log-delta or None")
    name = "score (pooled z; Mee interval)" if method == "score" and null == 0 else _TESTS[method, "absolute"]
    effect = Effect(name, alternative, alpha, null, control.n, treatment.n, control.rate, treatment.rate)
    if control.rate is None or treatment.rate is None:
        return replace(effect, not_computed=_no_units(control, treatment))
    counts = (control.successes, control.n, treatment.successes, treatment.n)
    factor = method == "miettinen-nurminen"
    z, standard_error = score.difference_statistic(*counts, null, factor=factor)
    p = p_value(float(z), math.inf, alternative)
    lower, upper = score.difference_interval(*counts, alpha, alternative=alternative, factor=factor)
    return replace(
        effect,
        estimate=treatment.rate - control.rate,
        ci=agree_with_test((float(lower), float(upper)), null, p, alpha),
        p_value=p,
        statistic=float(z),
        standard_error=float(standard_error),
        relative=None
        if relative is None
        else _relative_effect(control, treatment, relative, alpha, alternative),
    )


def compare_proportions_to_multiple(
    control: Proportion,
    treatment: Proportion,
    multiple: float,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    method: ScoreMethod = "score",
) -> Effect:
    """Score test of p_treatment = multiple · p_control, and the interval of the ratios − 1 not rejected.

    A relative margin of 5 % where higher is better is ``multiple=0.95, alternative="greater"``. The effect is
    on the relative scale and its null is multiple − 1.

    Not computed without a success in either arm: every ratio fits such data equally well.

    Raises:
        ValueError: for a multiple not above 0, or a level, alternative or method that is not allowed.
    """
    _check(alpha, alternative, method)
    if not (math.isfinite(multiple) and multiple > 0):
        raise ValueError(f"multiple: {multiple} is not allowed; give 1 ± margin, above 0, for example 0.95")
    effect = Effect(
        _TESTS[method, "relative"],
        alternative,
        alpha,
        multiple - 1,
        control.n,
        treatment.n,
        control.rate,
        treatment.rate,
        scale="relative",
    )
    if control.rate is None or treatment.rate is None:
        return replace(effect, not_computed=_no_units(control, treatment))
    if control.successes == treatment.successes == 0:
        return replace(effect, not_computed=_NO_SUCCESS)
    counts = (control.successes, control.n, treatment.successes, treatment.n)
    factor = method == "miettinen-nurminen"
    z, standard_error = score.ratio_statistic(*counts, multiple, factor=factor)
    p = p_value(float(z), math.inf, alternative)
    lower, upper = score.ratio_interval(*counts, alpha, alternative=alternative, factor=factor)
    ci = (float(lower) - 1, float(upper) - 1)
    return replace(
        effect,
        estimate=treatment.rate / control.rate - 1 if control.successes else math.inf,
        ci=agree_with_test(ci, multiple - 1, p, alpha),
        p_value=p,
        statistic=float(z),
        standard_error=float(standard_error),
    )


_NO_SUCCESS = "no success in either arm: every ratio fits"


def _relative_effect(
    control: Proportion,
    treatment: Proportion,
    method: RelativeProportionMethod,
    alpha: float,
    alternative: Alternative,
) -> RelativeEffect:
    x_c, n_c, x_t, n_t = control.successes, control.n, treatment.successes, treatment.n
    if x_c == 0:
        reason = (
            _NO_SUCCESS if x_t == 0 else "no success in the control arm: the ratio has no finite estimate"
        )
        return RelativeEffect(None, None, method, reason)
    estimate = (x_t / n_t) / (x_c / n_c) - 1
    if method == "koopman":
        lower, upper = score.ratio_interval(x_c, n_c, x_t, n_t, alpha, alternative=alternative)
        return RelativeEffect(estimate, (float(lower) - 1, float(upper) - 1), method)
    if x_t == 0:
        return RelativeEffect(
            None, None, method, "no success in the treatment arm: no logarithm of the ratio"
        )
    p_c, p_t = x_c / n_c, x_t / n_t
    contrast = Contrast(p_c, p_c * (1 - p_c) / n_c, math.inf, p_t, p_t * (1 - p_t) / n_t, math.inf)
    ratios = log_ratio_interval(contrast, alpha, alternative)
    return RelativeEffect(estimate, (ratios[0] - 1, ratios[1] - 1), method)


def _no_units(control: Proportion, treatment: Proportion) -> str:
    arms = (("control", control), ("treatment", treatment))
    return "; ".join(f"{arm} arm: no units" for arm, proportion in arms if proportion.n == 0)


def _check(alpha: float, alternative: str, method: str) -> None:
    check_level(alpha)
    check_alternative(alternative)
    if method not in get_args(ScoreMethod):
        raise ValueError(f"method: {method!r} is not allowed; give {' or '.join(get_args(ScoreMethod))}")
