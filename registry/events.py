"""What the outside is told of: the event an act or a finding causes, and its message, put into the outbox with it.

A message is saved in the transaction of its cause: there is none for what did not happen, and none is lost. Before the
release it says that something happened, never a number of an outcome: each message is built here, field by field, from what
everybody may see.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, RowMapping, func, insert, select

from registry.asking import Kind
from registry.tables import decisions, deliveries, documents, experiments, looks, webhooks

if TYPE_CHECKING:
    from registry.acts import Act
    from registry.ledger import Entry

SCHEMA: Final = "event/1"

EVENTS: Final[Mapping[str, str]] = {
    "experiment.submitted": "a plan was sent to its reviewer",
    "experiment.registered": "a plan was locked",
    "experiment.amended": "an amendment was approved",
    "experiment.started": "the first unit was exposed",
    "health.failed": "a check of a running experiment's logs fails that did not before",
    "health.recovered": "a check that failed passes again",
    "look.due": "a declared look may be taken",
    "look.opened": "a look was opened",
    "look.closed": "a look was sealed: no boundary crossed, or stopped and why",
    "readout.released": "a readout was released",
    "decision.signed": "a decision was signed, with or against the verdict",
    "harm_stop.tripped": "a declared harm stop tripped and the experiment stops",
}
"""What a webhook can be told of, and when. There is no event for an effect or its significance."""

TEST: Final = "webhook.test"
"""The event of the test button."""

HARM: Final = "harm stop tripped"
DECISION_WORDS: Final = {"ship": "ship", "do_not_ship": "do not ship", "repeat": "repeat", "defer": "defer"}


@dataclass(frozen=True, slots=True)
class Message:
    """One event.

    Attributes:
        says: what follows the experiment's name in the first line, which stands alone.
        detail: the same for programs.
        tab: of the experiment's page.
    """

    event: str
    says: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    tab: str = "live"


def announce(doing: Act, entry: Entry) -> None:
    """Put the events of an act into the outbox."""
    tell = _OF_ACTS.get(doing.verb)
    if tell is None:
        return
    for message in tell(doing):
        _enqueue_about(
            doing.connection,
            message,
            doing.entity,
            f"record-{entry.seq}",
            doing.at,
            simulated=doing.simulated,
        )


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
    tell = _OF_FINDINGS.get(kind)
    if tell is None:
        return
    for message in tell(found, before):
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
    """Put a payload into the outbox of every active webhook that wants the event; ``only`` names the one of a test."""
    wanted = [
        row.name
        for row in connection.execute(select(webhooks).order_by(webhooks.c.name))
        if (row.name == only if only is not None else row.active and event in row.events)
    ]
    if not wanted:
        return ()
    last = connection.execute(select(func.max(deliveries.c.id))).scalar_one() or 0
    rows = [
        {
            "id": last + place,
            "webhook": name,
            "key": key,
            "event": event,
            "entity": entity,
            "payload": dict(payload),
            "state": "waiting",
            "created_at": at,
            "due_at": "",
            "attempts": [],
            "claimed": 0,
        }
        for place, name in enumerate(wanted, start=1)
    ]
    connection.execute(insert(deliveries), rows)
    return tuple(row["id"] for row in rows)


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
    payload["page"] = f"/experiment?id={row['id']}&tab={message.tab}"
    enqueue(connection, message.event, key, experiment, payload, at)


# Acts


def _submitted(doing: Act) -> Iterator[Message]:
    reviewer, sha256 = doing.facts["reviewer"], doing.facts["sha256"]
    yield Message(
        "experiment.submitted",
        f"{doing.actor.id} asks {reviewer} to review plan {sha256[:12]}.",
        {"reviewer": reviewer, "sha256": sha256},
        "history",
    )


def _registered(doing: Act) -> Iterator[Message]:
    labels, sha256 = _experiment(doing)["labels"], doing.facts["sha256"]
    label = f", {' and '.join(labels)}" if labels else ""
    yield Message(
        "experiment.registered",
        f"registered and locked by {doing.actor.id} (plan {sha256[:12]}{label}).",
        {"locked_by": doing.actor.id, "sha256": sha256, "labels": labels},
        "history",
    )


def _amended(doing: Act) -> Iterator[Message]:
    fields = [change["field"] for change in doing.facts["diff"]]
    timing = doing.facts["timing"]
    yield Message(
        "experiment.amended",
        f"amended, plan version {doing.version}, class {timing}: {', '.join(fields)}.",
        {"version": doing.version, "class": timing, "fields": fields, "approved_by": doing.actor.id},
        "history",
    )


def _started(doing: Act) -> Iterator[Message]:
    row = _experiment(doing)
    late = " It was before the lock." if "late" in row["labels"] else ""
    yield Message(
        "experiment.started",
        f"running; the first unit was exposed at {_moment(row['first_exposure_at'])}.{late}",
        {"first_exposure_at": row["first_exposure_at"], "labels": row["labels"]},
    )


def _opened(doing: Act) -> Iterator[Message]:
    k, of, cutoff = (doing.facts[name] for name in ("k", "of", "cutoff"))
    yield Message(
        "look.opened",
        f"look {k} of {of} was opened, over the units exposed before {_moment(cutoff)}.",
        {"k": k, "of": of, "cutoff": cutoff},
        "looks",
    )


def _closed(doing: Act) -> Iterator[Message]:
    k = doing.facts["k"]
    query = select(looks).where(looks.c.experiment == doing.entity, looks.c.k == k)
    look = doing.connection.execute(query).mappings().one()
    why = look["stop_reason"]
    said = "No boundary crossed" if look["outcome"] == "continue" else f"Stopped: {why}"
    detail = {"k": k, "of": look["of"], "said": said}
    yield Message("look.closed", f"look {k} of {look['of']} is closed. {said}.", detail, "looks")
    if why == HARM:
        yield Message(
            "harm_stop.tripped", f"a declared harm stop tripped at look {k}. The experiment stops.", {}
        )


def _released(doing: Act) -> Iterator[Message]:
    verdict, sha256 = doing.facts["verdict"], doing.facts["readout"]
    query = select(documents.c.body).where(documents.c.sha256 == sha256)
    judged = json.loads(doing.connection.execute(query).scalar_one()).get("verdict")
    sentence = judged.get("sentence", "") if isinstance(judged, dict) else ""
    yield Message(
        "readout.released",
        f"{verdict}. {sentence}".rstrip(),
        {"verdict": verdict, "sentence": sentence, "k": doing.facts["k"], "sha256": sha256},
        "readout",
    )


def _signed(doing: Act) -> Iterator[Message]:
    query = select(decisions).where(decisions.c.experiment == doing.entity)
    row = doing.connection.execute(query).mappings().one_or_none()
    if row is None:  # proposed only: it waits for a second person
        return
    against = " against" if row["against_verdict"] else ", with"
    arm = "" if row["arm"] is None else f" {row['arm']}"
    said = DECISION_WORDS.get(row["decision"], row["decision"])
    yield Message(
        "decision.signed",
        f"{row['decided_by']} decided to {said}{arm}{against} the verdict {row['verdict']}.",
        {name: row[name] for name in ("decision", "arm", "verdict", "against_verdict", "reason")}
        | {"decided_by": row["decided_by"], "approved_by": row["approved_by"]},
        "readout",
    )


def _stopped(doing: Act) -> Iterator[Message]:
    why = str(_experiment(doing)["stop_reason"])
    if why.startswith(HARM):
        which = why.removeprefix(HARM).removeprefix(": ")
        yield Message(
            "harm_stop.tripped",
            f"a declared harm stop tripped{f' ({which})' if which else ''}. The experiment is stopped.",
            {"harm_stops": which.split("; ") if which else []},
        )


_OF_ACTS: Final[Mapping[str, Callable[[Act], Iterator[Message]]]] = {
    "submit": _submitted,
    "register": _registered,
    "approve amendment": _amended,
    "start": _started,
    "open look": _opened,
    "seal look": _closed,
    "release": _released,
    "decide": _signed,
    "approve decision": _signed,
    "stop": _stopped,
}


# Findings


def _health(found: Mapping[str, Any], before: Mapping[str, Any] | None) -> Iterator[Message]:
    standing = _failing(found)
    earlier = {} if before is None else _failing(before)
    worse = [check for name, check in standing.items() if name not in earlier]
    better = [name for name in earlier if name not in standing]
    if worse:
        said = "; ".join(f"{check['name']}: {check['detail']}" for check in worse)
        checks = [{name: check[name] for name in ("name", "result", "detail", "p_value")} for check in worse]
        counts = {arm["arm"]: arm["assigned"] for arm in found["arms"]}
        planned = {arm["arm"]: arm["planned_share"] for arm in found["arms"]}
        yield Message(
            "health.failed",
            f"{_checks(len(worse))} failed: {said} ({_allocation(found)}). Outcomes stay closed.",
            {"checks": checks, "assigned": counts, "planned_shares": planned},
        )
    if better:
        left = f" {_checks(len(standing))} still failing." if standing else ""
        yield Message(
            "health.recovered",
            f"{_checks(len(better))} passing again: {', '.join(better)}.{left}",
            {"checks": better, "still_failing": sorted(standing)},
        )


def _due(found: Mapping[str, Any], before: Mapping[str, Any] | None) -> Iterator[Message]:
    look, earlier = found["look"], None if before is None else before["look"]
    if look is None or not look["due"]:
        return
    if earlier is None or not earlier["due"] or earlier["k"] != look["k"]:
        detail = {"k": look["k"], "of": look["of"], "enrolled": look["enrolled"]}
        yield Message(
            "look.due", f"look {look['k']} of {look['of']} is due and may be taken.", detail, "looks"
        )


_OF_FINDINGS: Final[
    Mapping[Kind, Callable[[Mapping[str, Any], Mapping[str, Any] | None], Iterator[Message]]]
] = {Kind.HEALTH: _health, Kind.LOOK_STATUS: _due}


def _failing(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {check["name"]: check for check in found["checks"] if check["result"] in ("fail", "hold")}


def _allocation(found: Mapping[str, Any]) -> str:
    """``10,420 vs 9,610, planned 50/50``."""
    counts = " vs ".join(f"{arm['assigned']:,}" for arm in found["arms"])
    shares = "/".join(f"{100 * arm['planned_share']:g}" for arm in found["arms"])
    return f"assigned {counts}, planned {shares}"


def _checks(n: int) -> str:
    return "1 check" if n == 1 else f"{n} checks"


def _experiment(doing: Act) -> RowMapping:
    query = select(experiments).where(experiments.c.id == doing.entity)
    return doing.connection.execute(query).mappings().one()


def _moment(instant: str) -> str:
    return f"{instant[:10]} {instant[11:16]} UTC"
