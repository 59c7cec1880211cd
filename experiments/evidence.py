"""Evidence: everything a readout rests on, as counts and exact integer sums, and nothing of any unit.

It is gathered in two parts: what the cohort shows without outcomes, and, only when that is valid, the sums of outcomes.
The seal hashes it; the same logs give the same evidence, bit for bit, whatever the thread count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analysis.moments import CoMoments, exact_comoments
from experiments import quantities
from experiments.cohort import CutOff, Fate
from experiments.design import Design
from experiments.documents import sha256_of
from experiments.engines.duckdb import DuckDB
from experiments.quantile_reading import QuantileSums, quantile_sums
from experiments.quantities import Family, Layout
from experiments.reading import ArmCount, ArmSums, FateCount, Reading
from experiments.sql import Step


@dataclass(frozen=True, slots=True)
class CohortEvidence:
    """What the assignment and exposure logs show at a cut-off. No outcome was read for it."""

    cut_off: CutOff
    fates: tuple[FateCount, ...]
    by_day: tuple[ArmCount, ...]
    by_attribute: tuple[tuple[str, tuple[ArmCount, ...]], ...]
    several_arms: int
    delivered_differs: int
    units: int
    audit: tuple[tuple[str, int], ...] | None
    exposed_before_assigned: int


@dataclass(frozen=True, slots=True)
class FamilyEvidence:
    """Exact sums of one family of variables, overall or by the levels of a segment."""

    measure: int
    variant: str
    segment: str | None
    names: tuple[str, ...]
    scales: tuple[int, ...]
    centres: tuple[int, ...]
    arms: tuple[ArmSums, ...]

    def comoments(self, sums: ArmSums) -> CoMoments:
        """Co-moments of one arm, rounded once."""
        k = len(self.scales)
        cross = [[0] * k for _ in range(k)]
        position = 0
        for i in range(k):
            for j in range(i, k):
                cross[i][j] = cross[j][i] = sums.products[position]
                position += 1
        return exact_comoments(sums.n, sums.sums, cross, self.scales, self.centres)


@dataclass(frozen=True, slots=True)
class QuantileEvidence:
    measure: int
    segment: str | None
    alpha: float
    scale: int
    arms: tuple[QuantileSums, ...]


@dataclass(frozen=True, slots=True)
class OutcomeEvidence:
    """What the outcome logs show of the analysed units."""

    families: tuple[FamilyEvidence, ...]
    quantiles: tuple[QuantileEvidence, ...]
    units_with_any: int
    units: int

    def family(
        self, measure: int, variant: str = "declared", segment: str | None = None
    ) -> FamilyEvidence | None:
        for family in self.families:
            if (family.measure, family.variant, family.segment) == (measure, variant, segment):
                return family
        return None

    def quantile(self, measure: int, segment: str | None = None) -> QuantileEvidence | None:
        for quantile in self.quantiles:
            if (quantile.measure, quantile.segment) == (measure, segment):
                return quantile
        return None

    def as_json(self) -> dict[str, Any]:
        values: dict[str, Any] = _plain(asdict(self))
        return values


@dataclass(frozen=True, slots=True)
class Evidence:
    cohort: CohortEvidence
    outcomes: OutcomeEvidence | None

    def as_json(self) -> dict[str, Any]:
        """JSON values; exact sums as text, since they pass what a double can hold."""
        values: dict[str, Any] = _plain(asdict(self))
        return values

    @property
    def sha256(self) -> str:
        return sha256_of(self.as_json())


def gather_cohort(reading: Reading, cut_off: CutOff) -> CohortEvidence:
    """Counts of the cohort at a cut-off; ``reading.place_units`` must have run."""
    fates = reading.waterfall(cut_off)
    rows = reading.engine.run(_flags())[0]
    attributes = tuple(dict.fromkeys([*reading.design.written.segments, *_guarded(reading)]))
    audit = reading.audit()
    return CohortEvidence(
        cut_off=cut_off,
        fates=fates,
        by_day=reading.strata(cut_off, None) if reading.timed else (),
        by_attribute=tuple((name, reading.strata(cut_off, name)) for name in attributes),
        several_arms=int(rows[0]),
        delivered_differs=int(rows[1]),
        units=int(rows[2]),
        audit=None if audit is None else tuple(sorted(audit.items())),
        exposed_before_assigned=int(rows[3]),
    )


def sums_of(engine: DuckDB, design: Design, plan: Layout) -> OutcomeEvidence:
    """Sums over the per-unit tables: those just made from the logs, or those of a sealed extract."""
    families: list[FamilyEvidence] = []
    for family in plan.families:
        families.append(_family(engine, family, None))
        measure = design.measures[family.measure]
        if family.variant != "declared":
            continue
        if measure.segment is not None:
            families.append(_family(engine, family, measure.segment))
        if measure.role == "primary":
            families += [_family(engine, family, segment) for segment in sorted(design.written.segments)]
    return OutcomeEvidence(tuple(families), _quantiles(engine, design), *join_rate(engine))


def join_rate(engine: DuckDB) -> tuple[int, int]:
    """Analysed units with any row in reach in the outcome logs, and analysed units; arms pooled."""
    rows = engine.run(
        Step("join_rate", "SELECT count(CASE WHEN any_outcome THEN 1 END), count(*) FROM per_unit")
    )
    return int(rows[0][0]), int(rows[0][1])


def _family(engine: DuckDB, family: Family, segment: str | None) -> FamilyEvidence:
    return FamilyEvidence(
        family.measure,
        family.variant,
        segment,
        tuple(v.name for v in family.variables),
        tuple(v.scale for v in family.variables),
        tuple(v.centre for v in family.variables),
        arm_sums(engine, family, segment),
    )


def arm_sums(engine: DuckDB, family: Family, segment: str | None) -> tuple[ArmSums, ...]:
    """Exact sums per arm (and level) of one family, over the per-unit rows."""
    width = len(family.variables)
    at = 3 if segment is not None else 2
    found = []
    for row in engine.run(quantities.moments_step(family, "per_unit", segment)):
        level = None if segment is None else ("(none)" if row[2] is None else str(row[2]))
        numbers = [int(value) for value in row[at:]]
        sums, products = tuple(numbers[1 : 1 + width]), tuple(numbers[1 + width :])
        found.append(ArmSums(str(row[0]), int(row[1]), level, numbers[0], sums, products))
    return tuple(found)


def _quantiles(engine: DuckDB, design: Design) -> tuple[QuantileEvidence, ...]:
    found = []
    for index, measure in enumerate(design.measures):
        if measure.metric.type != "quantile":
            continue
        alpha = measure.alpha if measure.sides == 2 else min(2 * measure.alpha, 0.5)
        segments = [measure.segment]
        if measure.role == "primary":
            segments += sorted(design.written.segments)
        for segment in dict.fromkeys(segments):
            arms = quantile_sums(engine, index, measure.metric, alpha, segment)
            found.append(QuantileEvidence(index, segment, alpha, 10**measure.metric.decimals, arms))
    return tuple(found)


def _flags() -> Step:
    return Step(
        "flags",
        "SELECT count(CASE WHEN several_arms THEN 1 END), count(CASE WHEN differing_rows > 0 THEN 1 END), count(*), "
        "count(CASE WHEN exposed_us < assigned_us THEN 1 END) FROM fate WHERE unit IS NOT NULL",
    )


def _guarded(reading: Reading) -> Sequence[str]:
    return [g.segment for g in reading.design.guardrails if g.segment]


def _plain(value: Any) -> Any:
    """JSON values: enums as numbers, tuples as lists."""
    if isinstance(value, Fate):
        return int(value)
    if isinstance(value, dict):
        return {key: _texts(item) if key in EXACT else _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


EXACT = frozenset({"sums", "products"})


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value]


def units_in(fates: Sequence[FateCount], arm: int, *wanted: Fate) -> int:
    return sum(count.units for count in fates if count.arm == arm and count.fate in wanted)
