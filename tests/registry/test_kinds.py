"""A/B experiments, shadows and canaries: one running number, and what may be said and signed of each."""

from itertools import product
from typing import Any

import pytest

from registry import lifecycle, store
from registry.canonical import sha256_of
from registry.errors import Refused
from registry.kinds import AB, CANARY, KINDS, SHADOW, Choice, opposes
from registry.lifecycle import StopReason
from registry.records import Plan, State, Verdict
from registry.verification import verify
from tests.registry.conftest import LONG_REASON, REASON


def plan_of(team: Any, schema: str) -> Plan:
    """A plan of another kind; the registry asks it for nothing but its schema."""
    team.made += 1
    material = {"schema": schema, "model": "router", "number": team.made}
    return Plan(material, {}, sha256_of(material), f"kind: {schema}", f"Entry number {team.made}")


def released(team: Any, schema: str, verdict: Verdict) -> str:
    id = team.running(plan_of(team, schema)).id
    team.sealed(id, 1, of=1, stop=StopReason.FINAL, verdict=verdict)
    if verdict is not Verdict.INVALID:
        lifecycle.mature(team.registry, "system", id, team.clock.now())
    return lifecycle.release(team.registry, "system", id).id


def test_one_running_number_runs_over_all_kinds_and_the_prefix_says_which(team: Any) -> None:
    made = [
        team.draft(team.plan()),
        *(team.draft(plan_of(team, f"{name}/1")) for name in ("shadow", "canary")),
    ]
    assert [(one.id, one.kind) for one in made] == [
        ("EXP-0001", "ab"),
        ("SHD-0002", "shadow"),
        ("CAN-0003", "canary"),
    ]
    assert lifecycle.clone(team.registry, "mira", "CAN-0003").id == "CAN-0004"
    assert store.list_experiments(team.registry, kind="shadow")[0].id == "SHD-0002"


def test_a_draft_never_becomes_one_of_another_kind(team: Any) -> None:
    shadow = team.draft(plan_of(team, "shadow/1"))
    with pytest.raises(Refused, match="SHD-0001 is a shadow, the plan is that of a canary"):
        lifecycle.save_draft(team.registry, "mira", shadow.id, plan_of(team, "canary/1"))


@pytest.mark.parametrize("schema", ["shadow/1", "canary/1"])
def test_a_pass_is_approved_by_somebody_who_is_neither_owner_nor_reviewer(team: Any, schema: str) -> None:
    id = released(team, schema, Verdict.PASS)
    for who in ("mira", "ola"):
        with pytest.raises(Refused, match="Only a decider"):
            lifecycle.decide(team.registry, who, id, Choice.APPROVE, REASON)
    decided = lifecycle.decide(team.registry, "dan", id, Choice.APPROVE, REASON)
    shown = store.show(team.registry, id)
    assert decided.state is State.DECIDED
    assert shown.words == "Decided: approved"
    assert shown.decision is not None
    assert not shown.decision.against_verdict
    assert verify(team.registry).ok


def test_a_past_owner_does_not_sign_what_they_wrote(team: Any) -> None:
    plan = plan_of(team, "shadow/1")
    id = team.draft(plan).id
    handed = Plan(plan.material, {"owner": "max"}, plan.sha256, plan.written, plan.title)
    lifecycle.save_draft(team.registry, "mira", id, handed)
    lifecycle.submit(team.registry, "max", id, reviewer="ola")
    lifecycle.register(team.registry, "ola", id, lifecycle.Exposure(None))
    lifecycle.start(team.registry, "system", id, team.clock.now())
    team.sealed(id, 1, of=1, stop=StopReason.FINAL, verdict=Verdict.PASS)
    lifecycle.mature(team.registry, "system", id, team.clock.now())
    lifecycle.release(team.registry, "system", id)
    with pytest.raises(Refused, match="Only a decider who is neither owner nor reviewer"):
        lifecycle.decide(team.registry, "mira", id, Choice.APPROVE, REASON)


@pytest.mark.parametrize("verdict", [Verdict.DO_NOT_PASS, Verdict.INCONCLUSIVE, Verdict.INVALID])
@pytest.mark.parametrize("schema", ["shadow/1", "canary/1"])
def test_nobody_approves_what_did_not_pass(team: Any, schema: str, verdict: Verdict) -> None:
    id = released(team, schema, verdict)
    with pytest.raises(Refused, match="nobody approves"):
        lifecycle.decide(team.registry, "dan", id, Choice.APPROVE, LONG_REASON)
    rejected = lifecycle.decide(team.registry, "dan", id, Choice.REJECT, REASON)
    assert rejected.state is State.DECIDED


def test_requested_changes_leave_the_decision_open(team: Any) -> None:
    id = released(team, "shadow/1", Verdict.PASS)
    lifecycle.decide(team.registry, "dan", id, Choice.REQUEST_CHANGES, REASON)
    assert store.show(team.registry, id).experiment.state is State.READOUT
    lifecycle.decide(team.registry, "dan", id, Choice.APPROVE, REASON)


def test_a_pass_is_rejected_by_two(team: Any) -> None:
    id = released(team, "shadow/1", Verdict.PASS)
    lifecycle.decide(team.registry, "dan", id, Choice.REJECT, LONG_REASON)
    assert store.show(team.registry, id).experiment.state is State.READOUT
    assert lifecycle.approve_decision(team.registry, "eve", id, REASON).state is State.DECIDED


def test_each_kind_knows_its_own_decisions_only(team: Any) -> None:
    experiment, shadow = team.readout().id, released(team, "shadow/1", Verdict.PASS)
    for id, kind in ((experiment, AB), (shadow, SHADOW)):
        for choice in Choice:
            if choice not in kind.choices:
                with pytest.raises(Refused, match=f"is no decision on {kind.words}"):
                    lifecycle.decide(team.registry, "dan", id, choice, LONG_REASON)


def test_each_kind_knows_its_own_verdicts_only(team: Any) -> None:
    for schema, other in (("shadow/1", Verdict.SHIP), ("design/1", Verdict.PASS)):
        plan = team.plan() if schema == "design/1" else plan_of(team, schema)
        id = team.running(plan).id
        with pytest.raises(ValueError, match="not allowed for"):
            team.sealed(id, 1, of=1, stop=StopReason.FINAL, verdict=other)


def test_going_on_without_a_passing_verdict_or_not_with_one_opposes_it() -> None:
    for kind in KINDS.values():
        for choice, verdict in product(kind.choices, kind.verdicts):
            if choice in (Choice.DEFER, Choice.REQUEST_CHANGES):
                expected = False
            elif choice in (Choice.SHIP, Choice.APPROVE):
                expected = verdict not in (Verdict.SHIP, Verdict.PASS)
            else:
                expected = verdict in (Verdict.SHIP, Verdict.PASS)
            assert opposes(choice, verdict) is expected, (choice, verdict)


def test_a_check_of_a_canary_is_open_once_sealed_and_that_of_an_experiment_is_not(team: Any) -> None:
    assert CANARY.looks_are_open
    canary, experiment = team.running(plan_of(team, "canary/1")).id, team.running().id
    for id in (canary, experiment):
        team.sealed(id, 1, of=3)
    assert lifecycle.read_readout(team.registry, "vic", canary, 1)["look"] == 1
    with pytest.raises(Refused, match="is not released"):
        lifecycle.read_readout(team.registry, "vic", experiment, 1)
