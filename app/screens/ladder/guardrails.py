"""The canary on the page of its rollout: guardrails against their limits, bounds over the checks, steps, and the next check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.declared_words import duration_in_words
from app.export.blocks import Figure
from app.formats import instant
from app.screens.experiment import marks, sheet
from app.screens.frame import Here
from app.screens.ladder.checking import checking
from app.screens.pieces import way_to
from app.views_ladder.opened import CanaryStanding, is_over
from app.views_ladder.tables import declared_guardrails, guardrails_table, steps_table
from experiments.canaries.readout import CanaryReadout

if TYPE_CHECKING:
    from app.charts import Drawn

_UNANSWERED = {
    "hold": "the share is held, and nobody gets more, until somebody decides (the default)",
    "proceed": "the next step may be asked for all the same, as long as no guardrail is beyond its margin",
    "roll back": "it is rolled back by itself",
}


def guardrails(here: Here, canary: CanaryStanding) -> None:
    """What the sealed checks say; before the first only what was declared."""
    st.subheader("Guardrails", anchor="guardrails")
    last = canary.last
    if last is None:
        marks.table(declared_guardrails(canary))
    elif last.verdict.code == "INVALID":
        marks.words(f"Check {last.look.k} is INVALID: no effect is reported. {last.verdict.sentence}")
    else:
        marks.words(last.verdict.sentence)
        marks.table(guardrails_table(last, canary))
        _chart(last)
    if not is_over(canary.dossier):
        checking(here, canary)
    way_to(canary.id, f"{canary.id}: plan, checks and sign-off")


def steps(canary: CanaryStanding) -> None:
    """The grid of the steps, and what happens when one stays without an answer."""
    st.subheader("Steps", anchor="steps")
    marks.table(steps_table(canary))
    begun, design = canary.steps.begun, canary.design
    step = design.steps[max(len(begun) - 1, 0)]
    said = (
        f"If step {step.number} has no answer after {duration_in_words(step.time_limit)}, "
        f"{_UNANSWERED[step.when_unanswered]}."
    )
    if canary.stands is not None and not canary.stands.ended:
        said += f" That is {instant(canary.stands.time_up_at)}."
        if canary.stands.overdue:
            said += f" {canary.stands.reason[:1].upper()}{canary.stands.reason[1:]}."
    marks.words(said)


def _chart(last: CanaryReadout) -> None:
    if not any(one.points for one in last.guardrails):
        return

    def bounds() -> Drawn:
        from app.charts.canaries import bounds_over_checks

        return bounds_over_checks(last.guardrails)

    title = "What is not ruled out, over the checks, against the limit"
    sheet.draw(Figure(title, bounds), f"{last.sha256}/bounds")
