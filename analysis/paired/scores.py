"""Agreement of two models' scores on the same requests: correlation, concordance, limits of agreement, by user."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from analysis.moments import CoMoments
from analysis.paired.estimates import ClusteredEstimate, delta_standard_error, smooth_estimate
from analysis.paired.inference import check_level, two_sided_critical

_LEAST_SPREAD = 1e-12  # of the mean square below which only rounding is left of a variance


@dataclass(frozen=True, slots=True)
class ScoreAgreement:
    """How far two models' scores agree; variances are over requests, with their number as denominator.

    Attributes:
        users, pairs: clusters and requests.
        bias: mean of candidate − champion.
        sd_difference: standard deviation of candidate − champion; None without pairs.
        correlation: Pearson's, with Fisher's z for its interval.
        concordance: Lin's (1989) coefficient, 1 only where the scores are equal, with Fisher's z.
        lower_limit, upper_limit: Bland & Altman's (1986) limits of agreement, bias ∓ 1.96 standard deviations:
            between them lie 95 % of the differences where these are normal. Their intervals assume no law.
        not_computed: why there is nothing, else None.
    """

    users: int
    pairs: int
    bias: ClusteredEstimate
    sd_difference: float | None
    correlation: ClusteredEstimate
    concordance: ClusteredEstimate
    lower_limit: ClusteredEstimate
    upper_limit: ClusteredEstimate
    not_computed: str | None = None


def score_agreement(sums: CoMoments, *, level: float = 0.95, within: float = 0.95) -> ScoreAgreement:
    """Agreement of two scores from six sums per user, by the delta method.

    Centre the scores first, both at the same number near their mean: a variance is taken here as the mean
    square less the squared mean. Agreement is the same for centred scores.

    Args:
        sums: co-moments over users of pairs (0), Σx and Σy of the champion's and the candidate's centred
            scores (1, 2), Σx², Σy² and Σxy (3, 4, 5).
        level: of the intervals.
        within: share of the differences that the limits of agreement are to hold.

    Raises:
        ValueError: for a level not in (0, 1) or another number of sums.
    """
    check_level(level)
    check_level(within)
    if sums.k != 6:
        raise ValueError(f"sums: {sums.k} variables; give pairs, Σx, Σy, Σx², Σy² and Σxy of each user")
    pairs = round(sums.n * sums.means[0])
    if pairs == 0:
        none = ClusteredEstimate(sums.n, None, None, None, level, "no pairs")
        return ScoreAgreement(sums.n, 0, none, None, none, none, none, none, "no pairs")
    x, y, xx, yy, xy = (mean / sums.means[0] for mean in sums.means[1:])
    by_mean = _Gradients(sums.means[0], (x, y, xx, yy, xy))
    bias = smooth_estimate(sums, y - x, by_mean.of((-1, 1, 0, 0, 0)), level=level)
    spread = xx + yy - 2 * xy - (y - x) ** 2
    if spread <= _LEAST_SPREAD * (xx + yy):
        flat = ClusteredEstimate(sums.n, None, None, None, level, "every difference is the same")
        limits = flat, flat
        sd = 0.0
    else:
        sd = math.sqrt(spread)
        limits = _limits(sums, by_mean, y - x, sd, level, within)
    return ScoreAgreement(
        users=sums.n,
        pairs=pairs,
        bias=bias,
        sd_difference=sd,
        correlation=_correlation(sums, by_mean, level),
        concordance=_concordance(sums, by_mean, level),
        lower_limit=limits[0],
        upper_limit=limits[1],
    )


@dataclass(frozen=True, slots=True)
class _Gradients:
    """From derivatives by means per pair to derivatives by means per user."""

    pairs: float
    means: tuple[float, float, float, float, float]  # per pair: x, y, x², y², xy

    def of(self, derivatives: tuple[float, ...]) -> tuple[float, ...]:
        along = math.fsum(d * m for d, m in zip(derivatives, self.means, strict=True))
        return (-along / self.pairs, *(d / self.pairs for d in derivatives))


def _limits(
    sums: CoMoments, by_mean: _Gradients, bias: float, sd: float, level: float, within: float
) -> tuple[ClusteredEstimate, ClusteredEstimate]:
    reach = two_sided_critical(within)
    of_spread = (2 * bias, -2 * bias, 1, 1, -2)  # of the variance of the difference
    found = []
    for sign in (-1, 1):
        part = sign * reach / (2 * sd)
        gradient = by_mean.of(
            tuple(own + part * s for own, s in zip((-1, 1, 0, 0, 0), of_spread, strict=True))
        )
        found.append(smooth_estimate(sums, bias + sign * reach * sd, gradient, level=level))
    return found[0], found[1]


def _correlation(sums: CoMoments, by_mean: _Gradients, level: float) -> ClusteredEstimate:
    x, y, xx, yy, xy = by_mean.means
    vx, vy, c = xx - x * x, yy - y * y, xy - x * y
    if vx <= _LEAST_SPREAD * xx or vy <= _LEAST_SPREAD * yy:
        return _no_spread(sums, level)
    r = c / math.sqrt(vx * vy)
    gradient = by_mean.of(
        tuple(
            r * (dc / c - dvx / (2 * vx) - dvy / (2 * vy)) if c != 0 else dc / math.sqrt(vx * vy)
            for dvx, dvy, dc in _derivatives(x, y)
        )
    )
    return _by_fisher(sums, r, gradient, level)


def _concordance(sums: CoMoments, by_mean: _Gradients, level: float) -> ClusteredEstimate:
    x, y, xx, yy, xy = by_mean.means
    vx, vy, c = xx - x * x, yy - y * y, xy - x * y
    whole = vx + vy + (x - y) ** 2
    if whole <= _LEAST_SPREAD * (xx + yy) or (vx <= _LEAST_SPREAD * xx and vy <= _LEAST_SPREAD * yy):
        return _no_spread(sums, level)
    concordance = 2 * c / whole
    shift = (2 * (x - y), -2 * (x - y), 0, 0, 0)
    gradient = by_mean.of(
        tuple(
            (2 * dc - concordance * (dvx + dvy + ds)) / whole
            for (dvx, dvy, dc), ds in zip(_derivatives(x, y), shift, strict=True)
        )
    )
    return _by_fisher(sums, concordance, gradient, level)


def _derivatives(x: float, y: float) -> tuple[tuple[float, float, float], ...]:
    """Of both variances and the covariance, by the means of x, y, x², y² and xy."""
    return (-2 * x, 0, -y), (0, -2 * y, -x), (1, 0, 0), (0, 1, 0), (0, 0, 1)


def _by_fisher(sums: CoMoments, value: float, gradient: tuple[float, ...], level: float) -> ClusteredEstimate:
    """Interval of a correlation on Fisher's scale, artanh, where it is more nearly symmetric (Lin 1989)."""
    plain = smooth_estimate(sums, value, gradient, level=level, bounds=(-1.0, 1.0))
    if plain.standard_error is None or abs(value) >= 1 - _LEAST_SPREAD:
        why = plain.not_computed or "the scores are the same up to a line: the interval has no width"
        return replace(plain, standard_error=None, ci=None, not_computed=why)
    reach = two_sided_critical(level, sums.n - 1) * delta_standard_error(sums, gradient) / (1 - value**2)
    middle = math.atanh(value)
    return replace(plain, ci=(math.tanh(middle - reach), math.tanh(middle + reach)))


def _no_spread(sums: CoMoments, level: float) -> ClusteredEstimate:
    return ClusteredEstimate(sums.n, None, None, None, level, "a model gives every request the same score")
