"""Verified metrics: who vouches, for exactly which definition, in the ledger."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.designs.metrics import Baseline, Metric
from registry import membership, store
from registry.actors import Role
from registry.errors import Refused, Unknown
from registry.stewardship import definition_sha256, standing_of, unverify_metric, verified, verify_metric
from registry.verification import verify

REASON = "Compared with the finance report of October: equal."
SUCCESS = Metric(name="success", version=1, type="conversion", event="done", direction="higher")


@pytest.fixture
def stewarded(team: Any) -> Any:
    """A team in which vic is metric steward."""
    membership.grant_role(team.registry, "ada", "vic", Role.METRIC_STEWARD)
    return team


def test_a_steward_vouches_and_takes_it_back_with_reasons_in_the_ledger(stewarded: Any) -> None:
    registry = stewarded.registry
    found = verify_metric(registry, "vic", SUCCESS, REASON)
    assert (found.reference, found.verified_by, found.reason) == ("success@1", "vic", REASON)
    assert standing_of(SUCCESS, verified(registry)) == "verified"
    unverify_metric(registry, "vic", "success@1", "The event is logged twice since Monday.")
    assert standing_of(SUCCESS, verified(registry)) == "not verified"
    records = store.find_ledger(registry, entity="metric:success@1")
    assert [(one.action, one.role, one.reason) for one in records] == [
        ("verify metric", "Metric steward", REASON),
        ("unverify metric", "Metric steward", "The event is logged twice since Monday."),
    ]
    assert verify(registry).ok


@pytest.mark.parametrize("person", ["ada", "mira", "ola", "dan"])
def test_nobody_else_may_not_even_an_admin(stewarded: Any, person: str) -> None:
    with pytest.raises(Refused, match=f"Only a metric steward may verify a metric; {person} is none"):
        verify_metric(stewarded.registry, person, SUCCESS, REASON)
    verify_metric(stewarded.registry, "vic", SUCCESS, REASON)
    with pytest.raises(Refused, match="Only a metric steward may unverify a metric"):
        unverify_metric(stewarded.registry, person, "success@1", REASON)


def test_a_new_version_is_not_verified_and_one_edited_in_place_no_longer(stewarded: Any) -> None:
    verify_metric(stewarded.registry, "vic", SUCCESS, REASON)
    known = verified(stewarded.registry)
    assert standing_of(SUCCESS.model_copy(update={"version": 2}), known) == "not verified"
    for change in (
        {"event": "finished"},
        {"at_least": 2},
        {"direction": "lower"},
        {"meaning": "Other words."},
    ):
        assert standing_of(SUCCESS.model_copy(update=change), known) == "changed", change
    measured = SUCCESS.model_copy(update={"baseline": Baseline(mean=0.3, source="October")})
    assert standing_of(measured, known) == "verified"


def test_a_changed_definition_can_be_verified_anew_and_the_same_one_not_twice(stewarded: Any) -> None:
    registry = stewarded.registry
    verify_metric(registry, "vic", SUCCESS, REASON)
    with pytest.raises(Refused, match="verified already, by vic"):
        verify_metric(registry, "vic", SUCCESS, REASON)
    edited = SUCCESS.model_copy(update={"at_least": 2})
    assert verify_metric(registry, "vic", edited, REASON).definition_sha256 == definition_sha256(edited)
    assert standing_of(edited, verified(registry)) == "verified"
    assert verify(registry).ok


def test_a_reason_is_needed_and_something_to_take_back(stewarded: Any) -> None:
    with pytest.raises(Refused, match="The reason has 2 characters; to verify metric, 10 are needed"):
        verify_metric(stewarded.registry, "vic", SUCCESS, " ok ")
    with pytest.raises(Unknown, match="success@1 is not verified"):
        unverify_metric(stewarded.registry, "vic", "success@1", REASON)


def test_a_field_at_its_default_does_not_enter_the_hash() -> None:
    assert definition_sha256(SUCCESS) == definition_sha256(SUCCESS.model_copy(update={"at_least": 1}))
