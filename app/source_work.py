"""What the worker does for sources: looks at their logs, looks over a file that was handed in, and adds it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from app.cli.errors import Refusal
from app.handing_in import HandedIn, LookedOver, add, look_over
from app.job_words import Report, without_values
from app.spool import discard, spool_of
from registry.findings import AddedFound, Finding, LogFound, MappedColumnFound, SourceFound, UploadFound
from registry.jobs import Job, find
from registry.uploads import added_before

if TYPE_CHECKING:
    from app.cli.session import Session
    from experiments.logs.inspection import LogReport


def check(session: Session, job: Job, report: Report) -> Finding:
    """The logs of a source: schema, counts, how they come in, and every problem."""
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
        logs=tuple(_log(log) for log in found.logs),
        watermark=found.watermark,
        watermark_why=found.watermark_why,
        problems=without_values(found.problems),
    )


def look_over_upload(session: Session, job: Job, report: Report) -> Finding:
    """A file that waits, in schema and counts."""
    report(None, "Reading the file")
    found = look_over(session.settings, job.entity, _handed_in(session, job.parameters))
    problems = [*without_values(found.report.problems), *_added_before(session, job, found)]
    target, read = found.target, found.report
    return UploadFound(
        source=job.entity,
        log=target.label,
        kind=target.kind,
        new=target.entry is not None,
        wanted=dict(target.wanted.columns),
        needed=target.wanted.needed,
        sha256=found.sha256,
        size=found.size,
        rows=read.rows,
        columns=dict(read.columns),
        hidden_columns=read.hidden_columns,
        mapping=dict(read.mapping),
        mapped=tuple(MappedColumnFound(**asdict(one)) for one in read.mapped),
        without_unit=read.without_unit,
        repeated=read.repeated,
        days=read.days,
        complete_days=found.complete_days,
        arms=read.arms,
        preview_columns=read.preview_columns,
        preview=read.preview,
        problems=tuple(problems),
        ok=not problems,
    )


def add_upload(session: Session, job: Job, report: Report) -> Finding:
    """Add a file as a job before looked it over, in the name of whoever handed it in; then it waits no more."""
    report(None, "Reading the file once more, then laying it among the logs")
    checked = find(session.registry, int(job.parameters["check"]))
    if checked.result is None:
        raise Refusal(f"job {checked.id} has found nothing")
    handed = _handed_in(session, {**checked.parameters, "columns": _exactly(checked.result)})
    upload = str(checked.parameters["upload"])
    found, files = add(
        session.settings,
        session.registry,
        job.requested_by,
        job.entity,
        handed,
        upload=upload,
        sha256=str(checked.result["sha256"]),
    )
    discard(session.settings.folder, upload, str(checked.parameters["ending"]))
    return AddedFound(
        source=job.entity,
        log=found.target.label,
        name=handed.name,
        sha256=found.sha256,
        rows=found.report.rows,
        files=files,
    )


def _exactly(result: Any) -> dict[str, str]:
    """The mapping as it was looked over: what was not mapped then is not proposed anew."""
    return {role: result["mapping"].get(role, "") for role in {*result["wanted"], *result["mapping"]}}


def _handed_in(session: Session, parameters: Any) -> HandedIn:
    file = spool_of(session.settings.folder) / f"{parameters['upload']}{parameters['ending']}"
    if not file.is_file():
        raise Refusal(
            f"{parameters['name']} no longer waits here: it was added, discarded or cleared away after a day; hand it in again"
        )
    return HandedIn(
        file, parameters["name"], parameters["log"], parameters["columns"], complete=parameters["complete"]
    )


def _added_before(session: Session, job: Job, found: LookedOver) -> list[str]:
    with session.registry.reading() as connection:
        entry = added_before(connection, job.entity, found.target.label, found.sha256)
    if entry is None:
        return []
    return [
        f"file: this very file was added already, by {entry.actor} on {entry.at[:10]} (record {entry.seq})"
    ]


def _log(log: LogReport) -> LogFound:
    found = asdict(log)
    return LogFound.model_validate(
        found
        | {
            "files": len(log.files),
            "events": [{"name": one.name, "first": one.first, "last": one.last} for one in log.events],
        }
    )
