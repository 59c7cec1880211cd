"""What a sample size must satisfy: error rates, allocation, and what scales the variance of a unit."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from analysis.power.many_to_one import dunnett_tail_alpha

Multiplicity = Literal["none", "bonferroni", "holm", "dunnett"]
Direction = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class PowerPlan:
    """The error rates and the allocation that a sample size is asked for.

    Args:
        alpha: level over all comparisons; two-sided when ``sides`` is 2. Strictly between 0 and 0.5.
        power: probability of rejecting in the right direction, at least 0.5 and below 1.
        sides: 1 or 2.
        allocation: one positive weight per arm, control first; only the ratios matter.
        comparisons: how many comparisons share ``alpha``; by default one per treatment arm.
        multiplicity: how they share it. ``bonferroni`` and ``holm`` (whose first step, the one that has to
            succeed, is Bonferroni's) give each ``alpha / comparisons``; ``dunnett`` uses the correlation of
            the comparisons with one control; ``none`` gives each the whole ``alpha``.
        variance_reduction: R² of the covariate adjustment (CUPED): the variance is multiplied by 1 − R².
        design_effect: variance of the estimate over that of as many independent units.
        inflation: maximum information of a sequential design over that of the fixed one.

    Raises:
        ValueError: naming every parameter that is not allowed.
    """

    alpha: float = 0.05
    power: float = 0.8
    sides: int = 2
    allocation: tuple[float, ...] = (1.0, 1.0)
    comparisons: int | None = None
    multiplicity: Multiplicity = "bonferroni"
    variance_reduction: float = 0.0
    design_effect: float = 1.0
    inflation: float = 1.0

    def __post_init__(self) -> None:
        refuse(self._problems())

    def _problems(self) -> Iterable[str]:
        if not 0 < self.alpha < 0.5:
            yield f"alpha: {self.alpha} is not allowed; give a level between 0 and 0.5, for example 0.05"
        if not 0.5 <= self.power < 1:
            yield f"power: {self.power} is not allowed; give at least 0.5 and below 1, for example 0.8"
        if self.sides not in (1, 2):
            yield f"sides: {self.sides} is not allowed; give 1 or 2"
        if len(self.allocation) < 2 or not all(w > 0 and math.isfinite(w) for w in self.allocation):
            yield (
                f"allocation: {self.allocation} is not allowed; give one positive weight per arm, "
                "control first, for example (1, 1)"
            )
        if self.comparisons is not None and self.comparisons < 1:
            yield f"comparisons: {self.comparisons} is not allowed; give how many share alpha, at least 1"
        if self.multiplicity not in ("none", "bonferroni", "holm", "dunnett"):
            yield f"multiplicity: {self.multiplicity!r} is unknown; give none, bonferroni, holm or dunnett"
        if self.multiplicity == "dunnett" and self.comparisons not in (None, len(self.allocation) - 1):
            yield (
                f"comparisons: {self.comparisons} is not allowed with dunnett, which is about "
                f"{len(self.allocation) - 1} treatment arms against one control; leave it out"
            )
        if not 0 <= self.variance_reduction < 1:
            yield (
                f"variance_reduction: {self.variance_reduction} is not allowed; "
                "give R² from 0 to below 1, for example 0.3"
            )
        if not (self.design_effect > 0 and math.isfinite(self.design_effect)):
            yield f"design_effect: {self.design_effect} is not allowed; give a positive factor, 1 for none"
        if not (self.inflation >= 1 and math.isfinite(self.inflation)):
            yield f"inflation: {self.inflation} is not allowed; give at least 1, which is a fixed design"

    @property
    def tail_alpha(self) -> float:
        """One-sided level at which one comparison is decided."""
        if self.multiplicity == "none":
            return self.alpha / self.sides
        if self.multiplicity == "dunnett":
            return dunnett_tail_alpha(self.alpha, self.sides, self.allocation)
        sharing = len(self.allocation) - 1 if self.comparisons is None else self.comparisons
        return self.alpha / self.sides / sharing

    @property
    def units_per_independent_unit(self) -> float:
        """How many units it takes to have the information of one unadjusted, independent unit."""
        return (1 - self.variance_reduction) * self.design_effect * self.inflation


def design_effect(cluster_size: float, icc: float, cluster_size_cv: float = 0.0) -> float:
    """Variance inflation by clustering: 1 + ((1 + CV²)·m − 1)·ICC.

    Kish (1965), section 5.4, for equal clusters; Eldridge, Ashby & Kerry (2006), Int J Epidemiol 35:1292,
    equation 3, for clusters whose size varies with coefficient of variation ``cluster_size_cv``.

    Args:
        cluster_size: mean number of analysis units per randomised unit, at least 1.
        icc: intra-cluster correlation, from 0 to 1.
        cluster_size_cv: standard deviation of the cluster size over its mean.
    """
    problems = []
    if not (cluster_size >= 1 and math.isfinite(cluster_size)):
        problems.append(f"cluster_size: {cluster_size} is not allowed; give the mean size, at least 1")
    if not 0 <= icc <= 1:
        problems.append(f"icc: {icc} is not allowed; give a correlation from 0 to 1")
    if not (cluster_size_cv >= 0 and math.isfinite(cluster_size_cv)):
        problems.append(f"cluster_size_cv: {cluster_size_cv} is not allowed; give 0 or more")
    refuse(problems)
    return 1 + ((1 + cluster_size_cv**2) * cluster_size - 1) * icc


def error_rates(alpha: float | None, sides: int | None, margin: float | None) -> tuple[float, int]:
    """The declared level and sidedness, or the house's: 0.05 two-sided, 0.025 one-sided against a margin."""
    if margin is None:
        return (0.05 if alpha is None else alpha), (2 if sides is None else sides)
    if sides == 2:
        raise ValueError(
            "sides: 2 is not allowed with a margin, which only the harmful side can break; "
            "leave it out or give 1, with the one-sided alpha"
        )
    return (0.025 if alpha is None else alpha), 1


def refuse(problems: Iterable[str]) -> None:
    """Raise one ValueError that names all the problems, if there are any."""
    found = list(problems)
    if found:
        raise ValueError("\n".join(found))
