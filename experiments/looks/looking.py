"""Taking a look, without a registry: status from counts, then the cohort, then outcomes once, then the readout.

``registry.looks`` wraps this in permissions, the ledger and the seal. Tests, rehearsals and simulations call it directly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path as FilePath

from experiments.cohorts.cohort import CutOff, Fate, closed
from experiments.cohorts.evidence import CohortEvidence, Evidence, units_in
from experiments.cohorts.gathering import gather_cohort, gather_cohorts, sums_by_experiment, sums_of
from experiments.cohorts.reading import Reading
from experiments.designs.design import Design
from experiments.logs.manifest import Manifest
from experiments.logs.sources import OutcomeSources, Sources
from experiments.logs.sql import Step, at_moment
from experiments.logs.watermark import Watermark
from experiments.looks.holds import holds, is_held, join_check
from experiments.looks.stopping import LookStatus, information, next_look, start_of_enrolment, steps_of
from experiments.readouts.judgement import cohort_is_valid
from experiments.readouts.past import PastLook
from experiments.readouts.readout import Check, Statement

SCRATCH_STEPS = frozenset({"first", "last", "reach", "flags", "enrolment", "analysed", "readable", "seen"})


@dataclass(frozen=True, slots=True)
class Taken:
    """What one look found. ``evidence`` holds no outcomes when the cohort was not valid or the look is held."""

    status: LookStatus
    watermark: Watermark
    evidence: Evidence
    held: tuple[Check, ...]
    manifest: Manifest
    statements: tuple[Statement, ...]

    @property
    def is_held(self) -> bool:
        return is_held(self.held)


def status_of(
    design: Design, reading: Reading, past: Sequence[PastLook] = ()
) -> tuple[LookStatus, Watermark]:
    """Whether the next look is due. Reads assignments and exposures; of outcome logs only how far they are complete."""
    watermark = reading.watermark()
    reading.place_units()
    first = reading.first_exposure_us()
    start = None if first is None else start_of_enrolment(first)
    enrolled = reading.enrolment(start or 0, steps_of(design)[2])
    status = next_look(design, past, enrolled, reading.analysed, start, watermark.us, timed=reading.timed)
    return status, watermark


def first_exposure(design: Design, sources: Sources) -> datetime | None:
    """When the first unit of this experiment was exposed; None without times or without units."""
    with Reading(design, sources) as reading:
        reading.place_units()
        first = reading.first_exposure_us()
    return None if first is None else at_moment(first)


def look_status(
    design: Design, sources: Sources, outcomes: OutcomeSources | None, past: Sequence[PastLook] = ()
) -> tuple[LookStatus, Watermark]:
    """The status of the look after those taken, from logs on disk."""
    with Reading(design, sources, outcomes) as reading:
        return status_of(design, reading, past)


def take_look(
    design: Design,
    sources: Sources,
    outcomes: OutcomeSources,
    *,
    past: Sequence[PastLook] = (),
    cut_off: CutOff | None = None,
    extract: FilePath | None = None,
    threads: int | None = None,
    memory: str | None = None,
    sealed: Manifest | None = None,
    before_outcomes: Callable[[int], None] | None = None,
) -> Taken:
    """Read the logs once at the look's cut-off.

    Outcomes are read only when the look is due (or a cut-off is given, for a seal being verified or an experiment stopped
    by hand), the cohort is valid and nothing holds the look.

    Args:
        past: the looks sealed before this one.
        cut_off: where the cohort ends; by default what the stopping rule says.
        extract: where to write the frozen per-unit rows.
        sealed: read only the files that a seal names.
        before_outcomes: called with the number of units just before their outcomes are read, to record the read.
    """
    with Reading(design, sources, outcomes, threads=threads, memory=memory, sealed=sealed) as reading:
        status, watermark = status_of(design, reading, past)
        at = status.cut_off if cut_off is None else closed(cut_off, design)
        reading.place_units(at.watermark_us)
        cohort = gather_cohort(reading, at)
        if cut_off is not None:
            status = _at_cut_off(design, status, cohort)
        held = holds(design, reading, cohort)
        evidence = Evidence(cohort, None)
        due = status.due or cut_off is not None
        if due and not is_held(held) and cohort_is_valid(design, evidence):
            units = sum(c.units for c in cohort.fates if c.fate is Fate.ANALYSED)
            if before_outcomes is not None:
                before_outcomes(units)
            reading.select_mature(at)
            plan = reading.plan()
            reading.aggregate(plan)
            held.append(join_check(design, reading))
            if not is_held(held):  # else no sum by arm has been formed, and none is
                absent = reading.absent_events(plan)
                evidence = Evidence(cohort, sums_of(reading.engine, design, plan, absent))
                if extract is not None:
                    reading.write_extract(extract)
        manifest = reading.manifest(values_read=evidence.outcomes is not None)
        statements = statements_of(reading.engine.steps)
        return Taken(status, watermark, evidence, tuple(held), manifest, statements)


def take_looks(
    design: Design,
    sources: Sources,
    outcomes: OutcomeSources,
    experiments: Sequence[str],
    cut_off: CutOff,
    *,
    threads: int | None = None,
) -> dict[str, Evidence]:
    """The evidence of many experiments of one design that lie in the same logs, at one cut-off.

    For simulations: the logs are read once for all of them, also the outcomes of those whose allocation turns out broken.
    """
    at = closed(cut_off, design)
    with Reading(design, sources, outcomes, threads=threads, experiments=tuple(experiments)) as reading:
        reading.place_units(at.watermark_us)
        cohorts = gather_cohorts(reading, at)
        reading.select_mature(at)
        plan = reading.plan()
        reading.aggregate(plan)
        sums = sums_by_experiment(reading.engine, design, plan, reading.absent_events(plan))
    return {name: Evidence(cohort, sums.get(name)) for name, cohort in cohorts.items()}


def _at_cut_off(design: Design, status: LookStatus, cohort: CohortEvidence) -> LookStatus:
    """The status with what was reached at a cut-off that the stopping rule did not choose."""
    units = tuple(units_in(cohort.fates, arm, Fate.ANALYSED) for arm in range(len(design.arms)))
    reached = information(design, units)
    short = status.final and reached < 1
    return replace(status, cut_off=cohort.cut_off, information=reached, short=short, enrolled=units)


def statements_of(steps: list[Step]) -> tuple[Statement, ...]:
    """The SQL behind the numbers, laid out for reading: each statement once, and of a table that was made again the last."""
    found: dict[str, Step] = {}
    for step in steps:
        if step.name in SCRATCH_STEPS:
            continue
        key = step.sql.split(" AS ", 1)[0] if step.sql.startswith("CREATE") else step.sql
        found.pop(key, None)
        found[key] = step
    return tuple(Statement(step=step.name, sql=step.pretty()) for step in found.values())
