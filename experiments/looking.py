"""Taking a look, without a registry: status from counts, then the cohort, then outcomes once, then the readout.

``registry.looks`` wraps this in permissions, the ledger and the seal. Tests, rehearsals and simulations call it directly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path as FilePath

from experiments.cohort import CutOff, Fate
from experiments.design import Design
from experiments.evidence import Evidence, gather_cohort, join_rate, sums_of
from experiments.judgement import cohort_is_valid
from experiments.logs import OutcomeSources, Sources
from experiments.manifest import Manifest
from experiments.reading import Reading
from experiments.readout import Check, Statement
from experiments.sql import MICROSECONDS, Step, at_moment
from experiments.stopping import LookStatus, fixed_look, start_of_enrolment
from experiments.validity import holds
from experiments.watermark import Watermark

SCRATCH_STEPS = frozenset({"first", "reach", "flags"})


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
        return any(check.result == "hold" for check in self.held)


def status_of(design: Design, reading: Reading) -> tuple[LookStatus, Watermark]:
    """Whether the look is due. Reads assignments and exposures; of outcome logs only how far they are complete."""
    watermark = reading.watermark()
    first = reading.first_exposure_us()
    start = None if first is None else start_of_enrolment(first)
    step_us = design.written.stopping.step * MICROSECONDS
    counts = reading.enrolment(start or 0, step_us)
    return fixed_look(design, counts, start, watermark.us, timed=reading.timed), watermark


def first_exposure(design: Design, sources: Sources) -> datetime | None:
    """When the first unit of this experiment was exposed; None without times or without units."""
    with Reading(design, sources) as reading:
        reading.place_units()
        first = reading.first_exposure_us()
    return None if first is None else at_moment(first)


def look_status(
    design: Design, sources: Sources, outcomes: OutcomeSources | None
) -> tuple[LookStatus, Watermark]:
    """The status of the look, from logs on disk."""
    with Reading(design, sources, outcomes) as reading:
        reading.place_units()
        return status_of(design, reading)


def take_look(
    design: Design,
    sources: Sources,
    outcomes: OutcomeSources,
    *,
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
        cut_off: where the cohort ends; by default what the stopping rule says.
        extract: where to write the frozen per-unit rows.
        sealed: read only the files that a seal names.
        before_outcomes: called with the number of units just before their outcomes are read, to record the read.
    """
    with Reading(design, sources, outcomes, threads=threads, memory=memory, sealed=sealed) as reading:
        reading.place_units()
        status, watermark = status_of(design, reading)
        at = cut_off if cut_off is not None else status.cut_off
        cohort = gather_cohort(reading, at)
        clock = reading.clock_oddities()
        held = holds(design, cohort, joined=None, clock=clock)
        evidence = Evidence(cohort, None)
        due = status.due or cut_off is not None
        if due and not any(c.result == "hold" for c in held) and cohort_is_valid(design, evidence):
            if before_outcomes is not None:
                before_outcomes(sum(c.units for c in cohort.fates if c.fate is Fate.ANALYSED))
            reading.select_mature(at)
            plan = reading.plan()
            reading.aggregate(plan)
            held = holds(design, cohort, joined=join_rate(reading.engine), clock=clock)
            if any(c.result == "hold" for c in held):  # no sum by arm has been formed yet, and none is
                return Taken(status, watermark, evidence, tuple(held), reading.manifest(), ())
            evidence = Evidence(cohort, sums_of(reading.engine, design, plan))
            if extract is not None:
                reading.write_extract(extract)
        return Taken(
            status, watermark, evidence, tuple(held), reading.manifest(), statements_of(reading.engine.steps)
        )


def statements_of(steps: list[Step]) -> tuple[Statement, ...]:
    """The SQL behind the numbers, each statement once, laid out for reading."""
    found: dict[str, Statement] = {}
    for step in steps:
        if step.name not in SCRATCH_STEPS:
            found.setdefault(step.sql, Statement(step=step.name, sql=step.pretty()))
    return tuple(found.values())
