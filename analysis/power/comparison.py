"""One planned comparison of a treatment arm with control, and the normal-theory formula they share."""

import math
from typing import Protocol, Self

from scipy.special import ndtr, ndtri


class Comparison(Protocol):
    """What is tested between control and one treatment arm, and under which truth.

    Numbers of units are those of independent units; the plan's design effect, adjustment and inflation are
    applied outside. Power counts only rejections in the direction of the effect: a significant harm is no
    success, so the far tail that R's ``power.prop.test(strict = TRUE)`` adds is left out.
    """

    @property
    def effect(self) -> float: ...

    @property
    def margin(self) -> float | None: ...

    @property
    def method(self) -> str: ...

    @property
    def smallest_arm(self) -> int:
        """Fewest units an arm may have for the test to exist at all."""
        ...

    def power(self, n_control: float, n_treatment: float, tail_alpha: float) -> float:
        """Probability of rejecting in the right direction at a one-sided level ``tail_alpha``."""
        ...

    def scale(self, w_control: float, w_treatment: float, tail_alpha: float, power: float) -> float:
        """The N at which ``w_control·N`` and ``w_treatment·N`` units have ``power``, as a real number."""
        ...

    def with_effect(self, effect: float) -> Self: ...

    def with_margin(self, margin: float) -> Self: ...

    def effect_bound(self, sign: int) -> float:
        """The largest (``sign`` 1) or smallest (−1) effect there can be; infinite where there is no bound."""
        ...

    def margin_bound(self) -> float:
        """The largest margin there can be; infinite where there is no bound."""
        ...


def normal_power(distance: float, null_variance: float, true_variance: float, tail_alpha: float) -> float:
    """P(estimate > z_α·√null_variance) for an estimate Normal(distance, true_variance)."""
    excess = distance + ndtri(tail_alpha) * math.sqrt(null_variance)
    if true_variance == 0:
        return 1.0 if excess > 0 else 0.0
    return float(ndtr(excess / math.sqrt(true_variance)))


def normal_scale(
    distance: float, null_variance: float, true_variance: float, tail_alpha: float, power: float
) -> float:
    """N for which variances ``null_variance / N`` and ``true_variance / N`` give ``power``.

    N = (z_α·√null + z_β·√true)² / distance²: Chow, Shao, Wang & Lokhnygina (2018), sections 3.2 and 4.2;
    Farrington & Manning (1990), equation 4.
    """
    z_alpha, z_beta = -ndtri(tail_alpha), ndtri(power)
    return float((z_alpha * math.sqrt(null_variance) + z_beta * math.sqrt(true_variance)) / distance) ** 2
