"""The paragraph for a sceptical stakeholder: what was declared, what was found, how sure, what it cannot say."""

from __future__ import annotations

from experiments.designs.design import Design
from experiments.readouts import words
from experiments.readouts.comparisons import unit_words
from experiments.readouts.readout import Comparison, Readout


def paragraph(design: Design, readout: Readout) -> str:
    parts = [_declared(design, readout), _kept(readout), readout.verdict.sentence]
    if readout.verdict.code == "INVALID":
        return " ".join(parts)
    if len(readout.primary) == 1 and readout.look.harm_stop is None:
        parts.append(_how_sure(design, readout.primary[0]))
    return " ".join([*filter(None, parts), readout.limits[0]])


def _declared(design: Design, readout: Readout) -> str:
    late = any(label in {"late", "retrospective"} for label in readout.registration.labels)
    when = "After exposure had begun" if late else "Before any unit was exposed"
    arms = ", ".join(arm.name for arm in design.treatments)
    must_hold = sum(1 for guardrail in design.guardrails if guardrail.role == "must-hold")
    held = {0: "no guardrail", 1: "1 guardrail"}.get(must_hold, f"{must_hold} guardrails")
    return (
        f"{when} we declared that {arms} would be compared with {design.control.name} on one metric, "
        f"{design.primary.metric.reference}, which should {_target(design)}; that {held} had to hold; and when we would look."
    )


def _target(design: Design) -> str:
    primary = design.primary
    if primary.margin is not None:
        margin = words.size(primary.margin.value, primary.margin.kind, unit_words(primary))
        return f"not be worse by {margin} or more"
    if primary.mde is None:
        return "improve"
    mde = words.size(primary.mde.value, primary.mde.kind, unit_words(primary))
    return f"improve, {mde} being the smallest improvement worth shipping"


def _kept(readout: Readout) -> str:
    total = sum(units.analysed for units in readout.units)
    text = f"{words.count(total)} units were analysed"
    if readout.look.short:
        text += ", fewer than planned"
    amended = len(readout.registration.amendments)
    if amended:
        text += f"; the plan was amended {'once' if amended == 1 else f'{amended} times'} after it was locked"
    return text + "."


def _how_sure(design: Design, primary: Comparison) -> str:
    if primary.p_value is None or primary.interval is None:
        return ""
    if design.stopping.sequential:
        return _how_sure_over_looks(primary)
    seen = words.percent(primary.p_value)
    if design.primary.margin is not None:
        return (
            f"If the true worsening were exactly the margin, data this favourable would be seen in {seen} of experiments "
            f"({words.p(primary.p_value)})."
        )
    level = words.level(primary.interval)
    larger = "this large or larger" if design.primary.sides == 2 else "this favourable or more so"
    return (
        f"The {level} confidence interval of {primary.label} is {words.bounds(primary)}: intervals made this way contain the true "
        f"value in {level} of experiments. A difference {larger} would be seen in {seen} of experiments if there were no true "
        f"difference ({words.p(primary.p_value)})."
    )


def _how_sure_over_looks(primary: Comparison) -> str:
    if primary.interval is None or primary.p_value is None:
        return ""
    level = words.level(primary.interval)
    return (
        f"Counting that it may be looked at several times, the {level} confidence interval of {primary.label} is "
        f"{words.bounds(primary)}: in {level} of experiments the intervals of all looks contain the true value. The smallest level "
        f"over all looks at which this look would have decided is {words.percent(primary.p_value)} ({words.p(primary.p_value)})."
    )
