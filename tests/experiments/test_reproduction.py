"""A sealed readout comes out again, or it is said which file changed or which numbers differ."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from experiments.forms.problems import Invalid
from experiments.looks.looking import take_look
from experiments.looks.reproduction import Verification, verify_readout
from experiments.readouts import estimates
from experiments.readouts.readout import Readout
from tests.experiments.laboratory import Trial, assignments, events, small_trial

DESIGN = {
    "primary": {"metric": "revenue", "mde": 1.0, "covariates": [{"metric": "revenue", "window": "7d"}]},
    "secondary": {"metrics": ["latency", "click_rate", "converted"]},
    "segments": ["country"],
    "sensitivity": ["unadjusted"],
}
COLUMNS = {"unit": "unit", "event": "event", "value": "value", "occurred_at": "occurred_at"}


def population() -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(12)
    rows = assignments(400, country=random.choice(["NL", "BE"], 400))
    logged = []
    for event, hours in (
        ("pay", (-20, 5, 6)),
        ("request", (1, 2, 3)),
        ("view", (4, 5)),
        ("click", (5,)),
        ("buy", (7,)),
    ):
        for hour in hours:
            some = rows[random.random(400) < 0.7]
            logged.append(events(some, event, np.round(random.gamma(2, 20, len(some)), 2), after=f"{hour}h"))
    return rows, pd.concat(logged, ignore_index=True)


def trial_on_disk(folder: Path, **design: object) -> Trial:
    """Assignments by day, outcomes in two long logs."""
    rows, logged = population()
    for day, some in rows.groupby(rows.assigned_at.dt.date):
        place = folder / "assignments" / f"dt={day}"
        place.mkdir(parents=True)
        some.to_parquet(place / "part.parquet")
    requests = logged.event == "request"
    logged[requests].to_parquet(folder / "requests.parquet")
    logged[~requests].to_parquet(folder / "events.parquet")
    return small_trial(
        folder,
        design={**DESIGN, **design},
        sources={
            "assignments": {
                "files": "assignments/*/*.parquet",
                "columns": {"unit": "unit", "arm": "arm", "assigned_at": "assigned_at"},
                "attributes": {"country": "country"},
            }
        },
        outcomes={
            "logs": [
                {"files": "events.parquet", "columns": COLUMNS},
                {"files": "requests.parquet", "columns": COLUMNS},
            ]
        },
    )


def sealed(trial: Trial) -> tuple[Readout, Path]:
    """A readout as it comes back from the machine form, and the folder of its frozen rows."""
    extract = trial.folder / "extract"
    return Readout.of_document(trial.readout(extract=extract).document()), extract


def verified(trial: Trial, readout: Readout, extract: Path | None) -> Verification:
    return verify_readout(trial.design, readout, trial.sources, trial.outcomes, extract)


def test_unchanged_logs_give_the_identical_readout(tmp_path: Path) -> None:
    trial = trial_on_disk(tmp_path)
    found = verified(trial, *sealed(trial))
    assert (found.answer, found.changes, found.extract) == ("IDENTICAL", (), "reproduces")
    assert found.sealed_versions == found.versions


def test_the_frozen_rows_are_for_their_owner_only(tmp_path: Path) -> None:
    _, extract = sealed(trial_on_disk(tmp_path))
    assert extract.stat().st_mode & 0o077 == 0
    assert sorted(file.name for file in extract.iterdir()) == ["per_unit.parquet", "requests_3.parquet"]
    assert all(file.stat().st_mode & 0o077 == 0 for file in extract.iterdir())


def test_late_rows_in_a_new_partition_leave_the_sealed_files_identical(tmp_path: Path) -> None:
    trial = trial_on_disk(tmp_path)
    readout, extract = sealed(trial)
    late = tmp_path / "assignments" / "dt=2026-03-03"
    rows, _ = population()
    rows.iloc[:5].assign(unit="late", arm="treatment").to_parquet(late / "late.parquet")
    found = verified(trial, readout, extract)
    assert (found.answer, found.extract) == ("IDENTICAL", "reproduces")


def change_a_byte(folder: Path) -> None:
    logged = population()[1].query("event != 'request'")
    logged.loc[logged.index[3], "value"] += 0.01
    logged.to_parquet(folder / "events.parquet")


def take_away(folder: Path) -> None:
    (folder / "events.parquet").unlink()


def break_off(folder: Path) -> None:
    whole = (folder / "events.parquet").read_bytes()
    (folder / "events.parquet").write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(change_a_byte, "has changed"), (take_away, "is gone"), (break_off, "has changed")],
)
def test_a_changed_file_is_named_and_the_frozen_rows_still_reproduce(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    trial = trial_on_disk(tmp_path)
    readout, extract = sealed(trial)
    spoil(tmp_path)
    found = verified(trial, readout, extract)
    assert found.answer == "SOURCE CHANGED"
    assert found.changes == (f"outcomes_0: events.parquet {said}",)
    assert found.extract == "reproduces"


def test_a_file_with_other_bytes_of_the_same_rows_is_still_named(tmp_path: Path) -> None:
    trial = trial_on_disk(tmp_path)
    readout, extract = sealed(trial)
    file = tmp_path / "requests.parquet"
    pd.read_parquet(file).to_parquet(file, compression="gzip")
    assert verified(trial, readout, extract).changes == ("outcomes_1: requests.parquet has changed",)


def test_code_that_computes_something_else_is_named_by_its_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = trial_on_disk(tmp_path)
    readout, extract = sealed(trial)
    honest = estimates.compare_ratios

    def shifted(*arguments: object, **named: object) -> object:
        from dataclasses import replace

        effect = honest(*arguments, **named)  # type: ignore[arg-type]
        return replace(effect, estimate=(effect.estimate or 0.0) + 1e-6)

    monkeypatch.setattr(estimates, "compare_ratios", shifted)
    found = verified(trial, readout, extract)
    assert found.answer == "CODE DIFFERS"
    assert found.extract == "reproduces"
    assert all(change.startswith(("secondary[0].estimate", "secondary[0].state")) for change in found.changes)
    assert any("sealed" in change and "now" in change for change in found.changes)


def test_a_difference_in_the_last_digits_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = trial_on_disk(tmp_path)
    readout, extract = sealed(trial)
    honest = estimates.compare_ratios

    def shifted(*arguments: object, **named: object) -> object:
        from dataclasses import replace

        effect = honest(*arguments, **named)  # type: ignore[arg-type]
        return replace(effect, estimate=(effect.estimate or 0.0) * (1 + 3e-13))

    monkeypatch.setattr(estimates, "compare_ratios", shifted)
    assert verified(trial, readout, extract).answer == "IDENTICAL"


def test_a_sealed_number_changed_by_hand_does_not_open(tmp_path: Path) -> None:
    document = trial_on_disk(tmp_path).readout().document()
    document["primary"][0]["estimate"] += 1e-9
    with pytest.raises(ValueError, match="the seal does not match"):
        Readout.of_document(document)


def test_absent_rows_are_absent(tmp_path: Path) -> None:
    trial = trial_on_disk(tmp_path)
    readout, extract = sealed(trial)
    assert verified(trial, readout, None).extract == "absent"
    (extract / "requests_3.parquet").unlink()
    found = verified(trial, readout, extract)
    assert (found.answer, found.extract) == ("IDENTICAL", "absent")


def tamper_with_a_value(file: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE rows AS SELECT * FROM read_parquet('{file}')")
        column = connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE column_name LIKE 'revenue%' LIMIT 1"
        ).fetchall()[0][0]
        connection.execute(f'UPDATE rows SET "{column}" = "{column}" + 1 WHERE uid = 7')
        connection.execute(f"COPY rows TO '{file}' (FORMAT parquet)")


def tamper_with_the_columns(file: Path) -> None:
    pd.DataFrame({"uid": [1], "experiment": [""]}).to_parquet(file)


def tamper_with_the_bytes(file: Path) -> None:
    file.write_bytes(b"not what it was")


@pytest.mark.parametrize("tamper", [tamper_with_a_value, tamper_with_the_columns, tamper_with_the_bytes])
def test_frozen_rows_that_were_changed_differ(tmp_path: Path, tamper: Callable[[Path], None]) -> None:
    trial = trial_on_disk(tmp_path)
    readout, extract = sealed(trial)
    tamper(extract / "per_unit.parquet")
    found = verified(trial, readout, extract)
    assert (found.answer, found.extract) == ("IDENTICAL", "differs")


def test_an_invalid_readout_reproduces_without_outcomes_or_frozen_rows(tmp_path: Path) -> None:
    trial = trial_on_disk(tmp_path, validity={"alpha": 0.05})
    for place in (tmp_path / "assignments").iterdir():
        some = pd.read_parquet(place / "part.parquet")
        some.assign(arm=np.where(np.arange(len(some)) % 3 > 0, "control", "treatment")).to_parquet(
            place / "part.parquet"
        )
    readout, extract = sealed(trial)
    assert readout.verdict.code == "INVALID"
    assert not extract.exists()
    found = verified(trial, readout, extract)
    assert (found.answer, found.extract) == ("IDENTICAL", "not needed")


def test_tables_and_frames_are_known_by_their_rows(tmp_path: Path) -> None:
    rows, logged = population()
    with duckdb.connect(str(tmp_path / "logs.duckdb")) as database:
        database.register("logged", logged)
        database.execute("CREATE TABLE outcomes AS SELECT * FROM logged")
    trial = small_trial(
        tmp_path,
        {"assignments": rows},
        outcomes={"logs": [{"table": {"database": "logs.duckdb", "name": "outcomes"}, "columns": COLUMNS}]},
    )
    readout, extract = sealed(trial)
    assert verified(trial, readout, extract).answer == "IDENTICAL"
    trial.frames["assignments"] = rows.sample(frac=1, random_state=3)
    assert verified(trial, readout, extract).answer == "IDENTICAL"
    with duckdb.connect(str(tmp_path / "logs.duckdb")) as database:
        database.execute("UPDATE outcomes SET value = value + 1 WHERE rowid = 5")
    found = verified(trial, readout, extract)
    assert found.answer == "SOURCE CHANGED"
    assert found.changes == ("outcomes_0: logs.duckdb:outcomes has changed",)
    trial.frames["assignments"] = pd.concat([rows, rows.iloc[:1]])
    assert "assignments: frame assignments has changed" in verified(trial, readout, extract).changes


def test_a_look_stopped_by_hand_reproduces_at_its_own_cut_off(tmp_path: Path) -> None:
    trial = trial_on_disk(tmp_path)
    extract = tmp_path / "extract"
    stopped = pd.Timestamp("2026-03-05", tz="UTC").to_pydatetime()
    readout = Readout.of_document(trial.readout(extract=extract, stopped_at=stopped).document())
    found = verified(trial, readout, extract)
    assert (found.answer, found.extract) == ("IDENTICAL", "reproduces")


def test_a_file_that_changes_while_it_is_read_is_no_source_of_a_readout(tmp_path: Path) -> None:
    trial = trial_on_disk(tmp_path)
    file = tmp_path / "events.parquet"
    with pytest.raises(Invalid, match="was changed while it was read"):
        take_look(
            trial.design,
            trial.sources,
            trial.outcomes,
            before_outcomes=lambda _: pd.read_parquet(file).to_parquet(file, compression="gzip"),
        )
