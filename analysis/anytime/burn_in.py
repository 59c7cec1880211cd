"""How many units an asymptotic confidence sequence has to wait for.

What makes it err early is the skewness of the estimate: its numerator and its own estimated variance then
move together, and the small arm of an unequal split is where that shows. The skewness of an average of n
influence values falls like 1/√n, and its effect on a tail at z grows like its product with z³ (the first
Edgeworth term of a studentised mean: Hall 1992, The Bootstrap and Edgeworth Expansion, section 2.6). So the
wait is set where that product is no more than at a skewness of 0.15 for alpha = 0.05; simulation over shares
of 0.02 to 0.5, proportions of 0.01 to 0.9, skewed amounts and levels of 0.001 to 0.05 then gives at most the
level (see the tests).
"""

import math
from typing import Final

LARGEST_SKEWNESS: Final = 0.15  # of the estimate at the end of the burn-in, at the reference level
REFERENCE_ALPHA: Final = 0.05
FEWEST_IN_AN_ARM: Final = 50


def least_burn_in(
    alpha: float,
    shares: tuple[float, float],
    variances: tuple[float, float],
    third_moments: tuple[float, float],
) -> int:
    """Units over both arms before which a sequence for a difference of means should say nothing.

    Args:
        alpha: level of the sequence.
        shares: of the units, control and treatment; they add up to 1.
        variances: of the outcome in each arm, as expected.
        third_moments: third central moments, as expected: ``p (1-p) (1-2p)`` for a proportion; never more
            than the width of the range times the variance for a capped outcome.

    Raises:
        ValueError: all faults at once.
    """
    faults: list[str] = []
    if not 0 < alpha < 1:
        faults.append(f"alpha: {alpha} is not allowed; give a level above 0 and below 1")
    if not (min(shares) > 0 and math.isclose(sum(shares), 1, abs_tol=1e-9)):
        faults.append(f"shares: {shares} are not allowed; give two above 0 that add up to 1")
    if not (min(variances) > 0 and max(variances) < math.inf):
        faults.append(f"variances: {variances} are not allowed; give two finite numbers above 0")
    if not all(math.isfinite(moment) for moment in third_moments):
        faults.append(f"third_moments: {third_moments} are not allowed; give two finite numbers")
    if faults:
        raise ValueError("; ".join(faults))
    spread = sum(variance / share for variance, share in zip(variances, shares, strict=True))
    control, treatment = (
        moment / (share * share) for moment, share in zip(third_moments, shares, strict=True)
    )
    skewness = abs(treatment - control) / math.pow(spread, 1.5)
    allowed = LARGEST_SKEWNESS * math.pow(_tail(REFERENCE_ALPHA) / _tail(alpha), 3)
    return math.ceil(max((skewness / allowed) ** 2, FEWEST_IN_AN_ARM / min(shares)))


def _tail(alpha: float) -> float:
    """Where, in standard deviations, a mixture's boundary is at its narrowest."""
    needed = -2 * math.log(alpha)
    return math.sqrt(needed + math.log1p(needed))
