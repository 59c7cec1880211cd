"""What the worker does for a canary: whether it has begun, which check is due, and the check itself with what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.logs.sql import at_moment
from registry.findings import ExposureFound, LookFound, LookStanding, LookStatusFound
from registry.jobs import Job

if TYPE_CHECKING:
    from app.cli.session import Session
    from experiments.canaries.design import CanaryDesign
    from registry.canarying import CanaryReport
    from registry.store import Dossier


def look_status(session: Session, job: Job) -> LookStatusFound:
    """Whether a check is due, and what it waits for. A step whose answer never came is rolled back where its plan says so."""
    from experiments.canaries.cohort import cohort_of
    from registry.canarying import report
    from registry.plans import locked_canary
    from registry.store import show

    design, _ = locked_canary(show(session.registry, job.entity))
    outcomes = session.outcomes_if_any(cohort_of(design))
    found = report(session.registry, job.entity, session.sources, outcomes)
    at = found.watermark
    return LookStatusFound(
        state=found.state.value,
        look=_standing(design, found),
        watermark=None if at is None or at.us is None else at_moment(at.us),
        watermark_why="" if at is None else at.why,
    )


def look(session: Session, job: Job) -> LookFound | None:
    """The check that is due; None where it ended the canary, which is told as of every released readout."""
    from registry.canarying import take

    found = take(
        session.registry,
        job.requested_by,
        job.entity,
        session.sources,
        session.outcomes,
        session.extracts,
    )
    if found.verdict.code != "CONTINUE":
        return None
    return LookFound(outcome="CONTINUE", k=found.look.k, of=found.look.of)


def exposure(session: Session, dossier: Dossier) -> ExposureFound:
    """Whether units were exposed already, for the lock."""
    from experiments.canaries.design import reopen_canary
    from experiments.rollouts.beginnings import canary_begun
    from registry.canarying import exposure_of_canary

    design, sources = reopen_canary(dossier.draft, dossier.draft_written), session.sources
    found = exposure_of_canary(design, sources)
    return ExposureFound(
        sha256=dossier.experiment.draft_sha256,
        source=design.written.source,
        key=design.key,
        begun=canary_begun(design, sources),
        first_exposure_at=found.first_exposure_at,
        data_complete=found.data_complete,
    )


def _standing(design: CanaryDesign, found: CanaryReport) -> LookStanding | None:
    """The next check in the words of a look: information is counted in the units of the step that is on."""
    status = found.status
    if status is None or not found.steps_begun or found.paused:
        return None
    step = design.steps[len(found.steps_begun) - 1]
    units = status.units[-1] if status.units else (0, 0)
    return LookStanding(
        k=status.k,
        of=status.of,
        final=status.final,
        due=status.due,
        information=min(units) / step.minimum_units,
        wanted=None,
        short=False,
        enrolled=units,
        planned=(step.minimum_units, step.minimum_units),
        start=found.steps_begun[-1],
        mature_at=status.at,
        expected=status.expected,
        missing=status.missing,
    )
