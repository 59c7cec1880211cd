"""Upwards: ask for a step, sign it, take it; or begin a rung again that ended without a pass."""

from __future__ import annotations

from registry.acts import Act, act
from registry.database import Registry
from registry.lifecycle.checks import note_short_reason
from registry.records import Label
from registry.rollouts.gates import NextStep, next_step, repeated
from registry.rollouts.moving import Movement, perform, request, seen_rollout, settle, waiting
from registry.rollouts.people import permit_asking, permit_signing, signs
from registry.rollouts.records import Rollout, RolloutState, Transition, load_rollout


def advance(
    registry: Registry,
    actor: str,
    rollout: str,
    reason: str,
    *,
    entry: str | None = None,
    confirmed: tuple[str, ...] = (),
    seen: int | None = None,
) -> Rollout:
    """Take the next step, or ask for it where it needs a signature of its own and this person may not give it.

    A new rung rests on the signed decision about the one before; a canary's next share is signed step by step, for its
    checks have no decision of their own.

    Args:
        entry: the registered entry that runs the rung which begins.
        confirmed: the declared criteria that this person confirms.
    """
    with act(registry, actor, "advance", rollout) as doing:
        current = seen_rollout(doing, rollout, seen)
        permit_asking(doing, current)
        following = next_step(doing.connection, current, doing.now, entry)
        _ask_or_take(doing, current, following, reason, confirmed)
    return _read(registry, rollout)


def repeat(
    registry: Registry, actor: str, rollout: str, entry: str, reason: str, *, seen: int | None = None
) -> Rollout:
    """Begin the rung again with another entry, because the one before ended without a pass. A canary needs a signature."""
    with act(registry, actor, "repeat rung", rollout) as doing:
        current = seen_rollout(doing, rollout, seen)
        permit_asking(doing, current)
        _ask_or_take(doing, current, repeated(doing.connection, current, entry), reason, ())
    return _read(registry, rollout)


def approve(
    registry: Registry,
    actor: str,
    rollout: str,
    reason: str,
    *,
    confirmed: tuple[str, ...] = (),
    seen: int | None = None,
) -> Rollout:
    """Sign the step that was asked for; everything it rests on is checked again, as of now, and the step is taken."""
    with act(registry, actor, "approve transition", rollout) as doing:
        current = seen_rollout(doing, rollout, seen)
        asked = _asked(doing, current)
        permit_signing(doing, current, asked)
        following = (
            repeated(doing.connection, current, asked.entry or "")
            if asked.verb == "repeat"
            else next_step(doing.connection, current, doing.now, asked.entry)
        )
        movement = _without_objections(doing, following, confirmed, reason, "approve transition")
        label = Label.SELF_REVIEWED if doing.actor.one_person else None
        perform(doing, current, movement, _said(doing), confirmed=confirmed, asked=asked, label=label)
        doing.facts |= {"transition": asked.number}
        doing.summary = f"Approved {_words(movement)}, asked for by {asked.requested_by}."
    return _read(registry, rollout)


def reject(registry: Registry, actor: str, rollout: str, reason: str, *, seen: int | None = None) -> Rollout:
    """Reject the step that was asked for; whoever asked may take it back this way."""
    with act(registry, actor, "reject transition", rollout) as doing:
        current = seen_rollout(doing, rollout, seen)
        asked = _asked(doing, current)
        if actor == asked.requested_by:
            permit_asking(doing, current)
        else:
            permit_signing(doing, current, asked)
        doing.reason = note_short_reason(doing, reason, "reject")
        doing.refuse_if_objections()
        settle(doing, current, asked, "rejected", doing.reason)
        doing.facts = {"transition": asked.number}
        doing.summary = f"Rejected the step that {asked.requested_by} asked for."
    return _read(registry, rollout)


def _ask_or_take(
    doing: Act, current: Rollout, following: NextStep, reason: str, confirmed: tuple[str, ...]
) -> None:
    movement = following.movement
    entitled = movement is None or not movement.signed or signs(doing, current)
    if not entitled and (asked := waiting(doing, current)) is not None:
        doing.object(
            f"{asked.requested_by} asked for a step already.",
            when_possible="once it is approved or rejected.",
            what_to_do="Ask a decider to sign it.",
        )
    movement = _without_objections(
        doing, following if entitled else NextStep(movement, following.missing), confirmed, reason, doing.verb
    )
    if entitled:
        self_signed = movement.signed and doing.actor.one_person
        label = Label.SELF_REVIEWED if self_signed else None
        number = perform(doing, current, movement, _said(doing), confirmed=confirmed, label=label)
        doing.summary = f"{_words(movement).capitalize()}."
    else:
        number = request(doing, current, movement, _said(doing), confirmed)
        doing.summary = f"Asked for {_words(movement)}; a decider has to sign it."
    doing.facts = {"transition": number, "asked": not entitled}


def _without_objections(
    doing: Act, following: NextStep, confirmed: tuple[str, ...], reason: str, what: str
) -> Movement:
    """The movement, once nothing stands in its way; all that does is refused at once."""
    for problem in following.missing:
        doing.object(problem.reason, when_possible=problem.when_possible, what_to_do=problem.what_to_do)
    for criterion in following.confirm:
        if criterion not in confirmed:
            doing.object(
                f"Nobody has confirmed: {criterion}",
                when_possible="once whoever takes the step confirms it.",
                what_to_do="See that it is so, and confirm it in these words.",
            )
    doing.reason = note_short_reason(doing, reason, what)
    doing.refuse_if_objections()
    if following.movement is None:
        raise AssertionError("where nothing leads on, that was an objection")
    return following.movement


def _asked(doing: Act, current: Rollout) -> Transition:
    asked = waiting(doing, current)
    if asked is None:
        doing.refuse(
            f"Nobody has asked for a step of {current.id}.",
            when_possible="once somebody has asked for one.",
            what_to_do="Look at its history: it may have been settled, or overtaken.",
        )
        raise AssertionError("an act that refuses does not go on")
    return asked


def _words(movement: Movement) -> str:
    if movement.to_state is RolloutState.PROMOTED:
        return "promotion"
    step = "" if movement.to_step is None else f", step {movement.to_step}"
    again = "again " if movement.verb == "repeat" else ""
    rung = {"shadow": "the shadow", "canary": "the canary", "ab": "the A/B"}[movement.to_state.value]
    return f"{again}{rung}{step}, run by {movement.entry}"


def _said(doing: Act) -> str:
    return doing.reason or ""


def _read(registry: Registry, rollout: str) -> Rollout:
    with registry.reading() as connection:
        return load_rollout(connection, rollout)
