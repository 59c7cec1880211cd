"""The outbox: an event is saved with its cause or not at all, says nothing of outcomes too early, and is sent in the end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from experiments.looks.health import Maturing
from registry import claims, jobs, lifecycle, outbox, store, webhooks
from registry.canonical import sha256_of
from registry.clock import SimulatedClock
from registry.database import Registry
from registry.errors import Refused, Unknown
from registry.events import EVENTS
from registry.findings import HealthFound, LookStatusFound
from registry.lifecycle import Amendment, Choice, Exposure, Inference, ReasonCode, StopReason
from registry.messages import REMEDY, UNREAD
from registry.outbox import LEASE, RETRIES, Delivery
from registry.records import Verdict
from registry.tables import deliveries
from registry.verification import verify

UNSEEN = Exposure(first_exposure_at=None)
REASON = "Because the reason has to be long enough for a stranger to follow."
CANARY = 0.0114321
URL = "https://hooks.example.org/fairtrial"
TODAY = datetime(2026, 11, 20, tzinfo=UTC)


def refusal(attempt: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as refused:
        attempt()
    return str(refused.value)


@pytest.fixture
def told(team: Any) -> Any:
    """A team, and one webhook that is told of everything."""
    webhooks.add_webhook(team.registry, "ada", "all", URL, secret_variable="SECRET")
    return team


def sent(registry: Registry) -> list[Delivery]:
    """Everything in the outbox, oldest first."""
    return list(reversed(outbox.delivery_log(registry, limit=1_000)))


def events(registry: Registry) -> list[str]:
    return [delivery.event for delivery in sent(registry)]


def last(registry: Registry, event: str) -> dict[str, Any]:
    return dict(next(one for one in reversed(sent(registry)) if one.event == event).payload)


# What is told


def test_a_life_is_told_event_by_event(told: Any) -> None:
    told.decided()
    assert events(told.registry) == [
        "experiment.submitted",
        "experiment.registered",
        "experiment.started",
        "look.opened",
        "look.closed",
        "readout.released",
        "decision.signed",
    ]
    lines = [delivery.payload["text"] for delivery in sent(told.registry)]
    assert all(line.startswith("EXP-0001 Experiment number 1: ") for line in lines)
    assert lines[0].endswith(
        "mira asks ola to review plan " + store.show(told.registry, "EXP-0001").plans[0].sha256[:12] + "."
    )
    assert lines[4].endswith("look 1 of 1 is closed. Stopped: final look.")
    assert lines[5].endswith("SHIP.")
    assert lines[6].endswith("dan decided to ship treatment, with the verdict SHIP.")
    assert verify(told.registry).ok


def test_every_payload_has_the_same_frame(told: Any) -> None:
    told.decided()
    for delivery in sent(told.registry):
        payload = delivery.payload
        assert set(payload) == {
            "schema", "event", "key", "at", "simulated", "text", "detail", "experiment", "page",
        }  # fmt: skip
        assert payload["key"] == delivery.key
        assert payload["simulated"] is True
        assert payload["page"].startswith("/experiment?id=EXP-0001&tab=")
        assert "\n" not in payload["text"]


def test_a_look_that_goes_on_says_no_boundary_crossed_and_nothing_else(told: Any) -> None:
    id = told.running().id
    lifecycle.open_look(told.registry, "system", id, 1, 3, told.clock.now())
    readout = {"primary": [{"estimate": CANARY, "p_value": CANARY}], "verdict": {"sentence": f"by {CANARY}"}}
    lifecycle.seal_look(told.registry, "system", id, 1, readout, stop=None, verdict=None)
    closed = last(told.registry, "look.closed")
    assert closed["detail"] == {"k": 1, "of": 3, "said": "No boundary crossed"}
    assert "readout.released" not in events(told.registry)
    assert str(CANARY) not in json.dumps([dict(one.payload) for one in sent(told.registry)])


def test_a_held_look_is_told_with_its_reason_and_what_to_do(told: Any) -> None:
    id = told.running().id
    lifecycle.open_look(told.registry, "system", id, 1, 3, told.clock.now())
    why = "Join rate: 12.0% of 5,000 analysed units have a row (rule: at least 50.0%)"
    lifecycle.hold_look(told.registry, "system", id, 1, f"{why}.")
    payload = last(told.registry, "look.held")
    assert payload["text"].endswith(f": look 1 is held: {why}. {REMEDY}")
    assert payload["detail"] == {"k": 1, "reason": why, "remedy": REMEDY}


def test_a_held_look_repeats_no_value_that_an_error_quotes(told: Any) -> None:
    id = told.running().id
    lifecycle.open_look(told.registry, "system", id, 1, 3, told.clock.now())
    error = f"{UNREAD}: Conversion Error: Could not convert string '{CANARY}' to INT64"
    lifecycle.hold_look(told.registry, "system", id, 1, error)
    payload = last(told.registry, "look.held")
    assert payload["detail"]["reason"].startswith(f"{UNREAD};")
    assert str(CANARY) not in json.dumps(payload)


@pytest.mark.parametrize("reason", [StopReason.EFFICACY, StopReason.FUTILITY, StopReason.HARM])
def test_numbers_of_a_stopping_look_are_told_with_the_release_and_not_before(
    told: Any, reason: StopReason
) -> None:
    id = told.running().id
    lifecycle.open_look(told.registry, "system", id, 1, 3, told.clock.now())
    readout = {
        "verdict": {"code": "SHIP", "sentence": f"Better by {CANARY}."},
        "primary": [{"estimate": CANARY}],
    }
    lifecycle.seal_look(told.registry, "system", id, 1, readout, stop=reason, verdict=Verdict.SHIP)
    assert last(told.registry, "look.closed")["detail"]["said"] == f"Stopped: {reason}"
    assert ("harm_stop.tripped" in events(told.registry)) == (reason is StopReason.HARM)
    assert str(CANARY) not in json.dumps([dict(one.payload) for one in sent(told.registry)])
    lifecycle.mature(told.registry, "system", id, told.clock.now())
    lifecycle.release(told.registry, "system", id)
    released = last(told.registry, "readout.released")
    assert released["text"].endswith(f"SHIP. Better by {CANARY}.")
    assert released["detail"]["verdict"] == "SHIP"


def test_a_harm_stop_between_looks_is_told_by_its_name(told: Any) -> None:
    id = told.running().id
    lifecycle.stop(told.registry, "system", id, StopReason.HARM, what="failure@1 with treatment")
    assert last(told.registry, "harm_stop.tripped")["detail"] == {"harm_stops": ["failure@1 with treatment"]}
    other = told.running().id
    lifecycle.stop(told.registry, "system", other, StopReason.MAXIMUM_DURATION)
    lifecycle.stop_by_hand(told.registry, "mira", told.running().id, REASON)
    assert events(told.registry).count("harm_stop.tripped") == 1


def test_an_amendment_is_told_once_approved_by_class_and_fields(told: Any) -> None:
    plan = told.plan()
    id = told.registered(plan).id
    changed = json.loads(json.dumps(plan.material)) | {"label_delay": 3600}
    amended = replace(plan, material=changed, sha256=sha256_of(changed))
    why = Amendment(next(iter(ReasonCode)), REASON, Inference.NONE)
    lifecycle.amend(told.registry, "mira", id, amended, UNSEEN, amendment=why)
    assert "experiment.amended" not in events(told.registry)
    lifecycle.approve_amendment(told.registry, "ola", id, UNSEEN)
    payload = last(told.registry, "experiment.amended")
    assert payload["detail"]["class"] == "A"
    assert payload["detail"]["fields"] == ["label_delay"]
    assert payload["detail"]["version"] == 2


def test_a_decision_against_the_verdict_is_told_once_both_have_signed(told: Any) -> None:
    id = told.readout(Verdict.DO_NOT_SHIP).id
    lifecycle.decide(told.registry, "dan", id, Choice.SHIP, REASON * 2)
    assert "decision.signed" not in events(told.registry)
    lifecycle.approve_decision(told.registry, "eve", id, REASON * 2)
    payload = last(told.registry, "decision.signed")
    assert payload["text"].endswith("dan decided to ship treatment against the verdict DO NOT SHIP.")
    assert payload["detail"]["approved_by"] == "eve"


def test_what_is_refused_is_told_to_nobody(told: Any) -> None:
    id = told.draft().id
    with pytest.raises(Refused):
        lifecycle.submit(told.registry, "max", id, reviewer="ola")
    assert sent(told.registry) == []


def test_an_event_is_saved_with_its_cause_or_not_at_all(told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    id = told.draft().id

    def full(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("registry.events.enqueue", full)
    with pytest.raises(OSError, match="no space"):
        lifecycle.submit(told.registry, "mira", id, reviewer="ola")
    assert store.show(told.registry, id).experiment.state == "draft"
    assert verify(told.registry).ok


# Findings of jobs


def health(**results: str) -> HealthFound:
    checks = [
        {"name": name, "result": result, "detail": "p < 0.000001", "rule": "alpha 0.001", "p_value": 1e-7}
        for name, result in results.items()
    ]
    arm = {"planned": 10, "exposed": 5, "mature": 1, "planned_share": 0.5}
    return HealthFound.model_validate(
        {
            "experiment": "EXP-0001",
            "checked_at": TODAY,
            "watermark": TODAY,
            "watermark_why": "",
            "arms": [
                arm | {"arm": "control", "assigned": 10_420},
                arm | {"arm": "treatment", "assigned": 9_610},
            ],
            "checks": checks,
            "maturing": [],
            "excluded": {},
            "look_due": False,
            "information": 0.1,
            "missing": [],
            "look_expected": None,
        }
    )


def enrolling(units: int, days: float) -> HealthFound:
    """Health after so many days of enrolment with so many units, 20 of them planned."""
    begun = TODAY - timedelta(days=days)
    weeks = [{"week": 1, "from_": begun, "mature": 0, "waiting": units}]
    return health().model_copy(update={"maturing": tuple(Maturing.model_validate(week) for week in weeks)})


def declaring(team: Any, units_per_day: float) -> str:
    """A running experiment whose design declares its traffic."""
    plan = team.plan()
    written = f"{plan.written}power: {{units_per_day: {units_per_day}}}\n"
    id: str = team.running(replace(plan, written=written)).id
    return id


def found(registry: Registry, id: str, kind: str, finding: Any) -> None:
    job = jobs.request(registry, "mira", kind, id)
    claims.claim(registry, "w")
    claims.finish(registry, job.id, "w", finding)


def test_a_check_that_fails_is_told_once_until_it_recovers(told: Any) -> None:
    id = told.running().id
    outcomes = [
        (health(srm="pass", joins="pass"), []),
        (health(srm="fail", joins="pass"), ["health.failed"]),
        (health(srm="fail", joins="pass"), []),
        (health(srm="fail", joins="hold"), ["health.failed"]),
        (health(srm="pass", joins="hold"), ["health.recovered"]),
        (health(srm="warn", joins="fail"), []),
        (health(srm="pass", joins="pass"), ["health.recovered"]),
    ]
    for finding, expected in outcomes:
        before = len(events(told.registry))
        found(told.registry, id, "health", finding)
        assert events(told.registry)[before:] == expected
    payload = next(one.payload for one in sent(told.registry) if one.event == "health.failed")
    assert payload["text"] == (
        f"{id} Experiment number 1: 1 check failed: srm: p < 0.000001 (assigned 10,420 vs 9,610, planned 50/50). "
        "Outcomes stay closed."
    )
    assert payload["detail"]["assigned"] == {"control": 10_420, "treatment": 9_610}


def test_slow_enrolment_is_told_once_until_units_come_as_declared(told: Any) -> None:
    id = declaring(told, 4)
    steps = [
        (enrolling(2, 2), 0),  # too early to say
        (enrolling(10, 3), 0),  # 3.3 a day: not below 80 % of 4
        (enrolling(9, 4), 1),
        (enrolling(10, 4.5), 0),
        (enrolling(17, 5), 0),  # recovered
        (enrolling(17, 6), 1),
        (enrolling(19, 5), 0),  # recovered again
        (enrolling(20, 30), 0),  # slow, but all that were planned have come
    ]
    for finding, expected in steps:
        before = events(told.registry).count("enrolment.slow")
        found(told.registry, id, "health", finding)
        assert events(told.registry).count("enrolment.slow") - before == expected, finding.maturing
    payload = next(one.payload for one in sent(told.registry) if one.event == "enrolment.slow")
    assert payload["text"].endswith(
        "enrolment is slow: 2.2 units a day so far, 4 declared (9 of 20 planned units after 4 days)."
    )
    assert payload["detail"] == {
        "enrolled": 9, "planned": 20, "days": 4.0, "units_per_day": 2.25, "declared_units_per_day": 4.0,
    }  # fmt: skip


def test_enrolment_is_not_slow_where_no_traffic_is_declared_or_it_has_stopped(told: Any) -> None:
    found(told.registry, told.running().id, "health", enrolling(1, 9))
    stopped = declaring(told, 4)
    lifecycle.stop(told.registry, "system", stopped, StopReason.MAXIMUM_DURATION)
    found(told.registry, stopped, "health", enrolling(1, 9))
    untimed = declaring(told, 4)
    found(told.registry, untimed, "health", health())
    found(told.registry, untimed, "health", enrolling(1, 9).model_copy(update={"watermark": None}))
    assert "enrolment.slow" not in events(told.registry)


def standing(k: int, due: bool) -> LookStatusFound:
    look = {
        "k": k, "of": 3, "final": k == 3, "due": due, "information": 0.4, "wanted": 0.4, "short": False, "enrolled": [5, 5],
        "planned": [10, 10], "start": TODAY, "mature_at": TODAY, "expected": None, "missing": [],
    }  # fmt: skip
    return LookStatusFound.model_validate(
        {"state": "running", "look": look, "watermark": None, "watermark_why": ""}
    )


def test_each_look_is_told_to_be_due_once(told: Any) -> None:
    id = told.running().id
    for k, due, expected in (
        (1, False, 0),
        (1, True, 1),
        (1, True, 0),
        (2, False, 0),
        (2, True, 1),
        (3, True, 1),
    ):
        before = events(told.registry).count("look.due")
        found(told.registry, id, "look-status", standing(k, due))
        assert events(told.registry).count("look.due") - before == expected


# Who is told


def test_a_webhook_is_told_only_of_what_it_asked_for_while_it_is_active(team: Any) -> None:
    registry = team.registry
    webhooks.add_webhook(
        registry, "ada", "looks", URL, events=["look.opened", "look.closed"], secret_variable="S"
    )
    webhooks.add_webhook(registry, "ada", "paused", URL, secret_variable="S")
    webhooks.set_active(registry, "ada", "paused", active=False)
    team.decided()
    assert [(one.webhook, one.event) for one in sent(registry)] == [
        ("looks", "look.opened"),
        ("looks", "look.closed"),
    ]
    webhooks.set_active(registry, "ada", "paused", active=True)
    team.in_review()
    assert [one.webhook for one in sent(registry)][2:] == ["paused"]
    assert verify(registry).ok


def test_only_an_admin_says_who_is_told(told: Any) -> None:
    for attempt in (
        lambda: webhooks.add_webhook(told.registry, "mira", "x", URL, secret_variable="S"),
        lambda: webhooks.set_active(told.registry, "mira", "all", active=False),
        lambda: webhooks.remove_webhook(told.registry, "mira", "all"),
        lambda: outbox.send_test(told.registry, "mira", "all"),
    ):
        assert "Only an admin" in refusal(attempt)
    assert len(store.find_ledger(told.registry, actor="mira")) == 4


def test_a_removed_webhook_s_messages_are_dropped_and_its_log_stays(told: Any) -> None:
    told.in_review()
    webhooks.remove_webhook(told.registry, "ada", "all")
    assert [one.state for one in sent(told.registry)] == ["dropped"]
    assert outbox.claim_delivery(told.registry) is None
    assert webhooks.list_webhooks(told.registry) == ()
    with pytest.raises(Unknown, match="there is no webhook 'all'; there is: none yet"):
        webhooks.find_webhook(told.registry, "all")
    webhooks.add_webhook(told.registry, "ada", "all", URL, secret_variable="SECRET")
    assert verify(told.registry).ok


def test_a_test_goes_to_one_webhook_also_a_paused_one(told: Any) -> None:
    webhooks.add_webhook(told.registry, "ada", "other", URL, secret_variable="S")
    webhooks.set_active(told.registry, "ada", "other", active=False)
    delivery = outbox.send_test(told.registry, "ada", "other")
    assert (delivery.event, delivery.webhook, delivery.state) == ("webhook.test", "other", "waiting")
    assert len(sent(told.registry)) == 1
    with pytest.raises(Unknown):
        outbox.send_test(told.registry, "ada", "nobody")


BAD = [
    ({"url": "ftp://x.example"}, "url: not allowed; give https"),
    ({"url": "https://"}, "url: not allowed"),
    ({"url": "https://x.example:port/"}, "url: not a URL"),
    ({"url": "http://x.example/hook"}, "url: http is for this machine only"),
    ({"url": "http://127.0.0.1.example.org/"}, "url: http is for this machine only"),
    ({"url": "https://me:hidden@x.example/"}, "url: a name or password"),
    ({"url": "https://hooks.slack.com/services/T/B/hidden"}, "is itself a secret; give env:NAME"),
    ({"url": "env:not a name"}, "url: after env:"),
    ({"name": "Team Channel"}, "name: 'Team Channel' is not allowed"),
    ({"events": ["look.significant"]}, "event: look.significant is not allowed"),
    ({"events": []}, "event: none is not allowed"),
    ({"format": "xml"}, "format: 'xml' is not allowed"),
    ({"secret_variable": None}, "secret_env: none is given"),
    ({"secret_variable": "hidden-in-plain-sight"}, "secret_env: not the name of an environment variable"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_every_mistake_is_said_and_no_secret_repeated(
    team: Any, change: dict[str, Any], message: str
) -> None:
    given: dict[str, Any] = {"name": "all", "url": URL, "secret_variable": "SECRET"} | change
    name, url = given.pop("name"), given.pop("url")
    with pytest.raises(ValueError) as wrong:
        webhooks.add_webhook(team.registry, "ada", name, url, **given)
    assert message in str(wrong.value)
    assert "hidden" not in str(wrong.value)


def test_all_mistakes_are_said_at_once(team: Any) -> None:
    with pytest.raises(ValueError) as wrong:
        webhooks.add_webhook(team.registry, "ada", "", "x", events=["y"], secret_variable="z")
    assert [line.split(":")[0] for line in str(wrong.value).splitlines()] == [
        "name",
        "url",
        "event",
        "secret_env",
    ]


@pytest.mark.parametrize(
    "where", ["http://127.0.0.1:8080/x", "http://[::1]/x", "http://localhost/x", "env:SLACK_URL"]
)
def test_where_a_message_may_go(team: Any, where: str) -> None:
    assert webhooks.add_webhook(team.registry, "ada", "x", where, format="slack").url == where


# How it is sent


@pytest.fixture
def machine() -> SimulatedClock:
    return SimulatedClock(TODAY)


def test_a_message_is_tried_again_five_times_ever_later_and_then_fails(
    told: Any, machine: SimulatedClock
) -> None:
    told.in_review()
    waited = []
    for attempt in range(len(RETRIES) + 1):
        claimed = outbox.claim_delivery(told.registry, machine=machine)
        assert claimed is not None, attempt
        after = outbox.record_attempt(
            told.registry, claimed[0].id, status=500, error="HTTP 500", machine=machine
        )
        if after.state == "failed":
            break
        assert after.due_at is not None
        waited.append(after.due_at - machine.now())
        machine.set(after.due_at - timedelta(microseconds=1))
        assert outbox.claim_delivery(told.registry, machine=machine) is None
        machine.set(after.due_at)
    assert waited == list(RETRIES)
    assert len(waited) == 5
    assert waited == sorted(waited)
    (failed,) = sent(told.registry)
    assert [(one.status, one.error) for one in failed.attempts] == [(500, "HTTP 500")] * 6
    machine.advance(timedelta(days=9))
    assert outbox.claim_delivery(told.registry, machine=machine) is None


def test_a_delivered_message_is_not_sent_again(told: Any, machine: SimulatedClock) -> None:
    told.in_review()
    assert outbox.waiting(told.registry) == 1
    claimed = outbox.claim_delivery(told.registry, machine=machine)
    assert claimed is not None
    outbox.record_attempt(told.registry, claimed[0].id, status=204, error=None, machine=machine)
    machine.advance(timedelta(days=9))
    assert outbox.claim_delivery(told.registry, machine=machine) is None
    assert outbox.waiting(told.registry) == 0


def test_a_message_whose_sender_died_is_due_again_under_the_same_key_but_not_for_ever(
    told: Any, machine: SimulatedClock
) -> None:
    told.in_review()
    keys = []
    while (claimed := outbox.claim_delivery(told.registry, machine=machine)) is not None:
        keys.append(claimed[0].key)
        assert outbox.claim_delivery(told.registry, machine=machine) is None
        machine.advance(LEASE)
    assert len(keys) == 6
    assert len(set(keys)) == 1
    assert [one.state for one in sent(told.registry)] == ["failed"]


def test_of_several_senders_each_message_goes_to_one(told: Any) -> None:
    for _ in range(6):
        told.in_review()
    barrier = threading.Barrier(3)

    def send(_: int) -> list[int]:
        barrier.wait()
        got = []
        while (claimed := outbox.claim_delivery(told.registry)) is not None:
            got.append(claimed[0].id)
        return got

    with ThreadPoolExecutor(3) as pool:
        shares = list(pool.map(send, range(3)))
    assert sorted(id for share in shares for id in share) == [1, 2, 3, 4, 5, 6]


def test_keys_are_never_used_twice(told: Any) -> None:
    told.decided()
    told.in_review()
    outbox.send_test(told.registry, "ada", "all")
    outbox.send_test(told.registry, "ada", "all")
    with told.registry.reading() as connection:
        rows, keys = connection.execute(select(func.count(), func.count(deliveries.c.key.distinct()))).one()
    assert rows == keys


def test_there_is_no_event_for_an_effect() -> None:
    assert len(EVENTS) == 18
    assert not [event for event in EVENTS if "signific" in event or "effect" in event]
