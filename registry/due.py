"""The newest jobs of many experiments at once, for what a worker asks for by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import func, select

from registry.asking import Kind
from registry.database import Registry
from registry.jobs import Job, JobState, job_from
from registry.tables import jobs

MOST_AT_ONCE = 500
"""Experiments in one query: a database bounds how many values it takes."""


def newest_jobs(
    registry: Registry,
    experiments: Collection[str],
    kinds: Collection[Kind],
    states: Collection[JobState] = tuple(JobState),
) -> Mapping[tuple[str, Kind], Job]:
    """The newest job of each experiment and kind, in one of these states; a handful of queries whatever their number."""
    found: dict[tuple[str, Kind], Job] = {}
    ids = sorted(experiments)
    with registry.reading() as connection:
        for begin in range(0, len(ids), MOST_AT_ONCE):
            newest = (
                select(func.max(jobs.c.id))
                .where(
                    jobs.c.entity.in_(ids[begin : begin + MOST_AT_ONCE]),
                    jobs.c.kind.in_([kind.value for kind in kinds]),
                    jobs.c.state.in_([state.value for state in states]),
                )
                .group_by(jobs.c.entity, jobs.c.kind)
            )
            for row in connection.execute(select(jobs).where(jobs.c.id.in_(newest))).mappings():
                job = job_from(row)
                found[job.entity, job.kind] = job
    return found
