"""Opening a registry, and everything that only reads it."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, String, Table, cast, func, or_, select

from registry import actors, ledger, migrations
from registry.actors import Person
from registry.acts import load_experiment
from registry.canonical import Document, canonical_json
from registry.clock import Clock, SystemClock, instant, parse_instant
from registry.database import Registry, engine_for, sqlite_file
from registry.errors import Unknown
from registry.ledger import Entry, Head, checked_key
from registry.records import (
    Decision,
    Experiment,
    Label,
    LockedPlan,
    Look,
    Plan,
    Proposal,
    Reservation,
    State,
    decision_from,
    experiment_from,
    look_from,
    proposal_from,
)
from registry.tables import decisions, documents, experiments, looks, plans, proposals, reservations
from registry.words import state_in_words

__all__ = [
    "Dossier",
    "Plan",
    "Registry",
    "document",
    "everybody",
    "export_ledger",
    "find_ledger",
    "head",
    "list_experiments",
    "open_registry",
    "outcome_reads",
    "show",
    "who_is",
    "words_of",
]


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything the registry holds about one experiment."""

    experiment: Experiment
    words: str
    """The state as people read it."""
    draft: Document
    """The material document as last saved; the locked plan's, once there is one."""
    draft_written: str
    plans: tuple[LockedPlan, ...]
    looks: tuple[Look, ...]
    decision: Decision | None
    proposals: tuple[Proposal, ...]
    reservation: Reservation | None
    outcome_reads: int
    """How often anybody, the system included, read outcomes of it."""
    history: tuple[Entry, ...]


def open_registry(
    url: str, *, clock: Clock | None = None, key: bytes | None = None, anchor: Path | None = None
) -> Registry:
    """Open a registry, made or brought up to date if need be.

    Args:
        url: a file, `sqlite:///path` or `postgresql://user@host/name`.
        clock: where the time comes from; the machine's clock by default.
        key: signs the ledger. By default FAIRTRIAL_LEDGER_KEY, or the contents of the file that
            FAIRTRIAL_LEDGER_KEY_FILE names; without either the ledger is hashed only.
        anchor: the file that witnesses the ledger's end. By default FAIRTRIAL_LEDGER_ANCHOR, or beside a
            SQLite file.

    Raises:
        SchemaTooNew: when a newer Fairtrial made the tables.
        ValueError: for another kind of database, or a key that is too short.
    """
    secret = key if key is not None else _key_from_environment(os.environ)
    registry = Registry(
        engine=engine_for(url),
        clock=clock or SystemClock(),
        key=None if secret is None else checked_key(secret),
        anchor=anchor or _anchor_from_environment(os.environ, url),
    )
    migrations.upgrade(registry)
    return registry


def list_experiments(
    registry: Registry,
    *,
    states: Iterable[State] = (),
    owner: str | None = None,
    reviewer: str | None = None,
    team: str | None = None,
    label: Label | None = None,
    metric: str | None = None,
    kind: str | None = None,
    text: str | None = None,
    limit: int | None = None,
) -> tuple[Experiment, ...]:
    """Experiments, newest first; `text` is looked for in id, title and primary metric."""
    query = select(experiments).order_by(experiments.c.number.desc())
    wanted = [state.value for state in states]
    if wanted:
        query = query.where(experiments.c.state.in_(wanted))
    equal = {"owner": owner, "reviewer": reviewer, "team": team, "primary_metric": metric, "kind": kind}
    for name, value in equal.items():
        if value is not None:
            query = query.where(experiments.c[name] == value)
    if label is not None:
        query = query.where(cast(experiments.c.labels, String).contains(f'"{label.value}"'))
    if text is not None:
        columns = (experiments.c.id, experiments.c.title, experiments.c.primary_metric)
        query = query.where(
            or_(*(func.lower(column).contains(text.lower(), autoescape=True) for column in columns))
        )
    if limit is not None:
        query = query.limit(limit)
    with registry.reading() as connection:
        return tuple(experiment_from(row) for row in connection.execute(query).mappings())


def words_of(registry: Registry, found: Sequence[Experiment]) -> dict[str, str]:
    """The state of each experiment as people read it, by id."""
    with registry.reading() as connection:
        rows = connection.execute(select(looks).where(looks.c.status.in_(("open", "held")))).mappings()
        waiting = {row["experiment"]: look_from(row) for row in rows}
        signed = {
            row["experiment"]: decision_from(row) for row in connection.execute(select(decisions)).mappings()
        }
    return {
        one.id: state_in_words(one, [waiting[one.id]] if one.id in waiting else (), signed.get(one.id))
        for one in found
    }


def show(registry: Registry, experiment: str) -> Dossier:
    """One experiment with its plans, looks, decision, proposals and history.

    Raises:
        Unknown: when there is no such experiment.
    """
    with registry.reading() as connection:
        found = load_experiment(connection, experiment)
        taken = tuple(look_from(row) for row in _rows(connection, looks, experiment))
        signed = next((decision_from(row) for row in _rows(connection, decisions, experiment)), None)
        held = next(iter(_rows(connection, reservations, experiment)), None)
        return Dossier(
            experiment=found,
            words=state_in_words(found, taken, signed),
            draft=json.loads(_body(connection, found.draft_sha256)),
            draft_written=_body(connection, found.draft_written_sha256),
            plans=tuple(_locked_plan(connection, row) for row in _rows(connection, plans, experiment)),
            looks=taken,
            decision=signed,
            proposals=tuple(proposal_from(row) for row in _rows(connection, proposals, experiment)),
            reservation=Reservation(held["layer"], Fraction(held["start"]), Fraction(held["end"]))
            if held
            else None,
            outcome_reads=ledger.count(connection, experiment, (ledger.READ_OUTCOMES,)),
            history=tuple(ledger.entries(connection, entity=experiment)),
        )


def document(registry: Registry, sha256: str) -> str:
    """The text kept under a hash: a plan, a sealed readout.

    Raises:
        Unknown: when there is none.
    """
    with registry.reading() as connection:
        return _body(connection, sha256)


def find_ledger(
    registry: Registry,
    *,
    entity: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    newest_first: bool = False,
) -> tuple[Entry, ...]:
    """Ledger records, filtered; `since` is included, `until` is not."""
    with registry.reading() as connection:
        return tuple(
            ledger.entries(
                connection,
                entity=entity,
                actor=actor,
                action=action,
                since=None if since is None else instant(since),
                until=None if until is None else instant(until),
                limit=limit,
                newest_first=newest_first,
            )
        )


def export_ledger(registry: Registry) -> Iterator[str]:
    """The whole ledger, one JSON record a line, and last a line with its count and head hash."""
    with registry.reading() as connection:
        for entry in ledger.entries(connection):
            yield canonical_json(asdict(entry))
        end = ledger.head(connection)
        yield canonical_json({"count": end.count, "head": end.hash, "at": end.at})


def head(registry: Registry) -> Head:
    """How many records the ledger has and the hash of the last: what goes into every export."""
    with registry.reading() as connection:
        return ledger.head(connection)


def outcome_reads(registry: Registry, experiment: str) -> tuple[Entry, ...]:
    """Who has read outcomes of an experiment, and when."""
    return find_ledger(registry, entity=experiment, action=ledger.READ_OUTCOMES)


def who_is(registry: Registry, id: str) -> Person:
    """A person with the roles held now.

    Raises:
        Unknown: when there is none with this id.
    """
    with registry.reading() as connection:
        return actors.person(connection, id)


def everybody(registry: Registry) -> tuple[Person, ...]:
    """All people, Fairtrial itself included."""
    with registry.reading() as connection:
        return actors.everybody(connection)


def _rows(connection: Connection, table: Table, experiment: str) -> list[Any]:
    query = select(table).where(table.c.experiment == experiment).order_by(*table.primary_key)
    return list(connection.execute(query).mappings())


def _locked_plan(connection: Connection, row: Mapping[str, Any]) -> LockedPlan:
    return LockedPlan(
        version=row["version"],
        material=json.loads(_body(connection, row["sha256"])),
        written=_body(connection, row["written_sha256"]),
        sha256=row["sha256"],
        locked_by=row["locked_by"],
        locked_at=parse_instant(row["locked_at"]),
        timing=row["timing"],
        proposal=row["proposal"],
        outcome_reads_before=row["outcome_reads_before"],
    )


def _body(connection: Connection, sha256: str) -> str:
    body = connection.execute(
        select(documents.c.body).where(documents.c.sha256 == sha256)
    ).scalar_one_or_none()
    if body is None:
        raise Unknown(f"no document has the hash {sha256}")
    return str(body)


def _key_from_environment(environment: Mapping[str, str]) -> bytes | None:
    if key := environment.get("FAIRTRIAL_LEDGER_KEY"):
        return key.encode()
    if file := environment.get("FAIRTRIAL_LEDGER_KEY_FILE"):
        return Path(file).read_bytes().strip()
    return None


def _anchor_from_environment(environment: Mapping[str, str], url: str) -> Path | None:
    if path := environment.get("FAIRTRIAL_LEDGER_ANCHOR"):
        return Path(path)
    file = sqlite_file(url)
    return None if file is None else file.with_name(f"{file.name}.anchor")
