"""Who is at the page: signed in by OpenID Connect, or a named local identity that only this machine can have.

Signing in proves who somebody is, never what they may do: roles are kept in the registry and read again on every act.

Three ways, in this order:

* A deployment with sign-in configured (Streamlit's ``[auth]`` secrets): the verified e-mail address is the person's id.
* A registry for one person, used on this machine only: that person.
* A registry on a simulated clock, used on this machine only: whoever is chosen in the sidebar. Everything done there is
  labelled simulated for ever.

So that a shared deployment gets neither of the latter by accident, the server has to listen to this machine only, and the
browser has to have come by a name of this machine: a proxy in front changes that. Secrets that cannot be read let nobody in.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import streamlit as st

from registry.actors import SYSTEM_ID, Person
from registry.database import Registry
from registry.store import everybody

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
ACT_AS: Final = "act_as"

VERIFIED: Final = ("email_verified", "xms_edov")
"""Claims by which a provider vouches for an address: OpenID Connect Core 1.0, section 5.1; Microsoft Entra's, which has to be
asked for in the app's registration."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody at a page.

    Attributes:
        person: as the registry knows them now.
        how: in words, for the foot of every page.
        chosen: whether the identity was only chosen, on a simulated clock.
        signed_in: whether somebody else vouched for it, and it can be given up again.
    """

    person: Person
    how: str
    chosen: bool = False
    signed_in: bool = False

    @property
    def id(self) -> str:
        return self.person.id


class NobodyHere(Exception):  # noqa: N818 - named as what happened
    """Nobody may see these pages; the message says why and what to do.

    Attributes:
        can_sign_in: whether signing in would help.
        can_sign_out: whether somebody is signed in, only not as anybody who may be here.
    """

    def __init__(self, why: str, *, can_sign_in: bool = False, can_sign_out: bool = False) -> None:
        super().__init__(why)
        self.can_sign_in = can_sign_in
        self.can_sign_out = can_sign_out


def who_is_here(registry: Registry) -> Identity:
    """Who is at the page of this session, by what the server and the browser say.

    Raises:
        NobodyHere: nobody who may see it.
    """
    signs_in = is_sign_in_set_up()
    listens_at = str(st.get_option("server.address") or "")
    return identify(
        registry,
        served_to=listens_at,
        reached_at=_reached_at() if st.context.headers else listens_at,
        signs_in=signs_in,
        user=st.user.to_dict() if signs_in else {},
    )


def is_sign_in_set_up() -> bool:
    """Whether this deployment has sign-in configured.

    Raises:
        NobodyHere: there are secrets, and they cannot be read. A slip of the pen in them must not switch sign-in off.
    """
    try:
        return "auth" in st.secrets
    except (OSError, ValueError) as error:
        files = [file for file in st.get_option("secrets.files") if Path(file).exists()]
        if not files:
            return False
        raise NobodyHere(
            f"Nobody can sign in, because the secrets cannot be read. Ask an admin to mend {' or '.join(files)}."
        ) from error


def identify(
    registry: Registry, *, served_to: str, reached_at: str, signs_in: bool, user: Mapping[str, Any]
) -> Identity:
    """Who is at the page.

    Args:
        served_to: the address the server listens at.
        reached_at: the host by which the browser came.
        signs_in: whether sign-in is configured.
        user: what the sign-in told of the user; empty before it.

    Raises:
        NobodyHere: not signed in, not known here, no longer active, or no way to know.
    """
    people = {person.id: person for person in everybody(registry) if person.id != SYSTEM_ID}
    if signs_in:
        return _signed_in(people, user)
    if not {served_to, reached_at} <= LOOPBACK:
        raise NobodyHere(
            "These pages are served to other machines, and sign-in is not set up. Set it up in .streamlit/secrets.toml "
            "([auth]), or use them on this machine only: fairtrial app"
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
    if not email:
        raise NobodyHere(
            "The sign-in gave no e-mail address, which is what the registry knows people by. Ask an admin: the provider has "
            "to give the claim email.",
            can_sign_out=True,
        )
    if not any(_is_true(user.get(claim)) for claim in VERIFIED):
        raise NobodyHere(
            f"The sign-in does not vouch for {email}: it calls the address unverified, or says nothing about it. Have it "
            "verified where you signed in, or ask an admin.",
            can_sign_out=True,
        )
    person = people.get(email)
    if person is None:
        raise NobodyHere(
            f"You are signed in as {email}, who is not known here. Ask an admin to let you in: fairtrial people add {email}",
            can_sign_out=True,
        )
    if not person.active:
        raise NobodyHere(f"{email} may no longer act here. Ask an admin.", can_sign_out=True)
    return Identity(person, "signed in", signed_in=True)


def _reached_at() -> str:
    """The host by which the browser came, as its own Origin header says, which a proxy leaves alone; empty without one."""
    return urlsplit(st.context.headers.get("Origin") or "").hostname or ""


def _is_true(claim: object) -> bool:
    """Some providers write the claim as text, or as a number."""
    return str(claim).lower() in ("true", "1")


def _first(people: Mapping[str, Person]) -> Person:
    active = [person for person in people.values() if person.active]
    if not active:
        raise NobodyHere("Nobody is in this registry yet: fairtrial people add")
    with_work = [person for person in active if any(role.value == "Analyst" for role in person.roles)]
    return (with_work or active)[0]
