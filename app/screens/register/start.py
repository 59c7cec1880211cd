"""How a registration begins: choose a shape, say what changes, and go."""

from __future__ import annotations

from typing import Final, Literal

import streamlit as st

from app.drafting.beginning import TEMPLATE_NAMES, from_experiment, from_file, from_template
from app.drafting.checking import check, plan_to_save
from app.drafting.text import DraftText
from app.screens.experiment import marks
from app.screens.frame import Here, refusal
from app.screens.pieces import plain
from app.templates import DESIGNS
from experiments.designs.metrics import Catalogue
from experiments.forms.problems import Invalid
from registry import lifecycle
from registry.actors import Role
from registry.errors import Refused
from registry.records import State
from registry.store import list_experiments, show

Way = Literal["model-ab", "feature-ab", "non-inferiority", "file", "copy"]

WAYS: Final[dict[Way, tuple[str, str]]] = {
    "model-ab": (TEMPLATE_NAMES["model-ab"], DESIGNS["model-ab"]),
    "feature-ab": (TEMPLATE_NAMES["feature-ab"], DESIGNS["feature-ab"]),
    "non-inferiority": (TEMPLATE_NAMES["non-inferiority"], DESIGNS["non-inferiority"]),
    "file": ("A design file", "one you have written, or downloaded here"),
    "copy": ("A copy", "the plan of an experiment, under a title and a key of its own"),
}
MOST_DRAFTS: Final = 10


def start(here: Here, catalogue: Catalogue) -> None:
    """Begin a draft, or go on with one."""
    marks.words(
        "Write down what you will compare, what success means and when anybody looks, before there is any result. "
        "It takes a few minutes; everything you type is saved as you go."
    )
    if not here.me.person.has(Role.ANALYST):
        st.info("Only an analyst can register an experiment. Ask an admin for the role Analyst.")
        return
    _drafts(here)
    st.subheader("Begin a new one", anchor=False)
    way: Way = st.radio(
        "Start from",
        list(WAYS),
        format_func=lambda one: WAYS[one][0],
        captions=[said[:1].upper() + said[1:] for _, said in WAYS.values()],
        key="register/way",
    )
    match way:
        case "file":
            _from_file(here, catalogue)
        case "copy":
            _copy(here, catalogue)
        case _:
            _from_template(here, way, catalogue)


def _drafts(here: Here) -> None:
    mine = list_experiments(here.registry, states=[State.DRAFT], owner=here.me.id, limit=MOST_DRAFTS)
    if not mine:
        return
    st.subheader("Your drafts", anchor=False)
    for one in mine:
        if st.button(
            f"Go on with {one.id}: {plain(one.title)}", key=f"register/go/{one.id}", type="tertiary"
        ):
            _open(one.id)


def _from_template(here: Here, name: str, catalogue: Catalogue) -> None:
    title = _title()
    if st.button("Begin", type="primary", key="register/begin"):
        _begin(here, from_template(name, title, catalogue), catalogue)


def _from_file(here: Here, catalogue: Catalogue) -> None:
    st.caption(
        "The YAML that `fairtrial design check` and `fairtrial register` take. Nothing in it is changed."
    )
    uploaded = st.file_uploader("Design file", type=["yaml", "yml"], key="register/file", max_upload_size=1)
    if uploaded is None:
        return
    try:
        draft = from_file(uploaded.getvalue().decode("utf-8-sig"))
    except UnicodeDecodeError:
        st.error(f"{plain(uploaded.name)} is not UTF-8 text; save it with that encoding. Nothing was saved.")
        return
    except Invalid as invalid:
        st.error("This file cannot be read as a design. Nothing was saved.")
        marks.bullets([str(problem) for problem in invalid.problems])
        return
    found = check(draft, catalogue)
    if found.design is not None:
        marks.words(f"{uploaded.name} is a complete design, SHA-256 {found.design.sha256[:12]}…")
    else:
        marks.words(
            f"{uploaded.name} has something to mend, which the form will show: {len(found.problems)} in all."
        )
    if st.button("Begin with this file", type="primary", key="register/begin"):
        _begin(here, draft, catalogue)


def _copy(here: Here, catalogue: Catalogue) -> None:
    found = list_experiments(here.registry)
    if not found:
        st.info("No experiment is here yet to be copied.")
        return
    titles = {one.id: one.title for one in found}
    chosen = st.selectbox(
        "Experiment", list(titles), format_func=lambda id: f"{id}: {titles[id]}", key="register/copied"
    )
    title = _title()
    if not st.button("Begin", type="primary", key="register/begin"):
        return
    draft = from_experiment(show(here.registry, chosen).draft_written, title)
    try:
        copied = lifecycle.clone(here.registry, here.me.id, chosen)
        plan = plan_to_save(check(draft, catalogue))
        lifecycle.save_draft(here.registry, here.me.id, copied.id, plan, seen=copied.revision)
    except Refused as refused:
        refusal(refused)
    else:
        _open(copied.id)


def _title() -> str:
    title = st.text_input(
        "What changes, for whom?",
        key="register/title",
        placeholder="Example: Ranker v7 against v6 for signed-in search",
        max_chars=120,
    )
    st.caption("The title, in 10 to 120 characters. You can change it later.")
    return str(title or "")


def _begin(here: Here, draft: DraftText, catalogue: Catalogue) -> None:
    try:
        made = lifecycle.create_draft(here.registry, here.me.id, plan_to_save(check(draft, catalogue)))
    except Refused as refused:
        refusal(refused)
    else:
        _open(made.id)


def _open(id: str) -> None:
    st.query_params["id"] = id
    st.rerun()
