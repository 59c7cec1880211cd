"""What a given number of pairs, or of discordant pairs, can detect."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom

from analysis.paired.power import (
    PairedPowerMethod,
    method_name,
    paired_power,
    rate_problems,
    rejection_counts,
    truth_problems,
)
from analysis.power.plan import refuse


@dataclass(frozen=True, slots=True)
class DetectableDifference:
    """The smallest difference that has the declared power."""

    difference: float | None
    pairs: int
    alpha: float
    power: float
    sides: int
    method: str
    not_computed: str | None = None


@dataclass(frozen=True, slots=True)
class DetectableShare:
    """The smallest share of the discordant pairs, above one-half, that the exact test detects."""

    share: float | None
    discordant_pairs: int
    difference_per_discordant_pair: float | None  # 2·share − 1
    alpha: float
    power: float
    sides: int
    not_computed: str | None = None


def detectable_paired_difference(
    pairs: int,
    discordant: float,
    *,
    alpha: float = 0.05,
    power: float = 0.8,
    sides: int = 2,
    method: PairedPowerMethod = "connor",
) -> DetectableDifference:
    """Smallest difference with the declared power at a number of pairs and a share of discordant ones."""

    def surplus(difference: float) -> float:
        reached = paired_power(pairs, discordant, difference, alpha=alpha, sides=sides, method=method)
        return reached - power

    refuse(
        [
            *rate_problems(alpha, power, sides, method),
            *truth_problems(discordant, discordant, None, "higher", method),
        ]
    )
    name = method_name(method, None)
    if surplus(discordant) < 0:
        return DetectableDifference(
            None, pairs, alpha, power, sides, name, f"no difference reaches power {power} with {pairs} pairs"
        )
    root = _reaching_root(surplus, 1e-12 * discordant, discordant)
    return DetectableDifference(root, pairs, alpha, power, sides, name)


def detectable_share(
    discordant_pairs: int, *, alpha: float = 0.05, power: float = 0.8, sides: int = 2
) -> DetectableShare:
    """Smallest share of so many discordant pairs that the exact McNemar test detects with the power."""
    refuse(
        [
            *rate_problems(alpha, power, sides, "exact"),
            *(
                []
                if discordant_pairs >= 0
                else [f"discordant_pairs: {discordant_pairs} is not allowed; give 0 or more"]
            ),
        ]
    )
    needed = rejection_counts(np.array([discordant_pairs]), alpha / sides)[0]
    if needed > discordant_pairs:
        why = f"{discordant_pairs} discordant pairs cannot reject at alpha {alpha}, however they fall"
        return DetectableShare(None, discordant_pairs, None, alpha, power, sides, why)

    def surplus(share: float) -> float:
        return float(binom.sf(needed - 1, discordant_pairs, share)) - power

    share = _reaching_root(surplus, 0.5, 1.0)
    return DetectableShare(share, discordant_pairs, 2 * share - 1, alpha, power, sides)


def _reaching_root(surplus: Callable[[float], float], low: float, high: float) -> float:
    root: float = brentq(surplus, low, high, xtol=1e-15)
    # the side of the root on which the power is reached
    return root if surplus(root) >= 0 else min(root * (1 + 1e-12), high)
