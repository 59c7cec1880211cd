"""Looks: each one that was taken, and only how it ended, until the readout is released."""

from __future__ import annotations

import streamlit as st

from app.export.blocks import Cell, table
from app.screens.experiment import marks
from app.screens.experiment.opened import Opened
from app.views_experiment.header import AWAITING_A_LOOK, next_look
from app.views_experiment.looks import taken_looks


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
