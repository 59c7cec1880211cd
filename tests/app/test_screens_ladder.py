"""The ladder's page at each state of a rollout, for each who may look: what is drawn, which button can be pressed, and why not."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.cli.session import open_workspace_registry
from app.identity import ACT_AS
from app.settings import load_settings
from app.views_ladder.gates import gates_of
from app.views_ladder.opened import ladder_view
from app.worker import Worker
from registry import ladder
from registry.ladder import RolloutState
from registry.records import Verdict
from registry.store import show
from tests.app.browsing import served_to_this_machine
from tests.app.experiment_page.page import off, press, words
from tests.app.ladder_life import REASON, ROLLOUT, LadderLife
from tests.app.life import quietly
from tests.app.samples import ship
from tests.experiments.canary_logs import Truth
from tests.registry.climbing import Climb
from tests.registry.test_realised import sealed

ROL, CAN = "ROL-0001", "CAN-0002"
PEOPLE = {"mira": "owner", "dan": "decider", "oncall": "on-call", "ola": "viewer of it"}
STATES = (
    "planned",
    "shadowed",
    "climbing",
    "checked",
    "asked",
    "paused",
    "breached",
    "ab",
    "promoted",
    "rolled back",
)
BACK = "Roll back to v3"


class Quiet:
    """What `quietly` answers, with its document."""

    def __init__(self, ran: Any) -> None:
        self.exit_code, self.out, self.err = ran.exit_code, ran.out, ran.err

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A copy of the workspace at each state: one life, from which the others branch off."""
    from app.demo.stage import without_settings_from_outside

    folder = tmp_path_factory.mktemp("ladder")
    copies: dict[str, Path] = {}

    def branch(state: str, before: str) -> LadderLife:
        copies[state] = shutil.copytree(copies[before], folder / state.replace(" ", "-"))
        call = quietly(copies[state])
        stages = ["founded", "registered", "shadowed", "approved", "climbing", "checked", "asked"]
        return LadderLife(copies[state], lambda line, *more: Quiet(call(line, *more)), done=stages)

    (folder / "life").mkdir()
    call = quietly(folder / "life")
    life = LadderLife(folder / "life", lambda line, *more: Quiet(call(line, *more)))
    with without_settings_from_outside():
        life.registered()
        copies["registered"] = shutil.copytree(life.folder, folder / "registered")
        branch("planned", "registered").ok("ladder plan rollout.yaml --as mira")
        for stage in ("shadowed", "approved", "climbing", "checked", "asked"):
            getattr(life, stage)()
            copies[stage] = shutil.copytree(life.folder, folder / stage)
        branch("paused", "climbing").ok(f"ladder pause {ROL} --as oncall --reason", REASON)
        branch("rolled back", "climbing").ok(f"ladder rollback {ROL} --as oncall --reason", REASON)
        harmed = branch("breached", "climbing")
        harmed.truth = Truth(worse=0.3)
        harmed.write_logs(1)
        harmed.fairtrial(f"canary step {CAN} --as mira")
        passed = branch("passed", "asked")
        passed.ok(f"ladder advance {ROL} --approve --as dan --reason", REASON)
        passed.pass_to(datetime(2026, 11, 6, tzinfo=UTC))
        passed.write_logs(2)
        for _ in range(4):
            found = passed.ok(f"canary step {CAN} --json --as mira").document
            if found["check"]["verdict"]["code"] == "PASS":
                break
        branch("ab", "passed").ok(f"decide {CAN} --approve --as dan --reason", REASON)
        _in_ab(copies["ab"])
        branch("promoted", "ab")
        _promoted(copies["promoted"])
    return copies


def _in_ab(folder: Path) -> None:
    """The A/B is on; its plan holds what the registry reads of it and no more."""
    with open_workspace_registry(load_settings(folder)) as registry:
        climb = Climb(registry, registry.clock, made=7)  # type: ignore[arg-type]
        entry = climb.experiment(layer={"name": "router", "start": "1/5", "end": "4/5"})
        climb.advanced(ROL, entry)


def _promoted(folder: Path) -> None:
    from registry.kinds import Choice

    with open_workspace_registry(load_settings(folder)) as registry:
        climb = Climb(registry, registry.clock, made=8)  # type: ignore[arg-type]
        entry = climb.at(ROL).ab or ""
        sealed(climb, entry, 1, 1, ship().document(), Verdict.SHIP)
        climb.decided(entry, Choice.SHIP)
        climb.advanced(ROL)


@pytest.fixture
def at(
    kept: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Path]]:
    def go(state: str) -> Path:
        folder = shutil.copytree(kept[state], tmp_path / state.replace(" ", "-"))
        for variable in [name for name in os.environ if name.startswith("FAIRTRIAL_")]:
            monkeypatch.delenv(variable)
        monkeypatch.chdir(folder)
        return folder

    with served_to_this_machine():
        yield go


def visit(id: str = ROL, person: str = "mira", **query: str) -> AppTest:
    def script() -> None:
        from app.screens.ladder import ladder_page

        ladder_page()

    page = AppTest.from_function(script, default_timeout=120)
    page.session_state[ACT_AS] = person
    for name, value in ({"id": id} if id else {} | query).items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    assert "Something went wrong" not in words(page)
    return page


def everywhere(page: AppTest) -> str:
    """The words of the page and of the dialog that stands before it."""
    return "\n".join(one.proto.body for one in page.get("html"))


def labels(page: AppTest, *, on: bool) -> set[str]:
    return {one.label for one in page.button if one.disabled is not on}


def rollout() -> ladder.RolloutFile:
    with open_workspace_registry(load_settings()) as registry:
        return ladder.show_rollout(registry, ROL)


SAYS = {
    "planned": "The rollout is planned and has not begun",
    "shadowed": "The candidate is in its shadow",
    "climbing": "Step 1 of CAN-0002: the candidate for 0.05 of all units",
    "checked": "Step 1 of CAN-0002",
    "asked": "mira asks for the canary, step 2",
    "paused": "The rollout is paused",
    "breached": "The rollout was rolled back",
    "ab": "the candidate for",
    "promoted": "The candidate was promoted",
    "rolled back": "The rollout was rolled back",
}


@pytest.mark.parametrize("state", STATES)
def test_everybody_sees_where_it_stands_and_only_those_who_may_can_stop_it(at: Any, state: str) -> None:
    at(state)
    for person in PEOPLE:
        page = visit(person=person)
        said = words(page)
        assert SAYS[state] in said, person
        over = state in {"breached", "rolled back"}
        if over:
            assert BACK not in labels(page, on=True) | labels(page, on=False)
        elif person in {"mira", "oncall"}:
            assert BACK in labels(page, on=True), person
        else:
            assert off(page, BACK).startswith(
                "Only the owner, the model owner or somebody on call may roll back"
            )
        serving = state in {"climbing", "checked", "asked", "ab"}
        assert ("Pause" in labels(page, on=True)) is (serving and person in {"mira", "oncall"}), person


def test_the_gates_stand_in_their_order_with_approval_last(at: Any) -> None:
    at("climbing")
    said = words(visit())
    places = [said.index(f">{gate}</th>") for gate in ("Health", "Sample", "Time", "Guardrails", "Approval")]
    assert places == sorted(places)
    assert "closed until the check that is due is taken and sealed" in said
    assert "No sealed check of CAN-0002 says that step 1 may advance" in said
    assert off(visit(), "Advance").startswith("No sealed check")


def test_the_gates_of_a_step_that_may_advance_are_passed_but_for_the_approval(at: Any) -> None:
    at("checked")
    with open_workspace_registry(load_settings()) as registry:
        gates = {one.name: one for one in gates_of(ladder_view(registry, "mira", ROL))}
    assert [name for name, gate in gates.items() if not gate.passed] == ["Approval"]
    assert "of at least 100" in gates["Sample"].words


def test_a_due_check_is_taken_by_the_worker_and_the_step_asked_for_and_signed(at: Any) -> None:
    folder = at("climbing")
    assert off(visit(person="dan"), "Take the check").startswith("only the owner (mira)")
    assert off(visit(), "Take the check").startswith("nobody has asked the logs yet")
    press(visit(), "Ask the logs")
    Worker(folder).run(once=True)
    page = visit()
    assert "Check 1 of at most" in words(page)
    for _ in range(3):
        if "Take the check" not in labels(page, on=True):
            break
        press(page, "Take the check")
        Worker(folder).run(once=True)
        press(visit(), "Ask the logs")
        Worker(folder).run(once=True)
        page = visit()
    assert "Guardrails at check" in words(page)
    assert "Within margin" in words(page)
    page.text_area(key="ladder.advance.reason").set_value("short")
    press(page, "Ask for this step")
    assert "The reason has 5 characters" in words(page)
    assert rollout().waiting is None
    page.text_area(key="ladder.advance.reason").set_value(REASON)
    press(page, "Ask for this step")
    assert rollout().waiting is not None
    assert off(visit(person="oncall"), "Approve").startswith("Only a decider who is neither owner")
    page = visit(person="dan")
    page.text_area(key="ladder.sign.reason").set_value(REASON)
    press(page, "Approve")
    assert (rollout().rollout.step, float(rollout().route.share)) == (2, 0.2)
    assert "candidate for 0.2 of all units" in words(visit(person="ola"))


def test_what_was_asked_for_can_be_rejected_by_a_decider_and_taken_back_by_whoever_asked(at: Any) -> None:
    at("asked")
    assert off(visit(person="mira"), "Approve").startswith("Only a decider")
    assert "Take it back" in labels(visit(person="mira"), on=True)
    page = visit(person="dan")
    page.text_area(key="ladder.sign.reason").set_value(REASON)
    press(page, "Reject")
    found = rollout()
    assert found.waiting is None
    assert found.rollout.step == 1
    assert found.transitions[-1].status == "rejected"
    assert "(rejected)" in words(visit())


def test_rolling_back_shows_what_will_change_and_needs_a_reason_alone(at: Any) -> None:
    at("climbing")
    page = press(visit(person="oncall"), BACK)
    said = everywhere(page)
    assert "This will change:" in said
    assert "Alias candidate: v4 → none." in said
    assert "CAN-0002, which runs the rung, is ended." in said
    press(page, f"{BACK} now")
    assert "The reason has 0 characters" in page.error[0].value
    assert rollout().rollout.state is RolloutState.CANARY
    page.text_area(key="ladder.back.reason").set_value("Errors rise since noon.")
    press(page, f"{BACK} now")
    assert rollout().rollout.state is RolloutState.ROLLED_BACK
    said = words(visit())
    assert "Errors rise since noon." in said
    assert "candidate: v4 → none" in said


def test_a_promoted_candidate_is_rolled_back_to_the_champion_of_before(at: Any) -> None:
    at("promoted")
    page = press(visit(), BACK)
    assert "Alias champion: v4 → v3." in everywhere(page)
    page.text_area(key="ladder.back.reason").set_value("Errors rise since noon.")
    press(page, f"{BACK} now")
    assert rollout().route.version == "v3"


def test_a_pause_is_ended_by_the_owner(at: Any) -> None:
    at("climbing")
    page = press(visit(person="oncall"), "Pause")
    page.text_area(key="ladder.pause.reason").set_value("An incident elsewhere.")
    press(page, "Pause now")
    assert rollout().rollout.state is RolloutState.PAUSED
    assert off(visit(), "Take the check").startswith("ROL-0001 is paused")
    assert off(visit(person="oncall"), "Resume").startswith("Only the owner, the model owner or a decider")
    page = visit()
    page.text_area(key="ladder.resume.reason").set_value(REASON)
    press(page, "Resume")
    assert rollout().rollout.state is RolloutState.CANARY


def test_no_number_of_a_guardrail_is_shown_before_its_check_is_sealed(at: Any) -> None:
    at("climbing")
    for id in (ROL, CAN):
        said = words(visit(id))
        assert "closed until a check is sealed" in said
        assert "Not ruled out from" not in said
        assert "CI" not in said
    at("breached")
    assert "Beyond margin" in words(visit())
    assert "rolled back" in words(visit()).casefold()


def test_a_sealed_check_is_shown_and_that_it_was_read_is_recorded_once(at: Any) -> None:
    at("checked")
    page = visit(CAN, "dan")
    said = words(page)
    assert "may advance" in said.casefold()
    assert "SHA-256 of this check" in said
    assert len(page.get("download_button")) == 5
    page.run()
    with open_workspace_registry(load_settings()) as registry:
        read = [one for one in show(registry, CAN).history if one.actor == "dan" and "read" in one.action]
    assert len(read) == 1


def test_a_canary_that_passed_is_signed_off_and_the_a_b_opened(at: Any) -> None:
    at("passed")
    assert off(visit(CAN, "mira"), "Sign it").startswith("only a decider")
    page = visit(CAN, "dan")
    page.radio(key="canary.choice").set_value("approve")
    page.text_area(key="canary.reason").set_value(REASON)
    press(page, "Sign it")
    assert "Signed by" in words(visit(CAN, "ola"))
    assert off(visit(person="ola"), "Open the A/B draft").startswith("Only the owner")
    press(visit(), "Open the A/B draft")
    assert rollout().rollout.ab == "EXP-0003"
    assert "EXP-0003" in words(visit())


def test_what_was_predicted_is_shown_beside_what_was_found_after_the_release(at: Any) -> None:
    at("ab")
    assert "Predicted against realised" not in words(visit())
    at("promoted")
    page = press(visit(person="dan"), "Show it: the reading is recorded")
    assert "A/B inside it" in words(page)
    assert "SHD-0001" in words(page)


def test_a_new_rollout_says_all_its_problems_and_what_it_means_before_it_begins(at: Any) -> None:
    at("registered")
    assert "No model is on the ladder" in words(visit("", "ola"))
    assert "Begin a rollout" in labels(visit("", "ola"), on=False)
    page = visit("", new="1")
    assert "v4 is to replace v3 of router" in words(page)
    page.text_area(key="ladder.new.text").set_value("model: router\nrungs: {}\ntitel: x\n").run()
    said = words(page)
    assert "titel" in said
    assert "risk_budget" in said
    assert "Begin the rollout" in labels(page, on=False)
    page.text_area(key="ladder.new.text").set_value(ROLLOUT).run()
    press(page, "Begin the rollout")
    assert rollout().rollout.state is RolloutState.PLANNED
    page = visit("")
    assert ROL in words(page)
    assert "Open rollout" in words(page)
    page = visit("", new="1")
    page.text_area(key="ladder.new.text").set_value(ROLLOUT).run()
    press(page, "Begin the rollout")
    assert "ROL-0001 of router is open" in words(page).replace("\\", "")


@pytest.mark.parametrize("id", ["ROL-0009", "CAN-0009", "CAN-0001", "xyz", "ROL-0001<b>"])
def test_an_address_that_names_nothing_says_so(at: Any, id: str) -> None:
    at("planned")
    page = visit(id)
    assert "Nothing was changed." in page.error[0].value
