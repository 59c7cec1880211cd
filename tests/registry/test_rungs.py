"""Shadow looks and canary checks through the registry: gates, one recorded read, the seal, the release, and what follows."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from experiments.canaries.readout import CanaryReadout
from experiments.forms.problems import Invalid
from experiments.logs.sources import OutcomeSources, Place, Sources
from experiments.shadows.logs import PredictionSources
from experiments.shadows.readout import ShadowReadout
from registry import canarying, ladder, lifecycle, membership, shadowing, store
from registry.actors import Role
from registry.clock import SimulatedClock
from registry.database import Registry
from registry.errors import Refused, Unknown
from registry.kinds import Choice
from registry.ladder import RolloutState
from registry.looks import WentOn
from registry.plans import locked_canary, locked_design, locked_shadow, plan_to_register, reopened
from registry.records import Label, State, Verdict
from registry.verification import verify
from tests.experiments.canary_logs import START, Canary, Truth
from tests.experiments.shadows import Laboratory, Traffic, laboratory
from tests.registry.climbing import REASON, rollout_design

LATER = datetime(2026, 12, 1, 9, 0, tzinfo=START.tzinfo)


@pytest.fixture
def people(registry: Registry) -> Registry:
    membership.add_person(registry, "ada", "oncall", "On call", [Role.ON_CALL])
    return registry


# A shadow


class Shadow:
    """A registered shadow over logs in memory."""

    def __init__(self, registry: Registry, lab: Laboratory) -> None:
        self.registry, self.lab = registry, lab
        plan = plan_to_register(lab.design)
        self.id = lifecycle.create_draft(registry, "mira", plan).id
        lifecycle.submit(registry, "mira", self.id, reviewer="ola")
        exposure = shadowing.exposure_of_shadow(lab.design, lab.sources)
        lifecycle.register(registry, "ola", self.id, exposure, declared=Label.RETROSPECTIVE, reason=REASON)

    def take(self) -> ShadowReadout | WentOn:
        return shadowing.take(self.registry, "mira", self.id, self.lab.sources)


def test_a_shadow_is_read_once_sealed_released_and_approved(people: Registry) -> None:
    shadow = Shadow(people, laboratory(traffic=Traffic(requests=6_000, users=1_500)))
    readout = shadow.take()
    assert isinstance(readout, ShadowReadout)
    shown = store.show(people, shadow.id)
    assert shown.experiment.state is State.READOUT
    assert shown.experiment.verdict == readout.verdict.code == Verdict.PASS
    assert [entry.action for entry in shown.history][-6:] == [
        "start",
        "open look",
        "read outcomes",
        "seal look",
        "mature",
        "release",
    ]
    assert shown.outcome_reads == 1
    assert lifecycle.read_readout(people, "dan", shadow.id)["sha256"] == readout.sha256
    lifecycle.decide(people, "dan", shadow.id, Choice.APPROVE, REASON)
    assert verify(people).ok


def test_a_shadow_whose_look_is_not_due_says_what_is_missing_and_stays_closed(people: Registry) -> None:
    lab = laboratory({"minimum_labels": 50_000}, source={"watermark": "2026-03-08T00:00:00Z"})
    shadow = Shadow(people, lab)
    with pytest.raises(Refused, match="Look 1 of SHD-0001 is not due"):
        shadow.take()
    assert store.show(people, shadow.id).outcome_reads == 0
    found = shadowing.report(people, shadow.id, lab.sources)
    assert found.status is not None
    assert not found.status.due


def test_a_shadow_with_pairs_that_cannot_be_trusted_is_invalid_and_closed(people: Registry) -> None:
    lab = laboratory()
    predictions = lab.frames["predictions"]
    candidate = predictions["model"] == "v4"
    predictions.loc[candidate, "input_hash"] = "x" + predictions.loc[candidate, "input_hash"]
    shadow = Shadow(people, lab)
    readout = shadow.take()
    assert isinstance(readout, ShadowReadout)
    assert readout.verdict.code == "INVALID"
    assert store.show(people, shadow.id).experiment.state is State.INVALID


def test_a_look_that_went_on_says_only_that_and_the_next_builds_on_it(people: Registry) -> None:
    stopping = {"rule": "group-sequential", "looks": [0.5, 1.0]}
    lab = laboratory(
        {"stopping": stopping, "unit": "request", "minimum_labels": 3_000, "primary": {"margin": 0.012}},
        Traffic(right={"DE": (0.80, 0.80), "FR": (0.80, 0.80)}, days=14, requests=4_000),
    )
    shadow = Shadow(people, lab)
    went_on = shadow.take()
    assert isinstance(went_on, WentOn)
    with pytest.raises(Refused, match="is not released"):
        lifecycle.read_readout(people, "dan", shadow.id, 1)
    last = shadow.take()
    assert isinstance(last, ShadowReadout)
    assert last.look.k == 2
    assert [point.k for point in last.sequential[0].points] == [1, 2]
    assert verify(people).ok


def test_a_shadow_without_logs_has_not_begun(people: Registry) -> None:
    lab = laboratory()
    nothing = PredictionSources(lab.sources.by_name, Place())
    assert shadowing.exposure_of_shadow(lab.design, nothing).first_exposure_at is None


def test_a_log_that_cannot_be_read_holds_the_look(people: Registry, monkeypatch: Any) -> None:
    shadow = Shadow(people, laboratory())

    def broken(*_: Any, **__: Any) -> None:
        raise Invalid("logs", [])

    monkeypatch.setattr("registry.shadowing.looking.take_look", broken)
    with pytest.raises(Invalid):
        shadow.take()
    (look,) = store.show(people, shadow.id).looks
    assert look.status == "held"


# A canary


class Rung:
    """A registered canary on a rollout that leaves the shadow out, over logs in memory."""

    def __init__(self, registry: Registry, clock: SimulatedClock, canary: Canary, folder: Path) -> None:
        self.registry, self.clock, self.canary, self.folder = registry, clock, canary, folder
        self.id = lifecycle.create_draft(registry, "mira", plan_to_register(canary.design)).id
        lifecycle.submit(registry, "mira", self.id, reviewer="ola")
        lifecycle.register(registry, "ola", self.id, lifecycle.Exposure(None))
        why = {"shadow": "The candidate is a new ranking rule; nothing can be mirrored."}
        keep = {"canary_units": "keep", "canary_units_reason": "What a page shows is forgotten in an hour."}
        design = rollout_design(
            "ranker",
            champion={"version": "v7"},
            candidate={"version": "v8"},
            rungs={"shadow": None, "ab": keep},
            left_out=why,
        )
        self.rollout = ladder.plan_rollout(registry, "mira", design).id
        ladder.advance(registry, "dan", self.rollout, REASON, entry=self.id)
        self.began()

    def began(self) -> None:
        """The logs follow the steps that the ladder has begun."""
        self.canary.begun = list(canarying.steps_of(self.registry, self.id).begun)

    @property
    def logs(self) -> tuple[Sources, OutcomeSources]:
        return self.canary.logs()

    def take(self) -> CanaryReadout:
        return canarying.take(self.registry, "mira", self.id, *self.logs, self.folder)

    def report(self) -> canarying.CanaryReport:
        return canarying.report(self.registry, self.id, *self.logs)

    @property
    def state(self) -> RolloutState:
        return ladder.show_rollout(self.registry, self.rollout).rollout.state


@pytest.fixture
def at_start(clock: SimulatedClock) -> SimulatedClock:
    return clock


def rung(
    registry: Registry, clock: SimulatedClock, tmp_path: Path, truth: Truth, text: str | None = None
) -> Rung:
    canary = Canary(truth) if text is None else Canary(truth, design_text=text)
    return Rung(registry, clock, canary, tmp_path)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


def climb_a_step(one: Rung) -> None:
    for _ in range(6):
        readout = one.take()
        if readout.verdict.action == "advance":
            break
    one.clock.set(readout.look.at + timedelta(hours=1))
    ladder.advance(one.registry, "dan", one.rollout, REASON)
    one.began()


def test_a_harmless_canary_climbs_its_steps_and_passes(
    people: Registry, clock: SimulatedClock, tmp_path: Path
) -> None:
    one = rung(people, clock, tmp_path, Truth())
    climb_a_step(one)
    readout = one.take()
    while readout.verdict.code == "CONTINUE":
        readout = one.take()
    assert readout.verdict.code == "PASS"
    shown = store.show(people, one.id)
    assert (shown.experiment.state, shown.experiment.verdict) == (State.READOUT, Verdict.PASS)
    assert shown.outcome_reads == len(shown.looks)
    assert one.state is RolloutState.CANARY
    assert verify(people).ok


def test_a_harmful_candidate_is_rolled_back_in_the_act_that_seals_the_breach(
    people: Registry, clock: SimulatedClock, tmp_path: Path
) -> None:
    one = rung(people, clock, tmp_path, Truth(worse=0.3))
    readout = one.take()
    assert readout.verdict.call == "BREACH"
    assert one.state is RolloutState.ROLLED_BACK
    assert ladder.route(people, "ranker").share == 0
    assert store.show(people, one.id).experiment.verdict is Verdict.DO_NOT_PASS
    assert "action" not in str(readout.verdict.sentence) or readout.verdict.action == "roll back"
    assert verify(people).ok


def test_a_check_that_is_sealed_can_be_read_by_whoever_signs_the_next_step(
    people: Registry, clock: SimulatedClock, tmp_path: Path
) -> None:
    one = rung(people, clock, tmp_path, Truth())
    readout = one.take()
    assert lifecycle.read_readout(people, "dan", one.id, 1)["sha256"] == readout.sha256
    found = one.report()
    assert [check.look.k for check in found.checks] == [1]
    assert (found.rollout, found.paused) == (one.rollout, False)


def test_a_sealed_check_is_recomputed(people: Registry, clock: SimulatedClock, tmp_path: Path) -> None:
    one = rung(people, clock, tmp_path, Truth())
    one.take()
    found = canarying.verify(people, "dan", one.id, *one.logs, tmp_path)
    assert (found.answer, found.extract) == ("IDENTICAL", "reproduces")
    assert store.show(people, one.id).outcome_reads == 2


def test_no_check_is_taken_of_a_canary_that_no_rollout_has_come_to(
    people: Registry, clock: SimulatedClock, tmp_path: Path
) -> None:
    canary = Canary(Truth())
    id = lifecycle.create_draft(people, "mira", plan_to_register(canary.design)).id
    lifecycle.submit(people, "mira", id, reviewer="ola")
    lifecycle.register(people, "ola", id, lifecycle.Exposure(None))
    with pytest.raises(Refused, match=f"No step of {id} has begun"):
        canarying.take(people, "mira", id, *canary.logs(), tmp_path)


def test_no_check_is_taken_while_the_rollout_is_paused(
    people: Registry, clock: SimulatedClock, tmp_path: Path
) -> None:
    one = rung(people, clock, tmp_path, Truth())
    ladder.pause(people, "oncall", one.rollout, "An incident elsewhere.")
    with pytest.raises(Refused, match="is paused: nobody is served the candidate"):
        one.take()


def test_a_step_that_is_resumed_began_when_it_began(
    people: Registry, clock: SimulatedClock, tmp_path: Path
) -> None:
    one = rung(people, clock, tmp_path, Truth())
    before = one.report().steps_begun
    clock.advance(timedelta(minutes=5))
    ladder.pause(people, "oncall", one.rollout, "An incident elsewhere.")
    clock.advance(timedelta(minutes=5))
    ladder.resume(people, "mira", one.rollout, REASON)
    assert one.report().steps_begun == before
    assert len(before) == 1


def test_a_check_that_ended_the_canary_is_released_though_its_process_died_and_the_rollout_is_paused(
    people: Registry, clock: SimulatedClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Canary(Truth()).design_text + "breach: pause\n"
    one = rung(people, clock, tmp_path, Truth(worse=0.3), text)

    def died(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("registry.canarying.release", died)
    with pytest.raises(KeyboardInterrupt):
        one.take()
    monkeypatch.undo()
    assert one.state is RolloutState.PAUSED
    assert store.show(people, one.id).experiment.state is State.STOPPED
    assert one.take().verdict.call == "BREACH"
    assert store.show(people, one.id).experiment.state is State.READOUT
    with pytest.raises(Refused, match="is Readout ready"):
        one.take()


def test_a_step_whose_answer_never_came_is_rolled_back_where_its_plan_says_so(
    people: Registry, clock: SimulatedClock, tmp_path: Path
) -> None:
    text = Canary(Truth()).design_text + "when_unanswered: roll back\n"
    one = rung(people, clock, tmp_path, Truth(), text)
    clock.advance(timedelta(days=1))
    one.report()
    assert one.state is RolloutState.CANARY
    clock.advance(timedelta(days=5))
    found = one.report()
    assert one.state is RolloutState.ROLLED_BACK
    assert found.stands is not None
    assert found.stands.overdue
    assert store.show(people, one.id).experiment.state is State.ABANDONED
    assert verify(people).ok


# Designs of every kind


def test_a_locked_plan_is_reopened_by_the_reader_of_its_kind(
    people: Registry, clock: SimulatedClock, tmp_path: Path
) -> None:
    shadow, one = Shadow(people, laboratory()), rung(people, clock, tmp_path, Truth())
    for id, reader, design in (
        (shadow.id, locked_shadow, shadow.lab.design),
        (one.id, locked_canary, one.canary.design),
    ):
        dossier = store.show(people, id)
        assert reader(dossier)[0].sha256 == design.sha256
        assert reopened(dossier.draft, dossier.draft_written).sha256 == design.sha256
        with pytest.raises(Unknown, match="not an A/B experiment"):
            locked_design(dossier)
