"""The page: the start, a draft of one's own, or a plan that is no longer to be written."""

from __future__ import annotations

import streamlit as st

from app.drafting.checking import Checked, check
from app.drafting.steps import COVARIATES_OF_GUARDRAILS, STEPS
from app.drafting.text import DraftText, Edit
from app.preview import preview
from app.screens.experiment import marks
from app.screens.frame import Here, page, refusal
from app.screens.pieces import plain, way_to
from app.screens.register import rail
from app.screens.register.desk import PREVIEW, Desk, desk_of
from app.screens.register.fields import Form
from app.screens.register.preview import design_preview, sizes
from app.screens.register.review import problems_in_words, review, whole_protocol
from app.screens.register.start import start
from experiments.designs.metrics import Catalogue, load_catalogue
from experiments.forms.problems import Invalid
from registry import lifecycle
from registry.errors import Conflict, Refused
from registry.plans import saved_design
from registry.records import Experiment, State
from registry.stewardship import verified
from registry.store import Dossier, show


@page
def register_page(here: Here) -> None:
    """Draw the start, or the draft that the address names."""
    st.title("Register an experiment", anchor=False)
    marks.style()
    catalogue = load_catalogue(here.settings.catalogue)
    id = st.query_params.get("id")
    if id is None:
        start(here, catalogue)
        return
    dossier = show(here.registry, id)
    mine = dossier.experiment.owner == here.me.id
    if dossier.experiment.state is not State.DRAFT or not mine:
        _only_read(here, dossier, catalogue, mine=mine)
        return
    desk = desk_of(dossier.experiment)
    desk.save(here, dossier.experiment, dossier.draft_written, catalogue)
    _write(here, desk, show(here.registry, id), catalogue)


def _write(here: Here, desk: Desk, dossier: Dossier, catalogue: Catalogue) -> None:
    _head(desk, dossier)
    try:
        checked = check(DraftText(dossier.draft_written), catalogue)
        _ = checked.draft.body
    except Invalid:
        checked = Checked(DraftText(""), None)
    _conflict(desk)
    steps, page_of_step = st.columns([1, 4.2], gap="medium")
    with steps:
        rail.left(desk, checked)
    with page_of_step:
        if desk.step == PREVIEW:
            design_preview(here, desk, checked)
            _back_and_next(desk)
            return
        main, beside = st.columns([3, 1.7], gap="medium")
        with main:
            _step(here, desk, dossier, checked, catalogue)
            _back_and_next(desk)
        with beside:
            rail.right(desk, checked, catalogue)
            _as_a_file(desk, checked)


def _head(desk: Desk, dossier: Dossier) -> None:
    saved = desk.saved_at or dossier.experiment.changed_at
    st.caption(
        f"Draft {desk.id} · {plain(dossier.experiment.title)} · saved {saved:%H:%M:%S} UTC ✓".replace(
            "$", "\\$"
        )
    )


def _conflict(desk: Desk) -> None:
    """Somebody else was faster, or the save was refused: who, what was kept, and what can be done."""
    if desk.conflict is None:
        return
    with st.container(border=True):
        st.warning(f"Not saved. {plain(desk.conflict)} What you typed is kept here:")
        marks.bullets([edit.words or "a change" for edit in desk.held])
        st.button(
            "Put mine on top of what is there now",
            type="primary",
            on_click=desk.put_on_top,
            key="register/mine",
        )
        st.button("Take what is there now", on_click=desk.give_up, key="register/theirs")


def _step(here: Here, desk: Desk, dossier: Dossier, checked: Checked, catalogue: Catalogue) -> None:
    step = STEPS[desk.step - 1]
    st.subheader(f"{step.number} · {step.asks}", anchor=False)
    if step.number == len(STEPS):
        review(here, desk, dossier, checked)
        return
    form = Form(desk, checked, catalogue, known=verified(here.registry))
    form.items(step.items)
    if step.title == "Guardrails":
        _covariates_of_guardrails(form, checked)
    form.leftovers(checked.of_step(step))
    if step.title in {"Sample & power", "Stopping & looks"} and checked.design is not None:
        st.divider()
        sizes(preview(checked.design))
        marks.words(
            "The design preview shows the power curve, what could happen, and a rehearsal of the readout.",
            muted=True,
        )
        st.button("See the design preview", on_click=desk.go, args=(PREVIEW,), key="register/see-preview")


def _covariates_of_guardrails(form: Form, checked: Checked) -> None:
    count = checked.draft.length(("guardrails",))
    if not count:
        return
    with st.expander("Covariates of guardrails"):
        for place in range(count):
            name = checked.draft.at(("guardrails", place, "metric")) or f"guardrail {place + 1}"
            st.caption(f"Guardrail {place + 1}: {plain(str(name))}")
            form.group(COVARIATES_OF_GUARDRAILS, place)


def _back_and_next(desk: Desk) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.button(
            "Back", disabled=desk.step == 1, on_click=desk.go, args=(desk.step - 1,), key="register/back"
        )
        if desk.step < len(STEPS):
            st.button("Next", type="primary", on_click=desk.go, args=(desk.step + 1,), key="register/next")


def _as_a_file(desk: Desk, checked: Checked) -> None:
    """The same draft as a design file: download it, or write in it."""
    with st.expander("As a file"):
        st.download_button(
            "Download the design (YAML)",
            checked.draft.text,
            file_name=f"{desk.id}.yaml",
            mime="application/yaml",
            on_click="ignore",
            key="register/download",
        )
        st.caption("The command line takes it as it is: fairtrial design check, fairtrial register.")
        key = desk.key((), "text")
        st.session_state.setdefault(key, checked.draft.text)
        st.text_area("Design file", key=key, height=260)
        st.button("Save this text", on_click=_note_text, args=(desk, key), key="register/save-text")
        wrong = st.session_state.get(f"register/{desk.id}/unreadable")
        if wrong:
            st.error(plain(wrong))


def _note_text(desk: Desk, key: str) -> None:
    from app.drafting.beginning import from_file

    text = str(st.session_state[key])
    problem = f"register/{desk.id}/unreadable"
    try:
        from_file(text)
    except Invalid as invalid:
        st.session_state[problem] = f"Not saved; what you wrote is still here. {invalid}"
    else:
        st.session_state.pop(problem, None)
        desk.put(Edit((), text, "text", "the text of the file"))
        desk.renew()


def _only_read(here: Here, dossier: Dossier, catalogue: Catalogue, *, mine: bool) -> None:
    """A plan that is not to be written now, or not by this person."""
    found = dossier.experiment
    st.caption(f"{found.id} · {plain(found.title)} · {dossier.words}")
    draft = DraftText(dossier.draft_written)
    if found.state is State.DRAFT:
        checked = check(draft, catalogue)
        st.info(f"This is a draft of {found.owner}, who alone can change it.")
    else:
        checked = Checked(draft, saved_design(dossier))
    if found.state is State.IN_REVIEW:
        _in_review(here, found)
        if mine and st.button("Take it back to go on writing", key="register/take-back"):
            _take_back(here, dossier)
    elif found.state is not State.DRAFT:
        st.info(f"{found.id} is {dossier.words}. Its plan is locked and changes only by amendment.")
    way_to(found.id, f"Open {found.id}")
    if st.button("Begin another", key="register/another"):
        st.query_params.clear()
        st.rerun()
    st.download_button(
        "Download the design (YAML)",
        dossier.draft_written,
        file_name=f"{found.id}.yaml",
        mime="application/yaml",
        on_click="ignore",
        key="register/download",
    )
    if checked.design is None:
        problems_in_words(checked)
    whole_protocol(checked)


def _in_review(here: Here, found: Experiment) -> None:
    if here.me.id == found.reviewer:
        st.info(f"{plain(found.owner)} asks for your review. Read the plan, then lock it or send it back.")
        way_to(found.id, f"Review: {found.id}", "plan")
        return
    st.info(
        f"In review by {plain(str(found.reviewer))}. It cannot be changed meanwhile."
        + (" On a simulated clock you can act as the reviewer, in the sidebar." if here.me.chosen else "")
    )


def _take_back(here: Here, dossier: Dossier) -> None:
    try:
        lifecycle.take_back(
            here.registry, here.me.id, dossier.experiment.id, seen=dossier.experiment.revision
        )
    except Refused as refused:
        refusal(refused)
    except Conflict as conflict:
        st.warning(str(conflict))
    else:
        st.rerun()
