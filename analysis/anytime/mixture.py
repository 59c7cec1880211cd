"""Normal-mixture martingales: evidence against a drift of 0 that may be looked at for ever.

``S`` is a sum with mean 0 under the null and ``V`` its variance so far. Mixing the likelihood ratio over a
normal prior on the drift, of precision ``ρ`` in units of V, gives a martingale in closed form; it exceeds
``1 / alpha`` ever with probability at most ``alpha`` (Ville's inequality; Robbins 1970, Ann. Math. Stat. 41,
p. 1397; Howard, Ramdas, McAuliffe & Sekhon 2021, Ann. Stat. 49, p. 1055, propositions 5 and 6). A prior on
positive drifts only gives a one-sided test of its own, which is narrower than one tail of a two-sided one at
the same alpha.

The precision must be fixed before the data: it decides at which V the boundary is narrowest, never whether
it holds. Chosen again at each look from the current V, the guarantee is gone.
"""

import math
from typing import Final

from scipy.special import log_ndtr

LARGEST_LOG: Final = 700.0  # e^-700 is the smallest p-value given


def mixture_precision(planned_variance: float, alpha: float, one_sided: bool = False) -> float:
    """The prior precision that makes the boundary about narrowest at ``planned_variance``.

    ``ρ = V / (2 log(1/α) + log(1 + 2 log(1/α)))`` (Howard et al. 2021, section 3.5), with 2α for a one-sided
    boundary.

    Raises:
        ValueError: a planned variance that is not above 0, or a level outside 0 to 1 (one-sided: 0 to 0.5).
    """
    faults: list[str] = []
    if not 0 < planned_variance < math.inf:
        faults.append(f"planned_variance: {planned_variance} is not allowed; give a finite number above 0")
    most = 0.5 if one_sided else 1.0
    if not 0 < alpha < most:
        faults.append(
            f"alpha: {alpha} is not allowed; give a level above 0 and below {most:g}, for example 0.05"
        )
    if faults:
        raise ValueError("; ".join(faults))
    needed = -2 * math.log(2 * alpha if one_sided else alpha)
    return planned_variance / (needed + math.log1p(needed))


def log_mixture(total: float, variance: float, precision: float, one_sided: bool = False) -> float:
    """Log of the martingale at ``S = total``, ``V = variance``; one-sided, against positive drifts."""
    spread = variance + precision
    log_evidence = 0.5 * (math.log(precision / spread) + total * total / spread)
    if one_sided:
        log_evidence += math.log(2) + float(log_ndtr(total / math.sqrt(spread)))
    return log_evidence


def mixture_bound(variance: float, alpha: float, precision: float, one_sided: bool = False) -> float:
    """The sum at which the martingale reaches ``1 / alpha``: ``|S|`` stays below it for ever with
    probability 1 - α.
    """
    spread = variance + precision
    growth = math.log(spread / precision)
    if not one_sided:
        return math.sqrt(spread * (growth - 2 * math.log(alpha)))
    # y²/2 + log Φ(y) = log(1/(2α)) + growth/2 in y = S/√(V + ρ). The left side is convex and rising, so Newton's
    # steps from above the root come down to it; at y >= 0 it is at least y²/2 - log 2.
    target = 0.5 * growth - math.log(2 * alpha)
    y = math.sqrt(2 * max(0.0, target + math.log(2)))
    for _ in range(100):
        log_below = float(log_ndtr(y))
        slope = y + math.exp(-0.5 * y * y - log_below) / math.sqrt(2 * math.pi)
        move = (0.5 * y * y + log_below - target) / slope
        y -= move
        if abs(move) <= 1e-14 * (1 + y):
            break
    return y * math.sqrt(spread)


def evidence_p_value(log_evidence: float) -> float:
    """``min(1, 1/M)``: at most alpha ever with probability at most alpha, and below it just when M passed
    1/alpha.
    """
    return math.exp(-min(max(log_evidence, 0.0), LARGEST_LOG))
