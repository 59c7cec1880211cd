"""How the logs of a source come in: up to when they were complete at each check, rows by day, how late rows arrive. No outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median

import altair as alt

from app.charts.drawing import WIDTH, Columns, Drawn, Record, composed, data, finished, pixels
from app.charts.palette import AMBER, BLUE, GREY, INK, MUTED, VERMILLION
from app.formats import count, instant, share
from app.overview.quality import LEVELS, arrivals_sentence, day, span
from experiments.logs.quality import Arrivals, Day

HEIGHT = 170
DRAWN_DAYS = 92
"""Days that are drawn, the newest; the table has them all."""

USUAL_DAYS = 28
"""Days before the last one that tell what is usual."""

_DAY_COLUMNS = ("from", "to", "rows", "words", "colour")
_LATE_COLUMNS = ("days", "share", "words")
_LAG_COLUMNS = ("at", "lag", "log", "words", "colour")
_COLOURS = (BLUE, VERMILLION, GREY, AMBER, INK)


@composed
def rows_by_day(days: Sequence[Day], *, width: int = WIDTH) -> Drawn:
    """Rows of a log on each day, by the log's own time, arms and events pooled.

    Args:
        days: in order, at least one, none left out.
    """
    drawn, last = days[-DRAWN_DAYS:], days[-1]
    usual = [one.rows for one in days[-1 - USUAL_DAYS : -1]]
    empty = [one for one in drawn if not one.rows]
    sentence = f"{count(last.rows)} row{'' if last.rows == 1 else 's'} on {day(last.day)}, the last day"
    if usual:
        sentence += f"; {count(round(median(usual)))} on the median of the {_days(len(usual))} before"
    sentence += ". "
    named = ", ".join(day(one.day) for one in empty[:5]) + (" and more" if len(empty) > 5 else "")
    sentence += f"No rows on {_days(len(empty))}: {named}." if empty else "Every day drawn has rows."
    records: list[Record] = [
        {
            "from": _ms(one.day + timedelta(hours=2)),
            "to": _ms(one.day + timedelta(hours=22)),
            "rows": one.rows,
            "words": "",
            "colour": BLUE.light,
        }
        for one in drawn
    ]
    gaps: list[Record] = [
        {
            "from": _ms(one.day + timedelta(hours=12)),
            "to": 0,
            "rows": 0,
            "words": "✕",
            "colour": VERMILLION.light,
        }
        for one in empty
    ]
    x = _time_scale(drawn[0].day, drawn[-1].day + timedelta(days=1))
    axis = _time_axis("day (UTC); crosses: days without rows" if empty else "day (UTC)", drawn)
    y = alt.Scale(domain=[0, (max(one.rows for one in drawn) or 1) * 1.1], nice=False)
    bars = (
        alt.Chart(data(records, _DAY_COLUMNS))
        .mark_rect()
        .encode(
            x=alt.X("from:T", scale=x, axis=axis),
            x2=alt.X2("to:T"),
            y=alt.Y("rows:Q", scale=y, axis=alt.Axis(title="rows", tickCount=4, format=",d")),
            y2=alt.Y2Datum(0),
            color=alt.Color("colour:N", scale=None),
        )
    )
    layers = [bars]
    if gaps:
        layers.append(
            alt.Chart(data(gaps, _DAY_COLUMNS))
            .mark_text(baseline="bottom", fontWeight="bold")
            .encode(
                x=alt.X("from:T", scale=x, axis=axis),
                y=alt.Y("rows:Q", scale=y),
                text=alt.Text("words:N"),
                color=alt.Color("colour:N", scale=None),
            )
        )
    chart = alt.LayerChart(layer=layers).properties(width=width, height=HEIGHT)
    table: Columns = {
        "Day (UTC)": tuple(day(one.day) for one in reversed(days)),
        "Rows": tuple(count(one.rows) for one in reversed(days)),
    }
    return Drawn(finished(chart, sentence), table, sentence)


@composed
def late_arrivals(arrivals: Arrivals, *, width: int = WIDTH) -> Drawn:
    """Share of a log's rows that had arrived so many days after they occurred; what a label delay has to cover.

    Raises:
        ValueError: there is no curve (``arrivals.not_computed``).
    """
    if not arrivals.shares:
        raise ValueError(f"arrivals: there is no curve to draw; {arrivals.not_computed}")
    longest = len(arrivals.shares) - 1
    sentence = arrivals_sentence(arrivals)
    usual = arrivals.days_until(LEVELS[0])
    records: list[Record] = [
        {"days": days, "share": reached, "words": ""} for days, reached in enumerate(arrivals.shares)
    ]
    mark: list[Record] = [{"days": longest, "share": LEVELS[0], "words": share(LEVELS[0])}]
    x = alt.Scale(domain=[0, longest], nice=False)
    axis = alt.Axis(title="days after the event", values=_ticks(longest), format="d", grid=False)
    lowest = min(min(arrivals.shares), LEVELS[0])
    y = alt.Scale(domain=[max(0.0, lowest - 0.1) if lowest > 0.5 else 0, 1.03], nice=False)
    share_axis = alt.Axis(
        title="share of rows that had arrived", labelExpr="format(datum.value, '.0%')", tickCount=5
    )
    shown = alt.Chart(data(records, _LATE_COLUMNS))
    level = alt.Chart(data(mark, _LATE_COLUMNS))
    layers = [
        level.mark_rule(color=MUTED.light, strokeDash=[5, 4]).encode(y=alt.Y("share:Q", scale=y)),
        level.mark_text(align="right", baseline="top", dy=4, color=MUTED.light).encode(
            x=pixels(width - 4), y=alt.Y("share:Q", scale=y), text=alt.Text("words:N")
        ),
        shown.mark_line(color=BLUE.light, strokeWidth=2.5, interpolate="step-after").encode(
            x=alt.X("days:Q", scale=x, axis=axis), y=alt.Y("share:Q", scale=y, axis=share_axis)
        ),
        shown.mark_point(color=BLUE.light, filled=True, size=45, opacity=1).encode(
            x=alt.X("days:Q", scale=x, axis=axis), y=alt.Y("share:Q", scale=y, axis=share_axis)
        ),
    ]
    if usual is not None:
        found: list[Record] = [
            {
                "days": usual,
                "share": arrivals.shares[usual],
                "words": "at once" if usual == 0 else _days(usual),
            }
        ]
        layers.append(
            alt.Chart(data(found, _LATE_COLUMNS))
            .mark_text(align="left", baseline="top", dx=6, dy=10, fontWeight="bold")
            .encode(
                x=alt.X("days:Q", scale=x, axis=axis), y=alt.Y("share:Q", scale=y), text=alt.Text("words:N")
            )
        )
    chart = alt.LayerChart(layer=layers).properties(width=width, height=HEIGHT)
    table: Columns = {
        "Days after the event": tuple(str(days) for days in range(longest + 1)),
        "Had arrived": tuple(share(round(reached, 4)) for reached in arrivals.shares),
    }
    return Drawn(finished(chart, sentence), table, sentence)


@composed
def freshness(checks: Sequence[tuple[datetime, Mapping[str, datetime]]], *, width: int = WIDTH) -> Drawn:
    """How far each log was behind at each check: from up to when it was complete to the moment of the check.

    Args:
        checks: in order of time, at least one: the moment, and up to when each log was complete then.

    Raises:
        ValueError: no check knows of any log up to when it is complete.
    """
    logs = list(dict.fromkeys(log for _, found in checks for log in found))
    if not logs:
        raise ValueError("checks: none of them knows up to when a log is complete; there is nothing to draw")
    last, now = checks[-1], checks[-1][0]
    behind = [f"{log} {span(now - last[1][log])}" for log in logs if log in last[1]]
    sentence = (
        f"At the last check, {instant(now)}, the logs were behind by: {'; '.join(behind) or 'unknown'}."
    )
    records: list[Record] = [
        {
            "at": _ms(at),
            "lag": (at - found[log]) / timedelta(days=1),
            "log": log,
            "words": "",
            "colour": _COLOURS[index % len(_COLOURS)].light,
        }
        for index, log in enumerate(logs)
        for at, found in checks
        if log in found
    ]
    lowest = min(0.0, *(float(record["lag"] or 0) for record in records))
    highest = max(1.0, *(float(record["lag"] or 0) for record in records)) * 1.25
    names = _names([record for record in records if record["at"] == _ms(now)], (highest - lowest) / 9)
    first = checks[0][0]
    room = max((now - first) * 0.05, timedelta(hours=1))
    x = alt.X("at:T", scale=_time_scale(first - room, now + room), axis=_time_axis("check (UTC)"))
    y = alt.Y(
        "lag:Q",
        scale=alt.Scale(domain=[lowest, highest], nice=False),
        axis=alt.Axis(title="days behind", tickCount=4, grid=True),
    )
    shown = alt.Chart(data(records, _LAG_COLUMNS))
    colour = alt.Color("colour:N", scale=None)
    layers = [
        shown.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, detail=alt.Detail("log:N")),
        shown.mark_point(filled=True, size=50, opacity=1).encode(
            x=x, y=y, color=colour, shape=alt.Shape("log:N", legend=None)
        ),
        alt.Chart(data(names, _LAG_COLUMNS))
        .mark_text(align="right", baseline="bottom", dy=-7, fontWeight="bold")
        .encode(x=x, y=y, text=alt.Text("words:N"), color=colour),
    ]
    chart = alt.LayerChart(layer=layers).properties(width=width, height=HEIGHT)
    table: Columns = {"Check": tuple(instant(at) for at, _ in reversed(checks))}
    for log in logs:
        table[f"{log} complete up to"] = tuple(
            instant(found[log]) if log in found else "unknown" for _, found in reversed(checks)
        )
    return Drawn(finished(chart, sentence), table, sentence)


def _names(last: Sequence[Record], apart: float) -> list[Record]:
    """The names of the logs beside their last points; those that would overlap stand beside each other."""
    groups: list[list[Record]] = []
    for record in sorted(last, key=lambda one: float(one["lag"] or 0)):
        if groups and float(record["lag"] or 0) - float(groups[-1][0]["lag"] or 0) < apart:
            groups[-1].append(record)
        else:
            groups.append([record])
    return [
        {
            **group[-1],
            "words": ", ".join(str(one["log"]) for one in group),
            "colour": INK.light if len(group) > 1 else group[0]["colour"],
        }
        for group in groups
    ]


def _time_scale(first: datetime, last: datetime) -> alt.Scale:
    return alt.Scale(domain=[_ms(first), _ms(last)], type="utc", nice=False)


def _time_axis(title: str, days: Sequence[Day] = ()) -> alt.Axis:
    return alt.Axis(
        title=title,
        format="%-d %b",
        tickCount=min(6, len(days)) if days else 5,
        grid=False,
        labelOverlap=True,
    )


def _ms(moment: datetime) -> int:
    """Milliseconds since 1970, as Vega has times."""
    return round(moment.timestamp() * 1000)


def _ticks(longest: int) -> list[int]:
    step = 1 if longest <= 10 else 5
    return list(range(0, longest + 1, step))


def _days(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"
