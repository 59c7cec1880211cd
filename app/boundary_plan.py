"""What the group-sequential test of one deciding metric will look like, at the planned information, and where it stops."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from analysis.sequential.design import GroupSequentialDesign, group_sequential_design
from analysis.sequential.futility import stopping_probabilities
from app.declared_words import boundary_in_words
from experiments.designs.design import Design
from experiments.designs.measures import Measure
from experiments.designs.sample import Requirement
from experiments.designs.sequential import boundary_of, efficacy_design, futility_design


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


def boundaries_of(design: Design, measure: Measure, needed: Requirement) -> Boundaries:
    """The boundaries of a deciding metric, whose share of the sample size is ``needed``."""
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
        role="primary" if measure.role == "primary" else "must-hold",
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


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
