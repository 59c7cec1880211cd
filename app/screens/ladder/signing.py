"""The sign-off of a canary that has ended: a person who neither owns nor reviewed it lets the candidate go on, or does not."""

from __future__ import annotations

from typing import Final

import streamlit as st

from app.formats import instant
from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button, impossible, reason
from app.screens.experiment.opened import Opened
from app.views_experiment.gates import why_not
from registry import lifecycle
from registry.kinds import Choice, opposes
from registry.lifecycle.checks import MINIMUM_REASON
from registry.lifecycle.proposals import DECISION
from registry.records import Proposal, Verdict
from registry.words import DECISION_WORDS

CHOICES: Final = {
    Choice.APPROVE: "Approve to the A/B: the candidate did no harm at a small share",
    Choice.REQUEST_CHANGES: "Request changes: it is on record, and the sign-off stays open",
    Choice.REJECT: "Reject: the candidate goes no further",
}


def signing(opened: Opened, verdict: str) -> None:
    """What was signed; else the form to sign, and whoever else has to."""
    st.subheader("Sign-off", anchor="sign-off")
    signed, waiting = opened.dossier.decision, _waiting(opened)
    if signed is not None:
        against = f", against the verdict {signed.verdict}" if signed.against_verdict else ""
        by = signed.decided_by + (f" and {signed.approved_by}" if signed.approved_by else "")
        decided = f"{DECISION_WORDS[signed.decision]}{against}"
        marks.facts([("Decided", decided), ("Signed by", by), ("At", instant(signed.decided_at))])
        marks.words(f"Reason: {signed.reason}")
        return
    marks.words(f"The verdict says {verdict}. A person decides, with a reason that is kept for ever.")
    if waiting is not None:
        _second(opened, waiting)
    else:
        _first(opened, verdict)


def _first(opened: Opened, verdict: str) -> None:
    here, person = opened.here, opened.me.person
    if impossible("Sign it", "canary.sign", why_not(person, opened.dossier.experiment, "decide")):
        return
    with st.form("canary.decide", enter_to_submit=False):
        choice = st.radio(
            "Sign-off", list(CHOICES), format_func=CHOICES.__getitem__, index=None, key="canary.choice"
        )
        text = reason("Reason", "decide", "canary.reason")
        longer = MINIMUM_REASON["decide against the verdict"]
        alone = "" if person.one_person else ", and a second decider has to approve"
        marks.words(f"Against the verdict {verdict}: at least {longer} characters{alone}.", muted=True)
        seen = button("Sign it", "canary.sign", opened.revision, primary=True, in_form=True)
    if seen is None:
        return
    if choice is None:
        st.error("Not signed: nothing is chosen. What you wrote is still here. Choose one, then sign.")
        return
    second = opposes(Choice(choice), Verdict(verdict)) and not person.one_person
    attempt(
        lambda: lifecycle.decide(here.registry, here.me.id, opened.id, Choice(choice), text, seen=seen),
        "Recorded. A second decider has to approve it." if second else "Signed and recorded.",
    )


def _second(opened: Opened, waiting: Proposal) -> None:
    choice = Choice(waiting.content["decision"])
    marks.words(
        f"{waiting.proposed_by} proposed, against the verdict: {CHOICES[choice]}. Reason: {waiting.content['reason']}"
    )
    here, person, current = opened.here, opened.me.person, opened.dossier.experiment
    mine = waiting.proposed_by == person.id and not person.one_person
    approve = why_not(person, current, "approve decision")
    if approve is None and mine:
        approve = "you proposed it: a second decider is needed."
    label = "Take it back" if mine else "Do not approve it"
    impossible("Approve it", "canary.second", approve)
    if impossible(label, "canary.back", why_not(person, current, "reject decision")):
        return
    seen = None
    with st.form("canary.second.form", enter_to_submit=False):
        text = reason("Reason", "reject" if mine else "decide", "canary.second.reason")
        if approve is None:
            seen = button("Approve it", "canary.second", opened.revision, primary=True, in_form=True)
        back = button(label, "canary.back", opened.revision, in_form=True)
    registry, me = here.registry, here.me.id
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
