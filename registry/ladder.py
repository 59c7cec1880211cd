"""The exposure ladder: a candidate climbs from shadow over canary and A/B to promotion, or is rolled back at any rung.

Every step up rests on sealed evidence and a signature by somebody who is neither owner nor author; every step down needs a
reason only. The aliases ``champion`` and ``candidate`` of a model move with these steps and with nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from experiments.rollouts.design import RolloutDesign
from experiments.rollouts.routing import Route
from registry.database import Registry
from registry.rollouts.advancing import advance, approve, reject, repeat
from registry.rollouts.evidence import design_of
from registry.rollouts.gates import NextStep, next_step, served_since, units_met
from registry.rollouts.opening import open_ab
from registry.rollouts.planning import plan_rollout
from registry.rollouts.realised import Realised, Said, predicted_and_realised
from registry.rollouts.records import (
    Alias,
    AliasMove,
    Rollout,
    RolloutState,
    Transition,
    aliases_of,
    load_rollout,
    rollout_from,
    transitions_of,
)
from registry.rollouts.routing import route_in
from registry.rollouts.stopping import pause, resume, roll_back
from registry.tables import rollouts

__all__ = [
    "Alias",
    "AliasMove",
    "NextStep",
    "Realised",
    "Rollout",
    "RolloutFile",
    "RolloutState",
    "Route",
    "Said",
    "Transition",
    "advance",
    "alias_history",
    "aliases",
    "approve",
    "list_rollouts",
    "open_ab",
    "pause",
    "plan_rollout",
    "predicted_and_realised",
    "reject",
    "repeat",
    "resume",
    "roll_back",
    "route",
    "show_rollout",
]


@dataclass(frozen=True, slots=True)
class RolloutFile:
    """Everything the registry holds about one rollout.

    Attributes:
        next: the step that leads on, with all that stands in its way.
        waiting: the step that somebody asked for and nobody has signed.
        served_since: when the candidate first got a share of the users.
        units_met: that had met it in the canary by its last sealed check.
    """

    rollout: Rollout
    design: RolloutDesign
    transitions: tuple[Transition, ...]
    aliases: Mapping[str, Alias]
    next: NextStep
    waiting: Transition | None
    route: Route
    served_since: datetime | None
    units_met: int | None


def show_rollout(registry: Registry, rollout: str) -> RolloutFile:
    """One rollout with its plan, history, next step and what is served.

    Raises:
        Unknown: when there is no such rollout.
    """
    with registry.reading() as connection:
        found = load_rollout(connection, rollout)
        history = transitions_of(connection, rollout)
        return RolloutFile(
            rollout=found,
            design=design_of(connection, found),
            transitions=history,
            aliases=aliases_of(connection, found.model),
            next=next_step(connection, found, registry.clock.now()),
            waiting=next((one for one in history if one.status == "requested"), None),
            route=route_in(connection, found.model),
            served_since=served_since(connection, found),
            units_met=units_met(connection, found),
        )


def list_rollouts(registry: Registry, *, model: str | None = None) -> tuple[Rollout, ...]:
    """Rollouts, newest first."""
    query = select(rollouts).order_by(rollouts.c.number.desc())
    if model is not None:
        query = query.where(rollouts.c.model == model)
    with registry.reading() as connection:
        return tuple(rollout_from(row) for row in connection.execute(query).mappings())


def route(registry: Registry, model: str) -> Route:
    """What the serving side is to serve of a model now.

    Raises:
        Unknown: no rollout knows the model.
    """
    with registry.reading() as connection:
        return route_in(connection, model)


def aliases(registry: Registry, model: str) -> Mapping[str, Alias]:
    """The aliases of a model by name; empty for a model that no rollout knows."""
    with registry.reading() as connection:
        return aliases_of(connection, model)


def alias_history(registry: Registry, model: str) -> tuple[tuple[Transition, AliasMove], ...]:
    """Every move of every alias of a model, in order, with the transition that made it."""
    with registry.reading() as connection:
        query = select(rollouts.c.id).where(rollouts.c.model == model)
        known = connection.execute(query).scalars().all()
        history = [one for id in known for one in transitions_of(connection, id) if one.status == "done"]
    history.sort(key=lambda one: (one.settled_at or one.requested_at, one.rollout, one.number))
    return tuple((one, move) for one in history for move in one.aliases)
