"""What is shown and decides nothing: declared secondary metrics, segments and sensitivity analyses."""

from __future__ import annotations

from analysis.effects import Effect
from analysis.interaction import interaction
from analysis.multiplicity import adjust
from experiments.readouts import words
from experiments.readouts.boundaries import LookTests
from experiments.readouts.comparisons import comparison
from experiments.readouts.estimates import Among, Asked
from experiments.readouts.readout import Comparison, Segment, Sensitivity

SEGMENT_ALPHA = 0.05


def secondary(tests: LookTests) -> list[Comparison]:
    """Secondary metrics, adjusted over metrics and treatments together."""
    design = tests.design
    found: dict[str, Comparison] = {}
    for index, measure in enumerate(design.measures):
        if measure.role != "secondary":
            continue
        for treatment in range(1, len(design.arms)):
            answer = tests.ask(index, treatment, measure.alpha).answer
            found[f"{measure.label} {treatment}"] = comparison(tests, index, treatment, answer, measure.alpha)
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


def segments(tests: LookTests) -> list[Segment]:
    """The primary by each declared segment, with a test that its effect is the same at every level (Holm over these)."""
    estimator, design = tests.estimator, tests.design
    found: list[Segment] = []
    for attribute in sorted(design.written.segments):
        for treatment in range(1, len(design.arms)):
            effects: dict[str, Effect] = {}
            rows = []
            for level in estimator.levels(attribute):
                among = Among(segment=attribute, level=level)
                effects[level], _ = estimator.effect(0, treatment, Asked(SEGMENT_ALPHA), among)
                answer = tests.difference(0, treatment, SEGMENT_ALPHA, among)
                rows.append(comparison(tests, 0, treatment, answer, SEGMENT_ALPHA, among=among))
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


def sensitivity(tests: LookTests) -> list[Sensitivity]:
    """The primary by its declared test, one choice undone."""
    estimator, design = tests.estimator, tests.design
    found = []
    for analysis in sorted(set(design.written.sensitivity)):
        if estimator.outcomes.family(0, analysis) is None:
            continue
        for treatment in range(1, len(design.arms)):
            among = Among(variant=analysis)
            alpha = design.primary.alpha
            answer = tests.ask(0, treatment, alpha, among).answer
            shown = comparison(tests, 0, treatment, answer, alpha, among=among)
            found.append(Sensitivity(analysis=analysis, comparison=shown))
    return found
