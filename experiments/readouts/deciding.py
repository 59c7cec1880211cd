"""What decides: the primary and the guardrails of every treatment, each by its declared test at its declared level."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.dunnett import adjust_dunnett, dunnett_level
from analysis.guardrails import GuardrailState, worst
from analysis.multiplicity import adjust
from experiments.designs.design import Measure
from experiments.designs.sequential import level_of
from experiments.readouts.asking import answer_of, better
from experiments.readouts.boundaries import LookTests
from experiments.readouts.comparisons import Answer, comparison, planned_effect
from experiments.readouts.estimates import EVERYONE, Among, Estimator
from experiments.readouts.paths import path_of
from experiments.readouts.readout import Comparison, SequentialPath
from experiments.readouts.verdict import PrimaryState

STATE_WORDS = {
    PrimaryState.MET: "Improved",
    PrimaryState.HARMED: "Worse",
    PrimaryState.RULED_OUT: "Planned effect ruled out",
    PrimaryState.FUTILE: "Futility boundary crossed",
    PrimaryState.UNDECIDED: "No evidence of a difference",
    PrimaryState.MISSING: "Not measured",
}
MARGIN_WORDS = {
    GuardrailState.WITHIN: "Within margin",
    GuardrailState.BEYOND: "Beyond margin",
    GuardrailState.NOT_RULED_OUT: "Margin not ruled out",
    GuardrailState.MISSING: "Missing",
}
HARM_WORDS = {
    GuardrailState.WITHIN: "Not tripped",
    GuardrailState.BEYOND: "Tripped",
    GuardrailState.NOT_RULED_OUT: "Not tripped",
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
    """One treatment: its comparisons and what they mean for the verdict.

    Attributes:
        states: of the must-hold guardrails.
        tripped: the harm stops that tripped, by name.
        paths: of the primary and the must-hold guardrails over the looks; none with a single look.
    """

    treatment: int
    primary: Comparison
    state: PrimaryState
    guardrails: tuple[Comparison, ...]
    states: tuple[GuardrailState, ...]
    tripped: tuple[str, ...] = ()
    paths: tuple[SequentialPath, ...] = ()


@dataclass(frozen=True, slots=True)
class TreatmentLevel:
    """The level at which a treatment's primary is tested and shown, and its adjusted p (None for a single treatment)."""

    alpha: float
    adjusted: float | None = None


def judge_all(tests: LookTests) -> list[Judged]:
    """Primary and guardrails of every treatment, the primary's level shared over treatments as declared."""
    design = tests.design
    levels = treatment_levels(tests.estimator)
    judged = []
    for treatment in range(1, len(design.arms)):
        primary, state, path = _primary(tests, treatment, levels[treatment])
        paths = [path]
        guardrails: list[Comparison] = []
        states: list[GuardrailState] = []
        tripped: list[str] = []
        for index, measure in enumerate(design.measures):
            if measure.role not in {"must-hold", "monitor", "harm-stop"}:
                continue
            found, state_of, of_levels = _guardrail(tests, index, treatment)
            guardrails += found
            if measure.role == "must-hold":
                states.append(state_of)
                paths += of_levels
            if measure.role == "harm-stop" and state_of is GuardrailState.BEYOND:
                tripped.append(measure.label)
        judged.append(
            Judged(
                treatment,
                primary,
                state,
                tuple(guardrails),
                tuple(states),
                tuple(tripped),
                tuple(found for found in paths if found is not None),
            )
        )
    return judged


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

    Bonferroni and Dunnett give all the same level. Holm's step-down is kept dual to the intervals: a treatment rejected at its
    step is shown at that step's level, and from the first that is not rejected on, all are shown at the level at which it failed.
    """
    design, measure = estimator.design, estimator.design.primary
    treatments = range(1, len(design.arms))
    m = len(treatments)
    if m == 1:
        return {1: TreatmentLevel(measure.alpha)}
    if design.stopping.sequential:
        return {treatment: TreatmentLevel(level_of(design, measure)) for treatment in treatments}
    p_values = {
        str(treatment): answer_of(estimator, 0, treatment, measure.alpha).p_value for treatment in treatments
    }
    if design.multiple_treatments == "dunnett":
        return _dunnett_levels(estimator, p_values)
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


def _dunnett_levels(estimator: Estimator, p_values: dict[str, float | None]) -> dict[int, TreatmentLevel]:
    """Dunnett's single step: the comparisons share the control, so each may have more than α over their number."""
    measure = estimator.design.primary
    control, *treated = (max(1, estimator.arm_value(0, arm).n) for arm in range(len(estimator.design.arms)))
    units = dict(zip(p_values, treated, strict=True))
    alternative = "two-sided" if measure.sides == 2 else better(measure)
    level = dunnett_level(control, treated, alternative=alternative, alpha=measure.alpha)
    family = adjust_dunnett(p_values, control, units, alternative=alternative, alpha=measure.alpha)
    return {int(name): TreatmentLevel(level, one.adjusted) for name, one in family.members.items()}


def _primary(
    tests: LookTests, treatment: int, level: TreatmentLevel
) -> tuple[Comparison, PrimaryState, SequentialPath | None]:
    estimator, measure = tests.estimator, tests.design.primary
    at = tests.ask(0, treatment, level.alpha)
    unmeasured = None
    if at.judged.guardrail is not None:
        of_margin = at.judged.guardrail.state
        state, state_words = NON_INFERIORITY[of_margin], MARGIN_WORDS[of_margin]
    else:
        unmeasured = estimator.too_many_missing(0, treatment)
        state = superiority(measure, at.judged, at.alpha) if unmeasured is None else PrimaryState.MISSING
        state_words = STATE_WORDS[state]
    undecided = state in {PrimaryState.UNDECIDED, PrimaryState.RULED_OUT}
    if undecided and tests.is_futile(at.z):
        state, state_words = PrimaryState.FUTILE, STATE_WORDS[PrimaryState.FUTILE]
    if state is PrimaryState.RULED_OUT and tests.interim and tests.rule == "always-valid":
        state = (
            PrimaryState.FUTILE
        )  # a confidence sequence that excludes the planned effect needs no further look
    found = comparison(
        tests, 0, treatment, at.answer, level.alpha, state=state_words, not_computed=unmeasured
    )
    if level.adjusted is not None:
        method = estimator.design.multiple_treatments
        found = found.model_copy(update={"adjusted_p_value": level.adjusted, "multiplicity": method})
    return found, state, path_of(tests, 0, treatment, at, level.alpha)


def _guardrail(
    tests: LookTests, index: int, treatment: int
) -> tuple[list[Comparison], GuardrailState, list[SequentialPath | None]]:
    """A guardrail of one treatment; with a segment every level must hold, and an empty level is missing."""
    estimator, measure = tests.estimator, tests.design.measures[index]
    among = [EVERYONE]
    if measure.segment is not None:
        among = [Among(segment=measure.segment, level=level) for level in estimator.levels(measure.segment)]
    said = HARM_WORDS if measure.role == "harm-stop" else MARGIN_WORDS
    found, states, paths = [], [], []
    for one in among:
        at = tests.ask(index, treatment, measure.alpha, one)
        guardrail = at.judged.guardrail
        state = GuardrailState.MISSING if guardrail is None else guardrail.state
        found.append(
            comparison(tests, index, treatment, at.answer, measure.alpha, among=one, state=said[state])
        )
        states.append(state)
        if measure.role == "must-hold":
            paths.append(path_of(tests, index, treatment, at, measure.alpha, one))
    return found, worst(states), paths
