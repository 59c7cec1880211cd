"""When a canary is checked, and how much of its budgets of error each check may have spent.

The checks of a step fall on whole multiples of its interval, up to its time limit. Every step has an equal part of the plan:
harm is as likely to show at 1 % as at 25 %, and is cheapest to stop there, so the first step has its full part of α although
it brings few of the units. Within a step the part is counted by the mature units that came, of those planned, but never
beyond the check's place in the schedule, so that with more traffic than planned something is left for each check to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from experiments.forms.durations import DAY

if TYPE_CHECKING:
    from experiments.canaries.design import CanaryDesign, ResolvedStep


@dataclass(frozen=True, slots=True)
class Slot:
    """One declared time of a check, seconds after its step began.

    Attributes:
        number: of all slots of the schedule, from 1.
        step, place: number of the step, and the slot's place among those of the step, both from 1.
        held: the hold time is over, so that the step may advance.
        time_up: the time limit is over.
        final: the last of the schedule.
    """

    number: int
    step: int
    place: int
    offset: int
    held: bool
    time_up: bool
    final: bool

    def at(self, begun: datetime) -> datetime:
        return begun + timedelta(seconds=self.offset)


def slots_of(design: CanaryDesign) -> tuple[Slot, ...]:
    """Every check that the schedule has, if each step takes its whole time limit."""
    found: list[Slot] = []
    for step in design.steps:
        for place in range(1, step.checks + 1):
            offset = place * step.every
            found.append(
                Slot(
                    number=len(found) + 1,
                    step=step.number,
                    place=place,
                    offset=offset,
                    held=offset >= step.hold,
                    time_up=offset >= step.time_limit,
                    final=step is design.steps[-1] and place == step.checks,
                )
            )
    return tuple(found)


def pace(design: CanaryDesign, step: ResolvedStep) -> float:
    """Units that a step is planned to expose in each arm, a second.

    From the declared traffic; without one, as many as have its minimum mature by the end of its hold time.
    """
    traffic = design.written.power.units_per_day
    if traffic is None:
        return step.minimum_units / (step.hold - design.maturity)
    return traffic * float(step.share) / DAY


def planned_units(design: CanaryDesign, step: ResolvedStep, seconds: int) -> float:
    """Mature units in each arm that a step is planned to have so long after it began."""
    return pace(design, step) * max(0, seconds - design.maturity)


def share_of_plan(design: CanaryDesign, slot: Slot, units: Sequence[int]) -> float:
    """The share of the plan at which a check reads its spending functions; 1 at the last of the schedule.

    Args:
        units: mature units of the slot's own step, control first.
    """
    if slot.final:
        return 1.0
    step = design.steps[slot.step - 1]
    planned = planned_units(design, step, step.time_limit)
    control, candidate = units
    reached = 2 / (1 / control + 1 / candidate) / planned if control and candidate and planned else 0.0
    within = min(reached, slot.place / step.checks)
    return (slot.step - 1 + within) / len(design.steps)
