"""Difference of two paired proportions, candidate − champion, with its interval and its margin test."""

import math
from dataclasses import dataclass
from typing import Literal

from scipy.optimize import brentq

from analysis.paired.inference import check_level, check_margin, tail_p_value, two_sided_critical
from analysis.paired.table import PairedTable

IntervalMethod = Literal["tango", "newcombe", "newcombe-uncorrected", "bonett-price"]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Share right, candidate − champion, with its interval at ``level``."""

    method: IntervalMethod
    level: float
    pairs: int
    difference: float | None
    ci: Interval | None
    not_computed: str | None = None


@dataclass(frozen=True, slots=True)
class PairedNonInferiority:
    """Tango's score test that the candidate is worse than the champion by less than ``margin``.

    ``ci`` is the test's own inversion, two-sided at 1 − 2·alpha: its harmful bound is inside the margin
    exactly when ``p_value < alpha``, and then ``ruled_out`` is true.
    """

    margin: float
    direction: Literal["higher", "lower"]
    alpha: float
    pairs: int
    difference: float | None
    ci: Interval | None
    z: float | None
    p_value: float | None
    ruled_out: bool  # the margin; False whenever nothing could be computed
    not_computed: str | None = None


def paired_difference(
    table: PairedTable, *, method: IntervalMethod = "tango", level: float = 0.95
) -> PairedDifference:
    """Difference of the two models' shares right, with a two-sided interval by the named method.

    - ``tango``: inversion of the score test (Tango 1998, Stat Med 17:891); at 0 it is McNemar's chi-squared.
    - ``newcombe``: square-and-add of Wilson intervals, method 10 of Newcombe (1998), Stat Med 17:2635, whose
      φ is corrected for continuity; ``newcombe-uncorrected`` is method 8, with the plain φ.
    - ``bonett-price``: Wald with one pair added to each discordant cell (Bonett & Price 2012, J Educ Behav
      Stat 37:479), cut at ±1.

    Raises:
        ValueError: if the method is unknown or the level not between 0 and 1.
    """
    check_level(level)
    intervals = {
        "tango": tango_interval,
        "newcombe": _newcombe,
        "newcombe-uncorrected": _newcombe_uncorrected,
        "bonett-price": _bonett_price,
    }
    if method not in intervals:
        raise ValueError(f"method: {method!r} is unknown; give {', '.join(intervals)}")
    if table.pairs == 0:
        return PairedDifference(method, level, 0, None, None, "no pairs")
    ci = intervals[method](table, two_sided_critical(level))
    return PairedDifference(method, level, table.pairs, table.difference, ci)


def paired_noninferiority(
    table: PairedTable,
    margin: float,
    *,
    alpha: float = 0.025,
    direction: Literal["higher", "lower"] = "higher",
) -> PairedNonInferiority:
    """Non-inferiority of the candidate against an absolute margin (Tango 1998, section 3).

    Args:
        table: the pairs.
        margin: largest worsening accepted, in the unit of the share, positive.
        alpha: one-sided level.
        direction: whether a higher or a lower share is better; ``lower`` for tables of errors.

    Raises:
        ValueError: naming every parameter that is not allowed.
    """
    check_margin(margin, alpha, direction)
    if not margin < 1:
        raise ValueError(f"margin: {margin} is not allowed; give a share below 1, for example 0.01")
    if table.pairs == 0:
        return PairedNonInferiority(
            margin, direction, alpha, 0, None, None, None, None, ruled_out=False, not_computed="no pairs"
        )
    harm = -margin if direction == "higher" else margin
    z = tango_z(table, harm)
    p = tail_p_value(z, "greater" if direction == "higher" else "less")
    ci = tango_interval(table, two_sided_critical(1 - 2 * alpha))
    return PairedNonInferiority(
        margin, direction, alpha, table.pairs, table.difference, ci, z, p, ruled_out=p < alpha
    )


def tango_z(table: PairedTable, difference: float) -> float:
    """Score statistic of H0: candidate − champion = ``difference``, standard normal under it.

    Args:
        table: at least one pair.
        difference: strictly between −1 and 1.
    """
    n = table.pairs
    excess = table.candidate_only - table.champion_only - n * difference
    if excess == 0:
        return 0.0
    q = constrained_champion_only(table.candidate_only / n, table.champion_only / n, difference)
    return excess / math.sqrt(n * (2 * q + difference * (1 - difference)))


def constrained_champion_only(candidate_only: float, champion_only: float, difference: float) -> float:
    """Share of champion-only pairs of greatest likelihood when candidate-only exceeds it by ``difference``.

    Tango (1998), equation 6, for shares instead of counts; the larger root of a quadratic, in the form that
    does not cancel, kept inside the possible range.
    """
    b = (2 - candidate_only + champion_only) * difference - candidate_only - champion_only
    c = -champion_only * difference * (1 - difference)
    root = math.sqrt(max(b * b - 8 * c, 0.0))
    q = -2 * c / (b + root) if b > 0 else (root - b) / 4
    return min(max(q, 0.0, -difference), (1 - difference) / 2)


def tango_interval(table: PairedTable, z: float) -> Interval:
    """The differences whose `tango_z` is at most ``z`` from 0; of at least one pair."""
    estimate = table.difference

    def bound(target: float, end: float) -> float:
        # score falls from the one end to the other; at ±1 itself its variance is 0
        near_end = math.copysign(1 - 1e-15, end)
        if (tango_z(table, near_end) - target) * target < 0:
            return end
        if estimate == end:
            return end
        root: float = brentq(lambda d: tango_z(table, d) - target, near_end, estimate, xtol=1e-15)
        return root

    return bound(z, -1.0), bound(-z, 1.0)


def _newcombe(table: PairedTable, z: float) -> Interval:
    return _square_and_add(table, z, corrected=True)


def _newcombe_uncorrected(table: PairedTable, z: float) -> Interval:
    return _square_and_add(table, z, corrected=False)


def _square_and_add(table: PairedTable, z: float, *, corrected: bool) -> Interval:
    n = table.pairs
    candidate, champion = table.both + table.candidate_only, table.both + table.champion_only
    (lc, uc), (lh, uh) = _wilson(candidate, n, z), _wilson(champion, n, z)
    pc, ph, difference = candidate / n, champion / n, table.difference
    concordance = table.both * table.neither - table.candidate_only * table.champion_only
    if corrected and concordance > 0:
        concordance_used = max(concordance - n / 2, 0.0)
    else:
        concordance_used = float(concordance)
    margins = math.sqrt(candidate) * math.sqrt(n - candidate) * math.sqrt(champion) * math.sqrt(n - champion)
    phi = concordance_used / margins if margins > 0 else 0.0
    down = (pc - lc) ** 2 - 2 * phi * (pc - lc) * (uh - ph) + (uh - ph) ** 2
    up = (uc - pc) ** 2 - 2 * phi * (uc - pc) * (ph - lh) + (ph - lh) ** 2
    return (
        max(difference - math.sqrt(max(down, 0.0)), -1.0),
        min(difference + math.sqrt(max(up, 0.0)), 1.0),
    )


def _wilson(successes: int, n: int, z: float) -> Interval:
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return centre - reach, centre + reach


def _bonett_price(table: PairedTable, z: float) -> Interval:
    n = table.pairs + 2
    b, c = (table.candidate_only + 1) / n, (table.champion_only + 1) / n
    reach = z * math.sqrt((b + c - (b - c) ** 2) / n)
    return max(b - c - reach, -1.0), min(b - c + reach, 1.0)
