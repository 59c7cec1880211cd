"""The sentences of a canary's check, filled by code: what was not found is never called absent."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from experiments.canaries.judging import JudgedGuardrail
from experiments.canaries.readout import GuardrailReading
from experiments.canaries.verdict import MappedCheck
from experiments.readouts import words
from experiments.readouts.readout import Check, Comparison

ACTIONS = {
    "stay": "The share stays at {share}.",
    "advance": "The share may grow to {next}.",
    "finish": "The canary is done; it does not say that the candidate is better.",
    "hold": "The share is held at {share} until somebody decides; no further check is declared.",
    "pause": "Everybody gets control at once, until somebody decides.",
    "roll back": "Everybody gets control at once.",
}


def sentence_of(
    mapped: MappedCheck,
    judged: Sequence[JudgedGuardrail],
    failed: Sequence[Check],
    share: float,
    following: float | None,
    units: str,
) -> str:
    """What was found and what follows, in the order in which it matters."""
    after = ACTIONS[mapped.action].format(share=percent(share), next=percent(following or share))
    readings = [reading for one in judged for reading in one.readings]
    parts: list[str] = []
    if mapped.call == "BREACH":
        parts = [_beyond(reading) for reading in readings if reading.comparison.state == "Beyond margin"]
        if failed:
            parts.append(f"Beside it a validity check failed: {failed[0].name} ({failed[0].detail}).")
    elif mapped.call == "INVALID":
        parts = [words.invalid(failed)]
    elif mapped.call in {"PASS", "STEP MAY ADVANCE"}:
        parts = [kept(readings)]
    elif mapped.call == "NOT MEASURED":
        missing = [r.comparison for r in readings if r.comparison.not_computed is not None]
        parts = [not_measured(missing)]
    elif mapped.call == "TOO FEW UNITS":
        parts = [f"Too few units to answer this step: {units}."]
    elif mapped.call == "WITHIN THE STEP":
        parts = ["No guardrail is beyond its margin, and the hold time is not over."]
    else:
        unsure = [r for r in readings if r.comparison.state == "Margin not ruled out"]
        parts = ["Too small to judge: " + " ".join(too_small(reading) for reading in unsure)]
    if mapped.row in {6, 7}:
        parts.append("The time of this step is up without an answer.")
    return " ".join([*parts, after])


def kept(readings: Sequence[GuardrailReading]) -> str:
    within = [r.comparison for r in readings if r.comparison.state == "Within margin"]
    if len(within) == len(readings):
        return words.kept(within)
    return f"No guardrail is beyond its margin, which is what this step needs; {len(within)} of {len(readings)} are within it."


def _beyond(reading: GuardrailReading) -> str:
    found = reading.comparison
    return (
        f"{words.named(found)} was worse with {found.treatment} by more than the accepted {words.margin_words(found)} "
        f"({worse(reading)}; a worsening of {not_ruled_out(reading)} is not ruled out)."
    )


def too_small(reading: GuardrailReading) -> str:
    found = reading.comparison
    return (
        f"{words.named(found)} was {worse(reading)} with {found.treatment}; a worsening of {not_ruled_out(reading)} is not ruled "
        f"out, and the margin is {words.margin_words(found)}. {outlook(reading)}"
    )


def outlook(reading: GuardrailReading) -> str:
    """How long it would take at this share: ``About 1 240 more units in each arm would settle it, 3 days at this share.``"""
    if reading.comparison.state != "Margin not ruled out":
        return ""
    if reading.units_needed is None:
        return "More units at this share would not settle it: the estimate itself is not inside the margin."
    text = f"If the estimate stays, about {words.count(reading.units_needed)} more units in each arm would settle it"
    if reading.days_needed is None:
        return f"{text}; at this share none come."
    return f"{text}, {days(reading.days_needed)} at this share."


def not_measured(missing: Sequence[Comparison]) -> str:
    parts = [f"{words.named(one)}: {one.not_computed}" for one in missing]
    listed = "; ".join(parts) or "no guardrail has a value"
    return f"The check cannot be answered, because what it declared was not measured: {listed}. Missing never passes."


def worse(reading: GuardrailReading) -> str:
    """How it went with the candidate, in the metric's unit: ``2.6 percentage points worse``, ``3.0% better``."""
    worsening = reading.worsening or 0.0
    if worsening == 0:
        return "equal"
    side = "worse" if worsening > 0 else "better"
    return f"{words.amount(reading.comparison, abs(worsening))} {side}"


def not_ruled_out(reading: GuardrailReading) -> str:
    """A worsening between two bounds: ``−0.2 to +1.4 percentage points``."""
    point = reading.points[-1] if reading.points else None
    if point is None:
        return "any size"
    found = reading.comparison
    if point.low is None and point.high is None:
        return "any size"
    if point.low is None:
        return f"up to {words.amount(found, point.high, signed=True)}"
    if point.high is None:
        return f"{words.amount(found, point.low, signed=True)} or more"
    low = words.amount(found, point.low, signed=True, unit=False)
    return f"{low} to {words.amount(found, point.high, signed=True)}"


def percent(share: float) -> str:
    return f"{share * 100:g}%"


def days(number: float) -> str:
    """A time to wait, rounded up: hours below two days."""
    if number < 2:
        hours = max(1, ceil(number * 24))
        return f"about {hours} hour{'' if hours == 1 else 's'}"
    return f"about {words.count(ceil(number))} days"
