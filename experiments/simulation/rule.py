"""The whole rule at every look of many replays at once: validity, primary, guardrails, harm stops, and when it ends.

The vectorised twin of ``experiments.readouts.judgement`` and ``verdict``: a test compares the two replay by replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

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
    sequence_critical,
)
from experiments.simulation.pairs import Flags, Floats, Null, deviate, measured, standardised
from experiments.simulation.samples import Sample, deciding_measures, judged_measures
from experiments.simulation.schedule import Schedule
from experiments.simulation.validity import allocation_fails, missingness_fails

Codes = NDArray[np.int8]


class Reason(IntEnum):
    """Why a replay ended, in the order in which the verdict map asks."""

    GOES_ON = 0
    INVALID = 1
    HARM_STOP = 2
    PRIMARY_HARMED = 3
    GUARDRAIL_BEYOND = 4
    EFFICACY = 5
    FUTILITY = 6
    RULED_OUT = 7
    INCONCLUSIVE = 8


SHIPS: Final = frozenset({Reason.EFFICACY})
DOES_NOT_SHIP: Final = frozenset(
    {
        Reason.HARM_STOP,
        Reason.PRIMARY_HARMED,
        Reason.GUARDRAIL_BEYOND,
        Reason.FUTILITY,
        Reason.RULED_OUT,
    }
)
AT_ANY_LOOK: Final = SHIPS | DOES_NOT_SHIP - {Reason.RULED_OUT}
"""What ends an experiment also before its last look."""


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


def endings(design: Design, sample: Sample, boundaries: Boundaries) -> Endings:
    """Apply the rule to every replay, look by look."""
    by_treatment = _Rule(design, sample, boundaries).reasons()
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
    def __init__(self, design: Design, sample: Sample, boundaries: Boundaries) -> None:
        self.design, self.sample, self.boundaries = design, sample, boundaries
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
        for index in judged_measures(self.design)[1:]:
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


def holm_levels(p_values: Floats, alpha: float) -> Floats:
    """The level of each treatment by Holm's step-down; from the first that is not rejected on, that at which it failed."""
    order = p_values.argsort(axis=-1, kind="stable")
    ordered = np.take_along_axis(p_values, order, axis=-1)
    m = p_values.shape[-1]
    rejected = np.logical_and.accumulate(ordered < alpha / (m - np.arange(m)), axis=-1)
    before = np.concatenate(
        [np.zeros_like(rejected[..., :1], dtype=int), rejected.cumsum(axis=-1)[..., :-1]], axis=-1
    )
    levels = np.empty_like(p_values)
    np.put_along_axis(levels, order, alpha / (m - before), axis=-1)
    return levels


def overall(by_treatment: Codes) -> Codes:
    """The experiment's end at each look from the verdicts of its treatments; before the last it goes on where one of them does.

    It ends once any treatment ships or trips a harm stop, or when none goes on. DO NOT SHIP only where that is the verdict
    of every treatment; of several reasons the first in the verdict map's order is named.
    """
    going_on = ~np.isin(by_treatment, _values(AT_ANY_LOOK))
    going_on[:, -1] = False
    ships = (by_treatment == Reason.EFFICACY).any(axis=2)
    tripped = (by_treatment == Reason.HARM_STOP).any(axis=2)
    stopped = np.isin(by_treatment, _values(DOES_NOT_SHIP)).all(axis=2)
    found: Codes = np.select(
        [ships, going_on.any(axis=2) & ~tripped, stopped],
        [np.int8(Reason.EFFICACY), np.int8(Reason.GOES_ON), by_treatment.min(axis=2)],
        np.int8(Reason.INCONCLUSIVE),
    )
    return found


def _values(reasons: frozenset[Reason]) -> Sequence[int]:
    return sorted(int(reason) for reason in reasons)


def _sign(measure: Measure) -> int:
    return 1 if measure.metric.direction == "higher" else -1


def _null(measure: Measure) -> Null:
    """What the measure is held against: no difference, or its margin."""
    if measure.margin is None:
        return Null()
    worse = -_sign(measure) * measure.margin.value
    return Null(multiple=1 + worse) if measure.margin.kind == "relative" else Null(worse)
