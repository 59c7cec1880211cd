"""Looks that are due are taken by Fairtrial itself: at the declared look, once, and again when what held them is mended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from app import schedule
from app.cli.session import open_workspace_registry
from app.schedule import Schedule, ask_for_due_looks
from app.settings import Settings, load_settings
from app.settings_file import change_setting
from app.worker import Worker
from registry import claims, jobs, lifecycle
from registry.database import Registry
from registry.jobs import Kind
from registry.ledger import READ_OUTCOMES
from registry.store import Dossier, show
from tests.app import found
from tests.app.life import ID, START, Life
from tests.app.test_cli_sequential import SEQUENTIAL

EVERY = timedelta(hours=6)


def turn(folder: Path) -> list[str]:
    """One turn of a worker that keeps the schedule; the jobs it did."""
    return [job.kind.value for job in Worker(folder, refresh=EVERY).run(once=True).jobs]


def asked(folder: Path) -> list[str]:
    with open_workspace_registry(load_settings(folder)) as registry:
        return [job.kind.value for job in ask_for_due_looks(registry)]


def dossier(folder: Path) -> Dossier:
    with open_workspace_registry(load_settings(folder)) as registry:
        return show(registry, ID)


def times(folder: Path, action: str) -> int:
    return sum(entry.action == action for entry in dossier(folder).history)


def test_a_look_that_is_due_is_taken_by_fairtrial_itself_and_its_readout_released(at: Callable[[str], Life]):
    life = at("due")
    assert turn(life.folder) == ["health", "look-status", "look"]
    now = dossier(life.folder)
    assert now.experiment.state == "readout"
    assert [(look.k, look.opened_by, look.outcome) for look in now.looks] == [(1, "system", "stop")]
    opened = next(entry for entry in now.history if entry.action == "open look")
    assert (opened.actor, opened.role) == ("system", "System")
    assert turn(life.folder) == []


def test_where_the_owner_takes_looks_nothing_is_taken_by_itself(at: Callable[[str], Life]):
    life = at("due")
    change_setting(life.folder / "fairtrial.yaml", "looks", "owner")
    assert turn(life.folder) == ["health", "look-status"]
    assert dossier(life.folder).looks == ()


def test_a_look_that_is_not_due_is_neither_asked_for_nor_refused(at: Callable[[str], Life]):
    life = at("running")
    assert turn(life.folder) == ["health", "look-status"]
    assert not any(entry.action.endswith("refused") for entry in dossier(life.folder).history)


def test_a_look_comes_due_as_time_passes(at: Callable[[str], Life]):
    life = at("running")
    turn(life.folder)
    life.pass_to(START + timedelta(days=5))
    assert turn(life.folder) == ["health", "look-status", "look"]


def test_on_one_finding_a_look_is_asked_for_once_however_many_ask(at: Callable[[str], Life]):
    life = at("due")
    found.check(life.folder, ID)
    assert asked(life.folder) == ["look"]
    assert asked(life.folder) == []
    with open_workspace_registry(load_settings(life.folder)) as registry:
        job = claims.claim(registry, "one that fails")
        assert job is not None
        claims.fail(registry, job.id, "one that fails", "the disk was full")
    assert asked(life.folder) == []
    found.check(life.folder, ID)
    assert asked(life.folder) == ["look"]


def test_of_two_workers_one_takes_the_look(at: Callable[[str], Life]):
    life = at("due")
    together = threading.Barrier(2)

    def work() -> None:
        together.wait()
        for _ in range(3):
            turn(life.folder)

    both = [threading.Thread(target=work) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [times(life.folder, action) for action in ("open look", READ_OUTCOMES, "release")] == [1, 1, 1]
    assert dossier(life.folder).experiment.state == "readout"


def test_a_look_that_the_owner_took_meanwhile_is_not_taken_again(at: Callable[[str], Life]):
    life = at("due")
    found.check(life.folder, ID)
    life.ok(f"readout {ID} --as mira")
    assert asked(life.folder) == []


def test_an_open_look_is_left_to_whoever_opened_it(at: Callable[[str], Life]):
    life = at("due")
    found.check(life.folder, ID)
    with open_workspace_registry(load_settings(life.folder)) as registry:
        lifecycle.open_look(registry, "mira", ID, 1, 1, registry.clock.now())
    assert asked(life.folder) == []


def other_ids(folder: Path) -> None:
    """Read another column as the unit, so that no id of the outcome log is known."""
    file = folder / "outcomes.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("unit: unit", "unit: event"), encoding="utf-8")


def test_while_a_check_of_health_holds_no_look_is_opened(at: Callable[[str], Life]):
    life = at("due")
    good = (life.folder / "outcomes.yaml").read_text(encoding="utf-8")
    other_ids(life.folder)
    assert turn(life.folder) == ["health", "look-status"]
    assert times(life.folder, "open look") == times(life.folder, READ_OUTCOMES) == 0
    (life.folder / "outcomes.yaml").write_text(good, encoding="utf-8")
    life.ok("clock --advance 6h")
    assert turn(life.folder) == ["health", "look-status", "look"]


def test_a_held_look_is_tried_again_once_a_check_of_health_holds_no_more(at: Callable[[str], Life]):
    life = at("due")
    good = (life.folder / "outcomes.yaml").read_text(encoding="utf-8")
    other_ids(life.folder)
    assert "is held" in life.fairtrial(f"readout {ID} --as mira").err
    assert turn(life.folder) == ["health", "look-status"], "what held it still holds"
    assert [look.status for look in dossier(life.folder).looks] == ["held"]
    (life.folder / "outcomes.yaml").write_text(good, encoding="utf-8")
    assert turn(life.folder) == [], "nobody has checked since"
    life.ok("clock --advance 6h")
    assert turn(life.folder) == ["health", "look-status", "look"]
    assert dossier(life.folder).experiment.state == "readout"
    assert times(life.folder, "open look") == 2


def test_after_a_look_that_went_on_the_next_one_is_found_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fairtrial: Callable[..., object]
):
    monkeypatch.chdir(tmp_path)
    life = Life(tmp_path, fairtrial, design=SEQUENTIAL, lift=0.0, days=6)
    life.running()
    life.pass_to(START + timedelta(days=3))
    assert turn(tmp_path) == ["health", "look-status", "look", "look-status"]
    (look,) = dossier(tmp_path).looks
    assert (look.k, look.outcome, look.opened_by) == (1, "continue", "system")


# How often it is asked


@pytest.fixture
def workspace_of(at: Callable[[str], Life]) -> tuple[Settings, Registry]:
    settings = load_settings(at("running").folder)
    return settings, open_workspace_registry(settings)


def test_an_idle_worker_asks_the_registry_now_and_then_only(
    workspace_of: tuple[Settings, Registry], monkeypatch: pytest.MonkeyPatch
):
    settings, registry = workspace_of
    seconds, looked_up = [0.0], []
    monkeypatch.setattr(schedule, "ask_for_what_is_old", lambda *_: looked_up.append("old") or ())
    monkeypatch.setattr(schedule, "ask_for_due_looks", lambda *_: looked_up.append("due") or ())
    kept = Schedule(EVERY, timer=lambda: seconds[0])
    kept.ask(settings, registry)
    assert looked_up == ["old", "due"]
    for _ in range(5):
        kept.ask(settings, registry, idle=True)
    assert len(looked_up) == 2
    seconds[0] = schedule.PAUSE_SECONDS
    kept.ask(settings, registry)
    assert len(looked_up) == 4
    kept.worked()
    kept.ask(settings, registry)
    assert len(looked_up) == 4, "other jobs wait: what they find is gone through afterwards"
    kept.ask(settings, registry, idle=True)
    assert len(looked_up) == 6
    registry.close()


def test_a_worker_that_waits_for_people_asks_for_nothing(workspace_of: tuple[Settings, Registry]):
    settings, registry = workspace_of
    assert Schedule(None).ask(settings, registry, idle=True) == ()
    assert jobs.unfinished(registry) == ()
    registry.close()


def test_the_command_keeps_the_setting_and_once_only_what_was_asked_for(at: Callable[[str], Life]):
    life = at("due")
    assert life.ok("worker --once --json").document["jobs"] == []
    assert life.ok("worker --once --refresh never --json").document["jobs"] == []
    done = life.ok("worker --once --refresh 6h --json").document["jobs"]
    assert [job["kind"] for job in done] == ["health", "look-status", "look"]
    assert life.fairtrial("worker --once --refresh 5s").exit_code == 2


@pytest.mark.parametrize("kind", [Kind.HEALTH, Kind.LOOK_STATUS])
def test_what_is_found_again_is_the_newest_finding(at: Callable[[str], Life], kind: Kind):
    from registry.due import newest_jobs

    life = at("running")
    found.check(life.folder, ID)
    found.check(life.folder, ID)
    with open_workspace_registry(load_settings(life.folder)) as registry:
        found_now = newest_jobs(registry, [ID], (kind,))
        assert found_now[ID, kind] == jobs.latest(registry, ID, kind)
        assert newest_jobs(registry, [], (kind,)) == {}
