"""What a design costs and what it can tell, before it runs: plain values for the command line and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from analysis.power import (
    Comparison,
    Duration,
    MeansComparison,
    ProportionsComparison,
    SampleSize,
    duration,
    power_of,
    sample_size,
)
from app.declared_words import amount_in_words
from app.protocol import Section, protocol
from app.stopping_plan import HarmStop, StoppingPlan, harm_stops, stopping_plan
from experiments.designs.design import Design, Measure
from experiments.designs.sample import Requirement, detectable
from experiments.forms.durations import DAY

MOST_WEEKS = 26
"""Weeks in the table of detectable effects; a longer experiment shows the first half year."""


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """One metric that decides: what it needs, and its power with the planned number of units.

    Attributes:
        target: what is to be found (primary) or ruled out (a margin), in words.
        power: of this test alone at the planned n; of a guardrail, with no true change.
        binds: whether this metric set the sample size.
        factor, unit: what a number of the metric is multiplied with to be read in percentage points, percent of
            control, or the metric's own unit.
    """

    role: Literal["primary", "must-hold"]
    metric: str
    target: str
    assumed: str
    test: str
    alpha: float
    sides: int
    n_per_arm: tuple[int, ...]
    power: float
    binds: bool
    factor: float
    unit: str


@dataclass(frozen=True, slots=True)
class WeekPlan:
    """What would be detectable if enrolment ended with this week; reading it is no licence to look every week.

    Attributes:
        detectable: by metric the smallest effect (primary) or margin (guardrail) with the power each test is
            given; None where no effect has it.
        enough: every arm has the planned number of units.
    """

    week: int
    n_per_arm: tuple[int, ...]
    detectable: Mapping[str, float | None]
    enough: bool


@dataclass(frozen=True, slots=True)
class Scenario:
    """The plan if one assumption were wrong.

    Attributes:
        n_per_arm, binding: what would be needed then, and by which metric; None where it cannot be computed.
        ship_power: lower bound of P(SHIP) if the experiment keeps the planned n nevertheless.
        weeks: whole weeks of enrolment for the n needed then; None without declared traffic.
    """

    name: str
    n_per_arm: tuple[int, ...] | None
    binding: str | None
    ship_power: float | None
    weeks: int | None
    not_computed: str | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything `design preview` shows.

    Attributes:
        ship_power: lower bound of P(SHIP | primary = MDE, no guardrail harmed) at the planned n: 1 − Σβ.
        weeks: empty without declared traffic.
        stopping: the boundaries or sequences of a rule of several looks; None with one look.
    """

    title: str
    key: str
    sha256: str
    protocol: tuple[Section, ...]
    arms: tuple[str, ...]
    n_per_arm: tuple[int, ...]
    total: int
    computed: tuple[int, ...]
    overridden: bool
    binding: str
    power: float
    power_per_test: float
    ship_power: float
    metrics: tuple[MetricPlan, ...]
    enrolment: Duration | None
    weeks: tuple[WeekPlan, ...]
    sensitivity: tuple[Scenario, ...]
    stopping: StoppingPlan | None = None
    harm_stops: tuple[HarmStop, ...] = ()


def preview(design: Design) -> Preview:
    """The plain-language protocol, sample size, stopping rule, duration and sensitivity of a design."""
    plan = design.plan
    return Preview(
        title=design.title,
        key=design.key,
        sha256=design.sha256,
        protocol=protocol(design),
        arms=tuple(arm.name for arm in design.arms),
        n_per_arm=plan.n_per_arm,
        total=plan.total,
        computed=plan.computed,
        overridden=plan.overridden,
        binding=plan.binding,
        power=design.written.power.power,
        power_per_test=plan.power_per_test,
        ship_power=_together([requirement.power_at_plan for requirement in plan.requirements]),
        metrics=tuple(
            _metric(measure, needed, plan.binding)
            for measure, needed in zip(_deciding(design), plan.requirements, strict=True)
        ),
        enrolment=plan.enrolment,
        weeks=tuple(_weeks(design)),
        sensitivity=tuple(_sensitivity(design)),
        stopping=stopping_plan(design),
        harm_stops=harm_stops(design),
    )


def _deciding(design: Design) -> tuple[Measure, ...]:
    """The measures that decide, in the order of the plan's requirements."""
    return (design.primary, *(g for g in design.guardrails if g.role == "must-hold"))


def _metric(measure: Measure, needed: Requirement, binding: str) -> MetricPlan:
    amount = measure.mde if measure.margin is None else measure.margin
    # an effect is found on the absolute scale whichever way it was written; a margin is tested on its own
    relative = measure.margin is not None and measure.margin.kind == "relative"
    target = "no target" if amount is None else amount_in_words(measure, amount)
    return MetricPlan(
        role="primary" if measure.role == "primary" else "must-hold",
        metric=needed.metric,
        target=target if measure.margin is None else f"margin {target}",
        assumed=needed.assumed,
        test=needed.size.method,
        alpha=measure.alpha,
        sides=measure.sides,
        n_per_arm=needed.n_per_arm,
        power=needed.power_at_plan,
        binds=needed.metric == binding,
        factor=100.0 if relative or measure.metric.is_binary else 1.0,
        unit="% of control" if relative else "pp" if measure.metric.is_binary else measure.metric.unit,
    )


def _weeks(design: Design) -> list[WeekPlan]:
    plan, units_per_day = design.plan, design.written.power.units_per_day
    if plan.enrolment is None or units_per_day is None:
        return []
    shares = [float(arm.share) for arm in design.arms]
    found = []
    for week in range(1, min(plan.enrolment.enrolment_weeks + 2, MOST_WEEKS) + 1):
        units = tuple(int(units_per_day * 7 * week * share * (1 + 1e-12)) for share in shares)
        if min(units) < 2:
            found.append(WeekPlan(week, units, {r.metric: None for r in plan.requirements}, False))
            continue
        sizes = {metric: answer.value for metric, answer in detectable(design, plan, units).items()}
        enough = all(n >= planned for n, planned in zip(units, plan.n_per_arm, strict=True))
        found.append(WeekPlan(week, units, sizes, enough))
    return found


def _sensitivity(design: Design) -> list[Scenario]:
    sizes = [requirement.size for requirement in design.plan.requirements]
    measures = _deciding(design)

    def moved(factor: float) -> list[SampleSize]:
        return [_with_baseline(size, measure, factor) for size, measure in zip(sizes, measures, strict=True)]

    def spread(factor: float) -> list[SampleSize]:
        return [
            sample_size(size.comparisons, replace(size.plan, design_effect=factor * size.plan.design_effect))
            for size in sizes
        ]

    scenarios = [_scenario(design, "as planned", sizes)]
    for name, factor in (("baselines 20% lower", 0.8), ("baselines 20% higher", 1.2)):
        try:
            scenarios.append(_scenario(design, name, moved(factor)))
        except ValueError as error:
            scenarios.append(Scenario(name, None, None, None, None, str(error)))
    scenarios.append(_scenario(design, "variances 1.5 times as large", spread(1.5)))
    if design.written.power.units_per_day is not None:
        scenarios.append(_scenario(design, "traffic 30% lower", sizes, traffic=0.7))
    return scenarios


def _with_baseline(size: SampleSize, measure: Measure, factor: float) -> SampleSize:
    """The requirement had the baseline been that many times as large; a relative effect moves with it."""
    grown = factor if measure.mde is not None and measure.mde.kind == "relative" else 1.0
    comparisons: list[Comparison] = []
    for comparison in size.comparisons:
        if isinstance(comparison, ProportionsComparison):
            effect = comparison.effect * grown
            comparisons.append(replace(comparison, baseline=comparison.baseline * factor, effect=effect))
        elif isinstance(comparison, MeansComparison):
            mean = None if comparison.mean is None else comparison.mean * factor
            comparisons.append(replace(comparison, mean=mean, effect=comparison.effect * grown))
        else:
            raise TypeError(f"{type(comparison).__name__} has no baseline to move")
    return sample_size(comparisons, size.plan)


def _scenario(design: Design, name: str, sizes: Sequence[SampleSize], traffic: float = 1.0) -> Scenario:
    plan, units_per_day = design.plan, design.written.power.units_per_day
    needed = tuple(max(size.n_per_arm[arm] for size in sizes) for arm in range(len(design.arms)))
    binding = max(range(len(sizes)), key=lambda index: sizes[index].total)
    powers = [power_of(size.comparisons, plan.n_per_arm, size.plan) for size in sizes]
    weeks = None
    if units_per_day is not None:
        weeks = duration(
            sum(needed), units_per_day * traffic, window_days=design.maturity / DAY
        ).enrolment_weeks
    return Scenario(name, needed, plan.requirements[binding].metric, _together(powers), weeks)


def _together(powers: Sequence[float]) -> float:
    """Bonferroni's lower bound of the probability that every test succeeds."""
    return max(0.0, 1 - sum(1 - power for power in powers))
