"""A guardrail: an interval held against a margin, never "not significant".

The margin is the largest worsening accepted, always above 0, in the metric's unit or relative to the control.
The interval is the two-sided one at 1 − 2α, so that each of its bounds errs with probability α.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Literal, get_args

from analysis.effects import Effect
from analysis.inference import Interval

Direction = Literal["higher", "lower"]
"""Which values of the metric are better."""


class GuardrailState(Enum):
    """What the data say of the margin. Only `WITHIN` passes; `MISSING` never does."""

    WITHIN = "within margin"
    BEYOND = "beyond margin"
    NOT_RULED_OUT = "margin not ruled out"
    MISSING = "missing"

    @property
    def passes(self) -> bool:
        """Whether a change may ship past a guardrail in this state."""
        return self is GuardrailState.WITHIN


@dataclass(frozen=True, slots=True)
class Guardrail:
    """One guardrail, judged.

    Attributes:
        state: the verdict on this guardrail.
        direction: which values are better.
        margin: largest worsening accepted, above 0, on the scale of the effect.
        scale: "absolute" (metric's own unit) or "relative" (to the control).
        limit: the effect at the margin: −margin where higher is better, +margin where lower is.
        harmful_bound: the interval's bound on the harmful side; None when missing.
        interval: two-sided at 1 − 2α; None when missing.
        reason: why the state is `MISSING`, else None.
    """

    state: GuardrailState
    direction: Direction
    margin: float
    scale: Literal["absolute", "relative"]
    limit: float
    harmful_bound: float | None
    interval: Interval | None
    reason: str | None = None


def judge(interval: Interval | None, margin: float, direction: Direction) -> GuardrailState:
    """State of a guardrail from the interval of its effect (treatment − control, or ratio − 1).

    A bound exactly at the margin is not inside it, as a p-value equal to α does not reject.

    Args:
        interval: lower and upper bound on the scale of the margin; None, or a bound that is not a number, is
            missing.
        margin: largest worsening accepted, above 0.
        direction: whether "higher" or "lower" values are better.

    Raises:
        ValueError: for a margin that is not above 0 and finite, or a direction that is neither.
    """
    limit = _limit(margin, direction)
    if interval is None or any(map(math.isnan, interval)):
        return GuardrailState.MISSING
    lower, upper = interval
    if lower > upper:
        raise ValueError(f"interval: ({lower}, {upper}) is not allowed; give the lower bound first")
    if direction == "higher":
        inside, outside = lower > limit, upper < limit
    else:
        inside, outside = upper < limit, lower > limit
    if inside:
        return GuardrailState.WITHIN
    return GuardrailState.BEYOND if outside else GuardrailState.NOT_RULED_OUT


def judge_effect(
    effect: Effect | None,
    margin: float,
    direction: Direction,
    *,
    minimum_units: int = 2,
    absent: str = "no data",
) -> Guardrail:
    """A guardrail judged from its effect, which must be two-sided at 2α and on the margin's scale.

    Args:
        effect: None where there is none, for example because its query failed; `absent` then says why.
        minimum_units: units that each arm must have, as the design declares; with fewer the guardrail is
            missing.

    Raises:
        ValueError: for a one-sided effect, or a margin or direction that is not allowed.
    """
    limit = _limit(margin, direction)
    if effect is None:
        return Guardrail(GuardrailState.MISSING, direction, margin, "absolute", limit, None, None, absent)
    if effect.alternative != "two-sided":
        raise ValueError(
            f"effect.alternative: {effect.alternative!r} is not allowed; give the two-sided effect at 2α, "
            "whose interval has the guardrail's level 1 − 2α"
        )
    reason = _why_missing(effect, minimum_units)
    if reason is not None or effect.ci is None:
        return Guardrail(GuardrailState.MISSING, direction, margin, effect.scale, limit, None, None, reason)
    state = judge(effect.ci, margin, direction)
    bound = effect.ci[0] if direction == "higher" else effect.ci[1]
    return Guardrail(state, direction, margin, effect.scale, limit, bound, effect.ci)


def worst(states: Iterable[GuardrailState]) -> GuardrailState:
    """State of a guardrail that must hold at every level of a segment: the worst, missing if there is none.

    From worst to best: beyond margin, missing, margin not ruled out, within margin.
    """
    found = set(states)
    for state in (GuardrailState.BEYOND, GuardrailState.MISSING, GuardrailState.NOT_RULED_OUT):
        if state in found:
            return state
    return GuardrailState.WITHIN if found else GuardrailState.MISSING


def _limit(margin: float, direction: str) -> float:
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"margin: {margin} is not allowed; give the largest worsening accepted, above 0")
    if direction not in get_args(Direction):
        raise ValueError(
            f"direction: {direction!r} is not allowed; give higher or lower, whichever is better"
        )
    return -margin if direction == "higher" else margin


def _why_missing(effect: Effect, minimum_units: int) -> str | None:
    arms = (("control", effect.n_control), ("treatment", effect.n_treatment))
    small = [f"{arm} arm: {n} units, {minimum_units} declared" for arm, n in arms if n < minimum_units]
    if small:
        return "; ".join(small)
    return effect.not_computed or ("no interval" if effect.ci is None else None)
