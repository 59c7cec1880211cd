"""Exact test of counts against fixed shares: the probability of all outcomes at most as probable as this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrc, gammaln, xlogy

MOST_PREFIXES = 5_000_000
"""Outcomes of all categories but the last two that are worth enumerating (some ten seconds)."""


def multinomial_p_value(counts: Sequence[int], shares: Sequence[float]) -> float | None:
    """Exact multinomial goodness-of-fit p-value, outcomes ordered by their probability.

    All categories but two are enumerated. Given those, the last two are binomial, whose probabilities rise to
    one mode and fall again, so the outcomes at most as probable as the observed one are its two tails. With
    two categories this is the exact binomial test. Probabilities within one part in 10⁷ count as equal, as in
    R's ``binom.test``.

    Args:
        counts: observed counts, two categories or more.
        shares: their probabilities, above 0, summing to 1.

    Returns:
        The p-value, or None where the outcomes to enumerate are more than `MOST_PREFIXES`.
    """
    # The two commonest categories last: theirs is the longest range, and it costs nothing.
    order = np.argsort(shares, kind="stable")
    x, p = np.asarray(counts)[order], np.asarray(shares, dtype=float)[order]
    n, head = int(x.sum()), len(p) - 2
    if _prefixes(n, head) > MOST_PREFIXES:
        return None
    log_seen = gammaln(n + 1) + float(np.sum(xlogy(x, p) - gammaln(x + 1)))
    tail_share = p[-2] + p[-1]
    first_of_two = p[-2] / tail_share
    total = 0.0
    for log_prefix, left in _enumerate(n, p[:head]):
        # P(prefix), the rest of the units falling anywhere in the last two.
        log_weight = gammaln(n + 1) + log_prefix + xlogy(left, tail_share) - gammaln(left + 1)
        threshold = log_seen + 1e-7 - log_weight
        total += float(np.sum(np.exp(log_weight) * _binomial_tails(left, first_of_two, threshold)))
    return min(total, 1.0)


def _binomial_tails(
    n: NDArray[np.int64], p: float, log_threshold: NDArray[np.float64]
) -> NDArray[np.float64]:
    """P(log pmf(Y) ≤ threshold) for Y ~ Binomial(n, p), element by element."""

    def log_pmf(y: NDArray[np.int64]) -> NDArray[np.float64]:
        value: NDArray[np.float64] = (
            gammaln(n + 1) - gammaln(y + 1) - gammaln(n - y + 1) + xlogy(y, p) + xlogy(n - y, 1 - p)
        )
        return value

    mode = np.minimum(np.floor((n + 1) * p).astype(np.int64), n)
    whole = log_pmf(mode) <= log_threshold
    # Left: the first y above the threshold lies in [0, mode]; right: the last one in [mode, n].
    low, high = np.zeros_like(n), mode.copy()
    while np.any(low < high):
        middle = (low + high) // 2
        above = log_pmf(middle) > log_threshold
        low, high = np.where(above, low, np.minimum(middle + 1, high)), np.where(above, middle, high)
    first_above = low
    low, high = mode.copy(), n.copy()
    while np.any(low < high):
        middle = (low + high + 1) // 2
        above = log_pmf(middle) > log_threshold
        low, high = np.where(above, middle, low), np.where(above, high, np.maximum(middle - 1, low))
    last_above = low
    below = np.where(first_above > 0, bdtr(np.maximum(first_above - 1, 0), n, p), 0.0)
    beyond = np.where(last_above < n, bdtrc(np.minimum(last_above, n), n, p), 0.0)
    return np.where(whole, 1.0, below + beyond)


def _enumerate(
    n: int, shares: NDArray[np.float64], log_prefix: float = 0.0
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Every way the first categories may take some of n units: Σ(x·ln p − ln x!), and the units left over."""
    if len(shares) == 0:
        yield np.array([log_prefix]), np.array([n], dtype=np.int64)
        return
    if len(shares) == 1:
        x = np.arange(n + 1, dtype=np.int64)
        yield log_prefix + xlogy(x, shares[0]) - gammaln(x + 1), n - x
        return
    for first in range(n + 1):
        term = log_prefix + float(xlogy(first, shares[0]) - gammaln(first + 1))
        yield from _enumerate(n - first, shares[1:], term)


def _prefixes(n: int, head: int) -> int:
    count = 1
    for i in range(head):
        count = count * (n + i + 1) // (i + 1)
    return count
