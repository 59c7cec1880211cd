"""What a step rests on: locked plans that fit the rollout, sealed readouts, signed decisions; read from the tables alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from sqlalchemy import Connection, select

from experiments.rollouts.design import RolloutDesign, reopen
from registry.acts import load_experiment
from registry.canonical import Document
from registry.errors import Problem
from registry.kinds import KINDS
from registry.lifecycle import paths
from registry.records import Decision, Experiment, Look, State, decision_from, look_from
from registry.rollouts.records import Rollout, RolloutState
from registry.tables import decisions, documents, looks, plans

LOCKED: Final = frozenset({State.REGISTERED, State.RUNNING, State.STOPPED, State.MATURE, State.READOUT})
"""States of an entry that is locked and not closed yet: it may still run a rung."""


def design_of(connection: Connection, rollout: Rollout) -> RolloutDesign:
    """The plan of a rollout, as it was planned."""
    written = body_of(connection, rollout.written_sha256)
    return reopen(json.loads(body_of(connection, rollout.sha256)), written)


def body_of(connection: Connection, sha256: str) -> str:
    query = select(documents.c.body).where(documents.c.sha256 == sha256)
    return str(connection.execute(query).scalar_one())


def locked_plan(connection: Connection, entry: str) -> tuple[str, Document] | None:
    """Hash and material document of an entry's plan as locked last; None where none is locked."""
    query = (
        select(plans.c.sha256).where(plans.c.experiment == entry).order_by(plans.c.version.desc()).limit(1)
    )
    sha256 = connection.execute(query).scalar_one_or_none()
    return None if sha256 is None else (sha256, json.loads(body_of(connection, sha256)))


def looks_of(connection: Connection, entry: str) -> tuple[Look, ...]:
    query = select(looks).where(looks.c.experiment == entry).order_by(looks.c.k)
    return tuple(look_from(row) for row in connection.execute(query).mappings())


def decision_on(connection: Connection, entry: str) -> Decision | None:
    query = select(decisions).where(decisions.c.experiment == entry)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else decision_from(row)


def plan_evidence(connection: Connection, entry: str) -> dict[str, Any]:
    found = locked_plan(connection, entry)
    return {"what": "locked plan", "entry": entry, "sha256": None if found is None else found[0]}


def look_evidence(entry: str, look: Look) -> dict[str, Any]:
    return {
        "what": "sealed readout",
        "entry": entry,
        "k": look.k,
        "sha256": look.readout_sha256,
        "verdict": None if look.verdict is None else look.verdict.value,
    }


def decision_evidence(entry: str, decision: Decision) -> dict[str, Any]:
    return {
        "what": "decision",
        "entry": entry,
        "decision": decision.decision,
        "decided_by": decision.decided_by,
        "approved_by": decision.approved_by,
        "against_verdict": decision.against_verdict,
        "sha256": decision.readout_sha256,
    }


def accepted(connection: Connection, entry: str) -> tuple[list[Problem], list[dict[str, Any]]]:
    """What still lacks until an entry carries the next rung, and what it carries it with.

    A shadow or canary: a sealed PASS and the decision to approve. An A/B: a released readout and the decision to ship.
    """
    found = load_experiment(connection, entry)
    kind, decision = KINDS[found.kind], decision_on(connection, entry)
    gate = (
        kind.name != "ab"
    )  # nobody approves a shadow or canary against its verdict; two may ship an A/B against its own
    problems = []
    if found.released_at is None:
        problems.append(
            Problem(
                f"{entry} has no released readout; it is {found.state.value.replace('_', ' ')}.",
                "once its readout is sealed and released.",
                f"Wait for the declared {'check' if kind.looks_are_open else 'look'}.",
            )
        )
    elif gate and found.verdict is not kind.passing:
        problems.append(_not_passed(found))
    elif decision is None or decision.decision != kind.accepting.value:
        said = (
            "nobody has decided on it" if decision is None else f"the decision on it is {decision.decision!r}"
        )
        problems.append(
            Problem(
                f"{entry} is {found.verdict}, and {said}.",
                f"once a decider who is neither owner nor author has signed {kind.accepting.value!r}.",
                f"Ask a decider: fairtrial decide {entry}."
                if decision is None
                else "Roll back, or go on with another entry.",
            )
        )
    sealed = [look_evidence(entry, look) for look in looks_of(connection, entry)[-1:] if look.readout_sha256]
    signed = [] if decision is None else [decision_evidence(entry, decision)]
    return problems, sealed + signed


def _not_passed(entry: Experiment) -> Problem:
    return Problem(
        f"The verdict of {entry.id} is {entry.verdict}.",
        "with the verdict PASS.",
        "Roll back, or repeat the rung with another entry.",
    )


def misfits(connection: Connection, rollout: Rollout, rung: RolloutState, entry: str | None) -> list[Problem]:
    """Why an entry cannot run this rung of a rollout; none where it can."""
    name = rung.value
    if entry is None:
        return [
            Problem(
                f"No registered entry is named for the {KINDS[name].words.split(' ', 1)[1]}.",
                "once one is named.",
                f"Register the design, and name its id ({KINDS[name].prefix}-…) with --entry.",
            )
        ]
    found = load_experiment(connection, entry)
    if found.kind != name:
        return [
            Problem(
                f"{entry} is {KINDS[found.kind].words}.",
                f"with {KINDS[name].words}.",
                f"Name an entry whose id begins with {KINDS[name].prefix}.",
            )
        ]
    plan = locked_plan(connection, entry)
    if plan is None or found.state not in LOCKED:
        return [
            Problem(
                f"{entry} is {found.state.value.replace('_', ' ')}.",
                "with an entry that is registered and not closed.",
                "Have its reviewer lock it first, or name another.",
            )
        ]
    wrong = _wrong_versions(rollout, name, plan[1])
    if rung is RolloutState.CANARY:
        wrong += _wrong_canary(connection, rollout, plan[1])
    elif rung is RolloutState.AB:
        wrong += _wrong_units(connection, rollout, plan[1])
    return [
        Problem(
            f"{entry} does not fit {rollout.id}: {what}.",
            "with an entry that does.",
            "Register a design that fits, or plan another rollout.",
        )
        for what in wrong
    ]


def _wrong_versions(rollout: Rollout, name: str, material: Mapping[str, Any]) -> list[str]:
    if name == "ab":
        arms = material.get("arms") or []
        versions = [arm.get("version") for arm in arms if isinstance(arm, Mapping)]
        if versions != [rollout.champion, rollout.candidate]:
            return [
                f"its arms have the versions {versions}, not the champion's {rollout.champion!r} first and then the candidate's "
                f"{rollout.candidate!r}"
            ]
        return []
    plan = dict(material)
    found = {
        "model": plan.get("model"),
        "champion": paths.at(plan, ("champion", "version")),
        "candidate": paths.at(plan, ("candidate", "version")),
    }
    return [
        f"its {field} is {value!r}, not {getattr(rollout, field)!r}"
        for field, value in found.items()
        if value != getattr(rollout, field)
    ]


def canary_shares(material: Mapping[str, Any]) -> tuple[Fraction, ...]:
    """The shares of a canary's steps, in order."""
    return tuple(Fraction(step["share"]) for step in material.get("steps") or ())


def canary_salt(material: Mapping[str, Any]) -> str | None:
    """What a canary's hash mixes in; None where units are assigned elsewhere."""
    rule = material.get("assignment") or {}
    return str(rule["salt"]) if rule.get("method", "fairtrial") == "fairtrial" and rule.get("salt") else None


def _wrong_canary(connection: Connection, rollout: Rollout, material: Mapping[str, Any]) -> list[str]:
    from experiments.rollouts.routing import outside_the_canary

    design = design_of(connection, rollout)
    shares, budget = canary_shares(material), design.risk_budget
    largest = max(shares, default=Fraction(0))
    wrong = []
    if not shares:
        wrong.append("it declares no steps")
    if largest > budget.share:
        wrong.append(
            f"its largest step serves {largest} of all units, and the risk budget allows {budget.share}"
        )
    if design.written.rungs.ab.canary_units == "exclude" and shares:
        salt = canary_salt(material)
        try:
            outside_the_canary(salt or "", largest)
        except ValueError as error:
            wrong.append(f"the A/B is to exclude its units, and that cannot be: {error}")
    return wrong


def _wrong_units(connection: Connection, rollout: Rollout, material: Mapping[str, Any]) -> list[str]:
    """An A/B has the units that the declared rule gives it."""
    from experiments.rollouts.routing import outside_the_canary

    design = design_of(connection, rollout)
    canary = None if rollout.canary is None else locked_plan(connection, rollout.canary)
    if canary is None:
        return []
    salt, taken = canary_salt(canary[1]), paths.reservation(dict(material))
    own = paths.text_at(dict(material), paths.SALT)
    if own is not None and own == salt:
        return [
            "its salt is the canary's, so that its arms would be the canary's slices; give it one of its own"
        ]
    if design.written.rungs.ab.canary_units == "keep":
        return []
    free = outside_the_canary(salt or "", max(canary_shares(canary[1])))
    inside = (
        taken is not None
        and taken.layer == free.name
        and Fraction(free.start) <= taken.start
        and taken.end <= Fraction(free.end)
    )
    if inside:
        return []
    return [
        f"it is to exclude the canary's units: assignment.layer has to lie within {free.name!r} from {free.start} to {free.end}"
    ]
