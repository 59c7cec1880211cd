"""Order statistics of both models over the same pairs, exact at any thread count: latency percentiles and edges of bins.

Values are counted once; after that the quantile at any level is a look-up in those counts: the smallest value with at least
a share q of the pairs at or below it (as in ``experiments.cohorts.quantile_reading``).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from typing import Final

from analysis.paired import paired_outer_levels
from experiments.logs.sql import Step
from experiments.shadows.evidence import LatencyQuantile, UnitSums
from experiments.shadows.quantities import Quantity
from experiments.shadows.reading import ShadowReading
from experiments.shadows.sums import Among, over_units_step, per_unit_step, unit_sums

LEVELS: Final = (0.5, 0.95, 0.99)
LATENCY: Final = ("champion_latency", "candidate_latency")


def latency_quantiles(reading: ShadowReading, among: Among) -> tuple[LatencyQuantile, ...]:
    """Every percentile of both models' latency; none where no pair has both."""
    both = f"{among.paired} AND champion_latency IS NOT NULL AND candidate_latency IS NOT NULL"
    tables = [_counted(reading, column, both) for column in LATENCY]
    totals = [_total(reading, table) for table in tables]
    if totals[0] == 0:
        return ()
    at = {
        q: [value_at(reading, table, q, n) for table, n in zip(tables, totals, strict=True)] for q in LEVELS
    }
    wanted = [
        Quantity(
            f"latency at {q:g}",
            ("champion", "candidate"),
            tuple(
                f"CAST({column} <= {value} AS INTEGER)" for column, value in zip(LATENCY, at[q], strict=True)
            ),
            (1, 1),
            failed_too=True,
        )
        for q in LEVELS
    ]
    reading.engine.run(per_unit_step(wanted, among))
    found = []
    for index, (q, quantity) in enumerate(zip(LEVELS, wanted, strict=True)):
        requests = unit_sums(quantity, reading.one(over_units_step(quantity, index)))
        found.append(
            LatencyQuantile(q, at[q][0], at[q][1], requests, _bounds(reading, tables, totals, q, requests))
        )
    return tuple(found)


def _bounds(
    reading: ShadowReading, tables: Sequence[str], totals: Sequence[int], q: float, requests: UnitSums
) -> tuple[int | None, int | None, int | None, int | None]:
    found: list[int | None] = []
    for table, n, levels in zip(tables, totals, paired_outer_levels(requests.comoments, q), strict=True):
        for level in (levels.lower, levels.upper):
            found.append(None if level is None else value_at(reading, table, level, n))
    return found[0], found[1], found[2], found[3]


def edges(reading: ShadowReading, value: str, condition: str, bins: int) -> tuple[int, ...]:
    """Upper edges of bins with nearly equal counts, each once; the last bin is open above (as ``analysis.bins`` has them)."""
    reading.engine.run(_counted_step("values_counted", value, f"{condition} AND ({value}) IS NOT NULL"))
    n = _total(reading, "values_counted")
    if n == 0:
        return ()
    last = value_at(reading, "values_counted", 1.0, n)
    found = dict.fromkeys(value_at(reading, "values_counted", Fraction(k, bins), n) for k in range(1, bins))
    return tuple(edge for edge in found if edge < last)


def value_at(reading: ShadowReading, table: str, level: float | Fraction, in_all: int) -> int:
    exact = Fraction(str(level)) if isinstance(level, float) and level in LEVELS else Fraction(level)
    rank = max(1, ceil(exact * in_all))
    return int(
        reading.one(Step("quantile", f"SELECT min(value) FROM {table} WHERE at_or_below >= {rank}"))[0]
    )


def _counted(reading: ShadowReading, column: str, condition: str) -> str:
    table = f"{column}_values"
    reading.engine.run(_counted_step(table, column, condition))
    return table


def _counted_step(table: str, value: str, condition: str) -> Step:
    return Step(
        table,
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT value, sum(pairs) OVER (ORDER BY value) AS at_or_below FROM "
        f"(SELECT {value} AS value, count(*) AS pairs FROM pairs WHERE {condition} GROUP BY value) AS counted",
    )


def _total(reading: ShadowReading, table: str) -> int:
    return int(reading.one(Step("total", f"SELECT max(at_or_below) FROM {table}"))[0] or 0)
