"""What the worker would leave in the jobs of an experiment, found in this process: the pages only read it."""

from __future__ import annotations

from pathlib import Path

from app.cli.session import Session, open_workspace_registry
from app.settings import load_settings
from experiments.looks.health import Health, health_of
from registry import jobs
from registry.findings import HealthFound, LookStanding, LookStatusFound
from registry.jobs import Job, Kind
from registry.looks import report
from registry.plans import locked_design
from registry.store import show


def ask(folder: Path, kind: str, experiment: str, *, by: str = "mira") -> Job:
    """A job that waits."""
    with open_workspace_registry(load_settings(folder)) as registry:
        return jobs.request(registry, by, kind, experiment)


def check(folder: Path, experiment: str, *, by: str = "mira") -> None:
    """Health and the next look's standing, asked for and found."""
    settings = load_settings(folder)
    with open_workspace_registry(settings) as registry:
        session = Session(settings, registry, None)
        for kind in (Kind.HEALTH, Kind.LOOK_STATUS):
            jobs.request(registry, by, kind, experiment)
        while (job := jobs.claim(registry, "worker", (Kind.HEALTH, Kind.LOOK_STATUS))) is not None:
            finding = _health(session, job) if job.kind is Kind.HEALTH else _standing(session, job)
            jobs.finish(registry, job.id, "worker", finding)


def fail(folder: Path, experiment: str, error: str, *, by: str = "mira") -> None:
    """A health check that failed."""
    with open_workspace_registry(load_settings(folder)) as registry:
        jobs.request(registry, by, Kind.HEALTH, experiment)
        job = jobs.claim(registry, "worker")
        assert job is not None
        jobs.fail(registry, job.id, "worker", error)


def _health(session: Session, job: Job) -> HealthFound:
    design, _ = locked_design(show(session.registry, job.entity))
    outcomes, now = session.outcomes_if_any(design), session.registry.clock.now()
    found = health_of(design, session.sources, outcomes, now=now, experiment=job.entity)
    return HealthFound.model_validate({name: getattr(found, name) for name in Health.model_fields})


def _standing(session: Session, job: Job) -> LookStatusFound:
    design, _ = locked_design(show(session.registry, job.entity))
    found = report(session.registry, job.entity, session.sources, session.outcomes_if_any(design))
    return LookStatusFound(
        state=found.state.value,
        look=None if found.status is None else LookStanding.of_status(found.status),
        watermark=None,
        watermark_why="" if found.watermark is None else found.watermark.why,
    )
