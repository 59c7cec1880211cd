"""What the serving side and the team are told of a rollout, in the transaction that causes it."""

from typing import Any

import pytest
from sqlalchemy import select

from registry import ladder, lifecycle, membership, webhooks
from registry.actors import Role
from registry.clock import SimulatedClock
from registry.database import Registry
from registry.events import EVENTS
from registry.lifecycle import StopReason
from registry.records import Verdict
from registry.tables import deliveries
from tests.registry.climbing import REASON, Climb, canary_readout


@pytest.fixture
def climb(registry: Registry, clock: SimulatedClock) -> Climb:
    membership.add_person(registry, "ada", "oncall", "On call", [Role.ON_CALL])
    webhooks.add_webhook(registry, "ada", "team", "https://example.org/hook", secret_variable="SECRET")
    return Climb(registry, clock)


def told(climb: Climb, since: int = 0) -> list[dict[str, Any]]:
    with climb.registry.reading() as connection:
        rows = connection.execute(select(deliveries).order_by(deliveries.c.id)).mappings()
        return [dict(row["payload"]) for row in rows if row["id"] > since and _of_ladder(row["event"])]


def _of_ladder(event: str) -> bool:
    return event.startswith(("model.", "ladder."))


def latest(climb: Climb) -> int:
    with climb.registry.reading() as connection:
        return max(connection.execute(select(deliveries.c.id)).scalars(), default=0)


def test_a_step_is_told_when_asked_for_and_when_signed_with_the_new_route(climb: Climb) -> None:
    rollout = climb.in_canary()
    climb.checked(climb.at(rollout).canary or "", 1, 1)
    before = latest(climb)
    climb.advanced(rollout)
    ladder.approve(climb.registry, "dan", rollout, REASON)
    events = told(climb, before)
    assert [one["event"] for one in events] == [
        "model.transition.requested",
        "model.transition.approved",
        "ladder.route",
    ]
    assert events[1]["detail"]["evidence"][0]["what"] == "sealed readout"
    assert events[1]["rollout"]["id"] == rollout
    route = events[2]["detail"]
    assert (route["version"], route["share"], route["step"]) == ("v3", 0.05, 2)
    assert route["candidate"]["version"] == "v4"
    assert route["control"]["high"] == 2**52
    assert all(one["event"] in EVENTS for one in events)


def test_a_rollback_is_told_at_once_with_the_champion_for_everybody(climb: Climb) -> None:
    rollout = climb.in_canary()
    before = latest(climb)
    ladder.roll_back(climb.registry, "oncall", rollout, "Errors rise.")
    events = told(climb, before)
    assert [one["event"] for one in events] == ["model.transition.rolled_back", "ladder.route"]
    assert (events[1]["detail"]["version"], events[1]["detail"]["share"]) == ("v3", 0.0)
    assert "Errors rise." in events[0]["text"]


def test_a_breach_tells_the_serving_side_in_the_act_that_seals_it(climb: Climb) -> None:
    rollout = climb.in_canary()
    canary = climb.at(rollout).canary or ""
    lifecycle.open_look(climb.registry, "system", canary, 1, 20, climb.tick())
    before = latest(climb)
    readout = canary_readout(1, 1, "DO NOT PASS", "pause", 100)
    lifecycle.seal_look(
        climb.registry, "system", canary, 1, readout, stop=StopReason.BREACH, verdict=Verdict.DO_NOT_PASS
    )
    (route,) = told(climb, before)
    assert route["event"] == "ladder.route"
    assert route["detail"]["share"] == 0.0
    assert route["rollout"]["state"] == "paused"


def test_an_entry_that_stops_tells_the_new_route_though_no_step_was_taken(climb: Climb) -> None:
    rollout = climb.in_ab()
    before = latest(climb)
    lifecycle.stop_by_hand(climb.registry, "mira", climb.at(rollout).ab or "", REASON)
    (route,) = told(climb, before)
    assert (route["event"], route["detail"]["share"]) == ("ladder.route", 0.0)


def test_other_acts_tell_nothing_of_a_rollout(climb: Climb) -> None:
    rollout = climb.in_canary()
    before = latest(climb)
    climb.checked(climb.at(rollout).canary or "", 1, 1)
    assert told(climb, before) == []


def test_what_is_told_of_an_entry_leads_to_the_page_of_its_kind(climb: Climb) -> None:
    climb.in_ab()
    with climb.registry.reading() as connection:
        rows = connection.execute(select(deliveries.c.payload)).scalars()
        pages = {
            payload["experiment"]["id"][:3]: payload["page"] for payload in rows if "experiment" in payload
        }
    assert pages["SHD"] == "/shadow?id=SHD-0001"
    assert pages["CAN"] == "/ladder?id=CAN-0002"
    assert pages["EXP"].startswith("/experiment?id=EXP-0003&tab=")
