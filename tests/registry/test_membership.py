"""Who is in a registry, who may let others in, and what an admin may not do."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from registry import lifecycle, membership, store
from registry.actors import Role
from registry.database import Registry
from registry.errors import Refused, Unknown
from registry.lifecycle import Choice, Exposure
from registry.verification import verify

REASON = "Because the reason has to be long enough for a stranger to follow."


def refused_for(attempt: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as refusal:
        attempt()
    return refusal.value.reason


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Registry]:
    with store.open_registry(str(tmp_path / "alone.db")) as opened:
        membership.found(opened, "uma", "Uma", one_person=True)
        yield opened


def test_a_registry_is_founded_once(registry: Registry) -> None:
    assert "founded already" in refused_for(lambda: membership.found(registry, "eva", "Eva"))
    assert store.who_is(registry, "ada").roles == {Role.ADMIN}
    assert store.who_is(registry, "system").roles == {Role.SYSTEM}


def test_adding_people_and_granting_and_taking_roles_is_recorded(registry: Registry) -> None:
    membership.add_person(registry, "ada", "new", "New Person", [Role.ANALYST])
    membership.grant_role(registry, "ada", "new", Role.REVIEWER)
    assert store.who_is(registry, "new").roles == {Role.ANALYST, Role.REVIEWER}
    membership.revoke_role(registry, "ada", "new", Role.ANALYST)
    membership.let_go(registry, "ada", "new", "left the company")
    actions = [entry.action for entry in store.find_ledger(registry, entity="person:new")]
    assert actions == ["add person", "grant role", "revoke role", "let person go"]
    assert verify(registry).ok


def test_granting_a_role_twice_leaves_one_record(registry: Registry) -> None:
    membership.grant_role(registry, "ada", "mira", Role.ANALYST)
    assert store.find_ledger(registry, entity="person:mira", action="grant role") == ()


@pytest.mark.parametrize("person", ["mira", "ola", "dan", "system"])
def test_only_an_admin_lets_people_in(registry: Registry, person: str) -> None:
    assert "Only an admin" in refused_for(lambda: membership.add_person(registry, person, "new", "New"))
    assert "Only an admin" in refused_for(lambda: membership.grant_role(registry, person, "vic", Role.ADMIN))


def test_nobody_grants_a_role_to_themselves_and_nobody_becomes_the_system(registry: Registry) -> None:
    assert "to themselves" in refused_for(lambda: membership.grant_role(registry, "ada", "ada", Role.DECIDER))
    assert "Fairtrial itself" in refused_for(
        lambda: membership.grant_role(registry, "ada", "vic", Role.SYSTEM)
    )
    assert "Fairtrial itself" in refused_for(
        lambda: membership.add_person(registry, "ada", "bot", "Bot", [Role.SYSTEM])
    )
    assert "Fairtrial itself" in refused_for(lambda: membership.let_go(registry, "ada", "system", "tidying"))


def test_the_last_admin_stays(registry: Registry) -> None:
    assert "the only admin" in refused_for(lambda: membership.revoke_role(registry, "ada", "ada", Role.ADMIN))
    assert "the only admin" in refused_for(lambda: membership.let_go(registry, "ada", "ada", "leaving"))
    membership.grant_role(registry, "ada", "mira", Role.ADMIN)
    membership.let_go(registry, "mira", "ada", "left the company")
    assert "no longer active" in refused_for(lambda: membership.add_person(registry, "ada", "new", "New"))


def test_an_admin_has_no_power_over_plans_outcomes_or_decisions(team: Any) -> None:
    waiting, released = team.in_review(), team.readout()
    running = team.running()
    refused_for(lambda: lifecycle.create_draft(team.registry, "ada", team.plan()))
    refused_for(lambda: lifecycle.register(team.registry, "ada", waiting.id, Exposure(None)))
    refused_for(lambda: lifecycle.record_outcome_read(team.registry, "ada", running.id, "curious", 1))
    refused_for(lambda: lifecycle.decide(team.registry, "ada", released.id, Choice.SHIP, REASON))


@pytest.mark.parametrize("id", ["", "Ada", "a b", "a" * 65, "-a", "a\n"])
def test_an_id_that_would_be_read_two_ways_is_refused(registry: Registry, id: str) -> None:
    with pytest.raises(ValueError, match="an id is 1 to 64"):
        membership.add_person(registry, "ada", id, "Somebody")


def test_an_unknown_person_is_answered_with_those_who_are_known(registry: Registry) -> None:
    with pytest.raises(Unknown, match="known: ada, dan, eve"):
        store.who_is(registry, "nobody")


def test_in_one_person_mode_nobody_else_comes_in(alone: Registry) -> None:
    assert "for one person" in refused_for(lambda: membership.add_person(alone, "uma", "bob", "Bob"))


def test_after_one_person_mode_the_same_person_no_longer_reviews_themselves(
    alone: Registry, plan: Callable[..., Any]
) -> None:
    draft = lifecycle.create_draft(alone, "uma", plan())
    lifecycle.submit(alone, "uma", draft.id)
    membership.leave_one_person_mode(alone, "uma")
    refused_for(lambda: lifecycle.register(alone, "uma", draft.id, Exposure(None)))
    membership.add_person(alone, "uma", "bob", "Bob", [Role.REVIEWER])
    lifecycle.take_back(alone, "uma", draft.id)
    lifecycle.submit(alone, "uma", draft.id, reviewer="bob")
    locked = lifecycle.register(alone, "bob", draft.id, Exposure(None))
    assert "self-reviewed" not in locked.labels
    assert "not in one-person mode" in refused_for(lambda: membership.leave_one_person_mode(alone, "uma"))
    assert verify(alone).ok
