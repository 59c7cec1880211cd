"""Order statistics of both models over the same pairs, exact at any thread count: latency percentiles and edges of bins.

Values are counted once; after that the quantile at any level is a look-up in those counts: the smallest value with at least
a share q of the pairs at or below it (as in ``experiments.cohorts.quantile_reading``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Final

from analysis.paired import paired_outer_levels
from experiments.logs.sql import Step
from experiments.shadows.evidence import LatencyQuantile
from experiments.shadows.quantities import Quantity
from experiments.shadows.reading import ShadowReading
from experiments.shadows.sums import Among
from experiments.shadows.unit_sums import UnitSums

LEVELS: Final = (0.5, 0.95, 0.99)
LATENCY: Final = ("champion_latency", "candidate_latency")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """One percentile of either model, champion first, and what has to be added up by unit for its interval."""

    q: float
    values: tuple[int, int]
    quantity: Quantity


class Latencies:
    """Both models' latencies over the pairs that have both, counted by value."""

    def __init__(self, reading: ShadowReading, among: Among) -> None:
        self.reading = reading
        both = f"{among.paired} AND champion_latency IS NOT NULL AND candidate_latency IS NOT NULL"
        self.tables = [_counted(reading, column, both) for column in LATENCY]
        self.totals = [_total(reading, table) for table in self.tables]

    def thresholds(self) -> tuple[Thresholds, ...]:
        """The percentiles; none where no pair has both."""
        if self.totals[0] == 0:
            return ()
        found = []
        for q in LEVELS:
            h, c = (
                value_at(self.reading, table, q, n) for table, n in zip(self.tables, self.totals, strict=True)
            )
            values = tuple(f"{column} <= {value}" for column, value in zip(LATENCY, (h, c), strict=True))
            quantity = Quantity(f"latency at {q:g}", ("champion", "candidate"), values, LATENCY, "paired")
            found.append(Thresholds(q, (h, c), quantity))
        return tuple(found)

    def quantile(self, at: Thresholds, requests: UnitSums) -> LatencyQuantile:
        """The percentile with its order statistics at the outer levels, by the sums over units."""
        return LatencyQuantile(
            at.q, *at.values, requests, _bounds(self.reading, self.tables, self.totals, at.q, requests)
        )


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
