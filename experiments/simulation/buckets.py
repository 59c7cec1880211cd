"""The units of a past experiment in hashed buckets: one scan of the logs, after which they can be re-split without them.

Arms are pooled as the assignment log is opened, so that nothing here knows who was treated. A unit's bucket is the start of
its hash under a salt of its own; its look is the first that its place in the order of enrolment reaches. Kept are exact sums
per bucket and look, by the statements that a readout is made with: the bucket stands where a segment's level does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from experiments.assignment import hash_sql
from experiments.cohorts.cohort import CutOff
from experiments.cohorts.gathering import centred
from experiments.cohorts.quantile_reading import QuantileSums, comoments, quantile_sums
from experiments.cohorts.quantities import Family, moments_step
from experiments.cohorts.reading import Reading
from experiments.designs.design import Design
from experiments.forms.problems import Invalid, Problem
from experiments.logs.engines.duckdb import DuckDB
from experiments.logs.sources import OutcomeSources, Sources
from experiments.logs.sql import Step, ident
from experiments.simulation.pairs import Floats
from experiments.simulation.samples import judged_measures
from experiments.simulation.schedule import Schedule, schedule_of

BUCKETS: Final = 4096
"""Three hexadecimal digits. With so many the spread of the re-splits is that of single units to about √(2/4096) = 2 %."""
FEWEST_UNITS: Final = 2 * BUCKETS
_GROUP: Final = "bucket and look"


@dataclass(frozen=True, slots=True)
class Gathered:
    """Sums of one family of variables, by bucket and look.

    Attributes:
        n: units with all of the variables, shape (buckets, looks).
        sums: of centred values, in the metric's unit, shape (buckets, looks, variables).
        products: of pairs of them, shape (buckets, looks, variables, variables).
        centres: of the variables, in the metric's unit.
    """

    n: Floats
    sums: Floats
    products: Floats
    centres: Floats


@dataclass(frozen=True, slots=True)
class PooledQuantile:
    """A quantile of all requests together, and how it moves with the share of requests at or below it."""

    value: float
    share: float
    slope: float


@dataclass(frozen=True, slots=True)
class Buckets:
    """A past experiment, ready to be re-split.

    Attributes:
        experiment: its key in the logs.
        found: mature units of it, both arms together; the replays use as many as ``schedule`` says, in order of enrolment.
        units: by bucket and look.
        gathered: the declared analysis of every measure that is judged, by its place in the design.
        with_value: units with a value of the measure, whether or not they have its covariates, by bucket and look.
        quantiles: of the measures that are quantiles.
    """

    experiment: str
    found: int
    schedule: Schedule
    units: Floats
    gathered: dict[int, Gathered]
    with_value: dict[int, Floats]
    quantiles: dict[int, PooledQuantile]


class PooledReading(Reading):
    """A design's reading of another experiment's logs, every arm of it taken for one."""

    def _open(self) -> None:
        log = self.source.assignments.model_copy(update={"arms": {}, "delivered": {}})
        self.source = self.source.model_copy(update={"assignments": log})
        super()._open()
        pooled = ["CASE WHEN arm IS NOT NULL THEN 0 END AS arm"]
        if self.delivered:
            pooled.append("CASE WHEN delivered IS NOT NULL THEN 0 END AS delivered")
        sql = f"SELECT * REPLACE ({', '.join(pooled)}) FROM ({self.assignments.sql}) AS logged"
        self.assignments = replace(self.assignments, sql=sql)


def scan(
    design: Design,
    sources: Sources,
    outcomes: OutcomeSources,
    *,
    experiment: str | None = None,
    salt: str = "replay",
    threads: int | None = None,
    memory: str | None = None,
    before_outcomes: Callable[[int], None] | None = None,
) -> Buckets:
    """Read the mature units of a past experiment once, into buckets.

    Args:
        experiment: its key in the logs; by default the design's own.
        salt: of the hash that makes the buckets.
        before_outcomes: called with the number of units just before their outcomes are read, to record the read.

    Raises:
        Invalid: logs that cannot be read, or too few units in them.
    """
    key = design.key if experiment is None else experiment
    with PooledReading(
        design, sources, outcomes, threads=threads, memory=memory, experiments=(key,)
    ) as reading:
        engine = reading.engine
        reading.place_units()
        reading.select_mature(CutOff(None, reading.watermark().us))
        found = int(engine.run(Step("units", "SELECT count(*) FROM mature"))[0][0])
        if found < FEWEST_UNITS:
            message = (
                f"{key!r} has {found:,} mature units, and re-splitting them needs {FEWEST_UNITS:,} or more; name an experiment "
                "that has run, by its key in the logs"
            )
            raise Invalid("logs", [Problem(("assignments",), message)])
        schedule = schedule_of(design, found)
        if before_outcomes is not None:
            before_outcomes(found)
        plan = reading.plan()
        reading.aggregate(plan)
        plan = centred(engine, plan)
        engine.run(_placing_step(schedule, salt))
        engine.run(_bucketed_step())
        looks = len(schedule.units)
        units = _by_bucket(
            engine, "SELECT bucket, look, count(*) FROM bucket_of GROUP BY bucket, look", looks
        )
        gathered, with_value, quantiles = {}, {}, {}
        for index in judged_measures(design):
            measure = design.measures[index]
            if measure.metric.type == "quantile":
                found_sums, quantiles[index] = _quantile(engine, design, index, looks)
                gathered[index], with_value[index] = found_sums, found_sums.n
                continue
            families = {family.variant: family for family in plan.families if family.measure == index}
            gathered[index] = _family(engine, families["declared"], looks)
            with_value[index] = gathered[index].n
            if "unadjusted" in families:
                with_value[index] = _family(engine, families["unadjusted"], looks).n
    return Buckets(key, found, schedule, units[:, :, 0], gathered, with_value, quantiles)


def _placing_step(schedule: Schedule, salt: str) -> Step:
    """Bucket and look of every unit, in order of enrolment; a unit beyond the last look has none and is left out."""
    digits = hash_sql(exp.column("unit"), f"{salt}/buckets").sql(dialect="duckdb")
    looks = " ".join(f"WHEN place <= {count} THEN {look}" for look, count in enumerate(schedule.units))
    return Step(
        "placing",
        "CREATE OR REPLACE TEMP TABLE bucket_of AS WITH hashed AS "
        f"(SELECT uid, exposed_us, {digits} AS digits FROM mature), ordered AS "
        "(SELECT uid, digits, row_number() OVER (ORDER BY exposed_us, digits) AS place FROM hashed) "
        f"SELECT uid, CAST('0x' || substr(digits, 1, 3) AS INTEGER) AS bucket, CASE {looks} END AS look FROM ordered "
        f"WHERE place <= {schedule.units[-1]}",
    )


def _bucketed_step() -> Step:
    return Step(
        "bucketed",
        "CREATE OR REPLACE TEMP TABLE bucketed AS SELECT per_unit.*, bucket || ' ' || look AS "
        f"{ident('attribute ' + _GROUP)} FROM per_unit JOIN bucket_of USING (uid)",
    )


def _family(engine: DuckDB, family: Family, looks: int) -> Gathered:
    rows = []
    for row in engine.run(moments_step(replace(family, only_where=None), "bucketed", _GROUP)):
        bucket, look = str(row[2]).split(" ")
        rows.append((int(bucket), int(look), *row[3:]))
    scales = np.array([variable.scale for variable in family.variables], dtype=float)
    centres = np.array([variable.centre or 0 for variable in family.variables], dtype=float)
    return _gathered(_table(rows, looks), scales, centres)


def _quantile(engine: DuckDB, design: Design, index: int, looks: int) -> tuple[Gathered, PooledQuantile]:
    """Requests at or below the pooled quantile and all requests, per unit; and the slope that carries their share to the
    quantile, as the outer order statistics of ``analysis.quantiles`` imply it."""
    measure = design.measures[index]
    alpha = measure.alpha if measure.sides == 2 else 2 * measure.alpha
    scale = 10**measure.metric.decimals
    found = quantile_sums(engine, index, measure.metric, alpha, None)
    if not found:
        message = "has no request in the logs, so nothing can be replayed"
        raise Invalid("logs", [Problem((measure.label,), message)])
    rows = engine.run(
        Step(
            "requests_by_bucket",
            "SELECT bucket, look, count(*), sum(a), sum(b), sum(a * a), sum(a * b), sum(b * b) FROM "
            f"(SELECT uid, count(CASE WHEN value <= {found[0].estimate} THEN 1 END) AS a, count(*) AS b "
            f"FROM requests_{index} GROUP BY uid) AS by_unit JOIN bucket_of USING (uid) GROUP BY bucket, look",
        )
    )
    sums = _gathered(_table(rows, looks), np.ones(2), np.zeros(2))
    return sums, _pooled(found[0], measure.metric.quantile or 0.5, scale, alpha, measure.label)


def _pooled(found: QuantileSums, q: float, scale: int, alpha: float, label: str) -> PooledQuantile:
    from analysis.quantiles import outer_levels

    levels = outer_levels(comoments(found.units, found.sums, found.products), q, alpha=alpha)
    if levels.lower is None or levels.upper is None or found.lower is None or found.upper is None:
        reason = levels.not_computed or "no bounds"
        raise Invalid("logs", [Problem((label,), f"its quantile has no standard error: {reason}")])
    slope = (found.upper - found.lower) / scale / (levels.upper - levels.lower)
    return PooledQuantile(found.estimate / scale, found.sums[0] / found.sums[1], slope)


def _by_bucket(engine: DuckDB, sql: str, looks: int) -> Floats:
    return _table(engine.run(Step("by_bucket", sql)), looks)


def _table(rows: Sequence[Sequence[object]], looks: int) -> Floats:
    """Rows of (bucket, look, numbers …) as an array (buckets, looks, numbers), 0 where there is no row."""
    width = len(rows[0]) - 2 if rows else 1
    found = np.zeros((BUCKETS, looks, width))
    if rows:
        numbers: NDArray[np.float64] = np.array([[float(str(v)) for v in row] for row in rows])
        found[numbers[:, 0].astype(int), numbers[:, 1].astype(int)] = numbers[:, 2:]
    return found


def _gathered(table: Floats, scales: Floats, centres: Floats) -> Gathered:
    k = len(scales)
    upper = np.triu_indices(k)
    products = np.zeros((*table.shape[:2], k, k))
    products[:, :, upper[0], upper[1]] = table[:, :, 1 + k :] / (scales[upper[0]] * scales[upper[1]])
    products[:, :, upper[1], upper[0]] = products[:, :, upper[0], upper[1]]
    return Gathered(table[:, :, 0], table[:, :, 1 : 1 + k] / scales, products, centres / scales)
