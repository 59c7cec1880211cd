"""Gathers evidence from an open reading: first what the cohort shows, then, only when that is valid, sums of outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

from experiments.cohorts import log_checks, quantities
from experiments.cohorts.cohort import CutOff
from experiments.cohorts.counted import ArmCount, ArmSums, FateCount
from experiments.cohorts.evidence import CohortEvidence, FamilyEvidence, OutcomeEvidence, QuantileEvidence
from experiments.cohorts.log_checks import RowCounts
from experiments.cohorts.quantile_reading import QuantileSums, quantile_sums
from experiments.cohorts.quantities import Family, Layout, Variable
from experiments.cohorts.reading import Reading
from experiments.designs.design import Design
from experiments.designs.metrics import Metric
from experiments.logs.engines.duckdb import DuckDB
from experiments.logs.sql import Step

Counted = TypeVar("Counted", FateCount, ArmCount, ArmSums, QuantileSums)


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
