"""Enrolment as it may be seen before a look: shares of the arms, units against the plan, maturity by week. No outcome."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import altair as alt

from app.charts.drawing import WIDTH, Columns, Drawn, Record, composed, data, finished, pixels
from app.charts.palette import AMBER, BLUE, GREY, INK, MUTED
from app.formats import count, p_clause, share
from experiments.looks.health_counts import ArmCounts, Maturing
from experiments.readouts.readout import Check

HEIGHT = 190

_BAR_COLUMNS = ("row", "value", "planned", "words", "colour", "top", "bottom")
_LINE_COLUMNS = ("week", "units", "words")
_WEEK_COLUMNS = ("week", "low", "high", "left", "right", "colour", "words")


@composed
def arms_so_far(arms: Sequence[ArmCounts], check: Check | None = None, *, width: int = WIDTH) -> Drawn:
    """Share of the assigned units in each arm, with a tick where the plan has it.

    Args:
        arms: control first.
        check: the sequential allocation check over them, for its p and rule.
    """
    total = sum(arm.assigned for arm in arms)
    observed = [arm.assigned / total if total else 0.0 for arm in arms]
    shares = " / ".join(share(round(one, 4)) for one in observed)
    planned = " / ".join(share(arm.planned_share) for arm in arms)
    sentence = (
        f"Assigned units {' / '.join(count(arm.assigned) for arm in arms)} ({shares}), planned {planned}."
    )
    if check is not None and check.p_value is not None:
        said = "no evidence of a mismatch" if check.result == "pass" else "the arms do not match the plan"
        sentence += f" SRM {p_clause(check.p_value)}: {said}."
    longest = max([*observed, *(arm.planned_share for arm in arms)]) or 1.0
    records: list[Record] = [
        {
            "row": index,
            "value": one,
            "planned": arm.planned_share,
            "words": f"{arm.arm}: {share(round(one, 4))} ({count(arm.assigned)} units), planned {share(arm.planned_share)}",
            "colour": GREY.light if index == 0 else BLUE.light,
            "top": index - 0.24,
            "bottom": index + 0.24,
        }
        for index, (arm, one) in enumerate(zip(arms, observed, strict=True))
    ]
    base = alt.Chart(data(records, _BAR_COLUMNS))
    x = alt.X(
        "value:Q",
        scale=alt.Scale(domain=[0, longest * 1.04], nice=False),
        axis=alt.Axis(
            title="share of assigned units; upright line: planned",
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
def units_so_far(
    weeks: Sequence[Maturing],
    planned: int,
    per_day: float | None,
    passed: float | None = None,
    *,
    width: int = WIDTH,
) -> Drawn:
    """Exposed units at the end of each week of enrolment, all arms together, against the plan.

    Args:
        weeks: of enrolment, in order, at least one.
        planned: units of all arms.
        per_day: the planned traffic; without it only the planned total is drawn.
        passed: weeks since enrolment began, up to which the logs are complete; the last week may be under way.
    """
    totals = list(accumulate(week.mature + week.waiting for week in weeks))
    last = weeks[-1].week
    ends = [week.week if passed is None else min(float(week.week), max(passed, 0.0)) for week in weeks]
    path = [min(planned, round(7 * (per_day or 0) * end)) for end in ends]
    came: list[Record] = [{"week": 0, "units": 0, "words": ""}]
    came += [
        {"week": end, "units": total, "words": count(total) if week.week == last else ""}
        for week, end, total in zip(weeks, ends, totals, strict=True)
    ]
    plan: list[Record] = []
    if per_day:
        full = planned / (7 * per_day)
        corners = sorted({0.0, min(full, float(last)), float(last)})
        plan = [{"week": at, "units": min(planned, round(7 * per_day * at)), "words": ""} for at in corners]
    sentence = f"{count(totals[-1])} units are exposed so far, {count(planned)} are planned"
    if per_day:
        sentence += f"; by the planned traffic it would be {count(path[-1])} by now"
    sentence += "."
    top = max(planned, totals[-1]) * 1.2
    x = alt.X(
        "week:Q",
        scale=alt.Scale(domain=[0, last + 0.35], nice=False),
        axis=alt.Axis(
            title="weeks of enrolment; dashed: by the planned traffic",
            values=list(range(last + 1)),
            format="d",
            grid=False,
        ),
    )
    y = alt.Y(
        "units:Q",
        scale=alt.Scale(domain=[0, top], nice=False),
        axis=alt.Axis(title="exposed units", tickCount=4, format=",d", grid=True),
    )
    total: list[Record] = [{"week": 0, "units": planned, "words": f"planned: {count(planned)}"}]
    line = alt.Chart(data(came, _LINE_COLUMNS))
    layers = [
        alt.Chart(data(total, _LINE_COLUMNS)).mark_rule(color=MUTED.light, strokeWidth=1).encode(y=y),
        alt.Chart(data(total, _LINE_COLUMNS))
        .mark_text(align="right", baseline="top", dy=4, color=MUTED.light)
        .encode(x=pixels(width - 4), y=y, text=alt.Text("words:N")),
        line.mark_line(
            color=BLUE.light, strokeWidth=2.5, point=alt.OverlayMarkDef(color=BLUE.light, size=45)
        ).encode(x=x, y=y),
        line.mark_text(align="center", baseline="bottom", dy=-8, fontWeight="bold").encode(
            x=x, y=y, text=alt.Text("words:N")
        ),
    ]
    if plan:
        layers.insert(
            2,
            alt.Chart(data(plan, _LINE_COLUMNS))
            .mark_line(color=MUTED.light, strokeDash=[5, 4])
            .encode(x=x, y=y),
        )
    chart = alt.LayerChart(layer=layers).properties(width=width, height=HEIGHT)
    table: Columns = {
        "Week of enrolment": tuple(str(week.week) for week in weeks),
        "Exposed in it": tuple(count(week.mature + week.waiting) for week in weeks),
        "Exposed so far": tuple(count(total) for total in totals),
    }
    if per_day:
        table["By the planned traffic"] = tuple(count(units) for units in path)
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
