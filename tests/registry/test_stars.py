"""Stars: a person's own, and no record of anything."""

from __future__ import annotations

from typing import Any

import pytest

from registry import store
from registry.errors import Unknown
from registry.stars import star, starred
from registry.verification import verify


def test_a_star_is_a_person_s_own(team: Any) -> None:
    first, second = team.draft().id, team.draft().id
    star(team.registry, "mira", first)
    star(team.registry, "mira", second)
    star(team.registry, "ola", second)
    star(team.registry, "mira", second, on=False)
    assert starred(team.registry, "mira") == {first}
    assert starred(team.registry, "ola") == {second}
    assert starred(team.registry, "dan") == frozenset()


def test_a_star_may_be_there_already_or_gone_and_leaves_no_record(team: Any) -> None:
    id = team.draft().id
    before = store.head(team.registry).count
    for on in (False, True, True, False, False, True):
        star(team.registry, "mira", id, on=on)
    assert starred(team.registry, "mira") == {id}
    assert store.head(team.registry).count == before
    assert verify(team.registry).ok


def test_a_star_is_of_somebody_known_for_something_that_is_there(team: Any) -> None:
    id = team.draft().id
    with pytest.raises(Unknown, match="'EXP-9999' is not in this registry"):
        star(team.registry, "mira", "EXP-9999")
    with pytest.raises(Unknown, match="person 'nobody' is not known here"):
        star(team.registry, "nobody", id)
