"""Who may ask for which job, and with which parameters."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from registry.actors import Role
from registry.kinds import AB, KINDS, SHADOW
from registry.records import Experiment, State

if TYPE_CHECKING:
    from registry.acts import Act


class Kind(StrEnum):
    """What can be asked for."""

    HEALTH = "health"
    LOOK_STATUS = "look-status"
    LOOK = "look"
    WATCH = "watch"
    SIMULATE = "simulate"
    EXPOSURE = "exposure"
    SHADOW_STATUS = "shadow-status"
    CASES = "draw-cases"
    SOURCE_CHECK = "source-check"
    UPLOAD_CHECK = "upload-check"
    UPLOAD_COMMIT = "upload-commit"


AWAITING_A_LOOK: Final = (State.REGISTERED, State.RUNNING, State.STOPPED, State.MATURE)

OF_ONE_KIND: Final[Mapping[Kind, str]] = {
    Kind.SIMULATE: AB.name,
    Kind.SHADOW_STATUS: SHADOW.name,
    Kind.CASES: SHADOW.name,
}
"""Jobs that only one kind of entry has."""

DEFAULTS: Final[Mapping[Kind, Mapping[str, int]]] = {
    Kind.SIMULATE: {"replays": 2_000, "seed": 1},
    Kind.UPLOAD_COMMIT: {"check": 0},
}
RANGES: Final = {"replays": (1, 1_000_000), "seed": (0, 2**31 - 1), "check": (1, 2**31 - 1)}
"""Parameters of jobs that are whole numbers: smallest and largest. Those of a file are `registry.uploads.UploadAsked`."""


def asked(kind: Kind, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a job with its defaults.

    Raises:
        ValueError: every one that is not allowed.
    """
    if kind is Kind.UPLOAD_CHECK:
        from registry.uploads import asked_of

        return asked_of(parameters)
    known = DEFAULTS.get(kind, {})
    problems = [
        f"{name}: not a parameter of {kind}; allowed: {', '.join(known) or 'none'}"
        for name in parameters
        if name not in known
    ]
    given = {**known, **{name: value for name, value in parameters.items() if name in known}}
    for name, value in given.items():
        low, high = RANGES[name]
        if type(value) is not int or not low <= value <= high:
            problems.append(f"{name}: {value!r} is not allowed; give a whole number from {low} to {high}")
    if problems:
        raise ValueError("\n".join(problems))
    return given


def note_objections(doing: Act, kind: Kind, parameters: Mapping[str, Any]) -> Role:
    """Note why this actor may not have this job now; gives the role in which it is asked for.

    Health, looks' standing and whether units were exposed are for everybody who is here. A look is its owner's, or
    Fairtrial's own on schedule.
    """
    # Not at the top: lifecycle stands on acts, which announce what is asked for here.
    from registry.lifecycle.states import permit_work

    if kind is Kind.SOURCE_CHECK:
        return permit_work(doing, "check a source")
    if kind in {Kind.UPLOAD_CHECK, Kind.UPLOAD_COMMIT}:
        from registry.uploads import MAY_ADD, note_not_checked

        role = permit_work(doing, MAY_ADD)
        if kind is Kind.UPLOAD_COMMIT:
            note_not_checked(doing, parameters["check"])
        return role
    experiment = doing.experiment(None)
    _note_other_kind(doing, kind, experiment)
    if kind is Kind.SIMULATE:
        return permit_work(doing, "simulate a design")
    if kind is Kind.EXPOSURE:
        return _any_role(doing)
    if experiment.plan_version == 0:
        doing.object(
            f"{experiment.id} has no locked plan yet.",
            when_possible="once it is registered.",
            what_to_do="Send it to its reviewer.",
        )
    if kind is Kind.LOOK:
        return _looks(doing, experiment)
    if kind is Kind.CASES:
        from registry.casework import note_not_drawn

        return note_not_drawn(doing, experiment)
    return _any_role(doing)


def _note_other_kind(doing: Act, kind: Kind, experiment: Experiment) -> None:
    """Note that what is asked for is of another kind of entry."""
    wanted = OF_ONE_KIND.get(kind)
    if wanted is None or experiment.kind == wanted:
        return
    doing.object(
        f"{experiment.id} is {KINDS[experiment.kind].words}; {kind} is of {KINDS[wanted].words}.",
        when_possible=f"never for {experiment.id}.",
        what_to_do="Ask for what belongs to it: its page says what.",
    )


def _looks(doing: Act, experiment: Experiment) -> Role:
    system = doing.actor.has(Role.SYSTEM)
    owner = doing.actor.id == experiment.owner and doing.actor.has(Role.ANALYST)
    if not system and not owner:
        doing.object(
            f"Only the owner or Fairtrial itself may ask for a look at {experiment.id}; {doing.actor.id} is neither.",
            when_possible=f"for the owner ({experiment.owner}).",
            what_to_do=f"Ask {experiment.owner}.",
        )
    if experiment.plan_version and experiment.state not in AWAITING_A_LOOK:
        doing.object(
            f"{experiment.id} awaits no look: it is {experiment.state.value.replace('_', ' ')}.",
            when_possible="while it runs.",
            what_to_do="Read its released readout.",
        )
    return Role.SYSTEM if system else Role.ANALYST


def _any_role(doing: Act) -> Role:
    return min(doing.actor.roles, default=Role.VIEWER)
