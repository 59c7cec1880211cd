"""What a service answers for a unit, in every state of an experiment's life.

An experiment that has ended must stop treating people at once, and only a decision to ship may put a
treatment in front of everybody. So the state and the decision answer first, the hash second.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from experiments.assignment.hashing import Assignment, Unit, unit_text

State: TypeAlias = Literal[
    "draft",
    "in_review",
    "registered",
    "running",
    "stopped",
    "mature",
    "readout",
    "decided",
    "abandoned",
    "invalid",
]
Choice: TypeAlias = Literal["ship", "do_not_ship", "repeat", "defer"]

STATES: tuple[State, ...] = get_args(State)
DECISIONS: tuple[Choice, ...] = get_args(Choice)

ENDED = {
    "stopped": "The experiment has stopped and its last units are maturing: control at once for everybody.",
    "mature": "The experiment has stopped and awaits its readout: control at once for everybody.",
    "readout": "The readout awaits a decision: control for everybody until a person decides to ship.",
    "abandoned": "The experiment was abandoned: control at once for everybody.",
    "invalid": "The experiment is invalid: control at once for everybody.",
}
NOT_SHIPPED = {
    "do_not_ship": "The decision was not to ship: control for everybody.",
    "repeat": "The decision was to repeat the experiment: control for everybody until the new one runs.",
    "defer": "The decision was deferred: control for everybody until it is made.",
}


class NotRegisteredError(ValueError):
    """No arm is served before a reviewer has locked the design."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A signed decision; ``arm`` names the treatment that ships, and is None for every other choice."""

    choice: Choice
    arm: str | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """What to show a unit, and why.

    ``arm`` is None when the unit is not in the experiment: give it the control experience.
    ``in_experiment`` says whether the answer is an assignment: only then does it belong in the assignments
    log. An answer after the end is none; logged as one, it would look like a crossover.
    """

    arm: str | None
    in_experiment: bool
    reason: str


def serve(state: State, decision: Decided | None, assignment: Assignment, unit: Unit) -> Served:
    """Return what a unit gets in this state of the experiment.

    Raises:
        NotRegisteredError: in ``draft`` and ``in_review``.
        ValueError: for an unknown state, a bad unit, a decision in any state but ``decided``, ``decided``
            without its decision, or a shipped arm that is not one of the treatments.
    """
    unit_text(unit)
    problems = inconsistencies(state, decision, assignment)
    if problems:
        raise ValueError("\n".join(problems))
    if state in ("draft", "in_review"):
        raise NotRegisteredError(
            f"state: nothing is served while the experiment is {state.replace('_', ' ')};"
            " it serves its arms once a reviewer has registered it"
        )
    if state in ENDED:
        return Served(assignment.control, False, ENDED[state])
    if decision is None:
        return by_hash(assignment, unit)
    if decision.choice == "ship":
        return Served(
            decision.arm, False, f"The decision was to ship {decision.arm!r}: it is served to everybody."
        )
    return Served(assignment.control, False, NOT_SHIPPED[decision.choice])


def by_hash(assignment: Assignment, unit: Unit) -> Served:
    arm = assignment.arm_of(unit)
    if arm is None:
        return Served(
            None,
            False,
            "The unit is outside the experiment's part of its layer: give it the control experience.",
        )
    return Served(arm, True, f"The hash of salt and unit falls in the range of {arm!r}.")


def inconsistencies(state: str, decision: Decided | None, assignment: Assignment) -> list[str]:
    problems: list[str] = []
    if state not in STATES:
        problems.append(f"state: {state!r} is not known; give one of {', '.join(STATES)}")
    elif state == "decided" and decision is None:
        problems.append("decision: a decided experiment needs its decision; give the one that was signed")
    elif state != "decided" and decision is not None:
        problems.append(f"decision: an experiment that is {state} has none; give None")
    if decision is None:
        return problems
    treatments = assignment.names[1:]
    if decision.choice not in DECISIONS:
        problems.append(
            f"decision.choice: {decision.choice!r} is not known; give one of {', '.join(DECISIONS)}"
        )
    elif decision.choice == "ship" and decision.arm not in treatments:
        problems.append(
            f"decision.arm: {decision.arm!r} cannot ship; give one of the treatments: {', '.join(treatments)}"
        )
    elif decision.choice != "ship" and decision.arm is not None:
        problems.append(
            f"decision.arm: {decision.arm!r} ships nothing with {decision.choice!r}; leave it out"
        )
    return problems
