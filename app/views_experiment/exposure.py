"""Whether units were exposed already: what the worker found in the logs, whether that still holds, and what it means for a lock.

Pages open no log, so a plan is locked on what the worker found just before (`registry.lifecycle.exposures`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.formats import instant
from registry.database import Registry
from registry.jobs import Job, JobState, Kind, latest
from registry.lifecycle import Exposure
from registry.lifecycle.exposures import exposure_in, no_longer_holds
from registry.records import Experiment, Label


@dataclass(frozen=True, slots=True)
class ExposureStanding:
    """What is known of a plan's exposures.

    Attributes:
        exposure: found for this very plan, and not too long ago; None otherwise.
        said: in words, the finding or why there is none that holds.
        at: when it was found.
        at_work: the job that asks the logs just now.
        failed: why the last one could not.
    """

    exposure: Exposure | None
    said: str
    at: datetime | None
    at_work: Job | None
    failed: str | None


def exposure_standing(registry: Registry, experiment: Experiment) -> ExposureStanding:
    """What the worker found last of an experiment's exposures."""
    last = latest(registry, experiment.id, Kind.EXPOSURE)
    done = latest(registry, experiment.id, Kind.EXPOSURE, (JobState.DONE,))
    at_work = last if last is not None and last.unfinished else None
    failed = last.error if last is not None and last.state is JobState.FAILED else None
    why = no_longer_holds(done, experiment.draft_sha256, registry.clock.now())
    if done is None or done.result is None or why is not None:
        return ExposureStanding(None, why or "", None, at_work, failed)
    found, exposure = done.result, exposure_in(done)
    said = exposure_sentence(exposure, source=found["source"], key=found["key"], begun=found["begun"])
    return ExposureStanding(exposure, said, done.finished_at, at_work, failed)


def exposure_sentence(exposure: Exposure, *, source: str, key: str, begun: bool) -> str:
    """What the logs say of exposures.

    Args:
        key: the assignment's, under which the logs name the experiment.
        begun: whether the logs are there yet.
    """
    if not begun:
        return f"The logs of source {source} are not there yet: no unit has been exposed."
    if exposure.first_exposure_at is not None:
        complete = "; the data this plan asks for are complete already" if exposure.data_complete else ""
        return f"The logs of source {source} show the first exposure at {instant(exposure.first_exposure_at)}{complete}."
    if exposure.data_complete:
        return f"The logs of source {source} hold all units and no times: the data are complete already."
    return f"The logs of source {source} hold no exposure of {key} yet."


def label_needed(exposure: Exposure) -> Label | None:
    """What a plan has to be called that is locked now."""
    if exposure.data_complete:
        return Label.RETROSPECTIVE
    return None if exposure.first_exposure_at is None else Label.LATE
