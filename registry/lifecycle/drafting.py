"""From an idea to a plan under review: draft, submit, take back, request changes, withdraw, clone."""

import json
from typing import Any, Final

from sqlalchemy import func, select

from registry.actors import Role
from registry.acts import Act, act, load_experiment
from registry.canonical import Document, sha256_of
from registry.database import Registry
from registry.kinds import KINDS, EntryKind, kind_of
from registry.lifecycle.checks import (
    close,
    keep_plan,
    new_owner,
    note_clashes,
    note_other_kind,
    note_short_reason,
    note_unfit_reviewer,
)
from registry.lifecycle.states import permit
from registry.records import Experiment, Plan, State
from registry.tables import experiments

UNFINISHED: Final = "unfinished/1"
"""Schema of a draft that is no complete design yet: its text is kept, and there is no plan to review or lock."""

_NEW = "new experiment"


def unfinished(written: str, title: str, administrative: Document | None = None) -> Plan:
    """What is saved of a text that is no complete design yet.

    It can be saved and gone on with by its owner, and not be submitted; so nobody can lock it.
    """
    material: Document = {"schema": UNFINISHED}
    return Plan(material, dict(administrative or {}), sha256_of(material), written, title)


def is_unfinished(material: Document) -> bool:
    """Whether a saved draft is no complete design yet."""
    return material.get("schema") == UNFINISHED


def create_draft(registry: Registry, actor: str, plan: Plan) -> Experiment:
    """Begin an experiment of the kind that its plan has; whoever does so owns it."""
    plan.checked()
    with act(registry, actor, "create draft", _NEW) as doing:
        _require_analyst(doing)
        named = plan.administrative.get("owner") or actor
        if named != actor:
            doing.refuse(
                f"The plan names {named} as its owner, you are {actor}.",
                when_possible=f"for {named}, or with yourself as the owner.",
                what_to_do="Correct the owner; you can hand the experiment over later.",
            )
        _insert(doing, kind_of(plan.material), keep_plan(doing, plan), cloned_from=None)
        doing.summary = f"Began {doing.entity}: {plan.title.strip()}."
    return _read(registry, doing.entity)


def save_draft(
    registry: Registry, actor: str, experiment: str, plan: Plan, *, seen: int | None = None
) -> Experiment:
    """Save a draft; saving the same again changes nothing."""
    plan.checked()
    with act(registry, actor, "save draft", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        note_other_kind(doing, current, plan)
        handed_over = new_owner(doing, current, plan)
        doing.refuse_if_objections()
        columns = keep_plan(doing, plan) | handed_over
        if any(getattr(current, name) != value for name, value in columns.items()):
            doing.change_experiment(**columns)
            doing.facts = {"sha256": plan.sha256}
            doing.summary = f"Saved the draft, plan {plan.sha256[:12]}."
    return _read(registry, experiment)


def submit(
    registry: Registry, actor: str, experiment: str, *, reviewer: str | None = None, seen: int | None = None
) -> Experiment:
    """Send a draft to its reviewer: the one given, else the one the plan names, else oneself when alone."""
    with act(registry, actor, "submit", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        named = (
            reviewer or current.administrative.get("reviewer") or (actor if doing.actor.one_person else None)
        )
        if named is None:
            doing.object(
                "No reviewer is named.",
                when_possible="with a reviewer.",
                what_to_do="Name a person who has the role Reviewer and never owned this experiment.",
            )
        else:
            note_unfit_reviewer(doing, current, named)
        plan = plan_of(doing, current)
        if is_unfinished(plan.material):
            doing.object(
                f"{current.id} is not a complete design yet.",
                when_possible="once its text passes the check of a design.",
                what_to_do="Answer what is still open, and mend what the check lists. The draft is kept.",
            )
        note_clashes(doing, current.id, current.title, plan)
        doing.refuse_if_objections()
        doing.change_experiment(state=State.IN_REVIEW, reviewer=named)
        doing.facts = {"sha256": current.draft_sha256, "reviewer": named}
        doing.summary = f"Sent plan {current.draft_sha256[:12]} to {named} for review."
    return _read(registry, experiment)


def take_back(registry: Registry, actor: str, experiment: str, *, seen: int | None = None) -> Experiment:
    """Take a plan back from review, to go on writing."""
    with act(registry, actor, "take back", experiment) as doing:
        permit(doing, doing.experiment(seen))
        doing.refuse_if_objections()
        doing.change_experiment(state=State.DRAFT)
        doing.summary = "Took the plan back from review."
    return _read(registry, experiment)


def request_changes(
    registry: Registry, actor: str, experiment: str, reason: str, *, seen: int | None = None
) -> Experiment:
    """Send a plan back to its owner."""
    with act(registry, actor, "request changes", experiment) as doing:
        permit(doing, doing.experiment(seen))
        doing.reason = note_short_reason(doing, reason, "request changes")
        doing.refuse_if_objections()
        doing.change_experiment(state=State.DRAFT)
        doing.summary = "Requested changes of the plan."
    return _read(registry, experiment)


def withdraw(
    registry: Registry, actor: str, experiment: str, reason: str, *, seen: int | None = None
) -> Experiment:
    """Give an experiment up before its first exposure; it stays listed."""
    with act(registry, actor, "withdraw", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        doing.reason = note_short_reason(doing, reason, "withdraw")
        if current.first_exposure_at is not None:
            doing.object(
                f"Units have been exposed since {current.first_exposure_at:%d %b %Y %H:%M} UTC.",
                when_possible="only before the first exposure.",
                what_to_do="Abandon it: owner and reviewer together.",
            )
        doing.refuse_if_objections()
        ended = close(doing, current)
        doing.change_experiment(state=State.ABANDONED, closing_reason=doing.reason, **ended)
        doing.summary = "Withdrew the experiment before its first exposure."
    return _read(registry, experiment)


def clone(registry: Registry, actor: str, experiment: str) -> Experiment:
    """Begin a new experiment with the plan of another, whatever state that is in."""
    with registry.reading() as connection:
        load_experiment(connection, experiment)
    with act(registry, actor, "clone", _NEW) as doing:
        _require_analyst(doing)
        source = load_experiment(doing.connection, experiment)
        administrative = {name: value for name, value in source.administrative.items() if name != "owner"}
        names = (
            "title",
            "team",
            "primary_metric",
            "assignment_key",
            "salt",
            "draft_sha256",
            "draft_written_sha256",
        )
        columns = {name: getattr(source, name) for name in names} | {"administrative": administrative}
        _insert(doing, KINDS[source.kind], columns, cloned_from=source.id)
        doing.summary = f"Began {doing.entity} as a clone of {source.id}: {source.title}."
    return _read(registry, doing.entity)


def plan_of(doing: Act, experiment: Experiment) -> Plan:
    """The plan as last saved."""
    return Plan(
        material=json.loads(doing.document(experiment.draft_sha256)),
        administrative=experiment.administrative,
        sha256=experiment.draft_sha256,
        written=doing.document(experiment.draft_written_sha256),
        title=experiment.title,
    )


def _insert(doing: Act, kind: EntryKind, columns: dict[str, Any], *, cloned_from: str | None) -> None:
    number = (doing.connection.execute(select(func.max(experiments.c.number))).scalar_one() or 0) + 1
    doing.entity = kind.id(number)
    empty = dict.fromkeys(experiments.columns.keys())
    doing.insert(
        experiments,
        empty
        | {
            "id": doing.entity,
            "number": number,
            "kind": kind.name,
            "state": State.DRAFT,
            "labels": ["simulated"] if doing.simulated else [],
            "owner": doing.actor.id,
            "past_owners": [],
            "plan_version": 0,
            "stopped_by_hand": False,
            "cloned_from": cloned_from,
            "created_at": doing.now,
            "changed_at": doing.now,
            "revision": 1,
        }
        | columns,
    )


def _require_analyst(doing: Act) -> None:
    doing.role = Role.ANALYST
    if not doing.actor.has(Role.ANALYST):
        doing.refuse(
            f"Only an analyst may {doing.verb}; {doing.actor.id} is none.",
            when_possible="for an analyst.",
            what_to_do="Ask an admin for the role Analyst.",
        )


def _read(registry: Registry, experiment: str) -> Experiment:
    with registry.reading() as connection:
        return load_experiment(connection, experiment)
