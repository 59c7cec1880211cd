"""One canary: its plan and lock, the sealed checks, the check that is due, and its sign-off: ``/ladder?id=CAN-0002``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

import streamlit as st

from app.export import FORMS, Form, file_name, render
from app.export.canary_page import canary_page_of
from app.formats import instant, short_hash
from app.rung_protocol import rung_protocol
from app.screens.experiment import marks, sheet
from app.screens.experiment.acting import say_what_was_done
from app.screens.experiment.ending import ending
from app.screens.experiment.opened import Opened
from app.screens.frame import Here
from app.screens.ladder.checking import checking
from app.screens.ladder.guardrails import steps
from app.screens.ladder.locking import locking
from app.screens.ladder.signing import signing
from app.screens.pieces import way_to
from app.views_experiment.findings import findings_of
from app.views_experiment.header import header_of
from app.views_ladder.opened import CanaryStanding, canary_standing, is_over
from app.views_ladder.tables import declared_guardrails
from experiments.canaries.design import CanaryDesign, reopen_canary
from experiments.canaries.readout import CanaryReadout
from experiments.forms.problems import Invalid
from registry import lifecycle
from registry.database import Registry
from registry.records import Look, State
from registry.store import Dossier, document

_READING: Final = "ladder.reading"
"""In the session: which check is being read by whom, so that one view is recorded once."""

_OFFERED: Final[dict[str, tuple[str, str]]] = {
    "html": ("HTML", "text/html"),
    "pdf": ("PDF", "application/pdf"),
    "markdown": ("Markdown", "text/markdown"),
    "json": ("JSON", "application/json"),
    "csv": ("CSV tables", "application/zip"),
}


def canary_page(here: Here, dossier: Dossier) -> None:
    """Draw the page."""
    opened = Opened(here, dossier, None, None, findings_of(here.registry, dossier))
    _head(opened)
    say_what_was_done()
    standing = canary_standing(here.registry, dossier)
    if standing is None:
        locking(opened)
        _protocol(dossier)
    else:
        _registered(opened, standing)
    if dossier.experiment.state in {State.DRAFT, State.IN_REVIEW, State.REGISTERED, State.RUNNING}:
        ending(opened)


def _head(opened: Opened) -> None:
    current = opened.dossier.experiment
    marks.title(opened.id, current.title)
    marks.chips(header_of(opened.dossier, None, opened.findings).chips)
    facts = [
        ("Plan, SHA-256", f"{short_hash(current.draft_sha256)}…"),
        ("Owner", current.owner),
        ("Reviewer", current.reviewer or "not named yet"),
    ]
    if opened.dossier.plans:
        plan = opened.dossier.plans[-1]
        facts.insert(
            0, ("Plan", f"version {plan.version}, locked {instant(plan.locked_at)} by {plan.locked_by}")
        )
    marks.facts(facts)


def _registered(opened: Opened, standing: CanaryStanding) -> None:
    if standing.steps.rollout is not None:
        way_to(standing.steps.rollout, f"{standing.steps.rollout}: its rollout")
    if not is_over(standing.dossier):
        st.subheader("Next check", anchor="next-check")
        checking(opened.here, standing)
    steps(standing)
    if standing.checks:
        _check(opened, standing)
    else:
        st.subheader("Checks", anchor="checks")
        marks.words(
            "No check is sealed yet. Until then nothing of the guardrails is on this page but what was declared."
        )
        marks.table(declared_guardrails(standing))
    _protocol(opened.dossier)


def _check(opened: Opened, standing: CanaryStanding) -> None:
    sealed = {look.k: look for look in opened.dossier.looks if look.readout_sha256 is not None}
    st.subheader("Checks", anchor="checks")
    ks = sorted(sealed, reverse=True)
    calls = {check.look.k: check for check in standing.checks}
    chosen = st.selectbox(
        "Sealed check",
        ks,
        format_func=lambda k: f"Check {k}, step {calls[k].look.step}: {calls[k].verdict.call.lower()}",
        key=f"ladder.check.{opened.id}.chosen",
    )
    found = _read(opened, sealed[chosen or ks[0]])
    page = canary_page_of(found)
    sheet.head(page)
    _downloads(found)
    released = opened.dossier.experiment.released_at is not None
    for section in page.sections:
        sheet.section(section, found.sha256)
    if released:
        signing(opened, standing.checks[-1].verdict.code)
    marks.words(f"SHA-256 of this check: {found.sha256}", muted=True)


def _read(opened: Opened, look: Look) -> CanaryReadout:
    reading = (opened.id, look.k, opened.me.id)
    if st.session_state.get(_READING) != reading:
        lifecycle.read_readout(opened.here.registry, opened.me.id, opened.id, look.k)
        st.session_state[_READING] = reading
    return _sealed(str(look.readout_sha256), opened.here.registry)


@st.cache_resource(max_entries=50, show_spinner=False)
def _sealed(sha256: str, _registry: Registry) -> CanaryReadout:
    """A sealed check, which never changes; that somebody may and does read it is asked and recorded before."""
    return CanaryReadout.of_document(json.loads(document(_registry, sha256)))


def _downloads(found: CanaryReadout) -> None:
    with st.container(horizontal=True):
        for form in (form for form in _OFFERED if form in FORMS):
            name, mime = _OFFERED[form]
            st.download_button(
                f"Download {name}",
                data=_rendered(found, form),
                file_name=file_name(found, form),
                mime=mime,
                key=f"ladder.download-{form}",
                on_click="ignore",
            )


def _rendered(found: CanaryReadout, form: Form) -> Callable[[], bytes]:
    """The file, made only when it is asked for."""

    def made() -> bytes:
        shown = render(found, form)
        return shown if isinstance(shown, bytes) else shown.encode()

    return made


def _protocol(dossier: Dossier) -> None:
    try:
        design = reopen_canary(dossier.draft, dossier.draft_written)
    except Invalid as invalid:
        st.warning(str(invalid))
        return
    open_now = not dossier.plans
    with st.expander("The protocol, in plain words", expanded=open_now):
        _sentences(design)
    with st.expander("The design as it was written (YAML)"):
        st.code(dossier.draft_written, language="yaml")


def _sentences(design: CanaryDesign) -> None:
    for section in rung_protocol(design):
        marks.words(section.heading, heading=True)
        marks.bullets(section.sentences)
