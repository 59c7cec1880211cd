"""When a look is due, and where its cohort ends, from counts alone: no outcome is read here.

The fixed rule takes one look. Its cohort ends at the earliest whole step of enrolment at which the minimum duration has
passed and the planned information has come, or at the maximum duration; the look is due when every unit exposed before
that cut-off is mature. Both depend on the logs only, never on when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from experiments.cohorts.cohort import CutOff, closed
from experiments.cohorts.counted import Enrolled
from experiments.designs.design import Design
from experiments.logs.sql import DAY_US, MICROSECONDS, at_moment


@dataclass(frozen=True, slots=True)
class LookStatus:
    """Whether the look is due; if not, what is missing and when it is expected.

    Attributes:
        information: reached share of the planned information at the cut-off (or so far), of the treatment that has least.
        short: the maximum duration (or the end of complete data) came before the planned information.
        enrolled: units that may be analysed, by arm, control first, before the cut-off (or so far).
        mature_at: when the last unit before the cut-off will be mature.
        expected: when the look is expected to be due, None when nothing allows a guess.
    """

    due: bool
    cut_off: CutOff
    information: float
    short: bool
    enrolled: tuple[int, ...]
    planned: tuple[int, ...]
    start: datetime | None
    mature_at: datetime | None
    expected: datetime | None
    missing: tuple[str, ...]


def fixed_look(
    design: Design,
    enrolled: Sequence[Enrolled],
    analysed_at: Callable[[CutOff], tuple[int, ...]],
    start_us: int | None,
    watermark_us: int | None,
    *,
    timed: bool,
) -> LookStatus:
    """The status of the one look of a fixed design.

    Args:
        enrolled: units by arm and whole step of enrolment since ``start_us``, as the logs stand now.
        analysed_at: analysed units by arm at a cut-off, from the rows logged until its last unit is mature.
        start_us: midnight UTC of the day of the first exposure; None without times or without exposures.
        watermark_us: up to when the logs are complete; None when they are complete for ever.
    """
    planned = design.plan.n_per_arm
    totals = _by_arm([(one.arm, one.units) for one in enrolled], len(planned))
    if not timed or (start_us is None and watermark_us is None):
        return _open_status(design, totals, due=True)
    if start_us is None:
        return _open_status(design, totals, due=False, missing="no unit has been exposed yet")
    first, last, step_us = steps_of(design)
    maturity_us = design.maturity * MICROSECONDS
    for steps in range(first, last + 1):
        before = start_us + steps * step_us
        cut_off = closed(CutOff(before, None), design)
        if steps == last or _may_suffice(design, enrolled, steps):
            units = analysed_at(cut_off)
            reached = information(design, units)
        else:
            units, reached = totals, 0.0
        if reached < 1 and steps < last:
            if watermark_us is not None and before > watermark_us:
                break
            continue
        mature_at = at_moment(before + maturity_us)
        due = watermark_us is None or before + maturity_us <= watermark_us
        return LookStatus(
            due=due,
            cut_off=cut_off,
            information=reached,
            short=reached < 1,
            enrolled=units,
            planned=planned,
            start=at_moment(start_us),
            mature_at=mature_at,
            expected=None if due else mature_at,
            missing=() if due else _waiting(design, reached, units, before, watermark_us, steps == last),
        )
    return replace(
        _open_status(
            design,
            totals,
            due=False,
            missing=_units_missing(design, totals) + _too_early(start_us, watermark_us, first, step_us),
        ),
        cut_off=CutOff(None, watermark_us),
        start=at_moment(start_us),
        expected=_expected(design, totals, start_us, watermark_us),
    )


def steps_of(design: Design) -> tuple[int, int, int]:
    """The first and the last whole step of enrolment at which the look may be taken, and a step's microseconds."""
    step_us = design.written.stopping.step * MICROSECONDS
    first = -(-design.minimum_duration * MICROSECONDS // step_us)
    last = -(-design.maximum_duration * MICROSECONDS // step_us)
    return first, last, step_us


def _open_status(design: Design, totals: tuple[int, ...], *, due: bool, missing: str = "") -> LookStatus:
    """The status of a look without a cut-off in time."""
    reached = information(design, totals)
    return LookStatus(
        due=due,
        cut_off=CutOff(None, None),
        information=reached,
        short=due and reached < 1,
        enrolled=totals,
        planned=design.plan.n_per_arm,
        start=None,
        mature_at=None,
        expected=None,
        missing=(missing,) if missing else (),
    )


def _may_suffice(design: Design, enrolled: Sequence[Enrolled], steps: int) -> bool:
    """Whether the units that came so far would be enough if none of them were taken out again.

    A unit's delivered arm may come from a later row, so that no such bound holds under that rule.
    """
    if design.written.rules.several_arms == "delivered arm":
        return True
    came = _by_arm([(one.arm, one.came) for one in enrolled if one.step < steps], len(design.arms))
    return information(design, came) >= 1


def information(design: Design, units: Sequence[int]) -> float:
    """Smallest over the treatments of 1 / (1/n_control + 1/n_treatment), over its planned value."""
    shares = []
    for treatment in range(1, len(units)):
        if units[0] == 0 or units[treatment] == 0:
            return 0.0
        shares.append(1 / (1 / units[0] + 1 / units[treatment]) / design.plan.information(treatment))
    return min(shares)


def start_of_enrolment(first_exposure_us: int) -> int:
    """Midnight UTC of the day of the first exposure: enrolment is counted in whole days from here."""
    return first_exposure_us // DAY_US * DAY_US


def _by_arm(counts: Iterable[tuple[int, int]], arms: int) -> tuple[int, ...]:
    totals = [0] * arms
    for arm, units in counts:
        totals[arm] += units
    return tuple(totals)


def _units_missing(design: Design, enrolled: Sequence[int]) -> str:
    planned = design.plan.n_per_arm
    parts = [
        f"{arm.name} {n:,} of {want:,}" for arm, n, want in zip(design.arms, enrolled, planned, strict=True)
    ]
    share = information(design, enrolled)
    return f"{int(100 * share)}% of the planned information so far ({', '.join(parts)} units)"


def _too_early(start_us: int, watermark_us: int | None, first: int, step_us: int) -> str:
    ends = start_us + first * step_us
    if watermark_us is None or watermark_us >= ends:
        return ""
    return f", and the minimum duration ends {at_moment(ends):%d %b %Y %H:%M} UTC"


def _waiting(
    design: Design, reached: float, enrolled: Sequence[int], before: int, watermark_us: int | None, last: bool
) -> tuple[str, ...]:
    why = []
    logged = at_moment(watermark_us or 0)
    if reached < 1:
        why.append(_units_missing(design, enrolled) + (" (maximum duration)" if last else ""))
    ready = at_moment(before + design.maturity * MICROSECONDS)
    why.append(
        f"enrolment for this look ends {at_moment(before):%d %b %Y %H:%M} UTC and its last unit is mature {ready:%d %b %Y %H:%M} UTC; "
        f"the logs are complete up to {logged:%d %b %Y %H:%M} UTC"
    )
    return tuple(why)


def _expected(
    design: Design, totals: Sequence[int], start_us: int, watermark_us: int | None
) -> datetime | None:
    """By the traffic seen so far: the first whole step with enough information, and its last unit's maturity."""
    if watermark_us is None:
        return None
    elapsed_us = watermark_us - start_us
    reached = information(design, totals)
    if elapsed_us <= 0 or reached <= 0:
        return None
    first, last, step_us = steps_of(design)
    steps = min(max(first, -(-int(elapsed_us / reached) // step_us)), last)
    return at_moment(start_us + steps * step_us + design.maturity * MICROSECONDS)
