"""Tokens: who is asking is proven, a token stands nowhere but with its person, and a bad one is on record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from registry import membership, store, tokens
from registry.actors import SYSTEM_ID
from registry.database import Registry
from registry.errors import Refused, Unknown
from registry.tables import metadata
from registry.tokens import PREFIX, NewToken
from registry.verification import verify


def refusal(attempt: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as refused:
        attempt()
    return str(refused.value)


@pytest.fixture
def laptop(registry: Registry) -> NewToken:
    return tokens.create(registry, "mira", "laptop")


def everything(registry: Registry) -> Iterator[str]:
    """Every cell of every table, as text."""
    with registry.reading() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(table.select()):
                yield from map(str, row)


def test_a_token_proves_whose_it_is(registry: Registry, laptop: NewToken) -> None:
    assert tokens.proven(registry, laptop.secret, None) == "mira"
    assert tokens.proven(registry, laptop.secret, "mira") == "mira"
    assert tokens.proven(registry, None, "ola") == "ola"
    assert tokens.proven(registry, None, None) is None
    assert verify(registry).ok


def test_a_token_is_shown_once_and_kept_nowhere(registry: Registry, laptop: NewToken, tmp_path: Any) -> None:
    assert laptop.secret.startswith(PREFIX)
    random = laptop.secret.rpartition("_")[2]
    assert len(random) == 64
    assert not [cell for cell in everything(registry) if random in cell]
    for kept in (repr(laptop), str(tokens.list_tokens(registry)), "".join(store.export_ledger(registry))):
        assert random not in kept
    assert laptop.secret != tokens.create(registry, "mira", "other").secret


def test_an_unknown_token_is_refused_and_recorded_without_it(registry: Registry) -> None:
    guessed = f"{PREFIX}12345678_{'0' * 64}"
    said = refusal(lambda: tokens.proven(registry, guessed, "mira"))
    assert "none of this registry" in said
    (entry,) = store.find_ledger(registry, action="use token refused")
    assert (entry.actor, entry.entity) == (SYSTEM_ID, "token:unknown")
    assert "12345678" not in said + str(entry)
    assert not [cell for cell in everything(registry) if guessed in cell]


@pytest.mark.parametrize("end", ["revoked", "expired", "belongs to mira, who is no longer active"])
def test_a_token_that_is_no_longer_good_is_refused_and_recorded(
    registry: Registry, clock: Any, laptop: NewToken, end: str
) -> None:
    if end == "revoked":
        tokens.revoke(registry, "mira", laptop.token.id)
    elif end == "expired":
        clock.advance(tokens.DEFAULT_LIFETIME)
    else:
        membership.let_go(registry, "ada", "mira", "Left the company.")
    said = refusal(lambda: tokens.proven(registry, laptop.secret, None))
    assert end in said
    (entry,) = store.find_ledger(registry, action="use token refused")
    assert entry.entity == f"token:{laptop.token.id}"
    assert entry.actor == (SYSTEM_ID if "active" in end else "mira")
    assert laptop.secret not in said + str(entry)


def test_a_token_is_good_until_its_last_moment(registry: Registry, clock: Any, laptop: NewToken) -> None:
    clock.advance(tokens.DEFAULT_LIFETIME - timedelta(microseconds=1))
    assert tokens.proven(registry, laptop.secret, None) == "mira"
    assert laptop.token.standing(clock.now()) == "active"
    assert laptop.token.standing(clock.now() + timedelta(microseconds=1)) == "expired"


def test_nobody_acts_as_somebody_else_with_their_own_token(registry: Registry, laptop: NewToken) -> None:
    said = refusal(lambda: tokens.proven(registry, laptop.secret, "ola"))
    assert "The token is mira's, and ola is named" in said
    assert len(store.find_ledger(registry, actor="mira", action="use token refused")) == 1


def test_once_tokens_are_required_a_name_proves_nothing(registry: Registry) -> None:
    assert "has no active token" in refusal(lambda: tokens.require_tokens(registry, "ada"))
    assert "Only an admin" in refusal(lambda: tokens.require_tokens(registry, "mira"))
    own = tokens.create(registry, "ada", "laptop")
    tokens.require_tokens(registry, "ada")
    tokens.require_tokens(registry, "ada")
    assert tokens.tokens_required(registry)
    assert len(store.find_ledger(registry, action="require tokens")) == 1
    for named in ("mira", "nobody", None):
        assert "Tokens are required here" in refusal(lambda named=named: tokens.proven(registry, None, named))
    assert tokens.proven(registry, own.secret, None) == "ada"
    actors = [entry.actor for entry in store.find_ledger(registry, action="use token refused")]
    assert actors == ["mira", SYSTEM_ID, SYSTEM_ID]
    tokens.require_tokens(registry, "ada", required=False)
    assert tokens.proven(registry, None, "mira") == "mira"
    assert verify(registry).ok


def test_an_admin_makes_a_token_for_another_and_that_stays_visible(registry: Registry) -> None:
    made = tokens.create(registry, "ada", "schedule", person_id="mira", lifetime=timedelta(days=1))
    assert (made.token.person, made.token.issued_by) == ("mira", "ada")
    (entry,) = store.find_ledger(registry, action="create token")
    assert (entry.actor, entry.entity) == ("ada", "person:mira")
    assert "Only an admin" in refusal(lambda: tokens.create(registry, "mira", "x", person_id="ola"))
    assert "Only an admin" in refusal(lambda: tokens.revoke(registry, "ola", made.token.id))
    assert tokens.revoke(registry, "ada", made.token.id).revoked_by == "ada"
    assert tokens.list_tokens(registry, "ola") == ()


def test_fairtrial_itself_and_those_who_left_get_no_token(registry: Registry) -> None:
    membership.let_go(registry, "ada", "vic", "Left the company.")
    for holder in (SYSTEM_ID, "vic"):
        said = refusal(lambda holder=holder: tokens.create(registry, "ada", "x", person_id=holder))
        assert f"{holder} gets no token" in said


def test_two_active_tokens_of_a_person_have_different_names(registry: Registry, laptop: NewToken) -> None:
    assert "has an active token 'laptop'" in refusal(lambda: tokens.create(registry, "mira", " laptop "))
    tokens.create(registry, "ola", "laptop")
    tokens.revoke(registry, "mira", laptop.token.id)
    assert tokens.create(registry, "mira", "laptop").token.id != laptop.token.id


@pytest.mark.parametrize(
    ("name", "lifetime", "message"),
    [
        ("", timedelta(days=1), "name: '' is not allowed"),
        ("x" * 61, timedelta(days=1), "1 to 60 characters"),
        ("a\nb", timedelta(days=1), "name: "),
        ("laptop", timedelta(0), "lifetime: 0:00:00 is not allowed"),
        ("laptop", timedelta(days=367), "at most 366 days"),
    ],
)
def test_names_and_lifetimes_that_are_not_allowed(
    registry: Registry, name: str, lifetime: timedelta, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tokens.create(registry, "mira", name, lifetime=lifetime)


def test_a_token_given_where_its_id_belongs_is_not_repeated(registry: Registry, laptop: NewToken) -> None:
    with pytest.raises(Unknown) as unknown:
        tokens.revoke(registry, "mira", laptop.secret)
    assert laptop.secret not in str(unknown.value)
    with pytest.raises(Unknown, match="there is no token 00000000"):
        tokens.revoke(registry, "mira", "00000000")


def test_a_token_put_into_the_table_behind_the_registry_s_back_is_found(
    registry: Registry, laptop: NewToken, behind_its_back: Any
) -> None:
    with behind_its_back.begin() as connection:
        connection.execute(text("UPDATE tokens SET person = 'ola'"))
    assert not verify(registry).ok
