"""From a planned comparison to units per arm, and back: power, detectable effect and margin at a given n."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scipy.optimize import brentq

from analysis.power.comparison import Comparison
from analysis.power.plan import PowerPlan


@dataclass(frozen=True, slots=True)
class SampleSize:
    """Units needed in each arm, control first, and everything they were derived from.

    ``n_per_arm[i]`` is ``ceil(allocation[i] · N)`` for the smallest real N at which the hardest comparison
    has the declared power (``unrounded[i] = allocation[i] · N``): every arm is rounded up on its own, so the
    ratios are kept to within one unit and no arm is short.
    """

    n_per_arm: tuple[int, ...]
    total: int
    method: str
    alpha: float
    power: float
    sides: int
    allocation: tuple[float, ...]
    tail_alpha: float  # one-sided level of one comparison, after sharing alpha
    achieved_power: float  # of the hardest comparison, at n_per_arm
    unrounded: tuple[float, ...]
    comparisons: tuple[Comparison, ...]  # one per treatment arm
    plan: PowerPlan


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest effect (or margin) that has the declared power at a given n."""

    value: float | None
    n_per_arm: tuple[int, ...]
    alpha: float
    power: float
    sides: int
    method: str
    not_computed: str | None = None


def sample_size(planned: Comparison | Sequence[Comparison], plan: PowerPlan) -> SampleSize:
    """Units per arm for one comparison planned for every treatment arm, or one for each in order.

    Raises:
        ValueError: if there are neither one nor as many comparisons as treatment arms.
    """
    comparisons = _per_treatment(planned, plan)
    control, *treatments = plan.allocation
    tail_alpha = plan.tail_alpha
    independent = max(
        c.scale(control, w, tail_alpha, plan.power) for c, w in zip(comparisons, treatments, strict=True)
    )
    n = independent * plan.units_per_independent_unit
    unrounded = tuple(w * n for w in plan.allocation)
    fewest = max(c.smallest_arm for c in comparisons)
    n_per_arm = tuple(max(fewest, _ceil(u)) for u in unrounded)
    return SampleSize(
        n_per_arm=n_per_arm,
        total=sum(n_per_arm),
        method=comparisons[0].method,
        alpha=plan.alpha,
        power=plan.power,
        sides=plan.sides,
        allocation=plan.allocation,
        tail_alpha=tail_alpha,
        achieved_power=power_of(comparisons, n_per_arm, plan),
        unrounded=unrounded,
        comparisons=comparisons,
        plan=plan,
    )


def power_of(
    planned: Comparison | Sequence[Comparison], n_per_arm: Sequence[float], plan: PowerPlan
) -> float:
    """Power of the hardest comparison at ``n_per_arm`` units, control first; ``plan.power`` is not used.

    Raises:
        ValueError: if ``n_per_arm`` has not one positive number per arm.
    """
    comparisons = _per_treatment(planned, plan)
    if len(n_per_arm) != len(plan.allocation) or not all(n > 0 and math.isfinite(n) for n in n_per_arm):
        raise ValueError(
            f"n_per_arm: {tuple(n_per_arm)} is not allowed; "
            f"give one positive number for each of {len(plan.allocation)} arms"
        )
    factor = plan.units_per_independent_unit
    control, *treatments = (n / factor for n in n_per_arm)
    tail_alpha = plan.tail_alpha
    return min(c.power(control, n, tail_alpha) for c, n in zip(comparisons, treatments, strict=True))


def detectable_effect(
    planned: Comparison | Sequence[Comparison], n_per_arm: Sequence[int], plan: PowerPlan
) -> Detectable:
    """Smallest effect, of the sign of the planned one, that has ``plan.power`` at ``n_per_arm`` units.

    Raises:
        ValueError: if the comparison is against a margin, where :func:`detectable_margin` answers.
    """
    comparisons = _per_treatment(planned, plan)
    if any(c.margin is not None for c in comparisons):
        raise ValueError(
            "margin: a non-inferiority comparison has no detectable effect; ask detectable_margin"
        )
    sign = 1 if comparisons[0].effect > 0 else -1
    bound = min(abs(c.effect_bound(sign)) for c in comparisons)

    def surplus(size: float) -> float:
        return power_of([c.with_effect(sign * size) for c in comparisons], n_per_arm, plan) - plan.power

    size = _smallest_root(surplus, abs(comparisons[0].effect), bound)
    return _detectable(None if size is None else sign * size, comparisons, n_per_arm, plan, "effect")


def detectable_margin(
    planned: Comparison | Sequence[Comparison], n_per_arm: Sequence[int], plan: PowerPlan
) -> Detectable:
    """Smallest margin that is ruled out with ``plan.power`` at ``n_per_arm`` units and the planned truth.

    Raises:
        ValueError: if the comparison has no margin.
    """
    comparisons = _per_treatment(planned, plan)
    margins = [c.margin for c in comparisons if c.margin is not None]
    if len(margins) != len(comparisons):
        raise ValueError("margin: missing; a test for a difference has a detectable effect, not a margin")

    def surplus(size: float) -> float:
        try:
            moved = [c.with_margin(size) for c in comparisons]
        except ValueError:  # the true difference is beyond so small a margin
            return -plan.power
        return power_of(moved, n_per_arm, plan) - plan.power

    size = _smallest_root(surplus, margins[0], min(c.margin_bound() for c in comparisons))
    return _detectable(size, comparisons, n_per_arm, plan, "margin")


def _per_treatment(planned: Comparison | Sequence[Comparison], plan: PowerPlan) -> tuple[Comparison, ...]:
    treatments = len(plan.allocation) - 1
    comparisons = tuple(planned) if isinstance(planned, Sequence) else (planned,) * treatments
    if len(comparisons) != treatments:
        raise ValueError(
            f"comparisons: {len(comparisons)} planned for {treatments} treatment arms; give one for each"
        )
    return comparisons


def _detectable(
    value: float | None,
    comparisons: Sequence[Comparison],
    n_per_arm: Sequence[int],
    plan: PowerPlan,
    what: str,
) -> Detectable:
    return Detectable(
        value=value,
        n_per_arm=tuple(n_per_arm),
        alpha=plan.alpha,
        power=plan.power,
        sides=plan.sides,
        method=comparisons[0].method,
        not_computed=None
        if value is not None
        else f"no possible {what} reaches power {plan.power} with {tuple(n_per_arm)} units",
    )


def _ceil(n: float) -> int:
    # 100.00000000000003, the product of an exact 100 and rounding, is 100 units
    return math.ceil(n * (1 - 1e-12))


def _smallest_root(surplus: Callable[[float], float], start: float, bound: float) -> float | None:
    """First point where ``surplus`` turns non-negative between 0 and ``bound``; None where it never does."""
    if math.isinf(bound):
        high = start
        while surplus(high) < 0:
            high *= 2
        low = high
        while low > 0 and surplus(low) >= 0:
            high, low = low, low / 2
    else:
        # power need not rise all the way to the bound of a proportion, hence the walk
        low = high = 0.0
        for step in range(1, 257):
            low, high = high, bound * (step / 256 if step < 256 else 1 - 1e-12)
            if surplus(high) >= 0:
                break
        else:
            return None
        if low == 0:
            low = high
            while surplus(low) >= 0:
                high, low = low, low / 2
    root: float = brentq(surplus, low, high, xtol=1e-300, rtol=1e-13)
    # the side of the root on which the power is reached
    return root if surplus(root) >= 0 else root * (1 + 1e-12)
