"""Downwards: pause, and roll back. A reason is enough; what will change is shown before."""

from __future__ import annotations

from typing import Final

import streamlit as st

from app.formats import share
from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button, reason
from app.screens.frame import Here
from app.views_ladder.opened import LadderView
from registry import ladder
from registry.ladder import Rollout, RolloutState

_SERVING = frozenset({RolloutState.CANARY, RolloutState.AB})
_OPEN: Final = "ladder.stopping"
"""In the session: which dialog is open, for which rollout."""


def stopping(here: Here, view: LadderView) -> None:
    """The two buttons; each opens a dialog that asks the reason."""
    rollout = view.file.rollout
    with st.container(horizontal=True):
        if rollout.state in _SERVING:
            why = view.may.pause
            if button("Pause", "ladder.pause.open", rollout.revision, why_not=why) is not None:
                st.session_state[_OPEN] = ("pause", rollout.id)
        if rollout.state is not RolloutState.ROLLED_BACK:
            why = view.may.roll_back
            pressed = button(roll_back_label(view), "ladder.back.open", rollout.revision, why_not=why)
            if pressed is not None:
                st.session_state[_OPEN] = ("roll back", rollout.id)
    if st.session_state.get(_OPEN) == ("pause", rollout.id) and rollout.state in _SERVING:
        _pause(here, view)
    elif st.session_state.get(_OPEN) == ("roll back", rollout.id):
        _roll_back(here, view)


def roll_back_label(view: LadderView) -> str:
    """What the button says: to which version it leads."""
    return f"Roll back to {view.file.rollout.champion}"


def changes_of_rolling_back(view: LadderView) -> list[str]:
    """What rolling back will change, in sentences."""
    rollout, route = view.file.rollout, view.file.route
    served = share(float(route.share))
    lines = [f"{rollout.champion} is served to everybody at once, for good."]
    if route.share:
        lines.append(
            f"The candidate {rollout.candidate} is served to {served} of all units now, then to nobody."
        )
    for name, alias in view.file.aliases.items():
        after = rollout.champion if name == "champion" else None
        if alias.version != after:
            lines.append(f"Alias {name}: {alias.version or 'none'} → {after or 'none'}.")
    if rollout.entry is not None and rollout.state is not RolloutState.PROMOTED:
        lines.append(f"{rollout.entry}, which runs the rung, is ended.")
    lines.append(
        "The rollout cannot be taken up again; another can be planned. Who, when and why is kept for ever."
    )
    return lines


def _closed() -> None:
    st.session_state.pop(_OPEN, None)


@st.dialog("Roll back", on_dismiss=_closed)
def _roll_back(here: Here, view: LadderView) -> None:
    rollout = view.file.rollout
    marks.words("This will change:", heading=True)
    marks.bullets(changes_of_rolling_back(view))
    text = reason("Reason", "roll back", "ladder.back.reason")
    if st.button(f"{roll_back_label(view)} now", type="primary", key="ladder.back.do"):
        # Without the revision: stopping must not fail because somebody else was faster at something.
        attempt(
            lambda: _done(ladder.roll_back(here.registry, here.me.id, rollout.id, text)),
            f"Rolled back: {rollout.champion} is served to everybody.",
        )


@st.dialog("Pause", on_dismiss=_closed)
def _pause(here: Here, view: LadderView) -> None:
    rollout = view.file.rollout
    marks.words(
        f"{rollout.champion} is served to everybody for now. The step and what the candidate has shown so far stay; no check is "
        "taken until it is resumed."
    )
    text = reason("Reason", "pause", "ladder.pause.reason")
    if st.button("Pause now", type="primary", key="ladder.pause.do"):
        attempt(
            lambda: _done(ladder.pause(here.registry, here.me.id, rollout.id, text)),
            f"Paused: {rollout.champion} is served to everybody.",
        )


def _done(_: Rollout) -> None:
    """Once it is done the dialog closes; a refusal leaves it open, with what was typed."""
    _closed()
