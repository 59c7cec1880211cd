"""The page: the list of shadows, a new one, or one of them by its address."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import streamlit as st

from app.screens.experiment import marks
from app.screens.experiment.acting import say_what_was_done
from app.screens.experiment.readout import stop_reading
from app.screens.frame import Here, page
from app.screens.shadow.cases import cases
from app.screens.shadow.header import header
from app.screens.shadow.history import history
from app.screens.shadow.listing import listing
from app.screens.shadow.live import live
from app.screens.shadow.opened import NoShadow, OpenedShadow, opened_shadow
from app.screens.shadow.plan import plan
from app.screens.shadow.readout import readout
from app.screens.shadow.writing import begin
from registry.errors import Unknown
from registry.records import State

TABS: Final[dict[str, tuple[str, Callable[[OpenedShadow], None]]]] = {
    "plan": ("Plan", plan),
    "live": ("Live", live),
    "readout": ("Readout", readout),
    "cases": ("Cases", cases),
    "history": ("History", history),
}
"""By the name in the address: the word on the tab, and what draws it."""

_ALIASES: Final = {"review": "plan", "looks": "live"}
_ID: Final = re.compile(r"SHD-[0-9]{4,9}")


@page
def shadow_page(here: Here) -> None:
    """Draw the list, the form of a new shadow, or the shadow and the tab that the address names."""
    marks.style()
    asked = st.query_params.get("id", "").strip().upper()
    if not asked and "new" in st.query_params:
        begin(here)
        return
    if not asked:
        listing(here)
        return
    if not _ID.fullmatch(asked):
        _no_such("The id in the address is not one of a shadow: it is SHD- and a number.")
        return
    try:
        opened = opened_shadow(here, asked)
    except (Unknown, NoShadow):
        _no_such(f"There is no shadow {asked} here.")
        return
    _draw(opened)


def _draw(opened: OpenedShadow) -> None:
    tab = _asked_tab(opened)
    header(opened, tab)
    say_what_was_done()
    key = f"shadow-tab-{opened.id}"
    if st.session_state.get(key) != tab:
        st.session_state[key] = tab
    chosen = st.segmented_control(
        "Part of the shadow",
        list(TABS),
        format_func=lambda name: TABS[name][0],
        key=key,
        label_visibility="collapsed",
        required=True,
        on_change=_follow,
        args=(key,),
    )
    chosen = chosen or tab
    if chosen != "readout":
        stop_reading()
    TABS[chosen][1](opened)


def _asked_tab(opened: OpenedShadow) -> str:
    asked = st.query_params.get("tab", "").strip().casefold()
    asked = _ALIASES.get(asked, asked)
    if asked in TABS:
        return asked
    current = opened.current
    if current.state in {State.DRAFT, State.IN_REVIEW}:
        return "plan"
    return "live" if current.released_at is None else "readout"


def _follow(key: str) -> None:
    """Keep the address at the tab that is shown, so that it can be copied."""
    st.query_params["tab"] = st.session_state[key]


def _no_such(why: str) -> None:
    st.title("Shadow review")
    st.error(f"{why} Nothing was changed.")
    if st.button("See all shadows"):
        st.query_params.clear()
        st.rerun()
