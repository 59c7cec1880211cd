"""Counts, means and centred second moments of one arm: all that the comparison of arms needs to know.

Second moments are kept centred, never as ``sum(x²) − n·mean²``: with a mean of 1.7e9 and a variance of 1/12
the difference of those two sums has no correct digit left.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import index

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LEAST_LEFT = 1e-14  # share of the terms of a sum below which only their rounding is left


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean and centred sum of squares of one variable over the units of one arm.

    An empty arm is ``Moments(0, 0.0, 0.0)``, the identity of `merge`.

    Attributes:
        n: number of units, at least 0.
        mean: arithmetic mean, in the metric's own unit.
        m2: Σ (xᵢ − mean)², in the square of that unit, at least 0.

    Raises:
        ValueError: for a negative count, a negative sum of squares, or a number that is not finite.
    """

    n: int
    mean: float
    m2: float

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError(f"n: {self.n} is not allowed; give the number of units, 0 or more")
        if not math.isfinite(self.mean):
            raise ValueError(
                f"mean: {self.mean} is not allowed; give a finite number, missing values left out"
            )
        if not (math.isfinite(self.m2) and self.m2 >= 0):
            raise ValueError(f"m2: {self.m2} is not allowed; give the centred sum of squares, 0 or more")

    @classmethod
    def of(cls, values: ArrayLike) -> Moments:
        """Moments of the values themselves, by two passes (mean first, then deviations from it)."""
        x = np.asarray(values, dtype=float).ravel()
        if x.size == 0:
            return cls(0, 0.0, 0.0)
        mean = math.fsum(x) / x.size
        return cls(int(x.size), mean, math.fsum((x - mean) ** 2))

    @classmethod
    def from_sd(cls, n: int, mean: float, sd: float) -> Moments:
        """Moments from a published count, mean and standard deviation (ddof = 1)."""
        if sd < 0:
            raise ValueError(f"sd: {sd} is not allowed; give a standard deviation, 0 or more")
        return cls(n, mean, sd * sd * max(n - 1, 0))

    @property
    def variance(self) -> float:
        """Sample variance with n − 1 in the denominator.

        Raises:
            ValueError: with fewer than 2 units.
        """
        if self.n < 2:
            raise ValueError(f"n: a variance needs 2 or more units, found {self.n}")
        return self.m2 / (self.n - 1)

    @property
    def sd(self) -> float:
        """Sample standard deviation, the root of `variance`."""
        return math.sqrt(self.variance)

    def merge(self, other: Moments) -> Moments:
        """Moments of two disjoint sets of units together (Chan, Golub & LeVeque 1983, equations 2.1)."""
        if self.n == 0:
            return other
        if other.n == 0:
            return self
        n = self.n + other.n
        step = other.mean - self.mean
        return Moments(
            n,
            self.mean + step * (other.n / n),
            self.m2 + other.m2 + step * step * (self.n * (other.n / n)),
        )


@dataclass(frozen=True, slots=True)
class CoMoments:
    """Count, means and centred cross-products of several variables of the same units.

    Attributes:
        n: number of units, at least 0.
        means: one mean per variable, length k ≥ 1.
        comoments: k × k symmetric, Σ (xᵢ − mean_x)(yᵢ − mean_y), in the product of the two units.

    Raises:
        ValueError: if the shapes disagree, the cross-products are not symmetric, a centred sum of squares is
            negative, or a number is not finite.
    """

    n: int
    means: tuple[float, ...]
    comoments: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        k = len(self.means)
        if self.n < 0:
            raise ValueError(f"n: {self.n} is not allowed; give the number of units, 0 or more")
        if k == 0 or len(self.comoments) != k or any(len(row) != k for row in self.comoments):
            shape = [len(row) for row in self.comoments]
            raise ValueError(
                f"comoments: rows of lengths {shape} do not fit {k} means; give a {k} × {k} table"
            )
        if not all(map(math.isfinite, self.means)):
            raise ValueError(
                f"means: {self.means} is not allowed; give finite numbers, missing values left out"
            )
        for i, row in enumerate(self.comoments):
            if not all(map(math.isfinite, row)) or row[i] < 0:
                raise ValueError(
                    f"comoments[{i}]: {row} is not allowed; give finite numbers, on the diagonal 0 or more"
                )
            if any(row[j] != self.comoments[j][i] for j in range(i)):
                raise ValueError(f"comoments[{i}]: not symmetric; give the same number at (i, j) and (j, i)")

    @classmethod
    def of(cls, matrix: ArrayLike) -> CoMoments:
        """Co-moments of an (n units × k variables) matrix, by two passes."""
        x = np.asarray(matrix, dtype=float)
        if x.ndim != 2 or x.shape[1] == 0:
            raise ValueError(
                f"matrix: shape {x.shape} is not allowed; give units × variables, one column or more"
            )
        n, k = x.shape
        if n == 0:
            return cls(0, (0.0,) * k, ((0.0,) * k,) * k)
        means = np.array([math.fsum(column) / n for column in x.T])
        centred = x - means
        return _from_arrays(n, means, centred.T @ centred)

    @property
    def k(self) -> int:
        """Number of variables."""
        return len(self.means)

    def marginal(self, i: int) -> Moments:
        """Moments of variable i alone."""
        return Moments(self.n, self.means[i], self.comoments[i][i])

    def covariance(self, i: int, j: int) -> float:
        """Sample covariance of variables i and j, with n − 1 in the denominator.

        Raises:
            ValueError: with fewer than 2 units.
        """
        if self.n < 2:
            raise ValueError(f"n: a covariance needs 2 or more units, found {self.n}")
        return self.comoments[i][j] / (self.n - 1)

    def select(self, indices: Sequence[int]) -> CoMoments:
        """The named variables, in the order named."""
        return CoMoments(
            self.n,
            tuple(self.means[i] for i in indices),
            tuple(tuple(self.comoments[i][j] for j in indices) for i in indices),
        )

    def merge(self, other: CoMoments) -> CoMoments:
        """Co-moments of two disjoint sets of units together (Chan, Golub & LeVeque 1983, for products)."""
        if self.k != other.k:
            raise ValueError(
                f"other: {other.k} variables do not merge with {self.k}; give the same variables"
            )
        if self.n == 0:
            return other
        if other.n == 0:
            return self
        n = self.n + other.n
        step = np.subtract(other.means, self.means)
        means = np.add(self.means, step * (other.n / n))
        comoments = np.add(self.comoments, other.comoments) + np.outer(step, step) * (self.n * (other.n / n))
        return _from_arrays(n, means, comoments)

    def combine(self, weights: Sequence[Sequence[float]], means: Sequence[float]) -> CoMoments:
        """Co-moments of linear combinations of the variables.

        Args:
            weights: m rows of k weights; row r gives the new variable Σⱼ weights[r][j]·xⱼ, up to a constant.
            means: the m means of the new variables, as the caller's constant makes them.
        """
        W = np.asarray(weights, dtype=float)
        table = np.asarray(self.comoments)
        combined = W @ table @ W.T
        # Where the terms cancel down to rounding nothing varies; a variance of 1e-17 would pass for certainty.
        terms = np.diagonal(np.abs(W) @ np.abs(table) @ np.abs(W).T)
        left = np.diagonal(combined)
        np.fill_diagonal(combined, np.where(left <= _LEAST_LEFT * terms, 0.0, left))
        return _from_arrays(self.n, np.asarray(means, dtype=float), combined)


def exact_comoments(
    n: int,
    sums: Sequence[int],
    cross: Sequence[Sequence[int]],
    scales: Sequence[int],
    centres: Sequence[int],
) -> CoMoments:
    """Co-moments from exact integer sums, rounded once at the very end.

    Each value xᵢ was stored as the integer dᵢ = scale·xᵢ − centre; integer sums do not depend on the order of
    rows or threads. In rational arithmetic mean = (centre + S/n) / scale, and the centred cross-product is
    (n·C_xy − S_x·S_y) / (n·scale_x·scale_y).

    Args:
        n: number of units.
        sums: S_x = Σ d_x, one integer per variable.
        cross: C_xy = Σ d_x·d_y, a k × k table of integers; only the upper triangle is read.
        scales: integers above 0, one per variable (100 for a value kept in hundredths).
        centres: provisional means, in scaled units, one integer per variable.

    Raises:
        ValueError: if the lengths disagree, a scale is not positive, or the sums belong to no data
            (n·C_xx < S_x², or anything but zeros with n = 0).
        TypeError: for a number that is not an integer.
    """
    k = len(sums)
    if not (len(cross) == len(scales) == len(centres) == k) or any(len(row) != k for row in cross):
        raise ValueError(
            f"sums, cross, scales, centres: lengths {k}, {len(cross)}, {len(scales)}, {len(centres)} do not "
            "agree; give one entry per variable and a square table of cross-products"
        )
    # Machine integers would overflow below; a float is a sum that has already lost digits, and is refused.
    n = index(n)
    S, C = [index(value) for value in sums], [[index(value) for value in row] for row in cross]
    scale, centre = [index(value) for value in scales], [index(value) for value in centres]
    if any(value <= 0 for value in scale):
        raise ValueError(f"scales: {tuple(scale)} is not allowed; give integers above 0")
    if n == 0:
        if any(S) or any(any(row) for row in C):
            raise ValueError("n: 0 units cannot have sums other than 0; give the count of the same units")
        return CoMoments(0, (0.0,) * k, ((0.0,) * k,) * k)
    if n < 0:
        raise ValueError(f"n: {n} is not allowed; give the number of units, 0 or more")
    means = tuple(float(Fraction(n * centre[i] + S[i], n * scale[i])) for i in range(k))
    table = [[0.0] * k for _ in range(k)]
    for i in range(k):
        if n * C[i][i] < S[i] ** 2:
            raise ValueError(
                f"cross[{i}][{i}]: {C[i][i]} is below sums² / n, which no data can give; "
                "take sums and cross-products of the same rows"
            )
        for j in range(i, k):
            centred = Fraction(n * C[i][j] - S[i] * S[j], n * scale[i] * scale[j])
            table[i][j] = table[j][i] = float(centred)
    return CoMoments(n, means, tuple(map(tuple, table)))


def merge_all(parts: Iterable[Moments]) -> Moments:
    """Moments of many disjoint sets of units together; of none, the empty arm."""
    total = Moments(0, 0.0, 0.0)
    for part in parts:
        total = total.merge(part)
    return total


def _from_arrays(n: int, means: NDArray[np.float64], comoments: NDArray[np.float64]) -> CoMoments:
    symmetric = (comoments + comoments.T) / 2
    return CoMoments(n, tuple(means.tolist()), tuple(map(tuple, symmetric.tolist())))
