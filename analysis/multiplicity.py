"""Several hypotheses at once: Holm, Benjamini–Hochberg and Bonferroni with the names kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.inference import check_level

Adjustment = Literal["holm", "benjamini-hochberg", "bonferroni"]


@dataclass(frozen=True, slots=True)
class Adjusted:
    """One member of a family of hypotheses.

    Attributes:
        p_value: before adjustment; None if it was not computed.
        adjusted: after adjustment; None if it was not computed.
        rejected: whether the adjusted p-value is below α; never where it was not computed.
    """

    p_value: float | None
    adjusted: float | None
    rejected: bool


@dataclass(frozen=True, slots=True)
class Family:
    """A family of hypotheses after adjustment.

    Attributes:
        method: the adjustment, by its name.
        alpha: family-wise error rate, or false discovery rate for Benjamini–Hochberg.
        members: by name, in the order given.
        not_computed: names of the members without a p-value. They count in the size of the family all the
            same, as if p were 1, so that a metric that fails to compute cannot make the others' adjustment
            milder.
    """

    method: str
    alpha: float
    members: Mapping[str, Adjusted]
    not_computed: tuple[str, ...]

    @property
    def rejected(self) -> tuple[str, ...]:
        """Names of the members rejected, in the order given."""
        return tuple(name for name, member in self.members.items() if member.rejected)


def adjust(p_values: Mapping[str, float | None], *, method: Adjustment, alpha: float = 0.05) -> Family:
    """Adjusted p-values of a family of hypotheses.

    Args:
        p_values: by name; None for one that could not be computed.
        method: "holm" (Holm 1979) or "bonferroni" hold the family-wise error rate whatever the dependence;
            "benjamini-hochberg" (1995) holds the false discovery rate.

    Raises:
        ValueError: for a p-value outside [0, 1], a level not in (0, 1) or another method.
    """
    check_level(alpha)
    if method not in get_args(Adjustment):
        raise ValueError(f"method: {method!r} is not allowed; give one of {', '.join(get_args(Adjustment))}")
    wrong = {name: p for name, p in p_values.items() if p is not None and not 0 <= p <= 1}
    if wrong:
        raise ValueError(f"p_values: {wrong} not allowed; give probabilities from 0 to 1, or None")
    missing = tuple(name for name, p in p_values.items() if p is None)
    members: dict[str, Adjusted] = {}
    filled = np.array([1.0 if p is None else p for p in p_values.values()])
    for (name, p), q in zip(p_values.items(), _adjusted(filled, method).tolist(), strict=True):
        members[name] = Adjusted(None, None, False) if p is None else Adjusted(p, q, q < alpha)
    return Family(method, alpha, members, missing)


def _adjusted(p: NDArray[np.float64], method: Adjustment) -> NDArray[np.float64]:
    # Not statsmodels' multipletests, which is in the tests: its Holm collects garbage at every call, some 30 ms.
    m = len(p)
    if method == "bonferroni":
        return np.minimum(m * p, 1.0)
    order = np.argsort(p, kind="stable")
    rank = np.arange(1, m + 1)
    stepped = np.empty(m)
    if method == "holm":
        stepped[order] = np.maximum.accumulate((m - rank + 1) * p[order])
    else:
        stepped[order] = np.minimum.accumulate((m / rank * p[order])[::-1])[::-1]
    return np.minimum(stepped, 1.0)
