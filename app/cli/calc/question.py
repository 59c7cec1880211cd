"""What `calc power` was asked of independent arms, and the planned comparisons it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from app.cli.calc.values import Direction, Numbers
from app.cli.errors import BadUsage

if TYPE_CHECKING:
    from analysis.power import Comparison, PowerPlan

MetricKind = Literal["proportion", "mean", "ratio", "quantile"]
Multiplicity = Literal["none", "bonferroni", "holm", "dunnett"]

ANY_EFFECT = 1e-3
"""Stands for the effect where only the smallest detectable one is asked for; it does not change the answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """The options as typed.

    Raises:
        BadUsage: naming every option that is missing or does not belong.
    """

    metric: MetricKind | None
    baseline: float | None
    mde: float | None
    sd: Numbers | None
    margin: float | None
    difference: float | None
    direction: Direction
    relative: bool
    method: str | None
    allocation: Numbers | None
    n_per_arm: Numbers | None

    def __post_init__(self) -> None:
        problems = tuple(self._problems())
        if len(problems) == 1:
            raise BadUsage(problems[0])
        if problems:
            raise BadUsage(f"{len(problems)} problems", problems)

    def _problems(self) -> list[str]:
        found = []
        if self.metric is None:
            found.append("--metric: missing; give proportion, mean, ratio or quantile, or --paired")
        if self.metric == "proportion" and self.baseline is None:
            found.append("--baseline: missing; give control's rate, for example 0.20")
        if self.metric == "proportion" and self.sd is not None:
            found.append("--sd: a proportion's follows from its baseline; leave it out")
        if self.metric not in (None, "proportion") and self.sd is None:
            found.append(
                f"--sd: missing; a {self.metric} needs the standard deviation of a unit, for example 10"
            )
        if self.metric in ("ratio", "quantile") and self.method not in (None, "normal"):
            found.append(f"--method: {self.method} is not known for a {self.metric}; it has normal only")
        if self.margin is None and self.difference is not None:
            found.append("--difference: belongs to --margin or --paired; the effect to detect is --mde")
        if self.margin is not None and self.mde is not None:
            found.append("--mde: not with --margin; the true difference assumed there is --difference")
        if self.mde is not None and not self.mde > 0:
            found.append(
                f"--mde: {self.mde} is not allowed; give a size above 0, and --direction lower for a fall"
            )
        if not self.has_target and self.n_per_arm is None:
            found.append("--mde: missing; give the smallest improvement worth detecting, or --margin")
        if self.relative and self.baseline is None:
            found.append("--baseline: missing; a relative effect or margin is a share of it")
        return found

    @property
    def has_target(self) -> bool:
        """Whether an effect or a margin was named."""
        return self.mde is not None or self.margin is not None

    @property
    def effect(self) -> float:
        """The true difference treatment − control that is planned for."""
        if self.margin is not None:
            return self.difference or 0.0
        size = ANY_EFFECT if self.mde is None else self.mde
        if self.relative and self.mde is not None and self.baseline is not None:
            size *= abs(self.baseline)
        return size if self.direction == "higher" else -size

    def plan(
        self,
        alpha: float | None,
        power: float,
        sides: int | None,
        multiplicity: Multiplicity,
        variance_reduction: float,
        design_effect: float,
        inflation: float,
    ) -> PowerPlan:
        from analysis.power import PowerPlan
        from analysis.power.plan import error_rates

        if self.metric == "quantile" and variance_reduction:
            raise ValueError("variance_reduction: a quantile has no covariate adjustment; leave it out")
        level, tails = error_rates(alpha, sides, self.margin)
        weights = (1.0, 1.0) if self.allocation is None else tuple(self.allocation)
        return PowerPlan(
            level, power, tails, weights, None, multiplicity, variance_reduction, design_effect, inflation
        )

    def comparisons(self) -> list[Comparison]:
        """One for every treatment arm."""
        arms = 2 if self.allocation is None else len(self.allocation)
        return [self._comparison(arm, arms) for arm in range(1, arms)]

    def _comparison(self, arm: int, arms: int) -> Comparison:
        from analysis.power import MeansComparison, ProportionsComparison
        from analysis.power.means import per_arm

        relative = self.relative and self.margin is not None
        method: Any = self.method
        if self.metric == "proportion" and self.baseline is not None:
            return ProportionsComparison(
                self.baseline, self.effect, self.margin, self.direction, relative, method or "score"
            )
        sd = self.sd or Numbers()
        deviations = per_arm("sd", sd[0] if len(sd) == 1 else sd, arms)
        estimand: Any = self.metric
        return MeansComparison(
            deviations[0],
            deviations[arm],
            self.effect,
            self.margin,
            self.direction,
            relative,
            self.baseline,
            method or "normal",
            estimand,
        )
