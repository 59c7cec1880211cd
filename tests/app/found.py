"""What the worker leaves in the jobs of an experiment, found in this process: the pages only read it."""

from __future__ import annotations

from pathlib import Path

from app.cli.session import open_workspace_registry
from app.settings import load_settings
from app.worker import Worker
from registry import claims, jobs
from registry.jobs import Kind


def check(folder: Path, experiment: str, *, by: str = "mira") -> None:
    """Health and the next look's standing, asked for and found."""
    work(folder, experiment, Kind.HEALTH, Kind.LOOK_STATUS, by=by)


def work(folder: Path, experiment: str, *kinds: Kind, by: str = "mira") -> None:
    """Ask for jobs and let the worker do all that waits."""
    with open_workspace_registry(load_settings(folder)) as registry:
        for kind in kinds:
            jobs.request(registry, by, kind, experiment)
    Worker(folder).run(once=True)


def fail(folder: Path, experiment: str, error: str, *, by: str = "mira") -> None:
    """A health check that failed."""
    with open_workspace_registry(load_settings(folder)) as registry:
        jobs.request(registry, by, Kind.HEALTH, experiment)
        job = claims.claim(registry, "worker")
        assert job is not None
        claims.fail(registry, job.id, "worker", error)
