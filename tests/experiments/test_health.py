"""Health, and what may be seen before a look: counts of ids and times, never a value, never anything by arm."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from experiments.logs.engines import duckdb as engine
from experiments.looks.health import Health, health_of
from experiments.looks.looking import first_exposure, look_status
from experiments.readouts.readout import Check
from tests.experiments.laboratory import MONDAY, Trial, assignments, events, small_trial

NOW = datetime.fromisoformat("2026-03-09T06:00:00+00:00")
CANARY = 918_273.645


def running(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame, **changes: Any) -> Trial:
    declared = {"complete": None, "watermark": "2026-03-08"}
    return small_trial(
        folder,
        {"assignments": rows, "outcomes": logged, **changes.pop("frames", {})},
        sources={**declared, **changes.pop("sources", {})},
        outcomes={**declared, **changes.pop("outcomes", {})},
        **changes,
    )


def health(trial: Trial, *, outcomes: bool = True) -> Health:
    return health_of(
        trial.design, trial.sources, trial.outcomes if outcomes else None, now=NOW, experiment="EXP-0001"
    )


def check(found: Health, name: str) -> Check:
    return next(one for one in found.checks if one.name == name)


def test_a_healthy_experiment_is_good(tmp_path: Path) -> None:
    rows = assignments(700)
    found = health(running(tmp_path, rows, events(rows, "buy")))
    assert found.word == "Good", [one for one in found.checks if one.result not in {"pass", "not applicable"}]
    assert [(arm.arm, arm.assigned, arm.exposed, arm.mature) for arm in found.arms] == [
        ("control", 350, 350, 0),
        ("treatment", 350, 350, 0),
    ]
    assert not found.look_due
    assert found.maturing[0].waiting == 700


def test_maturity_is_counted_by_week_of_first_exposure(tmp_path: Path) -> None:
    rows = assignments(2_100, days=21, start=MONDAY - pd.Timedelta(days=14))
    found = health(running(tmp_path, rows, events(rows, "buy")))
    assert [(week.week, week.mature, week.waiting) for week in found.maturing] == [
        (1, 700, 0),
        (2, 601, 99),
        (3, 0, 700),
    ]
    assert [week.from_.day for week in found.maturing] == [16, 23, 2]
    assert sum(arm.mature for arm in found.arms) == 1_301


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that reaches the engine from here on."""
    ran: list[str] = []
    connect = duckdb.connect

    class Recording:
        def __init__(self, *arguments: Any, **named: Any) -> None:
            self._connection = connect(*arguments, **named)

        def execute(self, sql: str) -> Any:
            ran.append(sql)
            return self._connection.execute(sql)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

    monkeypatch.setattr(engine.duckdb, "connect", Recording)
    return ran


def test_nothing_before_the_look_names_or_reads_the_values_of_outcomes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values are a view that fails when it is read, so a statement that reads them without naming them is found too.

    Declared covariates, which lie before exposure, are another matter: test_health_balance.
    """
    rows = assignments(700)
    with duckdb.connect(str(tmp_path / "logs.duckdb")) as database:
        database.register("logged", events(rows, "buy").drop(columns="value"))
        database.execute("CREATE TABLE happened AS SELECT * FROM logged")
        database.execute(
            "CREATE VIEW outcomes AS SELECT unit, event, occurred_at, occurred_at AS recorded_at, "
            f"CAST(error('a value was read: {CANARY}') AS DOUBLE) AS secret_value FROM happened"
        )
    columns = {
        "unit": "unit",
        "event": "event",
        "value": "secret_value",
        "occurred_at": "occurred_at",
        "recorded_at": "recorded_at",
    }
    trial = running(
        tmp_path,
        rows,
        rows,
        design={
            "primary": {"metric": "revenue", "mde": 1.0},
            "secondary": {"metrics": ["latency", "converted", "solved", "basket"]},
        },
        outcomes={"logs": [{"table": {"database": "logs.duckdb", "name": "outcomes"}, "columns": columns}]},
    )
    ran = recorded(monkeypatch)
    found = health(trial)
    status, watermark = look_status(trial.design, trial.sources, trial.outcomes)
    first_exposure(trial.design, trial.sources)
    early = trial.take()
    assert early.evidence.outcomes is None
    assert ran
    assert not [sql for sql in ran if "secret_value" in sql]
    written = found.model_dump_json() + json.dumps([asdict(status), asdict(watermark)], default=str)
    for spelling in ("918273", "918,273", "918\u202f273", "secret_value"):
        assert spelling not in written


def test_outcomes_are_never_grouped_by_arm_before_the_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = assignments(700)
    trial = running(tmp_path, rows, events(rows, "buy"))
    ran = recorded(monkeypatch)
    health(trial)
    of_outcomes = [sql for sql in ran if "frame_outcomes_0" in sql and "DESCRIBE" not in sql]
    assert of_outcomes
    assert not [sql for sql in of_outcomes if " arm" in sql or "GROUP BY" in sql]


def test_what_happens_to_one_arms_outcomes_changes_no_count_by_arm(tmp_path: Path) -> None:
    rows = assignments(700)
    everything = health(running(tmp_path / "all", rows, events(rows, "buy")))
    one_arm = health(running(tmp_path / "one", rows, events(rows[rows.arm == "control"], "buy")))
    assert everything.arms == one_arm.arms
    changed = {a.name for a, b in zip(everything.checks, one_arm.checks, strict=True) if a != b}
    assert changed == {
        "Join rate",
        "Outcomes before exposure",
        "Outcomes in the future (log 0)",
        "Readable outcome rows (log 0)",
    }


def test_the_allocation_may_be_looked_at_every_day(tmp_path: Path) -> None:
    rows = assignments(6_000)
    fine = health(running(tmp_path / "fine", rows, events(rows, "buy")))
    assert check(fine, "Allocation (SRM)").result == "pass"
    kept = rows[(rows.arm == "control") | (rows.index % 10 > 1)]
    broken = health(running(tmp_path / "broken", kept, events(kept, "buy")))
    failed = check(broken, "Allocation (SRM)")
    assert failed.result == "fail"
    assert broken.word == "Failing"
    assert failed.p_value is not None
    assert failed.p_value < 0.001


def test_a_mismatch_that_was_once_there_stays_failed_though_later_days_make_up_for_it(tmp_path: Path) -> None:
    """Evidence against the plan does not go away: the least p so far decides."""
    random = np.random.default_rng(1)
    early = assignments(3_000, days=3).assign(
        arm=np.where(random.random(3_000) < 0.4, "control", "treatment")
    )
    late = assignments(3_000, days=3, start=MONDAY + pd.Timedelta(days=3)).assign(
        unit=lambda t: "l" + t.unit,
        arm=np.where(random.random(3_000) < 0.6, "control", "treatment"),
    )
    rows = pd.concat([early, late])
    found = check(health(running(tmp_path, rows, events(rows, "buy"))), "Allocation (SRM)")
    assert found.result == "fail"


def test_exposure_that_depends_on_the_arm_fails_a_test_of_its_own(tmp_path: Path) -> None:
    rows = assignments(6_000)
    kept = rows[(rows.arm == "control") | (rows.index % 10 > 1)]
    exposures = pd.DataFrame({"unit": kept.unit, "exposed_at": kept.assigned_at})
    found = health(
        running(
            tmp_path,
            rows,
            events(rows, "buy"),
            frames={"exposures": exposures},
            design={"assignment": {"key": "small", "method": "external", "exposure": "exposures"}},
            sources={
                "exposures": {"frame": "exposures", "columns": {"unit": "unit", "exposed_at": "exposed_at"}}
            },
        )
    )
    assert check(found, "Allocation (SRM)").result == "pass"
    assert check(found, "Allocation of exposed units (SRM)").result == "fail"
    assert check(found, "Assigned but never exposed").detail == "600 of 6,000"


@pytest.mark.parametrize(("share", "result"), [(0.02, "warn"), (0.08, "fail")])
def test_crossovers_are_counted(tmp_path: Path, share: float, result: str) -> None:
    rows = assignments(1_000)
    crossing = rows.iloc[: round(share * 1_000)].assign(
        arm=lambda t: np.where(t.arm == "control", "treatment", "control")
    )
    found = health(running(tmp_path, pd.concat([rows, crossing]), events(rows, "buy")))
    assert check(found, "Units in several arms").result == result
    assert check(found, "Duplicate rows").detail.startswith(f"{len(crossing)} further assignment rows")
    assert found.excluded["in more than one arm"] == len(crossing)
    each = (1_000 - len(crossing)) // 2
    assert check(found, "Allocation (SRM)").detail.startswith(f"{each} vs {each} assigned units")


def test_stale_logs_warn(tmp_path: Path) -> None:
    rows = assignments(100)
    trial = running(tmp_path, rows, events(rows, "buy"))
    later = health_of(
        trial.design, trial.sources, trial.outcomes, now=datetime.fromisoformat("2026-03-20T00:00:00+00:00")
    )
    assert check(later, "Data freshness").result == "warn"
    assert "12.0 days ago" in check(later, "Data freshness").detail


def test_the_future_and_what_came_before_exposure_are_counted(tmp_path: Path) -> None:
    rows = assignments(1_000)
    logged = pd.concat(
        [
            events(rows, "buy"),
            events(rows.iloc[:20], "buy", after="2000h"),
            events(rows.iloc[:30], "buy", after="-1h"),
        ]
    )
    found = health(running(tmp_path, rows, logged))
    assert check(found, "Outcomes in the future (log 0)").result == "hold"
    assert check(found, "Outcomes in the future (log 0)").detail == "20 of 1,050 rows"
    assert check(found, "Outcomes before exposure").detail == (
        "30 of 1,050 outcome rows of exposed units lie before their first exposure"
    )


def test_ids_that_do_not_match_hold(tmp_path: Path) -> None:
    rows = assignments(100)
    found = health(running(tmp_path, rows, events(rows.assign(unit=rows.unit.str.upper()), "buy")))
    assert check(found, "Join rate").result == "hold"
    assert (
        check(health(running(tmp_path / "x", rows, rows), outcomes=False), "Join rate").result
        == "not applicable"
    )


def test_before_the_first_unit_there_is_nothing_to_test(tmp_path: Path) -> None:
    rows = assignments(10)
    found = health(running(tmp_path, rows.iloc[:0], events(rows, "buy")))
    assert check(found, "Allocation (SRM)").result == "not applicable"
    assert found.missing == ("no unit has been exposed yet",)
    assert found.maturing == ()


def test_an_unknown_arm_is_seen_while_it_runs(tmp_path: Path) -> None:
    rows = assignments(100)
    rows.loc[3, "arm"] = "ghost"
    assert (
        check(health(running(tmp_path, rows, events(rows, "buy"))), "Arms named by the design").result
        == "hold"
    )
