"""When a look is due and where its cohort ends: from the logs alone, whoever asks whenever."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from experiments.cohorts.cohort import CutOff
from experiments.forms.problems import Invalid
from experiments.logs.sql import microseconds
from tests.experiments.laboratory import MONDAY, Trial, assignments, events, small_trial

DAY = pd.Timedelta(days=1)


def day(n: float) -> datetime:
    return (MONDAY + n * DAY).to_pydatetime()


def live(
    folder: Path,
    rows: pd.DataFrame,
    *,
    watermark: datetime | None,
    outcomes: pd.DataFrame | None = None,
    outcome_watermark: datetime | None = None,
    **design: object,
) -> Trial:
    """An experiment whose logs are complete up to a watermark; rows beyond it are in the log all the same."""
    declared = {
        "watermark": None if watermark is None else watermark.isoformat(),
        "complete": watermark is None,
    }
    both = outcome_watermark or watermark
    return small_trial(
        folder,
        {"assignments": rows, "outcomes": events(rows, "buy") if outcomes is None else outcomes},
        design=design,
        sources=declared,
        outcomes={"watermark": None if both is None else both.isoformat(), "complete": both is None},
    )


def test_the_cohort_ends_at_the_first_whole_step_with_the_planned_information(tmp_path: Path) -> None:
    """30 units a week and 20 wanted per arm: after two weeks of three."""
    rows = assignments(90, days=21)
    status = live(
        tmp_path, rows, watermark=day(60), stopping={"minimum_duration": "7d", "maximum_duration": "28d"}
    ).status()
    assert status.due
    assert status.cut_off.before_us == microseconds(day(14))
    assert status.enrolled == (30, 30)
    assert status.information == pytest.approx(1.5)
    assert not status.short
    assert status.start == day(0)


def test_enrolment_is_counted_from_midnight_of_the_day_of_the_first_exposure(tmp_path: Path) -> None:
    rows = assignments(90, days=6, start=MONDAY + pd.Timedelta(hours=19))
    status = live(tmp_path, rows, watermark=day(60)).status()
    assert status.start == day(0)
    assert status.cut_off.before_us == microseconds(day(7))


@pytest.mark.parametrize(("seconds", "due"), [(-1, False), (0, True)])
def test_the_look_is_due_the_moment_its_last_unit_is_mature(tmp_path: Path, seconds: int, due: bool) -> None:
    """Enrolment ends on day 7, the window and the label delay take 7 + 2 days."""
    rows = assignments(90)
    at = day(16) + pd.Timedelta(seconds=seconds)
    status = live(
        tmp_path, rows, watermark=at.to_pydatetime() if hasattr(at, "to_pydatetime") else at, label_delay="2d"
    ).status()
    assert status.due is due
    assert status.mature_at == day(16)
    if not due:
        assert status.expected == day(16)
        assert "its last unit is mature 18 Mar 2026 00:00 UTC" in status.missing[0]
        assert "the logs are complete up to 17 Mar 2026 23:59 UTC" in status.missing[0]


def test_the_watermark_is_the_least_of_all_logs(tmp_path: Path) -> None:
    rows = assignments(90)
    trial = live(tmp_path, rows, watermark=day(60), outcome_watermark=day(13))
    assert not trial.status().due
    assert live(tmp_path / "later", rows, watermark=day(60), outcome_watermark=day(14)).status().due


def test_before_the_information_has_come_it_says_what_is_missing_and_when(tmp_path: Path) -> None:
    rows = assignments(24, days=8)
    status = live(
        tmp_path, rows, watermark=day(8), stopping={"minimum_duration": "7d", "maximum_duration": "28d"}
    ).status()
    assert not status.due
    assert status.cut_off.before_us is None
    assert status.missing == (
        "60% of the planned information so far (control 12 of 20, treatment 12 of 20 units)",
    )
    # 20 per arm come in 13.3 days, so two whole weeks, and then a week of maturity
    assert status.expected == day(21)


def test_before_the_minimum_duration_enough_units_are_not_enough(tmp_path: Path) -> None:
    rows = assignments(90, days=4)
    status = live(
        tmp_path, rows, watermark=day(4), stopping={"minimum_duration": "14d", "maximum_duration": "28d"}
    ).status()
    assert not status.due
    assert "enrolment for this look ends 16 Mar 2026" in status.missing[0]
    few = live(
        tmp_path / "few",
        rows.iloc[:10],
        watermark=day(4),
        stopping={"minimum_duration": "14d", "maximum_duration": "28d"},
    ).status()
    assert "the minimum duration ends 16 Mar 2026" in few.missing[0]


def test_at_the_maximum_duration_the_look_is_short_and_is_taken(tmp_path: Path) -> None:
    rows = assignments(30, days=20)
    trial = live(tmp_path, rows, watermark=day(60))
    status = trial.status()
    assert status.due
    assert status.short
    assert status.cut_off.before_us == microseconds(day(14))
    readout = trial.readout()
    assert readout.look.short
    assert "fewer units than planned" in " ".join(readout.limits)
    assert next(one for one in readout.plan_kept if one.name == "Sample reached").result == "warn"


def test_complete_data_are_due_at_once_and_data_without_times_have_no_cut_off(tmp_path: Path) -> None:
    rows = assignments(30, days=3)
    assert live(tmp_path / "timed", rows, watermark=None).status().due
    untimed = small_trial(
        tmp_path / "untimed",
        {"assignments": rows[["unit", "arm"]], "outcomes": events(rows, "buy")},
        sources={"assignments": {"frame": "assignments", "columns": {"unit": "unit", "arm": "arm"}}},
    )
    status = untimed.status()
    assert status.due
    assert status.cut_off == CutOff(None, None)
    assert status.short


def test_before_any_exposure_nothing_is_due(tmp_path: Path) -> None:
    rows = assignments(30).iloc[:0]
    status = live(tmp_path, rows, watermark=day(60), outcomes=events(assignments(2), "buy")).status()
    assert not status.due
    assert status.missing == ("no unit has been exposed yet",)


def test_nothing_is_read_by_arm_before_the_look_is_due(tmp_path: Path) -> None:
    taken = live(tmp_path, assignments(90), watermark=day(10)).take()
    assert taken.evidence.outcomes is None
    assert not any("outcome" in statement.step for statement in taken.statements)


def test_a_log_that_says_nothing_of_its_completeness_is_refused(tmp_path: Path) -> None:
    trial = small_trial(
        tmp_path,
        {"assignments": assignments(30), "outcomes": events(assignments(30), "buy")},
        sources={"complete": None},
        outcomes={"complete": None},
    )
    with pytest.raises(Invalid) as caught:
        trial.status()
    assert len(caught.value.problems) == 2
    assert "declare watermark, or partition" in str(caught.value)


def later_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Ten units of the first week are seen in the other arm in week five, and new ones keep coming."""
    crossing = rows.iloc[:10].assign(
        arm=lambda t: t.arm.map({"control": "treatment", "treatment": "control"}),
        assigned_at=MONDAY + 30 * DAY,
    )
    new = assignments(60, start=MONDAY + 25 * DAY).assign(unit=lambda t: "n" + t.unit)
    ghost = rows.iloc[[20]].assign(arm="ghost", assigned_at=MONDAY + 31 * DAY)
    return pd.concat([rows, crossing, new, ghost])


def test_a_later_watermark_and_later_rows_give_the_same_evidence(tmp_path: Path) -> None:
    """The look does not depend on when somebody presses the button: neither cohort, nor counts, nor hash."""
    rows = assignments(60, days=7)
    first = live(tmp_path / "first", rows, watermark=day(14)).take()
    assert first.evidence.outcomes is not None
    outcomes = pd.concat([events(rows, "buy"), events(rows, "buy", after="400h")])
    for name, watermark in (("day 15", day(15)), ("much later", day(90)), ("complete", None)):
        again = live(tmp_path / name, later_rows(rows), watermark=watermark, outcomes=outcomes).take()
        assert again.status.cut_off == first.status.cut_off
        assert again.evidence.sha256 == first.evidence.sha256


def test_a_second_arm_before_the_last_unit_is_mature_still_takes_a_unit_out(tmp_path: Path) -> None:
    rows = assignments(60, days=7)
    crossing = rows.iloc[:2].assign(
        arm="treatment", assigned_at=MONDAY + 14 * DAY - pd.Timedelta(microseconds=1)
    )
    logged = pd.concat([rows, crossing])
    cohort = live(tmp_path / "before", logged, watermark=day(60)).take().evidence.cohort
    assert cohort.several_arms == 1
    assert sum(c.units for c in cohort.fates) == 60
    at_the_end = pd.concat([rows, crossing.assign(assigned_at=MONDAY + 14 * DAY)])
    cohort = live(tmp_path / "after", at_the_end, watermark=day(60)).take().evidence.cohort
    assert cohort.several_arms == 0


def test_units_taken_out_do_not_count_for_the_information(tmp_path: Path) -> None:
    """21 per arm came in the first week, 3 of them crossed over before they were mature: a week more is needed."""
    rows = assignments(84, days=14)
    crossing = rows.iloc[[0, 2, 4]].assign(arm="treatment", assigned_at=MONDAY + 9 * DAY)
    status = live(
        tmp_path / "out",
        pd.concat([rows, crossing]),
        watermark=day(60),
        rules={"fail_crossover": 0.2},
    ).status()
    assert status.cut_off.before_us == microseconds(day(14))
    kept = live(
        tmp_path / "kept",
        pd.concat([rows, crossing.assign(assigned_at=MONDAY + 15 * DAY)]),
        watermark=day(60),
    ).status()
    assert kept.cut_off.before_us == microseconds(day(7))


def test_an_experiment_stopped_by_hand_ends_where_it_was_stopped(tmp_path: Path) -> None:
    rows = assignments(90)
    readout = live(tmp_path, rows, watermark=day(60)).readout(stopped_at=datetime(2026, 3, 4, tzinfo=UTC))
    assert sum(units.analysed for units in readout.units) == len(rows[rows.assigned_at < MONDAY + 2 * DAY])
    assert readout.verdict.code == "INCONCLUSIVE"
    assert readout.verdict.by_treatment[0].row == 6
    assert readout.look.information == pytest.approx(13 / 20)


@pytest.mark.parametrize("marked", [True, False])
def test_the_last_complete_partition_is_the_watermark(tmp_path: Path, marked: bool) -> None:
    rows = assignments(90)
    for n in range(20):
        for log in ("assignments", "outcomes"):
            place = tmp_path / log / f"dt={day(n):%Y-%m-%d}"
            place.mkdir(parents=True)
            table = rows if log == "assignments" else events(rows, "buy")
            time = "assigned_at" if log == "assignments" else "occurred_at"
            table[(table[time] >= MONDAY + n * DAY) & (table[time] < MONDAY + (n + 1) * DAY)].to_parquet(
                place / "part.parquet"
            )
            if marked:
                (place / "_SUCCESS").touch()
    trial = small_trial(
        tmp_path,
        sources={
            "complete": None,
            "assignments": {
                "files": "assignments/*/*.parquet",
                "partition": "dt",
                "columns": {"unit": "unit", "arm": "arm", "assigned_at": "assigned_at"},
            },
        },
        outcomes={
            "complete": None,
            "logs": [
                {
                    "files": "outcomes/*/*.parquet",
                    "partition": "dt",
                    "columns": {"unit": "unit", "event": "event", "occurred_at": "occurred_at"},
                }
            ],
        },
    )
    taken = trial.take()
    assert taken.watermark.us == microseconds(day(20 if marked else 19))
    assert taken.evidence.outcomes is not None
    # a day that has not arrived, though later ones have, ends what is complete
    gone = tmp_path / "outcomes" / f"dt={day(11):%Y-%m-%d}"
    for file in gone.iterdir():
        file.unlink()
    gone.rmdir()
    assert trial.take().watermark.us == microseconds(day(11))
    assert not trial.status().due
    gone.mkdir()
    if marked:
        assert not trial.status().due
        (gone / "_SUCCESS").touch()
    assert trial.status().due


def test_every_treatment_needs_its_information(tmp_path: Path) -> None:
    """In the first week one of two treatments gets half of what it needs; allocation is checked elsewhere."""
    rows = assignments(150, days=14)
    rows["arm"] = ["control", "mild", "strong"] * 50
    late = (rows.arm == "strong") & (rows.assigned_at < MONDAY + 7 * DAY) & (rows.index % 2 == 0)
    arms = [{"name": "control"}, {"name": "mild"}, {"name": "strong"}]
    status = live(tmp_path, rows[~late], watermark=day(60), arms=arms).status()
    assert status.cut_off.before_us == microseconds(day(14))
    assert status.enrolled[2] < status.enrolled[1]
    assert live(
        tmp_path / "all", rows, watermark=day(60), arms=arms
    ).status().cut_off.before_us == microseconds(day(7))
