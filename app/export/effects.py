"""Tables of effects: what each arm shows, the difference with its interval, and how the numbers were made."""

from __future__ import annotations

from collections.abc import Sequence

from app.export.blocks import Cell, Counted, Table, table
from app.formats import (
    NOTHING,
    Quantity,
    count,
    level,
    p_value,
    planned_effect,
    quantities,
    relative_effect,
    share,
    significant,
)
from app.readings import comparison_name, reading
from experiments.readouts.readout import ArmValue, Comparison, Segment, Sensitivity

_NUMERIC = (
    "Control",
    "Difference",
    "p",
    "Adjusted p",
    "Units",
    "Missing",
    "Value",
    "Count",
    "Standard deviation",
    "Requests",
)

_ROLES = {"must-hold": "must hold", "monitor": "monitored only", "harm-stop": "harm stop"}


def effects_table(
    caption: str,
    comparisons: Sequence[Comparison],
    *,
    called: str = "Metric",
    names: Sequence[str] | None = None,
) -> Table:
    """One row per comparison: both arms, the difference, its interval, what it is held against, and the reading.

    Args:
        called: heading of the first column.
        names: what stands in it; by default the metric.
    """
    ci = _interval_heading(comparisons)
    records: list[dict[str, Cell]] = []
    for row, c, quantity in zip(
        _row_names(comparisons, called, names), comparisons, quantities(comparisons), strict=True
    ):
        record: dict[str, Cell] = {
            **row,
            "Control": _arm(c.control_value, quantity),
            "Treatment": _arm(c.treatment_value, quantity),
            "Difference": "not computed" if c.estimate is None else quantity.effect(c.estimate),
            ci: _interval(c, quantity, ci),
            "p": p_value(c.p_value),
            "Adjusted p": p_value(c.adjusted_p_value),
            "Planned effect": _planned(c, quantity),
            "Margin": _margin(c, quantity),
            "Reading": NOTHING if not c.state or c.state.endswith(".") else reading(c.state),
        }
        records.append(record)
    return table(caption, records, numeric=(*_NUMERIC, "Treatment", ci))


def arms_table(
    caption: str,
    comparisons: Sequence[Comparison],
    *,
    called: str = "Metric",
    names: Sequence[str] | None = None,
) -> Table:
    """What each arm shows, with every count behind it; an arm that stands in several comparisons is shown once."""
    shown = names if names is not None else [comparison_name(c) for c in comparisons]
    records: dict[tuple[str, ArmValue], dict[str, Cell]] = {}
    for name, c, quantity in zip(shown, comparisons, quantities(comparisons), strict=True):
        for arm in (c.control_value, c.treatment_value):
            records[(name, arm)] = {
                called: name,
                "Arm": arm.arm,
                "Units": count(arm.n),
                "Missing": count(arm.missing),
                "Value": quantity.value(arm.value),
                "Count": NOTHING if arm.successes is None else count(arm.successes),
                "Standard deviation": NOTHING if arm.sd is None else significant(arm.sd),
                "Requests": NOTHING if arm.requests is None else count(arm.requests),
            }
    return table(caption, list(records.values()), numeric=_NUMERIC)


def methods_table(
    caption: str,
    comparisons: Sequence[Comparison],
    *,
    called: str = "Metric",
    names: Sequence[str] | None = None,
) -> Table:
    """How each number was made, what the corrections did, and why the margin is what it is."""
    records: list[dict[str, Cell]] = []
    rows = _row_names(comparisons, called, names)
    for row, c, quantity in zip(rows, comparisons, quantities(comparisons), strict=True):
        relative = relative_effect(c)
        unadjusted = c.unadjusted_estimate
        record: dict[str, Cell] = {
            **row,
            "Role": _ROLES.get(c.role, NOTHING),
            "Method": c.method,
            "Relative difference": NOTHING if relative is None else f"{relative}{_by(c.relative_method)}",
            "Without adjustment": NOTHING
            if unadjusted is None
            else quantity.with_interval(unadjusted, c.unadjusted),
            "Variance removed": NOTHING if c.variance_reduction is None else share(c.variance_reduction),
            "Multiplicity": c.multiplicity or NOTHING,
            "Why this margin": c.margin_reason or NOTHING,
            "Notes": "; ".join([*([f"not computed: {c.not_computed}"] if c.not_computed else []), *c.notes])
            or NOTHING,
        }
        records.append(record)
    return table(caption, records)


def behind(comparisons: Sequence[Comparison], called: str, names: Sequence[str]) -> tuple[Table, ...]:
    """The tables that stand behind a table of effects."""
    return (
        arms_table("What each arm shows", comparisons, called=called, names=names),
        methods_table("How the numbers were made", comparisons, called=called, names=names),
    )


def segment_tables(segment: Segment) -> tuple[Table, tuple[Table, ...]]:
    """A segment's levels, and what stands behind them; no reading, since a segment decides nothing."""
    names = [c.level or NOTHING for c in segment.comparisons]
    effects = effects_table(
        f"Effect by {segment.attribute}", segment.comparisons, called="Level", names=names
    )
    return effects, behind(segment.comparisons, "Level", names)


def sensitivity_tables(analyses: Sequence[Sensitivity]) -> tuple[Table, tuple[Table, ...]]:
    """The primary under each declared sensitivity analysis, and what stands behind it."""
    compared, names = [a.comparison for a in analyses], [a.analysis for a in analyses]
    caption = "The primary metric under each declared analysis"
    return effects_table(caption, compared, called="Analysis", names=names), behind(
        compared, "Analysis", names
    )


def _row_names(
    comparisons: Sequence[Comparison], called: str, names: Sequence[str] | None
) -> list[dict[str, Cell]]:
    """What tells the rows apart: the metric (or the name given), the treatment arm, or both."""
    shown = list(names) if names is not None else [comparison_name(c) for c in comparisons]
    if len({c.treatment for c in comparisons}) == 1:
        return [{called: name} for name in shown]
    if len(set(shown)) == 1:
        return [{"Treatment arm": c.treatment} for c in comparisons]
    return [{called: name, "Treatment arm": c.treatment} for name, c in zip(shown, comparisons, strict=True)]


def _arm(arm: ArmValue, quantity: Quantity) -> Cell:
    if arm.value is None:
        return "no data"
    counted = f"{count(arm.successes)}/{count(arm.n)}" if arm.successes is not None else f"n = {count(arm.n)}"
    return Counted(quantity.value(arm.value), counted)


def _interval_heading(comparisons: Sequence[Comparison]) -> str:
    levels = {c.interval.level for c in comparisons if c.interval}
    return f"{level(levels.pop())} CI" if len(levels) == 1 else "Confidence interval"


def _interval(comparison: Comparison, quantity: Quantity, heading: str) -> str:
    if comparison.interval is None:
        return NOTHING
    bounds = quantity.bounds(comparison.interval)
    return bounds if heading.endswith(" CI") else f"{level(comparison.interval.level)}: {bounds}"


def _planned(comparison: Comparison, quantity: Quantity) -> str:
    planned = planned_effect(comparison)
    return NOTHING if planned is None else quantity.declared_effect(planned)


def _margin(comparison: Comparison, quantity: Quantity) -> str:
    """The effect at the margin; without one the size of the margin."""
    if comparison.limit is not None:
        return quantity.declared_effect(comparison.limit)
    return NOTHING if comparison.margin is None else quantity.declared(comparison.margin)


def _by(method: str | None) -> str:
    return f"; {method}" if method else ""
