"""What is odd about the logs, in counts: rows nobody can read, impossible times, arms that are not the hash's.

Of outcome logs only unit ids and times are read, arms pooled; never a value.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from experiments.assignment import Assignment, Layer, audit_sql
from experiments.cohorts.reading import Reading
from experiments.designs.design import Design
from experiments.logs.sql import Step, ident, text


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Rows of the assignment and exposure logs, and those of them that are of no use.

    Attributes:
        broken_assignments: without unit, arm or time.
        unknown_arms: in an arm the design does not name.
        broken_exposures: without unit or time.
        stray_exposures: of units that the assignment log does not hold.
    """

    assignments: int = 0
    broken_assignments: int = 0
    unknown_arms: int = 0
    exposures: int = 0
    broken_exposures: int = 0
    stray_exposures: int = 0


@dataclass(frozen=True, slots=True)
class Oddity:
    """Rows with something impossible about them, of so many."""

    name: str
    odd: int
    rows: int
    what: str = ""


def row_counts(reading: Reading) -> dict[str, RowCounts]:
    """By experiment: what became of the rows of assignments and exposures from which units were placed."""
    placed = reading.engine.run(
        Step(
            "row_counts",
            "SELECT experiment, sum(assignment_rows), sum(broken_rows), sum(unknown_rows), "
            "sum(CASE WHEN unit IS NOT NULL THEN exposure_rows ELSE 0 END) FROM fate GROUP BY experiment",
        )
    )
    exposures: dict[str, tuple[int, int]] = {}
    if reading.exposures is not None:
        experiment = "experiment" if reading.experiments is not None else "''"
        for key, rows, broken in reading.engine.run(
            Step(
                "exposure_rows",
                f"SELECT {experiment} AS experiment, count(*), count(CASE WHEN unit IS NULL OR exposed_us IS NULL THEN 1 END) "
                f"FROM ({reading.exposures.sql}) AS exposures {reading.rows_of('exposures', 'exposed_us', reading.placed_until)} "
                "GROUP BY 1",
            )
        ):
            exposures[str(key)] = (int(rows), int(broken))
    found = {}
    for key, rows, broken, unknown, used in placed:
        all_exposures, broken_exposures = exposures.pop(str(key), (0, 0))
        stray = all_exposures - broken_exposures - int(used or 0)
        found[str(key)] = RowCounts(
            int(rows), int(broken), int(unknown), all_exposures, broken_exposures, stray
        )
    for key, (rows, broken) in exposures.items():
        found[key] = RowCounts(exposures=rows, broken_exposures=broken, stray_exposures=rows - broken)
    return found


def audit(reading: Reading) -> dict[str, dict[str, int]] | None:
    """By experiment: logged units by agreement with the hash; None when assignment is made elsewhere."""
    if reading.design.written.assignment.method != "fairtrial":
        return None
    cases = " ".join(f"WHEN {i} THEN {text(arm.name)}" for i, arm in enumerate(reading.design.arms))
    placed = assignment_of(reading.design)
    expression = audit_sql(exp.column("unit"), exp.column("arm_name"), placed).sql("duckdb")
    found: dict[str, dict[str, int]] = {}
    for experiment, result, n in reading.engine.run(
        Step(
            "audit",
            f"SELECT experiment, result, count(*) FROM (SELECT experiment, {expression} AS result FROM (SELECT experiment, "
            f"CAST(unit AS VARCHAR) AS unit, CASE first_assignment & 63 {cases} END AS arm_name FROM fate "
            "WHERE first_assignment IS NOT NULL AND unit IS NOT NULL) AS placed) AS audited "
            "GROUP BY experiment, result ORDER BY experiment, result",
        )
    ):
        found.setdefault(str(experiment), {})[str(result)] = int(n)
    return found


def clock_oddities(reading: Reading) -> list[Oddity]:
    """Impossible times: exposed before assigned, recorded before it occurred."""
    found = []
    if reading.exposures is not None and reading.assignments.time_column is not None:
        odd, rows = reading.engine.run(
            Step(
                "clock",
                "SELECT count(CASE WHEN exposed_us < assigned_us THEN 1 END), count(*) FROM fate "
                "WHERE exposed_us IS NOT NULL AND assigned_us IS NOT NULL AND unit IS NOT NULL",
            )
        )[0]
        found.append(Oddity("Exposed before assigned", int(odd), int(rows), "units"))
    for index, log in enumerate(reading.outcome_logs):
        recorded, occurred = log.columns.recorded_at, log.columns.occurred_at
        if recorded is None or occurred is None:
            continue
        odd, rows = reading.engine.run(
            Step(
                "clock",
                f"SELECT count(CASE WHEN {ident(recorded)} < {ident(occurred)} THEN 1 END), count(*) "
                f"FROM {reading.opened[f'outcomes_{index}'].sql}",
            )
        )[0]
        found.append(
            Oddity(f"Recorded before it occurred (outcome log {index})", int(odd), int(rows), "rows")
        )
    return found


def unreadable_outcomes(reading: Reading) -> list[Oddity]:
    """Outcome rows without a unit or a time: nobody can tell whose they are, or in which window."""
    found = []
    for index, log in enumerate(reading.outcome_logs):
        needed = [ident(column) for column in (log.columns.unit, log.columns.occurred_at) if column]
        scan = reading.opened[f"outcomes_{index}"].sql
        # Counts of whole columns come from a file's statistics where these say that nothing is missing.
        rows, *filled = reading.engine.run(
            Step("readable", f"SELECT count(*), {', '.join(f'count({c})' for c in needed)} FROM {scan}")
        )[0]
        odd = 0
        if any(n < rows for n in filled):
            missing = " OR ".join(f"{column} IS NULL" for column in needed)
            odd = int(
                reading.engine.run(
                    Step("readable", f"SELECT count(CASE WHEN {missing} THEN 1 END) FROM {scan}")
                )[0][0]
            )
        found.append(Oddity(f"Readable outcome rows (log {index})", odd, int(rows), "rows"))
    return found


def assignment_of(design: Design) -> Assignment:
    """The hash assignment a design declares."""
    layer = design.layer
    return Assignment(
        design.salt,
        tuple((arm.name, arm.share) for arm in design.arms),
        None if layer is None else Layer(layer.name, layer.start, layer.end),
    )
