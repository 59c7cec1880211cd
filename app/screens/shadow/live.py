"""Live: a shadow before its sealed look. Pairing, errors, timeouts and whether labels have come; no answer and no label."""

from __future__ import annotations

import streamlit as st

from app.export.blocks import table
from app.export.paired import failures_table, pairing_table
from app.export.records import checks_table
from app.formats import instant
from app.readings import Reading
from app.screens.experiment import marks, sheet
from app.screens.experiment.acting import button
from app.screens.experiment.ending import ending
from app.screens.experiment.looks import looks
from app.screens.experiment.work import ask
from app.screens.pieces import plain
from app.screens.shadow.opened import OpenedShadow
from app.screens.shadow.work import work
from app.views_experiment.header import AWAITING_A_LOOK
from app.views_experiment.live import outcome_reads_of
from app.views_shadow.standing import (
    health_reading,
    next_look,
    numbers_of,
    progress_words,
    why_no_look,
)
from registry.actors import Role
from registry.findings import ShadowStatusFound
from registry.jobs import Kind
from registry.records import State


def live(opened: OpenedShadow) -> None:
    """Draw the tab."""
    current = opened.current
    if not opened.dossier.plans:
        st.info(
            "Nothing is mirrored for it before the plan is locked. Here will be the pairs, the failures of each model, and how "
            "far it is from its look."
        )
        ending(opened.entry)
        return
    _closed(opened)
    status = opened.standing.status
    if current.state in AWAITING_A_LOOK:
        _health(opened)
        work(opened)
        _progress(opened)
    if status is not None:
        _found(status)
    elif current.state in AWAITING_A_LOOK:
        st.info(
            "Here will be the pairs, failures and labels so far. Nobody has asked for them yet: check now."
        )
    st.subheader("Looks", anchor="looks")
    looks(opened.entry)
    _who_has_seen(opened)
    ending(opened.entry)


def _closed(opened: OpenedShadow) -> None:
    current = opened.current
    if current.state is State.ABANDONED:
        why = plain(current.closing_reason or "no reason was recorded.")
        st.info(f"Abandoned: {why} What the models answered stays closed.")
    elif current.released_at is None:
        coming = next_look(opened.dossier, opened.standing)
        marks.words(
            f"What the models answered, and the labels, are closed until the next declared look ({coming}). This page holds none."
        )


def _health(opened: OpenedShadow) -> None:
    standing = opened.standing
    said = "Nobody has asked the logs yet."
    if standing.status is not None:
        checks = [check for check in standing.status.checks if check.result != "not applicable"]
        passed = sum(check.result == "pass" for check in checks)
        said = f"{passed} of {len(checks)} checks pass · last checked {instant(standing.status_at)}"
    shown = health_reading(standing)
    marks.notice(Reading(f"Health: {shown.words}", shown.icon, shown.shape, shown.tone), said)
    busy = "it is being checked." if standing.is_at(Kind.SHADOW_STATUS, Kind.LOOK_STATUS) else None
    if button("Check now", "shadow.check", opened.revision, why_not=busy) is not None:
        ask(opened.entry, Kind.SHADOW_STATUS, Kind.LOOK_STATUS)


def _progress(opened: OpenedShadow) -> None:
    st.subheader("Progress to the look", anchor="progress")
    if opened.standing.status is None:
        marks.words("Not known yet: it comes with the first check.")
    else:
        marks.bar(*progress_words(opened.standing.status, opened.unit))
    _run_look(opened)


def _run_look(opened: OpenedShadow) -> None:
    current, me = opened.current, opened.here.me
    k = 1 + sum(look.status == "sealed" for look in opened.dossier.looks)
    not_me = None
    if not (me.id == current.owner and me.person.has(Role.ANALYST)):
        not_me = f"only the owner ({current.owner}) may; you are {me.id}."
    taken = "it is being taken." if opened.standing.is_at(Kind.LOOK) else None
    why = taken or why_no_look(opened.dossier, opened.standing) or not_me
    if button(f"Run look {k}", "shadow.look", opened.revision, why_not=why, primary=why is None) is not None:
        ask(opened.entry, Kind.LOOK)


def _found(status: ShadowStatusFound) -> None:
    st.subheader("Pairing so far", anchor="pairing")
    marks.facts(numbers_of(status))
    marks.words(
        f"The logs are complete up to {instant(status.watermark)} ({status.watermark_why}).", muted=True
    )
    with st.expander("Which requests are pairs"):
        marks.table(pairing_table(status.pairing))
    if status.failures:
        st.subheader("Errors and timeouts so far", anchor="failures")
        marks.table(failures_table(status.failures))
    st.subheader("Checks of the pairs", anchor="checks")
    sheet.draw(checks_table("Checks of the logs, blind to answers and labels", status.checks))


def _who_has_seen(opened: OpenedShadow) -> None:
    st.subheader("Who has seen answers and labels", anchor="who-has-seen")
    found = outcome_reads_of(opened.dossier)
    marks.words(found.sentence)
    if found.rows:
        with st.expander("Every read"):
            rows = [{"When": at, "Who": who, "What for": why} for at, who, why in found.rows]
            marks.table(table("Reads of answers and labels, by the ledger", rows))
