"""Asking the worker whether units were exposed, before a plan is locked; this process opens no log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from app.cli.session import open_workspace_registry
from app.formats import instant
from app.screens.experiment import marks
from app.screens.frame import Here
from app.screens.pieces import plain
from app.settings import load_settings
from app.views_experiment.exposure import ExposureStanding, exposure_standing
from registry.jobs import Job, JobState, Kind, latest, request, silent
from registry.records import Experiment

REFRESH: Final = "2s"

ASK: Final = "Ask the logs"


def exposure_section(here: Here, experiment: Experiment, ask: Callable[[], None]) -> ExposureStanding:
    """What is known of exposures, in words, with the button that asks anew and how far the worker has come.

    Args:
        ask: asks for the job (`request_exposure`), and says what it was told.
    """
    standing = exposure_standing(here.registry, experiment)
    if standing.exposure is not None:
        marks.words(f"Asked {instant(standing.at)}: {standing.said}")
    elif standing.at_work is None:
        marks.words(
            f"{standing.said} What the logs say decides: the worker asks them, which takes a moment.",
            muted=True,
        )
    if standing.failed is not None:
        st.error(
            f"The logs could not be asked: {plain(standing.failed)} The plan is kept. Mend it, then ask again."
        )
    if standing.at_work is not None:
        _under_way(experiment.id)
    elif st.button(ASK, key="exposure.ask", type="secondary" if standing.exposure else "primary"):
        ask()
    return standing


def request_exposure(here: Here, experiment: str) -> Job:
    """Ask the worker what the logs say of an experiment's exposures."""
    return request(here.registry, here.me.id, Kind.EXPOSURE, experiment)


@st.fragment(run_every=REFRESH)
def _under_way(id: str) -> None:
    """Reads the job's row anew each time; once it is done the whole page is drawn again."""
    with open_workspace_registry(load_settings()) as registry:
        job = latest(registry, id, Kind.EXPOSURE)
    if job is None or not job.unfinished:
        st.rerun()
    st.progress(job.progress, text=_said(job))


def _said(job: Job) -> str:
    if silent(job):
        return "Asking the logs: its worker has fallen silent; another takes it over"
    if job.state is JobState.QUEUED:
        return "Asking the logs: waiting for a worker. Is one running? fairtrial worker"
    return f"Asking the logs: {plain(job.progress_text)}. This page may be closed meanwhile"
