"""Confidence sequences for a proportion or a bounded mean that hold at every n, without any limit theorem.

For success probability p the likelihood ratio is mixed over a Beta prior centred at p; each p that the
mixture has not refuted stays in the sequence. The ratio is convex in the outcome, so it holds for any
outcome in [0, 1] with mean p, not only for 0 and 1 (Robbins 1970; Howard, Ramdas, McAuliffe & Sekhon 2021,
Ann. Stat. 49, p. 1055, proposition 7 and section 4.1: sub-Bernoulli). One-sided sequences mix over the one
side of p.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from scipy.optimize import brentq
from scipy.special import betainc, betaincc, betaln, xlog1py, xlogy

from analysis.anytime.mixture import evidence_p_value, mixture_precision
from analysis.anytime.sequence import Alternative

LEAST_CONCENTRATION: Final = 1e-3
SMALLEST_MEAN: Final = 1e-12


@dataclass(frozen=True, slots=True)
class BoundedSequence:
    """A confidence sequence for a mean in [0, 1] (or between declared bounds) at one n.

    Attributes:
        n: outcomes so far.
        estimate: their mean.
        lower, upper: limits; the end of the range on a side the sequence does not have.
        p_value: always-valid, against ``null``; None without a null.
        null: value tested.
        level: 1 - alpha, for all n together.
    """

    n: int
    estimate: float
    lower: float
    upper: float
    p_value: float | None
    null: float | None
    level: float


def bounded_log_evidence(
    total: float, n: int, mean: float, planned_n: float, alpha: float, alternative: Alternative = "two-sided"
) -> float:
    """Log of the beta-mixture martingale against ``mean`` after ``n`` outcomes in [0, 1] that add up to
    ``total``.

    ``B(κp + S, κ(1-p) + n - S) / (B(κp, κ(1-p)) p^S (1-p)^(n-S))``; the prior's concentration κ makes its
    variance that of the normal mixture tuned to ``planned_n``.
    """
    one_sided = alternative != "two-sided"
    concentration = max(mixture_precision(planned_n, alpha, one_sided) - 1, LEAST_CONCENTRATION)
    a, b = concentration * mean, concentration * (1 - mean)
    log_evidence = float(
        betaln(a + total, b + n - total) - betaln(a, b) - xlogy(total, mean) - xlog1py(n - total, -mean)
    )
    if one_sided:
        beyond = betaincc if alternative == "greater" else betainc
        after, before = float(beyond(a + total, b + n - total, mean)), float(beyond(a, b, mean))
        if after == 0:
            return (
                -math.inf
            )  # the outcomes lie far on the other side; no likelihood ratio in the mixture reaches 1
        log_evidence += math.log(after) - math.log(before)
    return log_evidence


def bernoulli_sequence(
    successes: float,
    n: int,
    alpha: float,
    planned_n: float,
    alternative: Alternative = "two-sided",
    null: float | None = None,
) -> BoundedSequence:
    """Confidence sequence for a proportion; exact at every n, so without a burn-in.

    Args:
        successes: sum of the outcomes so far, each in [0, 1].
        n: outcomes so far, 1 or more.
        alpha: level, for all n together.
        planned_n: n at which the sequence is to be narrowest; fixed before the data.
        alternative: "two-sided"; "greater" for a lower limit only, "less" for an upper limit only.
        null: a proportion strictly between 0 and 1 to test.

    Raises:
        ValueError: all faults at once.
    """
    faults: list[str] = []
    if not n >= 1:
        faults.append(f"n: {n} is not allowed; give 1 or more")
    if not 0 <= successes <= n:
        faults.append(f"successes: {successes} is not allowed; give 0 to n = {n}")
    if alternative not in ("two-sided", "greater", "less"):
        faults.append(f"alternative: {alternative!r} is not known; give two-sided, greater or less")
    if null is not None and not 0 < null < 1:
        faults.append(f"null: {null} is not allowed; give a proportion above 0 and below 1")
    try:
        mixture_precision(planned_n, alpha, alternative != "two-sided")
    except ValueError as fault:
        faults.append(str(fault).replace("planned_variance", "planned_n"))
    if faults:
        raise ValueError("; ".join(faults))

    def excess(mean: float) -> float:
        return bounded_log_evidence(successes, n, mean, planned_n, alpha, alternative) + math.log(alpha)

    estimate = successes / n
    return BoundedSequence(
        n=n,
        estimate=estimate,
        lower=0.0 if alternative == "less" else _limit(excess, estimate, SMALLEST_MEAN, 0.0),
        upper=1.0 if alternative == "greater" else _limit(excess, estimate, 1 - SMALLEST_MEAN, 1.0),
        p_value=None if null is None else evidence_p_value(excess(null) - math.log(alpha)),
        null=null,
        level=1 - alpha,
    )


def bounded_mean_sequence(
    total: float,
    n: int,
    alpha: float,
    planned_n: float,
    least: float,
    most: float,
    alternative: Alternative = "two-sided",
    null: float | None = None,
) -> BoundedSequence:
    """Confidence sequence for the mean of outcomes that all lie between ``least`` and ``most`` (a declared
    cap).

    Arguments as in ``bernoulli_sequence``, ``total`` and ``null`` in the outcome's unit. It holds at every n
    for any distribution within the bounds, but is wide where outcomes vary much less than the bounds allow.

    Raises:
        ValueError: bounds that are not in order, and all that ``bernoulli_sequence`` refuses.
    """
    if not -math.inf < least < most < math.inf:
        raise ValueError(f"least, most: {least}, {most} are not allowed; give finite bounds in rising order")
    width = most - least
    unit = bernoulli_sequence(
        (total - n * least) / width,
        n,
        alpha,
        planned_n,
        alternative,
        None if null is None else (null - least) / width,
    )
    return BoundedSequence(
        n=n,
        estimate=total / n,
        lower=least + width * unit.lower,
        upper=least + width * unit.upper,
        p_value=unit.p_value,
        null=null,
        level=unit.level,
    )


def _limit(excess: Callable[[float], float], estimate: float, extreme: float, end: float) -> float:
    """The mean between the estimate and an end of the range at which the evidence is enough; the end if none
    is.
    """
    if estimate == end or excess(extreme) <= 0:
        return end
    inside = min(max(estimate, SMALLEST_MEAN), 1 - SMALLEST_MEAN)
    low, high = sorted((extreme, inside))
    return float(brentq(excess, low, high, xtol=1e-15, rtol=1e-14))
