"""Plan: a draft to be written, the whole protocol in plain words, and under review the acts of its reviewer."""

from __future__ import annotations

from functools import partial
from typing import Final

import streamlit as st

from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button, impossible, reason
from app.screens.experiment.ending import ending
from app.screens.experiment.exposure import exposure_section, request_exposure
from app.screens.experiment.history import changes_table
from app.screens.shadow.opened import OpenedShadow
from app.screens.shadow.writing import edit, protocol_of
from app.views_experiment.exposure import label_needed
from app.views_experiment.gates import why_not
from app.views_experiment.history import changes_under_review
from registry import lifecycle
from registry.lifecycle.checks import MINIMUM_REASON
from registry.records import Label, State

NO_LABEL: Final = "no label: nothing was mirrored before"
_LABELS: Final = (NO_LABEL, Label.LATE.value, Label.RETROSPECTIVE.value)


def plan(opened: OpenedShadow) -> None:
    """Draw the tab."""
    current, me = opened.current, opened.here.me
    if current.state is State.DRAFT and current.owner == me.id:
        edit(opened)
        ending(opened.entry)
        return
    if current.state is State.DRAFT:
        marks.words(f"A draft of {current.owner}, who alone can change it. Nothing is locked.")
    if current.state is State.IN_REVIEW:
        _review(opened)
    _protocol(opened)
    if current.state is State.IN_REVIEW:
        st.subheader("Lock it, or send it back", anchor="lock")
        _lock(opened)
        _request_changes(opened)
        _take_back(opened)
    if current.state in {State.DRAFT, State.IN_REVIEW}:
        ending(opened.entry)


def _protocol(opened: OpenedShadow) -> None:
    if opened.design is None:
        return
    st.subheader("Protocol", anchor="protocol")
    protocol_of(opened.design)
    with st.expander("As it was written (YAML)"):
        st.code(opened.dossier.draft_written, language="yaml")
    st.download_button(
        "Download the design (YAML)",
        opened.dossier.draft_written,
        file_name=f"{opened.id}.yaml",
        mime="application/yaml",
        on_click="ignore",
        key="shadow.download-plan",
    )


def _review(opened: OpenedShadow) -> None:
    current = opened.current
    st.subheader("Review", anchor="review")
    marks.words(
        f"{current.owner} sent it to {current.reviewer}. Read the whole protocol below before you lock it."
    )
    changes = changes_under_review(opened.here.registry, opened.dossier)
    if changes:
        changes_table(
            changes, "What changed since it was last under review, or since what it was cloned from"
        )
    elif changes is not None:
        marks.words("Nothing changed in the plan since it was last under review.")


def _lock(opened: OpenedShadow) -> None:
    here, current = opened.here, opened.current
    why = why_not(here.me.person, current, "register")
    if why is None and opened.design is None:
        why = f"the plan does not resolve to a design; {opened.why_no_design}"
    if impossible("Register and lock", "shadow.lock", why):
        return
    standing = exposure_section(here, current, partial(_ask, opened))
    if standing.exposure is None:
        impossible("Register and lock", "shadow.lock", "possible once the logs were asked.")
        return
    early = label_needed(standing.exposure) is not None
    with st.form("shadow.lock.form", enter_to_submit=False):
        label, text = NO_LABEL, ""
        if early:
            marks.words(
                "It is not registered before its data any more. It can be locked under a label that stays on it for ever; "
                f"the reason needs {MINIMUM_REASON['register late']} characters."
            )
            label = st.selectbox("Label", _LABELS, key="shadow.lock.label")
            text = st.text_area("Why it is registered late", key="shadow.lock.reason") or ""
        typed = st.text_input(f"Type {opened.id} to confirm", key="shadow.lock.confirm")
        seen = button("Register and lock", "shadow.lock", opened.revision, primary=True, in_form=True)
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


def _ask(opened: OpenedShadow) -> None:
    attempt(
        lambda: request_exposure(opened.here, opened.id), "The logs are being asked. This page may be closed."
    )


def _request_changes(opened: OpenedShadow) -> None:
    here = opened.here
    why = why_not(here.me.person, opened.current, "request changes")
    if impossible("Request changes", "shadow.changes", why):
        return
    with st.form("shadow.changes.form", enter_to_submit=False):
        text = reason("What has to change", "request changes", "shadow.changes.reason")
        seen = button("Request changes", "shadow.changes", opened.revision, in_form=True)
    if seen is not None:
        attempt(
            lambda: lifecycle.request_changes(here.registry, here.me.id, opened.id, text, seen=seen),
            "Sent back to its owner.",
        )


def _take_back(opened: OpenedShadow) -> None:
    here = opened.here
    why = why_not(here.me.person, opened.current, "take back")
    seen = button("Take it back to go on writing", "shadow.take-back", opened.revision, why_not=why)
    if seen is not None:
        attempt(
            lambda: lifecycle.take_back(here.registry, here.me.id, opened.id, seen=seen),
            "It is a draft again.",
        )
