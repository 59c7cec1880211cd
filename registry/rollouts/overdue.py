"""What the clock does to a rollout: a step whose answer never came is rolled back where its plan says so."""

from __future__ import annotations

from registry.actors import SYSTEM_ID, Role
from registry.acts import act
from registry.database import Registry
from registry.rollouts.consequences import open_rollouts_of
from registry.rollouts.ending import end_entry
from registry.rollouts.moving import Movement, perform
from registry.rollouts.records import CANDIDATE, RolloutState


def roll_back_overdue(registry: Registry, canary: str, reason: str) -> None:
    """Roll back every open rollout on this canary, because its last check could not be taken in time."""
    with act(registry, SYSTEM_ID, "roll back overdue", canary) as doing:
        doing.role = Role.SYSTEM
        doing.experiment(None)
        open_ones = open_rollouts_of(doing, canary)
        for rollout in open_ones:
            movement = Movement("roll back", RolloutState.ROLLED_BACK, aliases={CANDIDATE: None})
            end_entry(doing, rollout, reason)
            perform(doing, rollout, movement, f"{canary}: {reason}")
        if open_ones:
            names = " and ".join(rollout.id for rollout in open_ones)
            doing.reason = reason
            doing.summary = f"Rolled back {names}: the time of its step was up without an answer."
