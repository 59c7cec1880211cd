"""Time that passes in a simulated workspace brings traffic for experiments of one's own, whose truth is fixed beforehand."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from app.demo.passing import TRUE_SHARES, scenario_of
from app.demo.scenarios import WORKSPACE
from experiments.designs.design import load_design
from experiments.designs.metrics import load_catalogue

CATALOGUE = load_catalogue(WORKSPACE / "metrics.yaml")


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    shutil.copytree(WORKSPACE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_experiment_of_one_s_own_gets_traffic_and_can_be_read(workspace, fairtrial):
    def ok(line, *more):
        ran = fairtrial(line, *more)
        assert ran.exit_code == 0, ran.err
        return ran

    design = workspace / "designs" / "early-stop.yaml"
    design.write_text(
        design.read_text()
        .replace("query-rewriting", "my-own")
        .replace("units_per_day: 650", "units_per_day: 1300")
    )
    ok("init . --admin Ada --simulated-clock 2026-11-02T12:00:00Z")
    for person, role in (("mira", "analyst"), ("ola", "reviewer"), ("dan", "decider")):
        ok(f"people add {person} --role {role} --as ada")
    ok("register designs/early-stop.yaml --as mira")
    ok("review EXP-0001 --approve --as ola")
    first = ok("pass 7d --json").document
    assert first["with_traffic"] == ["EXP-0001"]
    assert first["now"].startswith("2026-11-10T00:00:00") or first["now"].startswith("2026-11-09T00:00:00")
    ok("health EXP-0001")
    refused = fairtrial("readout EXP-0001 --as mira")
    assert refused.exit_code == 1
    said = []
    for _ in range(6):
        ok("pass 7d")
        ran = fairtrial("readout EXP-0001 --as mira --json")
        if ran.exit_code == 0:
            said.append(ran.document)
            if "verdict" in ran.document:
                break
    verdict = said[-1]["verdict"]["code"]
    truth = json.loads((workspace / "logs" / "truth-my-own.json").read_text())
    effect = truth["truth"]["my-own"]["outcomes"][0]["arms"][1]["effect"]
    assert verdict == ("SHIP" if effect > 0 else "DO NOT SHIP")
    ok("audit verify")


def test_what_is_true_follows_from_the_plan_alone():
    design = load_design(WORKSPACE / "designs" / "clear-win.yaml", CATALOGUE)
    at = datetime(2026, 11, 2, 9, tzinfo=UTC)
    assert scenario_of(design, at) == scenario_of(design, at + timedelta(hours=3))
    (effect,) = scenario_of(design, at).outcomes[0].effects or (None,)
    size = 0.0 if effect is None else effect.size
    assert size == pytest.approx(0.025 * TRUE_SHARES[int(design.sha256[:8], 16) % len(TRUE_SHARES)])


def test_the_machine_s_clock_is_not_moved(tmp_path, monkeypatch, fairtrial):
    monkeypatch.chdir(tmp_path)
    assert fairtrial("init . --admin Ada").exit_code == 0
    ran = fairtrial("pass 7d")
    assert ran.exit_code == 1
    assert "machine's" in ran.err
