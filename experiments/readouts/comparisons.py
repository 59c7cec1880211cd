"""An effect as the readout holds it: estimate, interval, p and what stands beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from analysis.adjustment import Adjustment
from analysis.effects import Effect
from analysis.guardrails import Guardrail
from analysis.ratios import effective_units
from experiments.designs.design import Measure
from experiments.readouts.estimates import EVERYONE, Among, Asked, Estimator
from experiments.readouts.readout import Comparison, Interval

FEW_EFFECTIVE_UNITS = 100
"""Below it intervals of a ratio covered 90 to 94 % instead of 95 % (tests/analysis/test_cluster_coverage.py)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One treatment against control by the measure's declared test.

    Attributes:
        effect: two-sided, for the interval: at α, or at 2α beside a one-sided test, so that each bound errs with α.
        asked: what ``effect`` answers.
        p_value: of the deciding test, which may be one-sided; it is below α exactly when the interval excludes the null on
            the side that passes.
        guardrail: the margin judged, where the measure has one.
    """

    effect: Effect
    asked: Asked
    adjustment: Adjustment | None
    p_value: float | None
    guardrail: Guardrail | None = None


class Tests(Protocol):
    """Every test of one look; see ``boundaries.LookTests``."""

    estimator: Estimator

    def unadjusted(self, index: int, treatment: int, alpha: float, among: Among) -> Effect: ...


def comparison(
    tests: Tests,
    index: int,
    treatment: int,
    answer: Answer,
    alpha: float,
    *,
    among: Among = EVERYONE,
    state: str = "",
    not_computed: str | None = None,
) -> Comparison:
    """The answer, at its level ``alpha``, with each arm's own numbers and, beside an adjusted effect, the unadjusted one."""
    estimator = tests.estimator
    measure, effect, guardrail = estimator.design.measures[index], answer.effect, answer.guardrail
    reduction = answer.adjustment.variance_reduction if answer.adjustment else None
    unadjusted = None
    if reduction is not None:
        unadjusted = tests.unadjusted(index, treatment, alpha, among)
    relative = effect.relative
    return Comparison(
        metric=measure.metric.reference,
        label=measure.label,
        role=measure.role,
        type=measure.metric.type,
        unit=unit_words(measure),
        direction=measure.metric.direction,
        treatment=estimator.design.arms[treatment].name,
        control_value=estimator.arm_value(index, 0, among),
        treatment_value=estimator.arm_value(index, treatment, among),
        estimate=finite(effect.estimate),
        interval=interval(effect.ci, effect.level),
        p_value=answer.p_value,
        method=_method(measure, effect, adjusted=reduction is not None),
        scale=effect.scale,
        relative=finite(relative.estimate) if relative else None,
        relative_interval=interval(relative.ci, effect.level) if relative else None,
        relative_method=relative.method if relative else None,
        mde=planned_effect(measure),
        margin=measure.margin.value if measure.margin else None,
        margin_kind=measure.margin.kind if measure.margin else None,
        margin_reason=measure.reason,
        limit=guardrail.limit if guardrail else None,
        state=state,
        variance_reduction=reduction,
        unadjusted=interval(unadjusted.ci, unadjusted.level) if unadjusted else None,
        unadjusted_estimate=finite(unadjusted.estimate) if unadjusted else None,
        level=among.level,
        segment=among.segment,
        not_computed=not_computed or (guardrail.reason if guardrail else None) or effect.not_computed,
        notes=tuple(_notes(estimator, index, treatment, answer, among)),
    )


def planned_effect(measure: Measure) -> float | None:
    """The MDE as a difference in the metric's unit, above 0; a relative one is of the declared baseline."""
    if measure.mde is None:
        return None
    if measure.mde.kind == "absolute":
        return measure.mde.value
    return None if measure.baseline is None else measure.mde.value * abs(measure.baseline.mean)


def unit_words(measure: Measure) -> str:
    return "percentage points" if measure.metric.is_binary else measure.metric.unit


def finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def interval(ci: tuple[float, float] | None, level: float) -> Interval | None:
    """An interval; an open side is None."""
    if ci is None:
        return None
    return Interval(low=finite(ci[0]), high=finite(ci[1]), level=level)


def _method(measure: Measure, effect: Effect, *, adjusted: bool) -> str:
    if not adjusted:
        return effect.method
    noun = "covariate" if len(measure.covariates) == 1 else "covariates"
    return f"{effect.method}, adjusted for {len(measure.covariates)} {noun}"


def _notes(estimator: Estimator, index: int, treatment: int, answer: Answer, among: Among) -> list[str]:
    notes = [
        f"covariate {coefficient.covariate} was not used: {coefficient.not_used}"
        for coefficient in (answer.adjustment.coefficients if answer.adjustment else ())
        if coefficient.not_used
    ]
    if answer.adjustment is not None and answer.adjustment.not_computed:
        notes.append(f"not adjusted: {answer.adjustment.not_computed}")
    if estimator.design.measures[index].metric.type == "ratio":
        effective = [effective_units(estimator.comoments(index, arm, among)) for arm in (0, treatment)]
        few = [round(units) for units in effective if units is not None and units < FEW_EFFECTIVE_UNITS]
        if few:
            notes.append(
                f"a few units have most of the denominator (as many as {few[0]} equal ones would): the interval may be a few "
                "points too narrow"
            )
    if estimator.design.measures[index].covariates and among.variant == "declared":
        plain = Among("unadjusted", among.segment, among.level)
        without = [
            estimator.comoments(index, arm, plain).n - estimator.comoments(index, arm, among).n
            for arm in (0, treatment)
        ]
        if any(without):
            notes.append(
                f"{without[0]} control and {without[1]} treatment units without a covariate value take no part in the adjusted "
                "comparison"
            )
    return notes
