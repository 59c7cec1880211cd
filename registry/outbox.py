"""Webhooks and their outbox: who is told of which events, what waits to be sent, and what became of it.

Messages come from `registry.events`. A sender claims one that is due, sends it and says how that went; after a failure it is
due again later, the same message under the same key, so that a receiver can know it again. Messages may overtake each other.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from sqlalchemy import Connection, RowMapping, func, select, update

from registry.actors import Role
from registry.acts import Act, act
from registry.clock import Clock, instant, parse_instant
from registry.database import Registry
from registry.errors import Unknown
from registry.events import EVENTS, TEST, enqueue, payload_of
from registry.jobs import MACHINE
from registry.tables import deliveries, webhooks

RETRIES: Final = tuple(timedelta(seconds=seconds) for seconds in (30, 120, 480, 1_920, 7_680))
"""How long after each failed attempt the next is due: five retries, a little under three hours in all."""

LEASE: Final = timedelta(seconds=120)
"""A message that was claimed and of which nothing more was heard is due again after so long."""

FROM_ENVIRONMENT: Final = "env:"
"""A URL written ``env:NAME`` stands in the sender's environment: some hold a secret themselves."""

SECRET_HOSTS: Final = ("hooks.slack.com",)
"""Hosts whose webhook URLs are themselves the secret."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")

Format = Literal["json", "slack"]
FORMATS: Final = ("json", "slack")


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint.

    Attributes:
        url: where to, or ``env:NAME``.
        secret_variable: the environment variable of the sender that holds the signing secret; None for Slack's own.
    """

    name: str
    url: str
    events: tuple[str, ...]
    format: Format
    secret_variable: str | None
    active: bool
    added_by: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to send a message: when (by the machine's clock), the HTTP status if any, what went wrong if anything."""

    at: datetime
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one webhook.

    Attributes:
        key: the same for every attempt; what a receiver knows a message again by.
        state: `waiting`, `delivered`, `failed` (after the last retry) or `dropped` (its webhook was removed).
        due_at: by the machine's clock: when the next attempt is due; None when it is due at once.
    """

    id: int
    webhook: str
    key: str
    event: str
    entity: str
    payload: Mapping[str, Any]
    state: str
    created_at: datetime
    due_at: datetime | None
    attempts: tuple[Attempt, ...]


def add_webhook(
    registry: Registry,
    actor: str,
    name: str,
    url: str,
    *,
    events: Iterable[str] = tuple(EVENTS),
    format: Format = "json",
    secret_variable: str | None = None,
) -> Webhook:
    """Tell an endpoint of these events from now on; an admin decides.

    Raises:
        ValueError: every parameter that is not allowed.
    """
    wanted = tuple(dict.fromkeys(events))
    problems = list(_problems(name, url, wanted, format, secret_variable))
    if problems:
        raise ValueError("\n".join(problems))
    with act(registry, actor, "add webhook", f"webhook:{name}") as doing:
        _require_admin(doing)
        if doing.connection.execute(select(webhooks.c.name).where(webhooks.c.name == name)).first():
            doing.object(
                f"There is a webhook {name!r} already.",
                when_possible="with another name, or once that one is removed.",
                what_to_do="Choose another name.",
            )
        doing.refuse_if_objections()
        doing.insert(
            webhooks,
            {
                "name": name,
                "url": url,
                "events": list(wanted),
                "format": format,
                "secret_variable": secret_variable,
                "active": True,
                "added_by": actor,
                "added_at": doing.now,
            },
        )
        doing.summary = f"Added webhook {name} for {len(wanted)} events."
    return find_webhook(registry, name)


def set_active(registry: Registry, actor: str, name: str, *, active: bool) -> Webhook:
    """Pause a webhook or let it go on; of what happens meanwhile it is not told."""
    with act(registry, actor, "resume webhook" if active else "pause webhook", f"webhook:{name}") as doing:
        _require_admin(doing)
        if _required(doing.connection, name).active != active:
            doing.update(webhooks, {"name": name}, {"active": active})
            doing.summary = f"Webhook {name} is told " + ("again." if active else "nothing for now.")
    return find_webhook(registry, name)


def remove_webhook(registry: Registry, actor: str, name: str) -> None:
    """Tell an endpoint nothing more; what waits for it is dropped, its log stays."""
    with act(registry, actor, "remove webhook", f"webhook:{name}") as doing:
        _require_admin(doing)
        _required(doing.connection, name)
        doing.delete(webhooks, {"name": name})
        waiting = (deliveries.c.webhook == name) & (deliveries.c.state == "waiting")
        doing.connection.execute(update(deliveries).where(waiting).values(state="dropped"))
        doing.summary = f"Removed webhook {name}."


def send_test(registry: Registry, actor: str, name: str) -> Delivery:
    """Put a test message into the outbox of one webhook, also a paused one: the test button."""
    with act(registry, actor, "test webhook", f"webhook:{name}") as doing:
        _require_admin(doing)
        _required(doing.connection, name)
        key = f"test-{uuid.uuid4()}"
        text = f"Fairtrial: {doing.actor.id} tests the webhook {name}. Nothing else happened."
        payload = payload_of(TEST, key, doing.at, text, {"webhook": name}, simulated=doing.simulated)
        (id,) = enqueue(doing.connection, TEST, key, f"webhook:{name}", payload, doing.at, only=name)
        doing.facts = {"delivery": id}
        doing.summary = f"Sent a test to webhook {name}."
    return find_delivery(registry, id)


def list_webhooks(registry: Registry) -> tuple[Webhook, ...]:
    """Every endpoint, by name."""
    with registry.reading() as connection:
        rows = connection.execute(select(webhooks).order_by(webhooks.c.name)).mappings()
        return tuple(_webhook(row) for row in rows)


def find_webhook(registry: Registry, name: str) -> Webhook:
    """An endpoint.

    Raises:
        Unknown: when there is none of this name.
    """
    with registry.reading() as connection:
        return _required(connection, name)


def delivery_log(registry: Registry, webhook: str | None = None, limit: int = 50) -> tuple[Delivery, ...]:
    """What was sent or waits to be, newest first."""
    query = select(deliveries).order_by(deliveries.c.id.desc()).limit(limit)
    if webhook is not None:
        query = query.where(deliveries.c.webhook == webhook)
    with registry.reading() as connection:
        return tuple(_delivery(row) for row in connection.execute(query).mappings())


def find_delivery(registry: Registry, id: int) -> Delivery:
    """One message.

    Raises:
        Unknown: when there is none.
    """
    with registry.reading() as connection:
        row = connection.execute(select(deliveries).where(deliveries.c.id == id)).mappings().one_or_none()
    if row is None:
        raise Unknown(f"there is no delivery {id}")
    return _delivery(row)


def claim_delivery(
    registry: Registry, *, only: int | None = None, machine: Clock = MACHINE
) -> tuple[Delivery, Webhook] | None:
    """Take a message that is due, for `LEASE`; of several senders one gets it. None when nothing is due.

    Args:
        only: this one, due or not.
    """
    now = machine.now()
    due = deliveries.c.due_at <= instant(now) if only is None else deliveries.c.id == only
    query = select(deliveries).where(deliveries.c.state == "waiting", due).order_by(deliveries.c.id).limit(1)
    with registry.reading() as connection:  # an idle sender keeps nobody from writing
        if connection.execute(query).first() is None:
            return None
    with registry.writing() as connection:
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            return None
        endpoint = (
            connection.execute(select(webhooks).where(webhooks.c.name == row["webhook"])).mappings().one()
        )
        taken = {"due_at": instant(now + LEASE), "claimed": row["claimed"] + 1}
        connection.execute(update(deliveries).where(deliveries.c.id == row["id"]).values(taken))
        # A sender that died over its claim has told nothing; each claim counts, or a deadly message were sent for ever.
        if row["claimed"] > len(RETRIES):
            connection.execute(update(deliveries).where(deliveries.c.id == row["id"]).values(state="failed"))
            return None
        return _delivery(row), _webhook(endpoint)


def record_attempt(
    registry: Registry, id: int, *, status: int | None, error: str | None, machine: Clock = MACHINE
) -> Delivery:
    """Say how sending went; without an error it is delivered, else it is due again later or has failed."""
    now = machine.now()
    with registry.writing() as connection:
        row = connection.execute(select(deliveries).where(deliveries.c.id == id)).mappings().one()
        attempts = [*row["attempts"], {"at": instant(now), "status": status, "error": error}]
        values: dict[str, Any] = {"attempts": attempts}
        if error is None:
            values["state"] = "delivered"
        elif len(attempts) > len(RETRIES):
            values["state"] = "failed"
        else:
            values["due_at"] = instant(now + RETRIES[len(attempts) - 1])
        connection.execute(update(deliveries).where(deliveries.c.id == id).values(values))
    return find_delivery(registry, id)


def waiting(registry: Registry) -> int:
    """How many messages wait to be sent."""
    with registry.reading() as connection:
        query = select(func.count()).where(deliveries.c.state == "waiting")
        return connection.execute(query).scalar_one()


def url_problem(url: str) -> str | None:
    """Why nothing can be sent to this URL, which is not repeated: it may hold a secret. None when it can."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "not a URL; give https://HOST/PATH"
    if host is None or parts.scheme not in ("https", "http"):
        return (
            "not allowed; give https://HOST/PATH, or env:NAME for one that stands in the worker's environment"
        )
    if parts.scheme == "http" and not _this_machine(host):
        return "http is for this machine only; give https"
    return None


def _problems(
    name: str, url: str, events: tuple[str, ...], format: str, secret_variable: str | None
) -> Iterable[str]:
    if not _NAME.fullmatch(name):
        yield f"name: {name!r} is not allowed; 1 to 40 of a-z 0-9 -, for example team-channel"
    yield from _written_url_problems(url)
    unknown = [event for event in events if event not in EVENTS]
    if unknown or not events:
        yield f"event: {', '.join(unknown) or 'none'} is not allowed; give some of: {', '.join(EVENTS)}"
    if format not in FORMATS:
        yield f"format: {format!r} is not allowed; give json or slack"
    if secret_variable is None and format == "json":
        yield (
            "secret_env: none is given; name the environment variable of the worker that holds the signing secret, "
            "for example FAIRTRIAL_WEBHOOK_SECRET"
        )
    if secret_variable is not None and not _VARIABLE.fullmatch(secret_variable):
        yield (  # somebody may have given the secret itself: it is not repeated
            "secret_env: not the name of an environment variable (A-Z 0-9 _); give its name, never the secret itself"
        )


def _written_url_problems(url: str) -> Iterable[str]:
    if url.startswith(FROM_ENVIRONMENT):
        if not _VARIABLE.fullmatch(url.removeprefix(FROM_ENVIRONMENT)):
            yield "url: after env: give the name of an environment variable, for example env:SLACK_URL"
        return
    problem = url_problem(url)
    if problem is not None:
        yield f"url: {problem}"
    elif urlsplit(url).username or urlsplit(url).password:
        yield "url: a name or password in it is not allowed; give env:NAME and set NAME for the worker"
    elif urlsplit(url).hostname in SECRET_HOSTS:
        yield f"url: one of {urlsplit(url).hostname} is itself a secret; give env:NAME and set NAME for the worker"


def _this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _require_admin(doing: Act) -> None:
    doing.role = Role.ADMIN
    if not doing.actor.has(Role.ADMIN):
        doing.refuse(
            f"Only an admin may {doing.verb}; {doing.actor.id} is none.",
            when_possible="for an admin.",
            what_to_do="Ask an admin.",
        )


def _required(connection: Connection, name: str) -> Webhook:
    row = connection.execute(select(webhooks).where(webhooks.c.name == name)).mappings().one_or_none()
    if row is None:
        known = connection.execute(select(webhooks.c.name).order_by(webhooks.c.name)).scalars().all()
        raise Unknown(f"there is no webhook {name!r}; there is: {', '.join(known) or 'none yet'}")
    return _webhook(row)


def _webhook(row: RowMapping) -> Webhook:
    values: dict[str, Any] = {name: row[name] for name in Webhook.__slots__}
    return Webhook(**values | {"events": tuple(row["events"]), "added_at": parse_instant(row["added_at"])})


def _delivery(row: RowMapping) -> Delivery:
    values: dict[str, Any] = {name: row[name] for name in Delivery.__slots__}
    values["created_at"] = parse_instant(row["created_at"])
    values["due_at"] = parse_instant(row["due_at"]) if row["due_at"] else None
    values["attempts"] = tuple(
        Attempt(parse_instant(one["at"]), one["status"], one["error"]) for one in row["attempts"]
    )
    return Delivery(**values)
