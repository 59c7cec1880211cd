"""The cohort: who is in the analysis, why everybody else is not, in the one order that is right.

1. units in more than one arm are found before any filter, and the declared rule applies; a delivered arm that differs
   from the assigned one is counted;
2. first exposure per unit is grouped before any join, so duplicated exposures change nothing but their count;
3. eligibility, on attributes known before assignment;
4. the cut-off of the look, so that the cohort does not depend on when somebody asks;
5. maturity by the watermark: exposed_at + window + label delay ≤ watermark.

Every unit of the log gets exactly one fate, and the fates are counted per arm.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from experiments.designs.design import Design
from experiments.designs.written import Condition
from experiments.logs.contracts import UNKNOWN_ARM, Contract
from experiments.logs.sql import MICROSECONDS, Step, ident, scalar, text


class Fate(IntEnum):
    """What became of a unit, in the order in which it is decided."""

    BROKEN_ROWS = 1
    UNKNOWN_ARM = 2
    SEVERAL_ARMS = 3
    DELIVERED_DIFFERS = 4
    NOT_EXPOSED = 5
    NOT_ELIGIBLE = 6
    AFTER_CUT_OFF = 7
    NOT_MATURE = 8
    ANALYSED = 9


FATE_WORDS = {
    Fate.BROKEN_ROWS: "rows without unit, arm or time",
    Fate.UNKNOWN_ARM: "in an arm the design does not name",
    Fate.SEVERAL_ARMS: "in more than one arm",
    Fate.DELIVERED_DIFFERS: "delivered arm differs from the assigned one",
    Fate.NOT_EXPOSED: "assigned but never exposed",
    Fate.NOT_ELIGIBLE: "not eligible",
    Fate.AFTER_CUT_OFF: "exposed after the cut-off of this look",
    Fate.NOT_MATURE: "window or label delay not over",
    Fate.ANALYSED: "analysed",
}


@dataclass(frozen=True, slots=True)
class CutOff:
    """Where a look's cohort ends.

    Attributes:
        before_us: units exposed before this; None where the data have no times or the cohort is open.
        watermark_us: up to when rows of the assignment and exposure logs are read; None for all of them.
    """

    before_us: int | None
    watermark_us: int | None


def closed(cut_off: CutOff, design: Design) -> CutOff:
    """The cut-off with reading ended when its last unit is mature.

    A unit that turns up in a second arm afterwards is still in the cohort, so that the look does not depend on when
    somebody takes it.
    """
    if cut_off.before_us is None:
        return cut_off
    over = cut_off.before_us + design.maturity * MICROSECONDS
    return CutOff(
        cut_off.before_us, over if cut_off.watermark_us is None else min(over, cut_off.watermark_us)
    )


def rows_of(keys: tuple[str, ...] | None, time: str, until_us: int | None) -> str:
    """Which rows are read: those of these experiments (None for a log that does not tell them apart) before a moment.

    A row without a time stays, to be counted as such.
    """
    conditions = []
    if keys is not None:
        conditions.append(f"experiment IN ({', '.join(text(key) for key in keys)})")
    if until_us is not None:
        conditions.append(f"({time} IS NULL OR {time} < {until_us})")
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def assigned(design: Design, contract: Contract, where: str, *, delivered: bool, batched: bool) -> str:
    """One row per unit (and experiment, when many are read at once), grouped before anything is filtered.

    A time and an arm are packed into one integer (``us * 64 + arm``), so that the first row of a unit is a plain
    minimum: the same on every engine, and of two arms at the same microsecond the first of the design.
    """
    known = f"arm < {UNKNOWN_ARM} AND assigned_us IS NOT NULL"
    parts = [
        "experiment" if batched else "'' AS experiment",
        "unit",
        "count(*) AS assignment_rows",
        "count(CASE WHEN unit IS NULL OR arm IS NULL OR assigned_us IS NULL THEN 1 END) AS broken_rows",
        f"count(CASE WHEN arm = {UNKNOWN_ARM} THEN 1 END) AS unknown_rows",
        f"min(CASE WHEN {known} THEN assigned_us * 64 + arm END) AS first_assignment",
        f"min(CASE WHEN {known} THEN arm END) AS lowest_arm",
        f"max(CASE WHEN {known} THEN arm END) AS highest_arm",
        "max(assigned_us) AS last_us",
    ]
    if delivered:
        agrees = f"{known} AND delivered = arm"
        parts += [
            f"count(CASE WHEN {known} AND (delivered IS NULL OR delivered <> arm) THEN 1 END) AS differing_rows",
            f"min(CASE WHEN {agrees} THEN assigned_us * 64 + arm END) AS first_agreeing",
            f"min(CASE WHEN {agrees} THEN arm END) AS lowest_agreeing",
            f"max(CASE WHEN {agrees} THEN arm END) AS highest_agreeing",
        ]
    for name in design.attributes:
        column = ident("attribute " + name)
        parts.append(f"min(struct_pack(at := assigned_us, value := {column})).value AS {column}")
    group = "experiment, unit" if batched else "unit"
    return f"SELECT {', '.join(parts)} FROM ({contract.sql}) AS assignments {where} GROUP BY {group}"


def first_exposure(contract: Contract, where: str, *, batched: bool) -> str:
    """First exposure per unit, grouped before any join."""
    experiment, group = ("experiment", "experiment, unit") if batched else ("'' AS experiment", "unit")
    return (
        f"SELECT {experiment}, unit, min(exposed_us) AS exposed_us, max(exposed_us) AS last_exposed_us, "
        f"count(exposed_us) AS exposure_rows "
        f"FROM ({contract.sql}) AS exposures {where} GROUP BY {group}"
    )


def fate_step(design: Design, assigned_units: str, first_exposures: str | None, *, delivered: bool) -> Step:
    """Every unit with its arm, first exposure and, where it is out before any look, its fate.

    Args:
        assigned_units, first_exposures: the statements of ``assigned`` and ``first_exposure``.
    """
    exposures = first_exposures is not None
    several = "lowest_arm <> highest_arm"
    rules = design.written.rules
    first = "first_assignment"
    cases = [
        (Fate.BROKEN_ROWS, "unit IS NULL OR (first_assignment IS NULL AND unknown_rows = 0)"),
        (Fate.UNKNOWN_ARM, "first_assignment IS NULL"),
    ]
    if rules.several_arms == "exclude":
        cases.append((Fate.SEVERAL_ARMS, several))
    elif rules.several_arms == "delivered arm":
        cases.append(
            (
                Fate.SEVERAL_ARMS,
                f"{several} AND (lowest_agreeing IS NULL OR lowest_agreeing <> highest_agreeing)",
            )
        )
        first = (
            f"CASE WHEN {several} THEN coalesce(first_agreeing, first_assignment) ELSE first_assignment END"
        )
    if delivered and rules.delivered_differs == "exclude":
        cases.append((Fate.DELIVERED_DIFFERS, "differing_rows > 0"))
    exposed = "assigned_us"
    if exposures:
        cases.append((Fate.NOT_EXPOSED, "exposed_us IS NULL"))
        exposed = "exposed_us"
    if design.written.eligibility:
        eligible = " AND ".join(f"coalesce({_condition(c)}, FALSE)" for c in design.written.eligibility)
        cases.append((Fate.NOT_ELIGIBLE, f"NOT ({eligible})"))
    decided = " ".join(f"WHEN {condition} THEN {int(fate)}" for fate, condition in cases)
    attributes = "".join(f", {ident('attribute ' + name)}" for name in design.attributes)
    ctes = [f"assigned AS ({assigned_units})"]
    joined, extra = "assigned", "0 AS exposure_rows, NULL AS last_exposed_us"
    if exposures:
        ctes.append(f"first_exposure AS ({first_exposures})")
        joined, extra = (
            "assigned LEFT JOIN first_exposure USING (experiment, unit)",
            "exposed_us, exposure_rows, last_exposed_us",
        )
    # & 63 and not % 64: the remainder of a time before 1970 would be below 0
    ctes.append(f"chosen AS (SELECT *, {first} AS packed, {extra} FROM {joined})")
    ctes.append(
        "placed AS (SELECT *, packed & 63 AS arm, (packed - (packed & 63)) // 64 AS assigned_us FROM chosen)"
    )
    columns = [
        "experiment",
        "unit",
        "CAST(CASE WHEN unit IS NOT NULL THEN arm END AS TINYINT) AS arm",
        "first_assignment",
        "assigned_us",
        f"{exposed} AS exposed_us",
        "greatest(last_us, last_exposed_us) AS last_us",
        "assignment_rows",
        "exposure_rows",
        "broken_rows",
        "unknown_rows",
        "differing_rows" if delivered else "0 AS differing_rows",
        f"coalesce({several}, FALSE) AS several_arms",
        f"CAST(CASE {decided} END AS TINYINT) AS fate{attributes}",
    ]
    return Step(
        "fate",
        f"CREATE OR REPLACE TEMP TABLE fate AS WITH {', '.join(ctes)} SELECT {', '.join(columns)} FROM placed",
    )


def counts_step(design: Design, cut_off: CutOff) -> Step:
    """The waterfall: units by arm and fate. Units in several arms are counted under the arm they came to first; rows
    without a unit are no unit, and counted as rows."""
    return Step(
        "waterfall",
        f"SELECT experiment, arm, {fate_at(design, cut_off)} AS fate_at_look, count(unit), sum(assignment_rows), sum(exposure_rows) "
        "FROM fate GROUP BY experiment, arm, fate_at_look ORDER BY experiment, arm, fate_at_look",
    )


def fate_at(design: Design, cut_off: CutOff) -> str:
    """The fate of a unit at a look, as a SQL expression over ``fate``."""
    cases = ["WHEN fate IS NOT NULL THEN fate"]
    if cut_off.before_us is not None:
        cases.append(f"WHEN exposed_us >= {cut_off.before_us} THEN {int(Fate.AFTER_CUT_OFF)}")
    if cut_off.watermark_us is not None:
        latest = cut_off.watermark_us - design.maturity * MICROSECONDS
        cases.append(f"WHEN exposed_us > {latest} THEN {int(Fate.NOT_MATURE)}")
    return f"CASE {' '.join(cases)} ELSE {int(Fate.ANALYSED)} END"


def mature_step(design: Design, cut_off: CutOff) -> Step:
    """The units whose outcomes are read, under a dense integer id."""
    attributes = "".join(f", {ident('attribute ' + name)}" for name in design.attributes)
    return Step(
        "mature",
        "CREATE OR REPLACE TEMP TABLE mature AS SELECT CAST(row_number() OVER () AS INTEGER) AS uid, experiment, unit, arm, "
        f"exposed_us, differing_rows{attributes} FROM fate WHERE {fate_at(design, cut_off)} = {int(Fate.ANALYSED)}",
    )


MAY_COME = f"exposed_us IS NOT NULL AND coalesce(fate, {int(Fate.ANALYSED)}) IN " + str(
    (int(Fate.SEVERAL_ARMS), int(Fate.DELIVERED_DIFFERS), int(Fate.ANALYSED))
)
"""Units of this look, whatever becomes known of them later: a second arm takes a unit out only from then on."""


def first_exposure_step() -> Step:
    """The first exposure of a unit that may be analysed: enrolment is counted from its day."""
    return Step("first", f"SELECT min(exposed_us) FROM fate WHERE {MAY_COME}")


def enrolment_step(start_us: int, step_us: int) -> Step:
    """Units by arm and whole step of enrolment since ``start_us``: those that came, and those not taken out by now."""
    return Step(
        "enrolment",
        f"SELECT arm, (exposed_us - {start_us}) // {step_us} AS step, count(*), count(CASE WHEN fate IS NULL THEN 1 END) "
        f"FROM fate WHERE {MAY_COME} GROUP BY arm, step ORDER BY arm, step",
    )


def analysed_step(design: Design, cut_off: CutOff) -> Step:
    """Analysed units by arm."""
    return Step(
        "analysed",
        f"SELECT arm, count(*) FROM fate WHERE {fate_at(design, cut_off)} = {int(Fate.ANALYSED)} GROUP BY arm ORDER BY arm",
    )


def _condition(condition: Condition) -> str:
    column = ident("attribute " + condition.attribute)
    if condition.is_ is not None:
        return f"{column} = {scalar(condition.is_)}"
    if condition.is_not is not None:
        return f"{column} <> {scalar(condition.is_not)}"
    if condition.one_of is not None:
        return f"{column} IN ({', '.join(scalar(v) for v in condition.one_of)})"
    if condition.none_of is not None:
        return f"{column} NOT IN ({', '.join(scalar(v) for v in condition.none_of)})"
    if condition.at_least is not None:
        return f"{column} >= {scalar(condition.at_least)}"
    return f"{column} < {scalar(float(condition.below or 0.0))}"
