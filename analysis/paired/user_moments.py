"""What is known of each user's pairs, summed up over users: all that a paired comparison by user needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from analysis.moments import CoMoments
from analysis.paired.table import PairedTable


@dataclass(frozen=True, slots=True)
class ClusterMoments:
    """Means and centred second moments, over users, of a sum of paired differences and a number of pairs.

    Attributes:
        users: number of users (clusters).
        difference_mean: mean over users of dₖ, the sum of candidate − champion over the user's pairs.
        pairs_mean: mean over users of nₖ, the user's number of pairs; positive.
        difference_m2: Σ (dₖ − mean)².
        pairs_m2: Σ (nₖ − mean)².
        cross: Σ (dₖ − mean)(nₖ − mean).
        discordant: of right and wrong, yes and no, where a pair adds −1, 0 or 1 to dₖ: all pairs that add −1 or 1.
            None for a loss, a score, a latency.

    Raises:
        ValueError: naming every number that cannot be.
    """

    users: int
    difference_mean: float
    pairs_mean: float
    difference_m2: float
    pairs_m2: float
    cross: float
    discordant: int | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.users < 0:
            problems.append(f"users: {self.users} is not allowed; give the number of users, 0 or more")
        for name in ("difference_mean", "pairs_mean", "difference_m2", "pairs_m2", "cross"):
            value = getattr(self, name)
            if not math.isfinite(value) or (name.endswith("m2") and value < 0):
                problems.append(
                    f"{name}: {value} is not allowed; give a finite number, for a sum of squares ≥ 0"
                )
        if self.users > 0 and not self.pairs_mean > 0:
            problems.append(f"pairs_mean: {self.pairs_mean} is not allowed; leave users without pairs out")
        if self.discordant is not None and not abs(self.won) <= self.discordant <= self.pairs:
            problems.append(
                f"discordant: {self.discordant} is not allowed; give the pairs that add −1 or 1, at least "
                f"{abs(self.won)} here and at most {self.pairs}"
            )
        if problems:
            raise ValueError("\n".join(problems))

    @classmethod
    def of_counts(
        cls, candidate_only: ArrayLike, champion_only: ArrayLike, pairs: ArrayLike
    ) -> ClusterMoments:
        """From each user's discordant pairs and number of pairs: the difference of shares over all pairs.

        Args:
            candidate_only, champion_only, pairs: one count per user, of the same length.
        """
        b, c, n = (np.asarray(x, dtype=float) for x in (candidate_only, champion_only, pairs))
        _check_counts(b, c, n)
        return replace(cls.of_sums(b - c, n), discordant=round(float((b + c).sum())))

    @classmethod
    def of_user_shares(
        cls, candidate_only: ArrayLike, champion_only: ArrayLike, pairs: ArrayLike
    ) -> ClusterMoments:
        """From the same counts: each user's own difference of shares, every user counting alike."""
        b, c, n = (np.asarray(x, dtype=float) for x in (candidate_only, champion_only, pairs))
        _check_counts(b, c, n)
        return cls.of_sums((b - c) / n, np.ones_like(n))

    @classmethod
    def of_sums(cls, differences: ArrayLike, pairs: ArrayLike) -> ClusterMoments:
        """From each user's sum of candidate − champion (latency, score) and number of pairs."""
        d, n = np.asarray(differences, dtype=float), np.asarray(pairs, dtype=float)
        if d.shape != n.shape or d.ndim != 1:
            raise ValueError(
                f"differences, pairs: shapes {d.shape} and {n.shape}; give one number per user in each"
            )
        if not (np.isfinite(d).all() and np.isfinite(n).all() and (n > 0).all()):
            raise ValueError("differences, pairs: give finite numbers, and leave users without pairs out")
        if d.size == 0:
            return cls(0, 0.0, 0.0, 0.0, 0.0, 0.0)
        d_mean, n_mean = math.fsum(d) / d.size, math.fsum(n) / n.size
        d, n = d - d_mean, n - n_mean
        return cls(len(d), d_mean, n_mean, math.fsum(d * d), math.fsum(n * n), math.fsum(d * n))

    @classmethod
    def of_comoments(
        cls,
        sums: CoMoments,
        *,
        difference: Sequence[float],
        pairs: Sequence[float],
        discordant: Sequence[float] | Literal["least"] | None = None,
    ) -> ClusterMoments:
        """From co-moments over users of any sums, as a log gives them.

        Args:
            sums: of one or more sums per user; users without pairs left out.
            difference: weights of these variables in dₖ; (1, −1, 0) of candidate's, champion's and pairs.
            pairs: their weights in nₖ; (0, 0, 1) of the same.
            discordant: for right and wrong, and for shares: weights of the sums that count pairs which add −1 or 1;
                (1, 1, 0) of candidate only, champion only and pairs. ``least`` where no sum counts them: then
                the fewest are taken that can make the difference. None for other numbers.
        """
        weights = (tuple(difference), tuple(pairs))
        if any(len(row) != sums.k for row in weights):
            raise ValueError(
                f"difference, pairs: {len(weights[0])} and {len(weights[1])} weights for {sums.k} sums; "
                "give one for each"
            )
        means = [math.fsum(w * m for w, m in zip(row, sums.means, strict=True)) for row in weights]
        ((dd, dn), (_, nn)) = sums.combine(weights, means).comoments
        found = None
        if discordant == "least":
            found = abs(round(sums.n * means[0]))
        elif discordant is not None:
            found = round(sums.n * math.fsum(w * m for w, m in zip(discordant, sums.means, strict=True)))
        return cls(sums.n, means[0], means[1], dd, nn, dn, found)

    @property
    def pairs(self) -> int:
        return round(self.users * self.pairs_mean)

    @property
    def won(self) -> int:
        """Σ dₖ of counts: pairs on which the candidate alone is right, less those on which the champion is."""
        return round(self.users * self.difference_mean)

    @property
    def table(self) -> PairedTable | None:
        """The pairs taken for independent, agreeing ones all as both right; None where they are no counts."""
        if self.discordant is None:
            return None
        candidate_only = (self.discordant + self.won) // 2
        return PairedTable(self.pairs - self.discordant, candidate_only, self.discordant - candidate_only, 0)

    @property
    def effective_users(self) -> float | None:
        """Users of equal size that would weigh as these do, (Σn)² / Σn² (Kish 1965, section 8.2).

        Below about 100 of them an interval by user is a few points too narrow. None without users.
        """
        if self.users == 0:
            return None
        return self.users / (1 + self.pairs_m2 / self.users / self.pairs_mean**2)

    @property
    def standard_error(self) -> float | None:
        """Of the difference per pair, by the delta method with K/(K − 1); None with fewer than 2 users."""
        if self.users < 2:
            return None
        scatter = self.residual_m2(self.difference_mean / self.pairs_mean)
        return math.sqrt(scatter / (self.users * (self.users - 1))) / self.pairs_mean

    def residual_m2(self, difference: float) -> float:
        """Σ (rₖ − mean)² of the residuals rₖ = dₖ − difference·nₖ."""
        return max(self.difference_m2 - 2 * difference * self.cross + difference**2 * self.pairs_m2, 0.0)


def _check_counts(b: np.ndarray, c: np.ndarray, n: np.ndarray) -> None:
    if not (b.shape == c.shape == n.shape and b.ndim == 1):
        raise ValueError(
            f"candidate_only, champion_only, pairs: shapes {b.shape}, {c.shape}, {n.shape}; give one per user"
        )
    if (b < 0).any() or (c < 0).any() or (b + c > n).any() or (n < 1).any():
        raise ValueError(
            "candidate_only, champion_only, pairs: each user needs 1 or more pairs and no more discordant "
            "pairs than pairs; leave users without pairs out"
        )
