"""What may be said once a group-sequential test has stopped: stage-wise p-value, interval and estimate.

Possible ends are ordered by stage: crossing the upper boundary earlier is stronger evidence than crossing it
later, and within a look a larger z is (Fairbanks & Madsen 1982, Biometrika 69, p. 69; Tsiatis, Rosner &
Mehta 1984, Biometrics 40, p. 797; Jennison & Turnbull 2000, section 8.4). The tail beyond the end seen is a
continuous, rising function of the drift; inverting it gives an interval of exact coverage and a
median-unbiased estimate, which the naive ones after a stop are not. Only looks that were taken enter;
nothing depends on looks still planned.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scipy.optimize import brentq
from scipy.special import ndtri

from analysis.sequential.futility import regions
from analysis.sequential.recursion import TAIL, SubDensity, advance, start, upper_probability

LARGEST_Z: Final = 50.0
LARGEST_BASE_Z: Final = 20.0


@dataclass(frozen=True, slots=True)
class StagewiseInference:
    """Inference after a stop, in drift units: the drift is the mean of Z at information 1.

    Attributes:
        p_value: one-sided, or doubled for a two-sided test, against a drift of 0.
        lower, upper: limits of the interval of level ``level``.
        median_unbiased: the drift that the end seen over- and undershoots equally often.
        level: 1 - 2 alpha for a one-sided test (each limit of level alpha), 1 - alpha for a two-sided one.
    """

    p_value: float
    lower: float
    upper: float
    median_unbiased: float
    level: float


@dataclass(frozen=True, slots=True)
class StagewiseTail:
    """P(an end at least as strong as the one seen) as a function of the drift.

    Attributes:
        stages: paths before each look, its information, and the z that counts as at least as strong there.
    """

    stages: tuple[tuple[SubDensity, float, float], ...]

    def __call__(self, drift: float) -> float:
        return min(1.0, sum(upper_probability(paths, now, z, drift) for paths, now, z in self.stages))


def stagewise_inference(
    information: Sequence[float],
    critical: Sequence[float],
    z: float,
    alpha: float,
    sides: int,
    futility: Sequence[float] | None = None,
    nonbinding: Sequence[float] | None = None,
) -> StagewiseInference:
    """Stage-wise inference for a test that stopped at the last of the looks given.

    Args:
        information: at each look taken, in units in which the drift is the mean of Z at information 1.
        critical: z for efficacy at each look; only those before the stop are read.
        z: at the stop; within 50 of 0 where there was an earlier look.
        alpha: level, the total over both sides when ``sides`` is 2.
        sides: 1 or 2 (symmetric).
        futility: binding lower boundaries at the looks before the stop, one-sided tests only; None to ignore
            futility, which keeps the p-value valid when futility may be overruled.
        nonbinding: futility boundaries at those looks that may have been obeyed or overruled, as z at or
            below which the test may stop. The lower limit, the p-value and the estimate ignore them; the
            upper limit counts them, since ends that they cut off would else pass for stronger ones (with
            futility obeyed it was seen to miss 3.8 % of the time at a level of 2.5 %). Both limits hold then,
            obeyed or not.

    Raises:
        ValueError: binding futility in a two-sided test (its wedge has no place in the order), both kinds of
            futility at once, or |z| above 50.
    """
    if futility is not None and nonbinding is not None:
        raise ValueError("nonbinding: not allowed beside binding futility; give one of them")
    if futility is not None and sides == 2:
        raise ValueError("futility: a binding wedge has no place in the stage-wise order; give None")
    if len(information) > 1 and not abs(z) <= LARGEST_Z:
        raise ValueError(f"z: {z} is too far out for the recursion; it must be within {LARGEST_Z:g} of 0")
    level = alpha / sides
    lower_bounds = _lower_bounds(critical, futility, sides, len(information) - 1)
    low, high = _bracket(information, critical, lower_bounds, z, min(level, 0.5))
    tail = _stagewise_tail(information, critical, lower_bounds, z, (low, high))
    p_value = tail(0.0)
    if sides == 2:
        mirrored = _stagewise_tail(information, critical, lower_bounds, -z, (-high, -low))
        p_value = min(1.0, 2 * min(p_value, mirrored(0.0)))

    def drift_at(probability: float) -> float:
        return _drift_at(tail, probability, information, z, (low, high))

    upper = drift_at(1 - level)
    if nonbinding is not None and len(information) > 1:
        kept = tuple(max(pair) for pair in zip(lower_bounds, nonbinding, strict=False))
        bracket = _bracket(information, critical, kept, z, min(level, 0.5))
        counted = _stagewise_tail(information, critical, kept, z, bracket)
        upper = max(upper, _drift_at(counted, 1 - level, information, z, bracket))
    return StagewiseInference(
        p_value=max(p_value, math.ulp(0.0)),
        lower=drift_at(level),
        upper=upper,
        median_unbiased=drift_at(0.5),
        level=1 - 2 * level,
    )


def _drift_at(
    tail: StagewiseTail,
    probability: float,
    information: Sequence[float],
    z: float,
    bracket: tuple[float, float],
) -> float:
    if len(information) == 1:
        return (z + float(ndtri(probability))) / math.sqrt(information[0])
    drift: float = brentq(lambda d: tail(d) - probability, *bracket, xtol=1e-12, rtol=1e-14)
    return drift


def _lower_bounds(
    critical: Sequence[float], futility: Sequence[float] | None, sides: int, before: int
) -> tuple[float, ...]:
    if sides == 2:
        return tuple(-z for z in critical[:before])
    return tuple(futility[:before]) if futility is not None else (-math.inf,) * before


def _stagewise_tail(
    information: Sequence[float],
    critical: Sequence[float],
    lower_bounds: Sequence[float],
    z: float,
    drifts: tuple[float, float],
) -> StagewiseTail:
    """The tail, fit for drifts between the two given and for 0."""
    # The paths that end at z run along this drift; integrating under it keeps their mass from underflow.
    base = max(-LARGEST_BASE_Z, min(LARGEST_BASE_Z, z)) / math.sqrt(information[-1])
    lowest, highest = min(0.0, *drifts), max(0.0, *drifts)
    paths = start(base)
    stages: list[tuple[SubDensity, float, float]] = []
    last = len(information) - 1
    for look, now in enumerate(information):
        stages.append((paths, now, z if look == last else critical[look]))
        if look < last:
            root = math.sqrt(now)
            kept = regions(critical[look], lower_bounds[look], 1, lowest * root - TAIL, highest * root + TAIL)
            paths = advance(paths, now, information[look + 1], kept)
    return StagewiseTail(tuple(stages))


def _bracket(
    information: Sequence[float],
    critical: Sequence[float],
    lower_bounds: Sequence[float],
    z: float,
    level: float,
) -> tuple[float, float]:
    """Drifts below and above every limit wanted: at them no stage has more than its share of the tail
    (Bonferroni).
    """
    far = -float(ndtri(level / len(information)))
    roots = [math.sqrt(now) for now in information]
    low = (z - far) / roots[-1]
    high = (z + far) / roots[-1]
    for upper, lower, root in zip(critical, lower_bounds, roots, strict=False):
        low = min(low, (upper - far) / root)
        high = max(high, (lower + far) / root)
    margin = 1e-6 * (1 + abs(low) + abs(high))
    return low - margin, high + margin
