"""How an experiment ends: a signed decision, or abandonment by owner and reviewer together."""

from enum import StrEnum
from typing import Final

from registry.acts import Act, act, load_experiment
from registry.database import Registry
from registry.lifecycle.checks import close, note_short_reason
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


class Choice(StrEnum):
    """What a decider may sign."""

    SHIP = "ship"
    DO_NOT_SHIP = "do_not_ship"
    RERUN = "rerun"


class Abandonment(StrEnum):
    """Why an experiment is given up."""

    OPERATIONAL = "operational"
    SAFETY = "safety"
    SUPERSEDED = "superseded"
    TOO_LITTLE_TRAFFIC = "too little traffic"
    OTHER = "other"


_SECOND_PERSON: Final = "once a second decider approves it."


def opposes(choice: Choice, verdict: Verdict) -> bool:
    """Whether a decision goes against the verdict: shipping without SHIP, or not shipping with it."""
    return (choice is Choice.SHIP) is not (verdict is Verdict.SHIP)


def decide(
    registry: Registry, actor: str, experiment: str, choice: Choice, reason: str, *, seen: int | None = None
) -> Experiment:
    """Sign what follows from the readout. Against the verdict it waits for a second decider's approval."""
    with act(registry, actor, "decide", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        doing.refuse_if_objections()
        against = opposes(choice, _verdict(current))
        text = note_short_reason(doing, reason, "decide against the verdict" if against else "decide")
        note_open_already(doing, DECISION)
        doing.refuse_if_objections()
        doing.reason = text
        doing.facts = {
            "decision": choice.value,
            "verdict": _verdict(current).value,
            "against_verdict": against,
        }
        if against and not doing.actor.one_person:
            propose(doing, DECISION, {"decision": choice.value, "reason": text})
            doing.change_experiment()
            doing.summary = (
                f"Proposed against the verdict {current.verdict}: {choice}; a second decider is needed."
            )
        else:
            _sign(doing, current, choice, text, decided_by=actor, approved_by=None)
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
        _sign(doing, current, choice, signed, decided_by=proposal.proposed_by, approved_by=actor)
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
    doing: Act, current: Experiment, choice: Choice, reason: str, *, decided_by: str, approved_by: str | None
) -> None:
    verdict = _verdict(current)
    against = opposes(choice, verdict)
    doing.insert(
        decisions,
        {
            "experiment": current.id,
            "decision": choice,
            "verdict": verdict,
            "against_verdict": against,
            "reason": reason,
            "decided_by": decided_by,
            "approved_by": approved_by,
            "decided_at": doing.now,
            "readout_sha256": current.readout_sha256,
        },
    )
    ended = close(doing, current)
    doing.change_experiment(state=State.DECIDED, **ended)
    doing.facts |= {"decision": choice.value, "verdict": verdict.value, "against_verdict": against}
    doing.summary = f"Decided: {DECISION_WORDS[choice]}" + (
        f", against the verdict {verdict}." if against else "."
    )


def _verdict(experiment: Experiment) -> Verdict:
    if experiment.verdict is None:
        raise ValueError(f"{experiment.id}: no verdict has been released; release the readout first")
    return experiment.verdict


def _read(registry: Registry, experiment: str) -> Experiment:
    with registry.reading() as connection:
        return load_experiment(connection, experiment)
