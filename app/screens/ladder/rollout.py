"""One rollout: where it stands, what the next step waits for, what is served and why, what can be done, and all that was."""

from __future__ import annotations

import streamlit as st

from app.export.blocks import Cell
from app.export.blocks import table as table_of
from app.formats import count, instant, share, short_hash
from app.readings import LABEL_WORDS, Reading, Tone
from app.screens.experiment import marks
from app.screens.experiment.acting import say_what_was_done
from app.screens.frame import Here
from app.screens.ladder.guardrails import guardrails, steps
from app.screens.ladder.history import history, realised
from app.screens.ladder.moving import moving
from app.screens.ladder.rungs import rungs_line
from app.screens.ladder.stopping import stopping
from app.views_ladder.gates import gates_of
from app.views_ladder.opened import LadderView
from app.views_ladder.rungs import rungs_of
from registry.ladder import RolloutState

_TONES: dict[RolloutState, tuple[str, Tone]] = {
    RolloutState.PLANNED: ("○", "plain"),
    RolloutState.PAUSED: ("‖", "warning"),
    RolloutState.PROMOTED: ("✓", "good"),
    RolloutState.ROLLED_BACK: ("⟲", "bad"),
}


def rollout_page(here: Here, view: LadderView) -> None:
    """Draw the page."""
    _head(view)
    say_what_was_done()
    rungs_line(rungs_of(view))
    _served(view)
    stopping(here, view)
    if view.file.rollout.state not in {RolloutState.PROMOTED, RolloutState.ROLLED_BACK}:
        _gates(view)
        moving(here, view)
    if view.canary is not None:
        guardrails(here, view.canary)
        steps(view.canary)
    realised(here, view)
    history(view)
    _plan(view)


def _head(view: LadderView) -> None:
    rollout = view.file.rollout
    marks.title(f"{rollout.id} · {rollout.model}", rollout.title)
    icon, tone = _TONES.get(rollout.state, ("◉", "good"))
    chips = [(Reading(rollout.words, icon, "circle", tone), "Where the rollout stands.")]
    chips += [
        (Reading(label, "!", "triangle-up", "warning"), LABEL_WORDS.get(label, ""))
        for label in rollout.labels
    ]
    marks.chips(chips)
    aliases = view.file.aliases
    facts = [
        (f"{name.capitalize()} alias", f"→ {aliases[name].version or 'none'}")
        for name in ("champion", "candidate")
        if name in aliases
    ]
    budget, met = view.file.design.risk_budget, view.file.units_met
    spent = f"{share(float(budget.share))} of all units"
    if budget.units is not None:
        spent += f", {count(met or 0)} of {count(budget.units)} units have met it"
    facts += [
        ("Candidate against champion", f"{rollout.candidate} against {rollout.champion}"),
        ("Risk budget", spent),
        ("First served", instant(view.file.served_since) if view.file.served_since else "not yet"),
        ("Owner", rollout.owner),
        ("Model owner", rollout.model_owner or "not named"),
        ("Plan, SHA-256", f"{short_hash(rollout.sha256)}…"),
    ]
    marks.facts(facts)
    with st.popover("Link to this page", icon=":material/link:"):
        address = st.context.url
        origin = "" if address is None else "/".join(address.split("/")[:3])
        st.code(f"{origin}/ladder?id={rollout.id}", language=None)


def _served(view: LadderView) -> None:
    route = view.file.route
    st.subheader("Served now", anchor="served")
    marks.words(route.reason)
    facts = [
        ("Everybody who is in no slice", f"{route.version} (alias {route.alias})"),
        ("Share that gets the candidate", share(float(route.share))),
    ]
    if route.split is not None:
        facts.append(("Salt", route.split.salt))
        facts.append(("Control, at the other end of the hash", share(float(route.split.control.share))))
    if route.mirror is not None:
        facts.append(("Mirrored to the candidate, unseen", f"{share(float(route.mirror[1]))} of requests"))
    facts.append(("Since", instant(route.since)))
    marks.facts(facts)


def _gates(view: LadderView) -> None:
    st.subheader("Gates to the next step", anchor="gates")
    records: list[dict[str, Cell]] = [
        {"Gate": gate.name, "State": gate.reading, "Why": gate.words} for gate in gates_of(view)
    ]
    marks.table(table_of("In this order; approval comes last", records))


def _plan(view: LadderView) -> None:
    with st.expander("The plan of the rollout, as it was written (YAML)"):
        st.code(view.file.design.document.text, language="yaml")
