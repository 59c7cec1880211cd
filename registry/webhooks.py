"""Webhooks: which endpoints are told of which events, in which form, and when. An admin decides; each change is a record.

What they are told stands in `registry.events`, what was sent in `registry.outbox`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from sqlalchemy import Connection, RowMapping, select, update

from registry.actors import Role
from registry.acts import Act, act
from registry.clock import parse_instant
from registry.database import Registry
from registry.errors import Unknown
from registry.events import EVENTS
from registry.quiet import Digest, timing_problems
from registry.tables import deliveries, webhooks

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
        digest: "daily", one message a day with all that is not urgent; None, each at once.
        quiet: hours in which what is not urgent waits, ``20-07`` UTC; None for none.
    """

    name: str
    url: str
    events: tuple[str, ...]
    format: Format
    secret_variable: str | None
    active: bool
    added_by: str
    added_at: datetime
    digest: Digest | None
    quiet: str | None


def add_webhook(
    registry: Registry,
    actor: str,
    name: str,
    url: str,
    *,
    events: Iterable[str] = tuple(EVENTS),
    format: Format = "json",
    secret_variable: str | None = None,
    digest: Digest | None = None,
    quiet: str | None = None,
) -> Webhook:
    """Tell an endpoint of these events from now on; an admin decides.

    Raises:
        ValueError: every parameter that is not allowed.
    """
    wanted = tuple(dict.fromkeys(events))
    problems = [*_problems(name, url, wanted, format, secret_variable), *timing_problems(digest, quiet)]
    if problems:
        raise ValueError("\n".join(problems))
    with act(registry, actor, "add webhook", f"webhook:{name}") as doing:
        require_admin(doing)
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
                "digest": digest,
                "quiet": quiet,
            },
        )
        doing.summary = f"Added webhook {name} for {len(wanted)} events."
    return find_webhook(registry, name)


def set_timing(
    registry: Registry, actor: str, name: str, *, digest: Digest | None, quiet: str | None
) -> Webhook:
    """Say anew when an endpoint is told. What was gathered for a digest that there will not be is sent at once.

    Raises:
        ValueError: every parameter that is not allowed.
    """
    problems = list(timing_problems(digest, quiet))
    if problems:
        raise ValueError("\n".join(problems))
    with act(registry, actor, "change webhook", f"webhook:{name}") as doing:
        require_admin(doing)
        before = required(doing.connection, name)
        if (before.digest, before.quiet) != (digest, quiet):
            doing.update(webhooks, {"name": name}, {"digest": digest, "quiet": quiet})
            doing.summary = f"Webhook {name} is told {timing_words(digest, quiet)}."
            if digest is None:
                gathered = (deliveries.c.webhook == name) & (deliveries.c.state == "gathered")
                doing.connection.execute(update(deliveries).where(gathered).values(state="waiting"))
    return find_webhook(registry, name)


def timing_words(digest: str | None, quiet: str | None) -> str:
    """When an endpoint is told, in words."""
    words = "at once" if digest is None else "once a day"
    if quiet is not None:
        start, end = quiet.split("-")
        words += f", nothing from {start}:00 to {end}:00 UTC"
    return f"{words}; what is urgent always at once" if digest or quiet else words


def set_active(registry: Registry, actor: str, name: str, *, active: bool) -> Webhook:
    """Pause a webhook or let it go on; of what happens meanwhile it is not told."""
    with act(registry, actor, "resume webhook" if active else "pause webhook", f"webhook:{name}") as doing:
        require_admin(doing)
        if required(doing.connection, name).active != active:
            doing.update(webhooks, {"name": name}, {"active": active})
            doing.summary = f"Webhook {name} is told " + ("again." if active else "nothing for now.")
    return find_webhook(registry, name)


def remove_webhook(registry: Registry, actor: str, name: str) -> None:
    """Tell an endpoint nothing more; what waits for it is dropped, its log stays."""
    with act(registry, actor, "remove webhook", f"webhook:{name}") as doing:
        require_admin(doing)
        required(doing.connection, name)
        doing.delete(webhooks, {"name": name})
        unsent = (deliveries.c.webhook == name) & deliveries.c.state.in_(("waiting", "gathered"))
        doing.connection.execute(update(deliveries).where(unsent).values(state="dropped"))
        doing.summary = f"Removed webhook {name}."


def list_webhooks(registry: Registry) -> tuple[Webhook, ...]:
    """Every endpoint, by name."""
    with registry.reading() as connection:
        rows = connection.execute(select(webhooks).order_by(webhooks.c.name)).mappings()
        return tuple(webhook_from(row) for row in rows)


def find_webhook(registry: Registry, name: str) -> Webhook:
    """An endpoint.

    Raises:
        Unknown: when there is none of this name.
    """
    with registry.reading() as connection:
        return required(connection, name)


def required(connection: Connection, name: str) -> Webhook:
    """As `find_webhook`, inside a transaction."""
    row = connection.execute(select(webhooks).where(webhooks.c.name == name)).mappings().one_or_none()
    if row is None:
        known = connection.execute(select(webhooks.c.name).order_by(webhooks.c.name)).scalars().all()
        raise Unknown(f"there is no webhook {name!r}; there is: {', '.join(known) or 'none yet'}")
    return webhook_from(row)


def webhook_from(row: RowMapping) -> Webhook:
    """A webhook from its row."""
    values: dict[str, Any] = {name: row[name] for name in Webhook.__slots__}
    return Webhook(**values | {"events": tuple(row["events"]), "added_at": parse_instant(row["added_at"])})


def require_admin(doing: Act) -> None:
    """End the act unless an admin does it."""
    doing.role = Role.ADMIN
    if not doing.actor.has(Role.ADMIN):
        doing.refuse(
            f"Only an admin may {doing.verb}; {doing.actor.id} is none.",
            when_possible="for an admin.",
            what_to_do="Ask an admin.",
        )


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
