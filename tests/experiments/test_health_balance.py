"""Balance before exposure: what was declared, summed from before each unit's own exposure, and never a thing from after it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from experiments.looks.balance import NAME
from experiments.looks.health import Health, health_of
from experiments.readouts.readout import Check
from tests.experiments.laboratory import assignments, events, small_trial

NOW = datetime.fromisoformat("2026-03-09T06:00:00+00:00")
ADJUSTED: dict[str, Any] = {
    "primary": {"metric": "revenue", "mde": 1.0, "covariates": [{"metric": "revenue", "window": "14d"}]}
}


def health(folder: Path, rows: pd.DataFrame, logged: pd.DataFrame, **changes: Any) -> Health:
    opened = changes.pop("outcomes_open", True)
    trial = small_trial(folder, {"assignments": rows, "outcomes": logged}, **{"design": ADJUSTED, **changes})
    return health_of(trial.design, trial.sources, trial.outcomes if opened else None, now=NOW)


def check(found: Health) -> Check:
    return next(one for one in found.checks if one.name == NAME)


def history(rows: pd.DataFrame, *, lift: float = 0.0) -> pd.DataFrame:
    """Payments of each unit in the fortnight before its assignment; the treatment's larger by ``lift``."""
    random = np.random.default_rng(7)
    paid = random.gamma(2.0, 5.0, len(rows)).round(2) + lift * (rows.arm == "treatment")
    before = events(rows, "pay", paid, after="-3d")
    often = events(rows.iloc[::3], "pay", 4.0, after="-13d")
    return pd.concat([before, often], ignore_index=True)


def test_it_is_what_pandas_finds_in_the_rows_before_exposure(tmp_path: Path):
    rows = assignments(400)
    log = pd.concat(
        [history(rows), events(rows, "pay", 99.0, after="1h"), events(rows, "pay", 50.0, after="-15d")],
        ignore_index=True,
    )
    (found,) = health(tmp_path, rows, log).balance
    joined = log.merge(rows, on="unit")
    since = joined.occurred_at - joined.assigned_at
    within = joined[(since < pd.Timedelta(0)) & (since >= -pd.Timedelta("14D"))]
    total = within.groupby("unit").value.sum().reindex(rows.unit).fillna(0.0).to_numpy()
    control, treatment = (total[(rows.arm == arm).to_numpy()] for arm in ("control", "treatment"))
    pooled = np.sqrt((control.var(ddof=1) + treatment.var(ddof=1)) / 2)
    assert found.standardised_difference == pytest.approx(
        (treatment.mean() - control.mean()) / pooled, rel=1e-12
    )
    assert found.p_value == pytest.approx(
        stats.ttest_ind(treatment, control, equal_var=False).pvalue, rel=1e-9
    )
    assert (found.arm, found.control_units, found.arm_units) == ("treatment", 200, 200)


@pytest.mark.parametrize(
    "after", ["0s", "1us", "1h", "3d"], ids=["at the exposure", "just after", "an hour after", "days after"]
)
def test_nothing_at_or_after_the_exposure_enters_it(tmp_path: Path, after: str):
    """One arm's outcomes grow a thousandfold: neither the numbers nor the check move by a bit."""
    rows = assignments(200)
    small = events(rows, "pay", 1.0, after=after)
    large = small.assign(value=np.where(rows.arm == "treatment", 1000.0, 1.0))
    more = pd.concat([large, large[rows.arm == "treatment"], large[rows.arm == "treatment"]])
    base = history(rows)
    found = [
        health(tmp_path / str(n), rows, pd.concat([base, log], ignore_index=True))
        for n, log in enumerate((small, large, more))
    ]
    assert found[0].balance == found[1].balance == found[2].balance
    assert check(found[0]) == check(found[1]) == check(found[2])


def test_a_row_just_before_the_exposure_is_history(tmp_path: Path):
    rows = assignments(200)
    base = history(rows)
    late = events(rows, "pay", np.where(rows.arm == "treatment", 1000.0, 1.0), after="-1us")
    found = health(tmp_path, rows, pd.concat([base, late], ignore_index=True))
    assert check(found).result == "warn"


def test_arms_that_differ_before_exposure_are_a_warning_that_blocks_nothing(tmp_path: Path):
    rows = assignments(2_000)
    alike = check(health(tmp_path / "alike", rows, history(rows)))
    assert alike.result == "pass"
    assert "none off" in alike.detail
    found = health(tmp_path / "unlike", rows, history(rows, lift=3.0))
    unlike = check(found)
    assert (unlike.result, unlike.blocking) == ("warn", False)
    assert "revenue@1 in the 14d before exposure" in unlike.detail
    assert "in treatment" in unlike.detail
    assert found.word == "Warning"


def test_every_treatment_is_held_against_control_and_every_covariate_by_itself(tmp_path: Path):
    rows = assignments(300).assign(arm=["control", "b", "c"] * 100, age=range(300))
    design = {
        "arms": [{"name": "control"}, {"name": "b"}, {"name": "c"}],
        "multiple_treatments": "dunnett",
        "primary": {
            "metric": "revenue",
            "mde": 1.0,
            "covariates": [{"metric": "revenue", "window": "14d"}, {"attribute": "age"}],
        },
    }
    sources = {
        "assignments": {
            "frame": "assignments",
            "columns": {"unit": "unit", "arm": "arm", "assigned_at": "assigned_at"},
            "attributes": {"age": "age"},
        }
    }
    found = health(tmp_path, rows, history(rows), design=design, sources=sources)
    assert {(row.covariate.split()[0], row.arm) for row in found.balance} == {
        ("revenue@1", "b"),
        ("revenue@1", "c"),
        ("age", "b"),
        ("age", "c"),
    }
    assert len(found.balance) == 4


def test_a_covariate_that_is_one_value_in_each_arm_and_not_the_same_is_off(tmp_path: Path):
    rows = assignments(100)
    log = events(rows, "pay", np.where(rows.arm == "treatment", 2.0, 1.0), after="-1d")
    found = health(tmp_path, rows, log)
    assert found.balance[0].not_computed == "every unit of an arm has the same value"
    assert check(found).result == "warn"


def test_outcomes_with_a_date_only_are_not_read_for_it(tmp_path: Path):
    """Those of the day of exposure would count as before it, though the treatment may have made them."""
    rows = assignments(200)
    log = history(rows)
    log["occurred_at"] = log["occurred_at"].dt.date
    found = check(health(tmp_path, rows, log))
    assert found.result == "not applicable"
    assert "dates only" in found.detail


def test_without_the_outcome_logs_it_is_not_applicable(tmp_path: Path):
    rows = assignments(200)
    found = health(tmp_path, rows, history(rows), outcomes_open=False)
    assert (check(found).result, check(found).detail) == ("not applicable", "outcome logs are not open here")
    assert found.balance == ()


def test_before_anybody_came_there_is_nothing_to_compare(tmp_path: Path):
    rows = assignments(20)
    found = health(tmp_path, rows.iloc[:0], history(rows))
    assert (check(found).result, check(found).detail) == ("not applicable", "no units yet")


def test_without_a_declared_covariate_there_is_no_such_check(tmp_path: Path):
    rows = assignments(200)
    found = health(tmp_path, rows, events(rows, "buy"), design=None)
    assert NAME not in {one.name for one in found.checks}
