"""Digests and quiet hours: one message a day, nothing at night, and what is urgent at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry import lifecycle, outbox, webhooks
from registry.clock import SimulatedClock
from registry.database import Registry
from registry.errors import Refused
from registry.events import EVENTS, URGENT
from registry.lifecycle import StopReason
from registry.outbox import Delivery
from registry.quiet import DIGEST_HOUR, QuietHours, is_digest_time, is_quiet, quiet_hours
from registry.records import Verdict
from registry.verification import verify

URL = "https://hooks.example.org/fairtrial"
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
CANARY = 0.0114321


def at(hour: float, day: int = 0) -> datetime:
    return MIDNIGHT + timedelta(days=day, hours=hour)


@pytest.fixture
def machine() -> SimulatedClock:
    return SimulatedClock(at(12))


def told(team: Any, **timing: Any) -> Any:
    webhooks.add_webhook(team.registry, "ada", "hook", URL, secret_variable="SECRET", **timing)
    return team


def claimed(registry: Registry, machine: SimulatedClock) -> list[str]:
    """All that may be sent now, and is."""
    names = []
    while (found := outbox.claim_delivery(registry, machine=machine)) is not None:
        outbox.record_attempt(registry, found[0].id, status=204, error=None, machine=machine)
        names.append(found[0].event)
    return names


def log(registry: Registry) -> list[Delivery]:
    return list(reversed(outbox.delivery_log(registry, limit=1_000)))


@pytest.mark.parametrize(
    ("written", "quiet"),
    [
        ("20-07", {20, 21, 22, 23, 0, 1, 2, 3, 4, 5, 6}),
        ("00-06", {0, 1, 2, 3, 4, 5}),
        ("12-13", {12}),
        ("23-00", {23}),
        (None, set()),
    ],
)
def test_quiet_hours_begin_with_the_first_and_end_before_the_last(
    written: str | None, quiet: set[int]
) -> None:
    assert {hour for hour in range(24) if is_quiet(written, at(hour + 0.99))} == quiet


@pytest.mark.parametrize("written", ["7-20", "20-24", "20:00-07:00", "20-20", "", "20-07 ", "２０-07"])
def test_quiet_hours_are_two_different_hours_of_the_day(written: str) -> None:
    with pytest.raises(ValueError, match="two different hours of the day, UTC, for example 20-07"):
        quiet_hours(written)


def test_every_day_has_a_time_for_its_digest_outside_quiet_hours() -> None:
    for hours in [QuietHours(start, end) for start in range(24) for end in range(24) if start != end]:
        written = f"{hours.start:02}-{hours.end:02}"
        times = [hour for hour in range(24) if is_digest_time(written, at(hour))]
        assert times, written
        assert not [hour for hour in times if is_quiet(written, at(hour))], written
        assert min(times) >= DIGEST_HOUR or hours.cover(DIGEST_HOUR), written


def test_in_quiet_hours_what_is_not_urgent_waits_for_their_end(team: Any, machine: SimulatedClock) -> None:
    told(team, quiet="20-07")
    running = team.running().id
    machine.set(at(23))
    assert claimed(team.registry, machine) == []
    lifecycle.stop(team.registry, "system", running, StopReason.HARM, what="failure@1")
    assert claimed(team.registry, machine) == ["harm_stop.tripped"]
    machine.set(at(7, day=1))
    assert claimed(team.registry, machine) == [
        "experiment.submitted",
        "experiment.registered",
        "experiment.started",
    ]


def test_a_test_of_the_webhook_does_not_wait(team: Any, machine: SimulatedClock) -> None:
    told(team, quiet="20-07", digest="daily")
    outbox.send_test(team.registry, "ada", "hook")
    machine.set(at(23))
    assert claimed(team.registry, machine) == ["webhook.test"]


def test_quiet_hours_of_one_webhook_are_not_those_of_another(team: Any, machine: SimulatedClock) -> None:
    told(team, quiet="20-07")
    webhooks.add_webhook(team.registry, "ada", "awake", URL, secret_variable="SECRET")
    team.in_review()
    machine.set(at(23))
    found = outbox.claim_delivery(team.registry, machine=machine)
    assert found is not None
    assert found[1].name == "awake"


def test_a_day_s_events_are_one_message_and_urgent_ones_are_not_in_it(team: Any) -> None:
    machine = SimulatedClock(at(7.9))
    told(team, digest="daily")
    team.decided()
    lifecycle.stop(team.registry, "system", team.running().id, StopReason.HARM, what="failure@1")
    assert outbox.gather_digests(team.registry, machine=machine) == 0
    assert claimed(team.registry, machine) == ["harm_stop.tripped"]
    machine.set(at(8))
    assert outbox.gather_digests(team.registry, machine=machine) == 1
    assert outbox.gather_digests(team.registry, machine=machine) == 0
    assert claimed(team.registry, machine) == ["webhook.digest"]
    digest = log(team.registry)[-1]
    assert digest.payload["text"] == "Fairtrial: 10 events since the last digest, about EXP-0001, EXP-0002."
    assert [one["event"] for one in digest.payload["detail"]["events"]][:4] == [
        "experiment.submitted",
        "experiment.registered",
        "experiment.started",
        "look.opened",
    ]
    assert [one.state for one in log(team.registry)] == ["in digest"] * 10 + ["delivered"] * 2
    assert digest.key == "digest-2026-11-20"


def test_a_digest_is_made_once_a_day_and_never_empty(team: Any, machine: SimulatedClock) -> None:
    told(team, digest="daily")
    assert outbox.gather_digests(team.registry, machine=machine) == 0
    made = 0
    for hour in range(12, 72, 3):
        machine.set(at(hour))
        team.in_review()
        made += outbox.gather_digests(team.registry, machine=machine)
    assert made == 3
    assert [one.key for one in log(team.registry) if one.event == "webhook.digest"] == [
        "digest-2026-11-20",
        "digest-2026-11-21",
        "digest-2026-11-22",
    ]


def test_a_digest_waits_for_the_end_of_quiet_hours(team: Any) -> None:
    machine = SimulatedClock(at(9))
    told(team, digest="daily", quiet="20-10")
    team.in_review()
    assert outbox.gather_digests(team.registry, machine=machine) == 0
    machine.set(at(10))
    assert outbox.gather_digests(team.registry, machine=machine) == 1


def test_a_digest_holds_no_number_before_the_release(team: Any, machine: SimulatedClock) -> None:
    told(team, digest="daily")
    id = team.running().id
    lifecycle.open_look(team.registry, "system", id, 1, 3, team.clock.now())
    readout = {
        "verdict": {"code": "SHIP", "sentence": f"Better by {CANARY}."},
        "primary": [{"p_value": CANARY}],
    }
    lifecycle.seal_look(
        team.registry, "system", id, 1, readout, stop=StopReason.EFFICACY, verdict=Verdict.SHIP
    )
    outbox.gather_digests(team.registry, machine=machine)
    assert "look.closed" in json.dumps(dict(log(team.registry)[-1].payload))
    assert str(CANARY) not in json.dumps([dict(one.payload) for one in log(team.registry)])
    lifecycle.mature(team.registry, "system", id, team.clock.now())
    lifecycle.release(team.registry, "system", id)
    machine.advance(timedelta(days=1))
    outbox.gather_digests(team.registry, machine=machine)
    assert str(CANARY) in json.dumps(dict(log(team.registry)[-1].payload))


def test_without_a_digest_any_more_what_was_gathered_is_sent(team: Any, machine: SimulatedClock) -> None:
    told(team, digest="daily")
    team.in_review()
    assert claimed(team.registry, machine) == []
    changed = webhooks.set_timing(team.registry, "ada", "hook", digest=None, quiet="20-07")
    assert (changed.digest, changed.quiet) == (None, "20-07")
    assert claimed(team.registry, machine) == ["experiment.submitted"]
    assert verify(team.registry).ok


def test_a_removed_webhook_gets_no_digest(team: Any, machine: SimulatedClock) -> None:
    told(team, digest="daily")
    team.in_review()
    webhooks.remove_webhook(team.registry, "ada", "hook")
    assert outbox.gather_digests(team.registry, machine=machine) == 0
    assert [one.state for one in log(team.registry)] == ["dropped"]


def test_only_an_admin_says_when_and_mistakes_are_said_at_once(team: Any) -> None:
    told(team)
    with pytest.raises(Refused, match="Only an admin"):
        webhooks.set_timing(team.registry, "mira", "hook", digest="daily", quiet=None)
    wrong: Any = "weekly"
    with pytest.raises(ValueError) as refused:
        webhooks.set_timing(team.registry, "ada", "hook", digest=wrong, quiet="night")
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == ["digest", "quiet"]


def test_what_is_urgent_is_an_event_that_can_be_asked_for() -> None:
    assert set(EVENTS) >= URGENT - {"webhook.test"}
