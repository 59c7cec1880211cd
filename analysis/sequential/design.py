"""A group-sequential design: its boundaries, and what it costs.

``group_sequential_design`` is the one entry point. All sizes are relative to the fixed design of the same
level and power, so that multiplying a fixed sample size by ``inflation`` gives the largest sample, and by
``expected_n_h1`` the mean sample when the effect is the one planned for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import Final

from scipy.optimize import brentq
from scipy.special import ndtri

from analysis.sequential.boundaries import (
    CLASSIC_TYPES,
    EfficacyBoundary,
    efficacy_boundary,
    planned_fractions,
    shape_exponent,
)
from analysis.sequential.futility import (
    FutilityBoundary,
    StoppingProbabilities,
    classic_boundary_with_binding_futility,
    futility_boundary,
    stopping_probabilities,
)
from analysis.sequential.spending import increments, spending_function

LARGEST_DRIFT_RATIO: Final = 20.0  # of the drift of the fixed design; no design in use comes near


@dataclass(frozen=True, slots=True)
class GroupSequentialDesign:
    """Boundaries of a group-sequential test and its characteristics.

    Attributes:
        boundary: the kind of efficacy boundary, one of ``BOUNDARY_TYPES``.
        parameter: its rho, gamma or Delta; None where it has none.
        alpha: level; the total over both sides when ``sides`` is 2.
        sides: 1, or 2 for symmetric boundaries.
        information: planned fractions of the information, the last one 1.
        critical: z for efficacy at each look; infinite where a look spends nothing.
        spent: cumulative type-I error, the total over the sides.
        nominal: one-sided level of each look by itself.
        futility_type: spending function of the type-II error; None without futility.
        futility_parameter: its parameter.
        binding: whether the critical values rely on stopping for futility.
        futility: z at or below which (two-sided: within which on both sides of 0) the test stops for
            futility at each look but the last; None without futility.
        type_two_spent: cumulative type-II error planned for each look; None without futility.
        power: planned probability of stopping for efficacy in the direction of the effect; None where not
            given.
        drift: mean of Z at the last planned look under the planned effect.
        inflation: largest information over that of the fixed design.
        under_null, under_half, under_full: where the test stops under no, half and the planned effect.
        not_computed: why the fields that need a power are None.
    """

    boundary: str
    parameter: float | None
    alpha: float
    sides: int
    information: tuple[float, ...]
    critical: tuple[float, ...]
    spent: tuple[float, ...]
    nominal: tuple[float, ...]
    futility_type: str | None = None
    futility_parameter: float | None = None
    binding: bool = False
    futility: tuple[float, ...] | None = None
    type_two_spent: tuple[float, ...] | None = None
    power: float | None = None
    drift: float | None = None
    inflation: float | None = None
    under_null: StoppingProbabilities | None = None
    under_half: StoppingProbabilities | None = None
    under_full: StoppingProbabilities | None = None
    not_computed: str | None = None

    @property
    def expected_n_h0(self) -> float | None:
        """Mean information at the stop without an effect, over that of the fixed design."""
        return self._relative(self.under_null)

    @property
    def expected_n_half(self) -> float | None:
        """The same under half the planned effect."""
        return self._relative(self.under_half)

    @property
    def expected_n_h1(self) -> float | None:
        """The same under the planned effect."""
        return self._relative(self.under_full)

    def _relative(self, under: StoppingProbabilities | None) -> float | None:
        if under is None or self.inflation is None:
            return None
        return self.inflation * under.expected_information


def group_sequential_design(
    boundary: str,
    alpha: float,
    information: Sequence[float],
    sides: int = 1,
    parameter: float | None = None,
    power: float | None = None,
    futility: str | None = None,
    futility_parameter: float | None = None,
    binding: bool = False,
) -> GroupSequentialDesign:
    """Boundaries and characteristics of a group-sequential test (Jennison & Turnbull 2000, chapters 2 to 7
    and 19).

    Args:
        boundary: one of ``BOUNDARY_TYPES``: lan-demets-obf, lan-demets-pocock, kim-demets, hwang-shih-decani,
            obrien-fleming, pocock, wang-tsiatis.
        alpha: level, below 0.5; the total over both sides when ``sides`` is 2.
        information: planned fractions of the information, 1 to 50 of them, strictly increasing, the last one
            1.
        sides: 1, or 2 for symmetric boundaries with an upper and a lower rejection region.
        parameter: rho (kim-demets), gamma (hwang-shih-decani) or Delta (wang-tsiatis).
        power: probability of crossing the upper boundary under the planned effect; needed for futility and
            for inflation and expected sizes. Crossing in the wrong direction is not counted, neither here
            nor in the fixed design compared with; with a futility wedge (two-sided) the type-II error is
            that of no crossing.
        futility: a spending function for the type-II error: lan-demets-obf, lan-demets-pocock, kim-demets,
            hwang-shih-decani. None for no futility stop.
        futility_parameter: its rho or gamma.
        binding: whether stopping for futility is obeyed without exception.

    Raises:
        ValueError: for any argument outside of what is said here, or boundaries that cannot reach the power.
    """
    return _design(
        boundary, alpha, tuple(information), sides, parameter, power, futility, futility_parameter, binding
    )


@lru_cache(maxsize=512)
def _design(
    boundary: str,
    alpha: float,
    information: tuple[float, ...],
    sides: int,
    parameter: float | None,
    power: float | None,
    futility: str | None,
    futility_parameter: float | None,
    binding: bool,
) -> GroupSequentialDesign:
    efficacy = efficacy_boundary(boundary, alpha, information, sides, parameter)
    _check_power(alpha, sides, power, futility, futility_parameter, binding)
    bare = GroupSequentialDesign(
        boundary=boundary,
        parameter=parameter,
        alpha=alpha,
        sides=sides,
        information=planned_fractions(information),
        critical=efficacy.critical,
        spent=efficacy.spent,
        nominal=efficacy.nominal,
        not_computed="no power was given; inflation and expected sizes need it",
    )
    if power is None:
        return bare
    fixed_drift = float(ndtri(power)) - float(ndtri(alpha / sides))
    if futility is None:
        whole = replace(bare, power=power, drift=_drift_for_power(bare, power, fixed_drift))
    else:
        spending = spending_function(futility, futility_parameter)
        type_two_spent = tuple(spending(1 - power, t) for t in bare.information)
        boundaries = _boundaries_by_drift(bare, type_two_spent, binding)
        drift = _drift_with_type_two(lambda d: boundaries(d).type_two, 1 - power, fixed_drift)
        both = boundaries(drift)
        if binding:
            spent = [min(alpha, sides * error) for error in accumulate(both.null_crossing)]
            efficacy = EfficacyBoundary(both.critical, (*spent[:-1], alpha))
        whole = replace(
            bare,
            critical=efficacy.critical,
            spent=efficacy.spent,
            nominal=efficacy.nominal,
            futility_type=futility,
            futility_parameter=futility_parameter,
            binding=binding,
            futility=both.futility,
            type_two_spent=type_two_spent,
            power=power,
            drift=drift,
        )
    return _with_characteristics(whole, fixed_drift)


def _with_characteristics(design: GroupSequentialDesign, fixed_drift: float) -> GroupSequentialDesign:
    drift = design.drift or 0.0
    none, half, full = stopping_probabilities(
        design.information, design.critical, design.sides, (0.0, drift / 2, drift), design.futility
    )
    return replace(
        design,
        inflation=(drift / fixed_drift) ** 2,
        under_null=none,
        under_half=half,
        under_full=full,
        not_computed=None,
    )


def _check_power(
    alpha: float,
    sides: int,
    power: float | None,
    futility: str | None,
    futility_parameter: float | None,
    binding: bool,
) -> None:
    faults: list[str] = []
    # A wedge's type-II error counts both tails as crossings, so its power is above the whole level.
    least = alpha / sides if futility is None else alpha
    if power is not None and not least < power < 1:
        faults.append(f"power: {power} is not allowed; give a number above {least:g} and below 1, say 0.8")
    if futility is None:
        if binding:
            faults.append("binding: true was given without a futility boundary; give futility too")
        if futility_parameter is not None:
            faults.append(
                f"futility_parameter: {futility_parameter} was given without futility; leave it out"
            )
    else:
        if power is None:
            faults.append("power: futility spends the type-II error and needs a power; give one, say 0.8")
        try:
            spending_function(futility, futility_parameter)
        except ValueError as fault:
            faults.append(f"futility: {fault}")
    if faults:
        raise ValueError("; ".join(faults))


def _boundaries_by_drift(
    design: GroupSequentialDesign, type_two_spent: tuple[float, ...], binding: bool
) -> Callable[[float], FutilityBoundary]:
    """Both boundaries as a function of the drift that the type-II error is spent under."""
    information, sides = design.information, design.sides
    beta_added = increments(type_two_spent)[:-1]
    if not binding:
        return lambda drift: futility_boundary(
            information, sides, drift, beta_added, critical=design.critical
        )
    if design.boundary in CLASSIC_TYPES:
        exponent = shape_exponent(design.boundary, design.parameter)
        return lambda drift: classic_boundary_with_binding_futility(
            exponent, design.alpha / sides, information, sides, drift, beta_added
        )
    alpha_added = [error / sides for error in increments(design.spent)]
    return lambda drift: futility_boundary(information, sides, drift, beta_added, alpha_added=alpha_added)


def _drift_for_power(design: GroupSequentialDesign, power: float, fixed_drift: float) -> float:
    if len(design.information) == 1:
        return fixed_drift

    def missing(drift: float) -> float:
        (under,) = stopping_probabilities(design.information, design.critical, design.sides, (drift,))
        return sum(under.futility) + sum(under.harm)

    return _drift_with_type_two(missing, 1 - power, fixed_drift)


def _drift_with_type_two(error: Callable[[float], float], beta: float, fixed_drift: float) -> float:
    """The drift with that type-II error; at or just above the drift of the fixed design (Neyman-Pearson).

    With a wedge it may be a little below, since crossings in the wrong direction are then no type-II errors.
    """
    low, high = 0.95 * fixed_drift, 1.1 * fixed_drift
    while error(low) < beta:
        low, high = 0.5 * low, low
    while error(high) > beta:
        low, high = high, 1.2 * high
        if high > LARGEST_DRIFT_RATIO * fixed_drift:
            raise ValueError(
                f"power: {1 - beta:g} is out of reach of these boundaries at any size; "
                "give another futility spending function, or no binding futility"
            )
    # On the probit scale the error is nearly linear in the drift.
    target = float(ndtri(beta))
    drift: float = brentq(lambda d: float(ndtri(_inside(error(d)))) - target, low, high, xtol=1e-12)
    return drift


def _inside(probability: float) -> float:
    return min(max(probability, 1e-300), 1 - 1e-16)
