"""Places of pages that are still to come: what will be there, and what stands in for it until then."""

from __future__ import annotations

import streamlit as st

from app.screens.frame import Here, page
from app.screens.pieces import empty, way_to_page


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
