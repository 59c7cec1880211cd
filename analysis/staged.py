"""A one-sided test over checks whose times are declared and whose information is whatever has come by then.

A rollout that grows in steps is checked at declared times. How many units a check finds depends on traffic and on how long
the steps before it took, so neither the number of checks nor their information is known beforehand. Two clocks keep α:

- what may have been *spent* by a check is a spending function at a share of the plan, which the caller reads off the schedule
  and the counts: 1 at the last check, less before it, so that some α is left for every check to come however fast units come;
- the *boundary* then follows from the variance of the score Σ w · gap at each check, which is what the joint distribution of
  the checks rests on. Where the base rate drifts, a unit's variance drifts with it, and counts alone would misstate it.

Neither depends on the difference between the arms (Lan & DeMets 1983, Biometrika 70, 659; Lan & DeMets 1989, Biometrics 45,
1017, on spending by another clock than information).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.optimize import brentq
from scipy.special import ndtr

from analysis.sequential.boundaries import spending_boundary
from analysis.sequential.recursion import TAIL, advance, start, upper_probability
from analysis.sequential.spending import SpendingFunction

LARGEST_Z = 37.0
"""Beyond it the normal tail underflows, and the p-value given is an upper bound."""
RISE = 1e-4
"""The least relative rise of information that makes another look; the integration cannot tell smaller ones apart."""


@dataclass(frozen=True, slots=True)
class StagedCheck:
    """One check of a test.

    Attributes:
        share: of the plan, at which the spending function is read: in (0, 1], not falling, 1 at the last of the schedule.
        weight: Σ w_s of the units that take part, above that of the check before.
        variance: of the score Σ w_s · gap_s, above 0.
    """

    share: float
    weight: float
    variance: float


@dataclass(frozen=True, slots=True)
class StagedBoundary:
    """The boundary at the last of some checks.

    Attributes:
        critical: z at or beyond which it is crossed; infinite where the check may spend nothing.
        nominal: one-sided level of that check by itself.
        spent: cumulative α by each check.
        information: the variances used, made to rise.
    """

    critical: float
    nominal: float
    spent: tuple[float, ...]
    information: tuple[float, ...]


def staged_boundary(
    spending: SpendingFunction, alpha: float, checks: Sequence[StagedCheck]
) -> StagedBoundary:
    """The one-sided boundary at the last check, given the checks before it, none of which crossed.

    Args:
        alpha: over all checks of the schedule, in (0, 0.5).

    Raises:
        ValueError: all faults of the arguments at once.
    """
    _check(alpha, checks)
    information = rising(checks)
    spent = tuple(spending(alpha, check.share) for check in checks)
    critical = spending_boundary(spent, information, 1).critical[-1]
    return StagedBoundary(critical, float(ndtr(-critical)), spent, information)


def staged_p_value(spending: SpendingFunction, checks: Sequence[StagedCheck], z: float) -> float:
    """The smallest α at which the last of these checks alone would cross; 1 where no level below ½ would.

    Raises:
        ValueError: as for ``staged_boundary``.
    """
    _check(0.25, checks)
    information = rising(checks)
    seen = min(z, LARGEST_Z)

    def excess(quantile: float) -> float:
        alpha = float(ndtr(-quantile))
        spent = tuple(spending(alpha, check.share) for check in checks)
        return max(-100.0, min(100.0, spending_boundary(spent, information, 1).critical[-1] - seen))

    if excess(1e-6) >= 0:
        return 1.0
    # The check never crosses at a smaller level than it would by itself.
    quantile = seen if excess(seen) <= 0 else brentq(excess, 1e-6, seen, xtol=1e-12)
    return float(ndtr(-quantile))


def staged_power(
    spending: SpendingFunction, alpha: float, checks: Sequence[StagedCheck], drift: float
) -> tuple[float, ...]:
    """Probability that the boundary was crossed by each of these checks, none being the end of the test before.

    Args:
        drift: mean of the score for one unit of its variance: the true gap over the variance of one unit's share in it, so
            that z at a check has mean drift · √variance.

    Raises:
        ValueError: as for ``staged_boundary``.
    """
    _check(alpha, checks)
    information = rising(checks)
    spent = tuple(spending(alpha, check.share) for check in checks)
    critical = spending_boundary(spent, information, 1).critical
    crossed: list[float] = []
    paths = start()
    for check, (now, z) in enumerate(zip(information, critical, strict=True)):
        crossed.append(upper_probability(paths, now, z, drift) + (crossed[-1] if crossed else 0.0))
        if check + 1 < len(information):
            # The paths that matter under the drift reach further down than those of the null.
            furthest = TAIL + abs(drift) * math.sqrt(now)
            paths = advance(paths, now, information[check + 1], [(-furthest, min(z, furthest))])
    return tuple(min(1.0, probability) for probability in crossed)


def rising(checks: Sequence[StagedCheck]) -> tuple[float, ...]:
    """The variances of the score, made to rise where an estimate of them fell.

    Units were added, so the true variance rose; it is then taken to have risen as the weights did, which claims more
    independence between the checks than there was and so can only raise the boundary.
    """
    found: list[float] = []
    before: StagedCheck | None = None
    for check in checks:
        value = check.variance
        if before is not None and value <= found[-1] * (1 + RISE):
            value = found[-1] * max(check.weight / before.weight, 1 + 2 * RISE)
        found.append(value)
        before = check
    return tuple(found)


def brings_information(before: StagedCheck | None, weight: float) -> bool:
    """Whether a check with this weight has seen more than the one before."""
    return weight > (0.0 if before is None else before.weight * (1 + RISE))


def _check(alpha: float, checks: Sequence[StagedCheck]) -> None:
    faults: list[str] = []
    if not 0 < alpha < 0.5:
        faults.append(f"alpha: {alpha} is not allowed; give a level above 0 and below 0.5, for example 0.05")
    if not checks:
        faults.append("checks: none; give at least one")
    for index, check in enumerate(checks):
        if not (0 < check.weight < math.inf and 0 < check.variance < math.inf and 0 < check.share <= 1):
            faults.append(
                f"checks[{index}]: {check} is not allowed; weight and variance are above 0, share is above 0 and at most 1"
            )
            continue
        before = checks[index - 1] if index else None
        if not brings_information(before, check.weight):
            faults.append(
                f"checks[{index}].weight: {check.weight} does not rise; leave out a check that saw no new unit"
            )
        if before is not None and check.share < before.share:
            faults.append(
                f"checks[{index}].share: {check.share} is below {before.share} before it; shares never fall"
            )
    if faults:
        raise ValueError("; ".join(faults))
