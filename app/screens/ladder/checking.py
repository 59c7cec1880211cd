"""The next check of a canary: whether it is due, and the worker that takes it. This process opens no log."""

from __future__ import annotations

from typing import Final

import streamlit as st

from app.cli.session import open_workspace_registry
from app.formats import count, instant
from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button
from app.screens.frame import Here
from app.screens.pieces import plain
from app.settings import load_settings
from app.views_experiment.findings import findings_of
from app.views_ladder.opened import CanaryStanding
from registry.actors import Role
from registry.jobs import Job, JobState, Kind, request, silent
from registry.store import show

REFRESH: Final = "3s"

NAMES: Final = {Kind.LOOK_STATUS: "Count of the logs", Kind.LOOK: "Check of the guardrails"}


def checking(here: Here, canary: CanaryStanding) -> None:
    """What is known of the next check, what the worker is at, and the two buttons."""
    findings, current = canary.findings, canary.dossier.experiment
    if findings.at_work:
        _under_way(canary.id)
    for job in findings.failed:
        st.error(
            f"{NAMES.get(job.kind, job.kind)} failed {instant(job.finished_at)}: {plain(job.error or '')} Nothing was changed. Mend "
            "the cause, then ask again."
        )
    _refused(canary)
    standing = findings.standing
    if standing is None:
        marks.words("Whether the next check is due is not known yet: ask the logs.")
    else:
        due = "is due" if standing.due else f"is not due: {'; '.join(standing.missing)}"
        when = "" if standing.expected is None else f" Expected about {instant(standing.expected)}."
        units = " and ".join(count(one) for one in standing.enrolled)
        marks.words(
            f"Check {standing.k} of at most {standing.of} {due}.{when} Mature users of this step: {units} (control and candidate), "
            f"counted {instant(findings.standing_at)}."
        )
    busy = "the worker is at it." if findings.at_work else None
    if button("Ask the logs", f"ladder.ask.{canary.id}", current.revision, why_not=busy) is not None:
        attempt(
            lambda: request(here.registry, here.me.id, Kind.LOOK_STATUS, canary.id),
            "Asked. It goes on when this page is closed.",
        )
    why = busy or why_no_check(here, canary)
    if (
        button(
            "Take the check", f"ladder.check.{canary.id}", current.revision, why_not=why, primary=why is None
        )
        is not None
    ):
        attempt(
            lambda: request(here.registry, here.me.id, Kind.LOOK, canary.id),
            "Asked. The worker takes the check, seals it, and does what the plan says of a breach in the same moment.",
        )


def why_no_check(here: Here, canary: CanaryStanding) -> str | None:
    """Why a check cannot be asked for; None where it can."""
    current, me, standing = canary.dossier.experiment, here.me, canary.findings.standing
    if not canary.steps.begun:
        return "no step has begun; its rollout has not come to it."
    if canary.steps.paused:
        return f"{canary.steps.rollout} is paused: nobody is served the candidate, and no check is taken."
    if not (me.id == current.owner and me.person.has(Role.ANALYST)):
        return f"only the owner ({current.owner}) may; you are {me.id}."
    if standing is None:
        return "nobody has asked the logs yet whether it is due. Ask the logs."
    if standing.due:
        return None
    return f"{'; '.join(standing.missing)}."


def _refused(canary: CanaryStanding) -> None:
    look = canary.findings.look
    if look is not None and look.outcome == "REFUSED":
        said = plain(" ".join(look.because))
        st.warning(
            f"The check that was asked for last was refused, {instant(canary.findings.look_at)}: {said}"
        )


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
    said = f"{NAMES.get(job.kind, job.kind)}: {plain(job.progress_text.casefold() or job.state)}"
    if silent(job):
        said += ". Its worker has fallen silent; another takes it over"
    elif job.state is JobState.QUEUED:
        said += ". Is a worker running? fairtrial worker"
    st.progress(job.progress, text=f"{said} (asked {instant(job.requested_at)} by {job.requested_by})")
