"""Forests: an estimate and its interval per row, against the lines that matter. Right is always better.

Each row says in words what it shows, above its interval, so that no colour, shape or position has to be decoded and
long names find room on a narrow page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import altair as alt

from app.charts.drawing import WIDTH, Record, data, pixels
from app.charts.palette import INK, LANE, MUTED, TONES
from app.formats import THIN, Quantity, finite
from app.readings import Reading
from experiments.readouts.readout import Comparison

_ALIGNMENTS: tuple[Literal["left", "center", "right"], ...] = ("left", "center", "right")
_Position = TypeVar("_Position", alt.X, alt.Y)

ROW = 78
_ABOVE, _BELOW = 49, 29
"""Pixels of a row above its interval (two lines of text) and below it (the names of its lines)."""

_NAME, _NUMBERS, _UNDER = -38, -21, 18
_LANE = 11
"""Half the height of the strip that an interval and its lines are drawn in, so that no line crosses a word."""

_CHARACTER = 7.2
"""Widest average character of bold text in pixels, so that a name ends before the words at the right."""

_ROW_COLUMNS = ("row", "name", "words", "numbers", "estimate", "low", "high", "colour", "shape")
_END_COLUMNS = ("row", "at", "end", "colour")
_LINE_COLUMNS = ("row", "top", "bottom", "at", "label", "align")


@dataclass(frozen=True, slots=True)
class Line:
    """A declared value that an interval is held against, drawn through its row and named below it."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """One interval.

    Attributes:
        name: what is compared.
        numbers: the estimate and interval in words, or why there is none.
        reading: the state, with its words, shape and colour; None where a row has no verdict to show.
    """

    comparison: Comparison
    name: str
    numbers: str
    reading: Reading | None = None
    lines: tuple[Line, ...] = ()

    @property
    def colour(self) -> str:
        return TONES[self.reading.tone].light if self.reading else INK.light


def panel(
    rows: Sequence[Row],
    quantity: Quantity,
    *,
    overall: float | None = None,
    title: str = "",
    width: int = WIDTH,
) -> alt.LayerChart:
    """Rows on one scale, the better side at the right.

    Args:
        rows: at least one; they share unit, scale and direction.
        quantity: how their numbers are written.
        overall: an effect drawn through all rows, dashed.
        title: stands above the rows.
    """
    low, high = _domain(rows, quantity, overall)
    reverse = rows[0].comparison.direction == "lower"
    scale = alt.Scale(domain=[low, high], reverse=reverse, nice=False, zero=False)
    x = alt.X("at:Q", scale=scale, axis=_axis(quantity))
    y = alt.Y(
        "row:Q",
        scale=alt.Scale(domain=[-_ABOVE / ROW, len(rows) - 1 + _BELOW / ROW], reverse=True, nice=False),
        axis=None,
    )
    colour = alt.Color("colour:N", scale=None)
    shown = alt.Chart(
        data([_record(i, row, quantity, low, high) for i, row in enumerate(rows)], _ROW_COLUMNS)
    )
    layers = [
        *_lanes(len(rows), quantity, overall, y),
        *_declared(rows, quantity, (low, high), reverse, x, y),
    ]
    layers += [
        shown.transform_filter("isValid(datum.low) && isValid(datum.high)")
        .mark_rule(strokeWidth=2.5)
        .encode(x=_on("low", x), x2=alt.X2("high:Q"), y=y, color=colour),
        *_ends(rows, quantity, low, high, x, y),
        shown.transform_filter("isValid(datum.estimate)")
        .mark_point(filled=True, size=95, opacity=1)
        .encode(x=_on("estimate", x), y=y, color=colour, shape=alt.Shape("shape:N", scale=None)),
        *_words(shown, rows, y, colour, width),
    ]
    whole = alt.LayerChart(layer=layers).properties(width=width, height=ROW * len(rows))
    return whole.properties(title=_heading(title)) if title else whole


def _axis(quantity: Quantity) -> alt.Axis:
    grouped = f"replace(format(datum.value, '+,.6~r'), regexp(',', 'g'), '{THIN}')"
    return alt.Axis(
        title=f"← worse   ·   difference in {quantity.unit_words or 'the metric'}   ·   better →",
        labelExpr=f"datum.value == 0 ? '0' : {grouped}",
        tickCount=6,
        labelOverlap=True,
        titlePadding=6,
        grid=False,
    )


def _heading(title: str) -> alt.TitleParams:
    return alt.TitleParams(
        title, anchor="start", fontSize=12, color=MUTED.light, fontWeight="normal", offset=6
    )


def _on(field: str, channel: _Position) -> _Position:
    """The same scale and axis, read from another column."""
    moved = channel.copy()
    moved.shorthand = f"{field}:Q"
    return moved


def _lanes(rows: int, quantity: Quantity, overall: float | None, y: alt.Y) -> list[alt.Chart]:
    """The strip of each row, with the line of no difference and the effect in all units."""
    strips: list[Record] = [
        {"row": row, "top": row - _LANE / ROW, "bottom": row + _LANE / ROW} for row in range(rows)
    ]
    base = alt.Chart(data(strips, ("row", "top", "bottom")))
    top = _on("top", y)
    lanes = [
        base.mark_rect(color=LANE.light).encode(y=top, y2=alt.Y2("bottom:Q")),
        base.mark_rule(color=INK.light).encode(x=alt.XDatum(0), y=top, y2=alt.Y2("bottom:Q")),
    ]
    if overall is not None:
        dashed = base.mark_rule(color=MUTED.light, strokeWidth=1.5, strokeDash=[4, 3])
        lanes.append(dashed.encode(x=alt.XDatum(quantity.shown(overall)), y=top, y2=alt.Y2("bottom:Q")))
    return lanes


def _declared(
    rows: Sequence[Row], quantity: Quantity, domain: tuple[float, float], reverse: bool, x: alt.X, y: alt.Y
) -> list[alt.Chart]:
    """The margin or planned effect of each row, dashed, with its name below."""
    records: list[Record] = []
    for index, row in enumerate(rows):
        for line in row.lines:
            at = quantity.shown(line.at)
            place = (at - domain[0]) / (domain[1] - domain[0])
            right = 1 - place if reverse else place
            align = "left" if right < 0.2 else "right" if right > 0.8 else "center"
            records.append(
                {
                    "row": index,
                    "top": index - _LANE / ROW,
                    "bottom": index + _LANE / ROW,
                    "at": at,
                    "label": line.label,
                    "align": align,
                }
            )
    if not records:
        return []
    base = alt.Chart(data(records, _LINE_COLUMNS))
    drawn = [
        base.mark_rule(strokeWidth=2.5, strokeDash=[4, 2], color=INK.light).encode(
            x=x, y=_on("top", y), y2=alt.Y2("bottom:Q")
        )
    ]
    for align in _ALIGNMENTS:
        if all(record["align"] != align for record in records):
            continue
        drawn.append(
            base.transform_filter(f"datum.align == '{align}'")
            .mark_text(align=align, baseline="middle", dy=_UNDER, fontSize=11, color=INK.light)
            .encode(x=x, y=y, text=alt.Text("label:N"))
        )
    return drawn


def _words(shown: alt.Chart, rows: Sequence[Row], y: alt.Y, colour: alt.Color, width: int) -> list[alt.Chart]:
    reserved = max((len(row.reading.words) for row in rows if row.reading), default=0) * _CHARACTER
    return [
        shown.mark_text(
            align="left", baseline="middle", dy=_NAME, fontWeight="bold", limit=width - reserved - 12
        ).encode(x=pixels(0), y=y, text=alt.Text("name:N")),
        shown.mark_text(align="left", baseline="middle", dy=_NUMBERS, color=MUTED.light, limit=width).encode(
            x=pixels(0), y=y, text=alt.Text("numbers:N")
        ),
        shown.mark_text(align="right", baseline="middle", dy=_NAME, fontWeight="bold").encode(
            x=pixels(width), y=y, text=alt.Text("words:N"), color=colour
        ),
    ]


def _record(index: int, row: Row, quantity: Quantity, low: float, high: float) -> Record:
    c = row.comparison
    measured = c.interval is not None and c.estimate is not None
    bound_low = finite(c.interval.low) if c.interval else None
    bound_high = finite(c.interval.high) if c.interval else None
    return {
        "row": index,
        "name": row.name,
        "words": row.reading.words if row.reading else "",
        "numbers": row.numbers,
        "estimate": None if c.estimate is None else quantity.shown(c.estimate),
        "low": None if not measured else low if bound_low is None else quantity.shown(bound_low),
        "high": None if not measured else high if bound_high is None else quantity.shown(bound_high),
        "colour": row.colour,
        "shape": row.reading.shape if row.reading else "circle",
    }


def _ends(
    rows: Sequence[Row], quantity: Quantity, low: float, high: float, x: alt.X, y: alt.Y
) -> list[alt.Chart]:
    """A short upright at each bound; an arrowhead on a side without one."""
    bounds: list[Record] = []
    arrows: list[Record] = []
    for index, row in enumerate(rows):
        interval = row.comparison.interval
        if interval is None or row.comparison.estimate is None:
            continue
        left, right = ("triangle-left", "triangle-right")
        if row.comparison.direction == "lower":
            left, right = right, left
        for bound, edge, outwards in ((interval.low, low, left), (interval.high, high, right)):
            known = finite(bound)
            if known is None:
                arrows.append({"row": index, "at": edge, "end": outwards, "colour": row.colour})
            else:
                bounds.append({"row": index, "at": quantity.shown(known), "colour": row.colour})
    colour = alt.Color("colour:N", scale=None)
    drawn = []
    if bounds:
        ticks = alt.Chart(data(bounds, _END_COLUMNS)).mark_tick(
            orient="vertical", size=12, thickness=2.5, opacity=1
        )
        drawn.append(ticks.encode(x=x, y=y, color=colour))
    if arrows:
        heads = alt.Chart(data(arrows, _END_COLUMNS)).mark_point(filled=True, size=70, opacity=1)
        drawn.append(heads.encode(x=x, y=y, color=colour, shape=alt.Shape("end:N", scale=None)))
    return drawn


def _domain(rows: Sequence[Row], quantity: Quantity, overall: float | None) -> tuple[float, float]:
    """From the smallest to the largest of everything drawn, zero included, with some air."""
    values = [0.0] if overall is None else [0.0, overall]
    for row in rows:
        interval = row.comparison.interval
        bounds = (interval.low, interval.high) if interval else ()
        values += [v for b in (row.comparison.estimate, *bounds) if (v := finite(b)) is not None]
        values += [line.at for line in row.lines]
    low, high = quantity.shown(min(values)), quantity.shown(max(values))
    air = 0.06 * (high - low) or 1.0
    return low - air, high + air
