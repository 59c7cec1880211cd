"""Beginning a rollout: a file or text with everything that is wrong in it, the plan in words, and the beginning."""

from __future__ import annotations

import streamlit as st

from app.readings import Reading
from app.screens.experiment import marks
from app.screens.frame import Here, refusal
from app.screens.pieces import plain
from app.views_ladder.written import EXAMPLE, checked, plan_in_words
from registry.actors import Role
from registry.errors import Refused
from registry.ladder import plan_rollout

TO_MEND = Reading("To mend:", "!", "triangle-up", "warning")
_TEXT = "ladder.new.text"
_TAKEN = "ladder.new.taken"


def begin(here: Here) -> None:
    """A new rollout."""
    st.title("Begin a rollout", anchor=False)
    marks.words(
        "One document over all rungs of one candidate: champion, candidate, rungs, criteria and risk budget. The file is the same "
        "that fairtrial ladder plan takes. Whoever begins it owns it."
    )
    if st.button("Back to all models", type="tertiary"):
        st.query_params.clear()
        st.rerun()
    if not (here.me.person.has(Role.ANALYST) or here.me.person.has(Role.MODEL_OWNER)):
        st.info("Only an analyst or a model owner may plan a rollout. Ask an admin for the role.")
        return
    uploaded = st.file_uploader(
        "Rollout (YAML)", type=["yaml", "yml"], key="ladder.new.file", max_upload_size=1
    )
    if uploaded is not None and st.session_state.get(_TAKEN) != uploaded.file_id:
        try:
            st.session_state[_TEXT] = uploaded.getvalue().decode("utf-8-sig")
            st.session_state[_TAKEN] = uploaded.file_id
        except UnicodeDecodeError:
            st.error(
                f"{plain(uploaded.name)} is not UTF-8 text; save it with that encoding. Nothing was begun."
            )
    st.session_state.setdefault(_TEXT, EXAMPLE)
    text = st.text_area("Rollout, or paste it here", key=_TEXT, height=380)
    found = checked(text or "")
    if found.design is None:
        marks.words(f"{len(found.problems)} to mend:" if len(found.problems) > 1 else "One thing to mend:")
        for problem in found.problems:
            marks.notice(TO_MEND, problem)
    else:
        marks.words(f"Nothing to mend. SHA-256 of the plan: {found.design.sha256[:12]}…", muted=True)
        marks.words("The plan in words", heading=True)
        marks.bullets(plan_in_words(found.design))
    if st.button("Begin the rollout", type="primary", disabled=found.design is None, key="ladder.new.begin"):
        if found.design is None:
            return
        try:
            made = plan_rollout(here.registry, here.me.id, found.design)
        except Refused as refused:
            refusal(refused)
        else:
            st.session_state.pop(_TEXT, None)
            st.query_params.clear()
            st.query_params["id"] = made.id
            st.rerun()
    if found.design is None:
        marks.words(
            "Begin the rollout: possible once nothing is left to mend. What you wrote stays here until then.",
            muted=True,
        )
