"""The list of shadows, and the way to a new one."""

from __future__ import annotations

import streamlit as st

from app.screens.frame import Here
from app.screens.pieces import empty, go_to, table
from app.views_shadow.standing import health_reading, next_look, standing_of
from registry.actors import Role
from registry.kinds import SHADOW
from registry.lifecycle.states import CLOSED
from registry.records import Experiment, State
from registry.store import list_experiments, show, words_of

_AWAITING = frozenset({State.REGISTERED, State.RUNNING, State.STOPPED, State.MATURE})
LIMIT = 200


def listing(here: Here) -> None:
    """Every shadow, those that are open first."""
    st.title("Shadow review")
    st.caption(
        "A candidate answers the champion's requests, and nobody sees its answers. What it says stays closed until the look "
        "that its plan declares."
    )
    found = list_experiments(here.registry, kind=SHADOW.name, limit=LIMIT)
    _new(here)
    if not found:
        empty(
            "No model is in shadow.",
            "Here will be a line for each candidate: which champion it is compared with, how far it has come, and its verdict "
            "once that is released.",
            "Write a shadow's design, or take the example that the page of a new shadow holds.",
        )
        return
    found = tuple(sorted(found, key=lambda one: one.state in CLOSED))
    titles = {one.id: f"{one.id}  {one.title}" for one in found}
    chosen = st.selectbox(
        "Open a shadow",
        list(titles),
        index=None,
        key="shadow.open",
        format_func=titles.__getitem__,
        placeholder="Choose one of those below",
    )
    if chosen is not None:
        go_to(chosen)
    words = words_of(here.registry, found)
    rows = [_row(here, one, words[one.id]) for one in found]
    table(
        rows,
        f"{len(rows)} shadows with state, health, what comes next, and the verdict once it is released.",
        links="Shadow",
    )


def _new(here: Here) -> None:
    able = here.me.person.has(Role.ANALYST)
    if st.button("Write a new shadow", type="primary", disabled=not able, icon=":material/add:"):
        st.query_params["new"] = "1"
        st.rerun()
    if not able:
        st.caption("Write a new shadow: only an analyst may. Ask an admin for the role Analyst.")


def _row(here: Here, one: Experiment, words: str) -> dict[str, object]:
    released = one.released_at is not None and one.verdict is not None
    row: dict[str, object] = {
        "Shadow": one.id,
        "Title": one.title,
        "State": words,
        "Now": "",
        "Verdict": one.verdict.value if released and one.verdict else "",
    }
    if one.state in _AWAITING:
        standing = standing_of(here.registry, one.id)
        coming = next_look(show(here.registry, one.id), standing)
        row["Now"] = f"Health: {health_reading(standing).words}. Next look: {coming}"
    return row
