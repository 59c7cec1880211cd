"""The filters of experiments, which stand in the page's address so that a view can be sent to somebody."""

from __future__ import annotations

import streamlit as st

from app.overview.listing import Choices, Filters

STARRED = "Starred by me"


def filters(offered: Choices, starred: frozenset[str]) -> Filters:
    """Draw the filters and give what is wanted.

    Args:
        starred: the experiments that the person here starred.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search",
            key="text",
            bind="query-params",
            placeholder="id, title, owner or metric",
            help="Every word must occur.",
        )
        states = st.multiselect("State", list(offered.states), key="state", bind="query-params")
        teams = st.multiselect("Team", offered.teams, key="team", bind="query-params")
        owners = st.multiselect("Owner", offered.owners, key="owner", bind="query-params")
        metrics = st.multiselect("Primary metric", offered.metrics, key="metric", bind="query-params")
        mine = st.toggle(f"{STARRED} ({len(starred)})", key="starred", bind="query-params")
    return Filters(
        tuple(offered.states[words] for words in states),
        tuple(teams),
        tuple(owners),
        tuple(metrics),
        text or "",
        starred if mine else None,
    )


def clear() -> None:
    """Take every filter away."""
    for name in ("state", "team", "owner", "metric"):
        st.session_state[name] = []
    st.session_state["text"] = ""
    st.session_state["starred"] = False
