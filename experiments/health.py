"""Health while an experiment runs, blind to outcomes: allocation, crossovers, freshness, maturity, ids and clocks.

Of the outcome logs it reads unit ids, event names and times, pooled over arms; never a value, never anything by arm.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from analysis.sequential_srm import sequential_srm_path
from analysis.srm import localise_srm
from experiments.cohort import FATE_WORDS, CutOff, Fate
from experiments.design import Design
from experiments.durations import WEEK
from experiments.evidence import gather_cohort, units_in
from experiments.logs import OutcomeSources, Sources
from experiments.looking import status_of
from experiments.reading import DAY_US, Reading
from experiments.readout import Check, CheckResult, Part
from experiments.sql import MICROSECONDS, Step, at_moment, ident, microseconds
from experiments.validity import by_stratum

STALE_DAYS = 2


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
        reading.place_units()
        status, watermark = status_of(design, reading)
        cohort = gather_cohort(reading, CutOff(None, watermark.us))
        checks = [
            _sequential_allocation(design, reading),
            *_allocation_by_attribute(design, reading, watermark.us),
            _crossovers(design, cohort.several_arms, cohort.units),
            _not_exposed(reading, cohort.units),
            _freshness(watermark.us, now),
            _audit(design, cohort.audit),
            *_duplicates(reading),
            *_clocks(design, reading, now),
            _joins(design, reading),
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


def _sequential_allocation(design: Design, reading: Reading) -> Check:
    """May be looked at every day for ever: the anytime-valid test over the cumulative counts of each day."""
    alpha = design.written.validity.alpha
    rule = f"sequential test, p ≥ {alpha:g} at every check so far"
    rows = reading.engine.run(
        Step(
            "assigned_by_day",
            f"SELECT assigned_us // {DAY_US} AS day, arm, count(*) FROM fate WHERE arm IS NOT NULL AND NOT several_arms "
            "GROUP BY day, arm ORDER BY day, arm",
        )
    )
    days: dict[int, list[int]] = defaultdict(lambda: [0] * len(design.arms))
    for day, arm, n in rows:
        days[int(day)][int(arm)] += int(n)
    total, path = [0] * len(design.arms), []
    for day in sorted(days):
        total = [a + b for a, b in zip(total, days[day], strict=True)]
        path.append(tuple(total))
    if not path:
        return Check(name="Allocation (SRM)", result="not applicable", detail="no units yet", rule=rule)
    p_value = sequential_srm_path(path, [float(arm.share) for arm in design.arms])[-1].p_value
    counts = " vs ".join(f"{n:,}" for n in total)
    shares = ":".join(f"{float(arm.share):g}" for arm in design.arms)
    return Check(
        name="Allocation (SRM)",
        result="fail" if p_value < alpha else "pass",
        detail=f"{counts} assigned units, planned {shares}",
        rule=rule,
        p_value=p_value,
    )


def _allocation_by_attribute(design: Design, reading: Reading, watermark_us: int | None) -> list[Check]:
    found = []
    planned = [float(arm.share) for arm in design.arms]
    for name in design.written.segments:
        strata = by_stratum(reading.strata(CutOff(None, watermark_us), name), len(design.arms))
        if len(strata) < 2:
            continue
        off = localise_srm(strata, planned, alpha=design.written.validity.alpha).adjusted.rejected
        found.append(
            Check(
                name=f"Allocation by {name}",
                result="warn" if off else "pass",
                detail=f"off in {', '.join(off)}" if off else f"{len(strata)} levels, none off",
                rule=f"Holm over levels, α {design.written.validity.alpha:g}; a warning, since it is not sequential",
                blocking=False,
            )
        )
    return found


def _crossovers(design: Design, several: int, units: int) -> Check:
    rules = design.written.rules
    share = several / units if units else 0.0
    result: CheckResult = (
        "fail" if share > rules.fail_crossover else "warn" if share > rules.warn_crossover else "pass"
    )
    return Check(
        name="Units in several arms",
        result=result,
        detail=f"{several:,} of {units:,} ({share:.2%}); rule: {rules.several_arms}",
        rule=f"warn above {rules.warn_crossover:.1%}, fail above {rules.fail_crossover:.1%}",
    )


def _not_exposed(reading: Reading, units: int) -> Check:
    rule = "counted; the analysis starts at exposure"
    if reading.exposures is None:
        return Check(
            name="Assigned but never exposed",
            result="not applicable",
            detail="assignment is exposure",
            rule=rule,
            blocking=False,
        )
    row = reading.engine.run(
        Step("not_exposed", f"SELECT count(*) FROM fate WHERE fate = {int(Fate.NOT_EXPOSED)}")
    )[0]
    return Check(
        name="Assigned but never exposed",
        result="pass",
        detail=f"{int(row[0]):,} of {units:,}",
        rule=rule,
        blocking=False,
    )


def _freshness(watermark_us: int | None, now: datetime) -> Check:
    rule = f"logs complete up to {STALE_DAYS} days ago or later"
    if watermark_us is None:
        return Check(
            name="Data freshness", result="pass", detail="declared complete", rule=rule, blocking=False
        )
    lag = (microseconds(now) - watermark_us) / DAY_US
    return Check(
        name="Data freshness",
        result="warn" if lag > STALE_DAYS else "pass",
        detail=f"complete up to {at_moment(watermark_us):%d %b %Y %H:%M} UTC, {max(lag, 0):.1f} days ago",
        rule=rule,
        blocking=False,
    )


def _audit(design: Design, audit: tuple[tuple[str, int], ...] | None) -> Check:
    limit = design.written.validity.max_assignment_mismatch
    rule = f"at most {limit:.2%} of logged units differ from the declared hash"
    if audit is None:
        return Check(
            name="Assignment audit",
            result="not applicable",
            detail="units are assigned outside Fairtrial",
            rule=rule,
        )
    counts = dict(audit)
    total = sum(counts.values())
    wrong = total - counts.get("agrees", 0)
    return Check(
        name="Assignment audit",
        result="fail" if total and wrong / total > limit else "pass",
        detail=f"{wrong:,} of {total:,} units differ",
        rule=rule,
    )


def _duplicates(reading: Reading) -> list[Check]:
    row = reading.engine.run(
        Step(
            "duplicates",
            "SELECT coalesce(sum(assignment_rows - 1), 0), coalesce(sum(exposure_rows - 1), 0), "
            "coalesce(sum(assignment_rows), 0) FROM fate WHERE unit IS NOT NULL",
        )
    )[0]
    return [
        Check(
            name="Duplicate rows",
            result="pass",
            detail=f"{int(row[0]):,} further assignment rows and {int(row[1]):,} further exposure rows of the same units",
            rule="counted; first exposures are what is analysed",
            blocking=False,
        )
    ]


def _clocks(design: Design, reading: Reading, now: datetime) -> list[Check]:
    limit = design.written.validity.max_clock_oddities
    rule = f"at most {limit:.1%} of rows"
    found = []
    for name, (odd, rows) in {**reading.clock_oddities(), **_future(reading, now)}.items():
        share = odd / rows if rows else 0.0
        result: CheckResult = "hold" if share > limit else "warn" if odd else "pass"
        found.append(Check(name=name, result=result, detail=f"{odd:,} of {rows:,} rows", rule=rule))
    before = _before_exposure(reading)
    if before is not None:
        found.append(
            Check(
                name="Outcomes before exposure",
                result="pass",
                detail=f"{before[0]:,} of {before[1]:,} outcome rows of exposed units lie before their first exposure",
                rule="counted; they are never outcomes, only history for declared covariates",
                blocking=False,
            )
        )
    return found


def _future(reading: Reading, now: datetime) -> dict[str, tuple[int, int]]:
    """Rows stamped after now, by log."""
    at = microseconds(now)
    found: dict[str, tuple[int, int]] = {}
    if reading.timed:
        row = reading.engine.run(
            Step("future", f"SELECT count(CASE WHEN exposed_us > {at} THEN 1 END), count(*) FROM fate")
        )[0]
        found["Exposures in the future"] = (int(row[0]), int(row[1]))
    for index, log in enumerate(reading.outcome_source.logs if reading.outcome_source else ()):
        if log.columns.occurred_at is None:
            continue
        column = ident(log.columns.occurred_at)
        row = reading.engine.run(
            Step(
                "future",
                f"SELECT count(CASE WHEN epoch_us({column}) > {at} THEN 1 END), count(*) "
                f"FROM {reading.opened[f'outcomes_{index}'].sql}",
            )
        )[0]
        found[f"Outcomes in the future (log {index})"] = (int(row[0]), int(row[1]))
    return found


def _before_exposure(reading: Reading) -> tuple[int, int] | None:
    """Outcome rows of exposed units before their first exposure, and all of theirs; arms pooled."""
    before = rows = 0
    asked = False
    for index, log in enumerate(reading.outcome_source.logs if reading.outcome_source else ()):
        if log.columns.occurred_at is None or not reading.timed:
            continue
        asked = True
        contract = reading.outcome_ids(index)
        row = reading.engine.run(
            Step(
                "before_exposure",
                "SELECT count(CASE WHEN epoch_us(outcomes.occurred_at) < fate.exposed_us THEN 1 END), count(*) "
                f"FROM ({contract.sql}) AS outcomes JOIN fate ON outcomes.unit = fate.unit WHERE fate.exposed_us IS NOT NULL",
            )
        )[0]
        before, rows = before + int(row[0]), rows + int(row[1])
    return (before, rows) if asked else None


def _joins(design: Design, reading: Reading) -> Check:
    """Whether ids match: exposed units with any row at all in any outcome log, arms pooled."""
    least = design.written.validity.minimum_join_rate
    rule = f"at least {least:.1%} of units, arms pooled"
    if reading.outcome_source is None:
        return Check(
            name="Join rate", result="not applicable", detail="outcome logs are not open here", rule=rule
        )
    logs = " UNION ALL ".join(
        f"SELECT unit FROM ({reading.outcome_ids(i).sql}) AS outcomes_{i}"
        for i in range(len(reading.outcome_source.logs))
    )
    row = reading.engine.run(
        Step(
            "join_rate",
            f"SELECT count(CASE WHEN seen.unit IS NOT NULL THEN 1 END), count(*) FROM (SELECT DISTINCT unit FROM fate WHERE fate IS NULL) "
            f"AS placed LEFT JOIN (SELECT DISTINCT unit FROM ({logs}) AS logged) AS seen ON seen.unit = placed.unit",
        )
    )[0]
    joined, units = int(row[0]), int(row[1])
    share = joined / units if units else 0.0
    return Check(
        name="Join rate",
        result="not applicable" if units == 0 else "hold" if share < least else "pass",
        detail=f"{share:.1%} of {units:,} exposed units have a row in the outcome logs",
        rule=rule,
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
            f"started AS (SELECT min(exposed_us) // {DAY_US} * {DAY_US} AS start_us FROM placed) "
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
