"""Smooth functions of per-user sums: agreement, correlation, kappa, with the user as the independent unit.

A number that depends on the totals of several sums over all requests has, over users, the influence values
gradient · sums; their spread gives its standard error (delta method for clusters: Deng, Knoblich & Lu 2018,
KDD, section 3; Binder 1983, International Statistical Review 51, p. 279).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.moments import CoMoments
from analysis.paired.inference import check_level, two_sided_critical


@dataclass(frozen=True, slots=True)
class ClusteredEstimate:
    """A number about all requests, with an interval by user.

    Attributes:
        users: clusters that contributed.
        estimate: None where it does not exist.
        standard_error: by the delta method; None where not computed.
        ci: two-sided at ``level``, Student's t with users − 1 degrees of freedom.
        not_computed: why a number is None.
    """

    users: int
    estimate: float | None
    standard_error: float | None
    ci: tuple[float, float] | None
    level: float
    not_computed: str | None = None


def smooth_estimate(
    sums: CoMoments,
    value: float,
    gradient: Sequence[float],
    *,
    level: float = 0.95,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> ClusteredEstimate:
    """A function of the users' mean sums, its value known, with its delta-method interval.

    Args:
        sums: co-moments over users of the sums the function is of.
        value: of the function at ``sums.means``.
        gradient: its partial derivatives there, one per sum.
        bounds: of the quantity, at which the interval is cut.

    Raises:
        ValueError: for a level not in (0, 1), or another number of derivatives than of sums.
    """
    check_level(level)
    if sums.n < 2:
        return ClusteredEstimate(sums.n, value, None, None, level, f"fewer than 2 users (found {sums.n})")
    error = delta_standard_error(sums, gradient)
    if error == 0:
        why = "no spread over users: the interval has no width"
        return ClusteredEstimate(sums.n, value, None, None, level, why)
    reach = two_sided_critical(level, sums.n - 1) * error
    ci = (max(value - reach, bounds[0]), min(value + reach, bounds[1]))
    return ClusteredEstimate(sums.n, value, error, ci, level)


def delta_standard_error(sums: CoMoments, gradient: Sequence[float]) -> float:
    """√(gradient′ S gradient / K), S the covariance of the sums over K users, with K − 1 in its denominator."""
    if len(gradient) != sums.k:
        raise ValueError(f"gradient: {len(gradient)} derivatives for {sums.k} sums; give one for each")
    return math.sqrt(sums.combine([gradient], [0.0]).marginal(0).variance / sums.n)
