"""Sample size for two proportions: by the score test that decides, or by the unpooled variance."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from scipy.optimize import brentq

from analysis.power.comparison import normal_power, normal_scale
from analysis.power.plan import Direction, Multiplicity, PowerPlan, error_rates, refuse
from analysis.power.sample_size import SampleSize, sample_size

ProportionsMethod = Literal["score", "unpooled"]


@dataclass(frozen=True, slots=True)
class ProportionsComparison:
    """A difference of two proportions, tested at zero or against a margin.

    The score test takes its standard error under the null: the pooled proportion at zero, the constrained
    maximum likelihood of Farrington & Manning (1990) at a margin, on the difference or, for a relative
    margin, on the ratio of the two.

    Args:
        baseline: control proportion, from 0 to 1.
        effect: true difference treatment − control; not 0 without a margin.
        margin: largest worsening accepted, positive; None tests for a difference.
        direction: which way is better; used only with a margin.
        relative: the margin is a share of the control proportion.
        test: ``score`` or ``unpooled``.
    """

    baseline: float
    effect: float = 0.0
    margin: float | None = None
    direction: Direction = "higher"
    relative: bool = False
    test: ProportionsMethod = "score"

    def __post_init__(self) -> None:
        refuse(self._problems())

    def _problems(self) -> Iterable[str]:
        if not 0 <= self.baseline <= 1:
            yield f"baseline: {self.baseline} is not allowed; give the control proportion, from 0 to 1"
        elif not -1e-12 <= self.baseline + self.effect <= 1 + 1e-12:
            yield (
                f"effect: {self.effect} is not allowed; it takes the baseline {self.baseline} out of 0 to 1; "
                "give an absolute difference, 0.015 for one and a half percentage points"
            )
        if self.direction not in ("higher", "lower"):
            yield f"direction: {self.direction!r} is unknown; give higher or lower"
        if self.test not in ("score", "unpooled"):
            yield f"method: {self.test!r} is unknown; give score or unpooled"
        yield from self._margin_problems()

    def _margin_problems(self) -> Iterable[str]:
        if self.margin is None:
            if self.effect == 0:
                yield "effect: 0 is not allowed; give the smallest difference worth detecting, such as 0.015"
            if self.relative:
                yield "margin: missing; a relative test needs the largest share of the baseline to lose"
            return
        if not (self.margin > 0 and math.isfinite(self.margin)):
            yield f"margin: {self.margin} is not allowed; give the largest worsening accepted, positive"
        elif self.relative and self.baseline == 0:
            yield "baseline: 0 is not allowed with a relative margin; give an absolute margin"
        elif not 0 < self.baseline + self._harm < 1:
            yield (
                f"margin: {self.margin} is not allowed; with a baseline of {self.baseline} it gives away the whole "
                "proportion; give the largest worsening accepted, for example a tenth of the baseline"
            )
        elif self.distance <= 0:
            yield (
                f"effect: {self.effect} is not allowed; it is at or beyond the margin {self.margin}, "
                "so that non-inferiority is false; give the true difference you expect, usually 0"
            )

    @property
    def method(self) -> str:
        if self.margin is None:
            variance = "null variance pooled" if self.test == "score" else "unpooled variance"
            return f"{self.test} test, normal approximation, difference of proportions ({variance})"
        variance = (
            "null variance by constrained maximum likelihood" if self.test == "score" else "unpooled variance"
        )
        scale = "ratio of proportions, relative margin" if self.relative else "difference of proportions"
        return f"{self.test} test, normal approximation, non-inferiority, {scale} ({variance})"

    @property
    def smallest_arm(self) -> int:
        return 1

    @property
    def null_ratio(self) -> float:
        """The r of the tested pt − r·pc: 1, or 1 ± δ for a relative margin."""
        if not self.relative or self.margin is None:
            return 1.0
        return 1 - self.margin if self.direction == "higher" else 1 + self.margin

    @property
    def distance(self) -> float:
        """How far the truth lies from the null, in the direction of success."""
        if self.margin is None:
            return abs(self.effect)
        better = self.effect if self.direction == "higher" else -self.effect
        return better + self.margin * (self.baseline if self.relative else 1)

    def power(self, n_control: float, n_treatment: float, tail_alpha: float) -> float:
        null, true = self._variances(n_control, n_treatment)
        return normal_power(self.distance, null, true, tail_alpha)

    def scale(self, w_control: float, w_treatment: float, tail_alpha: float, power: float) -> float:
        null, true = self._variances(w_control, w_treatment)
        return normal_scale(self.distance, null, true, tail_alpha, power)

    def with_effect(self, effect: float) -> Self:
        return replace(self, effect=effect)

    def with_margin(self, margin: float) -> Self:
        return replace(self, margin=margin)

    def effect_bound(self, sign: int) -> float:
        return 1 - self.baseline if sign > 0 else -self.baseline

    def margin_bound(self) -> float:
        room = self.baseline if self.direction == "higher" else 1 - self.baseline
        return room / self.baseline if self.relative else room

    @property
    def _harm(self) -> float:
        """Treatment minus control at the margin itself, for a control at the baseline."""
        if self.margin is None:
            return 0.0
        size = self.margin * (self.baseline if self.relative else 1)
        return -size if self.direction == "higher" else size

    def _variances(self, n_control: float, n_treatment: float) -> tuple[float, float]:
        """Variance of pt − r·pc as the test estimates it under the null, and as it is."""
        r, treated = self.null_ratio, min(max(self.baseline + self.effect, 0.0), 1.0)

        def variance(pc: float, pt: float) -> float:
            return r**2 * pc * (1 - pc) / n_control + pt * (1 - pt) / n_treatment

        true = variance(self.baseline, treated)
        if self.test == "unpooled":
            return true, true
        if self.relative:
            pc = constrained_ratio(self.baseline, treated, n_control, n_treatment, r)
            return variance(pc, r * pc), true
        pc = constrained_difference(self.baseline, treated, n_control, n_treatment, self._harm)
        return variance(pc, pc + self._harm), true


def constrained_difference(pc: float, pt: float, n_control: float, n_treatment: float, shift: float) -> float:
    """Control proportion of greatest likelihood among those with treatment = control + ``shift``.

    Farrington & Manning (1990), appendix. The derivative of the likelihood, cleared of its denominators, is
    a cubic with a single sign change between the ends of the possible range.
    """
    if shift == 0:
        return (n_control * pc + n_treatment * pt) / (n_control + n_treatment)

    def slope(x: float) -> float:
        y = x + shift
        return n_control * (pc - x) * y * (1 - y) + n_treatment * (pt - y) * x * (1 - x)

    return _sign_change(slope, max(0.0, -shift), min(1.0, 1 - shift))


def constrained_ratio(pc: float, pt: float, n_control: float, n_treatment: float, ratio: float) -> float:
    """Control proportion of greatest likelihood among those with treatment = ``ratio`` · control.

    Farrington & Manning (1990), section 3; the smaller root of a quadratic, in the form that does not cancel.
    """
    n = n_control + n_treatment
    successes = n_control * pc + n_treatment * pt
    b = successes * (1 + ratio) + n_control * (1 - pc) + n_treatment * (1 - pt) * ratio
    root = math.sqrt(max(b * b - 4 * ratio * n * successes, 0.0))
    return min(2 * successes / (b + root), 1.0, 1 / ratio)


def _sign_change(slope: Callable[[float], float], low: float, high: float) -> float:
    inset = 1e-13 * (high - low)
    if slope(low + inset) <= 0:
        return low
    if slope(high - inset) >= 0:
        return high
    root: float = brentq(slope, low + inset, high - inset, xtol=1e-16, rtol=1e-14)
    return root


def sample_size_proportions(
    baseline: float,
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
    method: ProportionsMethod = "score",
) -> SampleSize:
    """Units per arm for a difference of proportions, or for non-inferiority when a margin is given.

    ``score`` (the test that decides): n = (z_α·√(null variance) + z_β·√(true variance))² / distance², with
    the null variance at the pooled proportion (Fleiss, Levin & Paik 2003, equation 4.14 without continuity
    correction) or, at a margin, at the constrained maximum likelihood (Farrington & Manning 1990,
    equation 4). ``unpooled`` takes the true variance in both places.

    Args:
        baseline: control proportion.
        effect: absolute difference to detect, treatment − control; with a margin the true difference
            assumed, 0 unless said otherwise.
        alpha, sides: 0.05 and 2, or 0.025 and 1 with a margin.
        margin, direction, relative: see :class:`ProportionsComparison`.
        variance_reduction: needs ``unpooled``, since an adjusted proportion is tested as a mean.

    The other arguments are those of :class:`~analysis.power.plan.PowerPlan`.

    Raises:
        ValueError: naming every parameter that is not allowed.
    """
    alpha, sides = error_rates(alpha, sides, margin)
    if variance_reduction > 0 and method == "score":
        raise ValueError(
            "method: score is not allowed with variance_reduction, because an adjusted proportion is tested "
            "as a mean; give unpooled"
        )
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
    return sample_size(ProportionsComparison(baseline, effect, margin, direction, relative, method), plan)
