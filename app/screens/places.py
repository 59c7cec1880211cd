"""Places of pages that are still to come: what will be there, and what stands in for it until then."""

from __future__ import annotations

import streamlit as st

from app.screens.frame import Here, page
from app.screens.pieces import empty, way_to_page


@page
def ladder_page(_: Here) -> None:
    """Where a model climbs from shadow to everybody."""
    st.title("Ladder")
    empty(
        "No model is on the ladder.",
        "Here will be each model's rung (shadow, canary, A/B, promoted), what the next step waits for, and who moved it on "
        "which evidence. Rolling back will need a reason and nothing else.",
        "A promoted rung will rest on a released readout: register the A/B experiment now.",
    )
    way_to_page("register", "Register an experiment")


@page
def monitors_page(_: Here) -> None:
    """Where served models are watched."""
    st.title("Monitors")
    empty(
        "Nothing is monitored.",
        "Here will be the inputs, predictions and outcomes of served models against a reference: what drifted, since when, who "
        "answers for it, and how many false alarms the rules are expected to give.",
        "Until then, the health of a running experiment is on its own page.",
    )
    way_to_page("experiments", "All experiments")
