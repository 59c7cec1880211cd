"""Level of one comparison when several treatment arms are compared with the same control."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

# The integrand is smooth and the normal weight is below 1e-35 at ±12.5.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(400)
_X = 12.5 * _NODES
_DENSITY = 12.5 * _WEIGHTS * np.exp(-(_X**2) / 2) / np.sqrt(2 * np.pi)


def dunnett_tail_alpha(alpha: float, sides: int, allocation: Sequence[float]) -> float:
    """One-sided level of each comparison with control for a familywise ``alpha``.

    Dunnett (1955), J Am Stat Assoc 50:1096, with known variance. The comparisons' z statistics have
    correlation λi·λj with λi = √(wi / (w0 + wi)), so given one common normal variable they are independent
    and the familywise error is a single integral.

    Args:
        alpha: familywise level, two-sided when ``sides`` is 2.
        sides: 1 or 2.
        allocation: weights, control first.
    """
    return _tail_alpha(alpha, sides, tuple(float(w) for w in allocation))


@lru_cache(maxsize=256)
def _tail_alpha(alpha: float, sides: int, allocation: tuple[float, ...]) -> float:
    control, treatments = allocation[0], np.array(allocation[1:])
    loading = np.sqrt(treatments / (control + treatments))[:, None]
    residual = np.sqrt(1 - loading**2)

    def familywise_error(tail: float) -> float:
        critical = -ndtri(tail)
        inside = ndtr((critical - loading * _X) / residual)
        if sides == 2:
            inside = inside - ndtr((-critical - loading * _X) / residual)
        return float(_DENSITY @ (1 - np.prod(inside, axis=0)))

    highest = alpha / sides
    lowest = highest / len(treatments)
    if lowest == highest:
        return highest
    root: float = brentq(
        lambda tail: familywise_error(tail) - alpha, lowest * (1 - 1e-9), highest, xtol=1e-16
    )
    return root
