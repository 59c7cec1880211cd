"""How many pairs a McNemar test or a paired margin test needs, and the power of a given number."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import binom

from analysis.paired.difference import constrained_champion_only
from analysis.power.comparison import normal_power, normal_scale
from analysis.power.plan import error_rates, refuse

PairedPowerMethod = Literal["connor", "miettinen", "exact"]


@dataclass(frozen=True, slots=True)
class PairedSampleSize:
    """Pairs needed, and everything they were derived from."""

    pairs: int
    method: str
    alpha: float
    power: float
    sides: int
    discordant: float
    difference: float
    margin: float | None
    unrounded: float  # equal to ``pairs`` for the exact method
    expected_discordant_pairs: float
    achieved_power: float


def sample_size_paired(
    discordant: float,
    difference: float = 0.0,
    *,
    alpha: float | None = None,
    power: float = 0.8,
    sides: int | None = None,
    method: PairedPowerMethod = "connor",
    margin: float | None = None,
    direction: Literal["higher", "lower"] = "higher",
    design_effect: float = 1.0,
    inflation: float = 1.0,
) -> PairedSampleSize:
    """Pairs for McNemar's test, or for paired non-inferiority when a margin is given.

    With discordance ψ and difference δ:

    - ``connor``: (z_α·√ψ + z_β·√(ψ − δ²))² / δ² (Connor 1987, Biometrics 43:207, equation 3). With a margin
      the first variance is that of Tango's score test under the null, the constrained maximum likelihood.
    - ``miettinen``: (z_α·ψ + z_β·√(ψ² − δ²(3 + ψ)/4))² / (ψ·δ²) (Miettinen 1968, Biometrics 24:339).
    - ``exact``: the smallest number of pairs at which the exact test, averaged over the number of discordant
      pairs, has the power. That power is a saw-tooth: somewhat larger numbers can fall short of it again.

    Args:
        discordant: share of pairs on which the models disagree, above 0 and at most 1.
        difference: share right, candidate − champion, to detect; with a margin the true difference assumed.
        alpha, sides: 0.05 and 2, or 0.025 and 1 with a margin.
        margin: largest worsening accepted, positive; only with ``connor``.
        direction: whether a higher or a lower share is better; used only with a margin.
        design_effect, inflation: multiply the pairs; for several requests per user, and a sequential design.

    Raises:
        ValueError: naming every parameter that is not allowed.
    """
    alpha, sides = error_rates(alpha, sides, margin)
    refuse(
        [
            *rate_problems(alpha, power, sides, method),
            *truth_problems(discordant, difference, margin, direction, method),
            *_factor_problems(design_effect, inflation),
        ]
    )
    tail = alpha / sides
    factor = design_effect * inflation
    if method == "exact":
        independent = float(_exact_pairs(discordant, abs(difference), tail, power))
    else:
        distance, null, true = _formula(method, discordant, difference, margin, direction)
        independent = normal_scale(distance, null, true, tail, power)
    unrounded = independent * factor
    pairs = math.ceil(unrounded * (1 - 1e-12))
    return PairedSampleSize(
        pairs=pairs,
        method=method_name(method, margin),
        alpha=alpha,
        power=power,
        sides=sides,
        discordant=discordant,
        difference=difference,
        margin=margin,
        unrounded=unrounded,
        expected_discordant_pairs=pairs * discordant,
        achieved_power=paired_power(
            pairs,
            discordant,
            difference,
            alpha=alpha,
            sides=sides,
            method=method,
            margin=margin,
            direction=direction,
            design_effect=design_effect,
            inflation=inflation,
        ),
    )


def paired_power(
    pairs: int,
    discordant: float,
    difference: float = 0.0,
    *,
    alpha: float | None = None,
    sides: int | None = None,
    method: PairedPowerMethod = "connor",
    margin: float | None = None,
    direction: Literal["higher", "lower"] = "higher",
    design_effect: float = 1.0,
    inflation: float = 1.0,
) -> float:
    """Probability of rejecting in the direction of the difference with ``pairs`` pairs.

    The arguments are those of :func:`sample_size_paired`. ``exact`` averages the exact test's power over
    Binomial(pairs, discordant) discordant pairs; with a design effect, over the number of independent pairs,
    rounded down.
    """
    alpha, sides = error_rates(alpha, sides, margin)
    refuse(
        [
            *rate_problems(alpha, 0.8, sides, method),
            *truth_problems(discordant, difference, margin, direction, method),
            *_factor_problems(design_effect, inflation),
            *([] if pairs >= 1 else [f"pairs: {pairs} is not allowed; give 1 pair or more"]),
        ]
    )
    independent = pairs / (design_effect * inflation)
    tail = alpha / sides
    if method == "exact":
        return _exact_power(math.floor(independent * (1 + 1e-12)), discordant, abs(difference), tail)
    distance, null, true = _formula(method, discordant, difference, margin, direction)
    return normal_power(distance, null / independent, true / independent, tail)


def _formula(
    method: str, discordant: float, difference: float, margin: float | None, direction: str
) -> tuple[float, float, float]:
    """Distance from the null, and the null's and the truth's variance for one pair."""
    if method == "miettinen":
        true = discordant - difference**2 * (3 + discordant) / (4 * discordant)
        return abs(difference), discordant, max(true, 0.0)
    true = max(discordant - difference**2, 0.0)
    if margin is None:
        return abs(difference), discordant, true
    harm = -margin if direction == "higher" else margin
    candidate_only, champion_only = (discordant + difference) / 2, (discordant - difference) / 2
    q = constrained_champion_only(candidate_only, champion_only, harm)
    return abs(difference - harm), 2 * q + harm * (1 - harm), true


def rejection_counts(m: NDArray[np.int64], tail: float) -> NDArray[np.float64]:
    """Smallest number of m fair tosses whose upper tail is below ``tail``; m + 1 where there is none."""
    beyond = binom.isf(tail, m, 0.5)
    beyond = np.where(binom.sf(beyond - 1, m, 0.5) < tail, beyond - 1, beyond)
    beyond = np.where(binom.sf(beyond, m, 0.5) < tail, beyond, beyond + 1)
    return np.asarray(beyond + 1, dtype=float)


def _exact_power(pairs: int, discordant: float, difference: float, tail: float) -> float:
    if pairs < 1:
        return 0.0
    low, high = (int(binom.ppf(q, pairs, discordant)) for q in (1e-15, 1 - 1e-15))
    m = np.arange(max(low, 1), high + 1)
    if m.size == 0:
        return 0.0
    share = (discordant + difference) / (2 * discordant)
    rejects = binom.sf(rejection_counts(m, tail) - 1, m, share)
    return float(binom.pmf(m, pairs, discordant) @ rejects)


def _exact_pairs(discordant: float, difference: float, tail: float, power: float) -> int:
    """First number of pairs that reaches the power: bisection, then a walk back over the teeth of the saw.

    With m discordant pairs the critical count rounds m/2 + z·√m/2 up, so that a tooth is some 2√m/z discordant
    pairs long and of the order of 1/√m high; averaging over their number, whose standard deviation is
    √(m(1 − discordant)), flattens it by exp(−π²z²(1 − discordant)/2). Below the target by more than a tooth,
    no smaller number of pairs reaches it.
    """

    def reached(pairs: int) -> float:
        return _exact_power(pairs, discordant, difference, tail)

    low, high = 1, 2
    while reached(high) < power:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) >= power else (middle, high)
    flattening = math.exp(-((math.pi * float(ndtri(tail))) ** 2) * (1 - discordant) / 2)
    tooth = 2 * flattening / math.sqrt(high * discordant)
    first = pairs = high
    while pairs > 1:
        pairs -= 1
        now = reached(pairs)
        if now >= power:
            first = pairs
        elif now < power - tooth:
            break
    return first


def method_name(method: str, margin: float | None) -> str:
    if margin is not None:
        return "Tango score test of non-inferiority, normal approximation"
    return {
        "connor": "McNemar, unconditional (Connor 1987)",
        "miettinen": "McNemar, unconditional (Miettinen 1968)",
        "exact": "McNemar exact, averaged over the number of discordant pairs",
    }[method]


def rate_problems(alpha: float, power: float, sides: int, method: str) -> Iterable[str]:
    if not 0 < alpha < 0.5:
        yield f"alpha: {alpha} is not allowed; give a level between 0 and 0.5, for example 0.05"
    if not 0.5 <= power < 1:
        yield f"power: {power} is not allowed; give at least 0.5 and below 1, for example 0.8"
    if sides not in (1, 2):
        yield f"sides: {sides} is not allowed; give 1 or 2"
    if method not in ("connor", "miettinen", "exact"):
        yield f"method: {method!r} is unknown; give connor, miettinen or exact"


def truth_problems(
    discordant: float, difference: float, margin: float | None, direction: str, method: str
) -> Iterable[str]:
    if direction not in ("higher", "lower"):
        yield f"direction: {direction!r} is unknown; give higher or lower"
    if not 0 < discordant <= 1:
        yield f"discordant: {discordant} is not allowed; give the share of pairs that disagree, up to 1"
        return
    if not abs(difference) <= discordant:
        yield (
            f"difference: {difference} is not allowed; models that disagree on a share {discordant} of pairs "
            "differ by no more than that"
        )
        return
    if margin is None:
        if difference == 0:
            yield "difference: 0 is not allowed; give the smallest difference worth detecting, such as 0.01"
        return
    if not 0 < margin < 1:
        yield f"margin: {margin} is not allowed; give the largest worsening accepted, above 0 and below 1"
    elif (difference if direction == "higher" else -difference) <= -margin:
        yield f"difference: {difference} is not allowed; it is at or beyond the margin {margin}"
    if method != "connor":
        yield f"method: {method} is not allowed with a margin, which Tango's test decides; leave it out"


def _factor_problems(design_effect: float, inflation: float) -> Iterable[str]:
    if not (design_effect > 0 and math.isfinite(design_effect)):
        yield f"design_effect: {design_effect} is not allowed; give a positive factor, 1 for none"
    if not (inflation >= 1 and math.isfinite(inflation)):
        yield f"inflation: {inflation} is not allowed; give at least 1, which is a fixed design"
