"""Power of the primary metric's test over the number of units: for the planned effect, and for one smaller and larger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import altair as alt

from analysis.power import Comparison, power_of
from app.charts.drawing import WIDTH, Columns, Drawn, Record, composed, data, finished
from app.charts.palette import AMBER, BLUE, GRID, INK, MUTED, VERMILLION
from app.declared_words import amount_in_words
from app.formats import count, share
from experiments.designs.design import Design

HEIGHT = 260
FACTORS = (0.8, 1.0, 1.2)
"""Of the planned effect, or of the margin."""
REACH = 1.6
"""How far the chart goes, in planned units."""
STEPS = 40
IN_TABLE = (0.5, 0.75, 1.0, 1.25, 1.5)
"""Shares of the planned units that stand in the table."""

_COLUMNS = ("units", "power", "line", "label", "colour")
_DASHES = {0.8: [2, 3], 1.0: [1, 0], 1.2: [7, 4]}
_INKS = {0.8: VERMILLION, 1.0: BLUE, 1.2: AMBER}


@dataclass(frozen=True, slots=True)
class PowerLine:
    """Power at each number of units in the smallest arm, if the effect (or margin) were so many times the planned one."""

    factor: float
    units: tuple[int, ...]
    power: tuple[float, ...]


@composed
def power_curve(design: Design, *, width: int = WIDTH) -> Drawn:
    """The power curve of the primary metric, with the planned number of units and the power it is given marked."""
    planned = min(design.plan.n_per_arm)
    target = design.plan.power_per_test
    units = sorted({max(2, round(planned * REACH * step / STEPS)) for step in range(1, STEPS + 1)})
    lines = [line for factor in FACTORS if (line := power_line(design, factor, units)) is not None]
    sentence = _sentence(design, planned)
    records: list[Record] = [
        {"units": n, "power": power, "line": _name(line.factor, design), "colour": _INKS[line.factor].light}
        for line in lines
        for n, power in zip(line.units, line.power, strict=True)
    ]
    x = alt.X(
        "units:Q",
        scale=alt.Scale(domain=[0, REACH * planned], nice=False),
        axis=alt.Axis(title="units in the smallest arm", grid=False, tickCount=5, format=",d"),
    )
    y = alt.Y(
        "power:Q",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(title="power of this test", tickCount=5, format=".0%", grid=True),
    )
    layers: list[alt.Chart | alt.LayerChart] = [_rule(target, y), _planned(planned, x)]
    for line in lines:
        own = [record for record in records if record["line"] == _name(line.factor, design)]
        layers.append(
            alt.Chart(data(own, _COLUMNS))
            .mark_line(color=_INKS[line.factor].light, strokeDash=_DASHES[line.factor], strokeWidth=2)
            .encode(x=x, y=y)
        )
    layers.append(_labels(lines, design, planned, x, y))
    chart = alt.LayerChart(layer=layers).properties(width=width, height=HEIGHT)
    return Drawn(finished(chart, sentence), _table(design, planned), sentence)


def power_line(design: Design, factor: float, units: Sequence[int]) -> PowerLine | None:
    """The power of the primary's test; None where so large an effect cannot be, a rate above 1 for example."""
    size = design.plan.requirements[0].size
    try:
        comparisons = [_scaled(comparison, factor) for comparison in size.comparisons]
    except ValueError:
        return None
    shares = [float(arm.share) for arm in design.arms]
    smallest = min(shares)
    found = [power_of(comparisons, [n * one / smallest for one in shares], size.plan) for n in units]
    return PowerLine(factor, tuple(units), tuple(found))


def _scaled(comparison: Comparison, factor: float) -> Comparison:
    if comparison.margin is None:
        return comparison.with_effect(comparison.effect * factor)
    return replace(comparison, margin=comparison.margin * factor)  # type: ignore[type-var]


def _name(factor: float, design: Design) -> str:
    what = "effect" if design.primary.margin is None else "margin"
    return f"planned {what}" if factor == 1 else f"{factor:g} × {what}"


def _sentence(design: Design, planned: int) -> str:
    amount = design.primary.mde if design.primary.margin is None else design.primary.margin
    at = design.plan.requirements[0].power_at_plan
    said = "" if amount is None else f" of {amount_in_words(design.primary, amount)}"
    what = "the planned effect" if design.primary.margin is None else "no true difference and the margin"
    line = power_line(design, 0.8, [planned])
    less = "" if line is None else f"; with four fifths of that, {_percent(line.power[0])}"
    return (
        f"With {count(planned)} units in the smallest arm and {what}{said}, the test of {design.primary.label} has power "
        f"{_percent(at)}{less}."
    )


def _rule(target: float, y: alt.Y) -> alt.Chart:
    chart: alt.Chart = (
        alt.Chart(data([{"power": target}], _COLUMNS))
        .mark_rule(color=MUTED.light, strokeDash=[4, 4])
        .encode(y=y)
    )
    return chart


def _planned(planned: int, x: alt.X) -> alt.Chart:
    chart: alt.Chart = (
        alt.Chart(data([{"units": planned}], _COLUMNS)).mark_rule(color=GRID.light, strokeWidth=6).encode(x=x)
    )
    return chart


def _labels(lines: Sequence[PowerLine], design: Design, planned: int, x: alt.X, y: alt.Y) -> alt.LayerChart:
    """The planned number at the foot of its line, and right of it, below every curve, each line with its name."""
    texts: list[Record] = [
        {"units": planned, "power": 0.04, "label": f"planned: {count(planned)}", "colour": INK.light}
    ]
    samples: list[alt.Chart] = []
    for place, line in enumerate(reversed(lines)):
        height, colour = 0.48 - 0.09 * place, _INKS[line.factor].light
        ends: list[Record] = [{"units": planned * at, "power": height} for at in (1.03, 1.13)]
        samples.append(
            alt.Chart(data(ends, _COLUMNS))
            .mark_line(color=colour, strokeDash=_DASHES[line.factor], strokeWidth=2)
            .encode(x=x, y=y)
        )
        texts.append(
            {"units": planned * 1.14, "power": height, "label": _name(line.factor, design), "colour": colour}
        )
    words = (
        alt.Chart(data(texts, _COLUMNS))
        .mark_text(align="left", dx=4, fontSize=11)
        .encode(x=x, y=y, text="label:N", color=alt.Color("colour:N", scale=None))
    )
    return alt.LayerChart(layer=[*samples, words])


def _table(design: Design, planned: int) -> Columns:
    units = [max(2, round(planned * part)) for part in IN_TABLE]
    columns: dict[str, tuple[str, ...]] = {"units in the smallest arm": tuple(count(n) for n in units)}
    for factor in FACTORS:
        line = power_line(design, factor, units)
        columns[f"power at the {_name(factor, design)}"] = (
            tuple("cannot be" for _ in units)
            if line is None
            else tuple(_percent(power) for power in line.power)
        )
    return columns


def _percent(power: float) -> str:
    return "over 99.9%" if power >= 0.9995 else share(round(power, 3))
