"""Downwards: pause, resume, roll back. Stopping needs a reason and nobody's leave."""

from __future__ import annotations

from registry.acts import Act, act
from registry.database import Registry
from registry.lifecycle.checks import note_short_reason
from registry.rollouts.consequences import SERVING
from registry.rollouts.ending import end_entry
from registry.rollouts.moving import Movement, perform, seen_rollout
from registry.rollouts.people import permit_asking, permit_stopping
from registry.rollouts.records import (
    CANDIDATE,
    CHAMPION,
    CLOSED,
    Because,
    Rollout,
    RolloutState,
    aliases_of,
    load_rollout,
    rollouts_of,
)


def pause(registry: Registry, actor: str, rollout: str, reason: str, *, seen: int | None = None) -> Rollout:
    """Serve everybody the champion for now; what the candidate has shown so far stays."""
    with act(registry, actor, "pause", rollout) as doing:
        current = seen_rollout(doing, rollout, seen)
        permit_stopping(doing, current)
        if current.state not in SERVING:
            doing.object(
                f"{current.id} is {current.words.lower()}: nobody is served the candidate.",
                when_possible="in the canary and in the A/B.",
                what_to_do="Nothing, or roll back.",
            )
        doing.reason = note_short_reason(doing, reason, "pause")
        doing.refuse_if_objections()
        movement = Movement(
            "pause", RolloutState.PAUSED, current.step, current.entry, paused_because=Because.BY_HAND
        )
        number = perform(doing, current, movement, doing.reason)
        doing.facts = {"transition": number}
        doing.summary = f"Paused {current.id}: {current.champion} is served to everybody."
    return _read(registry, rollout)


def resume(registry: Registry, actor: str, rollout: str, reason: str, *, seen: int | None = None) -> Rollout:
    """Go on where it was paused by hand. What a breach or a failed check paused is repeated with another entry instead."""
    with act(registry, actor, "resume", rollout) as doing:
        current = seen_rollout(doing, rollout, seen)
        permit_asking(doing, current)
        rung = current.rung
        if current.state is not RolloutState.PAUSED or rung is None:
            doing.object(
                f"{current.id} is {current.words.lower()}.",
                when_possible="while it is paused.",
                what_to_do="Nothing: it is not paused.",
            )
        elif current.paused_because is not Because.BY_HAND:
            doing.object(
                f"{current.id} is paused because {current.paused_because}: {current.entry} has ended.",
                when_possible="never with the entry that ended.",
                what_to_do="Repeat the rung with another entry, or roll back.",
            )
        doing.reason = note_short_reason(doing, reason, "resume")
        doing.refuse_if_objections()
        if rung is None:
            raise AssertionError("a rollout that is not paused was refused above")
        number = perform(doing, current, Movement("resume", rung, current.step, current.entry), doing.reason)
        doing.facts = {"transition": number}
        doing.summary = f"Resumed {current.id}."
    return _read(registry, rollout)


def roll_back(
    registry: Registry, actor: str, rollout: str, reason: str, *, seen: int | None = None
) -> Rollout:
    """Serve everybody the champion for good; after a promotion, the champion of before.

    An open rollout that compares its candidate with a champion that is no longer served is rolled back with it.
    """
    with act(registry, actor, "roll back", rollout) as doing:
        current = seen_rollout(doing, rollout, seen)
        permit_stopping(doing, current)
        if current.state is RolloutState.ROLLED_BACK:
            doing.object(
                f"{current.id} is rolled back already.",
                when_possible="never twice.",
                what_to_do="Nothing: everybody is served the champion.",
            )
        doing.reason = note_short_reason(doing, reason, "roll back")
        _note_no_longer_served(doing, current)
        doing.refuse_if_objections()
        also = _resting_on(doing, current)
        for other in also:
            _roll_back(
                doing, other, f"{current.id}, which promoted its champion, was rolled back: {doing.reason}"
            )
        number = _roll_back(doing, current, doing.reason)
        served = aliases_of(doing.connection, current.model)[CHAMPION].version
        doing.facts = {"transition": number, "also": [other.id for other in also]}
        names = " and ".join((current.id, *(other.id for other in also)))
        doing.summary = f"Rolled back {names}: {served} is served to everybody."
    return _read(registry, rollout)


def _roll_back(doing: Act, rollout: Rollout, reason: str) -> int:
    moves: dict[str, str | None] = {CANDIDATE: None}
    if rollout.state is RolloutState.PROMOTED:
        moves = {CHAMPION: rollout.champion, CANDIDATE: None}
    movement = Movement("roll back", RolloutState.ROLLED_BACK, aliases=moves)
    end_entry(doing, rollout, reason)
    return perform(doing, rollout, movement, reason)


def _note_no_longer_served(doing: Act, rollout: Rollout) -> None:
    """What was promoted can be taken back until something else was promoted over it."""
    promoted = [
        one for one in rollouts_of(doing.connection, rollout.model) if one.state is RolloutState.PROMOTED
    ]
    if rollout.state is RolloutState.PROMOTED and promoted[0].id != rollout.id:
        last = promoted[0]
        doing.object(
            f"{rollout.candidate} is no longer the champion of {rollout.model}: {last.id} promoted {last.candidate} since.",
            when_possible=f"once {last.id} is rolled back.",
            what_to_do=f"Roll back {last.id} first.",
        )


def _resting_on(doing: Act, promoted: Rollout) -> tuple[Rollout, ...]:
    """Open rollouts of the model whose champion is what this one promoted."""
    if promoted.state is not RolloutState.PROMOTED:
        return ()
    others = rollouts_of(doing.connection, promoted.model)
    return tuple(
        other for other in others if other.state not in CLOSED and other.champion == promoted.candidate
    )


def _read(registry: Registry, rollout: str) -> Rollout:
    with registry.reading() as connection:
        return load_rollout(connection, rollout)
