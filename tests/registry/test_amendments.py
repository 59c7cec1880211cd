"""What may change in a locked plan, by whom and how late."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from registry import lifecycle, store
from registry.canonical import sha256_of
from registry.errors import Refused
from registry.lifecycle import Amendment, Exposure, Inference, ReasonCode
from registry.lifecycle.paths import differences, forbidden_after_exposure
from registry.records import Label, Plan, State
from registry.verification import verify

REASON = "Because the reason has to be long enough for a stranger to follow."
UNSEEN = Exposure(first_exposure_at=None)
WHY = Amendment(ReasonCode.ERROR_IN_THE_PLAN, REASON, Inference.NONE)


def propose(team: Any, id: str, plan: Plan, exposure: Exposure = UNSEEN) -> None:
    lifecycle.amend(team.registry, "mira", id, plan, exposure, amendment=WHY)


def refused_for(attempt: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as refusal:
        attempt()
    return refusal.value.reason


def test_an_administrative_change_needs_nobody_and_makes_no_version(
    team: Any, plan: Callable[..., Any]
) -> None:
    id = team.registered(plan()).id
    changed = lifecycle.amend(team.registry, "mira", id, plan("Ranker v7, renamed", team="Search"), UNSEEN)
    assert (changed.title, changed.team, changed.plan_version) == ("Ranker v7, renamed", "Search", 1)
    last = store.show(team.registry, id).history[-1]
    assert "administrative" in last.summary
    assert '"field":"title"' in last.detail
    assert len(store.show(team.registry, id).plans) == 1


def test_an_administrative_change_is_allowed_after_the_readout_too(
    team: Any, plan: Callable[..., Any]
) -> None:
    first = team.plan()
    id = team.registered(first).id
    renamed = Plan(first.material, {"links": ["a page"]}, first.sha256, first.written, first.title)
    lifecycle.withdraw(team.registry, "mira", id, REASON)
    assert lifecycle.amend(team.registry, "mira", id, renamed, UNSEEN).administrative == {"links": ["a page"]}


def test_a_new_title_is_not_taken_from_another_open_experiment(team: Any, plan: Callable[..., Any]) -> None:
    team.registered()
    id = team.registered(plan()).id
    assert "same title" in refused_for(
        lambda: lifecycle.amend(team.registry, "mira", id, plan("Experiment number 1"), UNSEEN)
    )


def test_the_owner_hands_over_to_an_analyst_who_does_not_review(team: Any, plan: Callable[..., Any]) -> None:
    id = team.registered(plan()).id
    assert "not an analyst" in refused_for(
        lambda: lifecycle.amend(team.registry, "mira", id, plan(owner="dan"), UNSEEN)
    )
    waiting = lifecycle.submit(team.registry, "mira", team.draft().id, reviewer="rob")
    current = store.show(team.registry, waiting.id)
    robs = Plan(current.draft, {"owner": "rob"}, waiting.draft_sha256, current.draft_written, waiting.title)
    assert "rob reviews" in refused_for(
        lambda: lifecycle.amend(team.registry, "mira", waiting.id, robs, UNSEEN)
    )
    handed = lifecycle.amend(team.registry, "mira", id, plan(owner="max"), UNSEEN)
    assert (handed.owner, handed.past_owners) == ("max", ("mira",))


def test_a_material_change_is_proposed_with_its_diff_and_locked_by_the_reviewer(
    team: Any, plan: Callable[..., Any]
) -> None:
    id = team.registered(plan()).id
    larger = plan(edit={"power.n_per_arm": [20000, 20000]})
    propose(team, id, larger)
    waiting = store.show(team.registry, id)
    assert waiting.experiment.plan_version == 1
    assert waiting.proposals[0].content["diff"] == [
        {"field": "power.n_per_arm", "change": "changed", "old": [13480, 13480], "new": [20000, 20000]}
    ]
    for other in ("mira", "rob", "ada", "dan", "system"):
        refused_for(lambda other=other: lifecycle.approve_amendment(team.registry, other, id, UNSEEN))
    lifecycle.approve_amendment(team.registry, "ola", id, UNSEEN)
    shown = store.show(team.registry, id)
    assert [locked.version for locked in shown.plans] == [1, 2]
    assert (shown.plans[1].sha256, shown.plans[1].timing, shown.plans[1].outcome_reads_before) == (
        larger.sha256,
        "A",
        0,
    )
    assert shown.draft == larger.material
    assert verify(team.registry).ok


def test_what_is_administrative_in_a_material_change_is_saved_at_once(
    team: Any, plan: Callable[..., Any]
) -> None:
    id = team.registered(plan()).id
    propose(team, id, plan("Ranker v7, renamed", edit={"primary.alpha": 0.01}, team="Search"))
    lifecycle.approve_amendment(team.registry, "ola", id, UNSEEN)
    amended = store.show(team.registry, id).experiment
    assert (amended.title, amended.team, amended.plan_version) == ("Ranker v7, renamed", "Search", 2)


def test_a_material_change_says_why(team: Any, plan: Callable[..., Any]) -> None:
    id = team.registered(plan()).id
    edited = plan(edit={"primary.alpha": 0.01})
    assert "primary.alpha" in refused_for(lambda: lifecycle.amend(team.registry, "mira", id, edited, UNSEEN))
    short = Amendment(ReasonCode.MISSING_INFORMATION, "we forgot", Inference.UNKNOWN)
    assert "50 are needed" in refused_for(
        lambda: lifecycle.amend(team.registry, "mira", id, edited, UNSEEN, amendment=short)
    )


def test_a_rejected_amendment_leaves_the_plan_and_room_for_another(
    team: Any, plan: Callable[..., Any]
) -> None:
    id = team.registered(plan()).id
    propose(team, id, plan(edit={"primary.alpha": 0.01}))
    assert "waiting for a second person" in refused_for(
        lambda: propose(team, id, plan(edit={"primary.alpha": 0.02}))
    )
    lifecycle.reject_amendment(team.registry, "ola", id, REASON)
    assert len(store.show(team.registry, id).plans) == 1
    propose(team, id, plan(edit={"primary.alpha": 0.02}))


ANYTHING = {"primary.alpha": 0.01, "primary.metric.name": "revenue", "stopping.rule": "sequential"}


def test_before_the_first_exposure_anything_may_be_amended(team: Any, plan: Callable[..., Any]) -> None:
    id = team.registered(plan()).id
    propose(team, id, plan(edit=ANYTHING))
    amended = lifecycle.approve_amendment(team.registry, "ola", id, UNSEEN)
    assert (amended.plan_version, amended.primary_metric) == (2, "revenue@3")


FORBIDDEN = [
    ({"primary.metric.name": "revenue"}, "the primary metric"),
    ({"primary.metric.version": 4}, "the primary metric"),
    ({"primary.metric.direction": "decrease"}, "the primary metric"),
    ({"hypothesis.expect": "decrease"}, "the direction"),
    ({"primary.alpha": 0.1}, "alpha"),
    ({"primary.alpha": 0.01}, "alpha"),
    ({"primary.sides": 1}, "the number of sides"),
    ({"guardrails.0.margin.value": 20.5}, "a margin, upward"),
    ({"guardrails.0.margin": None}, "a margin, upward"),
    ({"guardrails.0.margin.value": "20"}, "a margin, upward"),
    ({"guardrails.0.margin": {"kind": "relative", "value": 0.1}}, "a margin's kind"),
    ({"guardrails.0.alpha": 0.05}, "alpha"),
    ({"guardrails.0.role": "monitor"}, "what a guardrail is for"),
    ({"guardrails.0.role": "harm-stop"}, "what a guardrail is for"),
    ({"guardrails": []}, "a guardrail's metric"),
    ({"guardrails": None}, "a guardrail's metric"),
    ({"guardrails.0.metric.name": "errors"}, "a guardrail's metric"),
    ({"stopping.rule": "sequential"}, "the stopping rule and its looks"),
    ({"stopping": {"rule": "fixed", "looks": [0.5, 1.0]}}, "the stopping rule and its looks"),
    ({"stopping.minimum_duration": 604800}, "the stopping rule and its looks"),
    ({"validity.alpha": 0.01}, "the validity checks and their alpha"),
    ({"validity": {}}, "the validity checks and their alpha"),
    ({"eligibility": []}, "who is excluded"),
    ({"rules.several_arms": "first arm"}, "the rules for exclusion"),
    ({"rules.missing_outcomes": "failure"}, "the rules for exclusion"),
    ({"power.n_per_arm": [13480, 13000]}, "the sample, downward"),
    ({"power.n_per_arm": [20000]}, "the sample, downward"),
    ({"power.n_per_arm": None}, "the sample, downward"),
    ({"assignment.salt": "other"}, "the assignment"),
    ({"arms.1.share": "1/3"}, "the planned shares"),
    ({"arms.1.name": "other"}, "the arms"),
    ({"units.analysis": "session"}, "the units"),
    ({"decision_rule": "R-2"}, "the decision rule"),
    ({"multiple_treatments": "holm"}, "alpha over several treatments"),
]


@pytest.mark.parametrize(("edit", "what"), FORBIDDEN)
def test_after_the_first_exposure_what_decides_is_forbidden(
    plan: Callable[..., Any], edit: dict[str, Any], what: str
) -> None:
    changes = differences(plan().material, plan(edit=edit).material)
    assert any(touched.startswith(what) for touched in forbidden_after_exposure(changes))


def test_after_the_first_exposure_what_decides_needs_a_new_experiment(
    team: Any, plan: Callable[..., Any]
) -> None:
    id = team.running(plan()).id
    with pytest.raises(Refused) as refusal:
        propose(team, id, plan(edit={"primary.alpha": 0.1, "guardrails.0.margin.value": 25.0}))
    assert "the change touches alpha (primary.alpha)" in refusal.value.reason
    assert "the change touches a margin, upward (guardrails.p95_latency.margin.value)" in refusal.value.reason
    assert "Clone the plan" in refusal.value.what_to_do
    assert store.show(team.registry, id).proposals == ()


HARM_STOP = {
    "metric": {"name": "errors", "version": 1},
    "role": "harm-stop",
    "alpha": 0.005,
    "margin": {"kind": "absolute", "value": 0.1},
}


def test_after_the_first_exposure_no_harm_stop_is_added(team: Any, plan: Callable[..., Any]) -> None:
    id = team.running(plan()).id
    with_stop = plan()
    with_stop = plan(edit={"guardrails": [*with_stop.material["guardrails"], HARM_STOP]})
    assert "touches a harm stop" in refused_for(lambda: propose(team, id, with_stop))


@pytest.mark.parametrize(
    "edit",
    [
        {"power.n_per_arm": [20000, 20000]},
        {"power.n_per_arm": [20000, 20000], "stopping.minimum_duration": 2419200},
        {"guardrails.0.margin.value": 15.0},
        {"label_delay": 86400},
        {"secondary": {"metrics": [{"name": "visits", "version": 1}], "multiplicity": "holm"}},
        {"arms.1.version": "v7.1"},
        {"primary.covariates": [{"attribute": "age"}]},
    ],
)
def test_after_the_first_exposure_what_decides_nothing_more_is_not_forbidden(
    plan: Callable[..., Any], edit: dict[str, Any]
) -> None:
    changes = differences(plan().material, plan(edit=edit).material)
    assert changes
    assert forbidden_after_exposure(changes) == {}


def test_after_the_first_exposure_a_larger_sample_is_allowed(team: Any, plan: Callable[..., Any]) -> None:
    id = team.running(plan()).id
    propose(team, id, plan(edit={"power.n_per_arm": [20000, 20000]}))
    lifecycle.approve_amendment(team.registry, "ola", id, UNSEEN)
    assert store.show(team.registry, id).plans[1].timing == "B"


def test_a_stricter_guardrail_may_be_added_after_the_first_exposure(
    team: Any, plan: Callable[..., Any]
) -> None:
    id = team.running(plan()).id
    added = HARM_STOP | {"role": "must-hold"}
    propose(team, id, plan(edit={"guardrails": [added, *plan().material["guardrails"]]}))
    assert lifecycle.approve_amendment(team.registry, "ola", id, UNSEEN).plan_version == 2


def test_exposures_in_the_logs_count_even_when_nobody_has_started_it(
    team: Any, plan: Callable[..., Any]
) -> None:
    id = team.registered(plan()).id
    exposed = Exposure(team.clock.advance(timedelta(hours=1)))
    assert "touches alpha" in refused_for(
        lambda: propose(team, id, plan(edit={"primary.alpha": 0.01}), exposed)
    )


def test_the_timing_is_computed_again_at_the_approval(team: Any, plan: Callable[..., Any]) -> None:
    id = team.registered(plan()).id
    propose(team, id, plan(edit={"primary.alpha": 0.01}))
    lifecycle.start(team.registry, "system", id, team.clock.advance(timedelta(hours=1)))
    assert "touches alpha" in refused_for(
        lambda: lifecycle.approve_amendment(team.registry, "ola", id, UNSEEN)
    )
    assert store.show(team.registry, id).experiment.plan_version == 1


def test_once_outcomes_were_read_nothing_material_changes(team: Any, plan: Callable[..., Any]) -> None:
    id = team.running(plan()).id
    lifecycle.record_outcome_read(team.registry, "lou", id, "a look at the logs", 3)
    with pytest.raises(Refused) as refusal:
        propose(team, id, plan(edit={"power.n_per_arm": [20000, 20000]}))
    assert "Outcomes have been read" in refusal.value.reason
    assert "exploratory" in refusal.value.what_to_do
    lifecycle.declare_exploratory(team.registry, "mira", id, "Effect by country, thought of after the look.")
    (noted,) = store.show(team.registry, id).proposals
    assert (noted.kind, noted.status) == ("exploratory analysis", "noted")


def test_a_look_that_went_on_has_seen_outcomes_too(team: Any, plan: Callable[..., Any]) -> None:
    id = team.running(plan()).id
    team.sealed(id, 1, of=2)
    assert "Outcomes have been read" in refused_for(
        lambda: propose(team, id, plan(edit={"power.n_per_arm": [20000, 20000]}))
    )


def test_a_read_between_proposal_and_approval_stops_the_approval(team: Any, plan: Callable[..., Any]) -> None:
    id = team.running(plan()).id
    propose(team, id, plan(edit={"power.n_per_arm": [20000, 20000]}))
    lifecycle.record_outcome_read(team.registry, "lou", id, "a look at the logs", 3)
    assert "Outcomes have been read" in refused_for(
        lambda: lifecycle.approve_amendment(team.registry, "ola", id, UNSEEN)
    )


def test_an_amended_layer_moves_the_reservation(team: Any, plan: Callable[..., Any]) -> None:
    id = team.registered(plan(edit={"assignment.layer": {"name": "search", "start": "0", "end": "1/2"}})).id
    propose(team, id, plan(edit={"assignment.layer": {"name": "search", "start": "1/2", "end": "1"}}))
    lifecycle.approve_amendment(team.registry, "ola", id, UNSEEN)
    held = store.show(team.registry, id).reservation
    assert held is not None
    assert (str(held.start), str(held.end)) == ("1/2", "1")
    assert verify(team.registry).ok


def test_an_open_amendment_lapses_with_its_experiment(team: Any, plan: Callable[..., Any]) -> None:
    id = team.registered(plan()).id
    propose(team, id, plan(edit={"primary.alpha": 0.01}))
    assert lifecycle.withdraw(team.registry, "mira", id, REASON).state is State.ABANDONED
    assert store.show(team.registry, id).proposals[0].status == "lapsed"
    assert Label.SELF_REVIEWED not in store.show(team.registry, id).experiment.labels


# What would become of a change, asked before it is sent


def judged(team: Any, id: str, plan: Plan, who: str = "mira", exposure: Exposure | None = UNSEEN) -> Any:
    records = len(store.show(team.registry, id).history)
    found = lifecycle.judge_change(team.registry, who, id, plan, exposure)
    assert len(store.show(team.registry, id).history) == records, "a judgement leaves no record"
    return found


def changed(team: Any, id: str, edit: dict[str, Any]) -> Plan:
    """The plan of an experiment with other values at these paths."""
    current = store.show(team.registry, id)
    material = deepcopy(current.draft)
    for path, value in edit.items():
        *parents, last = path.split(".")
        place: Any = material
        for name in parents:
            place = place[name]
        place[last] = value
    title = current.experiment.title
    return Plan(material, current.experiment.administrative, sha256_of(material), f"title: {title}\n", title)


@pytest.mark.parametrize(
    ("edit", "touches"),
    [
        ({"primary.alpha": 0.01}, ["alpha"]),
        ({"power.n_per_arm": [20000, 20000]}, []),
        (
            {"power.n_per_arm": [13000, 13480], "stopping.rule": "always-valid"},
            ["the sample, downward", "the stopping rule and its looks"],
        ),
    ],
)
@pytest.mark.parametrize("exposed", [False, True])
def test_a_change_is_judged_as_it_is_when_it_is_sent(
    team: Any, edit: dict[str, Any], touches: list[str], exposed: bool
) -> None:
    id, exposure = team.registered().id, Exposure(team.clock.now()) if exposed else UNSEEN
    edited = changed(team, id, edit)
    found = judged(team, id, edited, exposure=exposure)
    assert (found.kind, found.timing) == ("material", "B" if exposed else "A")
    assert {change.name for change in found.material} == set(edit)
    assert sorted(found.forbidden) == (touches if exposed else [])
    if found.objections:
        reasons = " ".join(problem.reason for problem in found.objections)
        assert reasons == refused_for(lambda: propose(team, id, edited, exposure))
    else:
        propose(team, id, edited, exposure)
    assert bool(found.objections) is bool(found.forbidden)


def test_after_outcomes_were_read_every_change_is_judged_impossible(team: Any) -> None:
    id = team.running().id
    lifecycle.record_outcome_read(team.registry, "system", id, "a look", 3)
    found = judged(team, id, changed(team, id, {"power.n_per_arm": [20000, 20000]}))
    assert (found.timing, len(found.objections)) == ("C", 1)
    assert "cannot change any more" in found.objections[0].reason
    assert found.forbidden == {"the plan, whose outcomes were read": ("power.n_per_arm",)}


def test_what_is_only_in_words_is_judged_administrative_and_by_its_own_rules(team: Any) -> None:
    id = team.running().id
    current = store.show(team.registry, id)
    renamed = Plan(
        current.draft,
        {"team": "Search"},
        current.experiment.draft_sha256,
        current.draft_written,
        "Another title",
    )
    found = judged(team, id, renamed, exposure=None)
    assert (found.kind, found.objections, found.material) == ("administrative", (), ())
    assert {change.name for change in found.administrative} >= {"title", "team"}
    stranger = judged(team, id, renamed, who="max", exposure=None)
    assert "Only the owner may amend administrative" in stranger.objections[0].reason


def test_nothing_changed_is_judged_as_nothing(team: Any) -> None:
    id = team.registered().id
    same = changed(team, id, {})
    found = judged(team, id, same, exposure=None)
    assert (found.kind, found.objections) == ("nothing", ())
    worded = replace(same, written=f"# in other words\n{same.written}")
    found = judged(team, id, worded, exposure=None)
    assert (found.kind, found.material, found.administrative) == ("administrative", (), ())


def test_before_the_first_exposure_the_logs_have_to_be_asked_to_judge(team: Any) -> None:
    id = team.registered().id
    found = judged(team, id, changed(team, id, {"primary.alpha": 0.01}), exposure=None)
    assert "Nobody has asked the logs yet" in found.objections[0].reason


def test_a_second_proposal_and_a_stranger_are_told_before_they_send(team: Any) -> None:
    id = team.running().id
    larger = changed(team, id, {"power.n_per_arm": [20000, 20000]})
    propose(team, id, larger)
    assert "is waiting for a second person already" in judged(team, id, larger).objections[0].reason
    assert "Only the owner" in judged(team, id, larger, who="max").objections[0].reason
