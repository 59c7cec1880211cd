"""What a worker asks for by itself: what is old (`app.refresh`), and looks that are due.

A look is taken once. It is asked for on a finding that it is due, and on each such finding only once; whether it still is due,
and whose turn it is, the registry tells again when it is opened. While a check of health holds it is left alone, for it would be
held; once a later check holds no more, it is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from app.refresh import ask_for_what_is_old
from app.settings import Settings
from registry.actors import SYSTEM_ID
from registry.database import Registry
from registry.due import newest_jobs
from registry.errors import Refused
from registry.jobs import Job, JobState, Kind, request
from registry.kinds import CANARY
from registry.records import State
from registry.store import Dossier, list_experiments, show

PAUSE_SECONDS: Final = 15.0
"""How long an idle worker waits before it looks again what is due: that asks the registry about every experiment that runs."""

AWAITING: Final = (State.RUNNING, State.STOPPED, State.MATURE)


class Schedule:
    """Asks, as Fairtrial itself, for what its time has come for.

    Args:
        every: how old a finding may become; None to ask for nothing.
        timer: seconds that pass on the machine.
    """

    def __init__(self, every: timedelta | None, timer: Callable[[], float] = monotonic) -> None:
        self._every = every
        self._timer = timer
        self._asked_at = float("-inf")
        self._clock_stood: datetime | None = None
        self._worked = False
        self._harm_stops: dict[str, bool] = {}

    def worked(self) -> None:
        """Note that a job was done: what it found may have made a look due."""
        self._worked = True

    def ask(self, settings: Settings, registry: Registry, *, idle: bool = False) -> tuple[Job, ...]:
        """Ask for what is due; nothing is looked up where nothing can have become so since the last time.

        Args:
            idle: whether no job waits. Only then the findings of the jobs done since are gone through.
        """
        if self._every is None:
            return ()
        now = registry.clock.now()
        moved = registry.clock.simulated and now != self._clock_stood
        if not (moved or (idle and self._worked) or self._timer() - self._asked_at >= PAUSE_SECONDS):
            return ()
        self._worked, self._asked_at, self._clock_stood = False, self._timer(), now
        asked = ask_for_what_is_old(registry, self._every, self._harm_stops)
        if settings.looks == "system":
            asked += ask_for_due_looks(registry)
        return asked


def ask_for_due_looks(registry: Registry) -> tuple[Job, ...]:
    """Ask for every look that was found due and not asked for since; after one that went on, for the standing of the next."""
    awaiting = [one.id for one in list_experiments(registry, states=AWAITING)]
    kinds = (Kind.LOOK_STATUS, Kind.HEALTH, Kind.SHADOW_STATUS)
    found = newest_jobs(registry, awaiting, kinds, (JobState.DONE,))
    looks = newest_jobs(registry, awaiting, (Kind.LOOK,))
    asked = []
    for id in awaiting:
        standing = found.get((id, Kind.LOOK_STATUS))
        health = found.get((id, Kind.HEALTH)) or found.get((id, Kind.SHADOW_STATUS))
        kind = _wanted(registry, id, standing, health, looks.get((id, Kind.LOOK)))
        if kind is None:
            continue
        try:
            asked.append(request(registry, SYSTEM_ID, kind, id))
        except Refused:
            continue  # another worker was faster, or somebody ended it since it was listed
    return tuple(asked)


def _wanted(
    registry: Registry, id: str, standing: Job | None, health: Job | None, last: Job | None
) -> Kind | None:
    """What to ask for: the look that was found due, or where the next one stands; None where there is nothing to do now."""
    if standing is None or standing.result is None or (last is not None and last.unfinished):
        return None
    if last is not None and last.id > standing.id:
        return Kind.LOOK_STATUS if _went_on(last) else None
    look = standing.result["look"]
    if look is None or not look["due"] or not _may_be_taken(show(registry, id), look["k"], health, last):
        return None
    return Kind.LOOK


def _went_on(last: Job) -> bool:
    return last.result is not None and last.result["outcome"] == "CONTINUE"


def _may_be_taken(dossier: Dossier, k: int, health: Job | None, last: Job | None) -> bool:
    """Whether look k is the next one, nobody is at it, and nothing that was checked since the last attempt holds it."""
    looks = dossier.looks
    if any(look.status == "open" for look in looks) or k != 1 + sum(
        look.status == "sealed" for look in looks
    ):
        return False
    if dossier.experiment.kind == CANARY.name:
        return True  # nobody checks its health beside: a held check is tried again with each new standing
    if health is None or health.result is None or (last is not None and health.id < last.id):
        return False
    return all(check["result"] != "hold" for check in health.result["checks"])
