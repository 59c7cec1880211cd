"""What the registry keeps, as plain values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from typing import Any

from sqlalchemy import RowMapping

from registry.canonical import Document, canonical_json, sha256_of, sha256_of_text
from registry.clock import parse_instant


class State(StrEnum):
    """Where an experiment stands; see `registry.lifecycle.states` for what leads where."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    REGISTERED = "registered"
    RUNNING = "running"
    STOPPED = "stopped"
    MATURE = "mature"
    READOUT = "readout"
    DECIDED = "decided"
    ABANDONED = "abandoned"
    INVALID = "invalid"


class Label(StrEnum):
    """What is printed on an experiment for ever."""

    LATE = "late"
    RETROSPECTIVE = "retrospective"
    SELF_REVIEWED = "self-reviewed"
    SIMULATED = "simulated"


class Verdict(StrEnum):
    """What the declared rule says of a stopped experiment: SHIP or not of an A/B, PASS or not of a shadow or canary."""

    SHIP = "SHIP"
    DO_NOT_SHIP = "DO NOT SHIP"
    PASS = "PASS"  # noqa: S105 - a verdict
    DO_NOT_PASS = "DO NOT PASS"  # noqa: S105 - a verdict
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as its design resolves it.

    `material` holds every field that the lock covers, `sha256` the hash of its canonical JSON;
    `administrative` the rest (links, tags, team, owner, reviewer, deciders, expected dates); `written` the
    text the person gave.
    """

    material: Document
    administrative: Document
    sha256: str
    written: str
    title: str

    def checked(self) -> "Plan":
        """The plan itself, if its hash is the hash of what it holds.

        Raises:
            ValueError: if not, or without a title.
        """
        actual = sha256_of(self.material)
        if actual != self.sha256:
            raise ValueError(
                f"plan.sha256: {self.sha256} is not the hash of plan.material, which is {actual}; the plan "
                "was changed after it was resolved: resolve the design again"
            )
        canonical_json(self.administrative)
        sha256_of_text(self.written)
        if not self.title.strip():
            raise ValueError("plan.title: an empty title is not allowed; say what changes, for whom")
        return self


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment as it stands."""

    id: str
    kind: str
    """A name of `registry.kinds`: `ab`, `shadow` or `canary`."""
    title: str
    state: State
    labels: tuple[Label, ...]
    owner: str
    past_owners: tuple[str, ...]
    reviewer: str | None
    team: str | None
    primary_metric: str | None
    assignment_key: str | None
    """The experiment's key in the logs."""
    salt: str | None
    administrative: Document
    plan_version: int
    """The version of the locked plan; 0 until one is locked."""
    draft_sha256: str
    draft_written_sha256: str
    cloned_from: str | None
    created_at: datetime
    changed_at: datetime
    registered_at: datetime | None
    first_exposure_at: datetime | None
    stopped_at: datetime | None
    stop_reason: str | None
    stopped_by_hand: bool
    matured_at: datetime | None
    released_at: datetime | None
    readout_sha256: str | None
    verdict: Verdict | None
    closed_at: datetime | None
    closing_reason: str | None
    revision: int
    """Goes up by one with each change; give the one you saw, to be told when somebody was faster."""

    def owned_by(self, person: str) -> bool:
        """Whether the person owns the experiment or ever did."""
        return person == self.owner or person in self.past_owners


@dataclass(frozen=True, slots=True)
class LockedPlan:
    """A version of an experiment's plan, as locked."""

    version: int
    material: Document
    written: str
    sha256: str
    locked_by: str
    locked_at: datetime
    timing: str | None
    """The timing class of the amendment that made it; None for the first."""
    proposal: int | None
    outcome_reads_before: int


@dataclass(frozen=True, slots=True)
class Look:
    """A declared occasion to read outcomes."""

    k: int
    of: int
    status: str
    """`open`, `held` (a fault that can be mended; outcomes closed) or `sealed`."""
    cutoff: datetime
    opened_by: str
    opened_at: datetime
    held_because: str | None
    sealed_at: datetime | None
    readout_sha256: str | None
    outcome: str | None
    stop_reason: str | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person signed."""

    decision: str
    arm: str | None
    """The treatment that ships; None for every other decision."""
    verdict: Verdict
    against_verdict: bool
    reason: str
    decided_by: str
    approved_by: str | None
    decided_at: datetime
    readout_sha256: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """Something that needs a second person: an amendment, an abandonment, a decision against the verdict."""

    number: int
    kind: str
    status: str
    """`open`, `approved`, `rejected` or `lapsed`; `noted` for an exploratory analysis, which needs nobody."""
    proposed_by: str
    proposed_at: datetime
    content: Document
    sha256: str | None
    written_sha256: str | None
    settled_by: str | None
    settled_at: datetime | None
    settled_reason: str | None


@dataclass(frozen=True, slots=True)
class Reservation:
    """The part of a layer, from `start` up to but without `end`, that an open experiment holds.

    Shares of the layer are exact, 0 to 1: a third is a third.
    """

    layer: str
    start: Fraction
    end: Fraction

    def overlaps(self, other: "Reservation") -> bool:
        return self.layer == other.layer and self.start < other.end and other.start < self.end


def experiment_from(row: RowMapping) -> Experiment:
    """An experiment from its row."""
    values: dict[str, Any] = {name: row[name] for name in Experiment.__slots__}
    values |= _times(row, [name for name in Experiment.__slots__ if name.endswith("_at")])
    values["state"] = State(row["state"])
    values["labels"] = tuple(Label(label) for label in row["labels"])
    values["past_owners"] = tuple(row["past_owners"])
    values["verdict"] = None if row["verdict"] is None else Verdict(row["verdict"])
    return Experiment(**values)


def look_from(row: RowMapping) -> Look:
    """A look from its row."""
    values: dict[str, Any] = {name: row[name] for name in Look.__slots__}
    values |= _times(row, ["cutoff", "opened_at", "sealed_at"])
    values["verdict"] = None if row["verdict"] is None else Verdict(row["verdict"])
    return Look(**values)


def decision_from(row: RowMapping) -> Decision:
    """A decision from its row."""
    values: dict[str, Any] = {name: row[name] for name in Decision.__slots__}
    values |= _times(row, ["decided_at"])
    values["verdict"] = Verdict(row["verdict"])
    return Decision(**values)


def proposal_from(row: RowMapping) -> Proposal:
    """A proposal from its row."""
    values: dict[str, Any] = {name: row[name] for name in Proposal.__slots__}
    return Proposal(**(values | _times(row, ["proposed_at", "settled_at"])))


def _times(row: RowMapping, names: list[str]) -> dict[str, datetime | None]:
    return {name: None if row[name] is None else parse_instant(row[name]) for name in names}
