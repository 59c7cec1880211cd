"""History of a shadow: the versions of its plan, what was proposed, and every record of the ledger."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.export.blocks import table
from app.screens.experiment import marks
from app.screens.experiment.history import FEW, changes_table
from app.screens.shadow.opened import OpenedShadow
from app.views_experiment.history import proposal_facts, proposed_changes, records_of, versions_of


def history(opened: OpenedShadow) -> None:
    """Draw the tab."""
    _versions(opened)
    _proposals(opened)
    _records(opened)


def _versions(opened: OpenedShadow) -> None:
    st.subheader("Plan", anchor="plan-versions")
    versions = versions_of(opened.dossier)
    if not versions:
        marks.words("No version is locked yet.")
    for version in versions:
        marks.words(f"Version {version.number}{' (current)' if version is versions[-1] else ''}")
        marks.facts([*version.facts, ("SHA-256", version.sha256)])
        if version.changes:
            changes_table(version.changes, f"What version {version.number} changed")
    if len(versions) == 1:
        marks.words(
            "The plan was not amended. The command fairtrial amend changes it while that is still possible."
        )


def _proposals(opened: OpenedShadow) -> None:
    if not opened.dossier.proposals:
        return
    st.subheader("Proposals", anchor="proposals")
    for proposal in reversed(opened.dossier.proposals):
        marks.words(f"Proposal {proposal.number}: {proposal.kind}")
        marks.facts(proposal_facts(proposal))
        if changes := proposed_changes(proposal):
            changes_table(changes, "What it would change")


def _records(opened: OpenedShadow) -> None:
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
