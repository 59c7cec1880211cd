"""A canary before it begins: its checks at the planned traffic, and what each guardrail would have to show at them.

The checks are those of a candidate that goes on as soon as it may. All of it follows from the design alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from analysis.staged import StagedCheck, brings_information
from experiments.canaries.design import CanaryDesign
from experiments.canaries.judging import boundaries
from experiments.canaries.reach import gap_and_variance
from experiments.canaries.schedule import Slot, pace, planned_units, share_of_plan, slots_of
from experiments.designs.measures import Measure


@dataclass(frozen=True, slots=True)
class PlannedCheck:
    """One check at the planned traffic.

    Attributes:
        after: seconds since the first step began, no time being lost between steps.
        units: mature units in each arm, all steps together; ``of_step`` of these in the step that is on.
        exposed: units that have met the candidate.
        share_of_plan: at which the budgets of error are read.
        waits: too few units are mature for a check; its time is passed over.
    """

    slot: Slot
    after: int
    units: int
    of_step: int
    exposed: int
    share_of_plan: float
    waits: bool


@dataclass(frozen=True, slots=True)
class PlannedReading:
    """What a guardrail would have to show at a planned check, as a worsening in the metric's unit (relative: of control).

    Of a guardrail with levels: what one of them would have to show, all being equally large.

    Attributes:
        breach_from: observed, it is called beyond its margin; None where the check may spend nothing.
        within_up_to: observed, it is called within its margin.
        harm_spent, within_spent: α by this check.
    """

    check: PlannedCheck
    breach_from: float | None
    within_up_to: float | None
    harm_spent: float
    within_spent: float


def planned_checks(design: CanaryDesign) -> tuple[PlannedCheck, ...]:
    """The checks of a candidate that goes on at the end of each hold time, or once its step has its units."""
    found: list[PlannedCheck] = []
    begun, before = 0, 0.0
    for step in design.steps:
        ends = step.time_limit
        for slot in (slot for slot in slots_of(design) if slot.step == step.number):
            of_step = planned_units(design, step, slot.offset)
            units = int(before + of_step)
            share = share_of_plan(design, slot, (int(of_step), int(of_step)))
            found.append(
                PlannedCheck(
                    slot=slot,
                    after=begun + slot.offset,
                    units=units,
                    of_step=int(of_step),
                    exposed=int(before + pace(design, step) * slot.offset),
                    share_of_plan=max(share, found[-1].share_of_plan if found else 0.0),
                    waits=units < design.steps[0].minimum_units and not slot.time_up,
                )
            )
            if slot.held and of_step >= step.minimum_units:
                ends = slot.offset
                break
        begun += ends
        before += pace(design, step) * ends
    return tuple(found)


def planned_readings(design: CanaryDesign, measure: Measure) -> tuple[PlannedReading, ...]:
    """What a guardrail would have to show at each planned check.

    Raises:
        ValueError: the guardrail has no baseline or margin.
    """
    if measure.margin is None:
        raise ValueError(f"{measure.label} has no margin")
    _, variance = gap_and_variance(measure, 1.0)
    unit = 1.0
    if measure.margin.kind == "relative" and measure.baseline is not None:
        unit = abs(measure.baseline.mean)
    return tuple(_readings(design, measure, variance, unit))


def _readings(
    design: CanaryDesign, measure: Measure, variance: float, unit: float
) -> Iterator[PlannedReading]:
    margin = 0.0 if measure.margin is None else measure.margin.value
    path: tuple[StagedCheck, ...] = ()
    for check in planned_checks(design):
        weight = check.units / len(design.levels[measure.label]) / 2
        if (
            check.waits
            or check.share_of_plan <= 0
            or not brings_information(path[-1] if path else None, weight)
        ):
            continue
        path = (*path, StagedCheck(check.share_of_plan, weight, weight * variance))
        harm, within = boundaries(design, measure, path)
        error = math.sqrt(variance / weight) / unit
        yield PlannedReading(
            check=check,
            breach_from=margin + harm.critical * error if math.isfinite(harm.critical) else None,
            within_up_to=margin - within.critical * error if math.isfinite(within.critical) else None,
            harm_spent=harm.spent[-1],
            within_spent=within.spent[-1],
        )
