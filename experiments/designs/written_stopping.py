"""The stopping rule as people write it: one look, declared looks with boundaries, or a look at every step."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from experiments.forms.durations import DAY, WEEK, Duration
from experiments.forms.spellings import Count, Frozen, Number, Prose, Rate

Boundary = Literal[
    "lan-demets-obf",
    "lan-demets-pocock",
    "kim-demets",
    "hwang-shih-decani",
    "obrien-fleming",
    "pocock",
    "wang-tsiatis",
]
Spending = Literal["lan-demets-obf", "lan-demets-pocock", "kim-demets", "hwang-shih-decani"]

DEFAULT_LOOKS: Final = (0.4, 0.7, 1.0)
DEFAULT_BOUNDARY: Final = "lan-demets-obf"


class Futility(Frozen):
    """When the primary shows too little to go on: spending of the type-II error."""

    spending: Spending = Field(default="lan-demets-obf", description="how the type-II error is spent")
    parameter: Number | None = Field(default=None, description="its rho or gamma")
    binding: bool = Field(
        default=False, description="the critical values count on stopping; needs a one-sided primary"
    )


class Stopping(Frozen):
    """When outcomes are read. Enrolment for a look ends at the first whole step at which it is due."""

    rule: Literal["fixed", "group-sequential", "always-valid"] = Field(
        default="fixed",
        description="one look; declared looks with boundaries; or a look at every step, by a confidence sequence",
    )
    looks: tuple[Rate, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=50,
        description="group-sequential: planned shares of the information, the last 1; default: 0.4, 0.7, 1",
    )
    at: tuple[Duration, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=50,
        description="group-sequential: enrolment time of each look instead, with whatever information has come by then",
    )
    boundary: Boundary | None = Field(default=None, description="group-sequential; default: lan-demets-obf")
    parameter: Number | None = Field(
        default=None,
        description="of the boundary: rho (kim-demets), gamma (hwang-shih-decani), delta (wang-tsiatis)",
    )
    futility: Futility | None = Field(default=None, description="group-sequential; default: none")
    burn_in: Count | None = Field(
        default=None,
        ge=2,
        description="always-valid: units of the two arms compared before which nothing is said; required",
    )
    minimum_duration: Duration | None = Field(
        default=None,
        gt=0,
        description="of enrolment before any look; default: what the traffic needs with one look, else one step",
    )
    maximum_duration: Duration | None = Field(
        default=None, gt=0, description="of enrolment; default: twice what the traffic needs"
    )
    step: Duration = Field(
        default=WEEK, ge=DAY, description="enrolment ends on whole steps, so that weekdays balance"
    )
    part_weeks_reason: Prose | None = Field(
        default=None, min_length=5, description="required when enrolment may end within a week"
    )
    if_short: Literal["read", "abandon"] = Field(
        default="read", description="too few units at the maximum duration"
    )

    @property
    def sequential(self) -> bool:
        return self.rule != "fixed"
