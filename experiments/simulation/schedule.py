"""When a simulated experiment is looked at: the units that have come by each look, as the design's own plan expects them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from experiments.designs.design import Design
from experiments.designs.sequential import planned_looks
from experiments.forms.durations import DAY

STEPS_WITHOUT_TRAFFIC = 10
"""Looks of an always-valid design that declares no traffic: equal shares of its planned units."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The looks of every replay.

    Attributes:
        units: in all arms together by each look, rising.
        planned: units in all arms that the design plans for.
        expected: share of the planned information at each look, if the arms come in their planned shares.
        words: how the looks were set, for people.
    """

    units: tuple[int, ...]
    planned: int
    expected: tuple[float, ...]
    words: str


def schedule_of(design: Design, units: int | None = None) -> Schedule:
    """The looks of a design, with ``units`` to come instead of the planned ones where they are fewer.

    A look ahead of the first two units of every arm has nothing to test and is left out.
    """
    planned = design.plan.total
    whole = planned if units is None else min(units, planned)
    if design.stopping.rule == "always-valid":
        shares, words = _steps(design)
    else:
        shares = planned_looks(design.stopping)
        listed = ", ".join(f"{share:g}" for share in shares)
        words = (
            "one look, at the planned units"
            if len(shares) == 1
            else f"looks at {listed} of the planned units"
        )
    if whole < planned:
        words += f"; only {whole:,} of {planned:,} planned units are there, and the looks are shares of these"
    counts = [math.ceil(share * whole * (1 - 1e-12)) for share in shares]
    fewest = math.ceil(2 / min(float(arm.share) for arm in design.arms))
    taken = tuple(dict.fromkeys(count for count in counts if count >= fewest)) or (whole,)
    return Schedule(taken, planned, tuple(information_at(design, count) for count in taken), words)


def information_at(design: Design, units: int) -> float:
    """Share of the planned information with so many units in their planned shares; of the treatment that has least."""
    shares = [float(arm.share) for arm in design.arms]
    return min(
        units / (1 / shares[0] + 1 / share) / design.plan.information(treatment)
        for treatment, share in enumerate(shares[1:], start=1)
    )


def _steps(design: Design) -> tuple[tuple[float, ...], str]:
    """The share of the planned units at each step of enrolment from the minimum duration on, the last one 1."""
    per_day, step = design.written.power.units_per_day, design.stopping.step
    if per_day is None:
        n = STEPS_WITHOUT_TRAFFIC
        return tuple(k / n for k in range(1, n + 1)), (
            f"no traffic is declared (power.units_per_day), so {n} looks at equal shares of the planned units stand for the steps"
        )
    first = max(1, -(-design.minimum_duration // step))
    last = max(first, design.maximum_duration // step)
    per_step = per_day * step / DAY / design.plan.total
    shares = [min(1.0, k * per_step) for k in range(first, last + 1) if (k - 1) * per_step < 1]
    shares = shares or [1.0]
    return tuple(
        shares
    ), f"a look at every step of {step / DAY:g} days with {per_day:g} units a day, until the planned units"
