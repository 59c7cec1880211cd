"""What stands on every tab of an experiment: what it is, where it stands, by which plan, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.formats import instant, short_hash
from app.readings import LABEL_WORDS, Reading, Tone, verdict_reading
from app.views_experiment.findings import Findings
from experiments.designs.design import Design
from registry.lifecycle.drafting import is_unfinished
from registry.records import State
from registry.store import Dossier

_STATES: Final[dict[State, tuple[str, Tone]]] = {
    State.DRAFT: ("✎", "plain"),
    State.IN_REVIEW: ("◔", "plain"),
    State.REGISTERED: ("◆", "plain"),
    State.RUNNING: ("▷", "good"),
    State.STOPPED: ("■", "plain"),
    State.MATURE: ("●", "plain"),
    State.READOUT: ("◉", "good"),
    State.DECIDED: ("◉", "plain"),
    State.ABANDONED: ("–", "open"),
    State.INVALID: ("!", "warning"),
}

_MANY: Final = 20
"""Looks above which their number is only an upper bound, as in an always-valid design."""

AWAITING_A_LOOK: Final = frozenset({State.REGISTERED, State.RUNNING, State.STOPPED, State.MATURE})

_HEALTH: Final[dict[str, tuple[str, Tone]]] = {
    "Good": ("✓", "good"),
    "Warning": ("!", "warning"),
    "Failing": ("✕", "bad"),
}


@dataclass(frozen=True, slots=True)
class Header:
    """The head of every tab.

    Attributes:
        chips: state, labels for ever, and the verdict once it is released; each with its meaning.
        facts: plan, hash, health, next look, people.
        link: the address of this experiment, from the app's own on.
    """

    id: str
    title: str
    chips: tuple[tuple[Reading, str], ...]
    facts: tuple[tuple[str, str], ...]
    link: str


def header_of(dossier: Dossier, design: Design | None, findings: Findings) -> Header:
    """The head of an experiment's tabs; before a release nothing in it comes from outcomes."""
    current = dossier.experiment
    icon, tone = _STATES[current.state]
    chips = [(Reading(dossier.words, icon, "circle", tone), "Where the experiment stands.")]
    if current.released_at is not None and current.verdict is not None:
        chips.append((verdict_reading(current.verdict.value), "The verdict of the declared rule."))
    chips += [
        (Reading(label.value, "!", "triangle-up", "warning"), LABEL_WORDS.get(label.value, ""))
        for label in current.labels
    ]
    unfinished = is_unfinished(dossier.draft)
    hashed = "none yet: the draft is unfinished" if unfinished else f"{short_hash(current.draft_sha256)}…"
    facts = [("Plan", _plan(dossier)), ("Plan, SHA-256", hashed)]
    if current.state in AWAITING_A_LOOK:
        facts += [
            ("Health", str(health_reading(findings))),
            ("Next look", next_look(dossier, design, findings)),
        ]
    facts += [("Owner", current.owner), ("Reviewer", current.reviewer or "not named yet")]
    if current.team:
        facts.append(("Team", current.team))
    return Header(current.id, current.title, tuple(chips), tuple(facts), f"/experiment?id={current.id}")


def health_reading(findings: Findings) -> Reading:
    """The one word of the last check, or that there was none yet."""
    if findings.health is None:
        return Reading("Not checked yet", "", "circle", "plain")
    icon, tone = _HEALTH[findings.health.word]
    return Reading(findings.health.word, icon, "circle", tone)


def next_look(dossier: Dossier, design: Design | None, findings: Findings) -> str:
    """Which look comes next, of how many, and when it is expected."""
    open_now = next((look for look in dossier.looks if look.status in {"open", "held"}), None)
    if open_now is not None:
        return f"{open_now.k} of {open_now.of} is {open_now.status}"
    taken = [look for look in dossier.looks if look.status == "sealed"]
    if taken and taken[-1].outcome == "stop":
        return "none: the last look is taken"
    k = len(taken) + 1
    of = taken[-1].of if taken else None if design is None else design.look_count
    which = f"{k}" if of is None else f"{k} of {of}" if of <= _MANY else f"{k} of at most {of}"
    standing = findings.standing
    if standing is not None and standing.due:
        return f"{which}, due now"
    if standing is None or standing.expected is None:
        return which
    return f"{which}, expected about {instant(standing.expected)}"


def _plan(dossier: Dossier) -> str:
    current = dossier.experiment
    if current.plan_version == 0:
        return "not locked yet"
    locked = dossier.plans[-1]
    return f"version {current.plan_version}, locked {instant(locked.locked_at)} by {locked.locked_by}"
