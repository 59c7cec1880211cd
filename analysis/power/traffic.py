"""What traffic means for a sample size: days and whole weeks of enrolment, and what each week can detect."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.power.comparison import Comparison
from analysis.power.plan import PowerPlan, refuse
from analysis.power.sample_size import detectable_effect, power_of


@dataclass(frozen=True, slots=True)
class Duration:
    """How long an experiment takes. Enrolment runs for whole weeks, so that every weekday counts alike."""

    enrolment_days: int  # days until the last unit needed is enrolled
    enrolment_weeks: int  # the same, rounded up to whole weeks
    maturity_days: int  # wait after enrolment until the last unit's outcome is complete
    total_days: int  # whole weeks of enrolment, and the wait


@dataclass(frozen=True, slots=True)
class WeekOfTraffic:
    """What could be detected if enrolment ended with this week."""

    week: int  # from 1
    n_per_arm: tuple[int, ...]
    effect: float | None  # smallest effect that has the declared power
    power: float | None  # at the planned effect
    not_computed: str | None = None


def duration(
    n_total: int,
    units_per_day: float,
    *,
    share: float = 1.0,
    window_days: float = 0,
    label_delay_days: float = 0,
) -> Duration:
    """Days of enrolment, whole weeks, and the wait for the last unit to mature.

    Args:
        n_total: units over all arms.
        units_per_day: new eligible units a day.
        share: part of them that enters the experiment, above 0 and at most 1.
        window_days: how long outcomes count after first exposure.
        label_delay_days: how long a label takes after that.
    """
    problems = []
    if n_total < 1:
        problems.append(f"n_total: {n_total} is not allowed; give the units over all arms, at least 1")
    if not (units_per_day > 0 and math.isfinite(units_per_day)):
        problems.append(f"units_per_day: {units_per_day} is not allowed; give the new eligible units a day")
    if not 0 < share <= 1:
        problems.append(
            f"share: {share} is not allowed; give the part of traffic enrolled, above 0 and at most 1"
        )
    if not (window_days >= 0 and label_delay_days >= 0):
        problems.append("window_days, label_delay_days: a negative wait is not allowed; give 0 or more days")
    refuse(problems)
    enrolment_days = math.ceil(n_total / (units_per_day * share) * (1 - 1e-12))
    weeks = math.ceil(enrolment_days / 7)
    maturity_days = math.ceil(window_days + label_delay_days)
    return Duration(enrolment_days, weeks, maturity_days, 7 * weeks + maturity_days)


def detectable_by_week(
    planned: Comparison | Sequence[Comparison], weekly_units: Sequence[float], plan: PowerPlan
) -> tuple[WeekOfTraffic, ...]:
    """Smallest detectable effect after each week, and the power for the planned effect.

    Units are shared out by the plan's allocation and rounded down. Each week is a fixed design of its own:
    reading this table is not a licence to look every week.

    Args:
        planned: comparison for every treatment arm, or one for each.
        weekly_units: new units over all arms in each week, in order.
    """
    if not weekly_units or not all(u >= 0 and math.isfinite(u) for u in weekly_units):
        raise ValueError(
            f"weekly_units: {tuple(weekly_units)} is not allowed; give the new units of each week"
        )
    whole = sum(plan.allocation)
    weeks, enrolled = [], 0.0
    for week, units in enumerate(weekly_units, start=1):
        enrolled += units
        n_per_arm = tuple(math.floor(enrolled * w / whole * (1 + 1e-12)) for w in plan.allocation)
        if min(n_per_arm) < 2:
            weeks.append(WeekOfTraffic(week, n_per_arm, None, None, "fewer than 2 units in an arm"))
            continue
        found = detectable_effect(planned, n_per_arm, plan)
        power = power_of(planned, n_per_arm, plan)
        weeks.append(WeekOfTraffic(week, n_per_arm, found.value, power, found.not_computed))
    return tuple(weeks)
