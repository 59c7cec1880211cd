"""Work asked for on the page: what waits or runs, how far it has come, and what became of it."""

from __future__ import annotations

from functools import partial
from typing import Final

import streamlit as st

from app.cli.session import open_workspace_registry
from app.formats import instant
from app.screens.experiment.acting import attempt
from app.screens.experiment.opened import Opened
from app.screens.pieces import plain
from app.settings import load_settings
from app.views_experiment.findings import findings_of
from registry.jobs import Job, JobState, Kind, request, silent
from registry.store import show

REFRESH: Final = "3s"

NAMES: Final = {
    Kind.HEALTH: "Health check",
    Kind.LOOK_STATUS: "Check of the next look",
    Kind.LOOK: "Look",
    Kind.WATCH: "Watch of the harm stops",
}


def ask(opened: Opened, *kinds: Kind) -> None:
    """Ask the worker for jobs; they go on when the page is closed."""
    asked = partial(_request, opened, kinds)
    attempt(asked, "Asked. It goes on when this page is closed; come back for what it finds.")


def work(opened: Opened) -> None:
    """What is under way, refreshed while something is, and what failed."""
    if opened.findings.at_work:
        _under_way(opened.id)
    for job in opened.findings.failed:
        st.error(
            f"{NAMES[job.kind]} failed {instant(job.finished_at)}: {plain(job.error or '')} Nothing was changed. Mend the cause, then ask "
            "again."
        )
    _last_look(opened)


def _last_look(opened: Opened) -> None:
    """What came of the look that was asked for last, while nothing is released."""
    look, at = opened.findings.look, opened.findings.look_at
    if look is None or opened.dossier.experiment.released_at is not None:
        return
    if look.outcome == "REFUSED":
        st.warning(
            f"The look that was asked for last was refused, {instant(at)}: {plain(' '.join(look.because))}"
        )
    elif look.outcome == "CONTINUE" and look.k == len(opened.dossier.looks):
        st.info(f"No boundary was crossed at look {look.k}. The experiment continues as planned.")


@st.fragment(run_every=REFRESH)
def _under_way(id: str) -> None:
    """Reads the rows of the jobs anew each time; once none is under way the whole page is drawn again."""
    with open_workspace_registry(load_settings()) as registry:
        at_work = findings_of(registry, show(registry, id)).at_work
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


def _request(opened: Opened, kinds: tuple[Kind, ...]) -> None:
    for kind in kinds:
        request(opened.here.registry, opened.me.id, kind, opened.id)
