"""A paired comparison by user under its stopping rule: one look, several declared ones, or any number.

What is counted is users, each once, with its pairs. Strictly a user's sum has to be complete when it is counted
(the user's declared window is over): only then are the looks' statistics sums over ever more independent users,
which boundaries and confidence sequences rest on. Users who were counted and still send were measured as well, and
the level held (docs/guarantees.md).

Information is users over planned users. The z of a look is the comparison's own test at the null, on the normal
scale, above 0 where the candidate is better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scipy.special import ndtri

from analysis.anytime.mixture import evidence_p_value, log_mixture, mixture_bound
from analysis.anytime.sequence import Alternative, SequencePlan
from analysis.inference import p_value as tail_p_value
from analysis.paired.comparisons import Comparison
from analysis.sequential.design import GroupSequentialDesign
from analysis.sequential.monitoring import boundaries_at, repeated_p_value

Rule = Literal["fixed", "group-sequential", "always-valid"]


@dataclass(frozen=True, slots=True)
class DeclaredTest:
    """What a design says of one paired comparison.

    Attributes:
        alpha: level over all looks; the total over both sides when ``sides`` is 2.
        sides: 1 for a margin or a one-sided superiority, 2 for a difference.
        direction: whether a higher or a lower number is better.
        margin: largest worsening accepted, 0 or more, in the comparison's unit (a share for a relative
            change); 0 tests against no difference.

    Raises:
        ValueError: naming all that is not allowed.
    """

    alpha: float
    sides: Literal[1, 2] = 2
    direction: Literal["higher", "lower"] = "higher"
    margin: float = 0.0

    def __post_init__(self) -> None:
        problems = []
        if self.sides not in (1, 2):
            problems.append(f"sides: {self.sides} is not allowed; give 1 or 2")
        if not 0 < self.alpha < 0.5:
            problems.append(f"alpha: {self.alpha} is not allowed; give a level below 0.5, for example 0.025")
        if self.direction not in ("higher", "lower"):
            problems.append(
                f"direction: {self.direction!r} is unknown; say whether higher or lower is better"
            )
        if not 0 <= self.margin < math.inf:
            problems.append(f"margin: {self.margin} is not allowed; give the largest worsening accepted, ≥ 0")
        elif self.margin > 0 and self.sides == 2:
            problems.append("sides: 2 is not allowed with a margin, which only the harmful side can break")
        if problems:
            raise ValueError("\n".join(problems))

    @property
    def null(self) -> float:
        """The difference tested: the margin on the harmful side, or 0."""
        return 0.0 - self.margin if self.direction == "higher" else self.margin

    @property
    def towards_better(self) -> int:
        return 1 if self.direction == "higher" else -1

    @property
    def level(self) -> float:
        """Of the interval: 1 − α two-sided; 1 − 2α one-sided, each limit by itself of level α."""
        return 1 - 2 * self.alpha / self.sides


@dataclass(frozen=True, slots=True)
class PairedResult:
    """A paired comparison at a look.

    Attributes:
        rule: what the interval and p-value hold over: this look alone, all declared looks, any looks.
        name: of the comparison and its test.
        test: as declared.
        users: counted so far.
        estimate: candidate against champion, in the comparison's unit; None where there is none. It may stand
            without an interval.
        ci: interval at ``test.level``: the test's own inversion at ``critical``. Infinite where a look may
            not reject, or where users are too few for bounds.
        z: statistic against ``test.null``, above 0 where better.
        critical: the value that z must reach at this look.
        p_value: against the null: plain, repeated or always-valid.
        better: the whole interval is on the better side of ``test.null`` (with a margin: it is ruled out).
        worse: the whole interval is on the worse side of it.
        not_computed: why the other numbers are None; then ``better`` and ``worse`` are False.
    """

    rule: Rule
    name: str
    test: DeclaredTest
    users: int
    estimate: float | None
    ci: tuple[float, float] | None
    z: float | None
    critical: float | None
    p_value: float | None
    better: bool
    worse: bool
    not_computed: str | None = None


def at_one_look(comparison: Comparison, test: DeclaredTest) -> PairedResult:
    """The comparison at the only look there is."""
    z = _towards_better(comparison, test)
    if isinstance(z, str):
        return _none("fixed", comparison, test, z)
    critical = -float(ndtri(test.alpha / test.sides))
    side: Alternative = "two-sided" if test.sides == 2 else "greater"
    return _judged("fixed", comparison, test, z, critical, tail_p_value(z, math.inf, side))


def at_declared_looks(
    comparison: Comparison,
    test: DeclaredTest,
    design: GroupSequentialDesign,
    information: Sequence[float],
    *,
    final: bool = False,
) -> PairedResult:
    """The comparison at the last of several declared looks, with its repeated interval and p-value.

    Args:
        design: boundaries with the test's own level and sides.
        information: users over planned users at every look taken, this one included.
        final: this look is the last one although less than the planned users have come.

    Raises:
        ValueError: if the design's level or sides are not the test's, or the information does not rise.
    """
    if (design.alpha, design.sides) != (test.alpha, test.sides):
        raise ValueError(
            f"design: alpha {design.alpha} on {design.sides} sides, where the test declares {test.alpha} on "
            f"{test.sides}; give a design of the same"
        )
    bounds = boundaries_at(design, information, final)
    z = _towards_better(comparison, test)
    if isinstance(z, str):
        return _none("group-sequential", comparison, test, z)
    p_value = repeated_p_value(design, bounds.information, z, bounds.final)
    return _judged("group-sequential", comparison, test, z, bounds.critical[-1], p_value)


def at_any_look(
    comparison: Comparison, test: DeclaredTest, *, planned_users: float, burn_in: int
) -> PairedResult:
    """The comparison by the normal-mixture confidence sequence over users, valid at every look together.

    The sequence is that of `analysis.anytime.sequence` (Waudby-Smith et al. 2024), with the comparison's
    own statistic: z·√users is held against the mixture's boundary at ``users``. A one-sided test has two
    sequences, one for each limit, each of level α. It is a limit theorem: before ``burn_in`` users nothing is
    said.

    Args:
        planned_users: users at which it is to be narrowest; fixed in the design.
        burn_in: users before which nothing is said; fixed in the design.

    Raises:
        ValueError: naming what is not allowed.
    """
    plan = SequencePlan(test.alpha, planned_users, burn_in, "two-sided" if test.sides == 2 else "greater")
    users = comparison.users
    if users < burn_in:
        why = f"{users} users are fewer than the declared burn-in of {burn_in}"
        return _none("always-valid", comparison, test, why)
    z = _towards_better(comparison, test)
    if isinstance(z, str):
        return _none("always-valid", comparison, test, z)
    critical = mixture_bound(users, plan.alpha, plan.precision, plan.one_sided) / math.sqrt(users)
    evidence = log_mixture(z * math.sqrt(users), users, plan.precision, plan.one_sided)
    return _judged("always-valid", comparison, test, z, critical, evidence_p_value(evidence))


def _towards_better(comparison: Comparison, test: DeclaredTest) -> float | str:
    z = comparison.z(test.null)
    return z if isinstance(z, str) else test.towards_better * z


def _judged(
    rule: Rule, comparison: Comparison, test: DeclaredTest, z: float, critical: float, p_value: float
) -> PairedResult:
    """The interval at the critical value, and the verdict by z itself: the two agree but for rounding."""
    ci = comparison.interval(critical) if math.isfinite(critical) else None
    better, worse = z > critical, z < -critical
    if ci is None:
        ci = (-math.inf, math.inf)
        better = worse = False
    return PairedResult(
        rule=rule,
        name=comparison.name,
        test=test,
        users=comparison.users,
        estimate=comparison.estimate,
        ci=ci,
        z=z,
        critical=critical,
        p_value=p_value,
        better=better,
        worse=worse,
    )


def _none(rule: Rule, comparison: Comparison, test: DeclaredTest, why: str) -> PairedResult:
    blank = PairedResult(
        rule,
        comparison.name,
        test,
        comparison.users,
        comparison.estimate,
        None,
        None,
        None,
        None,
        False,
        False,
    )
    return replace(blank, not_computed=why)
