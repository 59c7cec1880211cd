"""What the logs say of exposures: asked by the caller at the moment of an act, or found by the worker just before it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from registry.acts import Act
from registry.clock import instant
from registry.jobs import Job, JobState, Kind, newest

HOLDS_FOR: Final = timedelta(minutes=15)
"""How long an act may rest on what the worker found in the logs."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a query of the logs says at the moment of an act; the caller asks them, people do not type it."""

    first_exposure_at: datetime | None
    """The earliest exposure in the logs; None when there is none."""
    data_complete: bool = False
    """Whether the data the plan asks for are all there already."""
    job: int | None = None
    """The worker's job that found it; None where the caller asked the logs itself."""


def exposure_found(act: Act, sha256: str) -> Exposure:
    """What the worker found last for this plan; noted as an objection where there is nothing that still holds."""
    job = newest(act.connection, act.entity, Kind.EXPOSURE, (JobState.DONE,))
    why = no_longer_holds(job, sha256, act.now)
    if job is None or why is not None:
        act.object(
            why or "",
            when_possible="once the worker has asked the logs for this plan.",
            what_to_do="Ask it to, and act on what it finds within 15 minutes. What you wrote is kept.",
        )
        return Exposure(None)
    return exposure_in(job)


def no_longer_holds(job: Job | None, sha256: str, now: datetime) -> str | None:
    """Why an act may not rest on what a job found; None where it may."""
    if job is None or job.result is None or job.finished_at is None:
        return "Nobody has asked the logs yet whether units were exposed."
    if job.result["sha256"] != sha256:
        return "The plan was changed after the logs were asked whether units were exposed."
    if abs(now - job.finished_at) > HOLDS_FOR:
        return f"The logs were asked whether units were exposed at {instant(job.finished_at)[:16]} UTC, too long ago."
    return None


def exposure_in(job: Job) -> Exposure:
    """What a job that is done found.

    Raises:
        ValueError: it is not done.
    """
    if job.result is None:
        raise ValueError(f"job {job.id} is {job.state} and has found nothing")
    first = job.result["first_exposure_at"]
    return Exposure(
        None if first is None else datetime.fromisoformat(first), bool(job.result["data_complete"]), job.id
    )
