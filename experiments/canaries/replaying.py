"""Replays of a canary on moments, taken through its schedule by the rule itself.

Replays that have gone the same way so far (the same steps for the same time) have the same counts, and so the same boundaries;
they are kept together and parted where they part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr

from analysis import score
from analysis.guardrails import GuardrailState
from analysis.staged import StagedCheck, brings_information
from experiments.canaries.comparing import limit_of
from experiments.canaries.design import CanaryDesign
from experiments.canaries.endings import CanaryEndings, CanaryTruth, Ints
from experiments.canaries.judging import boundaries
from experiments.canaries.reach import candidate_mean, unit_variance
from experiments.canaries.schedule import Slot, pace, share_of_plan, slots_of
from experiments.canaries.verdict import Findings, MappedCheck, verdict_of
from experiments.designs.measures import Measure

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Branch:
    """Replays that have gone the same way.

    Attributes:
        who: which replays.
        begun: seconds at which each step began.
        drawn: units in each arm drawn so far, by step.
        sums, squares: of the values by test, step, arm (control first) and replay.
        paths: the checks of each test so far.
    """

    who: Ints
    begun: tuple[int, ...]
    drawn: tuple[int, ...]
    sums: Array
    squares: Array
    paths: tuple[tuple[StagedCheck, ...], ...]
    share: float
    checks: int
    slots: tuple[Slot, ...]


class Replaying:
    """One simulation, in progress."""

    def __init__(self, design: CanaryDesign, truth: CanaryTruth, replays: int, seed: int) -> None:
        self.design, self.truth, self.replays = design, truth, replays
        self.rng = np.random.default_rng(seed)
        self.slots = slots_of(design)
        self.tests = tuple(
            (measure, len(design.levels[measure.label]))
            for measure in design.guardrails
            for _ in design.levels[measure.label]
        )
        self.whole = sum(step.time_limit for step in design.steps)
        self.row, self.step = np.zeros(replays, dtype=np.int64), np.zeros(replays, dtype=np.int64)
        self.seconds, self.exposed = np.zeros(replays, dtype=np.int64), np.zeros(replays, dtype=np.int64)
        self.checks = np.zeros(replays, dtype=np.int64)
        self.rolled_back = np.zeros(replays, dtype=bool)

    def run(self) -> CanaryEndings:
        shape = (len(self.tests), 1, 2, self.replays)
        waiting = [
            Branch(
                who=np.arange(self.replays),
                begun=(0,),
                drawn=(0,),
                sums=np.zeros(shape),
                squares=np.zeros(shape),
                paths=((),) * len(self.tests),
                share=0.0,
                checks=0,
                slots=tuple(slot for slot in self.slots if slot.step == 1),
            )
        ]
        while waiting:
            waiting += self._follow(waiting.pop())
        return CanaryEndings(
            row=self.row,
            rolled_back=self.rolled_back,
            breached=self.row == 1,
            passed=self.row == 3,
            step=self.step,
            seconds=self.seconds,
            exposed=self.exposed,
            checks=self.checks,
        )

    def _follow(self, branch: Branch) -> list[Branch]:
        """The branch through the times left in its step; the branches in which the next step has begun."""
        onwards: list[Branch] = []
        for slot in branch.slots:
            at = branch.begun[-1] + slot.offset
            drawn = self._mature(branch.begun, at)
            if sum(drawn) < self.design.steps[0].minimum_units and not slot.time_up:
                continue
            branch = self._drawn(branch, drawn)
            branch, states = self._judged(branch, slot)
            ended = np.zeros(len(branch.who), dtype=bool)
            advancing = np.zeros(len(branch.who), dtype=bool)
            for state in np.unique(states):
                mapped = self._mapped(STATES[state], slot, drawn)
                of_state = states == state
                if mapped.code != "CONTINUE":
                    self._end(branch, of_state, mapped, slot, at)
                    ended |= of_state
                elif mapped.action == "advance":
                    advancing |= of_state
            if advancing.any():
                onwards.append(self._advanced(_part(branch, advancing), at + self.truth.approval))
            staying = ~ended & ~advancing
            if not staying.any():
                break
            branch = _part(branch, staying)
        return onwards

    def _mature(self, begun: Sequence[int], at: int) -> tuple[int, ...]:
        """Mature units in each arm of every step."""
        found = []
        for number, (step, since) in enumerate(zip(self.design.steps, begun, strict=False)):
            until = begun[number + 1] if number + 1 < len(begun) else at
            seconds = max(0, min(until, at - self.design.maturity) - since)
            found.append(int(pace(self.design, step) * seconds))
        return tuple(found)

    def _drawn(self, branch: Branch, drawn: tuple[int, ...]) -> Branch:
        """The branch with the units drawn that have matured since."""
        sums, squares = branch.sums.copy(), branch.squares.copy()
        for step, (before, now) in enumerate(zip(branch.drawn, drawn, strict=True)):
            if now <= before:
                continue
            at = branch.begun[step] + (before + now) / 2 / pace(self.design, self.design.steps[step])
            for index, (measure, levels) in enumerate(self.tests):
                new = now // levels - before // levels
                if new == 0:
                    continue
                for arm, mean in enumerate(self._means(measure, at)):
                    values, of_squares = self._values(measure, mean, new, len(branch.who))
                    sums[index, step, arm] += values
                    squares[index, step, arm] += of_squares
        return replace(branch, drawn=drawn, sums=sums, squares=squares)

    def _means(self, measure: Measure, at: float) -> tuple[float, float]:
        """True means of control and candidate at a time: both drift."""
        baseline = measure.baseline
        if baseline is None:
            raise ValueError(f"{measure.label} has no baseline")
        control = baseline.mean * (1 + self.truth.drift * at / self.whole)
        if measure.metric.is_binary:
            control = min(max(control, 0.0), 1.0)
        return control, candidate_mean(measure, control, self.truth.worsening.get(measure.label, 0.0))

    def _values(self, measure: Measure, mean: float, units: int, replays: int) -> tuple[Array, Array]:
        """Sum and sum of squares of so many units; a yes/no metric's are counts."""
        if measure.metric.is_binary:
            counts = self.rng.binomial(units, mean, replays).astype(float)
            return counts, counts
        sd = math.sqrt(unit_variance(measure, mean))
        totals = units * mean + math.sqrt(units) * sd * self.rng.standard_normal(replays)
        within = sd * sd * (self.rng.chisquare(units - 1, replays) if units > 1 else np.zeros(replays))
        return totals, within + totals * totals / units

    def _judged(self, branch: Branch, slot: Slot) -> tuple[Branch, Ints]:
        """The state of all guardrails together, by replay: beyond, missing, margin not ruled out, all within."""
        of_step = (branch.drawn[slot.step - 1],) * 2
        share = max(share_of_plan(self.design, slot, of_step), branch.share)
        states = np.full(len(branch.who), _WITHIN)
        paths = []
        for index, (measure, levels) in enumerate(self.tests):
            path = branch.paths[index]
            units = [of_step // levels for of_step in branch.drawn]
            weight = sum(units) / 2
            enough = max(units) >= 2 and sum(units) >= measure.minimum_units
            if not enough or not brings_information(path[-1] if path else None, weight):
                states = np.minimum(states, _MISSING)
                paths.append(path)
                continue
            z, variance = self._z(branch, index)
            path = (*path, StagedCheck(share, weight, variance))
            harm, within = boundaries(self.design, measure, path)
            of_measure = np.where(
                z >= harm.critical, _BEYOND, np.where(-z >= within.critical, _WITHIN, _OPEN)
            )
            states = np.minimum(states, of_measure)
            paths.append(path)
        judged = replace(branch, paths=tuple(paths), share=share, checks=branch.checks + 1)
        return judged, states

    def _z(self, branch: Branch, index: int) -> tuple[Array, float]:
        """The stratified statistic at the margin, turned so that more is worse, and the true variance of its score."""
        measure, levels = self.tests[index]
        null, multiple = limit_of(measure)
        scale = 1.0 if multiple is None else multiple
        gap = variance = spread = np.zeros(len(branch.who))
        true = 0.0
        for step, of_step in enumerate(branch.drawn):
            units = of_step // levels
            if units < 2:
                continue
            control, candidate = branch.sums[index, step] / units
            weight = units / 2
            gap = gap + weight * (candidate - scale * control - null)
            parts = weight**2 * self._variances(branch, index, measure, step, units)
            variance = variance + parts.sum(axis=0)
            spread = spread + (parts**2).sum(axis=0) / (units - 1)
            middle = branch.begun[step] + of_step / 2 / pace(self.design, self.design.steps[step])
            of_control, of_candidate = (unit_variance(measure, mean) for mean in self._means(measure, middle))
            true += weight / 2 * (of_candidate + scale**2 * of_control)
        worse = -1.0 if measure.metric.direction == "higher" else 1.0
        z = worse * gap / np.sqrt(variance)
        if measure.test in {"score", "miettinen-nurminen"}:
            return z, true
        tail = ndtri(stdtr(variance**2 / spread, -np.abs(z)))  # Welch's t on the normal scale
        return np.copysign(tail, z), true

    def _variances(self, branch: Branch, index: int, measure: Measure, step: int, units: int) -> Array:
        """What each arm adds to the variance of one step's difference (or of candidate − multiple · control), as the declared
        test estimates it; a score test has one variance for both.
        """
        null, multiple = limit_of(measure)
        sums, squares = branch.sums[index, step], branch.squares[index, step]
        if measure.test in {"score", "miettinen-nurminen"}:
            factor = measure.test == "miettinen-nurminen"
            counts = (sums[0], units, sums[1], units)
            _, errors = (
                score.difference_statistic(*counts, null, factor=factor)
                if multiple is None
                else score.ratio_statistic(*counts, multiple, factor=factor)
            )
            return np.asarray(errors**2)[np.newaxis]
        centred = (squares - sums**2 / units) / (units - 1) / units
        scale = 1.0 if multiple is None else multiple
        return np.stack([scale**2 * centred[0], centred[1]])

    def _mapped(self, state: GuardrailState, slot: Slot, drawn: tuple[int, ...]) -> MappedCheck:
        step = self.design.steps[slot.step - 1]
        return verdict_of(
            Findings.of(
                valid=True,
                guardrails=[state],
                enough_units=drawn[slot.step - 1] >= step.minimum_units,
                held=slot.held,
                time_up=slot.time_up,
                last_step=slot.step == len(self.design.steps),
                needs=step.needs,
                when_unanswered=step.when_unanswered,
                breach=self.design.written.breach,
            )
        )

    def _end(
        self, branch: Branch, which: NDArray[np.bool_], mapped: MappedCheck, slot: Slot, at: int
    ) -> None:
        who = branch.who[which]
        self.row[who], self.step[who], self.seconds[who] = mapped.row, slot.step, at
        self.exposed[who] = self._exposed(branch.begun, at)
        self.checks[who] = branch.checks
        self.rolled_back[who] = mapped.action in {"roll back", "pause"}

    def _exposed(self, begun: Sequence[int], at: int) -> int:
        """Units that have met the candidate."""
        ends = (*begun[1:], at)
        return sum(
            int(pace(self.design, step) * (end - since))
            for step, since, end in zip(self.design.steps, begun, ends, strict=False)
        )

    def _advanced(self, branch: Branch, begins: int) -> Branch:
        """The branch with the next step begun."""
        number = len(branch.begun) + 1
        room = np.zeros((len(self.tests), 1, 2, len(branch.who)))
        return replace(
            branch,
            begun=(*branch.begun, begins),
            drawn=(*branch.drawn, 0),
            sums=np.concatenate([branch.sums, room], axis=1),
            squares=np.concatenate([branch.squares, room], axis=1),
            slots=tuple(slot for slot in self.slots if slot.step == number),
        )


_BEYOND, _MISSING, _OPEN, _WITHIN = range(4)
STATES: Final = (
    GuardrailState.BEYOND,
    GuardrailState.MISSING,
    GuardrailState.NOT_RULED_OUT,
    GuardrailState.WITHIN,
)
"""From worst to best, as ``analysis.guardrails.worst`` has them."""


def _part(branch: Branch, which: NDArray[np.bool_]) -> Branch:
    return replace(
        branch,
        who=branch.who[which],
        sums=branch.sums[..., which],
        squares=branch.squares[..., which],
    )
