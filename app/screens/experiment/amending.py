"""Amending a locked plan from the page: edit it in the form or as a file, see what would become of it, and send it to the reviewer.

What is written is kept in this session until it is sent. The registry judges it, now and again when it is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import streamlit as st

from app.drafting.beginning import from_file
from app.drafting.checking import Checked, label_of
from app.drafting.steps import COVARIATES_OF_GUARDRAILS, STEPS
from app.drafting.text import DraftText
from app.export.blocks import Cell, table
from app.readings import Reading
from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button, impossible, reason
from app.screens.experiment.cloning import clone_form
from app.screens.experiment.exposure import exposure_section, request_exposure
from app.screens.experiment.opened import Opened
from app.screens.pieces import plain
from app.screens.register.desk import Desk
from app.screens.register.fields import TO_MEND, Form
from app.views_experiment.amending import CLASSES, MAY_CHANGE, Outlook, outlook_of
from app.views_experiment.exposure import exposure_standing
from app.views_experiment.gates import why_not
from experiments.designs.metrics import Catalogue, load_catalogue
from experiments.forms.problems import Invalid
from registry import lifecycle
from registry.amended import amended_design
from registry.lifecycle import Amendment, Exposure, Inference, Judgement, ReasonCode, Timing
from registry.lifecycle.proposals import AMENDMENT
from registry.plans import plan_to_register
from registry.records import Plan, State

NOT_NOW: Final = Reading("Not possible now:", "!", "triangle-up", "warning")
_STEPS: Final = STEPS[:-1]
"""The steps of the form; what stands in the last was said when the plan was registered."""

IN_THE_FORM: Final = "In the form"
AS_A_FILE: Final = "As a file"


@dataclass(slots=True)
class Bench:
    """One session's amendment of one experiment.

    Attributes:
        first: the plan as it was begun with.
        text: the plan as it is to be.
        of: revision of the experiment that it was begun on.
    """

    desk: Desk
    first: str
    text: str
    of: int

    def take(self, text: str) -> None:
        """Put another text in place of what is written."""
        self.text = text
        self.desk.pending.clear()
        self.desk.renew()


def amending(opened: Opened) -> None:
    """The section of the tab: what may change now, and the bench once it is begun."""
    if not opened.dossier.plans:
        return
    st.subheader("Amend the plan", anchor="amend")
    key = f"amending/{opened.id}"
    why = why_not(opened.me.person, opened.dossier.experiment, "amend administrative")
    bench: Bench | None = st.session_state.get(key)
    if bench is None or why is not None:
        st.session_state.pop(key, None)
        marks.words(
            "The owner changes it in the open: each change is shown with its class, its timing and its reason, and a material one "
            "needs the reviewer."
        )
        if button("Begin an amendment", "amend.begin", opened.revision, why_not=why) is not None:
            st.session_state[key] = _begun(opened)
            st.rerun()
        return
    _bench(opened, bench, key)


def _begun(opened: Opened) -> Bench:
    desk = Desk(f"{opened.id}-amendment", opened.revision)
    desk.left.update(range(len(STEPS) + 1))  # what is missing is said at once: the plan was complete
    text = _pinned(opened, opened.dossier.draft_written)
    return Bench(desk, text, text, opened.revision)


def _pinned(opened: Opened, text: str) -> str:
    """A text that names its key: else a new title would be a new key, and so another assignment."""
    draft, path = DraftText(text), ("assignment", "key")
    locked = opened.dossier.experiment.assignment_key
    return text if locked is None or draft.at(path) is not None else draft.with_value(path, locked).text


def _bench(opened: Opened, bench: Bench, key: str) -> None:
    if bench.desk.pending:
        bench.text = DraftText(bench.text).after(bench.desk.pending).text
        bench.desk.pending.clear()
    if bench.of != opened.revision:
        st.warning(
            "The experiment has changed since you began. What you wrote is still here; it is shown against the plan as it is now."
        )
        bench.of = opened.revision
    catalogue = load_catalogue(opened.here.settings.catalogue)
    checked = _checked(opened, bench.text, catalogue)
    _editing(bench, checked, catalogue, opened)
    st.markdown("**What would change**")
    if checked.design is None:
        for problem in checked.problems:
            marks.notice(TO_MEND, f"{label_of(problem.path)}: {problem.message}")
        marks.words("It can be judged once this is mended.", muted=True)
    else:
        _outlook(opened, bench, plan_to_register(checked.design), key)
    if st.button("Put it away without sending", key="amend.away"):
        st.session_state.pop(key, None)
        st.rerun()


def _checked(opened: Opened, text: str, catalogue: Catalogue) -> Checked:
    draft = DraftText(text)
    try:
        return Checked(draft, amended_design(opened.dossier, text, catalogue))
    except Invalid as invalid:
        return Checked(draft, None, invalid.problems)


def _editing(bench: Bench, checked: Checked, catalogue: Catalogue, opened: Opened) -> None:
    way = st.segmented_control(
        "Change it",
        (IN_THE_FORM, AS_A_FILE),
        default=IN_THE_FORM,
        key="amend.way",
        label_visibility="collapsed",
        required=True,
    )
    with st.container(border=True):
        if way == AS_A_FILE:
            _as_a_file(bench, opened)
            return
        titles = [f"{step.number} · {step.title}" for step in _STEPS]
        chosen = st.selectbox("Part of the plan", titles, key="amend.step")
        step = _STEPS[titles.index(chosen)]
        bench.desk.step = step.number
        form = Form(bench.desk, checked, catalogue)
        form.items(step.items)
        if step.title == "Guardrails":
            for place in range(checked.draft.length(("guardrails",))):
                name = checked.draft.at(("guardrails", place, "metric")) or f"guardrail {place + 1}"
                with st.expander(f"Covariates of {plain(str(name))}"):
                    form.group(COVARIATES_OF_GUARDRAILS, place)
        form.leftovers(checked.of_step(step))


def _as_a_file(bench: Bench, opened: Opened) -> None:
    """The plan as the YAML that the command line takes: download it, change it, give it back."""
    st.download_button(
        "Download the plan as it stands here (YAML)",
        bench.text,
        file_name=f"{opened.id}-amended.yaml",
        mime="application/yaml",
        on_click="ignore",
        key="amend.download",
    )
    uploaded = st.file_uploader(
        "The changed design file", type=["yaml", "yml"], key="amend.file", max_upload_size=1
    )
    if uploaded is not None and st.button("Take this file", key="amend.take-file"):
        try:
            _take(bench, opened, uploaded.getvalue().decode("utf-8-sig"))
        except UnicodeDecodeError:
            st.error(
                f"{plain(uploaded.name)} is not UTF-8 text; save it with that encoding. Nothing was taken."
            )
    key = bench.desk.key((), "text")
    st.session_state.setdefault(key, bench.text)
    written = st.text_area("Or change it here", key=key, height=320)
    if st.button("Take this text", key="amend.take-text"):
        _take(bench, opened, str(written))


def _take(bench: Bench, opened: Opened, text: str) -> None:
    try:
        bench.take(_pinned(opened, from_file(text).text))
    except Invalid as invalid:
        st.error("This cannot be read as a design. Nothing was taken; what was written before is still here.")
        marks.bullets([str(problem) for problem in invalid.problems])
    else:
        st.rerun()


def _outlook(opened: Opened, bench: Bench, plan: Plan, key: str) -> None:
    """What differs, of which class, how late, what stands in the way, and sending it."""
    exposure = _exposure(opened)
    judged = lifecycle.judge_change(opened.here.registry, opened.me.id, opened.id, plan, exposure)
    known = exposure is not None or opened.dossier.experiment.state is not State.REGISTERED
    shown = outlook_of(judged, logs_asked=known)
    if shown.kind == "nothing" or bench.text == bench.first:
        marks.words(CLASSES["nothing"])
        _may_change(judged.timing, known=known)
        return
    rows: list[dict[str, Cell]] = [
        {
            "Field": row.changed.field,
            "What": row.changed.what,
            "Before": row.changed.old,
            "After": row.changed.new,
            "Allowed now": row.allowed,
        }
        for row in shown.rows
    ]
    if rows:
        marks.table(table("What this would change of the plan", rows))
    else:
        marks.words("Only what the plan does not rest on differs: comments, or the traffic that is expected.")
    timing = shown.timing or "not known before the logs are asked"
    marks.facts([("Class", shown.class_words), ("Timing class, from the logs and the ledger", timing)])
    if shown.kind == "material" and not known and not _waiting(opened):
        exposure_section(opened.here, opened.dossier.experiment, partial(_ask, opened))
    for why in shown.reasons:
        marks.notice(NOT_NOW, why)
    if shown.forbidden:
        _may_change(judged.timing, known=known)
        marks.words("What you wrote can be the plan of a new experiment:")
        clone_form(
            opened,
            "amend.clone",
            bench.text,
            "Clone as new draft with these changes",
            unlike=" with these changes",
        )
    _send(opened, plan, judged, shown, key)


def _exposure(opened: Opened) -> Exposure | None:
    """What the worker found in the logs; asked for only before the first exposure, since afterwards the ledger knows."""
    current = opened.dossier.experiment
    if current.state is not State.REGISTERED:
        return None
    return exposure_standing(opened.here.registry, current).exposure


def _ask(opened: Opened) -> None:
    attempt(lambda: request_exposure(opened.here, opened.id), "The logs are being asked.")


def _may_change(timing: Timing, *, known: bool) -> None:
    with st.expander("What may change now"):
        marks.words(
            MAY_CHANGE[timing] if known else "That depends on whether units were exposed; the logs tell it."
        )


def _send(opened: Opened, plan: Plan, judged: Judgement, shown: Outlook, key: str) -> None:
    current = opened.dossier.experiment
    administrative = judged.kind == "administrative"
    label = "Save the change" if administrative else f"Send to the reviewer ({current.reviewer})"
    if impossible(label, "amend.send", _why_not_sent(shown.reasons)):
        return
    with st.form("amend.form", enter_to_submit=False):
        code, inference, text = None, None, ""
        if not administrative:
            code = st.selectbox(
                "Reason", list(ReasonCode), index=None, placeholder="Choose", key="amend.code"
            )
            text = reason("In words, so that a stranger understands it in a year", "amend", "amend.why")
            inference = st.selectbox(
                "What it does to how severely the hypothesis is tested",
                list(Inference),
                index=None,
                placeholder="Choose",
                key="amend.inference",
            )
        seen = button(label, "amend.send", opened.revision, primary=True, in_form=True)
    if seen is None:
        return
    if not administrative and (code is None or inference is None):
        st.error("Not sent: choose the reason and its effect on inference. What you wrote is still here.")
        return
    amendment = None if code is None or inference is None else Amendment(code, text, inference)

    def send() -> None:
        lifecycle.amend(
            opened.here.registry, opened.me.id, opened.id, plan, None, amendment=amendment, seen=seen
        )
        st.session_state.pop(key, None)

    attempt(
        send,
        "Saved: the plan keeps its version."
        if administrative
        else f"Sent. {current.reviewer} approves or rejects it under History; until then the plan stays as it is.",
    )


def _why_not_sent(reasons: Sequence[str]) -> str | None:
    return "see above what stands in the way." if reasons else None


def _waiting(opened: Opened) -> bool:
    """Whether an amendment waits for the reviewer; the logs are then asked for beside it."""
    return any(one.kind == AMENDMENT and one.status == "open" for one in opened.dossier.proposals)
