"""`health` and `look`: what may be seen before the look, and when the look is due."""

from __future__ import annotations

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from registry import lifecycle
from registry.clock import SimulatedClock
from registry.store import open_registry
from tests.app.life import BROKEN, ID, START


def test_health_is_good_and_counts_units(fairtrial, at):
    life = at("running")
    ran = fairtrial(f"health {ID} --json")
    assert ran.exit_code == 0
    assert ran.document["health"] == "Good"
    assert [arm["arm"] for arm in ran.document["arms"]] == ["control", "candidate"]
    assert sum(arm["assigned"] for arm in ran.document["arms"]) > 100
    out = life.ok(f"health {ID}").out
    assert "Allocation (SRM)" in out
    assert "The look is not due" in out


def test_health_fails_with_exit_code_1_and_names_the_failing_checks(fairtrial, at):
    life = at("registered")
    life.faults = BROKEN
    life.pass_to(START.replace(day=4))
    ran = fairtrial(f"health {ID} --json")
    assert ran.exit_code == 1
    assert ran.document["health"] == "Failing"
    assert any("Assignment audit" in problem["message"] for problem in ran.document["error"]["problems"])
    text = fairtrial(f"health {ID}")
    assert text.exit_code == 1
    assert "✕" in text.out


def test_health_and_look_show_no_value_of_an_outcome(fairtrial, at):
    """The logged values are replaced by a canary: nothing that is shown changes."""
    life = at("running")
    lines = [f"{command} {ID}{form}" for command in ("health", "look") for form in ("", " --json")]
    before = [fairtrial(line).out for line in lines]
    for file in (life.folder / "logs" / "outcomes").glob("dt=*/*.parquet"):
        rows = pq.read_table(file)
        canary = pa.array([987_654_321.125] * rows.num_rows)
        pq.write_table(rows.set_column(rows.schema.get_field_index("value"), "value", canary), file)
    assert [fairtrial(line).out for line in lines] == before


def test_health_before_any_outcome_log_leaves_those_checks_out(fairtrial, at):
    life = at("running")
    shutil.rmtree(life.folder / "logs" / "outcomes")
    ran = fairtrial(f"health {ID}")
    assert ran.exit_code == 0
    assert "outcome logs are not there yet" in ran.err


def test_the_first_exposure_makes_it_running(fairtrial, at):
    life = at("registered")
    life.write_logs(START.replace(hour=18))
    assert life.ok(f"look {ID} --json").document["experiment"]["state"] == "running"


def test_a_look_that_is_not_due_says_what_is_missing_and_when_it_is_expected(fairtrial, at):
    at("running")
    ran = fairtrial(f"look {ID} --json")
    assert ran.exit_code == 0
    assert ran.document["due"] is False
    assert ran.document["look"]["missing"]
    assert ran.document["look"]["expected"] > "2026-11-03"
    assert "Expected about" in fairtrial(f"look {ID}").out


def test_before_any_log_a_look_is_not_due_and_says_what_comes_next(fairtrial, at):
    life = at("registered")
    ran = life.ok(f"look {ID} --json").document
    assert (ran["due"], ran["look"], ran["experiment"]["state"]) == (False, None, "registered")
    out = life.ok(f"look {ID}").out
    assert "no unit has been exposed yet" in out
    assert f"fairtrial assign {ID}" in out


def test_a_due_look_is_taken_by_its_owner_once(fairtrial, at):
    life = at("due")
    assert life.ok(f"look {ID} --json").document["due"] is True
    other = fairtrial(f"look {ID} --take --as ola")
    assert other.exit_code == 1
    assert "Only Fairtrial itself or the owner" in other.err
    taken = life.ok(f"look {ID} --take --as mira --json").document
    assert (taken["experiment"]["state"], taken["experiment"]["verdict"]) == ("readout", "SHIP")
    assert fairtrial(f"look {ID} --take --as mira").exit_code == 1


def test_a_look_left_open_by_a_process_that_died_is_held_and_taken_again(fairtrial, at):
    life = at("due")
    clock = SimulatedClock(START.replace(day=7))
    with open_registry(str(life.folder / ".fairtrial" / "registry.db"), clock=clock) as registry:
        lifecycle.open_look(registry, "mira", ID, 1, 1, START)
    refused = fairtrial(f"readout {ID} --as mira")
    assert refused.exit_code == 1
    assert "is open since" in refused.err
    assert "Look 1 of 1 open" in life.ok("list").out
    assert fairtrial(f"look {ID} --as ola --hold", "The process died.").exit_code == 1
    assert "Look 1 of 1 held" in life.ok(f"look {ID} --as mira --hold", "The process died.").out
    assert life.ok(f"readout {ID} --as mira --json").document["verdict"]["code"] == "SHIP"


def test_a_readout_that_was_sealed_and_not_released_is_released(fairtrial, at, monkeypatch):
    life = at("due")
    with monkeypatch.context() as dying:
        dying.setattr("registry.lifecycle.release", _die)
        assert fairtrial(f"readout {ID} --as mira").exit_code == 70
    assert life.ok(f"show {ID} --json").document["looks"][0]["verdict"] is None
    reads = life.ok(f"show {ID} --json").document["outcome_reads"]
    assert life.ok(f"readout {ID} --as mira --json").document["verdict"]["code"] == "SHIP"
    assert life.ok(f"show {ID} --json").document["outcome_reads"] == reads == 1


def _die(*_: object) -> None:
    raise MemoryError


@pytest.mark.parametrize(
    "line", ["health", "look", f"look {ID} --take --hold reason --as mira", f"look {ID} --take"]
)
def test_bad_usage(fairtrial, at, line):
    at("running")
    assert fairtrial(line + " --json").exit_code == 2


@pytest.mark.parametrize("line", ["health EXP-0009", "look EXP-0009"])
def test_an_unknown_experiment_is_refused(fairtrial, at, line):
    at("running")
    ran = fairtrial(line + " --json")
    assert ran.exit_code == 1
    assert "is not in this registry" in ran.document["error"]["message"]


def test_a_draft_has_no_health(fairtrial, at):
    at("in_review")
    for line in (f"health {ID}", f"look {ID}"):
        ran = fairtrial(line)
        assert (ran.exit_code, "no locked plan yet" in ran.err) == (1, True)
