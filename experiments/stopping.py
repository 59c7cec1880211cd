"""When a look is due, and where its cohort ends, from counts alone: no outcome is read here.

The fixed rule takes one look. Its cohort ends at the earliest whole step of enrolment at which the minimum duration has
passed and the planned information has come, or at the maximum duration; the look is due when every unit exposed before
that cut-off is mature. Both depend on the logs only, never on when somebody asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from experiments.cohort import CutOff
from experiments.design import Design
from experiments.reading import DAY_US, ArmCount
from experiments.sql import MICROSECONDS, at_moment


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
    design: Design, counts: Sequence[ArmCount], start_us: int | None, watermark_us: int | None, *, timed: bool
) -> LookStatus:
    """The status of the one look of a fixed design.

    Args:
        counts: units that may be analysed, by arm and whole step of enrolment since ``start_us``.
        start_us: midnight UTC of the day of the first exposure; None without times or without exposures.
        watermark_us: up to when the logs are complete; None when they are complete for ever.
    """
    planned = design.plan.n_per_arm
    totals = _by_arm(counts, len(planned))
    if not timed or (start_us is None and watermark_us is None):
        reached = information(design, totals)
        return LookStatus(
            True, CutOff(None, watermark_us), reached, reached < 1, totals, planned, None, None, None, ()
        )
    if start_us is None:
        return LookStatus(
            False,
            CutOff(None, watermark_us),
            0.0,
            False,
            totals,
            planned,
            None,
            None,
            None,
            ("no unit has been exposed yet",),
        )
    step_us = design.written.stopping.step * MICROSECONDS
    first = -(-design.minimum_duration * MICROSECONDS // step_us)
    last = -(-design.maximum_duration * MICROSECONDS // step_us)
    start = at_moment(start_us)
    maturity_us = design.maturity * MICROSECONDS
    for steps in range(first, last + 1):
        before = start_us + steps * step_us
        enrolled = _by_arm([c for c in counts if int(c.stratum) < steps], len(planned))
        reached = information(design, enrolled)
        over = watermark_us is not None and before > watermark_us and steps < last
        if reached >= 1 or steps == last:
            cut_off = CutOff(before, watermark_us)
            mature_at = at_moment(before + maturity_us)
            due = watermark_us is None or before + maturity_us <= watermark_us
            missing = () if due else _waiting(design, reached, enrolled, before, watermark_us, steps == last)
            return LookStatus(
                due,
                cut_off,
                reached,
                reached < 1,
                enrolled,
                planned,
                start,
                mature_at,
                None if due else mature_at,
                missing,
            )
        if over:
            break
    expected = _expected(design, totals, start_us, watermark_us, first, last, step_us)
    reached = information(design, totals)
    return LookStatus(
        False,
        CutOff(None, watermark_us),
        reached,
        False,
        totals,
        planned,
        start,
        None,
        expected,
        (_units_missing(design, totals),),
    )


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


def _by_arm(counts: Sequence[ArmCount], arms: int) -> tuple[int, ...]:
    totals = [0] * arms
    for count in counts:
        totals[count.arm] += count.units
    return tuple(totals)


def _units_missing(design: Design, enrolled: Sequence[int]) -> str:
    planned = design.plan.n_per_arm
    parts = [
        f"{arm.name} {n:,} of {want:,}" for arm, n, want in zip(design.arms, enrolled, planned, strict=True)
    ]
    share = information(design, enrolled)
    return f"{share:.0%} of the planned information so far ({', '.join(parts)} units) and the minimum duration must pass"


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
    design: Design,
    totals: Sequence[int],
    start_us: int,
    watermark_us: int | None,
    first: int,
    last: int,
    step_us: int,
) -> datetime | None:
    """By the traffic seen so far (or planned, before any): the first whole step with enough information."""
    if watermark_us is None:
        return None
    elapsed_days = (watermark_us - start_us) / DAY_US
    reached = information(design, totals)
    if elapsed_days <= 0 or reached <= 0:
        return None
    days = elapsed_days / reached
    steps = min(max(first, -(-int(days * DAY_US) // step_us)), last)
    return at_moment(start_us + steps * step_us + design.maturity * MICROSECONDS)
