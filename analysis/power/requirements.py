"""One sample size for a whole design: β shared by primary and guardrails, and the metric that needs most."""

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.power.plan import refuse
from analysis.power.sample_size import SampleSize


@dataclass(frozen=True, slots=True)
class SplitBeta:
    """Power each test needs so that all of them succeed together with the declared power."""

    power: float  # declared, of the whole rule
    tests: int  # the primary and the must-hold guardrails
    beta_per_test: float
    power_per_test: float


@dataclass(frozen=True, slots=True)
class LargestRequirement:
    """The declared sample size, and the metric that asked for it."""

    name: str
    n_per_arm: tuple[int, ...]
    total: int
    totals: tuple[tuple[str, int], ...]  # what each metric needs, in the order declared


def split_beta(power: float, guardrails: int) -> SplitBeta:
    """Share β = 1 − power equally over the primary and its must-hold guardrails.

    By Bonferroni's inequality P(SHIP | primary = MDE, guardrails unharmed) ≥ 1 − Σβ, whatever the
    correlation of the metrics.

    Args:
        power: power declared for the whole rule.
        guardrails: how many guardrails must hold for a SHIP, 0 or more.
    """
    problems = []
    if not 0.5 <= power < 1:
        problems.append(f"power: {power} is not allowed; give at least 0.5 and below 1, for example 0.8")
    if guardrails < 0:
        problems.append(f"guardrails: {guardrails} is not allowed; give how many must hold, 0 or more")
    refuse(problems)
    tests = guardrails + 1
    beta = (1 - power) / tests
    return SplitBeta(power=power, tests=tests, beta_per_test=beta, power_per_test=1 - beta)


def largest_requirement(requirements: Mapping[str, SampleSize]) -> LargestRequirement:
    """The largest sample size that any declared metric needs; the first declared of equals.

    Raises:
        ValueError: if there is no requirement, or the arms or their ratios differ between metrics.
    """
    if not requirements:
        raise ValueError("requirements: none given; give the sample size of at least the primary metric")
    shares = {name: tuple(w / sum(s.allocation) for w in s.allocation) for name, s in requirements.items()}
    first, *others = shares.items()
    for name, share in others:
        if len(share) != len(first[1]) or any(
            abs(a - b) > 1e-9 for a, b in zip(share, first[1], strict=True)
        ):
            raise ValueError(
                f"requirements: {name} is planned for allocation {requirements[name].allocation} and "
                f"{first[0]} for {requirements[first[0]].allocation}; plan all for the experiment's own"
            )
    name = max(requirements, key=lambda n: requirements[n].total)
    largest = requirements[name]
    totals = tuple((n, s.total) for n, s in requirements.items())
    return LargestRequirement(name, largest.n_per_arm, largest.total, totals)
