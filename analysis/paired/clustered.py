"""Paired differences where a user has several requests: the user, not the request, is what is independent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from analysis.paired.inference import (
    Alternative,
    check_alternative,
    check_level,
    check_margin,
    tail_p_value,
    two_sided_critical,
)

ClusterMethod = Literal["obuchowski", "durkalski", "linearised"]


@dataclass(frozen=True, slots=True)
class ClusterMoments:
    """Means and centred second moments, over users, of a sum of paired differences and a number of pairs.

    Attributes:
        users: number of users (clusters).
        difference_mean: mean over users of dₖ, the sum of candidate − champion over the user's pairs.
        pairs_mean: mean over users of nₖ, the user's number of pairs; positive.
        difference_m2: Σ (dₖ − mean)².
        pairs_m2: Σ (nₖ − mean)².
        cross: Σ (dₖ − mean)(nₖ − mean).

    Raises:
        ValueError: naming every number that cannot be.
    """

    users: int
    difference_mean: float
    pairs_mean: float
    difference_m2: float
    pairs_m2: float
    cross: float

    def __post_init__(self) -> None:
        problems = []
        if self.users < 0:
            problems.append(f"users: {self.users} is not allowed; give the number of users, 0 or more")
        for name in ("difference_mean", "pairs_mean", "difference_m2", "pairs_m2", "cross"):
            value = getattr(self, name)
            if not math.isfinite(value) or (name.endswith("m2") and value < 0):
                problems.append(
                    f"{name}: {value} is not allowed; give a finite number, for a sum of squares ≥ 0"
                )
        if self.users > 0 and not self.pairs_mean > 0:
            problems.append(f"pairs_mean: {self.pairs_mean} is not allowed; leave users without pairs out")
        if problems:
            raise ValueError("\n".join(problems))

    @classmethod
    def of_counts(
        cls, candidate_only: ArrayLike, champion_only: ArrayLike, pairs: ArrayLike
    ) -> ClusterMoments:
        """From each user's discordant pairs and number of pairs: the difference of shares over all pairs.

        Args:
            candidate_only, champion_only, pairs: one count per user, of the same length.
        """
        b, c, n = (np.asarray(x, dtype=float) for x in (candidate_only, champion_only, pairs))
        _check_counts(b, c, n)
        return cls.of_sums(b - c, n)

    @classmethod
    def of_user_shares(
        cls, candidate_only: ArrayLike, champion_only: ArrayLike, pairs: ArrayLike
    ) -> ClusterMoments:
        """From the same counts: each user's own difference of shares, every user counting alike."""
        b, c, n = (np.asarray(x, dtype=float) for x in (candidate_only, champion_only, pairs))
        _check_counts(b, c, n)
        return cls.of_sums((b - c) / n, np.ones_like(n))

    @classmethod
    def of_sums(cls, differences: ArrayLike, pairs: ArrayLike) -> ClusterMoments:
        """From each user's sum of candidate − champion (latency, score) and number of pairs."""
        d, n = np.asarray(differences, dtype=float), np.asarray(pairs, dtype=float)
        if d.shape != n.shape or d.ndim != 1:
            raise ValueError(
                f"differences, pairs: shapes {d.shape} and {n.shape}; give one number per user in each"
            )
        if not (np.isfinite(d).all() and np.isfinite(n).all() and (n > 0).all()):
            raise ValueError("differences, pairs: give finite numbers, and leave users without pairs out")
        if d.size == 0:
            return cls(0, 0.0, 0.0, 0.0, 0.0, 0.0)
        d_mean, n_mean = math.fsum(d) / d.size, math.fsum(n) / n.size
        d, n = d - d_mean, n - n_mean
        return cls(len(d), d_mean, n_mean, math.fsum(d * d), math.fsum(n * n), math.fsum(d * n))

    def residual_m2(self, difference: float) -> float:
        """Σ (rₖ − mean)² of the residuals rₖ = dₖ − difference·nₖ."""
        return max(self.difference_m2 - 2 * difference * self.cross + difference**2 * self.pairs_m2, 0.0)


@dataclass(frozen=True, slots=True)
class ClusteredDifference:
    """A paired difference with the user as the independent unit. ``ci`` inverts the test.

    ``ci`` leaves ``null_difference`` out exactly when a two-sided ``p_value`` is below 1 − level.
    """

    method: ClusterMethod
    alternative: Alternative
    null_difference: float
    level: float
    users: int
    difference: float | None
    ci: tuple[float, float] | None
    statistic: float | None  # standard normal; Student's t with users − 1 degrees of freedom if linearised
    p_value: float | None
    not_computed: str | None = None


@dataclass(frozen=True, slots=True)
class ClusteredNonInferiority:
    """Test that the candidate is worse than the champion by less than ``margin``, by user.

    ``ci`` is two-sided at 1 − 2·alpha; its harmful bound is inside the margin exactly when ``ruled_out``.
    """

    method: ClusterMethod
    margin: float
    direction: Literal["higher", "lower"]
    alpha: float
    users: int
    difference: float | None
    ci: tuple[float, float] | None
    statistic: float | None
    p_value: float | None
    ruled_out: bool  # the margin; False whenever nothing could be computed
    not_computed: str | None = None


def clustered_difference(
    moments: ClusterMoments,
    *,
    method: ClusterMethod,
    level: float = 0.95,
    null_difference: float = 0.0,
    alternative: Alternative = "two-sided",
) -> ClusteredDifference:
    """Difference per pair, Σdₖ / Σnₖ, tested against ``null_difference`` with users as the clusters.

    With K users and rₖ = dₖ − null·nₖ:

    - ``obuchowski``: (K − 1)/K · (Σ rₖ)² / Σ rₖ² as chi-squared (Obuchowski 1998, Stat Med 17:1495, in the
      form of Yang, Sun & Hardin 2010, Biom J 52:642), here at any null value.
    - ``durkalski``: (Σ rₖ)² / Σ rₖ² on each user's own difference of shares, every user counting alike
      (Durkalski, Palesch, Lipsitz & Rust 2003, Stat Med 22:2417); needs ``ClusterMoments.of_user_shares``.
    - ``linearised``: the ratio's delta-method standard error, with K/(K − 1), against Student's t with K − 1
      degrees of freedom; for means of latency or score as well.

    One pair per user makes ``durkalski`` McNemar's chi-squared.

    Raises:
        ValueError: naming the parameter that is not allowed.
    """
    check_level(level)
    check_alternative(alternative)
    if method not in ("obuchowski", "durkalski", "linearised"):
        raise ValueError(f"method: {method!r} is unknown; give obuchowski, durkalski or linearised")
    if method == "durkalski" and (moments.pairs_m2 > 0 or (moments.users and moments.pairs_mean != 1)):
        raise ValueError(
            "method: durkalski counts every user alike; build ClusterMoments.of_user_shares for it"
        )
    if not math.isfinite(null_difference):
        raise ValueError(
            f"null_difference: {null_difference} is not allowed; give a finite number, usually 0"
        )

    result = _linearised if method == "linearised" else _score
    found = result(moments, method, level, null_difference)
    if isinstance(found, str):
        return ClusteredDifference(
            method, alternative, null_difference, level, moments.users, None, None, None, None, found
        )
    statistic, ci, df = found
    return ClusteredDifference(
        method=method,
        alternative=alternative,
        null_difference=null_difference,
        level=level,
        users=moments.users,
        difference=moments.difference_mean / moments.pairs_mean,
        ci=ci,
        statistic=statistic,
        p_value=tail_p_value(statistic, alternative, df),
    )


def clustered_noninferiority(
    moments: ClusterMoments,
    margin: float,
    *,
    method: ClusterMethod,
    alpha: float = 0.025,
    direction: Literal["higher", "lower"] = "higher",
) -> ClusteredNonInferiority:
    """Non-inferiority of the candidate against an absolute margin, by the named clustered test.

    Args:
        moments: of the per-user sums.
        margin: largest worsening accepted per pair, positive.
        method: see :func:`clustered_difference`.
        alpha: one-sided level.
        direction: whether a higher or a lower difference is better.

    Raises:
        ValueError: naming every parameter that is not allowed.
    """
    check_margin(margin, alpha, direction)
    tested = clustered_difference(
        moments,
        method=method,
        level=1 - 2 * alpha,
        null_difference=-margin if direction == "higher" else margin,
        alternative="greater" if direction == "higher" else "less",
    )
    return ClusteredNonInferiority(
        method=method,
        margin=margin,
        direction=direction,
        alpha=alpha,
        users=moments.users,
        difference=tested.difference,
        ci=tested.ci,
        statistic=tested.statistic,
        p_value=tested.p_value,
        ruled_out=tested.p_value is not None and tested.p_value < alpha,
        not_computed=tested.not_computed,
    )


Inference = tuple[float, tuple[float, float], float]  # statistic, interval, degrees of freedom


def _score(moments: ClusterMoments, method: str, level: float, null: float) -> Inference | str:
    k = moments.users
    if k < 2:
        return f"fewer than 2 users (found {k})"
    correction = k / (k - 1) if method == "obuchowski" else 1.0
    excess = moments.difference_mean - null * moments.pairs_mean
    squares = moments.residual_m2(null) + k * excess**2
    if squares == 0:
        return f"no user's pairs differ from the null difference {null}"
    # The set of nulls not rejected is a quadratic inequality, as Fieller's; it is an interval only if the
    # number of pairs is itself known well enough from so many users.
    z2 = two_sided_critical(level) ** 2 * correction
    if k <= z2:
        return f"{k} users are too few for an interval at level {level}"
    g = z2 / (k * (k - z2))
    a = moments.pairs_mean**2 - g * moments.pairs_m2
    if a <= 0:
        return f"{k} users with so unequal numbers of pairs are too few for an interval at level {level}"
    b = moments.difference_mean * moments.pairs_mean - g * moments.cross
    scatter = (
        moments.pairs_mean**2 * moments.difference_m2
        - 2 * moments.difference_mean * moments.pairs_mean * moments.cross
        + moments.difference_mean**2 * moments.pairs_m2
    )
    product = moments.difference_m2 * moments.pairs_m2 - moments.cross**2
    root = math.sqrt(max(g * scatter - g**2 * product, 0.0))
    return k * excess / math.sqrt(correction * squares), ((b - root) / a, (b + root) / a), math.inf


def _linearised(moments: ClusterMoments, _method: str, level: float, null: float) -> Inference | str:
    k = moments.users
    if k < 2:
        return f"fewer than 2 users (found {k})"
    estimate = moments.difference_mean / moments.pairs_mean
    error = math.sqrt(moments.residual_m2(estimate) / (k * (k - 1))) / moments.pairs_mean
    if error == 0:
        return "the difference per pair is the same for every user"
    reach = two_sided_critical(level, k - 1) * error
    return (estimate - null) / error, (estimate - reach, estimate + reach), k - 1


def _check_counts(b: np.ndarray, c: np.ndarray, n: np.ndarray) -> None:
    if not (b.shape == c.shape == n.shape and b.ndim == 1):
        raise ValueError(
            f"candidate_only, champion_only, pairs: shapes {b.shape}, {c.shape}, {n.shape}; give one per user"
        )
    if (b < 0).any() or (c < 0).any() or (b + c > n).any() or (n < 1).any():
        raise ValueError(
            "candidate_only, champion_only, pairs: each user needs 1 or more pairs and no more discordant "
            "pairs than pairs; leave users without pairs out"
        )
