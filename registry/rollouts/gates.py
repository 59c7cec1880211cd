"""What the next step of a rollout is, and everything that still stands in its way: for the act itself and for its page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from experiments.rollouts.design import RolloutDesign
from registry.errors import Problem
from registry.kinds import KINDS
from registry.lifecycle import paths
from registry.records import Look
from registry.rollouts.evidence import (
    accepted,
    body_of,
    canary_shares,
    design_of,
    locked_plan,
    look_evidence,
    looks_of,
    misfits,
    plan_evidence,
)
from registry.rollouts.moving import Movement
from registry.rollouts.records import (
    CANDIDATE,
    CHAMPION,
    RUNGS,
    Rollout,
    RolloutState,
    transitions_of,
)


@dataclass(frozen=True, slots=True)
class NextStep:
    """The one step that leads on.

    Attributes:
        movement: None where nothing leads on: after the end, and while it is paused.
        missing: what stands in its way, the signature for the step itself left out; that comes last.
        confirm: what a person has to confirm with it.
    """

    movement: Movement | None
    missing: tuple[Problem, ...]
    confirm: tuple[str, ...] = ()


def next_step(connection: Connection, rollout: Rollout, now: datetime, entry: str | None = None) -> NextStep:
    """The step from where a rollout stands.

    Args:
        entry: runs the rung that begins; by default the one named before.
    """
    design = design_of(connection, rollout)
    state = rollout.state
    if state is RolloutState.PAUSED:
        return NextStep(None, (_paused(rollout),))
    if state is RolloutState.CANARY and not _in_last_step(connection, rollout):
        return _next_share(connection, rollout, design, now)
    if state in RUNGS or state is RolloutState.PLANNED:
        return _next_rung(connection, rollout, design, now, entry)
    over = Problem(
        f"{rollout.id} is {rollout.words.lower()}.",
        "never again for this rollout.",
        "Plan another rollout.",
    )
    return NextStep(None, (over,))


def repeated(connection: Connection, rollout: Rollout, entry: str) -> NextStep:
    """The rung a rollout is on, begun again with another entry because the one before ended without a pass."""
    rung, former = rollout.rung, rollout.entry
    if rung is None or former is None:
        nothing = Problem(
            f"{rollout.id} is {rollout.words.lower()}: there is no rung to repeat.",
            "on a rung.",
            "Advance it, or plan another rollout.",
        )
        return NextStep(None, (nothing,))
    problems = misfits(connection, rollout, rung, entry)
    if entry == former:
        problems.append(
            Problem(
                f"{entry} runs the rung already.",
                "with another entry.",
                "Clone it, have the clone registered, and name that.",
            )
        )
    elif not _ended_without_a_pass(connection, former):
        problems.append(
            Problem(
                f"{former} has not ended without a pass.",
                "once it is closed, and nobody has accepted it.",
                "Wait for its verdict, or abandon it; then repeat the rung.",
            )
        )
    canary = rung is RolloutState.CANARY
    movement = Movement(
        verb="repeat",
        to_state=rung,
        to_step=1 if canary else None,
        entry=entry,
        evidence=(plan_evidence(connection, entry),),
        signed=canary,  # users meet the candidate again
    )
    return NextStep(movement, tuple(problems))


def passed_check(connection: Connection, entry: str, step: int) -> Look | None:
    """The last sealed check of a canary, if it is of this step and lets it advance."""
    sealed = [look for look in looks_of(connection, entry) if look.readout_sha256 is not None]
    if not sealed or sealed[-1].readout_sha256 is None:
        return None
    readout: Mapping[str, Any] = json.loads(body_of(connection, sealed[-1].readout_sha256))
    found = dict(readout)
    lets_on = paths.at(found, ("verdict", "action")) == "advance"
    return sealed[-1] if lets_on and paths.at(found, ("look", "step")) == step else None


def _next_share(connection: Connection, rollout: Rollout, design: RolloutDesign, now: datetime) -> NextStep:
    entry, step = rollout.canary, rollout.step
    if entry is None or step is None:
        raise ValueError(f"{rollout.id} is in a canary without an entry or a step")
    check = passed_check(connection, entry, step)
    problems = _over_budget(connection, rollout, design, now)
    if check is None:
        problems.append(
            Problem(
                f"No sealed check of {entry} says that step {step} may advance.",
                "once a check of this step is sealed that says so.",
                f"Wait for the check that is due: fairtrial canary status {entry}.",
            )
        )
    movement = Movement(
        verb="advance",
        to_state=RolloutState.CANARY,
        to_step=step + 1,
        entry=entry,
        evidence=() if check is None else (look_evidence(entry, check),),
        signed=True,
    )
    return NextStep(movement, tuple(problems))


def _next_rung(
    connection: Connection,
    rollout: Rollout,
    design: RolloutDesign,
    now: datetime,
    entry: str | None,
) -> NextStep:
    order = [RolloutState(name) for name in design.rungs]
    on = rollout.state if rollout.state in RUNGS else None
    following = order[0] if on is None else (order[order.index(on) + 1 :] or [RolloutState.PROMOTED])[0]
    problems: list[Problem] = []
    evidence: list[dict[str, Any]] = []
    confirm = () if on is None else design.rung(_rung(on)).exit
    if on is not None and (former := rollout.entry_of(on)) is not None:
        problems, evidence = accepted(connection, former)
    if on is RolloutState.CANARY:
        problems += _over_budget(connection, rollout, design, now)
    if following is RolloutState.PROMOTED:
        moved = {CHAMPION: rollout.candidate, CANDIDATE: None}
        step = Movement("promote", following, None, rollout.ab, tuple(evidence), moved)
        return NextStep(step, tuple(problems), confirm)
    named = entry or rollout.entry_of(following)
    problems += misfits(connection, rollout, following, named)
    if named is not None and not problems:
        evidence.append(plan_evidence(connection, named))
    canary = following is RolloutState.CANARY
    movement = Movement(
        verb="advance",
        to_state=following,
        to_step=1 if canary else None,
        entry=named,
        evidence=tuple(evidence),
        aliases={CANDIDATE: rollout.candidate} if on is None else {},
        signed=canary and on is None,  # no shadow, so nobody has approved anything of the candidate yet
    )
    return NextStep(movement, tuple(problems), (*confirm, *design.rung(_rung(following)).entry))


def _rung(state: RolloutState) -> Any:
    return state.value


def _in_last_step(connection: Connection, rollout: Rollout) -> bool:
    plan = None if rollout.canary is None else locked_plan(connection, rollout.canary)
    return plan is None or rollout.step is None or rollout.step >= len(canary_shares(plan[1]))


def _ended_without_a_pass(connection: Connection, entry: str) -> bool:
    from registry.acts import load_experiment
    from registry.rollouts.evidence import decision_on

    found, decision = load_experiment(connection, entry), decision_on(connection, entry)
    kind = KINDS[found.kind]
    if decision is not None:
        return decision.decision != kind.accepting.value
    if found.closed_at is not None:
        return True
    return found.released_at is not None and found.verdict is not kind.passing


def served_since(connection: Connection, rollout: Rollout) -> datetime | None:
    """When the candidate first got a share of the users; None where it never did."""
    begun = (
        one.settled_at
        for one in transitions_of(connection, rollout.id)
        if one.status == "done" and one.to_state in (RolloutState.CANARY, RolloutState.AB)
    )
    return next(begun, None)


def units_met(connection: Connection, rollout: Rollout) -> int | None:
    """Units that had met the candidate in the canary by its last sealed check; None before the first."""
    if rollout.canary is None:
        return None
    sealed = [one.readout_sha256 for one in looks_of(connection, rollout.canary) if one.readout_sha256]
    if not sealed:
        return None
    readout = json.loads(body_of(connection, sealed[-1]))
    return sum(_assigned_to_candidate(step) for step in readout.get("steps") or ())


def _assigned_to_candidate(step: Mapping[str, Any]) -> int:
    arms = step.get("arms") or ()
    return int(arms[-1].get("assigned", 0)) if arms else 0


def _over_budget(
    connection: Connection, rollout: Rollout, design: RolloutDesign, now: datetime
) -> list[Problem]:
    budget, problems = design.risk_budget, []
    since, met = served_since(connection, rollout), units_met(connection, rollout)
    if budget.units is not None and met is not None and met > budget.units:
        problems.append(
            Problem(
                f"{met} units have met the candidate; the risk budget is {budget.units}.",
                "never for this rollout.",
                "Roll back, and plan another rollout with a budget that its steps keep to.",
            )
        )
    if budget.duration is not None and since is not None:
        until = since + timedelta(seconds=budget.duration)
        if now > until:
            problems.append(
                Problem(
                    f"The risk budget ended {until:%d %b %Y %H:%M} UTC, so long after the first served share.",
                    "never for this rollout.",
                    "Roll back, and plan another rollout with more time.",
                )
            )
    return problems


def _paused(rollout: Rollout) -> Problem:
    return Problem(
        f"{rollout.id} is paused: {rollout.paused_because}.",
        "once it is resumed, or its rung is repeated with another entry.",
        "Resume it, repeat the rung, or roll back.",
    )
