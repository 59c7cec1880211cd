"""Who was assigned and what became of them: shares of the arms against the plan, and the flow of units."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from app.charts.drawing import WIDTH, Columns, Drawn, Record, composed, data, finished, pixels
from app.charts.palette import BLUE, GREY, INK, MUTED
from app.formats import count, p_clause, share
from experiments.readouts.readout import ArmUnits, Check

STEPS = ("assigned", "exposed", "eligible", "mature", "analysed")
_BAR_COLUMNS = ("row", "arm", "value", "words", "planned", "colour", "top", "bottom")
_HEAD_COLUMNS = ("row", "words")


@composed
def allocation_bar(units: Sequence[ArmUnits], check: Check | None = None, *, width: int = WIDTH) -> Drawn:
    """Share of the analysed units in each arm, with a tick where the plan has it. The test's p stands in the sentence.

    Args:
        units: at least one arm, control first.
        check: the allocation check over these units, for its p-value and rule.
    """
    total = sum(u.analysed for u in units)
    observed = [u.analysed / total if total else 0.0 for u in units]
    shares = " / ".join(share(s) for s in observed)
    planned = " / ".join(share(u.planned_share) for u in units)
    counts = " / ".join(count(u.analysed) for u in units)
    sentence = f"Analysed units {counts} ({shares}), planned {planned}."
    if check is not None and check.p_value is not None:
        sentence += f" SRM {p_clause(check.p_value)} ({check.rule})."
    longest = max([*observed, *(u.planned_share for u in units)]) or 1.0
    records: list[Record] = [
        {
            "row": index,
            "value": s,
            "planned": u.planned_share,
            "words": f"{u.arm}: {share(s)} ({count(u.analysed)} units), planned {share(u.planned_share)}",
            "colour": GREY.light if index == 0 else BLUE.light,
            "top": index - 0.24,
            "bottom": index + 0.24,
        }
        for index, (u, s) in enumerate(zip(units, observed, strict=True))
    ]
    base = alt.Chart(data(records, _BAR_COLUMNS))
    x = alt.Scale(domain=[0, longest * 1.04], nice=False)
    y = alt.Scale(domain=[-0.75, len(units) - 0.6], reverse=True, nice=False)
    axis = alt.Axis(
        title="share of analysed units; upright line: planned",
        labelExpr="format(datum.value, '.0%')",
        tickCount=5,
        grid=False,
    )
    row = alt.Y("row:Q", scale=y, axis=None)
    chart = alt.LayerChart(
        layer=[
            base.mark_rect().encode(
                x=alt.X("value:Q", scale=x, axis=axis),
                x2=alt.X2Datum(0),
                y=alt.Y("top:Q", scale=y, axis=None),
                y2=alt.Y2("bottom:Q"),
                color=alt.Color("colour:N", scale=None),
            ),
            base.mark_tick(orient="vertical", thickness=3, size=34, color=INK.light, opacity=1).encode(
                x=alt.X("planned:Q", scale=x, axis=axis), y=row
            ),
            base.mark_text(align="left", baseline="middle", dy=-25, limit=width).encode(
                x=pixels(0), y=row, text=alt.Text("words:N")
            ),
        ]
    ).properties(width=width, height=56 * len(units))
    table: Columns = {
        "Arm": tuple(u.arm for u in units),
        "Analysed": tuple(count(u.analysed) for u in units),
        "Share": tuple(share(s) for s in observed),
        "Planned share": tuple(share(u.planned_share) for u in units),
    }
    return Drawn(finished(chart, sentence), table, sentence)


@composed
def unit_flow(units: Sequence[ArmUnits], *, width: int = WIDTH) -> Drawn:
    """Units of each arm at every step from assigned to analysed; what was left out is counted by reason in the table."""
    heads: list[Record] = []
    records: list[Record] = []
    line = 0
    for step in STEPS:
        heads.append({"row": line, "words": step})
        for index, u in enumerate(units):
            line += 1
            records.append(
                {
                    "row": line,
                    "arm": u.arm,
                    "value": _at(u, step),
                    "words": count(_at(u, step)),
                    "colour": GREY.light if index == 0 else BLUE.light,
                    "top": line - 0.38,
                    "bottom": line + 0.38,
                }
            )
        line += 1
    most = max((u.assigned for u in units), default=0) or 1
    gutter = min(200, 12 + 7 * max((len(u.arm) for u in units), default=0))
    x = alt.Scale(domain=[0, most], nice=False, range=[gutter, width - 64])
    y = alt.Scale(domain=[-0.7, line - 0.2], reverse=True, nice=False)
    base = alt.Chart(data(records, _BAR_COLUMNS))
    row = alt.Y("row:Q", scale=y, axis=None)
    bars = base.mark_rect().encode(
        x=alt.X("value:Q", scale=x, axis=None),
        x2=alt.X2Datum(0),
        y=alt.Y("top:Q", scale=y, axis=None),
        y2=alt.Y2("bottom:Q"),
        color=alt.Color("colour:N", scale=None),
    )
    chart = alt.LayerChart(
        layer=[
            bars,
            alt.Chart(data(heads, _HEAD_COLUMNS))
            .mark_text(align="left", baseline="middle", fontWeight="bold")
            .encode(x=pixels(0), y=row, text=alt.Text("words:N")),
            base.mark_text(align="right", baseline="middle", limit=gutter - 8, color=MUTED.light).encode(
                x=pixels(gutter - 6), y=row, text=alt.Text("arm:N")
            ),
            base.mark_text(align="left", baseline="middle", dx=5).encode(
                x=alt.X("value:Q", scale=x, axis=None), y=row, text=alt.Text("words:N")
            ),
        ]
    ).properties(width=width, height=19 * (line + 1))
    sentence = " ".join(
        f"{u.arm}: " + ", ".join(f"{count(_at(u, step))} {step}" for step in STEPS) + "." for u in units
    )
    table: Columns = {
        "Step": STEPS,
        **{u.arm: tuple(count(_at(u, step)) for step in STEPS) for u in units},
    }
    return Drawn(finished(chart, sentence), table, sentence)


def _at(units: ArmUnits, step: str) -> int:
    number: int = getattr(units, step)
    return number
