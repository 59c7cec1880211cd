"""Readout: before the release what is missing; after it the sealed readout, block by block, and the sign-off."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

import streamlit as st

from app.export import FORMS, Form, file_name, render
from app.export.page import page_of
from app.screens.experiment import marks, sheet
from app.screens.shadow.opened import OpenedShadow
from app.screens.shadow.signing import signing
from app.views_experiment.header import AWAITING_A_LOOK
from app.views_shadow.standing import next_look, progress_words, why_no_look
from experiments.shadows.readout import ShadowReadout
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


def readout(opened: OpenedShadow) -> None:
    """Draw the tab."""
    if opened.current.released_at is None:
        _not_yet(opened)
        return
    found = _read(opened)
    page = page_of(found)
    sheet.head(page)
    _downloads(found)
    signed = opened.dossier.decision is not None
    if signed:
        signing(opened, found.verdict.code)
    sheet.contents(
        [(section.heading, section.anchor) for section in page.sections] + [("Sign-off", "sign-off")]
    )
    for section in page.sections:
        sheet.section(section, found.sha256)
    if not signed:
        signing(opened, found.verdict.code)
    marks.words(f"SHA-256 of this readout: {found.sha256}", muted=True)


def _not_yet(opened: OpenedShadow) -> None:
    current = opened.current
    if current.state is State.ABANDONED:
        st.info("It was abandoned: no readout was released, and what the models answered stays closed.")
        return
    st.info("The readout is not released. Until then nothing of answers and labels is on these pages.")
    if current.state not in AWAITING_A_LOOK:
        marks.words(
            "First the plan has to be locked by its reviewer; then requests are mirrored, and the look comes."
        )
        return
    marks.words(f"Next look: {next_look(opened.dossier, opened.standing)}.")
    if opened.standing.status is not None:
        marks.bar(*progress_words(opened.standing.status, opened.unit))
    why = why_no_look(opened.dossier, opened.standing)
    marks.words(f"What is missing: {why}" if why else "The look is due: its owner may run it under Live.")


def _read(opened: OpenedShadow) -> ShadowReadout:
    current, here = opened.current, opened.here
    reading = (current.id, str(current.readout_sha256), here.me.id)
    if st.session_state.get(_READING) != reading:
        lifecycle.read_readout(here.registry, here.me.id, current.id)
        st.session_state[_READING] = reading
    return _sealed(str(current.readout_sha256), here.registry)


@st.cache_resource(max_entries=50, show_spinner=False)
def _sealed(sha256: str, _registry: Registry) -> ShadowReadout:
    """A released readout, which never changes; that somebody may and does read it is asked and recorded before."""
    return ShadowReadout.of_document(json.loads(document(_registry, sha256)))


def _downloads(found: ShadowReadout) -> None:
    with st.container(horizontal=True):
        for form in (form for form in _OFFERED if form in FORMS):
            name, mime = _OFFERED[form]
            st.download_button(
                f"Download {name}",
                data=_rendered(found, form),
                file_name=file_name(found, form),
                mime=mime,
                key=f"shadow.download-{form}",
                on_click="ignore",
            )


def _rendered(found: ShadowReadout, form: Form) -> Callable[[], bytes]:
    """The file, made only when it is asked for."""

    def made() -> bytes:
        shown = render(found, form)
        return shown if isinstance(shown, bytes) else shown.encode()

    return made
