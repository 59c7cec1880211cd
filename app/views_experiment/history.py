"""An experiment's life: versions of its plan with what changed, proposals, and every record of the ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from app.declared_words import duration_in_words
from app.formats import NOTHING, instant
from registry.clock import parse_instant
from registry.database import Registry
from registry.ledger import Entry
from registry.lifecycle.drafting import is_unfinished
from registry.lifecycle.paths import Change, differences
from registry.records import Proposal
from registry.store import Dossier, document, show

TIMINGS: Final = {
    "A": "A: before the first exposure",
    "B": "B: after exposure, outcomes closed to all",
    "C": "C: after outcomes were seen",
}

_STATUSES: Final = {"open": "waits for a second person", "lapsed": "lapsed: the experiment ended before"}
_DURATIONS: Final = frozenset(
    {"minimum_duration", "maximum_duration", "step", "window", "catalogue_window", "label_delay", "maturity"}
)


@dataclass(frozen=True, slots=True)
class Changed:
    """One field that differs, as people read it."""

    field: str
    what: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Version:
    """A locked version of the plan, and what it changed of the one before.

    Attributes:
        facts: who locked it, when, its timing class and the reads of outcomes before it.
    """

    number: int
    sha256: str
    facts: tuple[tuple[str, str], ...]
    changes: tuple[Changed, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the ledger. Its detail stays out: before a release it may hold what a look found."""

    at: str
    actor: str
    role: str
    action: str
    summary: str
    reason: str


def versions_of(dossier: Dossier) -> tuple[Version, ...]:
    """Every locked version, the first one first."""
    found = []
    for plan in dossier.plans:
        before = None if plan.version == 1 else dossier.plans[plan.version - 2]
        facts = [("Locked", f"{instant(plan.locked_at)} by {plan.locked_by}")]
        proposal = next((p for p in dossier.proposals if p.number == plan.proposal), None)
        if plan.timing is not None:
            facts.append(("Timing class", TIMINGS.get(plan.timing, plan.timing)))
        if proposal is not None:
            facts += _why(proposal)
        facts.append(("Outcome reads before it", str(plan.outcome_reads_before)))
        changes = () if before is None else changed(differences(before.material, plan.material))
        found.append(Version(plan.version, plan.sha256, tuple(facts), changes))
    return tuple(found)


def changes_under_review(registry: Registry, dossier: Dossier) -> tuple[Changed, ...] | None:
    """What the plan changed since it was last sent for review, else since the one it was cloned from; None where
    there is nothing to compare with."""
    now = dossier.experiment.draft_sha256
    sent = [
        json.loads(entry.detail)["facts"]["sha256"] for entry in dossier.history if entry.action == "submit"
    ]
    earlier = next((sha256 for sha256 in reversed(sent) if sha256 != now), None)
    if earlier is None and dossier.experiment.cloned_from is not None:
        earlier = show(registry, dossier.experiment.cloned_from).experiment.draft_sha256
    if earlier is None:
        return None
    before = json.loads(document(registry, earlier))
    return None if is_unfinished(before) else changed(differences(before, dossier.draft))


def proposed_changes(proposal: Proposal) -> tuple[Changed, ...]:
    """What a proposed amendment would change, from what was recorded of it."""
    return tuple(
        Changed(
            one["field"], one["change"], _value(one["field"], one["old"]), _value(one["field"], one["new"])
        )
        for one in proposal.content.get("diff", ())
    )


def proposal_facts(proposal: Proposal) -> tuple[tuple[str, str], ...]:
    """What a proposal says for itself, and what became of it."""
    facts = [
        ("Proposed", f"{instant(proposal.proposed_at)} by {proposal.proposed_by}"),
        ("Status", _STATUSES.get(proposal.status, proposal.status)),
    ]
    facts += _why(proposal)
    if proposal.settled_by is not None:
        facts.append(("Settled", f"{instant(proposal.settled_at)} by {proposal.settled_by}"))
    if proposal.settled_reason:
        facts.append(("Reason given", proposal.settled_reason))
    return tuple(facts)


def records_of(dossier: Dossier) -> tuple[Record, ...]:
    """Every record of the ledger on this experiment, newest first."""
    return tuple(_record(entry) for entry in reversed(dossier.history))


def changed(changes: tuple[Change, ...]) -> tuple[Changed, ...]:
    return tuple(
        Changed(one.name, one.kind.value, _value(one.name, one.old), _value(one.name, one.new))
        for one in changes
    )


def _why(proposal: Proposal) -> list[tuple[str, str]]:
    names = {
        "decision": "Decision",
        "arm": "Arm",
        "code": "Reason",
        "reason": "In words",
        "explanation": "In words",
        "analysis": "Analysis",
        "inference": "Effect on inference",
        "timing_when_proposed": "Timing class when proposed",
    }
    content = dict(proposal.content)
    if "timing_when_proposed" in content:
        content["timing_when_proposed"] = TIMINGS.get(
            content["timing_when_proposed"], content["timing_when_proposed"]
        )
    return [(name, str(content[key]).replace("_", " ")) for key, name in names.items() if content.get(key)]


def _record(entry: Entry) -> Record:
    at = instant(parse_instant(entry.at))
    return Record(at, entry.actor, entry.role, entry.action, entry.summary, entry.reason or "")


def _value(field: str, value: Any) -> str:
    """A value as people read it; what the plan keeps as seconds is said as a duration."""
    if value is None:
        return NOTHING
    if field.rsplit(".", 1)[-1] in _DURATIONS and isinstance(value, int) and not isinstance(value, bool):
        return duration_in_words(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
