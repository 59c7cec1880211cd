"""From an experiment's page to where its draft is written."""

from __future__ import annotations

import streamlit as st


def way_to_draft(id: str, label: str) -> None:
    """A link to a draft under Register that keeps the session."""
    # Not at the top: the navigation names the pages, which name this file.
    from app.screens.navigation import screen_at

    found = screen_at("register")
    if found is not None:
        st.page_link(found.page(), label=label, query_params={"id": id}, icon=":material/edit_note:")
