"""The health of a running experiment: one line, what stands in the way, units so far in pictures, and every check."""

from __future__ import annotations

from typing import Final, Literal

import streamlit as st

from app.charts.enrolment import arms_so_far, maturity_by_week
from app.charts.enrolment_by_day import units_by_day
from app.export.blocks import Cell, table
from app.formats import NOTHING, count, instant, p_clause, p_value, signed
from app.readings import Reading, check_reading
from app.screens.experiment import marks, sheet
from app.screens.experiment.acting import button
from app.screens.experiment.opened import Opened
from app.screens.experiment.work import ask
from app.views_experiment.checks import failing, guidance, is_allocation
from app.views_experiment.findings import Findings
from app.views_experiment.header import health_reading
from app.views_experiment.live import all_mature_at
from app.views_experiment.schedule import next_check
from experiments.designs.design import Design
from experiments.looks.health import Health
from registry.jobs import Kind

HALF: Final = 380
"""Natural width of a picture that takes half of the page, or the whole of a phone."""


def health_line(opened: Opened) -> None:
    """How many checks pass, since when that is known, and each that does not pass."""
    findings, revision = opened.findings, opened.revision
    said = "Nobody has checked the logs yet."
    if findings.health is not None:
        checks = [check for check in findings.health.checks if check.result != "not applicable"]
        passed = sum(check.result == "pass" for check in checks)
        said = f"{passed} of {len(checks)} checks pass · last checked {instant(findings.health_at)}"
        following = next_check(opened.here.settings, findings)
        said += f" · next by {instant(following)}" if following is not None else ""
    shown = health_reading(findings)
    marks.notice(Reading(f"Health: {shown.words}", shown.icon, shown.shape, shown.tone), said)
    if button("Check health now", "check-health", revision, why_not=_asked_already(findings)) is not None:
        ask(opened, Kind.HEALTH, Kind.LOOK_STATUS)
    if findings.health is not None:
        _failing(findings)


def units_so_far(design: Design, health: Health) -> None:
    """Enrolment by day, allocation, maturity and what is left out; assignments and exposures only."""
    st.subheader("Units so far", anchor="units-so-far")
    marks.words("Assignments and exposures only; no outcome is read for these.", muted=True)
    left, right = st.columns(2, gap="medium")
    with left:
        _enrolment(design, health)
    with right:
        _maturity(design, health)
    left, right = st.columns(2, gap="medium")
    with left:
        _allocation(health, "assigned")
    with right:
        _allocation(health, "exposed")
        _left_out(health)
    _balance(health)


def checks(findings: Findings, health: Health) -> None:
    """Every check: its result, what was found, the rule, and since when it has been so."""
    st.subheader("Health checks", anchor="health-checks")
    marks.words(
        f"The logs are complete up to {instant(health.watermark)} ({health.watermark_why}).", muted=True
    )
    with st.expander(f"All {len(health.checks)} checks and their rules"):
        rows: list[dict[str, Cell]] = [
            {
                "Check": check.name,
                "Result": check_reading(check.result),
                "Since": instant(findings.since.get(check.name)),
                "What was found": check.detail,
                "p": p_value(check.p_value),
                "Declared rule": check.rule,
                "Blocks the readout": "yes" if check.blocking else "no",
            }
            for check in health.checks
        ]
        marks.table(table("Checks of the logs, blind to outcomes", rows, numeric=("p",)))


def _asked_already(findings: Findings) -> str | None:
    kinds = {job.kind for job in findings.at_work}
    return "it is being checked." if {Kind.HEALTH, Kind.LOOK_STATUS} & kinds else None


def _failing(findings: Findings) -> None:
    """Every check that does not pass, with its likely causes and what to do; causes that are the same stand once."""
    told: set[tuple[str, ...]] = set()
    for check in failing(findings.health) if findings.health is not None else ():
        known, shown = guidance(check), check_reading(check.result)
        causes = known.causes if known.causes not in told else ()
        told.add(known.causes)
        p = "" if check.p_value is None else f" ({p_clause(check.p_value)})"
        since = findings.since.get(check.name)
        begun = "" if since is None else f" Since {instant(since)}."
        blocks = check.result == "fail" and check.blocking
        said = " The readout is blocked: results would not be trustworthy." if blocks else ""
        usually = " What it usually comes from:" if causes else ""
        marks.notice(
            Reading(f"{check.name}: {shown.words.casefold()}.", shown.icon, shown.shape, shown.tone),
            f"{check.detail}{p}.{begun}{said} What to do: {known.do}{usually}",
            causes,
        )


def _enrolment(design: Design, health: Health) -> None:
    if not health.days:
        return
    drawn = units_by_day(
        health.days, health.arms, design.written.power.units_per_day, health.checked_at, width=HALF
    )
    marks.words("Enrolment by day and arm", heading=True)
    marks.words(drawn.sentence)
    sheet.picture("Enrolment by day and arm", drawn)


def _allocation(health: Health, of: Literal["assigned", "exposed"]) -> None:
    """The arms' shares with their own test; those of exposed units only where exposure is logged by itself."""
    tests = [check for check in health.checks if is_allocation(check)]
    test = next((check for check in tests if ("exposed" in check.name) == (of == "exposed")), None)
    if of == "exposed" and test is None:
        return
    drawn = arms_so_far(health.arms, test, of=of, width=HALF)
    title = f"Allocation of {of} units"
    taken = " The analysis takes exposed units." if of == "exposed" else ""
    marks.words(title, heading=True)
    marks.words(drawn.sentence + taken)
    sheet.picture(title, drawn)


def _maturity(design: Design, health: Health) -> None:
    if not health.maturing:
        return
    drawn = maturity_by_week(health.maturing, width=HALF)
    marks.words("Maturity by week of first exposure", heading=True)
    marks.words(drawn.sentence)
    sheet.picture("Maturity by week of first exposure", drawn)
    at = all_mature_at(design, health)
    if at is not None:
        exposed = sum(arm.exposed for arm in health.arms)
        marks.words(f"All {count(exposed)} exposed so far will be mature by {instant(at)}.", muted=True)


def _balance(health: Health) -> None:
    if not health.balance:
        return
    marks.words("Before exposure, arms against control", heading=True)
    marks.words(
        "The declared covariates, measured before anybody could be affected: a difference is chance, or a fault of the assignment.",
        muted=True,
    )
    rows: list[dict[str, Cell]] = [
        {
            "Covariate": row.covariate,
            "Arm": row.arm,
            "Units": f"{count(row.arm_units)} against {count(row.control_units)}",
            "Difference, in standard deviations": NOTHING
            if row.standardised_difference is None
            else signed(row.standardised_difference, 3),
            "p": row.not_computed or p_value(row.p_value),
        }
        for row in health.balance
    ]
    marks.table(table("Balance before exposure", rows, numeric=("Difference, in standard deviations",)))


def _left_out(health: Health) -> None:
    if health.excluded:
        rows: list[dict[str, Cell]] = [
            {"Not analysed so far": reason, "Units": count(n)} for reason, n in health.excluded.items()
        ]
        marks.table(table("Units left out so far, arms together", rows, numeric=("Units",)))
