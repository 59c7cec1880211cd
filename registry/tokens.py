"""Personal tokens: how a command line, or a schedule, proves who is asking.

A token is shown once, when it is made, and kept as its SHA-256: 256 random bits cannot be guessed from it. It never stands in
the ledger, a message or a log. Whoever presents one that is unknown, revoked or expired is refused, and that is recorded.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NoReturn

from sqlalchemy import Connection, RowMapping, select

from registry.actors import SYSTEM_ID, Role, find_person, person
from registry.acts import Act, act
from registry.canonical import sha256_of_text
from registry.clock import instant, parse_instant
from registry.database import Registry
from registry.errors import Unknown
from registry.membership import REGISTRY
from registry.tables import properties, tokens

REQUIRED: Final = "tokens_required"
"""The registry property after which nobody acts by giving a name alone."""

PREFIX: Final = "fairtrial_"
"""How a token begins, so that scanners for leaked secrets can know one."""

DEFAULT_LIFETIME: Final = timedelta(days=90)
LONGEST_LIFETIME: Final = timedelta(days=366)
LONGEST_NAME: Final = 60

_USE: Final = "use token"
_ID: Final = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; not the token.

    Attributes:
        issued_by: the person whose it is, or the admin who made it for them.
    """

    id: str
    person: str
    name: str
    issued_by: str
    issued_at: datetime
    expires_at: datetime
    revoked_by: str | None
    revoked_at: datetime | None

    def standing(self, now: datetime) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if now < self.expires_at else "expired"


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token as it is made: the one moment at which `secret` is known here."""

    token: Token
    secret: str = field(repr=False)


def create(
    registry: Registry,
    actor: str,
    name: str,
    *,
    person_id: str | None = None,
    lifetime: timedelta = DEFAULT_LIFETIME,
) -> NewToken:
    """Make a token, for oneself; an admin may make one for somebody else, which stays visible as `issued_by`.

    Raises:
        ValueError: a name or a lifetime that is not allowed.
    """
    holder, name = person_id or actor, name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise ValueError(
            f"name: {name!r} is not allowed; say in 1 to {LONGEST_NAME} characters where it is used: laptop"
        )
    if not timedelta(0) < lifetime <= LONGEST_LIFETIME:
        raise ValueError(
            f"lifetime: {lifetime} is not allowed; give more than nothing and at most {LONGEST_LIFETIME.days} days"
        )
    id, random = secrets.token_hex(4), secrets.token_hex(32)
    secret = f"{PREFIX}{id}_{random}"
    with act(registry, actor, "create token", f"person:{holder}") as doing:
        _permit(doing, holder)
        owner = person(doing.connection, holder)
        if Role.SYSTEM in owner.roles or not owner.active:
            doing.object(
                f"{holder} gets no token: "
                + ("it is Fairtrial itself." if Role.SYSTEM in owner.roles else "they are no longer active."),
                when_possible="for a person who is active here.",
                what_to_do="Name somebody who is.",
            )
        query = select(tokens).where(tokens.c.person == holder, tokens.c.name == name)
        held = [_from(row) for row in doing.connection.execute(query).mappings()]
        if any(token.standing(doing.now) == "active" for token in held):
            doing.object(
                f"{holder} has an active token {name!r} already.",
                when_possible="with another name, or once that one is revoked.",
                what_to_do="Revoke it, or choose another name.",
            )
        doing.refuse_if_objections()
        expires = doing.now + lifetime
        doing.insert(
            tokens,
            {
                "id": id,
                "person": holder,
                "name": name,
                "sha256": sha256_of_text(secret),
                "issued_by": actor,
                "issued_at": doing.now,
                "expires_at": expires,
                "revoked_by": None,
                "revoked_at": None,
            },
        )
        doing.facts = {"token": id}
        doing.summary = f"Made token {id} ({name}) for {holder}, until {instant(expires)}."
    return NewToken(_find(registry, id), secret)


def revoke(registry: Registry, actor: str, id: str) -> Token:
    """Make a token worthless: whose it is, or an admin."""
    token = _find(registry, id)
    with act(registry, actor, "revoke token", f"person:{token.person}") as doing:
        _permit(doing, token.person)
        doing.refuse_if_objections()
        row = doing.connection.execute(select(tokens).where(tokens.c.id == id)).mappings().one()
        if row["revoked_at"] is None:
            doing.update(tokens, {"id": id}, {"revoked_by": actor, "revoked_at": doing.now})
            doing.facts = {"token": id}
            doing.summary = f"Revoked token {id} ({token.name}) of {token.person}."
    return _find(registry, id)


def list_tokens(registry: Registry, person_id: str | None = None) -> tuple[Token, ...]:
    """The tokens of a person, or of everybody, oldest first."""
    query = select(tokens).order_by(tokens.c.issued_at, tokens.c.id)
    if person_id is not None:
        query = query.where(tokens.c.person == person_id)
    with registry.reading() as connection:
        return tuple(_from(row) for row in connection.execute(query).mappings())


def require_tokens(registry: Registry, actor: str, *, required: bool = True) -> None:
    """From now on a name alone is nobody (or, not required, again is); an admin decides, who has a token already."""
    with act(registry, actor, "require tokens" if required else "stop requiring tokens", REGISTRY) as doing:
        _require_admin(doing)
        if required and not _has_active(doing, actor):
            doing.object(
                f"{actor} has no active token, and could not act any more.",
                when_possible="once you have one.",
                what_to_do="fairtrial people token create NAME",
            )
        doing.refuse_if_objections()
        if required and not _required(doing.connection):
            doing.insert(properties, {"name": REQUIRED, "value": True})
            doing.summary = "From now on whoever acts by command proves who they are by a token."
        elif not required and _required(doing.connection):
            doing.delete(properties, {"name": REQUIRED})
            doing.summary = "Whoever acts by command may do so by giving a name alone again."


def tokens_required(registry: Registry) -> bool:
    """Whether a name alone is refused."""
    with registry.reading() as connection:
        return _required(connection)


def proven(registry: Registry, secret: str | None, named: str | None) -> str | None:
    """Who is asking: the person of the token, else the one named while tokens are not required; None when neither is given.

    Raises:
        Refused: the token is unknown, revoked, expired or somebody else's than the one named; or there is none and one is
            required. Each is in the ledger.
    """
    if secret is None:
        if tokens_required(registry):
            _refuse(
                registry,
                REGISTRY,
                "Tokens are required here, and "
                + ("none was given." if named is None else f"{named!r} is a name, not a proof."),
                when="with a token of yours.",
                what="Make one on your page, or ask an admin for one, and set FAIRTRIAL_TOKEN.",
                actor=named,
            )
        return named
    with registry.reading() as connection:
        query = select(tokens).where(tokens.c.sha256 == sha256_of_text(secret))
        row = connection.execute(query).mappings().one_or_none()
        holder = None if row is None else find_person(connection, row["person"])
    if row is None:
        _refuse(
            registry,
            "token:unknown",
            "The token in FAIRTRIAL_TOKEN is none of this registry.",
            when="with a token of yours.",
            what="Check that it was copied whole, and that this is the registry it was made in.",
        )
    token = _from(row)
    standing = token.standing(registry.clock.now())
    if standing != "active" or holder is None or not holder.active:
        why = (
            f"is {standing}"
            if standing != "active"
            else f"belongs to {token.person}, who is no longer active"
        )
        _refuse(
            registry,
            f"token:{token.id}",
            f"Token {token.id} ({token.name}) {why}.",
            when="with an active token.",
            what="Make a new one, or ask an admin for one.",
            actor=token.person,
        )
    if named is not None and named != token.person:
        _refuse(
            registry,
            f"token:{token.id}",
            f"The token is {token.person}'s, and {named} is named as who acts.",
            when=f"as {token.person}.",
            what="Leave out --as and FAIRTRIAL_ACTOR, or use a token of theirs.",
            actor=token.person,
        )
    return token.person


def _refuse(
    registry: Registry, entity: str, reason: str, *, when: str, what: str, actor: str | None = None
) -> NoReturn:
    with registry.reading() as connection:
        found = None if actor is None else find_person(connection, actor)
    # One who is unknown or no longer active has no act of their own: Fairtrial itself says no.
    who = found.id if found is not None and found.active else SYSTEM_ID
    with act(registry, who, _USE, entity) as doing:
        doing.refuse(reason, when_possible=when, what_to_do=what)
    raise AssertionError("an act that refuses does not end")


def _permit(doing: Act, holder: str) -> None:
    if doing.actor.id == holder:
        doing.role = min(doing.actor.roles, default=Role.VIEWER)
        return
    _require_admin(doing)


def _require_admin(doing: Act) -> None:
    doing.role = Role.ADMIN
    if not doing.actor.has(Role.ADMIN):
        doing.refuse(
            f"Only an admin may {doing.verb} here; {doing.actor.id} is none.",
            when_possible="for an admin; tokens also for the person whose they are.",
            what_to_do="Ask an admin.",
        )


def _required(connection: Connection) -> bool:
    query = select(properties.c.value).where(properties.c.name == REQUIRED)
    return connection.execute(query).scalar_one_or_none() is True


def _has_active(doing: Act, holder: str) -> bool:
    rows = doing.connection.execute(select(tokens).where(tokens.c.person == holder)).mappings()
    return any(_from(row).standing(doing.now) == "active" for row in rows)


def _find(registry: Registry, id: str) -> Token:
    if not _ID.fullmatch(id):  # somebody may have pasted the token itself: it is not repeated
        raise Unknown("a token's id has 8 digits of 0-9 a-f, as listed; give that, never the token itself")
    with registry.reading() as connection:
        row = connection.execute(select(tokens).where(tokens.c.id == id)).mappings().one_or_none()
    if row is None:
        raise Unknown(f"there is no token {id}")
    return _from(row)


def _from(row: RowMapping) -> Token:
    times = {
        name: None if row[name] is None else parse_instant(row[name])
        for name in ("issued_at", "expires_at", "revoked_at")
    }
    issued, expires = times["issued_at"], times["expires_at"]
    if issued is None or expires is None:
        raise ValueError(f"token {row['id']}: it has no times")
    return Token(
        row["id"],
        row["person"],
        row["name"],
        row["issued_by"],
        issued,
        expires,
        row["revoked_by"],
        times["revoked_at"],
    )
