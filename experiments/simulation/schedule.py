"""When a simulated experiment is looked at: the units that have come by each look, as the design's own plan expects them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.designs.design import Design
from experiments.designs.sequential import planned_looks
from experiments.forms.durations import DAY

ALMOST = 1 - 1e-12
"""Of a whole number that a product of shares misses by rounding."""
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
    """The looks of a design, at shares of ``units`` instead of those that should come where they are fewer.

    A look ahead of the first two units of every arm has nothing to test and is left out.
    """
    planned = design.plan.total
    shares, words = _shares(design)
    wanted = math.ceil(shares[-1] * planned * ALMOST)
    whole = wanted if units is None else min(units, wanted)
    if whole < wanted:
        words += f"; only {whole:,} of {wanted:,} units are there, and the looks are at these shares of them"
    counts = [math.ceil(share / shares[-1] * whole * ALMOST) for share in shares]
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


def _shares(design: Design) -> tuple[tuple[float, ...], str]:
    """The share of the planned units that has come by each look, and that in words."""
    if design.stopping.rule == "always-valid":
        return _steps(design)
    if design.stopping.at is not None and design.written.power.units_per_day is not None:
        return _times(design.stopping.at, design.written.power.units_per_day, design.plan.total)
    shares = planned_looks(design.stopping)
    if len(shares) == 1:
        return shares, "one look, at the planned units"
    return shares, f"looks at {', '.join(f'{share:g}' for share in shares)} of the planned units"


def _times(at: Sequence[int], per_day: float, planned: int) -> tuple[tuple[float, ...], str]:
    """What the declared traffic has brought by each time; the first look with all that is planned is the last."""
    shares = [per_day * when / DAY / planned for when in at]
    enough = next((look for look, share in enumerate(shares) if share >= ALMOST), len(shares) - 1)
    taken = tuple(shares[: enough + 1])
    days = ", ".join(f"{when / DAY:g}" for when in at[: enough + 1])
    listed = ", ".join(f"{share:.0%}" for share in taken)
    return taken, f"looks after {days} days with {per_day:g} units a day: {listed} of the planned units"


def _steps(design: Design) -> tuple[tuple[float, ...], str]:
    """At each step of enrolment from the minimum duration on, until all has come that is planned."""
    per_day, step = design.written.power.units_per_day, design.stopping.step
    if per_day is None:
        n = STEPS_WITHOUT_TRAFFIC
        return tuple(k / n for k in range(1, n + 1)), (
            f"no traffic is declared (power.units_per_day), so {n} looks at equal shares of the planned units stand for the steps"
        )
    first = max(1, -(-design.minimum_duration // step))
    last = max(first, design.maximum_duration // step)
    per_step = per_day * step / DAY / design.plan.total
    shares = [min(1.0, k * per_step) for k in range(first, last + 1) if (k - 1) * per_step < 1] or [1.0]
    days = f"{step / DAY:g} days" if step > DAY else "day"
    return tuple(
        shares
    ), f"a look every {days} with {per_day:g} units a day, until the planned units have come"
