"""Each fault appears as declared, and leaves everything else alone."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from scipy.stats import chisquare
from sqlglot import exp

from experiments.assignment import Assignment, audit_sql
from experiments.traffic import (
    Conversion,
    Count,
    Crossovers,
    DuplicatedExposures,
    Fault,
    FutureTimestamps,
    LostUnits,
    Misassigned,
    MissingOutcomes,
    NullValues,
    OutcomesBeforeExposure,
    Scenario,
    write_traffic,
)

CLEAN = Scenario(
    experiment="EXP-0001",
    start=date(2026, 11, 2),
    days=4,
    units_per_day=1_000,
    assignment=Assignment("EXP-0001/1", (("control", "0.5"), ("small", "0.25"), ("large", "0.25"))),
    outcomes=(
        Conversion(event="purchase", probability=0.3, history_correlation=0.2),
        Count(event="session", mean=2, dispersion=0.5, history_correlation=0.4),
    ),
)
LOGS = ("assignments", "exposures", "outcomes")


class Logs:
    """The three logs as tables of one connection."""

    def __init__(self, folder: Path, *faults: Fault) -> None:
        write_traffic(folder, [replace(CLEAN, faults=faults)])
        self.connection = duckdb.connect()
        for log in LOGS:
            self.connection.execute(f"CREATE TABLE {log} AS FROM read_parquet('{folder}/{log}/*/*.parquet')")

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return self.connection.execute(query).fetchall()

    def number(self, query: str) -> int:
        answer = self.rows(query)[0][0]
        assert isinstance(answer, int)
        return answer


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Logs:
    return Logs(tmp_path_factory.mktemp("clean"))


def assert_share(part: int, whole: int, share: float) -> None:
    assert abs(part - whole * share) <= 4.5 * (whole * share * (1 - share)) ** 0.5 + 1e-9


def assert_only_lost(clean: Logs, faulty: Logs, log: str) -> None:
    """Every row left is a row of the clean log."""
    assert faulty.number(f"SELECT count(*) FROM {log}") < clean.number(f"SELECT count(*) FROM {log}")
    assert set(faulty.rows(f"FROM {log}")) < set(clean.rows(f"FROM {log}"))


def assert_same(clean: Logs, faulty: Logs, *logs: str) -> None:
    for log in logs:
        query = f"SELECT * FROM {log} ORDER BY ALL"
        assert faulty.rows(query) == clean.rows(query)


def test_clean_logs_have_none_of_the_faults(clean: Logs) -> None:
    arms = dict(clean.rows("SELECT arm, count(*) FROM assignments GROUP BY arm"))
    n = sum(int(str(count)) for count in arms.values())
    assert chisquare([arms["control"], arms["small"], arms["large"]], [n / 2, n / 4, n / 4]).pvalue > 1e-4
    assert clean.number("SELECT count(*) - count(DISTINCT unit) FROM assignments") == 0
    assert clean.number("SELECT count(*) - count(DISTINCT unit) FROM exposures") == 0
    assert clean.number("SELECT count(*) FROM outcomes WHERE value IS NULL OR occurred_at > recorded_at") == 0


def test_lost_units_of_an_arm_are_in_no_log(clean: Logs, tmp_path: Path) -> None:
    faulty = Logs(tmp_path, LostUnits("small", 0.2))
    for log in LOGS:
        assert_only_lost(clean, faulty, log)
    units = "SELECT count(*) FROM assignments WHERE arm = 'small'"
    assert_share(faulty.number(units), clean.number(units), 0.8)
    others = "SELECT * FROM assignments WHERE arm <> 'small' ORDER BY ALL"
    assert faulty.rows(others) == clean.rows(others)


def test_units_lost_on_some_days_are_there_on_the_others(clean: Logs, tmp_path: Path) -> None:
    faulty = Logs(tmp_path, LostUnits("control", 0.5, days=(1, 3)), LostUnits("large", 1, days=(0,)))
    by_day = "SELECT count(*) FROM assignments WHERE arm = '{}' AND assigned_at::DATE = DATE '2026-11-0{}'"
    for day, share in ((2, 1), (3, 0.5), (4, 1), (5, 0.5)):
        assert_share(*(logs.number(by_day.format("control", day)) for logs in (faulty, clean)), share)
    assert faulty.number(by_day.format("large", 2)) == 0
    assert faulty.number(by_day.format("large", 3)) == clean.number(by_day.format("large", 3))


def test_misassigned_units_are_what_the_audit_finds(clean: Logs, tmp_path: Path) -> None:
    faulty = Logs(tmp_path, Misassigned(0.05))
    stands = audit_sql(exp.column("unit"), exp.column("arm"), CLEAN.assignment).sql("duckdb")
    results = dict(faulty.rows(f"SELECT {stands} AS stands, count(*) FROM assignments GROUP BY stands"))
    assert results.keys() == {"agrees", "disagrees"}
    n = clean.number("SELECT count(*) FROM assignments")
    assert_share(int(str(results["disagrees"])), n, 0.05)
    assert faulty.number("SELECT count(*) FROM assignments") == n
    assert clean.rows(f"SELECT DISTINCT {stands} FROM assignments") == [("agrees",)]


def test_crossovers_have_a_second_later_row_in_another_arm(clean: Logs, tmp_path: Path) -> None:
    faulty = Logs(tmp_path, Crossovers(0.1))
    assert_same(clean, faulty, "exposures", "outcomes")
    assert set(clean.rows("FROM assignments")) < set(faulty.rows("FROM assignments"))
    crossed = """SELECT count(*) FROM (SELECT unit FROM assignments GROUP BY unit
        HAVING count(*) = 2 AND count(DISTINCT arm) = 2
        AND max(assigned_at) < min(assigned_at) + INTERVAL 1 DAY)"""
    n = clean.number("SELECT count(*) FROM assignments")
    assert_share(faulty.number(crossed), n, 0.1)
    assert faulty.number("SELECT count(*) FROM assignments") == n + faulty.number(crossed)


@pytest.mark.parametrize("spread", [timedelta(0), timedelta(hours=5)])
def test_duplicated_exposures_change_nothing_but_their_count(
    clean: Logs, tmp_path: Path, spread: timedelta
) -> None:
    faulty = Logs(tmp_path, DuplicatedExposures(0.5, copies=100, spread=spread))
    assert_same(clean, faulty, "assignments", "outcomes")
    first = "SELECT experiment, unit, min(exposed_at) FROM exposures GROUP BY ALL ORDER BY ALL"
    assert faulty.rows(first) == clean.rows(first)
    counts = dict(
        faulty.rows("SELECT n, count(*) FROM (SELECT count(*) AS n FROM exposures GROUP BY unit) GROUP BY n")
    )
    assert counts.keys() == {1, 101}
    assert_share(int(str(counts[101])), clean.number("SELECT count(*) FROM exposures"), 0.5)
    latest = faulty.rows(
        "SELECT max(t) FROM (SELECT max(exposed_at) - min(exposed_at) AS t FROM exposures GROUP BY unit)"
    )
    assert isinstance(latest[0][0], timedelta)
    assert spread * 0.99 <= latest[0][0] <= spread


def test_outcomes_before_exposure_are_all_those_of_the_units_whose_clock_lags(
    clean: Logs, tmp_path: Path
) -> None:
    faulty = Logs(tmp_path, OutcomesBeforeExposure(0.2, by=timedelta(minutes=10)))
    assert_same(clean, faulty, "assignments", "exposures")
    per_unit = """SELECT unit, count(*) FILTER (occurred_at >= exposed_at) AS within,
        count(*) FILTER (occurred_at < exposed_at AND occurred_at >= exposed_at - INTERVAL 10 MINUTE) AS early
        FROM outcomes JOIN exposures USING (unit) GROUP BY unit ORDER BY unit"""
    before = {unit: (within, early) for unit, within, early in clean.rows(per_unit)}
    after = {unit: (within, early) for unit, within, early in faulty.rows(per_unit)}
    lagging = [unit for unit, (within, _) in before.items() if within and after[unit][0] == 0]
    assert_share(len(lagging), sum(1 for within, _ in before.values() if within), 0.2)
    # The rows of a unit are moved together or not at all (history may add to the early ones, which is rare).
    assert all(after[unit] == before[unit] for unit in before if unit not in set(lagging))
    assert all(after[unit][1] == before[unit][0] + before[unit][1] for unit in lagging)


def test_future_timestamps_lie_after_the_time_of_recording(clean: Logs, tmp_path: Path) -> None:
    faulty = Logs(tmp_path, FutureTimestamps(0.03, by=timedelta(days=2)))
    assert_same(clean, faulty, "assignments", "exposures")
    future = "SELECT count(*) FROM outcomes WHERE occurred_at = recorded_at + INTERVAL 2 DAY"
    n = clean.number("SELECT count(*) FROM outcomes")
    assert_share(faulty.number(future), n, 0.03)
    assert faulty.number(
        "SELECT count(*) FROM outcomes WHERE occurred_at = recorded_at"
    ) == n - faulty.number(future)


@pytest.mark.parametrize("event", [None, "session"])
def test_missing_outcomes_are_those_of_one_arm_after_exposure(
    clean: Logs, tmp_path: Path, event: str | None
) -> None:
    faulty = Logs(tmp_path, MissingOutcomes("large", 0.4, event))
    assert_same(clean, faulty, "assignments", "exposures")
    assert_only_lost(clean, faulty, "outcomes")
    untouched = f"""SELECT outcomes.* FROM outcomes JOIN assignments USING (unit) JOIN exposures USING (unit)
        WHERE arm <> 'large' OR occurred_at < exposed_at OR event <> '{event or ""}' AND {event is not None}
        ORDER BY ALL"""
    assert faulty.rows(untouched) == clean.rows(untouched)
    active = f"""SELECT count(DISTINCT unit)
        FROM outcomes JOIN assignments USING (unit) JOIN exposures USING (unit)
        WHERE arm = 'large' AND occurred_at >= exposed_at AND event = '{event or "session"}'"""
    assert_share(faulty.number(active), clean.number(active), 0.6)


def test_null_values_are_the_declared_share_of_an_events_rows(clean: Logs, tmp_path: Path) -> None:
    faulty = Logs(tmp_path, NullValues(0.75, "session"))
    everything_else = "SELECT unit, event, occurred_at, recorded_at FROM outcomes ORDER BY ALL"
    assert faulty.rows(everything_else) == clean.rows(everything_else)
    n = clean.number("SELECT count(*) FROM outcomes WHERE event = 'session'")
    assert_share(
        faulty.number("SELECT count(*) FROM outcomes WHERE event = 'session' AND value IS NULL"), n, 0.75
    )
    assert faulty.number("SELECT count(*) FROM outcomes WHERE event = 'purchase' AND value IS NULL") == 0
