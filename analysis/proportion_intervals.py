"""Intervals for the difference of two proportions that may be shown beside the score interval.

They decide nothing. None of them inverts the test that gives the verdict, so one of them may hold 0 where p <
α, or the other way round.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from analysis.inference import Interval, check_level, critical_value
from analysis.proportions import Proportion

ShownInterval = Literal["newcombe", "agresti-caffo", "wald"]


def shown_interval(
    control: Proportion, treatment: Proportion, kind: ShownInterval, *, alpha: float = 0.05
) -> Interval:
    """Two-sided interval for p_treatment − p_control at level 1 − α.

    Args:
        kind: "newcombe" (hybrid score, Newcombe 1998, Statistics in Medicine 17, 873, method 10),
            "agresti-caffo" (one success and one failure added to each arm, Agresti & Caffo 2000, American
            Statistician 54, 280) or "wald" (unpooled variance; too short for small arms or rare events).

    Raises:
        ValueError: for an arm without units, a level not in (0, 1) or another kind.
    """
    check_level(alpha)
    if kind not in get_args(ShownInterval):
        raise ValueError(f"kind: {kind!r} is not allowed; give one of {', '.join(get_args(ShownInterval))}")
    for arm, proportion in (("control", control), ("treatment", treatment)):
        if proportion.n == 0:
            raise ValueError(f"{arm}: no units; an interval needs 1 or more in each arm")
    if kind == "newcombe":
        return _newcombe(control, treatment, alpha)
    added = 1 if kind == "agresti-caffo" else 0
    return _wald(control, treatment, alpha, added)


def wilson_interval(proportion: Proportion, *, alpha: float = 0.05) -> Interval:
    """Score interval of a single proportion (Wilson 1927, JASA 22, 209), two-sided at level 1 − α.

    Raises:
        ValueError: for an arm without units or a level not in (0, 1).
    """
    check_level(alpha)
    x, n = proportion.successes, proportion.n
    if n == 0:
        raise ValueError("proportion: no units; an interval needs 1 or more")
    z = critical_value(alpha, math.inf, "two-sided")
    centre = x + z * z / 2
    reach = z * math.sqrt(x * ((n - x) / n) + z * z / 4)
    lower = 0.0 if x == 0 else (centre - reach) / (n + z * z)
    upper = 1.0 if x == n else (centre + reach) / (n + z * z)
    return lower, upper


def _newcombe(control: Proportion, treatment: Proportion, alpha: float) -> Interval:
    p_c, p_t = control.successes / control.n, treatment.successes / treatment.n
    (l_c, u_c), (l_t, u_t) = wilson_interval(control, alpha=alpha), wilson_interval(treatment, alpha=alpha)
    difference = p_t - p_c
    return difference - math.hypot(p_t - l_t, u_c - p_c), difference + math.hypot(u_t - p_t, p_c - l_c)


def _wald(control: Proportion, treatment: Proportion, alpha: float, added: int) -> Interval:
    n_c, n_t = control.n + 2 * added, treatment.n + 2 * added
    p_c, p_t = (control.successes + added) / n_c, (treatment.successes + added) / n_t
    reach = critical_value(alpha, math.inf, "two-sided") * math.sqrt(
        p_c * (1 - p_c) / n_c + p_t * (1 - p_t) / n_t
    )
    return p_t - p_c - reach, p_t - p_c + reach
