"""Who may do what with a rollout, and the role it is done in."""

from __future__ import annotations

from typing import Final

from registry.actors import Person, Role
from registry.acts import Act, load_experiment
from registry.rollouts.records import Rollout, Transition

OWNER: Final = "the owner"
MODEL_OWNER: Final = "the model owner"
ON_CALL: Final = "somebody on call"
SIGNER: Final = "a decider who is neither owner, author, reviewer nor asked for it"


def permit_asking(doing: Act, rollout: Rollout) -> None:
    """Note an objection unless this is the owner, the model owner or a decider who may sign: they ask for a step."""
    doing.role = _role(
        doing.actor,
        {
            Role.ANALYST: _owns(doing.actor, rollout),
            Role.MODEL_OWNER: _owns_model(doing.actor, rollout),
            Role.DECIDER: signs(doing, rollout),
        },
    )
    if doing.role is None:
        _object(doing, rollout, f"{OWNER}, {MODEL_OWNER} or {SIGNER}")


def permit_stopping(doing: Act, rollout: Rollout) -> None:
    """Note an objection unless this is the owner, the model owner or somebody on call: they stop it without asking."""
    doing.role = _role(
        doing.actor,
        {
            Role.ON_CALL: doing.actor.has(Role.ON_CALL) and not doing.actor.one_person,
            Role.ANALYST: _owns(doing.actor, rollout),
            Role.MODEL_OWNER: _owns_model(doing.actor, rollout),
        },
    )
    if doing.role is None:
        _object(doing, rollout, f"{OWNER}, {MODEL_OWNER} or {ON_CALL}")


def permit_signing(doing: Act, rollout: Rollout, asked: Transition | None = None) -> None:
    """Note an objection unless this person may approve or reject a step."""
    doing.role = Role.DECIDER
    if not signs(doing, rollout, asked):
        _object(doing, rollout, SIGNER)


def signs(doing: Act, rollout: Rollout, asked: Transition | None = None) -> bool:
    """Whether this person may approve a step: a decider, named where some are, who neither owns, wrote nor reviewed it."""
    person = doing.actor
    if person.one_person:
        return True
    if not person.has(Role.DECIDER) or person.id not in (
        rollout.administrative.get("deciders") or [person.id]
    ):
        return False
    if person.id in {rollout.owner, rollout.model_owner, None if asked is None else asked.requested_by}:
        return False
    entries = (rollout.shadow, rollout.canary, rollout.ab)
    known = [load_experiment(doing.connection, id) for id in entries if id is not None]
    return not any(entry.owned_by(person.id) or entry.reviewer == person.id for entry in known)


def _owns(person: Person, rollout: Rollout) -> bool:
    return person.id == rollout.owner and person.has(Role.ANALYST)


def _owns_model(person: Person, rollout: Rollout) -> bool:
    return person.id == (rollout.model_owner or person.id) and person.has(Role.MODEL_OWNER)


def _role(person: Person, held: dict[Role, bool]) -> Role | None:
    if person.has(Role.SYSTEM):
        return None  # what happens by itself is no act of its own
    return next((role for role, holds in held.items() if holds), None)


def _object(doing: Act, rollout: Rollout, who: str) -> None:
    named = rollout.administrative.get("deciders") or []
    deciders = f"; deciders: {', '.join(named)}" if named else ""
    doing.object(
        f"Only {who} may {doing.verb} {rollout.id}; {doing.actor.id} is not.",
        when_possible=f"for {who} (owner: {rollout.owner}{deciders}).",
        what_to_do="Ask one of them.",
    )
    doing.role = min(doing.actor.roles, default=Role.VIEWER)
