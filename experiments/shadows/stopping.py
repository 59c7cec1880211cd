"""When a shadow's next look is due, and where it ends, without any answer or label: from who answered when, and what has come.

A look ends at a whole step of traffic: at the earliest at which the minimum duration has passed, the units planned for the
look have a labelled pair, and what the design declares of the pairs is there (days, matched share, labels). Until then it
waits. The maximum duration is the last look, whatever has come. It is due when every label before its end is mature. All of
it depends on the logs and the looks sealed before, never on when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from experiments.cohorts.cohort import CutOff
from experiments.designs.sequential import planned_looks
from experiments.logs.sql import MICROSECONDS, at_moment
from experiments.looks.stopping import LookStatus
from experiments.readouts.past import SAME_INFORMATION, PastLook
from experiments.shadows.design import ShadowDesign


@dataclass(frozen=True, slots=True)
class Arrived:
    """What has come by a cut-off: pairs answered, labelled, and units with a labelled pair."""

    answered: int
    labelled: int
    units: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """When requests came.

    Attributes:
        start_us: midnight UTC of the first request's day; None without times or requests.
        last_us: the last request; watermark_us: up to when the logs are complete, None for ever.
    """

    start_us: int | None
    last_us: int | None
    watermark_us: int | None


def closed(design: ShadowDesign, before_us: int | None, watermark_us: int | None = None) -> CutOff:
    """The cut-off with reading ended when its last pair is mature, so that the look does not depend on when it is taken."""
    if before_us is None:
        return CutOff(None, watermark_us)
    over = before_us + design.maturity * MICROSECONDS
    return CutOff(before_us, over if watermark_us is None else min(over, watermark_us))


def information(design: ShadowDesign, arrived: Arrived) -> float:
    """Units with a labelled pair over the planned ones."""
    return arrived.units / design.planned_units


def next_look(
    design: ShadowDesign,
    past: Sequence[PastLook],
    traffic: Traffic,
    arrived_at: Callable[[CutOff], Arrived],
    absent_at: Callable[[CutOff], Sequence[str]],
) -> LookStatus:
    """The status of the look after those taken.

    Args:
        past: the looks sealed before, in order; each ended with CONTINUE.
        absent_at: what the design declares of the pairs and is not there, at a cut-off.
    """
    if traffic.start_us is None:
        everything = CutOff(None, None)
        arrived = arrived_at(everything)
        due = traffic.watermark_us is None
        return _status(
            design,
            past,
            everything,
            arrived,
            due=due,
            final=True,
            missing=() if due else ("no request is logged yet",),
        )
    step_us = design.stopping.step * MICROSECONDS
    first, last = _steps(design, past, traffic, step_us)
    wanted = _wanted(design, past)
    waiting: tuple[str, ...] = ()
    for steps in range(first, last + 1):
        before, ends = traffic.start_us + steps * step_us, steps == last
        cut_off = closed(design, before)
        mature = traffic.watermark_us is None or (cut_off.watermark_us or 0) <= traffic.watermark_us
        if traffic.watermark_us is not None and before > traffic.watermark_us:
            break
        arrived = arrived_at(cut_off)
        enough = _enough(design, arrived, wanted, past)
        if not mature:
            if enough or ends:
                waiting = (_maturing(cut_off, traffic),)
                return _status(
                    design,
                    past,
                    cut_off,
                    arrived,
                    due=False,
                    final=ends,
                    missing=waiting,
                    start=traffic.start_us,
                )
            break
        absent = tuple(absent_at(cut_off)) if enough and not ends else ()
        if ends or (enough and not absent):
            final = ends or information(design, arrived) >= 1 - SAME_INFORMATION
            return _status(design, past, cut_off, arrived, due=True, final=final, start=traffic.start_us)
        waiting = absent or waiting
    arrived = arrived_at(CutOff(None, None))
    missing = (*waiting, *_lacking(design, arrived, wanted))
    if not missing:
        earliest = at_moment(traffic.start_us + first * step_us)
        missing = (f"requests for this look come until {earliest:%d %b %Y %H:%M} UTC at the earliest",)
    found = _status(
        design,
        past,
        CutOff(None, None),
        arrived,
        due=False,
        final=False,
        missing=missing,
        start=traffic.start_us,
    )
    return replace(
        found, expected=_expected(design, traffic, arrived, wanted, (first, last), step_us), wanted=wanted
    )


def _steps(design: ShadowDesign, past: Sequence[PastLook], traffic: Traffic, step_us: int) -> tuple[int, int]:
    """First and last whole step of traffic at which the look may end; where nothing more will come, the end of the data."""
    start = traffic.start_us or 0
    before = [look.before_us for look in past if look.before_us is not None]
    first = max(
        -(-design.minimum_duration * MICROSECONDS // step_us),
        (before[-1] - start) // step_us + 1 if before else 0,
    )
    last = -(-design.maximum_duration * MICROSECONDS // step_us)
    if traffic.watermark_us is None and traffic.last_us is not None:
        last = min(last, (traffic.last_us - start) // step_us + 1)
    return min(first, last), last


def _wanted(design: ShadowDesign, past: Sequence[PastLook]) -> float | None:
    """Share of the planned units that this look waits for; None at every step of an always-valid design."""
    if design.stopping.rule == "always-valid":
        return None
    reached = past[-1].information if past else 0.0
    return next((look for look in planned_looks(design.stopping) if look > reached + SAME_INFORMATION), 1.0)


def _enough(design: ShadowDesign, arrived: Arrived, wanted: float | None, past: Sequence[PastLook]) -> bool:
    if wanted is None:
        more = information(design, arrived) > (past[-1].information if past else 0.0) + SAME_INFORMATION
        return more and arrived.units >= (design.stopping.burn_in or 0)
    return (
        information(design, arrived) >= wanted
        and arrived.answered >= wanted * design.written.minimum_pairs
        and arrived.labelled >= wanted * design.planned_labels
    )


def _status(
    design: ShadowDesign,
    past: Sequence[PastLook],
    cut_off: CutOff,
    arrived: Arrived,
    *,
    due: bool,
    final: bool,
    missing: tuple[str, ...] = (),
    start: int | None = None,
) -> LookStatus:
    reached = information(design, arrived)
    mature_at = None if cut_off.watermark_us is None else at_moment(cut_off.watermark_us)
    return LookStatus(
        due=due,
        cut_off=cut_off,
        information=reached,
        short=due and final and reached < 1 - SAME_INFORMATION,
        enrolled=(arrived.units,),
        planned=(design.planned_units,),
        start=None if start is None else at_moment(start),
        mature_at=mature_at,
        expected=None if due else mature_at,
        missing=missing,
        k=len(past) + 1,
        of=design.look_count,
        final=final,
        wanted=_wanted(design, past),
    )


def _lacking(design: ShadowDesign, arrived: Arrived, wanted: float | None) -> tuple[str, ...]:
    noun = "users" if design.by_user else "requests"
    share = 1.0 if wanted is None else wanted
    units = design.planned_units if wanted is not None else design.stopping.burn_in or 0
    parts = (
        (arrived.units, -(-units * share // 1), f"{noun} with a labelled pair"),
        (
            arrived.labelled,
            -(-design.planned_labels * share // 1) if wanted is not None else 0,
            "labelled pairs",
        ),
        (arrived.answered, -(-design.written.minimum_pairs * share // 1), "answered pairs"),
    )
    return tuple(f"{found:,} of {int(needed):,} {what}" for found, needed, what in parts if found < needed)


def _maturing(cut_off: CutOff, traffic: Traffic) -> str:
    ends, ready = at_moment(cut_off.before_us or 0), at_moment(cut_off.watermark_us or 0)
    logged = at_moment(traffic.watermark_us or 0)
    return (
        f"requests for this look end {ends:%d %b %Y %H:%M} UTC and their labels are mature {ready:%d %b %Y %H:%M} UTC; "
        f"the logs are complete up to {logged:%d %b %Y %H:%M} UTC"
    )


def _expected(
    design: ShadowDesign,
    traffic: Traffic,
    arrived: Arrived,
    wanted: float | None,
    within: tuple[int, int],
    step_us: int,
) -> datetime | None:
    """By the traffic seen so far: the first whole step with enough units, and its labels' maturity."""
    reached, start = information(design, arrived), traffic.start_us or 0
    elapsed = (traffic.watermark_us or 0) - start
    if elapsed <= 0 or reached <= 0:
        return None
    steps = within[0] if wanted is None else max(within[0], -(-int(elapsed * wanted / reached) // step_us))
    return at_moment(start + min(steps, within[1]) * step_us + design.maturity * MICROSECONDS)
