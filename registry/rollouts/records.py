"""What the registry keeps of rollouts, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select

from registry.canonical import Document
from registry.clock import parse_instant
from registry.errors import Unknown
from registry.tables import aliases, rollouts, transitions


class RolloutState(StrEnum):
    """Where a rollout stands; the rungs are named as the kinds of their entries."""

    PLANNED = "planned"
    SHADOW = "shadow"
    CANARY = "canary"
    AB = "ab"
    PAUSED = "paused"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"


RUNGS: Final = (RolloutState.SHADOW, RolloutState.CANARY, RolloutState.AB)
CLOSED: Final = frozenset({RolloutState.PROMOTED, RolloutState.ROLLED_BACK})
"""States after which a model may have another rollout."""


class Because(StrEnum):
    """Why a rollout is paused; only the first is mended by resuming it."""

    BY_HAND = "by hand"
    BREACH = "a guardrail was breached"
    INVALID = "a validity check failed"


CHAMPION: Final = "champion"
CANDIDATE: Final = "candidate"


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout as it stands.

    Attributes:
        step: of the canary, from 1; None outside one. A paused canary keeps it.
        shadow, canary, ab: the entries that run the rungs, as far as they are named; of several, the last.
        revision: goes up by one with each change; give the one you saw, to be told when somebody was faster.
    """

    id: str
    number: int
    model: str
    title: str
    champion: str
    candidate: str
    state: RolloutState
    step: int | None
    paused_from: RolloutState | None
    paused_because: Because | None
    labels: tuple[str, ...]
    owner: str
    model_owner: str | None
    team: str | None
    administrative: Document
    sha256: str
    written_sha256: str
    shadow: str | None
    canary: str | None
    ab: str | None
    created_at: datetime
    changed_at: datetime
    revision: int

    @property
    def rung(self) -> RolloutState | None:
        """The rung it is on, or was when it was paused; None before the first and after the last."""
        state = self.paused_from if self.state is RolloutState.PAUSED else self.state
        return state if state in RUNGS else None

    @property
    def entry(self) -> str | None:
        """The entry that runs the rung it is on."""
        return None if self.rung is None else self.entry_of(self.rung)

    def entry_of(self, rung: RolloutState) -> str | None:
        return {RolloutState.SHADOW: self.shadow, RolloutState.CANARY: self.canary, RolloutState.AB: self.ab}[
            rung
        ]

    @property
    def words(self) -> str:
        """The state as people read it: ``Canary, step 2``, ``Paused in the canary, step 2: by hand``."""
        if self.state is RolloutState.PAUSED and self.paused_from is not None:
            return f"Paused in {_IN_WORDS[self.paused_from]}{self._step}: {self.paused_because}"
        return f"{_WORDS[self.state]}{self._step}"

    @property
    def _step(self) -> str:
        return "" if self.step is None else f", step {self.step}"


_WORDS: Final = {
    RolloutState.PLANNED: "Planned",
    RolloutState.SHADOW: "Shadow",
    RolloutState.CANARY: "Canary",
    RolloutState.AB: "A/B",
    RolloutState.PAUSED: "Paused",
    RolloutState.PROMOTED: "Promoted",
    RolloutState.ROLLED_BACK: "Rolled back",
}
_IN_WORDS: Final = {
    RolloutState.SHADOW: "the shadow",
    RolloutState.CANARY: "the canary",
    RolloutState.AB: "the A/B",
}


@dataclass(frozen=True, slots=True)
class AliasMove:
    """An alias that a transition moved: from one version to another, or to none."""

    alias: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Transition:
    """A step of a rollout, done or asked for.

    Attributes:
        status: ``requested`` (waits for a signature), ``done``, ``rejected``, or ``lapsed`` (overtaken by another step).
        entry: the registered entry that the step begins or rests on.
        evidence: what it rests on: locked plans, sealed readouts and decisions, each with its identifiers.
        settled_by: who did it, or who approved or rejected what was asked for.
    """

    rollout: str
    number: int
    verb: str
    status: str
    from_state: RolloutState
    from_step: int | None
    to_state: RolloutState
    to_step: int | None
    entry: str | None
    evidence: tuple[Mapping[str, Any], ...]
    aliases: tuple[AliasMove, ...]
    confirmed: tuple[str, ...]
    reason: str
    requested_by: str
    requested_at: datetime
    settled_by: str | None
    settled_at: datetime | None
    settled_reason: str | None


@dataclass(frozen=True, slots=True)
class Alias:
    """Which version an alias of a model names now, and the transition that moved it there."""

    model: str
    alias: str
    version: str | None
    rollout: str
    transition: int
    moved_at: datetime


def load_rollout(connection: Connection, id: str) -> Rollout:
    """A rollout as it is now.

    Raises:
        Unknown: when there is none with this id.
    """
    row = connection.execute(select(rollouts).where(rollouts.c.id == id)).mappings().one_or_none()
    if row is None:
        known = connection.execute(select(rollouts.c.id).order_by(rollouts.c.number)).scalars().all()
        near = get_close_matches(id.upper(), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it holds {len(known)}"
        raise Unknown(f"rollout {id!r} is not in this registry; {hint}")
    return rollout_from(row)


def rollouts_of(connection: Connection, model: str) -> tuple[Rollout, ...]:
    """The rollouts of a model, newest first."""
    query = select(rollouts).where(rollouts.c.model == model).order_by(rollouts.c.number.desc())
    return tuple(rollout_from(row) for row in connection.execute(query).mappings())


def transitions_of(connection: Connection, rollout: str) -> tuple[Transition, ...]:
    """The transitions of a rollout, in order."""
    query = select(transitions).where(transitions.c.rollout == rollout).order_by(transitions.c.number)
    return tuple(transition_from(row) for row in connection.execute(query).mappings())


def aliases_of(connection: Connection, model: str) -> dict[str, Alias]:
    """The aliases of a model by name; empty for a model that no rollout knows."""
    query = select(aliases).where(aliases.c.model == model)
    found = (alias_from(row) for row in connection.execute(query).mappings())
    return {alias.alias: alias for alias in found}


def rollout_from(row: RowMapping) -> Rollout:
    values: dict[str, Any] = {name: row[name] for name in Rollout.__slots__}
    values |= {"state": RolloutState(row["state"]), "labels": tuple(row["labels"])}
    values["paused_from"] = None if row["paused_from"] is None else RolloutState(row["paused_from"])
    values["paused_because"] = None if row["paused_because"] is None else Because(row["paused_because"])
    values |= {name: parse_instant(row[name]) for name in ("created_at", "changed_at")}
    return Rollout(**values)


def transition_from(row: RowMapping) -> Transition:
    values: dict[str, Any] = {name: row[name] for name in Transition.__slots__}
    values |= {name: RolloutState(row[name]) for name in ("from_state", "to_state")}
    values["aliases"] = tuple(AliasMove(move["alias"], move["from"], move["to"]) for move in row["aliases"])
    values |= {"evidence": tuple(row["evidence"]), "confirmed": tuple(row["confirmed"])}
    values["requested_at"] = parse_instant(row["requested_at"])
    values["settled_at"] = None if row["settled_at"] is None else parse_instant(row["settled_at"])
    return Transition(**values)


def alias_from(row: RowMapping) -> Alias:
    values: dict[str, Any] = {name: row[name] for name in Alias.__slots__}
    return Alias(**(values | {"moved_at": parse_instant(row["moved_at"])}))
