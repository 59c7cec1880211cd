"""The decision: what a person signs after the readout, and against the verdict a second person with them."""

from __future__ import annotations

from typing import Final

import streamlit as st

from app.formats import instant
from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button, impossible, reason
from app.screens.experiment.opened import Opened
from app.views_experiment.gates import why_not
from experiments.readouts.readout import Readout
from registry import lifecycle
from registry.lifecycle import Choice
from registry.lifecycle.checks import MINIMUM_REASON
from registry.lifecycle.proposals import DECISION
from registry.records import Proposal, Verdict
from registry.words import DECISION_WORDS

CHOICES: Final = {
    Choice.SHIP: "Ship: everybody gets the treatment",
    Choice.DO_NOT_SHIP: "Do not ship: everybody stays with control",
    Choice.REPEAT: "Repeat: a new experiment is to answer it; control until then",
    Choice.DEFER: "Defer: not now; it is on record, and control stays meanwhile",
}


def decision(opened: Opened, found: Readout) -> None:
    """What was signed; else the form to sign, and whoever else has to."""
    st.subheader("Decision", anchor="decision")
    signed, waiting = opened.dossier.decision, _waiting(opened)
    if signed is not None:
        against = f", against the verdict {signed.verdict}" if signed.against_verdict else ""
        arm = f" ({signed.arm})" if signed.arm else ""
        marks.facts(
            [
                ("Decided", f"{DECISION_WORDS[signed.decision]}{arm}{against}"),
                (
                    "Signed by",
                    signed.decided_by + (f" and {signed.approved_by}" if signed.approved_by else ""),
                ),
                ("At", instant(signed.decided_at)),
            ]
        )
        marks.words(f"Reason: {signed.reason}")
        return
    marks.words(
        f"The verdict says {found.verdict.code}. A person decides, with a reason that is kept for ever."
    )
    if waiting is not None:
        _second(opened, waiting)
    else:
        _first(opened, found)


def _first(opened: Opened, found: Readout) -> None:
    if impossible(
        "Sign the decision", "decide.do", why_not(opened.me.person, opened.dossier.experiment, "decide")
    ):
        return
    verdict, ships = found.verdict.code, found.verdict.ships
    treatments, arm = [arm.arm for arm in found.units[1:]], None
    with st.form("decide", enter_to_submit=False):
        choice = st.radio(
            "Decision", list(CHOICES), format_func=CHOICES.__getitem__, index=None, key="decide.choice"
        )
        if len(treatments) > 1:
            first = treatments.index(ships) if ships in treatments else None
            arm = st.selectbox("Which treatment ships", treatments, index=first, key="decide.arm")
        text = reason("Reason", "decide", "decide.reason")
        longer = MINIMUM_REASON["decide against the verdict"]
        alone = "" if opened.me.person.one_person else ", and a second decider has to approve"
        marks.words(f"Against the verdict {verdict}: at least {longer} characters{alone}.", muted=True)
        seen = button("Sign the decision", "decide.do", opened.revision, primary=True, in_form=True)
    if seen is None:
        return
    if choice is None:
        st.error("Not signed: no decision is chosen. What you wrote is still here. Choose one, then sign.")
        return
    against = lifecycle.opposes(Choice(choice), Verdict(verdict)) and not opened.me.person.one_person
    attempt(
        lambda: lifecycle.decide(
            opened.here.registry,
            opened.me.id,
            opened.id,
            Choice(choice),
            text,
            arm=arm if choice is Choice.SHIP else None,
            seen=seen,
        ),
        "Recorded. A second decider has to approve it." if against else "Signed and recorded.",
    )


def _second(opened: Opened, waiting: Proposal) -> None:
    choice, arm = Choice(waiting.content["decision"]), waiting.content.get("arm")
    marks.words(
        f"{waiting.proposed_by} proposed, against the verdict: {CHOICES[choice]}{f' ({arm})' if arm else ''}. "
        f"Reason: {waiting.content['reason']}"
    )
    person, current = opened.me.person, opened.dossier.experiment
    mine = waiting.proposed_by == person.id and not person.one_person
    approve = why_not(person, current, "approve decision")
    if approve is None and mine:
        approve = "you proposed it: a second decider is needed."
    reject = why_not(person, current, "reject decision")
    label = "Take it back" if mine else "Reject the decision"
    impossible("Approve the decision", "second.approve", approve)
    if impossible(label, "second.reject", reject):
        return
    seen = None
    with st.form("second", enter_to_submit=False):
        text = reason("Reason", "reject" if mine else "decide", "second.reason")
        if approve is None:
            seen = button(
                "Approve the decision", "second.approve", opened.revision, primary=True, in_form=True
            )
        back = button(label, "second.reject", opened.revision, in_form=True)
    registry, me = opened.here.registry, opened.me.id
    if seen is not None:
        attempt(
            lambda: lifecycle.approve_decision(registry, me, opened.id, text, seen=seen),
            "Approved and recorded.",
        )
    if back is not None:
        attempt(lambda: lifecycle.reject_decision(registry, me, opened.id, text, seen=back), "Recorded.")


def _waiting(opened: Opened) -> Proposal | None:
    found = (p for p in opened.dossier.proposals if p.kind == DECISION and p.status == "open")
    return next(found, None)
