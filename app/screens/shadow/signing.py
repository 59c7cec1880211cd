"""The sign-off: a person who neither owns nor reviewed the plan lets the candidate into a canary, or does not."""

from __future__ import annotations

from typing import Final

import streamlit as st

from app.formats import instant
from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button, impossible, reason
from app.screens.shadow.opened import OpenedShadow
from app.views_experiment.gates import why_not
from registry import lifecycle
from registry.kinds import opposes
from registry.lifecycle import Choice
from registry.lifecycle.checks import MINIMUM_REASON
from registry.lifecycle.proposals import DECISION
from registry.records import Proposal, Verdict
from registry.words import DECISION_WORDS

CHOICES: Final = {
    Choice.APPROVE: "Approve to canary: the candidate may answer a small share of users",
    Choice.REQUEST_CHANGES: "Request changes: it is on record, and the sign-off stays open",
    Choice.REJECT: "Reject: the candidate goes no further",
}


def signing(opened: OpenedShadow, verdict: str) -> None:
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
    _asked_before(opened)
    if waiting is not None:
        _second(opened, waiting)
    else:
        _first(opened, verdict)


def _asked_before(opened: OpenedShadow) -> None:
    """Changes that were requested: each stays on record."""
    for entry in opened.dossier.history:
        if entry.action == "decide" and entry.summary and "request" in entry.summary.casefold():
            marks.words(f"{entry.actor} requested changes: {entry.reason}")


def _first(opened: OpenedShadow, verdict: str) -> None:
    here = opened.here
    if impossible("Sign it", "shadow.sign", why_not(here.me.person, opened.current, "decide")):
        return
    with st.form("shadow.decide", enter_to_submit=False):
        choice = st.radio(
            "Sign-off", list(CHOICES), format_func=CHOICES.__getitem__, index=None, key="shadow.choice"
        )
        text = reason("Reason", "decide", "shadow.reason")
        longer = MINIMUM_REASON["decide against the verdict"]
        alone = "" if here.me.person.one_person else ", and a second decider has to approve"
        marks.words(f"Against the verdict {verdict}: at least {longer} characters{alone}.", muted=True)
        seen = button("Sign it", "shadow.sign", opened.revision, primary=True, in_form=True)
    if seen is None:
        return
    if choice is None:
        st.error("Not signed: nothing is chosen. What you wrote is still here. Choose one, then sign.")
        return
    second = opposes(Choice(choice), Verdict(verdict)) and not here.me.person.one_person
    attempt(
        lambda: lifecycle.decide(here.registry, here.me.id, opened.id, Choice(choice), text, seen=seen),
        "Recorded. A second decider has to approve it." if second else "Signed and recorded.",
    )


def _second(opened: OpenedShadow, waiting: Proposal) -> None:
    choice = Choice(waiting.content["decision"])
    marks.words(
        f"{waiting.proposed_by} proposed, against the verdict: {CHOICES[choice]}. Reason: {waiting.content['reason']}"
    )
    here, person = opened.here, opened.here.me.person
    mine = waiting.proposed_by == person.id and not person.one_person
    approve = why_not(person, opened.current, "approve decision")
    if approve is None and mine:
        approve = "you proposed it: a second decider is needed."
    label = "Take it back" if mine else "Do not approve it"
    impossible("Approve it", "shadow.second", approve)
    if impossible(label, "shadow.back", why_not(person, opened.current, "reject decision")):
        return
    seen = None
    with st.form("shadow.second.form", enter_to_submit=False):
        text = reason("Reason", "reject" if mine else "decide", "shadow.second.reason")
        if approve is None:
            seen = button("Approve it", "shadow.second", opened.revision, primary=True, in_form=True)
        back = button(label, "shadow.back", opened.revision, in_form=True)
    registry, me = here.registry, here.me.id
    if seen is not None:
        attempt(
            lambda: lifecycle.approve_decision(registry, me, opened.id, text, seen=seen),
            "Approved and recorded.",
        )
    if back is not None:
        attempt(lambda: lifecycle.reject_decision(registry, me, opened.id, text, seen=back), "Recorded.")


def _waiting(opened: OpenedShadow) -> Proposal | None:
    found = (p for p in opened.dossier.proposals if p.kind == DECISION and p.status == "open")
    return next(found, None)
