"""Readout: before the release what is missing and when it comes; after it the sealed readout, and the decision."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

import streamlit as st

from app.export import FORMS, Form, file_name, render
from app.export.page import page_of
from app.screens.experiment import marks, sheet
from app.screens.experiment.decision import decision
from app.screens.experiment.exploratory import exploratory
from app.screens.experiment.opened import Opened
from app.views_experiment.header import AWAITING_A_LOOK, next_look
from app.views_experiment.live import progress_of, why_no_look
from experiments.readouts.readout import Readout
from registry import lifecycle
from registry.database import Registry
from registry.records import State
from registry.store import document

_READING: Final = "experiment.reading"
"""In the session: which readout is being read by whom, so that one view is recorded once."""

_OFFERED: Final[dict[str, tuple[str, str]]] = {
    "html": ("HTML", "text/html"),
    "pdf": ("PDF", "application/pdf"),
    "markdown": ("Markdown", "text/markdown"),
    "json": ("JSON", "application/json"),
    "csv": ("CSV tables", "application/zip"),
}
"""The forms to download, each with its name and kind of file; one that is not there is not offered."""


def readout(opened: Opened) -> None:
    """Draw the tab."""
    if opened.dossier.experiment.released_at is None:
        _not_yet(opened)
        return
    found = _read(opened)
    page = page_of(found)
    sheet.head(page)
    _downloads(found)
    signed = opened.dossier.decision is not None
    if signed:
        decision(opened, found)
    sheet.contents(
        [(section.heading, section.anchor) for section in page.sections] + [("Decision", "decision")]
    )
    for section in page.sections:
        sheet.section(section, found.sha256)
    exploratory(opened)
    if not signed:
        decision(opened, found)
    marks.words(f"SHA-256 of this readout: {found.sha256}", muted=True)


def stop_reading() -> None:
    """Another tab is shown: coming back to the readout is another view of it."""
    st.session_state.pop(_READING, None)


def _not_yet(opened: Opened) -> None:
    current = opened.dossier.experiment
    if current.state is State.ABANDONED:
        st.info("It was abandoned: no readout was released, and its outcomes stay closed.")
        return
    st.info("The readout is not released. Until then nothing of outcomes is on these pages.")
    if current.state not in AWAITING_A_LOOK:
        marks.words(
            "First the plan has to be locked by its reviewer; then units are exposed, and the declared looks come."
        )
        return
    marks.words(f"Next look: {next_look(opened.dossier, opened.design, opened.findings)}.")
    progress = progress_of(opened.findings)
    if progress is not None:
        marks.bar(progress.fraction, progress.words)
    why = why_no_look(opened.dossier, opened.findings)
    marks.words(f"What is missing: {why}" if why else "The look is due: its owner may run it under Live.")


def _read(opened: Opened) -> Readout:
    current = opened.dossier.experiment
    reading = (current.id, str(current.readout_sha256), opened.me.id)
    if st.session_state.get(_READING) != reading:
        lifecycle.read_readout(opened.here.registry, opened.me.id, current.id)
        st.session_state[_READING] = reading
    return _sealed(str(current.readout_sha256), opened.here.registry)


@st.cache_resource(max_entries=50, show_spinner=False)
def _sealed(sha256: str, _registry: Registry) -> Readout:
    """A released readout, which never changes; that somebody may and does read it is asked and recorded before."""
    return Readout.of_document(json.loads(document(_registry, sha256)))


def _downloads(found: Readout) -> None:
    offered = [form for form in _OFFERED if form in FORMS]
    with st.container(horizontal=True):
        for form in offered:
            name, mime = _OFFERED[form]
            st.download_button(
                f"Download {name}",
                data=_rendered(found, form),
                file_name=file_name(found, form),
                mime=mime,
                key=f"download-{form}",
                on_click="ignore",
            )


def _rendered(found: Readout, form: Form) -> Callable[[], bytes]:
    """The file, made only when it is asked for."""

    def made() -> bytes:
        shown = render(found, form)
        return shown if isinstance(shown, bytes) else shown.encode()

    return made
