"""A file that is handed in: laid down unread, looked over and added by the worker, on record, once, and cleared away."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import spool
from app.settings import load_settings
from app.worker import Worker
from registry import jobs
from registry.errors import Refused
from registry.jobs import Job, JobState
from registry.store import find_ledger
from registry.verification import verify
from tests.app.life import Life
from tests.app.test_worker import registry_of, result_of

SECRET = 7351.846193

ASSIGNED = "experiment,unit,arm,assigned_at\n" + "".join(
    f"small-change,handed-{i},{('control', 'candidate')[i % 2]},2026-11-02 0{i % 9}:00:00\n"
    for i in range(40)
)
HAPPENED = "unit,event,occurred_at,recorded_at,value\n" + "".join(
    f"handed-{i},done,2026-11-02 1{i % 9}:00:00,2026-11-03 00:00:00,{SECRET + i}\n" for i in range(40)
)


def handed_in(life: Life, content: str, name: str = "file.csv") -> str:
    ending = spool.ending_of(name)
    assert ending is not None
    return spool.receive(life.folder, io.BytesIO(content.encode()), ending, 200)


def looked_over(
    life: Life, upload: str, log: str = "assignments", source: str = "main", by: str = "mira", **more: Any
) -> Job:
    asked = {"upload": upload, "name": "file.csv", "ending": ".csv", "log": log} | more
    with registry_of(life.folder) as registry:
        job = jobs.request(registry, by, "upload-check", source, asked)
    Worker(life.folder).run(once=True)
    with registry_of(life.folder) as registry:
        return jobs.find(registry, job.id)


def added(life: Life, check: Job, by: str = "mira") -> Job:
    with registry_of(life.folder) as registry:
        job = jobs.request(registry, by, "upload-commit", check.entity, {"check": check.id})
    Worker(life.folder).run(once=True)
    with registry_of(life.folder) as registry:
        return jobs.find(registry, job.id)


def rows_of(life: Life, log: int, source: str = "main") -> int:
    rows: int = life.ok(f"source check {source} --json").document["logs"][log]["rows"]
    return rows


def test_a_file_is_looked_over_and_added_and_the_record_says_who_what_and_where(
    at: Callable[[str], Life],
) -> None:
    life = at("running")
    before = rows_of(life, 0)
    upload = handed_in(life, ASSIGNED)
    check = looked_over(life, upload)
    found = result_of(check)
    assert (found["ok"], found["rows"], found["days"], found["new"]) == (True, 40, 1, False)
    assert rows_of(life, 0) == before
    done = result_of(added(life, check))
    assert (done["rows"], done["files"], done["log"], done["name"]) == (40, 1, "assignments", "file.csv")
    assert rows_of(life, 0) == before + 40
    assert not spool.waits(life.folder, upload, ".csv")
    with registry_of(life.folder) as registry:
        (record,) = find_ledger(registry, entity="main", action="add file")
        assert (record.actor, record.role) == ("mira", "Analyst")
        facts = json.loads(record.detail)["facts"]
        assert verify(registry).ok
    assert (facts["name"], facts["sha256"], facts["rows"]) == ("file.csv", found["sha256"], 40)
    ((file, sha256),) = facts["files"]
    assert file.startswith("dt=2026-11-02/upload-")
    assert (life.folder / "logs" / "assignments" / file).is_file()
    assert len(sha256) == 64


def test_nothing_of_an_outcome_but_schema_and_counts_is_left_behind(at: Callable[[str], Life]) -> None:
    life = at("running")
    check = looked_over(life, handed_in(life, HAPPENED), "outcomes")
    found = result_of(check)
    assert (found["ok"], found["rows"], found["preview"], found["arms"]) == (True, 40, [], [])
    result_of(added(life, check))
    from tests.app.test_worker import _said

    with registry_of(life.folder) as registry:
        said = _said(registry)
    assert "7351" not in said
    assert "handed-" not in said
    assert "outcomes_0" in said


@pytest.mark.parametrize(
    ("content", "log", "problem"),
    [
        ("unit,arm\nu1,control\n", "assignments", "no column of the file is mapped to assigned_at"),
        (
            HAPPENED.replace(",2026-11-02", f",at {SECRET}"),
            "outcomes",
            "occurred_at is VARCHAR; a time must be",
        ),
        (HAPPENED.replace("done,", 'done,"'), "outcomes", "columns.occurred_at"),
        (f"{SECRET},{SECRET}\n", "outcomes", "the first line seems to hold values"),
    ],
)
def test_what_is_wrong_is_said_in_words_and_nothing_is_added(
    at: Callable[[str], Life], content: str, log: str, problem: str
) -> None:
    life = at("running")
    check = looked_over(life, handed_in(life, content), log)
    found = result_of(check)
    assert not found["ok"]
    assert problem in " ".join(found["problems"])
    assert str(SECRET)[:6] not in json.dumps(found)
    with registry_of(life.folder) as registry, pytest.raises(Refused, match="The file was not found good"):
        jobs.request(registry, "mira", "upload-commit", "main", {"check": check.id})


def test_only_an_analyst_or_a_steward_of_data_adds_files_and_only_their_own(
    at: Callable[[str], Life],
) -> None:
    life = at("running")
    life.ok("people add sten --role data-steward --as ada")
    upload = handed_in(life, ASSIGNED)
    asked = {"upload": upload, "name": "file.csv", "ending": ".csv", "log": "assignments"}
    with registry_of(life.folder) as registry:
        for person in ("ola", "dan", "ada", "system"):
            with pytest.raises(Refused, match="role analyst or data steward may add a file to a source"):
                jobs.request(registry, person, "upload-check", "main", asked)
    check = looked_over(life, upload, by="sten")
    with registry_of(life.folder) as registry:
        with pytest.raises(Refused, match="sten handed the file in"):
            jobs.request(registry, "mira", "upload-commit", "main", {"check": check.id})
        with pytest.raises(Refused, match="looked over no file for other"):
            jobs.request(registry, "sten", "upload-commit", "other", {"check": check.id})
    assert result_of(added(life, check, by="sten"))["rows"] == 40


def test_a_role_that_was_taken_away_meanwhile_adds_nothing(at: Callable[[str], Life]) -> None:
    """The worker acts in the name of whoever asked, as that person stands then."""
    life = at("running")
    check = looked_over(life, handed_in(life, ASSIGNED))
    with registry_of(life.folder) as registry:
        jobs.request(registry, "mira", "upload-commit", "main", {"check": check.id})
    life.ok("people revoke mira analyst --as ada")
    (done,) = Worker(life.folder).run(once=True).jobs
    assert done.state is JobState.FAILED
    assert "may add a file to a source" in str(done.error)
    assert [path for path in (life.folder / "logs").rglob("*") if "upload-" in path.name] == []


def test_the_same_file_is_never_added_twice(at: Callable[[str], Life]) -> None:
    life = at("running")
    result_of(added(life, looked_over(life, handed_in(life, ASSIGNED))))
    again = looked_over(life, handed_in(life, ASSIGNED))
    assert "this very file was added already, by mira" in result_of(again)["problems"][0]


def test_of_two_who_hand_in_the_same_file_at_once_one_adds_it(at: Callable[[str], Life]) -> None:
    life = at("running")
    checks = [looked_over(life, handed_in(life, ASSIGNED)) for _ in range(2)]
    assert [result_of(check)["ok"] for check in checks] == [True, True]
    assert result_of(added(life, checks[0]))["rows"] == 40
    second = added(life, checks[1])
    assert second.state is JobState.FAILED
    assert "every row would count twice" in str(second.error)
    with registry_of(life.folder) as registry:
        assert len(find_ledger(registry, entity="main", action="add file")) == 1


def test_a_worker_that_died_between_the_record_and_the_file_is_made_good(
    at: Callable[[str], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = at("running")
    before = rows_of(life, 0)
    check = looked_over(life, handed_in(life, ASSIGNED))
    with monkeypatch.context() as dying:
        dying.setattr(
            "app.handing_in.put_in_place", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full"))
        )
        assert added(life, check).state is JobState.FAILED
    assert rows_of(life, 0) == before
    assert result_of(added(life, check))["rows"] == 40
    assert rows_of(life, 0) == before + 40
    with registry_of(life.folder) as registry:
        assert len(find_ledger(registry, entity="main", action="add file")) == 1


def test_a_file_that_changed_or_went_away_after_it_was_looked_over_is_not_added(
    at: Callable[[str], Life],
) -> None:
    life = at("running")
    upload = handed_in(life, ASSIGNED)
    check = looked_over(life, upload)
    file = spool.spool_of(life.folder) / f"{upload}.csv"
    file.write_text(ASSIGNED + "small-change,more,control,2026-11-02 09:00:00\n")
    failed = added(life, check)
    assert "has changed since it was looked over; nothing was added" in str(failed.error)
    spool.discard(life.folder, upload, ".csv")
    failed = added(life, check)
    assert "no longer waits here" in str(failed.error)


def test_a_new_source_begins_with_a_file_and_its_outcomes_follow(at: Callable[[str], Life]) -> None:
    life = at("running")
    check = looked_over(life, handed_in(life, ASSIGNED), source="handed")
    assert result_of(check)["new"]
    result_of(added(life, check))
    outcomes = looked_over(life, handed_in(life, HAPPENED), "outcomes", "handed")
    assert result_of(outcomes)["ok"], result_of(outcomes)["problems"]
    result_of(added(life, outcomes))
    assert (rows_of(life, 0, "handed"), rows_of(life, 1, "handed")) == (40, 40)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"upload": "../../etc"}, "upload: String should match"),
        ({"ending": ".exe"}, "ending: Input should be"),
        ({"log": "outcomes; drop"}, "log: String should match"),
        ({"name": ""}, "name: String should have at least 1 character"),
        ({"by_arm": True}, "by_arm: Extra inputs are not permitted"),
    ],
)
def test_what_is_asked_of_the_worker_comes_from_a_closed_vocabulary(
    at: Callable[[str], Life], parameters: dict[str, Any], message: str
) -> None:
    life = at("running")
    asked = {"upload": "0" * 32, "name": "f.csv", "ending": ".csv", "log": "assignments"} | parameters
    with registry_of(life.folder) as registry, pytest.raises(ValueError, match=message):
        jobs.request(registry, "mira", "upload-check", "main", asked)


# The spool


def test_a_file_too_large_is_refused_in_words_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"larger than 1 MB.*fairtrial source add FILE"):
        spool.receive(tmp_path, io.BytesIO(b"x" * 1_000_001), ".csv", 1)
    assert list(spool.spool_of(tmp_path).iterdir()) == []
    spool.receive(tmp_path, io.BytesIO(b"x" * 1_000_000), ".csv", 1)


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a.csv", ".csv"),
        ("A.CSV", ".csv"),
        ("a.csv.gz", ".csv.gz"),
        ("a.parquet", ".parquet"),
        ("a.xlsx", None),
        ("csv", None),
    ],
)
def test_what_a_file_is_is_told_by_its_name(name: str, ending: str | None) -> None:
    assert spool.ending_of(name) == ending


def test_what_nobody_added_within_a_day_is_cleared_away_by_the_worker(at: Callable[[str], Life]) -> None:
    life = at("running")
    old, new = handed_in(life, ASSIGNED), handed_in(life, HAPPENED)
    a_day_ago = time.time() - spool.KEPT_FOR.total_seconds() - 60
    os.utime(spool.spool_of(life.folder) / f"{old}.csv", (a_day_ago, a_day_ago))
    said: list[str] = []
    Worker(life.folder, said.append).run(once=True)
    assert not spool.waits(life.folder, old, ".csv")
    assert spool.waits(life.folder, new, ".csv")
    assert any("Cleared away 1 file" in line for line in said)


def test_the_limit_of_the_settings_reaches_the_server(
    at: Callable[[str], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.cli.start import streamlit_arguments

    life = at("running")
    monkeypatch.setenv("FAIRTRIAL_UPLOAD_LIMIT", "7")
    limit = load_settings(life.folder).upload_limit
    assert "--server.maxUploadSize=7" in streamlit_arguments(
        "127.0.0.1", 1, headless=True, upload_limit=limit
    )
