"""The words, icons and shapes of verdicts and states: meaning is never in a colour alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from experiments.readouts.readout import CheckResult, Comparison

Tone = Literal["good", "bad", "open", "warning", "plain"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A state as people see it.

    Attributes:
        words: "Within margin".
        icon: a character that stands before the words.
        shape: the mark that stands for it in a chart.
        tone: which colour goes with it, in addition.
    """

    words: str
    icon: str
    shape: str
    tone: Tone

    def __str__(self) -> str:
        return f"{self.icon} {self.words}" if self.icon else self.words


_ICONS: dict[Tone, tuple[str, str]] = {
    "good": ("✓", "circle"),
    "bad": ("✕", "square"),
    "open": ("?", "diamond"),
    "warning": ("!", "triangle-up"),
    "plain": ("", "circle"),
}

_STATES: dict[str, Tone] = {
    "met": "good",
    "improved": "good",
    "within margin": "good",
    "harmed": "bad",
    "worse": "bad",
    "beyond margin": "bad",
    "planned effect ruled out": "bad",
    "an effect as large as planned is ruled out": "bad",
    "futility boundary crossed": "bad",
    "tripped": "bad",
    "not tripped": "plain",
    "undecided": "open",
    "no evidence of a difference": "open",
    "margin not ruled out": "open",
    "missing": "warning",
    "not measured": "warning",
}

_RESULTS: dict[CheckResult, tuple[str, str, Tone]] = {
    "pass": ("Passed", "✓", "good"),
    "warn": ("Warning", "!", "warning"),
    "fail": ("Failed", "✕", "bad"),
    "hold": ("On hold", "‖", "warning"),
    "not applicable": ("Not applicable", "", "plain"),
}

_VERDICTS: dict[str, tuple[str, Tone]] = {
    "SHIP": ("✓", "good"),
    "DO NOT SHIP": ("✕", "bad"),
    "PASS": ("✓", "good"),
    "DO NOT PASS": ("✕", "bad"),
    "INCONCLUSIVE": ("?", "open"),
    "INVALID": ("!", "warning"),
    "CONTINUE": ("…", "plain"),
}

LABEL_WORDS = {
    "late": "Registered after the first exposure. Treat the result as exploratory.",
    "retrospective": "Registered when the data already existed. Treat the result as exploratory.",
    "self-reviewed": "Owner and reviewer are the same person.",
    "simulated": "Simulated traffic with a known truth. Not a real experiment.",
}
"""What a permanent label means, in one sentence."""


def reading(state: str) -> Reading:
    """How a comparison's state is shown; words that are not known are shown as they are, without a judgement."""
    tone = _STATES.get(state.casefold(), "plain")
    icon, shape = _ICONS[tone]
    return Reading(state[:1].upper() + state[1:], icon, shape, tone)


def check_reading(result: CheckResult) -> Reading:
    words, icon, tone = _RESULTS[result]
    return Reading(words, icon, _ICONS[tone][1], tone)


def verdict_reading(code: str) -> Reading:
    """How a verdict is shown: of an A/B, a shadow or a canary."""
    icon, tone = _VERDICTS[code]
    return Reading(code, icon, _ICONS[tone][1], tone)


def comparison_name(comparison: Comparison) -> str:
    """The metric, and the level where it is one of a segment."""
    return comparison.label if comparison.level is None else f"{comparison.label}: {comparison.level}"
