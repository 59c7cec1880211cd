"""What could happen: the whole rule of a draft replayed on drawn numbers, here at once or by the worker with more replays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.cli.session import open_workspace_registry
from app.cli.simulate import document
from app.export.blocks import Cell, Column, Table
from app.formats import count
from app.screens.experiment import marks
from app.screens.frame import Here, refusal
from app.screens.register.desk import Desk
from app.settings import load_settings
from experiments.designs.design import Design
from experiments.simulation import simulate
from registry.errors import Refused
from registry.jobs import Job, JobState, Kind, latest, request, silent

AT_ONCE: Final = 2_000
"""Replays of each truth that are made in the page: a probability is right to about one percentage point."""
BY_WORKER: Final = 50_000
REFRESH: Final = "3s"


def what_could_happen(here: Here, desk: Desk, design: Design) -> None:
    """Probability of each verdict under each truth, as soon as it is asked for."""
    st.subheader("What could happen", anchor=False)
    marks.words(
        "The whole rule (looks, guardrails, validity) replayed many times for each true effect, on drawn numbers. No data are "
        "read."
    )
    found = _found(here, desk, design)
    if found is None:
        marks.words("This design, as it is now, has not been simulated yet.", muted=True)
    else:
        marks.table(verdict_table(found["rows"], found["replays"]))
        with st.expander("What these replays take for granted"):
            marks.bullets([f"The looks: {found['looks']}.", *found["assumptions"]])
    _ask(here, desk, design, found)


def verdict_table(rows: Iterable[Mapping[str, Any]], replays: int) -> Table:
    """How often each verdict comes for each true effect, with its Monte-Carlo error."""
    cells: list[tuple[Cell, ...]] = []
    for row in rows:
        if row["not_computed"] is not None:
            cells.append((row["truth"], row["not_computed"], "", "", "", ""))
            continue
        shares = (row[name] for name in ("ship", "do_not_ship", "inconclusive", "invalid"))
        written = [f"{100 * one['value']:.1f}% ± {100 * one['standard_error']:.1f}" for one in shares]
        cells.append((row["truth"], *written, count(round(row["units"]["value"]))))
    headings = ("true effect", "SHIP", "DO NOT SHIP", "INCONCLUSIVE", "INVALID", "mean units")
    columns = tuple(Column(heading, numeric=place > 0) for place, heading in enumerate(headings))
    return Table(
        f"How often each verdict comes, in {count(replays)} replays (± is one Monte-Carlo standard error)",
        columns,
        tuple(cells),
    )


def _found(here: Here, desk: Desk, design: Design) -> Mapping[str, Any] | None:
    """The table of this very design that rests on the most replays; a design that changed since has none."""
    job = latest(here.registry, desk.id, Kind.SIMULATE, (JobState.DONE,))
    by_worker = None if job is None else job.result
    candidates = [by_worker, st.session_state.get(_kept(desk))]
    fitting = [one for one in candidates if one is not None and one["design_sha256"] == design.sha256]
    return max(fitting, key=lambda one: int(one["replays"]), default=None)


def _ask(here: Here, desk: Desk, design: Design, found: Mapping[str, Any] | None) -> None:
    job = latest(here.registry, desk.id, Kind.SIMULATE)
    if found is None and st.button("Simulate this design", icon=":material/casino:", key="register/simulate"):
        bar = st.progress(0.0, "Replaying the design")
        st.session_state[_kept(desk)] = document(simulate(design, replays=AT_ONCE, progress=_shown_in(bar)))
        st.rerun()
    if job is not None and job.unfinished:
        _under_way(desk.id)
    elif found is not None and found["replays"] < BY_WORKER:
        if job is not None and job.state is JobState.FAILED:
            st.error(f"The worker could not simulate it: {job.error} Nothing was changed.")
        if st.button(f"Ask the worker for {count(BY_WORKER)} replays", key="register/more-replays"):
            _request(here, desk)


def _request(here: Here, desk: Desk) -> None:
    try:
        request(here.registry, here.me.id, Kind.SIMULATE, desk.id, {"replays": BY_WORKER})
    except Refused as refused:
        refusal(refused)
    else:
        st.rerun()


@st.fragment(run_every=REFRESH)
def _under_way(id: str) -> None:
    """How far the worker has come; the page may be closed meanwhile."""
    with open_workspace_registry(load_settings()) as registry:
        job = latest(registry, id, Kind.SIMULATE)
    if job is None or not job.unfinished:
        st.rerun()
    st.progress(job.progress, text=_said(job))


def _said(job: Job) -> str:
    if silent(job):
        return "Simulation: its worker has fallen silent; another takes it over"
    if job.state is JobState.QUEUED:
        return "Simulation: waiting for a worker. Is one running? fairtrial worker"
    return f"Simulation: {job.progress_text}. It goes on when this page is closed"


def _shown_in(bar: DeltaGenerator) -> Callable[[int, int], None]:
    def show(done: int, total: int) -> None:
        bar.progress(done / total, f"{count(done)} of {count(total)} replays")

    return show


def _kept(desk: Desk) -> str:
    return f"register/{desk.id}/simulated"
