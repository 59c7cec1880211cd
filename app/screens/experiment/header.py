"""The head of every tab."""

from __future__ import annotations

import streamlit as st

from app.screens.experiment import marks
from app.screens.experiment.opened import Opened
from app.screens.pieces import plain
from app.views_experiment.header import header_of


def header(opened: Opened, tab: str) -> None:
    """Id, title, state and labels, plan, hash, health, next look, and a link to copy."""
    shown = header_of(opened.dossier, opened.design, opened.findings)
    marks.title(shown.id, shown.title)
    marks.chips(shown.chips)
    marks.facts(shown.facts)
    with st.popover("Link to this page", icon=":material/link:"):
        st.code(f"{_origin()}{shown.link}&tab={tab}", language=None)
    if opened.why_no_design is not None:
        st.warning(plain(opened.why_no_design))


def _origin() -> str:
    """Where these pages are served, as the browser knows it; empty where nobody can tell."""
    address = st.context.url
    return "" if address is None else "/".join(address.split("/")[:3])
