"""Sample size for a difference of means, the comparison behind every estimate with a variance per unit."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from scipy.optimize import brentq
from scipy.stats import nct, t

from analysis.power.comparison import normal_power, normal_scale
from analysis.power.plan import Direction, Multiplicity, PowerPlan, error_rates, refuse
from analysis.power.sample_size import SampleSize, sample_size

MeansMethod = Literal["normal", "welch-t", "pooled-t"]
Estimand = Literal["mean", "ratio", "quantile"]

_METHOD_NAMES = {
    "normal": "normal approximation",
    "welch-t": "Welch t, noncentral t",
    "pooled-t": "pooled t, noncentral t",
}


@dataclass(frozen=True, slots=True)
class MeansComparison:
    """A difference of means with known standard deviations, tested at zero or against a margin.

    With a relative margin δ the hypothesis tested is about μt − (1 ± δ)·μc, so the control arm's variance
    enters multiplied by (1 ± δ)².

    Args:
        sd_control, sd_treatment: standard deviation of one unit, positive. For a ratio metric or a quantile,
            the square root of the asymptotic variance of the estimate times the number of units.
        effect: true difference treatment − control; not 0 without a margin.
        margin: largest worsening accepted, positive; None tests for a difference.
        direction: which way is better; used only with a margin.
        relative: the margin is a share of the control mean, below 1 when higher is better.
        mean: control mean, positive; needed by a relative margin.
        approximation: ``normal``, or a noncentral t with Welch's or the pooled degrees of freedom.
        estimand: what the standard deviations belong to; it only names the result.
    """

    sd_control: float
    sd_treatment: float
    effect: float = 0.0
    margin: float | None = None
    direction: Direction = "higher"
    relative: bool = False
    mean: float | None = None
    approximation: MeansMethod = "normal"
    estimand: Estimand = "mean"

    def __post_init__(self) -> None:
        refuse(self._problems())

    def _problems(self) -> Iterable[str]:
        for arm, sd in (("control", self.sd_control), ("treatment", self.sd_treatment)):
            if not (sd > 0 and math.isfinite(sd)):
                yield f"sd ({arm}): {sd} is not allowed; give the positive standard deviation of one unit"
        if not math.isfinite(self.effect):
            yield f"effect: {self.effect} is not allowed; give a finite difference in the metric's own unit"
        if self.direction not in ("higher", "lower"):
            yield f"direction: {self.direction!r} is unknown; give higher or lower"
        if self.approximation not in _METHOD_NAMES:
            yield f"method: {self.approximation!r} is unknown; give normal, welch-t or pooled-t"
        if self.approximation == "pooled-t" and (self.sd_control != self.sd_treatment or self.relative):
            yield (
                "method: pooled-t is not allowed with unequal standard deviations or a relative margin, "
                "where it does not keep its level; take welch-t"
            )
        yield from self._margin_problems()

    def _margin_problems(self) -> Iterable[str]:
        if self.margin is None:
            if self.effect == 0:
                yield "effect: 0 is not allowed; give the smallest difference worth detecting"
            if self.relative:
                yield "margin: missing; a relative test needs the largest share of the mean to lose"
            return
        if not (self.margin > 0 and math.isfinite(self.margin)):
            yield f"margin: {self.margin} is not allowed; give the largest worsening accepted, positive"
            return
        if self.relative and not (self.mean is not None and self.mean > 0 and math.isfinite(self.mean)):
            yield f"mean: {self.mean} is not allowed with a relative margin; give the positive control mean"
            return
        if self.relative and self.direction == "higher" and self.margin >= 1:
            yield f"margin: {self.margin} is not allowed; a relative margin is a share of the mean, below 1"
            return
        if self.distance <= 0:
            yield (
                f"effect: {self.effect} is not allowed; it is at or beyond the margin {self.margin}, "
                "so that non-inferiority is false; give the true difference you expect, usually 0"
            )

    @property
    def method(self) -> str:
        name = f"{_METHOD_NAMES[self.approximation]}, difference of {self.estimand}s"
        if self.margin is None:
            return name
        return f"{name}, non-inferiority ({'relative' if self.relative else 'absolute'} margin)"

    @property
    def smallest_arm(self) -> int:
        return 2

    @property
    def null_ratio(self) -> float:
        """The r of the tested μt − r·μc: 1, or 1 ± δ for a relative margin."""
        if not self.relative or self.margin is None:
            return 1.0
        return 1 - self.margin if self.direction == "higher" else 1 + self.margin

    @property
    def distance(self) -> float:
        """How far the truth lies from the null, in the direction of success."""
        if self.margin is None:
            return abs(self.effect)
        better = self.effect if self.direction == "higher" else -self.effect
        return better + self.margin * (self.mean if self.relative and self.mean is not None else 1)

    def power(self, n_control: float, n_treatment: float, tail_alpha: float) -> float:
        control = (self.null_ratio * self.sd_control) ** 2 / n_control
        treatment = self.sd_treatment**2 / n_treatment
        variance = control + treatment
        if self.approximation == "normal":
            return normal_power(self.distance, variance, variance, tail_alpha)
        if min(n_control, n_treatment) <= 1:
            return 0.0
        if self.approximation == "pooled-t":
            df = n_control + n_treatment - 2
        else:
            df = variance**2 / (control**2 / (n_control - 1) + treatment**2 / (n_treatment - 1))
        return float(nct.sf(t.isf(tail_alpha, df), df, self.distance / math.sqrt(variance)))

    def scale(self, w_control: float, w_treatment: float, tail_alpha: float, power: float) -> float:
        variance = (self.null_ratio * self.sd_control) ** 2 / w_control + self.sd_treatment**2 / w_treatment
        normal = normal_scale(self.distance, variance, variance, tail_alpha, power)
        if self.approximation == "normal":
            return normal

        def shortfall(n: float) -> float:
            return self.power(w_control * n, w_treatment * n, tail_alpha) - power

        fewest = self.smallest_arm / min(w_control, w_treatment)
        if shortfall(fewest) >= 0:
            return fewest
        most = max(2 * fewest, 2 * normal)
        while shortfall(most) < 0:
            most *= 2
        root: float = brentq(shortfall, fewest, most, xtol=1e-9 * most, rtol=1e-13)
        return root

    def with_effect(self, effect: float) -> Self:
        return replace(self, effect=effect)

    def with_margin(self, margin: float) -> Self:
        return replace(self, margin=margin)

    def effect_bound(self, sign: int) -> float:
        return sign * math.inf

    def margin_bound(self) -> float:
        return 1.0 if self.relative and self.direction == "higher" else math.inf


def sample_size_means(
    sd: float | Sequence[float],
    effect: float = 0.0,
    *,
    alpha: float | None = None,
    power: float = 0.8,
    sides: int | None = None,
    allocation: Sequence[float] = (1, 1),
    comparisons: int | None = None,
    multiplicity: Multiplicity = "bonferroni",
    variance_reduction: float = 0.0,
    design_effect: float = 1.0,
    inflation: float = 1.0,
    margin: float | None = None,
    direction: Direction = "higher",
    relative: bool = False,
    mean: float | None = None,
    method: MeansMethod = "normal",
) -> SampleSize:
    """Units per arm for a difference of means, or for non-inferiority when a margin is given.

    Normal formula by default (Chow, Shao, Wang & Lokhnygina 2018, section 3.2): control needs
    (z_α + z_β)²·(σc² + σt²/ρ) / effect² units with ρ treatment units per control unit.

    Args:
        sd: standard deviation of a unit, the same in every arm, or one per arm with control first.
        effect: difference to detect, treatment − control, in the metric's own unit; with a margin the true
            difference assumed, 0 unless said otherwise.
        alpha, sides: 0.05 and 2, or 0.025 and 1 with a margin.
        margin, direction, relative, mean: see :class:`MeansComparison`.
        method: ``normal``, ``welch-t`` or ``pooled-t``.

    The other arguments are those of :class:`~analysis.power.plan.PowerPlan`.

    Raises:
        ValueError: naming every parameter that is not allowed.
    """
    alpha, sides = error_rates(alpha, sides, margin)
    plan = PowerPlan(
        alpha,
        power,
        sides,
        tuple(allocation),
        comparisons,
        multiplicity,
        variance_reduction,
        design_effect,
        inflation,
    )
    sds = per_arm("sd", sd, len(plan.allocation))
    return sample_size(
        [MeansComparison(sds[0], s, effect, margin, direction, relative, mean, method) for s in sds[1:]], plan
    )


def per_arm(name: str, value: float | Sequence[float], arms: int) -> tuple[float, ...]:
    """One number for all the arms, or one for each, control first."""
    if isinstance(value, Sequence):
        if len(value) != arms:
            raise ValueError(f"{name}: {len(value)} numbers for {arms} arms; give one, or one per arm")
        return tuple(float(v) for v in value)
    return (float(value),) * arms
