"""Writing a shadow's design: a file or text with everything that is wrong in it, the protocol it means, and saving it."""

from __future__ import annotations

import streamlit as st

from app.readings import Reading
from app.rung_protocol import rung_protocol
from app.screens.experiment import marks
from app.screens.experiment.acting import attempt
from app.screens.frame import Here, refusal
from app.screens.pieces import plain
from app.screens.shadow.opened import OpenedShadow
from app.views_shadow.written import EXAMPLE, Written, checked
from experiments.shadows.design import ShadowDesign
from registry import lifecycle
from registry.actors import Role
from registry.errors import Refused
from registry.plans import plan_to_register
from registry.store import everybody

TO_MEND = Reading("To mend:", "!", "triangle-up", "warning")
_NEW = "shadow.new.text"
_FILE = "shadow.new.file"


def begin(here: Here) -> None:
    """A new shadow: its design as a file or as text."""
    st.title("Write a new shadow", anchor=False)
    marks.words(
        "Write down what the candidate has to show before anybody sees what it answers. The file is the same that fairtrial "
        "design check and fairtrial register take."
    )
    if st.button("Back to all shadows", type="tertiary"):
        st.query_params.clear()
        st.rerun()
    if not here.me.person.has(Role.ANALYST):
        st.info("Only an analyst can register a shadow. Ask an admin for the role Analyst.")
        return
    uploaded = st.file_uploader("Design file (YAML)", type=["yaml", "yml"], key=_FILE, max_upload_size=1)
    if uploaded is not None and st.session_state.get("shadow.new.taken") != uploaded.file_id:
        try:
            st.session_state[_NEW] = uploaded.getvalue().decode("utf-8-sig")
            st.session_state["shadow.new.taken"] = uploaded.file_id
        except UnicodeDecodeError:
            st.error(
                f"{plain(uploaded.name)} is not UTF-8 text; save it with that encoding. Nothing was saved."
            )
    st.session_state.setdefault(_NEW, EXAMPLE)
    text = st.text_area("Design, or paste it here", key=_NEW, height=420)
    found = checked(text or "")
    design = _said(found)
    if st.button("Save draft", type="primary", disabled=design is None, key="shadow.new.save"):
        _save_new(here, design)
    if design is None:
        marks.words(
            "Save draft: possible once nothing is left to mend. What you wrote stays here until then.",
            muted=True,
        )


def edit(opened: OpenedShadow) -> None:
    """A draft of one's own: go on writing, save, and send it for review."""
    key = f"shadow.text.{opened.id}.{opened.revision}"
    st.session_state.setdefault(key, opened.dossier.draft_written)
    st.subheader("Design", anchor="design")
    text = st.text_area("Design (YAML)", key=key, height=420)
    found = checked(text or "")
    design = _said(found)
    is_new = design is not None and text != opened.dossier.draft_written
    seen = opened.revision
    if st.button("Save draft", disabled=not is_new, key="shadow.save") and design is not None:
        plan = plan_to_register(design)
        here = opened.here
        attempt(
            lambda: lifecycle.save_draft(here.registry, here.me.id, opened.id, plan, seen=seen),
            "Saved.",
        )
    _submit(opened, saved=design is not None and not is_new)


def protocol_of(design: ShadowDesign) -> None:
    """Every sentence of the plan."""
    for section in rung_protocol(design):
        marks.words(section.heading, heading=True)
        marks.bullets(section.sentences)


def _said(found: Written) -> ShadowDesign | None:
    """All problems, or the protocol in words; gives the design where there is one."""
    if found.design is None:
        marks.words(f"{len(found.problems)} to mend:" if len(found.problems) > 1 else "One thing to mend:")
        for problem in found.problems:
            marks.notice(TO_MEND, problem)
        return None
    marks.words(f"Nothing to mend. SHA-256 of the plan: {found.design.sha256[:12]}…", muted=True)
    with st.expander("The protocol, as the reviewer reads it", expanded=True):
        protocol_of(found.design)
    return found.design


def _save_new(here: Here, design: ShadowDesign | None) -> None:
    if design is None:
        return
    try:
        made = lifecycle.create_draft(here.registry, here.me.id, plan_to_register(design))
    except Refused as refused:
        refusal(refused)
    else:
        st.session_state.pop(_NEW, None)
        st.query_params.clear()
        st.query_params["id"] = made.id
        st.rerun()


def _submit(opened: OpenedShadow, *, saved: bool) -> None:
    here, current = opened.here, opened.current
    st.subheader("Send it for review", anchor="send")
    alone = here.me.person.one_person
    reviewer: str | None = here.me.id
    if alone:
        marks.words("You review your own plan in one-person mode. It is labelled self-reviewed for ever.")
    else:
        able = [
            person.id
            for person in everybody(here.registry)
            if person.active and person.has(Role.REVIEWER) and not current.owned_by(person.id)
        ]
        named = current.administrative.get("reviewer")
        if not able:
            marks.words("Nobody here may review this plan. Ask an admin to give somebody the role Reviewer.")
        reviewer = st.selectbox(
            "Reviewer",
            able,
            index=able.index(named) if named in able else None,
            key="shadow.reviewer",
            placeholder="Choose who is to lock the plan",
        )
        st.caption("The reviewer locks the plan. They cannot be you.")
    why = None if saved else "possible once the text is saved as a draft."
    why = why or (None if reviewer else "possible once a reviewer is chosen.")
    seen = opened.revision
    if st.button("Send for review", type="primary", disabled=why is not None, key="shadow.send"):
        attempt(
            lambda: lifecycle.submit(here.registry, here.me.id, opened.id, reviewer=reviewer, seen=seen),
            f"Sent to {reviewer} for review.",
        )
    if why is not None:
        marks.words(f"Send for review: {why}", muted=True)
