"""The whole rule at every look of many replays at once: validity, primary, guardrails, harm stops, and when it ends.

The vectorised twin of ``experiments.readouts.judgement`` and ``verdict``: a test compares the two replay by replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from analysis.anytime.sequence import Alternative
from analysis.sequential.boundaries import ROUNDING
from experiments.designs.design import Design, Measure
from experiments.designs.sequential import efficacy_design, futility_design, sequence_plan
from experiments.readouts.comparisons import planned_effect
from experiments.simulation.critical import (
    Boundary,
    critical_of,
    futility_of,
    holm_levels,
    sequence_critical,
)
from experiments.simulation.pairs import Flags, Floats, Null, deviate, measured, standardised
from experiments.simulation.reasons import Codes, Reason, overall
from experiments.simulation.samples import Sample, deciding_measures, judged_measures
from experiments.simulation.schedule import Schedule
from experiments.simulation.validity import allocation_fails, missingness_fails


@dataclass(frozen=True, slots=True)
class Endings:
    """How each replay ended; arrays of shape (replays,). ``look`` counts from 0; ``units`` are those of all arms then."""

    look: NDArray[np.int64]
    reason: Codes
    units: Floats


@dataclass(frozen=True, slots=True)
class Boundaries:
    """What the rule compares with, settled before any replay. Empty but in a group-sequential design."""

    efficacy: Mapping[int, Boundary]
    futility: Boundary | None


def boundaries_of(design: Design, schedule: Schedule) -> Boundaries:
    """The boundaries of a group-sequential design around the information that its looks expect."""
    if design.stopping.rule != "group-sequential":
        return Boundaries({}, None)
    last = len(schedule.expected) - 1
    expected = tuple(
        at if look == last else min(at, 1 - 2 * ROUNDING) for look, at in enumerate(schedule.expected)
    )
    futile = futility_design(design)
    return Boundaries(
        {
            index: critical_of(efficacy_design(design, design.measures[index]), expected)
            for index in deciding_measures(design)
        },
        None if futile is None else futility_of(futile, expected),
    )


def endings(
    design: Design, sample: Sample, boundaries: Boundaries, measures: Sequence[int] | None = None
) -> Endings:
    """Apply the rule to every replay, look by look.

    Args:
        measures: those that take part, the primary first; by default ``judged_measures(design)``.
    """
    judged = judged_measures(design) if measures is None else tuple(measures)
    by_treatment = _Rule(design, sample, boundaries, judged).reasons()
    found = overall(by_treatment)
    found[allocation_fails(design, sample.units) | missingness_fails(design, sample)] = Reason.INVALID
    look = (found != Reason.GOES_ON).argmax(axis=1)
    rows = np.arange(len(look))
    return Endings(look, found[rows, look], sample.units.sum(axis=2)[rows, look])


@dataclass(frozen=True, slots=True)
class _Side:
    """A measure against a value at every look: whether its interval lies wholly on the better, or on the worse side."""

    better: Flags
    worse: Flags


@dataclass(frozen=True, slots=True)
class _Primary:
    """What a look says of the primary; ``futile`` ends an experiment at a look before the last."""

    met: Flags
    harmed: Flags
    ruled_out: Flags
    futile: Flags


class _Rule:
    """One sample under one design's rule; every array is by replay and look."""

    def __init__(
        self, design: Design, sample: Sample, boundaries: Boundaries, judged: tuple[int, ...]
    ) -> None:
        self.design, self.sample, self.boundaries, self.judged = design, sample, boundaries, judged
        self.rule = design.stopping.rule
        self.treatments = range(1, len(design.arms))
        control = sample.units[:, :, 0]
        with np.errstate(divide="ignore"):
            self.information: Floats = np.min(
                [
                    1 / (1 / control + 1 / sample.units[:, :, t]) / design.plan.information(t)
                    for t in self.treatments
                ],
                axis=0,
            )

    def reasons(self) -> Codes:
        """By replay, look and treatment: what its verdict would be if the experiment ended there, and why."""
        primary = self._primary_critical()
        return np.stack([self._treatment(t, primary[t]) for t in self.treatments], axis=2)

    def _treatment(self, treatment: int, critical: Floats) -> Codes:
        primary = self._primary(treatment, critical)
        missing = ~self._measured(0, treatment)
        within, beyond, tripped = np.ones_like(missing), np.zeros_like(missing), np.zeros_like(missing)
        for index in self.judged[1:]:
            measure, where = self.design.measures[index], self._measured(index, treatment)
            side = self._side(index, treatment, _null(measure), self._critical(index, treatment), where)
            if measure.role == "harm-stop":
                tripped |= side.worse
            else:
                within &= side.better
                beyond |= side.worse
                missing |= ~where
        ordered = (
            (tripped, Reason.HARM_STOP),
            (primary.harmed, Reason.PRIMARY_HARMED),
            (beyond, Reason.GUARDRAIL_BEYOND),
            (missing, Reason.INCONCLUSIVE),
            (primary.met & within, Reason.EFFICACY),
            (primary.met, Reason.INCONCLUSIVE),
            (primary.futile, Reason.FUTILITY),
            (primary.ruled_out, Reason.RULED_OUT),
        )
        found: Codes = np.select(
            [where for where, _ in ordered],
            [np.int8(reason) for _, reason in ordered],
            np.int8(Reason.INCONCLUSIVE),
        )
        return found

    def _primary(self, treatment: int, critical: Floats) -> _Primary:
        measure, where = self.design.primary, self._measured(0, treatment)
        null = _null(measure)
        side = self._side(0, treatment, null, critical, where)
        ruled_out, futile = np.zeros_like(where), np.zeros_like(where)
        effect = planned_effect(measure)
        if effect is not None:
            at_effect = Null(_sign(measure) * effect)
            ruled_out = self._side(0, treatment, at_effect, critical, where).worse
        if self.rule == "always-valid":
            futile = ruled_out
        elif self.boundaries.futility is not None:
            z = _sign(measure) * deviate(measure, self.sample.pair(0, treatment), null, where)
            futile = where & (z <= self.boundaries.futility.at(self.information))
        return _Primary(side.better, side.worse, ruled_out, futile)

    def _side(self, index: int, treatment: int, null: Null, critical: Floats, where: Flags) -> _Side:
        measure = self.design.measures[index]
        z = self._statistic(index, treatment, null, where) * _sign(measure)
        return _Side(where & (z > critical), where & (z < -critical))

    def _statistic(self, index: int, treatment: int, null: Null, where: Flags) -> Floats:
        measure, pair = self.design.measures[index], self.sample.pair(index, treatment)
        if self._is_sequence(measure):
            return standardised(pair, null, where)
        return deviate(measure, pair, null, where)

    def _measured(self, index: int, treatment: int) -> Flags:
        measure, pair = self.design.measures[index], self.sample.pair(index, treatment)
        where: Flags = measured(measure, pair) & self._enough_have_a_value(index, treatment)
        if self._is_sequence(measure):
            where &= pair.n >= sequence_plan(self.design, measure, treatment).burn_in
        return where

    def _enough_have_a_value(self, index: int, treatment: int) -> Flags:
        present = self.sample.with_value(index)
        if present is None:
            return np.ones(self.information.shape, dtype=bool)
        arms = [0, treatment]
        units = self.sample.units[:, :, arms]
        above_limit = units - present[:, :, arms] - self.design.written.rules.max_missing * units
        enough: Flags = above_limit.max(axis=2) <= 0
        return enough

    def _is_sequence(self, measure: Measure) -> bool:
        return self.rule == "always-valid" or measure.role == "harm-stop"

    def _critical(self, index: int, treatment: int) -> Floats:
        """A guardrail's or harm stop's critical value at each look; the primary's with several looks."""
        measure = self.design.measures[index]
        if self._is_sequence(measure):
            alternative: Alternative = "two-sided" if measure.sides == 2 else "greater"
            plan = sequence_plan(self.design, measure, treatment, alternative)
            return sequence_critical(plan, self.sample.pair(index, treatment).n)
        if self.rule == "group-sequential":
            return self.boundaries.efficacy[index].at(self.information)
        return np.full(self.information.shape, -ndtri(measure.alpha / measure.sides))

    def _primary_critical(self) -> dict[int, Floats]:
        """The primary's critical value of each treatment; with one look its α is shared as declared."""
        if self.rule != "fixed":
            return {t: self._critical(0, t) for t in self.treatments}
        measure, m = self.design.primary, len(self.treatments)
        alpha = np.full((*self.information.shape, m), measure.alpha / m)
        if m > 1 and self.design.multiple_treatments == "holm":
            alpha = holm_levels(np.stack([self._p_value(t) for t in self.treatments], axis=-1), measure.alpha)
        critical = -ndtri(alpha / measure.sides)
        return {t: critical[:, :, place] for place, t in enumerate(self.treatments)}

    def _p_value(self, treatment: int) -> Floats:
        measure, where = self.design.primary, self._measured(0, treatment)
        z = _sign(measure) * deviate(measure, self.sample.pair(0, treatment), _null(measure), where)
        p = 2 * ndtr(-np.abs(z)) if measure.sides == 2 else ndtr(-z)
        return np.where(where, p, np.inf)


def _sign(measure: Measure) -> int:
    return 1 if measure.metric.direction == "higher" else -1


def _null(measure: Measure) -> Null:
    """What the measure is held against: no difference, or its margin."""
    if measure.margin is None:
        return Null()
    worse = -_sign(measure) * measure.margin.value
    return Null(multiple=1 + worse) if measure.margin.kind == "relative" else Null(worse)
