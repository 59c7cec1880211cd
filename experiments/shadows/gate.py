"""Everything that the map looks at, and the gate: every condition on one line, in the order of the readout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analysis.guardrails import GuardrailState
from experiments.readouts.readout import Check
from experiments.readouts.verdict import PrimaryState
from experiments.shadows import words
from experiments.shadows.deciding import JudgedPrimary, JudgedSegment
from experiments.shadows.limiting import JudgedLimit
from experiments.shadows.readout import Condition, PairedComparison

CONDITION_WORDS: Final = {
    GuardrailState.WITHIN: "holds",
    GuardrailState.BEYOND: "broken",
    GuardrailState.NOT_RULED_OUT: "not ruled out",
    GuardrailState.MISSING: "not measured",
}
OF_PRIMARY: Final = {
    PrimaryState.MET: "holds",
    PrimaryState.HARMED: "broken",
    PrimaryState.RULED_OUT: "broken",
    PrimaryState.FUTILE: "broken",
    PrimaryState.UNDECIDED: "not ruled out",
    PrimaryState.MISSING: "not measured",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """Everything that the map looks at, with the comparisons behind it."""

    primary: JudgedPrimary
    limits: tuple[JudgedLimit, ...]
    segments: tuple[JudgedSegment, ...]
    unmeasured: tuple[str, ...]

    @property
    def levels(self) -> list[tuple[PairedComparison, GuardrailState]]:
        return [
            pair
            for segment in self.segments
            for pair in zip(segment.report.comparisons, segment.states, strict=False)
        ]

    def of_state(self, state: GuardrailState) -> list[PairedComparison]:
        """Limits and levels in a state."""
        limits = [(one.comparison, one.state) for one in self.limits]
        return [comparison for comparison, found in [*limits, *self.levels] if found is state]


def gate_of(judged: Judged, checks: Sequence[Check]) -> tuple[Condition, ...]:
    """Every condition of the gate on one line, in the order of the readout."""
    found = [
        Condition(
            name=check.name,
            state="holds" if check.result != "fail" else "invalid" if check.blocking else "not measured",
            detail=check.detail,
        )
        for check in checks
        if check.result != "not applicable"
    ]
    for one in judged.limits:
        found.append(_condition(one.comparison, CONDITION_WORDS[one.state]))
    found.append(_condition(judged.primary.comparison, OF_PRIMARY[judged.primary.state]))
    for comparison, state in judged.levels:
        found.append(_condition(comparison, CONDITION_WORDS[state]))
    return tuple(found)


def _condition(comparison: PairedComparison, state: str) -> Condition:
    said = comparison.not_computed or words.was(comparison)
    return Condition.model_validate(
        {
            "name": words.subject(comparison),
            "state": state,
            "detail": f"{said}; declared: {words.limit_words(comparison)}",
        }
    )
