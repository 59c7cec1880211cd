"""Units so far, by day and arm: each under its own day, and over all days as many as the arms have."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd

from experiments.looks.health import Health, health_of
from tests.experiments.laboratory import Trial, assignments, events, small_trial

NOW = datetime.fromisoformat("2026-03-09T06:00:00+00:00")
EXPOSURES = {
    "assignment": {"key": "small", "method": "external", "exposure": "exposures"},
}
EXPOSED = {"exposures": {"frame": "exposures", "columns": {"unit": "unit", "exposed_at": "exposed_at"}}}


def health(trial: Trial) -> Health:
    return health_of(trial.design, trial.sources, trial.outcomes, now=NOW)


def test_units_are_counted_by_day_and_arm_and_add_up_to_the_arms(tmp_path: Path) -> None:
    rows = assignments(700, days=7)
    found = health(small_trial(tmp_path, {"assignments": rows, "outcomes": events(rows, "buy")}))
    assert [day.on.isoformat() for day in found.days] == [f"2026-03-0{n}" for n in range(2, 9)]
    counted = rows.assign(day=rows["assigned_at"].dt.strftime("%Y-%m-%d")).groupby(["day", "arm"]).size()
    for day in found.days:
        for index, arm in enumerate(found.arms):
            assert day.assigned[index] == day.exposed[index] == counted[day.on.isoformat(), arm.arm]
    for index, arm in enumerate(found.arms):
        assert sum(day.assigned[index] for day in found.days) == arm.assigned
        assert sum(day.exposed[index] for day in found.days) == arm.exposed


def test_a_unit_is_counted_as_exposed_on_the_day_of_its_exposure_not_of_its_assignment(
    tmp_path: Path,
) -> None:
    rows = assignments(100, days=1)
    exposed = rows[["unit"]].assign(exposed_at=rows["assigned_at"] + pd.Timedelta(days=2)).head(60)
    frames = {"assignments": rows, "outcomes": events(rows, "buy"), "exposures": exposed}
    found = health(small_trial(tmp_path, frames, design=EXPOSURES, sources=EXPOSED))
    assert [(day.on.day, sum(day.assigned), sum(day.exposed)) for day in found.days] == [
        (2, 100, 0),
        (4, 0, 60),
    ]
    for index, arm in enumerate(found.arms):
        assert sum(day.exposed[index] for day in found.days) == arm.exposed


def test_units_in_several_arms_are_counted_by_day_as_they_are_by_arm(tmp_path: Path) -> None:
    rows = assignments(100, days=1)
    again = rows.head(7).assign(arm="treatment", assigned_at=rows["assigned_at"] + pd.Timedelta(days=1))
    both = pd.concat([rows, again], ignore_index=True)
    found = health(small_trial(tmp_path, {"assignments": both, "outcomes": events(rows, "buy")}))
    for index, arm in enumerate(found.arms):
        assert sum(day.assigned[index] for day in found.days) == arm.assigned
        assert sum(day.exposed[index] for day in found.days) == arm.exposed


def test_logs_without_times_have_no_days(tmp_path: Path) -> None:
    rows = assignments(100)
    untimed = {"frame": "assignments", "columns": {"unit": "unit", "arm": "arm"}}
    frames = {"assignments": rows.drop(columns="assigned_at"), "outcomes": events(rows, "buy")}
    assert health(small_trial(tmp_path, frames, sources={"assignments": untimed})).days == ()
