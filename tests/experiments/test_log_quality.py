"""How a log comes in, against a count by hand; and that of an outcome log nothing is read that would tell an outcome."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.logs.engines.duckdb import DuckDB
from experiments.logs.inspection import LogReport, inspect_source
from experiments.logs.quality import MOST_DAYS, ONE_EVENT
from experiments.logs.sources import Place, parse_outcome_sources, parse_sources

START = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)

SOURCES = """
sources:
  main:
    complete: true
    assignments: {frame: assignments, columns: {unit: unit, arm: arm, assigned_at: at}}
    exposures: {frame: exposures, columns: {unit: unit, exposed_at: at}}
"""
OUTCOMES = """
outcomes:
  main:
    complete: true
    logs:
      - frame: outcomes
        columns: {unit: unit, event: event, occurred_at: at, recorded_at: came, value: value}
"""

Row = tuple[str, str, datetime, datetime]


def logs_of(outcomes: list[Row], exposures: list[tuple[str, datetime]] | None = None) -> dict[str, LogReport]:
    """The report of each log, over units u0 to u4 that are assigned."""
    assigned = pd.DataFrame(
        {"unit": [f"u{i}" for i in range(5)], "arm": ["a", "b", "a", "b", "a"], "at": [START] * 5}
    )
    exposed = pd.DataFrame(exposures or [("u0", START)], columns=["unit", "at"])
    logged = pd.DataFrame(outcomes, columns=["unit", "event", "at", "came"]).assign(value=1.5)
    place = Place(Path(), {"assignments": assigned, "exposures": exposed, "outcomes": logged})
    report = inspect_source(
        "main", parse_sources(SOURCES, place), parse_outcome_sources(OUTCOMES, place), threads=1
    )
    return {log.log: log for log in report.logs}


def row(unit: str, day: float, late: float = 0.5, event: str = "done") -> Row:
    at = START + timedelta(days=day)
    return unit, event, at, at + timedelta(days=late)


def test_rows_are_counted_by_day_and_a_day_without_any_is_a_zero():
    found = logs_of([row("u1", 0), row("u1", 0.9), row("u2", 3.2, event="failed")])["outcomes_0"].quality
    assert found is not None
    assert [(one.day, one.rows) for one in found.days] == [
        (START, 2),
        (START + DAY, 0),
        (START + 2 * DAY, 0),
        (START + 3 * DAY, 1),
    ]


def test_only_the_newest_days_are_kept():
    found = logs_of([row("u1", 0), row("u1", 1000, event="failed"), row("u1", 1000.5)])["outcomes_0"].quality
    assert found is not None
    assert len(found.days) == MOST_DAYS
    assert (found.days[0].rows, found.days[-1].rows) == (0, 2)


def test_a_log_of_one_event_tells_no_rows_by_day_for_they_would_be_that_event_s_count():
    found = logs_of([row("u1", 0), row("u2", 1)])["outcomes_0"].quality
    assert found is not None
    assert (found.days, found.no_days) == ((), ONE_EVENT)


def test_rows_whose_unit_is_not_assigned_are_a_share():
    logs = logs_of(
        [row("u1", 0), row("u9", 1), row("u9", 2), row("u4", 3)],
        [("u0", START), ("u7", START), ("u1", START)],
    )
    qualities = {name: log.quality for name, log in logs.items()}
    assert qualities["outcomes_0"].matched_share == 0.5
    assert qualities["exposures"].matched_share == pytest.approx(2 / 3, abs=1e-6)
    assert qualities["assignments"].matched_share is None
    assert "matched to this one" in qualities["assignments"].no_match


def test_whole_numbers_and_text_that_name_the_same_unit_match():
    place = Place(
        Path(),
        {
            "assignments": pd.DataFrame({"unit": [1, 2], "arm": ["a", "b"], "at": [START] * 2}),
            "exposures": pd.DataFrame({"unit": ["1", "x"], "at": [START] * 2}),
        },
    )
    report = inspect_source("main", parse_sources(SOURCES, place))
    assert report.logs[1].quality is not None
    assert report.logs[1].quality.matched_share == 0.5


def test_rows_that_repeat_another_are_counted_whatever_their_value():
    twice = [row("u1", 0), row("u1", 0), row("u1", 0, event="failed"), row("u2", 0)]
    found = logs_of(twice)["outcomes_0"].quality
    assert found is not None
    assert found.repeated_share == 0.25


def test_the_curve_of_late_arrivals_leaves_out_rows_whose_late_ones_cannot_have_come():
    """Ten old rows, half of them a day and a half late; fresh rows that came at once would say that nothing is late."""
    old = [row("u1", 0.1 * i, late=0.5 if i % 2 else 1.5) for i in range(10)]
    fresh = [row("u1", 20, late=0.0) for _ in range(100)]
    found = logs_of(old + fresh)["outcomes_0"].quality
    assert found is not None
    assert found.arrivals.shares[:4] == (0.0, 0.5, 1.0, 1.0)
    assert len(found.arrivals.shares) == 11
    assert found.arrivals.before == START + 10 * DAY
    assert (found.arrivals.days_until(0.5), found.arrivals.days_until(0.95)) == (1, 2)


def test_a_whole_day_late_is_one_day_and_a_moment_more_is_two():
    rows = [row("u1", 0, 1.0), row("u1", 0.1, 1.0 + 1e-5), row("u1", 0.2, 0.0), row("u1", 9, 0.0)]
    found = logs_of(rows)["outcomes_0"].quality
    assert found is not None
    assert found.arrivals.shares[:3] == (0.333333, 0.666667, 1.0)


def test_a_row_recorded_before_it_occurred_counts_as_there_at_once_and_is_told():
    found = logs_of([row("u1", 1, -0.5), row("u1", 0, 0.5), row("u1", 9, 0.0)])["outcomes_0"].quality
    assert found is not None
    assert found.early_share == pytest.approx(1 / 3, abs=1e-6)
    assert found.arrivals.shares[0] == 0.5


def test_a_log_too_short_or_without_arrival_times_has_no_curve_and_says_why():
    assert "less than 2 days" in (logs_of([row("u1", 0)])["outcomes_0"].quality.arrivals.not_computed or "")
    assert "recorded_at" in (logs_of([row("u1", 0)])["exposures"].quality.arrivals.not_computed or "")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["u0", "u1", "u7", "u8"]),
            st.sampled_from(["done", "failed"]),
            st.integers(0, 40 * 24),
            st.integers(-5, 12 * 24),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_all_of_it_is_as_counted_by_hand(drawn):
    rows = [(u, e, START + timedelta(hours=h), START + timedelta(hours=h + late)) for u, e, h, late in drawn]
    found = logs_of(rows)["outcomes_0"].quality
    assert found is not None
    by_day = Counter((at - START).days for _, _, at, _ in rows)
    if len({event for _, event, _, _ in rows}) > 1:
        assert {(one.day - START).days: one.rows for one in found.days if one.rows} == dict(by_day)
    assert found.matched_share == round(sum(u in {"u0", "u1"} for u, *_ in rows) / len(rows), 6)
    alike = Counter((u, e, at) for u, e, at, _ in rows)
    assert found.repeated_share == round(sum(n - 1 for n in alike.values()) / len(rows), 6)
    newest = max(came for *_, came in rows)
    reach = min(30, (newest - min(at for _, _, at, _ in rows)) // (2 * DAY))
    old = [(at, came) for _, _, at, came in rows if at < newest - reach * DAY]
    if reach < 1 or not old:
        assert found.arrivals.not_computed
    else:
        expected = [round(sum(c - a <= k * DAY for a, c in old) / len(old), 6) for k in range(reach + 1)]
        assert list(found.arrivals.shares) == expected


def test_no_statement_names_the_column_of_values(monkeypatch):
    run, steps = DuckDB.run, []
    monkeypatch.setattr(DuckDB, "run", lambda self, step: steps.append(step) or run(self, step))
    logs_of([row("u1", 0), row("u1", 9, event="failed")])
    assert len(steps) > 10
    assert [step.sql for step in steps if '"value"' in step.sql] == []
