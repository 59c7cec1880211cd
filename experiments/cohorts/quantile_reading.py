"""The declared second pass of a quantile metric: order statistics and per-unit counts, exact at any thread count.

The requests of one metric are counted by value once; after that the quantile at any level is a look-up in those counts:
the smallest value with at least a share q of the requests at or below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from analysis.moments import CoMoments, exact_comoments
from analysis.quantiles import QuantileArm, outer_levels
from experiments.cohorts.quantities import Base, Span, bounds, scaled
from experiments.designs.design import Design
from experiments.designs.metrics import Metric
from experiments.logs.contracts import Contract
from experiments.logs.engines.duckdb import DuckDB
from experiments.logs.sources import OutcomeLog
from experiments.logs.sql import MICROSECONDS, Step, ident, text


@dataclass(frozen=True, slots=True)
class QuantileSums:
    """A quantile in one arm, in scaled integers: estimate, bounds at its outer levels, and per-unit sums.

    ``sums`` and ``products`` are of (requests at or below the estimate, all requests) over units with a request.
    """

    experiment: str
    arm: int
    level: str | None
    requests: int
    units: int
    estimate: int
    sums: tuple[int, int]
    products: tuple[int, int, int]
    lower: int | None
    upper: int | None


def requests_step(
    index: int, design: Design, log: OutcomeLog, contract: Contract, exposed: tuple[int, int] | None
) -> Step:
    """Every request of a quantile metric in its unit's own window that has a value, as table ``requests_<index>``."""
    measure = design.measures[index]
    metric = measure.metric
    event = metric.event or ""
    span = Span(metric.starts, measure.window)
    value = ident("event " + event) if log.wide else "value"
    whole = scaled(f"outcomes.{value}", Base(0, event, "total", span, metric.decimals), contract, log)
    where = [f"outcomes.{value} IS NOT NULL"]
    if not log.wide:
        where.append(f"outcomes.event = {text(event)}")
    if contract.time_column is not None and exposed is not None:
        since = "epoch_us(outcomes.occurred_at) - mature.exposed_us"
        earliest, latest = exposed[0] + span.start * MICROSECONDS, exposed[1] + span.end * MICROSECONDS
        where += [
            *bounds(earliest, latest, contract),
            f"{since} >= {span.start * MICROSECONDS}",
            f"{since} < {span.end * MICROSECONDS}",
        ]
    attributes = "".join(f", mature.{ident('attribute ' + name)}" for name in design.attributes)
    return Step(
        f"requests_{index}",
        f"CREATE OR REPLACE TEMP TABLE requests_{index} AS SELECT mature.experiment, mature.arm, mature.uid{attributes}, "
        f"{whole} AS value FROM ({contract.sql}) AS outcomes JOIN mature ON outcomes.unit = mature.unit "
        f"WHERE {' AND '.join(where)}",
    )


def quantile_sums(
    engine: DuckDB, index: int, metric: Metric, alpha: float, segment: str | None
) -> tuple[QuantileSums, ...]:
    """Count table ``requests_<index>`` by value and by unit, and look the quantiles up in the counts.

    Args:
        alpha: two-sided error of the outer levels, that of the interval to be made.
        segment: an attribute whose levels are kept apart.
    """
    if metric.quantile is None:
        raise ValueError(f"{metric.reference} is a {metric.type}, not a quantile")
    level = "CAST(NULL AS VARCHAR)"
    if segment is not None:
        level = f"coalesce(CAST({ident('attribute ' + segment)} AS VARCHAR), '(none)')"
    engine.run(
        Step(
            "request_values",
            "CREATE OR REPLACE TEMP TABLE request_values AS SELECT experiment, arm, level, value, requests, "
            "sum(requests) OVER (PARTITION BY experiment, arm, level ORDER BY value) AS at_or_below, "
            "sum(requests) OVER (PARTITION BY experiment, arm, level) AS in_all "
            f"FROM (SELECT experiment, arm, {level} AS level, value, count(*) AS requests FROM requests_{index} "
            "GROUP BY ALL) AS counted",
        )
    )
    totals = engine.run(
        Step(
            "request_totals",
            "SELECT DISTINCT experiment, arm, level, in_all FROM request_values ORDER BY ALL",
        )
    )
    q = Fraction(str(metric.quantile))
    found = []
    for experiment, arm, at, in_all in totals:
        place = f"experiment = {text(experiment)} AND arm = {int(arm)} AND level IS NOT DISTINCT FROM " + (
            "NULL" if at is None else text(at)
        )
        estimate = _at(engine, place, q, int(in_all))
        row = engine.run(
            Step(
                "request_moments",
                "SELECT count(*), sum(a), sum(b), sum(a * a), sum(a * b), sum(b * b) FROM (SELECT "
                f"CAST(count(CASE WHEN value <= {estimate} THEN 1 END) AS HUGEINT) AS a, CAST(count(*) AS HUGEINT) AS b "
                f"FROM (SELECT experiment, arm, uid, {level} AS level, value FROM requests_{index}) AS levelled "
                f"WHERE {place} GROUP BY uid) AS by_unit",
            )
        )[0]
        units, a, b, aa, ab, bb = (int(value) for value in row)
        levels = outer_levels(comoments(units, (a, b), (aa, ab, bb)), metric.quantile, alpha=alpha)
        lower = upper = None
        if levels.lower is not None and levels.upper is not None:
            lower = _at(engine, place, Fraction(levels.lower), int(in_all))
            upper = _at(engine, place, Fraction(levels.upper), int(in_all))
        found.append(
            QuantileSums(
                str(experiment),
                int(arm),
                None if at is None else str(at),
                int(in_all),
                units,
                estimate,
                (a, b),
                (aa, ab, bb),
                lower,
                upper,
            )
        )
    return tuple(found)


def comoments(units: int, sums: tuple[int, int], products: tuple[int, int, int]) -> CoMoments:
    """Co-moments over units of (requests at or below, all requests)."""
    aa, ab, bb = products
    return exact_comoments(units, sums, ((aa, ab), (ab, bb)), (1, 1), (0, 0))


def quantile_arm(sums: QuantileSums, q: float, scale: int, alpha: float) -> QuantileArm:
    """The arm as ``analysis.quantiles`` takes it."""
    levels = outer_levels(comoments(sums.units, sums.sums, sums.products), q, alpha=alpha)
    bounds = (
        (None, None) if sums.lower is None or sums.upper is None else (sums.lower / scale, sums.upper / scale)
    )
    return QuantileArm(levels, sums.estimate / scale, *bounds)


def _at(engine: DuckDB, place: str, level: Fraction, in_all: int) -> int:
    rank = max(1, ceil(level * in_all))
    rows = engine.run(
        Step("quantile", f"SELECT min(value) FROM request_values WHERE {place} AND at_or_below >= {rank}")
    )
    return int(rows[0][0])
