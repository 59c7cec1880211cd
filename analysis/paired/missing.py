"""Requests that only one model answered, or whose label has not come: are they like the others?

A comparison of matched requests speaks for all of them only where the unmatched are missing at random. A
p-value alone cannot tell: of a million requests every small difference is significant. So each comparison
gives the size of the difference as well, which is what a design sets its limit on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.moments import CoMoments
from analysis.paired.estimates import ClusteredEstimate, smooth_estimate
from analysis.paired.homogeneity import Homogeneity, clustered_homogeneity
from analysis.paired.inference import check_level, tail_p_value

SMALL_DIFFERENCE = 0.1
"""Standardised mean difference up to which two sets pass for alike (Austin 2009, Stat Med 28, p. 3083)."""


@dataclass(frozen=True, slots=True)
class NumericComparison:
    """A number (score, latency, age of the account) in matched and in unmatched requests.

    Attributes:
        users, matched, unmatched: clusters, and requests of each kind with a value.
        matched_mean, unmatched_mean: None where there is no such request.
        difference: unmatched − matched, with its interval by user.
        p_value: that the means are the same.
        standardised: difference over the root of the mean of the two variances (Austin 2009).
        standardised_ci: the interval of the difference, on that scale.
        not_computed: why a number is None.
    """

    users: int
    matched: int
    unmatched: int
    matched_mean: float | None
    unmatched_mean: float | None
    difference: ClusteredEstimate
    p_value: float | None
    standardised: float | None
    standardised_ci: tuple[float, float] | None
    not_computed: str | None = None


def compare_categories(sums: CoMoments) -> Homogeneity:
    """Matched against unmatched requests over categories; see :func:`clustered_homogeneity`.

    Args:
        sums: co-moments over users of the matched requests by category, then of the unmatched ones.
    """
    return clustered_homogeneity(sums)


def compare_numbers(sums: CoMoments, *, level: float = 0.95) -> NumericComparison:
    """Difference of the two means, by user, and the same over the standard deviation of a request.

    Centre the values at a number near their mean first; nothing here depends on it but the two means shown.

    Args:
        sums: co-moments over users of the number of matched requests, Σx and Σx² over them (0, 1, 2), and the
            same of the unmatched requests (3, 4, 5). A user may have either or both.
        level: of the intervals.

    Raises:
        ValueError: for a level not in (0, 1) or another number of sums.
    """
    check_level(level)
    if sums.k != 6:
        raise ValueError(f"sums: {sums.k} variables; give requests, Σx and Σx² of matched, then of unmatched")
    matched, unmatched = round(sums.n * sums.means[0]), round(sums.n * sums.means[3])
    if matched == 0 or unmatched == 0:
        why = "no unmatched requests" if matched else "no matched requests"
        return _none(sums, level, matched, unmatched, why)
    (n, x, xx), (m, y, yy) = sums.means[:3], sums.means[3:]
    first, second = x / n, y / m
    gradient = (first / n, -1 / n, 0.0, -second / m, 1 / m, 0.0)
    difference = smooth_estimate(sums, second - first, gradient, level=level)
    if difference.standard_error is None or difference.ci is None:
        return NumericComparison(
            sums.n,
            matched,
            unmatched,
            first,
            second,
            difference,
            None,
            None,
            None,
            difference.not_computed,
        )
    p_value = tail_p_value((second - first) / difference.standard_error, "two-sided", sums.n - 1)
    variance = (max(xx / n - first**2, 0.0) + max(yy / m - second**2, 0.0)) / 2
    if variance == 0:
        why = "every request of either kind has the same value: no standard deviation to divide by"
        return NumericComparison(
            sums.n, matched, unmatched, first, second, difference, p_value, None, None, why
        )
    sd = math.sqrt(variance)
    return NumericComparison(
        users=sums.n,
        matched=matched,
        unmatched=unmatched,
        matched_mean=first,
        unmatched_mean=second,
        difference=difference,
        p_value=p_value,
        standardised=(second - first) / sd,
        standardised_ci=(difference.ci[0] / sd, difference.ci[1] / sd),
    )


def _none(sums: CoMoments, level: float, matched: int, unmatched: int, why: str) -> NumericComparison:
    means = [
        total / count if count else None
        for total, count in ((sums.means[1], sums.means[0]), (sums.means[4], sums.means[3]))
    ]
    difference = ClusteredEstimate(sums.n, None, None, None, level, why)
    return NumericComparison(
        sums.n, matched, unmatched, means[0], means[1], difference, None, None, None, why
    )
