"""Second implementations for paired data: by enumeration, by brute-force likelihood, by regression."""

import math
from fractions import Fraction

import numpy as np
from scipy import integrate, optimize, special, stats


def exact_mcnemar_by_counting(b, c):
    """Two-sided exact p as a ratio of whole numbers: sequences of tosses at least as uneven."""
    m = b + c
    tail = sum(math.comb(m, k) for k in range(min(b, c) + 1))
    return float(min(Fraction(1), Fraction(2 * tail, 2**m)))


def tango_statistic_by_likelihood(b, c, n, difference):
    """Score statistic with the trinomial likelihood maximised numerically under pb − pc = ``difference``."""

    def loss(pc):
        pb, rest = pc + difference, 1 - 2 * pc - difference
        return -(special.xlogy(b, pb) + special.xlogy(c, pc) + special.xlogy(n - b - c, rest))

    low, high = max(0.0, -difference), (1 - difference) / 2
    width = high - low
    found = optimize.minimize_scalar(
        loss, bounds=(low + 1e-14 * width, high - 1e-14 * width), method="bounded", options={"xatol": 1e-14}
    )
    pc = found.x
    variance = 2 * pc + difference - difference**2
    return (b - c - n * difference) / math.sqrt(n * variance)


def obuchowski_from_marginals(x1, x2, n):
    """Obuchowski (1998): two ratio estimators, their variances and covariance at the pooled share."""
    k, total = len(n), n.sum()
    p1, p2 = x1.sum() / total, x2.sum() / total
    pooled = (p1 + p2) / 2
    e1, e2 = x1 - n * pooled, x2 - n * pooled
    scale = k / (k - 1) / total**2
    return (p1 - p2) ** 2 / (scale * (e1 @ e1 + e2 @ e2 - 2 * e1 @ e2))


def mixture_e_value_by_betting(outcomes, a):
    """Product over the pairs of twice the probability that a Pólya urn gave to what happened."""
    log_e, b, c = 0.0, 0, 0
    for candidate_won in outcomes:
        share = (a + b) / (2 * a + b + c)
        log_e += math.log(2 * (share if candidate_won else 1 - share))
        b, c = b + candidate_won, c + (not candidate_won)
    return log_e


def half_mixture_e_value_by_integration(b, c, a):
    """Likelihood ratio against a fair coin, averaged over Beta(a, a) restricted to shares above one-half."""
    density = stats.beta(a, a).pdf

    def ratio(share):
        return (
            2
            * density(share)
            * math.exp((b + c) * math.log(2) + b * math.log(share) + c * math.log1p(-share))
        )

    return integrate.quad(ratio, 0.5, 1, limit=200)[0]


def exact_power_by_enumeration(pairs, discordant, difference, alpha, sides):
    """Power of exact McNemar in the right direction, over every outcome of the trinomial."""
    pb, pc = (discordant + difference) / 2, (discordant - difference) / 2
    total = 0.0
    for b in range(pairs + 1):
        for c in range(pairs + 1 - b):
            if b <= c:
                continue
            p = sum(math.comb(b + c, k) for k in range(c + 1)) / 2 ** (b + c)
            if sides * p < alpha:
                total += stats.multinomial.pmf([b, c, pairs - b - c], pairs, [pb, pc, 1 - pb - pc])
    return total


def clustered_counts(rng, users, pairs_per_user, discordant, difference, spread, replicates=1):
    """Per-user discordant pairs where users differ in which model suits them.

    Each user's share of discordant pairs won by the candidate is Beta with mean (1 + difference/discordant)/2
    and concentration ``spread``: the smaller, the stronger the users.
    """
    n = np.broadcast_to(pairs_per_user, (replicates, users))
    mean = (1 + difference / discordant) / 2
    share = rng.beta(mean * spread, (1 - mean) * spread, size=n.shape)
    m = rng.binomial(n, discordant)
    b = rng.binomial(m, share)
    return b, m - b, n
