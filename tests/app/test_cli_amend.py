"""`amend`, `stop`, `abandon`, `withdraw`: changing and ending what was locked, in the open."""

from __future__ import annotations

import pytest

from app.cli.amend import InferenceName, ReasonName
from app.cli.ending import AbandonmentName
from registry.lifecycle import Abandonment, Inference, ReasonCode
from tests.app.life import DESIGN, ID, START, Life

MATERIAL = ("--reason-code", "missing-information", "--inference", "none", "--explanation")
EXPLANATION = "The platform is logged since Monday, so that it can be said here as well."
REASON = "The candidate filled the disks of two hosts."


def amended(life: Life, *changes: tuple[str, str], more: str = "") -> str:
    text = DESIGN
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (life.folder / "amended.yaml").write_text(text + more)
    return "amended.yaml"


def test_every_code_of_the_registry_can_be_typed():
    for names, codes in (
        (ReasonName, ReasonCode),
        (InferenceName, Inference),
        (AbandonmentName, Abandonment),
    ):
        assert [name.replace("-", " ") for name in names.__args__] == [code.value for code in codes]


def test_a_material_change_is_proposed_shown_and_approved_by_the_reviewer(fairtrial, at):
    life = at("registered")
    file = amended(life, more="anything_else: The platform is logged.\n")
    proposed = fairtrial(f"amend {ID} {file} --as mira --json", *MATERIAL, EXPLANATION)
    assert proposed.exit_code == 0, proposed.err
    assert [change["field"] for change in proposed.document["changes"]] == ["anything_else"]
    assert proposed.document["experiment"]["plan_version"] == 1
    assert "mira proposes an amendment, class A" in life.ok(f"amend {ID}").out
    assert fairtrial(f"amend {ID} --approve --as mira").exit_code == 1
    approved = life.ok(f"amend {ID} --approve --as ola --json").document
    assert approved["experiment"]["plan_version"] == 2
    assert "plan version 2" in approved["done"]


def test_an_administrative_change_holds_at_once(fairtrial, at):
    life = at("running")
    file = amended(life, ("A small change for everybody", "A small change for everybody, renamed"))
    ran = life.ok(f"amend {ID} {file} --as mira --json").document
    assert ran["experiment"]["title"].endswith("renamed")
    assert (ran["changes"], ran["experiment"]["plan_version"]) == ([], 1)


def test_a_material_change_without_a_reason_is_refused_and_says_what_is_needed(fairtrial, at):
    life = at("registered")
    ran = fairtrial(f"amend {ID} {amended(life, more='anything_else: more')} --as mira --json")
    assert ran.exit_code == 1
    (problem,) = ran.document["error"]["problems"]
    assert "material: anything_else" in problem["reason"]


def test_once_units_are_exposed_the_test_itself_cannot_change(fairtrial, at):
    life = at("running")
    file = amended(life, ("mde: {absolute: 0.2}", "mde: {absolute: 0.2}, alpha: 0.1"))
    ran = fairtrial(f"amend {ID} {file} --as mira", *MATERIAL, EXPLANATION)
    assert ran.exit_code == 1
    assert "Units have been exposed, and the change touches alpha" in ran.err


def test_after_the_readout_nothing_can_change(fairtrial, at):
    life = at("read_out")
    file = amended(life, more="anything_else: more\n")
    assert fairtrial(f"amend {ID} {file} --as mira", *MATERIAL, EXPLANATION).exit_code == 1


def test_the_reviewer_rejects_with_a_reason(fairtrial, at):
    life = at("registered")
    file = amended(life, more="anything_else: more\n")
    life.ok(f"amend {ID} {file} --as mira", *MATERIAL, EXPLANATION)
    assert "Rejected" in life.ok(f"amend {ID} --as ola --reject", "This belongs into a new experiment.").out
    assert "No amendment is proposed" in life.ok(f"amend {ID}").out


@pytest.mark.parametrize(
    "line",
    [
        f"amend {ID} design.yaml --approve --as mira",
        f"amend {ID} --approve --reject no --as ola",
        f"amend {ID} --reason-code missing-information --as mira",
        f"amend {ID} design.yaml --reason-code missing-information --as mira",
        f"amend {ID} design.yaml --reason-code boredom --as mira",
        f"stop {ID} --as mira",
        f"abandon {ID} --as mira --reason because",
        f"withdraw {ID}",
    ],
)
def test_bad_usage(fairtrial, at, line):
    at("registered")
    ran = fairtrial(line + " --json")
    assert (ran.exit_code, ran.document["error"]["kind"]) == (2, "usage")


def test_a_stop_by_hand_gives_everybody_control_and_is_read_out_once_mature(fairtrial, at):
    life = at("running")
    assert fairtrial(f"stop {ID} --as ola --reason", REASON).exit_code == 1
    assert "Stopped (maturing)" in life.ok(f"stop {ID} --as mira --reason", REASON).out
    units = life.ok(f"assign {ID} u1 u2 u3 --json").document["units"]
    assert {unit["arm"] for unit in units} == {"control"}
    early = fairtrial(f"readout {ID} --as mira")
    assert early.exit_code == 1
    assert "was stopped by hand 03 Nov 2026 12:00 UTC" in early.err
    assert life.ok(f"look {ID} --json").document["due"] is False
    life.due()
    assert life.ok(f"look {ID} --json").document["due"] is True
    readout = life.ok(f"readout {ID} --as mira --json").document
    assert readout["look"]["stopped_by_hand"] is True
    assert readout["verdict"]["code"] == "INCONCLUSIVE"


def test_an_experiment_is_abandoned_by_owner_and_reviewer_together(fairtrial, at):
    life = at("running")
    code = ("--code", "too-little-traffic", "--reason", "Half of the traffic went to another product.")
    assert life.ok(f"abandon {ID} --as mira --json", *code).document["experiment"]["state"] == "running"
    assert fairtrial(f"abandon {ID} --as mira", *code).exit_code == 1
    assert life.ok(f"abandon {ID} --as ola --json", *code).document["experiment"]["state"] == "abandoned"
    refused = fairtrial(f"readout {ID} --as mira")
    assert refused.exit_code == 1
    assert "Abandoned" in refused.err


def test_before_the_first_exposure_it_is_withdrawn_and_after_it_no_more(fairtrial, at):
    life = at("registered")
    reason = "The feature is not built after all."
    assert (
        life.ok(f"withdraw {ID} --as mira --json --reason", reason).document["experiment"]["state"]
        == "abandoned"
    )
    at("running")
    assert fairtrial(f"withdraw {ID} --as mira --reason", reason).exit_code == 1


def test_units_exposed_since_the_lock_are_noticed_before_a_withdrawal(fairtrial, at):
    life = at("registered")
    life.pass_to(START.replace(hour=18))
    ran = fairtrial(f"withdraw {ID} --as mira --reason", "The feature is not built after all.")
    assert ran.exit_code == 1
    assert "is Running" in ran.err
