"""Taking a check, without a registry: status from counts, then the cohort by step, then the guardrails once.

``registry`` wraps this in permissions, the ledger and the seal. Tests and rehearsals call it directly. Of the registry it
needs only when each step began.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path as FilePath

from experiments.canaries.design import CanaryDesign
from experiments.canaries.evidence import CanaryEvidence, gather_steps, with_sums
from experiments.canaries.holds import holds, reading_checks
from experiments.canaries.past import PastCheck
from experiments.canaries.reading import CanaryReading
from experiments.canaries.stopping import CheckStatus, check_begun, cut_off_at, next_check
from experiments.logs.manifest import Manifest
from experiments.logs.sources import OutcomeSources, Sources
from experiments.logs.watermark import Watermark
from experiments.looks.holds import is_held
from experiments.looks.looking import statements_of
from experiments.readouts.readout import Check, Statement


@dataclass(frozen=True, slots=True)
class TakenCheck:
    """What one check found. ``evidence`` holds no outcomes when the check is held, or nobody is mature."""

    status: CheckStatus
    watermark: Watermark
    evidence: CanaryEvidence
    held: tuple[Check, ...]
    manifest: Manifest
    statements: tuple[Statement, ...]

    @property
    def is_held(self) -> bool:
        return is_held(self.held)


class NotDue(ValueError):  # noqa: N818 - says what is missing, like a status
    """The next check is not due; ``status`` says what is missing and when it is expected."""

    def __init__(self, status: CheckStatus) -> None:
        self.status = status
        super().__init__(f"check {status.k} is not due: {'; '.join(status.missing)}")


def check_status(
    design: CanaryDesign,
    sources: Sources,
    outcomes: OutcomeSources | None,
    *,
    steps_begun: Sequence[datetime],
    past: Sequence[PastCheck] = (),
) -> tuple[CheckStatus, Watermark]:
    """Whether the next check is due, from logs on disk. No outcome is read; of their logs only how far they are complete.

    Raises:
        ValueError: for times at which steps began that cannot be.
        Invalid: a log cannot be read.
    """
    with CanaryReading(design, sources, outcomes) as reading:
        return _status(design, reading, steps_begun, past)


def take_check(
    design: CanaryDesign,
    sources: Sources,
    outcomes: OutcomeSources,
    *,
    steps_begun: Sequence[datetime],
    past: Sequence[PastCheck] = (),
    extract: FilePath | None = None,
    threads: int | None = None,
    memory: str | None = None,
    sealed: Manifest | None = None,
    status: CheckStatus | None = None,
    before_outcomes: Callable[[int], None] | None = None,
) -> TakenCheck:
    """Read the logs once for the check that is due.

    The guardrails are read also where a validity check fails: harm acts at once. They are not read while something that can
    be mended holds the check.

    Args:
        steps_begun: when each step began, so far, from the ladder's transitions.
        past: the checks sealed before this one.
        extract: where to write the frozen per-unit rows.
        sealed: read only the files that a seal names.
        status: of the check to take, for a seal being verified; by default the next one, which must be due.
        before_outcomes: called with the number of units just before their outcomes are read, to record the read.

    Raises:
        NotDue: the next check is not due.
        ValueError: for times at which steps began that cannot be.
        Invalid: a log cannot be read.
    """
    with CanaryReading(design, sources, outcomes, threads=threads, memory=memory, sealed=sealed) as reading:
        watermark = reading.watermark()
        if status is None:
            status, watermark = _status(design, reading, steps_begun, past)
        if not status.due or status.at is None:
            raise NotDue(status)
        at, cut_off = status.at, cut_off_at(status.at)
        rows = reading.place_in_steps(steps_begun, at)
        evidence = gather_steps(reading, design, steps_begun, at, rows)
        held = holds(design, reading, evidence, steps_begun, at)
        control, candidate = evidence.analysed_in_all()
        if not is_held(held) and control and candidate:
            reading.select_in_steps(cut_off)
            if before_outcomes is not None:
                before_outcomes(control + candidate)
            plan = reading.plan()
            reading.aggregate(plan)
            held += reading_checks(design, reading)
            if not is_held(held):  # else no sum by arm has been formed, and none is
                absent = {*reading.absent_events(plan)}
                if design.written.days_without_rows == "hold":
                    absent |= {*reading.silent_events()}
                evidence = with_sums(evidence, reading, plan, tuple(sorted(absent)))
                if extract is not None:
                    reading.write_extract(extract)
        manifest = reading.manifest(values_read=evidence.read)
        return TakenCheck(
            status, watermark, evidence, tuple(held), manifest, statements_of(reading.engine.steps)
        )


def _status(
    design: CanaryDesign, reading: CanaryReading, begun: Sequence[datetime], past: Sequence[PastCheck]
) -> tuple[CheckStatus, Watermark]:
    check_begun(design, begun)
    watermark = reading.watermark()

    def units_at(at: datetime) -> tuple[tuple[int, int], ...]:
        reading.place_in_steps(begun, at)
        return reading.analysed_by_step(cut_off_at(at), len(begun))

    return next_check(design, past, begun, units_at, watermark.us), watermark
