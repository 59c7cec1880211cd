"""The logs say what the scenario declares: every mean, spread, quantile, correlation and delay.

One seeded scenario with every kind of outcome. Each figure is compared with its closed form at 4.5 standard
errors: about 100 comparisons, so a right generator had one chance in 1,500 to fail when the seed was chosen.
"""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chisquare, kstest

from experiments.assignment import Assignment
from experiments.traffic import (
    Amount,
    ArmTruth,
    Attribute,
    Conversion,
    Count,
    Effect,
    LabelDelay,
    Latency,
    OutcomeTruth,
    Ratio,
    Scenario,
    truth_of,
    write_traffic,
)

ERRORS = 4.5

SCENARIO = Scenario(
    experiment="EXP-0001",
    start=date(2026, 11, 2),
    days=14,
    units_per_day=2_500,
    assignment=Assignment("EXP-0001/1", (("control", "0.4"), ("treatment", "0.6"))),
    attributes=(
        Attribute("country", (("se", 0.5), ("de", 0.3), ("jp", 0.2))),
        Attribute("device", (("phone", 0.7), ("desktop", 0.3))),
    ),
    outcomes=(
        Conversion(
            event="purchase",
            probability=0.2,
            effects=(Effect(0.03, arm="treatment"),),
            history_correlation=0.4,
            window=timedelta(days=3),
        ),
        Count(
            event="session",
            mean=3.0,
            dispersion=0.8,
            effects=(
                Effect(2.0, relative=True, segment=("country", "de")),
                Effect(0.1, relative=True, arm="treatment"),
                Effect(-0.3, arm="treatment", segment=("device", "phone")),
            ),
            afterwards=2.0,
        ),
        Count(event="crash", mean=2.0, dispersion=1.5, history_correlation=0.6),
        Count(event="search", mean=1.2),
        Amount(
            event="rating",
            mean=1.7e3,
            sd=40,
            effects=(Effect(5, arm="treatment"),),
            history_correlation=0.7,
            delay=LabelDelay(timedelta(days=7), timedelta(days=9)),
        ),
        Amount(event="spend", mean=30, sd=45, shape="lognormal", history_correlation=0.5),
        Latency(
            event="latency_ms",
            mean=180,
            user_sd=0.4,
            request_sd=0.5,
            requests=8,
            effects=(
                Effect(0.05, relative=True, arm="treatment"),
                Effect(0.4, relative=True, segment=("device", "phone")),
            ),
        ),
        Ratio(
            event="click",
            denominator="view",
            ratio=0.15,
            per_unit=6,
            clustering=0.2,
            effects=(Effect(0.02, arm="treatment"), Effect(0.6, segment=("country", "jp"))),
        ),
    ),
    seed=20261102,
)
TRUTH = truth_of(SCENARIO)
ONE_ROW_PER_UNIT = ["purchase", "session", "crash", "search", "rating", "spend"]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The three logs, and what each unit did within each outcome's window and its history."""
    folder = tmp_path_factory.mktemp("traffic")
    write_traffic(folder, [SCENARIO])
    connection = duckdb.connect()
    for log in ("assignments", "exposures", "outcomes"):
        connection.execute(f"CREATE TABLE {log} AS FROM read_parquet('{folder}/{log}/*/*.parquet')")
    connection.execute("CREATE TABLE spans (event VARCHAR, span INTERVAL, history INTERVAL)")
    for outcome in SCENARIO.outcomes:
        for event in outcome.events:
            connection.execute("INSERT INTO spans VALUES (?, ?, ?)", [event, outcome.window, outcome.history])
    connection.execute(
        """CREATE TABLE per_unit AS
        WITH placed AS (
            SELECT unit, arm, country, device, event, value,
                   occurred_at >= exposed_at AND occurred_at < exposed_at + span AS within,
                   occurred_at >= exposed_at - history AND occurred_at < exposed_at AS before
            FROM assignments JOIN exposures USING (experiment, unit) CROSS JOIN spans
            LEFT JOIN outcomes USING (unit, event)
        )
        SELECT unit, arm, country, device, event, count(value) FILTER (within) AS rows_within,
               coalesce(sum(value) FILTER (within), 0) AS y, coalesce(sum(value) FILTER (before), 0) AS x
        FROM placed GROUP BY unit, arm, country, device, event"""
    )
    yield connection
    connection.close()


def column(logs: duckdb.DuckDBPyConnection, name: str, event: str, arm: str) -> NDArray[np.float64]:
    rows = logs.execute(
        f"SELECT {name}::DOUBLE AS wanted FROM per_unit WHERE event = ? AND arm = ? ORDER BY unit",
        [event, arm],
    ).fetchnumpy()
    return np.asarray(rows["wanted"])


def of(event: str) -> OutcomeTruth:
    return next(outcome for outcome in TRUTH.outcomes if outcome.event == event)


def cases(events: list[str]) -> list[tuple[str, ArmTruth]]:
    return [(event, arm) for event in events for arm in of(event).arms]


def assert_near(seen: float, expected: float, standard_error: float) -> None:
    assert standard_error > 0
    assert abs(seen - expected) <= ERRORS * standard_error, (seen, expected, standard_error)


def test_as_many_units_arrive_as_expected_and_the_arms_have_their_shares(
    logs: duckdb.DuckDBPyConnection,
) -> None:
    counts = dict(logs.execute("SELECT arm, count(*) FROM assignments GROUP BY arm").fetchall())
    n = sum(counts.values())
    assert_near(n, TRUTH.expected_units, TRUTH.expected_units**0.5)
    assert TRUTH.expected_units == pytest.approx(35_000)
    assert_near(counts["control"], 0.4 * n, (n * 0.4 * 0.6) ** 0.5)


@pytest.mark.parametrize(("event", "truth"), cases(ONE_ROW_PER_UNIT))
def test_the_mean_and_spread_of_a_units_outcome_are_those_declared(
    logs: duckdb.DuckDBPyConnection, event: str, truth: ArmTruth
) -> None:
    y = column(logs, "y", event, truth.arm)
    assert_near(y.mean(), truth.mean, truth.sd / len(y) ** 0.5)
    squares = (y - truth.mean) ** 2
    assert_near(squares.mean(), truth.sd**2, squares.std() / len(y) ** 0.5)


def test_the_declared_effects_are_the_differences_of_the_truth() -> None:
    assert of("purchase").arms[1].effect == pytest.approx(0.03)
    assert of("purchase").arms[1].relative_effect == pytest.approx(0.15)
    # 3 sessions, three times as many for the 30 % in de; treated a tenth more, and 0.3 less on phones.
    baseline = 3.0 * (1 + 2 * 0.3)
    assert of("session").arms[0].mean == pytest.approx(baseline)
    assert of("session").arms[1].effect == pytest.approx(0.1 * baseline - 0.3 * 0.7)
    assert of("rating").arms[1].effect == pytest.approx(5)
    assert of("latency_ms").arms[0].mean == pytest.approx(180 * (1 + 0.4 * 0.7))
    assert of("latency_ms").arms[1].relative_effect == pytest.approx(0.05)
    assert of("click").arms[0].mean == pytest.approx(0.15 + 0.6 * 0.2)
    assert [arm.effect for arm in of("search").arms] == [0, 0]


@pytest.mark.parametrize(("event", "truth"), cases(["latency_ms"]))
def test_the_mean_and_quantiles_of_requests_are_those_declared(
    logs: duckdb.DuckDBPyConnection, event: str, truth: ArmTruth
) -> None:
    sums, requests = column(logs, "y", event, truth.arm), column(logs, "rows_within", event, truth.arm)
    n = len(sums)
    assert_near(requests.mean(), 8, requests.std() / n**0.5)
    # Requests of one unit are alike: the error is that of a ratio of sums over units.
    assert_near(sums.sum() / requests.sum(), truth.mean, (sums - truth.mean * requests).std() / 8 / n**0.5)
    assert [level for level, _ in truth.quantiles] == [0.5, 0.95, 0.99]
    for level, value in truth.quantiles:
        below, total = (
            np.asarray(counted)
            for counted in logs.execute(
                """SELECT count(*) FILTER (value <= ?)::DOUBLE AS below, count(*)::DOUBLE AS total
                FROM outcomes JOIN assignments USING (unit) WHERE event = ? AND arm = ? GROUP BY unit""",
                [value, event, truth.arm],
            )
            .fetchnumpy()
            .values()
        )
        assert_near(below.sum() / total.sum(), level, (below - level * total).std() / total.mean() / n**0.5)


def test_the_spread_of_single_requests_is_the_one_declared(logs: duckdb.DuckDBPyConnection) -> None:
    """One request per unit, drawn by its time, so that the values are independent."""
    for truth in of("latency_ms").arms:
        rows = logs.execute(
            """SELECT arg_min(value, occurred_at) AS value FROM outcomes JOIN assignments USING (unit)
            WHERE event = 'latency_ms' AND arm = ? GROUP BY unit ORDER BY unit""",
            [truth.arm],
        ).fetchnumpy()
        squares = (np.asarray(rows["value"]) - truth.mean) ** 2
        assert_near(squares.mean(), truth.sd**2, squares.std() / len(squares) ** 0.5)


@pytest.mark.parametrize(("event", "truth"), cases(["click"]))
def test_the_ratio_and_its_linearised_spread_are_those_declared(
    logs: duckdb.DuckDBPyConnection, event: str, truth: ArmTruth
) -> None:
    clicks, views = column(logs, "y", event, truth.arm), column(logs, "y", "view", truth.arm)
    assert clicks.max() > 3
    assert np.all(clicks <= views)
    assert_near(views.mean(), 6, views.std() / len(views) ** 0.5)
    # 1 + a negative binomial of mean 5 and dispersion 1, whose second moment is 5 + 2 · 25.
    declared = SCENARIO.outcomes[-1]
    assert isinstance(declared, Ratio)
    assert declared.views_squared == 1 + 2 * 5 + 5 + 2 * 25
    assert_near((views**2).mean(), declared.views_squared, (views**2).std() / len(views) ** 0.5)
    assert_near(clicks.sum() / views.sum(), truth.mean, truth.sd / len(views) ** 0.5)
    squares = ((clicks - truth.mean * views) / 6) ** 2
    assert_near(squares.mean(), truth.sd**2, squares.std() / len(views) ** 0.5)


@pytest.mark.parametrize("arm", ["control", "treatment"])
@pytest.mark.parametrize("event", ["purchase", "crash", "rating", "spend"])
def test_history_and_outcome_have_the_declared_correlation(
    logs: duckdb.DuckDBPyConnection, event: str, arm: str
) -> None:
    x, y = column(logs, "x", event, arm), column(logs, "y", event, arm)
    expected = of(event).history_correlation
    assert expected is not None
    parts = zip(np.array_split(x, 50), np.array_split(y, 50), strict=True)
    by_part = [np.corrcoef(part_x, part_y)[0, 1] for part_x, part_y in parts]
    assert_near(np.corrcoef(x, y)[0, 1], expected, np.std(by_part) / 50**0.5)


def test_the_history_does_not_know_the_arm(logs: duckdb.DuckDBPyConnection) -> None:
    for event in ("purchase", "crash", "rating", "spend"):
        control, treatment = (column(logs, "x", event, arm) for arm in ("control", "treatment"))
        error = (control.var() / len(control) + treatment.var() / len(treatment)) ** 0.5
        assert_near(treatment.mean() - control.mean(), 0, error)


def test_an_effect_in_a_segment_is_in_that_segment_alone(logs: duckdb.DuckDBPyConnection) -> None:
    """Sessions: a tenth more, on phones 0.3 less than that; in de on a base three times as high."""
    cells = logs.execute(
        """SELECT country, device, arm, avg(y), stddev_samp(y), count(*) FROM per_unit
        WHERE event = 'session' GROUP BY ALL"""
    ).fetchall()
    assert len(cells) == 12
    for country, device, arm, mean, sd, n in cells:
        base = 9.0 if country == "de" else 3.0
        treated = base * 1.1 - (0.3 if device == "phone" else 0)
        assert_near(mean, base if arm == "control" else treated, sd / n**0.5)


def test_labels_are_recorded_within_their_delay_and_soon_rather_than_late(
    logs: duckdb.DuckDBPyConnection,
) -> None:
    days = np.asarray(
        logs.execute(
            "SELECT epoch(recorded_at - occurred_at) / 86400 AS days FROM outcomes WHERE event = 'rating'"
        ).fetchnumpy()["days"]
    )
    assert days.min() >= 7
    assert days.max() <= 9
    assert_near(days.mean(), of("rating").mean_delay_seconds / 86_400, days.std() / len(days) ** 0.5)
    assert of("rating").mean_delay_seconds == 7.5 * 86_400
    assert kstest(np.minimum((days - 7) / 2, 1), "beta", (1, 3)).pvalue > 1e-4
    at_once = "SELECT count(*) FROM outcomes WHERE event <> 'rating' AND recorded_at <> occurred_at"
    assert logs.execute(at_once).fetchall() == [(0,)]


def test_rows_fall_evenly_into_their_window_and_nowhere_else(logs: duckdb.DuckDBPyConnection) -> None:
    query = """SELECT event, date_diff('day', exposed_at, occurred_at) AS about,
        epoch(occurred_at - exposed_at) / epoch(span) AS place FROM outcomes
        JOIN exposures USING (unit) JOIN spans USING (event)"""
    places = logs.execute(f"SELECT place FROM ({query}) WHERE event = 'search'").fetchnumpy()["place"]
    assert kstest(np.asarray(places), "uniform").pvalue > 1e-4
    outside = logs.execute(
        f"SELECT event, count(*) FROM ({query}) WHERE place >= 1 OR place < -14 / 3.0 GROUP BY event"
    ).fetchall()
    # Only sessions go on afterwards, two per unit, in a second window.
    assert [event for event, _ in outside] == ["session"]
    assert_near(outside[0][1], 2 * TRUTH.expected_units, (3 * 2 * TRUTH.expected_units) ** 0.5)


def test_arrivals_follow_the_weekdays_and_the_hours(logs: duckdb.DuckDBPyConnection) -> None:
    hours = dict(logs.execute("SELECT hour(assigned_at), count(*) FROM assignments GROUP BY ALL").fetchall())
    expected = np.array(SCENARIO.hours) / sum(SCENARIO.hours)
    seen = np.array([hours[hour] for hour in range(24)])
    assert chisquare(seen, expected * seen.sum()).pvalue > 1e-4
    by_day = logs.execute(
        "SELECT assigned_at::DATE AS day, count(*) FROM assignments GROUP BY ALL ORDER BY day"
    ).fetchall()
    assert [day for day, _ in by_day] == [SCENARIO.start + timedelta(days=day) for day in range(14)]
    for day, (_, count) in enumerate(by_day):
        assert_near(count, SCENARIO.expected_units(day), SCENARIO.expected_units(day) ** 0.5)
    assert SCENARIO.expected_units(5) < SCENARIO.expected_units(0)


def test_attributes_have_their_shares_and_do_not_know_the_arm(logs: duckdb.DuckDBPyConnection) -> None:
    for attribute in SCENARIO.attributes:
        for arm in ("control", "treatment"):
            counts = dict(
                logs.execute(
                    f"SELECT {attribute.name}, count(*) FROM assignments WHERE arm = ? GROUP BY ALL", [arm]
                ).fetchall()
            )
            seen = np.array([counts[level] for level in attribute.names])
            assert chisquare(seen, attribute.shares * seen.sum()).pvalue > 1e-4


def test_the_truth_is_written_beside_the_logs(tmp_path: Path) -> None:
    small = Scenario(
        experiment="EXP-0002",
        start=date(2026, 11, 2),
        days=1,
        units_per_day=10,
        assignment=SCENARIO.assignment,
        outcomes=(SCENARIO.outcomes[0],),
    )
    write_traffic(tmp_path, [small])
    document = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert document["simulated"] is True
    arms = document["truth"]["EXP-0002"]["outcomes"][0]["arms"]
    assert [arm["mean"] for arm in arms] == pytest.approx([0.2, 0.23])
    assert document["scenarios"][0]["assignment"]["salt"] == "EXP-0001/1"
