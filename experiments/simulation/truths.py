"""What is true in a simulated experiment: the effects under which the rule is tried, as the design's own sizes name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from experiments.designs.design import Design, Measure
from experiments.simulation.samples import drawn_measures

SUPERIORITY = ((-1.0, "−MDE"), (0.0, "0"), (0.5, "½ MDE"), (1.0, "MDE"), (2.0, "2 MDE"))
NON_INFERIORITY = (
    (-1.5, "1½ margins worse"),
    (-1.0, "at its margin"),
    (-0.5, "½ margin worse"),
    (0.0, "0"),
    (0.5, "½ margin better"),
)


@dataclass(frozen=True, slots=True)
class Truth:
    """One row of the table: a true effect on the primary, and on nothing else unless a guardrail is named.

    Attributes:
        name: for people.
        primary: effect on the primary, in its MDEs or margins; above 0 is better.
        guardrail: the one whose true effect is just its margin; None where all are unharmed.
        effects: treatment − control by the measure's place in ``design.measures``, in the metric's unit; 0 where absent.
            Every treatment has it.
        impossible: why such a truth cannot be, for example a rate above 1; else None.
    """

    name: str
    primary: float
    guardrail: str | None
    effects: Mapping[int, float]
    impossible: str | None = None


def truths_of(design: Design) -> tuple[Truth, ...]:
    """True effects on the primary with guardrails unharmed, then each deciding guardrail and harm stop at its margin."""
    noninferiority = design.primary.margin is not None
    planned = 0.0 if noninferiority else 1.0
    rows = [
        _truth(design, name, size, None)
        for size, name in (NON_INFERIORITY if noninferiority else SUPERIORITY)
    ]
    for index in drawn_measures(design)[1:]:
        rows.append(_truth(design, f"{design.measures[index].label} at its margin", planned, index))
    return tuple(rows)


def effect_of(measure: Measure, size: float) -> float:
    """So many MDEs (or margins, where there is one) as treatment − control in the metric's unit; above 0 is better."""
    amount = measure.margin or measure.mde
    if amount is None or measure.baseline is None:
        raise ValueError(f"{measure.label} has no MDE, no margin or no baseline; a simulation needs them")
    unit = amount.value * (abs(measure.baseline.mean) if amount.kind == "relative" else 1.0)
    return size * unit if measure.metric.direction == "higher" else -size * unit


def _truth(design: Design, name: str, primary: float, guardrail: int | None) -> Truth:
    effects = {0: effect_of(design.primary, primary)}
    if guardrail is not None:
        effects[guardrail] = effect_of(design.measures[guardrail], -1.0)
    impossible = next(
        (
            found
            for index, effect in effects.items()
            if (found := _impossible(design.measures[index], effect)) is not None
        ),
        None,
    )
    label = None if guardrail is None else design.measures[guardrail].label
    return Truth(name, primary, label, MappingProxyType(effects), impossible)


def _impossible(measure: Measure, effect: float) -> str | None:
    if not measure.metric.is_binary or measure.baseline is None:
        return None
    rate = measure.baseline.mean + effect
    if 0 <= rate <= 1:
        return None
    return f"{measure.label}: a rate of {rate:g} is not between 0 and 1"
