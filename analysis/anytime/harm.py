"""Harm stops: a guardrail watched without end, which trips when its worsening is surely beyond the margin."""

import math
from dataclasses import dataclass
from typing import Literal

from analysis.anytime.sequence import SequencePlan, confidence_sequence


@dataclass(frozen=True, slots=True)
class HarmStop:
    """Whether a guardrail has tripped; the only thing a running experiment may show of it.

    Attributes:
        tripped: the worsening is beyond the margin at the declared level. None where it could not be judged,
            which is never a pass.
        worsening_at_least: the one-sided confidence sequence's bound on the worsening, in the metric's unit.
        p_value: always-valid, against a worsening of just the margin.
        not_computed: why the others are None.
    """

    tripped: bool | None
    worsening_at_least: float | None
    p_value: float | None
    not_computed: str | None


def harm_stop(
    estimate: float,
    variance: float,
    n: int,
    *,
    margin: float,
    harmful: Literal["increase", "decrease"],
    alpha: float,
    planned_n: float,
    burn_in: int,
) -> HarmStop:
    """One-sided confidence sequence of a guardrail's effect against its margin.

    It may be called at any time and as often as wanted: while the worsening is at most the margin, the
        probability
    that it ever trips is at most ``alpha`` (asymptotically; see ``sequence``).

    Args:
        estimate: treatment minus control.
        variance: per unit, as in ``confidence_sequence``.
        n: units so far in both arms.
        margin: largest worsening accepted, 0 or more, in the metric's unit.
        harmful: which sign of the effect is a worsening.
        alpha: the harm stop's own level, one-sided.
        planned_n: units at which the sequence is to be narrowest; fixed before the data.
        burn_in: units before which it never trips.

    Raises:
        ValueError: all faults of the parameters.
    """
    faults: list[str] = []
    if harmful not in ("increase", "decrease"):
        faults.append(f"harmful: {harmful!r} is not known; give increase or decrease")
    if not 0 <= margin < math.inf:
        faults.append(f"margin: {margin} is not allowed; give the largest worsening accepted, 0 or more")
    if faults:
        raise ValueError("; ".join(faults))
    worsening = estimate if harmful == "increase" else -estimate
    plan = SequencePlan(alpha, planned_n, burn_in, "greater")
    sequence = confidence_sequence(plan, worsening, variance, n, null=margin)
    if sequence.lower is None:
        return HarmStop(None, None, None, sequence.not_computed)
    return HarmStop(sequence.lower > margin, sequence.lower, sequence.p_value, None)
