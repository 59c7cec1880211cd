"""Watching the declared harm stops between looks: of all that is read, only whether one has tripped comes out.

The watched cohort is that of a look: units exposed before whole days that are mature by the watermark. It is watched by a
confidence sequence, which may be looked at as often as wanted, also while a validity check is failing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from analysis.guardrails import GuardrailState
from experiments.cohorts.cohort import CutOff, Fate, closed
from experiments.cohorts.evidence import Evidence, units_in
from experiments.cohorts.gathering import gather_cohort, sums_of
from experiments.cohorts.reading import Reading
from experiments.designs.design import Design
from experiments.logs.sources import OutcomeSources, Sources
from experiments.logs.sql import DAY_US, MICROSECONDS, at_moment
from experiments.looks.stopping import information, start_of_enrolment
from experiments.readouts.boundaries import LookTests
from experiments.readouts.estimates import EVERYONE, Among, Estimator
from experiments.readouts.readout import Look


@dataclass(frozen=True, slots=True)
class Watched:
    """Whether a declared harm stop has tripped.

    Attributes:
        watched: the harm stops, by metric.
        tripped: those that tripped, with the treatment.
        silent: those that could say nothing yet, and why.
        units: mature units whose outcomes were read; 0 when none were.
    """

    watched: tuple[str, ...]
    tripped: tuple[str, ...]
    silent: tuple[str, ...]
    units: int


def harm_stops(design: Design) -> tuple[int, ...]:
    """Which of the design's measures are harm stops."""
    return tuple(index for index, measure in enumerate(design.measures) if measure.role == "harm-stop")


def watch(
    design: Design,
    sources: Sources,
    outcomes: OutcomeSources,
    before_outcomes: Callable[[int], None] | None = None,
) -> Watched:
    """Watch the harm stops over the units that are mature by now.

    Args:
        before_outcomes: called with the number of units just before their outcomes are read, to record the read.

    Raises:
        ValueError: a design without harm stops.
        Invalid: a log cannot be read.
    """
    indices = harm_stops(design)
    if not indices:
        raise ValueError("design: it declares no harm stop; a guardrail of role harm-stop would be watched")
    names = tuple(design.measures[index].label for index in indices)
    with Reading(design, sources, outcomes) as reading:
        watermark = reading.watermark()
        reading.place_units()
        cut_off = mature_days(design, reading.first_exposure_us(), watermark.us)
        if cut_off is None:
            return Watched(names, (), ("no unit is mature yet",), 0)
        reading.place_units(cut_off.watermark_us)
        cohort = gather_cohort(reading, cut_off)
        units = tuple(units_in(cohort.fates, arm, Fate.ANALYSED) for arm in range(len(design.arms)))
        if not all(units):
            return Watched(names, (), ("no unit is mature yet in some arm",), 0)
        if before_outcomes is not None:
            before_outcomes(sum(units))
        reading.select_mature(cut_off)
        plan = reading.plan()
        reading.aggregate(plan)
        only = replace(plan, families=tuple(f for f in plan.families if f.measure in indices))
        evidence = Evidence(cohort, sums_of(reading.engine, design, only, reading.absent_events(plan)))
    return _judged(design, evidence, indices, names, units)


def mature_days(design: Design, first_us: int | None, watermark_us: int | None) -> CutOff | None:
    """The last midnight before which every unit exposed is mature; None when nobody is. Without an end, everybody."""
    if watermark_us is None:
        return CutOff(None, None)
    if first_us is None:
        return None
    start = start_of_enrolment(first_us)
    days = (watermark_us - design.maturity * MICROSECONDS - start) // DAY_US
    return None if days < 1 else closed(CutOff(start + days * DAY_US, None), design)


def _judged(
    design: Design,
    evidence: Evidence,
    indices: tuple[int, ...],
    names: tuple[str, ...],
    units: tuple[int, ...],
) -> Watched:
    before = evidence.cohort.cut_off.before_us
    look = Look(
        k=1,
        of=1,
        final=False,
        cut_off=None if before is None else at_moment(before),
        watermark=None,
        watermark_why="",
        information=information(design, units),
        short=False,
        stopped_by_hand=False,
        enrolment_start=None,
    )
    tests = LookTests(Estimator(design, evidence), look)
    tripped, silent = [], []
    for index in indices:
        measure = design.measures[index]
        among = [EVERYONE]
        if measure.segment is not None:
            levels = tests.estimator.levels(measure.segment)
            among = [Among(segment=measure.segment, level=level) for level in levels]
        for treatment in range(1, len(design.arms)):
            arm = design.arms[treatment].name
            for one in among:
                answer = tests.ask(index, treatment, measure.alpha, one).answer
                where = measure.label if one.level is None else f"{measure.label} = {one.level}"
                state = GuardrailState.MISSING if answer.guardrail is None else answer.guardrail.state
                if state is GuardrailState.BEYOND:
                    tripped.append(f"{where} with {arm}")
                elif state is GuardrailState.MISSING:
                    silent.append(f"{where} with {arm}")
    return Watched(names, tuple(tripped), tuple(silent), sum(units))
