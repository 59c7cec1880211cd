"""What an act tells the outside of rollouts: a step asked for, taken or taken back, and what is to be served from now on.

The serving side need not ask: whatever changes its answer, also an entry that is stopped or given up, tells it the new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from experiments.rollouts.routing import Route, Slice
from registry.acts import Act
from registry.clock import instant
from registry.rollouts.consequences import open_rollouts_of
from registry.rollouts.records import Rollout, RolloutState, Transition, load_rollout, transitions_of
from registry.rollouts.routing import route_in

REQUESTED: Final = "model.transition.requested"
APPROVED: Final = "model.transition.approved"
ROLLED_BACK: Final = "model.transition.rolled_back"
ROUTE: Final = "ladder.route"


@dataclass(frozen=True, slots=True)
class RolloutMessage:
    """One event about a rollout: ``says`` follows its name in the first line, ``detail`` is the same for programs."""

    event: str
    rollout: Rollout
    says: str
    detail: Mapping[str, Any]


def rollout_messages(doing: Act) -> Iterator[RolloutMessage]:
    """What the changes of an act tell of rollouts; most acts touch none."""
    touched: dict[str, list[int]] = {}
    for table, key, _ in doing.detail()["changes"]:
        if table == "transitions":
            touched.setdefault(key["rollout"], []).append(key["number"])
    moved: dict[str, None] = {}
    for id, numbers in touched.items():
        rollout = load_rollout(doing.connection, id)
        history = {one.number: one for one in transitions_of(doing.connection, id)}
        for number in dict.fromkeys(numbers):
            transition = history[number]
            yield from _of_transition(rollout, transition)
            if transition.status == "done":
                moved[id] = None
    if _state_changed(doing):
        moved |= {rollout.id: None for rollout in open_rollouts_of(doing, doing.entity)}
    for id in moved:
        rollout = load_rollout(doing.connection, id)
        route = route_in(doing.connection, rollout.model)
        yield RolloutMessage(ROUTE, rollout, f"serve now: {route.reason}", route_document(route))


def route_document(route: Route) -> dict[str, Any]:
    """A route as programs read it; shares as exact fractions and as numbers, boundaries as text for comparison."""
    split, mirror = route.split, route.mirror
    return {
        "model": route.model,
        "alias": route.alias,
        "version": route.version,
        "share": float(route.share),
        "share_exact": str(route.share),
        "rung": None if split is None else split.rung,
        "step": route.step,
        "experiment": None if split is None else split.key,
        "salt": None if split is None else split.salt,
        "layer": None
        if split is None or split.layer is None
        else {"name": split.layer.name, "salt": split.layer.salt, "slots": _slots(split.layer)},
        "outside": None if split is None else split.outside,
        "candidate": None if split is None else _slice(split.candidate),
        "control": None if split is None else _slice(split.control),
        "mirror": None if mirror is None else {"version": mirror[0], "share": float(mirror[1])},
        "state": route.state,
        "rollout": route.rollout,
        "transition": route.transition,
        "since": None if route.since is None else instant(route.since),
        "reason": route.reason,
    }


def _slots(layer: Any) -> dict[str, Any]:
    return {"low": layer.range.low, "high": layer.range.high}


def _slice(part: Slice) -> dict[str, Any]:
    low, high = part.digits
    return {
        "arm": part.arm,
        "version": part.version,
        "low": part.low,
        "high": part.high,
        "low_digits": low,
        "high_digits": high,
        "share": float(part.share),
    }


def _of_transition(rollout: Rollout, one: Transition) -> Iterator[RolloutMessage]:
    if one.status == "requested":
        says = f"{one.requested_by} asks for {_where(one)}; a decider has to sign it."
        yield RolloutMessage(REQUESTED, rollout, says, _detail(one))
    elif one.status == "done" and one.to_state is RolloutState.ROLLED_BACK:
        yield RolloutMessage(
            ROLLED_BACK, rollout, f"rolled back by {one.settled_by}. {one.reason}", _detail(one)
        )
    elif one.status == "done" and one.to_state not in (RolloutState.PLANNED, RolloutState.PAUSED):
        yield RolloutMessage(APPROVED, rollout, f"{_where(one)}, approved by {one.settled_by}.", _detail(one))


def _where(one: Transition) -> str:
    step = "" if one.to_step is None else f", step {one.to_step}"
    run = "" if one.entry is None else f" ({one.entry})"
    words = {"shadow": "the shadow", "canary": "the canary", "ab": "the A/B", "promoted": "promotion"}
    return f"{words[one.to_state.value]}{step}{run}"


def _detail(one: Transition) -> dict[str, Any]:
    return {
        "transition": one.number,
        "verb": one.verb,
        "status": one.status,
        "from": {"state": one.from_state.value, "step": one.from_step},
        "to": {"state": one.to_state.value, "step": one.to_step},
        "entry": one.entry,
        "evidence": [dict(evidence) for evidence in one.evidence],
        "aliases": [{"alias": move.alias, "from": move.before, "to": move.after} for move in one.aliases],
        "reason": one.reason,
        "requested_by": one.requested_by,
        "settled_by": one.settled_by,
        "settled_reason": one.settled_reason,
    }


def _state_changed(doing: Act) -> bool:
    return any(
        table == "experiments" and values is not None and "state" in values
        for table, _, values in doing.detail()["changes"]
    )
