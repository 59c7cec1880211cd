"""Plan: the whole protocol in plain words; under review also what changed, and the acts of the reviewer."""

from __future__ import annotations

from functools import partial
from typing import Final

import streamlit as st

from app.drafting.checking import label_of, step_of
from app.protocol import protocol
from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button, impossible, reason
from app.screens.experiment.ending import ending
from app.screens.experiment.exposure import exposure_section, request_exposure
from app.screens.experiment.history import changes_table
from app.screens.experiment.opened import Opened
from app.screens.experiment.ways import way_to_draft
from app.screens.register.fields import TO_MEND
from app.views_experiment.exposure import label_needed
from app.views_experiment.gates import why_not
from app.views_experiment.history import changes_under_review
from experiments.designs.metrics import load_catalogue
from experiments.forms.problems import Invalid
from registry import lifecycle
from registry.lifecycle.checks import MINIMUM_REASON
from registry.lifecycle.drafting import is_unfinished
from registry.plans import unfinished_problems
from registry.records import Label, State

NO_LABEL: Final = "no label: nothing was exposed before"
_LABELS: Final = (NO_LABEL, Label.LATE.value, Label.RETROSPECTIVE.value)


def plan(opened: Opened) -> None:
    """Draw the tab."""
    state = opened.dossier.experiment.state
    if state is State.IN_REVIEW:
        _review(opened)
    elif state is State.DRAFT:
        _draft(opened)
    _protocol(opened)
    if state is State.IN_REVIEW:
        st.subheader("Lock it, or send it back", anchor="lock")
        _lock(opened)
        _request_changes(opened)
        _take_back(opened)
    if state in {State.DRAFT, State.IN_REVIEW}:
        ending(opened)


def _draft(opened: Opened) -> None:
    """The way to where it is written, and what it still lacks."""
    current = opened.dossier.experiment
    marks.words("A draft: nothing is locked. Its owner edits it under Register and sends it for review.")
    mine = current.owner == opened.me.id
    way_to_draft(
        opened.id,
        "Go on with it under Register" if mine else f"See the draft of {current.owner} under Register",
    )
    if not is_unfinished(opened.dossier.draft):
        return
    st.subheader("What it still lacks", anchor="lacks")
    try:
        problems = unfinished_problems(opened.dossier, load_catalogue(opened.here.settings.catalogue))
    except Invalid as invalid:
        marks.words(f"It cannot be checked now: {str(invalid).splitlines()[0]}")
        return
    if not problems:
        marks.words("Nothing any more: once it is saved again it can be sent for review.")
    for problem in problems:
        marks.notice(
            TO_MEND, f"Step {step_of(problem.path).number}, {label_of(problem.path)}: {problem.message}"
        )


def _protocol(opened: Opened) -> None:
    if opened.design is None:
        return
    st.subheader("Protocol", anchor="protocol")
    for section in protocol(opened.design):
        marks.words(section.heading, heading=True)
        marks.bullets(section.sentences)
    with st.expander("As it was written (YAML)"):
        st.code(opened.dossier.draft_written, language="yaml")


def _review(opened: Opened) -> None:
    """Who reviews and what changed; the acts follow the protocol."""
    current = opened.dossier.experiment
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


def _lock(opened: Opened) -> None:
    why = why_not(opened.me.person, opened.dossier.experiment, "register")
    if why is None and opened.design is None:
        why = f"the plan does not resolve to a design; {opened.why_no_design}"
    if impossible("Register and lock", "lock.do", why):
        return
    standing = exposure_section(opened.here, opened.dossier.experiment, partial(_ask, opened))
    if standing.exposure is None:
        impossible("Register and lock", "lock.do", "possible once the logs were asked.")
        return
    early = label_needed(standing.exposure) is not None
    with st.form("lock", enter_to_submit=False):
        label, text = NO_LABEL, ""
        if early:
            marks.words(
                "It is not registered before its data any more. It can be locked under a label that stays on it for ever; "
                f"the reason needs {MINIMUM_REASON['register late']} characters."
            )
            label = st.selectbox("Label", _LABELS, key="lock.label")
            text = st.text_area("Why it is registered late", key="lock.reason") or ""
        typed = st.text_input(f"Type {opened.id} to confirm", key="lock.confirm")
        seen = button("Register and lock", "lock.do", opened.revision, primary=True, in_form=True)
    if seen is None:
        return
    if (typed or "").strip() != opened.id:
        st.error(
            f"Not locked: {typed!r} is not {opened.id}. Nothing was changed. Type the id, then press again."
        )
        return
    attempt(
        lambda: lifecycle.register(
            opened.here.registry,
            opened.me.id,
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
    why = why_not(opened.me.person, opened.dossier.experiment, "request changes")
    if impossible("Request changes", "changes.do", why):
        return
    with st.form("changes", enter_to_submit=False):
        text = reason("What has to change", "request changes", "changes.reason")
        seen = button("Request changes", "changes.do", opened.revision, in_form=True)
    if seen is not None:
        attempt(
            lambda: lifecycle.request_changes(opened.here.registry, opened.me.id, opened.id, text, seen=seen),
            "Sent back to its owner.",
        )


def _take_back(opened: Opened) -> None:
    why = why_not(opened.me.person, opened.dossier.experiment, "take back")
    seen = button("Take it back to go on writing", "take-back.do", opened.revision, why_not=why)
    if seen is not None:
        attempt(
            lambda: lifecycle.take_back(opened.here.registry, opened.me.id, opened.id, seen=seen),
            "It is a draft again.",
        )
