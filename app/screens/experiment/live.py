"""Live: health and progress of a running experiment, blind to its outcomes; and the acts that a running one allows."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from app.charts.enrolment import arms_so_far, maturity_by_week, units_so_far
from app.export.blocks import table
from app.export.records import checks_table
from app.formats import count, instant, p_clause
from app.readings import Reading, check_reading, reading
from app.screens.experiment import marks, sheet
from app.screens.experiment.acting import button
from app.screens.experiment.ending import ending
from app.screens.experiment.opened import Opened
from app.screens.experiment.work import ask, work
from app.screens.pieces import plain
from app.views_experiment.findings import Findings
from app.views_experiment.header import AWAITING_A_LOOK, health_reading, next_look
from app.views_experiment.live import (
    SRM_STAGES,
    advice,
    failing,
    harm_rows,
    look_rows,
    numbers_of,
    outcome_reads_of,
    progress_of,
    why_no_look,
)
from experiments.designs.design import Design
from experiments.looks.health import Health
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
        _health_line(opened)
        work(opened)
        _progress(opened, design)
    findings = opened.findings
    if findings.health is not None:
        _charts(design, findings.health)
        _checks(findings.health)
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


def _health_line(opened: Opened) -> None:
    findings, revision = opened.findings, opened.revision
    said = "Nobody has checked the logs yet."
    if findings.health is not None:
        checks = [check for check in findings.health.checks if check.result != "not applicable"]
        passed = sum(check.result == "pass" for check in checks)
        said = f"{passed} of {len(checks)} checks pass · last checked {instant(findings.health_at)}"
    marks.notice(_named("Health: ", health_reading(findings)), said)
    if button("Check health now", "check-health", revision, why_not=_asked_already(findings)) is not None:
        ask(opened, Kind.HEALTH, Kind.LOOK_STATUS)
    if findings.health is not None:
        _failing(findings.health)


def _asked_already(findings: Findings) -> str | None:
    kinds = {job.kind for job in findings.at_work}
    return "it is being checked." if {Kind.HEALTH, Kind.LOOK_STATUS} & kinds else None


def _failing(health: Health) -> None:
    """Every check that does not pass, with what to do; where a mismatch of the arms comes from stands once."""
    told = False
    for check in failing(health):
        blocks = check.result == "fail" and check.blocking
        mismatch = check.result == "fail" and check.name.casefold().startswith("allocation")
        p = "" if check.p_value is None else f" ({p_clause(check.p_value)})"
        said = " The readout is blocked: results would not be trustworthy." if blocks else ""
        shown = check_reading(check.result)
        marks.notice(
            Reading(f"{check.name}: {shown.words.casefold()}.", shown.icon, shown.shape, shown.tone),
            f"{check.detail}{p}.{said} {advice(check)}",
            SRM_STAGES if mismatch and not told else (),
        )
        told = told or mismatch


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


def _charts(design: Design, health: Health) -> None:
    st.subheader("Units so far", anchor="units-so-far")
    marks.words("Assignments and exposures only; no outcome is read for these.", muted=True)
    allocation = next((c for c in health.checks if c.name.casefold().startswith("allocation")), None)
    left, right = st.columns(2)
    with left:
        drawn = arms_so_far(health.arms, allocation)
        marks.words("Allocation of the arms", heading=True)
        marks.words(drawn.sentence)
        sheet.picture("Allocation of the arms", drawn)
    if not health.maturing:
        return
    per_day = design.written.power.units_per_day
    begun = health.maturing[0].from_
    passed = None if health.watermark is None else (health.watermark - begun) / timedelta(days=7)
    with right:
        drawn = units_so_far(health.maturing, design.plan.total, per_day, passed)
        marks.words("Exposed units, all arms together", heading=True)
        marks.words(drawn.sentence)
        sheet.picture("Exposed units, all arms together", drawn)
    with left:
        drawn = maturity_by_week(health.maturing)
        marks.words("Maturity by week of first exposure", heading=True)
        marks.words(drawn.sentence)
        sheet.picture("Maturity by week of first exposure", drawn)
    if health.excluded:
        with right:
            rows = [
                {"Not analysed so far": reason, "Units": count(n)} for reason, n in health.excluded.items()
            ]
            marks.table(table("Units left out so far, arms together", rows, numeric=("Units",)))


def _checks(health: Health) -> None:
    st.subheader("Health checks", anchor="health-checks")
    marks.words(
        f"The logs are complete up to {instant(health.watermark)} ({health.watermark_why}).", muted=True
    )
    with st.expander(f"All {len(health.checks)} checks and their rules"):
        marks.table(checks_table("Checks of the logs, blind to outcomes", health.checks))


def _looks(opened: Opened, design: Design) -> None:
    st.subheader("Look schedule", anchor="look-schedule")
    rows = [
        {"Look": row.name, "Planned": row.planned, "Status": row.status, "When": row.at}
        for row in look_rows(opened.dossier, design, opened.findings)
    ]
    marks.table(table("Declared looks: the only times outcomes are read for the verdict", rows))


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


def _named(begin: str, shown: Reading) -> Reading:
    return Reading(begin + shown.words, shown.icon, shown.shape, shown.tone)
