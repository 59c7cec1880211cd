"""Checks sealed before this one: what the next check builds on, read from their readouts alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from analysis.staged import StagedCheck
from experiments.canaries.readout import CanaryReadout, CheckPoint, GuardrailReading
from experiments.canaries.verdict import Action, Call, CanaryCode

Key = tuple[str, str | None]
"""A guardrail and the level of its segment."""


@dataclass(frozen=True, slots=True)
class PastCheck:
    """A check sealed before; those that another may follow went on.

    Attributes:
        points: of every guardrail (and level) that could be tested, up to and with this check.
    """

    k: int
    step: int
    at: datetime
    share_of_plan: float
    code: CanaryCode
    call: Call
    action: Action
    points: tuple[tuple[Key, tuple[CheckPoint, ...]], ...]

    def path(self, key: Key) -> tuple[CheckPoint, ...]:
        return next((points for found, points in self.points if found == key), ())


def as_past(readout: CanaryReadout) -> PastCheck:
    """A sealed check, as what the next one builds on."""
    look = readout.look
    return PastCheck(
        k=look.k,
        step=look.step,
        at=look.at,
        share_of_plan=look.share_of_plan,
        code=readout.verdict.code,
        call=readout.verdict.call,
        action=readout.verdict.action,
        points=tuple((key_of(reading), reading.points) for reading in readout.guardrails),
    )


def key_of(reading: GuardrailReading) -> Key:
    return reading.comparison.label, reading.comparison.level


def staged(points: tuple[CheckPoint, ...]) -> tuple[StagedCheck, ...]:
    """The checks of a guardrail as its boundaries take them."""
    return tuple(StagedCheck(point.share_of_plan, point.weight, point.variance) for point in points)
