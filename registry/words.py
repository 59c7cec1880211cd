"""The words people read for a state."""

from collections.abc import Sequence
from typing import Final

from registry.records import Decision, Experiment, Look, State

DECISION_WORDS: Final = {
    "ship": "shipped",
    "do_not_ship": "not shipped",
    "repeat": "to be repeated",
    "approve": "approved",
    "reject": "rejected",
}

_WORDS: Final = {
    State.DRAFT: "Draft",
    State.IN_REVIEW: "In review",
    State.REGISTERED: "Registered",
    State.RUNNING: "Running",
    State.STOPPED: "Stopped (maturing)",
    State.MATURE: "Mature, readout due",
    State.READOUT: "Readout ready",
    State.DECIDED: "Decided",
    State.ABANDONED: "Abandoned",
    State.INVALID: "Invalid",
}


def state_in_words(
    experiment: Experiment, looks: Sequence[Look] = (), decision: Decision | None = None
) -> str:
    """How an experiment's state is written for people: "Look 1 of 3 open", "Decided: shipped"."""
    for look in looks:
        if look.status in {"open", "held"} and experiment.state in {
            State.RUNNING,
            State.STOPPED,
            State.MATURE,
        }:
            return f"Look {look.k} of {look.of} {look.status}"
    words = _WORDS[experiment.state]
    if experiment.state is State.DECIDED and decision is not None:
        return f"{words}: {DECISION_WORDS[decision.decision]}"
    if experiment.state is State.INVALID and experiment.stop_reason:
        return f"{words} ({experiment.stop_reason})"
    return words
