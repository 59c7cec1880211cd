"""How what a design declares is written in sentences: amounts, durations, boundaries, lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.formats import count, shortest
from experiments.designs.measures import Measure
from experiments.designs.written_measures import Amount
from experiments.forms.durations import SECONDS

_BOUNDARIES: Final = {
    "lan-demets-obf": "Lan–DeMets spending of the O'Brien–Fleming kind",
    "lan-demets-pocock": "Lan–DeMets spending of the Pocock kind",
    "kim-demets": "Kim–DeMets spending",
    "hwang-shih-decani": "Hwang–Shih–DeCani spending",
    "obrien-fleming": "O'Brien–Fleming boundaries",
    "pocock": "Pocock boundaries",
    "wang-tsiatis": "Wang–Tsiatis boundaries",
}
_PARAMETERS: Final = {"kim-demets": "ρ", "hwang-shih-decani": "γ", "wang-tsiatis": "Δ"}


def amount_in_words(measure: Measure, amount: Amount) -> str:
    """An effect or margin as it was declared: 1.5 percentage points, 5% of control, 20 ms."""
    if amount.kind == "relative":
        return f"{shortest(100 * amount.value)}% of control"
    if measure.metric.is_binary:
        points = shortest(100 * amount.value)
        return f"{points} percentage point{'' if points == '1' else 's'}"
    return f"{shortest(amount.value)} {measure.metric.unit}".strip()


def duration_in_words(seconds: int) -> str:
    """``604800`` is 7 days."""
    for letter, word in (("d", "day"), ("h", "hour"), ("m", "minute")):
        if seconds and seconds % SECONDS[letter] == 0:
            number = seconds // SECONDS[letter]
            return f"{count(number)} {word}{'' if number == 1 else 's'}"
    return f"{count(seconds)} seconds"


def boundary_in_words(kind: str, parameter: float | None = None) -> str:
    """A boundary or spending function by its usual name: Kim–DeMets spending with ρ = 2."""
    name = _BOUNDARIES.get(kind, kind)
    return (
        name
        if parameter is None
        else f"{name} with {_PARAMETERS.get(kind, 'parameter')} = {shortest(parameter)}"
    )


def listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."
