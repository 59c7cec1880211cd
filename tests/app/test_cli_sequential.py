"""Experiments of several looks and with harm stops, by commands: what is said, what stays closed, what is recorded."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.app.life import DESIGN, DESIGN_WITH_A_HARM_STOP, ID, START, Life

SEQUENTIAL = DESIGN.replace(
    "stopping: {minimum_duration: 2d, maximum_duration: 4d, step: 1d, part_weeks_reason: a test of two days}",
    "stopping: {rule: group-sequential, looks: [0.4, 0.7, 1], maximum_duration: 6d, step: 1d, part_weeks_reason: a test}",
).replace("units_per_day: 100", "units_per_day: 150, units_per_arm: 300")


def life(tmp_path, monkeypatch, fairtrial, **fields) -> Life:
    monkeypatch.chdir(tmp_path)
    return Life(tmp_path, fairtrial, **fields)


@pytest.fixture
def without_effect(tmp_path, monkeypatch, fairtrial) -> Life:
    one = life(tmp_path, monkeypatch, fairtrial, design=SEQUENTIAL, lift=0.0, days=6)
    one.running()
    one.pass_to(START + timedelta(days=3))
    return one


def test_a_look_that_goes_on_says_only_that_and_the_next_one_is_later(without_effect) -> None:
    ran = without_effect.ok(f"readout {ID} --as mira --json")
    assert set(ran.document) == {
        "experiment",
        "look",
        "of",
        "decision",
        "sentence",
        "next_look_due",
        "next_look_expected",
        "simulated",
    }
    assert ran.document["decision"] == "CONTINUE"
    assert (ran.document["look"], ran.document["of"]) == (1, 3)
    assert ran.document["sentence"].startswith("No boundary was crossed at look 1.")
    assert "Look 2 of at most 3" in without_effect.ok(f"look {ID}").out
    refused = without_effect.fairtrial(f"readout {ID} --as mira")
    assert refused.exit_code == 1
    assert "Look 2 of EXP-0001 is not due" in refused.err


def test_nothing_that_a_look_found_is_shown_while_the_experiment_goes_on(without_effect) -> None:
    """The sealed readout of look 1 is kept; no command shows a number of it, to nobody."""
    said = without_effect.ok(f"readout {ID} --as mira").out
    sealed = _sealed(without_effect, 1)
    primary = sealed["primary"][0]
    secret = [
        primary["estimate"],
        primary["p_value"],
        primary["control_value"]["value"],
        primary["interval"]["low"],
        primary["interval"]["high"],
        sealed["sequential"][0]["points"][0]["z"],
    ]
    shown = [said]
    for line in (
        f"show {ID} --json",
        f"look {ID} --json",
        f"health {ID} --json",
        "list --json",
        "audit log --json",
    ):
        shown.append(without_effect.ok(line).out)
    distinct = [value for value in secret if len(f"{value:.5g}") > 5]
    assert len(distinct) >= 3
    for value in distinct:
        for text in shown:
            assert f"{value:.5g}" not in text
            assert f"{100 * value:.3f}" not in text
            assert json.dumps(value) not in text


def test_three_looks_are_taken_in_turn_and_the_last_is_released(without_effect) -> None:
    seen = []
    for days in (3, 4, 5, 6, 7, 8):
        if days > 3:
            without_effect.pass_to(START + timedelta(days=days))
        ran = without_effect.fairtrial(f"readout {ID} --as mira --json")
        if ran.exit_code == 0:
            seen.append(ran.document)
            if "verdict" in ran.document:
                break
    assert [one.get("decision", "released") for one in seen] == ["CONTINUE", "CONTINUE", "released"]
    final = seen[-1]
    assert final["look"]["k"] == 3
    assert [point["k"] for point in final["sequential"][0]["points"]] == [1, 2, 3]
    kept = {check["name"]: check["result"] for check in final["plan_kept"]}
    assert kept["Outcome reads before this look"] == "pass"
    assert kept["Looks as planned"] == "pass"
    assert "IDENTICAL" in without_effect.ok(f"readout {ID} --verify --as ola").out
    without_effect.ok("audit verify")
    shown = without_effect.ok(f"readout {ID} --as mira").out
    assert "epeated" in shown


def test_an_early_crossing_stops_and_is_released_at_once(tmp_path, monkeypatch, fairtrial) -> None:
    one = life(tmp_path, monkeypatch, fairtrial, design=SEQUENTIAL, lift=0.4, days=6).running()
    one.pass_to(START + timedelta(days=3))
    released = one.ok(f"readout {ID} --as mira --json").document
    assert released["verdict"]["code"] == "SHIP"
    assert released["look"]["decision"] == "STOP FOR EFFICACY"
    assert released["look"]["k"] == 1
    assert "efficacy boundary crossed" in one.ok(f"show {ID}").out + one.ok(f"show {ID} --json").out
    one.ok(
        f"decide {ID} --ship --as dan --reason", "The declared rule was met at the first look, as declared."
    )


def test_stopped_by_hand_after_a_look_reads_at_most_what_was_spent(without_effect) -> None:
    without_effect.ok(f"readout {ID} --as mira")
    without_effect.ok(f"stop {ID} --as mira --reason", "The index server has to be rebuilt this week.")
    without_effect.pass_to(START + timedelta(days=8))
    released = without_effect.ok(f"readout {ID} --as mira --json").document
    assert released["look"]["k"] == 2
    assert released["look"]["stopped_by_hand"]
    assert released["verdict"]["code"] == "INCONCLUSIVE"
    assert released["verdict"]["by_treatment"][0]["row"] == 6
    assert released["sequential"][0]["points"][-1]["spent"] < 0.05


def test_a_harm_stop_that_does_not_trip_changes_nothing_and_is_recorded(
    tmp_path, monkeypatch, fairtrial
) -> None:
    one = life(tmp_path, monkeypatch, fairtrial, design=DESIGN_WITH_A_HARM_STOP).running()
    one.pass_to(START + timedelta(days=2, hours=6))
    watched = one.ok(f"watch {ID} --json --as mira").document
    assert watched["tripped"] is False
    assert set(watched) >= {"experiment", "tripped", "harm_stops", "tripped_by", "not_judged"}
    assert "watch the declared harm stops" in one.ok(f"audit log --entity {ID}").out
    one.pass_to(START + timedelta(days=5))
    released = one.ok(f"readout {ID} --as mira --json").document
    assert released["look"]["watches"] == 1
    kept = {check["name"]: check["result"] for check in released["plan_kept"]}
    assert kept["Outcome reads before this look"] == "pass"


def test_a_harm_stop_that_trips_stops_at_once_sends_everybody_to_control_and_is_read_out(
    tmp_path, monkeypatch, fairtrial
) -> None:
    one = life(tmp_path, monkeypatch, fairtrial, design=DESIGN_WITH_A_HARM_STOP, harm=0.7, days=4).running()
    one.pass_to(START + timedelta(days=3))
    watched = one.fairtrial(f"watch {ID} --as mira")
    assert watched.exit_code == 1
    assert "Harm stop tripped: failure@1 with candidate" in watched.out
    assert "stopped" in one.ok("list").out.lower()
    arms = {
        row["arm"]
        for row in one.ok(f"assign {ID} user-1 user-2 user-3 user-4 user-5 user-6 --json").document["units"]
    }
    assert arms == {"control"}
    again = one.fairtrial(f"watch {ID} --as mira")
    assert again.exit_code == 1
    released = one.ok(f"readout {ID} --as mira --json").document
    assert released["verdict"]["code"] == "DO NOT SHIP"
    assert released["verdict"]["by_treatment"][0]["row"] == 2
    assert released["look"]["harm_stop"] == "failure@1 with candidate"
    assert "IDENTICAL" in one.ok(f"readout {ID} --verify --as ola").out


def test_an_a_a_replay_cannot_read_what_is_closed_and_the_attempt_is_recorded(at) -> None:
    one = at("due")
    line = "design simulate design.yaml --aa sources.yaml outcomes.yaml --of small-change --as mira"
    refused = one.fairtrial(line)
    assert refused.exit_code == 1
    assert "The outcomes of EXP-0001 are closed until its readout is released." in refused.err
    assert "refused" in one.ok(f"audit log --entity {ID}").out
    one.read_out()
    few = one.fairtrial(line)
    assert "mature units, and re-splitting them needs" in few.err


def _sealed(one: Life, k: int) -> dict:
    """The sealed document of a look, behind Fairtrial's back."""
    import sqlite3

    registry = next(one.folder.rglob("*.db"), None) or next(one.folder.rglob("*.sqlite*"))
    with sqlite3.connect(registry) as connection:
        query = "SELECT body FROM documents JOIN looks ON readout_sha256 = documents.sha256 WHERE k = ?"
        return json.loads(connection.execute(query, (k,)).fetchone()[0])
