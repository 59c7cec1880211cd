"""shadow, canary and ladder by their commands: the examples of their help at the stage at which somebody would type them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.app.conftest import Ran
from tests.app.ladder_life import REASON, LadderLife
from tests.app.life import quietly
from tests.app.test_cli_documentation import EXAMPLES
from tests.experiments.canary_logs import Truth

GROUPS = ("shadow", "canary", "ladder")
STAGE_OF = {
    "shadow check SHD-0001": "shadowed",
    "shadow check shadow.yaml": "founded",
    "shadow readout": "shadowed",
    "canary status": "climbing",
    "canary step": "climbing",
    "canary step CAN-0002 --verify": "checked",
    "ladder plan": "registered",
    "ladder show": "climbing",
    "ladder advance ROL-0001 --entry": "approved",
    "ladder advance ROL-0001 --reason": "checked",
    "ladder advance ROL-0001 --approve": "asked",
    "ladder rollback": "climbing",
    "ladder pause": "climbing",
    "ladder resume": "paused",
    "ladder draft": "climbing",
    "ladder route": "climbing",
}
"""The stage before each command; the longest beginning counts."""

ELSEWHERE = ("ladder show ROL-0001 --realised",)
"""Needs a released A/B: tests/registry/test_realised."""

LINES = [
    line
    for line in EXAMPLES
    if line.split()[1] in GROUPS and not line.removeprefix("fairtrial ").startswith(ELSEWHERE)
]
STAGES = ("founded", "registered", "shadowed", "approved", "climbing", "checked", "asked")


class Quiet:
    """What `quietly` answers, with its document."""

    def __init__(self, ran: Any) -> None:
        self.exit_code, self.out, self.err = ran.exit_code, ran.out, ran.err

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A copy of the workspace at each stage of one way up."""
    from app.demo.stage import without_settings_from_outside

    folder = tmp_path_factory.mktemp("ladder")
    (folder / "life").mkdir()
    call = quietly(folder / "life")
    life = LadderLife(folder / "life", lambda line, *more: Quiet(call(line, *more)))
    copies = {}
    with without_settings_from_outside():
        for stage in STAGES:
            getattr(life, stage)()
            copies[stage] = shutil.copytree(life.folder, folder / stage)
        shutil.copytree(copies["climbing"], folder / "paused")
        paused = quietly(folder / "paused")
        LadderLife(
            folder / "paused", lambda line, *more: Quiet(paused(line, *more)), done=list(STAGES)
        ).paused()
        copies["paused"] = folder / "paused"
    return copies


@pytest.fixture
def at(
    kept: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fairtrial: Callable[..., Ran]
) -> Callable[[str], LadderLife]:
    def go(stage: str) -> LadderLife:
        folder = shutil.copytree(kept[stage], tmp_path / stage)
        for variable in [name for name in os.environ if name.startswith("FAIRTRIAL_")]:
            monkeypatch.delenv(variable)
        monkeypatch.chdir(folder)
        return LadderLife(folder, fairtrial, done=list(STAGES))

    return go


def test_every_example_of_the_three_groups_has_its_stage() -> None:
    commands = {" ".join(line.split()[1:3]) for line in LINES}
    assert commands == {" ".join(name.split()[:2]) for name in STAGE_OF}


@pytest.mark.parametrize("line", LINES)
def test_the_example_runs_at_its_stage(at: Any, fairtrial: Any, line: str) -> None:
    words = line.removeprefix("fairtrial ")
    at(STAGE_OF[max((name for name in STAGE_OF if words.startswith(name)), key=len)])
    ran = fairtrial("", *shlex.split(words))
    assert ran.exit_code == 0, ran.err
    assert ran.out


def test_a_shadow_is_blind_before_its_look_and_sealed_after_it(at: Any, fairtrial: Any) -> None:
    at("shadowed")
    before = fairtrial("shadow check SHD-0001 --json").document
    assert before["look_due"]
    assert set(before["pairing"]) >= {"both", "matched_share", "labelled"}
    said = json.dumps({name: value for name, value in before.items() if name != "shadow"})
    assert not [word for word in ("primary", "correct", "agreement", "kappa", "score") if word in said]
    after = fairtrial("shadow readout SHD-0001 --json --as mira").document
    assert after["schema"] == "shadow-readout/1"
    assert after["verdict"]["code"] == "PASS"
    again = fairtrial("shadow readout SHD-0001 --json --as dan").document
    assert again == after
    text = fairtrial("shadow readout SHD-0001 --as dan").out
    assert "SHD-0001  Router v4 in the shadow of v3: PASS" in text


def test_problems_of_each_kind_of_file_are_said_with_their_lines(at: Any, fairtrial: Any) -> None:
    life = at("founded")
    for name, command in (("shadow", "shadow check"), ("rollout", "ladder plan --check")):
        file = life.folder / f"{name}.yaml"
        file.write_text(file.read_text() + "titel: x\n")
        ran = fairtrial(f"{command} {name}.yaml --json")
        assert ran.exit_code == 1
        (problem,) = ran.document["error"]["problems"]
        assert problem["path"] == "titel"
        assert problem["line"]


def test_a_rollout_is_not_registered_but_planned(at: Any, fairtrial: Any) -> None:
    at("founded")
    ran = fairtrial("register rollout.yaml --draft --as mira")
    assert ran.exit_code == 2
    assert "begin it with fairtrial ladder plan rollout.yaml" in ran.err


def test_the_plan_of_a_canary_is_reviewed_in_plain_words(at: Any, fairtrial: Any) -> None:
    at("climbing")
    text = fairtrial("review CAN-0002 --as ola").out
    assert "Step 1: 5% for 1 day, checked every 12 hours" in text
    assert "A breach rolls it back in the moment in which it is sealed" in text
    assert "SHD" not in text
    assert "margin" in fairtrial("review SHD-0001 --as ola").out


def test_the_route_follows_the_ladder(at: Any, fairtrial: Any) -> None:
    at("climbing")
    on = fairtrial("ladder route router --json").document
    assert (on["alias"], on["version"], on["share"], on["salt"]) == ("champion", "v3", 0.05, "layer:router")
    assert on["candidate"]["high"] + on["control"]["low"] == 2**52
    fairtrial("ladder pause ROL-0001 --as oncall --reason", "An incident elsewhere.")
    off = fairtrial("ladder route router --json").document
    assert (off["version"], off["share"], off["candidate"]) == ("v3", 0.0, None)
    assert "paused" in off["reason"]


def test_a_step_is_asked_for_by_the_owner_and_signed_by_a_decider(at: Any, fairtrial: Any) -> None:
    at("asked")
    shown = fairtrial("ladder show ROL-0001")
    assert "waiting: mira asks for canary step 2" in shown.out
    refused = fairtrial("ladder advance ROL-0001 --approve --as mira --reason", REASON)
    assert refused.exit_code == 1
    signed = fairtrial("ladder advance ROL-0001 --approve --as dan --json --reason", REASON).document
    assert signed["rollout"]["step"] == 2
    assert signed["route"]["share"] == 0.2


def test_a_step_that_has_no_check_says_what_is_missing(at: Any, fairtrial: Any) -> None:
    at("climbing")
    ran = fairtrial("ladder advance ROL-0001 --as dan --json --reason", REASON)
    assert ran.exit_code == 1
    assert "No sealed check of CAN-0002 says that step 1 may advance" in json.dumps(ran.document)


def test_a_harmful_candidate_is_rolled_back_by_its_check(
    at: Any, fairtrial: Any, kept: dict[str, Path]
) -> None:
    life = at("climbing")
    life.truth = Truth(worse=0.3)
    life.write_logs(1)
    ran = fairtrial("canary step CAN-0002 --as mira --json")
    assert ran.exit_code == 1
    assert ran.document["check"]["verdict"]["call"] == "BREACH"
    shown = fairtrial("ladder show ROL-0001 --json").document
    assert shown["rollout"]["state"] == "rolled_back"
    assert shown["route"]["version"] == "v3"
    assert fairtrial("audit verify").exit_code == 0


def test_the_a_b_is_opened_with_the_canary_s_guardrails_and_what_the_shadow_hands_on(
    at: Any, fairtrial: Any
) -> None:
    at("climbing")
    opened = fairtrial("ladder draft ROL-0001 --as mira --json").document
    assert opened["experiment"]["id"] == "EXP-0003"
    written = fairtrial("show EXP-0003 --plan --json").document["plan"]
    assert [arm["version"] for arm in written["arms"]] == ["v3", "v4"]
    assert {one["metric"]["name"] for one in written["guardrails"]} == {"failed", "latency"}
    assert written["assignment"]["layer"] == {"name": "router", "start": "1/5", "end": "4/5"}
    assert (
        "Expected from the shadow: in SHD-0001 the difference in share right was" in written["anything_else"]
    )
    assert fairtrial("ladder show ROL-0001 --json").document["rollout"]["ab"] == "EXP-0003"


def test_changes_can_be_asked_for_and_the_decision_stays_open(at: Any, fairtrial: Any) -> None:
    at("shadowed")
    fairtrial("shadow readout SHD-0001 --as mira")
    asked = fairtrial("decide SHD-0001 --request-changes --as dan --json --reason", REASON)
    assert asked.document["experiment"]["state"] == "readout"
    rejected = fairtrial("decide SHD-0001 --reject --as dan --json --reason", REASON * 3)
    assert rejected.exit_code == 0, rejected.err
    assert fairtrial("decide SHD-0001 --approve --as dan --reason", REASON).exit_code == 1, (
        "their own proposal"
    )


def test_the_clock_of_a_step_is_told_before_any_check(at: Any, fairtrial: Any) -> None:
    life = at("climbing")
    life.pass_to(datetime(2026, 11, 3, 12, 30, tzinfo=UTC))
    found = fairtrial("canary status CAN-0002 --json").document
    assert found["due"]
    assert found["stands"]["step"] == 1
    assert found["checks"] == []
    assert found["check"]["units"][0][0] > 100


def test_a_worker_takes_the_check_that_is_due_and_rolls_a_harmful_candidate_back_with_nobody_awake(
    at: Any, fairtrial: Any
) -> None:
    life = at("climbing")
    life.truth = Truth(worse=0.3)
    life.write_logs(1)
    life.ok("worker --once --refresh 1m")
    found = life.ok("ladder show ROL-0001 --json").document
    assert found["rollout"]["state"] == "rolled_back"
    assert found["transitions"][-1]["settled_by"] == "system"


def test_a_worker_finds_of_a_canary_when_its_next_check_is_due(at: Any, fairtrial: Any) -> None:
    life = at("climbing")
    ran = life.ok("worker --once --refresh 1m --json").document
    kinds = [(job["kind"], job["entity"], job["state"], job["error"]) for job in ran["jobs"]]
    assert ("look-status", "CAN-0002", "done", None) in kinds
    assert ("look", "CAN-0002", "done", None) in kinds
    assert all(state == "done" for _, _, state, _ in kinds), kinds
    checks = fairtrial("canary status CAN-0002 --json").document["checks"]
    assert checks


@pytest.mark.parametrize(
    "line",
    [
        "list",
        "list --json",
        "show SHD-0001",
        "show CAN-0002",
        "show CAN-0002 --json",
        "review SHD-0001 --as ola",
        "metric list",
        "audit verify",
        "audit export",
    ],
)
def test_what_lists_experiments_knows_the_other_kinds(at: Any, line: str) -> None:
    life = at("climbing")
    assert life.ok(line).out


def test_a_registered_shadow_or_canary_can_be_withdrawn_before_it_begins(at: Any, fairtrial: Any) -> None:
    life = at("registered")
    life.ok("withdraw SHD-0001 --as mira --reason", REASON)
    life.ok("register canary.yaml --reviewer ola --as mira")
    life.ok("review CAN-0002 --approve --as ola")
    life.ok("withdraw CAN-0002 --as mira --reason", REASON)
