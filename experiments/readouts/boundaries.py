"""A measure's test at a look of several: its repeated interval and p, or its confidence sequence.

A repeated interval is the declared test's own inversion at the level the look allows (Jennison & Turnbull 1989, JRSS B 51,
p. 305): it excludes the null exactly when the boundary is crossed. With a single look that level is α and nothing here
changes a number. A confidence sequence takes the estimate and its standard error, and holds at every look at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from scipy.special import ndtr

from analysis.effects import Effect
from analysis.sequential.design import GroupSequentialDesign, group_sequential_design
from analysis.sequential.monitoring import SequentialBoundaries, boundaries_at, repeated_p_value
from experiments.designs.design import Measure
from experiments.designs.sequential import boundary_of, efficacy_design, futility_design, planned_looks
from experiments.readouts.asking import answer_of, better
from experiments.readouts.comparisons import Answer
from experiments.readouts.estimates import EVERYONE, Among, Asked, Estimator
from experiments.readouts.past import SAME_INFORMATION, PastLook
from experiments.readouts.readout import Look
from experiments.readouts.sequences import in_sequence, judged_by

LEAST_LEVEL: Final = 1e-12
"""A look that may spend no more than this decides nothing, and its interval is open."""


@dataclass(frozen=True, slots=True)
class AtLook:
    """One comparison at a look.

    Attributes:
        answer: as shown: the repeated interval and p, or those of the confidence sequence.
        judged: as judged, at ``alpha``: the declared test at the look's own level.
        z: positive where the treatment looks better than the null; None where there is no test.
        boundaries: up to this look; None for a confidence sequence or a single look.
    """

    answer: Answer
    judged: Answer
    alpha: float
    z: float | None = None
    boundaries: SequentialBoundaries | None = None
    boundary: GroupSequentialDesign | None = None


class LookTests:
    """Every test of one look, by the design's stopping rule."""

    def __init__(self, estimator: Estimator, look: Look, past: Sequence[PastLook] = ()) -> None:
        self.estimator, self.design, self.look, self.past = estimator, estimator.design, look, tuple(past)
        self.rule = self.design.stopping.rule
        earlier = [one.information for one in past if one.information < look.information - SAME_INFORMATION]
        self.information = (*earlier, look.information)
        self.ends = look.final and not look.stopped_by_hand

    @property
    def interim(self) -> bool:
        """Whether the experiment goes on unless a boundary is crossed."""
        return not look_is_last(self.look)

    def ask(self, index: int, treatment: int, alpha: float, among: Among = EVERYONE) -> AtLook:
        """A measure's declared test at its level ``alpha`` over all looks."""
        measure = self.design.measures[index]
        if measure.role == "harm-stop" or self.rule == "always-valid":
            return self._sequence(index, treatment, alpha, among)
        if self.rule == "fixed":
            answer = answer_of(self.estimator, index, treatment, alpha, among)
            return AtLook(answer, answer, alpha)
        return self._repeated(index, treatment, alpha, among)

    def difference(self, index: int, treatment: int, alpha: float, among: Among) -> Answer:
        """A two-sided test of no difference, whatever the measure declares: for what only describes."""
        asked = Asked(alpha)
        if self.rule == "group-sequential":
            stopping = self.design.stopping
            boundary = group_sequential_design(
                boundary_of(stopping), alpha, planned_looks(stopping), 2, stopping.parameter
            )
            bounds = boundaries_at(boundary, self.information, self.ends)
            asked = Asked(max(2 * float(ndtr(-bounds.critical[-1])), LEAST_LEVEL))
            effect, adjustment = self.estimator.effect(index, treatment, asked, among)
            p_value = None
            if effect.z is not None:
                p_value = repeated_p_value(boundary, self.information, effect.z, bounds.final)
            effect = replace(effect, alpha=alpha, p_value=p_value, method=f"{effect.method}, repeated")
            return Answer(effect, asked, adjustment, p_value)
        effect, adjustment = self.estimator.effect(index, treatment, asked, among)
        plain = Answer(effect, asked, adjustment, effect.p_value)
        if self.rule == "fixed":
            return plain
        two_sided = replace(self.design.measures[index], sides=2, margin=None)
        return in_sequence(self.design, two_sided, treatment, alpha, plain)

    def unadjusted(self, index: int, treatment: int, alpha: float, among: Among) -> Effect:
        """The effect without covariates, by the same rule; it stands beside an adjusted one."""
        return self.ask(
            index, treatment, alpha, Among("unadjusted", among.segment, among.level)
        ).answer.effect

    # Group-sequential

    def boundary(self, measure: Measure, alpha: float) -> GroupSequentialDesign:
        stopping = self.design.stopping
        if measure.role == "primary" and stopping.futility is not None and stopping.futility.binding:
            return efficacy_design(self.design, measure)
        return group_sequential_design(
            boundary_of(stopping), alpha, planned_looks(stopping), measure.sides, stopping.parameter
        )

    def _repeated(self, index: int, treatment: int, alpha: float, among: Among) -> AtLook:
        measure = self.design.measures[index]
        boundary = self.boundary(measure, alpha)
        bounds = boundaries_at(boundary, self.information, self.ends)
        nominal = measure.sides * float(ndtr(-bounds.critical[-1]))
        closed = nominal < LEAST_LEVEL
        judged = answer_of(self.estimator, index, treatment, max(nominal, LEAST_LEVEL), among)
        if closed:
            judged = _opened(judged)
        z = _better_z(measure, judged)
        p_value = None
        if z is not None:
            p_value = repeated_p_value(boundary, self.information, z, bounds.final)
        level = alpha if measure.sides == 2 else 2 * alpha
        effect = replace(
            judged.effect, alpha=level, p_value=p_value, method=f"{judged.effect.method}, repeated"
        )
        return AtLook(replace(judged, effect=effect, p_value=p_value), judged, nominal, z, bounds, boundary)

    def is_futile(self, z: float | None) -> bool:
        """Whether the primary's z is at or below the declared futility boundary of this look."""
        declared = futility_design(self.design)
        if declared is None or z is None or not self.interim:
            return False
        bounds = boundaries_at(declared, self.information, final=False)
        bound = None if bounds.futility is None else bounds.futility[-1]
        return bound is not None and z <= bound

    def _sequence(self, index: int, treatment: int, alpha: float, among: Among) -> AtLook:
        measure = self.design.measures[index]
        plain = answer_of(self.estimator, index, treatment, alpha, among)
        answer = in_sequence(self.design, measure, treatment, alpha, plain)
        effect = answer.effect
        return AtLook(answer, answer, alpha, None if effect.not_computed else _better_z(measure, plain))


def look_is_last(look: Look) -> bool:
    return look.final or look.stopped_by_hand or look.harm_stop is not None


def _better_z(measure: Measure, answer: Answer) -> float | None:
    """The statistic on the normal scale against the null tested, above 0 on the side that is better."""
    z = answer.effect.z
    if z is None or not math.isfinite(z):
        return None
    return z if better(measure) == "greater" else -z


def _opened(answer: Answer) -> Answer:
    """The answer of a look that may spend nothing: nothing is excluded."""
    if answer.effect.ci is None:
        return answer
    ci = (-math.inf, math.inf)
    guardrail = None if answer.guardrail is None else judged_by(answer.guardrail, ci)
    return replace(answer, effect=replace(answer.effect, ci=ci), p_value=1.0, guardrail=guardrail)
