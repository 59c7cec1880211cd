"""The worker's side of jobs: claim one, say how far it has come, leave what was found, or give it back.

Whether a worker lives is told by the machine's clock, not the registry's, which may be simulated and stand still.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, and_, or_, select, update

from registry.asking import Kind
from registry.clock import Clock, instant
from registry.database import Registry
from registry.errors import ClaimLost
from registry.events import announce_finding
from registry.jobs import MACHINE, STALE_AFTER, Job, JobState, find, job_from, job_in, newest
from registry.tables import jobs

if TYPE_CHECKING:
    from registry.findings import Finding

MOST_ATTEMPTS: Final = 3
"""A job at which so many workers died fails: it would kill the next one too."""

LONGEST_TEXT: Final = 2_000


def claim(
    registry: Registry, worker: str, kinds: Iterable[Kind] = tuple(Kind), *, machine: Clock = MACHINE
) -> Job | None:
    """Take the oldest job that waits, or whose worker has fallen silent; None when there is none.

    Of several workers that ask at once each job goes to one. `Job.attempts` above 1 tells that a worker died over it.
    """
    wanted = [Kind(kind).value for kind in kinds]
    with registry.reading() as connection:  # an idle worker keeps nobody from writing
        if _waiting(connection, wanted, machine) is None:
            return None
    with registry.writing() as connection:
        while (job := _waiting(connection, wanted, machine)) is not None:
            if job.attempts < MOST_ATTEMPTS:
                values = {
                    "state": JobState.RUNNING.value,
                    "claimed_by": worker,
                    "heartbeat_at": instant(machine.now()),
                    "attempts": job.attempts + 1,
                    "progress": 0.0,
                    "progress_text": "Begun" if job.attempts == 0 else "Begun again: its worker fell silent",
                }
                connection.execute(update(jobs).where(jobs.c.id == job.id).values(values))
                return job_in(connection, job.id)
            said = (
                f"{job.attempts} workers fell silent over it, the last was {job.claimed_by}. Look into the worker's log "
                "and its memory, then ask again."
            )
            _end(connection, job.id, JobState.FAILED, registry, error=said)
    return None


def progress(
    registry: Registry,
    job: int,
    worker: str,
    share: float | None = None,
    text: str | None = None,
    *,
    machine: Clock = MACHINE,
) -> None:
    """Say that the worker is alive, and how far it has come if given.

    Raises:
        ClaimLost: the job is no longer this worker's.
    """
    values: dict[str, Any] = {"heartbeat_at": instant(machine.now())}
    if share is not None:
        values["progress"] = min(max(share, 0.0), 1.0)
    if text is not None:
        values["progress_text"] = text[:LONGEST_TEXT]
    with registry.writing() as connection:
        _check_claim(connection, job, worker)
        connection.execute(update(jobs).where(jobs.c.id == job).values(values))


def finish(registry: Registry, job: int, worker: str, finding: Finding) -> Job:
    """Leave what was found, and announce what it changes: a check that failed or recovered, a look that came due.

    Raises:
        ClaimLost: the job is no longer this worker's.
        TypeError: for anything but the finding of this kind of job, which is what keeps outcomes out.
    """
    from registry.findings import FINDINGS

    with registry.writing() as connection:
        done = _check_claim(connection, job, worker)
        if type(finding) is not FINDINGS[done.kind]:
            raise TypeError(
                f"job {job}: {type(finding).__name__} is not allowed; {done.kind} finds {FINDINGS[done.kind].__name__}"
            )
        result = finding.model_dump(mode="json", by_alias=True)
        before = newest(connection, done.entity, done.kind, (JobState.DONE,))
        announce_finding(
            connection,
            job=job,
            kind=done.kind,
            experiment=done.entity,
            at=instant(registry.clock.now()),
            simulated=registry.clock.simulated,
            found=result,
            before=None if before is None else before.result,
        )
        _end(connection, job, JobState.DONE, registry, result=result)
    return find(registry, job)


def fail(registry: Registry, job: int, worker: str, error: str) -> Job:
    """Leave why it failed, in words for people.

    Raises:
        ClaimLost: the job is no longer this worker's.
    """
    with registry.writing() as connection:
        _check_claim(connection, job, worker)
        _end(connection, job, JobState.FAILED, registry, error=error[:LONGEST_TEXT])
    return find(registry, job)


def give_back(registry: Registry, job: int, worker: str) -> Job:
    """Put a job back that was begun and broken off in good order; the attempt does not count.

    Raises:
        ClaimLost: the job is no longer this worker's.
    """
    with registry.writing() as connection:
        begun = _check_claim(connection, job, worker)
        values = {
            "state": JobState.QUEUED.value,
            "claimed_by": None,
            "heartbeat_at": None,
            "attempts": begun.attempts - 1,
            "progress": 0.0,
            "progress_text": "Waiting for a worker",
        }
        connection.execute(update(jobs).where(jobs.c.id == job).values(values))
    return find(registry, job)


def _waiting(connection: Connection, kinds: list[str], machine: Clock) -> Job | None:
    silent_since = instant(machine.now() - STALE_AFTER)
    taken = and_(jobs.c.state == JobState.RUNNING.value, jobs.c.heartbeat_at < silent_since)
    query = (
        select(jobs)
        .where(jobs.c.kind.in_(kinds), or_(jobs.c.state == JobState.QUEUED.value, taken))
        .order_by(jobs.c.id)
        .limit(1)
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else job_from(row)


def _check_claim(connection: Connection, id: int, worker: str) -> Job:
    job = job_in(connection, id)
    if job.state is not JobState.RUNNING or job.claimed_by != worker:
        raise ClaimLost(f"job {id} is {job.state} and not {worker}'s; nothing of it was saved")
    return job


def _end(
    connection: Connection,
    id: int,
    state: JobState,
    registry: Registry,
    *,
    result: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> None:
    values: dict[str, Any] = {
        "state": state.value,
        "finished_at": instant(registry.clock.now()),
        "error": error,
    }
    if result is not None:
        values |= {"result": dict(result), "progress": 1.0}
    values["progress_text"] = "Done" if state is JobState.DONE else "Failed"
    connection.execute(update(jobs).where(jobs.c.id == id).values(values))
