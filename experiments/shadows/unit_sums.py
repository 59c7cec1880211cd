"""Exact sums over units: all that a comparison of two models by user needs to know of the pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from analysis.moments import CoMoments, exact_comoments
from analysis.paired import ClusterMoments


@dataclass(frozen=True)
class UnitSums:
    """Exact sums over units of a few numbers, each added up over the unit's pairs; the last is the number of pairs.

    Attributes:
        name: of the quantity; ``segment`` and ``level`` where it is of a part of the requests.
        names, scales: of the numbers; each is a whole number of 1 / scale.
        sums, products: over units; products by rows of the upper triangle.
        champion_total: of a difference, the champion's own number over all pairs, which gives both models' means.
    """

    name: str
    segment: str | None
    level: str | None
    names: tuple[str, ...]
    scales: tuple[int, ...]
    units: int
    sums: tuple[int, ...]
    products: tuple[int, ...]
    champion_total: int | None = None

    @property
    def pairs(self) -> int:
        return self.sums[-1]

    @cached_property
    def comoments(self) -> CoMoments:
        """As ``analysis.paired`` takes them, rounded once."""
        k = len(self.names)
        cross = [[0] * k for _ in range(k)]
        position = 0
        for i in range(k):
            for j in range(i, k):
                cross[i][j] = cross[j][i] = self.products[position]
                position += 1
        return exact_comoments(self.units, self.sums, cross, self.scales, (0,) * k)

    def mean(self, name: str) -> float | None:
        """Of one number per pair, or of a model's own behind a difference; None without pairs."""
        if self.pairs == 0 or (name not in self.names and self.champion_total is None):
            return None
        if name in self.names:
            index = self.names.index(name)
            return self.sums[index] / self.scales[index] / self.pairs
        own = (self.champion_total or 0) + (self.sums[0] if name == "candidate" else 0)
        return own / self.scales[0] / self.pairs

    def total(self, name: str) -> int:
        """A number that was counted, over all pairs."""
        return self.sums[self.names.index(name)]

    @property
    def candidate_less_champion(self) -> ClusterMoments:
        """Per-unit sums of candidate − champion, and of the pairs."""
        if "difference" in self.names:
            return self._moments({"difference": 1})
        differ = (
            {"candidate": 1, "champion": 1, "both": -2}
            if "both" in self.names
            else {"agreeing": -1, self.names[-1]: 1}
        )
        return self._moments({"candidate": 1, "champion": -1}, differ)

    def weighted(self, **weights: int) -> ClusterMoments:
        """Per-unit sums of a weighted number, ``candidate=1, champion=-1``, and of the pairs."""
        return self._moments(weights)

    def _moments(self, weights: Mapping[str, int], differ: Mapping[str, int] | None = None) -> ClusterMoments:
        """``differ`` counts the pairs on which one model alone has it, which a test of shares must not do without."""

        def in_order(one: Mapping[str, int]) -> tuple[int, ...]:
            return tuple(one.get(name, 0) for name in self.names)

        return ClusterMoments.of_comoments(
            self.comoments,
            difference=in_order(weights),
            pairs=in_order({self.names[-1]: 1}),
            discordant=None if differ is None else in_order(differ),
        )
