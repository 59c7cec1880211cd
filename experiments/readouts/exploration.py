"""What is shown and decides nothing: declared secondary metrics, segments and sensitivity analyses."""

from __future__ import annotations

from analysis.effects import Effect
from analysis.interaction import interaction
from analysis.multiplicity import adjust
from experiments.readouts import words
from experiments.readouts.comparisons import Answer, comparison
from experiments.readouts.deciding import answer_of
from experiments.readouts.estimates import Among, Asked, Estimator
from experiments.readouts.readout import Comparison, Segment, Sensitivity

SEGMENT_ALPHA = 0.05


def secondary(estimator: Estimator) -> list[Comparison]:
    """Secondary metrics, adjusted over metrics and treatments together."""
    design = estimator.design
    found: dict[str, Comparison] = {}
    for index, measure in enumerate(design.measures):
        if measure.role != "secondary":
            continue
        for treatment in range(1, len(design.arms)):
            answer = answer_of(estimator, index, treatment, measure.alpha)
            found[f"{measure.label} {treatment}"] = comparison(estimator, index, treatment, answer)
    if not found:
        return []
    method = design.written.secondary.multiplicity
    family = adjust({name: c.p_value for name, c in found.items()}, method=method)
    adjusted = []
    for name, one in found.items():
        member = family.members[name]
        one = one.model_copy(update={"adjusted_p_value": member.adjusted, "multiplicity": method})
        reading = words.secondary_reading(one, rejected=member.rejected)
        adjusted.append(one.model_copy(update={"state": reading}))
    return adjusted


def segments(estimator: Estimator) -> list[Segment]:
    """The primary by each declared segment, with a test that its effect is the same at every level (Holm over these)."""
    design = estimator.design
    found: list[Segment] = []
    for attribute in sorted(design.written.segments):
        for treatment in range(1, len(design.arms)):
            effects: dict[str, Effect] = {}
            rows = []
            for level in estimator.levels(attribute):
                among, asked = Among(segment=attribute, level=level), Asked(SEGMENT_ALPHA)
                effect, adjustment = estimator.effect(0, treatment, asked, among)
                effects[level] = effect
                answer = Answer(effect, asked, adjustment, effect.p_value)
                rows.append(comparison(estimator, 0, treatment, answer, among=among))
            same = interaction(effects)
            found.append(
                Segment(
                    attribute=attribute,
                    comparisons=tuple(rows),
                    interaction_p_value=same.p_value,
                    interaction_method="Cochran's Q" if same.df is None else f"Cochran's Q, {same.df} df",
                    not_computed=same.not_computed,
                )
            )
    if not found:
        return []
    family = adjust({str(i): s.interaction_p_value for i, s in enumerate(found)}, method="holm")
    return [
        s.model_copy(update={"adjusted_interaction_p_value": family.members[str(i)].adjusted})
        for i, s in enumerate(found)
    ]


def sensitivity(estimator: Estimator) -> list[Sensitivity]:
    """The primary by its declared test, one choice undone."""
    design = estimator.design
    found = []
    for analysis in sorted(set(design.written.sensitivity)):
        if estimator.outcomes.family(0, analysis) is None:
            continue
        for treatment in range(1, len(design.arms)):
            among = Among(variant=analysis)
            answer = answer_of(estimator, 0, treatment, design.primary.alpha, among)
            found.append(
                Sensitivity(
                    analysis=analysis, comparison=comparison(estimator, 0, treatment, answer, among=among)
                )
            )
    return found
