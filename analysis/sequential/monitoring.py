"""A group-sequential test at the looks that were really taken.

The boundaries are found anew at the information that arrived. A spending function is read at the actual
fraction; a classic boundary spends what its plan had spent by that fraction, by linear interpolation between
the planned looks, so that at the planned information it is itself. The last look spends all that remains,
whether it comes early (``final``) or late (a fraction above 1): never more than alpha in all, and none of it
left.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from analysis.sequential.boundaries import (
    ROUNDING,
    check_information,
    classic_boundary,
    planned_spending,
    shape_exponent,
    spending_boundary,
)
from analysis.sequential.design import GroupSequentialDesign
from analysis.sequential.futility import futility_boundary
from analysis.sequential.inference import LARGEST_Z, StagewiseInference, stagewise_inference
from analysis.sequential.spending import SPENDING_TYPES, increments, spending_function

LARGEST_REPEATED_Z = 37.0  # beyond it the normal tail underflows, and the p-value given is an upper bound


class Decision(StrEnum):
    """What a look calls for. CONTINUE shows only that no boundary was crossed."""

    CONTINUE = "CONTINUE"
    EFFICACY = "EFFICACY"
    HARM = "HARM"
    FUTILITY = "FUTILITY"
    NOT_REJECTED = "NOT_REJECTED"
    ALREADY_STOPPED = "ALREADY_STOPPED"


@dataclass(frozen=True, slots=True)
class SequentialBoundaries:
    """Boundaries at the looks taken.

    Attributes:
        information: fractions of the planned information at the looks.
        critical: z for efficacy that decides.
        robust_critical: the same when futility is ignored; differs only where futility is binding.
        spent: cumulative type-I error, the total over the sides.
        futility: z for futility at each look (``|z|`` when two-sided), None at a last look; None without
            futility.
        final: whether the last of these looks ends the test.
    """

    information: tuple[float, ...]
    critical: tuple[float, ...]
    robust_critical: tuple[float, ...]
    spent: tuple[float, ...]
    futility: tuple[float | None, ...] | None
    final: bool

    @property
    def nominal(self) -> tuple[float, ...]:
        """One-sided level of each look by itself."""
        return tuple(float(ndtr(-z)) for z in self.critical)


@dataclass(frozen=True, slots=True)
class SequentialAnalysis:
    """A group-sequential test up to the last look taken; every tuple has one entry for each look.

    Attributes:
        boundaries: at the information that arrived.
        z: as given.
        decision: what each look called for.
        estimate: z times its standard error; in drift units (mean of Z at information 1) without standard
            errors.
        repeated_ci: intervals that hold at all looks at once, whatever the stopping rule (Jennison &
            Turnbull 1989).
        repeated_p: the smallest level at which that look alone would reject; two-sided when the test is.
        level: of all intervals: 1 - alpha two-sided; 1 - 2 alpha one-sided, each limit by itself of level
            alpha.
        stopped_at: number of the look that ended the test, from 1; None while it goes on.
        stagewise_p, stagewise_ci, median_unbiased: stage-wise inference at the stop, in the unit of
            ``estimate``.
        not_computed: why those are None.
    """

    boundaries: SequentialBoundaries
    z: tuple[float, ...]
    decision: tuple[Decision, ...]
    estimate: tuple[float, ...]
    repeated_ci: tuple[tuple[float, float], ...]
    repeated_p: tuple[float, ...]
    level: float
    stopped_at: int | None
    stagewise_p: float | None
    stagewise_ci: tuple[float, float] | None
    median_unbiased: float | None
    not_computed: str | None


def analyse(
    design: GroupSequentialDesign,
    information: Sequence[float],
    z: Sequence[float],
    standard_errors: Sequence[float] | None = None,
    final: bool = False,
) -> SequentialAnalysis:
    """Decisions, repeated intervals and p-values at each look, and stage-wise inference once it has stopped.

    Args:
        design: the plan.
        information: at each look taken, over the planned maximum; above 1 only at the last look
            (overrunning).
        z: standardised statistic at each look, positive when the treatment looks better.
        standard_errors: of the estimate at each look, to give intervals in the metric's unit.
        final: the last look given ends the test although its information is below 1 (underrunning). A look at
            information 1 or above always ends it.

    Futility that does not bind may be overruled: a look after it is analysed as if it had not been. Looks
        after any
    other stop are supplementary and marked ALREADY_STOPPED; their repeated intervals still hold.

    Raises:
        ValueError: all faults of the looks at once.
    """
    _check_looks(information, z, standard_errors)
    boundaries = boundaries_at(design, information, final)
    decision, stopped_at = _decisions(boundaries, z, design.sides, design.binding)
    fractions = boundaries.information
    scale = (
        tuple(standard_errors) if standard_errors is not None else tuple(1 / math.sqrt(t) for t in fractions)
    )
    repeated_ci = tuple(
        ((value - limit) * unit, (value + limit) * unit)
        for value, limit, unit in zip(z, boundaries.robust_critical, scale, strict=True)
    )
    repeated_p = tuple(
        repeated_p_value(design, fractions[: look + 1], z[look], boundaries.final and look == len(z) - 1)
        for look in range(len(z))
    )
    found, reason = _at_stop(design, boundaries, z, stopped_at)
    at_stop = (stopped_at or 1) - 1
    unit = math.sqrt(fractions[at_stop]) * scale[at_stop]
    return SequentialAnalysis(
        boundaries=boundaries,
        z=tuple(z),
        decision=decision,
        estimate=tuple(value * unit for value, unit in zip(z, scale, strict=True)),
        repeated_ci=repeated_ci,
        repeated_p=repeated_p,
        level=1 - 2 * design.alpha / design.sides,
        stopped_at=stopped_at,
        stagewise_p=None if found is None else found.p_value,
        stagewise_ci=None if found is None else (found.lower * unit, found.upper * unit),
        median_unbiased=None if found is None else found.median_unbiased * unit,
        not_computed=reason,
    )


def boundaries_at(
    design: GroupSequentialDesign, information: Sequence[float], final: bool = False
) -> SequentialBoundaries:
    """The boundaries at the information that arrived; see ``analyse`` for the arguments.

    The entry of a look does not depend on the looks after it.

    Raises:
        ValueError: information that does not rise, or a look after one that had reached 1.
    """
    fractions = check_information(information)
    if any(t >= 1 - ROUNDING for t in fractions[:-1]):
        raise ValueError(
            f"information: {list(fractions)} has a look after one at 1 or above, which spent all of alpha; "
            "give looks up to that one only"
        )
    final = final or fractions[-1] >= 1 - ROUNDING
    spent = _spent_by(design, design.alpha, fractions, final)
    robust = spending_boundary(spent, fractions, design.sides)
    if design.futility_type is None or design.power is None or design.drift is None:
        return SequentialBoundaries(fractions, robust.critical, robust.critical, spent, None, final)
    spending = spending_function(design.futility_type, design.futility_parameter)
    beta_added = increments([spending(1 - design.power, t) for t in fractions])
    both = futility_boundary(
        fractions,
        design.sides,
        design.drift,
        beta_added[:-1] if final else beta_added,
        critical=None if design.binding else robust.critical,
        alpha_added=[error / design.sides for error in increments(spent)],
    )
    futility = (*both.futility, None) if final else both.futility
    return SequentialBoundaries(fractions, both.critical, robust.critical, spent, futility, final)


def repeated_p_value(
    design: GroupSequentialDesign, information: tuple[float, ...], z: float, final: bool
) -> float:
    """The smallest level at which the design, of the same kind, would reject at the last of these looks.

    Futility is ignored, binding or not. It is 1 where no level below 1 would reject, and for ``|z|`` above
    37 it is the level for 37, an upper bound.
    """
    seen = min(abs(z) if design.sides == 2 else z, LARGEST_REPEATED_Z)

    def excess(quantile: float) -> float:
        level = design.sides * float(ndtr(-quantile))
        spent = _spent_by(design, level, information, final)
        critical = spending_boundary(spent, information, design.sides).critical[-1]
        return max(-100.0, min(100.0, critical - seen))

    least = 1e-8 if design.sides == 2 else -8.0
    if seen <= least or excess(least) >= 0:
        return 1.0
    # A repeated test never rejects at a smaller level than the look by itself.
    quantile = seen if excess(seen) <= 0 else brentq(excess, least, seen, xtol=1e-12)
    return min(1.0, design.sides * float(ndtr(-quantile)))


def _spent_by(
    design: GroupSequentialDesign, level: float, fractions: tuple[float, ...], final: bool
) -> tuple[float, ...]:
    """Cumulative error spent by each look of a design of this kind and ``level``."""
    if design.boundary in SPENDING_TYPES:
        function = spending_function(design.boundary, design.parameter)
        spent = planned_spending(function, level, fractions, design.sides)
    else:
        planned = design.spent
        if level != design.alpha:
            exponent = shape_exponent(design.boundary, design.parameter)
            planned = classic_boundary(exponent, level, design.information, design.sides).spent
        spent = tuple(np.interp(fractions, (0.0, *design.information), (0.0, *planned)).tolist())
    return (*spent[:-1], level) if final else spent


def _decisions(
    boundaries: SequentialBoundaries, z: Sequence[float], sides: int, binding: bool
) -> tuple[tuple[Decision, ...], int | None]:
    decisions: list[Decision] = []
    stopped_at: int | None = None
    for look, value in enumerate(z):
        if stopped_at is not None:
            decisions.append(Decision.ALREADY_STOPPED)
            continue
        last = look == len(z) - 1
        stop_for_futility = None if boundaries.futility is None else boundaries.futility[look]
        decision = Decision.NOT_REJECTED if last and boundaries.final else Decision.CONTINUE
        if value >= boundaries.critical[look]:
            decision = Decision.EFFICACY
        elif sides == 2 and value <= -boundaries.critical[look]:
            decision = Decision.HARM
        elif stop_for_futility is not None and _within_futility(value, stop_for_futility, sides):
            decision = Decision.FUTILITY
        decisions.append(decision)
        overruled = decision is Decision.FUTILITY and not binding and not last
        if decision is not Decision.CONTINUE and not overruled:
            stopped_at = look + 1
    return tuple(decisions), stopped_at


def _within_futility(z: float, futility: float, sides: int) -> bool:
    return z <= futility if sides == 1 else abs(z) < futility


def _at_stop(
    design: GroupSequentialDesign,
    boundaries: SequentialBoundaries,
    z: Sequence[float],
    stopped_at: int | None,
) -> tuple[StagewiseInference | None, str | None]:
    if stopped_at is None:
        return None, "the test has not stopped"
    if design.binding and boundaries.futility is not None and design.sides == 2:
        return None, "a binding futility wedge has no place in the stage-wise order of a two-sided test"
    futility: tuple[float, ...] | None = None
    if boundaries.futility is not None and design.sides == 1:
        futility = tuple(bound for bound in boundaries.futility[: stopped_at - 1] if bound is not None)
    if stopped_at > 1 and abs(z[stopped_at - 1]) > LARGEST_Z:
        return (
            None,
            f"z = {z[stopped_at - 1]:g} at the stop is beyond {LARGEST_Z:g}, where the recursion underflows",
        )
    taken = boundaries.information[:stopped_at]
    critical = boundaries.critical[:stopped_at]
    binding, nonbinding = (futility, None) if design.binding else (None, futility)
    found = stagewise_inference(
        taken, critical, z[stopped_at - 1], design.alpha, design.sides, binding, nonbinding
    )
    return found, None


def _check_looks(
    information: Sequence[float], z: Sequence[float], standard_errors: Sequence[float] | None
) -> None:
    faults: list[str] = []
    if len(information) != len(z):
        faults.append(f"z: {len(z)} values for {len(information)} looks; give one for each look taken")
    bad = [value for value in z if not math.isfinite(value)]
    if bad:
        faults.append(f"z: {bad} not allowed; every look needs a finite number")
    if standard_errors is not None:
        if len(standard_errors) != len(z):
            faults.append(
                f"standard_errors: {len(standard_errors)} values for {len(z)} looks; give one for each look"
            )
        bad = [value for value in standard_errors if not 0 < value < math.inf]
        if bad:
            faults.append(f"standard_errors: {bad} not allowed; every look needs a finite number above 0")
    if faults:
        raise ValueError("; ".join(faults))
