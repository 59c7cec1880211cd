"""Random walks through the lifecycle by random people: what must hold whatever they try."""

import tempfile
from collections import defaultdict
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from registry import lifecycle, membership, store
from registry.actors import Role
from registry.canonical import sha256_of
from registry.clock import SimulatedClock
from registry.errors import Conflict, Refused
from registry.kinds import AB
from registry.lifecycle import Abandonment, Amendment, Choice, Exposure, Inference, ReasonCode, StopReason
from registry.records import Experiment, Label, Plan, State, Verdict
from registry.verification import verify

REASON = "Because the reason has to be long enough for a stranger to follow. " * 2
PEOPLE = {
    "ada": [Role.ADMIN],
    "mira": [Role.ANALYST],
    "rob": [Role.ANALYST, Role.REVIEWER],
    "ola": [Role.REVIEWER, Role.DECIDER],
    "dan": [Role.DECIDER],
    "eve": [Role.DECIDER, Role.ANALYST],
    "lou": [Role.LOOK_COMMITTEE],
}

LEADS_TO = {
    State.DRAFT: {State.IN_REVIEW, State.ABANDONED},
    State.IN_REVIEW: {State.DRAFT, State.REGISTERED, State.ABANDONED},
    State.REGISTERED: {State.RUNNING, State.ABANDONED},
    State.RUNNING: {State.STOPPED, State.ABANDONED},
    State.STOPPED: {State.MATURE, State.INVALID, State.ABANDONED},
    State.MATURE: {State.READOUT, State.INVALID, State.ABANDONED},
    State.READOUT: {State.DECIDED},
    State.INVALID: {State.DECIDED},
    State.DECIDED: set(),
    State.ABANDONED: set(),
}
"""The arrows of the state machine as drawn, independently of the rules in the code."""

WHO = st.sampled_from([*PEOPLE, "system", "mallory"])
SECOND_ANYBODY = st.sampled_from(["rob", "ola", "eve", "dan", "mira"])


def plan(number: int, edit: dict[str, Any] | None = None) -> Plan:
    material: dict[str, Any] = {
        "arms": [{"name": "control"}, {"name": "treatment"}],
        "assignment": {"key": f"k{number}", "salt": f"s{number}", "layer": None},
        "primary": {"metric": {"name": "success", "version": 1}, "alpha": 0.05},
        "power": {"n_per_arm": [100, 100]},
    }
    material = deepcopy(material) | (edit or {})
    return Plan(material, {}, sha256_of(material), f"number: {number}", f"Experiment number {number}")


class Walk(RuleBasedStateMachine):
    """Everybody tries everything; the right ones succeed often enough for all states to be reached."""

    reached: ClassVar[defaultdict[State, int]] = defaultdict(int)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = SimulatedClock(datetime(2026, 11, 3, tzinfo=UTC))
        self.registry = store.open_registry(str(Path(self.folder.name) / "r.db"), clock=self.clock)
        self.states: dict[str, State] = {}
        self.labels: dict[str, set[Label]] = {}
        self.plans = 0
        self.refusals = 0

    @initialize()
    def found(self) -> None:
        membership.found(self.registry, "ada", "Ada")
        for id, roles in PEOPLE.items():
            if id != "ada":
                membership.add_person(self.registry, "ada", id, id.title(), roles)

    def attempt(self, doing: Callable[[], Any]) -> None:
        before = store.head(self.registry).count
        kept = store.list_experiments(self.registry)
        self.clock.advance(timedelta(minutes=1))
        try:
            doing()
        except (Refused, Conflict):
            self.refusals += 1
            assert store.head(self.registry).count == before + 1, "a refused attempt is one record"
            assert store.list_experiments(self.registry) == kept, "and changes nothing"

    def pick(self, data: st.DataObject) -> Experiment | None:
        known = store.list_experiments(self.registry)
        return data.draw(st.sampled_from(known)) if known else None

    @precondition(lambda self: len(self.states) < 3)
    @rule(who=st.sampled_from(["mira", "rob", "eve", "dan"]))
    def create(self, who: str) -> None:
        self.plans += 1
        self.attempt(lambda: lifecycle.create_draft(self.registry, who, plan(self.plans)))

    @rule(data=st.data(), who=WHO, reviewer=SECOND_ANYBODY)
    def submit(self, data: st.DataObject, who: str, reviewer: str) -> None:
        if found := self.pick(data):
            self.attempt(lambda: lifecycle.submit(self.registry, who, found.id, reviewer=reviewer))

    @rule(data=st.data(), stale=st.booleans(), times=st.integers(1, 6))
    def steps(self, data: st.DataObject, stale: bool, times: int) -> None:
        if (picked := self.pick(data)) is not None:
            for _ in range(times):
                self.step_on(store.show(self.registry, picked.id).experiment, data, stale)
                self.states_follow_the_arrows_and_labels_stay()

    def step_on(self, found: Experiment, data: st.DataObject, stale: bool) -> None:
        """Somebody who is likely to be allowed does the next thing."""
        registry, id = self.registry, found.id
        seen = found.revision - 1 if stale and data.draw(st.integers(0, 4)) == 0 else None
        now = self.clock.now()
        likely: dict[State, list[Callable[[], Any]]] = {
            State.DRAFT: [
                lambda: lifecycle.submit(registry, found.owner, id, reviewer="ola", seen=seen),
                lambda: lifecycle.save_draft(registry, found.owner, id, plan(self.plans), seen=seen),
            ],
            State.IN_REVIEW: [
                lambda: lifecycle.register(registry, found.reviewer or "ola", id, Exposure(None), seen=seen),
                lambda: lifecycle.register(
                    registry,
                    found.reviewer or "ola",
                    id,
                    Exposure(now),
                    declared=Label.LATE,
                    reason=REASON,
                    seen=seen,
                ),
                lambda: lifecycle.request_changes(registry, found.reviewer or "ola", id, REASON, seen=seen),
            ],
            State.REGISTERED: [
                lambda: lifecycle.start(registry, "system", id, now, seen=seen),
                lambda: lifecycle.start(registry, "system", id, now, seen=seen),
                lambda: lifecycle.withdraw(registry, found.owner, id, REASON, seen=seen),
            ],
            State.RUNNING: [
                lambda: self.look(data, id, now),
                lambda: lifecycle.stop_by_hand(registry, found.owner, id, REASON, seen=seen),
            ],
            State.STOPPED: [
                lambda: lifecycle.mature(registry, "system", id, now, seen=seen),
                lambda: lifecycle.release(registry, "system", id, seen=seen),
            ],
            State.MATURE: [
                lambda: self.look(data, id, now),
                lambda: lifecycle.release(registry, "system", id, seen=seen),
            ],
            State.READOUT: [
                lambda: lifecycle.decide(registry, "dan", id, data.draw(CHOICES), REASON, seen=seen)
            ],
            State.INVALID: [lambda: lifecycle.decide(registry, "dan", id, Choice.REPEAT, REASON, seen=seen)],
        }
        if found.state in likely:
            self.attempt(data.draw(st.sampled_from(likely[found.state])))

    def look(self, data: st.DataObject, id: str, now: datetime) -> None:
        taken = store.show(self.registry, id).looks
        if taken and taken[-1].status == "open":
            verdict = data.draw(st.none() | st.just(Verdict.INVALID) | st.sampled_from(AB.verdicts))
            stop = None if verdict is None else StopReason.FINAL
            k = taken[-1].k
            lifecycle.seal_look(self.registry, "system", id, k, {"look": k}, stop=stop, verdict=verdict)
        else:
            lifecycle.open_look(self.registry, "system", id, len(taken) + 1, 3, now)

    @precondition(lambda self: 0 < len(self.states) < 4)
    @rule(data=st.data(), who=WHO)
    def clone(self, data: st.DataObject, who: str) -> None:
        if found := self.pick(data):
            self.attempt(lambda: lifecycle.clone(self.registry, who, found.id))

    @rule(data=st.data(), who=WHO)
    def anything(self, data: st.DataObject, who: str) -> None:
        if (found := self.pick(data)) is None:
            return
        registry, id, now = self.registry, found.id, self.clock.now()
        change = Amendment(ReasonCode.UNFORESEEN_EVENT, REASON, Inference.NONE)
        larger = plan(self.plans, {"power": {"n_per_arm": [200 + self.plans, 200 + self.plans]}})
        verbs: list[Callable[[], Any]] = [
            lambda: lifecycle.register(registry, who, id, Exposure(None)),
            lambda: lifecycle.take_back(registry, who, id),
            lambda: lifecycle.withdraw(registry, who, id, REASON),
            lambda: lifecycle.start(registry, who, id, now),
            lambda: lifecycle.open_look(registry, who, id, 1, 3, now),
            lambda: lifecycle.stop(registry, who, id, StopReason.HARM),
            lambda: lifecycle.mature(registry, who, id, now),
            lambda: lifecycle.release(registry, who, id),
            lambda: lifecycle.decide(registry, who, id, data.draw(CHOICES), REASON),
            lambda: lifecycle.approve_decision(registry, who, id, REASON),
            lambda: lifecycle.reject_decision(registry, who, id, REASON),
            lambda: lifecycle.abandon(registry, who, id, Abandonment.OTHER, REASON),
            lambda: lifecycle.amend(registry, who, id, larger, Exposure(None), amendment=change),
            lambda: lifecycle.approve_amendment(registry, who, id, Exposure(None)),
            lambda: lifecycle.record_outcome_read(registry, who, id, "curious", 1),
        ]
        self.attempt(data.draw(st.sampled_from(verbs)))

    @invariant()
    def states_follow_the_arrows_and_labels_stay(self) -> None:
        for found in store.list_experiments(self.registry):
            before = self.states.get(found.id, State.DRAFT)
            assert found.state is before or found.state in LEADS_TO[before], (before, found.state)
            assert self.labels.get(found.id, set()) <= set(found.labels)
            self.states[found.id], self.labels[found.id] = found.state, set(found.labels)
            Walk.reached[found.state] += 1

    def teardown(self) -> None:
        result = verify(self.registry)
        assert result.ok, result
        assert result.unwitnessed == 0
        for found in store.list_experiments(self.registry):
            self.history_makes_sense(found.id)
        self.registry.close()
        self.folder.cleanup()

    def history_makes_sense(self, id: str) -> None:
        """Read from the ledger alone, without the code that wrote it."""
        shown = store.show(self.registry, id)
        owners, reviewer, submitted = {shown.experiment.owner, *shown.experiment.past_owners}, None, False
        released = False
        for entry in shown.history:
            if entry.action in {"create draft", "clone"}:
                assert entry.actor in owners
            elif entry.action == "submit":
                submitted = True
            elif entry.action in {"take back", "request changes"}:
                submitted = False
            elif entry.action == "register":
                assert submitted, "no lock without review"
                assert entry.actor not in owners, "nobody locks their own plan"
                reviewer = entry.actor
            elif entry.action == "release":
                assert not released, "released once"
                released = True
            elif entry.action in {"decide", "approve decision"}:
                assert released
                assert entry.actor not in {*owners, reviewer}
            elif entry.action == "read outcomes":
                trusted = entry.role in {"System", "Look committee"}
                assert trusted or released, "outcomes are closed until the release"
        if shown.decision is not None and shown.decision.against_verdict:
            assert shown.decision.approved_by not in {None, shown.decision.decided_by}
        assert [locked.version for locked in shown.plans] == list(range(1, shown.experiment.plan_version + 1))
        for k, look in enumerate(shown.looks, start=1):
            assert look.k == k
            assert look.outcome == "continue" or k == len(shown.looks)


CHOICES = st.sampled_from(list(Choice))


def walk(examples: int, steps: int) -> None:
    Walk.reached.clear()
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=quiet,
        ),
    )


def test_whatever_people_try_the_states_hold_and_the_ledger_verifies() -> None:
    walk(examples=12, steps=40)
    assert len(Walk.reached) >= 6, "the walks went nowhere"


@pytest.mark.slow
def test_long_walks_hold_too_and_come_far() -> None:
    walk(examples=40, steps=100)
    # Which states are reached changes with any change of the rules; test_lifecycle reaches each one.
    assert len(Walk.reached) >= 8, "the walks went nowhere"
    assert State.DECIDED in Walk.reached
