"""Cohen's kappa: how far two models agree beyond chance."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.moments import CoMoments
from analysis.paired.estimates import ClusteredEstimate, smooth_estimate
from analysis.paired.inference import check_level, two_sided_critical


@dataclass(frozen=True, slots=True)
class Kappa:
    """Agreement of two models' answers on the same requests, 0 by chance and 1 in full."""

    pairs: int
    categories: int
    observed_agreement: float | None
    expected_agreement: float | None
    kappa: float | None
    standard_error: float | None
    ci: tuple[float, float] | None
    level: float
    not_computed: str | None = None


def cohen_kappa(counts: ArrayLike, *, level: float = 0.95) -> Kappa:
    """Cohen's (1960) κ with the large-sample interval of Fleiss, Cohen & Everitt (1969), equation 13.

    Args:
        counts: square table of pairs, champion's answers in rows and candidate's in columns, the categories
            in the same order.
        level: of the interval, which is cut at ±1.

    Raises:
        ValueError: if the table is not square, smaller than 2 × 2, or holds anything but counts.
    """
    check_level(level)
    table = np.asarray(counts, dtype=float)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or table.shape[0] < 2:
        raise ValueError(f"counts: shape {table.shape} is not allowed; give a square table, 2 × 2 or more")
    if not (np.isfinite(table).all() and (table >= 0).all() and (table == np.floor(table)).all()):
        raise ValueError("counts: give whole numbers of pairs, 0 or more")
    n, categories = int(table.sum()), table.shape[0]
    if n == 0:
        return Kappa(0, categories, None, None, None, None, None, level, "no pairs")
    shares = table / n
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    observed, expected = float(np.trace(shares)), float(rows @ columns)
    if expected >= 1:
        return Kappa(
            n,
            categories,
            observed,
            expected,
            None,
            None,
            None,
            level,
            "both models always give the same one answer",
        )
    kappa = (observed - expected) / (1 - expected)
    on_diagonal = np.diag(shares) @ (1 - (rows + columns) * (1 - kappa)) ** 2
    weights = (columns[:, None] + rows[None, :]) ** 2
    np.fill_diagonal(weights, 0)
    off_diagonal = (1 - kappa) ** 2 * float((shares * weights).sum())
    correction = (kappa - expected * (1 - kappa)) ** 2
    scatter = float(on_diagonal) + off_diagonal - correction
    error = math.sqrt(scatter / n) / (1 - expected) if scatter > 1e-14 else 0.0
    if error == 0:
        why = "the large-sample interval has no width: the models never disagree, or never agree"
        return Kappa(n, categories, observed, expected, kappa, None, None, level, why)
    reach = two_sided_critical(level) * error
    ci = (max(kappa - reach, -1.0), min(kappa + reach, 1.0))
    return Kappa(n, categories, observed, expected, kappa, error, ci, level)


def clustered_kappa(sums: CoMoments, *, level: float = 0.95) -> ClusteredEstimate:
    """Cohen's κ with its interval by user (Yang & Zhou 2014, Stat Med 33:2612: delta method on user sums).

    With one pair per user the variance is that of :func:`cohen_kappa`, times K/(K − 1).

    Args:
        sums: co-moments over users of the pairs on which both give the same answer (0), of the champion's
            answers by category (1 to C), and of the candidate's (C + 1 to 2C), the categories in one order.
        level: of the interval, which is cut at ±1.

    Raises:
        ValueError: for a level not in (0, 1), or numbers of sums that are not 1 + 2C with C of 2 or more.
    """
    check_level(level)
    categories, rest = divmod(sums.k - 1, 2)
    if rest or categories < 2:
        raise ValueError(
            f"sums: {sums.k} variables; give pairs that agree, then each model's answers in 2 or more categories"
        )
    rows, columns = np.asarray(sums.means[1 : categories + 1]), np.asarray(sums.means[categories + 1 :])
    pairs = float(rows.sum())
    if sums.n == 0 or pairs == 0:
        return ClusteredEstimate(sums.n, None, None, None, level, "no pairs")
    if not math.isclose(pairs, float(columns.sum()), rel_tol=1e-9):
        raise ValueError("sums: the two models' answers do not add up to the same number of pairs")
    rows, columns, observed = rows / pairs, columns / pairs, sums.means[0] / pairs
    expected = float(rows @ columns)
    if expected >= 1:
        why = "both models always give the same one answer"
        return ClusteredEstimate(sums.n, None, None, None, level, why)
    kappa = (observed - expected) / (1 - expected)
    # The pairs are the champion's answers together, so that their part is spread over the rows.
    by_rows = -(1 - kappa) * columns - observed + 2 * (1 - kappa) * expected
    gradient = np.concatenate(([1.0], by_rows, -(1 - kappa) * rows)) / ((1 - expected) * pairs)
    return smooth_estimate(sums, kappa, tuple(gradient.tolist()), level=level, bounds=(-1.0, 1.0))
