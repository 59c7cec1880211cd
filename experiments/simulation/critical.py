"""Critical values of many replays at once: the declared boundaries at the units that came, and confidence sequences.

All are on the scale of one statistic: the test rejects where its normal deviate is beyond the critical value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy.special import ndtri

from analysis.anytime.mixture import mixture_bound
from analysis.anytime.sequence import SequencePlan
from analysis.sequential.boundaries import CLASSIC_TYPES
from analysis.sequential.design import GroupSequentialDesign
from analysis.sequential.monitoring import boundaries_at
from experiments.readouts.boundaries import LEAST_LEVEL
from experiments.simulation.pairs import Floats

LARGEST_STEP = 1e-3
"""Relative change of the information from which a boundary's slopes are taken."""
KNOTS = 33
"""Points between the fewest and the most units at a look at which a sequence's boundary is computed."""


class Boundary(Protocol):
    """Critical values at every look of every replay, shape (replays, looks), by the information that came."""

    def at(self, information: Floats) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Expanded:
    """A boundary near the expected information: its value there, and how it moves as each look's information differs.

    Units fall to the arms by chance, so each replay has its own information at every look and its own boundary, which takes a
    recursive integration to find. It differs from the expected one by little: the error of this expansion is of the order of
    the square of the information's relative deviation, below 0.001 in z from a few hundred units on and 1e-5 from ten
    thousand on (see the tests). At the expected information it is exact.

    Attributes:
        expected: information at each look, shape (looks,).
        value: the boundary there.
        rising, falling: slopes for more and for less information, shape (look whose information differs, look of the
            boundary). The two differ for a classic boundary, whose spending has corners at the planned looks.
        levels: whether value and slopes are of the one-sided level of a look instead of its z: a classic boundary spends
            in straight lines between its looks, a spending function moves z more evenly.
    """

    expected: Floats
    value: Floats
    rising: Floats
    falling: Floats
    levels: bool = False

    def at(self, information: Floats) -> Floats:
        """The boundary at the information of every replay, shape (replays, looks)."""
        off = information - self.expected
        moved = np.einsum("rj,jk->rk", np.maximum(off, 0), self.rising)
        moved += np.einsum("rj,jk->rk", np.minimum(off, 0), self.falling)
        found: Floats = self.value + moved
        return -ndtri(np.clip(found, 0.0, 0.5)) if self.levels else found


def critical_of(design: GroupSequentialDesign, expected: tuple[float, ...]) -> Expanded:
    """Efficacy: a look that may spend next to nothing decides nothing."""
    levels = design.boundary in CLASSIC_TYPES

    def at(information: tuple[float, ...]) -> Floats:
        bounds = boundaries_at(design, information, final=True)
        level = np.array(bounds.nominal)
        closed = design.sides * level < LEAST_LEVEL
        return np.where(closed, 0.0, level) if levels else np.where(closed, np.inf, bounds.critical)

    return replace(_expanded(at, expected), levels=levels)


def futility_of(design: GroupSequentialDesign, expected: tuple[float, ...]) -> Expanded:
    """z at or below which a look stops for futility; minus infinity at the last, where there is no such boundary."""

    def at(information: tuple[float, ...]) -> Floats:
        found = boundaries_at(design, information, final=True).futility or (None,) * len(information)
        return np.array([-np.inf if bound is None else bound for bound in found])

    return _expanded(at, expected)


def sequence_critical(plan: SequencePlan, n: Floats) -> Floats:
    """The standardised estimate at which a confidence sequence excludes the null, by the units of both arms at each look.

    Infinite before the burn-in. ``mixture_bound(n) / √n``, interpolated between the fewest and the most units of a look.
    """
    found = np.empty_like(n)
    for look, units in enumerate(np.maximum(n, 1).T):
        knots = np.unique(np.linspace(units.min(), units.max(), KNOTS))
        bound = [mixture_bound(at, plan.alpha, plan.precision, plan.one_sided) / np.sqrt(at) for at in knots]
        found[:, look] = np.interp(units, knots, bound)
    return np.where(n < plan.burn_in, np.inf, found)


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


def _expanded(at: Callable[[tuple[float, ...]], Floats], expected: tuple[float, ...]) -> Expanded:
    here, looks = np.array(expected), len(expected)
    value = at(expected)
    rising, falling = np.zeros((looks, looks)), np.zeros((looks, looks))
    gaps = np.diff(here, prepend=0.0, append=np.inf)
    for look in range(looks):
        step = min(LARGEST_STEP * here[look], gaps[look] / 4, gaps[look + 1] / 4)
        for side, slopes in ((step, rising), (-step, falling)):
            moved = here.copy()
            moved[look] += side
            slopes[look] = _slope(at(tuple(moved.tolist())), value, side)
    return Expanded(here, value, rising, falling)


def _slope(moved: Floats, value: Floats, step: float) -> Floats:
    finite = np.isfinite(moved) & np.isfinite(value)
    return np.subtract(moved, value, out=np.zeros_like(value), where=finite) / step
