"""Units of each arm by day of enrolment, added up, against the path that the plan has. No outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate, pairwise

import altair as alt

from app.charts.drawing import WIDTH, Columns, Drawn, Record, composed, data, finished
from app.charts.palette import AMBER, BLUE, GREY, INK, MUTED, VERMILLION, Ink
from app.formats import count
from experiments.looks.health_counts import ArmCounts, EnrolledDay

HEIGHT = 240
LABEL_WIDTH = 128
"""Pixels to the right of the lines, for what they are called."""
LABEL_HEIGHT = 15

_COLUMNS = ("day", "units", "words", "colour")
_INKS: tuple[Ink, ...] = (GREY, BLUE, INK, AMBER, VERMILLION)
_SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down")


@dataclass(frozen=True, slots=True)
class Line:
    """One arm: units exposed by the end of each day, and what the planned traffic would have brought."""

    arm: str
    came: tuple[int, ...]
    planned: int
    per_day: float | None

    def by_plan(self, days: float) -> int | None:
        """Units after so many days of the planned traffic; None where none is planned."""
        return None if self.per_day is None else min(self.planned, round(self.per_day * days))


@composed
def units_by_day(
    days: Sequence[EnrolledDay],
    arms: Sequence[ArmCounts],
    per_day: float | None,
    until: datetime | None = None,
    *,
    width: int = WIDTH,
) -> Drawn:
    """Exposed units of each arm so far, day by day; dashed, the path that the planned traffic gives them.

    Args:
        days: in order, at least one, with the arms' units in the order of ``arms``.
        arms: control first.
        per_day: planned traffic of all arms together; without it there is no path.
        until: when the units were counted: the last day may be under way.
    """
    calendar = _with_gaps(days)
    lines = _lines(calendar, arms, per_day)
    ends = [float(_number(day, calendar)) for day in calendar]
    ends[-1] += _so_much_of(calendar[-1].on, until) - 1
    sentence = _sentence(lines, ends[-1])
    full = max((line.planned / line.per_day for line in lines if line.per_day), default=0.0)
    horizon = max(ends[-1], full)
    top = max(max(line.planned, line.came[-1]) for line in lines) * 1.08
    x = alt.X(
        "day:Q",
        scale=alt.Scale(domain=[0, horizon], range=[0, width - LABEL_WIDTH], nice=False),
        axis=alt.Axis(
            title=f"day of enrolment; day 1 is {calendar[0].on:%-d %b %Y}"
            + ("; dashed: planned path" if per_day else ""),
            tickMinStep=1,
            tickCount=7,
            format="d",
            grid=False,
        ),
    )
    y = alt.Y(
        "units:Q",
        scale=alt.Scale(domain=[0, top], nice=False),
        axis=alt.Axis(title="exposed units so far", tickCount=5, format=",d", grid=True),
    )
    layers = [*_paths(lines, horizon, x, y)]
    behind = sum(line.came[-1] - (line.by_plan(ends[-1]) or 0) for line in lines) < 0
    labels = _apart([line.came[-1] / top * HEIGHT for line in lines], below=behind)
    for index, line in enumerate(lines):
        layers += _drawn(line, index, ends, labels[index], x, y)
    chart = alt.LayerChart(layer=layers).properties(width=width, height=HEIGHT)
    return Drawn(finished(chart, sentence), _table(calendar, lines), sentence)


def _with_gaps(days: Sequence[EnrolledDay]) -> list[EnrolledDay]:
    """The days, and before each that follows a gap the last day of the gap, so that a line stays flat where nobody came."""
    nobody = (0,) * len(days[0].assigned)
    calendar = [days[0]]
    for before, day in pairwise(days):
        if (day.on - before.on).days > 1:
            calendar.append(EnrolledDay(on=day.on - timedelta(days=1), assigned=nobody, exposed=nobody))
        calendar.append(day)
    return calendar


def _number(day: EnrolledDay, calendar: Sequence[EnrolledDay]) -> int:
    """Which day of enrolment it is, from 1."""
    return (day.on - calendar[0].on).days + 1


def _lines(calendar: Sequence[EnrolledDay], arms: Sequence[ArmCounts], per_day: float | None) -> list[Line]:
    return [
        Line(
            arm=arm.arm,
            came=tuple(accumulate(day.exposed[index] for day in calendar)),
            planned=arm.planned,
            per_day=per_day * arm.planned_share if per_day else None,
        )
        for index, arm in enumerate(arms)
    ]


def _so_much_of(day: date, until: datetime | None) -> float:
    """The share of a day that has passed."""
    if until is None:
        return 1.0
    begun = datetime(day.year, day.month, day.day, tzinfo=until.tzinfo)
    return min(max((until - begun) / timedelta(days=1), 0.0), 1.0)


def _sentence(lines: Sequence[Line], days: float) -> str:
    said = ", ".join(f"{line.arm} {count(line.came[-1])}" for line in lines)
    sentence = f"Exposed so far: {said}"
    expected = [line.by_plan(days) for line in lines]
    if None in expected:
        return sentence + "."
    if len(set(expected)) == 1:
        return f"{sentence}; by the planned traffic it would be {count(expected[0] or 0)} each by now."
    each = " / ".join(count(units or 0) for units in expected)
    return f"{sentence}; by the planned traffic it would be {each} by now."


def _paths(lines: Sequence[Line], horizon: float, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The planned path of each arm; arms that plan the same share one."""
    layers = []
    for per_day, planned in dict.fromkeys((line.per_day, line.planned) for line in lines):
        if per_day is None:
            continue
        corners = sorted({0.0, planned / per_day, horizon})
        records: list[Record] = [
            {"day": day, "units": min(float(planned), per_day * day), "words": "", "colour": MUTED.light}
            for day in corners
        ]
        layers.append(
            alt.Chart(data(records, _COLUMNS))
            .mark_line(color=MUTED.light, strokeDash=[5, 4], strokeWidth=1.5)
            .encode(x=x, y=y)
        )
    return layers


def _drawn(
    line: Line, index: int, ends: Sequence[float], shift: float, x: alt.X, y: alt.Y
) -> list[alt.Chart]:
    """A line with a mark at its end, and beside that its name."""
    ink, shape = _INKS[index % len(_INKS)], _SHAPES[index % len(_SHAPES)]
    came: list[Record] = [{"day": 0, "units": 0, "words": "", "colour": ink.light}]
    came += [
        {"day": end, "units": units, "words": "", "colour": ink.light}
        for end, units in zip(ends, line.came, strict=True)
    ]
    last: list[Record] = [
        {
            "day": ends[-1],
            "units": line.came[-1],
            "words": f"{line.arm}: {count(line.came[-1])}",
            "colour": ink.light,
        }
    ]
    end = alt.Chart(data(last, _COLUMNS))
    return [
        alt.Chart(data(came, _COLUMNS)).mark_line(color=ink.light, strokeWidth=2.2).encode(x=x, y=y),
        end.mark_point(color=ink.light, shape=shape, size=55, filled=True, opacity=1).encode(x=x, y=y),
        end.mark_text(
            align="left",
            baseline="middle",
            dx=9,
            dy=-shift,
            fontWeight="bold",
            color=ink.light,
            limit=LABEL_WIDTH - 6,
        ).encode(x=x, y=y, text=alt.Text("words:N")),
    ]


def _apart(heights: Sequence[float], *, below: bool) -> list[float]:
    """How many pixels each label moves up, so that none lies on another, or on the planned path.

    Args:
        below: whether the path lies above the lines, so that their labels move down.
    """
    way = -1 if below else 1
    order = sorted(range(len(heights)), key=lambda index: way * heights[index])
    shifts = [0.0] * len(heights)
    before = float("-inf")
    for index in order:
        at = max(way * heights[index] + LABEL_HEIGHT / 2, before + LABEL_HEIGHT)
        shifts[index] = way * at - heights[index]
        before = at
    return shifts


def _table(calendar: Sequence[EnrolledDay], lines: Sequence[Line]) -> Columns:
    """A row for each day; in each cell the arms in their order, so that it stays narrow."""
    arms = " / ".join(line.arm for line in lines)
    numbers = [_number(day, calendar) for day in calendar]
    table: Columns = {
        "Day": tuple(f"{number} · {day.on:%-d %b}" for number, day in zip(numbers, calendar, strict=True)),
        f"Assigned on it: {arms}": tuple(_side_by_side(day.assigned) for day in calendar),
        "Exposed on it": tuple(_side_by_side(day.exposed) for day in calendar),
        "Exposed so far": tuple(
            _side_by_side([line.came[row] for line in lines]) for row in range(len(calendar))
        ),
    }
    if all(line.per_day is not None for line in lines):
        table["By the planned path"] = tuple(
            _side_by_side([line.by_plan(number) or 0 for line in lines]) for number in numbers
        )
    return table


def _side_by_side(units: Sequence[int]) -> str:
    return " / ".join(count(n) for n in units)
