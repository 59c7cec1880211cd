"""Random walks up and down the ladder by random people: what must hold whatever they try."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from registry import ladder, lifecycle, membership, store
from registry.actors import Role
from registry.clock import SimulatedClock
from registry.errors import Conflict, Refused
from registry.kinds import Choice
from registry.ladder import Rollout, RolloutFile, RolloutState, Transition
from registry.records import State, Verdict
from registry.verification import verify
from tests.registry.climbing import REASON, SHARES, Climb

PEOPLE = {
    "mira": [Role.ANALYST],
    "ola": [Role.REVIEWER, Role.DECIDER],
    "dan": [Role.DECIDER],
    "eve": [Role.DECIDER, Role.ANALYST],
    "oncall": [Role.ON_CALL],
    "mod": [Role.MODEL_OWNER],
    "vic": [Role.VIEWER],
}
WHO = st.sampled_from([*PEOPLE, "ada", "system", "mallory"])
SERVES = {RolloutState.CANARY, RolloutState.AB}

LEADS_TO = {
    ("planned", None): {("shadow", None)},
    ("shadow", None): {("shadow", None), ("canary", 1)},
    ("canary", 1): {("canary", 2), ("canary", 1)},
    ("canary", 2): {("canary", 3), ("canary", 1)},
    ("canary", 3): {("ab", None), ("canary", 1)},
    ("ab", None): {("promoted", None), ("ab", None)},
    ("promoted", None): set(),
    ("rolled_back", None): set(),
}
"""Every arrow that leads on, as drawn: no rung and no share is passed over. From each rung one may be paused, from
everywhere rolled back."""


class Walk(RuleBasedStateMachine):
    """Everybody tries everything; somebody who may does the next thing often enough for all rungs to be reached."""

    reached: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        clock = SimulatedClock(datetime(2026, 11, 3, tzinfo=UTC))
        registry = store.open_registry(str(Path(self.folder.name) / "r.db"), clock=clock)
        self.climb = Climb(registry, clock)
        self.registry = registry
        self.seen = 0

    @initialize(stage=st.sampled_from(["", "in_shadow", "in_canary", "in_ab", "promoted"]))
    def found(self, stage: str) -> None:
        """A team; some walks begin further up."""
        membership.found(self.registry, "ada", "Ada")
        for id, roles in PEOPLE.items():
            membership.add_person(self.registry, "ada", id, id.title(), roles)
        if stage:
            getattr(self.climb, stage)()

    def attempt(self, doing: Callable[[], Any]) -> None:
        """Try it; what is refused changes nothing but the record of the attempt."""
        self.climb.tick()
        before, stands = store.head(self.registry).count, ladder.list_rollouts(self.registry)
        try:
            doing()
        except (Refused, Conflict):
            assert store.head(self.registry).count == before + 1
            assert ladder.list_rollouts(self.registry) == stands

    def rollout(self) -> Rollout | None:
        found = ladder.list_rollouts(self.registry)
        return found[0] if found else None

    def entry(self, kind: str) -> str:
        """A registered entry of a kind, made anew."""
        if kind == "shadow":
            return self.climb.shadow()
        if kind == "canary":
            return self.climb.canary()
        rollout = self.rollout()
        layer = None
        if rollout is not None and rollout.canary is not None:
            layer = self.climb.free_of(rollout.canary)
        if layer is not None and any(
            one.state not in (State.DECIDED, State.INVALID, State.ABANDONED)
            for one in store.list_experiments(self.registry, kind="ab")
        ):
            layer = None  # the layer is taken
        return self.climb.experiment(layer=layer)

    # Ways on

    @rule(data=st.data(), times=st.integers(4, 14))
    def on(self, data: st.DataObject, times: int) -> None:
        """Somebody who may does what leads on, several times."""
        for _ in range(times):
            self._on(data)
            self.everything_holds()

    def _on(self, data: st.DataObject) -> None:
        rollout = self.rollout()
        if rollout is None or rollout.state in (RolloutState.PROMOTED, RolloutState.ROLLED_BACK):
            if rollout is not None and rollout.state is RolloutState.PROMOTED:
                number = int(rollout.candidate[1:])
                self.climb.champion, self.climb.candidate = f"v{number}", f"v{number + 1}"
            self.attempt(self.climb.planned)
            return
        if rollout.state is RolloutState.PAUSED:
            ways = [
                lambda: ladder.resume(self.registry, "mira", rollout.id, REASON),
                lambda: self._again(rollout),
            ]
            self.attempt(data.draw(st.sampled_from(ways)))
            return
        entry = None if rollout.entry is None else store.show(self.registry, rollout.entry).experiment
        if entry is not None and entry.state is State.RUNNING:
            self._found(rollout, data)
        elif entry is not None and entry.state is State.READOUT:
            accepting = Choice.SHIP if entry.kind == "ab" else Choice.APPROVE
            self.attempt(lambda: lifecycle.decide(self.registry, "dan", entry.id, accepting, REASON * 2))
        following = {None: "shadow", "shadow": "canary", "canary": "ab", "ab": None}[
            None if rollout.rung is None else rollout.rung.value
        ]
        in_steps = rollout.state is RolloutState.CANARY and rollout.step != len(SHARES)
        id = None if in_steps or following is None else self.entry(following)
        who = data.draw(st.sampled_from(["mira", "eve"]))
        self.attempt(lambda: ladder.advance(self.registry, who, rollout.id, REASON, entry=id))
        if ladder.show_rollout(self.registry, rollout.id).waiting is not None:
            self.attempt(lambda: ladder.approve(self.registry, "eve", rollout.id, REASON))

    def _found(self, rollout: Rollout, data: st.DataObject) -> None:
        """The entry of the rung finds something."""
        entry = rollout.entry or ""
        k = len(store.show(self.registry, entry).looks) + 1
        if rollout.state is RolloutState.CANARY and rollout.step is not None:
            found = data.draw(
                st.sampled_from(["advance"] * 4 + ["stay", "breach", "pause", "invalid", "time"])
            )
            if found in ("advance", "stay") and not (found == "advance" and rollout.step == len(SHARES)):
                self.climb.checked(entry, k, rollout.step, found)
                return
            ends: dict[str, tuple[Verdict, str]] = {
                "advance": (Verdict.PASS, "finish"),
                "breach": (Verdict.DO_NOT_PASS, "roll back"),
                "pause": (Verdict.DO_NOT_PASS, "pause"),
                "invalid": (Verdict.INVALID, "pause"),
                "time": (Verdict.INCONCLUSIVE, "hold"),
            }
            verdict, action = ends[found]
            self.climb.ended(entry, verdict, k, step=rollout.step, action=action)
            return
        good = Verdict.SHIP if rollout.state is RolloutState.AB else Verdict.PASS
        bad = [Verdict.INVALID, Verdict.INCONCLUSIVE]
        verdict = data.draw(st.sampled_from([good] * 4 + bad))
        self.climb.ended(entry, verdict, k, action="pause" if verdict is Verdict.INVALID else "finish")

    def _again(self, rollout: Rollout) -> None:
        if rollout.rung is not None:
            ladder.repeat(self.registry, "eve", rollout.id, self.entry(rollout.rung.value), REASON)

    # Whatever comes to mind

    @rule(data=st.data(), who=WHO, stale=st.booleans())
    def anything(self, data: st.DataObject, who: str, stale: bool) -> None:
        rollout = self.rollout()
        if rollout is None:
            self.attempt(lambda: ladder.plan_rollout(self.registry, who, _design(self.climb)))
            return
        id, registry = rollout.id, self.registry
        seen = rollout.revision - 1 if stale else None
        known = [one.id for one in store.list_experiments(registry)]
        entry = data.draw(st.sampled_from([None, *known]))
        verbs: list[Callable[[], Any]] = [
            lambda: ladder.plan_rollout(registry, who, _design(self.climb)),
            lambda: ladder.advance(registry, who, id, REASON, entry=entry, seen=seen),
            lambda: ladder.approve(registry, who, id, REASON, seen=seen),
            lambda: ladder.reject(registry, who, id, REASON, seen=seen),
            lambda: ladder.repeat(registry, who, id, entry or "SHD-0001", REASON, seen=seen),
            lambda: ladder.resume(registry, who, id, REASON, seen=seen),
        ]
        try:
            self.attempt(data.draw(st.sampled_from(verbs)))
        except LookupError:
            assert entry is None or not known  # an entry that is not there is unknown, not refused

    @rule(data=st.data(), who=WHO)
    def pause(self, data: st.DataObject, who: str) -> None:
        if data.draw(st.integers(0, 5)) == 5 and (rollout := self.rollout()) is not None:
            self.attempt(lambda: ladder.pause(self.registry, who, rollout.id, REASON))

    @rule(data=st.data(), who=WHO)
    def roll_back(self, data: st.DataObject, who: str) -> None:
        if data.draw(st.integers(0, 7)) == 7 and (rollout := self.rollout()) is not None:
            self.attempt(lambda: ladder.roll_back(self.registry, who, rollout.id, REASON))

    # What holds

    @invariant()
    def everything_holds(self) -> None:
        found = ladder.list_rollouts(self.registry)
        for rollout in found:
            Walk.reached[rollout.state.value] += 1
            shown = ladder.show_rollout(self.registry, rollout.id)
            self.no_step_is_passed_over(shown.transitions)
            self.every_step_rests_on_its_evidence(shown)
        if found:
            self.the_history_of_aliases_gives_what_they_are()
            self.nobody_is_served_the_candidate_unless_a_rung_is_on(found[0])

    def no_step_is_passed_over(self, transitions: tuple[Transition, ...]) -> None:
        assert [one.number for one in transitions] == list(range(1, len(transitions) + 1))
        stands: tuple[str, int | None] = ("planned", None)
        before_pause = stands
        for one in transitions:
            if one.status != "done" or one.verb == "plan":
                continue
            to = (one.to_state.value, one.to_step)
            if one.verb == "roll back":
                to = ("rolled_back", None)
            elif one.verb == "pause":
                assert stands[0] in ("canary", "ab")
                before_pause, to = stands, ("paused", one.to_step)
            elif one.verb == "resume":
                assert stands[0] == "paused"
                assert to == before_pause
            else:
                origin = before_pause if stands[0] == "paused" else stands
                assert to in LEADS_TO[origin], (origin, to)
                if one.verb == "repeat":
                    assert to[0] == origin[0]
            stands = to

    def every_step_rests_on_its_evidence(self, shown: RolloutFile) -> None:
        """Read from the entries themselves, not from what the transition says of them."""
        entry_of: dict[str, str] = {}
        for one in shown.transitions:
            if one.status != "done" or one.verb in ("plan", "roll back", "pause", "resume"):
                continue
            to = one.to_state.value
            assert one.requested_by in PEOPLE
            if one.verb == "advance" and to == "canary" and one.to_step == 1:
                self.accepted(entry_of["shadow"], "approve", Verdict.PASS)
            elif to == "ab" and one.verb == "advance":
                self.accepted(entry_of["canary"], "approve", Verdict.PASS)
            elif to == "promoted":
                self.accepted(entry_of["ab"], "ship", Verdict.SHIP)
            elif to == "canary":
                assert one.settled_by not in {"mira", "ola", None}, "neither owner nor reviewer signs"
                sealed = store.show(self.registry, one.entry or "")
                locked = [e for e in one.evidence if e["what"] == "sealed readout"]
                assert one.verb == "repeat" or any(
                    look.readout_sha256 == e["sha256"] for look in sealed.looks for e in locked
                )
            if one.entry is not None and to in ("shadow", "canary", "ab"):
                entry_of[to] = one.entry

    def accepted(self, entry: str, decision: str, verdict: Verdict) -> None:
        shown = store.show(self.registry, entry)
        assert shown.decision is not None, entry
        assert (shown.decision.decision, shown.experiment.verdict) == (decision, verdict)
        assert shown.decision.decided_by not in {shown.experiment.owner, shown.experiment.reviewer}

    def the_history_of_aliases_gives_what_they_are(self) -> None:
        folded: dict[str, str | None] = {}
        for _, move in ladder.alias_history(self.registry, "router"):
            assert folded.get(move.alias) == move.before, move
            folded[move.alias] = move.after
        known = ladder.aliases(self.registry, "router")
        assert {name: alias.version for name, alias in known.items()} == folded

    def nobody_is_served_the_candidate_unless_a_rung_is_on(self, last: Rollout) -> None:
        route = ladder.route(self.registry, "router")
        assert route.version == ladder.aliases(self.registry, "router")["champion"].version
        if last.state not in SERVES:
            assert (route.share, route.split) == (0, None)
        if route.split is not None:
            assert last.entry is not None
            entry = store.show(self.registry, last.entry).experiment
            assert entry.state not in (State.INVALID, State.ABANDONED)
            assert not entry.stopped_by_hand
            assert route.split.candidate.version == last.candidate
            assert route.split.control.version == route.version

    def teardown(self) -> None:
        for rollout in ladder.list_rollouts(self.registry):
            self.climb.tick()
            if (
                rollout.state is not RolloutState.ROLLED_BACK
            ):  # newest first: what was promoted over comes last
                ladder.roll_back(self.registry, "oncall", rollout.id, "The walk is over.")
        if self.rollout() is not None:
            assert ladder.route(self.registry, "router").version == "v3"
        result = verify(self.registry)
        assert result.ok, result
        self.registry.close()
        self.folder.cleanup()


def _design(climb: Climb) -> Any:
    from tests.registry.climbing import rollout_design

    return rollout_design(
        climb.model, champion={"version": climb.champion}, candidate={"version": climb.candidate}
    )


def walk(examples: int, steps: int) -> None:
    Walk.reached.clear()
    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=[
                HealthCheck.too_slow,
                HealthCheck.data_too_large,
                HealthCheck.filter_too_much,
            ],
        ),
    )


def test_whatever_people_try_no_step_is_skipped_and_the_ledger_verifies() -> None:
    walk(examples=6, steps=8)
    assert len(Walk.reached) >= 5, "the walks went nowhere"


@pytest.mark.slow
def test_long_walks_hold_too_and_reach_every_rung() -> None:
    walk(examples=25, steps=25)
    assert set(Walk.reached) == {state.value for state in RolloutState}
