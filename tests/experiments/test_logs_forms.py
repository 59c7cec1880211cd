"""The same experiment in every form a team may keep its logs in gives the same sums."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.forms.problems import Invalid
from tests.experiments.laboratory import Trial, assignments, events, small_trial

DESIGN = {
    "primary": {"metric": "converted", "mde": 0.05},
    "secondary": {"metrics": ["visits", "revenue", "basket", "click_rate", "latency"]},
    "segments": ["country"],
}
ASSIGNMENT_COLUMNS = {"unit": "unit", "arm": "arm", "assigned_at": "assigned_at"}
OUTCOME_COLUMNS = {"unit": "unit", "event": "event", "value": "value", "occurred_at": "occurred_at"}


def population(n: int = 240) -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(20260302)
    rows = assignments(n, country=random.choice(["NL", "BE", "DE"], n))
    logged = [events(rows[random.random(n) < 0.4], "buy")]
    for event, times in (("visit", 3), ("view", 4), ("click", 2), ("request", 5), ("pay", 1)):
        for round_ in range(times):
            some = rows[random.random(n) < 0.6]
            values = np.round(random.gamma(2.0, 40.0, len(some)), 2)
            logged.append(events(some, event, values, after=f"{round_ * 20 + 2}h"))
    return rows, pd.concat(logged, ignore_index=True)


def sources(place: dict[str, Any], columns: dict[str, str] | None = None) -> dict[str, Any]:
    attributes = {"country": "country"}
    return {
        "assignments": {
            **place,
            "columns": {**ASSIGNMENT_COLUMNS, **(columns or {})},
            "attributes": attributes,
        }
    }


def outcomes(place: dict[str, Any]) -> dict[str, Any]:
    return {"logs": [{**place, "columns": OUTCOME_COLUMNS}]}


def in_frames(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame) -> Trial:
    return small_trial(
        folder,
        {"assignments": rows, "outcomes": logged},
        design=DESIGN,
        sources=sources({"frame": "assignments"}),
    )


def in_arrow(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame) -> Trial:
    frames = {"assignments": pa.Table.from_pandas(rows), "outcomes": pa.Table.from_pandas(logged)}
    return small_trial(folder, frames, design=DESIGN, sources=sources({"frame": "assignments"}))


def in_categories(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame) -> Trial:
    return in_frames(
        folder,
        rows.astype({"arm": "category", "unit": "category", "country": "category"}),
        logged.astype({"event": "category", "unit": "category"}),
    )


def in_naive_times(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame) -> Trial:
    return in_frames(
        folder,
        rows.assign(assigned_at=rows.assigned_at.dt.tz_localize(None)),
        logged.assign(occurred_at=logged.occurred_at.dt.tz_localize(None).astype("datetime64[ns]")),
    )


def in_another_zone(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame) -> Trial:
    return in_frames(
        folder,
        rows.assign(assigned_at=rows.assigned_at.dt.tz_convert("Asia/Kolkata")),
        logged.assign(occurred_at=logged.occurred_at.dt.tz_convert("America/New_York")),
    )


def in_parquet(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame) -> Trial:
    folder.mkdir()
    rows.to_parquet(folder / "assignments.parquet")
    logged.to_parquet(folder / "outcomes.parquet")
    return small_trial(
        folder,
        design=DESIGN,
        sources=sources({"files": "assignments.parquet"}),
        outcomes=outcomes({"files": ["outcomes.parquet"]}),
    )


def in_many_shuffled_files(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame) -> Trial:
    """Half of the assignment files have their columns in another order."""
    folder.mkdir()
    for name, table in (("assignments", rows), ("outcomes", logged)):
        table = table.sample(frac=1, random_state=7)
        for part in range(7):
            some = table.iloc[part::7]
            if part % 2:
                some = some[some.columns[::-1]]
            some.to_parquet(folder / f"{name}-{part}.parquet", row_group_size=16)
    return small_trial(
        folder,
        design=DESIGN,
        sources=sources({"files": "assignments-*.parquet"}),
        outcomes=outcomes({"files": ["outcomes-[0-3].parquet", "outcomes-[4-6].parquet"]}),
    )


def in_hive_partitions(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame) -> Trial:
    for name, table, time in (("assignments", rows, "assigned_at"), ("outcomes", logged, "occurred_at")):
        for day, some in table.groupby(table[time].dt.date):
            place = folder / name / f"dt={day}"
            place.mkdir(parents=True)
            some.to_parquet(place / "part.parquet")
    return small_trial(
        folder,
        design=DESIGN,
        sources=sources({"files": "assignments/**/*.parquet"}),
        outcomes=outcomes({"files": "outcomes/*/*.parquet"}),
    )


def in_csv(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame) -> Trial:
    folder.mkdir()
    rows.to_csv(folder / "assignments.csv", index=False)
    logged.to_csv(folder / "outcomes.csv.gz", index=False)
    return small_trial(
        folder,
        design=DESIGN,
        sources=sources({"files": "assignments.csv"}),
        outcomes=outcomes({"files": "outcomes.csv.gz"}),
    )


def in_duckdb(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame) -> Trial:
    folder.mkdir()
    with duckdb.connect(str(folder / "logs.duckdb")) as database:
        database.register("rows", rows)
        database.register("logged", logged)
        database.execute("CREATE SCHEMA live")
        database.execute("CREATE TABLE live.assigned AS SELECT * FROM rows")
        database.execute("CREATE TABLE outcomes AS SELECT * FROM logged")
    (folder / "logs.duckdb").chmod(0o400)
    return small_trial(
        folder,
        design=DESIGN,
        sources=sources({"table": {"database": "logs.duckdb", "name": "live.assigned"}}),
        outcomes=outcomes({"table": {"database": "logs.duckdb", "name": "outcomes"}}),
    )


def in_decimals(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame) -> Trial:
    table = pa.Table.from_pandas(logged)
    cents = pa.array([None if v is None else round(v, 2) for v in logged.value]).cast(pa.decimal128(12, 2))
    frames = {
        "assignments": rows,
        "outcomes": table.set_column(table.column_names.index("value"), "value", cents),
    }
    return small_trial(folder, frames, design=DESIGN, sources=sources({"frame": "assignments"}))


def split_over_logs(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame) -> Trial:
    """Purchases wide and without a time of their own column order, the rest in two long logs."""
    buyers = logged[logged.event == "buy"]
    wide = rows[["unit"]].merge(buyers[["unit", "occurred_at"]], on="unit").assign(bought=1, paid_extra=None)
    requests = logged[logged.event == "request"]
    rest = logged[~logged.event.isin(["buy", "request"])]
    frames = {"assignments": rows, "wide": wide, "requests": requests, "rest": rest}
    return small_trial(
        folder,
        frames,
        design=DESIGN,
        sources=sources({"frame": "assignments"}),
        outcomes={
            "logs": [
                {
                    "frame": "wide",
                    "columns": {"unit": "unit", "occurred_at": "occurred_at"},
                    "wide": {"buy": "bought"},
                },
                {"frame": "requests", "columns": OUTCOME_COLUMNS},
                {"frame": "rest", "columns": OUTCOME_COLUMNS},
            ]
        },
    )


def with_whole_number_ids(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame) -> Trial:
    """Numbers in one log and their text in the other."""
    return in_frames(
        folder,
        rows.assign(unit=rows.unit.str[1:].astype(int)),
        logged.assign(unit=logged.unit.str[1:].astype(int).astype(str)),
    )


def with_strange_names(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame) -> Trial:
    """Reserved words, quotes, spaces, a comment, other scripts: of columns, ids, arms, events and levels."""
    event = "b'u\"y; -- 購入"
    catalogue = {"converted": {"event": event}}
    ids = {unit: f"π'{unit}\" é" for unit in rows.unit}
    columns = {"unit": "order", "arm": 'a "quoted" one', "assigned_at": "when; DROP TABLE"}
    attributes = {"country": "select"}
    return small_trial(
        folder,
        {
            "assignments": rows.assign(unit=rows.unit.map(ids), arm=rows.arm.map("l'arm {}".format)).rename(
                columns={**{k: columns[k] for k in columns}, "country": "select"}
            ),
            "outcomes": logged.assign(unit=logged.unit.map(ids))
            .replace({"event": {"buy": event}})
            .rename(columns={"value": "group", "occurred_at": "from", "event": "table"}),
        },
        design=DESIGN,
        metrics=catalogue,
        sources={
            "assignments": {
                "frame": "assignments",
                "columns": columns,
                "arms": {"l'arm control": "control", "l'arm treatment": "treatment"},
                "attributes": attributes,
            }
        },
        outcomes={
            "logs": [
                {
                    "frame": "outcomes",
                    "columns": {"unit": "unit", "event": "table", "value": "group", "occurred_at": "from"},
                }
            ]
        },
    )


FORMS: list[Callable[[Path, pd.DataFrame, pd.DataFrame], Trial]] = [
    in_arrow,
    in_categories,
    in_naive_times,
    in_another_zone,
    in_parquet,
    in_many_shuffled_files,
    in_hive_partitions,
    in_csv,
    in_duckdb,
    in_decimals,
    split_over_logs,
    with_whole_number_ids,
    with_strange_names,
]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return sums(in_frames(tmp_path_factory.mktemp("expected") / "frames", *population()))


def sums(trial: Trial) -> dict[str, Any]:
    """The evidence, without the units counted by the join (a log more or less in reach changes these)."""
    taken = trial.take(threads=2)
    assert not taken.is_held, taken.held
    found = taken.evidence.as_json()
    assert found["outcomes"]["absent_events"] == []
    found["outcomes"].pop("units_with_any")
    return found


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_gives_the_same_evidence(
    tmp_path: Path, expected: dict[str, Any], form: Callable[[Path, pd.DataFrame, pd.DataFrame], Trial]
) -> None:
    assert sums(form(tmp_path / "logs", *population())) == expected


def test_whole_numbers_that_became_floats_are_no_ids(tmp_path: Path) -> None:
    rows, logged = population()
    trial = in_frames(tmp_path, rows.assign(unit=np.arange(len(rows), dtype=float)), logged)
    with pytest.raises(Invalid, match="unit is DOUBLE; a unit id must be text or a whole number"):
        trial.take()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e300])
@pytest.mark.parametrize("metric", ["revenue", "basket", "solved", "latency"])
@pytest.mark.parametrize("constant", [True, False])
def test_what_is_no_number_is_refused_and_never_counted(
    tmp_path: Path, bad: float, metric: str, constant: bool
) -> None:
    """NaN is above 0 in SQL and would make a yes of an unknown; in Arrow and Parquet it is not NULL."""
    rows, _ = population()
    event = {"solved": "solved", "latency": "request"}.get(metric, "pay")
    logged = events(rows, event)
    table = pa.Table.from_pandas(logged)
    rest = [
        1.0 if constant else float(i % 3) for i in range(1, len(rows))
    ]  # statistics of a file leave NaN out
    values = pa.array([bad, *rest], pa.float64())
    table = table.set_column(table.column_names.index("value"), "value", values)
    pq.write_table(table, tmp_path / "outcomes.parquet")
    design = {"primary": {"metric": "converted", "mde": 0.05}, "secondary": {"metrics": [metric]}}
    trial = small_trial(
        tmp_path,
        {"assignments": rows},
        design=design,
        outcomes=outcomes({"files": "outcomes.parquet"}),
    )
    with pytest.raises(Invalid, match="Not a number and infinity are no values"):
        trial.take()


def test_everything_wrong_with_the_columns_is_said_at_once(tmp_path: Path) -> None:
    rows, logged = population()
    trial = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": logged},
        design=DESIGN,
        sources={
            "assignments": {
                "frame": "assignments",
                "columns": {"unit": "unti", "arm": "arm", "assigned_at": "country"},
                "arms": {"control": "contrl"},
                "attributes": {"county": "country"},
            }
        },
    )
    with pytest.raises(Invalid) as caught:
        trial.take()
    said = str(caught.value)
    for part in (
        "'unti' is not a column of assignments. Did you mean 'unit'?",
        "country is VARCHAR; a time must be a timestamp or a date",
        "'contrl' is not an arm of the design. Did you mean 'control'?",
        "no logged value is mapped to control, treatment",
        "'country' is not a pre-exposure attribute of this source. Did you mean 'county'?",
    ):
        assert part in said


def test_a_covariate_of_a_log_without_times_is_refused(tmp_path: Path) -> None:
    """It would be the outcome itself, and take the effect away."""
    rows, logged = population()
    design = {
        "primary": {"metric": "visits", "mde": 0.5, "covariates": [{"metric": "visits", "window": "14d"}]}
    }
    columns = {key: value for key, value in OUTCOME_COLUMNS.items() if key != "occurred_at"}
    for name, changes in (
        ("outcomes", {"outcomes": {"logs": [{"frame": "outcomes", "columns": columns}]}}),
        (
            "exposures",
            {"sources": {"assignments": {"frame": "assignments", "columns": {"unit": "unit", "arm": "arm"}}}},
        ),
    ):
        trial = small_trial(
            tmp_path / name, {"assignments": rows, "outcomes": logged}, design=design, **changes
        )
        with pytest.raises(Invalid, match="what came before cannot be told from the outcome itself"):
            trial.take()


def test_an_event_in_two_logs_is_refused(tmp_path: Path) -> None:
    rows, logged = population()
    trial = small_trial(
        tmp_path,
        {"assignments": rows, "outcomes": logged, "more": logged.iloc[:10]},
        outcomes={
            "logs": [
                {"frame": "outcomes", "columns": OUTCOME_COLUMNS},
                {"frame": "more", "columns": OUTCOME_COLUMNS},
            ]
        },
    )
    with pytest.raises(Invalid, match="is found in outcome logs 0, 1"):
        trial.take()


def test_a_folder_name_is_never_read_as_a_pattern(tmp_path: Path) -> None:
    rows, logged = population()
    other = tmp_path / "logs o"
    other.mkdir()
    rows.iloc[:100].to_parquet(other / "assignments.parquet")
    trial = in_parquet(tmp_path / "logs [o]", rows, logged)
    assert trial.take().evidence.cohort.units == len(rows)


def test_nothing_is_left_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, logged = population()
    trial = in_parquet(tmp_path / "logs", rows, logged)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    trial.take()
    assert list(elsewhere.iterdir()) == []


HOLD = """
import duckdb, sys, time
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.mark.parametrize(("seconds", "opens"), [(0.2, True), (30.0, False)])
def test_a_database_that_a_writer_holds_is_tried_again_and_its_holder_named(
    tmp_path: Path, seconds: float, opens: bool
) -> None:
    trial = in_duckdb(tmp_path / "logs", *population())
    file = tmp_path / "logs" / "logs.duckdb"
    file.chmod(0o600)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file), str(seconds)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        if opens:
            assert trial.take().evidence.outcomes is not None
        else:
            with pytest.raises(Invalid, match=f"PID {holder.pid}"):
                trial.take()
        holder.kill()
