"""What a worker does for each kind of job. It alone opens outcome logs; what it leaves behind has no field for an outcome."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from app import canary_work, shadow_work, source_work
from app.cli.errors import BadUsage, Refusal
from app.cli.session import Session
from app.job_words import Report, without_values
from experiments.forms.problems import Invalid
from experiments.logs.sql import at_moment
from registry import lifecycle
from registry.actors import SYSTEM_ID
from registry.errors import Refused, RegistryError
from registry.findings import (
    ExposureFound,
    Finding,
    HealthFound,
    LookFound,
    LookStanding,
    LookStatusFound,
    SimulationFound,
    WatchFound,
)
from registry.jobs import Job, JobState, Kind, latest
from registry.kinds import CANARY, SHADOW
from registry.looks import WentOn
from registry.store import Dossier, show


def execute(session: Session, job: Job, report: Report) -> Finding:
    """Do a job and give what it found.

    Raises:
        Exception: whatever stands in the way; `in_words` says it.
    """
    return _EXECUTE[job.kind](session, job, report)


def in_words(error: Exception, job: Job) -> str:
    """Why a job failed, for people who may not see outcomes: never a trace, never a value that was read."""
    if isinstance(error, Refused):
        return "\n".join(str(problem) for problem in error.problems)
    if isinstance(error, Invalid):
        return "\n".join([f"{error.what} cannot be used:", *without_values(error.problems)])
    if isinstance(error, Refusal | BadUsage):
        return "\n".join([str(error), *error.problems])
    if isinstance(error, RegistryError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}"
    return (
        f"This is a fault of Fairtrial ({type(error).__name__}); what was asked for was not done. "
        f"The worker's log says where, under job {job.id}."
    )


def _health(session: Session, job: Job, report: Report) -> Finding:
    from experiments.looks.health import health_of
    from registry.looks import notice_start
    from registry.plans import locked_design

    report(None, "Reading the logs")
    sources = session.sources
    notice_start(session.registry, job.entity, sources)
    design, _ = locked_design(show(session.registry, job.entity))
    outcomes = session.outcomes_if_any(design)
    found = health_of(design, sources, outcomes, now=session.registry.clock.now(), experiment=job.entity)
    before = latest(session.registry, job.entity, Kind.HEALTH, (JobState.DONE,))
    return HealthFound.after(found, None if before is None else before.result)


def _look_status(session: Session, job: Job, report: Report) -> Finding:
    from registry.looks import report as look_report
    from registry.plans import locked_design

    report(None, "Counting units")
    dossier = show(session.registry, job.entity)
    if dossier.experiment.kind == CANARY.name:
        return canary_work.look_status(session, job)
    if dossier.experiment.kind == SHADOW.name:
        found = shadow_work.look_report(session, job)
    else:
        design, _ = locked_design(dossier)
        found = look_report(session.registry, job.entity, session.sources, session.outcomes_if_any(design))
    at = found.watermark
    return LookStatusFound(
        state=found.state.value,
        look=None if found.status is None else LookStanding.of_status(found.status),
        watermark=None if at is None or at.us is None else at_moment(at.us),
        watermark_why="" if at is None else at.why,
    )


def _look(session: Session, job: Job, report: Report) -> Finding:
    from registry.looks import take

    if job.attempts > 1:
        report(None, "Finding out how far the worker before had come")
        done = _left_by_the_worker_before(session, job)
        if done is not None:
            return done
    report(None, "Checking the logs, then reading the outcomes once")
    kind = show(session.registry, job.entity).experiment.kind
    try:
        if kind == CANARY.name:
            went_on = canary_work.look(session, job)
            return _released(show(session.registry, job.entity)) if went_on is None else went_on
        if kind == SHADOW.name:
            found: object = shadow_work.look(session, job)
        else:
            found = take(
                session.registry,
                job.requested_by,
                job.entity,
                session.sources,
                session.outcomes,
                session.extracts,
            )
    except Refused as refused:
        return LookFound(outcome="REFUSED", because=tuple(str(problem) for problem in refused.problems))
    if isinstance(found, WentOn):
        return LookFound(
            outcome="CONTINUE", k=found.k, of=found.of, following=LookStanding.of_status(found.status)
        )
    return _released(show(session.registry, job.entity))


def _left_by_the_worker_before(session: Session, job: Job) -> Finding | None:
    """What a worker that fell silent over this look had done since it was asked for; an open look is held, to be retaken."""
    dossier = show(session.registry, job.entity)
    asked = next(
        entry.seq
        for entry in dossier.history
        if entry.action == f"ask for {job.kind}" and json.loads(entry.detail)["facts"]["job"] == job.id
    )
    since = {entry.action for entry in dossier.history if entry.seq > asked}
    if "release" in since:
        return _released(dossier)
    last = dossier.looks[-1] if dossier.looks else None
    if last is None:
        return None
    if last.status == "sealed" and last.outcome == "continue" and "seal look" in since:
        return LookFound(outcome="CONTINUE", k=last.k, of=last.of)
    if last.status == "open" and "open look" in since:
        why = f"The worker that opened it fell silent (job {job.id}); it is taken again."
        lifecycle.hold_look(session.registry, SYSTEM_ID, job.entity, last.k, why)
    return None


def _released(dossier: Dossier) -> LookFound:
    last = dossier.looks[-1]
    return LookFound(
        outcome="RELEASED",
        k=last.k,
        of=last.of,
        verdict=dossier.experiment.verdict,
        readout_sha256=dossier.experiment.readout_sha256,
    )


def _watch(session: Session, job: Job, report: Report) -> Finding:
    from registry.watching import watch

    report(None, "Watching the declared harm stops")
    found = watch(session.registry, job.requested_by, job.entity, session.sources, session.outcomes)
    return WatchFound(
        tripped=bool(found.tripped),
        harm_stops=found.watched,
        tripped_by=found.tripped,
        not_judged=found.silent,
    )


def _simulate(session: Session, job: Job, report: Report) -> Finding:
    from app.cli.simulate import document
    from experiments.simulation import simulate
    from registry.plans import saved_design

    report(None, "Reading the design")
    design = saved_design(show(session.registry, job.entity))
    found = document(
        simulate(
            design,
            replays=job.parameters["replays"],
            seed=job.parameters["seed"],
            progress=lambda done, total: report(done / total, f"{done:,} of {total:,} replays"),
        )
    )
    return SimulationFound.model_validate({name: found[name] for name in SimulationFound.model_fields})


def _exposure(session: Session, job: Job, report: Report) -> Finding:
    from experiments.logs.arrival import exposures_begun
    from registry.looks import exposure_of
    from registry.plans import saved_design

    report(None, "Asking the logs whether units were exposed")
    dossier = show(session.registry, job.entity)
    if dossier.experiment.kind == SHADOW.name:
        return shadow_work.exposure(session, dossier)
    if dossier.experiment.kind == CANARY.name:
        return canary_work.exposure(session, dossier)
    design, sources = saved_design(dossier), session.sources
    found = exposure_of(design, sources, session.outcomes_if_any(design))
    return ExposureFound(
        sha256=dossier.experiment.draft_sha256,
        source=design.written.source,
        key=design.key,
        begun=exposures_begun(design, sources),
        first_exposure_at=found.first_exposure_at,
        data_complete=found.data_complete,
    )


_EXECUTE: Final[Mapping[Kind, Callable[[Session, Job, Report], Finding]]] = {
    Kind.HEALTH: _health,
    Kind.LOOK_STATUS: _look_status,
    Kind.LOOK: _look,
    Kind.WATCH: _watch,
    Kind.SIMULATE: _simulate,
    Kind.EXPOSURE: _exposure,
    Kind.SHADOW_STATUS: shadow_work.status,
    Kind.CASES: shadow_work.cases,
    Kind.SOURCE_CHECK: source_work.check,
    Kind.UPLOAD_CHECK: source_work.look_over_upload,
    Kind.UPLOAD_COMMIT: source_work.add_upload,
}
