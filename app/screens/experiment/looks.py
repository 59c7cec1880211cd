"""Looks: each one that was taken, and until the readout is released only how it ended."""

from __future__ import annotations

import streamlit as st

from app.export.blocks import Cell, table
from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button, impossible, reason
from app.screens.experiment.opened import Opened
from app.views_experiment.gates import why_not
from app.views_experiment.header import AWAITING_A_LOOK, next_look
from app.views_experiment.looks import taken_looks
from registry import lifecycle
from registry.jobs import Kind


def looks(opened: Opened) -> None:
    """Draw the tab."""
    taken = taken_looks(opened.dossier)
    if not taken:
        coming = next_look(opened.dossier, opened.design, opened.findings)
        ahead = f" The next look: {coming}." if opened.dossier.experiment.state in AWAITING_A_LOOK else ""
        st.info(f"No look has been taken. Here will be each one, with its cut-off and how it ended.{ahead}")
        return
    rows: list[dict[str, Cell]] = [
        {
            "Look": look.name,
            "How it ended": look.reading,
            "Units exposed up to": look.cut_off,
            "Opened": look.opened,
            "Sealed": look.sealed,
        }
        for look in taken
    ]
    marks.table(table("Looks taken", rows))
    if opened.dossier.experiment.released_at is None:
        marks.words(
            "What a look found is sealed and closed until the readout is released; nobody can open it.",
            muted=True,
        )
    else:
        marks.words("The readout is released: its section Sequential has what each look found.", muted=True)
    if opened.dossier.looks[-1].status == "open":
        _hold(opened, opened.dossier.looks[-1].k)


def _hold(opened: Opened, k: int) -> None:
    """Hold a look whose worker died, so that it can be taken again."""
    why = why_not(opened.me.person, opened.dossier.experiment, "hold look")
    if why is None and any(job.kind is Kind.LOOK for job in opened.findings.at_work):
        why = "it is being taken."
    st.subheader("Hold it", anchor="hold")
    marks.words(
        "Only if the process that opened it has died. Outcomes stay closed, and it can be taken again."
    )
    if impossible(f"Hold look {k}", "hold.do", why):
        return
    with st.form("hold", enter_to_submit=False):
        text = reason("What happened", "hold look", "hold.reason")
        seen = button(f"Hold look {k}", "hold.do", opened.revision, in_form=True)
    if seen is not None:
        attempt(
            lambda: lifecycle.hold_look(opened.here.registry, opened.me.id, opened.id, k, text, seen=seen),
            f"Look {k} is held. It can be taken again under Live.",
        )
