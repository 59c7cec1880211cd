"""Every source, or the one that the address names; this process opens the sources file and no log."""

from __future__ import annotations

import streamlit as st

from app.formats import instant
from app.overview.example_logs import PURPOSES, columns_of, example_log
from app.overview.logs import MappedSource, mapped_sources
from app.overview.uploads import waiting_of
from app.screens.experiment import marks
from app.screens.frame import Here, page
from app.screens.pieces import empty, plain, table
from app.screens.sources.handing import hand_in, look_at
from app.screens.sources.one import one_source
from app.screens.sources.ways import ADD, SOURCE, UPLOAD, address, go_to
from app.templates import workspace_file
from experiments.logs.sources import load_sources
from experiments.logs.upload_columns import ROLES
from registry.jobs import Job, JobState, Kind, latest


@page
def sources_page(here: Here) -> None:
    """The list, one source, a file to hand in, or one that was: as the address says."""
    marks.style()
    if UPLOAD in st.query_params:
        look_at(here, st.query_params[UPLOAD])
    elif ADD in st.query_params:
        hand_in(here, st.query_params[ADD])
    else:
        _sources(here)


def _sources(here: Here) -> None:
    file = here.settings.sources
    if not file.is_file():
        st.title("Data sources")
        _nothing_yet(file.name)
        return
    sources = load_sources(file)
    jobs = {name: _done(here, name) for name in sources.by_name}
    checks = {name: (job.finished_at, job.result) for name, job in jobs.items() if job and job.result}
    found = {source.name: source for source in mapped_sources(sources, checks)}
    name = st.query_params.get(SOURCE)
    if name in found:
        one_source(here, found[name])
        return
    st.title("Data sources")
    if name is not None:
        st.error(f"{plain(file.name)} names no source {plain(name)}. Those it names stand below.")
    _list(file.name, list(found.values()))
    _waiting(here)


def _done(here: Here, name: str) -> Job | None:
    return latest(here.registry, name, Kind.SOURCE_CHECK, (JobState.DONE,))


def _list(file: str, sources: list[MappedSource]) -> None:
    st.caption(
        f"As `{plain(file)}` maps them. Pages read this file and no log: the worker opens the logs, and of outcome logs it "
        "tells their columns, names of events, times and how they come in, never a value and never anything by arm."
    )
    for source in sources:
        with st.container(border=True):
            st.markdown(f"[{plain(source.name)}]({address(SOURCE, source.name)}) · {plain(source.standing)}")
            marks.facts(
                [
                    ("Logs", ", ".join(log.name for log in source.logs)),
                    ("Checked", instant(source.checked_at) if source.checked_at else "never"),
                    (
                        "Complete up to",
                        instant(source.complete_to) if source.complete_to else source.complete,
                    ),
                    ("Behind at the check", source.behind),
                    ("Assignments on the last day", source.logs[0].last_day),
                ]
            )
    if st.button("Add a file to a source", icon=":material/upload_file:", key="sources.add"):
        go_to(ADD, sources[0].name if len(sources) == 1 else "")


def _waiting(here: Here) -> None:
    """What this person handed in and did not add yet; the page may have been closed meanwhile."""
    waiting = waiting_of(here.registry, here.settings.folder, here.me.id)
    if not waiting:
        return
    st.header("Files you handed in", anchor="waiting")
    st.caption(
        "They wait for a day; then the worker clears them away. Nothing of them is saved before you add them."
    )
    for handed in waiting:
        st.markdown(
            f"[{plain(handed.name)} for {plain(handed.check.entity)}]({address(UPLOAD, str(handed.check.id))}): "
            f"{handed.standing} · handed in {instant(handed.check.requested_at)}"
        )


def _nothing_yet(name: str) -> None:
    empty(
        "There is no sources file yet.",
        "Here will be where assignments, exposures and outcomes lie, which of their columns are which, and whether they can be "
        "read. What each log has to hold stands below.",
        f"Hand in a file of assignments to begin a source with it; or save the example as `{name}` in the workspace and correct "
        "its paths and columns, as `fairtrial init` does too.",
    )
    if st.button("Begin a source with a file", type="primary", key="sources.add"):
        go_to(ADD, "")
    st.download_button(
        "Download an example sources file",
        workspace_file("sources.yaml"),
        file_name="sources.yaml",
        mime="text/yaml",
        on_click="ignore",
    )
    for kind in ROLES:
        st.header(kind.capitalize(), anchor=kind)
        st.caption(f"{PURPOSES[kind].capitalize()}.")
        table(columns_of(kind), f"The columns of {kind}.")
        st.download_button(
            f"Download an example of {kind} (CSV)",
            example_log(kind),
            file_name=f"{kind}.csv",
            mime="text/csv",
            on_click="ignore",
            key=f"example-{kind}",
        )
