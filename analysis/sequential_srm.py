"""Sample ratio mismatch that may be looked at after every unit, for ever, at level α (Lindon & Malek 2022).

M. Lindon & A. Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022: the Bayes factor of
a Dirichlet mixture of shares against the planned shares is a martingale under the plan, starting at 1, so by
Ville's inequality it ever reaches 1/α with probability at most α. p = 1 / (largest Bayes factor so far).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, xlogy

DEFAULT_CONCENTRATION = 10_000.0
"""κ of the mixture, which expects shares within some ½/√κ of the plan: half a per cent at 1:1."""


@dataclass(frozen=True, slots=True)
class SequentialSRM:
    """State of the test; `update` gives the next one.

    Attributes:
        shares: planned shares above 0, summing to 1.
        concentration: κ; the mixture is Dirichlet(κ · shares). Fixed before the first look.
        counts: cumulative units per arm.
        log_bayes_factor: of the mixture against the plan, at these counts.
        log_largest: the largest log Bayes factor so far, at least 0 (the start).
    """

    shares: tuple[float, ...]
    concentration: float
    counts: tuple[int, ...]
    log_bayes_factor: float
    log_largest: float

    @classmethod
    def start(
        cls, planned: Sequence[float], *, concentration: float = DEFAULT_CONCENTRATION
    ) -> SequentialSRM:
        """The test before any unit.

        Args:
            planned: shares or weights of two or more arms, all above 0; arms with share 0 do not exist.
            concentration: κ, above 0. A large κ looks for small mismatches, a small one for large ones
                sooner.

        Raises:
            ValueError: for fewer than two arms, or a weight or concentration not above 0.
        """
        if len(planned) < 2 or any(not (math.isfinite(w) and w > 0) for w in planned):
            raise ValueError(
                f"planned: {tuple(planned)} is not allowed; give two or more weights above 0, "
                "arms of weight 0 left out"
            )
        if not (math.isfinite(concentration) and concentration > 0):
            raise ValueError(
                f"concentration: {concentration} is not allowed; give a number above 0, for example 10000"
            )
        whole = math.fsum(planned)
        shares = tuple(w / whole for w in planned)
        return cls(shares, float(concentration), (0,) * len(shares), 0.0, 0.0)

    @property
    def p_value(self) -> float:
        """Anytime-valid p: 1 / (largest Bayes factor so far). It never rises."""
        return math.exp(-self.log_largest)

    def update(self, counts: Sequence[int]) -> SequentialSRM:
        """The state at these cumulative counts per arm.

        Raises:
            ValueError: if the arms differ in number, or a cumulative count fell: units do not leave an
                experiment.
        """
        if len(counts) != len(self.shares):
            raise ValueError(
                f"counts: {len(counts)} arms, planned {len(self.shares)}; give one count per arm"
            )
        if any(new < old for new, old in zip(counts, self.counts, strict=True)):
            raise ValueError(
                f"counts: {tuple(counts)} is below the earlier {self.counts}; give cumulative counts, "
                "which never fall"
            )
        prior = [self.concentration * share for share in self.shares]
        against = math.fsum(xlogy(n, share) for n, share in zip(counts, self.shares, strict=True))
        log_bayes_factor = log_dirichlet_multinomial(counts, prior) - against
        return SequentialSRM(
            self.shares,
            self.concentration,
            tuple(int(n) for n in counts),
            log_bayes_factor,
            max(self.log_largest, log_bayes_factor),
        )


def sequential_srm_path(
    counts: Iterable[Sequence[int]],
    planned: Sequence[float],
    *,
    concentration: float = DEFAULT_CONCENTRATION,
) -> tuple[SequentialSRM, ...]:
    """The state of the test at each of a series of cumulative counts, for example one per day."""
    state = SequentialSRM.start(planned, concentration=concentration)
    path: list[SequentialSRM] = []
    for row in counts:
        state = state.update(row)
        path.append(state)
    return tuple(path)


def log_dirichlet_multinomial(counts: Sequence[int], prior: Sequence[float]) -> float:
    """Log probability of one ordered sequence of units with these counts, the shares being Dirichlet(prior).

    ln B(prior + counts) − ln B(prior), B the multivariate beta function; kept in logarithms, where 30,000
    units against the plan are an ordinary number.
    """
    a, n = np.asarray(prior, dtype=float), np.asarray(counts, dtype=float)
    rises = gammaln(a + n) - gammaln(a)
    return float(math.fsum(rises) - (gammaln(a.sum() + n.sum()) - gammaln(a.sum())))
