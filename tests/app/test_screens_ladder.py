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
from registry import ladder
from registry.records import Verdict
from tests.app.browsing import served_to_this_machine
from tests.app.experiment_page.page import off, words
from tests.app.ladder_life import REASON, LadderLife
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
