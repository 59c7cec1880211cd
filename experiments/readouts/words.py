"""The sentences of a readout, filled by code: absence of evidence is never called absence of an effect.

Wording follows one table of what to say and what not to say; people cannot type a verdict's sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import floor, log10

from experiments.readouts.readout import Check, Comparison, Interval, Look

THIN = "\u202f"


def count(n: int) -> str:
    """Thin-space thousands: 13 540."""
    return f"{n:,}".replace(",", THIN)


def date(at: datetime) -> str:
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def significant(value: float, digits: int = 3) -> str:
    """A number to so many significant digits, without an exponent where one can be avoided."""
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - floor(log10(abs(value))))
    return f"{value:.{min(decimals, 12)}f}"


def in_points(comparison: Comparison) -> bool:
    return comparison.unit == "percentage points" and comparison.scale == "absolute"


def amount(comparison: Comparison, value: float | None, *, signed: bool = False, unit: bool = True) -> str:
    """A difference in words: ``+1.14 percentage points``, ``6.2 ms``, ``3.0%``; the digits follow the interval's width."""
    if value is None:
        return "unbounded"
    decimals = _decimals(comparison)
    if in_points(comparison):
        number, words = value * 100, " percentage points"
    elif comparison.scale == "relative":
        number, words = value * 100, "%"
    else:
        number, words = value, f" {comparison.unit}" if comparison.unit else ""
    text = f"{number:{'+' if signed else ''}.{decimals}f}".replace("-", "−")
    return text + (words if unit else "")


def _decimals(comparison: Comparison) -> int:
    """Two significant digits of the interval's half width (or of the estimate without one)."""
    factor = 100 if in_points(comparison) or comparison.scale == "relative" else 1
    found = comparison.interval
    if found is not None and found.low is not None and found.high is not None and found.high > found.low:
        size = (found.high - found.low) / 2 * factor
    else:
        size = abs(comparison.estimate or 1.0) * factor or 1.0
    return max(0, min(9, 1 - floor(log10(size))))


def level(found: Interval) -> str:
    return f"{found.level * 100:.6g}%"


def ci(comparison: Comparison, *, unit: bool = False) -> str:
    """``95% CI +0.21 to +2.08``."""
    found = comparison.interval
    if found is None:
        return "no interval"
    low = amount(comparison, found.low, signed=True, unit=False)
    high = amount(comparison, found.high, signed=True, unit=unit)
    return f"{level(found)} CI {low} to {high}"


def bounds(comparison: Comparison) -> str:
    """``+0.21 to +2.08 percentage points``."""
    found = comparison.interval
    if found is None:
        return "not computed"
    low = amount(comparison, found.low, signed=True, unit=False)
    return f"{low} to {amount(comparison, found.high, signed=True)}"


def p(value: float | None) -> str:
    if value is None:
        return "p not computed"
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.4f}"


def percent(probability: float) -> str:
    """A probability as a share of experiments: ``1.6%``."""
    return "less than 0.01%" if probability < 0.0001 else f"{significant(100 * probability, 2)}%"


def was(comparison: Comparison) -> str:
    """``task_success was 1.14 percentage points higher with v7 (95% CI …)``."""
    estimate = comparison.estimate or 0.0
    if estimate == 0:
        return f"{comparison.metric} differed by 0 between the arms ({ci(comparison)})"
    side = "higher" if estimate > 0 else "lower"
    return f"{comparison.metric} was {amount(comparison, abs(estimate))} {side} with {comparison.treatment} ({ci(comparison)})"


def harmful_bound(comparison: Comparison, *, signed: bool = True) -> str:
    """The interval's bound on the harmful side; without its sign, how much worse it could be."""
    found = comparison.interval
    bound = None if found is None else found.low if comparison.direction == "higher" else found.high
    if found is None:
        return "unknown"
    return amount(comparison, bound if signed or bound is None else abs(bound), signed=signed)


def margin_words(comparison: Comparison) -> str:
    if comparison.margin is None:
        return "no margin"
    return size(comparison.margin, comparison.margin_kind or "absolute", comparison.unit)


def mde_words(comparison: Comparison) -> str:
    return "no MDE" if comparison.mde is None else size(comparison.mde, "absolute", comparison.unit)


def size(value: float, kind: str, unit: str) -> str:
    """A declared effect or margin: ``1.5 percentage points``, ``5% of control``, ``20 ms``."""
    if kind == "relative":
        return f"{value * 100:g}% of control"
    return points(value) if unit == "percentage points" else f"{value:g} {unit}".strip()


def points(share: float) -> str:
    """A difference of shares: ``1.5 percentage points``."""
    number = f"{share * 100:g}"
    return f"{number} percentage point" + ("" if number == "1" else "s")


def kept(guardrails: Sequence[Comparison]) -> str:
    """``All 2 guardrails stayed within their margins.``"""
    if not guardrails:
        return "No guardrail was declared."
    if len(guardrails) == 1:
        return "The guardrail stayed within its margin."
    return f"All {len(guardrails)} guardrails stayed within their margins."


def checked(checks: Sequence[Check]) -> str:
    """``All 7 validity checks passed, 1 of them with a warning.``"""
    done = [check for check in checks if check.result in {"pass", "warn"}]
    warned = sum(1 for check in done if check.result == "warn")
    text = f"All {len(done)} validity checks passed" if len(done) > 1 else "The validity check passed"
    return f"{text}, {warned} of them with a warning." if warned else f"{text}."


def ship(primary: Comparison, guardrails: Sequence[Comparison], checks: Sequence[Check]) -> str:
    text = f"The declared success rule was met. {was(primary)}. {kept(guardrails)} {checked(checks)}"
    if below_mde(primary):
        text += (
            f" The interval lies below the planned {mde_words(primary)}: the improvement is smaller than the plan called "
            "worth shipping."
        )
    return text


def below_mde(primary: Comparison) -> bool:
    """Whether the whole interval lies below the MDE, on the improving side."""
    found = primary.interval
    if primary.mde is None or found is None:
        return False
    best = found.high if primary.direction == "higher" else (None if found.low is None else -found.low)
    return best is not None and best < primary.mde


def within_margin(primary: Comparison, guardrails: Sequence[Comparison], checks: Sequence[Check]) -> str:
    return (
        f"The declared success rule was met. {primary.metric} is within the margin of {margin_words(primary)} "
        f"(limit {harmful_bound(primary)}; {ci(primary)}). {kept(guardrails)} {checked(checks)}"
    )


def harmed(primary: Comparison) -> str:
    amount_words = amount(primary, abs(primary.estimate or 0.0))
    return f"{primary.metric} was worse with {primary.treatment} by {amount_words} ({ci(primary)})."


def guardrail_beyond(guardrail: Comparison) -> str:
    return (
        f"{named(guardrail)} was worse with {guardrail.treatment} by more than the accepted {margin_words(guardrail)} "
        f"({ci(guardrail)}), whatever the primary result."
    )


def guardrail_open(primary: Comparison, guardrail: Comparison) -> str:
    met = "improved" if primary.margin is None else "is within its margin"
    return (
        f"{primary.metric} {met} ({ci(primary)}) but {named(guardrail)} may be worse by up to "
        f"{harmful_bound(guardrail, signed=False)}; the accepted limit is {margin_words(guardrail)}."
    )


def ruled_out(primary: Comparison) -> str:
    return f"An improvement of {mde_words(primary)} or more was ruled out ({ci(primary)}). Smaller benefits remain possible."


def imprecise(primary: Comparison, more: int | None) -> str:
    found = primary.interval
    low = amount(primary, found.low if found else None, signed=True, unit=False)
    high = amount(primary, found.high if found else None, signed=True)
    needed = (
        f"the margin is {margin_words(primary)}"
        if primary.margin is not None
        else f"the plan needed {mde_words(primary)}"
    )
    text = (
        f"The experiment could not tell. The data are compatible with anything from {low} to {high}; {needed}. "
        "This is not evidence of no effect."
    )
    if more is not None:
        text += f" To decide, about {count(more)} units per arm in a new experiment."
    return text


def goes_on(look: Look) -> str:
    """All that is said of a look that goes on."""
    return f"No boundary was crossed at look {look.k}. The experiment continues as planned."


STOPS = {
    "STOP FOR EFFICACY": "the efficacy boundary was crossed and every guardrail that must hold was within its margin",
    "STOP FOR FUTILITY": "the futility boundary was crossed",
    "STOP FOR HARM": "a boundary for harm was crossed",
}


def stopped(look: Look) -> str:
    """How the last look ended: ``Stopped at look 2 of 3: the futility boundary was crossed.``"""
    if look.harm_stop is not None:
        return f"Stopped before look {look.k}: the harm stop on {look.harm_stop} tripped."
    where = f"look {look.k} of {look.of}"
    if look.decision in STOPS:
        return f"Stopped at {where}: {STOPS[look.decision]}."
    if look.stopped_by_hand:
        return f"Read at {where}, after a stop by hand."
    return f"Ended at {where}, the last: no look before it had met the rule for stopping."


def futile(primary: Comparison) -> str:
    return (
        f"{was(primary)}. With what is still to come, an improvement of {mde_words(primary)} was no longer likely to be shown. "
        "Smaller benefits remain possible."
        if primary.margin is None
        else f"{was(primary)}. With what is still to come, the margin was no longer likely to be ruled out."
    )


def harm_tripped(stops: Sequence[Comparison], look: Look) -> str:
    if not stops:
        return f"The harm stop on {look.harm_stop} tripped: it was surely worse than the declared limit."
    return " ".join(
        f"The harm stop on {named(stop)} tripped: it was worse with {stop.treatment} by more than the declared "
        f"{margin_words(stop)} ({ci(stop)})."
        for stop in stops
    )


def not_measured(missing: Sequence[Comparison]) -> str:
    parts = [f"{named(c)}: {c.not_computed or 'no data'}" for c in missing]
    return f"The experiment cannot decide, because what it declared was not measured: {'; '.join(parts)}. Missing never passes."


def stopped_by_hand(primary: Comparison) -> str:
    return (
        f"The experiment was stopped by hand before its declared end, so its declared error rates do not hold for a decision. "
        f"{was(primary)}."
    )


def invalid(failed: Sequence[Check]) -> str:
    parts = []
    allocation = [check for check in failed if check.name.startswith("Allocation")]
    if allocation:
        found = "; ".join(f"{check.name}: {check.detail}; {p(check.p_value)}" for check in allocation)
        parts.append(
            f"The groups were not formed as planned ({found}). Any difference could come from how units were assigned."
        )
    parts += [
        f"{check.name} failed ({check.detail}; rule: {check.rule})."
        for check in failed
        if check not in allocation
    ]
    return " ".join(parts) + " No effect is reported. Fix the cause and run again."


def secondary_reading(comparison: Comparison, *, rejected: bool) -> str:
    """A secondary metric in words: a difference is called one only where its adjusted p-value allows it."""
    if comparison.estimate is None or comparison.interval is None:
        return f"{comparison.label}: not computed ({comparison.not_computed})."
    if rejected:
        return was(comparison) + "."
    return (
        f"No evidence of a difference in {comparison.label} was found; the data are compatible with "
        f"{amount(comparison, comparison.interval.low, signed=True, unit=False)} to "
        f"{amount(comparison, comparison.interval.high, signed=True)}."
    )


def named(comparison: Comparison) -> str:
    """The metric, with the level it is of."""
    if comparison.segment is None:
        return comparison.label
    return f"{comparison.metric} at {comparison.segment} = {comparison.level}"
