"""Who is at the page: signed in by OpenID Connect, or a named local identity that only this machine can have.

Signing in proves who somebody is, never what they may do: roles are kept in the registry and read again on every act.

Three ways, in this order:

* A deployment with sign-in configured (Streamlit's ``[auth]`` secrets): the verified e-mail address is the person's id.
* A registry for one person, served to this machine only: that person.
* A registry on a simulated clock, served to this machine only: whoever is chosen in the sidebar. Everything done there is
  labelled simulated for ever, so that a shared deployment cannot be opened like this by accident.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from registry.actors import SYSTEM_ID, Person
from registry.database import Registry
from registry.store import everybody

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
ACT_AS: Final = "act_as"


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody at a page.

    Attributes:
        person: as the registry knows them now.
        how: in words, for the foot of every page.
        chosen: whether the identity was only chosen, on a simulated clock.
    """

    person: Person
    how: str
    chosen: bool = False

    @property
    def id(self) -> str:
        return self.person.id


class NobodyHere(Exception):  # noqa: N818 - named as what happened
    """Nobody may see these pages; the message says why and what to do.

    Attributes:
        can_sign_in: whether signing in would help.
    """

    def __init__(self, why: str, *, can_sign_in: bool = False) -> None:
        super().__init__(why)
        self.can_sign_in = can_sign_in


def identify(registry: Registry, *, served_to: str, signs_in: bool, user: Mapping[str, Any]) -> Identity:
    """Who is at the page.

    Args:
        served_to: the address the server listens at.
        signs_in: whether sign-in is configured.
        user: what the sign-in told of the user; empty before it.

    Raises:
        NobodyHere: not signed in, not known here, no longer active, or no way to know.
    """
    people = {person.id: person for person in everybody(registry) if person.id != SYSTEM_ID}
    if signs_in:
        return _signed_in(people, user)
    if served_to not in LOOPBACK:
        raise NobodyHere(
            "These pages are served to other machines, and sign-in is not set up. Set it up in .streamlit/secrets.toml "
            "([auth]), or serve them to this machine only: fairtrial app"
        )
    alone = next((person for person in people.values() if person.one_person), None)
    if alone is not None:
        return Identity(alone, "one-person mode, on this machine")
    if registry.clock.simulated:
        asked = st.session_state.get(ACT_AS) or st.query_params.get(ACT_AS)
        chosen = people.get(str(asked)) or _first(people)
        return Identity(chosen, "chosen here: the clock is simulated", chosen=True)
    raise NobodyHere(
        "This registry is for a team, and sign-in is not set up. Set it up in .streamlit/secrets.toml ([auth])."
    )


def _signed_in(people: Mapping[str, Person], user: Mapping[str, Any]) -> Identity:
    if not user.get("is_logged_in"):
        raise NobodyHere("Sign in to see the experiments.", can_sign_in=True)
    expires = user.get("exp")
    if isinstance(expires, int | float) and expires < time.time():
        raise NobodyHere("The sign-in has expired. Sign in again.", can_sign_in=True)
    email = str(user.get("email") or "").strip().lower()
    if not email or user.get("email_verified") is False:
        raise NobodyHere(
            "The sign-in gave no verified e-mail address, which is what the registry knows people by."
        )
    person = people.get(email)
    if person is None:
        raise NobodyHere(f"{email} is not known here. Ask an admin: fairtrial people add {email}")
    if not person.active:
        raise NobodyHere(f"{email} may no longer act here. Ask an admin.")
    return Identity(person, "signed in")


def _first(people: Mapping[str, Person]) -> Person:
    active = [person for person in people.values() if person.active]
    if not active:
        raise NobodyHere("Nobody is in this registry yet: fairtrial people add")
    with_work = [person for person in active if any(role.value == "Analyst" for role in person.roles)]
    return (with_work or active)[0]
