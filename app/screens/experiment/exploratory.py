"""Exploratory analyses: noted beside the plan, after the data; folded away, and labelled for ever."""

from __future__ import annotations

import streamlit as st

from app.export.blocks import table
from app.formats import instant
from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button, impossible, reason
from app.screens.experiment.opened import Opened
from app.views_experiment.gates import why_not
from registry import lifecycle
from registry.lifecycle.proposals import EXPLORATORY


def exploratory(opened: Opened) -> None:
    """What was noted, and the form to note another."""
    noted = [one for one in opened.dossier.proposals if one.kind == EXPLORATORY]
    st.subheader("Exploratory", anchor="exploratory")
    with st.expander(f"EXPLORATORY: {len(noted)} noted"):
        marks.words(
            "Chosen after the data, not by the plan. Treat each as an idea for a new test; none changes the verdict."
        )
        rows = [
            {
                "Analysis": str(one.content["analysis"]),
                "Noted": f"{instant(one.proposed_at)} by {one.proposed_by}",
            }
            for one in noted
        ]
        marks.table(table("Exploratory analyses", rows))
        why = why_not(opened.me.person, opened.dossier.experiment, "declare exploratory")
        if impossible("Note an exploratory analysis", "exploratory.do", why):
            return
        with st.form("exploratory", enter_to_submit=False):
            text = reason("What is looked at, and why", "declare exploratory", "exploratory.text")
            seen = button("Note an exploratory analysis", "exploratory.do", opened.revision, in_form=True)
    if seen is not None:
        attempt(
            lambda: lifecycle.declare_exploratory(
                opened.here.registry, opened.me.id, opened.id, text, seen=seen
            ),
            "Noted. It is exploratory for ever.",
        )
