"""What one check says of each guardrail: worse than its margin, within it, or neither yet, at levels that hold over all checks.

Both claims are tests of the same value, the margin, from its two sides: the harm test spends the canary's own α, "within
margin" the guardrail's. Each has its boundary at every check (``analysis.staged``); the bounds shown are those at which the
boundary would just be touched, so that they hold at all checks at once (Jennison & Turnbull 1989, JRSS B 51, 305).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from analysis.guardrails import GuardrailState, worst
from analysis.sequential.spending import spending_function
from analysis.staged import StagedBoundary, StagedCheck, brings_information, staged_boundary, staged_p_value
from analysis.stratified import units_still_needed
from experiments.canaries.comparing import AgainstMargin, StepEstimates
from experiments.canaries.design import CANDIDATE, CONTROL, CanaryDesign
from experiments.canaries.past import Key, PastCheck, staged
from experiments.canaries.readout import CheckPoint, GuardrailReading
from experiments.designs.measures import Measure
from experiments.forms.durations import DAY
from experiments.readouts.comparisons import finite, unit_words
from experiments.readouts.deciding import MARGIN_WORDS
from experiments.readouts.estimates import EVERYONE, Among
from experiments.readouts.readout import Comparison, Interval

LEAST_LEVEL = 1e-12
"""A check that may spend no more than this decides nothing."""


@dataclass(frozen=True, slots=True)
class CheckMoment:
    """Of the check that is judged: its number, its time, the step that is on and the share of the plan it reads α at.

    Attributes:
        rate: mature units in each arm that this step brought a day so far; None where none came.
    """

    k: int
    at: datetime
    step: int
    share_of_plan: float
    rate: float | None


@dataclass(frozen=True, slots=True)
class JudgedGuardrail:
    """A guardrail: its state over all its levels, and a reading of each."""

    measure: Measure
    state: GuardrailState
    readings: tuple[GuardrailReading, ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Worsening that is not ruled out: ``low`` by the harm test, ``high`` by that of "within margin"; None where open."""

    low: float | None
    high: float | None


def judge_guardrails(
    design: CanaryDesign, estimates: StepEstimates, moment: CheckMoment, past: Sequence[PastCheck]
) -> tuple[JudgedGuardrail, ...]:
    """Every guardrail at this check."""
    judged = []
    for index, measure in enumerate(design.measures):
        readings: list[GuardrailReading] = []
        states: list[GuardrailState] = []
        for level in design.levels[measure.label]:
            among = EVERYONE if level is None else Among(segment=measure.segment, level=level)
            reading, state = _judged(design, estimates, moment, index, among, past)
            readings.append(reading)
            states.append(state)
        if measure.segment is not None:
            declared = set(design.levels[measure.label])
            for level in estimates.levels_logged(measure.segment):
                if level not in declared:
                    readings.append(
                        _undeclared(estimates, index, Among(segment=measure.segment, level=level))
                    )
                    states.append(GuardrailState.MISSING)
        judged.append(JudgedGuardrail(measure, worst(states), tuple(readings)))
    return tuple(judged)


def _judged(
    design: CanaryDesign,
    estimates: StepEstimates,
    moment: CheckMoment,
    index: int,
    among: Among,
    past: Sequence[PastCheck],
) -> tuple[GuardrailReading, GuardrailState]:
    measure = design.measures[index]
    key: Key = (measure.label, among.level)
    before = past[-1].path(key) if past else ()
    found = estimates.against_margin(index, measure.alpha, among)
    missing, checks = found.missing, staged(before)
    if missing is None and not brings_information(checks[-1] if checks else None, found.weight):
        missing = (
            f"no unit with a value has matured since check {before[-1].k}"
            if before
            else "no unit with a value"
        )
    if missing is None and not found.variance > 0:
        missing = "no variation in either arm"
    if missing is not None or found.z is None:
        shown = _reading(
            estimates, index, among, found, Bounds(None, None), before, GuardrailState.MISSING, missing
        )
        return shown, GuardrailState.MISSING
    checks = (*checks, StagedCheck(moment.share_of_plan, found.weight, found.variance))
    harm, within = boundaries(design, measure, checks)
    bounds = Bounds(
        _bound(estimates, index, among, harm, harmful=False),
        _bound(estimates, index, among, within, harmful=True),
    )
    state = state_of(found.z, harm.critical, within.critical)
    point = _point(design, measure, moment, found, found.z, checks, harm, within, bounds)
    reading = _reading(estimates, index, among, found, bounds, (*before, point), state, None)
    return _with_outlook(reading, found, within, moment, state), state


def boundaries(
    design: CanaryDesign, measure: Measure, checks: Sequence[StagedCheck]
) -> tuple[StagedBoundary, StagedBoundary]:
    """The boundary of the harm test and of "within margin" at the last of these checks."""
    harm, within = design.written.harm, design.written.checks
    return (
        staged_boundary(spending_function(harm.spending, harm.parameter), design.harm_alpha, checks),
        staged_boundary(spending_function(within.spending, within.parameter), measure.alpha, checks),
    )


def state_of(z: float, harm_critical: float, within_critical: float) -> GuardrailState:
    """The state by the two boundaries; z is above 0 where the candidate is worse than the margin."""
    if z >= harm_critical:
        return GuardrailState.BEYOND
    return GuardrailState.WITHIN if -z >= within_critical else GuardrailState.NOT_RULED_OUT


def _bound(
    estimates: StepEstimates, index: int, among: Among, boundary: StagedBoundary, *, harmful: bool
) -> float | None:
    """The worsening at which the boundary would just be touched, from the harmful or the other side."""
    if boundary.nominal < LEAST_LEVEL:
        return None
    effect = estimates.against_margin(index, boundary.nominal, among).effect
    if effect.ci is None:
        return None
    lower, upper = effect.ci
    higher = estimates.design.measures[index].metric.direction == "higher"
    return finite(-lower if higher else upper) if harmful else finite(-upper if higher else lower)


def _point(
    design: CanaryDesign,
    measure: Measure,
    moment: CheckMoment,
    found: AgainstMargin,
    z: float,
    checks: Sequence[StagedCheck],
    harm: StagedBoundary,
    within: StagedBoundary,
    bounds: Bounds,
) -> CheckPoint:
    of_harm, of_within = design.written.harm, design.written.checks
    return CheckPoint(
        k=moment.k,
        at=moment.at,
        step=moment.step,
        share_of_plan=moment.share_of_plan,
        weight=found.weight,
        variance=found.variance,
        z=z,
        harm_critical=finite(harm.critical),
        harm_spent=harm.spent[-1],
        harm_p_value=staged_p_value(spending_function(of_harm.spending, of_harm.parameter), checks, z),
        within_critical=finite(within.critical),
        within_spent=within.spent[-1],
        within_p_value=staged_p_value(spending_function(of_within.spending, of_within.parameter), checks, -z),
        estimate=_worsening(measure, found.effect.estimate),
        low=bounds.low,
        high=bounds.high,
    )


def _reading(
    estimates: StepEstimates,
    index: int,
    among: Among,
    found: AgainstMargin,
    bounds: Bounds,
    points: tuple[CheckPoint, ...],
    state: GuardrailState,
    missing: str | None,
) -> GuardrailReading:
    design, effect = estimates.design, found.effect
    measure = design.measures[index]
    margin = measure.margin
    if margin is None:
        raise ValueError(f"{measure.label} has no margin")
    measured = missing is None
    higher = measure.metric.direction == "higher"
    shown: Interval | None = None
    if measured:
        ci = (bounds.low, bounds.high) if not higher else (_negative(bounds.high), _negative(bounds.low))
        shown = Interval(low=ci[0], high=ci[1], level=1 - measure.alpha - design.harm_alpha)
    comparison = Comparison(
        metric=measure.metric.reference,
        label=measure.label,
        role=measure.role,
        type=measure.metric.type,
        unit=unit_words(measure),
        direction=measure.metric.direction,
        treatment=design.candidate.name,
        control_value=estimates.arm_value(index, CONTROL, effect.control_mean, among),
        treatment_value=estimates.arm_value(index, CANDIDATE, effect.treatment_mean, among),
        estimate=finite(effect.estimate) if measured else None,
        interval=shown,
        p_value=points[-1].within_p_value if measured and points else None,
        method=f"{effect.method}; repeated",
        scale=effect.scale,
        margin=margin.value,
        margin_kind=margin.kind,
        margin_reason=measure.reason,
        limit=-margin.value if higher else margin.value,
        state=MARGIN_WORDS[state],
        segment=among.segment,
        level=among.level,
        not_computed=missing,
    )
    return GuardrailReading(
        comparison=comparison,
        worsening=_worsening(measure, effect.estimate) if measured else None,
        margin=margin.value,
        harm_alpha=design.harm_alpha,
        within_alpha=measure.alpha,
        by_step=estimates.by_step(index, among),
        points=points,
    )


def _with_outlook(
    reading: GuardrailReading,
    found: AgainstMargin,
    within: StagedBoundary,
    moment: CheckMoment,
    state: GuardrailState,
) -> GuardrailReading:
    """How long it would take at this share, where the margin is not ruled out."""
    gap, error = found.gap, found.effect.standard_error
    if (
        state is not GuardrailState.NOT_RULED_OUT
        or gap is None
        or not error
        or not math.isfinite(within.critical)
    ):
        return reading
    needed = units_still_needed(gap, error, found.weight, within.critical)
    units = None if needed is None else math.ceil(needed)
    days = None if units is None or not moment.rate else units / moment.rate
    return reading.model_copy(update={"units_needed": units, "days_needed": days})


def _undeclared(estimates: StepEstimates, index: int, among: Among) -> GuardrailReading:
    found = estimates.against_margin(index, 0.025, among)
    why = f"{among.segment} = {among.level} is logged, and the plan does not list it"
    return _reading(estimates, index, among, found, Bounds(None, None), (), GuardrailState.MISSING, why)


def units_a_day(units: tuple[int, int], seconds: float) -> float | None:
    """Mature units in each arm that a step brought a day, over the time in which they could come."""
    return None if seconds <= 0 or min(units) == 0 else min(units) * DAY / seconds


def _worsening(measure: Measure, estimate: float | None) -> float | None:
    if estimate is None:
        return None
    return finite(-estimate if measure.metric.direction == "higher" else estimate)


def _negative(value: float | None) -> float | None:
    return None if value is None else -value
