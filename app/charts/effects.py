"""Forests of a readout's effects: the primary, its declared segments, its sensitivity analyses."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from app.charts.drawing import WIDTH, Chart, Columns, Drawn, composed, finished
from app.charts.forest import Line, Row, panel
from app.formats import Quantity, count, level, p_clause, planned_effect
from app.readings import reading
from experiments.readouts.readout import Comparison, Segment, Sensitivity


@composed
def primary_forest(comparisons: Sequence[Comparison], *, width: int = WIDTH) -> Drawn:
    """The primary metric, one row per treatment, with the planned effect (or the margin) and the line of no difference.

    Args:
        comparisons: at least one, of one metric.
    """
    quantity = Quantity.of(comparisons)
    rows = [
        Row(c, c.treatment, effect_words(c, quantity), reading(c.state), declared_lines(c, quantity))
        for c in comparisons
    ]
    sentence = " ".join(
        f"{c.label} with {c.treatment} against {c.control_value.arm}: {effect_words(c, quantity)}; "
        f"{_held_against(c, quantity)}reading: {reading(c.state).words}."
        for c in comparisons
    )
    table: Columns = {
        "Treatment": tuple(c.treatment for c in comparisons),
        **effect_columns(comparisons, [quantity] * len(comparisons)),
        "Held against": tuple(declared_line(c, quantity) for c in comparisons),
        "Reading": tuple(str(reading(c.state)) for c in comparisons),
    }
    title = f"{comparisons[0].label}, against {comparisons[0].control_value.arm}"
    return Drawn(finished(panel(rows, quantity, title=title, width=width), sentence), table, sentence)


@composed
def segment_forest(segment: Segment, primary: Sequence[Comparison], *, width: int = WIDTH) -> Drawn:
    """A declared segment: the primary by level, against the effect in all units. No colours and no verdict words.

    Args:
        segment: with at least one comparison.
        primary: the primary's comparisons, of which the same treatment's on the same scale is drawn through all rows.
    """
    compared = segment.comparisons
    treatments = list(dict.fromkeys(c.treatment for c in compared))
    whole = {c.treatment: c for c in primary if c.scale == compared[0].scale and c.estimate is not None}
    quantity = Quantity.of([*(whole[t] for t in treatments if t in whole), *compared])
    panels = []
    for treatment in treatments:
        rows = [
            Row(c, f"{c.level} (n = {units_compared(c)})", effect_words(c, quantity))
            for c in compared
            if c.treatment == treatment
        ]
        overall = whole[treatment].estimate if treatment in whole else None
        title = f"{treatment} against {compared[0].control_value.arm}, by {segment.attribute}"
        if overall is not None:
            title += f"; dashed: all units, {quantity.effect(overall)}"
        panels.append(panel(rows, quantity, overall=overall, title=title, width=width))
    sentence = (
        f"{compared[0].metric} by {segment.attribute}, {', '.join(treatments)}: {interaction_words(segment)}."
    )
    table: Columns = {
        "Level": tuple(c.level or "" for c in compared),
        "Treatment": tuple(c.treatment for c in compared),
        "Units": tuple(units_compared(c) for c in compared),
        **effect_columns(compared, [quantity] * len(compared)),
    }
    return Drawn(finished(stacked(panels), sentence), table, sentence)


@composed
def sensitivity_forest(
    analyses: Sequence[Sensitivity], primary: Sequence[Comparison], *, width: int = WIDTH
) -> Drawn:
    """The same estimate under each declared sensitivity analysis, below the one that decides."""
    scale = analyses[0].comparison.scale
    deciding = [c for c in primary if c.scale == scale]
    compared = [*deciding, *(a.comparison for a in analyses)]
    several = len({c.treatment for c in compared}) > 1
    names = [
        f"{c.treatment}: {name}" if several else name
        for c, name in [
            *((c, "as declared") for c in deciding),
            *((a.comparison, a.analysis) for a in analyses),
        ]
    ]
    quantity = Quantity.of(compared)
    rows = [
        Row(c, name, effect_words(c, quantity), reading(c.state) if c.state else None)
        for name, c in zip(names, compared, strict=True)
    ]
    sentence = " ".join(
        f"{name}: {effect_words(c, quantity)}." for name, c in zip(names, compared, strict=True)
    )
    table: Columns = {"Analysis": tuple(names), **effect_columns(compared, [quantity] * len(compared))}
    return Drawn(finished(panel(rows, quantity, width=width), sentence), table, sentence)


def effect_words(comparison: Comparison, quantity: Quantity) -> str:
    """The estimate with its interval, and why there is none or why it does not count."""
    if comparison.estimate is None:
        return f"not computed: {comparison.not_computed or 'no reason was recorded'}"
    shown = quantity.with_interval(comparison.estimate, comparison.interval)
    return f"{shown}; {comparison.not_computed}" if comparison.not_computed else shown


def interaction_words(segment: Segment) -> str:
    """What the interaction test says, or why it says nothing."""
    if segment.interaction_p_value is None:
        return f"interaction test not computed: {segment.not_computed or segment.interaction_method}"
    words = f"interaction test ({segment.interaction_method}) {p_clause(segment.interaction_p_value)}"
    if segment.adjusted_interaction_p_value is not None:
        words += f", adjusted {p_clause(segment.adjusted_interaction_p_value)}"
    return words


def units_compared(comparison: Comparison) -> str:
    return count(comparison.control_value.n + comparison.treatment_value.n)


def stacked(panels: Sequence[alt.LayerChart]) -> Chart:
    """Panels below one another, each with its own scale; a single one stays as it is."""
    if len(panels) == 1:
        return panels[0]
    stack: Chart = alt.vconcat(*panels, spacing=14).resolve_scale(x="independent", y="independent")
    return stack


def declared_lines(comparison: Comparison, quantity: Quantity) -> tuple[Line, ...]:
    """What the interval is held against: the margin, or else the planned effect."""
    if comparison.limit is not None:
        return (Line(comparison.limit, f"margin {quantity.declared_effect(comparison.limit)}"),)
    planned = planned_effect(comparison)
    return () if planned is None else (Line(planned, f"planned {quantity.declared_effect(planned)}"),)


def declared_line(comparison: Comparison, quantity: Quantity) -> str:
    """The margin or the planned effect in words."""
    return ", ".join(line.label for line in declared_lines(comparison, quantity)) or "none declared"


def _held_against(comparison: Comparison, quantity: Quantity) -> str:
    return "".join(f"{line.label}; " for line in declared_lines(comparison, quantity))


def effect_columns(comparisons: Sequence[Comparison], written: Sequence[Quantity]) -> Columns:
    """Difference and interval as columns of a table, each row in its own unit."""
    pairs = list(zip(comparisons, written, strict=True))
    return {
        "Difference": tuple("not computed" if c.estimate is None else q.effect(c.estimate) for c, q in pairs),
        "Confidence interval": tuple(
            f"{level(c.interval.level)}: {q.bounds(c.interval)}" if c.interval else "not computed"
            for c, q in pairs
        ),
    }
