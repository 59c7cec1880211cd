"""Units so far, as they may be seen before a look: by arm, by day of enrolment, by maturity. Assignments and exposures only."""

from __future__ import annotations

from datetime import date, datetime

from experiments.cohorts.cohort import Fate
from experiments.cohorts.evidence import CohortEvidence, units_in
from experiments.cohorts.reading import Reading
from experiments.designs.design import Design
from experiments.forms.durations import WEEK
from experiments.logs.sql import DAY_US, MICROSECONDS, Step, at_moment, whole
from experiments.readouts.readout import Part


class ArmCounts(Part):
    arm: str
    planned_share: float
    planned: int
    assigned: int
    exposed: int
    mature: int


class EnrolledDay(Part):
    """Units that came on one UTC day, by arm in the design's order: those assigned on it, and those first exposed on it.

    Over all days they add up to the units of `ArmCounts`, but for those whose logs have no time.
    """

    on: date
    assigned: tuple[int, ...]
    exposed: tuple[int, ...]


class Maturing(Part):
    """Units that may be analysed, exposed in one week of enrolment: how many of them are mature."""

    week: int
    from_: datetime
    mature: int
    waiting: int


def arm_counts(design: Design, cohort: CohortEvidence) -> tuple[ArmCounts, ...]:
    """Units of each arm: assigned, exposed, mature."""
    exposed = (Fate.NOT_ELIGIBLE, Fate.NOT_MATURE, Fate.ANALYSED)
    return tuple(
        ArmCounts(
            arm=arm.name,
            planned_share=float(arm.share),
            planned=design.plan.n_per_arm[index],
            assigned=units_in(cohort.fates, index, *Fate),
            exposed=units_in(cohort.fates, index, *exposed),
            mature=units_in(cohort.fates, index, Fate.ANALYSED),
        )
        for index, arm in enumerate(design.arms)
    )


def enrolled_days(design: Design, reading: Reading) -> tuple[EnrolledDay, ...]:
    """Units by day and arm, each under the day of its own first assignment and first exposure; days without any are left out."""
    if not reading.timed:
        return ()
    exposed = f"fate IS NULL OR fate = {int(Fate.NOT_ELIGIBLE)}"
    rows = reading.engine.run(
        Step(
            "enrolled_days",
            "WITH came AS ("
            f"SELECT {whole('assigned_us', DAY_US)} AS day, arm, count(unit) AS assigned, 0 AS exposed FROM fate "
            "WHERE arm IS NOT NULL AND assigned_us IS NOT NULL GROUP BY day, arm "
            f"UNION ALL SELECT {whole('exposed_us', DAY_US)} AS day, arm, 0 AS assigned, count(unit) AS exposed FROM fate "
            f"WHERE arm IS NOT NULL AND exposed_us IS NOT NULL AND ({exposed}) GROUP BY day, arm) "
            "SELECT day, arm, sum(assigned), sum(exposed) FROM came GROUP BY day, arm ORDER BY day, arm",
        )
    )
    days: dict[int, tuple[list[int], list[int]]] = {}
    for day, arm, assigned, first_exposed in rows:
        came = days.setdefault(int(day), ([0] * len(design.arms), [0] * len(design.arms)))
        came[0][int(arm)], came[1][int(arm)] = int(assigned), int(first_exposed)
    return tuple(
        EnrolledDay(on=at_moment(day * DAY_US).date(), assigned=tuple(came[0]), exposed=tuple(came[1]))
        for day, came in days.items()
    )


def maturing(design: Design, reading: Reading, watermark_us: int | None) -> tuple[Maturing, ...]:
    """Mature and waiting units by week of first exposure."""
    if not reading.timed:
        return ()
    week_us = WEEK * MICROSECONDS
    latest = (
        "TRUE" if watermark_us is None else f"exposed_us <= {watermark_us - design.maturity * MICROSECONDS}"
    )
    rows = reading.engine.run(
        Step(
            "maturing",
            "WITH placed AS (SELECT exposed_us FROM fate WHERE fate IS NULL), "
            f"started AS (SELECT {whole('min(exposed_us)', DAY_US)} * {DAY_US} AS start_us FROM placed) "
            f"SELECT (exposed_us - start_us) // {week_us} AS week, min(start_us), count(CASE WHEN {latest} THEN 1 END), count(*) "
            "FROM placed CROSS JOIN started GROUP BY week ORDER BY week",
        )
    )
    return tuple(
        Maturing(
            week=int(week) + 1,
            from_=at_moment(int(start) + int(week) * week_us),
            mature=int(mature),
            waiting=int(n) - int(mature),
        )
        for week, start, mature, n in rows
    )
