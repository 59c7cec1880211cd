"""A rollout begins: its plan is kept, and a model that nobody rolled out before gets its first champion."""

from __future__ import annotations

from sqlalchemy import func, select

from experiments.rollouts.design import RolloutDesign
from registry.actors import Role, find_person
from registry.acts import Act, act
from registry.canonical import canonical_json
from registry.database import Registry
from registry.errors import Unknown
from registry.rollouts.evidence import misfits
from registry.rollouts.moving import Movement, perform
from registry.rollouts.records import (
    CHAMPION,
    CLOSED,
    RUNGS,
    Rollout,
    RolloutState,
    aliases_of,
    load_rollout,
    rollouts_of,
)
from registry.tables import rollouts

_NEW = "new rollout"


def plan_rollout(registry: Registry, actor: str, design: RolloutDesign) -> Rollout:
    """Begin the rollout of a candidate; whoever does so owns it.

    Raises:
        Refused: another rollout of the model is open, another version is its champion, or a named entry does not fit.
    """
    with act(registry, actor, "plan rollout", _NEW) as doing:
        _note_unfit_planner(doing, design)
        _note_other_rollout(doing, design)
        doing.refuse_if_objections()
        rollout = _insert(doing, design)
        for rung in RUNGS:
            if (entry := rollout.entry_of(rung)) is not None:
                _note_misfit(doing, rollout, rung, entry)
        doing.refuse_if_objections()
        known = aliases_of(doing.connection, design.model)
        first = {} if CHAMPION in known else {CHAMPION: design.champion}
        evidence = {"what": "rollout plan", "entry": rollout.id, "sha256": rollout.sha256}
        movement = Movement("plan", RolloutState.PLANNED, evidence=(evidence,), aliases=first)
        perform(doing, rollout, movement, f"Planned: {design.title}.")
        doing.facts = {"sha256": design.sha256}
        doing.summary = f"Planned {rollout.id}: {design.model} from {design.champion} to {design.candidate}."
    with registry.reading() as connection:
        return load_rollout(connection, rollout.id)


def _note_unfit_planner(doing: Act, design: RolloutDesign) -> None:
    doing.role = Role.ANALYST if doing.actor.has(Role.ANALYST) else Role.MODEL_OWNER
    if not doing.actor.has(doing.role):
        doing.object(
            f"Only an analyst or a model owner may plan a rollout; {doing.actor.id} is neither.",
            when_possible="for an analyst or a model owner.",
            what_to_do="Ask an admin for the role.",
        )
    named = design.written.owner or doing.actor.id
    if named != doing.actor.id:
        doing.object(
            f"The plan names {named} as its owner, you are {doing.actor.id}.",
            when_possible=f"for {named}, or with yourself as the owner.",
            what_to_do="Correct the owner.",
        )
    model_owner = design.written.model_owner
    person = None if model_owner is None else find_person(doing.connection, model_owner)
    if model_owner is not None and (person is None or not person.has(Role.MODEL_OWNER)):
        doing.object(
            f"{model_owner!r} is no model owner here.",
            when_possible="with a person who has the role Model owner.",
            what_to_do="Name another, or ask an admin to grant the role.",
        )


def _note_other_rollout(doing: Act, design: RolloutDesign) -> None:
    for other in rollouts_of(doing.connection, design.model):
        if other.state not in CLOSED:
            doing.object(
                f"{other.id} of {design.model} is open: {other.words.lower()}.",
                when_possible="once it is promoted or rolled back.",
                what_to_do=f"End {other.id} first; a model has one candidate at a time.",
            )
    champion = aliases_of(doing.connection, design.model).get(CHAMPION)
    if champion is not None and champion.version != design.champion:
        doing.object(
            f"The champion of {design.model} is {champion.version}, not {design.champion}.",
            when_possible=f"against {champion.version}.",
            what_to_do="Correct champion.version; an alias moves only by a rollout's transition.",
        )


def _note_misfit(doing: Act, rollout: Rollout, rung: RolloutState, entry: str) -> None:
    try:
        problems = misfits(doing.connection, rollout, rung, entry)
    except Unknown as unknown:
        doing.object(str(unknown), when_possible="with an entry that is there.", what_to_do="Correct the id.")
        return
    for problem in problems:
        doing.object(problem.reason, when_possible=problem.when_possible, what_to_do=problem.what_to_do)


def _insert(doing: Act, design: RolloutDesign) -> Rollout:
    number = (doing.connection.execute(select(func.max(rollouts.c.number))).scalar_one() or 0) + 1
    doing.entity = f"ROL-{number:04d}"
    named = {rung: design.rung(rung).registered for rung in design.rungs}
    doing.insert(
        rollouts,
        {
            "id": doing.entity,
            "number": number,
            "model": design.model,
            "title": design.title,
            "champion": design.champion,
            "candidate": design.candidate,
            "state": RolloutState.PLANNED,
            "step": None,
            "paused_from": None,
            "paused_because": None,
            "labels": ["simulated"] if doing.simulated else [],
            "owner": doing.actor.id,
            "model_owner": design.written.model_owner,
            "team": design.written.team,
            "administrative": design.administrative,
            "sha256": doing.keep_document("rollout", canonical_json(design.material)),
            "written_sha256": doing.keep_document("written rollout", design.document.text),
            "shadow": named.get("shadow"),
            "canary": named.get("canary"),
            "ab": named.get("ab"),
            "created_at": doing.now,
            "changed_at": doing.now,
            "revision": 1,
        },
    )
    return load_rollout(doing.connection, doing.entity)
