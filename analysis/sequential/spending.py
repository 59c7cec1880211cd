"""How much of an error probability may be used up by each information fraction.

A spending function is a value: called with ``(alpha, t)`` it gives the cumulative error probability that may
be spent by information fraction ``t``; it rises from 0 at ``t = 0`` to exactly ``alpha`` at ``t = 1`` and
stays there. All of them are for one side. A symmetric two-sided test of total level alpha spends ``f(alpha /
2, t)`` on each side, which for the O'Brien-Fleming-like function is not the same as halving ``f(alpha, t)``.

The same functions spend the type-II error of a futility boundary.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from scipy.special import ndtr, ndtri

SpendingFunction = Callable[[float, float], float]

SPENDING_TYPES: Final = ("lan-demets-obf", "lan-demets-pocock", "kim-demets", "hwang-shih-decani")

LARGEST_HSD_PARAMETER: Final = 40.0


@dataclass(frozen=True, slots=True)
class LanDeMetsOBrienFleming:
    """O'Brien-Fleming-like: ``2 (1 - Φ(z_{alpha/2} / √t))`` (Lan & DeMets 1983, Biometrika 70, p. 660,
    α₁*).
    """

    def __call__(self, alpha: float, t: float) -> float:
        if t >= 1:
            return alpha
        return 2 * float(ndtr(ndtri(alpha / 2) / math.sqrt(t)))


@dataclass(frozen=True, slots=True)
class LanDeMetsPocock:
    """Pocock-like: ``alpha ln(1 + (e - 1) t)`` (Lan & DeMets 1983, Biometrika 70, p. 660, α₂*)."""

    def __call__(self, alpha: float, t: float) -> float:
        return alpha if t >= 1 else alpha * math.log1p((math.e - 1) * t)


@dataclass(frozen=True, slots=True)
class KimDeMets:
    """Power family: ``alpha t^rho`` (Kim & DeMets 1987, Biometrika 74, p. 150).

    Attributes:
        rho: above 0. 1 spends evenly; 3 is near O'Brien-Fleming.
    """

    rho: float

    def __call__(self, alpha: float, t: float) -> float:
        return alpha if t >= 1 else alpha * t**self.rho


@dataclass(frozen=True, slots=True)
class HwangShihDeCani:
    """Gamma family: ``alpha (1 - e^{-gamma t}) / (1 - e^{-gamma})`` (Hwang, Shih & DeCani 1990, Stat. Med.
    9, p. 1439).

    Attributes:
        gamma: -4 is near O'Brien-Fleming, 0 spends evenly, 1 is near Pocock.
    """

    gamma: float

    def __call__(self, alpha: float, t: float) -> float:
        if t >= 1:
            return alpha
        if self.gamma == 0:
            return alpha * t
        return alpha * math.expm1(-self.gamma * t) / math.expm1(-self.gamma)


def spending_function(name: str, parameter: float | None = None) -> SpendingFunction:
    """The spending function of that name.

    Args:
        name: one of ``SPENDING_TYPES``.
        parameter: rho for kim-demets (above 0), gamma for hwang-shih-decani (-40 to 40), None for the others.

    Raises:
        ValueError: unknown name; a parameter that is missing, not wanted, or out of its range.
    """
    if name not in SPENDING_TYPES:
        raise ValueError(f"spending: {name!r} is not known; give one of {', '.join(SPENDING_TYPES)}")
    if name in ("lan-demets-obf", "lan-demets-pocock"):
        if parameter is not None:
            raise ValueError(f"parameter: {parameter} was given, but {name} has none; leave it out")
        return LanDeMetsOBrienFleming() if name == "lan-demets-obf" else LanDeMetsPocock()
    if parameter is None:
        example = "rho, for example 3" if name == "kim-demets" else "gamma, for example -4"
        raise ValueError(f"parameter: {name} needs one; give {example}")
    if name == "kim-demets":
        if not 0 < parameter < math.inf:
            raise ValueError(
                f"parameter: rho = {parameter} is not allowed for kim-demets; give a number above 0"
            )
        return KimDeMets(parameter)
    if not abs(parameter) <= LARGEST_HSD_PARAMETER:
        raise ValueError(
            f"parameter: gamma = {parameter} is not allowed for hwang-shih-decani; "
            f"give a number from {-LARGEST_HSD_PARAMETER:g} to {LARGEST_HSD_PARAMETER:g}"
        )
    return HwangShihDeCani(parameter)


def increments(spent: Sequence[float]) -> tuple[float, ...]:
    """What each look spends, from what has been spent by each look."""
    return tuple(now - before for before, now in zip((0.0, *spent[:-1]), spent, strict=True))
