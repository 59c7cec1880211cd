"""What the registry answers: lists, one experiment, the ledger and its export."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from registry import lifecycle, membership, store
from registry.clock import SimulatedClock, SystemClock
from registry.errors import Unknown
from registry.records import Label, State


def ids(experiments: tuple[Any, ...]) -> list[str]:
    return [experiment.id for experiment in experiments]


def test_experiments_are_listed_newest_first_and_filtered(team: Any, plan: Callable[..., Any]) -> None:
    own = {"assignment.key": "own", "assignment.salt": "own"}
    one = team.draft(plan("Ranker v7 vs v6", team="Search"))
    two = team.running(plan("Checkout in one step", edit=own | {"primary.metric.name": "orders"}))
    three = lifecycle.create_draft(team.registry, "rob", team.plan())
    listed = store.list_experiments
    assert ids(listed(team.registry)) == [three.id, two.id, one.id]
    assert ids(listed(team.registry, limit=1)) == [three.id]
    assert ids(listed(team.registry, states=[State.DRAFT])) == [three.id, one.id]
    assert ids(listed(team.registry, states=[State.DRAFT, State.RUNNING], owner="mira")) == [two.id, one.id]
    assert ids(listed(team.registry, reviewer="ola")) == [two.id]
    assert ids(listed(team.registry, team="Search")) == [one.id]
    assert ids(listed(team.registry, metric="orders@3")) == [two.id]
    assert ids(listed(team.registry, kind="canary")) == []
    assert ids(listed(team.registry, label=Label.SIMULATED)) == [three.id, two.id, one.id]
    assert ids(listed(team.registry, label=Label.LATE)) == []
    assert ids(listed(team.registry, text="CHECKOUT")) == [two.id]
    assert ids(listed(team.registry, text="exp-0001")) == [one.id]
    assert ids(listed(team.registry, text="100%")) == []


def test_withdrawn_experiments_stay_listed_and_searchable(team: Any) -> None:
    gone = team.abandoned()
    assert ids(store.list_experiments(team.registry, text=gone.title)) == [gone.id]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.DRAFT, "Draft"),
        (State.IN_REVIEW, "In review"),
        (State.REGISTERED, "Registered"),
        (State.RUNNING, "Running"),
        (State.STOPPED, "Stopped (maturing)"),
        (State.READOUT, "Readout ready"),
        (State.DECIDED, "Decided: shipped"),
        (State.INVALID, "Invalid (validity check failed)"),
        (State.ABANDONED, "Abandoned"),
    ],
)
def test_states_are_shown_in_words(team: Any, state: State, words: str) -> None:
    assert store.show(team.registry, team.in_state(state).id).words == words


def test_the_ledger_is_found_by_who_what_which_and_when(team: Any) -> None:
    start = team.clock.now()
    running = team.running()
    found = store.find_ledger
    assert {entry.entity for entry in found(team.registry, entity=running.id)} == {running.id}
    assert [entry.action for entry in found(team.registry, entity=running.id, actor="ola")] == ["register"]
    assert [entry.action for entry in found(team.registry, since=start + timedelta(minutes=1))] == ["start"]
    assert found(team.registry, until=start) == ()
    newest = found(team.registry, newest_first=True, limit=2)
    assert [entry.action for entry in newest] == ["start", "register"]


def test_the_exported_ledger_can_be_verified_without_us(team: Any) -> None:
    team.running()
    lines = [json.loads(line) for line in store.export_ledger(team.registry)]
    end = lines.pop()
    previous = "0" * 64
    for number, record in enumerate(lines, start=1):
        sealed = record.pop("hash")
        body = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(body.encode()).hexdigest() == sealed
        assert (record["seq"], record["prev_hash"]) == (number, previous)
        previous = sealed
    assert (end["count"], end["head"]) == (len(lines), previous)
    head = store.head(team.registry)
    assert (head.count, head.hash) == (end["count"], end["head"])


def test_an_empty_registry_has_an_empty_head(url: str) -> None:
    with store.open_registry(url) as opened:
        assert (store.head(opened).count, store.head(opened).hash) == (0, "0" * 64)


def test_a_document_is_found_by_its_hash(team: Any) -> None:
    plan = team.plan()
    team.draft(plan)
    assert json.loads(store.document(team.registry, plan.sha256)) == plan.material
    with pytest.raises(Unknown, match="no document"):
        store.document(team.registry, "0" * 64)


def test_times_come_from_the_clock_that_was_given(team: Any) -> None:
    draft = team.draft()
    assert draft.created_at == team.clock.now()
    later = team.clock.advance(timedelta(days=2))
    assert team.draft().created_at == later


def test_real_time_is_not_called_simulated(url: str) -> None:
    with store.open_registry(url, clock=SystemClock()) as opened:
        membership.found(opened, "uma", "Uma", one_person=True)
        (entry,) = store.find_ledger(opened)
        assert entry.simulated is False


def test_what_was_simulated_stays_marked_under_the_real_clock(team: Any, url: str) -> None:
    draft = team.draft()
    with store.open_registry(url) as opened:
        saved = lifecycle.save_draft(opened, "mira", draft.id, team.plan())
    assert Label.SIMULATED in saved.labels


def test_what_was_real_is_marked_once_simulated_time_touches_it(url: str, plan: Callable[..., Any]) -> None:
    with store.open_registry(url) as opened:
        membership.found(opened, "uma", "Uma", one_person=True)
        draft = lifecycle.create_draft(opened, "uma", plan())
        assert draft.labels == ()
    with store.open_registry(url, clock=SimulatedClock(draft.created_at + timedelta(days=1))) as opened:
        assert Label.SIMULATED in lifecycle.submit(opened, "uma", draft.id).labels


def test_a_clock_only_goes_forward(clock: SimulatedClock) -> None:
    with pytest.raises(ValueError, match="only goes forward"):
        clock.set(clock.now() - timedelta(seconds=1))
