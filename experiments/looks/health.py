"""Health while an experiment runs, blind to outcomes: allocation, crossovers, freshness, maturity, ids and clocks.

Of the outcome logs it reads unit ids, event names and times, pooled over arms; never a value, never anything by arm.
"""

from __future__ import annotations

from datetime import datetime

from experiments.cohorts.cohort import FATE_WORDS, CutOff, Fate
from experiments.cohorts.evidence import units_in
from experiments.cohorts.gathering import gather_cohort
from experiments.cohorts.reading import Reading
from experiments.designs.design import Design
from experiments.forms.durations import WEEK
from experiments.logs.sources import OutcomeSources, Sources
from experiments.logs.sql import DAY_US, MICROSECONDS, Step, at_moment, whole
from experiments.looks.health_checks import (
    allocation_by_attribute,
    before_exposure,
    duplicates,
    freshness,
    future_times,
    joins,
    not_exposed,
    sequential_allocation,
)
from experiments.looks.holds import log_checks_of
from experiments.looks.looking import status_of
from experiments.readouts.readout import Check, Part
from experiments.readouts.validity import audit_check, crossover_check


class Maturing(Part):
    """Units that may be analysed, exposed in one week of enrolment: how many of them are mature."""

    week: int
    from_: datetime
    mature: int
    waiting: int


class ArmCounts(Part):
    arm: str
    planned_share: float
    planned: int
    assigned: int
    exposed: int
    mature: int


class Health(Part):
    """What may be seen before a look."""

    experiment: str
    checked_at: datetime
    watermark: datetime | None
    watermark_why: str
    arms: tuple[ArmCounts, ...]
    checks: tuple[Check, ...]
    maturing: tuple[Maturing, ...]
    excluded: dict[str, int]
    look_due: bool
    information: float
    missing: tuple[str, ...]
    look_expected: datetime | None

    @property
    def word(self) -> str:
        results = {check.result for check in self.checks}
        if results & {"fail", "hold"}:
            return "Failing"
        return "Warning" if "warn" in results else "Good"


def health_of(
    design: Design, sources: Sources, outcomes: OutcomeSources | None, *, now: datetime, experiment: str = ""
) -> Health:
    """The health of an experiment from its logs.

    Args:
        outcomes: the outcome logs, for the join rate and the clocks; without them these checks are not applicable.
        now: the injected clock's time.
    """
    with Reading(design, sources, outcomes) as reading:
        status, watermark = status_of(design, reading)
        reading.place_units()
        cohort = gather_cohort(reading, CutOff(None, watermark.us))
        checks = [
            *sequential_allocation(design, reading),
            *allocation_by_attribute(design, reading, watermark.us),
            crossover_check(design, cohort),
            not_exposed(reading, cohort.units),
            freshness(watermark.us, now),
            audit_check(design, cohort),
            duplicates(reading),
            *log_checks_of(design, reading, cohort),
            *future_times(design, reading, now),
            *before_exposure(reading),
            joins(design, reading),
        ]
        maturing = _maturing(design, reading, watermark.us)
        after = (Fate.NOT_ELIGIBLE, Fate.NOT_MATURE, Fate.ANALYSED)
        return Health(
            experiment=experiment,
            checked_at=now,
            watermark=None if watermark.us is None else at_moment(watermark.us),
            watermark_why=watermark.why,
            arms=tuple(
                ArmCounts(
                    arm=arm.name,
                    planned_share=float(arm.share),
                    planned=design.plan.n_per_arm[index],
                    assigned=units_in(cohort.fates, index, *Fate),
                    exposed=units_in(cohort.fates, index, *after),
                    mature=units_in(cohort.fates, index, Fate.ANALYSED),
                )
                for index, arm in enumerate(design.arms)
            ),
            checks=tuple(checks),
            maturing=maturing,
            excluded={
                FATE_WORDS[fate]: n
                for fate in Fate
                if fate is not Fate.ANALYSED and (n := sum(c.units for c in cohort.fates if c.fate is fate))
            },
            look_due=status.due,
            information=status.information,
            missing=status.missing,
            look_expected=status.expected,
        )


def _maturing(design: Design, reading: Reading, watermark_us: int | None) -> tuple[Maturing, ...]:
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
