"""When the next look is due, and where its cohort ends, from counts alone: no outcome is read here.

A look's cohort ends at a whole step of enrolment: at the earliest at which the minimum duration has passed and the
information planned for the look has come; in a design with times, at the look's time; in an always-valid design, at every
step. The maximum duration is the last look, whatever has come. The look is due when every unit exposed before that cut-off
is mature. All of it depends on the logs and the looks sealed before, never on when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from experiments.cohorts.cohort import CutOff, closed
from experiments.cohorts.counted import Enrolled
from experiments.designs.design import Design
from experiments.designs.sequential import planned_looks
from experiments.logs.sql import DAY_US, MICROSECONDS, at_moment
from experiments.readouts.past import SAME_INFORMATION, PastLook


@dataclass(frozen=True, slots=True)
class LookStatus:
    """Whether the next look is due; if not, what is missing and when it is expected.

    Attributes:
        information: reached share of the planned information at the cut-off (or so far), of the treatment that has least.
        short: the maximum duration (or the end of complete data) came before the planned information.
        enrolled: units that may be analysed, by arm, control first, before the cut-off (or so far).
        mature_at: when the last unit before the cut-off will be mature.
        expected: when the look is expected to be due, None when nothing allows a guess.
        k, of: which look this is, and how many there may be at most.
        final: nothing is looked at after it.
        wanted: the share of the information this look waits for; None where it comes at a time.
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
    k: int = 1
    of: int = 1
    final: bool = True
    wanted: float | None = 1.0


@dataclass(frozen=True, slots=True)
class Turn:
    """What the next look waits for.

    Attributes:
        first, last: whole steps of enrolment between which its cohort ends.
        wanted: share of the planned information; None where it comes at a time, or at the next step.
        units: of control and a treatment together, before which a confidence sequence says nothing.
        ends: whether it is the last of the declared looks.
    """

    first: int
    last: int
    wanted: float | None
    units: int
    ends: bool


def next_turn(design: Design, past: Sequence[PastLook], start_us: int) -> Turn:
    """What the look after those taken waits for."""
    stopping, last = design.stopping, steps_of(design)[1]
    step_us = steps_of(design)[2]
    before = [look.before_us for look in past if look.before_us is not None]
    after = 0 if not before else (before[-1] - start_us) // step_us + 1
    first = max(steps_of(design)[0], after)
    if stopping.rule == "always-valid":
        return Turn(first, last, None, stopping.burn_in or 0, ends=False)
    if stopping.at is not None:
        steps = [when * MICROSECONDS // step_us for when in stopping.at]
        step = next((step for step in steps if step >= first), last)
        return Turn(step, last, None, 0, ends=step == last)
    reached = past[-1].information if past else 0.0
    wanted = next((look for look in planned_looks(stopping) if look > reached + SAME_INFORMATION), 1.0)
    return Turn(first, last, wanted, 0, ends=wanted >= 1)


def next_look(
    design: Design,
    past: Sequence[PastLook],
    enrolled: Sequence[Enrolled],
    analysed_at: Callable[[CutOff], tuple[int, ...]],
    start_us: int | None,
    watermark_us: int | None,
    *,
    timed: bool,
) -> LookStatus:
    """The status of the look after those taken.

    Args:
        past: the looks sealed before, in order; each ended with CONTINUE.
        enrolled: units by arm and whole step of enrolment since ``start_us``, as the logs stand now.
        analysed_at: analysed units by arm at a cut-off, from the rows logged until its last unit is mature.
        start_us: midnight UTC of the day of the first exposure; None without times or without exposures.
        watermark_us: up to when the logs are complete; None when they are complete for ever.
    """
    planned = design.plan.n_per_arm
    totals = _by_arm([(one.arm, one.units) for one in enrolled], len(planned))
    if not timed or (start_us is None and watermark_us is None):
        return _numbered(design, past, _open_status(design, totals, due=True))
    if start_us is None:
        missing = "no unit has been exposed yet"
        return _numbered(design, past, _open_status(design, totals, due=False, missing=missing))
    turn, step_us = next_turn(design, past, start_us), steps_of(design)[2]
    maturity_us = design.maturity * MICROSECONDS
    for steps in range(turn.first, turn.last + 1):
        before = start_us + steps * step_us
        cut_off = closed(CutOff(before, None), design)
        ends = steps == turn.last
        units, reached = totals, 0.0
        if ends or _may_suffice(design, enrolled, steps, turn):
            units = analysed_at(cut_off)
            reached = information(design, units)
        if not ends and not _suffices(units, reached, turn, past):
            if watermark_us is not None and before > watermark_us:
                break
            continue
        mature_at = at_moment(before + maturity_us)
        due = watermark_us is None or before + maturity_us <= watermark_us
        missing_words = _waiting(design, turn, reached, units, before, watermark_us, ends)
        found = LookStatus(
            due=due,
            cut_off=cut_off,
            information=reached,
            short=ends and reached < 1,
            enrolled=units,
            planned=planned,
            start=at_moment(start_us),
            mature_at=mature_at,
            expected=None if due else mature_at,
            missing=() if due else missing_words,
            wanted=turn.wanted,
            final=ends or reached >= 1 or (turn.ends and turn.wanted is None),
        )
        return _numbered(design, past, found)
    waiting = replace(
        _open_status(
            design,
            totals,
            due=False,
            missing=_units_missing(design, totals, turn)
            + _too_early(start_us, watermark_us, turn.first, step_us),
        ),
        cut_off=CutOff(None, watermark_us),
        start=at_moment(start_us),
        expected=_expected(design, turn, totals, start_us, watermark_us),
        wanted=turn.wanted,
        final=turn.ends,
    )
    return _numbered(design, past, waiting)


def _numbered(design: Design, past: Sequence[PastLook], status: LookStatus) -> LookStatus:
    return replace(status, k=len(past) + 1, of=design.look_count)


def _suffices(units: Sequence[int], reached: float, turn: Turn, past: Sequence[PastLook]) -> bool:
    """Whether the look may be taken at a step: its information has come, or, at a time, any beyond the last look's."""
    if turn.wanted is not None:
        return reached >= turn.wanted
    more = reached > (past[-1].information if past else 0.0) + SAME_INFORMATION
    return more and units[0] + min(units[1:]) >= turn.units


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


def _may_suffice(design: Design, enrolled: Sequence[Enrolled], steps: int, turn: Turn) -> bool:
    """Whether the units that came so far would be enough if none of them were taken out again.

    A unit's delivered arm may come from a later row, so that no such bound holds under that rule.
    """
    if turn.wanted is None or design.written.rules.several_arms == "delivered arm":
        return True
    came = _by_arm([(one.arm, one.came) for one in enrolled if one.step < steps], len(design.arms))
    return information(design, came) >= turn.wanted


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


def _units_missing(design: Design, enrolled: Sequence[int], turn: Turn) -> str:
    planned = design.plan.n_per_arm
    parts = [
        f"{arm.name} {n:,} of {want:,}" for arm, n, want in zip(design.arms, enrolled, planned, strict=True)
    ]
    share = information(design, enrolled)
    needs = "" if turn.wanted in {None, 1.0} else f"; this look needs {turn.wanted:.0%}"
    return f"{int(100 * share)}% of the planned information so far ({', '.join(parts)} units{needs})"


def _too_early(start_us: int, watermark_us: int | None, first: int, step_us: int) -> str:
    ends = start_us + first * step_us
    if watermark_us is None or watermark_us >= ends:
        return ""
    return f", and the minimum duration ends {at_moment(ends):%d %b %Y %H:%M} UTC"


def _waiting(
    design: Design,
    turn: Turn,
    reached: float,
    enrolled: Sequence[int],
    before: int,
    watermark_us: int | None,
    last: bool,
) -> tuple[str, ...]:
    why = []
    logged = at_moment(watermark_us or 0)
    if last and reached < 1:
        why.append(_units_missing(design, enrolled, turn) + " (maximum duration)")
    ready = at_moment(before + design.maturity * MICROSECONDS)
    why.append(
        f"enrolment for this look ends {at_moment(before):%d %b %Y %H:%M} UTC and its last unit is mature {ready:%d %b %Y %H:%M} UTC; "
        f"the logs are complete up to {logged:%d %b %Y %H:%M} UTC"
    )
    return tuple(why)


def _expected(
    design: Design, turn: Turn, totals: Sequence[int], start_us: int, watermark_us: int | None
) -> datetime | None:
    """By the traffic seen so far: the first whole step with enough information, and its last unit's maturity."""
    if watermark_us is None:
        return None
    step_us = steps_of(design)[2]
    elapsed_us, reached = watermark_us - start_us, information(design, totals)
    if turn.wanted is None:
        steps = turn.first
    elif elapsed_us <= 0 or reached <= 0:
        return None
    else:
        steps = max(turn.first, -(-int(elapsed_us * turn.wanted / reached) // step_us))
    return at_moment(start_us + min(steps, turn.last) * step_us + design.maturity * MICROSECONDS)
