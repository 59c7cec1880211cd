"""Is the effect the same at every level of a segment? Cochran's Q over the levels' own effects."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import chi2

from analysis.effects import Effect
from analysis.inference import critical_value


@dataclass(frozen=True, slots=True)
class Interaction:
    """Chi-squared test that all levels share one effect.

    Attributes:
        statistic: Cochran's Q; None when not computed.
        df: levels tested − 1; None when not computed.
        p_value: None when not computed.
        common: the effect weighted by precision over the levels tested, on the effects' own scale.
        levels: names of the levels tested.
        left_out: names of the levels without an effect or without an interval that has two ends.
        not_computed: why there is no p-value, else None.
    """

    statistic: float | None
    df: int | None
    p_value: float | None
    common: float | None
    levels: tuple[str, ...]
    left_out: tuple[str, ...]
    not_computed: str | None = None


def interaction(effects: Mapping[str, Effect]) -> Interaction:
    """Cochran's Q (1954, Biometrics 10, 101) for the effects in disjoint groups of units.

    Q = Σ w·(d − d̄)² with w = 1/SE², chi-squared on levels − 1 degrees of freedom. The standard error is the
    one that each interval implies, so that a score interval counts as wide as it is where few successes make
    it so.

    Args:
        effects: two-sided effects by level, all on one scale.

    Raises:
        ValueError: for a one-sided effect, or effects on different scales.
    """
    one_sided = [name for name, effect in effects.items() if effect.alternative != "two-sided"]
    if one_sided:
        raise ValueError(
            f"effects: one-sided at {', '.join(one_sided)}; give two-sided effects, whose intervals end"
        )
    scales = sorted({effect.scale for effect in effects.values()})
    if len(scales) > 1:
        raise ValueError(f"effects: on the scales {' and '.join(scales)}; give all on the same one")
    found = {name: _estimate_and_error(effect) for name, effect in effects.items()}
    usable = {name: pair for name, pair in found.items() if pair is not None}
    left_out = tuple(name for name, pair in found.items() if pair is None)
    if len(usable) < 2:
        reason = f"fewer than 2 levels with an interval (found {len(usable)})"
        return Interaction(None, None, None, None, tuple(usable), left_out, reason)
    weights = [1 / error**2 for _, error in usable.values()]
    estimates = [estimate for estimate, _ in usable.values()]
    common = math.fsum(w * d for w, d in zip(weights, estimates, strict=True)) / math.fsum(weights)
    q = math.fsum(w * (d - common) ** 2 for w, d in zip(weights, estimates, strict=True))
    df = len(usable) - 1
    return Interaction(q, df, float(chi2.sf(q, df)), common, tuple(usable), left_out)


def _estimate_and_error(effect: Effect) -> tuple[float, float] | None:
    if (
        effect.estimate is None
        or effect.ci is None
        or not all(map(math.isfinite, (effect.estimate, *effect.ci)))
    ):
        return None
    df = math.inf if effect.df is None else effect.df
    error = (effect.ci[1] - effect.ci[0]) / (2 * critical_value(effect.alpha, df, "two-sided"))
    return (effect.estimate, error) if error > 0 else None
