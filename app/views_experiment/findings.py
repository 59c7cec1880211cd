"""What the worker found of an experiment, and what it is still at: from the rows of its jobs, which hold no outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from experiments.looks.health import Health
from registry.database import Registry
from registry.findings import HealthFound, LookFound, LookStanding, LookStatusFound, WatchFound
from registry.jobs import Job, JobState, Kind, jobs_of, latest
from registry.store import Dossier

WATCHED: Final = (Kind.HEALTH, Kind.LOOK_STATUS, Kind.LOOK, Kind.WATCH)
_RECENT: Final = 12


@dataclass(frozen=True, slots=True)
class Findings:
    """The newest finding of each kind, with the time it was found; None where there is none yet.

    Attributes:
        standing: of the look that is next now; one of an earlier look says nothing any more.
        at_work: jobs that wait or run, oldest first.
        failed: the newest job of its kind, where that failed.
        since: from when on each health check has had the result that it has, by its name.
    """

    health: Health | None
    health_at: datetime | None
    standing: LookStanding | None
    standing_at: datetime | None
    look: LookFound | None
    look_at: datetime | None
    watch: WatchFound | None
    watch_at: datetime | None
    at_work: tuple[Job, ...]
    failed: tuple[Job, ...]
    since: Mapping[str, datetime] = field(default_factory=dict)


def findings_of(registry: Registry, dossier: Dossier) -> Findings:
    """What is known of an experiment beside its record."""
    id = dossier.experiment.id
    recent = [job for job in jobs_of(registry, id, _RECENT) if job.kind in WATCHED]
    newest = {job.kind: job for job in reversed(recent)}
    done = {kind: latest(registry, id, kind, (JobState.DONE,)) for kind in WATCHED}
    health, standing, look, watch = (done[kind] for kind in WATCHED)
    healthy = None if health is None else _health(health)
    return Findings(
        health=healthy,
        health_at=None if health is None else health.finished_at,
        standing=_standing(standing, dossier),
        standing_at=None if standing is None else standing.finished_at,
        look=None if look is None or look.result is None else LookFound.model_validate(look.result),
        look_at=None if look is None else look.finished_at,
        watch=None if watch is None or watch.result is None else WatchFound.model_validate(watch.result),
        watch_at=None if watch is None else watch.finished_at,
        at_work=tuple(job for job in reversed(recent) if job.unfinished),
        failed=tuple(job for job in newest.values() if job.state is JobState.FAILED),
        since={} if healthy is None else healthy.since,
    )


def _health(job: Job) -> HealthFound | None:
    if job.result is None:
        return None
    return HealthFound.model_validate({name: value for name, value in job.result.items() if name != "health"})


def _standing(job: Job | None, dossier: Dossier) -> LookStanding | None:
    if job is None or job.result is None:
        return None
    found = LookStatusFound.model_validate(job.result).look
    following = 1 + sum(look.status == "sealed" for look in dossier.looks)
    return found if found is not None and found.k == following else None
