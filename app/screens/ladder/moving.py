"""Upwards: advance or ask for it, approve or reject what was asked for, resume, begin a rung again, open the A/B's draft."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.formats import instant
from app.screens.experiment import marks
from app.screens.experiment.acting import attempt, button, impossible, reason
from app.screens.frame import Here
from app.views_ladder.opened import LadderView
from experiments.designs.metrics import load_catalogue
from experiments.forms.problems import Invalid
from registry import ladder
from registry.kinds import KINDS
from registry.ladder import RolloutState, Transition
from registry.records import State
from registry.rollouts.records import Because
from registry.store import list_experiments

RUNG_NAMES = {
    RolloutState.SHADOW: "the shadow",
    RolloutState.CANARY: "the canary",
    RolloutState.AB: "the A/B",
    RolloutState.PROMOTED: "promotion",
}
_ELIGIBLE = frozenset({State.REGISTERED, State.RUNNING})


def moving(here: Here, view: LadderView) -> None:
    """What leads up from where the rollout stands."""
    st.subheader("Next step", anchor="next-step")
    if view.file.waiting is not None:
        _asked(here, view, view.file.waiting)
    elif view.file.rollout.state is RolloutState.PAUSED:
        _resume(here, view)
    else:
        _advance(here, view)
    _repeat(here, view)
    _open_ab(here, view)


def step_words(to: RolloutState, step: int | None) -> str:
    """Where a step leads: ``the canary, step 2``."""
    return RUNG_NAMES.get(to, to.value) + ("" if step is None else f", step {step}")


def _advance(here: Here, view: LadderView) -> None:
    following, rollout = view.file.next, view.file.rollout
    movement = following.movement
    if movement is None:
        return
    marks.words(f"Next: {step_words(movement.to_state, movement.to_step)}.", heading=True)
    entry = None
    rung = movement.to_state
    if rung is not rollout.rung and rung is not RolloutState.PROMOTED:
        entry = _entry(here, view, rung, f"ladder.entry.{rung.value}")
    missing = [f"{problem.reason} {problem.what_to_do}" for problem in following.missing]
    if missing and entry in {None, rollout.entry_of(rung) if rung is not RolloutState.PROMOTED else None}:
        marks.words("What stands in its way:")
        marks.bullets(missing)
        why = view.may.advance or following.missing[0].reason
        impossible("Advance", "ladder.advance", why)
        return
    asks = movement.signed and not view.may.signs
    label = "Ask for this step" if asks else "Advance"
    if impossible(label, "ladder.advance", view.may.advance):
        return
    with st.form("ladder.advance.form", enter_to_submit=False):
        confirmed = _confirmed(following.confirm, "ladder.advance")
        if asks:
            marks.words(
                "A decider who is neither owner, author nor reviewer has to sign it; you ask for it.",
                muted=True,
            )
        text = reason("Reason", "advance", "ladder.advance.reason")
        seen = button(label, "ladder.advance", rollout.revision, primary=True, in_form=True)
    if seen is not None:
        attempt(
            lambda: ladder.advance(
                here.registry, here.me.id, rollout.id, text, entry=entry, confirmed=confirmed, seen=seen
            ),
            "Asked for; a decider has to sign it." if asks else "Done and recorded.",
        )


def _asked(here: Here, view: LadderView, asked: Transition) -> None:
    rollout = view.file.rollout
    marks.words(
        f"{asked.requested_by} asks for {step_words(asked.to_state, asked.to_step)} since {instant(asked.requested_at)}: "
        f"{asked.reason}"
    )
    if view.file.next.missing:
        marks.words("What stands in its way now:")
        marks.bullets([f"{problem.reason} {problem.what_to_do}" for problem in view.file.next.missing])
    approve, reject = view.may.approve, view.may.reject
    own = asked.requested_by == here.me.id
    no = "Take it back" if own else "Reject"
    if approve is not None:
        impossible("Approve", "ladder.approve", approve)
    if reject is not None:
        impossible(no, "ladder.reject", reject)
    if approve is not None and reject is not None:
        return
    yes = back = None
    with st.form("ladder.sign.form", enter_to_submit=False):
        confirmed = _confirmed(view.file.next.confirm, "ladder.sign") if approve is None else ()
        text = reason("Reason", "approve transition", "ladder.sign.reason")
        if approve is None:
            yes = button("Approve", "ladder.approve", rollout.revision, primary=True, in_form=True)
        if reject is None:
            back = button(no, "ladder.reject", rollout.revision, in_form=True)
    registry, me = here.registry, here.me.id
    if yes is not None:
        attempt(
            lambda: ladder.approve(registry, me, rollout.id, text, confirmed=confirmed, seen=yes),
            "Approved, and the step is taken.",
        )
    if back is not None:
        attempt(
            lambda: ladder.reject(registry, me, rollout.id, text, seen=back),
            "Recorded: the step is not taken.",
        )


def _resume(here: Here, view: LadderView) -> None:
    rollout = view.file.rollout
    marks.bullets([f"{problem.reason} {problem.what_to_do}" for problem in view.file.next.missing])
    impossible("Advance", "ladder.advance", "not while it is paused.")
    why = view.may.resume
    if why is None and rollout.paused_because is not Because.BY_HAND:
        why = f"it is paused because {rollout.paused_because}; repeat the rung with another entry, or roll back."
    if impossible("Resume", "ladder.resume", why):
        return
    with st.form("ladder.resume.form", enter_to_submit=False):
        marks.words(f"It goes on with {step_words(rollout.rung or rollout.state, rollout.step)}.")
        text = reason("Reason", "resume", "ladder.resume.reason")
        seen = button("Resume", "ladder.resume", rollout.revision, primary=True, in_form=True)
    if seen is not None:
        attempt(lambda: ladder.resume(here.registry, here.me.id, rollout.id, text, seen=seen), "It goes on.")


def _repeat(here: Here, view: LadderView) -> None:
    rollout = view.file.rollout
    if rollout.rung is None or rollout.entry is None or view.may.repeat is not None:
        return
    with st.expander("Begin this rung again with another entry"):
        marks.words(
            f"Once {rollout.entry} has ended without a pass. Clone it, have the clone registered, and name that here."
        )
        entry = _entry(here, view, rollout.rung, "ladder.again", other_than=rollout.entry)
        if entry is None:
            marks.words(
                f"Begin {RUNG_NAMES[rollout.rung]} again: possible once another entry is registered.",
                muted=True,
            )
            return
        with st.form("ladder.repeat.form", enter_to_submit=False):
            text = reason("Reason", "repeat rung", "ladder.repeat.reason")
            seen = button("Begin it again", "ladder.repeat", rollout.revision, in_form=True)
        if seen is not None:
            attempt(
                lambda: ladder.repeat(here.registry, here.me.id, rollout.id, entry, text, seen=seen),
                "Recorded.",
            )


def _open_ab(here: Here, view: LadderView) -> None:
    rollout = view.file.rollout
    if rollout.ab is not None or rollout.rung is RolloutState.AB:
        return
    marks.words("The A/B: a draft with the canary's guardrails and what the shadow hands on.", heading=True)
    why = view.may.open_ab
    seen = button("Open the A/B draft", "ladder.open-ab", rollout.revision, why_not=why)
    if seen is None:
        return
    try:
        catalogue = load_catalogue(here.settings.catalogue)
    except Invalid as invalid:
        st.error(f"The metric catalogue cannot be used: {invalid}. Nothing was opened.")
        return
    attempt(
        lambda: ladder.open_ab(here.registry, here.me.id, rollout.id, catalogue, seen=seen),
        "Opened: it is named as the entry of the A/B above, and goes on as any draft.",
    )


def _entry(
    here: Here, view: LadderView, rung: RolloutState, key: str, *, other_than: str | None = None
) -> str | None:
    """The registered entry that is to run a rung: the one named, or one to be chosen."""
    named = view.file.rollout.entry_of(rung)
    able = [
        one.id
        for one in list_experiments(here.registry, kind=KINDS[rung.value].name, states=tuple(_ELIGIBLE))
        if one.id != other_than
    ]
    if named is not None and named != other_than and named not in able:
        able.insert(0, named)
    if not able:
        return None
    return st.selectbox(
        f"Entry that runs {RUNG_NAMES[rung]}",
        able,
        index=able.index(named) if named in able else (0 if len(able) == 1 else None),
        key=key,
        placeholder="Choose a registered one",
    )


def _confirmed(criteria: Sequence[str], key: str) -> tuple[str, ...]:
    if criteria:
        marks.words("Confirm what the plan asks for:")
    return tuple(
        criterion
        for number, criterion in enumerate(criteria)
        if st.checkbox(criterion, key=f"{key}.confirm.{number}")
    )
