"""What the worker does for a shadow: how far it is, whether it has begun, its look, and cases for a blinded review."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.job_words import Report
from registry.findings import CasesFound, ExposureFound, Finding, ShadowStatusFound
from registry.jobs import Job

if TYPE_CHECKING:
    from app.cli.session import Session
    from experiments.shadows.readout import ShadowReadout
    from registry.looks import LookReport, WentOn
    from registry.store import Dossier


def status(session: Session, job: Job, report: Report) -> Finding:
    """Pairs, errors, timeouts and whether labels have come; no answer and no label is read."""
    from registry import shadowing

    report(None, "Pairing requests")
    found = shadowing.status(session.registry, job.entity, session.predictions)
    return ShadowStatusFound.model_validate(found.model_dump())


def look_report(session: Session, job: Job) -> LookReport:
    """Whether the look is due, and what it waits for."""
    from registry import shadowing

    return shadowing.report(session.registry, job.entity, session.predictions)


def look(session: Session, job: Job) -> ShadowReadout | WentOn:
    """The declared look, which reads answers and labels once."""
    from registry import shadowing

    return shadowing.take(session.registry, job.requested_by, job.entity, session.predictions)


def exposure(session: Session, dossier: Dossier) -> ExposureFound:
    """Whether requests were mirrored already, for the lock."""
    from experiments.rollouts.beginnings import predictions_begun
    from experiments.shadows.design import reopen
    from registry.shadowing import exposure_of_shadow

    design, predictions = reopen(dossier.draft, dossier.draft_written), session.predictions
    found = exposure_of_shadow(design, predictions)
    return ExposureFound(
        sha256=dossier.experiment.draft_sha256,
        source=design.written.source,
        key=f"{design.written.model} {design.candidate}",
        begun=predictions_begun(design, predictions),
        first_exposure_at=found.first_exposure_at,
        data_complete=found.data_complete,
    )


def cases(session: Session, job: Job, report: Report) -> Finding:
    """Pairs for a blinded review, drawn once from the files that the sealed look read."""
    from registry import casework

    report(None, "Drawing cases")
    drawn = casework.draw(session.registry, job.requested_by, job.entity, session.predictions)
    return CasesFound(
        sha256=drawn.sha256,
        cases=len(drawn.found.cases),
        drawn=tuple((group.name, group.drawn, group.of) for group in drawn.found.groups),
    )
