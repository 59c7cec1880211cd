"""Ending an experiment before its declared end: withdraw, stop by hand, abandon; always with a reason."""

from __future__ import annotations

import streamlit as st

from app.formats import instant
from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button, impossible, reason
from app.screens.experiment.opened import Opened
from app.views_experiment.gates import why_not
from registry import lifecycle
from registry.lifecycle import Abandonment
from registry.lifecycle.proposals import ABANDONMENT
from registry.records import Proposal, State


def ending(opened: Opened) -> None:
    """The acts that end what has not ended yet; nothing once it has."""
    current = opened.dossier.experiment
    if current.state in {State.READOUT, State.DECIDED, State.ABANDONED, State.INVALID}:
        return
    st.subheader("End it early", anchor="end-early")
    waiting = _waiting(opened)
    if waiting is not None:
        marks.words(
            f"{waiting.proposed_by} proposed to abandon it ({waiting.content['code']}): {waiting.content['reason']} "
            "It ends once the other of owner and reviewer agrees."
        )
    if current.state in {State.DRAFT, State.IN_REVIEW, State.REGISTERED}:
        _withdraw(opened)
    if current.state is State.RUNNING:
        _stop(opened)
    if current.state in {State.REGISTERED, State.RUNNING, State.STOPPED, State.MATURE}:
        _abandon(opened, waiting)


def _withdraw(opened: Opened) -> None:
    current = opened.dossier.experiment
    why = why_not(opened.me.person, current, "withdraw")
    if why is None and current.first_exposure_at is not None:
        why = (
            f"possible only before the first exposure, which was {instant(current.first_exposure_at)}. Abandon it: owner and "
            "reviewer together."
        )
    with st.expander("Withdraw it"):
        marks.words("Possible before the first exposure. It stays listed, and nobody can take it up again.")
        if impossible("Withdraw", "withdraw.do", why):
            return
        with st.form("withdraw", enter_to_submit=False):
            text = reason("Why it is withdrawn", "withdraw", "withdraw.reason")
            seen = button("Withdraw", "withdraw.do", opened.revision, in_form=True)
        if seen is not None:
            attempt(
                lambda: lifecycle.withdraw(opened.here.registry, opened.me.id, opened.id, text, seen=seen),
                "Withdrawn. It stays listed.",
            )


def _stop(opened: Opened) -> None:
    why = why_not(opened.me.person, opened.dossier.experiment, "stop by hand")
    with st.expander("Stop it by hand"):
        marks.words(
            "For an operational reason. Everybody gets control at once; the units exposed so far are read out once they are "
            "mature, and the verdict is at most INCONCLUSIVE."
        )
        if impossible("Stop by hand", "stop.do", why):
            return
        with st.form("stop", enter_to_submit=False):
            text = reason("Why it is stopped", "stop by hand", "stop.reason")
            seen = button("Stop by hand", "stop.do", opened.revision, in_form=True)
        if seen is not None:
            attempt(
                lambda: lifecycle.stop_by_hand(
                    opened.here.registry, opened.me.id, opened.id, text, seen=seen
                ),
                "Stopped. It is read out once its last unit is mature.",
            )


def _abandon(opened: Opened, waiting: Proposal | None) -> None:
    current = opened.dossier.experiment
    why = why_not(opened.me.person, current, "abandon")
    if (
        why is None
        and waiting is not None
        and waiting.proposed_by == opened.me.id
        and not opened.me.person.one_person
    ):
        why = "you proposed it: the other of owner and reviewer has to agree."
    with st.expander("Abandon it"):
        marks.words("Owner and reviewer each say so; the second ends it. Its outcomes stay closed for ever.")
        label = "Abandon" if waiting is None else "Agree and abandon"
        if impossible(label, "abandon.do", why):
            return
        with st.form("abandon", enter_to_submit=False):
            code = st.selectbox("What kind of reason", list(Abandonment), key="abandon.code")
            text = reason("Why it is abandoned", "abandon", "abandon.reason")
            seen = button(label, "abandon.do", opened.revision, in_form=True)
        if seen is not None:
            attempt(
                lambda: lifecycle.abandon(
                    opened.here.registry, opened.me.id, opened.id, code or Abandonment.OTHER, text, seen=seen
                ),
                "Recorded. It ends once owner and reviewer have both said so.",
            )


def _waiting(opened: Opened) -> Proposal | None:
    found = (p for p in opened.dossier.proposals if p.kind == ABANDONMENT and p.status == "open")
    return next(found, None)
