"""Which check of a canary is due, from counts and declared times alone: no outcome is read here.

A check belongs to a declared time of its step. It is due when the logs are complete up to that time and enough units are
mature then for guardrails to be judged at all; at the step's time limit whatever has come. A time with too few units is passed
over. Checks are taken in order of their times, each from the logs up to its own time, so that what a check finds does not
depend on when somebody takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from experiments.canaries.design import CanaryDesign
from experiments.canaries.past import PastCheck
from experiments.canaries.schedule import Slot, slots_of
from experiments.cohorts.cohort import CutOff
from experiments.logs.sql import at_moment, microseconds

UnitsAt = Callable[[datetime], tuple[tuple[int, int], ...]]
"""Mature units of every step begun, control first, from the logs up to a moment."""


@dataclass(frozen=True, slots=True)
class CheckStatus:
    """Whether the next check is due; if not, what is missing and when it is expected.

    Attributes:
        slot: the declared time that the check is for; None when no time is left in this step.
        at: that time.
        units: mature units of every step begun, control first, at that time (or so far).
        k, of: which check this is, and how many there may be at most.
        passed_over: times of this step that had too few units.
        final: the last of the schedule.
    """

    due: bool
    slot: Slot | None
    at: datetime | None
    units: tuple[tuple[int, int], ...]
    missing: tuple[str, ...]
    expected: datetime | None
    k: int
    of: int
    passed_over: int = 0

    @property
    def final(self) -> bool:
        return self.slot is not None and self.slot.final


def cut_off_at(at: datetime) -> CutOff:
    """The cohort of a check: rows up to its time, and of these the units that are mature then."""
    return CutOff(None, microseconds(at))


def next_check(
    design: CanaryDesign,
    past: Sequence[PastCheck],
    begun: Sequence[datetime],
    units_at: UnitsAt,
    watermark_us: int | None,
) -> CheckStatus:
    """The status of the check after those taken.

    Args:
        begun: when each step began, so far; the last is the step that is on.
        watermark_us: up to when every log is complete; None when they are complete for ever.

    Raises:
        ValueError: no step has begun, more have begun than the canary has, or their times do not rise.
    """
    check_begun(design, begun)
    k, of, passed_over = len(past) + 1, design.check_count, 0
    units: tuple[tuple[int, int], ...] = ((0, 0),) * len(begun)
    for slot in _slots_left(design, past, begun):
        at = slot.at(begun[-1])
        if watermark_us is not None and microseconds(at) > watermark_us:
            logged = at_moment(watermark_us)
            missing = [
                f"the check at {_time(at)} needs logs complete up to then; they are complete up to {_time(logged)}"
            ]
            if logged > begun[-1]:
                units = units_at(logged)
            missing += _too_few(design, units)
            return CheckStatus(False, slot, at, units, tuple(missing), at, k, of, passed_over)
        units = units_at(at)
        if slot.time_up or not _too_few(design, units):
            return CheckStatus(True, slot, at, units, (), None, k, of, passed_over)
        passed_over += 1
    missing = [f"the time limit of step {len(begun)} is over and its last check was taken"]
    return CheckStatus(False, None, None, units, tuple(missing), None, k, of, passed_over)


def check_begun(design: CanaryDesign, begun: Sequence[datetime]) -> None:
    """Raise a ValueError that names all that is wrong with the times at which steps began."""
    faults = []
    if not 1 <= len(begun) <= len(design.steps):
        faults.append(
            f"{len(begun)} steps are not allowed; give the times of 1 to {len(design.steps)}, in order"
        )
    if any(moment.tzinfo is None for moment in begun):
        faults.append("a moment without a time zone is not allowed; give UTC")
    elif any(later <= earlier for earlier, later in pairwise(begun)):
        faults.append(
            f"{[moment.isoformat() for moment in begun]} do not rise; a step begins after the one before"
        )
    if faults:
        raise ValueError("steps_begun: " + "; ".join(faults))


def too_few_to_judge(design: CanaryDesign, units: Sequence[tuple[int, int]]) -> bool:
    """Whether fewer units are mature, all steps together, than the first step asks for in each arm."""
    return bool(_too_few(design, units))


def enough_in_step(design: CanaryDesign, step: int, units: tuple[int, int]) -> bool:
    """Whether a step has its own minimum of mature units in each arm."""
    return min(units) >= design.steps[step - 1].minimum_units


def _slots_left(design: CanaryDesign, past: Sequence[PastCheck], begun: Sequence[datetime]) -> list[Slot]:
    """The times of the step that is on, after the check taken last."""
    last = past[-1].at if past else begun[-1]
    return [slot for slot in slots_of(design) if slot.step == len(begun) and slot.at(begun[-1]) > last]


def _too_few(design: CanaryDesign, units: Sequence[tuple[int, int]]) -> list[str]:
    least = design.steps[0].minimum_units
    control, candidate = (sum(step[arm] for step in units) for arm in (0, 1))
    if min(control, candidate) >= least:
        return []
    return [
        f"{design.control.name} {control:,} and {design.candidate.name} {candidate:,} mature units; {least:,} in each are needed"
    ]


def end_of_step(design: CanaryDesign, begun: Sequence[datetime]) -> datetime:
    """When the time limit of the step that is on is over."""
    return begun[-1] + timedelta(seconds=design.steps[len(begun) - 1].time_limit)


def _time(at: datetime) -> str:
    return f"{at:%d %b %Y %H:%M} UTC"
