"""Charts: they draw what the readout holds and nothing else, say so in words, and need no colour to be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from app import charts
from app.charts import drawing, palette
from experiments.readouts.readout import Comparison, Readout
from tests.app import samples
from tests.app.samples import SAMPLES

Draw = Callable[[Readout], charts.Drawn]

FORESTS: dict[str, Draw] = {
    "primary": lambda r: charts.primary_forest(r.primary),
    "guardrails": lambda r: charts.guardrail_forest(r.guardrails),
    "segment": lambda r: charts.segment_forest(r.segments[0], r.primary),
    "sensitivity": lambda r: charts.sensitivity_forest(r.sensitivity, r.primary),
}
COHORT: dict[str, Draw] = {
    "allocation": lambda r: charts.allocation_bar(r.units, r.validity[0]),
    "flow": lambda r: charts.unit_flow(r.units),
}
LOOKS: dict[str, Draw] = {
    "boundaries": lambda r: charts.boundary_chart(r.sequential[0]),
    "guardrail-boundaries": lambda r: charts.boundary_chart(r.sequential[1]),
    "intervals": lambda r: charts.interval_chart(r.sequential[0], 0.015),
    "guardrail-intervals": lambda r: charts.interval_chart(r.sequential[-1]),
}
ALLOWED = {
    *("row", "name", "words", "numbers", "estimate", "low", "high", "colour", "shape"),
    *("at", "end", "top", "bottom", "label", "align"),
    *("arm", "value", "planned"),
}
FORBIDDEN = re.compile(
    r"significan|winner|loser|trending|statsig|flat|no effect|regression|almost|marginal", re.I
)


def drawable() -> Iterator[tuple[str, str, Draw]]:
    for sample in ("ship", "several_treatments", "not_measured", "non_inferior", "invalid", "hostile"):
        readout = SAMPLES[sample]()
        parts = {
            "primary": readout.primary,
            "guardrails": readout.guardrails,
            "segment": readout.segments,
            "sensitivity": readout.sensitivity,
        }
        yield from ((sample, name, draw) for name, draw in FORESTS.items() if parts[name])
        yield from ((sample, name, draw) for name, draw in COHORT.items())
    for sample in ("stopped_early", "stopped_as_futile"):
        yield from ((sample, name, draw) for name, draw in LOOKS.items())
    yield "always_valid", "intervals", LOOKS["intervals"]


EVERY = list(drawable())
every_chart = pytest.mark.parametrize(
    ("sample", "name", "draw"), EVERY, ids=[f"{s}-{n}" for s, n, _ in EVERY]
)


def values(document: Any) -> Iterator[dict[str, Any]]:
    """All inline records of a specification, whatever depth they stand at."""
    if isinstance(document, dict):
        if isinstance(document.get("data"), dict):
            yield from document["data"].get("values", [])
        for part in document.values():
            yield from values(part)
    elif isinstance(document, list):
        for part in document:
            yield from values(part)


def records_of(drawn: charts.Drawn, column: str) -> list[Any]:
    """What stands in a column, each record once though several layers draw it."""
    once: list[dict[str, Any]] = []
    for record in values(charts.spec(drawn.chart)):
        if column in record and record not in once:
            once.append(record)
    return [record[column] for record in once]


@every_chart
def test_the_document_obeys_the_schema_and_describes_itself(sample: str, name: str, draw: Draw) -> None:
    drawn = draw(SAMPLES[sample]())
    document = drawing.spec(drawn.chart, validate=True)
    assert document["description"] == drawn.sentence
    assert drawn.sentence
    assert len({len(column) for column in drawn.table.values()}) == 1
    assert not FORBIDDEN.search(drawn.sentence)


@every_chart
def test_no_column_but_the_allowed_ones_is_in_the_document(sample: str, name: str, draw: Draw) -> None:
    document = charts.spec(draw(SAMPLES[sample]()).chart)
    found = {column for record in values(document) for column in record}
    assert found
    assert found <= ALLOWED
    assert not re.search(r'"url":', str(document))


def test_a_column_that_is_not_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match=r"columns \['revenue'\] are not allowed"):
        drawing.data([{"row": 1, "revenue": 3.5}], ("row",))


@pytest.mark.parametrize("sample", ["ship", "not_measured", "several_treatments", "hostile", "non_inferior"])
def test_the_drawing_is_one_image_with_its_takeaway_and_fetches_nothing(sample: str) -> None:
    readout = SAMPLES[sample]()
    drawn = (
        charts.guardrail_forest(readout.guardrails)
        if sample != "hostile"
        else charts.primary_forest(readout.primary)
    )
    image = charts.svg(drawn.chart)
    root = ElementTree.fromstring(image)
    assert (root.get("role"), root.get("aria-label")) == ("img", drawn.sentence)
    assert [e for e in root.iter() if e is not root and (e.get("role") or e.get("aria-label"))] == []
    assert "<script" not in image
    assert set(re.findall(r'https?://[^"\s]+', image)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_the_picture_shows_the_words_and_numbers_of_every_row() -> None:
    readout = samples.not_measured()
    text = "".join(
        ElementTree.fromstring(charts.svg(charts.guardrail_forest(readout.guardrails).chart)).itertext()
    )
    for words in (
        "Within margin",
        "Missing",
        "not computed: no requests in an arm",
        "margin +20\u00a0ms",
        "+6.1\u00a0ms",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("comparison", "words"),
    [
        (samples.latency(), "Within the margin of 20\u00a0ms (upper limit +11.0\u00a0ms)."),
        (samples.revenue(), "Within the margin of 1\u00a0EUR (lower limit −0.53\u00a0EUR)."),
        (
            samples.latency(
                state="Margin not ruled out", estimate=14.0, interval=samples.interval(2.0, 26.4)
            ),
            "Margin not ruled out: could be worse by up to 26\u00a0ms; the limit is 20\u00a0ms.",
        ),
        (
            samples.latency(state="Beyond margin", estimate=41.2, interval=samples.interval(33.1, 49.3)),
            "Beyond the margin of 20\u00a0ms: +41.2\u00a0ms (95% CI +33.1 to +49.3), upper limit +49.3\u00a0ms.",
        ),
        (
            samples.latency(
                state="Missing", estimate=None, interval=None, not_computed="no requests in an arm"
            ),
            "Missing: no requests in an arm.",
        ),
        (
            samples.latency(state="Missing", not_computed="more than 5% of an arm has no value"),
            "Missing: more than 5% of an arm has no value; +6.1\u00a0ms (95% CI +1.2 to +11.0); margin 20\u00a0ms.",
        ),
    ],
)
def test_a_guardrail_says_what_its_interval_says_of_the_margin(comparison: Comparison, words: str) -> None:
    assert charts.guardrail_forest([comparison]).sentence == f"p95_latency@1: {words}".replace(
        "p95_latency@1", comparison.label
    )


def test_a_row_without_an_interval_has_words_and_a_margin_but_no_mark() -> None:
    missing = samples.not_measured().guardrails[-1]
    drawn = charts.guardrail_forest([missing])
    row = next(r for r in values(charts.spec(drawn.chart)) if "words" in r)
    assert row["words"] == "Missing"
    assert (row["estimate"], row["low"], row["high"]) == (None, None, None)
    assert records_of(drawn, "at") == [20.0]


def test_the_interval_is_drawn_where_the_readout_has_it() -> None:
    row = next(
        r for r in values(charts.spec(charts.primary_forest([samples.primary()]).chart)) if "estimate" in r
    )
    assert (row["estimate"], row["low"], row["high"]) == pytest.approx((1.1438, 0.1822, 2.1054), abs=1e-12)


@pytest.mark.parametrize(("direction", "turned"), [("higher", False), ("lower", True)])
def test_better_is_at_the_right(direction: str, turned: bool) -> None:
    document = charts.spec(charts.primary_forest([samples.primary(direction=direction)]).chart)
    scales = [
        layer["encoding"]["x"]["scale"]
        for layer in document["layer"]
        if "scale" in layer["encoding"].get("x", {})
    ]
    assert scales
    assert {scale["reverse"] for scale in scales} == {turned}
    assert "better →" in str(document)


def test_the_margin_and_the_planned_effect_are_on_their_own_sides() -> None:
    assert 1.5 in records_of(charts.primary_forest([samples.primary()]), "at")
    assert -1.5 in records_of(charts.primary_forest([samples.primary(direction="lower")]), "at")
    assert -1.0 in records_of(charts.guardrail_forest([samples.revenue()]), "at")
    assert 5.0 in records_of(charts.guardrail_forest([samples.errors()]), "at")


def test_units_that_differ_do_not_share_a_scale() -> None:
    chart = charts.spec(
        charts.guardrail_forest([samples.errors(), samples.latency(), samples.revenue()]).chart
    )
    assert len(chart["vconcat"]) == 3
    assert chart["resolve"]["scale"]["x"] == "independent"
    together = charts.spec(charts.guardrail_forest([samples.latency(), samples.latency(level="DE")]).chart)
    assert "vconcat" not in together


def test_a_margin_ten_times_larger_has_a_scale_of_its_own() -> None:
    small = samples.latency(margin=2.0, limit=2.0, estimate=0.5, interval=samples.interval(0.1, 0.9))
    assert len(charts.spec(charts.guardrail_forest([small, samples.latency()]).chart)["vconcat"]) == 2


def test_an_open_side_ends_in_an_arrow_at_the_edge() -> None:
    (comparison,) = samples.non_inferior().primary
    assert records_of(charts.primary_forest([comparison]), "end") == ["triangle-right"]
    lower = comparison.model_copy(update={"direction": "lower"})
    assert records_of(charts.primary_forest([lower]), "end") == ["triangle-left"]


def test_states_differ_in_words_and_shape_and_not_in_colour_alone() -> None:
    states = ("Within margin", "Beyond margin", "Margin not ruled out")
    rows = [samples.latency(state=state, level=state) for state in states]
    document = charts.spec(charts.guardrail_forest(rows).chart)
    drawn = {r["words"]: (r["shape"], r["colour"]) for r in values(document) if "words" in r}
    assert set(drawn) == set(states)
    assert len({shape for shape, _ in drawn.values()}) == 3
    assert len({colour for _, colour in drawn.values()}) == 3


def test_segments_have_no_verdict_words_and_one_colour() -> None:
    readout = samples.ship()
    drawn = charts.segment_forest(readout.segments[0], readout.primary)
    assert set(records_of(drawn, "words")) == {""}
    assert set(records_of(drawn, "colour")) == {palette.INK.light}
    assert records_of(drawn, "name") == ["DE (n = 9\u202f617)", "FR (n = 7\u202f800)", "US (n = 9\u202f687)"]
    assert "p = 0.8732" in drawn.sentence


def test_a_segment_on_another_scale_than_the_primary_is_drawn_without_it() -> None:
    relative = samples.primary(scale="relative", estimate=0.05, interval=samples.interval(0.01, 0.09))
    drawn = charts.segment_forest(samples.segment(), [relative])
    assert "all units" not in str(charts.spec(drawn.chart))
    assert "all units" in str(
        charts.spec(charts.segment_forest(samples.segment(), [samples.primary()]).chart)
    )


def test_allocation_shows_the_tested_units_and_p_in_words() -> None:
    readout = samples.invalid()
    drawn = charts.allocation_bar(readout.units, readout.validity[0])
    assert "9\u202f800 / 9\u202f077 (51.92% / 48.08%), planned 50% / 50%" in drawn.sentence
    assert "p < 0.0001" in drawn.sentence
    assert [r["planned"] for r in values(charts.spec(drawn.chart)) if "planned" in r][:2] == [0.5, 0.5]


def test_no_units_at_all_is_drawn_and_not_divided() -> None:
    nobody = [
        u.model_copy(update={"assigned": 0, "analysed": 0, "planned_share": 0.5}) for u in samples.UNITS
    ]
    assert "0 / 0 (0% / 0%)" in charts.allocation_bar(nobody).sentence
    charts.svg(charts.unit_flow(nobody).chart)


def test_the_flow_tells_every_step_of_every_arm() -> None:
    drawn = charts.unit_flow(samples.UNITS)
    assert drawn.table["Step"] == ("assigned", "exposed", "eligible", "mature", "analysed")
    assert drawn.table["treatment"][0] == "15\u202f244"
    assert records_of(drawn, "value")[:2] == [15233, 15244]


def test_an_effect_of_zero_with_no_width_is_drawn() -> None:
    flat = samples.primary(estimate=0.0, interval=samples.interval(0.0, 0.0), mde=None)
    charts.svg(charts.primary_forest([flat]).chart)


def test_long_names_end_before_the_reading() -> None:
    name = "a_metric_with_a_name_as_long_as_a_catalogue_allows_it_to_be_x@12"
    image = charts.svg(charts.guardrail_forest([samples.latency(label=name)]).chart)
    assert "…" in image
    assert name not in image.split(">", 1)[1]


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", ["ink", "muted", "blue", "vermillion", "grey", "amber"])
def test_text_and_marks_can_be_told_from_the_page_light_and_dark(name: str) -> None:
    ink = palette.ALL[name]
    assert contrast(ink.light, palette.SURFACE) >= 4.5
    assert contrast(ink.dark, palette.DARK_SURFACE) >= 4.5
    assert contrast(ink.light, palette.LANE.light) >= 3
    assert contrast(ink.dark, palette.LANE.dark) >= 3


def test_the_measured_contrast_of_the_blue_is_the_published_one() -> None:
    # Okabe and Ito's #0072B2 on white: 5.19 (WebAIM contrast checker).
    assert contrast("#0072B2", "#FFFFFF") == pytest.approx(5.19, abs=0.01)


def test_every_colour_drawn_is_one_that_a_dark_page_turns() -> None:
    known = {ink.light.lower() for ink in palette.ALL.values()} | {"transparent", "none"}
    readout = samples.several_treatments()
    for draw in (*FORESTS.values(), *COHORT.values()):
        image = charts.svg(draw(readout).chart)
        assert {c.lower() for c in re.findall(r'(?:fill|stroke)="([^"]+)"', image)} <= known


def test_a_panel_takes_the_width_it_is_given() -> None:
    assert charts.spec(charts.primary_forest([samples.primary()], width=720).chart)["width"] == 720
