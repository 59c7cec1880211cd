"""Which act is possible in which state, and who may do it: the tables that every verb asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from registry.actors import Person, Role
from registry.acts import Act
from registry.records import Experiment, State
from registry.words import state_in_words

CLOSED: Final = frozenset({State.DECIDED, State.ABANDONED, State.INVALID})
"""States in which an experiment holds no title, salt or slot any more."""

OPEN_TO_ALL: Final = frozenset({State.READOUT, State.DECIDED})
"""States in which the outcomes have been released."""

ANY: Final = frozenset(State)


class Who(StrEnum):
    """Who may do an act, in the words of a refusal."""

    ANALYST = "an analyst"
    OWNER = "the owner"
    REVIEWER = "the reviewer named at submission"
    DECIDER = "a decider who is neither owner nor reviewer"
    SYSTEM = "Fairtrial itself"


@dataclass(frozen=True, slots=True)
class Rule:
    """An act on an experiment: from which states, by whom."""

    verb: str
    states: frozenset[State]
    who: tuple[Who, ...]


RULES: Final = {
    rule.verb: rule
    for rule in (
        Rule("save draft", frozenset({State.DRAFT}), (Who.OWNER,)),
        Rule("submit", frozenset({State.DRAFT}), (Who.OWNER,)),
        Rule("take back", frozenset({State.IN_REVIEW}), (Who.OWNER,)),
        Rule("request changes", frozenset({State.IN_REVIEW}), (Who.REVIEWER,)),
        Rule("register", frozenset({State.IN_REVIEW}), (Who.REVIEWER,)),
        Rule("withdraw", frozenset({State.DRAFT, State.IN_REVIEW, State.REGISTERED}), (Who.OWNER,)),
        Rule("clone", ANY, (Who.ANALYST,)),
        Rule("start", frozenset({State.REGISTERED}), (Who.SYSTEM,)),
        Rule("open look", frozenset({State.RUNNING, State.MATURE}), (Who.SYSTEM, Who.OWNER)),
        # The owner too: nobody else notices that the process which opened it has died.
        Rule("hold look", frozenset({State.RUNNING, State.STOPPED, State.MATURE}), (Who.SYSTEM, Who.OWNER)),
        Rule("seal look", frozenset({State.RUNNING, State.STOPPED, State.MATURE}), (Who.SYSTEM,)),
        Rule("stop by hand", frozenset({State.RUNNING}), (Who.OWNER,)),
        Rule("stop", frozenset({State.RUNNING}), (Who.SYSTEM,)),
        Rule("mature", frozenset({State.STOPPED}), (Who.SYSTEM,)),
        Rule("release", frozenset({State.STOPPED, State.MATURE}), (Who.SYSTEM,)),
        Rule("decide", frozenset({State.READOUT, State.INVALID}), (Who.DECIDER,)),
        Rule("approve decision", frozenset({State.READOUT, State.INVALID}), (Who.DECIDER,)),
        Rule("reject decision", frozenset({State.READOUT, State.INVALID}), (Who.DECIDER,)),
        Rule(
            "abandon",
            frozenset({State.REGISTERED, State.RUNNING, State.STOPPED, State.MATURE}),
            (Who.OWNER, Who.REVIEWER),
        ),
        Rule("amend administrative", ANY, (Who.OWNER,)),
        Rule(
            "amend", frozenset({State.REGISTERED, State.RUNNING, State.STOPPED, State.MATURE}), (Who.OWNER,)
        ),
        Rule(
            "approve amendment",
            frozenset({State.REGISTERED, State.RUNNING, State.STOPPED, State.MATURE}),
            (Who.REVIEWER,),
        ),
        Rule(
            "reject amendment",
            frozenset({State.REGISTERED, State.RUNNING, State.STOPPED, State.MATURE}),
            (Who.REVIEWER,),
        ),
        Rule(
            "declare exploratory",
            frozenset({State.RUNNING, State.STOPPED, State.MATURE, State.READOUT, State.DECIDED}),
            (Who.OWNER, Who.ANALYST),
        ),
    )
}

WORK: Final[Mapping[str, tuple[Role, ...]]] = {
    "check a source": (Role.ANALYST, Role.DATA_STEWARD, Role.ADMIN, Role.SYSTEM),
    # No admin: an admin has no power over outcomes, and an added file may be one.
    "add a file to a source": (Role.ANALYST, Role.DATA_STEWARD),
    "simulate a design": (Role.ANALYST, Role.REVIEWER, Role.DECIDER, Role.SYSTEM),
}
"""What rests on roles alone, whatever the state of an experiment."""

_NEXT: Final = {
    State.DRAFT: "The owner submits it for review.",
    State.IN_REVIEW: "The reviewer registers it or requests changes.",
    State.REGISTERED: "It starts with the first exposure; until then the owner may withdraw it.",
    State.RUNNING: "Wait for the next look; the owner may stop it by hand.",
    State.STOPPED: "Wait until all exposed units are mature.",
    State.MATURE: "Wait for the readout's release.",
    State.READOUT: "A decider decides.",
    State.DECIDED: "It is closed: clone it as a new experiment.",
    State.ABANDONED: "It is closed: clone it as a new experiment.",
    State.INVALID: "Mend the cause and clone it as a new experiment; a decider may sign what follows.",
}


def permit(act: Act, experiment: Experiment, verb: str | None = None) -> None:
    """Note every reason why this actor may not do this act now, and the role it is done in otherwise."""
    rule = RULES[verb or act.verb]
    who = next((who for who in rule.who if _is(act.actor, who, experiment)), None)
    if who is None:
        act.object(
            f"Only {' or '.join(rule.who)} may {rule.verb} {experiment.id}; {act.actor.id} is not.",
            when_possible=f"for {' or '.join(_named(who, experiment) for who in rule.who)}.",
            what_to_do=_whom_to_ask(rule, experiment),
        )
    else:
        act.role = _ROLE[who]
    if experiment.state not in rule.states:
        act.object(
            f"{experiment.id} is {state_in_words(experiment)}.",
            when_possible=f"while it is {_or(rule.states)}.",
            what_to_do=_NEXT[experiment.state],
        )


def permit_work(act: Act, what: str) -> Role:
    """Note that this actor has none of the roles for it; gives the role it is done in."""
    held = next((role for role in WORK[what] if act.actor.has(role)), None)
    if held is not None:
        return held
    names = " or ".join(role.value.lower() for role in WORK[what] if role is not Role.SYSTEM)
    act.object(
        f"Only somebody with the role {names} may {what}; {act.actor.id} has none of them.",
        when_possible=f"for an {names}.",
        what_to_do="Ask one of them, or an admin for the role.",
    )
    return min(act.actor.roles, default=Role.VIEWER)


def possible_acts(person: Person, experiment: Experiment) -> tuple[str, ...]:
    """The acts that state and role allow this person now; the act's own conditions may still refuse."""
    return tuple(
        rule.verb
        for rule in RULES.values()
        if experiment.state in rule.states and any(_is(person, who, experiment) for who in rule.who)
    )


_ROLE: Final = {
    Who.ANALYST: Role.ANALYST,
    Who.OWNER: Role.ANALYST,
    Who.REVIEWER: Role.REVIEWER,
    Who.DECIDER: Role.DECIDER,
    Who.SYSTEM: Role.SYSTEM,
}


def _is(person: Person, who: Who, experiment: Experiment) -> bool:
    if not person.has(_ROLE[who]):
        return False
    match who:
        case Who.OWNER:
            return person.id == experiment.owner
        case Who.REVIEWER:
            return person.id == experiment.reviewer and (
                person.one_person or not experiment.owned_by(person.id)
            )
        case Who.DECIDER:
            named = experiment.administrative.get("deciders") or [person.id]
            apart = not experiment.owned_by(person.id) and person.id != experiment.reviewer
            return person.one_person or (apart and person.id in named)
        case Who.ANALYST | Who.SYSTEM:
            return True


def _named(who: Who, experiment: Experiment) -> str:
    match who:
        case Who.OWNER:
            return f"the owner ({experiment.owner})"
        case Who.REVIEWER:
            return f"the reviewer ({experiment.reviewer or 'named at submission'})"
        case Who.DECIDER | Who.ANALYST | Who.SYSTEM:
            return str(who)


def _whom_to_ask(rule: Rule, experiment: Experiment) -> str:
    if rule.who == (Who.SYSTEM,):
        return "Nothing: it happens by itself when its conditions are met."
    return f"Ask {' or '.join(_named(who, experiment) for who in rule.who if who is not Who.SYSTEM)}."


def _or(states: frozenset[State]) -> str:
    return " or ".join(state.value.replace("_", " ") for state in State if state in states)
