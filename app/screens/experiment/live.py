"""Live: health and progress of a running experiment, blind to its outcomes; and the acts that a running one allows."""

from __future__ import annotations

import streamlit as st

from app.export.blocks import table
from app.readings import reading
from app.screens.experiment import marks
from app.screens.experiment.acting import button
from app.screens.experiment.ending import ending
from app.screens.experiment.health import checks, health_line, units_so_far
from app.screens.experiment.opened import Opened
from app.screens.experiment.work import ask, work
from app.screens.pieces import plain
from app.views_experiment.header import AWAITING_A_LOOK, next_look
from app.views_experiment.live import (
    harm_rows,
    look_rows,
    numbers_of,
    outcome_reads_of,
    progress_of,
    why_no_look,
)
from app.views_experiment.schedule import who_takes_looks
from experiments.designs.design import Design
from registry.actors import Role
from registry.jobs import Kind
from registry.records import State


def live(opened: Opened) -> None:
    """Draw the tab."""
    current, design = opened.dossier.experiment, opened.design
    if design is None or not opened.dossier.plans:
        st.info(
            "Nothing runs before the plan is locked. Here will be the health of the experiment and how far it is from its "
            "first look."
        )
        ending(opened)
        return
    _closed(opened)
    if current.state in AWAITING_A_LOOK:
        health_line(opened)
        work(opened)
        _progress(opened, design)
    findings = opened.findings
    if findings.health is not None:
        units_so_far(design, findings.health)
        checks(findings, findings.health)
    elif current.state in AWAITING_A_LOOK:
        st.info(
            "Here will be the units so far, their allocation and maturity, and every check of the logs. Nobody has asked for "
            "them yet: check health now."
        )
    _looks(opened, design)
    _harm(opened, design)
    _who_has_seen(opened)
    ending(opened)


def _closed(opened: Opened) -> None:
    current = opened.dossier.experiment
    if current.state is State.ABANDONED:
        st.info(
            f"Abandoned: {plain(current.closing_reason or 'no reason was recorded.')} Its outcomes stay closed."
        )
    elif current.released_at is None:
        coming = next_look(opened.dossier, opened.design, opened.findings)
        marks.words(f"Outcome data are closed until the next declared look ({coming}). This page holds none.")


def _progress(opened: Opened, design: Design) -> None:
    progress = progress_of(opened.findings)
    st.subheader("Progress to the next look", anchor="progress")
    if progress is None:
        marks.words("Not known yet: it comes with the first check.")
    else:
        marks.bar(progress.fraction, progress.words)
    now = opened.here.registry.clock.now()
    marks.facts(numbers_of(design, opened.findings, opened.dossier, now))
    _run_look(opened)


def _run_look(opened: Opened) -> None:
    findings, current = opened.findings, opened.dossier.experiment
    k = 1 + sum(look.status == "sealed" for look in opened.dossier.looks)
    not_me = None
    if not (opened.me.id == current.owner and opened.me.person.has(Role.ANALYST)):
        not_me = f"only the owner ({current.owner}) may; you are {opened.me.id}."
    at_work = next((job for job in findings.at_work if job.kind is Kind.LOOK), None)
    why = "it is being taken." if at_work else why_no_look(opened.dossier, findings) or not_me
    if button(f"Run look {k}", "run-look", opened.revision, why_not=why, primary=why is None) is not None:
        ask(opened, Kind.LOOK)


def _looks(opened: Opened, design: Design) -> None:
    st.subheader("Look schedule", anchor="look-schedule")
    rows = [
        {"Look": row.name, "Planned": row.planned, "Status": row.status, "When": row.at}
        for row in look_rows(opened.dossier, design, opened.findings)
    ]
    marks.table(table("Declared looks: the only times outcomes are read for the verdict", rows))
    if opened.dossier.experiment.state in AWAITING_A_LOOK:
        marks.words(who_takes_looks(opened.here.settings, opened.findings), muted=True)


def _harm(opened: Opened, design: Design) -> None:
    rows = harm_rows(design, opened.dossier, opened.findings)
    if not rows:
        return
    st.subheader("Harm stops", anchor="harm-stops")
    marks.words(
        "Watched by machine under a rule of their own. Only whether one tripped is ever shown before a release."
    )
    marks.table(
        table(
            "Declared harm stops",
            [
                {
                    "Metric": row.metric,
                    "State": reading(row.state),
                    "Trips when": row.rule,
                    "Watched": row.watched,
                }
                for row in rows
            ],
        )
    )
    current, watching = opened.dossier.experiment, {job.kind for job in opened.findings.at_work}
    if current.state in {State.REGISTERED, State.RUNNING}:
        why = "they are being watched." if Kind.WATCH in watching else None
        if current.state is State.REGISTERED:
            why = "possible while it is running."
        if button("Watch the harm stops now", "watch", opened.revision, why_not=why) is not None:
            ask(opened, Kind.WATCH)


def _who_has_seen(opened: Opened) -> None:
    st.subheader("Who has seen outcome data", anchor="who-has-seen")
    found = outcome_reads_of(opened.dossier)
    marks.words(found.sentence)
    if found.rows:
        with st.expander("Every read"):
            rows = [{"When": at, "Who": who, "What for": why} for at, who, why in found.rows]
            marks.table(table("Reads of outcomes, by the ledger", rows))
