"""Who meets the candidate at a share of the traffic: the low end of the hash, with an equal control slice from the other end.

A unit's place depends on the salt alone, so the 1 % are inside the 5 %, and a unit that has met the candidate, or has been
control, is so at every larger share: nobody is ever moved from one to the other. Everybody between the two slices is not in
the canary and gets the champion. Positions are those of ``experiments.assignment.hashing``, whose test vectors hold here.
With a layer's salt (``layer:NAME``) a unit has the same place in the canary as in that layer, so that a later A/B test can
take the part of the layer which holds nobody of the canary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from sqlglot import exp

from experiments.assignment.hashing import (
    POSITIONS,
    Range,
    Unit,
    boundary,
    position,
    positions,
    text_problems,
)
from experiments.assignment.sql import hash_sql, lacks_unit, result, within
from experiments.canaries.design import CanaryDesign
from experiments.canaries.written import LARGEST_SHARE


@dataclass(frozen=True, slots=True)
class CanaryAssignment:
    """The two slices at one share.

    Attributes:
        share: of all units, for the candidate, and as much again for control; above 0, at most ½.
        control, candidate: what the logs call the arms.

    Raises:
        ValueError: every problem of salt, share and names.
    """

    salt: str
    share: Fraction
    control: str = "control"
    candidate: str = "candidate"

    def __post_init__(self) -> None:
        problems = [
            *text_problems("salt", self.salt),
            *text_problems("control", self.control),
            *text_problems("candidate", self.candidate),
        ]
        if not 0 < self.share <= LARGEST_SHARE:
            problems.append(
                f"share: {float(self.share):g} is not allowed; control takes as much as the candidate, so give more than 0 and at "
                "most 0.5"
            )
        elif boundary(self.share) == 0:
            problems.append("share: below 2^-52 no position is owned; give it at least 0.000001")
        if self.control == self.candidate:
            problems.append(
                f"candidate: {self.candidate!r} is the name of control as well; give each its own"
            )
        if problems:
            raise ValueError("\n".join(problems))

    @property
    def candidate_range(self) -> Range:
        return Range(0, boundary(self.share))

    @property
    def control_range(self) -> Range:
        return Range(POSITIONS - boundary(self.share), POSITIONS)

    def arm_of(self, unit: Unit) -> str | None:
        """The unit's arm, or None for the many who are not in the canary and get the champion.

        Raises:
            ValueError: if the unit is empty, or neither text nor an integer.
        """
        place = position(self.salt, unit)
        if place in self.candidate_range:
            return self.candidate
        return self.control if place in self.control_range else None

    def arms_of(self, units: Sequence[Unit]) -> list[str | None]:
        """``arm_of`` for every unit, in order; raises as it does."""
        places = positions(self.salt, units)
        answers: tuple[str | None, ...] = (None, self.candidate, self.control)
        found = (places < self.candidate_range.high) + 2 * (places >= self.control_range.low)
        return [answers[index] for index in found.tolist()]


def assignment_at(design: CanaryDesign, step: int) -> CanaryAssignment:
    """The slices of a step; 1 is the first.

    Raises:
        ValueError: the canary has no such step.
    """
    if not 1 <= step <= len(design.steps):
        raise ValueError(f"step: {step} is not allowed; give 1 to {len(design.steps)}")
    share = design.steps[step - 1].share
    return CanaryAssignment(design.salt, share, design.control.name, design.candidate.name)


def canary_arm_sql(unit_column: exp.Expression, assignment: CanaryAssignment) -> exp.Expression:
    """An expression for the unit's arm by the hash; NULL outside of the canary, and for a NULL or empty unit."""
    digits = hash_sql(unit_column, assignment.salt)
    return (
        exp.Case()
        .when(lacks_unit(unit_column), exp.null())
        .when(within(digits, assignment.candidate_range), exp.Literal.string(assignment.candidate))
        .when(within(digits.copy(), assignment.control_range), exp.Literal.string(assignment.control))
        .else_(exp.null())
    )


def canary_audit_sql(
    unit_column: exp.Expression, arm_column: exp.Expression, assignment: CanaryAssignment
) -> exp.Expression:
    """How a row of an assignments log stands to the hash: agrees, disagrees or no_unit, never NULL.

    A unit that the hash keeps out of the canary disagrees, whatever its logged arm.
    """
    agrees = exp.EQ(this=arm_column.copy(), expression=canary_arm_sql(unit_column, assignment))
    return (
        exp.Case()
        .when(lacks_unit(unit_column), result("no_unit"))
        .when(agrees, result("agrees"))
        .else_(result("disagrees"))
    )
