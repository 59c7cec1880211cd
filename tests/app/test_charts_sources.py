"""Charts of how logs come in: every day and every check is drawn, gaps are told, and the table says the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from app import charts
from app.charts import drawing
from app.charts.sources import DRAWN_DAYS, freshness, late_arrivals, rows_by_day
from app.overview.quality import span
from experiments.logs.quality import Arrivals, Day
from tests.app.test_charts import records_of, values

START = datetime(2026, 11, 1, tzinfo=UTC)
ARRIVALS = Arrivals((0.61, 0.9, 0.93, 0.97, 0.99, 1.0), START)


def days(*rows: int) -> tuple[Day, ...]:
    return tuple(Day(START + timedelta(days=at), n) for at, n in enumerate(rows))


def checks(n: int) -> list[tuple[datetime, dict[str, datetime]]]:
    return [
        (
            START + timedelta(days=at, hours=6),
            {"assignments": START + timedelta(days=at), "outcomes_0": START + timedelta(days=at - 2)},
        )
        for at in range(n)
    ]


EVERY = {
    "days": lambda: rows_by_day(days(100, 120, 0, 90, 0, 110)),
    "one day": lambda: rows_by_day(days(7)),
    "empty days": lambda: rows_by_day(days(0, 0)),
    "late": lambda: late_arrivals(ARRIVALS),
    "never late": lambda: late_arrivals(Arrivals((1.0, 1.0), START)),
    "always late": lambda: late_arrivals(Arrivals((0.0, 0.1, 0.2), START)),
    "fresh": lambda: freshness(checks(5)),
    "one check": lambda: freshness(checks(1)),
}


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_the_document_obeys_the_schema_describes_itself_and_is_one_image(draw):
    drawn = draw()
    assert drawing.spec(drawn.chart, validate=True)["description"] == drawn.sentence
    assert len({len(column) for column in drawn.table.values()}) == 1
    picture = charts.svg(drawn.chart)
    assert ElementTree.fromstring(picture).attrib["aria-label"] == drawn.sentence


def test_a_day_without_rows_is_named_and_marked():
    drawn = rows_by_day(days(100, 120, 0, 90, 0, 110))
    assert drawn.sentence == (
        "110 rows on 6 Nov 2026, the last day; 90 on the median of the 5 days before. "
        "No rows on 2 days: 3 Nov 2026, 5 Nov 2026."
    )
    assert records_of(drawn, "words").count("✕") == 2
    assert drawn.table["Rows"] == ("110", "0", "90", "0", "120", "100")


def test_every_day_is_in_the_table_and_the_newest_are_drawn():
    drawn = rows_by_day(days(*range(1, 201)))
    assert len(drawn.table["Rows"]) == 200
    assert sorted(records_of(drawn, "rows")) == list(range(201 - DRAWN_DAYS, 201))


def test_the_curve_says_how_long_a_label_delay_has_to_be():
    drawn = late_arrivals(ARRIVALS)
    assert drawn.sentence == "95% of rows arrive within 3 days of their event, 99% within 4 days."
    assert drawn.table == {
        "Days after the event": ("0", "1", "2", "3", "4", "5"),
        "Had arrived": ("61%", "90%", "93%", "97%", "99%", "100%"),
    }
    assert "3 days" in records_of(drawn, "words")


def test_no_curve_is_drawn_where_there_is_none():
    with pytest.raises(ValueError, match="no curve to draw; no times"):
        late_arrivals(Arrivals(not_computed="no times"))


def test_each_log_s_lag_at_each_check_is_drawn_in_days():
    drawn = freshness(checks(3))
    assert drawn.sentence == (
        "At the last check, 3 Nov 2026, 06:00 UTC, the logs were behind by: assignments 6 h; outcomes_0 2 days 6 h."
    )
    drawn_points = [one for one in values(charts.spec(drawn.chart)) if not one["words"]]
    assert {(one["log"], one["lag"]) for one in drawn_points} == {("assignments", 0.25), ("outcomes_0", 2.25)}
    assert len({(one["log"], one["at"]) for one in drawn_points}) == 6
    assert drawn.table["assignments complete up to"][0] == "3 Nov 2026, 00:00 UTC"


def test_names_that_would_lie_on_each_other_stand_side_by_side():
    at = START + timedelta(days=1)
    drawn = freshness(
        [(at, {"assignments": START, "exposures": START, "outcomes_0": START - timedelta(days=9)})]
    )
    assert sorted(word for word in records_of(drawn, "words") if word) == [
        "assignments, exposures",
        "outcomes_0",
    ]


def test_a_log_that_was_unknown_at_a_check_is_said_to_be_unknown_then():
    drawn = freshness([checks(1)[0], (START + timedelta(days=2), {"assignments": START})])
    assert drawn.table["outcomes_0 complete up to"] == ("unknown", "30 Oct 2026, 00:00 UTC")
    with pytest.raises(ValueError, match="nothing to draw"):
        freshness([(START, {})])


def test_charts_hold_nothing_but_what_they_draw():
    for draw in EVERY.values():
        found = {column for record in values(charts.spec(draw().chart)) for column in record}
        assert found <= {"from", "to", "rows", "days", "share", "at", "lag", "log", "words", "colour"}


def test_a_span_is_said_in_its_two_largest_units():
    assert [span(timedelta(hours=h)) for h in (0.2, 5, 24, 51, -3)] == [
        "12 min",
        "5 h",
        "1 day",
        "2 days 3 h",
        "0 min",
    ]
