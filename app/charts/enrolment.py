"""Enrolment as it may be seen before a look: shares of the arms against the plan, and maturity by week. No outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import altair as alt

from app.charts.drawing import WIDTH, Columns, Drawn, Record, composed, data, finished, pixels
from app.charts.palette import AMBER, BLUE, GREY, INK
from app.formats import count, p_clause, share
from experiments.looks.health_counts import ArmCounts, Maturing
from experiments.readouts.readout import Check

HEIGHT = 190

_BAR_COLUMNS = ("row", "value", "planned", "words", "colour", "top", "bottom")
_WEEK_COLUMNS = ("week", "low", "high", "left", "right", "colour", "words")


@composed
def arms_so_far(
    arms: Sequence[ArmCounts],
    check: Check | None = None,
    *,
    of: Literal["assigned", "exposed"] = "assigned",
    width: int = WIDTH,
) -> Drawn:
    """Share of the units in each arm, with a tick where the plan has it.

    Args:
        arms: control first.
        check: the sequential allocation check over them, for its p and rule.
        of: which units are counted.
    """
    units = [arm.assigned if of == "assigned" else arm.exposed for arm in arms]
    total = sum(units)
    observed = [n / total if total else 0.0 for n in units]
    shares = " / ".join(share(round(one, 4)) for one in observed)
    planned = " / ".join(share(arm.planned_share) for arm in arms)
    sentence = f"{of.capitalize()} units {' / '.join(count(n) for n in units)} ({shares}), planned {planned}."
    if check is not None and check.p_value is not None:
        said = "no evidence of a mismatch" if check.result == "pass" else "the arms do not match the plan"
        sentence += f" SRM {p_clause(check.p_value)}: {said}."
    longest = max([*observed, *(arm.planned_share for arm in arms)]) or 1.0
    records: list[Record] = [
        {
            "row": index,
            "value": one,
            "planned": arm.planned_share,
            "words": f"{arm.arm}: {share(round(one, 4))} ({count(n)} units), planned {share(arm.planned_share)}",
            "colour": GREY.light if index == 0 else BLUE.light,
            "top": index - 0.24,
            "bottom": index + 0.24,
        }
        for index, (arm, n, one) in enumerate(zip(arms, units, observed, strict=True))
    ]
    base = alt.Chart(data(records, _BAR_COLUMNS))
    x = alt.X(
        "value:Q",
        scale=alt.Scale(domain=[0, longest * 1.04], nice=False),
        axis=alt.Axis(
            title=f"share of {of} units; upright line: planned",
            labelExpr="format(datum.value, '.0%')",
            tickCount=5,
            grid=False,
        ),
    )
    y = alt.Scale(domain=[-0.75, len(arms) - 0.6], reverse=True, nice=False)
    row = alt.Y("row:Q", scale=y, axis=None)
    chart = alt.LayerChart(
        layer=[
            base.mark_rect().encode(
                x=x,
                x2=alt.X2Datum(0),
                y=alt.Y("top:Q", scale=y, axis=None),
                y2=alt.Y2("bottom:Q"),
                color=alt.Color("colour:N", scale=None),
            ),
            base.mark_tick(orient="vertical", thickness=3, size=34, color=INK.light, opacity=1).encode(
                x=alt.X("planned:Q"), y=row
            ),
            base.mark_text(align="left", baseline="middle", dy=-25, limit=width).encode(
                x=pixels(0), y=row, text=alt.Text("words:N")
            ),
        ]
    ).properties(width=width, height=56 * len(arms))
    table: Columns = {
        "Arm": tuple(arm.arm for arm in arms),
        "Assigned": tuple(count(arm.assigned) for arm in arms),
        "Exposed": tuple(count(arm.exposed) for arm in arms),
        "Mature": tuple(count(arm.mature) for arm in arms),
        "Share": tuple(share(round(one, 4)) for one in observed),
        "Planned share": tuple(share(arm.planned_share) for arm in arms),
    }
    return Drawn(finished(chart, sentence), table, sentence)


@composed
def maturity_by_week(weeks: Sequence[Maturing], *, width: int = WIDTH) -> Drawn:
    """Units of each week of enrolment: those mature, and those whose window has not passed, all arms together.

    Args:
        weeks: of enrolment, in order, at least one.
    """
    records: list[Record] = []
    for week in weeks:
        edges = (0, week.mature, week.mature + week.waiting)
        for part, colour in enumerate((BLUE.light, AMBER.light)):
            if edges[part + 1] > edges[part]:
                records.append(
                    {
                        "week": week.week,
                        "low": edges[part],
                        "high": edges[part + 1],
                        "left": week.week - 0.36,
                        "right": week.week + 0.36,
                        "colour": colour,
                        "words": "",
                    }
                )
    mature, waiting = sum(week.mature for week in weeks), sum(week.waiting for week in weeks)
    sentence = f"{count(mature)} units are mature, {count(waiting)} wait until their window has passed."
    named: list[Record] = [
        {"week": 0, "low": 0, "high": 0, "left": 0, "right": 0, "colour": colour, "words": words}
        for words, colour in (
            (f"■ mature: {count(mature)}", BLUE.light),
            (f"■ waiting: {count(waiting)}", AMBER.light),
        )
    ]
    top = max(week.mature + week.waiting for week in weeks) or 1
    base = alt.Chart(data(records or named, _WEEK_COLUMNS))
    x = alt.Scale(domain=[weeks[0].week - 0.6, weeks[-1].week + 0.6], nice=False)
    axis = alt.Axis(
        title="week of first exposure", values=[week.week for week in weeks], format="d", grid=False
    )
    y = alt.Scale(domain=[0, top * 1.2], nice=False)
    bars = base.mark_rect().encode(
        x=alt.X("left:Q", scale=x, axis=axis),
        x2=alt.X2("right:Q"),
        y=alt.Y("low:Q", scale=y, axis=alt.Axis(title="units", tickCount=4, format=",d")),
        y2=alt.Y2("high:Q"),
        color=alt.Color("colour:N", scale=None),
    )
    legend = [
        alt.Chart(data([one], _WEEK_COLUMNS))
        .mark_text(align="left", baseline="top", fontWeight="bold")
        .encode(
            x=pixels(at), y=alt.value(2), text=alt.Text("words:N"), color=alt.Color("colour:N", scale=None)
        )
        for one, at in zip(named, (4, 4 + width // 2), strict=True)
    ]
    chart = alt.LayerChart(layer=[bars, *legend]).properties(width=width, height=HEIGHT)
    table: Columns = {
        "Week of enrolment": tuple(str(week.week) for week in weeks),
        "Mature": tuple(count(week.mature) for week in weeks),
        "Waiting": tuple(count(week.waiting) for week in weeks),
    }
    return Drawn(finished(chart, sentence), table, sentence)
