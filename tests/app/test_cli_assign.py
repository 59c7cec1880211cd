"""`assign`: the arm of a unit by the locked plan, the state and the decision."""

from __future__ import annotations

import io

import pytest

from experiments.cohorts.log_checks import assignment_of
from experiments.designs.design import load_design
from experiments.designs.metrics import load_catalogue
from tests.app.life import DESIGN, ID, REASON

UNITS = [f"u{number}" for number in range(40)]


def arms(fairtrial) -> set[tuple[str | None, bool]]:
    document = fairtrial(f"assign {ID} --json", *UNITS).document
    return {(unit["arm"], unit["in_experiment"]) for unit in document["units"]}


def test_while_it_runs_a_unit_gets_the_arm_of_its_hash(fairtrial, at):
    life = at("registered")
    design = load_design(life.folder / "design.yaml", load_catalogue(life.folder / "metrics.yaml"))
    document = fairtrial(f"assign {ID} --json", *UNITS).document
    expected = assignment_of(design).arms_of(UNITS)
    assert [unit["arm"] for unit in document["units"]] == expected
    assert set(expected) == {"control", "candidate"}
    assert all(unit["in_experiment"] for unit in document["units"])
    assert "The hash of salt and unit" in fairtrial(f"assign {ID} u1").out


def test_units_come_from_standard_input_too(fairtrial, at, monkeypatch):
    at("registered")
    monkeypatch.setattr("sys.stdin", io.StringIO("u1\n\n u2 \n"))
    units = fairtrial(f"assign {ID} --stdin --json").document["units"]
    assert [unit["unit"] for unit in units] == ["u1", "u2"]


def test_after_the_readout_everybody_gets_control_and_after_the_decision_the_winner(fairtrial, at):
    life = at("read_out")
    assert arms(fairtrial) == {("control", False)}
    life.decided()
    assert arms(fairtrial) == {("candidate", False)}


def test_after_the_decision_not_to_ship_everybody_keeps_control(fairtrial, at):
    life = at("read_out")
    life.ok(f"decide {ID} --repeat --as dan --reason", REASON * 2)
    life.ok(f"decide {ID} --approve --as eve --reason", REASON)
    assert arms(fairtrial) == {("control", False)}


def test_nothing_is_served_before_the_lock(fairtrial, at):
    at("in_review")
    ran = fairtrial(f"assign {ID} u1 --json")
    assert ran.exit_code == 1
    assert "no locked plan yet; it is In review" in ran.document["error"]["message"]


def test_units_that_are_assigned_elsewhere_are_not_assigned_here(fairtrial, at):
    life = at("founded")
    (life.folder / "design.yaml").write_text(
        DESIGN.replace("{key: small-change}", "{key: k, method: external}")
    )
    life.registered()
    ran = fairtrial(f"assign {ID} u1")
    assert ran.exit_code == 1
    assert "assigned outside Fairtrial" in ran.err


@pytest.mark.parametrize("line", [f"assign {ID}", "assign"])
def test_without_a_unit_it_is_bad_usage(fairtrial, at, line):
    at("registered")
    assert fairtrial(line).exit_code == 2


def test_an_empty_unit_is_bad_usage(fairtrial, at):
    at("registered")
    assert fairtrial(f"assign {ID}", "").exit_code == 2
