"""The last step: the whole plan as it will be printed, what is still open, and sending it for review."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.drafting.checking import Checked, label_of, step_of
from app.drafting.steps import STEPS
from app.drafting.text import Edit
from app.overview.logs import tested
from app.readings import Reading
from app.screens.experiment import marks
from app.screens.experiment.exposure import exposure_section, request_exposure
from app.screens.frame import Here, refusal
from app.screens.pieces import way_to_page
from app.screens.register.desk import Desk
from app.screens.register.fields import TO_MEND, to_mend
from app.screens.register.rail import sections
from app.views_experiment.exposure import ExposureStanding, label_needed
from registry import lifecycle
from registry.actors import Role
from registry.errors import Conflict, Refused
from registry.store import Dossier, everybody, show

SEEN = ("outcome_data_seen",)
SHORTEST = 50
_NOT_SEEN = "no"
_SEEN = "some"
_LOCKING = "register/locking"


def review(here: Here, desk: Desk, dossier: Dossier, checked: Checked) -> None:
    """Step 9 of a draft."""
    _outcome_data(desk, checked)
    reviewer = _reviewer(here, desk, dossier, checked)
    open_ = _checklist(checked, reviewer, alone=here.me.person.one_person)
    if checked.design is not None:
        _source(here, checked.design.written.source)
        with st.expander("The protocol, as it will be printed", expanded=not open_):
            whole_protocol(checked)
        st.caption(f"SHA-256 of the plan: {checked.design.sha256}")
    if here.me.person.one_person:
        _lock(here, desk, checked, open_)
    else:
        _send(here, desk, reviewer, open_)


def whole_protocol(checked: Checked) -> None:
    """Every sentence of the plan."""
    from app.protocol import protocol

    if checked.design is None:
        return
    sections(protocol(checked.design))


def problems_in_words(checked: Checked) -> None:
    """Every problem of the design, with the step and the field it belongs to; as ``fairtrial design check`` lists them."""
    for problem in checked.problems:
        step = step_of(problem.path)
        marks.notice(TO_MEND, f"Step {step.number}, {label_of(problem.path)}: {problem.message}")


def _source(here: Here, name: str) -> None:
    """Whether the plan's source was tried lately; its logs may not be there yet, so this holds nobody up."""
    good, said = tested(here.registry, name)
    if good:
        marks.words(f"✓ {said}", muted=True)
        return
    marks.notice(
        Reading("Not tested lately", "!", "triangle-up", "warning"),
        f"{said} A plan can be locked all the same; a check tells whether its columns are there.",
    )
    way_to_page("sources", "Check it under Data sources")


def _outcome_data(desk: Desk, checked: Checked) -> None:
    written = checked.draft.at(SEEN)
    key, text_key = desk.key(SEEN), desk.key(SEEN, "explained")
    unseen = isinstance(written, str) and written.strip().casefold() == _NOT_SEEN
    st.session_state.setdefault(key, None if written is None else _NOT_SEEN if unseen else _SEEN)
    st.radio(
        "Have any outcome data of these units been seen?",
        (_NOT_SEEN, _SEEN),
        index=None,
        key=key,
        format_func=lambda one: (
            "No. I have not looked at outcome data for these units"
            if one == _NOT_SEEN
            else "Some have been seen: I explain below"
        ),
        on_change=_note_seen,
        args=(desk, key),
    )
    st.caption("Pre-registration only counts before the answer is known.")
    if written is None or unseen:
        return
    st.session_state.setdefault(text_key, "" if written == _SEEN else str(written))
    st.text_area(
        "What has been seen, by whom?",
        key=text_key,
        placeholder=f"At least {SHORTEST} characters; it is printed in the protocol",
        on_change=_note_explained,
        args=(desk, text_key),
    )
    for problem in checked.under(SEEN):
        to_mend(problem)


def _note_seen(desk: Desk, key: str) -> None:
    desk.put(Edit(SEEN, st.session_state[key], "put", f"Outcome data seen: {st.session_state[key]}"))


def _note_explained(desk: Desk, key: str) -> None:
    text = str(st.session_state[key]).strip()
    desk.put(Edit(SEEN, text or _SEEN, "put", f"Outcome data seen: {text}"))


def _reviewer(here: Here, desk: Desk, dossier: Dossier, checked: Checked) -> str | None:
    """Who is to lock the plan."""
    if here.me.person.one_person:
        marks.words("You review your own plan in one-person mode. It is labelled self-reviewed for ever.")
        return here.me.id
    owned = dossier.experiment
    able = [
        person.id
        for person in everybody(here.registry)
        if person.active and person.has(Role.REVIEWER) and not owned.owned_by(person.id)
    ]
    written = checked.draft.at(("reviewer",))
    if not able:
        marks.notice(
            TO_MEND, "Nobody here may review this plan. Ask an admin to give somebody the role Reviewer."
        )
        return None
    key = desk.key(("reviewer",))
    st.session_state.setdefault(key, written if written in able else None)
    chosen: str | None = st.selectbox(
        "Reviewer",
        able,
        index=None,
        key=key,
        placeholder="Choose who is to lock the plan",
        on_change=desk.note,
        args=(("reviewer",), "line", key, "Reviewer"),
    )
    st.caption("The reviewer locks the plan. They cannot be you.")
    return chosen


def _checklist(checked: Checked, reviewer: str | None, *, alone: bool) -> bool:
    """What has to be ✓ before it can be sent; gives whether anything is open."""
    st.markdown("**Checklist**")
    lines = [
        (not checked.of_step(step), f"Step {step.number}, {step.title}")
        for step in STEPS
        if step.number < len(STEPS)
    ]
    lines += [(checked.outcome_data_answered, "Whether outcome data have been seen is answered")]
    lines += [] if alone else [(reviewer is not None, "A reviewer is named")]
    marks.chips(
        (
            Reading(words, "✓", "circle", "good") if done else Reading(words, "○", "diamond", "open"),
            "complete" if done else "still open",
        )
        for done, words in lines
    )
    if checked.problems:
        problems_in_words(checked)
    return not all(done for done, _ in lines) or checked.design is None


def _send(here: Here, desk: Desk, reviewer: str | None, is_open: bool) -> None:
    pressed = st.button(
        "Send for review", type="primary", disabled=is_open, icon=":material/send:", key=desk.key((), "send")
    )
    if is_open:
        marks.words("Send for review: possible once everything on the checklist is ✓.", muted=True)
    if not pressed:
        return
    try:
        lifecycle.submit(here.registry, here.me.id, desk.id, reviewer=reviewer, seen=desk.seen)
    except Refused as refused:
        refusal(refused)
    except Conflict as conflict:
        st.warning(str(conflict))
    else:
        st.rerun()


def _lock(here: Here, desk: Desk, checked: Checked, is_open: bool) -> None:
    if is_open or checked.design is None:
        st.button("Register and lock", disabled=True, key=desk.key((), "lock"))
        marks.words("Register and lock: possible once everything on the checklist is ✓.", muted=True)
        return
    current = show(here.registry, desk.id).experiment
    standing = exposure_section(here, current, partial(_ask, here, desk.id))
    if standing.exposure is None:
        st.button("Register and lock", disabled=True, key=desk.key((), "lock"))
        marks.words("Register and lock: possible once the logs were asked.", muted=True)
        return
    if st.button("Register and lock", type="primary", icon=":material/lock:", key=desk.key((), "lock")):
        st.session_state[_LOCKING] = desk.id
    if st.session_state.get(_LOCKING) == desk.id:
        _lock_dialog(here, desk, standing)


def _not_now() -> None:
    st.session_state.pop(_LOCKING, None)


@st.dialog("Register and lock", on_dismiss=_not_now)
def _lock_dialog(here: Here, desk: Desk, standing: ExposureStanding) -> None:
    marks.words(
        "From now on the plan changes only by amendment. It is labelled self-reviewed for ever, since nobody else looked at it."
    )
    marks.words(standing.said)
    late = None if standing.exposure is None else label_needed(standing.exposure)
    reason = None
    if late is not None:
        reason = st.text_area(
            f"Why is it registered only now? It is labelled {late} for ever",
            key=f"register/{desk.id}/late",
            placeholder="At least 20 characters",
        )
    typed = st.text_input(f"Type {desk.id} to lock it", key=f"register/{desk.id}/typed")
    if not st.button("Lock the plan", type="primary", disabled=typed.strip() != desk.id):
        return
    mine, registry = here.me.id, here.registry
    try:
        sent = lifecycle.submit(registry, mine, desk.id, reviewer=mine, seen=desk.seen)
        try:
            lifecycle.register(
                registry, mine, desk.id, None, declared=late, reason=reason, seen=sent.revision
            )
        except Refused:
            desk.seen = lifecycle.take_back(registry, mine, desk.id).revision
            raise
        _not_now()
    except Refused as refused:
        refusal(refused)
    except Conflict as conflict:
        st.warning(str(conflict))
    else:
        st.rerun()


def _ask(here: Here, id: str) -> None:
    try:
        request_exposure(here, id)
    except Refused as refused:
        refusal(refused)
    else:
        st.rerun()
