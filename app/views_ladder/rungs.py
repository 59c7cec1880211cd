"""The four rungs of a rollout in a line: where it stands, what each rung rests on, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.readings import Reading
from app.views_ladder.opened import LadderView
from registry.kinds import KINDS
from registry.ladder import RolloutState
from registry.store import Dossier

NAMES: Final = {
    RolloutState.SHADOW: "Shadow",
    RolloutState.CANARY: "Canary",
    RolloutState.AB: "A/B",
    RolloutState.PROMOTED: "Promoted",
}
_LEFT_OUT: Final = Reading("left out", "–", "circle", "open")
_AHEAD: Final = Reading("ahead", "○", "circle", "plain")


@dataclass(frozen=True, slots=True)
class RungLine:
    """One rung.

    Attributes:
        entry: runs it; None while none is named.
        current: whether the rollout is on it, or was when it was paused.
    """

    number: int
    name: str
    reading: Reading
    entry: str | None
    current: bool
    note: str


def rungs_of(view: LadderView) -> tuple[RungLine, ...]:
    """The four rungs, in the one order there is."""
    return tuple(_rungs(view))


def _rungs(view: LadderView) -> Iterator[RungLine]:
    rollout, design = view.file.rollout, view.file.design
    for number, (rung, name) in enumerate(NAMES.items(), start=1):
        if rung is RolloutState.PROMOTED:
            promoted = rollout.state is rung
            state = Reading("done", "✓", "circle", "good") if promoted else _AHEAD
            yield RungLine(number, name, state, None, promoted, "needs a released A/B readout and a decision")
            continue
        if rung.value not in design.rungs:
            why = getattr(design.written.left_out, rung.value) or ""
            yield RungLine(number, name, _LEFT_OUT, None, False, why)
            continue
        dossier = view.entries.get(rung)
        entry = rollout.entry_of(rung)
        yield RungLine(number, name, _state(view, rung), entry, rollout.rung is rung, _note(dossier))


def _state(view: LadderView, rung: RolloutState) -> Reading:
    rollout = view.file.rollout
    dossier = view.entries.get(rung)
    if rollout.rung is rung:
        if rollout.state is RolloutState.PAUSED:
            return Reading(f"paused{_step(view, rung)}", "‖", "square", "warning")
        return Reading(f"on{_step(view, rung)}", "◉", "circle", "good")
    begun = any(one.status == "done" and one.to_state is rung for one in view.file.transitions)
    if not begun:
        return _AHEAD
    if dossier is not None and _accepted(dossier):
        return Reading("passed", "✓", "circle", "good")
    return Reading("ended without a pass", "✕", "square", "bad")


def _step(view: LadderView, rung: RolloutState) -> str:
    step = view.file.rollout.step
    if rung is not RolloutState.CANARY or step is None:
        return ""
    of = "" if view.canary is None else f" of {len(view.canary.design.steps)}"
    return f", step {step}{of}"


def _accepted(dossier: Dossier) -> bool:
    decision = dossier.decision
    return decision is not None and decision.decision == KINDS[dossier.experiment.kind].accepting.value


def _note(dossier: Dossier | None) -> str:
    if dossier is None:
        return "no entry named yet"
    current = dossier.experiment
    if current.released_at is not None and current.verdict is not None:
        return f"{dossier.words}; verdict {current.verdict.value}"
    return dossier.words
