"""Charts of a canary: what each guardrail does not rule out, check by check, against its limit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from app.charts.drawing import WIDTH, Columns, Drawn, Record, composed, data, finished
from app.charts.effects import stacked
from app.charts.palette import BLUE, INK, MUTED, VERMILLION
from app.formats import NOTHING, count, significant
from app.readings import comparison_name, reading
from experiments.canaries.readout import CheckPoint, GuardrailReading

HEIGHT = 130
_COLUMNS = ("check", "low", "high", "estimate", "shape", "colour")


@composed
def bounds_over_checks(guardrails: Sequence[GuardrailReading], *, width: int = WIDTH) -> Drawn:
    """One small panel a guardrail: the worsening not ruled out at each check, with its margin as a line. Down is better.

    Args:
        guardrails: at least one with a point.
    """
    shown = [one for one in guardrails if one.points]
    panels = [_panel(one, width) for one in shown]
    sentence = " ".join(
        f"{comparison_name(one.comparison)}: {reading(one.comparison.state).words.lower()} at check {one.points[-1].k}, worsening "
        f"of {_number(one.points[-1].low)} to {_number(one.points[-1].high)} not ruled out; the margin is "
        f"{significant(one.margin)}."
        for one in shown
    )
    pairs = [(one, point) for one in shown for point in one.points]
    table: Columns = {
        "Guardrail": tuple(comparison_name(one.comparison) for one, _ in pairs),
        "Check": tuple(count(point.k) for _, point in pairs),
        "Worsening": tuple(_number(point.estimate) for _, point in pairs),
        "Not ruled out from": tuple(_number(point.low) for _, point in pairs),
        "to": tuple(_number(point.high) for _, point in pairs),
        "Margin": tuple(significant(one.margin) for one, _ in pairs),
    }
    return Drawn(finished(stacked(panels), sentence), table, sentence)


def _panel(found: GuardrailReading, width: int) -> alt.LayerChart:
    numbers = [
        value
        for point in found.points
        for value in (point.low, point.high, point.estimate)
        if value is not None and math.isfinite(value)
    ]
    low, high = min([0.0, found.margin, *numbers]), max([0.0, found.margin, *numbers])
    pad = 0.08 * (high - low or 1.0)
    domain = [low - pad, high + pad]
    records: list[Record] = [_record(point, found.margin, domain) for point in found.points]
    line: list[Record] = [
        {
            "check": records[0]["check"],
            "low": found.margin,
            "high": 0,
            "estimate": 0,
            "shape": "",
            "colour": "",
        }
    ]
    scale = alt.Scale(domain=domain, nice=False, zero=False)
    x = alt.X("check:O", axis=alt.Axis(title="check", labelAngle=0, labelOverlap=True))
    y_axis = alt.Axis(title="worsening", tickCount=4)
    drawn = alt.Chart(data(records, _COLUMNS))
    colour = alt.Color("colour:N", scale=None)
    layers = [
        alt.Chart(data(line, _COLUMNS))
        .mark_rule(color=VERMILLION.light, strokeDash=[5, 4], strokeWidth=1.5)
        .encode(y=alt.Y("low:Q", scale=scale, axis=y_axis)),
        drawn.mark_rule(strokeWidth=2.5).encode(
            x=x, y=alt.Y("low:Q", scale=scale, axis=y_axis), y2=alt.Y2("high:Q"), color=colour
        ),
        drawn.transform_filter("isValid(datum.estimate)")
        .mark_point(filled=True, size=80, opacity=1)
        .encode(
            x=x,
            y=alt.Y("estimate:Q", scale=scale, axis=y_axis),
            color=colour,
            shape=alt.Shape("shape:N", scale=None),
        ),
    ]
    words = f"{comparison_name(found.comparison)}; dashed: margin {significant(found.margin)}"
    title = alt.TitleParams(
        words, anchor="start", fontSize=12, color=MUTED.light, fontWeight="normal", offset=6
    )
    whole: alt.LayerChart = alt.LayerChart(layer=layers).properties(width=width, height=HEIGHT, title=title)
    return whole


def _record(point: CheckPoint, margin: float, domain: Sequence[float]) -> Record:
    """A bar that ends where the scale does on a side without a bound; a square where the limit is surely passed."""
    low = domain[0] if point.low is None or not math.isfinite(point.low) else point.low
    high = domain[1] if point.high is None or not math.isfinite(point.high) else point.high
    breached, within = low > margin, high < margin
    shape = "square" if breached else "circle" if within else "diamond"
    ink = VERMILLION if breached else BLUE if within else INK
    return {
        "check": str(point.k),
        "low": low,
        "high": high,
        "estimate": point.estimate,
        "shape": shape,
        "colour": ink.light,
    }


def _number(value: float | None) -> str:
    return NOTHING if value is None or not math.isfinite(value) else significant(value, 3)
