"""The one place that writes a transition, moves an alias and changes where a rollout stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select

from registry.acts import Act
from registry.clock import instant
from registry.errors import Conflict
from registry.records import Label
from registry.rollouts.records import (
    RUNGS,
    Because,
    Rollout,
    RolloutState,
    Transition,
    aliases_of,
    load_rollout,
    transitions_of,
)
from registry.tables import aliases, rollouts, transitions


@dataclass(frozen=True, slots=True)
class Movement:
    """A step that could be taken.

    Attributes:
        entry: the registered entry that runs the rung afterwards.
        aliases: the versions that aliases name afterwards; those not named stay.
        signed: whether somebody who is neither owner nor author has to approve the step itself, because what it rests on
            has no signature of its own yet.
    """

    verb: str
    to_state: RolloutState
    to_step: int | None = None
    entry: str | None = None
    evidence: tuple[Mapping[str, Any], ...] = ()
    aliases: Mapping[str, str | None] = field(default_factory=dict)
    paused_because: Because | None = None
    signed: bool = False


def seen_rollout(doing: Act, id: str, seen: int | None) -> Rollout:
    """The rollout an act is about, as it is now.

    Raises:
        Conflict: when ``seen``, the revision the actor looked at, is no longer the current one.
        Unknown: when there is no such rollout.
    """
    current = load_rollout(doing.connection, id)
    if seen is not None and seen != current.revision:
        last = transitions_of(doing.connection, id)[-1]
        who, at = last.settled_by or last.requested_by, last.settled_at or last.requested_at
        now = f"{current.title!r}, {current.words}"
        raise Conflict(id, who, f"{last.verb} ({last.status})", instant(at), now, current.revision)
    return current


def request(
    doing: Act, rollout: Rollout, movement: Movement, reason: str, confirmed: tuple[str, ...] = ()
) -> int:
    """Write down that somebody asks for a step; gives its number."""
    number = _insert(doing, rollout, movement, "requested", reason, confirmed)
    _change(doing, rollout, {})
    return number


def perform(
    doing: Act,
    rollout: Rollout,
    movement: Movement,
    reason: str,
    *,
    confirmed: tuple[str, ...] = (),
    asked: Transition | None = None,
    label: Label | None = None,
) -> int:
    """Take a step: write its transition, move the aliases, change the rollout; gives the transition's number.

    Args:
        asked: the request that this approves, for this reason; every other one that waits lapses.
        label: printed on the rollout for ever.
    """
    moves = _moves(doing, rollout, movement)
    if asked is None:
        number = _insert(doing, rollout, movement, "done", reason, confirmed, moves)
    else:
        number = asked.number
        settled = {"status": "done", "settled_by": doing.actor.id, "settled_at": doing.now}
        settled |= {"settled_reason": reason, "confirmed": list(confirmed), "aliases": moves}
        settled |= {"evidence": [dict(one) for one in movement.evidence]}
        doing.update(transitions, {"rollout": rollout.id, "number": number}, settled)
    _lapse(doing, rollout, but=number)
    for move in moves:
        _move_alias(doing, rollout, number, move)
    paused = movement.to_state is RolloutState.PAUSED
    values: dict[str, Any] = {
        "state": movement.to_state,
        "step": movement.to_step,
        "paused_from": rollout.rung if paused else None,
        "paused_because": movement.paused_because if paused else None,
    }
    if movement.to_state in RUNGS:
        values[movement.to_state.value] = movement.entry
    _change(doing, rollout, values, label)
    return number


def settle(doing: Act, rollout: Rollout, asked: Transition, status: str, reason: str) -> None:
    """End a request without the step."""
    values = {"status": status, "settled_by": doing.actor.id, "settled_at": doing.now}
    key = {"rollout": rollout.id, "number": asked.number}
    doing.update(transitions, key, values | {"settled_reason": reason})
    _change(doing, rollout, {})


def waiting(doing: Act, rollout: Rollout) -> Transition | None:
    """The step that somebody asked for and nobody has settled."""
    asked = (one for one in transitions_of(doing.connection, rollout.id) if one.status == "requested")
    return next(asked, None)


def next_number(doing: Act, rollout: str) -> int:
    query = select(func.max(transitions.c.number)).where(transitions.c.rollout == rollout)
    return int(doing.connection.execute(query).scalar_one() or 0) + 1


def touch(doing: Act, rollout: Rollout, values: dict[str, Any]) -> None:
    """Change what is noted of a rollout without a step."""
    _change(doing, rollout, values)


def _insert(
    doing: Act,
    rollout: Rollout,
    movement: Movement,
    status: str,
    reason: str,
    confirmed: tuple[str, ...],
    moves: list[dict[str, Any]] | None = None,
) -> int:
    number = next_number(doing, rollout.id)
    done = status == "done"
    doing.insert(
        transitions,
        {
            "rollout": rollout.id,
            "number": number,
            "verb": movement.verb,
            "status": status,
            "from_state": rollout.state,
            "from_step": rollout.step,
            "to_state": movement.to_state,
            "to_step": movement.to_step,
            "entry": movement.entry,
            "evidence": [dict(one) for one in movement.evidence],
            "aliases": moves or [],
            "confirmed": list(confirmed),
            "reason": reason,
            "requested_by": doing.actor.id,
            "requested_at": doing.now,
            "settled_by": doing.actor.id if done else None,
            "settled_at": doing.now if done else None,
            "settled_reason": None,
        },
    )
    return number


def _moves(doing: Act, rollout: Rollout, movement: Movement) -> list[dict[str, Any]]:
    known = aliases_of(doing.connection, rollout.model)
    before = {name: known[name].version if name in known else None for name in movement.aliases}
    return [
        {"alias": name, "from": before[name], "to": version}
        for name, version in movement.aliases.items()
        if before[name] != version
    ]


def _move_alias(doing: Act, rollout: Rollout, number: int, move: dict[str, Any]) -> None:
    key = {"model": rollout.model, "alias": move["alias"]}
    values = {
        "version": move["to"],
        "rollout": rollout.id,
        "transition": number,
        "moved_at": doing.now,
    }
    if move["alias"] in aliases_of(doing.connection, rollout.model):
        doing.update(aliases, key, values)
    else:
        doing.insert(aliases, key | values)


def _lapse(doing: Act, rollout: Rollout, but: int) -> None:
    for other in transitions_of(doing.connection, rollout.id):
        if other.status == "requested" and other.number != but:
            values = {"status": "lapsed", "settled_by": doing.actor.id, "settled_at": doing.now}
            doing.update(transitions, {"rollout": rollout.id, "number": other.number}, values)


def _change(doing: Act, rollout: Rollout, values: dict[str, Any], label: Label | None = None) -> None:
    labels = {*rollout.labels} | ({label.value} if label else set())
    if doing.simulated:
        labels.add(Label.SIMULATED.value)
    values |= {"labels": sorted(labels), "revision": rollout.revision + 1, "changed_at": doing.now}
    doing.update(rollouts, {"id": rollout.id}, values)
