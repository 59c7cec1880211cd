"""What an act tells the outside: that something happened and what everybody may see of it, field by field.

Before the release never a number of an outcome: a sealed look says whether it went on, a held one what is to be mended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import RowMapping, select

from registry.tables import decisions, documents, experiments, looks

if TYPE_CHECKING:
    from registry.acts import Act

HARM: Final = "harm stop tripped"
UNREAD: Final = "The logs could not be read"
"""How the reason of a held look begins whose logs raised an error; what follows may repeat what stands in them."""

REMEDY: Final = "Mend the logs or the source file, then take the look again. Outcomes stay closed."
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


def messages_of(doing: Act) -> Iterator[Message]:
    """What an act is told as; most acts are told to nobody."""
    tell = _OF_ACTS.get(doing.verb)
    return iter(()) if tell is None else tell(doing)


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


def _held(doing: Act) -> Iterator[Message]:
    k, reason = doing.facts["k"], doing.reason or ""
    why = (
        f"{UNREAD}; who runs the worker finds the error in its log"
        if reason.startswith(UNREAD)
        else reason.rstrip(".")
    )
    yield Message(
        "look.held", f"look {k} is held: {why}. {REMEDY}", {"k": k, "reason": why, "remedy": REMEDY}, "looks"
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
    "hold look": _held,
    "seal look": _closed,
    "release": _released,
    "decide": _signed,
    "approve decision": _signed,
    "stop": _stopped,
}


def _experiment(doing: Act) -> RowMapping:
    query = select(experiments).where(experiments.c.id == doing.entity)
    return doing.connection.execute(query).mappings().one()


def _moment(instant: str) -> str:
    return f"{instant[:10]} {instant[11:16]} UTC"
