"""`source add`: looks a file over, adds it only when told to, and shows of outcomes nothing but schema and counts."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from registry.store import find_ledger
from tests.app.life import Life
from tests.app.test_uploads import ASSIGNED, HAPPENED, SECRET
from tests.app.test_worker import registry_of


@pytest.fixture
def life(at: Callable[[str], Life]) -> Life:
    found = at("running")
    (found.folder / "assigned.csv").write_text(ASSIGNED)
    (found.folder / "happened.csv").write_text(HAPPENED)
    return found


def test_without_commit_a_file_is_looked_over_and_nothing_is_changed(life: Life) -> None:
    before = sorted(life.folder.rglob("*"))
    ran = life.ok("source add assigned.csv --log assignments")
    assert "40 rows on 1 day for assignments of main" in ran.out
    assert "Add it with --commit" in ran.out
    assert "ha••••••" in ran.out
    assert "handed-1" not in ran.out
    assert sorted(life.folder.rglob("*")) == before


def test_with_commit_it_is_added_and_on_record(life: Life) -> None:
    document = life.ok("source add assigned.csv --log assignments --commit --as mira --json").document
    assert (document["ok"], document["added"], document["rows"], document["files"]) == (True, True, 40, 1)
    with registry_of(life.folder) as registry:
        (record,) = find_ledger(registry, entity="main", action="add file")
    assert (record.actor, json.loads(record.detail)["facts"]["name"]) == ("mira", "assigned.csv")
    again = life.fairtrial("source add assigned.csv --log assignments --commit --as mira")
    assert again.exit_code == 1
    assert "every row would count twice" in again.err


def test_of_outcomes_only_schema_and_counts_are_shown(life: Life) -> None:
    for form in ("", "--json"):
        ran = life.ok(f"source add happened.csv --log outcomes {form}")
        for closed in (str(SECRET)[:5], "handed-", "done", "2026-11-02", "•"):
            assert closed not in ran.out + ran.err
    (life.folder / "happened.csv").write_text(HAPPENED.replace(f"{SECRET + 3}", f"{SECRET + 3}x"))
    ran = life.fairtrial("source add happened.csv --log outcomes")
    assert ran.exit_code == 1
    assert "value is VARCHAR; a value must be a number" in ran.out
    assert "735" not in ran.out + ran.err


def test_columns_are_mapped_by_hand(life: Life) -> None:
    file = life.folder / "assigned.csv"
    file.write_text(ASSIGNED.replace("unit,arm", "who,which"))
    refused = life.fairtrial("source add assigned.csv --log assignments")
    assert "no column of the file is mapped to unit" in refused.out
    mapped = life.ok(
        "source add assigned.csv --log assignments --column unit=who --column arm=which --json"
    ).document
    assert mapped["mapping"]["unit"] == "who"


def test_a_new_source_with_an_attribute(life: Life) -> None:
    more = ASSIGNED.replace("arm,", "arm,country,").replace(",control,", ",control,SE,")
    (life.folder / "assigned.csv").write_text(more.replace(",candidate,", ",candidate,NO,"))
    line = "source add assigned.csv --to handed --log assignments --column attributes.country=country --commit --as mira"
    assert "a new log" in life.ok(line).out
    mapped = life.ok("source check handed --without-outcomes --json").document["logs"][0]["mapped"]
    assert {one["role"] for one in mapped} >= {"columns.unit", "attributes.country"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "source add sources.yaml --log outcomes",
            "not a kind of file that can be added; allowed: .csv, .csv.gz, .parquet",
        ),
        (
            "source add assigned.csv --log assignments --column unit",
            "give ROLE=COLUMN, for example unit=user_id",
        ),
        (
            "source add assigned.csv --log asignments",
            "'asignments' is not a log. Did you mean 'assignments'?",
        ),
        ("source add assigned.csv --to other --log outcomes", "a new source begins with its assignments"),
        ("source add assigned.csv --log assignments --commit --as dan", "may add a file to a source"),
        ("source add assigned.csv --log assignments --commit", "nobody says who acts"),
    ],
)
def test_what_cannot_be_is_refused_in_words(life: Life, line: str, said: str) -> None:
    ran = life.fairtrial(line)
    assert ran.exit_code in (1, 2)
    assert said in ran.err
    assert [path for path in (life.folder / "logs").rglob("*") if "upload-" in path.name] == []
