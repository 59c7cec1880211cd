"""Work that takes time: people ask for it here, and read how far it has come; a worker does it (`registry.claims`).

Jobs are operational. The ledger records that somebody asked, and whatever a job does to an experiment is an act of its own;
the rows here are not vouched for. An act that rests on what a job found (a lock, on the exposures in the logs) repeats it in its
own record. What a job leaves behind has a closed vocabulary without
outcomes (`registry.findings`), for everybody may read it before the look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from registry.actors import Role
from registry.acts import act
from registry.asking import Kind, asked, note_objections
from registry.canonical import canonical_json
from registry.clock import Clock, SystemClock, parse_instant
from registry.database import Registry
from registry.errors import Unknown
from registry.tables import jobs

__all__ = [
    "Job",
    "JobState",
    "Kind",
    "asked_by",
    "cancel",
    "find",
    "jobs_of",
    "latest",
    "request",
    "silent",
    "unfinished",
]

MACHINE: Final = SystemClock()
"""Tells whether a worker is still alive. A simulated clock may stand still; a worker that does is dead."""

STALE_AFTER: Final = timedelta(seconds=60)
"""A job whose worker has been silent for so long is given to another."""


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNFINISHED: Final = (JobState.QUEUED, JobState.RUNNING)
FINISHED_ONCE_BEGUN: Final = {
    Kind.LOOK: "is reading outcomes: what is opened is sealed",
    Kind.WATCH: "is reading outcomes: what is opened is sealed",
    Kind.CASES: "is reading answers and labels: what is drawn is kept",
    Kind.UPLOAD_COMMIT: "is laying a file among the logs: what is recorded is put in place",
}
"""Kinds that are not broken off once they run, and why."""


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.

    Attributes:
        entity: the experiment's id; of what is about a source, the source's name.
        requested_at, finished_at: by the registry's clock.
        heartbeat_at: by the machine's clock: when its worker was last heard of.
        attempts: how many workers have begun it.
        progress: 0 to 1.
        result: what it found, without outcomes; None until it is done.
        error: why it failed, in words for people.
    """

    id: int
    kind: Kind
    entity: str
    parameters: Mapping[str, Any]
    state: JobState
    requested_by: str
    requested_at: datetime
    claimed_by: str | None
    heartbeat_at: datetime | None
    attempts: int
    progress: float
    progress_text: str
    finished_at: datetime | None
    result: Mapping[str, Any] | None
    error: str | None

    @property
    def unfinished(self) -> bool:
        return self.state in UNFINISHED


def request(
    registry: Registry, actor: str, kind: Kind | str, entity: str, parameters: Mapping[str, Any] | None = None
) -> Job:
    """Ask for a job; one that is equal and not finished yet is given instead of a second one.

    Raises:
        ValueError: a kind or parameters there are not.
        Refused: the actor may not ask for this, or not now.
        Unknown: no such experiment.
    """
    wanted = Kind(kind)
    given = asked(wanted, parameters or {})
    with act(registry, actor, f"ask for {wanted}", entity) as doing:
        doing.role = note_objections(doing, wanted, given)
        doing.refuse_if_objections()
        waiting = _equal(doing.connection, wanted, entity, given)
        if waiting is not None:
            return waiting
        id = (doing.connection.execute(select(func.max(jobs.c.id))).scalar_one() or 0) + 1
        row = {
            "id": id,
            "kind": wanted.value,
            "entity": entity,
            "parameters": given,
            "state": JobState.QUEUED.value,
            "requested_by": doing.actor.id,
            "requested_at": doing.at,
            "attempts": 0,
            "progress": 0.0,
            "progress_text": "Waiting for a worker",
        }
        doing.connection.execute(insert(jobs).values(row))
        doing.facts = {"job": id, "parameters": given}
        doing.summary = f"Asked for {wanted} of {entity} (job {id})."
    return find(registry, id)


def cancel(registry: Registry, actor: str, id: int) -> Job:
    """Take a job back: whoever asked for it, or an admin. Once outcomes are being read it is finished."""
    job = find(registry, id)
    with act(registry, actor, "cancel job", job.entity) as doing:
        job = job_in(doing.connection, id)
        doing.role = (
            Role.ADMIN if doing.actor.has(Role.ADMIN) else min(doing.actor.roles, default=Role.VIEWER)
        )
        if actor != job.requested_by and not doing.actor.has(Role.ADMIN):
            doing.object(
                f"Job {id} was asked for by {job.requested_by}.",
                when_possible=f"for {job.requested_by}, or an admin.",
                what_to_do=f"Ask {job.requested_by}.",
            )
        if not job.unfinished:
            doing.object(
                f"Job {id} is {job.state}.",
                when_possible="while it waits or runs.",
                what_to_do="Nothing: it has ended.",
            )
        elif job.state is JobState.RUNNING and job.kind in FINISHED_ONCE_BEGUN:
            doing.object(
                f"Job {id} {FINISHED_ONCE_BEGUN[job.kind]}.",
                when_possible="while it waits.",
                what_to_do="Wait until it is done.",
            )
        doing.refuse_if_objections()
        doing.connection.execute(
            update(jobs)
            .where(jobs.c.id == id)
            .values(state=JobState.CANCELLED.value, finished_at=doing.at, progress_text="Cancelled")
        )
        doing.facts = {"job": id}
        doing.summary = f"Cancelled {job.kind} of {job.entity} (job {id})."
    return find(registry, id)


def find(registry: Registry, id: int) -> Job:
    """A job by its number.

    Raises:
        Unknown: when there is none.
    """
    with registry.reading() as connection:
        return job_in(connection, id)


def jobs_of(registry: Registry, entity: str, limit: int = 50) -> tuple[Job, ...]:
    """The jobs of an experiment or a source, newest first."""
    query = select(jobs).where(jobs.c.entity == entity).order_by(jobs.c.id.desc()).limit(limit)
    with registry.reading() as connection:
        return tuple(job_from(row) for row in connection.execute(query).mappings())


def asked_by(registry: Registry, person: str, kind: Kind | str, limit: int = 20) -> tuple[Job, ...]:
    """The jobs of a kind that somebody asked for, newest first."""
    mine = (jobs.c.requested_by == person, jobs.c.kind == Kind(kind).value)
    with registry.reading() as connection:
        query = select(jobs).where(*mine).order_by(jobs.c.id.desc()).limit(limit)
        return tuple(job_from(row) for row in connection.execute(query).mappings())


def unfinished(registry: Registry) -> tuple[Job, ...]:
    """Every job that waits or runs, oldest first."""
    query = select(jobs).where(jobs.c.state.in_(UNFINISHED)).order_by(jobs.c.id)
    with registry.reading() as connection:
        return tuple(job_from(row) for row in connection.execute(query).mappings())


def latest(
    registry: Registry, entity: str, kind: Kind | str, states: Iterable[JobState] = tuple(JobState)
) -> Job | None:
    """The newest job of a kind, in one of these states; None when there is none."""
    with registry.reading() as connection:
        return newest(connection, entity, Kind(kind), tuple(states))


def silent(job: Job, *, machine: Clock = MACHINE) -> bool:
    """Whether a running job's worker has not been heard of for so long that another may take it."""
    heard = job.heartbeat_at
    return job.state is JobState.RUNNING and heard is not None and machine.now() - heard > STALE_AFTER


def newest(connection: Connection, entity: str, kind: Kind, states: tuple[JobState, ...]) -> Job | None:
    """As `latest`, inside a transaction."""
    query = (
        select(jobs)
        .where(jobs.c.entity == entity, jobs.c.kind == kind.value, jobs.c.state.in_(states))
        .order_by(jobs.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else job_from(row)


def _equal(connection: Connection, kind: Kind, entity: str, parameters: Mapping[str, Any]) -> Job | None:
    query = select(jobs).where(
        jobs.c.entity == entity, jobs.c.kind == kind.value, jobs.c.state.in_(UNFINISHED)
    )
    found = (job_from(row) for row in connection.execute(query.order_by(jobs.c.id)).mappings())
    return next(
        (job for job in found if canonical_json(job.parameters) == canonical_json(dict(parameters))), None
    )


def job_in(connection: Connection, id: int) -> Job:
    """As `find`, inside a transaction."""
    row = connection.execute(select(jobs).where(jobs.c.id == id)).mappings().one_or_none()
    if row is None:
        raise Unknown(f"there is no job {id}")
    return job_from(row)


def job_from(row: RowMapping) -> Job:
    """A job from its row."""
    values: dict[str, Any] = {name: row[name] for name in Job.__slots__}
    for name in ("requested_at", "heartbeat_at", "finished_at"):
        values[name] = None if row[name] is None else parse_instant(row[name])
    values["kind"], values["state"] = Kind(row["kind"]), JobState(row["state"])
    return Job(**values)
