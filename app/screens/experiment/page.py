"""One experiment by its address: which one, which tab of it, and what is drawn there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import streamlit as st

from app.screens.experiment import marks
from app.screens.experiment.acting import say_what_was_done
from app.screens.experiment.header import header
from app.screens.experiment.history import history
from app.screens.experiment.live import live
from app.screens.experiment.looks import looks
from app.screens.experiment.opened import Opened, opened_experiment
from app.screens.experiment.plan import plan
from app.screens.experiment.readout import readout, stop_reading
from app.screens.frame import Here, page
from registry.errors import Unknown
from registry.records import State

TABS: Final[dict[str, tuple[str, Callable[[Opened], None]]]] = {
    "plan": ("Plan", plan),
    "live": ("Live", live),
    "looks": ("Looks", looks),
    "readout": ("Readout", readout),
    "history": ("History", history),
}
"""By the name in the address: the word on the tab, and what draws it."""

_ALIASES: Final = {"review": "plan"}
_ID: Final = re.compile(r"EXP-[0-9]{4,9}")


@page
def experiment_page(here: Here) -> None:
    """Draw the experiment and the tab that the address names."""
    marks.style()
    asked = st.query_params.get("id", "")
    if not asked:
        st.title("Experiment")
        st.info(
            "No experiment is named in the address. Choose one on Home; its address ends with ?id= and its id."
        )
        return
    id = asked.strip().upper()
    if not _ID.fullmatch(id):
        _no_such("The id in the address is not one of an experiment: it is EXP- and a number.")
        return
    try:
        opened = opened_experiment(here, id)
    except Unknown:
        _no_such(f"There is no experiment {id} here.")
        return
    _draw(opened)


def _draw(opened: Opened) -> None:
    tab = _asked_tab(opened)
    header(opened, tab)
    say_what_was_done()
    key = f"tab-{opened.id}"
    if st.session_state.get(key) != tab:
        st.session_state[key] = tab
    chosen = st.segmented_control(
        "Part of the experiment",
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


def _asked_tab(opened: Opened) -> str:
    asked = st.query_params.get("tab", "").strip().casefold()
    asked = _ALIASES.get(asked, asked)
    if asked in TABS:
        return asked
    current = opened.dossier.experiment
    if current.state in {State.DRAFT, State.IN_REVIEW}:
        return "plan"
    return "live" if current.released_at is None else "readout"


def _follow(key: str) -> None:
    """Keep the address at the tab that is shown, so that it can be copied."""
    st.query_params["tab"] = st.session_state[key]


def _no_such(why: str) -> None:
    st.title("Experiment")
    st.error(f"{why} Nothing was changed. Choose one on Home.")
