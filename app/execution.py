"""What a worker does for each kind of job. It alone opens outcome logs; what it leaves behind has no field for an outcome."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from app.cli.errors import BadUsage, Refusal
from app.cli.session import Session
from experiments.forms.problems import Invalid, Problem
from experiments.logs.sql import at_moment
from registry import lifecycle
from registry.actors import SYSTEM_ID
from registry.errors import Refused, RegistryError
from registry.findings import (
    ExposureFound,
    Finding,
    HealthFound,
    LogFound,
    LookFound,
    LookStanding,
    LookStatusFound,
    MappedColumnFound,
    NamedFound,
    SimulationFound,
    SourceFound,
    WatchFound,
)
from registry.jobs import Job, JobState, Kind, latest
from registry.looks import WentOn
from registry.store import Dossier, show

_UNREAD_VALUE: Final = re.compile(
    r"\b((?:Conversion|Invalid Input|Out of Range|Mismatch Type|Parser|Internal) Error): .*?(?=\. Not a number|$)"
)
"""Where the engine repeats what it could not read; nobody but those who run the worker may see that."""

Report = Callable[[float | None, str | None], None]
"""Takes how far the work has come, 0 to 1, and in words. Raises to break it off."""


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
        return "\n".join([f"{error.what} cannot be used:", *_without_values(error.problems)])
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


def _without_values(problems: Sequence[Problem]) -> tuple[str, ...]:
    """Each problem as its first line, for the engine's further lines quote rows, and without a value it quotes there."""
    first = (str(problem).splitlines()[0] for problem in problems)
    return tuple(_UNREAD_VALUE.sub(r"\1 (what was read is not repeated here)", line) for line in first)


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
    design, _ = locked_design(show(session.registry, job.entity))
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
    try:
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


def _source_check(session: Session, job: Job, report: Report) -> Finding:
    from experiments.logs.inspection import inspect_source

    report(None, "Opening the logs")
    outcomes = session.outcomes if session.settings.outcomes.is_file() else None
    if outcomes is not None and job.entity not in outcomes.by_name:
        outcomes = None
    found = inspect_source(job.entity, session.sources, outcomes)
    return SourceFound(
        source=found.source,
        ok=found.ok,
        outcomes_open=outcomes is not None,
        logs=tuple(
            LogFound(
                log=log.log,
                place=log.place,
                files=len(log.files),
                columns=dict(log.columns),
                mapped=tuple(
                    MappedColumnFound(role=one.role, column=one.column, type=one.type, problem=one.problem)
                    for one in log.mapped
                ),
                rows=log.rows,
                without_unit=log.without_unit,
                first=log.first,
                last=log.last,
                watermark=log.watermark,
                watermark_why=log.watermark_why,
                arms=tuple(
                    NamedFound(name=one.name, rows=one.rows, first=one.first, last=one.last)
                    for one in log.arms
                ),
                events=tuple(
                    NamedFound(name=one.name, rows=one.rows, first=one.first, last=one.last)
                    for one in log.events
                ),
                further_names=log.further_names,
            )
            for log in found.logs
        ),
        watermark=found.watermark,
        watermark_why=found.watermark_why,
        problems=_without_values(found.problems),
    )


_EXECUTE: Final[Mapping[Kind, Callable[[Session, Job, Report], Finding]]] = {
    Kind.HEALTH: _health,
    Kind.LOOK_STATUS: _look_status,
    Kind.LOOK: _look,
    Kind.WATCH: _watch,
    Kind.SIMULATE: _simulate,
    Kind.EXPOSURE: _exposure,
    Kind.SOURCE_CHECK: _source_check,
}
