"""Evidence: everything a readout rests on, as counts and exact integer sums, and nothing of any unit.

It is gathered in two parts: what the cohort shows without outcomes, and, only when that is valid, the sums of outcomes.
The seal hashes it; the same logs give the same evidence, bit for bit, whatever the thread count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any, TypeVar

from analysis.moments import CoMoments, exact_comoments
from experiments import log_checks, quantities
from experiments.cohort import CutOff, Fate
from experiments.counted import ArmCount, ArmSums, FateCount
from experiments.design import Design
from experiments.documents import sha256_of
from experiments.engines.duckdb import DuckDB
from experiments.log_checks import RowCounts
from experiments.metrics import Metric
from experiments.quantile_reading import QuantileSums, quantile_sums
from experiments.quantities import Family, Layout, Variable
from experiments.reading import Reading
from experiments.sql import Step

Counted = TypeVar("Counted", FateCount, ArmCount, ArmSums, QuantileSums)


@dataclass(frozen=True, slots=True)
class CohortEvidence:
    """What the assignment and exposure logs show at a cut-off. No outcome was read for it.

    Attributes:
        fates: every unit of the log once, by arm; rows without a unit are counted as rows.
        by_day, by_attribute: analysed units.
        as_delivered: analysed units by arm none of whose rows has another delivered arm than the assigned one; None when
            the log names no delivered arm.
        units: units in the assignment log.
    """

    cut_off: CutOff
    fates: tuple[FateCount, ...]
    by_day: tuple[ArmCount, ...]
    by_attribute: tuple[tuple[str, tuple[ArmCount, ...]], ...]
    as_delivered: tuple[ArmCount, ...] | None
    several_arms: int
    delivered_differs: int
    units: int
    audit: tuple[tuple[str, int], ...] | None
    exposed_before_assigned: int
    rows: RowCounts


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
    """What the outcome logs show of the analysed units.

    Attributes:
        units_with_any: analysed units with any row in reach of the metrics' windows.
        absent_events: events that the design needs and no row of any log is of.
    """

    families: tuple[FamilyEvidence, ...]
    quantiles: tuple[QuantileEvidence, ...]
    units_with_any: int
    units: int
    absent_events: tuple[str, ...] = ()

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

    def units_with_value(self, measure: int, arms: int) -> tuple[int, ...]:
        """Units with a value of a measure, by arm, whether or not they have its covariates."""
        quantile = self.quantile(measure)
        counted: dict[int, int] = {}
        if quantile is not None:
            counted = {sums.arm: sums.units for sums in quantile.arms}
        else:
            family = self.family(measure, "unadjusted") or self.family(measure)
            counted = {sums.arm: sums.n for sums in family.arms} if family else {}
        return tuple(counted.get(arm, 0) for arm in range(arms))

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
    """Counts of the cohort of the one experiment that is read, at a cut-off."""
    found = gather_cohorts(reading, cut_off)
    return found[""] if found else _nobody(reading, cut_off)


def gather_cohorts(reading: Reading, cut_off: CutOff) -> dict[str, CohortEvidence]:
    """Counts of every experiment that is read (the key is empty where it is one); its units must have been placed."""
    attributes = tuple(dict.fromkeys([*sorted(reading.design.written.segments), *_guarded(reading)]))
    fates = _by_experiment(reading.waterfall(cut_off))
    by_day = _by_experiment(reading.strata(cut_off, None)) if reading.timed else {}
    by_attribute = {name: _by_experiment(reading.strata(cut_off, name)) for name in attributes}
    delivered = _by_experiment(reading.as_delivered(cut_off)) if reading.delivered else None
    audited, rows = log_checks.audit(reading), log_checks.row_counts(reading)
    found = {}
    for experiment, several, differs, units, early in reading.engine.run(_flags()):
        key = str(experiment)
        found[key] = CohortEvidence(
            cut_off=cut_off,
            fates=fates.get(key, ()),
            by_day=by_day.get(key, ()),
            by_attribute=tuple((name, by_attribute[name].get(key, ())) for name in attributes),
            as_delivered=None if delivered is None else delivered.get(key, ()),
            several_arms=int(several),
            delivered_differs=int(differs),
            units=int(units),
            audit=None if audited is None else tuple(sorted(audited.get(key, {}).items())),
            exposed_before_assigned=int(early),
            rows=rows[key],
        )
    return found


def sums_of(engine: DuckDB, design: Design, plan: Layout, absent: tuple[str, ...] = ()) -> OutcomeEvidence:
    """Sums over the per-unit tables of one experiment: those just made from the logs, or those of a sealed extract."""
    found = sums_by_experiment(engine, design, plan, absent)
    return found[""] if found else _nothing(plan, design)


def sums_by_experiment(
    engine: DuckDB, design: Design, plan: Layout, absent: tuple[str, ...] = ()
) -> dict[str, OutcomeEvidence]:
    """Sums over the per-unit tables of every experiment that is read."""
    families = [
        (family, segment, _by_experiment(arm_sums(engine, family, segment)))
        for family, segment in _wanted(centred(engine, plan), design)
    ]
    quantiles = [
        (index, segment, alpha, _by_experiment(quantile_sums(engine, index, metric, alpha, segment)))
        for index, metric, segment, alpha in _wanted_quantiles(design)
    ]
    return {
        experiment: OutcomeEvidence(
            tuple(_family(family, segment, arms.get(experiment, ())) for family, segment, arms in families),
            tuple(
                QuantileEvidence(
                    index,
                    segment,
                    alpha,
                    10 ** design.measures[index].metric.decimals,
                    arms.get(experiment, ()),
                )
                for index, segment, alpha, arms in quantiles
            ),
            with_any,
            units,
            absent,
        )
        for experiment, (with_any, units) in join_rates(engine).items()
    }


def centred(engine: DuckDB, plan: Layout) -> Layout:
    """The plan with every variable centred: where nothing is declared, at the whole number next to its mean."""
    variables = [v for v in plan.variables if v.centre is None]
    if not variables:
        return plan
    found = engine.run(quantities.centres_step(variables))[0]
    centres = {
        v.name: round(Fraction(int(total), int(n))) if n else 0
        for v, n, total in zip(variables, found[::2], found[1::2], strict=True)
    }

    def at_centre(v: Variable) -> Variable:
        return v if v.centre is not None else replace(v, centre=centres[v.name])

    families = (replace(f, variables=tuple(map(at_centre, f.variables))) for f in plan.families)
    return replace(plan, families=tuple(families))


def join_rate(engine: DuckDB) -> tuple[int, int]:
    """Analysed units with any row in reach in the outcome logs, and analysed units; arms pooled."""
    found = join_rates(engine).values()
    return sum(with_any for with_any, _ in found), sum(units for _, units in found)


def join_rates(engine: DuckDB) -> dict[str, tuple[int, int]]:
    rows = engine.run(
        Step(
            "join_rate",
            "SELECT experiment, count(CASE WHEN any_outcome THEN 1 END), count(*) FROM per_unit "
            "GROUP BY experiment ORDER BY experiment",
        )
    )
    return {str(experiment): (int(with_any), int(units)) for experiment, with_any, units in rows}


def arm_sums(engine: DuckDB, family: Family, segment: str | None) -> tuple[ArmSums, ...]:
    """Exact sums per arm (and level) of one family, over the per-unit rows."""
    width = len(family.variables)
    at = 3 if segment is not None else 2
    found = []
    for row in engine.run(quantities.moments_step(family, "per_unit", segment)):
        level = None if segment is None else str(row[2])
        numbers = [int(value) for value in row[at:]]
        sums, products = tuple(numbers[1 : 1 + width]), tuple(numbers[1 + width :])
        found.append(ArmSums(str(row[0]), int(row[1]), level, numbers[0], sums, products))
    return tuple(found)


def units_in(fates: Sequence[FateCount], arm: int, *wanted: Fate) -> int:
    return sum(count.units for count in fates if count.arm == arm and count.fate in wanted)


def _wanted(plan: Layout, design: Design) -> list[tuple[Family, str | None]]:
    """Families with the segments by which they are added up as well."""
    wanted: list[tuple[Family, str | None]] = []
    for family in plan.families:
        wanted.append((family, None))
        if family.variant in {"declared", "unadjusted"}:
            wanted += [(family, segment) for segment in _segments_of(design, family.measure)]
    return wanted


def _wanted_quantiles(design: Design) -> list[tuple[int, Metric, str | None, float]]:
    """Quantile measures by index, with their segments and the two-sided error of the interval to be made."""
    wanted = []
    for index, measure in enumerate(design.measures):
        if measure.metric.type != "quantile":
            continue
        alpha = measure.alpha if measure.sides == 2 else 2 * measure.alpha
        for segment in (None, *_segments_of(design, index)):
            wanted.append((index, measure.metric, segment, alpha))
    return wanted


def _segments_of(design: Design, index: int) -> list[str]:
    measure = design.measures[index]
    own = [measure.segment] if measure.segment is not None else []
    return own + (sorted(design.written.segments) if measure.role == "primary" else [])


def _family(family: Family, segment: str | None, arms: tuple[ArmSums, ...]) -> FamilyEvidence:
    return FamilyEvidence(
        family.measure,
        family.variant,
        segment,
        tuple(v.name for v in family.variables),
        tuple(v.scale for v in family.variables),
        tuple(v.centre or 0 for v in family.variables),
        arms,
    )


def _nothing(plan: Layout, design: Design) -> OutcomeEvidence:
    """The sums of no unit at all."""
    return OutcomeEvidence(
        tuple(_family(family, segment, ()) for family, segment in _wanted(plan, design)),
        tuple(
            QuantileEvidence(index, segment, alpha, 10**metric.decimals, ())
            for index, metric, segment, alpha in _wanted_quantiles(design)
        ),
        0,
        0,
    )


def _nobody(reading: Reading, cut_off: CutOff) -> CohortEvidence:
    """The counts of an experiment without a single row of assignments."""
    attributes = tuple(dict.fromkeys([*sorted(reading.design.written.segments), *_guarded(reading)]))
    rows = log_checks.row_counts(reading).get("", RowCounts())
    audited = () if reading.design.written.assignment.method == "fairtrial" else None
    return CohortEvidence(
        cut_off,
        (),
        (),
        tuple((name, ()) for name in attributes),
        () if reading.delivered else None,
        0,
        0,
        0,
        audited,
        0,
        rows,
    )


def _by_experiment(found: Iterable[Counted]) -> dict[str, tuple[Counted, ...]]:
    by_key: dict[str, list[Counted]] = {}
    for one in found:
        by_key.setdefault(one.experiment, []).append(one)
    return {key: tuple(values) for key, values in by_key.items()}


def _flags() -> Step:
    return Step(
        "flags",
        "SELECT experiment, count(CASE WHEN several_arms THEN unit END), count(CASE WHEN differing_rows > 0 THEN unit END), "
        "count(unit), count(CASE WHEN exposed_us < assigned_us THEN unit END) FROM fate GROUP BY experiment ORDER BY experiment",
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
