"""What somebody may do with a rollout, asked beforehand by the very rules that the acts go by: for the page, which records nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from registry.actors import find_person
from registry.acts import Act
from registry.database import Registry
from registry.errors import Refused
from registry.rollouts.people import permit_asking, permit_signing, permit_stopping, signs
from registry.rollouts.records import Rollout, load_rollout, transitions_of


@dataclass(frozen=True, slots=True)
class Entitled:
    """Why a person may not do something, in the words of the refusal; None where they may.

    Attributes:
        signs: whether a step that needs a signature is taken at once when this person asks for it.
    """

    advance: str | None
    resume: str | None
    repeat: str | None
    open_ab: str | None
    pause: str | None
    roll_back: str | None
    approve: str | None
    reject: str | None
    signs: bool


def entitled(registry: Registry, actor: str, rollout: str) -> Entitled:
    """What a person may do with a rollout; the acts' own conditions may still refuse it.

    Raises:
        Unknown: there is no such rollout.
    """
    with registry.reading() as connection:
        person = find_person(connection, actor)
        if person is None:
            raise ValueError(f"actor: {actor!r} is not allowed; give somebody of this registry")
        current = load_rollout(connection, rollout)
        asked = next((one for one in transitions_of(connection, rollout) if one.status == "requested"), None)

        def why_not(verb: str, permit: Callable[[Act, Rollout], None]) -> str | None:
            doing = Act(registry, connection, person, verb, rollout)
            permit(doing, current)
            try:
                doing.refuse_if_objections()
            except Refused as refused:
                return " ".join(
                    f"{problem.reason} Possible {problem.when_possible}" for problem in refused.problems
                )
            return None

        sign = partial(permit_signing, asked=asked)
        own = asked is not None and asked.requested_by == actor
        return Entitled(
            advance=why_not("advance", permit_asking),
            resume=why_not("resume", permit_asking),
            repeat=why_not("repeat rung", permit_asking),
            open_ab=why_not("open ab", permit_asking),
            pause=why_not("pause", permit_stopping),
            roll_back=why_not("roll back", permit_stopping),
            approve=why_not("approve transition", sign),
            reject=why_not("reject transition", permit_asking if own else sign),
            signs=signs(Act(registry, connection, person, "advance", rollout), current),
        )
