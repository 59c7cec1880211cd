"""People and processes acting at once: one wins, the other is told, nothing is lost."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from registry import lifecycle, store
from registry.database import Registry
from registry.errors import Conflict, Refused, RegistryError
from registry.lifecycle import Exposure
from registry.records import State
from registry.verification import verify

ROOT = Path(__file__).parents[2]
REASON = "Because the reason has to be long enough for a stranger to follow."
UNSEEN = Exposure(first_exposure_at=None)


def at_once(attempts: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all attempts from a common start, each in a thread of its own; gives results or exceptions."""
    barrier = threading.Barrier(len(attempts))

    def run(attempt: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return attempt()
        except RegistryError as error:
            return error

    with ThreadPoolExecutor(len(attempts)) as pool:
        return list(pool.map(run, attempts))


def test_of_two_who_act_on_the_same_revision_one_wins_and_the_other_is_told(team: Any) -> None:
    winners = set()
    for _ in range(8):
        waiting = team.in_review()
        results = at_once(
            [
                lambda w=waiting: lifecycle.register(team.registry, "ola", w.id, UNSEEN, seen=w.revision),
                lambda w=waiting: lifecycle.take_back(team.registry, "mira", w.id, seen=w.revision),
            ]
        )
        (conflict,) = [result for result in results if isinstance(result, Conflict)]
        (winner,) = [result for result in results if not isinstance(result, Conflict)]
        now = store.show(team.registry, waiting.id).experiment
        assert now == winner
        assert conflict.who == ("ola" if now.state is State.REGISTERED else "mira")
        assert conflict.revision == now.revision == waiting.revision + 1
        winners.add(conflict.who)
    assert verify(team.registry).ok


def test_without_a_revision_the_second_is_refused_by_the_state_the_first_left(team: Any) -> None:
    waiting = team.in_review()
    attempt = lambda: lifecycle.register(team.registry, "ola", waiting.id, UNSEEN)  # noqa: E731
    results = at_once([attempt] * 4)
    refused = [result for result in results if isinstance(result, Refused)]
    assert len(refused) == 3
    assert all("is Registered" in refusal.reason for refusal in refused)
    assert len(store.find_ledger(team.registry, action="register")) == 1
    assert len(store.find_ledger(team.registry, action="register refused")) == 3


def test_a_look_is_opened_once_however_many_press(team: Any) -> None:
    id, now = team.running().id, team.clock.now()
    results = at_once([lambda: lifecycle.open_look(team.registry, "system", id, 1, 2, now)] * 5)
    assert sum(isinstance(result, Refused) for result in results) == 4
    assert len(store.show(team.registry, id).looks) == 1


def test_two_plans_for_the_same_title_cannot_both_be_submitted(team: Any, plan: Callable[..., Any]) -> None:
    drafts = [team.draft(plan("The one and only title")) for _ in range(3)]
    results = at_once(
        [lambda d=draft: lifecycle.submit(team.registry, "mira", d.id, reviewer="ola") for draft in drafts]
    )
    assert sum(isinstance(result, Refused) for result in results) == 2


def test_many_writers_lose_nothing_and_leave_no_gap(team: Any) -> None:
    before = store.head(team.registry).count
    plans = [team.plan() for _ in range(24)]
    made = at_once([lambda p=plan: team.draft(p) for plan in plans[:12]])
    made += at_once([lambda p=plan: team.draft(p) for plan in plans[12:]])
    assert len({experiment.id for experiment in made}) == 24
    assert {experiment.title for experiment in made} == {plan.title for plan in plans}
    result = verify(team.registry)
    assert (result.ok, result.records, result.unwitnessed) == (True, before + 24, 0)


def test_a_reader_sees_one_moment_and_verification_is_not_confused_by_writers(team: Any) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            team.draft()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        results = [verify(team.registry) for _ in range(15)]
        stop.set()
        writing.result()
    assert [result.findings for result in results] == [()] * 15


WORKER = """
import json, sys
from registry import lifecycle, store
from registry.canonical import sha256_of
from registry.errors import RegistryError
from registry.lifecycle import Exposure
from registry.records import Plan
url, anchor, name, count, shared, seen = json.loads(sys.argv[1])
registry = store.open_registry(url, anchor=store.Path(anchor))
print("ready", flush=True)
sys.stdin.readline()
made, lost = [], 0
for number in range(count):
    material = {"assignment": {"salt": f"{name}-{number}"}, "number": number, "name": name}
    plan = Plan(material, {}, sha256_of(material), "written", f"Experiment {number} of process {name}")
    made.append(lifecycle.create_draft(registry, "mira", plan).id)
won = []
for experiment, revision in zip(shared, seen, strict=True):
    try:
        lifecycle.register(registry, "ola", experiment, Exposure(None), seen=revision)
        won.append(experiment)
    except RegistryError:
        lost += 1
print(json.dumps({"made": made, "won": won, "lost": lost}))
"""


def processes(registry: Registry, url: str, arguments: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Run workers in processes of their own, from a common start."""
    running = []
    for rest in arguments:
        argument = json.dumps([url, str(registry.anchor), *rest])
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", WORKER, argument],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    outputs = []
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        outputs.append(json.loads(out))
    return outputs


def test_processes_writing_at_once_lose_nothing_and_each_lock_is_won_once(team: Any, url: str) -> None:
    waiting = [team.in_review() for _ in range(6)]
    shared, seen = [e.id for e in waiting], [e.revision for e in waiting]
    results = processes(team.registry, url, [[name, 8, shared, seen] for name in ("one", "two", "three")])
    made = [id for result in results for id in result["made"]]
    assert len(set(made)) == 24
    assert sorted(id for result in results for id in result["won"]) == sorted(shared)
    assert sum(result["lost"] for result in results) == 12
    assert len(store.find_ledger(team.registry, action="register refused")) == 12
    result = verify(team.registry)
    assert (result.ok, result.unwitnessed) == (True, 0)


OPEN = """
import sys
from registry import membership, store
from registry.errors import Refused
registry = store.open_registry(sys.argv[1])
try:
    membership.found(registry, sys.argv[2], "Somebody")
    print("founded")
except Refused:
    print("refused")
"""


def test_of_processes_that_open_a_new_registry_at_once_one_makes_and_founds_it(url: str) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, url, f"person-{n}"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for n in range(4)
    ]
    answers = [process.communicate(timeout=120)[0].strip() for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert sorted(answers) == ["founded", "refused", "refused", "refused"]
    with store.open_registry(url) as opened:
        assert verify(opened).ok


KILLED = """
import sys
from registry import store
from registry.actors import Role
from registry.acts import act
from registry.tables import people
registry = store.open_registry(sys.argv[1])
with act(registry, "ada", "add person", "person:half") as doing:
    doing.role = Role.ADMIN
    doing.insert(people, {"id": "half", "name": "Half", "active": True, "added_at": doing.at})
    doing.summary = "Half a person."
    print("inside", flush=True)
    sys.stdin.readline()
"""


def test_a_process_killed_in_the_middle_of_an_act_leaves_nothing_half(team: Any, url: str) -> None:
    before = store.head(team.registry)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "inside\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert store.head(team.registry) == before
    team.draft()
    assert all(person.id != "half" for person in store.everybody(team.registry))
    assert verify(team.registry).ok


def test_who_waits_too_long_for_another_writer_is_told(team: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.database.WAIT_SECONDS", 1)
    registry = Registry(store.engine_for(team.registry.engine.url.render_as_string(False)), team.clock)
    with team.registry.writing(), pytest.raises(RegistryError, match="another process has been writing"):
        lifecycle.create_draft(registry, "mira", team.plan())
    registry.close()
    team.draft()
