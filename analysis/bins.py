"""Bins that two distributions share: by the reference's quantiles, or by category name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

MISSING: Final = "(missing)"


@dataclass(frozen=True, slots=True)
class Bins:
    """Counts of two distributions in the same bins, in one order.

    Attributes:
        names: of the bins.
        reference, current: requests in each.

    Raises:
        ValueError: if the lengths differ, or a count is negative or not whole.
    """

    names: tuple[str, ...]
    reference: tuple[int, ...]
    current: tuple[int, ...]

    def __post_init__(self) -> None:
        lengths = len(self.names), len(self.reference), len(self.current)
        if len(set(lengths)) > 1:
            raise ValueError(f"names, reference, current: {lengths} values; give one of each for every bin")
        bad = [n for n in (*self.reference, *self.current) if n < 0 or n != int(n)]
        if bad:
            raise ValueError(f"counts: {bad} not allowed; give whole numbers, 0 or more")


def quantile_cuts(values: Sequence[float], counts: Sequence[int], bins: int = 10) -> tuple[float, ...]:
    """Upper edges, each belonging to its bin, of bins with nearly equal counts of the reference.

    The quantiles at 1/bins, 2/bins, … (smallest value with at least that share at or below), each once: with
    ties there are fewer. The last bin is open above.

    Args:
        values: distinct values of the reference, rising; missing ones left out.
        counts: of each.
        bins: how many are wanted.

    Raises:
        ValueError: for values that do not rise, counts below 1, or fewer than 2 bins.
    """
    problems = []
    if bins < 2:
        problems.append(f"bins: {bins} is not allowed; give 2 or more")
    if len(values) != len(counts) or not values:
        problems.append(
            f"values, counts: {len(values)} and {len(counts)}; give one count for each, 1 or more"
        )
    if any(not a < b for a, b in pairwise(values)):
        problems.append("values: give distinct finite values in rising order")
    if any(count < 1 for count in counts):
        problems.append("counts: give the count of each value, 1 or more")
    if problems:
        raise ValueError("\n".join(problems))
    at_or_below = np.cumsum(counts)
    total = int(at_or_below[-1])
    ranks = [-(-total * k // bins) for k in range(1, bins)]
    places = np.searchsorted(at_or_below, ranks)
    found = dict.fromkeys(float(values[place]) for place in places if place < len(values) - 1)
    return tuple(found)


def category_bins(reference: Mapping[str | None, int], current: Mapping[str | None, int]) -> Bins:
    """Bins by category name: the reference's by falling count, then new ones by name, then missing (None)."""
    known = sorted(
        (name for name in reference if name is not None), key=lambda name: (-reference[name], name)
    )
    new = sorted(name for name in current if name is not None and name not in reference)
    names: list[str | None] = [*known, *new]
    if None in reference or None in current:
        names.append(None)
    return Bins(
        tuple(MISSING if name is None else name for name in names),
        tuple(reference.get(name, 0) for name in names),
        tuple(current.get(name, 0) for name in names),
    )
