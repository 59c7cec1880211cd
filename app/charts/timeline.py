"""When experiments enrol, mature, are looked at and decided: one lane each. Dates only; no outcome."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import altair as alt

from app.charts.drawing import WIDTH, Columns, Drawn, Record, composed, data, finished, pixels
from app.charts.palette import BLUE, GREY, INK, LANE, MUTED
from app.formats import NOTHING, instant
from app.overview.timeline import Lane, LookMark, Period, Timeline

LANE_HEIGHT = 42
LONGEST_TITLE = 58

_BAR_COLUMNS = ("row", "start", "end", "top", "bottom", "colour", "opacity")
_MARK_COLUMNS = ("row", "at", "shape", "colour", "fill")
_NAME_COLUMNS = ("row", "words")
_NOW_COLUMNS = ("at", "top", "bottom")

_EXPECTED_OPACITY = 0.35


@composed
def timeline_chart(shown: Timeline, *, width: int = WIDTH) -> Drawn:
    """A lane for each experiment: enrolment as a bar, maturity as a thinner one, looks as diamonds, the decision as a disc.

    What lies ahead is pale or hollow. The upright line is now.

    Args:
        shown: at least one lane.
    """
    lanes = shown.lanes
    first, last = _span(shown)
    x = alt.Scale(domain=[_milliseconds(first), _milliseconds(last)], type="utc", nice=False)
    y = alt.Scale(domain=[-0.55, len(lanes) - 0.4], reverse=True, nice=False)
    axis = alt.Axis(
        title="UTC; upright line: now", format=_format(first, last), tickCount=5, grid=True, labelOverlap=True
    )
    row = alt.Y("row:Q", scale=y, axis=None)
    bars = [record for index, lane in enumerate(lanes) for record in _bars(index, lane)]
    names: list[Record] = [
        {"row": index - 0.32, "words": _short(f"{lane.experiment}  {lane.title}")}
        for index, lane in enumerate(lanes)
    ]
    drawn_bars = (
        alt.Chart(data(bars, _BAR_COLUMNS))
        .mark_rect()
        .encode(
            x=alt.X("start:T", scale=x, axis=axis),
            x2=alt.X2("end:T"),
            y=alt.Y("top:Q", scale=y, axis=None),
            y2=alt.Y2("bottom:Q"),
            color=alt.Color("colour:N", scale=None),
            opacity=alt.Opacity("opacity:Q", scale=None),
        )
    )
    marks = [record for index, lane in enumerate(lanes) for record in _marks(index, lane)]
    layers = [drawn_bars]
    if marks:
        layers.append(
            alt.Chart(data(marks, _MARK_COLUMNS))
            .mark_point(size=95, strokeWidth=2, opacity=1)
            .encode(
                x=alt.X("at:T", scale=x, axis=axis),
                y=row,
                shape=alt.Shape("shape:N", scale=None),
                stroke=alt.Stroke("colour:N", scale=None),
                fill=alt.Fill("fill:N", scale=None),
            )
        )
    layers += [
        alt.Chart(data(_now(shown), _NOW_COLUMNS))
        .mark_rule(color=MUTED.light, strokeWidth=1.5)
        .encode(
            x=alt.X("at:T", scale=x, axis=axis),
            y=alt.Y("top:Q", scale=y, axis=None),
            y2=alt.Y2("bottom:Q"),
        ),
        alt.Chart(data(names, _NAME_COLUMNS))
        .mark_text(align="left", baseline="middle", limit=width)
        .encode(x=pixels(0), y=row, text=alt.Text("words:N")),
    ]
    chart = alt.LayerChart(layer=layers).properties(width=width, height=LANE_HEIGHT * len(lanes))
    sentence = _sentence(shown)
    return Drawn(finished(chart, sentence), _table(lanes), sentence)


def _bars(index: int, lane: Lane) -> list[Record]:
    found = [_bar(index, period, 0.17, BLUE.light) for period in lane.enrolment]
    if lane.maturing is not None:
        found.append(_bar(index, lane.maturing, 0.07, GREY.light))
    return found


def _bar(index: int, period: Period, half: float, colour: str) -> Record:
    middle = index + 0.14
    return {
        "row": index,
        "start": _milliseconds(period.start),
        "end": _milliseconds(period.end),
        "top": middle - half,
        "bottom": middle + half,
        "colour": colour,
        "opacity": _EXPECTED_OPACITY if period.expected else 1.0,
    }


def _marks(index: int, lane: Lane) -> list[Record]:
    middle = index + 0.14
    found: list[Record] = [
        {
            "row": middle,
            "at": _milliseconds(look.at),
            "shape": "diamond",
            "colour": INK.light,
            "fill": INK.light if look.taken else LANE.light,
        }
        for look in lane.looks
    ]
    if lane.decided_at is not None:
        found.append(
            {
                "row": middle,
                "at": _milliseconds(lane.decided_at),
                "shape": "circle",
                "colour": INK.light,
                "fill": INK.light,
            }
        )
    return found


def _now(shown: Timeline) -> list[Record]:
    """A piece of the upright line in each lane, beside its name."""
    at = _milliseconds(shown.now)
    return [{"at": at, "top": index - 0.1, "bottom": index + 0.42} for index in range(len(shown.lanes))]


def _span(shown: Timeline) -> tuple[datetime, datetime]:
    moments = [shown.now]
    for lane in shown.lanes:
        for period in (*lane.enrolment, *([lane.maturing] if lane.maturing else [])):
            moments += [period.start, period.end]
        moments += [look.at for look in lane.looks]
        moments += [lane.decided_at] if lane.decided_at else []
    first, last = min(moments), max(moments)
    margin = max((last - first) * 0.03, timedelta(hours=6))
    return first - margin, last + margin


def _sentence(shown: Timeline) -> str:
    lanes = shown.lanes
    enrolling = sum(
        any(not period.expected and period.end >= shown.now for period in lane.enrolment) for lane in lanes
    )
    coming = [(look.at, lane, look) for lane in lanes for look in lane.looks if not look.taken]
    said = f"{len(lanes)} experiment{'' if len(lanes) == 1 else 's'}, {enrolling} enrolling now."
    if not coming:
        return f"{said} No look is dated ahead."
    at, lane, look = min(coming, key=lambda one: (one[0], one[1].experiment))
    return f"{said} The next look is look {look.k} of {lane.experiment}, about {instant(at)}."


def _table(lanes: Sequence[Lane]) -> Columns:
    return {
        "Experiment": tuple(lane.experiment for lane in lanes),
        "Title": tuple(lane.title for lane in lanes),
        "State": tuple(lane.state for lane in lanes),
        "Enrolment": tuple(_enrolment_words(lane) for lane in lanes),
        "Mature": tuple(_mature_words(lane) for lane in lanes),
        "Looks": tuple("; ".join(_look_words(look) for look in lane.looks) or NOTHING for lane in lanes),
        "Decided": tuple(instant(lane.decided_at) if lane.decided_at else NOTHING for lane in lanes),
    }


def _enrolment_words(lane: Lane) -> str:
    if not lane.enrolment:
        return NOTHING
    start, end = lane.enrolment[0], lane.enrolment[-1]
    about = "about " if end.expected else ""
    return f"{_date(start.start)} to {about}{_date(end.end)}"


def _mature_words(lane: Lane) -> str:
    if lane.maturing is None:
        return NOTHING
    return f"{'about ' if lane.maturing.expected else ''}{_date(lane.maturing.end)}"


def _look_words(look: LookMark) -> str:
    which = f"look {look.k} of {look.of}" if look.of > 1 else "the look"
    return f"{which} {'taken' if look.taken else 'expected about'} {_date(look.at)}"


def _date(moment: datetime) -> str:
    return instant(moment).partition(",")[0]


def _short(words: str) -> str:
    return words if len(words) <= LONGEST_TITLE else f"{words[: LONGEST_TITLE - 1]}…"


def _milliseconds(moment: datetime) -> float:
    return moment.timestamp() * 1_000


def _format(first: datetime, last: datetime) -> str:
    return "%-d %b" if (last - first) < timedelta(days=300) else "%b %Y"
