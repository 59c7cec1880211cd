"""The addresses of what this page shows, and the progress of what the worker does for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

import streamlit as st

from app.cli.session import open_workspace_registry
from app.export import blocks
from app.identity import ACT_AS
from app.screens.experiment import marks
from app.screens.pieces import plain
from app.settings import load_settings
from registry.jobs import Job, JobState, find, silent

SOURCE: Final = "source"
ADD: Final = "add"
UPLOAD: Final = "upload"

REFRESH: Final = "3s"
"""How often the progress of a job is looked at."""


def address(what: str, which: str) -> str:
    """Where something of this page is, relative to every page; who was chosen to act, on a simulated clock, comes along."""
    chosen = st.session_state.get(ACT_AS)
    return f"sources?{what}={quote(which)}" + (f"&{ACT_AS}={chosen}" if chosen else "")


def go_to(what: str | None = None, which: str = "") -> None:
    """Draw something else of this page, in this session."""
    for name in (SOURCE, ADD, UPLOAD):
        if name in st.query_params:
            del st.query_params[name]
    if what is not None:
        st.query_params[what] = which
    st.rerun()


def wide_table(caption: str, rows: Sequence[Mapping[str, str]]) -> None:
    """A table that a narrow page shows row by row."""
    if rows:
        marks.table(blocks.table(caption, rows))


@st.fragment(run_every=REFRESH)
def under_way(id: int, doing: str) -> None:
    """Reads the job's row anew each time; once it is done the whole page is drawn again.

    Args:
        doing: what the job does: "Checking the logs".
    """
    with open_workspace_registry(load_settings()) as registry:
        job = find(registry, id)
    if not job.unfinished:
        st.rerun()
    st.progress(job.progress, text=_said(job, doing))


def _said(job: Job, doing: str) -> str:
    if silent(job):
        return f"{doing}: its worker has fallen silent; another takes it over (job {job.id})"
    if job.state is JobState.QUEUED:
        return f"{doing}: Waiting for a worker. Is a worker running? fairtrial worker (job {job.id})"
    return f"{doing}: {plain(job.progress_text)} (job {job.id}). This page may be closed meanwhile."
