"""Sample ratio mismatch: do the units arrive in the shares that were planned?

At a look the chi-squared test, its stratified form, and where the mismatch sits. The test that may be looked
at every day is in `analysis.sequential_srm`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import chdtrc

from analysis.multinomial import multinomial_p_value
from analysis.multiplicity import Family, adjust

SRMMethod = Literal["chi-squared", "exact multinomial"]

SMALLEST_EXPECTED = 5.0
"""Expected units below which chi-squared is not used (Cochran 1954, Biometrics 10, 417)."""


@dataclass(frozen=True, slots=True)
class SRM:
    """Observed units against planned shares.

    Attributes:
        observed: units per arm with a planned share above 0.
        expected: the units these arms should have of the same total.
        method: the test that gave p, or None when not computed.
        statistic: Pearson's chi-squared; None for the exact test.
        df: arms − 1; None for the exact test.
        p_value: probability of shares at least this far from the plan.
        unplanned: units found in arms of planned share 0; they take no part in the test.
        not_computed: why there is no p-value, else None.
    """

    observed: tuple[int, ...]
    expected: tuple[float, ...]
    method: SRMMethod | None
    statistic: float | None
    df: int | None
    p_value: float | None
    unplanned: int = 0
    not_computed: str | None = None


def srm_test(observed: Sequence[int], planned: Sequence[float]) -> SRM:
    """Test of observed units against planned shares: chi-squared, or exact if an expected count is below 5.

    The switch depends on the plan and the total alone, never on how the total fell out, and `SRM.method`
    tells which test it was. Arms with planned share 0 do not exist: they are left out, and their units
    counted as unplanned.

    Args:
        observed: units per arm, control first.
        planned: shares or weights per arm, 0 or more, in the same order; only their proportions matter.

    Raises:
        ValueError: for counts below 0, weights below 0 or all 0, or lengths that differ.
    """
    counts, shares, unplanned = _planned_arms(observed, planned)
    total = sum(counts)
    expected = tuple(total * share for share in shares)
    if len(counts) < 2:
        reason = "fewer than 2 arms with a planned share: there is no ratio to test"
        return SRM(counts, expected, None, None, None, None, unplanned, reason)
    if total == 0:
        return SRM(counts, expected, None, None, None, None, unplanned, "no units in any arm")
    if min(expected) < SMALLEST_EXPECTED:
        p = multinomial_p_value(counts, shares)
        if p is None:
            reason = f"too many outcomes for the exact test ({total} units, {len(counts)} arms)"
            return SRM(counts, expected, None, None, None, None, unplanned, reason)
        return SRM(counts, expected, "exact multinomial", None, None, p, unplanned)
    statistic, df = _pearson(counts, expected), len(counts) - 1
    return SRM(counts, expected, "chi-squared", statistic, df, float(chdtrc(df, statistic)), unplanned)


@dataclass(frozen=True, slots=True)
class StratifiedSRM:
    """Sum of every stratum's chi-squared: sees assignment confounded with strata though the totals balance.

    Attributes:
        statistic, df, p_value: of the sum; None when not computed.
        strata: strata tested each by itself, in the order given.
        pooled: strata with an expected count below 5, tested together as one.
        left_out: strata whose units, even pooled, were too few to test; and strata without units.
        not_computed: why there is no p-value, else None.
    """

    statistic: float | None
    df: int | None
    p_value: float | None
    strata: tuple[str, ...]
    pooled: tuple[str, ...]
    left_out: tuple[str, ...]
    not_computed: str | None = None


def stratified_srm(strata: Mapping[str, Sequence[int]], planned: Sequence[float]) -> StratifiedSRM:
    """Chi-squared against the planned shares within every stratum (day, country), added up with its df.

    Strata with an expected count below 5 are pooled into one; if that one is still below, it is left out and
    named.

    Args:
        strata: units per arm for each stratum, control first.
        planned: shares or weights per arm, 0 or more, in the same order.

    Raises:
        ValueError: as for `srm_test`.
    """
    alone: dict[str, float] = {}
    small: dict[str, tuple[int, ...]] = {}
    left_out: list[str] = []
    df_each = sum(1 for weight in planned if weight > 0) - 1
    for name, observed in strata.items():
        counts, shares, _ = _planned_arms(observed, planned)
        expected = [sum(counts) * share for share in shares]
        if sum(counts) == 0 or df_each < 1:
            left_out.append(name)
        elif min(expected) < SMALLEST_EXPECTED:
            small[name] = counts
        else:
            alone[name] = _pearson(counts, expected)
    statistics = list(alone.values())
    pooled: tuple[str, ...] = ()
    if small:
        together = [sum(arm) for arm in zip(*small.values(), strict=True)]
        expected = [sum(together) * share for share in shares]
        if min(expected) < SMALLEST_EXPECTED:
            left_out.extend(small)
        else:
            statistics.append(_pearson(together, expected))
            pooled = tuple(small)
    if not statistics:
        reason = "no stratum has an expected count of 5 or more in each of 2 arms or more"
        return StratifiedSRM(None, None, None, (), (), tuple(left_out), reason)
    statistic, df = math.fsum(statistics), df_each * len(statistics)
    return StratifiedSRM(statistic, df, float(chdtrc(df, statistic)), tuple(alone), pooled, tuple(left_out))


@dataclass(frozen=True, slots=True)
class Localisation:
    """Where a mismatch sits: one test per stratum, Holm over the strata.

    Attributes:
        strata: the test of each stratum by itself, exact where it is small.
        adjusted: the p-values with Holm's adjustment and which of them are at most α.
    """

    strata: Mapping[str, SRM]
    adjusted: Family


def localise_srm(
    strata: Mapping[str, Sequence[int]], planned: Sequence[float], *, alpha: float = 0.001
) -> Localisation:
    """Each stratum against the planned shares, adjusted over the family by Holm's method.

    Raises:
        ValueError: as for `srm_test`, or for a level not in (0, 1).
    """
    tests = {name: srm_test(counts, planned) for name, counts in strata.items()}
    p_values = {name: test.p_value for name, test in tests.items()}
    return Localisation(tests, adjust(p_values, method="holm", alpha=alpha))


def _pearson(observed: Sequence[int], expected: Sequence[float]) -> float:
    o, e = np.asarray(observed, dtype=float), np.asarray(expected)
    return float(np.sum((o - e) ** 2 / e))


def _planned_arms(
    observed: Sequence[int], planned: Sequence[float]
) -> tuple[tuple[int, ...], tuple[float, ...], int]:
    """Counts and shares of the arms with a planned share, and the units in the arms without one."""
    if len(observed) != len(planned):
        raise ValueError(
            f"planned: {len(planned)} shares for {len(observed)} arms; give one per arm, in the same order"
        )
    if any(count < 0 for count in observed):
        raise ValueError(f"observed: {tuple(observed)} is not allowed; give counts of units, 0 or more")
    weights = [float(weight) for weight in planned]
    if any(not math.isfinite(weight) or weight < 0 for weight in weights) or not any(weights):
        raise ValueError(f"planned: {tuple(planned)} is not allowed; give weights of 0 or more, not all 0")
    whole = math.fsum(weights)
    kept = [i for i, weight in enumerate(weights) if weight > 0]
    counts = tuple(int(observed[i]) for i in kept)
    return counts, tuple(weights[i] / whole for i in kept), int(sum(observed)) - sum(counts)
