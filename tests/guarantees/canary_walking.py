"""Replays of a canary judged check by check by the readout's own tests, beside the simulation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from analysis.guardrails import GuardrailState, worst
from experiments.canaries import replaying
from experiments.canaries.comparing import StepEstimates
from experiments.canaries.design import CanaryDesign
from experiments.canaries.endings import CanaryTruth
from experiments.canaries.evidence import CanaryEvidence, StepEvidence
from experiments.canaries.judging import CheckMoment, JudgedGuardrail, judge_guardrails
from experiments.canaries.past import PastCheck, key_of
from experiments.canaries.schedule import Slot
from experiments.cohorts.cohort import CutOff, Fate
from experiments.cohorts.counted import ArmSums, FateCount
from experiments.cohorts.evidence import FamilyEvidence, OutcomeEvidence
from experiments.cohorts.log_checks import RowCounts
from tests.guarantees.walking import DisagreementError

START = datetime(2026, 11, 2, tzinfo=UTC)
SCALE = 10**9
NEAR = 0.03
"""How near to a boundary the two may disagree: a readout estimates the variances that the simulation knows."""


def walk(design: CanaryDesign, truth: CanaryTruth, replays: int, seed: int) -> None:
    """Judge every check of some replays both ways.

    Raises:
        DisagreementError: a statistic differs, or a state where z is not next to a boundary.
    """
    if replays:
        _Walking(design, truth, replays, seed).run()


class _Walking(replaying.Replaying):
    """A simulation in which each replay is judged by a readout's tests as well."""

    def __init__(self, design: CanaryDesign, truth: CanaryTruth, replays: int, seed: int) -> None:
        super().__init__(design, truth, replays, seed)
        self.past: dict[int, tuple[PastCheck, ...]] = {}

    def _judged(self, branch, slot):  # type: ignore[no-untyped-def]
        judged, states = super()._judged(branch, slot)
        for place, who in enumerate(branch.who):
            self._walk_one(judged, slot, place, int(who), replaying.STATES[states[place]])
        return judged, states

    def _walk_one(
        self, branch: replaying.Branch, slot: Slot, place: int, who: int, simulated: GuardrailState
    ) -> None:
        evidence = _evidence(self.design, branch, place)
        at = START + timedelta(seconds=branch.begun[-1] + slot.offset)
        past = self.past.get(who, ())
        moment = CheckMoment(len(past) + 1, at, slot.step, branch.share, None)
        found = judge_guardrails(self.design, StepEstimates(self.design, evidence), moment, past)
        self._compare(branch, place, found, simulated)
        points = tuple((key_of(r), r.points) for one in found for r in one.readings)
        sealed = PastCheck(
            moment.k, slot.step, at, branch.share, "CONTINUE", "WITHIN THE STEP", "stay", points
        )
        self.past[who] = (*past, sealed)

    def _compare(
        self,
        branch: replaying.Branch,
        place: int,
        found: tuple[JudgedGuardrail, ...],
        simulated: GuardrailState,
    ) -> None:
        one = replace(
            branch,
            who=branch.who[[place]],
            sums=branch.sums[..., [place]],
            squares=branch.squares[..., [place]],
        )
        next_to_a_boundary = False
        for index, judged in enumerate(found):
            point = judged.readings[0].points[-1]
            z = float(self._z(one, index)[0][0])
            if abs(z - point.z) > 1e-5 * max(1.0, abs(z)):
                raise DisagreementError(f"{judged.measure.label}: z {z} simulated, {point.z} in the readout")
            criticals = (point.harm_critical, point.within_critical)
            sides = zip((z, -z), criticals, strict=True)
            next_to_a_boundary |= any(c is not None and abs(s - c) < NEAR * c for s, c in sides)
        if worst(judged.state for judged in found) is not simulated and not next_to_a_boundary:
            raise DisagreementError(
                f"{simulated} simulated, {[judged.state for judged in found]} in the readout"
            )


def _evidence(design: CanaryDesign, branch: replaying.Branch, place: int) -> CanaryEvidence:
    steps = []
    for number, units in enumerate(branch.drawn, start=1):
        families = []
        for index, measure in enumerate(design.guardrails):
            arms = []
            scale = 1 if measure.metric.is_binary else SCALE
            for arm in (0, 1):
                total = float(branch.sums[index, number - 1, arm, place])
                squares = float(branch.squares[index, number - 1, arm, place])
                arms.append(
                    ArmSums("", arm, None, units, (round(total * scale),), (round(squares * scale * scale),))
                )
            families.append(
                FamilyEvidence(index, "declared", None, (measure.label,), (scale,), (0,), tuple(arms))
            )
        fates = tuple(FateCount(str(number), arm, Fate.ANALYSED, units, units, 0) for arm in (0, 1))
        outcomes = OutcomeEvidence(tuple(families), (), 2 * units, 2 * units) if units else None
        steps.append(StepEvidence(number, 0, fates, (), outcomes))
    return CanaryEvidence(
        CutOff(None, None), tuple(steps), (), (), None, 0, 0, None, 0, RowCounts(), read=True
    )


def agreement(design: CanaryDesign, truth: CanaryTruth, replays: int, seed: int) -> np.ndarray:
    """How many checks of each replay were judged both ways."""
    walking = _Walking(design, truth, replays, seed)
    walking.run()
    return np.array([len(walking.past.get(who, ())) for who in range(replays)])
