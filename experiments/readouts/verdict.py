"""The verdict: a total map from what was found to exactly one answer, evaluated top-down (decision rules R-1, R-2).

Nobody types a verdict, and no combination is left out: the test enumerates them all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from analysis.guardrails import GuardrailState
from experiments.readouts.readout import VerdictCode


class PrimaryState(Enum):
    """What the declared deciding test says of the primary metric, at its adjusted level."""

    MET = "met"
    HARMED = "harmed"
    RULED_OUT = "an effect as large as planned is ruled out"
    FUTILE = "the futility boundary was crossed"
    UNDECIDED = "undecided"
    MISSING = "missing"


RULES = {
    "R-1": "Ship when the primary metric improved by the declared test, every must-hold guardrail is within its margin, and "
    "all validity checks passed.",
    "R-2": "Ship when the primary metric is within its non-inferiority margin, every must-hold guardrail is within its margin, "
    "and all validity checks passed.",
}


@dataclass(frozen=True, slots=True)
class Findings:
    """What the map looks at, for one treatment.

    Attributes:
        primary, guardrails: by the tests of this look, so that "met" and "harmed" mean a boundary crossed.
        stopped_by_hand: before the declared end.
        boundary_crossed: the primary's efficacy boundary, in a design of several looks; it counts also after a stop by hand.
        interim: looks follow, and the experiment goes on unless it has its answer.
    """

    valid: bool
    harm_stop: bool
    primary: PrimaryState
    guardrails: frozenset[GuardrailState]
    stopped_by_hand: bool
    interim: bool = False
    boundary_crossed: bool = False

    @classmethod
    def of(
        cls,
        *,
        valid: bool,
        primary: PrimaryState,
        guardrails: Iterable[GuardrailState] = (),
        harm_stop: bool = False,
        stopped_by_hand: bool = False,
        interim: bool = False,
        boundary_crossed: bool = False,
    ) -> Findings:
        return cls(
            valid, harm_stop, primary, frozenset(guardrails), stopped_by_hand, interim, boundary_crossed
        )


@dataclass(frozen=True, slots=True)
class MappedVerdict:
    code: VerdictCode
    row: int
    reason: str


def verdict_of(found: Findings) -> MappedVerdict:
    """The one verdict of a combination. The first row that applies decides; at an interim look some only go on."""
    mapped = _mapped(found)
    if not found.interim or mapped.row in ENDS_AT_ONCE or found.primary is PrimaryState.FUTILE:
        return mapped
    return MappedVerdict("CONTINUE", 11, "no boundary was crossed")


ENDS_AT_ONCE = frozenset({1, 2, 3, 4, 7})
"""Rows that end an experiment at any look."""


def _mapped(found: Findings) -> MappedVerdict:
    if not found.valid:
        return MappedVerdict("INVALID", 1, "a validity check failed")
    if found.harm_stop:
        return MappedVerdict("DO NOT SHIP", 2, "a harm stop tripped")
    if found.primary is PrimaryState.HARMED:
        return MappedVerdict("DO NOT SHIP", 3, "the primary metric was harmed")
    if GuardrailState.BEYOND in found.guardrails:
        return MappedVerdict("DO NOT SHIP", 4, "a guardrail is beyond its margin")
    if found.primary is PrimaryState.MISSING or GuardrailState.MISSING in found.guardrails:
        return MappedVerdict("INCONCLUSIVE", 5, "not measured")
    if found.stopped_by_hand and not found.boundary_crossed:
        return MappedVerdict("INCONCLUSIVE", 6, "stopped early by hand")
    if found.primary is PrimaryState.MET:
        if GuardrailState.NOT_RULED_OUT in found.guardrails:
            return MappedVerdict("INCONCLUSIVE", 8, "a guardrail's margin is not ruled out")
        return MappedVerdict("SHIP", 7, "the declared success rule was met")
    if found.primary is PrimaryState.FUTILE:
        return MappedVerdict("DO NOT SHIP", 9, "the futility boundary was crossed")
    if found.primary is PrimaryState.RULED_OUT:
        return MappedVerdict("DO NOT SHIP", 9, "an effect as large as planned was ruled out")
    return MappedVerdict("INCONCLUSIVE", 10, "not precise enough")
