"""The paragraph for a sceptical stakeholder: what was declared, what was found, how sure, what it cannot say."""

from __future__ import annotations

from experiments import words
from experiments.design import Design
from experiments.readout import Readout


def paragraph(design: Design, readout: Readout) -> str:
    """For a sceptical stakeholder: what was declared, what was found, how sure, what it cannot say."""
    primary_name = design.primary.metric.reference
    arms = ", ".join(arm.name for arm in design.treatments)
    target = (
        f"not be worse than the margin of {design.primary.margin.value:g} ({design.primary.margin.kind})"
        if design.primary.margin is not None
        else f"improve, with {design.primary.mde.value:g} ({design.primary.mde.kind}) as the smallest improvement worth shipping"
        if design.primary.mde is not None
        else "improve"
    )
    late = any(label in {"late", "retrospective"} for label in readout.registration.labels)
    when = "After exposure had begun" if late else "Before any unit was exposed"
    total = sum(units.analysed for units in readout.units)
    held = "1 guardrail" if len(design.guardrails) == 1 else f"{len(design.guardrails)} guardrails"
    text = (
        f"{when} we declared that {arms} would be compared with {design.control.name} on one metric, {primary_name}, "
        f"which should {target}; that {held} had to hold; and when we would look. "
        f"{words.count(total)} units were analysed. "
    )
    if readout.verdict.code == "INVALID":
        return text + readout.verdict.sentence
    text += readout.verdict.sentence
    primary = readout.primary[0]
    if primary.p_value is not None and primary.interval is not None and len(readout.primary) == 1:
        if design.primary.margin is None:
            text += (
                f" The {words.level(primary.interval)} confidence interval is {words.bounds(primary)}: "
                f"intervals made this way contain the true value in "
                f"{words.level(primary.interval)} of experiments. A difference this large or larger would be seen in "
                f"{_percent(primary.p_value)} of experiments if there were no true difference ({words.p(primary.p_value)})."
            )
        else:
            text += (
                f" If the true worsening were exactly the margin, data this favourable would be seen in {_percent(primary.p_value)} of "
                f"experiments ({words.p(primary.p_value)})."
            )
    return text + " " + readout.limits[0]


def _percent(p_value: float) -> str:
    return "less than 0.01%" if p_value < 0.0001 else f"{words.significant(100 * p_value, 2)}%"
