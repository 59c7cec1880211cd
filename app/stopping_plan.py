"""What a design's stopping rule will look like and what it costs: boundaries, expected units, widths, harm stops.

Everything is at the information that was planned; at a look the boundaries are found again at the information that came.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from scipy.special import ndtri

from analysis.anytime.mixture import mixture_bound
from app.boundary_plan import Boundaries, boundaries_of
from app.declared_words import amount_in_words
from experiments.designs.design import Design
from experiments.designs.measures import Measure
from experiments.designs.sample import Requirement
from experiments.designs.sequential import level_of, planned_looks, sequence_plan
from experiments.forms.durations import DAY


@dataclass(frozen=True, slots=True)
class LookPlan:
    """When a look is expected, with even traffic.

    Attributes:
        units: mature units of all arms.
        enrolment_days: of enrolment until its last unit is exposed; None without declared traffic or times.
        read_after_days: from the first exposure until its last unit is mature.
        read_on: the day of that, where the design names an expected start.
    """

    k: int
    information: float
    units: int
    enrolment_days: float | None
    read_after_days: float | None
    read_on: datetime | None


@dataclass(frozen=True, slots=True)
class SequencePrice:
    """The confidence sequence of one deciding metric.

    Attributes:
        relative_width: of its interval at the planned n, over that of the fixed design's interval at the same n.
        inflation: n over that of the fixed design, so that the sequence excludes the null there with the power given.
    """

    metric: str
    role: Literal["primary", "must-hold"]
    alpha: float
    sides: int
    relative_width: float
    inflation: float


@dataclass(frozen=True, slots=True)
class AlwaysValid:
    """An always-valid rule: a look after every step.

    Attributes:
        burn_in: units of the two arms compared before which nothing is said.
        burn_in_days: of enrolment until they have come; None without declared traffic.
    """

    step_days: float
    first_look_days: float
    last_look_days: float
    looks: int
    burn_in: int
    burn_in_days: float | None
    sequences: tuple[SequencePrice, ...]


@dataclass(frozen=True, slots=True)
class HarmStop:
    """A metric watched by machine, of which only tripped or not tripped is shown."""

    metric: str
    margin: str
    alpha: float
    burn_in: int
    burn_in_days: float | None
    segment: str | None


@dataclass(frozen=True, slots=True)
class StoppingPlan:
    """A rule of several looks; one of ``boundaries`` and ``always_valid`` is filled."""

    rule: Literal["group-sequential", "always-valid"]
    looks: tuple[LookPlan, ...]
    boundaries: tuple[Boundaries, ...]
    always_valid: AlwaysValid | None


def stopping_plan(design: Design) -> StoppingPlan | None:
    """The design's rule at the planned information; None where there is one look."""
    rule = design.stopping.rule
    if rule == "fixed":
        return None
    deciding = list(zip(_deciding(design), design.plan.requirements, strict=True))
    if rule == "always-valid":
        return StoppingPlan(rule, (), (), _always_valid(design, deciding))
    return StoppingPlan(
        rule,
        tuple(_look_plans(design)),
        tuple(boundaries_of(design, measure, needed) for measure, needed in deciding),
        None,
    )


def harm_stops(design: Design) -> tuple[HarmStop, ...]:
    """The declared harm stops, whatever the rule."""
    return tuple(
        HarmStop(
            metric=guardrail.metric.reference,
            margin="" if guardrail.margin is None else amount_in_words(guardrail, guardrail.margin),
            alpha=guardrail.alpha,
            burn_in=guardrail.burn_in or 0,
            burn_in_days=_burn_in_days(design, guardrail.burn_in or 0),
            segment=guardrail.segment,
        )
        for guardrail in design.guardrails
        if guardrail.role == "harm-stop"
    )


def _deciding(design: Design) -> tuple[Measure, ...]:
    """The measures that decide, in the order of the plan's requirements."""
    return (design.primary, *(g for g in design.guardrails if g.role == "must-hold"))


def _look_plans(design: Design) -> Sequence[LookPlan]:
    stopping, starts = design.stopping, design.written.expected_start
    plans = []
    for k, information in enumerate(planned_looks(stopping), start=1):
        units = math.ceil(information * design.plan.total * (1 - 1e-12))
        seconds = stopping.at[k - 1] if stopping.at is not None else _enrolment(design, units)
        mature = None if seconds is None else seconds + design.maturity
        on = None if mature is None or starts is None else starts + timedelta(seconds=mature)
        plans.append(LookPlan(k, information, units, _days(seconds), _days(mature), on))
    return plans


def _enrolment(design: Design, units: int) -> int | None:
    """Seconds until the first whole step at which so many units have come."""
    units_per_day, step = design.written.power.units_per_day, design.stopping.step
    if units_per_day is None:
        return None
    needed = math.ceil(units / units_per_day * DAY / step * (1 - 1e-12)) * step
    return min(max(needed, design.minimum_duration), design.maximum_duration)


def _burn_in_days(design: Design, burn_in: int) -> float | None:
    """Days until control and the smallest treatment have so many units together."""
    units_per_day = design.written.power.units_per_day
    if units_per_day is None:
        return None
    compared = float(design.control.share + min(arm.share for arm in design.treatments))
    return float(math.ceil(burn_in / (units_per_day * compared) * (1 - 1e-12)))


def _always_valid(design: Design, deciding: Sequence[tuple[Measure, Requirement]]) -> AlwaysValid:
    burn_in = design.stopping.burn_in or 0
    return AlwaysValid(
        step_days=design.stopping.step / DAY,
        first_look_days=design.minimum_duration / DAY,
        last_look_days=design.maximum_duration / DAY,
        looks=design.look_count,
        burn_in=burn_in,
        burn_in_days=_burn_in_days(design, burn_in),
        sequences=tuple(
            SequencePrice(
                metric=measure.label,
                role="primary" if measure.role == "primary" else "must-hold",
                alpha=level_of(design, measure),
                sides=measure.sides,
                relative_width=_relative_width(design, measure),
                inflation=needed.size.plan.inflation,
            )
            for measure, needed in deciding
        ),
    )


def _relative_width(design: Design, measure: Measure) -> float:
    """Half widths in standard errors, one over the other; a one-sided test's interval has two one-sided limits."""
    plan = sequence_plan(design, measure, 1, "two-sided" if measure.sides == 2 else "greater")
    bound = mixture_bound(plan.planned_n, plan.alpha, plan.precision, plan.one_sided)
    return bound / math.sqrt(plan.planned_n) / -float(ndtri(plan.alpha / measure.sides))


def _days(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / DAY
