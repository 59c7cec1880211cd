"""The page: the list of models, a new rollout, a rollout or a canary by its address."""

from __future__ import annotations

import re
from typing import Final

import streamlit as st

from app.screens.experiment import marks
from app.screens.experiment.acting import say_what_was_done
from app.screens.experiment.readout import stop_reading
from app.screens.frame import Here, page
from app.screens.ladder.canary import canary_page
from app.screens.ladder.listing import listing
from app.screens.ladder.planning import begin
from app.screens.ladder.rollout import rollout_page
from app.views_ladder.opened import ladder_view
from registry.errors import Unknown
from registry.kinds import CANARY
from registry.store import show

_ROLLOUT: Final = re.compile(r"ROL-[0-9]{4,9}")
_CANARY: Final = re.compile(r"CAN-[0-9]{4,9}")


@page
def ladder_page(here: Here) -> None:
    """Draw the list, the form of a new rollout, or what the address names."""
    marks.style()
    asked = st.query_params.get("id", "").strip().upper()
    if not _CANARY.fullmatch(asked):
        stop_reading()
    if not asked and "new" in st.query_params:
        begin(here)
    elif not asked:
        say_what_was_done()
        listing(here)
    elif _ROLLOUT.fullmatch(asked):
        _rollout(here, asked)
    elif _CANARY.fullmatch(asked):
        _canary(here, asked)
    else:
        _no_such(
            "The id in the address is neither one of a rollout, ROL- and a number, nor of a canary, CAN- and a number."
        )


def _rollout(here: Here, id: str) -> None:
    try:
        view = ladder_view(here.registry, here.me.id, id)
    except Unknown:
        _no_such(f"There is no rollout {id} here.")
        return
    rollout_page(here, view)


def _canary(here: Here, id: str) -> None:
    try:
        dossier = show(here.registry, id)
    except Unknown:
        _no_such(f"There is no canary {id} here.")
        return
    if dossier.experiment.kind != CANARY.name:
        _no_such(f"There is no canary {id} here.")
        return
    canary_page(here, dossier)


def _no_such(why: str) -> None:
    st.title("Ladder")
    st.error(f"{why} Nothing was changed.")
    if st.button("See all models"):
        st.query_params.clear()
        st.rerun()
