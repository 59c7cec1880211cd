"""Charts of looks: points only where a look was taken, boundaries as they were, what is to come hollow."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

import pytest

from app import charts
from app.paths import crossed, looks_to_come, path_sentence
from experiments.readouts.readout import SequentialPath
from tests.app.sample_paths import PLANNED, always_valid, efficacy, futile, latency_path, point
from tests.app.test_charts import values


def layers(drawn: charts.Drawn) -> list[dict[str, Any]]:
    return list(charts.spec(drawn.chart)["layer"])


def records(layer: dict[str, Any]) -> list[dict[str, Any]]:
    return list(layer.get("data", {}).get("values", []))


def points(drawn: charts.Drawn, shape: str, *, filled: bool) -> list[tuple[float, float]]:
    """Where marks of a kind stand, those of the legend apart."""
    found = []
    for layer in layers(drawn):
        mark = layer["mark"]
        if mark.get("type") == "point" and mark.get("shape") == shape and mark.get("filled") is filled:
            found += [(record["at"], record["value"]) for record in records(layer) if "at" in record]
    return found


def text_of(drawn: charts.Drawn) -> str:
    return " ".join(ElementTree.fromstring(charts.svg(drawn.chart)).itertext())


def test_z_has_points_at_the_looks_taken_and_nowhere_else() -> None:
    drawn = charts.boundary_chart(efficacy())
    assert points(drawn, "circle", filled=True) == [(0.4123, 1.3021), (0.7311, 2.83117)]
    lines = [layer for layer in layers(drawn) if layer["mark"].get("type") == "line"]
    assert all(record["value"] not in (1.3021, 2.83117) for line in lines for record in records(line))


def test_boundaries_stand_at_the_information_that_came_and_hollow_where_a_look_is_to_come() -> None:
    drawn = charts.boundary_chart(efficacy())
    assert points(drawn, "triangle-up", filled=True) == [(0.4123, 3.304127), (0.7311, 2.388915)]
    assert points(drawn, "triangle-up", filled=False) == [(1.0, 2.000539)]
    assert points(drawn, "triangle-down", filled=True) == [(0.4123, -3.304127), (0.7311, -2.388915)]
    assert points(drawn, "triangle-down", filled=False) == [(1.0, -2.000539)]
    assert points(drawn, "diamond", filled=True) == [(0.4123, -0.352614), (0.7311, 1.140207)]
    assert points(drawn, "diamond", filled=False) == []
    assert "hollow: look to come" in text_of(drawn)


def test_after_the_last_look_nothing_is_hollow() -> None:
    last = point(
        3, 3, information=1.012, z=1.9, critical=1.99, spent=0.05, estimate=0.01, low=-0.001, high=0.02
    )
    drawn = charts.boundary_chart(efficacy(points=(*efficacy().points, last)))
    assert points(drawn, "triangle-up", filled=False) == []
    assert "hollow" not in text_of(drawn)
    assert drawn.table["Look"] == ("1", "2", "3")


def test_a_design_without_futility_draws_none() -> None:
    drawn = charts.boundary_chart(latency_path())
    assert points(drawn, "diamond", filled=True) == []
    assert "futility" not in text_of(drawn)
    assert "inside the margin" in text_of(drawn)
    assert set(drawn.table["Futility z"]) == {"–"}


def test_the_table_has_the_nominal_level_of_every_look() -> None:
    drawn = charts.boundary_chart(efficacy())
    assert drawn.table["Look"] == ("1", "2", "3, not taken")
    assert drawn.table["z"] == ("1.302", "2.831", "–")
    expected = [math.erfc(z / math.sqrt(2)) for z in (3.304127, 2.388915, PLANNED[2].critical or 0.0)]
    assert [float(p) for p in drawn.table["Nominal α"]] == pytest.approx(expected, abs=5e-5)
    one_sided = charts.boundary_chart(latency_path()).table["Nominal α"]
    assert [float(p) for p in one_sided] == pytest.approx([p / 2 for p in expected], abs=5e-5)


def test_a_boundary_far_above_every_z_is_drawn_at_the_edge_with_its_number() -> None:
    first = efficacy().points[0].model_copy(update={"critical": 8.91})
    drawn = charts.boundary_chart(efficacy(points=(first, efficacy().points[1])))
    heights = [at[1] for at in points(drawn, "triangle-up", filled=True)]
    assert heights[0] < 6
    assert heights[1] == 2.388915
    assert "8.91 beyond" in text_of(drawn)
    assert drawn.table["Critical z"][0] == "8.910"


def test_a_look_that_spends_nothing_has_no_boundary() -> None:
    first = (
        efficacy().points[0].model_copy(update={"critical": None, "spent": 0.0, "low": None, "high": None})
    )
    drawn = charts.boundary_chart(efficacy(points=(first, efficacy().points[1])))
    assert len(points(drawn, "triangle-up", filled=True)) == 1
    assert len(points(drawn, "circle", filled=True)) == 2
    shown = charts.interval_chart(efficacy(points=(first, efficacy().points[1])))
    assert shown.table["Repeated 95% confidence interval"][0] == "open: this look excludes nothing"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (efficacy(), "task_success@3 with treatment: the efficacy boundary was crossed at look 2 (z = 2.831, critical 2.389"),
        (futile(), "the futility boundary was crossed at look 2"),
        (latency_path(), "the boundary inside the margin was crossed at look 2"),
        (efficacy(points=efficacy().points[:1]), "no boundary was crossed at look 1 (z = 1.302"),
        (
            efficacy(points=tuple(p.model_copy(update={"z": -3.5}) for p in efficacy().points)),
            "the boundary on the worse side was crossed at looks 1 and 2",
        ),
        (
            latency_path(points=tuple(p.model_copy(update={"z": -3.5}) for p in latency_path().points)),
            "the boundary beyond the margin was crossed at looks 1 and 2",
        ),
        (always_valid(), "task_success@3 with treatment: the efficacy boundary was crossed at look 4."),
        (always_valid(points=always_valid().points[:3]), "no boundary was crossed at looks 1 to 3."),
        (always_valid(direction="lower"), "the boundary on the worse side was crossed at look 4."),
        (efficacy(points=()), "no look was taken."),
    ],
)  # fmt: skip
def test_the_takeaway_says_which_boundary_was_crossed_and_when(path: SequentialPath, words: str) -> None:
    assert words in path_sentence(path)


def test_at_the_boundary_itself_it_is_crossed() -> None:
    at = efficacy().points[1].model_copy(update={"z": 2.388915})
    assert crossed(efficacy(), at) == "the efficacy boundary"
    below = at.model_copy(update={"z": 2.388914})
    assert crossed(efficacy(), below) is None
    assert crossed(efficacy(), below.model_copy(update={"z": 1.140207})) == "the futility boundary"


def test_looks_passed_over_are_not_to_come() -> None:
    """A look whose information had already come at the one before is never taken."""
    late = efficacy(points=(efficacy().points[0].model_copy(update={"information": 0.72}),))
    assert [number for number, _ in looks_to_come(late)] == [3]


def test_each_look_has_its_interval_and_nothing_joins_them() -> None:
    drawn = charts.interval_chart(always_valid(), 0.015)
    assert not [layer for layer in layers(drawn) if layer["mark"].get("type") in {"line", "area"}]
    rows = [record for record in values(charts.spec(drawn.chart)) if "estimate" in record]
    by_look = {row["name"]: row for row in rows}
    assert list(by_look) == ["look 1", "look 2", "look 3", "look 4"]
    assert (by_look["look 1"]["estimate"], by_look["look 1"]["low"]) == (None, None)
    assert by_look["look 4"]["low"] == pytest.approx(0.201)
    assert by_look["look 4"]["high"] == pytest.approx(3.243)
    assert drawn.table["95% confidence sequence"][3] == "+0.2 to +3.2"
    shown = text_of(drawn)
    for words in ("planned +1.5", "no difference", "not computed", "better"):
        assert words in shown


def test_the_margin_is_marked_and_up_is_better_for_a_metric_that_should_fall() -> None:
    drawn = charts.interval_chart(latency_path())
    assert "margin +20" in text_of(drawn)
    scales = [layer["encoding"]["y"].get("scale", {}) for layer in layers(drawn) if "y" in layer["encoding"]]
    assert all(scale.get("reverse") for scale in scales)
    assert set(drawn.table["Held against"]) == {"the margin, +20\u00a0ms"}


def test_an_open_side_reaches_the_edge() -> None:
    one = always_valid().points[3].model_copy(update={"high": None})
    drawn = charts.interval_chart(always_valid(points=(one,)))
    (row,) = [record for record in values(charts.spec(drawn.chart)) if "estimate" in record][:1]
    assert row["high"] > row["estimate"]
    assert drawn.table["95% confidence sequence"] == ("+0.2 or more",)


def test_a_chart_of_another_rule_or_of_no_look_is_refused() -> None:
    for path in (always_valid(), efficacy(points=())):
        with pytest.raises(ValueError, match="give a group-sequential path"):
            charts.boundary_chart(path)
    with pytest.raises(ValueError, match="needs one"):
        charts.interval_chart(always_valid(points=()))
