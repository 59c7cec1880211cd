"""Who may do what, in which state, and what a refusal says."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from registry import lifecycle, membership, store
from registry.actors import Role
from registry.database import Registry
from registry.errors import Conflict, Refused, Unknown
from registry.lifecycle import Abandonment, Choice, Exposure, StopReason
from registry.lifecycle.states import RULES, possible_acts
from registry.records import Label, State, Verdict
from registry.verification import verify

REASON = "Because the reason has to be long enough for a stranger to follow."
LONG_REASON = REASON * 2
UNSEEN = Exposure(first_exposure_at=None)


def refused_for(attempt: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as refusal:
        attempt()
    for problem in refusal.value.problems:
        assert problem.reason
        assert problem.when_possible
        assert problem.what_to_do
    return refusal.value.reason


def test_a_plan_goes_from_draft_to_decision_and_every_step_is_in_the_ledger(team: Any) -> None:
    experiment = team.decided()
    shown = store.show(team.registry, experiment.id)
    assert shown.experiment.state is State.DECIDED
    assert shown.words == "Decided: shipped"
    assert [entry.action for entry in shown.history] == [
        "create draft",
        "submit",
        "register",
        "start",
        "open look",
        "seal look",
        "mature",
        "release",
        "decide",
    ]
    assert shown.decision is not None
    assert (shown.decision.decided_by, shown.decision.against_verdict) == ("dan", False)
    assert verify(team.registry).ok


def test_each_act_is_recorded_with_the_role_it_was_done_in(team: Any) -> None:
    history = store.show(team.registry, team.decided().id).history
    roles = {entry.action: (entry.actor, entry.role) for entry in history}
    assert roles["submit"] == ("mira", "Analyst")
    assert roles["register"] == ("ola", "Reviewer")
    assert roles["start"] == ("system", "System")
    assert roles["decide"] == ("dan", "Decider")


def test_under_a_simulated_clock_every_record_and_experiment_says_so(team: Any) -> None:
    experiment = team.registered()
    assert Label.SIMULATED in experiment.labels
    assert all(entry.simulated for entry in store.find_ledger(team.registry))


def test_a_refused_attempt_is_recorded_with_its_reason_and_changes_nothing(team: Any) -> None:
    draft = team.draft()
    before = store.head(team.registry).count
    reason = refused_for(lambda: lifecycle.register(team.registry, "ola", draft.id, UNSEEN))
    assert "is Draft" in reason
    (entry,) = store.find_ledger(team.registry, action="register refused")
    assert (entry.actor, entry.entity, entry.role) == ("ola", draft.id, "Reviewer")
    assert entry.reason is not None
    assert "is Draft" in entry.reason
    assert store.head(team.registry).count == before + 1
    assert store.show(team.registry, draft.id).experiment == draft


def test_somebody_unknown_is_refused_and_recorded_under_the_name_they_gave(team: Any) -> None:
    draft = team.draft()
    assert "Nobody here is called 'mallory'" in refused_for(
        lambda: lifecycle.submit(team.registry, "mallory", draft.id, reviewer="ola")
    )
    (entry,) = store.find_ledger(team.registry, actor="mallory")
    assert entry.role == "unknown"


def test_an_experiment_that_is_not_there_is_named(team: Any) -> None:
    team.draft()
    with pytest.raises(Unknown, match=r"'exp-001' is not in this registry; did you mean EXP-0001\?"):
        store.show(team.registry, "exp-001")


# Draft and review


def test_saving_the_same_draft_again_leaves_no_record(team: Any) -> None:
    plan = team.plan()
    draft = team.draft(plan)
    before = store.head(team.registry)
    again = lifecycle.save_draft(team.registry, "mira", draft.id, plan)
    assert again.revision == draft.revision
    assert store.head(team.registry) == before


def test_a_plan_whose_hash_is_not_its_own_is_not_saved(team: Any, plan: Callable[..., Any]) -> None:
    honest = plan()
    other = plan(edit={"primary.alpha": 0.1})
    forged = type(honest)(other.material, {}, honest.sha256, honest.written, honest.title)
    with pytest.raises(ValueError, match=r"plan\.sha256"):
        lifecycle.create_draft(team.registry, "mira", forged)
    assert store.list_experiments(team.registry) == ()


def test_only_the_owner_edits_and_submits(team: Any) -> None:
    draft = team.draft()
    assert "Only the owner" in refused_for(
        lambda: lifecycle.save_draft(team.registry, "max", draft.id, team.plan())
    )
    assert "Only the owner" in refused_for(
        lambda: lifecycle.submit(team.registry, "max", draft.id, reviewer="ola")
    )


def test_a_plan_needs_a_reviewer_who_has_the_role_and_never_owned_it(team: Any) -> None:
    draft = team.draft()
    assert "No reviewer is named" in refused_for(lambda: lifecycle.submit(team.registry, "mira", draft.id))
    assert "'max' is not a reviewer" in refused_for(
        lambda: lifecycle.submit(team.registry, "mira", draft.id, reviewer="max")
    )
    robs = lifecycle.create_draft(team.registry, "rob", team.plan())
    assert "nobody reviews their own plan" in refused_for(
        lambda: lifecycle.submit(team.registry, "rob", robs.id, reviewer="rob")
    )


def test_a_past_owner_does_not_review(team: Any, plan: Callable[..., Any]) -> None:
    robs = lifecycle.create_draft(team.registry, "rob", team.plan())
    handed_over = lifecycle.save_draft(
        team.registry, "rob", robs.id, plan("Handed over to Mira", owner="mira")
    )
    assert (handed_over.owner, handed_over.past_owners) == ("mira", ("rob",))
    assert "or did: nobody reviews their own plan" in refused_for(
        lambda: lifecycle.submit(team.registry, "mira", robs.id, reviewer="rob")
    )


def test_only_the_named_reviewer_locks(team: Any) -> None:
    waiting = team.in_review()
    for other in ("mira", "rob", "ada", "dan", "system", "vic"):
        assert "Only the reviewer named at submission" in refused_for(
            lambda other=other: lifecycle.register(team.registry, other, waiting.id, UNSEEN)
        )
    assert lifecycle.register(team.registry, "ola", waiting.id, UNSEEN).state is State.REGISTERED


def test_a_reviewer_who_lost_the_role_does_not_lock(team: Any) -> None:
    waiting = team.in_review()
    membership.revoke_role(team.registry, "ada", "ola", Role.REVIEWER)
    refused_for(lambda: lifecycle.register(team.registry, "ola", waiting.id, UNSEEN))


def test_changes_requested_lead_back_to_the_draft(team: Any) -> None:
    waiting = team.in_review()
    assert "characters" in refused_for(
        lambda: lifecycle.request_changes(team.registry, "ola", waiting.id, "no")
    )
    back = lifecycle.request_changes(team.registry, "ola", waiting.id, REASON)
    assert back.state is State.DRAFT
    assert lifecycle.take_back(team.registry, "mira", team.in_review().id).state is State.DRAFT


# The lock


def test_the_lock_keeps_the_hash_and_both_texts(team: Any) -> None:
    plan = team.plan()
    shown = store.show(team.registry, team.registered(plan).id)
    (locked,) = shown.plans
    assert (locked.version, locked.sha256, locked.locked_by) == (1, plan.sha256, "ola")
    assert locked.material == plan.material
    assert locked.written == plan.written
    assert locked.locked_at == shown.experiment.registered_at


def test_exposures_before_the_lock_stop_it_unless_declared(team: Any) -> None:
    early = Exposure(team.clock.now() - timedelta(days=1))
    waiting = team.in_review()
    with pytest.raises(Refused) as refusal:
        lifecycle.register(team.registry, "ola", waiting.id, early)
    assert "Units have been exposed since" in refusal.value.reason
    assert "Register it as late" in refusal.value.what_to_do
    assert "characters" in refused_for(
        lambda: lifecycle.register(team.registry, "ola", waiting.id, early, declared=Label.LATE)
    )
    late = lifecycle.register(team.registry, "ola", waiting.id, early, declared=Label.LATE, reason=REASON)
    assert Label.LATE in late.labels
    assert late.first_exposure_at == early.first_exposure_at


def test_complete_data_make_it_retrospective_and_late_is_not_enough(team: Any) -> None:
    known = Exposure(team.clock.now() - timedelta(days=40), data_complete=True)
    waiting = team.in_review()
    assert "complete already" in refused_for(
        lambda: lifecycle.register(
            team.registry, "ola", waiting.id, known, declared=Label.LATE, reason=REASON
        )
    )
    locked = lifecycle.register(
        team.registry, "ola", waiting.id, known, declared=Label.RETROSPECTIVE, reason=REASON
    )
    assert Label.RETROSPECTIVE in locked.labels
    assert Label.LATE not in locked.labels
    started = lifecycle.start(team.registry, "system", locked.id, known.first_exposure_at)
    assert Label.LATE not in started.labels


def test_outcomes_read_before_the_lock_make_it_retrospective(team: Any) -> None:
    waiting = team.in_review()
    lifecycle.record_outcome_read(team.registry, "lou", waiting.id, "a look that nobody declared", 10)
    assert "read 1 times already" in refused_for(
        lambda: lifecycle.register(team.registry, "ola", waiting.id, UNSEEN)
    )


def test_an_exposure_from_before_the_lock_that_comes_to_light_later_labels_it_late(team: Any) -> None:
    locked = team.registered()
    assert Label.LATE not in locked.labels
    started = lifecycle.start(team.registry, "system", locked.id, team.clock.now() - timedelta(minutes=5))
    assert Label.LATE in started.labels


def test_two_open_experiments_share_no_title_no_key_no_salt_and_no_part_of_a_layer(
    team: Any, plan: Callable[..., Any]
) -> None:
    third = {"name": "search", "start": "0", "end": "1/3"}
    first = team.registered(plan("Ranker v7 vs v6", edit={"assignment.layer": third}))

    overlapping = {"name": "search", "start": "0.3333", "end": "1/2"}
    with pytest.raises(Refused) as refusal:
        team.in_review(plan("ranker  V7 vs v6", edit={"assignment.layer": overlapping}))
    title, assignment, layer = refusal.value.problems
    assert "same title" in title.reason
    assert "same assignment key and salt, 'ranker-7'" in assignment.reason
    assert "EXP-0001 holds 0 up to 1/3 of layer 'search'" in layer.reason

    own = {"assignment.key": "ranker-8", "assignment.salt": "ranker-8"}
    beside = {"name": "search", "start": "1/3", "end": "1/2"}
    team.registered(plan("Ranker v8 vs v6", edit=own | {"assignment.layer": beside}))
    lifecycle.withdraw(team.registry, "mira", first.id, REASON)
    team.registered(plan("Ranker v7 vs v6", edit={"assignment.layer": third}))
    assert verify(team.registry).ok


def test_a_salt_of_its_own_does_not_excuse_the_same_key(team: Any, plan: Callable[..., Any]) -> None:
    team.registered(plan("One title of many"))
    assert "same assignment key, 'ranker-7'" in refused_for(
        lambda: team.in_review(plan("Another title of many", edit={"assignment.salt": "own"}))
    )


def test_of_two_plans_in_review_with_one_salt_the_first_lock_wins(
    team: Any, plan: Callable[..., Any]
) -> None:
    one, two = team.in_review(plan("One title of many")), team.in_review(plan("Another title of many"))
    lifecycle.register(team.registry, "ola", one.id, UNSEEN)
    assert "same assignment key and salt" in refused_for(
        lambda: lifecycle.register(team.registry, "ola", two.id, UNSEEN)
    )


@pytest.mark.parametrize(
    "layer",
    [
        "search",
        {"name": "search"},
        {"name": "", "start": "0", "end": "1"},
        {"name": "search", "start": "1/2", "end": "1/2"},
        {"name": "search", "start": "0", "end": "3/2"},
        {"name": "search", "start": "0", "end": "1/0"},
        {"name": "search", "start": "none", "end": "1"},
    ],
)
def test_a_layer_that_makes_no_sense_is_named(team: Any, layer: Any) -> None:
    draft = team.draft(team.plan(**{"assignment.layer": layer}))
    with pytest.raises(ValueError, match=r"assignment\.layer"):
        lifecycle.submit(team.registry, "mira", draft.id, reviewer="ola")


# Running and looks


def test_a_look_that_goes_on_shows_only_that_no_boundary_was_crossed(team: Any) -> None:
    running = team.running()
    team.sealed(running.id, 1, of=2)
    shown = store.show(team.registry, running.id)
    assert shown.experiment.state is State.RUNNING
    assert shown.looks[0].outcome == "continue"
    assert shown.history[-1].summary == "Sealed look 1: no boundary was crossed."
    for person in ("mira", "ola", "dan", "lou", "ada"):
        assert "not released" in refused_for(
            lambda person=person: lifecycle.read_readout(team.registry, person, running.id, 1)
        )


def test_looks_come_in_order_one_at_a_time_and_each_is_read_once(team: Any) -> None:
    running, now = team.running(), team.clock.now()
    assert "the next is look 1" in refused_for(
        lambda: lifecycle.open_look(team.registry, "system", running.id, 2, 3, now)
    )
    lifecycle.open_look(team.registry, "mira", running.id, 1, 3, now)
    assert store.show(team.registry, running.id).words == "Look 1 of 3 open"
    assert "Look 1 is open" in refused_for(
        lambda: lifecycle.open_look(team.registry, "system", running.id, 1, 3, now)
    )
    lifecycle.seal_look(team.registry, "system", running.id, 1, {}, stop=None, verdict=None)
    assert "the next is look 2" in refused_for(
        lambda: lifecycle.open_look(team.registry, "system", running.id, 1, 3, now)
    )
    assert "Look 1 is sealed" in refused_for(
        lambda: lifecycle.seal_look(team.registry, "system", running.id, 1, {}, stop=None, verdict=None)
    )
    assert "4 looks are not what was declared" in refused_for(
        lambda: lifecycle.open_look(team.registry, "system", running.id, 2, 4, now)
    )


def test_a_look_that_is_not_due_is_refused_on_the_record(team: Any) -> None:
    running = team.running()
    assert "6,340 of 10,784 mature units" in refused_for(
        lambda: lifecycle.refuse_look(
            team.registry,
            "mira",
            running.id,
            1,
            "6,340 of 10,784 mature units.",
            when_possible="about 18 Nov.",
            what_to_do="Wait.",
        )
    )
    (entry,) = store.find_ledger(team.registry, action="open look refused")
    assert entry.actor == "mira"


def test_a_held_look_is_opened_again(team: Any) -> None:
    running, now = team.running(), team.clock.now()
    lifecycle.open_look(team.registry, "system", running.id, 1, 1, now)
    held = lifecycle.hold_look(
        team.registry, "system", running.id, 1, "The outcomes of two days are missing."
    )
    assert (held.status, held.held_because) == ("held", "The outcomes of two days are missing.")
    later = team.clock.advance(timedelta(days=1))
    opened = lifecycle.open_look(team.registry, "system", running.id, 1, 1, later)
    assert (opened.status, opened.cutoff, opened.held_because) == ("open", later, None)


def test_the_last_look_cannot_go_on(team: Any) -> None:
    running = team.running()
    lifecycle.open_look(team.registry, "system", running.id, 1, 1, team.clock.now())
    assert "the last of 1" in refused_for(
        lambda: lifecycle.seal_look(team.registry, "system", running.id, 1, {}, stop=None, verdict=None)
    )


def test_nothing_is_read_after_the_look_that_stopped(team: Any) -> None:
    mature = team.mature()
    assert "was the last" in refused_for(
        lambda: lifecycle.open_look(team.registry, "system", mature.id, 2, 1, team.clock.now())
    )


def test_a_stop_by_hand_is_read_out_once_all_units_are_mature(team: Any) -> None:
    running = team.running()
    stopped = lifecycle.stop_by_hand(team.registry, "mira", running.id, REASON)
    assert (stopped.state, stopped.stopped_by_hand) == (State.STOPPED, True)
    assert "is Stopped" in refused_for(
        lambda: lifecycle.open_look(team.registry, "system", running.id, 1, 1, team.clock.now())
    )
    lifecycle.mature(team.registry, "system", running.id, team.clock.now())
    team.sealed(running.id, 1, of=1, stop=StopReason.STOPPED_BY_HAND, verdict=Verdict.INCONCLUSIVE)
    released = lifecycle.release(team.registry, "system", running.id)
    assert (released.state, released.verdict) == (State.READOUT, Verdict.INCONCLUSIVE)


def test_a_readout_is_not_released_before_all_units_are_mature(team: Any) -> None:
    stopped = team.stopped()
    assert "mature yet" in refused_for(lambda: lifecycle.release(team.registry, "system", stopped.id))


def test_an_invalid_readout_closes_the_experiment_and_names_what_failed(team: Any) -> None:
    running = team.running()
    lifecycle.open_look(team.registry, "system", running.id, 1, 2, team.clock.now())
    lifecycle.seal_look(
        team.registry,
        "system",
        running.id,
        1,
        {"checks": ["allocation"]},
        stop=StopReason.INVALID,
        verdict=Verdict.INVALID,
        because="allocation",
    )
    lifecycle.release(team.registry, "system", running.id)
    shown = store.show(team.registry, running.id)
    assert shown.words == "Invalid (allocation)"
    assert shown.experiment.closed_at is not None


def test_a_released_readout_is_shown_to_everybody_and_each_reading_is_recorded(team: Any) -> None:
    released = team.readout()
    readout = lifecycle.read_readout(team.registry, "vic", released.id)
    assert readout["verdict"] == "SHIP"
    (entry,) = store.find_ledger(team.registry, action="read readout")
    assert (entry.actor, entry.role) == ("vic", "Viewer")


def test_reading_outcomes_is_recorded_and_closed_to_most_until_the_release(team: Any) -> None:
    running = team.running()
    lifecycle.record_outcome_read(team.registry, "system", running.id, "look 1", 1000)
    for person in ("mira", "ola", "dan", "ada"):
        assert "closed until its readout is released" in refused_for(
            lambda person=person: lifecycle.record_outcome_read(
                team.registry, person, running.id, "curious", 1
            )
        )
    assert [(read.actor, read.reason) for read in store.outcome_reads(team.registry, running.id)] == [
        ("system", "look 1")
    ]
    assert store.show(team.registry, running.id).outcome_reads == 1
    lifecycle.record_outcome_read(team.registry, "mira", team.readout().id, "exploration", 5)


# The end


def test_a_decision_is_signed_by_neither_owner_nor_reviewer(team: Any) -> None:
    membership.grant_role(team.registry, "ada", "mira", Role.DECIDER)
    membership.grant_role(team.registry, "ada", "ola", Role.DECIDER)
    released = team.readout()
    for person in ("mira", "ola", "ada", "system"):
        assert "Only a decider who is neither owner nor reviewer" in refused_for(
            lambda person=person: lifecycle.decide(team.registry, person, released.id, Choice.SHIP, REASON)
        )
    assert "30 are needed" in refused_for(
        lambda: lifecycle.decide(team.registry, "dan", released.id, Choice.SHIP, "fine")
    )
    assert lifecycle.decide(team.registry, "dan", released.id, Choice.SHIP, REASON).state is State.DECIDED


def test_where_deciders_are_named_only_they_decide(team: Any, plan: Callable[..., Any]) -> None:
    id = team.running(plan("Only Eve decides this one", deciders=["eve"])).id
    team.sealed(id, 1, of=1, stop=StopReason.FINAL, verdict=Verdict.SHIP)
    lifecycle.mature(team.registry, "system", id, team.clock.now())
    lifecycle.release(team.registry, "system", id)
    refused_for(lambda: lifecycle.decide(team.registry, "dan", id, Choice.SHIP, REASON))
    assert lifecycle.decide(team.registry, "eve", id, Choice.SHIP, REASON).state is State.DECIDED


@pytest.mark.parametrize(
    ("verdict", "choice", "against"),
    [
        (Verdict.SHIP, Choice.SHIP, False),
        (Verdict.SHIP, Choice.DO_NOT_SHIP, True),
        (Verdict.SHIP, Choice.REPEAT, True),
        (Verdict.DO_NOT_SHIP, Choice.SHIP, True),
        (Verdict.DO_NOT_SHIP, Choice.DO_NOT_SHIP, False),
        (Verdict.DO_NOT_SHIP, Choice.REPEAT, False),
        (Verdict.INCONCLUSIVE, Choice.SHIP, True),
        (Verdict.INCONCLUSIVE, Choice.DO_NOT_SHIP, False),
        (Verdict.INCONCLUSIVE, Choice.REPEAT, False),
        (Verdict.INVALID, Choice.SHIP, True),
        (Verdict.INVALID, Choice.DO_NOT_SHIP, False),
        (Verdict.INVALID, Choice.REPEAT, False),
        *((verdict, Choice.DEFER, False) for verdict in Verdict),
    ],
)
def test_every_choice_is_for_or_against_every_verdict(
    verdict: Verdict, choice: Choice, against: bool
) -> None:
    assert lifecycle.opposes(choice, verdict) is against


def test_against_the_verdict_a_second_decider_signs_too(team: Any) -> None:
    released = team.readout(Verdict.DO_NOT_SHIP)
    assert "100 are needed" in refused_for(
        lambda: lifecycle.decide(team.registry, "dan", released.id, Choice.SHIP, REASON)
    )
    proposed = lifecycle.decide(team.registry, "dan", released.id, Choice.SHIP, LONG_REASON)
    assert proposed.state is State.READOUT
    assert "waiting for a second person" in refused_for(
        lambda: lifecycle.decide(team.registry, "eve", released.id, Choice.SHIP, LONG_REASON)
    )
    assert "dan proposed it" in refused_for(
        lambda: lifecycle.approve_decision(team.registry, "dan", released.id, REASON)
    )
    refused_for(lambda: lifecycle.approve_decision(team.registry, "ola", released.id, REASON))
    lifecycle.approve_decision(team.registry, "eve", released.id, REASON)
    decision = store.show(team.registry, released.id).decision
    assert decision is not None
    assert (decision.decided_by, decision.approved_by, decision.against_verdict) == ("dan", "eve", True)
    assert verify(team.registry).ok


def test_a_rejected_decision_leaves_room_for_another(team: Any) -> None:
    released = team.readout(Verdict.INCONCLUSIVE)
    lifecycle.decide(team.registry, "dan", released.id, Choice.SHIP, LONG_REASON)
    lifecycle.reject_decision(team.registry, "eve", released.id, REASON)
    assert lifecycle.decide(team.registry, "dan", released.id, Choice.REPEAT, REASON).state is State.DECIDED


def test_deferring_is_on_record_and_leaves_the_decision_open(team: Any) -> None:
    released = team.readout()
    deferred = lifecycle.decide(team.registry, "dan", released.id, Choice.DEFER, REASON)
    assert (deferred.state, store.show(team.registry, released.id).decision) == (State.READOUT, None)
    (entry,) = store.find_ledger(team.registry, action="decide")
    assert (entry.reason, entry.summary) == (REASON, "Deferred the decision on the verdict SHIP.")
    assert lifecycle.decide(team.registry, "dan", released.id, Choice.SHIP, REASON).state is State.DECIDED


def test_the_decision_to_ship_names_the_arm_that_ships(team: Any) -> None:
    released = team.readout()
    assert "'control' is no treatment" in refused_for(
        lambda: lifecycle.decide(team.registry, "dan", released.id, Choice.SHIP, REASON, arm="control")
    )
    assert "nothing ships" in refused_for(
        lambda: lifecycle.decide(team.registry, "dan", released.id, Choice.DEFER, REASON, arm="treatment")
    )
    lifecycle.decide(team.registry, "dan", released.id, Choice.SHIP, REASON)
    decision = store.show(team.registry, released.id).decision
    assert decision is not None
    assert decision.arm == "treatment"


def test_of_several_treatments_the_one_that_ships_has_to_be_named_also_against_the_verdict(team: Any) -> None:
    third = [{"name": name, "share": "1/3", "version": None} for name in ("control", "v7", "v8")]
    id = team.running(team.plan(arms=third)).id
    team.sealed(id, 1, of=1, stop=StopReason.FINAL, verdict=Verdict.INCONCLUSIVE)
    lifecycle.mature(team.registry, "system", id, team.clock.now())
    lifecycle.release(team.registry, "system", id)
    assert "No arm is named to ship" in refused_for(
        lambda: lifecycle.decide(team.registry, "dan", id, Choice.SHIP, LONG_REASON)
    )
    lifecycle.decide(team.registry, "dan", id, Choice.SHIP, LONG_REASON, arm="v8")
    lifecycle.approve_decision(team.registry, "eve", id, REASON)
    decision = store.show(team.registry, id).decision
    assert decision is not None
    assert (decision.decision, decision.arm) == ("ship", "v8")
    assert verify(team.registry).ok


def test_an_invalid_experiment_may_be_signed_off(team: Any) -> None:
    invalid = team.invalid()
    assert lifecycle.decide(team.registry, "dan", invalid.id, Choice.REPEAT, REASON).state is State.DECIDED


def test_owner_and_reviewer_abandon_together(team: Any) -> None:
    running = team.running()
    waiting = lifecycle.abandon(team.registry, "mira", running.id, Abandonment.OPERATIONAL, REASON)
    assert waiting.state is State.RUNNING
    assert "mira proposed it" in refused_for(
        lambda: lifecycle.abandon(team.registry, "mira", running.id, Abandonment.OPERATIONAL, REASON)
    )
    refused_for(lambda: lifecycle.abandon(team.registry, "dan", running.id, Abandonment.OPERATIONAL, REASON))
    ended = lifecycle.abandon(team.registry, "ola", running.id, Abandonment.OPERATIONAL, REASON)
    assert ended.state is State.ABANDONED
    assert ended in store.list_experiments(team.registry, states=[State.ABANDONED])


def test_after_an_exposure_an_experiment_is_abandoned_not_withdrawn(team: Any) -> None:
    waiting = team.in_review()
    early = Exposure(team.clock.now() - timedelta(days=1))
    lifecycle.register(team.registry, "ola", waiting.id, early, declared=Label.LATE, reason=REASON)
    assert "Units have been exposed" in refused_for(
        lambda: lifecycle.withdraw(team.registry, "mira", waiting.id, REASON)
    )


@pytest.mark.parametrize("state", list(State))
def test_an_experiment_can_be_cloned_from_any_state(team: Any, state: State) -> None:
    source = team.in_state(state)
    copy = lifecycle.clone(team.registry, "max", source.id)
    assert (copy.state, copy.owner, copy.cloned_from) == (State.DRAFT, "max", source.id)
    assert copy.draft_sha256 == source.draft_sha256
    assert copy.plan_version == 0


@pytest.mark.parametrize("state", list(State))
def test_in_every_state_every_act_that_is_not_listed_for_it_is_refused(team: Any, state: State) -> None:
    experiment = team.in_state(state)
    id, registry, now = experiment.id, team.registry, team.clock.now()
    amended = team.plan()
    attempts: dict[str, Callable[[str], Any]] = {
        "save draft": lambda who: lifecycle.save_draft(registry, who, id, team.plan()),
        "submit": lambda who: lifecycle.submit(registry, who, id, reviewer="ola"),
        "take back": lambda who: lifecycle.take_back(registry, who, id),
        "request changes": lambda who: lifecycle.request_changes(registry, who, id, REASON),
        "register": lambda who: lifecycle.register(registry, who, id, UNSEEN),
        "withdraw": lambda who: lifecycle.withdraw(registry, who, id, REASON),
        "start": lambda who: lifecycle.start(registry, who, id, now),
        "open look": lambda who: lifecycle.open_look(registry, who, id, 1, 1, now),
        "hold look": lambda who: lifecycle.hold_look(registry, who, id, 1, REASON),
        "seal look": lambda who: lifecycle.seal_look(registry, who, id, 1, {}, stop=None, verdict=None),
        "stop by hand": lambda who: lifecycle.stop_by_hand(registry, who, id, REASON),
        "stop": lambda who: lifecycle.stop(registry, who, id, StopReason.HARM),
        "mature": lambda who: lifecycle.mature(registry, who, id, now),
        "release": lambda who: lifecycle.release(registry, who, id),
        "decide": lambda who: lifecycle.decide(registry, who, id, Choice.REPEAT, LONG_REASON),
        "approve decision": lambda who: lifecycle.approve_decision(registry, who, id, REASON),
        "reject decision": lambda who: lifecycle.reject_decision(registry, who, id, REASON),
        "abandon": lambda who: lifecycle.abandon(registry, who, id, Abandonment.OTHER, REASON),
        "amend": lambda who: lifecycle.amend(registry, who, id, amended, UNSEEN),
        "approve amendment": lambda who: lifecycle.approve_amendment(registry, who, id, UNSEEN),
        "reject amendment": lambda who: lifecycle.reject_amendment(registry, who, id, REASON),
        "declare exploratory": lambda who: lifecycle.declare_exploratory(registry, who, id, REASON),
    }
    everywhere = {"clone", "amend administrative"}
    assert attempts.keys() | everywhere == RULES.keys()
    people = store.everybody(registry)
    tried = 0
    for verb, attempt in attempts.items():
        for person in people:
            if verb not in possible_acts(person, experiment):
                refused_for(lambda attempt=attempt, person=person: attempt(person.id))
                tried += 1
    assert tried > 200
    assert store.show(registry, id).experiment == experiment
    assert verify(registry).ok


# Losing a race


def test_whoever_read_an_older_revision_is_told_who_won_and_what_it_is_now(team: Any) -> None:
    waiting = team.in_review()
    lifecycle.request_changes(team.registry, "ola", waiting.id, REASON)
    with pytest.raises(Conflict) as conflict:
        lifecycle.register(team.registry, "ola", waiting.id, UNSEEN, seen=waiting.revision)
    assert (conflict.value.who, conflict.value.did) == ("ola", "request changes")
    assert "Draft" in conflict.value.now
    assert conflict.value.revision == waiting.revision + 1
    (entry,) = store.find_ledger(team.registry, action="register refused")
    assert entry.reason is not None
    assert "was first" in entry.reason


# One person


@pytest.fixture
def alone(tmp_path: Any, clock: Any) -> Registry:
    opened = store.open_registry(f"sqlite:///{tmp_path / 'alone.db'}", clock=clock)
    membership.found(opened, "uma", "Uma", one_person=True)
    return opened


def test_alone_one_person_does_everything_and_it_says_self_reviewed_for_ever(
    alone: Registry, plan: Callable[..., Any], clock: Any
) -> None:
    draft = lifecycle.create_draft(alone, "uma", plan())
    lifecycle.submit(alone, "uma", draft.id)
    locked = lifecycle.register(alone, "uma", draft.id, UNSEEN)
    assert Label.SELF_REVIEWED in locked.labels
    lifecycle.start(alone, "system", draft.id, clock.now())
    lifecycle.open_look(alone, "system", draft.id, 1, 1, clock.now())
    lifecycle.seal_look(alone, "system", draft.id, 1, {}, stop=StopReason.FINAL, verdict=Verdict.DO_NOT_SHIP)
    lifecycle.mature(alone, "system", draft.id, clock.now())
    lifecycle.release(alone, "system", draft.id)
    assert "100 are needed" in refused_for(
        lambda: lifecycle.decide(alone, "uma", draft.id, Choice.SHIP, REASON)
    )
    decided = lifecycle.decide(alone, "uma", draft.id, Choice.SHIP, LONG_REASON)
    assert (decided.state, Label.SELF_REVIEWED in decided.labels) == (State.DECIDED, True)
    assert verify(alone).ok


def test_the_one_person_is_not_the_system(alone: Registry, plan: Callable[..., Any], clock: Any) -> None:
    draft = lifecycle.create_draft(alone, "uma", plan())
    lifecycle.submit(alone, "uma", draft.id)
    lifecycle.register(alone, "uma", draft.id, UNSEEN)
    assert "Fairtrial itself" in refused_for(lambda: lifecycle.start(alone, "uma", draft.id, clock.now()))


def test_times_without_a_zone_are_refused(team: Any) -> None:
    locked = team.registered()
    with pytest.raises(ValueError, match="time zone"):
        lifecycle.start(team.registry, "system", locked.id, datetime(2026, 11, 3))  # noqa: DTZ001
