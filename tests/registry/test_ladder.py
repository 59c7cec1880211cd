"""The way up rests on evidence and signatures, the way down on a reason; the aliases follow, and nothing else moves them."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from experiments.assignment import position
from registry import ladder, lifecycle, membership, store
from registry.actors import Role
from registry.canonical import sha256_of
from registry.clock import SimulatedClock
from registry.database import Registry
from registry.errors import Conflict, Refused, Unknown
from registry.kinds import Choice
from registry.ladder import RolloutState
from registry.lifecycle import Abandonment, Amendment, Inference, ReasonCode, StopReason
from registry.records import Plan, State, Verdict
from registry.verification import verify
from tests.registry.climbing import REASON, Climb, canary_readout
from tests.registry.test_concurrency import at_once


@pytest.fixture
def climb(registry: Registry, clock: SimulatedClock) -> Climb:
    membership.add_person(registry, "ada", "oncall", "On call", [Role.ON_CALL])
    membership.add_person(registry, "ada", "mod", "Model owner", [Role.MODEL_OWNER])
    return Climb(registry, clock)


def refused(attempt: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as refusal:
        attempt()
    for problem in refusal.value.problems:
        assert problem.reason
        assert problem.when_possible
        assert problem.what_to_do
    return refusal.value.reason


def versions(climb: Climb) -> dict[str, str | None]:
    return {name: alias.version for name, alias in ladder.aliases(climb.registry, climb.model).items()}


def test_a_candidate_climbs_from_the_first_mirrored_request_to_promotion(climb: Climb) -> None:
    rollout = climb.promoted()
    shown = ladder.show_rollout(climb.registry, rollout)
    assert shown.rollout.state is RolloutState.PROMOTED
    assert [(one.verb, one.to_state.value, one.to_step) for one in shown.transitions] == [
        ("plan", "planned", None),
        ("advance", "shadow", None),
        ("advance", "canary", 1),
        ("advance", "canary", 2),
        ("advance", "canary", 3),
        ("advance", "ab", None),
        ("promote", "promoted", None),
    ]
    assert versions(climb) == {"champion": "v4", "candidate": None}
    assert verify(climb.registry).ok


def test_every_step_up_names_the_evidence_it_rests_on(climb: Climb) -> None:
    shown = ladder.show_rollout(climb.registry, climb.promoted())
    kept = {
        (one.to_state.value, one.to_step): [(e["what"], e["entry"][:3]) for e in one.evidence]
        for one in shown.transitions
    }
    assert kept["shadow", None] == [("locked plan", "SHD")]
    assert kept["canary", 1] == [("sealed readout", "SHD"), ("decision", "SHD"), ("locked plan", "CAN")]
    assert kept["canary", 2] == [("sealed readout", "CAN")]
    assert kept["ab", None] == [("sealed readout", "CAN"), ("decision", "CAN"), ("locked plan", "EXP")]
    assert kept["promoted", None] == [("sealed readout", "EXP"), ("decision", "EXP")]
    for one in shown.transitions:
        for evidence in one.evidence:
            assert store.document(climb.registry, evidence["sha256"])


def test_the_history_of_an_alias_is_complete(climb: Climb) -> None:
    rollout = climb.promoted()
    climb.tick()
    ladder.roll_back(climb.registry, "oncall", rollout, "It answers with errors.")
    moves = [
        (move.alias, move.before, move.after) for _, move in ladder.alias_history(climb.registry, climb.model)
    ]
    assert moves == [
        ("champion", None, "v3"),
        ("candidate", None, "v4"),
        ("champion", "v3", "v4"),
        ("candidate", "v4", None),
        ("champion", "v4", "v3"),
    ]
    assert versions(climb) == {"champion": "v3", "candidate": None}


# Upwards


def test_a_canary_begins_only_on_a_sealed_pass_that_was_approved(climb: Climb) -> None:
    rollout, canary = climb.in_shadow(), climb.canary()
    shadow = climb.at(rollout).shadow or ""
    assert "has no released readout" in refused(lambda: climb.advanced(rollout, canary))
    climb.ended(shadow, Verdict.PASS)
    assert "nobody has decided on it" in refused(lambda: climb.advanced(rollout, canary))
    climb.decided(shadow, Choice.APPROVE)
    assert climb.advanced(rollout, canary).state is RolloutState.CANARY


@pytest.mark.parametrize("verdict", [Verdict.DO_NOT_PASS, Verdict.INCONCLUSIVE, Verdict.INVALID])
def test_a_shadow_that_did_not_pass_leads_nowhere(climb: Climb, verdict: Verdict) -> None:
    rollout, canary = climb.in_shadow(), climb.canary()
    shadow = climb.at(rollout).shadow or ""
    climb.ended(shadow, verdict)
    assert f"The verdict of {shadow} is {verdict}." in refused(lambda: climb.advanced(rollout, canary))
    assert climb.at(rollout).state is RolloutState.SHADOW


def test_a_step_needs_a_sealed_check_of_that_very_step(climb: Climb) -> None:
    rollout = climb.in_canary()
    canary = climb.at(rollout).canary or ""
    assert "No sealed check" in refused(lambda: climb.advanced(rollout, actor="dan"))
    climb.checked(canary, 1, 1, "stay")
    assert "No sealed check" in refused(lambda: climb.advanced(rollout, actor="dan"))
    climb.checked(canary, 2, 1, "advance")
    assert climb.advanced(rollout, actor="dan").step == 2
    assert "says that step 2 may advance" in refused(lambda: climb.advanced(rollout, actor="dan"))


def test_a_later_check_that_lets_nothing_advance_takes_the_earlier_leave_away(climb: Climb) -> None:
    rollout = climb.in_canary()
    canary = climb.at(rollout).canary or ""
    climb.checked(canary, 1, 1, "advance")
    climb.checked(canary, 2, 1, "stay")
    assert "No sealed check" in refused(lambda: climb.advanced(rollout, actor="dan"))


def test_the_owner_asks_for_a_step_and_a_decider_signs_it(climb: Climb) -> None:
    rollout = climb.in_canary()
    climb.checked(climb.at(rollout).canary or "", 1, 1)
    assert climb.advanced(rollout).step == 1
    asked = ladder.show_rollout(climb.registry, rollout).waiting
    assert asked is not None
    assert (asked.status, asked.requested_by, asked.to_step) == ("requested", "mira", 2)
    assert "Only a decider" in refused(lambda: ladder.approve(climb.registry, "mira", rollout, REASON))
    assert ladder.approve(climb.registry, "dan", rollout, REASON).step == 2
    done = ladder.show_rollout(climb.registry, rollout).transitions[-1]
    assert (done.status, done.requested_by, done.settled_by) == ("done", "mira", "dan")
    assert verify(climb.registry).ok


def test_an_owner_of_the_canary_past_or_present_does_not_sign_its_steps(climb: Climb) -> None:
    registry = climb.registry
    for id in ("mira", "max", "ola"):
        membership.grant_role(registry, "ada", id, Role.DECIDER)
    rollout = climb.in_canary()
    canary = climb.at(rollout).canary or ""
    climb.checked(canary, 1, 1)
    climb.advanced(rollout, actor="mira")
    assert climb.at(rollout).step == 1, "the owner has the role, and asked only"
    assert "Only a decider" in refused(lambda: ladder.approve(registry, "ola", rollout, REASON))
    assert ladder.approve(registry, "max", rollout, REASON).step == 2


def test_neither_whose_rollout_model_or_entry_it_is_nor_who_asked_signs_a_step(climb: Climb) -> None:
    registry = climb.registry
    membership.grant_role(registry, "ada", "dan", Role.MODEL_OWNER)
    membership.grant_role(registry, "ada", "mira", Role.DECIDER)
    climb.owner = "max"
    rollout = climb.in_canary(model_owner="dan")
    climb.checked(climb.at(rollout).canary or "", 1, 1)
    climb.advanced(rollout)
    assert climb.at(rollout).step == 1, "mira owns the rollout"
    membership.grant_role(registry, "ada", "max", Role.DECIDER)
    for who in ("mira", "dan", "max"):
        assert "Only a decider" in refused(lambda who=who: ladder.approve(registry, who, rollout, REASON))
    assert ladder.approve(registry, "eve", rollout, REASON).step == 2


def test_who_asked_for_a_step_does_not_sign_it_with_a_role_that_came_later(climb: Climb) -> None:
    rollout = climb.in_canary()
    climb.checked(climb.at(rollout).canary or "", 1, 1)
    climb.advanced(rollout, actor="mod")
    membership.grant_role(climb.registry, "ada", "mod", Role.DECIDER)
    assert "Only a decider" in refused(lambda: ladder.approve(climb.registry, "mod", rollout, REASON))


def test_only_named_deciders_sign_where_some_are_named(climb: Climb) -> None:
    rollout = climb.in_canary(deciders=["eve"])
    climb.checked(climb.at(rollout).canary or "", 1, 1)
    climb.advanced(rollout)
    assert "deciders: eve" in _when(lambda: ladder.approve(climb.registry, "dan", rollout, REASON))
    assert ladder.approve(climb.registry, "eve", rollout, REASON).step == 2


def test_what_a_step_rests_on_is_checked_again_when_it_is_signed(climb: Climb) -> None:
    rollout = climb.in_canary()
    canary = climb.at(rollout).canary or ""
    climb.checked(canary, 1, 1)
    climb.advanced(rollout)
    climb.checked(canary, 2, 1, "stay")
    assert "No sealed check" in refused(lambda: ladder.approve(climb.registry, "dan", rollout, REASON))


def test_a_step_asked_for_can_be_rejected_and_asked_for_again(climb: Climb) -> None:
    rollout = climb.in_canary()
    climb.checked(climb.at(rollout).canary or "", 1, 1)
    climb.advanced(rollout)
    assert "asked for a step already" in refused(lambda: climb.advanced(rollout))
    ladder.reject(climb.registry, "dan", rollout, REASON)
    assert climb.advanced(rollout).step == 1
    ladder.reject(climb.registry, "mira", rollout, REASON)
    assert ladder.show_rollout(climb.registry, rollout).waiting is None


def test_nothing_is_promoted_without_a_released_readout_and_the_decision_to_ship(climb: Climb) -> None:
    rollout = climb.in_ab()
    experiment = climb.at(rollout).ab or ""
    assert "has no released readout" in refused(lambda: climb.advanced(rollout))
    climb.ended(experiment, Verdict.SHIP)
    assert "nobody has decided on it" in refused(lambda: climb.advanced(rollout))
    lifecycle.decide(climb.registry, "dan", experiment, Choice.DEFER, REASON)
    assert "nobody has decided on it" in refused(lambda: climb.advanced(rollout))
    climb.decided(experiment, Choice.SHIP)
    assert climb.advanced(rollout).state is RolloutState.PROMOTED


def test_a_decision_not_to_ship_promotes_nothing(climb: Climb) -> None:
    rollout = climb.in_ab()
    experiment = climb.at(rollout).ab or ""
    climb.ended(experiment, Verdict.DO_NOT_SHIP)
    climb.decided(experiment, Choice.DO_NOT_SHIP)
    assert "the decision on it is 'do_not_ship'" in refused(lambda: climb.advanced(rollout))


def test_declared_criteria_are_confirmed_by_whoever_takes_the_step(climb: Climb) -> None:
    rungs = {"shadow": {"exit": ["the runbook is written"]}, "canary": {"entry": ["on call knows"]}, "ab": {}}
    rollout, canary = climb.in_shadow(rungs=rungs), climb.canary()
    shadow = climb.at(rollout).shadow or ""
    climb.ended(shadow, Verdict.PASS)
    climb.decided(shadow, Choice.APPROVE)
    said = refused(lambda: climb.advanced(rollout, canary))
    assert "the runbook is written" in said
    assert "on call knows" in said
    confirmed = ("the runbook is written", "on call knows")
    ladder.advance(climb.registry, "mira", rollout, REASON, entry=canary, confirmed=confirmed)
    assert ladder.show_rollout(climb.registry, rollout).transitions[-1].confirmed == confirmed


# What does not fit


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "ranker"}, "its model is 'ranker'"),
        ({"candidate": {"version": "v5"}}, "its candidate is 'v5'"),
        ({"champion": {"version": "v2"}}, "its champion is 'v2'"),
    ],
)
def test_an_entry_of_another_candidate_runs_no_rung(climb: Climb, changed: Any, said: str) -> None:
    rollout = climb.planned()
    assert said in refused(lambda: climb.advanced(rollout, climb.shadow(**changed)))


def test_an_entry_of_another_kind_or_a_draft_runs_no_rung(climb: Climb) -> None:
    rollout = climb.planned()
    canary = climb.canary()
    assert f"{canary} is a canary" in refused(lambda: climb.advanced(rollout, canary))
    draft = lifecycle.clone(climb.registry, "mira", climb.shadow()).id
    assert f"{draft} is draft" in refused(lambda: climb.advanced(rollout, draft))
    assert "No registered entry is named" in refused(lambda: climb.advanced(rollout))


def test_a_canary_beyond_the_risk_budget_does_not_begin(climb: Climb) -> None:
    rollout = climb.in_shadow(risk_budget={"share": "10%"})
    shadow = climb.at(rollout).shadow or ""
    climb.ended(shadow, Verdict.PASS)
    climb.decided(shadow, Choice.APPROVE)
    canary = climb.canary()
    assert "the risk budget allows 1/10" in refused(lambda: climb.advanced(rollout, canary))


def test_units_and_time_beyond_the_risk_budget_end_the_way_up(climb: Climb) -> None:
    budget = {"share": "25%", "units": 500, "duration": "1h"}
    rollout = climb.in_canary(risk_budget=budget)
    canary = climb.at(rollout).canary or ""
    climb.checked(canary, 1, 1, met=501)
    assert "501 units have met the candidate; the risk budget is 500" in refused(
        lambda: climb.advanced(rollout, actor="dan")
    )
    for _ in range(60):
        climb.tick()
    assert "The risk budget ended" in refused(lambda: climb.advanced(rollout, actor="dan"))


@pytest.mark.parametrize(
    ("start", "end", "fits"),
    [(None, None, False), ("1/4", "4/5", False), ("1/5", "3/4", False), ("2/5", "3/4", True)],
)
def test_an_experiment_has_to_leave_the_units_of_the_canary_out(
    climb: Climb, start: str | None, end: str | None, fits: bool
) -> None:
    rollout = climb.in_canary(3)
    canary = climb.at(rollout).canary or ""
    climb.ended(canary, Verdict.PASS, 3, step=3)
    climb.decided(canary, Choice.APPROVE)
    layer = None if start is None or end is None else climb.free_of(canary) | {"start": start, "end": end}
    experiment = climb.experiment(layer=layer)
    if fits:
        assert climb.advanced(rollout, experiment).state is RolloutState.AB
    else:
        assert "it is to exclude the canary's units" in refused(lambda: climb.advanced(rollout, experiment))


@pytest.mark.parametrize("keeps", [False, True])
def test_a_canary_with_a_salt_of_no_layer_needs_its_units_kept(climb: Climb, keeps: bool) -> None:
    kept = {"canary_units": "keep", "canary_units_reason": "The effect wears off within hours."}
    rollout = climb.in_shadow(rungs={"ab": kept if keeps else {}})
    shadow = climb.at(rollout).shadow or ""
    climb.ended(shadow, Verdict.PASS)
    climb.decided(shadow, Choice.APPROVE)
    canary = climb.canary(salt="plain")
    if keeps:
        assert climb.advanced(rollout, canary).state is RolloutState.CANARY
    else:
        assert "is not allowed; a canary whose units" in refused(lambda: climb.advanced(rollout, canary))


def test_a_model_has_one_open_rollout_and_one_champion(climb: Climb) -> None:
    first = climb.planned()
    assert f"{first} of router is open" in refused(climb.planned)
    ladder.roll_back(climb.registry, "mira", first, REASON)
    climb.champion = "v2"
    assert "The champion of router is v3, not v2" in refused(climb.planned)


def test_a_rung_is_left_out_only_as_declared(climb: Climb) -> None:
    why = {"shadow": "The candidate is a new prompt; no request can be mirrored to it."}
    rollout = climb.planned(rungs={"shadow": None, "ab": {}}, left_out=why)
    canary = climb.canary()
    climb.advanced(rollout, canary)
    assert climb.at(rollout).state is RolloutState.PLANNED, (
        "users would meet it, and nobody has signed anything yet"
    )
    assert ladder.approve(climb.registry, "dan", rollout, REASON).step == 1


# Downwards

RUNG_BY_RUNG = ["planned", "in_shadow", "in_canary", "in_ab", "promoted"]


@pytest.mark.parametrize("stage", RUNG_BY_RUNG)
@pytest.mark.parametrize("who", ["mira", "oncall", "mod"])
def test_rolling_back_is_possible_from_everywhere_with_nothing_but_a_reason(
    climb: Climb, stage: str, who: str
) -> None:
    rollout = getattr(climb, stage)()
    climb.tick()
    assert ladder.roll_back(climb.registry, who, rollout, "Errors rise.").state is RolloutState.ROLLED_BACK
    found = ladder.route(climb.registry, climb.model)
    assert (found.version, found.share, found.split) == ("v3", 0, None)
    assert versions(climb)["champion"] == "v3"
    assert "is rolled back already" in refused(
        lambda: ladder.roll_back(climb.registry, who, rollout, "Errors rise.")
    )
    assert verify(climb.registry).ok


@pytest.mark.parametrize("who", ["dan", "ola", "vic", "system"])
def test_others_roll_nothing_back(climb: Climb, who: str) -> None:
    rollout = climb.in_canary()
    assert "Only the owner, the model owner or somebody on call" in refused(
        lambda: ladder.roll_back(climb.registry, who, rollout, REASON)
    )


def test_a_reason_is_asked_of_everybody(climb: Climb) -> None:
    rollout = climb.in_canary()
    assert "The reason has 3 characters" in refused(
        lambda: ladder.roll_back(climb.registry, "oncall", rollout, "bad")
    )


def test_a_paused_rollout_serves_the_champion_and_goes_on_where_it_was(climb: Climb) -> None:
    rollout = climb.in_canary(2)
    ladder.pause(climb.registry, "oncall", rollout, "An incident elsewhere.")
    assert climb.at(rollout).words == "Paused in the canary, step 2: by hand"
    assert ladder.route(climb.registry, climb.model).split is None
    assert "is paused" in refused(lambda: climb.advanced(rollout, actor="dan"))
    resumed = ladder.resume(climb.registry, "mira", rollout, REASON)
    assert (resumed.state, resumed.step) == (RolloutState.CANARY, 2)
    assert ladder.route(climb.registry, climb.model).share == Fraction(1, 20)


def test_a_request_lapses_when_the_rollout_is_paused(climb: Climb) -> None:
    rollout = climb.in_canary()
    climb.checked(climb.at(rollout).canary or "", 1, 1)
    climb.advanced(rollout)
    ladder.pause(climb.registry, "oncall", rollout, "An incident elsewhere.")
    statuses = [one.status for one in ladder.show_rollout(climb.registry, rollout).transitions]
    assert statuses[-2:] == ["lapsed", "done"]
    assert "Nobody has asked" in refused(lambda: ladder.approve(climb.registry, "dan", rollout, REASON))


def test_what_rests_on_a_promotion_is_rolled_back_with_it(climb: Climb) -> None:
    first = climb.promoted()
    climb.champion, climb.candidate = "v4", "v5"
    second = climb.in_canary()
    climb.tick()
    ladder.roll_back(climb.registry, "oncall", first, "The champion fails.")
    assert climb.at(second).state is RolloutState.ROLLED_BACK
    assert versions(climb) == {"champion": "v3", "candidate": None}
    assert verify(climb.registry).ok


def test_what_was_promoted_over_is_rolled_back_only_after_what_is_served(climb: Climb) -> None:
    first = climb.promoted()
    climb.champion, climb.candidate = "v4", "v5"
    second = climb.promoted()
    assert "is no longer the champion" in refused(
        lambda: ladder.roll_back(climb.registry, "oncall", first, "The champion fails.")
    )
    ladder.roll_back(climb.registry, "oncall", second, "The champion fails.")
    ladder.roll_back(climb.registry, "oncall", first, "The champion fails.")
    assert versions(climb)["champion"] == "v3"


# By itself


@pytest.mark.parametrize(("action", "state"), [("roll back", "rolled_back"), ("pause", "paused")])
def test_a_breach_does_what_the_plan_declares_in_the_act_that_seals_it(
    climb: Climb, action: str, state: str
) -> None:
    rollout = climb.in_canary()
    canary = climb.at(rollout).canary or ""
    lifecycle.open_look(climb.registry, "system", canary, 1, 20, climb.tick())
    before = store.head(climb.registry).count
    readout = canary_readout(1, 1, "DO NOT PASS", action, 100)
    lifecycle.seal_look(
        climb.registry, "system", canary, 1, readout, stop=StopReason.BREACH, verdict=Verdict.DO_NOT_PASS
    )
    assert store.head(climb.registry).count == before + 1, "one act"
    assert climb.at(rollout).state.value == state
    done = ladder.show_rollout(climb.registry, rollout).transitions[-1]
    assert (done.requested_by, done.settled_by, done.status) == ("system", "system", "done")
    assert done.evidence[0]["verdict"] == "DO NOT PASS"
    assert ladder.route(climb.registry, climb.model).share == 0
    assert verify(climb.registry).ok


@pytest.mark.parametrize(("stage", "action"), [("in_canary", "roll back"), ("in_ab", "nothing of the kind")])
def test_an_invalid_readout_pauses_at_once_whatever_it_calls_for_and_is_not_resumed(
    climb: Climb, stage: str, action: str
) -> None:
    rollout = getattr(climb, stage)()
    entry = climb.at(rollout).entry or ""
    k = len(store.show(climb.registry, entry).looks) + 1
    climb.ended(entry, Verdict.INVALID, k, action=action)
    assert climb.at(rollout).state is RolloutState.PAUSED
    assert ladder.route(climb.registry, climb.model).split is None
    assert "never with the entry that ended" in _when(
        lambda: ladder.resume(climb.registry, "mira", rollout, REASON)
    )


def _when(attempt: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as refusal:
        attempt()
    return refusal.value.when_possible


def test_a_canary_whose_time_is_up_keeps_its_share_where_its_plan_says_hold(climb: Climb) -> None:
    rollout = climb.in_canary()
    climb.ended(climb.at(rollout).canary or "", Verdict.INCONCLUSIVE, action="hold")
    assert ladder.route(climb.registry, climb.model).share == Fraction(1, 100)
    assert "No sealed check" in refused(lambda: climb.advanced(rollout, actor="dan"))


def test_a_canary_that_is_stopped_or_given_up_serves_nobody_though_nobody_moved_the_rollout(
    climb: Climb,
) -> None:
    rollout = climb.in_canary()
    canary = climb.at(rollout).canary or ""
    lifecycle.abandon(climb.registry, "mira", canary, Abandonment.OPERATIONAL, REASON)
    lifecycle.abandon(climb.registry, "ola", canary, Abandonment.OPERATIONAL, REASON)
    assert store.show(climb.registry, canary).experiment.state is State.ABANDONED
    found = ladder.route(climb.registry, climb.model)
    assert (found.version, found.share) == ("v3", 0)
    assert "is abandoned" in found.reason


def test_a_rung_that_ended_without_a_pass_is_repeated_with_another_entry_and_a_signature(
    climb: Climb,
) -> None:
    rollout = climb.in_canary(2)
    canary = climb.at(rollout).canary or ""
    another = climb.canary()
    assert "has not ended without a pass" in refused(
        lambda: ladder.repeat(climb.registry, "mira", rollout, another, REASON)
    )
    climb.ended(canary, Verdict.INVALID, 2, step=2, action="pause")
    asked = ladder.repeat(climb.registry, "mira", rollout, another, REASON)
    assert asked.state is RolloutState.PAUSED
    begun = ladder.approve(climb.registry, "dan", rollout, REASON)
    assert (begun.state, begun.step, begun.canary) == (RolloutState.CANARY, 1, another)
    assert ladder.route(climb.registry, climb.model).share == Fraction(1, 100)


# Two at once


def test_of_two_who_saw_the_same_the_second_is_told_what_the_first_did(climb: Climb) -> None:
    rollout = climb.in_canary()
    seen = climb.at(rollout).revision
    ladder.pause(climb.registry, "oncall", rollout, "An incident elsewhere.", seen=seen)
    with pytest.raises(Conflict, match="oncall was first: pause"):
        ladder.roll_back(climb.registry, "mira", rollout, REASON, seen=seen)


# Routing


def test_the_one_percent_are_inside_the_five_and_control_never_meets_the_candidate(climb: Climb) -> None:
    rollout = climb.in_canary()
    canary = climb.at(rollout).canary or ""
    units = [f"user-{number}" for number in range(4_000)]
    before: dict[str, str] = {}
    for step in (1, 2, 3):
        split = ladder.route(climb.registry, climb.model).split
        assert split is not None
        slices = {unit: split.slice_of(unit) for unit in units}
        arms = {unit: found.arm for unit, found in slices.items() if found is not None}
        assert before.items() <= arms.items()
        sizes = [list(arms.values()).count(arm) for arm in ("candidate", "control")]
        share = Fraction(("1/100", "1/20", "1/4")[step - 1])
        assert all(abs(size - share * 4_000) < 5 * (4_000 * share) ** 0.5 for size in sizes)
        before = arms
        if step < 3:
            climb.checked(canary, step, step)
            climb.advanced(rollout, actor="dan")


def test_an_experiment_that_excludes_the_canary_s_units_assigns_none_of_them(climb: Climb) -> None:
    rollout = climb.in_canary(3)
    canary = climb.at(rollout).canary or ""
    split = ladder.route(climb.registry, climb.model).split
    assert split is not None
    units = [f"user-{number}" for number in range(4_000)]
    in_canary = {unit for unit in units if split.slice_of(unit) is not None}
    climb.ended(canary, Verdict.PASS, 3, step=3)
    climb.decided(canary, Choice.APPROVE)
    climb.advanced(rollout, climb.experiment(layer=climb.free_of(canary)))
    then = ladder.route(climb.registry, climb.model)
    assert then.split is not None
    in_ab = {unit: found for unit in units if (found := then.split.slice_of(unit)) is not None}
    assert not in_canary & in_ab.keys()
    assert in_canary | in_ab.keys() == set(units)
    candidates = sum(found.version == "v4" for found in in_ab.values())
    assert abs(candidates - len(in_ab) / 2) < 5 * (len(in_ab) / 4) ** 0.5
    assert then.share == Fraction(1, 4)


def test_the_answer_names_what_a_service_needs_to_assign_by_itself(climb: Climb) -> None:
    climb.in_canary()
    found = ladder.route(climb.registry, climb.model)
    assert found.split is not None
    place = position(found.split.salt, "user-1")
    low, high = found.split.candidate.digits
    assert high is not None
    assert (low <= f"{place:013x}" < high) == (place in found.split.candidate)
    assert found.version_for("user-1") == ("v4" if place in found.split.candidate else "v3")


def test_requests_are_mirrored_while_the_shadow_runs(climb: Climb) -> None:
    rollout = climb.in_shadow()
    found = ladder.route(climb.registry, climb.model)
    assert (found.version, found.share, found.mirror) == ("v3", 0, ("v4", Fraction(1, 5)))
    climb.ended(climb.at(rollout).shadow or "", Verdict.DO_NOT_PASS)
    assert ladder.route(climb.registry, climb.model).mirror is None


def test_a_model_nobody_rolled_out_has_no_route(climb: Climb) -> None:
    climb.planned()
    with pytest.raises(Unknown, match="did you mean 'router'"):
        ladder.route(climb.registry, "rooter")


def test_a_canary_holds_its_slices_of_the_layer_against_every_other_experiment(climb: Climb) -> None:
    canary = climb.canary(salt="layer:search")
    for start, end in (("0", "1/2"), ("1/2", "1"), ("1/5", "3/4")):
        said = refused(lambda start=start, end=end: _taking(climb, start, end))
        assert f"{canary} holds" in said
    experiment = _taking(climb, "1/4", "3/4")
    assert experiment in refused(lambda: climb.canary(shares=("1/3",), salt="layer:search"))


def _taking(climb: Climb, start: str, end: str) -> str:
    return climb.experiment(layer={"name": "search", "start": start, "end": end})


def test_nothing_of_a_running_canary_is_amended(climb: Climb) -> None:
    canary = climb.canary()
    shown = store.show(climb.registry, canary)
    material = shown.draft | {"breach": "pause"}
    plan = Plan(material, {}, sha256_of(material), "breach: pause", shown.experiment.title)
    change = Amendment(ReasonCode.MISSING_INFORMATION, REASON, Inference.NONE)
    assert "the plan of a running canary (breach)" in refused(
        lambda: lifecycle.amend(
            climb.registry, "mira", canary, plan, lifecycle.Exposure(None), amendment=change
        )
    )


@pytest.mark.parametrize(
    ("stage", "state"), [("in_shadow", "stopped"), ("in_canary", "abandoned"), ("in_ab", "stopped")]
)
def test_what_runs_on_a_rung_that_is_rolled_back_ends_with_it(climb: Climb, stage: str, state: str) -> None:
    rollout = getattr(climb, stage)()
    entry = climb.at(rollout).entry or ""
    ladder.roll_back(climb.registry, "oncall", rollout, "Errors rise.")
    ended = store.show(climb.registry, entry).experiment
    assert ended.state.value == state
    assert ended.stopped_by_hand == (state == "stopped")
    assert verify(climb.registry).ok


def test_a_canary_is_stopped_on_its_ladder_only(climb: Climb) -> None:
    canary = climb.at(climb.in_canary()).canary or ""
    assert "serves what its rollout says" in refused(
        lambda: lifecycle.stop_by_hand(climb.registry, "mira", canary, REASON)
    )


# Several at once


def test_of_two_who_sign_the_same_step_one_takes_it(climb: Climb) -> None:
    rollout = climb.in_canary()
    climb.checked(climb.at(rollout).canary or "", 1, 1)
    climb.advanced(rollout)
    results = at_once(
        [
            lambda: ladder.approve(climb.registry, "dan", rollout, REASON),
            lambda: ladder.approve(climb.registry, "eve", rollout, REASON),
        ]
    )
    assert sum(isinstance(one, Refused) for one in results) == 1
    assert climb.at(rollout).step == 2
    assert verify(climb.registry).ok


def test_a_rollback_wins_over_a_step_that_is_signed_at_the_same_moment(climb: Climb) -> None:
    rollout = climb.in_canary()
    climb.checked(climb.at(rollout).canary or "", 1, 1)
    climb.advanced(rollout)
    at_once(
        [
            lambda: ladder.approve(climb.registry, "dan", rollout, REASON),
            lambda: ladder.roll_back(climb.registry, "oncall", rollout, "Errors rise."),
        ]
    )
    assert climb.at(rollout).state is RolloutState.ROLLED_BACK
    assert ladder.route(climb.registry, climb.model).share == 0
    assert verify(climb.registry).ok


def test_of_two_who_plan_a_rollout_of_one_model_one_begins_it(climb: Climb) -> None:
    results = at_once([climb.planned] * 3)
    assert sum(isinstance(one, Refused) for one in results) == 2
    assert len(ladder.list_rollouts(climb.registry)) == 1


# Alone


def test_alone_one_person_signs_their_own_steps_and_the_label_says_so_for_ever(
    url: str, tmp_path: Path, clock: SimulatedClock
) -> None:
    with store.open_registry(url, clock=clock, anchor=tmp_path / "alone") as registry:
        membership.found(registry, "ada", "Ada", one_person=True)
        climb = Climb(registry, clock, person="ada")
        rollout = climb.in_canary(2)
        assert "self-reviewed" in climb.at(rollout).labels
        ladder.roll_back(registry, "ada", rollout, "Errors rise.")
        assert "self-reviewed" in climb.at(rollout).labels
        assert verify(registry).ok


# Behind the registry's back


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE aliases SET version = 'v4' WHERE alias = 'champion'",
        "UPDATE rollouts SET state = 'ab', step = NULL",
        "UPDATE transitions SET settled_by = 'eve' WHERE number = 3",
        "DELETE FROM transitions WHERE number = 3",
        "DELETE FROM aliases",
        "UPDATE transitions SET evidence = '[]' WHERE number = 3",
    ],
)
def test_what_is_changed_behind_its_back_is_found(climb: Climb, behind_its_back: Engine, sql: str) -> None:
    climb.in_canary()
    assert verify(climb.registry).ok
    with behind_its_back.begin() as connection:
        assert connection.execute(text(sql)).rowcount > 0
    found = verify(climb.registry)
    assert not found.ok
    assert found.first_broken is not None
