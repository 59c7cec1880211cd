"""Two models on the same requests: the four counts of right and wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class PairedTable:
    """How often both models, one of them, or neither was right on the same request.

    Attributes:
        both: pairs where both are right.
        candidate_only: pairs where only the candidate is right.
        champion_only: pairs where only the champion is right.
        neither: pairs where both are wrong.

    Raises:
        ValueError: naming every count that is negative or not a whole number.
    """

    both: int
    candidate_only: int
    champion_only: int
    neither: int

    def __post_init__(self) -> None:
        problems = [
            f"{name}: {count!r} is not allowed; give a number of pairs, a whole number of 0 or more"
            for name in self.__slots__
            if not (isinstance(count := getattr(self, name), int | np.integer) and count >= 0)
        ]
        if problems:
            raise ValueError("\n".join(problems))

    @classmethod
    def of(cls, candidate_right: ArrayLike, champion_right: ArrayLike) -> PairedTable:
        """The table of two arrays of right (true, 1) and wrong (false, 0), one entry per request.

        Raises:
            ValueError: if the lengths differ or a value is neither 0 nor 1; leave requests without a label
                out and count them.
        """
        candidate, champion = np.asarray(candidate_right), np.asarray(champion_right)
        if candidate.shape != champion.shape or candidate.ndim != 1:
            raise ValueError(
                f"candidate_right, champion_right: shapes {candidate.shape} and {champion.shape} are not "
                "pairs; give two arrays of the same length"
            )
        for name, values in (("candidate_right", candidate), ("champion_right", champion)):
            if not np.isin(values, (0, 1)).all():
                raise ValueError(
                    f"{name}: holds values other than 0 and 1; leave requests without a label out"
                )
        candidate, champion = candidate == 1, champion == 1
        return cls(
            both=int(np.sum(candidate & champion)),
            candidate_only=int(np.sum(candidate & ~champion)),
            champion_only=int(np.sum(~candidate & champion)),
            neither=int(np.sum(~candidate & ~champion)),
        )

    @property
    def pairs(self) -> int:
        return self.both + self.candidate_only + self.champion_only + self.neither

    @property
    def discordant(self) -> int:
        """Pairs on which the models disagree: the only ones that say which is better."""
        return self.candidate_only + self.champion_only

    @property
    def difference(self) -> float:
        """Share right, candidate − champion.

        Raises:
            ZeroDivisionError: without pairs.
        """
        return (self.candidate_only - self.champion_only) / self.pairs

    def swapped(self) -> PairedTable:
        """The same pairs with the models' places exchanged."""
        return PairedTable(self.both, self.champion_only, self.candidate_only, self.neither)
