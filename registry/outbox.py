"""The outbox: what waits to be sent to which webhook, and what became of it.

Messages come from `registry.events`. A sender claims one that is due, sends it and says how that went; after a failure it is
due again later, the same message under the same key, so that a receiver can know it again. Messages may overtake each other.
For a webhook that is told once a day they are gathered into its digest, which is then a message like any other. In a
webhook's quiet hours what is not urgent stays where it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, and_, func, insert, not_, select, update

from registry.acts import act
from registry.clock import Clock, instant, parse_instant
from registry.database import Registry
from registry.errors import Unknown
from registry.events import DIGEST, TEST, URGENT, enqueue, payload_of, row_of
from registry.jobs import MACHINE
from registry.quiet import is_digest_time, is_quiet
from registry.tables import deliveries, webhooks
from registry.webhooks import Webhook, require_admin, required, webhook_from

RETRIES: Final = tuple(timedelta(seconds=seconds) for seconds in (30, 120, 480, 1_920, 7_680))
"""How long after each failed attempt the next is due: five retries, a little under three hours in all."""

LEASE: Final = timedelta(seconds=120)
"""A message that was claimed and of which nothing more was heard is due again after so long."""


MOST_NAMED: Final = 5
"""Experiments that the first line of a digest names."""


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
        state: `waiting`, `delivered`, `failed` (after the last retry), `dropped` (its webhook was removed), `gathered` for a
            digest that is to come, or `in digest`, one that was made.
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


def send_test(registry: Registry, actor: str, name: str) -> Delivery:
    """Put a test message into the outbox of one webhook, also a paused one: the test button."""
    with act(registry, actor, "test webhook", f"webhook:{name}") as doing:
        require_admin(doing)
        required(doing.connection, name)
        key = f"test-{uuid.uuid4()}"
        text = f"Fairtrial: {doing.actor.id} tests the webhook {name}. Nothing else happened."
        payload = payload_of(TEST, key, doing.at, text, {"webhook": name}, simulated=doing.simulated)
        (id,) = enqueue(doing.connection, TEST, key, f"webhook:{name}", payload, doing.at, only=name)
        doing.facts = {"delivery": id}
        doing.summary = f"Sent a test to webhook {name}."
    return find_delivery(registry, id)


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
    with registry.reading() as connection:  # an idle sender keeps nobody from writing
        if connection.execute(_claimable(connection, only, now)).first() is None:
            return None
    with registry.writing() as connection:
        row = connection.execute(_claimable(connection, only, now)).mappings().one_or_none()
        if row is None:
            return None
        endpoint = required(connection, row["webhook"])
        taken = {"due_at": instant(now + LEASE), "claimed": row["claimed"] + 1}
        connection.execute(update(deliveries).where(deliveries.c.id == row["id"]).values(taken))
        # A sender that died over its claim has told nothing; each claim counts, or a deadly message were sent for ever.
        if row["claimed"] > len(RETRIES):
            connection.execute(update(deliveries).where(deliveries.c.id == row["id"]).values(state="failed"))
            return None
        return _delivery(row), endpoint


def gather_digests(registry: Registry, *, machine: Clock = MACHINE) -> int:
    """Make the digests whose time has come, one a day and webhook; gives how many were made."""
    now = machine.now()
    with registry.reading() as connection:
        due = _digests_due(connection, now)
    if not due:
        return 0
    made = 0
    with registry.writing() as connection:
        for webhook in _digests_due(connection, now):
            made += _make_digest(connection, webhook.name, _digest_key(now), instant(registry.clock.now()))
    return made


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


def _delivery(row: RowMapping) -> Delivery:
    values: dict[str, Any] = {name: row[name] for name in Delivery.__slots__}
    values["created_at"] = parse_instant(row["created_at"])
    values["due_at"] = parse_instant(row["due_at"]) if row["due_at"] else None
    values["attempts"] = tuple(
        Attempt(parse_instant(one["at"]), one["status"], one["error"]) for one in row["attempts"]
    )
    return Delivery(**values)


def _claimable(connection: Connection, only: int | None, now: datetime) -> Select[Any]:
    """The oldest message that may be sent now; a named one whatever the hour."""
    waiting = select(deliveries).where(deliveries.c.state == "waiting").order_by(deliveries.c.id).limit(1)
    if only is not None:
        return waiting.where(deliveries.c.id == only)
    hours = connection.execute(select(webhooks.c.name, webhooks.c.quiet).where(webhooks.c.quiet.is_not(None)))
    quiet = [row.name for row in hours if is_quiet(row.quiet, now)]
    held = and_(deliveries.c.webhook.in_(quiet), deliveries.c.event.not_in(URGENT))
    return waiting.where(deliveries.c.due_at <= instant(now), not_(held))


def _digests_due(connection: Connection, now: datetime) -> tuple[Webhook, ...]:
    made = select(deliveries.c.webhook).where(deliveries.c.key == _digest_key(now))
    gathered = select(deliveries.c.webhook).where(deliveries.c.state == "gathered")
    query = select(webhooks).where(
        webhooks.c.digest.is_not(None),
        webhooks.c.active,
        webhooks.c.name.in_(gathered),
        webhooks.c.name.not_in(made),
    )
    found = (webhook_from(row) for row in connection.execute(query.order_by(webhooks.c.name)).mappings())
    return tuple(webhook for webhook in found if is_digest_time(webhook.quiet, now))


def _digest_key(now: datetime) -> str:
    """The same all day, which is what makes it one a day."""
    return f"digest-{now.astimezone(UTC):%Y-%m-%d}"


def _make_digest(connection: Connection, webhook: str, key: str, at: str) -> int:
    mine = (deliveries.c.webhook == webhook) & (deliveries.c.state == "gathered")
    rows = connection.execute(select(deliveries).where(mine).order_by(deliveries.c.id)).mappings().all()
    about = list(dict.fromkeys(row["entity"] for row in rows))
    further = f" and {len(about) - MOST_NAMED} more" if len(about) > MOST_NAMED else ""
    text = (
        f"Fairtrial: {len(rows)} event{'' if len(rows) == 1 else 's'} since the last digest, about "
        f"{', '.join(about[:MOST_NAMED])}{further}."
    )
    events = [row["payload"] for row in rows]
    simulated = any(payload["simulated"] for payload in events)
    payload = payload_of(DIGEST, key, at, text, {"events": events}, simulated=simulated)
    connection.execute(insert(deliveries), [row_of(connection, webhook, DIGEST, key, webhook, payload, at)])
    connection.execute(update(deliveries).where(mine).values(state="in digest"))
    return 1
