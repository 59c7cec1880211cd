"""Conditions that several acts share: reasons long enough, names and slots nobody else holds, closing."""

import json
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

from sqlalchemy import select

from experiments.assignment.hashing import LAYER_SALT
from registry.actors import Person, Role, find_person
from registry.acts import Act
from registry.canonical import canonical_json
from registry.kinds import KINDS, kind_of
from registry.lifecycle import paths
from registry.lifecycle.states import CLOSED
from registry.records import Experiment, Plan, Reservation, State
from registry.tables import experiments, proposals, reservations

MINIMUM_REASON: Final = {
    "request changes": 20,
    "register late": 20,
    "withdraw": 20,
    "stop by hand": 20,
    "hold look": 10,
    "abandon": 20,
    "amend": 50,
    "reject": 20,
    "declare exploratory": 20,
    "decide": 30,
    "decide against the verdict": 100,
    "advance": 20,
    "approve transition": 20,
    "pause": 10,
    "resume": 20,
    "repeat rung": 20,
    "roll back": 10,
}
"""How many characters a reason needs at least."""

_UNLOCKED: Final = frozenset({State.DRAFT, State.IN_REVIEW})


def note_short_reason(act: Act, reason: str | None, what: str) -> str:
    """The reason without surrounding space; noted as an objection when it is too short to be one."""
    text = (reason or "").strip()
    needed = MINIMUM_REASON[what]
    if len(text) < needed:
        act.object(
            f"The reason has {len(text)} characters; to {what}, {needed} are needed.",
            when_possible=f"with a reason of at least {needed} characters.",
            what_to_do="Say why, so that a stranger understands it in a year.",
        )
    return text


def note_clashes(act: Act, experiment: str, title: str, plan: Plan | None) -> None:
    """Note what another open experiment holds already: the title, the key or salt, a part of the layer."""
    open_states = [state.value for state in State if state not in CLOSED and state is not State.DRAFT]
    others = select(
        *(experiments.c[name] for name in ("id", "title", "state", "assignment_key", "salt"))
    ).where(experiments.c.state.in_(open_states), experiments.c.id != experiment)
    keys = {"key": paths.ASSIGNMENT_KEY, "salt": paths.SALT}
    asked = {name: paths.text_at(plan.material, path) for name, path in keys.items()} if plan else {}
    for other in act.connection.execute(others.order_by(experiments.c.number)):
        if _title_key(other.title) == _title_key(title):
            act.object(
                f"{other.id} is open and has the same title, {other.title!r}.",
                when_possible=f"with another title, or once {other.id} is closed.",
                what_to_do="Say in the title what is different.",
            )
        held = {"key": other.assignment_key, "salt": other.salt}
        same = [name for name, value in asked.items() if value is not None and held[name] == value]
        if same and State(other.state) not in _UNLOCKED:
            act.object(
                f"{other.id} is open with the same assignment {' and '.join(same)}, {asked[same[0]]!r}.",
                when_possible=f"with another {' and '.join(same)}, or once {other.id} is closed.",
                what_to_do=f"Give assignment.{same[0]} a value of its own, or the arms would coincide.",
            )
    if plan is not None:
        _note_taken_layer(act, experiment, plan)


def reserve(act: Act, experiment: str, plan: Plan) -> None:
    """Hold the part of a layer that the plan asks for, in place of any held before."""
    give_back(act, experiment)
    wanted = paths.reservation(plan.material)
    if wanted is not None:
        row = {"layer": wanted.layer, "start": str(wanted.start), "end": str(wanted.end)}
        act.insert(reservations, {"experiment": experiment} | row)


def give_back(act: Act, experiment: str) -> None:
    """Give a held part of a layer back."""
    held = select(reservations.c.experiment).where(reservations.c.experiment == experiment)
    if act.connection.execute(held).first() is not None:
        act.delete(reservations, {"experiment": experiment})


def close(act: Act, experiment: Experiment) -> dict[str, Any]:
    """End what an open experiment holds; gives the column that says when."""
    give_back(act, experiment.id)
    still_open = select(proposals.c.number).where(
        proposals.c.experiment == experiment.id, proposals.c.status == "open"
    )
    for number in act.connection.execute(still_open).scalars().all():
        act.update(proposals, {"experiment": experiment.id, "number": number}, {"status": "lapsed"})
    return {} if experiment.closed_at else {"closed_at": act.now}


def note_other_kind(act: Act, experiment: Experiment, plan: Plan) -> None:
    """Note that a plan is of another kind than the entry it is to be the plan of."""
    kind, found = KINDS[experiment.kind], kind_of(plan.material)
    if found is not kind:
        act.object(
            f"{experiment.id} is {kind.words}, the plan is that of {found.words}.",
            when_possible=f"with the plan of {kind.words}.",
            what_to_do=f"Register it as an entry of its own; its id will begin with {found.prefix}.",
        )


def note_unfit_reviewer(act: Act, experiment: Experiment, reviewer: str) -> None:
    """Note why this person cannot review this experiment."""
    person = find_person(act.connection, reviewer)
    if person is None or not person.has(Role.REVIEWER):
        act.object(
            f"{reviewer!r} is not a reviewer here.",
            when_possible="with a person who has the role Reviewer.",
            what_to_do="Name another, or ask an admin to grant the role.",
        )
    elif experiment.owned_by(reviewer) and not person.one_person:
        act.object(
            f"{reviewer} owns {experiment.id}, or did: nobody reviews their own plan.",
            when_possible="with another reviewer.",
            what_to_do="Name somebody who never owned it.",
        )


def new_owner(act: Act, experiment: Experiment, plan: Plan) -> dict[str, Any]:
    """The columns to change when the plan names another owner than the experiment has."""
    named = plan.administrative.get("owner") or experiment.owner
    if named == experiment.owner:
        return {}
    person: Person | None = find_person(act.connection, named)
    if person is None or not person.has(Role.ANALYST):
        act.object(
            f"{named!r} is not an analyst here.",
            when_possible="with an owner who has the role Analyst.",
            what_to_do="Name another, or ask an admin to grant the role.",
        )
    if named == experiment.reviewer:
        act.object(
            f"{named} reviews {experiment.id} and cannot own it too.",
            when_possible="with another owner.",
            what_to_do="Name somebody who does not review it.",
        )
    return {"owner": named, "past_owners": sorted({*experiment.past_owners, experiment.owner})}


def keep_plan(act: Act, plan: Plan) -> dict[str, Any]:
    """Keep a plan's documents; gives the experiment's columns that follow from it."""
    return {
        "title": plan.title.strip(),
        "team": plan.administrative.get("team"),
        "primary_metric": paths.primary_metric(plan.material),
        "assignment_key": paths.text_at(plan.material, paths.ASSIGNMENT_KEY),
        "salt": paths.text_at(plan.material, paths.SALT),
        "administrative": plan.administrative,
        "draft_sha256": act.keep_document("plan", canonical_json(plan.material)),
        "draft_written_sha256": act.keep_document("written plan", plan.written),
    }


def first_exposure(known: datetime | None, told: datetime | None) -> datetime | None:
    """The earlier of two first exposures, either of which may be unknown."""
    return min((moment for moment in (known, told) if moment is not None), default=None)


def _note_taken_layer(act: Act, experiment: str, plan: Plan) -> None:
    """Note the parts of a layer that the plan asks for and another open entry holds."""
    held = paths.reservation(plan.material)
    wanted = (*((held,) if held else ()), *paths.canary_slices(plan.material))
    for other, taken in _taken_in_layers(act, experiment, {part.layer for part in wanted}):
        for part in wanted:
            if taken.overlaps(part):
                act.object(
                    f"{other} holds {taken.start} up to {taken.end} of layer {taken.layer!r}; the plan "
                    f"asks for {part.start} up to {part.end}.",
                    when_possible=f"with a part nobody holds, or once {other} is closed.",
                    what_to_do="Give assignment.layer another start and end."
                    if held
                    else "Give smaller shares, or the salt of another layer.",
                )


def _taken_in_layers(act: Act, experiment: str, layers: set[str]) -> list[tuple[str, Reservation]]:
    """What other open entries hold of these layers: experiments their slots, canaries their two slices."""
    of_layers = reservations.c.layer.in_(layers), reservations.c.experiment != experiment
    rows = act.connection.execute(select(reservations).where(*of_layers).order_by(reservations.c.experiment))
    taken = [(row.experiment, Reservation(row.layer, Fraction(row.start), Fraction(row.end))) for row in rows]
    salts = [f"{LAYER_SALT}{layer}" for layer in layers]
    locked = [state.value for state in State if state not in CLOSED | _UNLOCKED]
    canaries = select(experiments.c.id, experiments.c.draft_sha256).where(
        experiments.c.salt.in_(salts), experiments.c.state.in_(locked), experiments.c.id != experiment
    )
    for row in act.connection.execute(canaries.order_by(experiments.c.number)).all():
        slices = paths.canary_slices(json.loads(act.document(row.draft_sha256)))
        taken += [(row.id, part) for part in slices]
    return taken


def _title_key(title: str) -> str:
    return " ".join(title.casefold().split())
