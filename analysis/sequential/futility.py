"""Futility boundaries by spending the type-II error, and what a whole design does under a drift.

The futility boundary of a look is set where, under the drift the design is powered for, stopping below it
uses up the type-II error that the spending function frees (Pampallona, Tsiatis & Kim 2001, Drug Inf. J. 35,
p. 1113). In a two-sided test it is an inner wedge: the test stops where ``|Z| <= futility``. The drift
itself is solved so that the whole type-II error is spent at the last look.

Non-binding futility leaves the critical values as if it were not there, so the type-I error holds when it is
overruled. Binding futility lowers them, and the type-I error then depends on obeying it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.optimize import brentq
from scipy.special import ndtri

from analysis.sequential.boundaries import classic_shape, reach
from analysis.sequential.recursion import (
    LEAST_PROBABILITY,
    TAIL,
    SubDensity,
    advance,
    lower_critical_value,
    lower_probability,
    start,
    upper_critical_value,
    upper_probability,
)


@dataclass(frozen=True, slots=True)
class FutilityBoundary:
    """Both boundaries of a test that may stop for futility, one entry for each look.

    Attributes:
        critical: z at or above which the test stops for efficacy.
        futility: z at or below which it stops for futility (``|z|`` when two-sided), one entry for each of
            ``beta_added``; where a look spends no type-II error, minus infinity (0 when two-sided).
        null_crossing: probability under the null of stopping for efficacy on one side at each look.
        type_two: probability under the drift of having stopped without a crossing by the last look given.
    """

    critical: tuple[float, ...]
    futility: tuple[float, ...]
    null_crossing: tuple[float, ...]
    type_two: float


@dataclass(frozen=True, slots=True)
class StoppingProbabilities:
    """Where a test stops under one drift, one entry for each look.

    Attributes:
        drift: mean of Z at the last planned look (information fraction 1).
        efficacy: probability of crossing the upper boundary at this look.
        harm: probability of crossing the lower one; 0 for a one-sided test.
        futility: probability of stopping for futility; at the last look, of ending without a crossing.
        expected_information: mean information at the stop.
    """

    drift: float
    efficacy: tuple[float, ...]
    harm: tuple[float, ...]
    futility: tuple[float, ...]
    expected_information: float

    @property
    def power(self) -> float:
        """Probability of ever stopping for efficacy in the upper direction."""
        return sum(self.efficacy)


def futility_boundary(
    information: Sequence[float],
    sides: int,
    drift: float,
    beta_added: Sequence[float],
    *,
    critical: Sequence[float] | None = None,
    alpha_added: Sequence[float] = (),
) -> FutilityBoundary:
    """Futility at each look under ``drift``, with critical values given or spent alongside.

    Args:
        information: at each look, in units in which ``drift`` is the mean of Z at information 1.
        sides: 1 or 2.
        drift: what the test is powered for, above 0.
        beta_added: type-II error each look may add; 0 for no futility boundary there. One entry fewer than
            looks
            when the last look ends the test: whatever does not cross there is the rest of the type-II error.
        critical: critical values (non-binding futility); None to find them from ``alpha_added`` among the
            paths that futility has left (binding).
        alpha_added: type-I error each look adds on one side.
    """
    found: list[float] = []
    futility: list[float] = []
    null_crossing: list[float] = []
    type_two = 0.0
    paths = start()
    last = len(information) - 1
    for look, now in enumerate(information):
        upper = (
            critical[look] if critical is not None else upper_critical_value(paths, now, alpha_added[look])
        )
        found.append(upper)
        null_crossing.append(upper_probability(paths, now, upper))
        if look == len(beta_added):
            type_two += _between(paths, now, sides, upper, drift)
            break
        lower = _futility_at(paths, now, sides, upper, beta_added[look], drift)
        futility.append(lower)
        type_two += _stopped_for_futility(paths, now, sides, lower, drift)
        if look == last:
            break
        furthest = max(TAIL, drift * math.sqrt(now) + TAIL)
        if critical is None:
            furthest = max(furthest, reach(alpha_added, information, look))
        paths = advance(paths, now, information[look + 1], regions(upper, lower, sides, -TAIL, furthest))
    return FutilityBoundary(tuple(found), tuple(futility), tuple(null_crossing), type_two)


def classic_boundary_with_binding_futility(
    exponent: float,
    level: float,
    information: Sequence[float],
    sides: int,
    drift: float,
    beta_added: Sequence[float],
) -> FutilityBoundary:
    """A classic shape whose constant spends ``level`` on each side among the paths that binding futility
    leaves.
    """
    shape = classic_shape(exponent, information)

    def boundary(constant: float) -> FutilityBoundary:
        critical = tuple(constant * form for form in shape)
        return futility_boundary(information, sides, drift, beta_added, critical=critical)

    high = -float(ndtri(level / len(shape))) / min(1.0, min(shape))
    target = float(ndtri(level))
    constant = brentq(
        lambda c: float(ndtri(min(max(sum(boundary(c).null_crossing), 1e-300), 1 - 1e-16))) - target,
        1e-3,
        high + 1e-9,
        xtol=1e-12,
    )
    return boundary(constant)


def stopping_probabilities(
    information: Sequence[float],
    critical: Sequence[float],
    sides: int,
    drifts: Sequence[float],
    futility: Sequence[float] | None = None,
) -> tuple[StoppingProbabilities, ...]:
    """Where a test with these boundaries stops, under each of the drifts; futility is obeyed where given.

    Args:
        information: at each look, in units in which the drift is the mean of Z at information 1.
        critical: z for efficacy at each look.
        sides: 1 or 2 (symmetric).
        drifts: means of Z at information 1; any signs.
        futility: z for futility at each look but the last.
    """
    efficacy: list[list[float]] = [[] for _ in drifts]
    harm: list[list[float]] = [[] for _ in drifts]
    gave_up: list[list[float]] = [[] for _ in drifts]
    highest, lowest = max(0.0, *drifts), min(0.0, *drifts)
    paths = start()
    last = len(information) - 1
    for look, now in enumerate(information):
        upper = critical[look]
        lower = -math.inf if sides == 1 else 0.0
        if futility is not None and look < last:
            lower = futility[look]
        for each, drift in enumerate(drifts):
            efficacy[each].append(upper_probability(paths, now, upper, drift))
            harm[each].append(lower_probability(paths, now, -upper, drift) if sides == 2 else 0.0)
            if look == last:
                gave_up[each].append(_between(paths, now, sides, upper, drift))
            else:
                gave_up[each].append(_stopped_for_futility(paths, now, sides, lower, drift))
        if look < last:
            root = math.sqrt(now)
            kept = regions(upper, lower, sides, lowest * root - TAIL, highest * root + TAIL)
            paths = advance(paths, now, information[look + 1], kept)
    return tuple(
        StoppingProbabilities(
            drift,
            tuple(up),
            tuple(down),
            tuple(given_up),
            sum(now * (a + b + c) for now, a, b, c in zip(information, up, down, given_up, strict=True)),
        )
        for drift, up, down, given_up in zip(drifts, efficacy, harm, gave_up, strict=True)
    )


def regions(
    upper: float, lower: float, sides: int, lowest: float, highest: float
) -> list[tuple[float, float]]:
    """The intervals of z in which a path goes on, cut to where there is mass."""
    if sides == 1:
        return [(max(lower, lowest), min(upper, highest))]
    if lower <= 0:
        return [(max(-upper, lowest), min(upper, highest))]
    return [(max(-upper, lowest), -lower), (lower, min(upper, highest))]


def _futility_at(paths: SubDensity, now: float, sides: int, upper: float, beta: float, drift: float) -> float:
    if sides == 1:
        return min(upper, lower_critical_value(paths, now, beta, drift))
    if beta < LEAST_PROBABILITY:
        return 0.0
    if _stopped_for_futility(paths, now, sides, upper, drift) <= beta:
        return upper
    wedge: float = brentq(
        lambda z: _stopped_for_futility(paths, now, sides, z, drift) - beta, 0.0, min(upper, 40.0), xtol=1e-13
    )
    return wedge


def _stopped_for_futility(paths: SubDensity, now: float, sides: int, lower: float, drift: float) -> float:
    if sides == 1:
        return lower_probability(paths, now, lower, drift)
    if lower <= 0:
        return 0.0
    return _between(paths, now, sides, lower, drift)


def _between(paths: SubDensity, now: float, sides: int, upper: float, drift: float) -> float:
    below = lower_probability(paths, now, upper, drift)
    return below if sides == 1 else below - lower_probability(paths, now, -upper, drift)
