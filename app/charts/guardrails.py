"""Guardrails: each interval against its own margin, with the answer in words beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from app.charts.drawing import WIDTH, Columns, Drawn, composed, finished
from app.charts.effects import declared_line, declared_lines, effect_columns, effect_words, stacked
from app.charts.forest import Row, panel
from app.formats import Quantity, finite, quantities
from app.readings import comparison_name, reading
from experiments.readouts.readout import Comparison

Family = tuple[str, str, str, int]


@composed
def guardrail_forest(comparisons: Sequence[Comparison], *, width: int = WIDTH) -> Drawn:
    """Guardrails, one row each, in panels with a scale of their own per unit family.

    Args:
        comparisons: at least one, in the order of the readout.
    """
    several = len({c.treatment for c in comparisons}) > 1
    written = quantities(comparisons)
    families: dict[Family, list[tuple[Comparison, Quantity]]] = {}
    for c, quantity in zip(comparisons, written, strict=True):
        families.setdefault(_family(c, quantity), []).append((c, quantity))
    panels = [
        panel([_row(c, quantity, several) for c, quantity in members], members[0][1], width=width)
        for members in families.values()
    ]
    pairs = list(zip(comparisons, written, strict=True))
    sentence = " ".join(f"{_named(c, several)}: {margin_words(c, quantity)}" for c, quantity in pairs)
    table: Columns = {
        "Guardrail": tuple(comparison_name(c) for c in comparisons),
        "Treatment": tuple(c.treatment for c in comparisons),
        **effect_columns(comparisons, written),
        "Margin": tuple(declared_line(c, quantity) for c, quantity in pairs),
        "Reading": tuple(str(reading(c.state)) for c in comparisons),
    }
    return Drawn(finished(stacked(panels), sentence), table, sentence)


def margin_words(comparison: Comparison, quantity: Quantity) -> str:
    """What the interval says of the margin: "Within the margin of 20 ms (upper limit +11.0 ms)."""
    c = comparison
    bound = _harmful_bound(c)
    if c.margin is None or c.estimate is None or bound is None:
        return f"{reading(c.state).words}: {c.not_computed or 'no interval to hold against a margin'}."
    margin = quantity.declared(c.margin)
    side = "lower" if c.direction == "higher" else "upper"
    match c.state.casefold():
        case "within margin":
            return f"Within the margin of {margin} ({side} limit {quantity.effect(bound)})."
        case "beyond margin":
            interval = quantity.with_interval(c.estimate, c.interval)
            return f"Beyond the margin of {margin}: {interval}, {side} limit {quantity.effect(bound)}."
        case "margin not ruled out":
            return f"Margin not ruled out: could be worse by up to {quantity.size(bound)}; the limit is {margin}."
    reason = f"{c.not_computed}; " if c.not_computed else ""
    return f"{reading(c.state).words}: {reason}{quantity.with_interval(c.estimate, c.interval)}; margin {margin}."


def _row(comparison: Comparison, quantity: Quantity, several: bool) -> Row:
    return Row(
        comparison,
        _named(comparison, several),
        effect_words(comparison, quantity),
        reading(comparison.state),
        declared_lines(comparison, quantity),
    )


def _named(comparison: Comparison, several: bool) -> str:
    name = comparison_name(comparison)
    return f"{name}, {comparison.treatment}" if several else name


def _family(comparison: Comparison, quantity: Quantity) -> Family:
    """Rows on one scale: the same unit, the same better side, and margins of one order of magnitude."""
    magnitude = math.floor(math.log10(comparison.margin)) if comparison.margin else 0
    return quantity.unit, comparison.scale, comparison.direction, magnitude


def _harmful_bound(comparison: Comparison) -> float | None:
    if comparison.interval is None:
        return None
    return finite(comparison.interval.low if comparison.direction == "higher" else comparison.interval.high)
