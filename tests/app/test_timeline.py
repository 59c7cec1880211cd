"""Home's timeline: dates as they are known, what lies ahead told apart, no more lanes than can be read, no outcome."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.charts import drawing
from app.charts.timeline import timeline_chart
from app.cli.session import open_workspace_registry
from app.overview.timeline import MOST, Lane, LookMark, Period, Timeline, dated, timeline
from app.settings import load_settings
from app.worker import Worker
from registry import jobs
from registry.portfolio import Portfolio, last_plans, portfolio
from registry.records import State
from tests.app.life import ID, START, Life

DAY = timedelta(days=1)


def found() -> tuple[Portfolio, dict[str, Any]]:
    with open_workspace_registry(load_settings()) as registry:
        return portfolio(registry), last_plans(registry)


def lanes() -> Timeline:
    now, plans = found()
    return timeline(now, now.experiments, plans)


def asked(life: Life) -> None:
    with open_workspace_registry(load_settings()) as registry:
        jobs.request(registry, "mira", jobs.Kind.LOOK_STATUS, ID)
    Worker(life.folder).run(once=True)


def test_of_an_experiment_without_a_date_nothing_is_drawn_and_it_is_counted(at):
    at("in_review")
    assert (lanes().lanes, lanes().undated, lanes().further) == ((), 1, 0)


def test_a_running_experiment_has_enrolled_up_to_now_and_the_rest_is_expected(at):
    life = at("running")
    (lane,) = lanes().lanes
    now = START + DAY * 1.5
    assert lane.enrolment == (Period(lane.enrolment[0].start, now),)
    assert START <= lane.enrolment[0].start < START + DAY
    assert (lane.maturing, lane.looks, lane.decided_at) == (None, (), None)
    asked(life)
    (lane,) = lanes().lanes
    # Two days of enrolment (minimum_duration), a window of one day: expected at the end of the third.
    assert lane.enrolment[1] == Period(now, START + 2 * DAY, expected=True)
    assert lane.maturing == Period(START + 2 * DAY, START + 3 * DAY, expected=True)
    assert lane.looks == (LookMark(START + 3 * DAY, 1, 1, taken=False),)


def test_a_decided_one_shows_its_cohort_its_look_and_its_decision_and_nothing_ahead(at):
    at("decided")
    (lane,) = lanes().lanes
    now, _ = found()
    assert lane.state == "Decided: shipped"
    assert lane.enrolment[0].end == now.looks[ID][0].cutoff == START + 2 * DAY
    assert lane.maturing == Period(START + 2 * DAY, START + 3 * DAY)
    assert lane.looks == (LookMark(now.looks[ID][0].opened_at, 1, 1, taken=True),)
    assert lane.decided_at == now.decisions[ID].decided_at
    assert not any(period.expected for period in lane.enrolment)


def test_one_stopped_by_hand_enrolled_until_then(at):
    life = at("running")
    life.ok(f"stop {ID} --as mira --reason", "The service behind it is switched off for maintenance.")
    (lane,) = lanes().lanes
    assert lane.enrolment == (Period(lane.enrolment[0].start, START + DAY * 1.5),)
    assert lane.maturing == Period(START + DAY * 1.5, START + DAY * 2.5)


def test_a_declared_start_is_drawn_as_expected_over_the_shortest_enrolment(at):
    life = at("founded")
    design = life.folder / "design.yaml"
    design.write_text(design.read_text() + "expected_start: 2026-11-09\n")
    life.registered()
    (lane,) = lanes().lanes
    start = datetime(2026, 11, 9, tzinfo=UTC)
    assert lane.enrolment == (Period(start, start + 2 * DAY, expected=True),)
    assert lane.maturing == Period(start + 2 * DAY, start + 3 * DAY, expected=True)


def test_a_start_that_is_no_day_is_no_date(at):
    life = at("registered")
    now, _ = found()
    (one,) = now.experiments
    assert dated([replace(one, administrative={"expected_start": "after Christmas"})]) == ([], 0)
    assert life


def test_no_more_lanes_than_can_be_read_the_newest_first(at):
    at("running")
    now, plans = found()
    (one,) = now.experiments
    many = [
        replace(one, id=f"EXP-{n:04d}", first_exposure_at=START - n * DAY, state=State.RUNNING)
        for n in range(MOST + 5)
    ]
    everything = replace(now, words={each.id: "Running" for each in many})
    shown = timeline(everything, many, plans)
    assert [lane.experiment for lane in shown.lanes] == [f"EXP-{n:04d}" for n in range(MOST)]
    assert (shown.further, shown.undated) == (5, 0)


def a_timeline() -> Timeline:
    running = Lane(
        "EXP-0002",
        "A title that is long enough to be cut off somewhere before it ends, because it does not end",
        "Running",
        (Period(START, START + 3 * DAY), Period(START + 3 * DAY, START + 7 * DAY, expected=True)),
        Period(START + 7 * DAY, START + 8 * DAY, expected=True),
        (LookMark(START + 2 * DAY, 1, 2, taken=True), LookMark(START + 8 * DAY, 2, 2, taken=False)),
        None,
    )
    decided = Lane(
        "EXP-0001",
        "An earlier one",
        "Decided: shipped",
        (Period(START - 20 * DAY, START - 10 * DAY),),
        Period(START - 10 * DAY, START - 9 * DAY),
        (LookMark(START - 9 * DAY, 1, 1, taken=True),),
        START - 8 * DAY,
    )
    return Timeline((running, decided), 0, 0, START + 3 * DAY)


def test_the_chart_draws_each_period_and_mark_once_and_tells_past_from_expected():
    drawn = timeline_chart(a_timeline())
    document = drawing.spec(drawn.chart, validate=True)
    bars, marks, now, names = (layer["data"]["values"] for layer in document["layer"])
    assert [(bar["row"], bar["opacity"] < 1) for bar in bars] == [
        *[(0, False), (0, True), (0, True)],
        *[(1, False), (1, False)],
    ]
    assert [bar["bottom"] - bar["top"] > 0.2 for bar in bars] == [True, True, False, True, False]
    assert [(mark["shape"], mark["fill"] == mark["colour"]) for mark in marks] == [
        ("diamond", True),
        ("diamond", False),
        ("diamond", True),
        ("circle", True),
    ]
    assert len(now) == len(names) == 2
    assert names[0]["words"].endswith("…")
    assert drawing.svg(drawn.chart).startswith("<svg")


def test_the_same_stands_in_a_table_and_in_a_sentence():
    drawn = timeline_chart(a_timeline())
    assert drawn.sentence == (
        "2 experiments, 1 enrolling now. The next look is look 2 of EXP-0002, about 10 Nov 2026, 00:00 UTC."
    )
    assert {heading: column[0] for heading, column in drawn.table.items()} == {
        "Experiment": "EXP-0002",
        "Title": a_timeline().lanes[0].title,
        "State": "Running",
        "Enrolment": "2 Nov 2026 to about 9 Nov 2026",
        "Mature": "about 10 Nov 2026",
        "Looks": "look 1 of 2 taken 4 Nov 2026; look 2 of 2 expected about 10 Nov 2026",
        "Decided": "–",
    }
    assert drawn.table["Decided"][1] == "25 Oct 2026, 00:00 UTC"


def test_a_lane_without_looks_or_bars_is_drawn_too():
    bare = Lane("EXP-0003", "Bare", "Running", (), None, (), None)
    drawn = timeline_chart(Timeline((bare,), 0, 0, START))
    assert drawn.sentence == "1 experiment, 0 enrolling now. No look is dated ahead."
    assert drawing.svg(drawn.chart).startswith("<svg")


@pytest.mark.parametrize("stage", ["read_out", "decided"])
def test_no_number_of_a_readout_is_on_the_chart(at, stage):
    at(stage)
    drawn = timeline_chart(lanes())
    values = [layer["data"]["values"] for layer in drawing.spec(drawn.chart)["layer"]]
    columns = {name for layer in values for record in layer for name in record}
    assert columns == {
        *("row", "start", "end", "top", "bottom", "colour", "opacity"),
        *("at", "shape", "fill", "words"),
    }
    assert "SHIP" not in json.dumps(values)
