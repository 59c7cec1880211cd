"""Beside the form: left where one is, right what the plan says so far."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from app.drafting.checking import Checked, Mark
from app.drafting.steps import STEPS
from app.drafting.summary import protocol_so_far
from app.formats import count
from app.protocol import Section
from app.screens.experiment import marks
from app.screens.register.desk import PREVIEW, Desk
from experiments.designs.metrics import Catalogue

MARKS: dict[Mark, str] = {"done": "✓", "open": "○", "wrong": "!"}
MARK_WORDS: dict[Mark, str] = {"done": "complete", "open": "still open", "wrong": "something to mend"}

HEIGHT = 560
"""Pixels of the plan beside the form; it scrolls within."""

_NARROW = """
<style>
.st-key-register_rail { gap: .15rem; }
.st-key-register_rail button { padding: .15rem .6rem; }
.st-key-register_rail button, .st-key-register_rail button * { justify-content: flex-start; text-align: left; }
@media (max-width: 40rem) {
  .st-key-register_rail { flex-direction: row !important; flex-wrap: nowrap; overflow-x: auto; gap: .25rem; }
  .st-key-register_rail > div { width: auto !important; flex: none; }
  .st-key-register_rail button { white-space: nowrap; }
}
</style>
"""
"""On a narrow page the steps stand side by side and scroll, so that the question is on the first screen."""


def left(desk: Desk, checked: Checked) -> None:
    """The nine steps with how each stands, and the preview."""
    st.html(_NARROW)
    with st.container(key="register_rail", gap="small"):
        for step in STEPS:
            mark = checked.mark(step)
            st.button(
                f"{MARKS[mark]} {step.number} {step.title}",
                key=f"register/{desk.id}/step/{step.number}",
                help=MARK_WORDS[mark],
                type="primary" if step.number == desk.step else "tertiary",
                width="stretch",
                on_click=desk.go,
                args=(step.number,),
            )
        st.button(
            "Design preview",
            key=f"register/{desk.id}/step/preview",
            icon=":material/monitoring:",
            type="primary" if desk.step == PREVIEW else "tertiary",
            width="stretch",
            on_click=desk.go,
            args=(PREVIEW,),
        )


def right(desk: Desk, checked: Checked, catalogue: Catalogue) -> None:
    """How complete the draft is, and the protocol in plain language as far as it goes."""
    done = checked.steps_done
    marks.bar(done / len(STEPS), f"{done} of {len(STEPS)} steps complete")
    if checked.design is not None:
        plan = checked.design.plan
        weeks = "" if plan.enrolment is None else f", {plan.enrolment.enrolment_weeks} weeks of enrolment"
        marks.words(f"{count(plan.total)} units{weeks}; {plan.binding} needs the most.")
    if desk.step < len(STEPS):
        st.markdown("**The plan so far**")
        with st.container(height=HEIGHT):
            sections(protocol_so_far(checked, catalogue))


def sections(shown: Sequence[Section]) -> None:
    """A protocol, exactly as it is written."""
    inner = "".join(
        f"<p><strong>{escape(section.heading)}</strong></p>"
        + "".join(f"<p>{escape(sentence)}</p>" for sentence in section.sentences)
        for section in shown
    )
    st.html(f'<div class="ft">{inner}</div>')
