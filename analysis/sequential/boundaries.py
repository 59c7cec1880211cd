"""Critical values of a group-sequential test, at any strictly increasing information.

Two ways to set them. A spending function fixes how much error each look may add, and the critical values
follow one after the other. A classic shape (O'Brien-Fleming, Pocock, Wang-Tsiatis) fixes the form ``c · t^(Δ
- 1/2)`` with t the information fraction, and one constant c is solved for the whole. Two-sided tests are
  symmetric, ``sides = 2`` takes
the total level, and both tails are in the recursion.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from analysis.sequential.recursion import (
    LEAST_PROBABILITY,
    TAIL,
    advance,
    start,
    upper_critical_value,
    upper_probability,
)
from analysis.sequential.spending import SPENDING_TYPES, SpendingFunction, increments, spending_function

CLASSIC_TYPES: Final = ("obrien-fleming", "pocock", "wang-tsiatis")
BOUNDARY_TYPES: Final = (*SPENDING_TYPES, *CLASSIC_TYPES)
MOST_LOOKS: Final = 50

ROUNDING: Final = 1e-9  # information within this of 1 is the planned information

REACH: Final = 6.5  # paths this many standard deviations beyond a critical value do not matter to it


@dataclass(frozen=True, slots=True)
class EfficacyBoundary:
    """Critical values and the error they spend, one entry for each look.

    Attributes:
        critical: z at or above which the test stops for efficacy; infinite where a look spends nothing.
        spent: cumulative type-I error, over both sides in a two-sided test.
    """

    critical: tuple[float, ...]
    spent: tuple[float, ...]

    @property
    def nominal(self) -> tuple[float, ...]:
        """One-sided level of each look by itself, ``1 - Φ(critical)``."""
        return tuple(float(ndtr(-z)) for z in self.critical)


def check_information(information: Sequence[float]) -> tuple[float, ...]:
    """The information as a tuple, or a ValueError that names all its faults."""
    faults: list[str] = []
    if not 1 <= len(information) <= MOST_LOOKS:
        faults.append(f"{len(information)} looks are not allowed; give 1 to {MOST_LOOKS}")
    values = tuple(float(value) for value in information)
    bad = [value for value in values if not 0 < value < math.inf]
    if bad:
        faults.append(f"{bad} not allowed; every look needs a finite number above 0")
    elif any(after <= before for before, after in pairwise(values)):
        faults.append(
            f"{list(values)} does not rise from look to look; leave out a look that brought no information"
        )
    if faults:
        raise ValueError("information: " + "; ".join(faults))
    return values


def planned_fractions(information: Sequence[float]) -> tuple[float, ...]:
    """Planned fractions of the information, the last one exactly 1; a ValueError if they are not."""
    fractions = check_information(information)
    if abs(fractions[-1] - 1) > ROUNDING:
        raise ValueError(f"information: the last planned fraction is {fractions[-1]}; it must be 1")
    return (*fractions[:-1], 1.0)


def check_level(alpha: float, sides: int) -> None:
    """Raise a ValueError that names all that is wrong with the level."""
    faults: list[str] = []
    if sides not in (1, 2):
        faults.append(f"sides: {sides} is not allowed; give 1 or 2")
    most = 0.5 if sides == 1 else 1.0
    if not 0 < alpha < most:
        faults.append(
            f"alpha: {alpha} is not allowed; give a level above 0 and below {most:g}, for example 0.05"
        )
    if faults:
        raise ValueError("; ".join(faults))


def shape_exponent(kind: str, parameter: float | None) -> float:
    """Wang & Tsiatis' Δ of a classic boundary: 0 for O'Brien-Fleming, 1/2 for Pocock.

    Raises:
        ValueError: unknown kind; a parameter that is missing, not wanted, or outside -0.5 to 1.
    """
    if kind not in CLASSIC_TYPES:
        raise ValueError(f"type: {kind!r} is not known; give one of {', '.join(BOUNDARY_TYPES)}")
    if kind != "wang-tsiatis":
        if parameter is not None:
            raise ValueError(f"parameter: {parameter} was given, but {kind} has none; leave it out")
        return 0.0 if kind == "obrien-fleming" else 0.5
    if parameter is None:
        raise ValueError("parameter: wang-tsiatis needs one; give Delta, for example 0.25")
    if not -0.5 <= parameter <= 1:
        raise ValueError(f"parameter: Delta = {parameter} is not allowed for wang-tsiatis; give -0.5 to 1")
    return parameter


def efficacy_boundary(
    kind: str,
    alpha: float,
    information: Sequence[float],
    sides: int = 1,
    parameter: float | None = None,
) -> EfficacyBoundary:
    """Critical values at planned information fractions, ignoring futility.

    Args:
        kind: one of ``BOUNDARY_TYPES``.
        alpha: level; the total over both sides when ``sides`` is 2.
        information: fractions of the planned information, strictly increasing, the last one 1.
        sides: 1, or 2 for symmetric boundaries.
        parameter: rho, gamma or Delta for the kinds that have one.

    Raises:
        ValueError: for any argument outside of what is said here.
    """
    check_level(alpha, sides)
    fractions = planned_fractions(information)
    if kind in SPENDING_TYPES:
        function = spending_function(kind, parameter)
        return spending_boundary(planned_spending(function, alpha, fractions, sides), fractions, sides)
    return classic_boundary(shape_exponent(kind, parameter), alpha, fractions, sides)


def planned_spending(
    function: SpendingFunction, alpha: float, fractions: Sequence[float], sides: int
) -> tuple[float, ...]:
    """Cumulative error spent by each look, the total over ``sides``."""
    return tuple(sides * function(alpha / sides, t) for t in fractions)


@lru_cache(maxsize=4096)
def spending_boundary(
    spent: tuple[float, ...], information: tuple[float, ...], sides: int
) -> EfficacyBoundary:
    """Critical values that have spent just ``spent`` by each look.

    Args:
        spent: cumulative error over both sides, not falling, below 1.
        information: at each look, in any unit, strictly increasing.
        sides: 1 or 2.
    """
    added = tuple(error / sides for error in increments(spent))
    critical: list[float] = []
    paths = start()
    for look, now in enumerate(information):
        critical.append(upper_critical_value(paths, now, added[look]))
        if look + 1 < len(information):
            region = null_region(critical[-1], sides, reach(added, information, look))
            paths = advance(paths, now, information[look + 1], [region])
    return EfficacyBoundary(tuple(critical), spent)


@lru_cache(maxsize=4096)
def classic_boundary(
    exponent: float, alpha: float, information: tuple[float, ...], sides: int
) -> EfficacyBoundary:
    """Critical values ``c · t^(exponent - 1/2)`` of total level ``alpha`` (Wang & Tsiatis 1987, Biometrics
    43, p. 193).

    ``t`` is the fraction of the last information, also where looks are unequally spaced.
    """
    level = alpha / sides
    shape = classic_shape(exponent, information)
    furthest = max(TAIL, REACH - float(ndtri(level)))

    def crossing(constant: float) -> list[float]:
        return null_crossing(tuple(constant * form for form in shape), information, sides, furthest)

    # Both ends are bounds: the last look alone, and every look at a share of the level (Bonferroni).
    low = -float(ndtri(level))
    high = -float(ndtri(level / len(shape))) / min(1.0, min(shape))
    constant = low
    if len(shape) > 1:
        # On the probit scale the total is nearly linear in the constant.
        constant = brentq(
            lambda c: float(ndtri(min(sum(crossing(c)), 1 - 1e-16))) + low,
            low - 1e-9,
            high + 1e-9,
            xtol=1e-12,
        )
    critical = tuple(constant * form for form in shape)
    total = 0.0
    spent: list[float] = []
    for error in crossing(constant):
        total += sides * error
        spent.append(total)
    spent[-1] = alpha
    return EfficacyBoundary(critical, tuple(spent))


def classic_shape(exponent: float, information: Sequence[float]) -> tuple[float, ...]:
    """``t^(exponent - 1/2)`` at each look, t the fraction of the last information."""
    return tuple((now / information[-1]) ** (exponent - 0.5) for now in information)


def null_crossing(
    critical: Sequence[float], information: Sequence[float], sides: int, furthest: float = TAIL
) -> list[float]:
    """Probability under the null of first crossing the upper boundary at each look; futility ignored."""
    crossing: list[float] = []
    paths = start()
    for look, now in enumerate(information):
        crossing.append(upper_probability(paths, now, critical[look]))
        if look + 1 < len(information):
            region = null_region(critical[look], sides, furthest)
            paths = advance(paths, now, information[look + 1], [region])
    return crossing


def reach(added: Sequence[float], information: Sequence[float], look: int) -> float:
    """How far out in z the paths at a look still matter to the critical values of later looks.

    A look that adds little error has a far critical value, reached along the straight line from the origin.
    """
    furthest = 0.0
    for later in range(look + 1, len(information)):
        if added[later] >= LEAST_PROBABILITY:
            straight = -float(ndtri(added[later])) * math.sqrt(information[look] / information[later])
            furthest = max(furthest, straight)
    return max(TAIL, furthest + REACH)


def null_region(critical: float, sides: int, furthest: float) -> tuple[float, float]:
    """The interval of z in which a path goes on when there is no futility boundary."""
    high = min(critical, furthest)
    return (-high if sides == 2 else min(-TAIL, high - 1), high)
