"""Cases: pairs on which the models disagree, judged blind by several people, and what they found once it is unblinded."""

from __future__ import annotations

import streamlit as st

from app.screens.shadow.opened import OpenedShadow


def cases(opened: OpenedShadow) -> None:
    """Draw the tab."""
    if opened.current.released_at is None:
        st.info(
            "Cases open with the sealed look. Here will be pairs on which the models disagree, to be judged without knowing "
            "which model said what."
        )
