"""Things that need two people: one proposes, another approves or rejects; nobody signs for somebody else."""

from typing import Any

from sqlalchemy import func, select

from registry.acts import Act
from registry.canonical import Document
from registry.errors import Unknown
from registry.records import Proposal, proposal_from
from registry.tables import proposals

AMENDMENT = "amendment"
ABANDONMENT = "abandonment"
DECISION = "decision"
EXPLORATORY = "exploratory analysis"


def propose(
    act: Act,
    kind: str,
    content: Document,
    *,
    status: str = "open",
    sha256: str | None = None,
    written_sha256: str | None = None,
) -> int:
    """Write a proposal down; gives its number. The caller has made sure that no other of its kind is open."""
    query = select(func.max(proposals.c.number)).where(proposals.c.experiment == act.entity)
    number = int(act.connection.execute(query).scalar_one() or 0) + 1
    act.insert(
        proposals,
        {
            "experiment": act.entity,
            "number": number,
            "kind": kind,
            "status": status,
            "proposed_by": act.actor.id,
            "proposed_at": act.now,
            "content": content,
            "sha256": sha256,
            "written_sha256": written_sha256,
            "settled_by": None,
            "settled_at": None,
            "settled_reason": None,
        },
    )
    return number


def settle(act: Act, proposal: Proposal, status: str, reason: str | None) -> None:
    """End an open proposal."""
    values: dict[str, Any] = {"status": status, "settled_by": act.actor.id, "settled_at": act.now}
    act.update(
        proposals,
        {"experiment": act.entity, "number": proposal.number},
        values | {"settled_reason": reason},
    )


def open_proposal(act: Act, kind: str) -> Proposal | None:
    """The open proposal of a kind, if there is one."""
    query = select(proposals).where(
        proposals.c.experiment == act.entity, proposals.c.kind == kind, proposals.c.status == "open"
    )
    row = act.connection.execute(query).mappings().one_or_none()
    return None if row is None else proposal_from(row)


def required_proposal(act: Act, kind: str) -> Proposal:
    """The open proposal of a kind; the act is refused when there is none."""
    proposal = open_proposal(act, kind)
    if proposal is None:
        act.refuse(
            f"No {kind} of {act.entity} is waiting for anybody.",
            when_possible=f"once a {kind} is proposed.",
            what_to_do="Look at the history: it may have been settled already.",
        )
        raise Unknown(kind)
    return proposal


def note_open_already(act: Act, kind: str) -> None:
    """Note that one of this kind is waiting already."""
    waiting = open_proposal(act, kind)
    if waiting is not None:
        act.object(
            f"A {kind} proposed by {waiting.proposed_by} is waiting for a second person already.",
            when_possible="once it is approved or rejected.",
            what_to_do=f"Settle proposal {waiting.number} first.",
        )


def note_own_proposal(act: Act, proposal: Proposal) -> None:
    """Note that nobody approves what they proposed, except alone."""
    if proposal.proposed_by == act.actor.id and not act.actor.one_person:
        act.object(
            f"{act.actor.id} proposed it: a second person is needed.",
            when_possible="for somebody else.",
            what_to_do="Ask a second person.",
        )
