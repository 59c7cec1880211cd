"""Paired differences where a user has several requests: the user, not the request, is what is independent."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from analysis.inference import normal_deviate
from analysis.paired.difference import tango_interval, tango_z
from analysis.paired.inference import (
    Alternative,
    check_alternative,
    check_level,
    check_margin,
    tail_p_value,
    two_sided_critical,
)
from analysis.paired.table import PairedTable
from analysis.paired.user_moments import ClusterMoments

ClusterMethod = Literal["obuchowski", "durkalski", "linearised"]


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
    difference: float | None  # None without users; it may stand without an interval
    ci: tuple[float, float] | None
    statistic: float | None  # standard normal; Student's t with users − 1 degrees of freedom if linearised
    p_value: float | None
    not_computed: str | None = None

    @property
    def z(self) -> float | None:
        """The statistic on the normal scale, by its one-sided p, sign kept: for sequential boundaries."""
        if self.statistic is None:
            return None
        return normal_deviate(self.statistic, self.users - 1 if self.method == "linearised" else math.inf)


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
      form of Yang, Sun & Hardin 2010, Biom J 52:642), here at any null value. Of counts of right and wrong it
      is never further from 0 than Tango's statistic of the same pairs, taken for independent.
    - ``durkalski``: (Σ rₖ)² / Σ rₖ² on each user's own difference of shares, every user counting alike
      (Durkalski, Palesch, Lipsitz & Rust 2003, Stat Med 22:2417); needs ``ClusterMoments.of_user_shares``.
    - ``linearised``: the ratio's delta-method standard error, with K/(K − 1), against Student's t with K − 1
      degrees of freedom; for means of latency or score as well.

    One pair per user makes ``durkalski`` McNemar's chi-squared. With few effective users (below some hundred, see
    `ClusterMoments.effective_users`), or next to no discordant pairs against a margin, only ``obuchowski`` was seen
    to keep its level (docs/guarantees.md).

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

    found = moments.difference_mean / moments.pairs_mean if moments.users else None
    empty = ClusteredDifference(
        method, alternative, null_difference, level, moments.users, found, None, None, None
    )
    statistic = user_statistic(moments, method, null_difference)
    if isinstance(statistic, str):
        return replace(empty, not_computed=statistic)
    df = moments.users - 1 if method == "linearised" else math.inf
    ci = user_interval(moments, method, two_sided_critical(level, df))
    if ci is None:
        return replace(empty, not_computed=f"{_too_few(moments)} for an interval at level {level}")
    return replace(
        empty,
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


def user_statistic(moments: ClusterMoments, method: ClusterMethod, null: float) -> float | str:
    """The statistic of the named test, or why there is none."""
    k = moments.users
    if k < 2:
        return f"fewer than 2 users (found {k})"
    excess = moments.difference_mean - null * moments.pairs_mean
    if method == "linearised":
        scatter = moments.residual_m2(moments.difference_mean / moments.pairs_mean)
        if scatter == 0:
            return "the difference per pair is the same for every user"
        return excess * math.sqrt(k * (k - 1) / scatter)
    squares = moments.residual_m2(null) + k * excess**2
    table = _independent_pairs(moments, method)
    if squares == 0 and (table is None or null == 0):
        return f"no user's pairs differ from the null difference {null}"
    by_user = k * excess / math.sqrt(_correction(method, k) * squares) if squares > 0 else math.inf
    if table is None or not abs(null) < 1:
        return by_user
    by_pair = tango_z(table, null)
    return by_pair if abs(by_pair) < abs(by_user) else by_user


def user_interval(
    moments: ClusterMoments, method: ClusterMethod, critical: float
) -> tuple[float, float] | None:
    """All null differences at which |statistic| is at most ``critical``; None where they have no end.

    Those of the score methods are the solutions of a quadratic inequality, as Fieller's: an interval only if
    the number of pairs is itself known well enough from so many users.
    """
    k = moments.users
    if method == "linearised":
        estimate, error = moments.difference_mean / moments.pairs_mean, moments.standard_error
        reach = math.inf if error is None else critical * error
        return (estimate - reach, estimate + reach) if math.isfinite(reach) else None
    z2 = critical**2 * _correction(method, k)
    if k <= z2:
        return None
    g = z2 / (k * (k - z2))
    a = moments.pairs_mean**2 - g * moments.pairs_m2
    if a <= 0:
        return None
    b = moments.difference_mean * moments.pairs_mean - g * moments.cross
    scatter = (
        moments.pairs_mean**2 * moments.difference_m2
        - 2 * moments.difference_mean * moments.pairs_mean * moments.cross
        + moments.difference_mean**2 * moments.pairs_m2
    )
    product = moments.difference_m2 * moments.pairs_m2 - moments.cross**2
    root = math.sqrt(max(g * scatter - g**2 * product, 0.0))
    found = (b - root) / a, (b + root) / a
    table = _independent_pairs(moments, method)
    if table is None:
        return found
    by_pair = tango_interval(table, critical)
    return min(found[0], by_pair[0]), max(found[1], by_pair[1])


def _independent_pairs(moments: ClusterMoments, method: ClusterMethod) -> PairedTable | None:
    """The table whose Tango statistic, at any null, the users' own may not exceed.

    Users who resemble themselves make pairs tell less than as many independent ones, never more. But where next
    to no pair is discordant the users' spread is far below what it is under the null: without this limit a
    margin of 1 % was ruled out in a third of the cases by 100 pairs of which 1 is lost on average.
    """
    return moments.table if method == "obuchowski" else None


def _correction(method: ClusterMethod, users: int) -> float:
    return users / (users - 1) if method == "obuchowski" else 1.0


def _too_few(moments: ClusterMoments) -> str:
    unequal = " with so unequal numbers of pairs" if moments.pairs_m2 > 0 else ""
    return f"{moments.users} users{unequal} are too few"
