"""Contrasts of two independent estimates, treatment − r · control, and the interval for r.

r = 1 is the plain difference; another r asks whether the treatment is that multiple of the control.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.optimize import brentq

from analysis.inference import Alternative, Interval, critical_value


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two independent estimates, the variances of these estimates, and the variances' degrees of freedom."""

    control: float
    control_variance: float
    control_df: float
    treatment: float
    treatment_variance: float
    treatment_df: float

    def standard_error(self, r: float) -> float:
        """Of treatment − r · control."""
        return math.hypot(math.sqrt(self.treatment_variance), r * math.sqrt(self.control_variance))

    def df(self, r: float) -> float:
        """Satterthwaite's degrees of freedom (1946, Biometrics Bulletin 2, 110) for that standard error."""
        whole = self.standard_error(r)
        if whole == 0:
            return math.inf
        share = self.treatment_variance / whole / whole
        spread = share * share / self.treatment_df + (1 - share) ** 2 / self.control_df
        return 1 / spread if spread > 0 else math.inf

    def statistic(self, r: float) -> float:
        """(treatment − r · control) / standard error; the standard error must not be 0."""
        return (self.treatment - r * self.control) / self.standard_error(r)


def fieller_interval(contrast: Contrast, alpha: float, alternative: Alternative) -> Interval | None:
    """All ratios r = treatment / control that the test of treatment − r · control = 0 does not reject.

    Fieller (1954, JRSS B 16, 175), with degrees of freedom that follow r as in the test itself. The control's
    estimate must be above 0. Where it is not distinguishable from 0 at this level the ratios have no end: the
    answer is the whole line if no ratio is rejected, and None if the ratios not rejected are everything but a
    gap, which no interval is.
    """
    if contrast.control <= 0:
        raise ValueError(
            f"control: {contrast.control} is not allowed; a ratio needs a control estimate above 0"
        )
    control_se = math.sqrt(contrast.control_variance)
    if control_se > 0:
        bounded = contrast.control > critical_value(alpha, contrast.control_df, alternative) * control_se
        if not bounded:
            return None if _some_ratio_is_rejected(contrast, alpha, alternative) else (-math.inf, math.inf)
    lower = -math.inf if alternative == "less" else _bound(contrast, alpha, alternative, side=-1)
    upper = math.inf if alternative == "greater" else _bound(contrast, alpha, alternative, side=1)
    return lower, upper


def log_ratio_interval(contrast: Contrast, alpha: float, alternative: Alternative) -> Interval:
    """Interval for treatment / control, delta method on the logarithm; both estimates must be above 0.

    ln(t/c) ± q √(V_t/t² + V_c/c²), Satterthwaite's degrees of freedom taken for these two terms.
    """
    logs = Contrast(
        math.log(contrast.control),
        contrast.control_variance / contrast.control**2,
        contrast.control_df,
        math.log(contrast.treatment),
        contrast.treatment_variance / contrast.treatment**2,
        contrast.treatment_df,
    )
    reach = critical_value(alpha, logs.df(1.0), alternative) * logs.standard_error(1.0)
    ratio = contrast.treatment / contrast.control
    lower = 0.0 if alternative == "less" else ratio * math.exp(-reach)
    unbounded = (
        alternative == "greater" or reach > 700
    )  # e^710 is no double; two units at α = 0.001 get there
    upper = math.inf if unbounded else ratio * math.exp(reach)
    return lower, upper


def _bound(contrast: Contrast, alpha: float, alternative: Alternative, side: int) -> float:
    def beyond(r: float) -> float:
        """Above 0 where r is rejected on this side; finite even where the standard error is 0."""
        reach = critical_value(alpha, contrast.df(r), alternative) * contrast.standard_error(r)
        return -side * (contrast.treatment - r * contrast.control) - reach

    ratio = contrast.treatment / contrast.control
    step = contrast.standard_error(ratio) / contrast.control
    if step == 0:
        return ratio
    resolution = 1e-15 * (abs(ratio) + step)
    inner, outer = ratio, ratio + side * step
    while beyond(outer) <= 0:
        step *= 2
        inner, outer = outer, ratio + side * step
        if step > 1e150:  # the control is at the very edge of being distinguishable from 0
            return side * math.inf
    return float(brentq(beyond, inner, outer, xtol=resolution, rtol=1e-15))


def _some_ratio_is_rejected(contrast: Contrast, alpha: float, alternative: Alternative) -> bool:
    # T(r) has one extremum, of the sign of t, at r* = −c·V_t / (t·V_c); there T² = t²/V_t + c²/V_c.
    c, vc = contrast.control, contrast.control_variance
    t, vt = contrast.treatment, contrast.treatment_variance
    if t == 0 or alternative == ("less" if t > 0 else "greater"):
        return False
    if vt == 0:
        return True
    critical = critical_value(alpha, contrast.df(-c * vt / (t * vc)), alternative)
    return math.hypot(t / math.sqrt(vt), c / math.sqrt(vc)) > critical
