"""What a worker asks for by itself: health, the next look's standing and the harm stops of every experiment that runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from experiments.forms.problems import Invalid
from experiments.looks.watching import harm_stops
from registry.actors import SYSTEM_ID
from registry.database import Registry
from registry.errors import Refused
from registry.jobs import Job, Kind, latest, request
from registry.plans import locked_design
from registry.records import Experiment, State
from registry.store import list_experiments, show

AWAITING: Final = (State.REGISTERED, State.RUNNING, State.STOPPED, State.MATURE)


def ask_for_what_is_old(registry: Registry, every: timedelta) -> tuple[Job, ...]:
    """Ask, as Fairtrial itself, for what was asked for longer ago than this; of the harm stops only while it is running."""
    asked = []
    now = registry.clock.now()
    for experiment in list_experiments(registry, states=AWAITING):
        for kind in _kinds(registry, experiment):
            last = latest(registry, experiment.id, kind)
            if last is not None and (last.unfinished or now - last.requested_at < every):
                continue
            try:
                asked.append(request(registry, SYSTEM_ID, kind, experiment.id))
            except Refused:
                continue  # closed since it was listed; the refusal is in the ledger
    return tuple(asked)


def _kinds(registry: Registry, experiment: Experiment) -> Iterator[Kind]:
    yield Kind.HEALTH
    yield Kind.LOOK_STATUS
    if experiment.state is State.RUNNING and _declares_harm_stops(registry, experiment.id):
        yield Kind.WATCH


def _declares_harm_stops(registry: Registry, experiment: str) -> bool:
    try:
        return bool(harm_stops(locked_design(show(registry, experiment))[0]))
    except Invalid:
        return False  # a plan that no longer resolves: its health job says so
