"""What the outside is told of: the event an act or a finding causes, and its message, put into the outbox with it.

A message is saved in the transaction of its cause: there is none for what did not happen, and none is lost. Before the
release it says that something happened, never a number of an outcome: each message is built here, field by field, from what
everybody may see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, func, insert, select

from registry.asking import Kind
from registry.enrolment import declared_per_day
from registry.messages import Message, messages_of
from registry.messages_findings import messages_of_finding
from registry.records import State
from registry.tables import deliveries, documents, experiments, plans, webhooks

if TYPE_CHECKING:
    from registry.acts import Act
    from registry.ledger import Entry

SCHEMA: Final = "event/1"

EVENTS: Final[Mapping[str, str]] = {
    "experiment.submitted": "a plan was sent to its reviewer",
    "experiment.registered": "a plan was locked",
    "experiment.amended": "an amendment was approved",
    "experiment.started": "the first unit was exposed",
    "enrolment.slow": "clearly fewer units come than the design declares; told once until they come as declared",
    "health.failed": "a check of a running experiment's logs fails that did not before",
    "health.recovered": "a check that failed passes again",
    "look.due": "a declared look may be taken",
    "look.opened": "a look was opened",
    "look.held": "a look is held for a fault that can be mended, and what to mend",
    "look.closed": "a look was sealed: no boundary crossed, or stopped and why",
    "readout.released": "a readout was released",
    "decision.signed": "a decision was signed, with or against the verdict",
    "harm_stop.tripped": "a declared harm stop tripped and the experiment stops",
    "model.transition.requested": "somebody asks for a rollout's next step, which waits for a signature",
    "model.transition.approved": "a rollout took a step up: a rung, a share, the promotion",
    "model.transition.rolled_back": "a rollout was rolled back, by a person or by its own plan",
    "ladder.route": "what is to be served of a model has changed, with the new answer",
}
"""What a webhook can be told of, and when. There is no event for an effect or its significance."""

TEST: Final = "webhook.test"
"""The event of the test button."""

DIGEST: Final = "webhook.digest"
"""A day's messages to one webhook as one."""

URGENT: Final = frozenset(
    {"harm_stop.tripped", "health.failed", "model.transition.rolled_back", "ladder.route", TEST}
)
"""Events that wait for no digest and for no end of quiet hours: somebody has to act."""


def announce(doing: Act, entry: Entry) -> None:
    """Put the events of an act into the outbox."""
    for message in messages_of(doing):
        _enqueue_about(
            doing.connection,
            message,
            doing.entity,
            f"record-{entry.seq}",
            doing.at,
            simulated=doing.simulated,
        )
    _announce_rollouts(doing, entry)


def announce_finding(
    connection: Connection,
    *,
    job: int,
    kind: Kind,
    experiment: str,
    at: str,
    simulated: bool,
    found: Mapping[str, Any],
    before: Mapping[str, Any] | None,
) -> None:
    """Put into the outbox what a job's finding changes against the one before."""
    per_day = _declared_per_day(connection, experiment) if kind is Kind.HEALTH else None
    for message in messages_of_finding(kind, found, before, per_day):
        _enqueue_about(connection, message, experiment, f"job-{job}", at, simulated=simulated)


def enqueue(
    connection: Connection,
    event: str,
    key: str,
    entity: str,
    payload: Mapping[str, Any],
    at: str,
    only: str | None = None,
) -> tuple[int, ...]:
    """Put a payload into the outbox of every active webhook that wants the event; ``only`` names the one of a test.

    For one that is told once a day it is gathered, unless it is urgent.
    """
    wanted = [
        (row.name, "waiting" if row.digest is None or event in URGENT else "gathered")
        for row in connection.execute(select(webhooks).order_by(webhooks.c.name))
        if (row.name == only if only is not None else row.active and event in row.events)
    ]
    ids = []
    for webhook, state in wanted:
        row = row_of(connection, webhook, event, key, entity, payload, at, state)
        connection.execute(insert(deliveries), [row])
        ids.append(row["id"])
    return tuple(ids)


def row_of(
    connection: Connection,
    webhook: str,
    event: str,
    key: str,
    entity: str,
    payload: Mapping[str, Any],
    at: str,
    state: str = "waiting",
) -> dict[str, Any]:
    """The next message of the outbox, to one webhook."""
    last = connection.execute(select(func.max(deliveries.c.id))).scalar_one() or 0
    return {
        "id": last + 1,
        "webhook": webhook,
        "key": key,
        "event": event,
        "entity": entity,
        "payload": dict(payload),
        "state": state,
        "created_at": at,
        "due_at": "",
        "attempts": [],
        "claimed": 0,
    }


def payload_of(
    event: str, key: str, at: str, text: str, detail: Mapping[str, Any], *, simulated: bool
) -> dict[str, Any]:
    """What every payload has; ``text`` is the line that stands alone."""
    return {
        "schema": SCHEMA,
        "event": event,
        "key": key,
        "at": at,
        "simulated": simulated,
        "text": text,
        "detail": dict(detail),
    }


def _page_of(kind: str, id: str, tab: str) -> str:
    """Where in the app an entry is read; the pages of shadows and canaries have tabs of their own."""
    match kind:
        case "shadow":
            return f"/shadow?id={id}"
        case "canary":
            return f"/ladder?id={id}"
    return f"/experiment?id={id}&tab={tab}"


def _enqueue_about(
    connection: Connection, message: Message, experiment: str, cause: str, at: str, *, simulated: bool
) -> None:
    row = connection.execute(select(experiments).where(experiments.c.id == experiment)).mappings().one()
    key = f"{cause}-{message.event}"
    payload = payload_of(
        message.event,
        key,
        at,
        f"{row['id']} {row['title']}: {message.says}",
        message.detail,
        simulated=simulated,
    )
    payload["experiment"] = {name: row[name] for name in ("id", "title", "state", "owner", "team")}
    payload["page"] = _page_of(row["kind"], row["id"], message.tab)
    enqueue(connection, message.event, key, experiment, payload, at)


def _announce_rollouts(doing: Act, entry: Entry) -> None:
    # Not at the top: what a rollout tells is found by the code that acts with it, which stands on this.
    from registry.rollouts.messages import rollout_messages

    for message in rollout_messages(doing):
        rollout = message.rollout
        key = f"record-{entry.seq}-{rollout.id}-{message.event}"
        text = f"{rollout.id} {rollout.title}: {message.says}"
        payload = payload_of(message.event, key, doing.at, text, message.detail, simulated=doing.simulated)
        payload["rollout"] = {
            "id": rollout.id,
            "title": rollout.title,
            "model": rollout.model,
            "state": rollout.state.value,
            "owner": rollout.owner,
            "team": rollout.team,
        }
        payload["page"] = f"/ladder?id={rollout.id}"
        enqueue(doing.connection, message.event, key, rollout.id, payload, doing.at)


def _declared_per_day(connection: Connection, experiment: str) -> float | None:
    """The declared traffic of a running experiment, by its locked plan; None where it declares none."""
    query = (
        select(documents.c.body)
        .join(plans, plans.c.written_sha256 == documents.c.sha256)
        .join(experiments, experiments.c.id == plans.c.experiment)
        .where(experiments.c.id == experiment, experiments.c.state == State.RUNNING.value)
        .order_by(plans.c.version.desc())
        .limit(1)
    )
    written = connection.execute(query).scalar_one_or_none()
    return None if written is None else declared_per_day(written)
