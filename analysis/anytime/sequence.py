"""Confidence sequences for a mean or a difference: intervals that hold at every n at once.

The asymptotic normal-mixture sequence (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, Ann. Stat. 52, p.
2613; theorem 2.2) for any asymptotically linear estimate: a mean, a difference of means or proportions, a
regression-adjusted difference. It needs the estimate, the variance of its influence function and n, no more.

It is a limit theorem. Three things are declared with the design, because without them it misses its level
(at n = 1 or with heavy tails, false alarms of 9 to 20 % at a nominal 5 % were seen):

- the burn-in, a number of units before which the sequence says nothing;
- a cap on outcomes with heavy tails, applied before the moments are taken (this module sees moments only);
- the planned n, from which the mixture's precision is set; never the n reached.
"""

import math
from dataclasses import dataclass
from typing import Literal

from analysis.anytime.mixture import (
    evidence_p_value,
    log_mixture,
    mixture_bound,
    mixture_precision,
)

Alternative = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True, slots=True)
class SequencePlan:
    """What has to be fixed before the data for a confidence sequence.

    Attributes:
        alpha: level; the probability that the sequence ever excludes the truth, on the side or sides it has.
        planned_n: number of units, over all arms, at which the sequence is to be narrowest.
        burn_in: number of units before which nothing is said; 1 or more.
        alternative: "two-sided"; "greater" for a lower limit only, with its own one-sided mixture; "less"
            for an upper limit only.

    Raises:
        ValueError: all faults at once.
    """

    alpha: float
    planned_n: float
    burn_in: int
    alternative: Alternative = "two-sided"

    def __post_init__(self) -> None:
        faults: list[str] = []
        if self.alternative not in ("two-sided", "greater", "less"):
            faults.append(f"alternative: {self.alternative!r} is not known; give two-sided, greater or less")
        most = 1.0 if self.alternative == "two-sided" else 0.5
        if not 0 < self.alpha < most:
            faults.append(f"alpha: {self.alpha} is not allowed; give a level above 0 and below {most:g}")
        if not 1 <= self.planned_n < math.inf:
            faults.append(f"planned_n: {self.planned_n} is not allowed; give the n the design plans for")
        if not self.burn_in >= 1:
            faults.append(f"burn_in: {self.burn_in} is not allowed; give a number of units, for example 500")
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def one_sided(self) -> bool:
        return self.alternative != "two-sided"

    @property
    def precision(self) -> float:
        """Precision of the mixture, in units; see ``mixture_precision``."""
        return mixture_precision(self.planned_n, self.alpha, self.one_sided)


@dataclass(frozen=True, slots=True)
class ConfidenceSequence:
    """A confidence sequence at one n.

    Attributes:
        n: units so far.
        estimate: as given.
        lower, upper: limits in the unit of the estimate, infinite on a side the sequence does not have. None
            where not computed.
        p_value: always-valid, against ``null``: below alpha just when the limits exclude ``null``.
        log_evidence: log of the martingale against ``null``.
        null: value tested.
        level: 1 - alpha, for all n together.
        not_computed: why the limits and the p-value are None.
    """

    n: int
    estimate: float
    lower: float | None
    upper: float | None
    p_value: float | None
    log_evidence: float | None
    null: float
    level: float
    not_computed: str | None


def confidence_sequence(
    plan: SequencePlan, estimate: float, variance: float, n: int, null: float = 0.0
) -> ConfidenceSequence:
    """The asymptotic normal-mixture confidence sequence at ``n`` units.

    ``estimate ± √(variance) · b(n) / n``, where b is the mixture's boundary for a sum of n terms of variance
    1; for a two-sided sequence ``b(n) = √((n + ρ) (log((n + ρ)/ρ) + 2 log(1/α)))`` (Waudby-Smith et al.
    2024, equation 9, with ρ = 1/ρ² of theirs).

    Args:
        plan: level, planned n, burn-in and sides.
        estimate: after ``n`` units.
        variance: per unit: the variance of the estimate's influence function, so that the squared standard
            error is ``variance / n``. For one mean it is the outcome's sample variance; for a difference of
            two arms it is ``n (s_t²/n_t + s_c²/n_c)`` with ``n = n_t + n_c``.
        n: units so far, over all arms.
        null: value to test.

    Raises:
        ValueError: a number that is not finite, a negative variance, or n below 1.
    """
    faults = [
        f"{name}: {value} is not allowed; give a finite number"
        for name, value in (("estimate", estimate), ("variance", variance), ("null", null))
        if not math.isfinite(value)
    ]
    if variance < 0:
        faults.append(f"variance: {variance} is not allowed; give 0 or more")
    if not n >= 1:
        faults.append(f"n: {n} is not allowed; give the number of units, 1 or more")
    if faults:
        raise ValueError("; ".join(faults))
    reason = None
    if n < plan.burn_in:
        reason = f"{n} units are fewer than the declared burn-in of {plan.burn_in}"
    elif variance == 0:
        reason = "the estimate has no variance; every unit has had the same outcome"
    if reason is not None:
        return ConfidenceSequence(n, estimate, None, None, None, None, null, 1 - plan.alpha, reason)
    deviation = math.sqrt(variance)
    half_width = deviation * mixture_bound(n, plan.alpha, plan.precision, plan.one_sided) / n
    total = n * (estimate - null) / deviation
    log_evidence = log_mixture(
        -total if plan.alternative == "less" else total, n, plan.precision, plan.one_sided
    )
    return ConfidenceSequence(
        n=n,
        estimate=estimate,
        lower=-math.inf if plan.alternative == "less" else estimate - half_width,
        upper=math.inf if plan.alternative == "greater" else estimate + half_width,
        p_value=evidence_p_value(log_evidence),
        log_evidence=log_evidence,
        null=null,
        level=1 - plan.alpha,
        not_computed=None,
    )


def difference_sequence(
    plan: SequencePlan, estimate: float, squared_standard_error: float, n: int, null: float = 0.0
) -> ConfidenceSequence:
    """The sequence for a difference of two arms from its squared standard error.

    Args:
        plan: level, planned n (both arms together), burn-in and sides.
        estimate: treatment minus control: of means, proportions or regression-adjusted means.
        squared_standard_error: of that difference, for example ``s_t²/n_t + s_c²/n_c``.
        n: units in both arms together.
        null: value to test.
    """
    return confidence_sequence(plan, estimate, n * squared_standard_error, n, null)


@dataclass(frozen=True, slots=True)
class RunningSequence:
    """What a confidence sequence has shown so far; the caller keeps it from look to look.

    Attributes:
        last_n: n of the last sequence taken in.
        lower, upper: intersection of all limits so far.
        p_value: the smallest so far; below alpha just when some interval has excluded the null.
    """

    last_n: int = 0
    lower: float = -math.inf
    upper: float = math.inf
    p_value: float = 1.0

    @property
    def contradictory(self) -> bool:
        """Whether the intervals so far have no value in common: the effect moved, or the limit theorem
        failed.
        """
        return self.lower > self.upper

    def updated(self, sequence: ConfidenceSequence) -> "RunningSequence":
        """The state after another look. A look without a result changes only ``last_n``.

        Raises:
            ValueError: fewer units than before; a sequence does not go back.
        """
        if sequence.n < self.last_n:
            raise ValueError(f"n: {sequence.n} is not allowed after {self.last_n}; units never become fewer")
        if sequence.lower is None or sequence.upper is None or sequence.p_value is None:
            return RunningSequence(sequence.n, self.lower, self.upper, self.p_value)
        return RunningSequence(
            sequence.n,
            max(self.lower, sequence.lower),
            min(self.upper, sequence.upper),
            min(self.p_value, sequence.p_value),
        )
