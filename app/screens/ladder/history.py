"""What was done with a rollout, on which evidence, and what came of what had been predicted."""

from __future__ import annotations

import streamlit as st

from app.screens.experiment import marks
from app.screens.frame import Here, refusal
from app.views_ladder.opened import LadderView
from app.views_ladder.tables import history_table, realised_table
from registry import ladder
from registry.errors import Refused
from registry.ladder import RolloutState


def history(view: LadderView) -> None:
    """Every transition."""
    st.subheader("History", anchor="history")
    marks.table(history_table(view))


def realised(here: Here, view: LadderView) -> None:
    """What shadow and canary had said beside what the A/B found, once its readout is released; the reading is recorded."""
    dossier = view.entries.get(RolloutState.AB)
    if dossier is None or dossier.experiment.released_at is None:
        return
    st.subheader("Predicted against realised", anchor="realised")
    marks.words(
        "What the rungs below had said of each measure, and whether the A/B's estimate lies within their interval. It tells a "
        "team what its earlier rungs are worth."
    )
    shown = f"ladder.realised.{view.id}"
    if st.button("Show it: the reading is recorded", key=f"{shown}.show"):
        st.session_state[shown] = True
    if not st.session_state.get(shown):
        return
    try:
        rows = ladder.predicted_and_realised(here.registry, here.me.id, view.id)
    except Refused as refused:
        refusal(refused)
        return
    marks.table(realised_table(rows))
