"""Jobs: asked for by people, done once by one worker, and blind in what they leave behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from experiments.looks.stopping import LookStatus
from registry import claims, jobs, lifecycle, membership, store
from registry.clock import SimulatedClock
from registry.errors import ClaimLost, Refused, Unknown
from registry.findings import FINDINGS, LookFound, LookStanding, WatchFound
from registry.jobs import JobState, Kind
from registry.records import State
from registry.verification import verify

REASON = "Because the reason has to be long enough for a stranger to follow."
TODAY = datetime(2026, 11, 20, tzinfo=UTC)
WENT_ON = LookFound(outcome="CONTINUE", k=1, of=3)


@pytest.fixture
def machine() -> SimulatedClock:
    """The machine's clock, set by hand; it is another than the registry's."""
    return SimulatedClock(TODAY)


def refusal(attempt: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as refused:
        attempt()
    return str(refused.value)


def test_asking_is_recorded_and_what_the_worker_says_is_not(team: Any) -> None:
    id = team.running().id
    job = jobs.request(team.registry, "mira", "health", id)
    assert (job.kind, job.entity, job.state, job.requested_by) == (Kind.HEALTH, id, JobState.QUEUED, "mira")
    records = store.head(team.registry).count
    assert store.show(team.registry, id).history[-1].action == "ask for health"
    claimed = claims.claim(team.registry, "w1")
    assert claimed is not None
    claims.progress(team.registry, job.id, "w1", 0.5, "Half of it")
    half = jobs.find(team.registry, job.id)
    assert (half.progress, half.progress_text, half.claimed_by) == (0.5, "Half of it", "w1")
    claims.fail(team.registry, job.id, "w1", "The log is not there.")
    assert store.head(team.registry).count == records
    failed = jobs.latest(team.registry, id, "health")
    assert failed is not None
    assert (failed.state, failed.error, failed.finished_at) == (
        JobState.FAILED,
        "The log is not there.",
        team.clock.now(),
    )
    assert verify(team.registry).ok


def test_an_equal_job_that_is_not_finished_is_given_instead_of_a_second(team: Any) -> None:
    id = team.running().id
    first = jobs.request(team.registry, "mira", "simulate", id, {"replays": 100})
    records = store.head(team.registry).count
    assert jobs.request(team.registry, "ola", "simulate", id, {"replays": 100, "seed": 1}) == first
    assert store.head(team.registry).count == records
    other = jobs.request(team.registry, "mira", "simulate", id, {"replays": 200})
    assert other.id != first.id
    claims.claim(team.registry, "w1")
    assert jobs.request(team.registry, "mira", "simulate", id, {"replays": 100}).id == first.id
    claims.fail(team.registry, first.id, "w1", "no")
    assert jobs.request(team.registry, "mira", "simulate", id, {"replays": 100}).id not in (
        first.id,
        other.id,
    )
    assert len(jobs.jobs_of(team.registry, id)) == 3
    assert [job.id for job in jobs.unfinished(team.registry)] == [other.id, other.id + 1]


@pytest.mark.parametrize(
    ("kind", "may", "may_not"),
    [
        ("health", ["vic", "mira", "dan", "ada", "system"], []),
        ("look-status", ["vic", "mira", "system"], []),
        ("watch", ["vic", "mira", "system"], []),
        ("exposure", ["vic", "ola", "system"], []),
        ("look", ["mira", "system"], ["max", "ola", "dan", "ada", "vic", "lou"]),
        ("simulate", ["mira", "max", "ola", "dan", "system"], ["vic", "ada", "lou"]),
    ],
)
def test_who_may_ask_for_what(team: Any, kind: str, may: list[str], may_not: list[str]) -> None:
    id = team.running().id
    for person in may:
        assert jobs.request(team.registry, person, kind, id).unfinished
    for person in may_not:
        said = refusal(lambda person=person: jobs.request(team.registry, person, kind, id))
        assert person in said
        (entry,) = store.find_ledger(team.registry, actor=person, action=f"ask for {kind} refused")
        assert entry.entity == id


def test_a_source_is_checked_by_analysts_and_stewards_of_data_and_admins(team: Any) -> None:
    assert jobs.request(team.registry, "ada", "source-check", "main").entity == "main"
    assert "role analyst or data steward or admin" in refusal(
        lambda: jobs.request(team.registry, "vic", "source-check", "other")
    )


def test_a_stranger_and_one_who_left_get_nothing(team: Any) -> None:
    id = team.running().id
    membership.let_go(team.registry, "ada", "vic", "Left the company.")
    for person in ("nobody", "vic"):
        assert "here" in refusal(lambda person=person: jobs.request(team.registry, person, "health", id))
    assert jobs.jobs_of(team.registry, id) == ()


def test_what_needs_a_plan_waits_for_one_and_a_design_can_be_simulated_before(team: Any) -> None:
    id = team.draft().id
    assert jobs.request(team.registry, "mira", "simulate", id).unfinished
    for kind in ("health", "look-status", "watch", "look"):
        assert "no locked plan yet" in refusal(
            lambda kind=kind: jobs.request(team.registry, "mira", kind, id)
        )
    with pytest.raises(Unknown, match="EXP-0999"):
        jobs.request(team.registry, "mira", "health", "EXP-0999")


def test_no_look_is_asked_for_once_it_is_closed(team: Any) -> None:
    id = team.in_state(State.DECIDED).id
    assert "awaits no look: it is decided" in refusal(lambda: jobs.request(team.registry, "mira", "look", id))


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("simulate", {"replays": 0}, "replays: 0 is not allowed; give a whole number from 1 to 1000000"),
        ("simulate", {"replays": True}, "replays: True is not allowed"),
        ("simulate", {"seed": "1", "replays": -1}, "(?s)replays: -1.*seed: '1'|seed: '1'.*replays: -1"),
        ("health", {"by_arm": True}, "by_arm: not a parameter of health; allowed: none"),
        ("simulate", {"aa": "outcomes.yaml"}, "aa: not a parameter of simulate; allowed: replays, seed"),
        ("peek", {}, "'peek' is not a valid Kind"),
    ],
)
def test_parameters_come_from_a_closed_vocabulary(
    team: Any, kind: str, parameters: dict[str, Any], message: str
) -> None:
    id = team.running().id
    with pytest.raises(ValueError, match=message):
        jobs.request(team.registry, "mira", kind, id, parameters)
    assert jobs.jobs_of(team.registry, id) == ()


def test_jobs_are_claimed_oldest_first_and_by_kind(team: Any) -> None:
    id = team.running().id
    first = jobs.request(team.registry, "mira", "simulate", id)
    second = jobs.request(team.registry, "mira", "health", id)
    assert claims.claim(team.registry, "w1", [Kind.HEALTH]) == jobs.find(team.registry, second.id)
    assert claims.claim(team.registry, "w1", [Kind.HEALTH]) is None
    taken = claims.claim(team.registry, "w2")
    assert taken is not None
    assert (taken.id, taken.attempts, taken.state) == (first.id, 1, JobState.RUNNING)
    assert claims.claim(team.registry, "w2") is None


def test_of_many_workers_at_once_each_job_goes_to_exactly_one(team: Any) -> None:
    id = team.running().id
    asked = {jobs.request(team.registry, "mira", "simulate", id, {"seed": seed}).id for seed in range(1, 13)}
    barrier = threading.Barrier(4)

    def work(worker: str) -> list[int]:
        barrier.wait()
        got = []
        while (job := claims.claim(team.registry, worker)) is not None:
            got.append(job.id)
        return got

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(work, [f"w{number}" for number in range(4)]))
    assert sorted(id for share in shares for id in share) == sorted(asked)


def test_a_silent_worker_s_job_is_given_to_another_and_the_first_can_save_nothing(
    team: Any, machine: SimulatedClock
) -> None:
    id = team.running().id
    job = jobs.request(team.registry, "system", "look", id)
    claims.claim(team.registry, "w1", machine=machine)
    machine.advance(jobs.STALE_AFTER - timedelta(seconds=1))
    claims.progress(team.registry, job.id, "w1", machine=machine)
    machine.advance(jobs.STALE_AFTER)
    assert claims.claim(team.registry, "w2", machine=machine) is None
    machine.advance(timedelta(seconds=1))
    assert jobs.silent(jobs.find(team.registry, job.id), machine=machine)
    again = claims.claim(team.registry, "w2", machine=machine)
    assert again is not None
    assert (again.id, again.attempts, again.claimed_by) == (job.id, 2, "w2")
    for late in (
        lambda: claims.progress(team.registry, job.id, "w1", 1.0),
        lambda: claims.finish(team.registry, job.id, "w1", WENT_ON),
        lambda: claims.fail(team.registry, job.id, "w1", "no"),
        lambda: claims.give_back(team.registry, job.id, "w1"),
    ):
        with pytest.raises(ClaimLost, match="not w1's"):
            late()
    done = claims.finish(team.registry, job.id, "w2", WENT_ON)
    assert done.state is JobState.DONE
    assert done.result is not None
    assert done.result["outcome"] == "CONTINUE"


def test_a_job_that_kills_every_worker_fails(team: Any, machine: SimulatedClock) -> None:
    job = jobs.request(team.registry, "mira", "health", team.running().id)
    for attempt in range(1, claims.MOST_ATTEMPTS + 1):
        claimed = claims.claim(team.registry, f"w{attempt}", machine=machine)
        assert claimed is not None
        machine.advance(jobs.STALE_AFTER + timedelta(seconds=1))
    assert claims.claim(team.registry, "w9", machine=machine) is None
    failed = jobs.find(team.registry, job.id)
    assert failed.state is JobState.FAILED
    assert "3 workers fell silent over it, the last was w3" in str(failed.error)


def test_a_job_given_back_waits_again_and_the_attempt_does_not_count(team: Any) -> None:
    job = jobs.request(team.registry, "mira", "simulate", team.draft().id)
    claims.claim(team.registry, "w1")
    back = claims.give_back(team.registry, job.id, "w1")
    assert (back.state, back.attempts, back.claimed_by) == (JobState.QUEUED, 0, None)


def test_whoever_asked_takes_a_job_back_but_not_once_outcomes_are_being_read(team: Any) -> None:
    id = team.running().id
    job = jobs.request(team.registry, "mira", "simulate", id)
    assert "asked for by mira" in refusal(lambda: jobs.cancel(team.registry, "max", job.id))
    claims.claim(team.registry, "w1")
    assert jobs.cancel(team.registry, "mira", job.id).state is JobState.CANCELLED
    with pytest.raises(ClaimLost):
        claims.progress(team.registry, job.id, "w1")
    assert "is cancelled" in refusal(lambda: jobs.cancel(team.registry, "ada", job.id))
    look = jobs.request(team.registry, "mira", "look", id)
    claims.claim(team.registry, "w1")
    assert "is reading outcomes" in refusal(lambda: jobs.cancel(team.registry, "ada", look.id))


# Blind


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_closed_form_for_what_it_finds(kind: Kind) -> None:
    assert FINDINGS[kind].model_config["extra"] == "forbid"


@pytest.mark.parametrize(
    "smuggled",
    [
        {"estimate": 0.0114},
        {"p_value": 0.02},
        {"sentence": "0.0114"},
        {"outcome": "0.0114"},
        {"because": ["0.0114"]},
        {"verdict": "SHIP"},
    ],
)
def test_a_look_has_no_field_for_a_number_of_an_outcome(smuggled: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LookFound.model_validate({"outcome": "CONTINUE", "k": 1, "of": 2} | smuggled)


@pytest.mark.parametrize(
    "finding", [{"estimate": 0.0114}, WatchFound(tripped=False, harm_stops=(), tripped_by=(), not_judged=())]
)
def test_a_job_takes_nothing_but_the_finding_of_its_kind(team: Any, finding: Any) -> None:
    job = jobs.request(team.registry, "mira", "look", team.running().id)
    claims.claim(team.registry, "w1")
    with pytest.raises(TypeError, match="look finds LookFound"):
        claims.finish(team.registry, job.id, "w1", finding)
    assert jobs.find(team.registry, job.id).result is None


def test_a_revision_of_the_experiment_does_not_depend_on_jobs(team: Any) -> None:
    """Asking changes no experiment: nobody who is about to act on it is told that somebody was first."""
    experiment = team.running()
    jobs.request(team.registry, "vic", "health", experiment.id)
    stopped = lifecycle.stop_by_hand(team.registry, "mira", experiment.id, REASON, seen=experiment.revision)
    assert stopped.state is State.STOPPED


def test_a_look_s_standing_is_made_of_what_the_status_has() -> None:
    assert set(LookStanding.model_fields) < set(LookStatus.__slots__)
