"""A canary as the cohort reads a design: two equal arms, the guardrails as all its measures, no primary, no segments of it.

Units outside of the canary, where the logs name them, are a third arm, which the reading counts and leaves out.

``experiments.cohorts`` asks of a design no more than what stands here, so a canary's units go through the same cohort, in the
same order, and its values through the same exact sums as those of an A/B test.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from experiments.canaries.design import CanaryDesign
from experiments.canaries.written import CanaryAssignment
from experiments.designs.design import Design, ResolvedArm
from experiments.designs.measures import Measure
from experiments.designs.written import Condition, Rules, Validity


@dataclass(frozen=True, slots=True)
class WrittenCohort:
    """What the cohort reads of what was written."""

    source: str
    assignment: CanaryAssignment
    eligibility: tuple[Condition, ...]
    rules: Rules
    validity: Validity
    segments: tuple[str, ...] = ()
    sensitivity: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CanaryCohort:
    """What the cohort reads of a design."""

    key: str
    salt: str
    arms: tuple[ResolvedArm, ...]
    attributes: tuple[str, ...]
    guardrails: tuple[Measure, ...]
    measures: tuple[Measure, ...]
    maturity: int
    window: int
    written: WrittenCohort
    layer: None = None


def cohort_of(design: CanaryDesign) -> Design:
    """The canary in the place of a design; only what reads cohorts may be given it."""
    w = design.written
    outside = () if w.assignment.outside is None else (ResolvedArm(w.assignment.outside, Fraction(0), None),)
    cohort = CanaryCohort(
        key=design.key,
        salt=design.salt,
        arms=(*design.arms, *outside),
        attributes=design.attributes,
        guardrails=design.guardrails,
        measures=design.measures,
        maturity=design.maturity,
        window=design.window,
        written=WrittenCohort(w.source, w.assignment, w.eligibility, w.rules, w.validity),
    )
    return cast(Design, cohort)
