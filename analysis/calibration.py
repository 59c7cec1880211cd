"""Are the scores probabilities? Brier score, log loss, reliability by bins, expected calibration error.

Everything is made from sums that a log can give: per bin the requests, the positives and the scores' sum; over
users the sums of the losses. Nothing here holds a request.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.inference import check_level
from analysis.moments import CoMoments
from analysis.paired.estimates import ClusteredEstimate, smooth_estimate
from analysis.paired.shares import ClusteredShare, clustered_share, wilson

LEAST_PROBABILITY: Final = 1e-15
"""A score below this, or above 1 less this, counts as this in a log loss: else one sure mistake is infinite."""


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """Sums over the labelled requests whose score lies in one bin.

    Attributes:
        lower, upper: edges; the bin holds scores above ``lower`` up to and with ``upper`` (the first one with
            ``lower`` too).
        requests, positives: labelled requests, and those whose label is the positive class.
        score_sum: Σ of the scores.
        by_user: co-moments over users of positives and requests in this bin, for an interval by user; None
            takes the requests for independent.

    Raises:
        ValueError: naming every number that cannot be.
    """

    lower: float
    upper: float
    requests: int
    positives: int
    score_sum: float
    by_user: CoMoments | None = None

    def __post_init__(self) -> None:
        problems = []
        if not 0 <= self.lower < self.upper <= 1:
            problems.append(
                f"lower, upper: {self.lower}, {self.upper} not allowed; give rising edges in 0 to 1"
            )
        if not 0 <= self.positives <= self.requests:
            problems.append(f"positives: {self.positives} of {self.requests} requests is not allowed")
        slack = 1e-9 * max(1, self.requests)
        if not self.lower * self.requests - slack <= self.score_sum <= self.upper * self.requests + slack:
            problems.append(
                f"score_sum: {self.score_sum} does not belong to {self.requests} scores of this bin"
            )
        if problems:
            raise ValueError("\n".join(problems))


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """What was promised and what came, in one bin.

    Attributes:
        mean_score: None in an empty bin, as the next two.
        positive_share: share of the requests that are positive.
        ci: Wilson's interval for it, by user where sums by user were given.
    """

    lower: float
    upper: float
    requests: int
    mean_score: float | None
    positive_share: float | None
    ci: tuple[float, float] | None
    not_computed: str | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of one model.

    Attributes:
        requests: labelled ones.
        bins: in order.
        expected_error: expected calibration error, Σ requests/all · |positive share − mean score| (Naeini,
            Cooper & Hauskrecht 2015, AAAI, section 3).
        by_chance: what it would be on average if every score were right (half-normal mean in each bin): an
            expected calibration error is never 0 by chance, and grows with the number of bins.
        largest_error: of the bins with requests.
        mean_score, positive_share: over all requests: calibration in the large.
        not_computed: why the numbers are None.
    """

    requests: int
    bins: tuple[ReliabilityBin, ...]
    expected_error: float | None
    by_chance: float | None
    largest_error: float | None
    mean_score: float | None
    positive_share: float | None
    level: float
    not_computed: str | None = None


def calibration(bins: Sequence[ScoreBin], *, level: float = 0.95) -> Calibration:
    """Reliability by bins, and the expected calibration error.

    Args:
        bins: in rising order, without overlap; empty ones included.
        level: of the intervals.

    Raises:
        ValueError: for a level not in (0, 1), no bins, or bins out of order.
    """
    check_level(1 - level)
    if not bins:
        raise ValueError("bins: none given; give one or more, for example ten of equal width")
    for before, after in pairwise(bins):
        if after.lower < before.upper:
            raise ValueError(
                f"bins: {after.lower} comes after {before.upper}; give rising bins, none overlapping"
            )
    shown = tuple(_reliability(one, level) for one in bins)
    requests = sum(one.requests for one in bins)
    if requests == 0:
        return Calibration(0, shown, None, None, None, None, None, level, "no labelled requests")
    gaps = [
        (one.requests, abs(one.positives - one.score_sum) / one.requests, one.score_sum / one.requests)
        for one in bins
        if one.requests
    ]
    chance = [
        count * math.sqrt(2 / math.pi * max(score * (1 - score), 0.0) / count) for count, _, score in gaps
    ]
    return Calibration(
        requests=requests,
        bins=shown,
        expected_error=math.fsum(count * gap for count, gap, _ in gaps) / requests,
        by_chance=math.fsum(chance) / requests,
        largest_error=max(gap for _, gap, _ in gaps),
        mean_score=math.fsum(one.score_sum for one in bins) / requests,
        positive_share=sum(one.positives for one in bins) / requests,
        level=level,
    )


def mean_loss(sums: CoMoments, *, level: float = 0.95) -> ClusteredEstimate:
    """Mean of a loss over requests (Brier score, log loss, absolute error), with its interval by user.

    The paired difference of two models' losses is `analysis.paired.clustered_difference` of
    `ClusterMoments.of_comoments`, by the ``linearised`` method.

    Args:
        sums: co-moments over users of the sum of the losses and of the number of requests.
        level: of the interval.
    """
    check_level(1 - level)
    if sums.n == 0 or sums.means[1] == 0:
        return ClusteredEstimate(sums.n, None, None, None, level, "no labelled requests")
    total, requests = sums.means
    mean = total / requests
    return smooth_estimate(sums, mean, (1 / requests, -mean / requests), level=level)


def brier_losses(labels: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """(score − label)² of each request (Brier 1950, in its two-class form from 0 to 1).

    With scores of shape (requests, classes) and labels the classes' indices it is Brier's own Σ over classes,
    from 0 to 2.
    """
    y, p = _checked(labels, scores)
    if p.ndim == 1:
        return np.asarray((p - y) ** 2)
    return np.asarray(((p - np.eye(p.shape[1])[y.astype(int)]) ** 2).sum(axis=1))


def log_losses(labels: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """−ln of the probability given to what came, natural logarithm, cut at `LEAST_PROBABILITY`."""
    y, p = _checked(labels, scores)
    given = np.where(y == 1, p, 1 - p) if p.ndim == 1 else p[np.arange(len(y)), y.astype(int)]
    return np.asarray(-np.log(np.maximum(given, LEAST_PROBABILITY)))


def _reliability(one: ScoreBin, level: float) -> ReliabilityBin:
    if one.requests == 0:
        return ReliabilityBin(one.lower, one.upper, 0, None, None, None, "no requests in this bin")
    share = one.positives / one.requests
    ci: tuple[float, float] | None = wilson(share, one.requests, level)
    why = None
    if one.by_user is not None:
        found: ClusteredShare = clustered_share(one.by_user, level=level)
        if (found.count, found.requests) != (one.positives, one.requests):
            raise ValueError(
                f"by_user: {found.count} of {found.requests} requests, where the bin has {one.positives} of "
                f"{one.requests}; give sums of the same requests"
            )
        ci, why = found.ci, found.not_computed
    return ReliabilityBin(one.lower, one.upper, one.requests, one.score_sum / one.requests, share, ci, why)


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, p = np.asarray(labels, dtype=float), np.asarray(scores, dtype=float)
    problems = []
    if y.ndim != 1 or p.ndim not in (1, 2) or len(y) != len(p):
        raise ValueError(
            f"labels, scores: shapes {y.shape} and {p.shape}; give one label for each row of scores"
        )
    classes = 2 if p.ndim == 1 else p.shape[1]
    if not np.isin(y, np.arange(classes)).all():
        problems.append(f"labels: give whole numbers from 0 to {classes - 1}; leave unlabelled requests out")
    if not ((p >= 0) & (p <= 1)).all():
        problems.append("scores: give probabilities from 0 to 1")
    elif p.ndim == 2 and not np.allclose(p.sum(axis=1), 1, atol=1e-6):
        problems.append("scores: each row must add up to 1")
    if problems:
        raise ValueError("\n".join(problems))
    return y, p
