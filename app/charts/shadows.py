"""Charts of a shadow: both models on the same requests. Shape and word carry what colour shows."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from app.charts.drawing import WIDTH, Columns, Drawn, Record, composed, data, finished
from app.charts.effects import stacked
from app.charts.forest import Line, Row, panel
from app.charts.palette import BLUE, GREY, INK, MUTED, VERMILLION
from app.export.paired import estimate_words, interval_words, own_value
from app.formats import Quantity, count, instant, quantities, share, significant
from app.readings import reading
from experiments.shadows.readout import (
    DayRequests,
    PairedComparison,
    Percentile,
    Quality,
    Reliability,
    ScoreBins,
)
from experiments.shadows.words import limit_words

HEIGHT = 190
_MODELS = ((BLUE, "circle", [1, 0]), (VERMILLION, "square", [6, 4]))
"""Champion, then candidate: colour, shape and dash."""


@composed
def paired_forest(
    compared: Sequence[PairedComparison],
    *,
    overall: float | None = None,
    by: str = "",
    width: int = WIDTH,
) -> Drawn:
    """Paired differences with their intervals against their limits, the better side at the right.

    Args:
        compared: at least one, each of a difference, in one unit.
        overall: the difference over all pairs, drawn dashed through the levels of a segment.
        by: the attribute of a segment; without it readings are shown.
    """
    quantity = Quantity.of(compared)
    rows = [
        Row(
            c,
            f"{c.level} (n = {count(c.pairs)})" if by else c.label,
            f"{estimate_words(c, quantity)} ({interval_words(c, quantity)})"
            if c.estimate is not None
            else f"not computed: {c.not_computed or 'no reason was recorded'}",
            None if by or not c.state else reading(c.state),
            ()
            if c.limit is None or c.bound == "difference"
            else (Line(c.limit, f"limit {quantity.declared_effect(c.limit)}"),),
        )
        for c in compared
    ]
    first = compared[0]
    title = f"{first.treatment} against {first.control_value.arm}" + (f", by {by}" if by else "")
    if overall is not None:
        title += f"; dashed: all pairs, {quantity.effect(overall)}"
    sentence = " ".join(f"{row.name}: {row.numbers}." for row in rows)
    table: Columns = {
        "What": tuple(row.name for row in rows),
        "Difference": tuple(estimate_words(c, quantity) for c in compared),
        "Confidence interval": tuple(interval_words(c, quantity) for c in compared),
        "Declared": tuple(limit_words(c) if c.limit is not None else "none declared" for c in compared),
    }
    drawn = panel(rows, quantity, overall=overall, title=title, width=width)
    return Drawn(finished(drawn, sentence), table, sentence)


@composed
def discordant_bar(found: Quality, *, width: int = WIDTH) -> Drawn:
    """The pairs on which just one model is right: the candidate's to the right, the champion's to the left."""
    total = found.both + found.candidate_only + found.champion_only + found.neither
    sentence = (
        f"Of {count(total)} labelled pairs {count(found.candidate_only)} are right by the candidate only and "
        f"{count(found.champion_only)} by the champion only; both are right on {count(found.both)}, neither on "
        f"{count(found.neither)}."
    )
    columns = ("side", "pairs", "words", "colour", "align")
    sides = (
        ("candidate only", found.candidate_only, BLUE.light, "left"),
        ("champion only", -found.champion_only, VERMILLION.light, "right"),
    )
    records: list[Record] = [
        {
            "side": side,
            "pairs": pairs,
            "words": f" {side} {count(abs(pairs))} ",
            "colour": colour,
            "align": align,
        }
        for side, pairs, colour, align in sides
    ]
    reach = 1.9 * max(found.candidate_only, found.champion_only, 1)
    x = alt.X(
        "pairs:Q",
        scale=alt.Scale(domain=[-reach, reach], nice=False),
        axis=alt.Axis(
            title="pairs on which just one model is right", labelExpr="format(abs(datum.value), ',d')"
        ),
    )
    y = alt.Y("side:N", axis=None)
    layers: list[alt.Chart] = [
        alt.Chart(data(records, columns))
        .mark_bar(height=26)
        .encode(x=x, y=y, color=alt.Color("colour:N", scale=None))
    ]
    for record in records:
        layers.append(
            alt.Chart(data([record], columns))
            .mark_text(align="left" if record["align"] == "left" else "right", color=INK.light)
            .encode(x=x, y=y, text=alt.Text("words:N"))
        )
    chart = alt.LayerChart(layer=layers).properties(width=width, height=90)
    table: Columns = {
        "Right": ("both", "candidate only", "champion only", "neither"),
        "Pairs": tuple(
            count(n) for n in (found.both, found.candidate_only, found.champion_only, found.neither)
        ),
    }
    return Drawn(finished(chart, sentence), table, sentence)


@composed
def latency_percentiles(found: Sequence[Percentile], *, width: int = WIDTH) -> Drawn:
    """Percentiles of both models' latency over the same pairs, on a logarithmic scale."""
    columns = ("percentile", "model", "ms", "colour", "shape")
    compared = [one.comparison for one in found]
    written = quantities(compared)
    champion, candidate = compared[0].control_value.arm, compared[0].treatment_value.arm
    records: list[Record] = [
        {
            "percentile": f"p{100 * one.q:g}",
            "model": value.arm,
            "ms": value.value,
            "colour": colour.light,
            "shape": shape,
        }
        for one in found
        for value, (colour, shape, _) in zip(
            (one.comparison.control_value, one.comparison.treatment_value), _MODELS, strict=True
        )
        if value.value is not None and value.value > 0
    ]
    order = [f"p{100 * one.q:g}" for one in found]
    sentence = " ".join(
        f"p{100 * one.q:g}: {champion} {quantity.value(one.comparison.control_value.value)}, {candidate} "
        f"{quantity.value(one.comparison.treatment_value.value)}."
        for one, quantity in zip(found, written, strict=True)
    )
    table: Columns = {
        "Percentile": tuple(order),
        champion: tuple(q.value(c.control_value.value) for c, q in zip(compared, written, strict=True)),
        f"{candidate} ": tuple(
            q.value(c.treatment_value.value) for c, q in zip(compared, written, strict=True)
        ),
        "Judged": tuple("its own value" if own_value(c) else "the difference" for c in compared),
        "Estimate": tuple(estimate_words(c, q) for c, q in zip(compared, written, strict=True)),
        "Confidence interval": tuple(interval_words(c, q) for c, q in zip(compared, written, strict=True)),
    }
    x = alt.X("percentile:O", sort=order, axis=alt.Axis(title="percentile of latency", labelAngle=0))
    y = alt.Y(
        "ms:Q",
        scale=alt.Scale(type="log", nice=False, padding=12),
        axis=alt.Axis(title="ms, logarithmic", tickCount=5),
    )
    chart = alt.LayerChart(layer=_two_lines(records, columns, x, y)).properties(width=width, height=HEIGHT)
    return Drawn(finished(_titled(chart, champion, candidate), sentence), table, sentence)


@composed
def score_overlay(bins: Sequence[ScoreBins], champion: str, candidate: str, *, width: int = WIDTH) -> Drawn:
    """Shares of both models' scores over the same bins; the raw scores are never here."""
    columns = ("upper", "model", "share", "colour", "shape")
    totals = (sum(one.champion for one in bins) or 1, sum(one.candidate for one in bins) or 1)
    edges = [one.upper for one in bins]
    names = [
        f"≤ {significant(edge, 3)}"
        if edge is not None
        else f"> {significant(edges[-2] or 0.0, 3)}"
        if len(edges) > 1
        else "all"
        for edge in edges
    ]
    shares = [(one.champion / totals[0], one.candidate / totals[1]) for one in bins]
    records: list[Record] = [
        {"upper": name, "model": model, "share": part, "colour": colour.light, "shape": shape}
        for name, pair in zip(names, shares, strict=True)
        for model, part, (colour, shape, _) in zip((champion, candidate), pair, _MODELS, strict=True)
    ]
    widest = max(range(len(bins)), key=lambda i: abs(shares[i][1] - shares[i][0]))
    sentence = (
        f"The scores differ most in the bin {names[widest]}: {share(shares[widest][0])} of {champion}'s, "
        f"{share(shares[widest][1])} of {candidate}'s."
    )
    x = alt.X("upper:O", sort=names, axis=alt.Axis(title="score, in bins", labelAngle=-40, labelOverlap=True))
    y = alt.Y("share:Q", axis=alt.Axis(title="share of scores", format=".0%", tickCount=4))
    chart = alt.LayerChart(layer=_two_lines(records, columns, x, y, step=True)).properties(
        width=width, height=HEIGHT
    )
    table: Columns = {
        "Score": tuple(names),
        champion: tuple(count(one.champion) for one in bins),
        f"{candidate} ": tuple(count(one.candidate) for one in bins),
    }
    return Drawn(finished(_titled(chart, champion, candidate), sentence), table, sentence)


@composed
def reliability_curves(models: Sequence[Reliability], *, width: int = WIDTH) -> Drawn:
    """Share of positive labels by mean score; scores that are probabilities lie on the diagonal.

    Args:
        models: one or two, champion first, each with bins.
    """
    columns = ("score", "model", "positive", "colour", "shape")
    records: list[Record] = [
        {
            "score": one.mean_score,
            "model": found.model,
            "positive": one.positive_share,
            "colour": colour.light,
            "shape": shape,
        }
        for found, (colour, shape, _) in zip(models, _MODELS, strict=False)
        for one in found.bins
        if one.mean_score is not None and one.positive_share is not None
    ]
    sentence = " ".join(
        f"{found.model}: expected calibration error "
        f"{'not computed' if found.expected_error is None else significant(found.expected_error, 2)}"
        + ("." if found.by_chance is None else f", {significant(found.by_chance, 2)} by chance alone.")
        for found in models
    )
    ends: list[Record] = [
        {"score": end, "model": "", "positive": end, "colour": GREY.light, "shape": ""} for end in (0, 1)
    ]
    one_to_one = alt.Scale(domain=[0, 1], nice=False)
    x = alt.X("score:Q", scale=one_to_one, axis=alt.Axis(title="mean score of the bin", format=".0%"))
    y = alt.Y("positive:Q", scale=one_to_one, axis=alt.Axis(title="share of positive labels", format=".0%"))
    diagonal = alt.Chart(data(ends, columns)).mark_line(color=GREY.light, strokeWidth=1).encode(x=x, y=y)
    layers = [diagonal, *_two_lines(records, columns, x, y)]
    chart = alt.LayerChart(layer=layers).properties(width=width, height=HEIGHT + 60)
    table: Columns = {
        "Model": tuple(str(record["model"]) for record in records),
        "Mean score": tuple(significant(float(record["score"] or 0.0), 3) for record in records),
        "Positive labels": tuple(share(float(record["positive"] or 0.0)) for record in records),
    }
    names = [found.model for found in models]
    return Drawn(finished(_titled(chart, names[0], names[-1]), sentence), table, sentence)


@composed
def days_covered(days: Sequence[DayRequests], *, width: int = WIDTH) -> Drawn:
    """Requests by day: logged by both models, and by one alone."""
    columns = ("day", "requests", "who", "colour")
    parts = (("both", BLUE), ("champion_only", VERMILLION), ("candidate_only", GREY))
    words = {"both": "both", "champion_only": "champion only", "candidate_only": "candidate only"}
    records: list[Record] = [
        {"day": f"{one.day:%d %b}", "requests": getattr(one, part), "who": words[part], "colour": ink.light}
        for one in days
        for part, ink in parts
    ]
    alone = [one for one in days if one.champion_only or one.candidate_only]
    empty = [one for one in days if not one.both]
    sentence = (
        f"{len(days)} days; requests of one model alone on {len(alone)}, without a pair on {len(empty)}."
    )
    if empty:
        sentence += f" The first day without a pair is {instant(empty[0].day)[:-11]}."
    order = list(dict.fromkeys(str(record["day"]) for record in records))
    chart = alt.LayerChart(
        layer=[
            alt.Chart(data(records, columns))
            .mark_bar()
            .encode(
                x=alt.X(
                    "day:O", sort=order, axis=alt.Axis(title="day (UTC)", labelAngle=-40, labelOverlap=True)
                ),
                y=alt.Y("requests:Q", stack=True, axis=alt.Axis(title="requests", tickCount=4, format=",d")),
                color=alt.Color("colour:N", scale=None),
            )
        ]
    ).properties(width=width, height=HEIGHT - 40)
    table: Columns = {
        "Day (UTC)": tuple(order),
        "Both": tuple(count(one.both) for one in days),
        "Champion only": tuple(count(one.champion_only) for one in days),
        "Candidate only": tuple(count(one.candidate_only) for one in days),
    }
    return Drawn(finished(stacked([chart]), sentence), table, sentence)


def _two_lines(
    records: Sequence[Record], columns: Sequence[str], x: alt.X, y: alt.Y, *, step: bool = False
) -> list[alt.Chart]:
    """A line and marks a model, told apart by dash and shape as well as by colour."""
    layers: list[alt.Chart] = []
    for ink, shape, dash in _MODELS:
        own = [record for record in records if record["shape"] == shape]
        drawn = alt.Chart(data(own, columns))
        line = drawn.mark_line(
            color=ink.light, strokeDash=dash, strokeWidth=2, interpolate="step" if step else "linear"
        )
        layers.append(line.encode(x=x, y=y))
        if not step:
            marks = drawn.mark_point(color=ink.light, filled=True, size=60, opacity=1, shape=shape)
            layers.append(marks.encode(x=x, y=y))
    return layers


def _titled(chart: alt.LayerChart, champion: str, candidate: str) -> alt.LayerChart:
    """With words that say which line is whose."""
    words = f"● solid: {champion}   ■ dashed: {candidate}"
    title = alt.TitleParams(
        words, anchor="start", fontSize=12, color=MUTED.light, fontWeight="normal", offset=6
    )
    titled: alt.LayerChart = chart.properties(title=title)
    return titled
