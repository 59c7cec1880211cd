"""Shares of requests (matched, agreeing, flipped, in error) where a user has several: intervals by user."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.moments import CoMoments
from analysis.paired.clustered import ClusteredDifference, ClusterMethod, clustered_difference
from analysis.paired.inference import check_level, two_sided_critical
from analysis.paired.user_moments import ClusterMoments


@dataclass(frozen=True, slots=True)
class ClusteredShare:
    """A share of all requests.

    Attributes:
        users, requests, count: clusters, their requests, and those of them that count.
        share: count / requests; None without requests.
        effective_requests: independent requests that would know the share as well.
        effective_count: users of equal weight among whom the rarer kind of request is spread, (Σx)² / Σx² with
            x a user's requests that count (of a share above one-half: that do not). Below about 30 the limit
            on the far side of that kind misses 4 to 9 % of the time instead of 2.5 %: users who have many
            of them may not have been seen yet.
        ci: Wilson's interval with that many requests, two-sided at ``level``.
        not_computed: why ``share`` or ``ci`` is None.
    """

    users: int
    requests: int
    count: int
    share: float | None
    effective_requests: float | None
    effective_count: float | None
    ci: tuple[float, float] | None
    level: float
    not_computed: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionFlips:
    """Requests on which the two models would act differently at the live threshold, by direction."""

    to_act: ClusteredShare  # only the candidate would act
    to_refrain: ClusteredShare  # only the champion would act
    flipped: ClusteredShare  # either
    net: ClusteredDifference  # share acted upon, candidate − champion


def clustered_share(sums: CoMoments, *, level: float = 0.95, count: int = 0, of: int = 1) -> ClusteredShare:
    """Share with Wilson's interval at the effective number of requests.

    That number is share·(1 − share) over the delta-method variance by user, times the squared ratio of the
    normal's critical value to Student's t with users − 1 degrees of freedom (Korn & Graubard 1998, Survey
    Methodology 24, p. 193, whose adjustment is put here into Wilson's interval, as Franco, Little, Louis &
    Slud 2019, Journal of Survey Statistics and Methodology 7, p. 334, do). It is never more than the number
    of requests. Where all requests count or none does, users show no spread and no design effect can be
    told: then only (Σn)² / Σn² effective users are taken, as if a user's requests were all one.

    Args:
        sums: co-moments over users of what counts and of all requests; users without requests left out.
        level: of the interval.
        count, of: which of the sums are these two.

    Raises:
        ValueError: for a level not in (0, 1), or more that count than there are.
    """
    check_level(level)
    users = sums.n
    hits, requests = (round(users * sums.means[i]) for i in (count, of))
    if hits < 0 or hits > requests:
        raise ValueError(
            f"sums: {hits} of {requests} requests is not allowed; give first those that count, then all"
        )
    if requests == 0:
        return ClusteredShare(users, requests, hits, None, None, None, None, level, "no requests")
    share = hits / requests
    both = sums.select([count, of])
    effective, spread = _effective_requests(both, hits, requests, level), _effective_count(both)
    if effective is None:
        why = f"fewer than 2 users (found {users})"
        return ClusteredShare(users, requests, hits, share, None, spread, None, level, why)
    ci = wilson(share, effective, level)
    return ClusteredShare(users, requests, hits, share, effective, spread, ci, level)


def decision_flips(
    sums: CoMoments, *, level: float = 0.95, method: ClusterMethod = "obuchowski"
) -> DecisionFlips:
    """Decisions flipped by direction, with intervals by user.

    Args:
        sums: co-moments over users of requests on which only the candidate would act, only the champion
            would, and all pairs.
        level: of every interval.
        method: of the net difference; see :func:`clustered_difference` (durkalski is not possible here).
    """
    three = sums.combine([(1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1)], _with_sum(sums))
    net = ClusterMoments.of_comoments(sums, difference=(1, -1, 0), pairs=(0, 0, 1), discordant=(1, 1, 0))
    return DecisionFlips(
        to_act=clustered_share(three, level=level, count=0, of=3),
        to_refrain=clustered_share(three, level=level, count=1, of=3),
        flipped=clustered_share(three, level=level, count=2, of=3),
        net=clustered_difference(net, method=method, level=level),
    )


def wilson(share: float, requests: float, level: float) -> tuple[float, float]:
    """Wilson's (1927) score interval for a share of so many independent requests, whole or not."""
    z2 = two_sided_critical(level) ** 2
    centre = share + z2 / (2 * requests)
    reach = math.sqrt(z2 * (share * (1 - share) / requests + z2 / (4 * requests**2)))
    scale = 1 + z2 / requests
    lower = 0.0 if share == 0 else (centre - reach) / scale
    upper = 1.0 if share == 1 else (centre + reach) / scale
    return lower, upper


def _effective_requests(sums: CoMoments, hits: int, requests: int, level: float) -> float | None:
    moments = ClusterMoments.of_comoments(sums, difference=(1, 0), pairs=(0, 1))
    error, users = moments.standard_error, moments.effective_users
    if error is None or users is None:
        return None
    share = hits / requests
    if error == 0:
        return users
    shrink = two_sided_critical(level) / two_sided_critical(level, sums.n - 1)
    return min(share * (1 - share) / error**2 * shrink**2, float(requests))


def _effective_count(sums: CoMoments) -> float:
    rarer = (1.0, 0.0) if 2 * sums.means[0] <= sums.means[1] else (-1.0, 1.0)
    mean = rarer[0] * sums.means[0] + rarer[1] * sums.means[1]
    square = sums.combine([rarer], [mean]).marginal(0).m2 / sums.n + mean**2
    return sums.n * mean**2 / square if square > 0 else 0.0


def _with_sum(sums: CoMoments) -> tuple[float, ...]:
    candidate, champion, pairs = sums.means
    return candidate, champion, candidate + champion, pairs
