"""What a worker asks for by itself: health, the next look's standing and the harm stops of every experiment that runs."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from datetime import timedelta
from typing import Final

from experiments.forms.problems import Invalid
from experiments.looks.watching import harm_stops
from registry.actors import SYSTEM_ID
from registry.database import Registry
from registry.due import newest_jobs
from registry.errors import Refused
from registry.jobs import Job, Kind, request
from registry.kinds import CANARY, SHADOW
from registry.plans import locked_design
from registry.records import Experiment, State
from registry.store import list_experiments, show

AWAITING: Final = (State.REGISTERED, State.RUNNING, State.STOPPED, State.MATURE)

HarmStops = MutableMapping[str, bool]
"""Whether a plan declares harm stops, by its SHA-256: a locked plan is read once."""


ASKED_FOR: Final = (Kind.HEALTH, Kind.SHADOW_STATUS, Kind.LOOK_STATUS, Kind.WATCH)


def ask_for_what_is_old(
    registry: Registry, every: timedelta, known: HarmStops | None = None
) -> tuple[Job, ...]:
    """Ask, as Fairtrial itself, for what was asked for longer ago than this; of the harm stops only while it is running.

    Args:
        known: what was found out of plans so far; it is added to.
    """
    asked = []
    now = registry.clock.now()
    plans = {} if known is None else known
    awaiting = list_experiments(registry, states=AWAITING)
    newest = newest_jobs(registry, [one.id for one in awaiting], ASKED_FOR)
    for experiment in awaiting:
        for kind in _kinds(registry, experiment, plans):
            last = newest.get((experiment.id, kind))
            if last is not None and (last.unfinished or now - last.requested_at < every):
                continue
            try:
                asked.append(request(registry, SYSTEM_ID, kind, experiment.id))
            except Refused:
                continue  # closed since it was listed; the refusal is in the ledger
    return tuple(asked)


def _kinds(registry: Registry, experiment: Experiment, plans: HarmStops) -> Iterator[Kind]:
    if experiment.kind == SHADOW.name:
        yield from (Kind.SHADOW_STATUS, Kind.LOOK_STATUS)
        return
    if experiment.kind == CANARY.name:
        yield Kind.LOOK_STATUS
        return
    yield Kind.HEALTH
    yield Kind.LOOK_STATUS
    if experiment.state is not State.RUNNING:
        return
    if experiment.draft_sha256 not in plans:
        plans[experiment.draft_sha256] = _declares_harm_stops(registry, experiment.id)
    if plans[experiment.draft_sha256]:
        yield Kind.WATCH


def _declares_harm_stops(registry: Registry, experiment: str) -> bool:
    try:
        return bool(harm_stops(locked_design(show(registry, experiment))[0]))
    except Invalid:
        return False  # a plan that no longer resolves: its health job says so
