"""A measure's declared test at a level: of a difference, or against its margin."""

from __future__ import annotations

from dataclasses import replace

from analysis.guardrails import Guardrail, GuardrailState, judge_effect
from analysis.inference import Alternative
from experiments.designs.design import Measure
from experiments.readouts.comparisons import Answer
from experiments.readouts.estimates import EVERYONE, Among, Asked, Estimator


def answer_of(
    estimator: Estimator, index: int, treatment: int, alpha: float, among: Among = EVERYONE
) -> Answer:
    """A measure's declared test at ``alpha``: of a difference, or against its margin."""
    if estimator.design.measures[index].margin is not None:
        return against_margin(estimator, index, treatment, alpha, among)
    measure = estimator.design.measures[index]
    two_sided = measure.sides == 2
    asked = Asked(alpha if two_sided else 2 * alpha)
    effect, adjustment = estimator.effect(index, treatment, asked, among)
    tested = effect
    if not two_sided:
        one_sided = Asked(alpha, better(measure))
        tested, _ = estimator.effect(index, treatment, one_sided, among)
    return Answer(effect, asked, adjustment, tested.p_value)


def against_margin(
    estimator: Estimator, index: int, treatment: int, alpha: float, among: Among = EVERYONE
) -> Answer:
    """A measure held against its margin: the two-sided interval at 2α, its state, and the one-sided p at the margin."""
    measure = estimator.design.measures[index]
    if measure.margin is None:
        raise ValueError(f"{measure.label} has no margin")
    margin, higher = measure.margin.value, measure.metric.direction == "higher"
    asked = (
        Asked(2 * alpha, multiple=1 - margin if higher else 1 + margin)
        if measure.margin.kind == "relative"
        else Asked(2 * alpha, null=-margin if higher else margin)
    )
    effect, adjustment = estimator.effect(index, treatment, asked, among)
    one_sided = replace(asked, alpha=alpha, alternative=better(measure))
    tested, _ = estimator.effect(index, treatment, one_sided, among)
    judged = judge_effect(effect, margin, measure.metric.direction, minimum_units=measure.minimum_units)
    unmeasured = estimator.too_many_missing(index, treatment, among)
    if judged.state is not GuardrailState.MISSING and unmeasured is not None:
        judged = _missing(judged, unmeasured)
    return Answer(effect, asked, adjustment, tested.p_value, judged)


def better(measure: Measure) -> Alternative:
    """The side on which the treatment is better."""
    return "greater" if measure.metric.direction == "higher" else "less"


def _missing(judged: Guardrail, reason: str) -> Guardrail:
    return replace(judged, state=GuardrailState.MISSING, harmful_bound=None, interval=None, reason=reason)
