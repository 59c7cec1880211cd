"""The looks of an experiment as everybody may see them: how each ended, never what it found."""

from __future__ import annotations

from dataclasses import dataclass

from app.formats import NOTHING, instant
from app.readings import Reading
from registry.records import Look
from registry.store import Dossier


@dataclass(frozen=True, slots=True)
class TakenLook:
    """A look that was opened."""

    name: str
    reading: Reading
    cut_off: str
    opened: str
    sealed: str


def taken_looks(dossier: Dossier) -> tuple[TakenLook, ...]:
    """Every look that was opened, in order."""
    return tuple(
        TakenLook(
            name=f"{look.k} of {look.of}",
            reading=_reading(look),
            cut_off=instant(look.cutoff),
            opened=f"{instant(look.opened_at)} by {look.opened_by}",
            sealed=NOTHING if look.sealed_at is None else instant(look.sealed_at),
        )
        for look in dossier.looks
    )


def _reading(look: Look) -> Reading:
    if look.status == "held":
        return Reading(f"Held: {look.held_because} Outcomes stay closed.", "‖", "square", "warning")
    if look.status != "sealed":
        return Reading("Open: it is being taken", "…", "circle", "plain")
    if look.outcome == "continue":
        return Reading("No boundary was crossed", "…", "circle", "plain")
    return Reading(f"Ended the experiment: {look.stop_reason}", "■", "square", "plain")
