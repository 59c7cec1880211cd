"""Pairs of requests of many shadows at once, as sums by user; users have 1 to 500 requests and sides of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST: Final = 500
STRONG, MILD = 0.3, 50.0
"""Concentrations of the beta law of a user's share of discordant pairs that the candidate wins: nearly all or none; hardly any spread."""


@dataclass(frozen=True)
class Users:
    """What is true of the users of a shadow.

    Attributes:
        tail: P(m requests) ∝ m^−(1 + tail) on 1 to 500; None for one request each.
        discordant: share of pairs on which one model alone is right.
        strong: share of users for whom nearly always the same model is right.
        loss: what is compared is a loss: a pair's difference is normal, with a part of the user's own of half its
            standard deviation, and neither ``discordant`` nor ``strong`` has a meaning.
        heavy: the user's own part of a loss is a lognormal worsening (σ = 1): few users lose far more than the others.
    """

    words: str
    tail: float | None
    discordant: float = 0.0
    strong: float = 0.0
    loss: bool = False
    heavy: bool = False

    def requests(self, shape: tuple[int, ...], random: np.random.Generator) -> Counts:
        if self.tail is None:
            return np.ones(shape, dtype=np.int64)
        weights = np.arange(1, MOST + 1) ** -(1 + self.tail)
        below = np.cumsum(weights / weights.sum())[:-1]
        return 1 + np.searchsorted(below, random.random(shape))

    def sides(self, difference: float, shape: tuple[int, ...], random: np.random.Generator) -> Floats:
        """Each user's share of discordant pairs that the candidate wins, so that the mean difference is as given."""
        mean = (1 + difference / self.discordant) / 2
        concentration = np.where(random.random(shape) < self.strong, STRONG, MILD)
        return random.beta(mean * concentration, (1 - mean) * concentration)

    @property
    def correlation(self) -> float:
        """Of two pair differences of one user, without a true difference."""
        return self.discordant * (self.strong / (STRONG + 1) + (1 - self.strong) / (MILD + 1))


@dataclass(frozen=True)
class Shadows:
    """Sums by user, shape (shadows, users) in the order in which users came.

    Attributes:
        differences: candidate − champion.
        pairs: all pairs.
        discordant: pairs on which one model alone is right; 0 for a loss.
        counts: the differences are counts of right and wrong.
    """

    differences: Floats
    pairs: Counts
    discordant: Counts
    counts: bool = True


def drawn(users: Users, difference: float, shape: tuple[int, int], random: np.random.Generator) -> Shadows:
    """Shadows whose users are complete when they are counted."""
    pairs = users.requests(shape, random)
    if users.loss:
        noise = random.normal(0, 1, shape) * np.sqrt(pairs)
        own = (
            0.5 * (np.exp(0.5) - random.lognormal(0, 1, shape))
            if users.heavy
            else random.normal(0, 0.5, shape)
        )
        return Shadows(noise + own * pairs + difference * pairs, pairs, np.zeros_like(pairs), counts=False)
    discordant = random.binomial(pairs, users.discordant)
    candidate = random.binomial(discordant, users.sides(difference, shape, random))
    return Shadows((2 * candidate - discordant).astype(float), pairs, discordant)


def drawn_by_day(
    users: Users, difference: float, count: int, days: int, random: np.random.Generator
) -> list[Shadows]:
    """One shadow as it stands after each of so many days; users begin on any of them and send until the last.

    Users without a request so far have 0 pairs.
    """
    total = users.requests((count,), random)
    first = random.integers(0, days, count)
    active = (np.arange(days) >= first[:, None]).astype(float)
    by_day = random.multinomial(total, active / active.sum(axis=1, keepdims=True))
    discordant = random.binomial(by_day, users.discordant)
    candidate = random.binomial(discordant, users.sides(difference, (count,), random)[:, None])
    pairs, disagreed = by_day.cumsum(axis=1), discordant.cumsum(axis=1)
    won = (2 * candidate - discordant).cumsum(axis=1).astype(float)
    return [Shadows(won[:, day], pairs[:, day], disagreed[:, day]) for day in range(days)]
