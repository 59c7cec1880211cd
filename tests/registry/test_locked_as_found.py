"""A plan that is locked from a page rests on what the worker found in the logs: of that very plan, and just now."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from registry import claims, jobs, lifecycle, store
from registry.errors import Conflict, Refused
from registry.findings import ExposureFound
from registry.lifecycle import Amendment, Inference, ReasonCode
from registry.lifecycle.exposures import HOLDS_FOR
from registry.records import Label, State
from registry.verification import verify

REASON = "Because the reason has to be long enough for a stranger to follow."


def refused_for(attempt: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as refusal:
        attempt()
    return str(refusal.value)


def found_exposure(team: Any, id: str, first: datetime | None = None, sha256: str | None = None) -> int:
    """What a worker leaves that asked the logs for an experiment's exposures; gives its job."""
    asked = jobs.request(team.registry, "ola", "exposure", id)
    claims.claim(team.registry, "w1")
    found = ExposureFound(
        sha256=sha256 or store.show(team.registry, id).experiment.draft_sha256,
        source="main",
        key="ranker-7",
        begun=True,
        first_exposure_at=first,
        data_complete=False,
    )
    return claims.finish(team.registry, asked.id, "w1", found).id


def test_a_plan_is_locked_on_what_the_worker_found_and_the_record_says_so(team: Any) -> None:
    waiting = team.in_review()
    job = found_exposure(team, waiting.id)
    locked = lifecycle.register(team.registry, "ola", waiting.id, None, seen=waiting.revision)
    assert locked.labels == (Label.SIMULATED,)
    facts = json.loads(store.show(team.registry, waiting.id).history[-1].detail)["facts"]
    assert (facts["found_by_job"], facts["first_exposure_at"]) == (job, None)
    assert verify(team.registry).ok


def test_an_exposure_that_the_worker_found_labels_the_lock(team: Any) -> None:
    waiting, first = team.in_review(), team.clock.now() - timedelta(days=1)
    found_exposure(team, waiting.id, first)
    assert "Units have been exposed since" in refused_for(
        lambda: lifecycle.register(team.registry, "ola", waiting.id, None)
    )
    locked = lifecycle.register(team.registry, "ola", waiting.id, None, declared=Label.LATE, reason=REASON)
    assert Label.LATE in locked.labels
    assert locked.first_exposure_at == first


def test_nothing_is_locked_on_what_was_not_found_or_is_of_another_plan_or_too_old(team: Any) -> None:
    waiting = team.in_review()

    def lock() -> Any:
        return lifecycle.register(team.registry, "ola", waiting.id, None)

    assert "Nobody has asked the logs yet" in refused_for(lock)
    jobs.request(team.registry, "ola", "exposure", waiting.id)
    assert "Nobody has asked the logs yet" in refused_for(lock)
    found_exposure(team, waiting.id, sha256="0" * 64)
    assert "The plan was changed after the logs were asked" in refused_for(lock)
    found_exposure(team, waiting.id)
    team.clock.advance(HOLDS_FOR + timedelta(seconds=1))
    assert "too long ago" in refused_for(lock)
    found_exposure(team, waiting.id)
    team.clock.advance(HOLDS_FOR)
    assert lock().state is State.REGISTERED


def test_what_was_found_after_the_page_was_drawn_counts(team: Any) -> None:
    """The newest finding is read inside the lock's transaction, not the one somebody has on the page."""
    waiting = team.in_review()
    found_exposure(team, waiting.id)
    found_exposure(team, waiting.id, team.clock.now())
    assert "Units have been exposed" in refused_for(
        lambda: lifecycle.register(team.registry, "ola", waiting.id, None, seen=waiting.revision)
    )


def test_an_exposure_between_the_finding_and_the_lock_labels_it_late_once_it_starts(team: Any) -> None:
    waiting = team.in_review()
    found_exposure(team, waiting.id)
    between = team.clock.advance(timedelta(minutes=5))
    team.clock.advance(timedelta(minutes=5))
    lifecycle.register(team.registry, "ola", waiting.id, None)
    assert Label.LATE in lifecycle.start(team.registry, "system", waiting.id, between).labels


def test_an_amendment_before_the_start_rests_on_what_the_worker_found_too(
    team: Any, plan: Callable[..., Any]
) -> None:
    id = team.registered(plan()).id
    amendment = Amendment(ReasonCode.ERROR_IN_THE_PLAN, REASON, Inference.NONE)

    def propose() -> Any:
        changed = plan(edit={"power.n_per_arm": [9000, 9000]})
        return lifecycle.amend(team.registry, "mira", id, changed, None, amendment=amendment)

    assert "Nobody has asked the logs yet" in refused_for(propose)
    found_exposure(team, id)
    propose()
    lifecycle.approve_amendment(team.registry, "ola", id, None)
    assert store.show(team.registry, id).plans[-1].timing == "A"


def test_of_two_who_lock_on_the_same_finding_one_wins_and_the_other_is_told(team: Any) -> None:
    waiting = team.in_review()
    found_exposure(team, waiting.id)
    barrier = Barrier(2)

    def lock(_: int) -> Any:
        barrier.wait()
        try:
            return lifecycle.register(team.registry, "ola", waiting.id, None, seen=waiting.revision)
        except (Refused, Conflict) as no:
            return no

    with ThreadPoolExecutor(2) as pool:
        results: Sequence[Any] = list(pool.map(lock, range(2)))
    assert sorted(type(one).__name__ for one in results) == ["Conflict", "Experiment"]
    assert len(store.show(team.registry, waiting.id).plans) == 1
    assert verify(team.registry).ok
