"""The checks that may be looked at every day: allocation by a sequential test, exposure, freshness, duplicates, clocks, ids.

Of the outcome logs they read unit ids and times, pooled over arms; never a value, never anything by arm.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from analysis.sequential_srm import sequential_srm_path
from analysis.srm import localise_srm
from experiments.cohorts.cohort import CutOff, Fate
from experiments.cohorts.log_checks import Oddity
from experiments.cohorts.reading import Reading
from experiments.designs.design import Design
from experiments.logs.sql import DAY_US, Step, at_moment, ident, microseconds, whole
from experiments.looks.holds import oddity_check
from experiments.readouts.readout import Check
from experiments.readouts.validity import by_stratum

STALE_DAYS = 2


def sequential_allocation(design: Design, reading: Reading) -> list[Check]:
    """Allocation of assigned units and, where exposure is logged, of exposed ones, which treatment may have changed.

    The anytime-valid test over the cumulative counts of each day may be looked at for ever; two tests share α.
    """
    moments = [("assigned", "assigned_us")] + ([("exposed", "exposed_us")] if reading.exposures else [])
    level = design.written.validity.alpha / len(moments)
    return [_sequential(design, reading, word, column, level) for word, column in moments]


def _sequential(design: Design, reading: Reading, word: str, column: str, level: float) -> Check:
    name = "Allocation (SRM)" if word == "assigned" else "Allocation of exposed units (SRM)"
    rule = f"sequential test, p ≥ {level:g} at every check so far"
    days: dict[int, list[int]] = defaultdict(lambda: [0] * len(design.arms))
    for day, arm, n in reading.engine.run(
        Step(
            f"{word}_by_day",
            f"SELECT {whole(column, DAY_US)} AS day, arm, count(*) FROM fate WHERE arm IS NOT NULL AND NOT several_arms "
            f"AND {column} IS NOT NULL GROUP BY day, arm ORDER BY day, arm",
        )
    ):
        days[int(day)][int(arm)] += int(n)
    total, path = [0] * len(design.arms), []
    for day in sorted(days):
        total = [a + b for a, b in zip(total, days[day], strict=True)]
        path.append(tuple(total))
    if not path:
        return Check(name=name, result="not applicable", detail="no units yet", rule=rule)
    p_value = sequential_srm_path(path, [float(arm.share) for arm in design.arms])[-1].p_value
    counts = " vs ".join(f"{n:,}" for n in total)
    shares = ":".join(f"{float(arm.share):g}" for arm in design.arms)
    return Check(
        name=name,
        result="fail" if p_value < level else "pass",
        detail=f"{counts} {word} units, planned {shares}",
        rule=rule,
        p_value=p_value,
    )


def allocation_by_attribute(design: Design, reading: Reading, watermark_us: int | None) -> list[Check]:
    found = []
    planned = [float(arm.share) for arm in design.arms]
    alpha = design.written.validity.alpha
    for name in sorted(design.written.segments):
        strata = by_stratum(reading.strata(CutOff(None, watermark_us), name), len(design.arms))
        if len(strata) < 2:
            continue
        off = localise_srm(strata, planned, alpha=alpha).adjusted.rejected
        found.append(
            Check(
                name=f"Allocation by {name}",
                result="warn" if off else "pass",
                detail=f"off in {', '.join(off)}" if off else f"{len(strata)} levels, none off",
                rule=f"Holm over levels, α {alpha:g}; a warning, since it is not sequential",
                blocking=False,
            )
        )
    return found


def not_exposed(reading: Reading, units: int) -> Check:
    name, rule = "Assigned but never exposed", "counted; the analysis starts at exposure"
    if reading.exposures is None:
        return Check(
            name=name, result="not applicable", detail="assignment is exposure", rule=rule, blocking=False
        )
    sql = f"SELECT count(*) FROM fate WHERE fate = {int(Fate.NOT_EXPOSED)}"
    n = int(reading.engine.run(Step("not_exposed", sql))[0][0])
    return Check(name=name, result="pass", detail=f"{n:,} of {units:,}", rule=rule, blocking=False)


def freshness(watermark_us: int | None, now: datetime) -> Check:
    name, rule = "Data freshness", f"logs complete up to {STALE_DAYS} days ago or later"
    if watermark_us is None:
        return Check(name=name, result="pass", detail="declared complete", rule=rule, blocking=False)
    lag = (microseconds(now) - watermark_us) / DAY_US
    return Check(
        name=name,
        result="warn" if lag > STALE_DAYS else "pass",
        detail=f"complete up to {at_moment(watermark_us):%d %b %Y %H:%M} UTC, {max(lag, 0):.1f} days ago",
        rule=rule,
        blocking=False,
    )


def duplicates(reading: Reading) -> Check:
    assignments, exposures = reading.engine.run(
        Step(
            "duplicates",
            "SELECT coalesce(sum(assignment_rows - 1), 0), coalesce(sum(greatest(exposure_rows - 1, 0)), 0) "
            "FROM fate WHERE unit IS NOT NULL",
        )
    )[0]
    return Check(
        name="Duplicate rows",
        result="pass",
        detail=f"{int(assignments):,} further assignment rows and {int(exposures):,} further exposure rows of the same units",
        rule="counted; first exposures are what is analysed",
        blocking=False,
    )


def future_times(design: Design, reading: Reading, now: datetime) -> list[Check]:
    """Rows stamped after now, by log."""
    at = microseconds(now)
    asked = []
    if reading.timed:
        asked.append(("Exposures in the future", "exposed_us", "fate WHERE exposed_us IS NOT NULL"))
    for index, log in enumerate(reading.outcome_logs):
        if log.columns.occurred_at is not None:
            scan = reading.opened[f"outcomes_{index}"].sql
            asked.append(
                (
                    f"Outcomes in the future (log {index})",
                    f"epoch_us({ident(log.columns.occurred_at)})",
                    scan,
                )
            )
    found = []
    for name, moment, scan in asked:
        sql = f"SELECT count(CASE WHEN {moment} > {at} THEN 1 END), count(*) FROM {scan}"
        odd, rows = reading.engine.run(Step("future", sql))[0]
        oddity = Oddity(name, int(odd), int(rows), "rows")
        found.append(oddity_check(oddity, design.written.validity.max_clock_oddities))
    return found


def before_exposure(reading: Reading) -> list[Check]:
    """Outcome rows of exposed units before their first exposure, and all of theirs; arms pooled."""
    before = rows = 0
    timed = [i for i, log in enumerate(reading.outcome_logs) if log.columns.occurred_at is not None]
    if not timed or not reading.timed:
        return []
    for index in timed:
        early, of = reading.engine.run(
            Step(
                "before_exposure",
                "SELECT count(CASE WHEN epoch_us(outcomes.occurred_at) < fate.exposed_us THEN 1 END), count(*) "
                f"FROM ({reading.outcome_ids(index).sql}) AS outcomes JOIN fate ON outcomes.unit = fate.unit "
                "WHERE fate.exposed_us IS NOT NULL",
            )
        )[0]
        before, rows = before + int(early), rows + int(of)
    return [
        Check(
            name="Outcomes before exposure",
            result="pass",
            detail=f"{before:,} of {rows:,} outcome rows of exposed units lie before their first exposure",
            rule="counted; they are never outcomes, only history for declared covariates",
            blocking=False,
        )
    ]


def joins(design: Design, reading: Reading) -> Check:
    """Whether ids match: exposed units with any row at all in any outcome log, arms pooled."""
    least = design.written.validity.minimum_join_rate
    rule = f"at least {least:.1%} of units, arms pooled"
    if not reading.outcome_logs:
        return Check(
            name="Join rate", result="not applicable", detail="outcome logs are not open here", rule=rule
        )
    logs = " UNION ALL ".join(
        f"SELECT unit FROM ({reading.outcome_ids(i).sql}) AS outcomes_{i}"
        for i in range(len(reading.outcome_logs))
    )
    joined, units = reading.engine.run(
        Step(
            "join_rate",
            "SELECT count(CASE WHEN seen.unit IS NOT NULL THEN 1 END), count(*) FROM (SELECT DISTINCT unit FROM fate "
            f"WHERE fate IS NULL) AS placed LEFT JOIN (SELECT DISTINCT unit FROM ({logs}) AS logged) AS seen "
            "ON seen.unit = placed.unit",
        )
    )[0]
    share = int(joined) / int(units) if units else 0.0
    return Check(
        name="Join rate",
        result="not applicable" if units == 0 else "hold" if share < least or joined == 0 else "pass",
        detail=f"{share:.1%} of {int(units):,} exposed units have a row in the outcome logs",
        rule=rule,
    )
