"""What decides: the primary and the guardrails of every treatment, each by its declared test at its declared level."""

from __future__ import annotations

from dataclasses import dataclass, replace

from analysis.guardrails import Guardrail, GuardrailState, judge_effect, worst
from analysis.inference import Alternative
from analysis.multiplicity import adjust
from experiments.designs.design import Measure
from experiments.readouts.comparisons import Answer, comparison, planned_effect
from experiments.readouts.estimates import EVERYONE, Among, Asked, Estimator
from experiments.readouts.readout import Comparison
from experiments.readouts.verdict import PrimaryState

STATE_WORDS = {
    PrimaryState.MET: "Improved",
    PrimaryState.HARMED: "Worse",
    PrimaryState.RULED_OUT: "Planned effect ruled out",
    PrimaryState.UNDECIDED: "No evidence of a difference",
    PrimaryState.MISSING: "Not measured",
}
MARGIN_WORDS = {
    GuardrailState.WITHIN: "Within margin",
    GuardrailState.BEYOND: "Beyond margin",
    GuardrailState.NOT_RULED_OUT: "Margin not ruled out",
    GuardrailState.MISSING: "Missing",
}
NON_INFERIORITY = {
    GuardrailState.WITHIN: PrimaryState.MET,
    GuardrailState.BEYOND: PrimaryState.HARMED,
    GuardrailState.NOT_RULED_OUT: PrimaryState.UNDECIDED,
    GuardrailState.MISSING: PrimaryState.MISSING,
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One treatment: its comparisons and what they mean for the verdict. ``states`` are of the must-hold guardrails."""

    treatment: int
    primary: Comparison
    state: PrimaryState
    guardrails: tuple[Comparison, ...]
    states: tuple[GuardrailState, ...]


@dataclass(frozen=True, slots=True)
class TreatmentLevel:
    """The level at which a treatment's primary is tested and shown, and its adjusted p (None for a single treatment)."""

    alpha: float
    adjusted: float | None = None


def judge_all(estimator: Estimator) -> list[Judged]:
    """Primary and guardrails of every treatment, the primary's level shared over treatments as declared."""
    design = estimator.design
    levels = treatment_levels(estimator)
    judged = []
    for treatment in range(1, len(design.arms)):
        primary, state = _primary(estimator, treatment, levels[treatment])
        guardrails: list[Comparison] = []
        states: list[GuardrailState] = []
        for index, measure in enumerate(design.measures):
            if measure.role not in {"must-hold", "monitor"}:
                continue
            found, state_of = _guardrail(estimator, index, treatment)
            guardrails += found
            if measure.role == "must-hold":
                states.append(state_of)
        judged.append(Judged(treatment, primary, state, tuple(guardrails), tuple(states)))
    return judged


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


def superiority(measure: Measure, answer: Answer, alpha: float) -> PrimaryState:
    """What the deciding test says of a superiority primary at its (adjusted) level."""
    effect = answer.effect
    if answer.p_value is None or effect.estimate is None or effect.ci is None:
        return PrimaryState.MISSING
    higher = measure.metric.direction == "higher"
    worst_bound, best_bound = effect.ci if higher else (-effect.ci[1], -effect.ci[0])
    if answer.p_value < alpha and worst_bound > 0:
        return PrimaryState.MET
    if best_bound < 0:
        return PrimaryState.HARMED
    planned = planned_effect(measure)
    if planned is not None and best_bound < planned:
        return PrimaryState.RULED_OUT
    return PrimaryState.UNDECIDED


def treatment_levels(estimator: Estimator) -> dict[int, TreatmentLevel]:
    """The level of each treatment's primary.

    Holm's step-down, kept dual to the intervals: a treatment rejected at its step is shown at that step's level, and from
    the first that is not rejected on, all are shown at the level at which it failed.
    """
    design, measure = estimator.design, estimator.design.primary
    treatments = range(1, len(design.arms))
    m = len(treatments)
    if m == 1:
        return {1: TreatmentLevel(measure.alpha)}
    p_values = {
        str(treatment): answer_of(estimator, 0, treatment, measure.alpha).p_value for treatment in treatments
    }
    family = adjust(p_values, method=design.multiple_treatments, alpha=measure.alpha)
    adjusted = {treatment: family.members[str(treatment)].adjusted for treatment in treatments}
    if design.multiple_treatments == "bonferroni":
        return {t: TreatmentLevel(measure.alpha / m, adjusted[t]) for t in treatments}
    levels: dict[int, TreatmentLevel] = {}
    rejected = 0
    failed = False
    for treatment in sorted(treatments, key=lambda t: (p_values[str(t)] is None, p_values[str(t)] or 0.0, t)):
        alpha = measure.alpha / (m - rejected)
        levels[treatment] = TreatmentLevel(alpha, adjusted[treatment])
        p_value = p_values[str(treatment)]
        failed = failed or p_value is None or p_value >= alpha
        rejected += not failed
    return levels


def _primary(estimator: Estimator, treatment: int, at: TreatmentLevel) -> tuple[Comparison, PrimaryState]:
    measure = estimator.design.primary
    answer = answer_of(estimator, 0, treatment, at.alpha)
    unmeasured = None
    if answer.guardrail is not None:
        state, state_words = NON_INFERIORITY[answer.guardrail.state], MARGIN_WORDS[answer.guardrail.state]
    else:
        unmeasured = estimator.too_many_missing(0, treatment)
        state = superiority(measure, answer, at.alpha) if unmeasured is None else PrimaryState.MISSING
        state_words = STATE_WORDS[state]
    found = comparison(estimator, 0, treatment, answer, state=state_words, not_computed=unmeasured)
    if at.adjusted is not None:
        method = estimator.design.multiple_treatments
        found = found.model_copy(update={"adjusted_p_value": at.adjusted, "multiplicity": method})
    return found, state


def _guardrail(estimator: Estimator, index: int, treatment: int) -> tuple[list[Comparison], GuardrailState]:
    """A guardrail of one treatment; with a segment every level must hold, and an empty level is missing."""
    measure = estimator.design.measures[index]
    among = [EVERYONE]
    if measure.segment is not None:
        among = [Among(segment=measure.segment, level=level) for level in estimator.levels(measure.segment)]
    found, states = [], []
    for one in among:
        answer = against_margin(estimator, index, treatment, measure.alpha, one)
        state = GuardrailState.MISSING if answer.guardrail is None else answer.guardrail.state
        found.append(comparison(estimator, index, treatment, answer, among=one, state=MARGIN_WORDS[state]))
        states.append(state)
    return found, worst(states)


def _missing(judged: Guardrail, reason: str) -> Guardrail:
    return replace(judged, state=GuardrailState.MISSING, harmful_bound=None, interval=None, reason=reason)
