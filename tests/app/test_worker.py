"""The worker: does what is asked for, leaves nothing of outcomes behind, dies without harm, ends when told."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from app import worker as working
from app.cli.session import open_workspace_registry
from app.execution import in_words
from app.settings import load_settings
from app.settings_file import change_setting
from app.worker import Worker, start_worker
from experiments.forms.problems import Invalid, Problem
from registry import claims, jobs, outbox
from registry.clock import SimulatedClock, SystemClock, instant
from registry.database import Registry
from registry.jobs import Job, JobState
from registry.store import document, find_ledger, show
from registry.tables import deliveries
from registry.tables import jobs as jobs_table
from registry.verification import verify
from tests.app.life import ID, START, Life
from tests.app.test_cli_sequential import SEQUENTIAL
from tests.registry.conftest import _postgres_schema


@contextmanager
def registry_of(folder: Path) -> Iterator[Registry]:
    registry = open_workspace_registry(load_settings(folder))
    try:
        yield registry
    finally:
        registry.close()


def ask(folder: Path, kind: str, actor: str = "mira", entity: str = ID, **parameters: Any) -> Job:
    with registry_of(folder) as registry:
        return jobs.request(registry, actor, kind, entity, parameters)


def done(folder: Path, kind: str, actor: str = "mira", entity: str = ID, **parameters: Any) -> Job:
    """Ask for a job and let a worker do it."""
    asked = ask(folder, kind, actor, entity, **parameters)
    (ended,) = Worker(folder).run(once=True).jobs
    assert ended.id == asked.id
    return ended


def result_of(job: Job) -> dict[str, Any]:
    assert job.state is JobState.DONE, job.error
    assert job.result is not None
    return dict(job.result)


def test_health_is_what_the_command_says(at: Callable[[str], Life]) -> None:
    life = at("running")
    found = result_of(done(life.folder, "health", "eve"))
    told = life.ok(f"health {ID} --json").document
    assert found["health"] == told["health"] == "Good"
    assert [check["name"] for check in found["checks"]] == [check["name"] for check in told["checks"]]
    assert found["arms"] == told["arms"]


def test_a_look_s_standing_is_in_counts(at: Callable[[str], Life]) -> None:
    life = at("running")
    found = result_of(done(life.folder, "look-status"))
    assert found["state"] == "running"
    assert found["look"]["due"] is False
    assert found["look"]["missing"]
    assert sum(found["look"]["enrolled"]) > 0


def test_a_look_is_refused_until_it_is_due_and_then_released(at: Callable[[str], Life]) -> None:
    early = result_of(done(at("running").folder, "look"))
    assert early["outcome"] == "REFUSED"
    assert "is not due" in early["because"][0]
    life = at("due")
    found = result_of(done(life.folder, "look"))
    assert (found["outcome"], found["verdict"], found["k"], found["of"]) == ("RELEASED", "SHIP", 1, 1)
    with registry_of(life.folder) as registry:
        experiment = show(registry, ID).experiment
        assert experiment.readout_sha256 == found["readout_sha256"]
        assert verify(registry).ok


def test_a_watch_says_only_whether_a_harm_stop_tripped(at: Callable[[str], Life]) -> None:
    found = result_of(done(at("watched").folder, "watch", "eve"))
    assert found["tripped"] is False
    assert found["harm_stops"] == ["failure@1"]


def test_a_draft_is_simulated_with_its_progress(at: Callable[[str], Life]) -> None:
    found = result_of(done(at("in_review").folder, "simulate", replays=200, seed=3))
    assert (found["replays"], found["seed"], found["data"]) == (200, 3, "parametric")
    assert found["rows"]


def test_a_source_is_checked_by_its_schema_and_counts(at: Callable[[str], Life]) -> None:
    life = at("running")
    found = result_of(done(life.folder, "source-check", entity="main"))
    assert found["ok"]
    assert found["outcomes_open"]
    assert [log["log"] for log in found["logs"]] == ["assignments", "outcomes_0"]
    failed = done(life.folder, "source-check", entity="nowhere")
    assert failed.state is JobState.FAILED
    assert "'nowhere'" in str(failed.error)


def test_what_cannot_be_done_fails_in_words_and_never_with_a_trace(
    at: Callable[[str], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = at("running")
    (life.folder / "outcomes.yaml").unlink()
    failed = done(life.folder, "look")
    assert failed.state is JobState.FAILED
    assert "outcomes.yaml" in str(failed.error)

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("the value 7919.25 is by arm")

    monkeypatch.setattr("experiments.looks.health.health_of", broken)
    said: list[str] = []
    job = ask(life.folder, "health")
    Worker(life.folder, said.append).run(once=True)
    with registry_of(life.folder) as registry:
        error = str(jobs.find(registry, job.id).error)
    assert error.startswith("This is a fault of Fairtrial (ZeroDivisionError)")
    for text in (error, "\n".join(said)):
        assert "7919" not in text
        assert "Traceback" not in text
    assert "test_worker.py" in "\n".join(said)  # the worker's log says where


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "a value cannot be read as its contract says: Conversion Error: '7919.25' is no number. Not a number and …",
            "a value cannot be read as its contract says: Conversion Error (what was read is not repeated here). Not a number and …",
        ),
        ("cannot be opened: Invalid Input Error: CSV Error on Line: 2\nOriginal Line: u1,7919.25", None),
        ("Out of Range Error: 7919.25 does not fit", None),
        ("cannot be opened: IO Error: no file a.parquet", "cannot be opened: IO Error: no file a.parquet"),
    ],
)
def test_a_value_that_could_not_be_read_is_not_repeated(message: str, said: str | None) -> None:
    error = in_words(Invalid("logs", [Problem(("outcomes_0",), message)]), Job.__new__(Job))
    assert "7919" not in error
    assert error.startswith("logs cannot be used:\noutcomes_0: ")
    assert said is None or said in error


@pytest.mark.parametrize("kind", ["look", "source-check", "health"])
def test_a_log_that_cannot_be_read_fails_a_job_without_a_word_of_what_is_in_it(
    at: Callable[[str], Life], kind: str
) -> None:
    life = at("due")
    (life.folder / "logs" / "events.csv").write_text(
        "unit,event,occurred_at,value,recorded_at\n"
        + "u1,done,2026-11-02 10:00:00,7919.25x,2026-11-02 10:00:00\n" * 30
        + 'u2,"done,7919.25\n'
    )
    text = (life.folder / "outcomes.yaml").read_text()
    (life.folder / "outcomes.yaml").write_text(
        text.replace("logs/outcomes/dt=*/*.parquet", "logs/events.csv").replace(
            "        partition: dt\n", "        complete: true\n"
        )
    )
    job = done(life.folder, kind, entity="main" if kind == "source-check" else ID)
    assert job.state is JobState.FAILED or result_of(job).get("problems") or kind == "health"
    with registry_of(life.folder) as registry:
        assert "7919" not in _said(registry)


# Blind

CANARY = 7919.0625
"""A value that every event in the outcome logs carries; exact in binary, and in no other number of the workspace."""


def _plant(folder: Path) -> None:
    """Give every event the canary as its value, and one event a name of its own value."""
    for file in (folder / "logs" / "outcomes").rglob("*.parquet"):
        planted = file.with_suffix(".planted")
        duckdb.connect().execute(
            f"COPY (SELECT * REPLACE ({CANARY}::DOUBLE AS value) FROM read_parquet('{file}')) TO '{planted}' (FORMAT parquet)"
        )
        planted.replace(file)


def _said(registry: Registry) -> str:
    """Every byte of the job and delivery tables, and of the ledger."""
    with registry.reading() as connection:
        rows = [*connection.execute(jobs_table.select()), *connection.execute(deliveries.select())]
    return json.dumps([[str(cell) for cell in row] for row in rows]) + str(find_ledger(registry))


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name != "information":  # a share of the planned units: a count, which may be shown
                yield from _numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, float):
        yield value


def _is_said(value: float, text: str) -> bool:
    return any(form in text for form in (f"{value:.5g}", json.dumps(value), f"{100 * value:.3f}"))


def test_nothing_of_an_outcome_comes_into_a_job_or_a_message_before_the_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fairtrial: Callable[..., Any]
) -> None:
    """Canaries: a planted value in every event, and every number of the sealed readout of a look that went on."""
    monkeypatch.chdir(tmp_path)
    design = SEQUENTIAL.replace(
        "no_guardrails_reason: nothing else can be harmed by it",
        "guardrails: [{metric: failure@1, role: harm-stop, margin: {absolute: 0.1}, burn_in: 100, alpha: 0.01, "
        "reason: people give up on failures}]",
    )
    life = Life(tmp_path, fairtrial, design=design, lift=0.0, days=6)
    life.founded()
    life.ok("webhook add all --url http://127.0.0.1:9/ --secret-env NOT_SET --as ada")
    life.running()
    life.pass_to(START + timedelta(days=3))
    _plant(tmp_path)
    for kind in ("health", "look-status", "watch", "source-check", "look", "look", "health", "look-status"):
        done(tmp_path, kind, entity="main" if kind == "source-check" else ID)
    with registry_of(tmp_path) as registry:
        dossier = show(registry, ID)
        assert dossier.looks[0].outcome == "continue"
        assert dossier.experiment.released_at is None
        looks = [job for job in jobs.jobs_of(registry, ID) if job.kind == "look"]
        assert [result_of(job)["outcome"] for job in looks] == ["REFUSED", "CONTINUE"]
        text = _said(registry)
        sealed = json.loads(document(registry, str(dossier.looks[0].readout_sha256)))
        sent = {delivery.event for delivery in outbox.delivery_log(registry, "all")}
    assert sent >= {"experiment.registered", "experiment.started", "look.due", "look.opened", "look.closed"}
    for form in (str(CANARY), f"{CANARY:.4g}", f"{CANARY:,.2f}", "7919"):
        assert form not in text
    parts = [sealed[name] for name in ("primary", "guardrails", "sequential")]
    secret = {value for value in _numbers(parts) if len(f"{value:.5g}") > 6}
    assert len(secret) >= 10
    assert not [value for value in secret if _is_said(value, text)]


def test_the_canaries_would_be_found_if_they_were_there() -> None:
    assert _is_said(0.0114321, json.dumps({"estimate": 0.0114321}))
    assert _is_said(0.0114321, "by 1.143 percentage points")


# Life and death


def _claim_and_die(folder: Path, before_dying: Callable[[Registry, Job], None] = lambda *_: None) -> Job:
    """What a worker that is killed leaves behind: a claimed job that nobody speaks of for more than a minute."""
    with registry_of(folder) as registry:
        long_ago = SimulatedClock(SystemClock().now() - jobs.STALE_AFTER - timedelta(seconds=5))
        job = claims.claim(registry, "dead", machine=long_ago)
        assert job is not None
        before_dying(registry, job)
        return job


def test_a_look_whose_worker_died_before_opening_it_is_taken_by_another(at: Callable[[str], Life]) -> None:
    life = at("due")
    ask(life.folder, "look")
    _claim_and_die(life.folder)
    (ended,) = Worker(life.folder).run(once=True).jobs
    assert ended.attempts == 2
    assert result_of(ended)["outcome"] == "RELEASED"


def test_a_look_whose_worker_died_with_it_open_is_held_and_taken_again(
    at: Callable[[str], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = at("due")
    ask(life.folder, "look")

    class Killed(BaseException):
        pass

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr("registry.looks.looking.take_look", die)
        dying.setattr("registry.looks.lifecycle.hold_look", die)  # nothing runs in a process that is killed

        def take(registry: Registry, _: Job) -> None:
            from app.cli.session import Session
            from registry.looks import take as take_look

            session = Session(load_settings(life.folder), registry, None)
            with pytest.raises(Killed):
                take_look(registry, "mira", ID, session.sources, session.outcomes, session.extracts)
            assert show(registry, ID).looks[-1].status == "open"

        _claim_and_die(life.folder, take)
    (ended,) = Worker(life.folder).run(once=True).jobs
    assert result_of(ended)["outcome"] == "RELEASED"
    with registry_of(life.folder) as registry:
        actions = [entry.action for entry in show(registry, ID).history]
        assert actions.count("open look") == 2
        assert actions.count("hold look") == 1
        assert verify(registry).ok


@pytest.mark.parametrize("design", ["released", "went on"])
def test_a_look_that_a_worker_sealed_before_it_died_is_told_and_not_taken_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fairtrial: Callable[..., Any], design: str
) -> None:
    monkeypatch.chdir(tmp_path)
    life = (
        Life(tmp_path, fairtrial)
        if design == "released"
        else Life(tmp_path, fairtrial, design=SEQUENTIAL, lift=0.0, days=6)
    )
    life.running()
    life.pass_to(START + timedelta(days=5 if design == "released" else 3))
    ask(tmp_path, "look")
    _claim_and_die(tmp_path)
    life.ok(f"look {ID} --take --as mira")
    with registry_of(tmp_path) as registry:
        reads = show(registry, ID).outcome_reads
    (ended,) = Worker(tmp_path).run(once=True).jobs
    assert result_of(ended)["outcome"] == ("RELEASED" if design == "released" else "CONTINUE")
    with registry_of(tmp_path) as registry:
        assert show(registry, ID).outcome_reads == reads


def test_two_workers_at_once_share_the_work_and_do_nothing_twice(at: Callable[[str], Life]) -> None:
    life = at("running")
    asked = [ask(life.folder, "simulate", replays=50, seed=seed).id for seed in range(6)]
    workers = [Worker(life.folder) for _ in range(2)]
    tallies: list[Any] = []
    threads = [threading.Thread(target=lambda w=w: tallies.append(w.run(once=True))) for w in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job.id for tally in tallies for job in tally.jobs) == asked
    assert all(job.state is JobState.DONE for tally in tallies for job in tally.jobs)


def test_a_job_cancelled_while_it_runs_is_dropped(
    at: Callable[[str], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = at("running")
    monkeypatch.setattr(working, "REPORT_SECONDS", 0.0)
    job = ask(life.folder, "simulate", replays=5_000)
    original = claims.progress

    def cancelling(registry: Registry, id: int, *more: Any) -> None:
        if jobs.find(registry, id).state is JobState.RUNNING and more[1:2] != (None,):
            jobs.cancel(registry, "mira", id)
        original(registry, id, *more)

    monkeypatch.setattr(claims, "progress", cancelling)
    (ended,) = Worker(life.folder).run(once=True).jobs
    assert (ended.id, ended.state, ended.result) == (job.id, JobState.CANCELLED, None)


def test_a_worker_told_to_end_puts_a_simulation_back(at: Callable[[str], Life]) -> None:
    life = at("running")
    job = ask(life.folder, "simulate", replays=5_000)
    one = Worker(life.folder)
    original = one._session

    def session() -> Any:
        opened = original()
        threading.Timer(0.0, one.ending.set).start()
        time.sleep(0.05)
        return opened

    one._session = session  # type: ignore[method-assign]
    one.run()
    with registry_of(life.folder) as registry:
        back = jobs.find(registry, job.id)
    assert (back.state, back.attempts) == (JobState.QUEUED, 0)


def test_the_worker_says_that_it_is_alive_while_a_job_says_nothing(
    at: Callable[[str], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = at("running")
    monkeypatch.setattr(working, "HEARTBEAT_SECONDS", 0.05)
    heard: list[str] = []

    def slow(session: Any, job: Job, report: Any) -> Any:
        for _ in range(2):
            time.sleep(0.15)
            heard.append(instant(jobs.find(session.registry, job.id).heartbeat_at))
        raise OSError(2, "No such file", "assignments.parquet")

    monkeypatch.setattr(working, "execute", slow)
    failed = done(life.folder, "health")
    assert failed.error == "assignments.parquet: No such file"
    assert heard[0] < heard[1]


def test_sigterm_ends_a_worker_process_in_good_order_and_it_does_its_work(at: Callable[[str], Life]) -> None:
    life = at("running")
    job = ask(life.folder, "health")
    process = start_worker(life.folder)
    try:
        deadline = time.monotonic() + 60
        with registry_of(life.folder) as registry:
            while jobs.find(registry, job.id).unfinished and time.monotonic() < deadline:
                time.sleep(0.2)
            assert jobs.find(registry, job.id).state is JobState.DONE
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def test_a_child_worker_takes_no_token_with_it_and_ends_with_its_parent(
    at: Callable[[str], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = at("founded")
    seen: dict[str, Any] = {}
    monkeypatch.setenv("FAIRTRIAL_TOKEN", "secret")
    monkeypatch.setattr(
        working.subprocess, "Popen", lambda command, **more: seen.update(more, command=command)
    )
    start_worker(life.folder)
    assert "FAIRTRIAL_TOKEN" not in seen["env"]
    assert seen["env"]["FAIRTRIAL_WORKER_PARENT"] == str(os.getpid())
    assert seen["command"][0] == sys.executable
    monkeypatch.setenv("FAIRTRIAL_WORKER_PARENT", "1" if os.getppid() != 1 else "2")
    assert Worker(life.folder).run().jobs == []


def test_the_command_answers_with_what_it_did(at: Callable[[str], Life]) -> None:
    life = at("watched")
    assert "none waited" in life.ok("worker --once").out
    ask(life.folder, "health")
    ask(life.folder, "watch")
    told = life.ok("worker --once --json").document
    assert told["counts"] == {"done": 2}
    assert [job["kind"] for job in told["jobs"]] == ["health", "watch"]
    assert "--poll" in life.fairtrial("worker --poll 0s").err
    assert "--poll" in life.fairtrial("worker --poll soon").err


def test_a_clock_that_was_moved_is_the_worker_s_clock_too(at: Callable[[str], Life]) -> None:
    life = at("running")
    one = Worker(life.folder)
    one.run(once=True)
    life.pass_to(START + timedelta(days=5))
    ask(life.folder, "look")
    (ended,) = one.run(once=True).jobs
    assert ended.finished_at == START + timedelta(days=5)


# What it asks for by itself


def test_a_worker_that_refreshes_asks_as_fairtrial_itself_and_no_oftener_than_told(
    at: Callable[[str], Life],
) -> None:
    life = at("watched")
    every = timedelta(hours=6)

    def kinds() -> list[str]:
        return sorted(job.kind for job in Worker(life.folder, refresh=every).run(once=True).jobs)

    assert kinds() == ["health", "look-status", "watch"]
    assert kinds() == []
    life.ok("clock --advance 5h")
    assert kinds() == []
    life.ok("clock --advance 1h")
    assert kinds() == ["health", "look-status", "watch"]
    with registry_of(life.folder) as registry:
        assert {job.requested_by for job in jobs.jobs_of(registry, ID)} == {"system"}


def test_nothing_is_asked_for_of_a_draft_or_of_what_is_closed(at: Callable[[str], Life]) -> None:
    for stage in ("in_review", "read_out"):
        assert Worker(at(stage).folder, refresh=timedelta(minutes=1)).run(once=True).jobs == []


def test_a_look_that_comes_due_is_told_without_anybody_asking(at: Callable[[str], Life]) -> None:
    life = at("running")
    life.ok("webhook add hook --url http://127.0.0.1:9/ --event look.due --secret-env NOT_SET --as ada")
    for days in (1.5, 5, 6):
        life.pass_to(START + timedelta(days=days))
        life.ok("worker --once --refresh 1m")
    deliveries = life.ok("webhook log --json").document["deliveries"]
    assert [one["event"] for one in deliveries] == ["look.due"]


# Processes


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_process_that_is_ended_in_the_middle_loses_nothing(
    at: Callable[[str], Life], end: signal.Signals
) -> None:
    life = at("running")
    change_setting(life.folder / "fairtrial.yaml", "refresh", "never")
    job = ask(life.folder, "simulate", replays=1_000_000)
    process = start_worker(life.folder)
    try:
        with registry_of(life.folder) as registry:
            _eventually(lambda: jobs.find(registry, job.id).progress > 0)
            process.send_signal(end)
            code = process.wait(60)
            left = jobs.find(registry, job.id)
            if end is signal.SIGTERM:
                assert (code, left.state, left.attempts) == (0, JobState.QUEUED, 0)
                return
            assert (code, left.state, left.attempts) == (-signal.SIGKILL, JobState.RUNNING, 1)
            assert claims.claim(registry, "another") is None
            later = SimulatedClock(SystemClock().now() + jobs.STALE_AFTER + timedelta(seconds=1))
            again = claims.claim(registry, "another", machine=later)
            assert again is not None
            assert (again.id, again.attempts) == (job.id, 2)
    finally:
        process.kill()
        process.wait()


def test_a_workspace_that_cannot_be_used_just_now_is_tried_again(at: Callable[[str], Life]) -> None:
    life = at("running")
    file = life.folder / "fairtrial.yaml"
    good = file.read_text()
    said: list[str] = []
    job = ask(life.folder, "look-status")
    one = Worker(life.folder, said.append)

    def mend_and_end() -> None:
        _eventually(lambda: bool(said))
        file.write_text(good)
        with registry_of(life.folder) as registry:
            _eventually(lambda: not jobs.find(registry, job.id).unfinished)
        one.ending.set()

    file.write_text("colour: blue\n")
    mending = threading.Thread(target=mend_and_end)
    mending.start()
    (ended,) = one.run(poll=0.05).jobs
    mending.join()
    assert ended.state is JobState.DONE
    assert "cannot be used just now (Invalid)" in said[0]


@pytest.mark.postgres
def test_two_worker_processes_share_a_registry_on_postgres(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fairtrial: Callable[..., Any], postgres_url: str
) -> None:
    monkeypatch.chdir(tmp_path)

    def on_postgres(line: str, *more: str) -> Any:
        return fairtrial(line + (f" --registry {postgres_url}" if line.startswith("init") else ""), *more)

    Life(tmp_path, on_postgres).due()
    asked = [ask(tmp_path, "simulate", replays=50, seed=seed).id for seed in range(6)]
    asked.append(ask(tmp_path, "look").id)
    processes = [start_worker(tmp_path) for _ in range(2)]
    try:
        with registry_of(tmp_path) as registry:
            _eventually(lambda: not jobs.unfinished(registry))
            found = [jobs.find(registry, id) for id in asked]
            assert [(job.state, job.attempts) for job in found] == [(JobState.DONE, 1)] * 7
            assert result_of(found[-1])["outcome"] == "RELEASED"
            assert verify(registry).ok
        for process in processes:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.fixture
def postgres_url() -> Iterator[str]:
    yield from _postgres_schema()
