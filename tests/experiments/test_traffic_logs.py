"""The shape of the logs: types, days, determinism, ids, layers and replicates."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import chisquare
from sqlglot import exp

from experiments.assignment import Assignment, Layer, audit_sql
from experiments.traffic import (
    Attribute,
    Conversion,
    Count,
    Effect,
    LabelDelay,
    LatePartition,
    Scenario,
    write_traffic,
)
from experiments.traffic.arrivals import arrivals
from experiments.traffic.days import days_of
from experiments.traffic.rows import outcome_rows

SMALL = Scenario(
    experiment="EXP-0001",
    start=date(2026, 11, 2),
    days=3,
    units_per_day=300,
    assignment=Assignment("EXP-0001/1", (("control", "0.5"), ("treatment", "0.5"))),
    attributes=(Attribute("country", (("se", 0.6), ("åland", 0.4))),),
    outcomes=(
        Conversion(event="purchase", probability=0.2, history_correlation=0.3, history=timedelta(days=2)),
        Count(
            event="session",
            mean=2,
            history=timedelta(days=2),
            delay=LabelDelay(timedelta(hours=1), timedelta(days=3)),
        ),
    ),
)


def scan(folder: Path, log: str) -> str:
    return f"read_parquet('{folder}/{log}/*/*.parquet', hive_partitioning = true) AS {log}"


def rows(folder: Path, log: str) -> list[tuple[object, ...]]:
    return duckdb.sql(f"SELECT * FROM {scan(folder, log)} ORDER BY ALL").fetchall()


def digest(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*.*"))
        if file.is_file()
    }


def test_the_logs_have_the_columns_and_types_of_the_contract(tmp_path: Path) -> None:
    write_traffic(tmp_path, [SMALL])
    time = pa.timestamp("us")
    contract = {
        "assignments": {"experiment": "", "unit": "", "arm": "", "assigned_at": time, "country": ""},
        "exposures": {"experiment": "", "unit": "", "exposed_at": time},
        "outcomes": {
            "unit": "",
            "event": "",
            "occurred_at": time,
            "value": pa.float64(),
            "recorded_at": time,
        },
    }
    for log, columns in contract.items():
        files = sorted((tmp_path / log).glob("dt=*/EXP-0001.parquet"))
        assert files
        for file in files:
            schema = pq.read_schema(file)
            assert dict(zip(schema.names, schema.types, strict=True)) == {
                name: kind or pa.string() for name, kind in columns.items()
            }


def test_every_log_has_a_partition_for_every_day_up_to_the_same_one(tmp_path: Path) -> None:
    written = write_traffic(tmp_path, [SMALL])
    days = {
        log: sorted(folder.name for folder in (tmp_path / log).iterdir())
        for log in ("assignments", "exposures", "outcomes")
    }
    expected = []
    day = date(2026, 10, 31)
    while day < written.until.date():
        expected.append(f"dt={day}")
        day += timedelta(days=1)
    assert days == dict.fromkeys(days, expected)
    # Enrolment to 5 November 0:00, exposure half an hour later, 7 days of window, 3 of label delay.
    assert SMALL.mature_at == datetime(2026, 11, 15, 0, 30, tzinfo=UTC)
    assert written.until == SMALL.end == datetime(2026, 11, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("log", "time"),
    [("assignments", "assigned_at"), ("exposures", "exposed_at"), ("outcomes", "recorded_at")],
)
def test_a_row_stands_on_the_day_it_was_written_and_in_the_order_of_writing(
    tmp_path: Path, log: str, time: str
) -> None:
    written = write_traffic(tmp_path, [SMALL])
    misplaced = f"SELECT count(*), count(*) FILTER ({time}::DATE <> dt::DATE) FROM {scan(tmp_path, log)}"
    assert duckdb.sql(misplaced).fetchall() == [(getattr(written, log), 0)]
    for file in (tmp_path / log).rglob("*.parquet"):
        times = pq.read_table(file)[time].to_pylist()
        assert times == sorted(times)


def test_the_same_scenario_writes_the_same_bytes_and_another_seed_other_units(tmp_path: Path) -> None:
    for name, scenario in (("one", SMALL), ("two", SMALL), ("three", replace(SMALL, seed=2))):
        write_traffic(tmp_path / name, [scenario])
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    first, third = ({row[1] for row in rows(tmp_path / name, "assignments")} for name in ("one", "three"))
    assert not first & third


def test_logs_written_later_only_add_to_those_written_before(tmp_path: Path) -> None:
    early, late = datetime(2026, 11, 4, 15, 30, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC)
    write_traffic(tmp_path, [SMALL], until=early)
    before = {log: rows(tmp_path, log) for log in ("assignments", "exposures", "outcomes")}
    newest = duckdb.sql(f"SELECT max(recorded_at) FROM {scan(tmp_path, 'outcomes')}").fetchall()[0][0]
    assert newest < early.replace(tzinfo=None)
    write_traffic(tmp_path, [SMALL], until=late)
    for log, earlier in before.items():
        now = rows(tmp_path, log)
        assert set(earlier) < set(now)
    write_traffic(tmp_path, [SMALL])
    write_traffic(tmp_path.with_name("at-once"), [SMALL])
    assert rows(tmp_path, "outcomes") == rows(tmp_path.with_name("at-once"), "outcomes")


def test_units_that_arrive_on_a_day_after_the_moment_leave_no_row_yet(tmp_path: Path) -> None:
    early = write_traffic(tmp_path, [SMALL], until=datetime(2026, 11, 3, tzinfo=UTC))
    at_once = write_traffic(tmp_path.with_name("at-once"), [SMALL])
    assert 0 < early.assignments < at_once.assignments / 2


def test_a_folder_with_anything_else_in_it_is_refused(tmp_path: Path) -> None:
    write_traffic(tmp_path / "logs", [SMALL], until=datetime(2026, 11, 9, tzinfo=UTC))
    with pytest.raises(ValueError, match="holds other scenarios"):
        write_traffic(tmp_path / "logs", [replace(SMALL, seed=2)])
    with pytest.raises(ValueError, match="holds more, up to 2026-11-09"):
        write_traffic(tmp_path / "logs", [SMALL], until=datetime(2026, 11, 8, tzinfo=UTC))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(ValueError, match="holds other files"):
        write_traffic(tmp_path / "mine", [SMALL])


def test_calls_that_would_mix_things_up_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scenarios: none is not allowed"):
        write_traffic(tmp_path, [])
    with pytest.raises(ValueError, match="'EXP-0001' is used twice"):
        write_traffic(tmp_path, [SMALL, replace(SMALL, seed=2)])
    with pytest.raises(ValueError, match="has no time zone"):
        write_traffic(tmp_path, [SMALL], until=datetime(2026, 11, 9))  # noqa: DTZ001


def test_two_experiments_in_one_folder_share_no_unit(tmp_path: Path) -> None:
    other = replace(SMALL, experiment="EXP-0002", days=5)
    write_traffic(tmp_path, [SMALL, other])
    owners = (
        f"SELECT unit, count(DISTINCT experiment) AS n FROM {scan(tmp_path, 'assignments')} GROUP BY unit"
    )
    assert duckdb.sql(f"SELECT max(n) FROM ({owners})").fetchall() == [(1,)]
    experiments = f"SELECT DISTINCT experiment FROM {scan(tmp_path, 'assignments')} ORDER BY 1"
    assert duckdb.sql(experiments).fetchall() == [("EXP-0001",), ("EXP-0002",)]
    # Both reach the day of the later one: the logs are complete together.
    last = {file.parent.name for file in (tmp_path / "outcomes").rglob("EXP-0001.parquet")}
    assert last == {file.parent.name for file in (tmp_path / "outcomes").rglob("EXP-0002.parquet")}


@pytest.mark.parametrize("layer", [None, Layer("search", "0.2", "0.6")])
def test_every_logged_arm_agrees_with_the_hash(tmp_path: Path, layer: Layer | None) -> None:
    scenario = replace(SMALL, assignment=Assignment("s", (("a", "0.3"), ("b", "0.3"), ("c", "0.4")), layer))
    write_traffic(tmp_path, [scenario])
    stands = audit_sql(exp.column("unit"), exp.column("arm"), scenario.assignment).sql("duckdb")
    assert duckdb.sql(f"SELECT DISTINCT {stands} FROM {scan(tmp_path, 'assignments')}").fetchall() == [
        ("agrees",)
    ]


def test_units_outside_the_layer_have_outcomes_and_no_assignment(tmp_path: Path) -> None:
    scenario = replace(
        SMALL,
        units_per_day=1_000,
        assignment=replace(SMALL.assignment, layer=Layer("search", 0, "0.25")),
        outcomes=(Conversion(event="purchase", probability=0.5, effects=(Effect(0.4, arm="treatment"),)),),
    )
    written = write_traffic(tmp_path, [scenario])
    assert chisquare([written.assignments, 3_000 - written.assignments], [750, 2_250]).pvalue > 1e-4
    assert written.exposures == written.assignments
    strangers = f"""SELECT count(*), count(arm) FROM {scan(tmp_path, "outcomes")}
        LEFT JOIN {scan(tmp_path, "assignments")} USING (unit)"""
    outcomes, of_assigned = duckdb.sql(strangers).fetchall()[0]
    # Half of the 2,250 strangers convert, as control does.
    assert abs(outcomes - of_assigned - 1_125) < 4.5 * 1_125**0.5
    # Of the assigned, half of control and nine tenths of treatment.
    assert abs(of_assigned - 0.7 * written.assignments) < 4.5 * written.assignments**0.5


def test_units_that_are_not_exposed_are_assigned_and_do_as_control_does(tmp_path: Path) -> None:
    scenario = replace(
        SMALL,
        units_per_day=2_000,
        exposed=0.5,
        outcomes=(Conversion(event="purchase", probability=0.2, effects=(Effect(0.4, arm="treatment"),)),),
    )
    written = write_traffic(tmp_path, [scenario])
    assert chisquare([written.exposures, written.assignments - written.exposures]).pvalue > 1e-4
    rates = duckdb.sql(
        f"""SELECT arm, exposed_at IS NOT NULL AS was_exposed, count(*), count(occurred_at) / count(*)
        FROM {scan(tmp_path, "assignments")} LEFT JOIN {scan(tmp_path, "exposures")} USING (unit)
        LEFT JOIN {scan(tmp_path, "outcomes")} USING (unit) GROUP BY ALL"""
    ).fetchall()
    assert len(rates) == 4
    for arm, was_exposed, n, rate in rates:
        expected = 0.6 if arm == "treatment" and was_exposed else 0.2
        assert abs(rate - expected) < 4.5 * (0.24 / n) ** 0.5


def test_exact_traffic_has_exactly_the_declared_number_of_units(tmp_path: Path) -> None:
    scenario = replace(SMALL, exact=True, units_per_day=333 + 1 / 3, weekdays=(3,) * 7)
    assert write_traffic(tmp_path, [scenario]).assignments == 1_000


def test_replicates_are_small_experiments_of_their_own_in_one_log(tmp_path: Path) -> None:
    scenario = replace(SMALL, experiment="SIM", replicates=400, units_per_day=20)
    write_traffic(tmp_path, [scenario])
    per_experiment = duckdb.sql(
        f"""SELECT experiment, count(*) AS units, count(*) FILTER (arm = 'treatment') AS treated,
        bool_and(starts_with(unit, experiment || '-')) AS own_units, count(DISTINCT unit) AS distinct_units
        FROM {scan(tmp_path, "assignments")} GROUP BY experiment ORDER BY experiment"""
    ).fetchall()
    assert [row[0] for row in per_experiment] == [f"SIM-{number:05d}" for number in range(1, 401)]
    assert all(row[3] and row[1] == row[4] for row in per_experiment)
    # Poisson numbers of units, mean 60, and binomial splits: both dispersions are 1, with error (2 / 400)^½.
    units = [row[1] for row in per_experiment]
    dispersion = sum((count - 60.0) ** 2 / 60 for count in units) / 400
    assert abs(dispersion - 1) < 4.5 * (2 / 400) ** 0.5
    split = sum((treated - count / 2) ** 2 / (count / 4) for _, count, treated, *_ in per_experiment) / 400
    assert abs(split - 1) < 4.5 * (2 / 400) ** 0.5


def test_a_late_partition_is_missing_until_it_arrives(tmp_path: Path) -> None:
    late = LatePartition("outcomes", date(2026, 11, 5), timedelta(hours=30))
    scenario = replace(SMALL, faults=(late,))
    partition = tmp_path / "outcomes" / "dt=2026-11-05"
    write_traffic(tmp_path, [scenario], until=datetime(2026, 11, 7, 5, 59, tzinfo=UTC))
    assert not partition.exists()
    assert (tmp_path / "outcomes" / "dt=2026-11-06").exists()
    assert (tmp_path / "exposures" / "dt=2026-11-05").exists()
    write_traffic(tmp_path, [scenario], until=datetime(2026, 11, 7, 6, 0, tzinfo=UTC))
    assert partition.exists()


def test_returns_fall_between_the_opening_and_the_end_of_their_window(tmp_path: Path) -> None:
    retention = Conversion(event="return", probability=0.5, opens=timedelta(days=6), window=timedelta(days=7))
    write_traffic(tmp_path, [replace(SMALL, outcomes=(retention,))])
    after = duckdb.sql(
        f"""SELECT min(occurred_at - exposed_at), max(occurred_at - exposed_at)
        FROM {scan(tmp_path, "outcomes")} JOIN {scan(tmp_path, "exposures")} USING (unit)"""
    ).fetchall()[0]
    assert timedelta(days=6) <= after[0] < timedelta(days=6, hours=1)
    assert timedelta(days=6, hours=23) < after[1] < timedelta(days=7)


def test_a_day_is_marked_complete_once_it_is_over(tmp_path: Path) -> None:
    write_traffic(tmp_path, [SMALL], until=datetime(2026, 11, 5, 12, tzinfo=UTC))
    for log in ("assignments", "exposures", "outcomes"):
        marked = {file.parent.name for file in (tmp_path / log).glob("*/_SUCCESS")}
        assert marked == {f"dt={day}" for day in ("2026-10-31", *(f"2026-11-0{n}" for n in range(1, 5)))}
        assert (tmp_path / log / "dt=2026-11-05" / "EXP-0001.parquet").exists()
    write_traffic(tmp_path, [SMALL], until=datetime(2026, 11, 6, tzinfo=UTC))
    assert (tmp_path / "outcomes" / "dt=2026-11-05" / "_SUCCESS").exists()


def test_streaming_day_by_day_loses_no_row_and_repeats_none() -> None:
    days = list(days_of(SMALL))
    assert [day for day, _ in days] == sorted({day for day, _ in days})
    streamed = sum(logs["outcomes"].num_rows for _, logs in days)
    at_once = sum(
        len(outcome_rows(SMALL, number, arrived)["unit"]) for number, arrived in enumerate(arrivals(SMALL))
    )
    assert streamed == at_once > 0
