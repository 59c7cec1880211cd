"""How far two binned distributions lie apart: population stability index, and Kolmogorov–Smirnov from bins.

Bins come from the reference: its quantiles for numbers, its names for categories; missing values and categories
that only one side has are bins of their own. The stability index is Σ (cᵢ − rᵢ)·ln(cᵢ / rᵢ) over the shares of
current and reference (Siddiqi 2006, Credit Risk Scorecards, section 9; the symmetric divergence of Jeffreys
1946). **Zero-bin rule:** where one side has no count in a bin, half a count is put in its place, the other
shares unchanged; a bin that neither side has is left out. An empty bin thus weighs more the larger the sample
is, and never infinitely.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, chndtrinc, fdtrc, ndtri
from scipy.stats import kstwo

from analysis.bins import Bins
from analysis.inference import check_level
from analysis.moments import CoMoments
from analysis.paired.homogeneity import share_differences

Floats = NDArray[np.float64]

EMPTY_BIN_COUNT: Final = 0.5
MODERATE, LARGE = 0.1, 0.2


class Band(StrEnum):
    """The usual reading of a stability index (Siddiqi 2006): below 0.1, up to 0.2, above."""

    STABLE = "stable"
    MODERATE = "moderate shift"
    LARGE = "large shift"


@dataclass(frozen=True, slots=True)
class StabilityIndex:
    """Population stability index.

    Attributes:
        value: None where a side has no counts.
        band: by the value alone.
        by_bin: what each bin adds, in order; 0 for a bin that neither side has.
        empty: indices of bins that one side alone has, by the zero-bin rule.
        expected: what it would be on average if the two distributions were one: it is never 0 by chance.
        standard_error: of the value.
        ci: interval for the index of the populations, two-sided at ``level``, its chance part taken off.
        p_value: that the two distributions are one.
        users: clusters; None where requests were taken for independent.
        not_computed: why numbers are None.
    """

    value: float | None
    band: Band | None
    by_bin: tuple[float, ...]
    empty: tuple[int, ...]
    reference: int
    current: int
    users: int | None
    level: float
    expected: float | None = None
    standard_error: float | None = None
    ci: tuple[float, float] | None = None
    p_value: float | None = None
    not_computed: str | None = None


@dataclass(frozen=True, slots=True)
class BinnedKS:
    """Largest distance of two distribution functions, as far as bins can tell.

    Attributes:
        statistic: the largest distance at the edges; the distance of the values is at least this.
        at_most: and at most this.
        edge: index of the bin at whose upper edge it is.
        p_value: for ``statistic``: at least the p-value of the values. None for paired or clustered
            requests, whose distance has not the law of independent ones.
        not_computed: why a number is None.
    """

    statistic: float | None
    at_most: float | None
    edge: int | None
    p_value: float | None
    not_computed: str | None = None

    @property
    def error_bound(self) -> float | None:
        """How much larger than ``statistic`` the distance of the values can be."""
        if self.statistic is None or self.at_most is None:
            return None
        return self.at_most - self.statistic


def stability_index(
    reference: Sequence[int], current: Sequence[int], *, level: float = 0.95
) -> StabilityIndex:
    """Index of two independent samples of independent requests.

    If the two distributions are one, the index is (1/n + 1/m) times a chi-squared variable with bins − 1
    degrees of freedom (Yurdakul & Naranjo 2020, Journal of Risk Model Validation 14(4), after Yurdakul 2018);
    that gives ``p_value`` and ``expected``. With a small shift the chi-squared is noncentral, with a large one
    the delta method holds (chance part taken off); the interval takes the wider limit of the two on each
    side, and its lower limit is 0 unless the p-value tells a shift. Its coverage is simulated in the tests.

    Args:
        reference, current: counts in the same bins.
        level: of the interval.
    """
    check_level(1 - level)
    counts = Bins(tuple(map(str, range(len(reference)))), tuple(reference), tuple(current))
    found = _index(counts, level, None)
    if found.value is None:
        return found
    n, m = found.reference, found.current
    kept = [i for i, pair in enumerate(zip(reference, current, strict=True)) if sum(pair)]
    if len(kept) < 2:
        return _but(found, "all requests are in one bin")
    r, c = _shares(counts, kept)
    chance, df = 1 / n + 1 / m, len(kept) - 1
    by_c, by_r = _derivatives(r, c)
    variance = (c @ by_c**2 - (c @ by_c) ** 2) / m + (r @ by_r**2 - (r @ by_r) ** 2) / n
    p_value = float(chdtrc(df, found.value / chance))
    return _with_law(found, chance, df, max(float(variance), 0.0), p_value)


def paired_stability_index(sums: CoMoments, *, level: float = 0.95) -> StabilityIndex:
    """Index of two models' outputs on the same requests, several per user.

    Paired outputs agree far more than independent samples, and a user's requests resemble each other, so the
    variance is taken from the users; the p-value is Rao & Scott's second-order one (see
    `analysis.paired.homogeneity`), on the index in the place of Pearson's statistic, which it equals to the
    order at which the law holds.

    Args:
        sums: co-moments over users of the reference's (champion's) requests by bin, then of the current's
            (candidate's), the bins in one order.
        level: of the interval.
    """
    check_level(1 - level)
    bins, rest = divmod(sums.k, 2)
    if rest or bins < 2:
        raise ValueError(
            f"sums: {sums.k} variables; give the reference's counts in 2 or more bins, then the other's"
        )
    totals = tuple(round(sums.n * mean) for mean in sums.means)
    counts = Bins(tuple(map(str, range(bins))), totals[:bins], totals[bins:])
    found = _index(counts, level, sums.n)
    if found.value is None:
        return found
    if sums.n < 2:
        return _but(found, f"fewer than 2 users (found {sums.n})")
    differences = share_differences(sums)
    if len(differences.kept) < 2:
        return _but(found, "all requests are in one bin")
    trace, squares = differences.eigenvalues()
    if trace == 0:
        return _but(found, "no spread over users: every user has the same shares in both")
    r, c = _shares(counts, differences.kept)
    by_c, by_r = _derivatives(r, c)
    weights = np.zeros(sums.k)
    n, m = sum(sums.means[:bins]), sum(sums.means[bins:])
    weights[:bins] = -(r @ by_r) / n
    weights[bins:] = -(c @ by_c) / m
    for place, i in enumerate(differences.kept):
        weights[i] += by_r[place] / n
        weights[bins + i] += by_c[place] / m
    variance = sums.combine([weights.tolist()], [0.0]).marginal(0).variance / sums.n
    df = trace**2 / squares
    p_value = float(fdtrc(df, df * (sums.n - 1), found.value / trace))
    return _with_law(found, squares / trace, df, variance, p_value)


def ks_from_bins(reference: Sequence[int], current: Sequence[int], *, independent: bool = True) -> BinnedKS:
    """Kolmogorov–Smirnov distance from counts in ordered bins with common edges.

    Between two edges each distribution function lies between its values at them, which bounds the distance of
    the values themselves from above.

    Args:
        reference, current: counts in the bins, lowest first.
        independent: the two are independent samples of independent requests; False for two models on the same
            requests, or several requests per user, where there is no p-value.
    """
    counts = Bins(tuple(map(str, range(len(reference)))), tuple(reference), tuple(current))
    n, m = sum(counts.reference), sum(counts.current)
    if n == 0 or m == 0:
        return BinnedKS(None, None, None, None, _no_counts(n, m))
    below_r, below_c = (
        np.concatenate(([0.0], np.cumsum(side, dtype=float) / total))
        for side, total in ((counts.reference, n), (counts.current, m))
    )
    distances = np.abs(below_r - below_c)
    edge = int(distances.argmax())
    statistic = float(distances[edge])
    inside = np.maximum(below_r[1:] - below_c[:-1], below_c[1:] - below_r[:-1])
    at_most = max(statistic, float(inside.max()))
    if not independent:
        why = "no p-value: the distance of dependent requests has not the law of independent ones"
        return BinnedKS(statistic, at_most, edge - 1 if edge else None, None, why)
    p_value = float(kstwo.sf(statistic, max(1, round(n * m / (n + m)))))
    return BinnedKS(statistic, at_most, edge - 1 if edge else None, min(max(p_value, 0.0), 1.0))


def band_of(value: float) -> Band:
    if value < MODERATE:
        return Band.STABLE
    return Band.MODERATE if value <= LARGE else Band.LARGE


def _index(counts: Bins, level: float, users: int | None) -> StabilityIndex:
    n, m = sum(counts.reference), sum(counts.current)
    if n == 0 or m == 0:
        return StabilityIndex(None, None, (), (), n, m, users, level, not_computed=_no_counts(n, m))
    by_bin = [0.0] * len(counts.names)
    empty = []
    for i, (a, b) in enumerate(zip(counts.reference, counts.current, strict=True)):
        if a or b:
            r, c = max(a, EMPTY_BIN_COUNT) / n, max(b, EMPTY_BIN_COUNT) / m
            by_bin[i] = (c - r) * math.log(c / r)
            if not (a and b):
                empty.append(i)
    value = math.fsum(by_bin)
    return StabilityIndex(value, band_of(value), tuple(by_bin), tuple(empty), n, m, users, level)


def _shares(counts: Bins, kept: Sequence[int]) -> tuple[Floats, Floats]:
    n, m = sum(counts.reference), sum(counts.current)
    r = np.maximum(np.asarray(counts.reference, dtype=float)[list(kept)], EMPTY_BIN_COUNT) / n
    c = np.maximum(np.asarray(counts.current, dtype=float)[list(kept)], EMPTY_BIN_COUNT) / m
    return r, c


def _derivatives(r: Floats, c: Floats) -> tuple[Floats, Floats]:
    """Of the index by the current's and the reference's shares."""
    ratio = np.log(c / r)
    return ratio + 1 - r / c, 1 - c / r - ratio


def _with_law(
    found: StabilityIndex, chance: float, df: float, variance: float, p_value: float
) -> StabilityIndex:
    """Interval from both laws: ``chance`` times a noncentral chi-squared near 0, the delta method further off."""
    value, expected = found.value or 0.0, chance * df
    chance_variance = 2 * chance**2 * df
    tail = (1 - found.level) / 2
    z2 = float(ndtri(tail)) ** 2
    # The delta method's variance rises with the index; each limit takes the one that it would itself have.
    slope = variance / value if value > 0 else 0.0

    def reach(centre: float) -> float:
        return math.sqrt(max(z2 * (z2 * slope**2 / 4 + slope * centre + chance_variance), 0.0))

    centre = value - expected
    lower = 0.0
    if p_value < tail:
        near = chance * float(chndtrinc(value / chance, df, 1 - tail))
        lower = max(min(near, centre + z2 * slope / 2 - reach(centre)), 0.0)
    near = chance * float(chndtrinc(value / chance, df, tail)) if value > 0 else 0.0
    upper = max(near, max(centre, 0.0) + z2 * slope / 2 + reach(max(centre, 0.0)))
    error = math.sqrt(variance + chance_variance)
    return StabilityIndex(
        value=found.value,
        band=found.band,
        by_bin=found.by_bin,
        empty=found.empty,
        reference=found.reference,
        current=found.current,
        users=found.users,
        level=found.level,
        expected=expected,
        standard_error=error,
        ci=(lower, upper),
        p_value=p_value,
    )


def _but(found: StabilityIndex, why: str) -> StabilityIndex:
    return StabilityIndex(
        found.value,
        found.band,
        found.by_bin,
        found.empty,
        found.reference,
        found.current,
        found.users,
        found.level,
        not_computed=why,
    )


def _no_counts(reference: int, current: int) -> str:
    sides = [side for side, total in (("reference", reference), ("current", current)) if total == 0]
    return f"no requests in the {' and the '.join(sides)}"
