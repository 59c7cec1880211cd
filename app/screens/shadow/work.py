"""What the worker is at for a shadow, refreshed while something is under way, and what failed."""

from __future__ import annotations

from typing import Final

import streamlit as st

from app.cli.session import open_workspace_registry
from app.formats import instant
from app.screens.pieces import plain
from app.screens.shadow.opened import OpenedShadow
from app.settings import load_settings
from app.views_shadow.standing import standing_of
from registry.jobs import Job, JobState, Kind, silent

REFRESH: Final = "3s"

NAMES: Final = {
    Kind.SHADOW_STATUS: "Check of the logs",
    Kind.LOOK_STATUS: "Check of the next look",
    Kind.LOOK: "Look",
    Kind.CASES: "Drawing of cases",
}


def work(opened: OpenedShadow) -> None:
    """What waits or runs, what failed, and what came of the look that was asked for last."""
    if opened.standing.at_work:
        _under_way(opened.id)
    for job in opened.standing.failed:
        st.error(
            f"{NAMES[job.kind]} failed {instant(job.finished_at)}: {plain(job.error or '')} Nothing was changed. Mend the cause, "
            "then ask again."
        )
    _last_look(opened)


def _last_look(opened: OpenedShadow) -> None:
    look, at = opened.standing.look, opened.standing.look_at
    if look is None or opened.current.released_at is not None:
        return
    if look.outcome == "REFUSED":
        st.warning(
            f"The look that was asked for last was refused, {instant(at)}: {plain(' '.join(look.because))}"
        )
    elif look.outcome == "CONTINUE" and look.k == len(opened.dossier.looks):
        st.info(f"No boundary was crossed at look {look.k}. The shadow continues as planned.")


@st.fragment(run_every=REFRESH)
def _under_way(id: str) -> None:
    """Reads the rows of the jobs anew each time; once none is under way the whole page is drawn again."""
    with open_workspace_registry(load_settings()) as registry:
        at_work = standing_of(registry, id).at_work
    if not at_work:
        st.rerun()
    for job in at_work:
        _draw(job)


def _draw(job: Job) -> None:
    said = f"{NAMES[job.kind]}: {plain(job.progress_text.casefold() or job.state)}"
    if silent(job):
        said += ". Its worker has fallen silent; another takes it over"
    elif job.state is JobState.QUEUED:
        said += ". Is a worker running? fairtrial worker"
    st.progress(job.progress, text=f"{said} (asked {instant(job.requested_at)} by {job.requested_by})")
