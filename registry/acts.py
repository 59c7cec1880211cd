"""One act: its checks, its writes, its ledger record and its notices, saved together or not at all.

Every change of a row goes through an `Act`, which applies it and writes it into the record. The tables and
the ledger can therefore differ only when somebody went behind the registry's back, and
`registry.verification` replays the records to find that out.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, insert, select, update

from registry import ledger
from registry.actors import UNKNOWN_ROLE, Person, Role, find_person
from registry.anchor import anchor_at
from registry.canonical import sha256_of_text
from registry.clock import instant
from registry.database import Registry
from registry.errors import Conflict, Problem, Refused, Unknown
from registry.events import announce
from registry.ledger import Entry
from registry.records import Experiment, Label, experiment_from
from registry.tables import documents, experiments
from registry.words import state_in_words

Row = Mapping[str, Any]


class Act:
    """What a verb works with while its transaction is open."""

    def __init__(
        self, registry: Registry, connection: Connection, actor: Person, verb: str, entity: str
    ) -> None:
        now = registry.clock.now()
        self.connection = connection
        self.actor = actor
        self.verb = verb
        self.entity = entity
        self.now = now
        self.at = instant(now)
        self.simulated = registry.clock.simulated
        self.role: Role | None = None
        self.version: int | None = None
        self.summary: str | None = None
        self.reason: str | None = None
        self.facts: dict[str, Any] = {}
        self._changes: list[list[Any]] = []
        self._problems: list[Problem] = []

    # Saying no

    def object(self, reason: str, *, when_possible: str, what_to_do: str) -> None:
        """Note something that stands in the way, to be refused together with the rest."""
        self._problems.append(Problem(reason, when_possible, what_to_do))

    def refuse_if_objections(self) -> None:
        """End the act if anything stands in its way."""
        if self._problems:
            raise Refused(self._problems)

    def refuse(self, reason: str, *, when_possible: str, what_to_do: str) -> None:
        """End the act for this reason, and those noted before it."""
        self.object(reason, when_possible=when_possible, what_to_do=what_to_do)
        self.refuse_if_objections()

    # Reading and writing

    def experiment(self, seen: int | None) -> Experiment:
        """The experiment the act is about, as it is now.

        Raises:
            Conflict: when `seen`, the revision the actor looked at, is no longer the current one.
        """
        current = load_experiment(self.connection, self.entity)
        self.version = current.plan_version or None
        if seen is not None and seen != current.revision:
            raise _conflict(self.connection, current)
        return current

    def change_experiment(self, **values: Any) -> Experiment:
        """Write new values into the experiment's row; its revision goes up."""
        current = load_experiment(self.connection, self.entity)
        labels = {Label(label) for label in values.get("labels", current.labels)}
        if self.simulated:
            labels.add(Label.SIMULATED)
        values |= {"labels": sorted(labels), "revision": current.revision + 1, "changed_at": self.now}
        self.update(experiments, {"id": self.entity}, values)
        changed = load_experiment(self.connection, self.entity)
        self.version = changed.plan_version or None
        return changed

    def insert(self, table: Table, row: Row) -> None:
        """Add a row; all its columns are given, for the ledger vouches for each."""
        if set(row) != set(table.columns.keys()):
            raise ValueError(
                f"{table.name}: give every column; differs by {set(row) ^ set(table.columns.keys())}"
            )
        row = plain(row)
        self.connection.execute(insert(table).values(row))
        key = {column.name: row[column.name] for column in table.primary_key}
        self._changes.append([table.name, key, {name: row[name] for name in row if name not in key}])

    def update(self, table: Table, key: Row, values: Row) -> None:
        """Change a row that is there."""
        values = plain(values)
        found = self.connection.execute(update(table).where(_where(table, key)).values(values))
        if found.rowcount != 1:
            raise Unknown(f"{table.name}: no row {dict(key)}")
        self._changes.append([table.name, dict(key), values])

    def delete(self, table: Table, key: Row) -> None:
        """Take a row away; the ledger keeps that it was there."""
        self.connection.execute(delete(table).where(_where(table, key)))
        self._changes.append([table.name, dict(key), None])

    def keep_document(self, kind: str, body: str) -> str:
        """Keep a text under its hash, and give the hash; the same text is kept once."""
        sha256 = sha256_of_text(body)
        known = self.connection.execute(
            select(documents.c.sha256).where(documents.c.sha256 == sha256)
        ).first()
        if known is None:
            vouched = {"kind": kind, "size": len(body.encode())}
            self.connection.execute(insert(documents).values(sha256=sha256, body=body, **vouched))
            self._changes.append(["documents", {"sha256": sha256}, vouched])
        return sha256

    def document(self, sha256: str) -> str:
        """The text kept under a hash."""
        return str(
            self.connection.execute(select(documents.c.body).where(documents.c.sha256 == sha256)).scalar_one()
        )

    def detail(self) -> dict[str, Any]:
        """What the record holds besides its words: the rows as changed, and the facts the act rested on."""
        return {"changes": self._changes, "facts": self.facts}


@contextmanager
def act(
    registry: Registry, actor: str, verb: str, entity: str, founder: Person | None = None
) -> Iterator[Act]:
    """Open an act; leaving the block saves it with its record, if it has a summary.

    An exception undoes everything. A refusal or a lost race is then recorded by itself. Only the founding
    of a registry has an actor who is not in it yet.
    """
    try:
        with anchor_at(registry.anchor) as anchor:
            with registry.writing() as connection:
                person = find_person(connection, actor) or founder
                if person is None or not person.active:
                    raise Refused([_stranger(actor, person)])
                doing = Act(registry, connection, person, verb, entity)
                yield doing
                if doing.summary is None:
                    return
                announce(doing, _record(registry, doing))
                head = ledger.head(connection)
            anchor.write(head)
    except (Refused, Conflict) as no:
        _record_refusal(registry, actor, verb, entity, no)
        raise


def plain(row: Row) -> dict[str, Any]:
    """A row's values as the database and the ledger write them: words as text, moments as instants."""
    return {name: _plain(value) for name, value in row.items()}


def load_experiment(connection: Connection, id: str) -> Experiment:
    """An experiment as it is now.

    Raises:
        Unknown: when there is none with this id.
    """
    row = connection.execute(select(experiments).where(experiments.c.id == id)).mappings().one_or_none()
    if row is None:
        known = connection.execute(select(experiments.c.id).order_by(experiments.c.number)).scalars().all()
        near = get_close_matches(id.upper(), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it holds {len(known)}"
        raise Unknown(f"experiment {id!r} is not in this registry; {hint}")
    return experiment_from(row)


def _record(registry: Registry, doing: Act) -> Entry:
    if doing.summary is None or doing.role is None:
        raise ValueError(f"{doing.verb}: an act needs a summary and the role it is done in")
    return ledger.append(
        doing.connection,
        key=registry.key,
        at=doing.at,
        simulated=doing.simulated,
        actor=doing.actor.id,
        role=doing.role.value,
        action=doing.verb,
        entity=doing.entity,
        version=doing.version,
        summary=doing.summary,
        reason=doing.reason,
        detail=doing.detail(),
    )


def _record_refusal(registry: Registry, actor: str, verb: str, entity: str, no: Refused | Conflict) -> None:
    with anchor_at(registry.anchor) as anchor:
        with registry.writing() as connection:
            person = find_person(connection, actor[:100])
            held = UNKNOWN_ROLE if person is None else ", ".join(sorted(person.roles)) or "none"
            ledger.append(
                connection,
                key=registry.key,
                at=instant(registry.clock.now()),
                simulated=registry.clock.simulated,
                actor=actor[:100],
                role=held,
                action=f"{verb} refused",
                entity=entity[:100],
                version=None,
                summary=f"Refused to {verb}.",
                reason=str(no),
                detail={"changes": [], "facts": {"conflict": isinstance(no, Conflict)}},
            )
            head = ledger.head(connection)
        anchor.write(head)


def _stranger(actor: str, person: Person | None) -> Problem:
    if person is None:
        return Problem(f"Nobody here is called {actor!r}.", "once an admin has added them.", "Ask an admin.")
    return Problem(
        f"{actor} is no longer active here.", "once an admin has let them in again.", "Ask an admin."
    )


def _conflict(connection: Connection, current: Experiment) -> Conflict:
    last = next(
        entry
        for entry in ledger.entries(connection, entity=current.id, newest_first=True)
        if not entry.action.endswith(" refused")
    )
    now = f"{current.title!r}, {state_in_words(current)}, owner {current.owner}"
    return Conflict(current.id, last.actor, last.action, last.at, now, current.revision)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _where(table: Table, key: Row) -> Any:
    return and_(*(table.c[name] == value for name, value in key.items()))
