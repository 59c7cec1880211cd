"""What a sealed verdict does to a rollout by itself, in the same act: nobody has to be awake for it.

A check of a canary says what its plan declares for a breach, or for time that is up: pause, or roll back. INVALID always
pauses: while nobody can say what the numbers mean, everybody is served the champion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import or_, select

from registry.acts import Act
from registry.lifecycle import paths
from registry.records import Experiment, Verdict
from registry.rollouts.moving import Movement, perform
from registry.rollouts.records import CANDIDATE, CLOSED, Because, Rollout, RolloutState, rollout_from
from registry.tables import rollouts

SERVING: Final = frozenset({RolloutState.CANARY, RolloutState.AB})
"""States in which somebody is served the candidate."""


def follow_seal(
    doing: Act, entry: Experiment, k: int, verdict: Verdict | None, readout: Mapping[str, Any], sha256: str
) -> tuple[str, ...]:
    """Pause or roll back every open rollout whose rung this entry runs, as verdict and plan say; gives what was done."""
    action = paths.at(dict(readout), ("verdict", "action"))
    done = []
    for rollout in open_rollouts_of(doing, entry.id):
        movement = _movement(rollout, entry, verdict, action)
        if movement is None:
            continue
        evidence = {"what": "sealed readout", "entry": entry.id, "k": k, "sha256": sha256}
        evidence["verdict"] = None if verdict is None else verdict.value
        reason = f"{entry.id} is {verdict} at {'check' if entry.kind == 'canary' else 'look'} {k}."
        perform(doing, rollout, replace(movement, evidence=(evidence,)), reason)
        did = "was rolled back" if movement.to_state is RolloutState.ROLLED_BACK else "was paused"
        done.append(f"{rollout.id} {did}: {rollout.champion} is served to everybody.")
    return tuple(done)


def open_rollouts_of(doing: Act, entry: str) -> tuple[Rollout, ...]:
    """The open rollouts that are, or were when they were paused, on the rung that this entry runs."""
    query = select(rollouts).where(
        or_(rollouts.c.shadow == entry, rollouts.c.canary == entry, rollouts.c.ab == entry),
        rollouts.c.state.notin_([state.value for state in CLOSED]),
    )
    found = (
        rollout_from(row) for row in doing.connection.execute(query.order_by(rollouts.c.number)).mappings()
    )
    return tuple(rollout for rollout in found if rollout.entry == entry)


def _movement(rollout: Rollout, entry: Experiment, verdict: Verdict | None, action: Any) -> Movement | None:
    """What follows; nothing where nobody is served, unless a paused canary is to be rolled back."""
    if rollout.rung not in SERVING:
        return None
    if verdict is not None and action == "roll back" and verdict is not Verdict.INVALID:
        return Movement("roll back", RolloutState.ROLLED_BACK, aliases={CANDIDATE: None})
    pauses = verdict is Verdict.INVALID or (verdict is not None and action == "pause")
    if not pauses:
        return None
    because = Because.INVALID if verdict is Verdict.INVALID else Because.BREACH
    return Movement("pause", RolloutState.PAUSED, rollout.step, entry.id, paused_because=because)
