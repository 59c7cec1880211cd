"""`readout` and `decide`: refused before the look, sealed at it, verified after it, signed by a decider."""

from __future__ import annotations

import zipfile

import pytest

from experiments.readouts.readout import Readout
from experiments.readouts.verdict import RULES
from tests.app.life import BROKEN, ID, REASON, START


def test_before_the_look_it_is_refused_with_what_is_missing_and_on_record(fairtrial, at):
    at("running")
    ran = fairtrial(f"readout {ID} --as mira --json")
    assert ran.exit_code == 1
    (problem,) = ran.document["error"]["problems"]
    assert "is not due" in problem["reason"]
    assert problem["when_possible"].startswith("about ")
    assert "stay closed" in problem["what_to_do"]
    (record,) = fairtrial("audit log --json --action", "open look refused").document["records"]
    assert record["actor"] == "mira"
    assert fairtrial("audit log --json --action", "read outcomes").document["records"] == []


@pytest.mark.parametrize("stage", ["in_review", "registered"])
def test_before_it_runs_there_is_nothing_to_read_out(fairtrial, at, stage):
    at(stage)
    ran = fairtrial(f"readout {ID} --as mira")
    assert ran.exit_code == 1
    assert "In review" in ran.err or "is Registered" in ran.err


def test_at_the_look_it_is_taken_sealed_and_released(fairtrial, at):
    at("due")
    ran = fairtrial(f"readout {ID} --as mira --json")
    assert ran.exit_code == 0
    readout = Readout.of_document(ran.document)
    assert readout.verdict.code == "SHIP"
    assert readout.simulated
    shown = fairtrial(f"show {ID} --json").document
    assert (shown["experiment"]["state"], shown["outcome_reads"]) == ("readout", 1)


def test_every_reading_shows_the_same_sealed_document_and_is_on_record(fairtrial, at):
    at("read_out")
    first = fairtrial(f"readout {ID} --as dan --json").out
    assert fairtrial(f"readout {ID} --as dan --format json").out == first
    records = fairtrial("audit log --json --actor dan --action", "read readout").document["records"]
    assert len(records) == 2
    assert fairtrial(f"show {ID} --json").document["outcome_reads"] == 1


def test_each_form_is_written_to_a_file(fairtrial, at):
    life = at("read_out")
    beginnings = {
        "text": b"*** SIMULATED",
        "markdown": b"# EXP-0001",
        "html": b"<!doctype html>",
        "json": b"{",
        "pdf": b"%PDF-1.7",
    }
    for form, beginning in beginnings.items():
        ran = fairtrial(f"readout {ID} --as dan --format {form} --out out/readout.{form} --json")
        assert ran.exit_code == 0, ran.err
        assert ran.document["file"] == f"out/readout.{form}"
        assert (life.folder / "out" / f"readout.{form}").read_bytes().lower().startswith(beginning.lower())
    life.ok(f"readout {ID} --as dan --format csv --out tables.zip")
    assert "effects.csv" in zipfile.ZipFile(life.folder / "tables.zip").namelist()


def test_showing_an_invalid_readout_succeeds_and_shows_no_effect(fairtrial, at):
    life = at("registered")
    life.faults = BROKEN
    life.pass_to(START.replace(day=8))
    ran = fairtrial(f"readout {ID} --as mira --json")
    assert ran.exit_code == 0
    assert (ran.document["verdict"]["code"], ran.document["primary"]) == ("INVALID", [])
    assert fairtrial(f"show {ID} --json").document["experiment"]["state"] == "invalid"
    assert "INVALID" in life.ok(f"readout {ID} --as dan").out


def test_verify_answers_identical_while_nothing_changed(fairtrial, at):
    at("read_out")
    ran = fairtrial(f"readout {ID} --verify --as ola --json")
    assert ran.exit_code == 0
    assert (ran.document["answer"], ran.document["extract"]) == ("IDENTICAL", "reproduces")
    assert "IDENTICAL" in fairtrial(f"readout {ID} --verify --as ola").out


def test_verify_names_the_file_that_changed(fairtrial, at):
    life = at("read_out")
    file = next((life.folder / "logs" / "outcomes").glob("dt=2026-11-03/*.parquet"))
    file.write_bytes(file.read_bytes() + b" ")
    ran = fairtrial(f"readout {ID} --verify --as ola --json")
    assert ran.exit_code == 1
    assert ran.document["answer"] == "SOURCE CHANGED"
    assert "dt=2026-11-03" in ran.document["error"]["problems"][0]["message"]
    text = fairtrial(f"readout {ID} --verify --as ola")
    assert (text.exit_code, "SOURCE CHANGED" in text.out) == (1, True)


def test_verify_says_when_the_code_computes_something_else(fairtrial, at, monkeypatch):
    at("read_out")
    monkeypatch.setitem(RULES, "R-1", "Ship when it feels right.")
    ran = fairtrial(f"readout {ID} --verify --as ola --json")
    assert (ran.exit_code, ran.document["answer"]) == (1, "CODE DIFFERS")
    assert "verdict.rule_in_words" in ran.document["error"]["problems"][0]["message"]


def test_rows_that_came_after_the_look_change_nothing(fairtrial, at):
    life = at("read_out")
    life.pass_to(START.replace(day=12))
    assert fairtrial(f"readout {ID} --verify --as ola").exit_code == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"readout {ID}", "nobody says who acts"),
        (f"readout {ID} --format csv --as mira", "--out FILE.zip"),
        (f"readout {ID} --format pdf --as mira", "--out FILE.pdf"),
        (f"readout {ID} --verify --out file --as mira", "--verify"),
        (f"decide {ID} --as dan", "exactly one of"),
        (f"decide {ID} --ship --defer --reason r --as dan", "exactly one of"),
        (f"decide {ID} --ship --as dan", "--reason is missing"),
        (f"decide {ID} --defer --arm candidate --reason r --as dan", "--arm goes with --ship"),
    ],
)
def test_bad_usage(fairtrial, at, line, said):
    at("read_out")
    ran = fairtrial(line + " --json")
    assert ran.exit_code == 2
    assert said in ran.document["error"]["message"]


def test_verify_before_the_release_is_refused(fairtrial, at):
    at("due")
    ran = fairtrial(f"readout {ID} --verify --as mira")
    assert ran.exit_code == 1
    assert "is not released" in ran.err


# The decision


def test_a_decider_signs_and_owner_and_reviewer_do_not(fairtrial, at):
    at("read_out")
    for other in ("mira", "ola"):
        assert fairtrial(f"decide {ID} --ship --as {other} --reason", REASON).exit_code == 1
    assert fairtrial(f"decide {ID} --ship --as dan --reason short").exit_code == 1
    ran = fairtrial(f"decide {ID} --ship --as dan --json --reason", REASON)
    assert ran.document["experiment"]["words"] == "Decided: shipped"
    decision = fairtrial(f"show {ID} --json").document["decision"]
    assert (decision["decision"], decision["arm"], decision["decided_by"]) == ("ship", "candidate", "dan")


def test_deferring_leaves_the_decision_open(fairtrial, at):
    life = at("read_out")
    assert (
        life.ok(f"decide {ID} --defer --as dan --json --reason", REASON).document["experiment"]["state"]
        == "readout"
    )
    life.ok(f"decide {ID} --ship --as dan --reason", REASON)


def test_against_the_verdict_a_second_decider_signs_or_rejects(fairtrial, at):
    life = at("read_out")
    assert fairtrial(f"decide {ID} --do-not-ship --as dan --reason", REASON).exit_code == 1
    proposed = life.ok(f"decide {ID} --do-not-ship --as dan --json --reason", REASON * 2).document
    assert proposed["experiment"]["state"] == "readout"
    assert "decision proposed by dan" in life.ok(f"show {ID}").out
    assert fairtrial(f"decide {ID} --approve --as dan --reason", REASON).exit_code == 1
    life.ok(f"decide {ID} --reject --as eve --reason", REASON)
    life.ok(f"decide {ID} --do-not-ship --as eve --reason", REASON * 2)
    signed = life.ok(f"decide {ID} --approve --as dan --json --reason", REASON).document
    assert signed["experiment"]["words"] == "Decided: not shipped"
    assert "against the verdict" in life.ok(f"show {ID}").out


def test_before_the_readout_nobody_decides(fairtrial, at):
    at("due")
    ran = fairtrial(f"decide {ID} --ship --as dan --json --reason", REASON)
    assert ran.exit_code == 1
    assert "is Running" in ran.document["error"]["problems"][0]["reason"]
