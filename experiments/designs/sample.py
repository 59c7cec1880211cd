"""The declared sample size: what each deciding metric needs, and which one asks for most."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.power import (
    Comparison,
    Detectable,
    Duration,
    MeansComparison,
    PowerPlan,
    ProportionsComparison,
    SampleSize,
    WeekOfTraffic,
    detectable_by_week,
    detectable_effect,
    detectable_margin,
    duration,
    largest_requirement,
    power_of,
    sample_size,
    split_beta,
)
from analysis.power.means import Estimand
from experiments.designs.measures import Measure
from experiments.designs.metrics import Baseline
from experiments.designs.sequential import inflation, level_of
from experiments.forms.durations import DAY

if TYPE_CHECKING:
    from experiments.designs.design import Design


@dataclass(frozen=True, slots=True)
class Requirement:
    """What one metric needs to do its part of the decision.

    Attributes:
        power_at_plan: of its test alone, at the n that the whole design plans.
        assumed: baseline and truth, in words.
    """

    role: str
    metric: str
    n_per_arm: tuple[int, ...]
    power_at_plan: float
    assumed: str
    size: SampleSize


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """Units per arm (control first), where the number comes from, and how long it takes.

    Attributes:
        n_per_arm: planned: computed, or as the design overrides it.
        computed: the largest that any deciding metric needs.
        binding: the metric that needs it.
        power_per_test: what each deciding test is given, so that all succeed together with the declared power.
        enrolment: days and whole weeks at the declared traffic; None where none is declared.
    """

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
    """The sample size of a design: β is split over the primary and the must-hold guardrails.

    Monitor-only guardrails and secondary metrics ask for nothing: they do not decide. A guardrail that must hold in
    every level of a segment is planned for all units together, since the size of a level is not known beforehand.

    Raises:
        ValueError: an effect, margin or baseline for which no sample size exists.
    """
    power = design.written.power
    deciding = [design.primary, *(g for g in design.guardrails if g.role == "must-hold")]
    power_per_test = split_beta(power.power, len(deciding) - 1).power_per_test
    sizes = {
        measure.label: sample_size(planned_comparison(measure), _power_plan(design, measure, power_per_test))
        for measure in deciding
    }
    largest = largest_requirement(sizes)
    chosen = largest.n_per_arm
    if power.units_per_arm is not None:
        smallest = min(arm.share for arm in design.arms)
        chosen = tuple(math.ceil(power.units_per_arm * arm.share / smallest) for arm in design.arms)
    return SamplePlan(
        n_per_arm=chosen,
        computed=largest.n_per_arm,
        binding=largest.name,
        requirements=tuple(_requirement(m, sizes[m.label], chosen) for m in deciding),
        power_per_test=power_per_test,
        enrolment=_enrolment(design, sum(chosen)),
        overridden=chosen != largest.n_per_arm,
    )


def planned_comparison(measure: Measure) -> Comparison:
    """What a measure's sample size is for: the primary at its MDE, or no true difference against a margin.

    Raises:
        ValueError: no baseline, or an effect or margin that cannot be.
    """
    baseline, metric, margin = _baseline(measure), measure.metric, measure.margin
    effect, tolerated = planned_effect(measure), None if margin is None else margin.value
    relative = margin is not None and margin.kind == "relative"
    if metric.is_binary:
        score = measure.test in {"score", "miettinen-nurminen"}
        return ProportionsComparison(
            baseline.mean,
            effect,
            tolerated,
            metric.direction,
            relative,
            "score" if score else "unpooled",
        )
    if baseline.sd is None:
        raise ValueError(f"{measure.label} has no standard deviation in its baseline")
    estimand: Estimand = "mean"
    if metric.type == "ratio":
        estimand = "ratio"
    elif metric.type == "quantile":
        estimand = "quantile"
    return MeansComparison(
        baseline.sd,
        baseline.sd,
        effect,
        tolerated,
        metric.direction,
        relative,
        baseline.mean if relative else None,
        "normal",
        estimand,
    )


def planned_effect(measure: Measure) -> float:
    """The MDE as treatment − control in the metric's unit; 0 against a margin."""
    if measure.margin is not None or measure.mde is None:
        return 0.0
    relative = measure.mde.kind == "relative"
    size = measure.mde.value * (abs(_baseline(measure).mean) if relative else 1.0)
    return size if measure.metric.direction == "higher" else -size


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
    """The primary's smallest detectable effect after each week of the planned traffic.

    Raises:
        ValueError: the primary is tested against a margin, which has no detectable effect.
    """
    size = plan.requirements[0].size
    return detectable_by_week(size.comparisons, [units_per_day * 7] * weeks, size.plan)


def _power_plan(design: Design, measure: Measure, power: float) -> PowerPlan:
    """Several treatments share the primary's α; a guardrail keeps its own for each, as it is tested."""
    return PowerPlan(
        alpha=measure.alpha,
        power=power,
        sides=measure.sides,
        allocation=tuple(float(arm.share) for arm in design.arms),
        multiplicity=design.multiple_treatments if measure.role == "primary" else "none",
        variance_reduction=math.fsum(c.variance_reduction or 0.0 for c in measure.covariates),
        design_effect=design.written.power.design_effect,
        inflation=inflation(
            design.stopping,
            level_of(design, measure),
            measure.sides,
            power,
            futility=measure.role == "primary",
        ),
    )


def _requirement(measure: Measure, size: SampleSize, n_per_arm: tuple[int, ...]) -> Requirement:
    return Requirement(
        role=measure.role,
        metric=measure.label,
        n_per_arm=size.n_per_arm,
        power_at_plan=power_of(size.comparisons, n_per_arm, size.plan),
        assumed=_assumed(measure),
        size=size,
    )


def _enrolment(design: Design, units: int) -> Duration | None:
    units_per_day, label_delay = design.written.power.units_per_day, design.written.label_delay
    if units_per_day is None:
        return None
    return duration(
        units,
        units_per_day,
        window_days=(design.maturity - label_delay) / DAY,
        label_delay_days=label_delay / DAY,
    )


def _baseline(measure: Measure) -> Baseline:
    if measure.baseline is None:
        raise ValueError(f"{measure.label} has no baseline")
    return measure.baseline


def _assumed(measure: Measure) -> str:
    baseline = _baseline(measure)
    spread = "" if baseline.sd is None else f", sd {baseline.sd:g}"
    if measure.margin is not None:
        target = f"no true difference, margin {measure.margin.value:g} {measure.margin.kind}"
    elif measure.mde is not None:
        target = f"true effect {measure.mde.value:g} {measure.mde.kind}"
    else:
        target = "no target"
    level = "; all units together, a level has fewer" if measure.segment else ""
    return f"baseline {baseline.mean:g}{spread} ({baseline.source}); {target}{level}"
