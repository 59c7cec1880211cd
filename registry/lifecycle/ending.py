"""How an experiment ends: a signed decision, or abandonment by owner and reviewer together."""

from enum import StrEnum
from typing import Any, Final

from registry.acts import Act, act, load_experiment
from registry.database import Registry
from registry.kinds import KINDS, LEAVES_OPEN, Choice, opposes
from registry.lifecycle.checks import close, note_short_reason
from registry.lifecycle.drafting import plan_of
from registry.lifecycle.paths import arms
from registry.lifecycle.proposals import (
    ABANDONMENT,
    DECISION,
    note_open_already,
    note_own_proposal,
    open_proposal,
    propose,
    required_proposal,
    settle,
)
from registry.lifecycle.states import permit
from registry.records import Experiment, State, Verdict
from registry.tables import decisions
from registry.words import DECISION_WORDS


class Abandonment(StrEnum):
    """Why an experiment is given up."""

    OPERATIONAL = "operational"
    SAFETY = "safety"
    SUPERSEDED = "superseded"
    TOO_LITTLE_TRAFFIC = "too little traffic"
    OTHER = "other"


_SECOND_PERSON: Final = "once a second decider approves it."


def decide(
    registry: Registry,
    actor: str,
    experiment: str,
    choice: Choice,
    reason: str,
    *,
    arm: str | None = None,
    seen: int | None = None,
) -> Experiment:
    """Sign what follows from the readout. Against the verdict it waits for a second decider's approval.

    A shadow or canary that did not pass is approved by nobody: the next rung rests on a sealed PASS.

    Args:
        arm: the treatment that ships; may be left out where there is only one.
    """
    with act(registry, actor, "decide", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        doing.refuse_if_objections()
        _note_other_choice(doing, current, choice)
        doing.refuse_if_objections()
        against = opposes(choice, _verdict(current))
        text = note_short_reason(doing, reason, "decide against the verdict" if against else "decide")
        note_open_already(doing, DECISION)
        ships = _arm_that_ships(doing, current, choice, arm)
        doing.refuse_if_objections()
        doing.reason = text
        doing.facts = _facts(current, choice, ships)
        if choice in LEAVES_OPEN:
            doing.change_experiment()
            did = "Deferred the decision" if choice is Choice.DEFER else "Requested changes; decided nothing"
            doing.summary = f"{did} on the verdict {current.verdict}."
        elif against and not doing.actor.one_person:
            propose(doing, DECISION, {"decision": choice.value, "arm": ships, "reason": text})
            doing.change_experiment()
            doing.summary = (
                f"Proposed against the verdict {current.verdict}: {choice}; a second decider is needed."
            )
        else:
            _sign(doing, current, choice, ships, text, decided_by=actor, approved_by=None)
    return _read(registry, experiment)


def approve_decision(
    registry: Registry, actor: str, experiment: str, reason: str, *, seen: int | None = None
) -> Experiment:
    """Approve, as a second decider, a decision against the verdict."""
    with act(registry, actor, "approve decision", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        proposal = required_proposal(doing, DECISION)
        note_own_proposal(doing, proposal)
        doing.reason = note_short_reason(doing, reason, "decide")
        doing.refuse_if_objections()
        settle(doing, proposal, "approved", doing.reason)
        choice = Choice(proposal.content["decision"])
        signed = str(proposal.content["reason"])
        ships = proposal.content["arm"]
        _sign(doing, current, choice, ships, signed, decided_by=proposal.proposed_by, approved_by=actor)
    return _read(registry, experiment)


def reject_decision(
    registry: Registry, actor: str, experiment: str, reason: str, *, seen: int | None = None
) -> Experiment:
    """Reject a decision against the verdict; whoever proposed it may take it back this way."""
    with act(registry, actor, "reject decision", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        proposal = required_proposal(doing, DECISION)
        doing.reason = note_short_reason(doing, reason, "reject")
        doing.refuse_if_objections()
        settle(doing, proposal, "rejected", doing.reason)
        doing.change_experiment()
        doing.summary = f"Rejected the decision that {proposal.proposed_by} proposed."
    return _read(registry, experiment)


def abandon(
    registry: Registry,
    actor: str,
    experiment: str,
    code: Abandonment,
    reason: str,
    *,
    seen: int | None = None,
) -> Experiment:
    """Give an experiment up after its lock. The owner and the reviewer each call this; the second does it.

    Its outcomes stay closed and it stays listed.
    """
    with act(registry, actor, "abandon", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        doing.reason = note_short_reason(doing, reason, "abandon")
        waiting = open_proposal(doing, ABANDONMENT)
        if waiting is not None:
            note_own_proposal(doing, waiting)
        doing.refuse_if_objections()
        doing.facts = {"code": code.value}
        if waiting is None and not doing.actor.one_person:
            propose(doing, ABANDONMENT, {"code": code.value, "reason": doing.reason})
            doing.change_experiment()
            other = current.reviewer if actor == current.owner else current.owner
            doing.summary = f"Proposed to abandon it ({code}); {other} has to agree."
        else:
            if waiting is not None:
                settle(doing, waiting, "approved", doing.reason)
            ended = close(doing, current)
            doing.change_experiment(state=State.ABANDONED, closing_reason=f"{code}: {doing.reason}", **ended)
            doing.summary = f"Abandoned ({code}); its outcomes stay closed."
    return _read(registry, experiment)


def _sign(
    doing: Act,
    current: Experiment,
    choice: Choice,
    arm: str | None,
    reason: str,
    *,
    decided_by: str,
    approved_by: str | None,
) -> None:
    facts = _facts(current, choice, arm)
    doing.insert(
        decisions,
        {
            "experiment": current.id,
            **facts,
            "reason": reason,
            "decided_by": decided_by,
            "approved_by": approved_by,
            "decided_at": doing.now,
            "readout_sha256": current.readout_sha256,
        },
    )
    ended = close(doing, current)
    doing.change_experiment(state=State.DECIDED, **ended)
    doing.facts |= facts
    doing.summary = f"Decided: {DECISION_WORDS[choice]}" + (
        f", against the verdict {current.verdict}." if facts["against_verdict"] else "."
    )


def _facts(current: Experiment, choice: Choice, arm: str | None) -> dict[str, Any]:
    verdict = _verdict(current)
    return {
        "decision": choice.value,
        "arm": arm,
        "verdict": verdict.value,
        "against_verdict": opposes(choice, verdict),
    }


def _note_other_choice(doing: Act, current: Experiment, choice: Choice) -> None:
    """Note a choice that this kind of entry does not know, and an approval that no verdict supports."""
    kind, verdict = KINDS[current.kind], _verdict(current)
    allowed = [other for other in kind.choices if other is not Choice.APPROVE or verdict is kind.passing]
    words = ", ".join(other.value.replace("_", " ") for other in allowed)
    if choice not in kind.choices:
        doing.object(
            f"{choice.value.replace('_', ' ')!r} is no decision on {kind.words}.",
            when_possible="for another kind of entry.",
            what_to_do=f"Sign one of: {words}.",
        )
    elif choice not in allowed:
        doing.object(
            f"The verdict of {current.id} is {verdict}: nobody approves {kind.words} that did not pass.",
            when_possible=f"with the verdict {kind.passing}.",
            what_to_do=f"Sign one of: {words}. To try again, clone it as a new entry.",
        )


def _arm_that_ships(doing: Act, current: Experiment, choice: Choice, arm: str | None) -> str | None:
    """The treatment that everybody is to get; an objection is noted where nobody could tell which."""
    treatments = arms(plan_of(doing, current).material)[1:]
    if choice is not Choice.SHIP:
        if arm is not None:
            doing.object(
                f"An arm, {arm!r}, is named, and nothing ships.",
                when_possible="with the decision to ship.",
                what_to_do="Leave the arm out.",
            )
        return None
    if arm is None and len(treatments) == 1:
        return treatments[0]
    if arm not in treatments:
        doing.object(
            "No arm is named to ship." if arm is None else f"{arm!r} is no treatment of {current.id}.",
            when_possible=f"with one of its treatments: {', '.join(treatments)}.",
            what_to_do="Name the arm that everybody is to get.",
        )
    return arm


def _verdict(experiment: Experiment) -> Verdict:
    if experiment.verdict is None:
        raise ValueError(f"{experiment.id}: no verdict has been released; release the readout first")
    return experiment.verdict


def _read(registry: Registry, experiment: str) -> Experiment:
    with registry.reading() as connection:
        return load_experiment(connection, experiment)
