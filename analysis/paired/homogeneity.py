"""Are two sets of requests spread alike over categories, where both come from the same users?

Pearson's chi-squared takes requests for independent; here its law is found from the spread over users. To
first order it is a weighted sum of chi-squared variables of 1 degree of freedom; Rao & Scott's second-order
correction (1984, Annals of Statistics 12, p. 46, after Satterthwaite) gives it the mean and variance of that
sum, and Thomas & Rao (1987, JASA 82, p. 630) its F form. It holds its level with many categories and few
users, where a Wald statistic with an estimated covariance matrix does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from analysis.moments import CoMoments

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Homogeneity:
    """Test that two distributions over the same categories are one, by user.

    Attributes:
        users: clusters.
        first, second: requests in each set.
        shares: of each category in the first and the second set, in order; empty without requests.
        distance: half the sum of absolute differences of the shares, from 0 to 1.
        statistic: Pearson's chi-squared over Rao & Scott's mean eigenvalue and its degrees of freedom.
        df, denominator_df: of the F distribution it is referred to.
        p_value: that the categories are spread alike.
        not_computed: why there is no p-value.
    """

    users: int
    first: int
    second: int
    shares: tuple[tuple[float, ...], tuple[float, ...]]
    distance: float | None
    statistic: float | None
    df: float | None
    denominator_df: float | None
    p_value: float | None
    not_computed: str | None = None


@dataclass(frozen=True, slots=True)
class ShareDifferences:
    """Shares of both sets over the categories that occur, and the covariance of their differences by user.

    Attributes:
        kept: indices of the categories that occur.
        first, second: shares.
        pooled: shares of both together.
        covariance: of first − second, estimated.
    """

    kept: tuple[int, ...]
    first: Matrix
    second: Matrix
    pooled: Matrix
    covariance: Matrix

    def eigenvalues(self) -> tuple[float, float]:
        """Σλ and Σλ² of the covariance in Pearson's metric, diag(pooled)⁻¹ · covariance."""
        table = self.covariance / np.sqrt(np.outer(self.pooled, self.pooled))
        return float(np.trace(table)), float((table * table).sum())


def clustered_homogeneity(sums: CoMoments) -> Homogeneity:
    """Rao–Scott test of two distributions of requests over C categories, with the user as the cluster.

    Args:
        sums: co-moments over users of the first set's requests by category (0 to C − 1), then of the second
            set's (C to 2C − 1). A user may have requests in either set or both; a request in both sets (two
            models' answers to it) counts in both.

    Raises:
        ValueError: for an odd number of sums, or fewer than 4.
    """
    categories = _categories(sums)
    totals = [round(sums.n * mean) for mean in sums.means]
    first, second = sum(totals[:categories]), sum(totals[categories:])
    if first == 0 or second == 0:
        which = "first" if first == 0 else "second"
        return _none(sums.n, first, second, ((), ()), None, f"no requests in the {which} set")
    shares = (
        tuple(count / first for count in totals[:categories]),
        tuple(count / second for count in totals[categories:]),
    )
    distance = math.fsum(abs(a - b) for a, b in zip(*shares, strict=True)) / 2
    found = share_differences(sums)
    if sums.n < 2:
        return _none(sums.n, first, second, shares, distance, f"fewer than 2 users (found {sums.n})")
    if len(found.kept) < 2:
        return _none(sums.n, first, second, shares, distance, "all requests are in one category")
    trace, squares = found.eigenvalues()
    if trace == 0:
        why = "no spread over users: every user has the same shares in both sets"
        return _none(sums.n, first, second, shares, distance, why)
    chi_squared = float(((found.first - found.second) ** 2 / found.pooled).sum())
    df = trace * trace / squares
    denominator = df * (sums.n - 1)
    statistic = chi_squared / trace
    return Homogeneity(
        users=sums.n,
        first=first,
        second=second,
        shares=shares,
        distance=distance,
        statistic=statistic,
        df=df,
        denominator_df=denominator,
        p_value=float(fdtrc(df, denominator, statistic)),
    )


def share_differences(sums: CoMoments) -> ShareDifferences:
    """Differences of shares with their covariance by user, over the categories that occur in either set."""
    categories = _categories(sums)
    means = np.asarray(sums.means)
    kept = [i for i in range(categories) if means[i] > 0 or means[categories + i] > 0]
    whole = means[:categories].sum(), means[categories:].sum()
    first = means[kept] / whole[0]
    second = means[[categories + i for i in kept]] / whole[1]
    pooled = (means[kept] + means[[categories + i for i in kept]]) / (whole[0] + whole[1])
    weights = np.zeros((len(kept), sums.k))
    for row, i in enumerate(kept):
        weights[row, :categories] = -first[row] / whole[0]
        weights[row, i] += 1 / whole[0]
        weights[row, categories:] = second[row] / whole[1]
        weights[row, categories + i] -= 1 / whole[1]
    covariance = np.zeros((len(kept), len(kept)))
    if sums.n >= 2:
        influence = sums.combine(weights.tolist(), [0.0] * len(kept))
        covariance = np.asarray(influence.comoments) / ((sums.n - 1) * sums.n)
    return ShareDifferences(tuple(kept), first, second, pooled, covariance)


def _categories(sums: CoMoments) -> int:
    if sums.k < 4 or sums.k % 2:
        raise ValueError(
            f"sums: {sums.k} variables; give one set's requests in 2 or more categories, then the other's"
        )
    return sums.k // 2


def _none(
    users: int,
    first: int,
    second: int,
    shares: tuple[tuple[float, ...], tuple[float, ...]],
    distance: float | None,
    why: str,
) -> Homogeneity:
    return Homogeneity(users, first, second, shares, distance, None, None, None, None, why)
