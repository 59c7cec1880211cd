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
from analysis.sequential.design import GroupSequentialDesign, group_sequential_design
from analysis.sequential.futility import stopping_probabilities
from app.declared_words import amount_in_words, boundary_in_words
from experiments.designs.design import Design
from experiments.designs.measures import Measure
from experiments.designs.sample import Requirement
from experiments.designs.sequential import (
    boundary_of,
    efficacy_design,
    futility_design,
    level_of,
    planned_looks,
    sequence_plan,
)
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
class LookBoundary:
    """One look of one test; None where the look spends nothing, and where there is no futility boundary.

    Attributes:
        nominal: level of the look by itself, over both sides of a two-sided test.
        spent: cumulative α, over both sides of a two-sided test.
    """

    k: int
    information: float
    critical: float | None
    nominal: float
    spent: float
    futility: float | None


@dataclass(frozen=True, slots=True)
class UnderTruth:
    """Where the test would stop if this were true, alone and with the units planned.

    Attributes:
        mean_units: units at the stop, of all arms; the whole rule waits for all deciding metrics, so it needs more.
        efficacy: probability of crossing in favour of the treatment at some look.
        harm: of crossing against it; None where the futility boundary takes these crossings in.
        futility: of stopping for futility before the last look.
    """

    truth: str
    mean_units: float
    efficacy: float
    harm: float | None
    futility: float


@dataclass(frozen=True, slots=True)
class Boundaries:
    """The group-sequential test of one deciding metric.

    Attributes:
        alpha: of one treatment, one- or two-sided as ``sides`` says.
        futility: by its spending of the type-II error; None without.
        inflation: largest n over that of the fixed design of the same power.
    """

    metric: str
    role: Literal["primary", "must-hold"]
    boundary: str
    alpha: float
    sides: int
    futility: str | None
    binding: bool
    inflation: float
    looks: tuple[LookBoundary, ...]
    truths: tuple[UnderTruth, ...]


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
        tuple(_boundaries(design, measure, needed) for measure, needed in deciding),
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


def _role(measure: Measure) -> Literal["primary", "must-hold"]:
    return "primary" if measure.role == "primary" else "must-hold"


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


def _boundaries(design: Design, measure: Measure, needed: Requirement) -> Boundaries:
    efficacy = efficacy_design(design, measure)
    futile = futility_design(design) if measure.role == "primary" else None
    inner = () if futile is None or futile.futility is None else futile.futility
    looks = [
        LookBoundary(
            k=index + 1,
            information=information,
            critical=_finite(efficacy.critical[index]),
            nominal=efficacy.sides * efficacy.nominal[index],
            spent=efficacy.spent[index],
            futility=_finite(inner[index]) if index < len(inner) else None,
        )
        for index, information in enumerate(efficacy.information)
    ]
    futility = design.stopping.futility if measure.role == "primary" else None
    return Boundaries(
        metric=measure.label,
        role=_role(measure),
        boundary=boundary_in_words(boundary_of(design.stopping), design.stopping.parameter),
        alpha=efficacy.alpha,
        sides=efficacy.sides,
        futility=None if futility is None else boundary_in_words(futility.spending, futility.parameter),
        binding=futility is not None and futility.binding,
        inflation=needed.size.plan.inflation,
        looks=tuple(looks),
        truths=_under_truths(design, measure, needed, efficacy, futile),
    )


def _under_truths(
    design: Design,
    measure: Measure,
    needed: Requirement,
    efficacy: GroupSequentialDesign,
    futile: GroupSequentialDesign | None,
) -> tuple[UnderTruth, ...]:
    """No, half and the full planned effect, at the planned n, which may be more than this metric needs.

    Crossings on the worse side stop too, whichever sides the level counts.
    """
    stopping, plan = design.stopping, design.plan
    powered = futile or group_sequential_design(
        boundary_of(stopping),
        efficacy.alpha,
        efficacy.information,
        efficacy.sides,
        stopping.parameter,
        power=plan.power_per_test,
    )
    drift = (powered.drift or 0.0) * math.sqrt(plan.n_per_arm[0] / needed.n_per_arm[0])
    found = stopping_probabilities(
        efficacy.information,
        efficacy.critical,
        2 if futile is None else 1,
        (0.0, drift / 2, drift),
        None if futile is None else futile.futility,
    )
    return tuple(
        UnderTruth(
            truth=truth,
            mean_units=plan.total * under.expected_information,
            efficacy=sum(under.efficacy),
            harm=sum(under.harm) if futile is None else None,
            futility=sum(under.futility[:-1]),
        )
        for truth, under in zip(_truths(measure), found, strict=True)
    )


def _truths(measure: Measure) -> tuple[str, str, str]:
    if measure.margin is None:
        return "no effect", "half the planned effect", "the planned effect"
    return "worse by just the margin", "worse by half the margin", "no true difference"


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
                role=_role(measure),
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


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
