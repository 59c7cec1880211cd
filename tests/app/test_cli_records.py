"""`list`, `show` and `audit`: the record as people read it, and whether it is whole."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tests.app.life import DESIGN, ID


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("", True),
        ("--state running --state draft", True),
        ("--state decided", False),
        ("--owner mira --reviewer ola", True),
        ("--owner ola", False),
        ("--label simulated", True),
        ("--label late", False),
        ("--metric success@1", True),
        ("--metric success@2", False),
        ("--text SMALL", True),
        ("--text large", False),
        ("--team search", False),
        ("--limit 1", True),
    ],
)
def test_experiments_are_listed_by_what_is_asked_for(fairtrial, at, filters, found):
    at("running")
    experiments = fairtrial(f"list --json {filters}").document["experiments"]
    assert [one["id"] for one in experiments] == ([ID] if found else [])
    assert ("No experiment matches." in fairtrial(f"list {filters}").out) is not found


def test_a_verdict_is_listed_once_it_is_released(fairtrial, at):
    at("due")
    assert fairtrial("list --json").document["experiments"][0]["verdict"] is None
    fairtrial(f"readout {ID} --as mira")
    assert fairtrial("list --json").document["experiments"][0]["verdict"] == "SHIP"
    assert "SHIP" in fairtrial("list").out


def test_the_whole_life_is_shown(fairtrial, at):
    life = at("decided")
    document = life.ok(f"show {ID} --json").document
    assert [entry["action"] for entry in document["history"]][:3] == ["create draft", "submit", "register"]
    assert document["plans"][0]["locked_by"] == "ola"
    assert document["looks"][0]["verdict"] == "SHIP"
    out = life.ok(f"show {ID}").out
    for words in ("Decided: shipped", "by dan", "outcomes read    once", "first exposure", "Sealed look 1"):
        assert words in out


def test_the_plan_is_shown_as_it_was_written(fairtrial, at):
    at("registered")
    assert fairtrial(f"show {ID} --plan").out == DESIGN
    document = fairtrial(f"show {ID} --plan --json").document
    assert document["written"] == DESIGN
    assert document["plan"]["primary"]["mde"] == {"kind": "absolute", "value": 0.2}


def test_an_unknown_experiment_is_refused_with_the_nearest(fairtrial, at):
    at("running")
    ran = fairtrial("show EXP-0011 --json")
    assert ran.exit_code == 1
    assert f"did you mean {ID}" in ran.document["error"]["message"]


@pytest.mark.parametrize(
    "line", ["list --state flying", "list --limit 0", "show", "audit log --since soon", "audit nonesuch"]
)
def test_bad_usage(fairtrial, at, line):
    at("running")
    assert fairtrial(line).exit_code == 2


# The ledger


def test_the_ledger_is_listed_by_what_is_asked_for(fairtrial, at):
    at("read_out")
    everything = fairtrial("audit log --json").document["records"]
    assert [record["seq"] for record in everything] == list(range(1, len(everything) + 1))
    of_one = fairtrial(f"audit log --entity {ID} --actor system --json").document["records"]
    assert {record["action"] for record in of_one} >= {"start", "read outcomes", "seal look", "release"}
    later = fairtrial("audit log --since 2026-11-07 --json").document["records"]
    assert 0 < len(later) < len(everything)
    assert len(fairtrial("audit log --until 2026-11-07 --json").document["records"]) == len(everything) - len(
        later
    )
    newest = fairtrial("audit log --limit 2 --json").document["records"]
    assert newest == everything[-2:]
    assert "read outcomes" in fairtrial("audit log").out
    assert "No record matches." in fairtrial("audit log --actor nobody").out


def test_a_whole_ledger_verifies(fairtrial, at):
    at("read_out")
    ran = fairtrial("audit verify --json")
    assert ran.exit_code == 0
    assert (ran.document["ok"], ran.document["unwitnessed"], ran.document["keyed"]) == (True, 0, False)
    assert ran.document["records"] == len(fairtrial("audit log --json").document["records"])
    assert fairtrial("audit verify").out.splitlines()[1].startswith("ok ")


def test_a_change_behind_its_back_is_found_and_the_first_broken_record_named(fairtrial, at):
    life = at("read_out")
    with sqlite3.connect(life.folder / ".fairtrial" / "registry.db") as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("UPDATE ledger SET summary = 'Nothing happened.' WHERE seq = 7")
    ran = fairtrial("audit verify --json")
    assert ran.exit_code == 1
    assert (ran.document["ok"], ran.document["first_broken"]) == (False, 7)
    assert "record 7" in ran.document["error"]["problems"][0]["message"].lower()
    text = fairtrial("audit verify")
    assert (text.exit_code, "BROKEN" in text.out) == (1, True)


def test_the_ledger_is_exported_line_by_line_with_its_head(fairtrial, at):
    life = at("read_out")
    lines = [json.loads(line) for line in life.ok("audit export").out.splitlines()]
    assert lines[-1]["count"] == len(lines) - 1
    assert lines[-1]["head"] == lines[-2]["hash"]
    document = life.ok("audit export --json").document
    assert (document["records"], document["head"]) == (lines[:-1], lines[-1]["head"])
    assert life.ok("audit export --out copy/ledger.jsonl --json").document["count"] == lines[-1]["count"]
    assert len((life.folder / "copy" / "ledger.jsonl").read_text().splitlines()) == len(lines)


def test_a_key_is_adopted_once_by_an_admin_and_needed_from_then_on(fairtrial, at, monkeypatch):
    at("founded")
    assert fairtrial("audit adopt-key --as ada").exit_code == 2
    monkeypatch.setenv("FAIRTRIAL_LEDGER_KEY", "k" * 40)
    assert fairtrial("audit adopt-key --as mira").exit_code == 1
    assert "keyed from record" in fairtrial("audit adopt-key --as ada").out
    assert fairtrial("audit verify --json").document["keyed"] is True
    monkeypatch.delenv("FAIRTRIAL_LEDGER_KEY")
    ran = fairtrial("people add noor --as ada")
    assert ran.exit_code == 1
    assert "set FAIRTRIAL_LEDGER_KEY" in ran.err
    monkeypatch.setenv("FAIRTRIAL_LEDGER_KEY", "short")
    assert "32" in fairtrial("list").err
