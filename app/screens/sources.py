"""The data sources: what the sources file maps, and what the worker found when it looked.

This process opens the sources file and no log. A check is a job: the worker does it and leaves a schema, counts and problems.
"""

from __future__ import annotations

import streamlit as st

from app.cli.session import open_workspace_registry
from app.formats import instant
from app.overview.logs import MappedLog, MappedSource, mapped_sources
from app.screens.frame import Here, page, refusal
from app.screens.pieces import empty, plain, table
from app.settings import load_settings
from app.templates import workspace_file
from experiments.logs.sources import load_sources
from registry.errors import Refused
from registry.jobs import Job, JobState, Kind, latest, request

REFRESH = "3s"
"""How often the progress of a check is looked at."""


@page
def sources_page(here: Here) -> None:
    """Every source that an experiment may be read from."""
    st.title("Data sources")
    file = here.settings.sources
    if not file.is_file():
        _nothing_yet(file.name)
        return
    sources = load_sources(file)
    jobs = {name: _done(here, name) for name in sources.by_name}
    checks = {name: (job.finished_at, job.result) for name, job in jobs.items() if job and job.result}
    st.caption(
        f"As `{plain(file.name)}` maps them. Pages read this file and no log: the worker opens the logs, and of outcome logs it "
        "tells their columns, names of events and times, never a value and never anything by arm."
    )
    for source in mapped_sources(sources, checks):
        _source(here, source)


def _nothing_yet(name: str) -> None:
    empty(
        "There is no sources file yet.",
        "Here will be where assignments and exposures lie, which of their columns are which, and whether they can be read. "
        "Needed of assignments: unit, arm, assigned_at (and experiment, where the log is of several). Of exposures: unit, "
        "exposed_at.",
        f"Save the example as `{name}` in the workspace and correct its paths and columns; `fairtrial init` does so too.",
    )
    st.download_button(
        "Download an example sources file",
        workspace_file("sources.yaml"),
        file_name="sources.yaml",
        mime="text/yaml",
        on_click="ignore",
    )


def _done(here: Here, name: str) -> Job | None:
    return latest(here.registry, name, Kind.SOURCE_CHECK, (JobState.DONE,))


def _source(here: Here, source: MappedSource) -> None:
    st.header(plain(source.name), anchor=source.name)
    checked = "" if source.checked_at is None else f" · checked {instant(source.checked_at)}"
    st.markdown(f"{source.standing}{checked} · {plain(source.complete)}")
    if source.problems:
        st.error("\n".join(f"- {plain(problem)}" for problem in source.problems))
    if source.reach:
        st.caption(plain(source.reach))
    _check(here, source.name)
    table(
        [
            {"Log": log.name, "What it holds": log.purpose, "Access": log.access, "Where": log.place}
            for log in source.logs
        ],
        f"The {len(source.logs)} logs of {source.name}.",
    )
    for log in source.logs:
        _log(source.name, log)


def _log(source: str, log: MappedLog) -> None:
    with st.expander(f"{log.name} of {source}: columns{' and counts' if log.counts else ''}"):
        if not log.columns and not log.counts:
            st.caption("Shown after the first check. Pages do not open the outcomes file.")
            return
        table(
            [
                {
                    "Field": column.field,
                    "Column of the log": column.column,
                    "Type": column.kind or "known after a check",
                    "Problem": column.problem or "",
                }
                for column in log.columns
            ],
            f"Which column of {log.name} is which.",
        )
        table([{"What": what, "Found": words} for what, words in log.counts], f"Counts of {log.name}.")
        table(
            [{"Event (arms pooled)": name, "First": first, "Last": last} for name, first, last in log.events],
            f"Events of {log.name} and when they were seen.",
        )


def _check(here: Here, name: str) -> None:
    last = latest(here.registry, name, Kind.SOURCE_CHECK)
    waiting = last is not None and last.unfinished
    asked = st.button(f"Check the logs of {name}", key=f"check-{name}", disabled=waiting)
    if waiting:
        _under_way(name)
    if last is not None and last.state is JobState.FAILED:
        st.error(f"The last check failed: {plain(last.error or 'the worker gave no reason')}")
    if asked:
        try:
            request(here.registry, here.me.id, Kind.SOURCE_CHECK, name)
        except Refused as refused:
            refusal(refused)
        else:
            st.rerun()


@st.fragment(run_every=REFRESH)
def _under_way(name: str) -> None:
    """Reads the job's row anew each time; once it is done the whole page is drawn again."""
    with open_workspace_registry(load_settings()) as registry:
        job = latest(registry, name, Kind.SOURCE_CHECK)
    if job is None or not job.unfinished:
        st.rerun()
    waits = ". Is a worker running? fairtrial worker" if job.state is JobState.QUEUED else ""
    st.progress(
        job.progress,
        text=f"{plain(job.progress_text)}{waits} (job {job.id}). This page may be closed meanwhile.",
    )
