"""When each step of a canary began, by the transitions of the rollout whose rung it runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from registry.database import Registry
from registry.rollouts.records import RolloutState, rollout_from, transition_from
from registry.tables import rollouts, transitions

BEGINS = ("advance", "repeat")
"""Verbs with which a step begins; resuming goes on with the step that was on."""


@dataclass(frozen=True, slots=True)
class StepsBegun:
    """The steps of a canary that have begun, in order.

    Attributes:
        rollout: whose rung it runs or ran; None where no rollout has come to it.
        paused: whether that rollout is paused on it.
    """

    rollout: str | None
    begun: tuple[datetime, ...]
    paused: bool


def steps_of(registry: Registry, canary: str) -> StepsBegun:
    """The steps of a canary that have begun."""
    with registry.reading() as connection:
        return steps_in(connection, canary)


def steps_in(connection: Connection, canary: str) -> StepsBegun:
    query = select(transitions).where(
        transitions.c.entry == canary,
        transitions.c.to_state == RolloutState.CANARY.value,
        transitions.c.status == "done",
        transitions.c.verb.in_(BEGINS),
    )
    rows = connection.execute(query.order_by(transitions.c.rollout, transitions.c.number)).mappings()
    found = [transition_from(row) for row in rows]
    if not found:
        return StepsBegun(None, (), False)
    row = connection.execute(select(rollouts).where(rollouts.c.id == found[-1].rollout)).mappings().one()
    rollout = rollout_from(row)
    own = [one for one in found if one.rollout == rollout.id]
    begun = tuple(one.settled_at for one in own if one.settled_at is not None)
    return StepsBegun(rollout.id, begun, rollout.state is RolloutState.PAUSED and rollout.entry == canary)
