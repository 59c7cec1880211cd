"""Health while an experiment runs, blind to outcomes: allocation, crossovers, freshness, maturity, ids and clocks.

Of the outcome logs it reads unit ids, event names and times, pooled over arms; never a value, never anything by arm. Only what
lies before a unit's first exposure is no outcome: declared covariates are compared by arm (`balance`).
"""

from __future__ import annotations

from datetime import datetime

from experiments.cohorts.cohort import FATE_WORDS, CutOff, Fate
from experiments.cohorts.gathering import gather_cohort
from experiments.cohorts.reading import Reading
from experiments.designs.design import Design
from experiments.logs.sources import OutcomeSources, Sources
from experiments.logs.sql import at_moment
from experiments.looks.balance import CovariateBalance, pre_period_balance
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
from experiments.looks.health_counts import (
    ArmCounts,
    EnrolledDay,
    Maturing,
    arm_counts,
    enrolled_days,
    maturing,
)
from experiments.looks.holds import log_checks_of
from experiments.looks.looking import status_of
from experiments.readouts.readout import Check, Part
from experiments.readouts.validity import audit_check, crossover_check


class Health(Part):
    """What may be seen before a look.

    Attributes:
        days: units by day and arm; empty where the logs have no times.
        maturing: units by week of first exposure, arms pooled.
        excluded: units that are not analysed so far, by reason, arms pooled.
        balance: declared covariates, by arm; measured before exposure.
    """

    experiment: str
    checked_at: datetime
    watermark: datetime | None
    watermark_why: str
    arms: tuple[ArmCounts, ...]
    checks: tuple[Check, ...]
    days: tuple[EnrolledDay, ...] = ()
    maturing: tuple[Maturing, ...]
    excluded: dict[str, int]
    balance: tuple[CovariateBalance, ...] = ()
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
        days, weeks = enrolled_days(design, reading), maturing(design, reading, watermark.us)
        balance, balanced = pre_period_balance(design, reading)
        return Health(
            experiment=experiment,
            checked_at=now,
            watermark=None if watermark.us is None else at_moment(watermark.us),
            watermark_why=watermark.why,
            arms=arm_counts(design, cohort),
            checks=(*checks, *balanced),
            days=days,
            maturing=weeks,
            excluded={
                FATE_WORDS[fate]: n
                for fate in Fate
                if fate is not Fate.ANALYSED and (n := sum(c.units for c in cohort.fates if c.fate is fate))
            },
            balance=balance,
            look_due=status.due,
            information=status.information,
            missing=status.missing,
            look_expected=status.expected,
        )
