"""The interval of each look taken: repeated intervals, or a confidence sequence. Nothing is drawn between the looks."""

from __future__ import annotations

import math

import altair as alt

from app.charts.drawing import WIDTH, Columns, Drawn, Record, composed, data, finished, pixels
from app.charts.palette import BLUE, INK, MUTED
from app.formats import THIN, Quantity, finite, p_value
from app.paths import bounds_words, crossed, held_against, interval_name, p_name, path_quantity, path_sentence
from experiments.readouts.readout import SequentialPath

HEIGHT = 260

_NAMES = 104
"""Pixels at the right of the intervals, for the names of their lines."""

_COLUMNS = ("value", "label", "name", "colour", "low", "high", "estimate")


@composed
def interval_chart(path: SequentialPath, planned_effect: float | None = None, *, width: int = WIDTH) -> Drawn:
    """The estimate with its interval at each look taken, nothing between the looks. Up is always better.

    Args:
        path: with at least one look.
        planned_effect: treatment − control, of a primary with an MDE.

    Raises:
        ValueError: no look was taken.
    """
    if not path.points:
        raise ValueError("path: no look is not allowed; a chart of looks needs one")
    quantity = path_quantity(path)
    sentence = path_sentence(path)
    marks = [
        (path.null, "no difference" if path.null == 0 else f"margin {quantity.declared_effect(path.null)}")
    ]
    if path.null != 0:
        marks.append((0.0, "no difference"))
    if planned_effect is not None:
        marks.append((planned_effect, f"planned {quantity.declared_effect(planned_effect)}"))
    low, high = _effect_domain(path, [at for at, _ in marks])
    records: list[Record] = [
        {
            "name": f"look {point.k}",
            "estimate": _shown(quantity, point.estimate),
            "low": _end(quantity, point.low, (low, high), low),
            "high": _end(quantity, point.high, (low, high), high),
            "label": bounds_words(path, point, quantity),
            "colour": BLUE.light if crossed(path, point) else INK.light,
        }
        for point in path.points
    ]
    for record in records:
        if record["estimate"] is None:
            record["low"] = record["high"] = None
    words = quantity.unit_words or "the metric"
    scale = alt.Scale(
        domain=[quantity.shown(low), quantity.shown(high)],
        reverse=path.direction == "lower",
        nice=False,
        zero=False,
    )
    axis = alt.Axis(
        title=f"worse   ←   difference in {words}   →   better",
        labelExpr=f"datum.value == 0 ? '0' : replace(format(datum.value, '+,.6~r'), regexp(',', 'g'), '{THIN}')",
        tickCount=6,
        grid=False,
    )
    x = alt.X(
        "name:N",
        sort=[str(record["name"]) for record in records],
        axis=alt.Axis(title=None, labelAngle=0, labelOverlap=True, ticks=False),
        scale=alt.Scale(paddingInner=0.6),
    )
    shown = alt.Chart(data(records, _COLUMNS))
    colour = alt.Color("colour:N", scale=None)
    layers = [
        *_marks(marks, quantity, scale, axis, width - _NAMES),
        shown.transform_filter("isValid(datum.low) && isValid(datum.high)")
        .mark_rule(strokeWidth=2.5)
        .encode(x=x, y=alt.Y("low:Q", scale=scale, axis=axis), y2=alt.Y2("high:Q"), color=colour),
        shown.transform_filter("isValid(datum.estimate)")
        .mark_point(filled=True, size=80, opacity=1, shape="circle")
        .encode(x=x, y=alt.Y("estimate:Q", scale=scale, axis=axis), color=colour),
        shown.transform_filter("!isValid(datum.estimate)")
        .mark_text(color=MUTED.light, text="not computed", dy=-9)
        .encode(x=x, y=alt.YDatum(quantity.shown(path.null), scale=scale)),
    ]
    chart = alt.LayerChart(layer=layers).properties(width=width - _NAMES, height=HEIGHT)
    return Drawn(finished(chart, sentence), _interval_table(path, quantity), sentence)


def _interval_table(path: SequentialPath, quantity: Quantity) -> Columns:
    name, p = interval_name(path), p_name(path)
    return {
        "Look": tuple(str(point.k) for point in path.points),
        "Estimate": tuple(
            "not computed" if point.estimate is None else quantity.effect(point.estimate)
            for point in path.points
        ),
        name[:1].upper() + name[1:]: tuple(bounds_words(path, point, quantity) for point in path.points),
        p[:1].upper() + p[1:]: tuple(p_value(point.p_value) for point in path.points),
        "Held against": tuple(held_against(path, quantity) for _ in path.points),
    }


def _marks(
    marks: list[tuple[float, str]], quantity: Quantity, scale: alt.Scale, axis: alt.Axis, width: int
) -> list[alt.Chart]:
    """Lines through all looks, each named at the right: no difference, the margin, the planned effect."""
    records: list[Record] = [{"value": quantity.shown(at), "label": label} for at, label in marks]
    base = alt.Chart(data(records, _COLUMNS))
    y = alt.Y("value:Q", scale=scale, axis=axis)
    return [
        base.mark_rule(strokeDash=[5, 4], color=MUTED.light).encode(y=y),
        base.mark_text(align="left", dx=4, fontSize=11, color=MUTED.light).encode(
            x=pixels(width), y=y, text=alt.Text("label:N")
        ),
    ]


def _effect_domain(path: SequentialPath, marks: list[float]) -> tuple[float, float]:
    """Everything that is drawn. Early intervals far wider than the last are cut at six times its width."""
    known = [(p.estimate, finite(p.low), finite(p.high)) for p in path.points]
    last = next(
        ((e, a, b) for e, a, b in reversed(known) if e is not None and (a is not None or b is not None)), None
    )
    numbers = [*marks, *(e for e, _, _ in known if e is not None)]
    if last is not None:
        e, a, b = last
        width = max(abs(e - bound) for bound in (a, b) if bound is not None) if e is not None else 1.0
        reach = [bound for _, low, high in known for bound in (low, high) if bound is not None]
        numbers += [min(max(bound, e - 6 * width), e + 6 * width) for bound in reach]
    low, high = min(numbers), max(numbers)
    room = 0.08 * (high - low) or 1.0
    return low - room, high + room


def _shown(quantity: Quantity, number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else quantity.shown(number)


def _end(quantity: Quantity, bound: float | None, domain: tuple[float, float], edge: float) -> float:
    """Where an interval ends in the chart; a bound that is open or farther ends at its edge."""
    known = finite(bound)
    return quantity.shown(edge if known is None else min(max(known, domain[0]), domain[1]))
