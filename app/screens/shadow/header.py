"""The head of every tab of a shadow."""

from __future__ import annotations

import streamlit as st

from app.formats import instant, short_hash
from app.screens.experiment import marks
from app.screens.pieces import plain
from app.screens.shadow.opened import OpenedShadow
from app.views_experiment.header import AWAITING_A_LOOK, header_of
from app.views_shadow.standing import health_reading, next_look


def header(opened: OpenedShadow, tab: str) -> None:
    """Id, title, both models, state and labels, plan, hash, health, next look, and a link to copy."""
    marks.title(opened.id, opened.current.title)
    marks.chips(header_of(opened.dossier, None, opened.entry.findings).chips)
    marks.facts(_facts(opened))
    with st.popover("Link to this page", icon=":material/link:"):
        address = st.context.url
        origin = "" if address is None else "/".join(address.split("/")[:3])
        st.code(f"{origin}/shadow?id={opened.id}&tab={tab}", language=None)
    if opened.why_no_design is not None:
        st.warning(plain(opened.why_no_design))


def _facts(opened: OpenedShadow) -> list[tuple[str, str]]:
    current, design = opened.current, opened.design
    facts = []
    if design is not None:
        facts.append(("Candidate against champion", f"{design.candidate} against {design.champion}"))
        facts.append(("Model", design.written.model))
    locked = opened.dossier.plans[-1] if opened.dossier.plans else None
    when = (
        "not locked yet"
        if locked is None
        else f"version {locked.version}, locked {instant(locked.locked_at)} by {locked.locked_by}"
    )
    facts += [("Plan", when), ("Plan, SHA-256", f"{short_hash(current.draft_sha256)}…")]
    if current.state in AWAITING_A_LOOK:
        facts.append(("Health", str(health_reading(opened.standing))))
        facts.append(("Next look", next_look(opened.dossier, opened.standing)))
    facts += [("Owner", current.owner), ("Reviewer", current.reviewer or "not named yet")]
    return facts
