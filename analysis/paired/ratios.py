"""How many times the champion's mean the candidate's is (loss, latency, cost, error share), by user."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from analysis.inference import normal_deviate
from analysis.moments import CoMoments
from analysis.paired.inference import check_level, check_margin, tail_p_value, two_sided_critical


@dataclass(frozen=True, slots=True)
class PairedRatio:
    """Candidate's mean over the champion's, on the same requests.

    Attributes:
        users: clusters.
        champion, candidate: means per pair; None without pairs.
        ratio: candidate / champion.
        ci: Fieller's interval for it, two-sided at ``level``.
        not_computed: why a number is None.
    """

    users: int
    champion: float | None
    candidate: float | None
    ratio: float | None
    ci: tuple[float, float] | None
    level: float
    not_computed: str | None = None


@dataclass(frozen=True, slots=True)
class RelativeNonInferiority:
    """Test that the candidate is worse than the champion by less than a share ``margin`` of the champion.

    ``ci`` is that of ratio − 1, two-sided at 1 − 2·alpha; its harmful bound is inside the margin exactly when
    ``ruled_out``.
    """

    margin: float
    direction: Literal["higher", "lower"]
    alpha: float
    users: int
    champion: float | None
    candidate: float | None
    change: float | None  # candidate / champion − 1
    ci: tuple[float, float] | None
    statistic: float | None  # Student's t with users − 1 degrees of freedom, above 0 where better
    p_value: float | None
    ruled_out: bool  # the margin; False whenever nothing could be computed
    not_computed: str | None = None

    @property
    def z(self) -> float | None:
        """The statistic on the normal scale, above 0 where better: for sequential boundaries."""
        return None if self.statistic is None else normal_deviate(self.statistic, self.users - 1)


@dataclass(frozen=True, slots=True)
class PairedEstimates:
    """Two estimates from the same users, with the variances and the covariance of these estimates."""

    champion: float
    candidate: float
    champion_variance: float
    candidate_variance: float
    covariance: float
    users: int

    def error_at(self, multiple: float) -> float:
        """Standard error of candidate − multiple · champion; 0 where only rounding is left of it."""
        apart = self.candidate_variance + multiple**2 * self.champion_variance
        variance = apart - 2 * multiple * self.covariance
        return math.sqrt(variance) if variance > _LEAST_LEFT * apart else 0.0

    def ratio_interval(self, critical: float) -> tuple[float, float] | None:
        """Multiples m at which |candidate − m·champion| is at most ``critical`` standard errors.

        Fieller (1954, JRSS B 16, p. 175) for correlated estimates; None where the champion's is not told from
        0 at that level, so that the multiples have no end.
        """
        c2 = critical**2
        a = self.champion**2 - c2 * self.champion_variance
        if a <= 0:
            return None
        b = self.champion * self.candidate - c2 * self.covariance
        c = self.candidate**2 - c2 * self.candidate_variance
        root = math.sqrt(max(b * b - a * c, 0.0))
        return (b - root) / a, (b + root) / a


def paired_ratio(sums: CoMoments, *, level: float = 0.95) -> PairedRatio:
    """Ratio of two means over the same pairs, with Fieller's interval on users − 1 degrees of freedom.

    Args:
        sums: co-moments over users of the candidate's sum, the champion's sum and the number of pairs.
    """
    check_level(level)
    found = mean_estimates(sums)
    if isinstance(found, str):
        return PairedRatio(sums.n, None, None, None, None, level, found)
    reason = _no_ratio(found)
    if reason is not None:
        return PairedRatio(sums.n, found.champion, found.candidate, None, None, level, reason)
    ratio = found.candidate / found.champion
    ci = found.ratio_interval(two_sided_critical(level, sums.n - 1))
    why = NEAR_ZERO if ci is None else None
    return PairedRatio(sums.n, found.champion, found.candidate, ratio, ci, level, why)


def paired_ratio_noninferiority(
    sums: CoMoments,
    margin: float,
    *,
    alpha: float = 0.025,
    direction: Literal["higher", "lower"] = "lower",
) -> RelativeNonInferiority:
    """Non-inferiority of a mean against a margin relative to the champion's mean, by user.

    Args:
        sums: co-moments over users of the candidate's sum, the champion's sum and the number of pairs.
        margin: largest worsening accepted as a share of the champion's mean; 0.05 for five per cent.
        direction: whether a higher or a lower mean is better.
    """
    check_margin(margin, alpha, direction)
    found = mean_estimates(sums)
    if isinstance(found, str):
        return RelativeNonInferiority(
            margin, direction, alpha, sums.n, None, None, None, None, None, None, False, found
        )
    return relative_noninferiority(found, margin, alpha=alpha, direction=direction)


def relative_noninferiority(
    found: PairedEstimates, margin: float, *, alpha: float, direction: Literal["higher", "lower"]
) -> RelativeNonInferiority:
    """The same for any two estimates from the same users: candidate − (1 ± margin)·champion against 0."""
    check_margin(margin, alpha, direction)
    df = found.users - 1
    multiple = 1 + margin if direction == "lower" else 1 - margin
    error = found.error_at(multiple)
    reason = _no_ratio(found)
    if reason is None and error == 0:
        reason = "no spread over users: nothing to test with"
    ci = None if reason else found.ratio_interval(two_sided_critical(1 - 2 * alpha, df))
    if reason is None and ci is None:
        reason = NEAR_ZERO
    if reason is not None or ci is None:
        return RelativeNonInferiority(
            margin,
            direction,
            alpha,
            found.users,
            found.champion,
            found.candidate,
            None,
            None,
            None,
            None,
            False,
            reason,
        )
    towards_better = 1 if direction == "higher" else -1
    statistic = towards_better * (found.candidate - multiple * found.champion) / error
    p_value = tail_p_value(statistic, "greater", df)
    return RelativeNonInferiority(
        margin=margin,
        direction=direction,
        alpha=alpha,
        users=found.users,
        champion=found.champion,
        candidate=found.candidate,
        change=found.candidate / found.champion - 1,
        ci=(ci[0] - 1, ci[1] - 1),
        statistic=statistic,
        p_value=p_value,
        ruled_out=p_value < alpha,
    )


_LEAST_LEFT = 1e-14  # share of the variances below which a difference of them is rounding
NEAR_ZERO = "the champion's estimate is not told from 0 at this level: the ratio has no interval (Fieller)"


def _no_ratio(found: PairedEstimates) -> str | None:
    if found.champion <= 0:
        return f"the champion's estimate {found.champion} is not above 0: no ratio to it"
    return None


def mean_estimates(sums: CoMoments) -> PairedEstimates | str:
    """Both means per pair with their covariance by user, or why there are none.

    Args:
        sums: co-moments over users of the candidate's sum, the champion's sum and the number of pairs.
    """
    if sums.k != 3:
        raise ValueError(
            f"sums: {sums.k} variables; give the candidate's sum, the champion's sum and the pairs"
        )
    if sums.n < 2:
        return f"fewer than 2 users (found {sums.n})"
    candidate, champion, pairs = sums.means
    if pairs == 0:
        return "no pairs"
    a, b = candidate / pairs, champion / pairs
    spread = sums.combine([(1 / pairs, 0, -a / pairs), (0, 1 / pairs, -b / pairs)], [0.0, 0.0])
    return PairedEstimates(
        champion=b,
        candidate=a,
        champion_variance=spread.covariance(1, 1) / sums.n,
        candidate_variance=spread.covariance(0, 0) / sums.n,
        covariance=spread.covariance(0, 1) / sums.n,
        users=sums.n,
    )
