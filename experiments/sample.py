"""The declared sample size: what each declared metric needs, and which one asks for most."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.power import (
    Detectable,
    Duration,
    SampleSize,
    WeekOfTraffic,
    detectable_by_week,
    detectable_effect,
    detectable_margin,
    duration,
    power_of,
    sample_size_means,
    sample_size_proportions,
    sample_size_quantile,
    sample_size_ratio,
    split_beta,
)
from experiments.durations import DAY

if TYPE_CHECKING:
    from experiments.design import Design, Measure


@dataclass(frozen=True, slots=True)
class Requirement:
    """What one metric needs to do its part of the decision."""

    role: str
    metric: str
    n_per_arm: tuple[int, ...]
    power_at_plan: float
    assumed: str
    size: SampleSize


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """Units per arm (control first), where the number comes from, and how long it takes."""

    n_per_arm: tuple[int, ...]
    computed: tuple[int, ...]
    binding: str
    requirements: tuple[Requirement, ...]
    power_per_test: float
    enrolment: Duration | None
    overridden: bool

    @property
    def total(self) -> int:
        return sum(self.n_per_arm)

    def information(self, treatment: int) -> float:
        """Planned 1 / (1/n_control + 1/n_treatment) of a treatment (1 is the first)."""
        return 1 / (1 / self.n_per_arm[0] + 1 / self.n_per_arm[treatment])


def sample_plan(design: Design) -> SamplePlan:
    """The sample size of a design: β is split over the primary and the must-hold guardrails (statistics 6).

    Monitor-only guardrails and secondary metrics ask for nothing: they do not decide.
    """
    written = design.written
    deciding = [design.primary, *(g for g in design.guardrails if g.role == "must-hold")]
    power_per_test = split_beta(written.power.power, len(deciding) - 1).power_per_test
    sizes = [(measure, _size(design, measure, power_per_test)) for measure in deciding]
    computed = tuple(max(size.n_per_arm[arm] for _, size in sizes) for arm in range(len(design.arms)))
    binding = max(sizes, key=lambda pair: pair[1].total)[0]
    chosen = computed
    if written.power.units_per_arm is not None:
        smallest = min(arm.share for arm in design.arms)
        chosen = tuple(math.ceil(written.power.units_per_arm * arm.share / smallest) for arm in design.arms)
    requirements = tuple(
        Requirement(
            measure.role,
            measure.label,
            size.n_per_arm,
            power_of(size.comparisons, chosen, size.plan),
            _assumed(measure),
            size,
        )
        for measure, size in sizes
    )
    enrolment = None
    if written.power.units_per_day is not None:
        enrolment = duration(
            sum(chosen),
            written.power.units_per_day,
            window_days=(design.maturity - written.label_delay) / DAY,
            label_delay_days=written.label_delay / DAY,
        )
    return SamplePlan(
        chosen, computed, binding.label, requirements, power_per_test, enrolment, chosen != computed
    )


def detectable(design: Design, plan: SamplePlan, n_per_arm: tuple[int, ...]) -> dict[str, Detectable]:
    """By metric: the smallest effect (primary) or margin (guardrail) with the declared power at ``n_per_arm``."""
    found: dict[str, Detectable] = {}
    for requirement in plan.requirements:
        size = requirement.size
        superiority = requirement.role == "primary" and design.written.purpose == "superiority"
        at = detectable_effect if superiority else detectable_margin
        found[requirement.metric] = at(size.comparisons, n_per_arm, size.plan)
    return found


def by_week(plan: SamplePlan, units_per_day: float, weeks: int) -> tuple[WeekOfTraffic, ...]:
    """The primary's smallest detectable effect after each week of the planned traffic."""
    size = plan.requirements[0].size
    return detectable_by_week(size.comparisons, [units_per_day * 7] * weeks, size.plan)


def _size(design: Design, measure: Measure, power: float) -> SampleSize:
    baseline = measure.baseline
    if baseline is None:
        raise ValueError(f"{measure.label} has no baseline")
    effect, margin, relative = 0.0, None, False
    if measure.margin is not None:
        margin, relative = measure.margin.value, measure.margin.kind == "relative"
    elif measure.mde is not None:
        size = measure.mde.value * (abs(baseline.mean) if measure.mde.kind == "relative" else 1.0)
        effect = size if measure.metric.direction == "higher" else -size
    comparisons = len(design.arms) - 1
    reduction = sum(c.variance_reduction or 0.0 for c in measure.covariates)
    allocation = tuple(float(arm.share) for arm in design.arms)
    inflation = 1.0
    extra = design.written.power.design_effect
    direction = measure.metric.direction
    if measure.metric.is_binary:
        return sample_size_proportions(
            baseline.mean,
            effect,
            alpha=measure.alpha,
            power=power,
            sides=measure.sides,
            allocation=allocation,
            comparisons=comparisons,
            variance_reduction=reduction,
            design_effect=extra,
            inflation=inflation,
            margin=margin,
            direction=direction,
            relative=relative,
            method="score" if measure.test in {"score", "miettinen-nurminen"} else "unpooled",
        )
    if baseline.sd is None:
        raise ValueError(f"{measure.label} has no standard deviation in its baseline")
    if measure.metric.type == "ratio":
        return sample_size_ratio(
            baseline.sd**2,
            effect,
            alpha=measure.alpha,
            power=power,
            sides=measure.sides,
            allocation=allocation,
            comparisons=comparisons,
            design_effect=extra,
            inflation=inflation,
            margin=margin,
            direction=direction,
            relative=relative,
            ratio=baseline.mean if relative else None,
        )
    if measure.metric.type == "quantile":
        return sample_size_quantile(
            baseline.sd**2,
            effect,
            alpha=measure.alpha,
            power=power,
            sides=measure.sides,
            allocation=allocation,
            comparisons=comparisons,
            design_effect=extra,
            inflation=inflation,
            margin=margin,
            direction=direction,
            relative=relative,
            quantile=baseline.mean if relative else None,
        )
    return sample_size_means(
        baseline.sd,
        effect,
        alpha=measure.alpha,
        power=power,
        sides=measure.sides,
        allocation=allocation,
        comparisons=comparisons,
        variance_reduction=reduction,
        design_effect=extra,
        inflation=inflation,
        margin=margin,
        direction=direction,
        relative=relative,
        mean=baseline.mean if relative else None,
    )


def _assumed(measure: Measure) -> str:
    baseline = measure.baseline
    if baseline is None:
        return "no baseline"
    spread = "" if baseline.sd is None else f", sd {baseline.sd:g}"
    if measure.margin is not None:
        target = f"no true difference, margin {measure.margin.value:g} {measure.margin.kind}"
    elif measure.mde is not None:
        target = f"true effect {measure.mde.value:g} {measure.mde.kind}"
    else:
        target = "no target"
    return f"baseline {baseline.mean:g}{spread} ({baseline.source}); {target}"
