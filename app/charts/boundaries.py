"""z of a group-sequential test against its boundaries, over the information. Only looks taken have points."""

from __future__ import annotations

from collections.abc import Iterable

import altair as alt

from app.charts.drawing import WIDTH, Columns, Drawn, Record, composed, data, finished, pixels
from app.charts.palette import AMBER, BLUE, GREY, GRID, INK, MUTED, VERMILLION
from app.formats import NOTHING, decimal, instant, p_value, share
from app.paths import (
    critical_words,
    crossed,
    looks_to_come,
    nominal_level,
    path_sentence,
    z_words,
)
from experiments.readouts.readout import SequentialPath

HEIGHT = 260
_TALLEST = 5.0
"""A boundary above this z, and above every z seen, is drawn at the edge with its number: early looks may have 8 and more."""

_MOST_NAMED = 10
_CHARACTER = 5.9
"""Average character of the small bold type in pixels, so that the legend's entries stand apart."""

_COLUMNS = ("at", "value", "label", "colour")


@composed
def boundary_chart(path: SequentialPath, *, width: int = WIDTH) -> Drawn:
    """z at the looks taken against the boundaries at their information; looks to come are hollow.

    Args:
        path: of a group-sequential rule, with at least one look.

    Raises:
        ValueError: the path is of another rule, or has no look.
    """
    if path.rule != "group-sequential" or not path.points:
        raise ValueError(
            f"path: {path.rule} with {len(path.points)} looks is not allowed; give a group-sequential path"
        )
    sentence = path_sentence(path)
    scales = _Scales.of(path)
    upper = _boundary(path, scales, 1.0)
    lower = _boundary(path, scales, -1.0)
    futility = _futility(path, scales)
    names = ("efficacy", "worse side") if path.null == 0 else ("inside the margin", "beyond the margin")
    named = (
        (upper, names[0], BLUE.light, "triangle-up"),
        (futility, "futility", AMBER.light, "diamond"),
        (lower, names[1], VERMILLION.light, "triangle-down"),
    )
    legend = [
        *((name, colour, shape) for places, name, colour, shape in named if places),
        ("z at a look", INK.light, "circle"),
    ]
    if looks_to_come(path):
        legend.append(("hollow: look to come", MUTED.light, ""))
    layers = [
        alt.Chart(data([{"value": 0.0}], _COLUMNS)).mark_rule(color=GRID.light).encode(y=scales.y("value")),
        *_line(upper, scales, BLUE.light, "triangle-up", 9),
        *_line(lower, scales, VERMILLION.light, "triangle-down", -9),
        *_line(futility, scales, AMBER.light, "diamond", -9),
        *_path(path, scales),
        *_legend(legend),
    ]
    chart = alt.LayerChart(layer=layers).properties(width=width, height=HEIGHT)
    return Drawn(finished(chart, sentence), _boundary_table(path), sentence)


class _Scales:
    """The axes of a boundary chart, and where a z stands that is beyond them."""

    def __init__(self, right: float, low: float, high: float) -> None:
        self.right, self.low, self.high = right, low, high
        self._x = alt.Scale(domain=[0, right], nice=False)
        self._y = alt.Scale(domain=[low, high], nice=False, zero=False)

    @classmethod
    def of(cls, path: SequentialPath) -> _Scales:
        seen = [abs(point.z) for point in path.points if point.z is not None]
        criticals = [c for c in (*_criticals(path),) if c is not None]
        tallest = max([_TALLEST, *seen])
        high = max([2.5, *seen, *(c for c in criticals if c <= tallest)])
        if any(c > high for c in criticals):
            high = tallest
        information = [point.information for point in path.points] + [
            look.information for look in path.planned
        ]
        return cls(1.06 * max([1.0, *information]), -high - 0.6, high + 0.6)

    def x(self, field: str) -> alt.X:
        axis = alt.Axis(
            title="share of the planned information",
            labelExpr="format(datum.value, '.0%')",
            tickCount=6,
            grid=False,
            titlePadding=6,
        )
        return alt.X(f"{field}:Q", scale=self._x, axis=axis)

    def y(self, field: str) -> alt.Y:
        axis = alt.Axis(title="worse   ←   z   →   better", tickCount=7, grid=False)
        return alt.Y(f"{field}:Q", scale=self._y, axis=axis)

    def inside(self, z: float) -> float:
        return min(max(z, self.low), self.high)


def _criticals(path: SequentialPath) -> Iterable[float | None]:
    yield from (point.critical for point in path.points)
    yield from (look.critical for _, look in looks_to_come(path))


def _boundary(path: SequentialPath, scales: _Scales, side: float) -> list[tuple[Record, bool]]:
    """A boundary's places: at the looks taken as they were, at those to come as planned. True: taken."""
    taken = [((point.information, point.critical), True) for point in path.points]
    ahead = [((look.information, look.critical), False) for _, look in looks_to_come(path)]
    return [
        (_place(information, side * critical, scales), was_taken)
        for (information, critical), was_taken in (*taken, *ahead)
        if critical is not None
    ]


def _futility(path: SequentialPath, scales: _Scales) -> list[tuple[Record, bool]]:
    taken = [((point.information, point.futility), True) for point in path.points]
    ahead = [((look.information, look.futility), False) for _, look in looks_to_come(path)]
    return [
        (_place(information, bound, scales), was_taken)
        for (information, bound), was_taken in (*taken, *ahead)
        if bound is not None
    ]


def _place(information: float, z: float, scales: _Scales) -> Record:
    beyond = scales.inside(z) != z
    return {
        "at": information,
        "value": scales.inside(z),
        "label": f"{decimal(z, 2)} beyond" if beyond else "",
    }


def _line(
    places: list[tuple[Record, bool]], scales: _Scales, colour: str, shape: str, dy: int
) -> list[alt.Chart]:
    """A boundary: filled where a look was taken, hollow where one is to come, joined by a thin line."""
    if not places:
        return []
    every = alt.Chart(data([record for record, _ in places], _COLUMNS))
    layers = [
        every.mark_line(strokeWidth=1, strokeDash=[4, 3], color=colour).encode(
            x=scales.x("at"), y=scales.y("value")
        ),
        every.mark_text(fontSize=10, color=MUTED.light, align="left", dx=8, dy=dy).encode(
            x=scales.x("at"), y=scales.y("value"), text=alt.Text("label:N")
        ),
    ]
    for taken in (True, False):
        records = [record for record, was_taken in places if was_taken is taken]
        if records:
            mark = alt.Chart(data(records, _COLUMNS)).mark_point(
                shape=shape, filled=taken, size=52, opacity=1, color=colour, strokeWidth=1.5
            )
            layers.append(mark.encode(x=scales.x("at"), y=scales.y("value")))
    return layers


def _legend(entries: list[tuple[str, str, str]]) -> list[alt.Chart]:
    """What the marks are, above them, by shape as well as by colour."""
    drawn = []
    left = 6.0
    above = alt.YValue(-13)  # type: ignore[no-untyped-call]
    for words, colour, shape in entries:
        base = alt.Chart(data([{"label": words}], _COLUMNS))
        if shape:
            mark = base.mark_point(shape=shape, filled=True, size=52, opacity=1, color=colour)
            drawn.append(mark.encode(x=pixels(left), y=above))
        text = base.mark_text(
            align="left", fontSize=11, fontWeight="bold", dx=8 if shape else 0, color=colour
        )
        drawn.append(text.encode(x=pixels(left), y=above, text=alt.Text("label:N")))
        left += 30 + _CHARACTER * len(words)
    return drawn


def _path(path: SequentialPath, scales: _Scales) -> list[alt.Chart]:
    """z at the looks taken; nothing between them. Of many looks only the last is written out; the table has them all."""
    named = len(path.points) <= _MOST_NAMED
    records: list[Record] = [
        {
            "at": point.information,
            "value": scales.inside(point.z),
            "label": decimal(point.z, 2) if named or point is path.points[-1] else "",
            "colour": INK.light if crossed(path, point) else GREY.light,
        }
        for point in path.points
        if point.z is not None
    ]
    if not records:
        return []
    base = alt.Chart(data(records, _COLUMNS))
    return [
        base.mark_point(filled=True, size=110, opacity=1, shape="circle").encode(
            x=scales.x("at"), y=scales.y("value"), color=alt.Color("colour:N", scale=None)
        ),
        base.mark_text(align="left", dx=9, fontWeight="bold").encode(
            x=scales.x("at"), y=scales.y("value"), text=alt.Text("label:N")
        ),
    ]


def _boundary_table(path: SequentialPath) -> Columns:
    """The looks taken and those to come, with the level of each by itself."""
    rows = [
        (
            str(p.k),
            instant(p.cut_off),
            share(p.information),
            z_words(p.z),
            critical_words(p.critical),
            p_value(nominal_level(path, p.critical)),
            critical_words(p.futility),
            p_value(p.spent),
        )
        for p in path.points
    ]
    rows += [
        (
            f"{number}, not taken",
            NOTHING,
            share(look.information),
            NOTHING,
            critical_words(look.critical),
            p_value(nominal_level(path, look.critical)),
            critical_words(look.futility),
            p_value(look.spent),
        )
        for number, look in looks_to_come(path)
    ]
    headings = (
        "Look",
        "Exposed until",
        "Information",
        "z",
        "Critical z",
        "Nominal α",
        "Futility z",
        "α spent",
    )
    return dict(zip(headings, zip(*rows, strict=True), strict=True))
