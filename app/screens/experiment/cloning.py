"""A new draft with the plan of an experiment, under a title, a key and a salt of its own."""

from __future__ import annotations

from typing import Final

import streamlit as st

from app.drafting.beginning import from_experiment
from app.drafting.checking import check, plan_to_save
from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button, impossible
from app.screens.experiment.opened import Opened
from app.screens.experiment.ways import way_to_draft
from app.views_experiment.gates import why_not
from experiments.designs.metrics import load_catalogue
from registry import lifecycle

LONGEST_TITLE: Final = 120
_CLONED: Final = "experiment.cloned"


def clone_form(opened: Opened, key: str, text: str, label: str, *, unlike: str = "") -> None:
    """A title and a button that begins the draft; afterwards the way to it.

    Args:
        text: the plan as the draft begins with it.
        unlike: what the draft has that the plan does not, for what is said afterwards.
    """
    made = st.session_state.get(_CLONED)
    if isinstance(made, tuple) and made[0] == f"{opened.id}/{key}":
        way_to_draft(made[1], f"Go on with {made[1]} under Register")
    if impossible(label, f"{key}.do", why_not(opened.me.person, opened.dossier.experiment, "clone")):
        return
    with st.form(f"{key}.form", enter_to_submit=False):
        title = st.text_input(
            "Title of the new experiment",
            value=_next_title(opened.dossier.experiment.title),
            max_chars=LONGEST_TITLE,
            key=f"{key}.title",
        )
        pressed = button(label, f"{key}.do", opened.revision, in_form=True)
    if pressed is not None:

        def clone() -> None:
            st.session_state[_CLONED] = (f"{opened.id}/{key}", _cloned(opened, text, str(title or "")))

        attempt(clone, f"Cloned{unlike}: you own the new draft, which is on Home and under Register.")


def _cloned(opened: Opened, text: str, title: str) -> str:
    registry, me = opened.here.registry, opened.me.id
    draft = from_experiment(text, title)
    plan = plan_to_save(check(draft, load_catalogue(opened.here.settings.catalogue)))
    made = lifecycle.clone(registry, me, opened.id)
    lifecycle.save_draft(registry, me, made.id, plan, seen=made.revision)
    return made.id


def _next_title(title: str) -> str:
    """Another title than that of an open experiment, which holds its own."""
    anew = ", anew"
    return title if title.endswith(anew) else title[: LONGEST_TITLE - len(anew)] + anew


def clone_section(opened: Opened) -> None:
    """Begin a new experiment with this plan, from whatever state."""
    st.subheader("Begin a new experiment with this plan", anchor="clone")
    marks.words("A draft with the same plan under another id, with a key and a salt of its own.")
    clone_form(opened, "clone", opened.dossier.draft_written, "Clone it as a new draft")
