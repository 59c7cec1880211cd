"""A canary before it is registered: its reviewer locks it or sends it back; its owner may take it back."""

from __future__ import annotations

from functools import partial
from typing import Final

import streamlit as st

from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button, impossible, reason
from app.screens.experiment.exposure import exposure_section, request_exposure
from app.screens.experiment.opened import Opened
from app.views_experiment.exposure import label_needed
from app.views_experiment.gates import why_not
from registry import lifecycle
from registry.lifecycle.checks import MINIMUM_REASON
from registry.records import Label, State

NO_LABEL: Final = "no label: nobody was exposed before"
_LABELS: Final = (NO_LABEL, Label.LATE.value, Label.RETROSPECTIVE.value)


def locking(opened: Opened) -> None:
    """What a draft or a plan under review waits for."""
    current = opened.dossier.experiment
    if current.state is State.DRAFT:
        marks.words(
            f"A draft of {current.owner}, who goes on with it by fairtrial register or fairtrial edit. Nothing is locked."
        )
        return
    if current.state is not State.IN_REVIEW:
        return
    st.subheader("Lock it, or send it back", anchor="lock")
    marks.words(
        f"{current.owner} sent it to {current.reviewer}. Read the whole protocol below before you lock it."
    )
    _lock(opened)
    _request_changes(opened)
    why = why_not(opened.me.person, current, "take back")
    seen = button("Take it back to go on writing", "canary.take-back", opened.revision, why_not=why)
    if seen is not None:
        attempt(
            lambda: lifecycle.take_back(opened.here.registry, opened.me.id, opened.id, seen=seen),
            "It is a draft again.",
        )


def _lock(opened: Opened) -> None:
    here, current = opened.here, opened.dossier.experiment
    if impossible("Register and lock", "canary.lock", why_not(here.me.person, current, "register")):
        return
    standing = exposure_section(here, current, partial(_ask, opened))
    if standing.exposure is None:
        impossible("Register and lock", "canary.lock", "possible once the logs were asked.")
        return
    early = label_needed(standing.exposure) is not None
    with st.form("canary.lock.form", enter_to_submit=False):
        label, text = NO_LABEL, ""
        if early:
            marks.words(
                "It is not registered before its data any more. It can be locked under a label that stays on it for ever; "
                f"the reason needs {MINIMUM_REASON['register late']} characters."
            )
            label = st.selectbox("Label", _LABELS, key="canary.lock.label")
            text = st.text_area("Why it is registered late", key="canary.lock.reason") or ""
        typed = st.text_input(f"Type {opened.id} to confirm", key="canary.lock.confirm")
        seen = button("Register and lock", "canary.lock", opened.revision, primary=True, in_form=True)
    if seen is None:
        return
    if (typed or "").strip() != opened.id:
        st.error(
            f"Not locked: {typed!r} is not {opened.id}. Nothing was changed. Type the id, then press again."
        )
        return
    attempt(
        lambda: lifecycle.register(
            here.registry,
            here.me.id,
            opened.id,
            None,
            declared=None if label == NO_LABEL else Label(label),
            reason=text or None,
            seen=seen,
        ),
        f"{opened.id} is registered, and its plan is locked.",
    )


def _ask(opened: Opened) -> None:
    attempt(
        lambda: request_exposure(opened.here, opened.id), "The logs are being asked. This page may be closed."
    )


def _request_changes(opened: Opened) -> None:
    here = opened.here
    why = why_not(here.me.person, opened.dossier.experiment, "request changes")
    if impossible("Request changes", "canary.changes", why):
        return
    with st.form("canary.changes.form", enter_to_submit=False):
        text = reason("What has to change", "request changes", "canary.changes.reason")
        seen = button("Request changes", "canary.changes", opened.revision, in_form=True)
    if seen is not None:
        attempt(
            lambda: lifecycle.request_changes(here.registry, here.me.id, opened.id, text, seen=seen),
            "Sent back to its owner.",
        )
