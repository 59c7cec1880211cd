"""The verdict of a shadow: a total map from what was found to exactly one answer, evaluated top-down.

Nobody types a verdict, and no combination is left out: the test enumerates them all. Nothing that was not measured passes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from analysis.guardrails import GuardrailState
from experiments.readouts.verdict import PrimaryState

ShadowCode = Literal["PASS", "DO NOT PASS", "INCONCLUSIVE", "INVALID", "CONTINUE"]

RULE: Final = (
    "Pass when the deciding measure met what was declared, every level of every declared segment is within its margin, every "
    "limit holds, and the pairs can be trusted. What was not measured never passes."
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What the map looks at.

    Attributes:
        measured: nothing of the pairing that the design declares is missing: pairs, days, matched share, labels.
        primary, limits, segments: by the tests of this look, so that "met" and "beyond" mean a boundary crossed.
        stopped_by_hand: before the declared end.
        interim: looks follow, and the shadow goes on unless it has its answer.
        boundary_crossed: of the primary, in a design of several looks; it counts also after a stop by hand.
    """

    valid: bool
    measured: bool
    primary: PrimaryState
    limits: frozenset[GuardrailState]
    segments: frozenset[GuardrailState]
    stopped_by_hand: bool = False
    interim: bool = False
    boundary_crossed: bool = False

    @classmethod
    def of(
        cls,
        *,
        valid: bool,
        measured: bool,
        primary: PrimaryState,
        limits: Iterable[GuardrailState] = (),
        segments: Iterable[GuardrailState] = (),
        stopped_by_hand: bool = False,
        interim: bool = False,
        boundary_crossed: bool = False,
    ) -> Findings:
        return cls(
            valid,
            measured,
            primary,
            frozenset(limits),
            frozenset(segments),
            stopped_by_hand,
            interim,
            boundary_crossed,
        )


@dataclass(frozen=True, slots=True)
class MappedShadow:
    code: ShadowCode
    row: int
    reason: str


ENDS_AT_ONCE: Final = frozenset({1, 2, 3, 4, 7})
"""Rows that end a shadow at any look."""
GOES_ON: Final = 11


def verdict_of(found: Findings) -> MappedShadow:
    """The one verdict of a combination. The first row that applies decides; at an interim look some only go on."""
    mapped = _mapped(found)
    if not found.interim or mapped.row in ENDS_AT_ONCE:
        return mapped
    return MappedShadow("CONTINUE", GOES_ON, "no boundary was crossed")


def _mapped(found: Findings) -> MappedShadow:
    if not found.valid:
        return MappedShadow("INVALID", 1, "the pairs cannot be trusted")
    if GuardrailState.BEYOND in found.limits:
        return MappedShadow("DO NOT PASS", 2, "a limit is broken")
    if found.primary is PrimaryState.HARMED:
        return MappedShadow("DO NOT PASS", 3, "the deciding measure is worse than declared")
    if GuardrailState.BEYOND in found.segments:
        return MappedShadow("DO NOT PASS", 4, "a segment is beyond its margin")
    missing = GuardrailState.MISSING in found.limits | found.segments
    if not found.measured or missing or found.primary is PrimaryState.MISSING:
        return MappedShadow("INCONCLUSIVE", 5, "not measured")
    if found.stopped_by_hand and not found.boundary_crossed:
        return MappedShadow("INCONCLUSIVE", 6, "stopped early by hand")
    if found.primary is PrimaryState.MET:
        if GuardrailState.NOT_RULED_OUT in found.limits | found.segments:
            return MappedShadow("INCONCLUSIVE", 8, "a limit or a segment's margin is not ruled out")
        return MappedShadow("PASS", 7, "everything declared was met")
    if found.primary in {PrimaryState.RULED_OUT, PrimaryState.FUTILE}:
        return MappedShadow("DO NOT PASS", 9, "an improvement as large as planned was ruled out")
    return MappedShadow("INCONCLUSIVE", 10, "not precise enough")
