"""What a canary can achieve as it is declared: how surely, and how soon, a harmful candidate is stopped.

A candidate with one guardrail at twice its margin is followed through the schedule at the declared traffic, an even pace and
the guardrail's baseline. It is taken never to be called within its margin, so that a step which needs that keeps it until its
time is up, and a step which needs "no breach" lets it go on as soon as it may. The probabilities of a breach along that way
are integrated; what drift and chance in all guardrails make of it is simulated (``simulation``). Of a guardrail with levels one
level is followed, as large as every other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from analysis.sequential.spending import spending_function
from analysis.staged import StagedCheck, brings_information, staged_power
from experiments.canaries.schedule import Slot, pace, planned_units, share_of_plan, slots_of
from experiments.designs.measures import Measure
from experiments.designs.metrics import Baseline

if TYPE_CHECKING:
    from experiments.canaries.design import CanaryDesign, ResolvedStep

HARMFUL: Final = 2.0
"""How many margins worse a harmful candidate is."""
NEARLY: Final = 1e-6
"""How near to 0 or 1 a rate may come."""


@dataclass(frozen=True, slots=True)
class Reached:
    """One check on the way of a harmful candidate.

    Attributes:
        after: seconds since the first step began.
        units: mature units in each arm, all steps together.
        exposed: units that have met the candidate by then.
        stopped: probability that it has been stopped by then.
    """

    slot: Slot
    after: int
    units: int
    exposed: int
    stopped: float


@dataclass(frozen=True, slots=True)
class Reach:
    """The way of a candidate whose one guardrail is so many margins worse."""

    measure: Measure
    checks: tuple[Reached, ...]

    @property
    def stopped(self) -> float:
        """Probability that it is stopped at all."""
        return self.checks[-1].stopped if self.checks else 0.0

    def stopped_before(self, users: int) -> float:
        """Probability that it is stopped before more units than that have met the candidate."""
        return max((check.stopped for check in self.checks if check.exposed <= users), default=0.0)

    def users_for(self, power: float) -> int | None:
        """Units that have met the candidate when it is stopped with this probability; None where it never is."""
        return next((check.exposed for check in self.checks if check.stopped >= power), None)


@dataclass(frozen=True, slots=True)
class _Passed:
    """One check of the planned way, before anything is known of the guardrail."""

    slot: Slot
    after: int
    share: float
    units: int
    exposed: int


def reach_of(design: CanaryDesign, measure: Measure, times_margin: float = HARMFUL) -> Reach:
    """The way of a candidate with this guardrail so many margins worse.

    Raises:
        ValueError: the guardrail has no baseline or margin.
    """
    gap, variance = gap_and_variance(measure, times_margin)
    way, rolled_back = _way(design)
    levels = len(design.levels[measure.label])
    weights = [one.units / levels / 2 for one in way]
    checks = [
        StagedCheck(one.share, weight, weight * variance) for one, weight in zip(way, weights, strict=True)
    ]
    harm = design.written.harm
    spending = spending_function(harm.spending, harm.parameter)
    crossed = list(staged_power(spending, design.harm_alpha, checks, gap / variance)) if checks else []
    if crossed and rolled_back:
        crossed[-1] = 1.0
    return Reach(
        measure,
        tuple(
            Reached(one.slot, one.after, one.units, one.exposed, probability)
            for one, probability in zip(way, crossed, strict=True)
        ),
    )


def weakest_reach(design: CanaryDesign) -> Reach:
    """That of the guardrail whose harm is stopped least surely within the declared number of users, or at all."""
    users = design.written.power.stops_before

    def surely(reach: Reach) -> float:
        return reach.stopped if users is None else reach.stopped_before(users)

    return min((reach_of(design, measure) for measure in design.guardrails), key=surely)


def gap_and_variance(measure: Measure, times_margin: float) -> tuple[float, float]:
    """How far beyond the margin, and the variance of the score for one unit of information, at the baseline.

    The score Σ w · gap has variance Σ w · (σ_t² + m² σ_c²) / 2 with equal arms, m the multiple of control at the margin (1 for
    an absolute one). A rate that cannot be so many margins worse is as much worse as it can be.

    Raises:
        ValueError: no baseline or margin, or no standard deviation where one is needed.
    """
    if measure.margin is None:
        raise ValueError(f"{measure.label} has no margin")
    control = _baseline(measure).mean
    relative = measure.margin.kind == "relative"
    margin = measure.margin.value * (abs(control) if relative else 1.0)
    higher = measure.metric.direction == "higher"
    candidate = candidate_mean(measure, control, times_margin)
    multiple = 1.0 if not relative else 1 - measure.margin.value if higher else 1 + measure.margin.value
    worsening = control - candidate if higher else candidate - control
    spread = unit_variance(measure, candidate) + multiple**2 * unit_variance(measure, control)
    return worsening - margin, spread / 2


def candidate_mean(measure: Measure, control: float, times_margin: float) -> float:
    """The candidate's true mean when it is so many margins worse than a control of this mean."""
    if measure.margin is None:
        raise ValueError(f"{measure.label} has no margin")
    size = measure.margin.value * (abs(control) if measure.margin.kind == "relative" else 1.0) * times_margin
    candidate = control - size if measure.metric.direction == "higher" else control + size
    return min(max(candidate, NEARLY), 1 - NEARLY) if measure.metric.is_binary else candidate


def unit_variance(measure: Measure, mean: float) -> float:
    """Of one unit in an arm with this mean."""
    if measure.metric.is_binary:
        return mean * (1 - mean)
    sd = _baseline(measure).sd
    if sd is None:
        raise ValueError(f"{measure.label} has no standard deviation in its baseline")
    return sd * sd


def _way(design: CanaryDesign) -> tuple[list[_Passed], bool]:
    """The checks that a candidate passes which is never within its margins, and whether it is rolled back at their end."""
    way: list[_Passed] = []
    begun, mature, met = 0, 0.0, 0.0
    for step in design.steps:
        left = None
        for slot in (slot for slot in slots_of(design) if slot.step == step.number):
            units = planned_units(design, step, slot.offset)
            passed = _passed(design, slot, begun, mature, met, way)
            if passed is not None:
                way.append(passed)
            if _goes_on(step, slot, units):
                left = slot.offset
                break
        if left is None:
            return way, step.when_unanswered == "roll back"
        begun += left
        mature += pace(design, step) * left
        met += pace(design, step) * left
    return way, False


def _passed(
    design: CanaryDesign, slot: Slot, begun: int, mature: float, met: float, way: list[_Passed]
) -> _Passed | None:
    """The check at a time of the schedule; None where too few units are mature for one, or no more than at the last."""
    step = design.steps[slot.step - 1]
    of_step = planned_units(design, step, slot.offset)
    units = int(mature + of_step)
    last = way[-1] if way else None
    before = None if last is None else StagedCheck(last.share, last.units / 2, 1.0)
    if units < design.steps[0].minimum_units or not brings_information(before, units / 2):
        return None
    share = share_of_plan(design, slot, (int(of_step), int(of_step)))
    share = max(share, 0.0 if last is None else last.share)
    exposed = int(met + pace(design, step) * slot.offset)
    return _Passed(slot, begun + slot.offset, share, units, exposed) if share > 0 else None


def _goes_on(step: ResolvedStep, slot: Slot, units: float) -> bool:
    """Whether a step lets a candidate go on that is neither beyond nor within its margins."""
    if units < step.minimum_units:
        return False
    if slot.held and step.needs == "no breach":
        return True
    return slot.time_up and step.when_unanswered == "proceed"


def _baseline(measure: Measure) -> Baseline:
    if measure.baseline is None:
        raise ValueError(f"{measure.label} has no baseline")
    return measure.baseline
