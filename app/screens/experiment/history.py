"""History: the plan's versions with their differences, what was proposed, every record, and a clone to begin anew."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st

from app.export.blocks import table
from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button, impossible, reason
from app.screens.experiment.amending import amending
from app.screens.experiment.cloning import clone_section
from app.screens.experiment.exposure import exposure_section, request_exposure
from app.screens.experiment.opened import Opened
from app.views_experiment.gates import why_not
from app.views_experiment.history import (
    Changed,
    proposal_facts,
    proposed_changes,
    records_of,
    versions_of,
)
from registry import lifecycle
from registry.lifecycle.proposals import AMENDMENT
from registry.records import Proposal, State

FEW = 20
"""Records up to which they are a table that screen readers know; more go into a grid that scrolls."""


def history(opened: Opened) -> None:
    """Draw the tab."""
    _versions(opened)
    _proposals(opened)
    amending(opened)
    _records(opened)
    clone_section(opened)


def changes_table(changes: Sequence[Changed], caption: str) -> None:
    """Field by field what differs."""
    rows = [{"Field": one.field, "What": one.what, "Before": one.old, "After": one.new} for one in changes]
    marks.table(table(caption, rows))


def _versions(opened: Opened) -> None:
    st.subheader("Plan", anchor="plan-versions")
    versions = versions_of(opened.dossier)
    if not versions:
        marks.words("No version is locked yet.")
    for version in versions:
        current = " (current)" if version is versions[-1] else ""
        marks.words(f"Version {version.number}{current}")
        marks.facts([*version.facts, ("SHA-256", version.sha256)])
        if version.changes:
            changes_table(
                version.changes, f"What version {version.number} changed of version {version.number - 1}"
            )
    if len(versions) == 1:
        marks.words("The plan was not amended.")


def _proposals(opened: Opened) -> None:
    if not opened.dossier.proposals:
        return
    st.subheader("Proposals", anchor="proposals")
    for proposal in reversed(opened.dossier.proposals):
        marks.words(f"Proposal {proposal.number}: {proposal.kind}")
        marks.facts(proposal_facts(proposal))
        if changes := proposed_changes(proposal):
            changes_table(changes, "What it would change")
        if proposal.kind == AMENDMENT and proposal.status == "open":
            _settle(opened, proposal)


def _settle(opened: Opened, proposal: Proposal) -> None:
    person, current = opened.me.person, opened.dossier.experiment
    approve = why_not(person, current, "approve amendment")
    if approve is None and proposal.proposed_by == person.id and not person.one_person:
        approve = "you proposed it: a second person is needed."
    reject = why_not(person, current, "reject amendment")
    marks.words("Its timing class is computed again at the moment it is approved.", muted=True)
    registry, me = opened.here.registry, opened.me.id
    if approve is None and current.state is State.REGISTERED:
        standing = exposure_section(opened.here, current, partial(_ask, opened))
        approve = None if standing.exposure is not None else "possible once the logs were asked."
    seen = button("Approve the amendment", "amend.approve", opened.revision, why_not=approve)
    if seen is not None:
        attempt(
            lambda: lifecycle.approve_amendment(registry, me, opened.id, None, seen=seen),
            "Approved: the plan has a new version.",
        )
    if impossible("Reject the amendment", "amend.reject.do", reject):
        return
    with st.form("amend.reject", enter_to_submit=False):
        text = reason("Why it is rejected", "reject", "amend.reason")
        back = button("Reject the amendment", "amend.reject.do", opened.revision, in_form=True)
    if back is not None:
        attempt(
            lambda: lifecycle.reject_amendment(registry, me, opened.id, text, seen=back),
            "Rejected: the plan stays as it is.",
        )


def _ask(opened: Opened) -> None:
    attempt(lambda: request_exposure(opened.here, opened.id), "The logs are being asked.")


def _records(opened: Opened) -> None:
    st.subheader("Ledger", anchor="ledger")
    rows = [
        {
            "When": one.at,
            "Who": f"{one.actor} ({one.role})",
            "What": one.action,
            "In words": one.summary,
            "Reason": one.reason,
        }
        for one in records_of(opened.dossier)
    ]
    if len(rows) <= FEW:
        marks.table(table("Every record, newest first", rows))
    else:
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            alt=f"Every record of {opened.id} in the ledger, newest first",
        )
