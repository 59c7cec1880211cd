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
from fractions import Fraction

from experiments.contracts import UNKNOWN_ARM, Contract
from experiments.design import Design
from experiments.sql import MICROSECONDS, Step, ident, scalar, text
from experiments.written import Condition


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
    """Where a look's cohort ends: exposures before ``before_us``; None where the data have no times."""

    before_us: int | None
    watermark_us: int | None


def experiment_filter(
    design: Design, contract_has_experiment: bool, experiments: tuple[str, ...] | None
) -> str:
    """The rows of this experiment; ``experiments`` names many at once (replicates in one log)."""
    if not contract_has_experiment:
        return ""
    keys = experiments if experiments is not None else (design.key,)
    return f"WHERE experiment IN ({', '.join(text(key) for key in keys)})" if keys else ""


def assigned_step(design: Design, contract: Contract, where: str, *, delivered: bool) -> Step:
    """One row per experiment and unit, grouped before anything is filtered.

    A time and an arm are packed into one integer (``us * 64 + arm``), so that the first row of a unit is a plain
    minimum: the same on every engine, and of two arms at the same microsecond the first of the design.
    """
    known = f"arm < {UNKNOWN_ARM} AND assigned_us IS NOT NULL"
    parts = [
        "experiment",
        "unit",
        "count(*) AS assignment_rows",
        "count(CASE WHEN arm IS NULL OR assigned_us IS NULL THEN 1 END) AS broken_rows",
        f"count(CASE WHEN arm = {UNKNOWN_ARM} THEN 1 END) AS unknown_rows",
        f"min(CASE WHEN {known} THEN assigned_us * 64 + arm END) AS first_assignment",
        f"min(CASE WHEN {known} THEN arm END) AS lowest_arm",
        f"max(CASE WHEN {known} THEN arm END) AS highest_arm",
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
    return Step(
        "assigned",
        f"CREATE OR REPLACE TEMP TABLE assigned AS SELECT {', '.join(parts)} "
        f"FROM ({contract.sql}) AS assignments {where} GROUP BY experiment, unit",
    )


def first_exposure_step(contract: Contract, where: str) -> Step:
    """First exposure per unit, grouped before any join."""
    return Step(
        "first_exposure",
        "CREATE OR REPLACE TEMP TABLE first_exposure AS SELECT experiment, unit, min(exposed_us) AS exposed_us, "
        f"count(*) AS exposure_rows FROM ({contract.sql}) AS exposures {where} GROUP BY experiment, unit",
    )


def fate_step(design: Design, *, exposures: bool, delivered: bool) -> Step:
    """Every unit with its arm, first exposure and, where it is out before any look, its fate."""
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
        first = f"CASE WHEN {several} THEN first_agreeing ELSE first_assignment END"
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
    differing = ", differing_rows" if delivered else ", 0 AS differing_rows"
    joined = "LEFT JOIN first_exposure USING (experiment, unit)" if exposures else ""
    extra = ", exposed_us, exposure_rows" if exposures else ", 1 AS exposure_rows"
    return Step(
        "fate",
        "CREATE OR REPLACE TEMP TABLE fate AS "
        f"WITH placed AS (SELECT assigned.*, ({first}) % 64 AS arm, ({first}) // 64 AS assigned_us{extra} "
        f"FROM assigned {joined}) "
        f"SELECT experiment, unit, CAST(arm AS TINYINT) AS arm, assigned_us, {exposed} AS exposed_us, exposure_rows, "
        f"assignment_rows, broken_rows, unknown_rows{differing}, coalesce({several}, FALSE) AS several_arms, "
        f"CAST(CASE {decided} END AS TINYINT) AS fate{attributes} FROM placed",
    )


def counts_step(design: Design, cut_off: CutOff) -> Step:
    """The waterfall: units by arm and fate. Units in several arms are counted under the arm they came to first."""
    return Step(
        "waterfall",
        f"SELECT experiment, arm, {fate_at(design, cut_off)} AS fate_at_look, count(*), sum(assignment_rows), sum(exposure_rows) "
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


def enrolment_step(start_us: int, step_us: int) -> Step:
    """Units that may be analysed, by arm and whole step of enrolment since ``start_us``."""
    return Step(
        "enrolment",
        f"SELECT experiment, arm, (exposed_us - {start_us}) // {step_us} AS step, count(*), max(exposed_us) "
        "FROM fate WHERE fate IS NULL GROUP BY experiment, arm, step ORDER BY experiment, arm, step",
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


def share_of(part: int, whole: int) -> Fraction:
    return Fraction(part, whole) if whole else Fraction(0)
