"""What every paired test shares: the alternatives, tails and critical values of a standard normal or t."""

import math
from typing import Literal, get_args

from scipy.special import stdtr, stdtrit

Alternative = Literal["two-sided", "greater", "less"]
"""The candidate differs, is above, or is below."""


def tail_p_value(statistic: float, alternative: Alternative, df: float = math.inf) -> float:
    """P of a statistic at least as far out; standard normal unless degrees of freedom are given."""
    if alternative == "two-sided":
        return min(1.0, 2 * float(stdtr(df, -abs(statistic))))
    return float(stdtr(df, -statistic if alternative == "greater" else statistic))


def two_sided_critical(level: float, df: float = math.inf) -> float:
    """The value that |statistic| exceeds with probability 1 − ``level``."""
    return -float(stdtrit(df, (1 - level) / 2))


def check_alternative(alternative: str) -> None:
    if alternative not in get_args(Alternative):
        raise ValueError(f"alternative: {alternative!r} is unknown; give {', '.join(get_args(Alternative))}")


def check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level: {level} is not allowed; give a confidence level, for example 0.95")


def check_margin(margin: float, alpha: float, direction: str) -> None:
    """Raises one ValueError naming all that is wrong with a non-inferiority question."""
    problems = []
    if not (margin > 0 and math.isfinite(margin)):
        problems.append(f"margin: {margin} is not allowed; give the largest worsening accepted, positive")
    if not 0 < alpha < 0.5:
        problems.append(f"alpha: {alpha} is not allowed; give a one-sided level below 0.5, for example 0.025")
    if direction not in ("higher", "lower"):
        problems.append(f"direction: {direction!r} is unknown; say whether higher or lower is better")
    if problems:
        raise ValueError("\n".join(problems))
