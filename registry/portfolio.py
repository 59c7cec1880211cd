"""What the registry says of all its experiments at once: one moment of it, in a handful of queries whatever their number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from registry import ledger
from registry.clock import parse_instant
from registry.database import Registry
from registry.jobs import JobState, Kind
from registry.lifecycle.states import CLOSED
from registry.records import (
    Decision,
    Experiment,
    Look,
    Proposal,
    decision_from,
    experiment_from,
    look_from,
    proposal_from,
)
from registry.sealing import WATCHED
from registry.tables import decisions, documents, experiments, jobs, looks, plans, proposals
from registry.tables import ledger as records
from registry.words import state_in_words

AFTER_START: Final = ("B", "C")
"""Timing classes of an amendment made once units were exposed."""

_REVIEWING: Final = ("submit", "request changes")


@dataclass(frozen=True, slots=True)
class Said:
    """A record of the ledger that a page repeats.

    Attributes:
        at: by the registry's clock.
    """

    at: datetime
    actor: str
    action: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What the last job of a kind found: counts and checks, never an outcome (see `registry.findings`)."""

    at: datetime | None
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Every experiment with what surrounds it, by experiment id.

    Attributes:
        experiments: newest first.
        words: the state as people read it.
        looks: in their order.
        proposals: those that wait for a second person.
        reviewing: the last sending for review, or request for changes.
        amended_after_start: those with a plan that was changed once units were exposed.
        read_again: released ones whose outcomes were read more than once for the same look.
        standing: where the next look stands, by the last job that asked.
        health: by the last job that asked.
    """

    now: datetime
    experiments: tuple[Experiment, ...]
    words: Mapping[str, str]
    looks: Mapping[str, tuple[Look, ...]]
    proposals: Mapping[str, tuple[Proposal, ...]]
    decisions: Mapping[str, Decision]
    reviewing: Mapping[str, Said]
    amended_after_start: frozenset[str]
    read_again: frozenset[str]
    standing: Mapping[str, Found]
    health: Mapping[str, Found]


def portfolio(registry: Registry) -> Portfolio:
    """Every experiment of a registry, as it stands now."""
    with registry.reading() as connection:
        rows = connection.execute(select(experiments).order_by(experiments.c.number.desc())).mappings()
        found = tuple(experiment_from(row) for row in rows)
        alive = [one.id for one in found if one.state not in CLOSED]
        looked = _looks(connection)
        decided = {
            row["experiment"]: decision_from(row) for row in connection.execute(select(decisions)).mappings()
        }
        return Portfolio(
            now=registry.clock.now(),
            experiments=found,
            words={one.id: state_in_words(one, looked.get(one.id, ()), decided.get(one.id)) for one in found},
            looks=looked,
            proposals=_open_proposals(connection),
            decisions=decided,
            reviewing=_last_said(connection, _REVIEWING),
            amended_after_start=_amended_after_start(connection),
            read_again=_read_again(connection),
            standing=_last_found(connection, Kind.LOOK_STATUS, alive),
            health=_last_found(connection, Kind.HEALTH, alive)
            | _last_found(connection, Kind.SHADOW_STATUS, alive),
        )


def last_plans(registry: Registry, only: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """The material document of each experiment, or only of these, by id: as locked last, or as drafted."""
    query = select(experiments.c.id, documents.c.body).join(
        documents, documents.c.sha256 == experiments.c.draft_sha256
    )
    if only is not None:
        query = query.where(experiments.c.id.in_(only))
    with registry.reading() as connection:
        return {row.id: json.loads(row.body) for row in connection.execute(query)}


def written_plans(registry: Registry, only: Sequence[str]) -> dict[str, str]:
    """The written text of the plan of each of these experiments, by id: as locked last, or as drafted."""
    query = select(experiments.c.id, documents.c.body).join(
        documents, documents.c.sha256 == experiments.c.draft_written_sha256
    )
    with registry.reading() as connection:
        rows = connection.execute(query.where(experiments.c.id.in_(only)))
        return {row.id: row.body for row in rows}


def last_simulations(registry: Registry, only: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """What the last simulation of each of these experiments' designs found, by id; no data were read for it."""
    with registry.reading() as connection:
        found = _last_found(connection, Kind.SIMULATE, list(only))
    return {experiment: one.result for experiment, one in found.items()}


def entities_and_acts(registry: Registry) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """What the ledger speaks of, who acts in it and which acts it knows: what it can be searched by."""
    with registry.reading() as connection:
        columns = (records.c.entity, records.c.actor, records.c.action)
        found = [
            connection.execute(select(column).distinct().order_by(column)).scalars() for column in columns
        ]
        entities, actors, actions = (tuple(values) for values in found)
        return entities, actors, actions


def outcome_readers(registry: Registry) -> tuple[tuple[str, str, str, int, datetime], ...]:
    """Who read outcomes of which experiment for what, how often, and when last; the latest first."""
    last = func.max(records.c.at)
    query = (
        select(records.c.entity, records.c.actor, records.c.reason, func.count(), last)
        .where(records.c.action == ledger.READ_OUTCOMES)
        .group_by(records.c.entity, records.c.actor, records.c.reason)
        .order_by(last.desc(), records.c.entity)
    )
    with registry.reading() as connection:
        return tuple(
            (entity, actor, reason or "", times, parse_instant(at))
            for entity, actor, reason, times, at in connection.execute(query)
        )


def _looks(connection: Connection) -> dict[str, tuple[Look, ...]]:
    rows = connection.execute(select(looks).order_by(looks.c.experiment, looks.c.k)).mappings()
    return _by_experiment((row["experiment"], look_from(row)) for row in rows)


def _open_proposals(connection: Connection) -> dict[str, tuple[Proposal, ...]]:
    query = select(proposals).where(proposals.c.status == "open").order_by(proposals.c.number)
    rows = connection.execute(query).mappings()
    return _by_experiment((row["experiment"], proposal_from(row)) for row in rows)


def _by_experiment(pairs: Iterable[tuple[str, Any]]) -> dict[str, tuple[Any, ...]]:
    gathered: dict[str, list[Any]] = {}
    for experiment, one in pairs:
        gathered.setdefault(experiment, []).append(one)
    return {experiment: tuple(those) for experiment, those in gathered.items()}


def _last_said(connection: Connection, actions: tuple[str, ...]) -> dict[str, Said]:
    newest = (
        select(func.max(records.c.seq).label("seq"))
        .where(records.c.action.in_(actions))
        .group_by(records.c.entity)
        .subquery()
    )
    query = select(records).join(newest, newest.c.seq == records.c.seq)
    return {row.entity: _said(row) for row in connection.execute(query)}


def _said(row: Row[Any]) -> Said:
    return Said(parse_instant(row.at), row.actor, row.action, row.reason)


def _amended_after_start(connection: Connection) -> frozenset[str]:
    query = select(plans.c.experiment).where(plans.c.timing.in_(AFTER_START)).distinct()
    return frozenset(connection.execute(query).scalars())


def _read_again(connection: Connection) -> frozenset[str]:
    """By the ledger: two reads for one look before the release. A harm stop's watch reads as often as it was declared to."""
    released = (
        select(records.c.entity, func.min(records.c.seq).label("seq"))
        .where(records.c.action == "release")
        .group_by(records.c.entity)
        .subquery()
    )
    query = (
        select(records.c.entity)
        .join(released, (released.c.entity == records.c.entity) & (records.c.seq < released.c.seq))
        .where(records.c.action == ledger.READ_OUTCOMES, records.c.reason != WATCHED)
        .group_by(records.c.entity, records.c.reason)
        .having(func.count() > 1)
    )
    return frozenset(connection.execute(query).scalars())


def _last_found(connection: Connection, kind: Kind, entities: list[str]) -> dict[str, Found]:
    newest = (
        select(func.max(jobs.c.id).label("id"))
        .where(jobs.c.kind == kind.value, jobs.c.state == JobState.DONE.value)
        .group_by(jobs.c.entity)
        .subquery()
    )
    alive = set(entities)
    query = select(jobs.c.entity, jobs.c.finished_at, jobs.c.result).join(newest, newest.c.id == jobs.c.id)
    return {
        row.entity: Found(None if row.finished_at is None else parse_instant(row.finished_at), row.result)
        for row in connection.execute(query)
        if row.entity in alive and row.result is not None
    }
