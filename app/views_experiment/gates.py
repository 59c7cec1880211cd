"""Why an act is not possible for somebody now, in the words that stand beside its button."""

from __future__ import annotations

from registry.actors import Person
from registry.lifecycle import possible_acts
from registry.lifecycle.states import RULES, Who
from registry.records import Experiment, State
from registry.words import state_in_words


def why_not(person: Person, experiment: Experiment, verb: str) -> str | None:
    """None where state and role allow the act; the act's own conditions may still refuse it."""
    if verb in possible_acts(person, experiment):
        return None
    rule = RULES[verb]
    if experiment.state not in rule.states:
        states = [_state(state) for state in State if state in rule.states]
        return f"possible while it is {_or(states)}; it is {_bare(state_in_words(experiment))}."
    return f"only {_or([_named(who, experiment) for who in rule.who])} may; you are {person.id}."


def _named(who: Who, experiment: Experiment) -> str:
    match who:
        case Who.OWNER:
            return f"the owner ({experiment.owner})"
        case Who.REVIEWER:
            return f"the reviewer ({experiment.reviewer or 'named at submission'})"
        case Who.DECIDER:
            named = experiment.administrative.get("deciders")
            return str(who) + (f" ({', '.join(named)})" if named else "")
        case Who.ANALYST | Who.SYSTEM:
            return str(who)


def _state(state: State) -> str:
    return "read out" if state is State.READOUT else state.value.replace("_", " ")


def _bare(words: str) -> str:
    return words[:1].lower() + words[1:]


def _or(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
