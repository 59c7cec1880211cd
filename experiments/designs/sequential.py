"""What a design's stopping rule means for each of its metrics: boundaries, futility, confidence sequences, inflation.

All of it follows from the design alone. The boundaries that decide are found again at each look, at the information that
came (``experiments.readouts.boundaries``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from scipy.special import ndtri

from analysis.anytime.mixture import mixture_bound, mixture_precision
from analysis.anytime.sequence import Alternative, SequencePlan
from analysis.sequential.design import GroupSequentialDesign, group_sequential_design
from experiments.designs.measures import Measure
from experiments.designs.written_stopping import DEFAULT_BOUNDARY, DEFAULT_LOOKS, Boundary, Stopping

if TYPE_CHECKING:
    from experiments.designs.design import Design

DECIDING: Final = frozenset({"primary", "must-hold"})


def planned_looks(stopping: Stopping) -> tuple[float, ...]:
    """The share of the planned information expected at each declared look; with dates, even traffic is expected.

    None in an always-valid design, which looks at every step.
    """
    if stopping.rule == "fixed":
        return (1.0,)
    if stopping.rule == "always-valid":
        return ()
    if stopping.at is not None:
        return tuple(when / stopping.at[-1] for when in stopping.at)
    return stopping.looks or DEFAULT_LOOKS


def boundary_of(stopping: Stopping) -> Boundary:
    return stopping.boundary or DEFAULT_BOUNDARY


def level_of(design: Design, measure: Measure) -> float:
    """A measure's level for one treatment: with several, Bonferroni shares that of the primary."""
    return measure.alpha / len(design.treatments) if measure.role == "primary" else measure.alpha


def efficacy_design(design: Design, measure: Measure) -> GroupSequentialDesign:
    """The boundaries of a deciding measure at its own level, by the one declared kind.

    A guardrail spends its one-sided level in both directions: within its margin, and beyond it. Binding futility is part
    of the primary's, since its critical values count on it.
    """
    stopping = design.written.stopping
    futility = stopping.futility
    sides = measure.sides if measure.role == "primary" else 1
    level, looks, kind = level_of(design, measure), planned_looks(stopping), boundary_of(stopping)
    if measure.role == "primary" and futility is not None and futility.binding:
        return group_sequential_design(
            kind,
            level,
            looks,
            sides,
            stopping.parameter,
            power=design.plan.power_per_test,
            futility=futility.spending,
            futility_parameter=futility.parameter,
            binding=True,
        )
    return group_sequential_design(kind, level, looks, sides, stopping.parameter)


def futility_design(design: Design) -> GroupSequentialDesign | None:
    """The primary's futility boundary, on the side that is better; None without one or with a single look.

    Beside a two-sided test it is that of the one-sided test at half the level, which has the same efficacy boundary but
    for crossings on the other side: what shows no improvement is futile, whether it shows harm or nothing.
    """
    stopping, primary = design.written.stopping, design.primary
    if stopping.rule != "group-sequential" or stopping.futility is None:
        return None
    return group_sequential_design(
        boundary_of(stopping),
        level_of(design, primary) / primary.sides,
        planned_looks(stopping),
        1,
        stopping.parameter,
        power=design.plan.power_per_test,
        futility=stopping.futility.spending,
        futility_parameter=stopping.futility.parameter,
        binding=stopping.futility.binding,
    )


def sequence_plan(
    design: Design, measure: Measure, treatment: int, alternative: Alternative = "two-sided"
) -> SequencePlan:
    """The confidence sequence of a measure, with its mixture fixed from the planned n and nothing that came later."""
    planned = design.plan.n_per_arm
    burn_in = measure.burn_in if measure.role == "harm-stop" else design.written.stopping.burn_in
    if burn_in is None:
        raise ValueError(f"{measure.label} has no burn-in; a confidence sequence needs a declared one")
    return SequencePlan(
        alpha=level_of(design, measure),
        planned_n=planned[0] + planned[treatment],
        burn_in=burn_in,
        alternative=alternative,
    )


def inflation(stopping: Stopping, level: float, sides: int, power: float, *, futility: bool) -> float:
    """How many times the fixed design's units a metric needs at most, to keep its power under this rule.

    For a confidence sequence: so that it excludes the null at the planned n with that power, without counting the looks
    before, which only add to it.

    Args:
        level: of the metric, two-sided or one-sided as ``sides`` says.
        power: of this metric alone, in the right direction.
        futility: whether the metric has the declared futility boundary (the primary has).
    """
    if stopping.rule == "fixed":
        return 1.0
    if stopping.rule == "always-valid":
        return _sequence_inflation(level, sides, power)
    looks, kind = planned_looks(stopping), boundary_of(stopping)
    if not futility or stopping.futility is None:
        found = group_sequential_design(kind, level, looks, sides, stopping.parameter, power=power)
    else:
        found = group_sequential_design(
            kind,
            level / sides,
            looks,
            1,
            stopping.parameter,
            power=power,
            futility=stopping.futility.spending,
            futility_parameter=stopping.futility.parameter,
            binding=stopping.futility.binding,
        )
    return max(1.0, found.inflation or 1.0)


def _sequence_inflation(level: float, sides: int, power: float) -> float:
    """The boundary at the planned n in standard errors, against the fixed test's; n scales out of both."""
    one_sided = sides == 1
    critical = mixture_bound(1.0, level, mixture_precision(1.0, level, one_sided), one_sided)
    quantile = float(ndtri(power))
    return math.pow((critical + quantile) / (quantile - float(ndtri(level / sides))), 2)
