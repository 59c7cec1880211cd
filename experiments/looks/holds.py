"""What can be mended: while one of these stands the look is held and outcomes by arm stay closed."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.cohorts.cohort import FATE_WORDS, Fate
from experiments.cohorts.evidence import CohortEvidence
from experiments.cohorts.gathering import join_rate
from experiments.cohorts.log_checks import Oddity, clock_oddities, unreadable_outcomes
from experiments.cohorts.reading import Reading
from experiments.designs.design import Design
from experiments.logs.sql import Step
from experiments.readouts.readout import Check, CheckResult


def is_held(checks: Sequence[Check]) -> bool:
    return any(check.result == "hold" for check in checks)


def holds(design: Design, reading: Reading, cohort: CohortEvidence) -> list[Check]:
    """The checks of the logs themselves, before any outcome is read."""
    return [_somebody(design, cohort), *log_checks_of(design, reading, cohort)]


def log_checks_of(design: Design, reading: Reading, cohort: CohortEvidence) -> list[Check]:
    """Rows that cannot be read and times that cannot be, of every log that is open."""
    limit = design.written.validity.max_clock_oddities
    found = [_arms(cohort), _assignment_rows(cohort)]
    if reading.exposures is not None:
        found.append(_exposure_rows(cohort))
    oddities = (*clock_oddities(reading), *unreadable_outcomes(reading))
    return [*found, *(oddity_check(oddity, limit) for oddity in oddities), *_whole_days(reading)]


def join_check(design: Design, reading: Reading) -> Check:
    """Whether the unit ids match: analysed units with any row in the outcome logs, arms pooled.

    Rows in reach of the metrics' windows usually settle it; where they are rare by nature, any row of the logs counts.
    """
    with_any, units = join_rate(reading.engine)
    least = design.written.validity.minimum_join_rate
    where = "a row of a declared event in reach"
    if units and (with_any == 0 or with_any < least * units):
        with_any, where = _units_anywhere(reading), "any row in the outcome logs"
    share = with_any / units if units else 0.0
    return Check(
        name="Join rate",
        result="hold" if with_any == 0 or share < least else "pass",
        detail=f"{share:.1%} of {units:,} analysed units have {where}",
        rule=f"{_least_join(least)}, arms pooled; below it the unit ids do not match",
    )


def _least_join(least: float) -> str:
    return f"at least {least:.1%}" if least else "more than none"


def oddity_check(oddity: Oddity, limit: float) -> Check:
    """A few odd rows are a warning; more than the declared share holds the look."""
    share = oddity.odd / oddity.rows if oddity.rows else 0.0
    result: CheckResult = "hold" if share > limit else "warn" if oddity.odd else "pass"
    return Check(
        name=oddity.name,
        result=result,
        detail=f"{oddity.odd:,} of {oddity.rows:,} {oddity.what}",
        rule=f"at most {limit:.1%} of {oddity.what}",
    )


def _units_anywhere(reading: Reading) -> int:
    logs = " UNION ALL ".join(
        f"SELECT unit FROM ({reading.outcome_ids(index).sql}) AS outcomes_{index}"
        for index in range(len(reading.outcome_logs))
    )
    sql = f"SELECT count(*) FROM mature WHERE unit IN (SELECT unit FROM ({logs}) AS logged)"
    return int(reading.engine.run(Step("units_anywhere", sql))[0][0])


def _somebody(design: Design, cohort: CohortEvidence) -> Check:
    analysed = sum(c.units for c in cohort.fates if c.fate is Fate.ANALYSED)
    detail = f"{analysed:,} of {cohort.units:,} units"
    if cohort.units == 0:
        detail = f"the assignment log has no unit of experiment {design.key!r}; the key in the log must be the design's"
    return Check(
        name="Units to analyse",
        result="pass" if analysed else "hold",
        detail=detail,
        rule="at least one unit reaches the analysis",
    )


def _arms(cohort: CohortEvidence) -> Check:
    unknown, rows = cohort.rows.unknown_arms, cohort.rows.assignments
    return Check(
        name="Arms named by the design",
        result="hold" if unknown else "pass",
        detail=f"{unknown:,} of {rows:,} assignment rows {FATE_WORDS[Fate.UNKNOWN_ARM]}; map them in the source's arms"
        if unknown
        else "all",
        rule="every logged arm is an arm of the design",
    )


def _assignment_rows(cohort: CohortEvidence) -> Check:
    broken, rows = cohort.rows.broken_assignments, cohort.rows.assignments
    return Check(
        name="Readable assignment rows",
        result="warn" if broken else "pass",
        detail=f"{broken:,} of {rows:,} {FATE_WORDS[Fate.BROKEN_ROWS]}" if broken else "all",
        rule="counted; never dropped in silence",
        blocking=False,
    )


def _exposure_rows(cohort: CohortEvidence) -> Check:
    counted = cohort.rows
    odd = counted.broken_exposures + counted.stray_exposures
    detail = (
        f"of {counted.exposures:,} rows {counted.broken_exposures:,} without unit or time, "
        f"{counted.stray_exposures:,} of units that were never assigned"
    )
    return Check(
        name="Readable exposure rows",
        result="warn" if odd else "pass",
        detail=detail if odd else "all",
        rule="counted; never dropped in silence",
        blocking=False,
    )


def _whole_days(reading: Reading) -> list[Check]:
    """Outcomes with a date only, beside exposures with a time of day: those of the first day count as before it."""
    exposures = reading.exposures or reading.assignments
    if not reading.timed or exposures.kind == "DATE":
        return []
    dated = [
        index
        for index, log in enumerate(reading.outcome_logs)
        if log.columns.occurred_at is not None
        and reading.opened[f"outcomes_{index}"].types.get(log.columns.occurred_at) == "DATE"
    ]
    return [
        Check(
            name=f"Times of day (outcome log {index})",
            result="warn",
            detail="outcomes have a date only and count from midnight, exposures have a time; outcomes of the day of exposure "
            "count as before it",
            rule="outcomes and exposures are timed alike",
            blocking=False,
        )
        for index in dated
    ]
