"""Settings: found upward, overridden by the environment, and every problem named at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.settings import DEFAULTS, FILE_NAME, load_settings
from app.settings_file import change_setting
from app.templates import workspace_file
from experiments.forms.problems import Invalid


def test_without_a_file_the_current_folder_is_the_workspace(tmp_path: Path):
    settings = load_settings(tmp_path, {})
    assert settings.file is None
    assert settings.catalogue == tmp_path / "metrics.yaml"
    assert settings.registry == f"sqlite:///{tmp_path / '.fairtrial/registry.db'}"
    assert (settings.one_person, settings.clock) == (None, None)


def test_the_file_is_found_upward_and_its_paths_are_relative_to_it(tmp_path: Path):
    deep = tmp_path / "designs" / "search"
    deep.mkdir(parents=True)
    (tmp_path / FILE_NAME).write_text("catalogue: shared/metrics.yaml\nregistry: r.db\n")
    settings = load_settings(deep, {})
    assert settings.folder == tmp_path
    assert settings.catalogue == tmp_path / "shared/metrics.yaml"
    assert settings.registry == f"sqlite:///{tmp_path / 'r.db'}"
    assert settings.sources == tmp_path / DEFAULTS["sources"]


def test_the_nearest_file_counts(tmp_path: Path):
    (tmp_path / FILE_NAME).write_text("one_person: ada\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / FILE_NAME).write_text("one_person: grace\n")
    assert load_settings(inner, {}).one_person == "grace"


def test_the_environment_overrides_the_file(tmp_path: Path):
    (tmp_path / FILE_NAME).write_text("one_person: ada\nregistry: a.db\n")
    environment = {
        "FAIRTRIAL_ONE_PERSON": "grace",
        "FAIRTRIAL_REGISTRY": "postgresql://team@db/fairtrial",
        "FAIRTRIAL_CATALOGUE": "other.yaml",
        "FAIRTRIAL_LEDGER_KEY": "of the registry, not a setting",
    }
    settings = load_settings(tmp_path, environment)
    assert settings.one_person == "grace"
    assert settings.registry == "postgresql://team@db/fairtrial"
    assert settings.catalogue == tmp_path / "other.yaml"


@pytest.mark.parametrize("url", ["r.db", "sqlite:///r.db"])
def test_a_sqlite_file_is_in_the_workspace_whichever_way_it_is_written(tmp_path: Path, url: str):
    (tmp_path / FILE_NAME).write_text(f"registry: {url}\n")
    assert load_settings(tmp_path, {}).registry == f"sqlite:///{tmp_path / 'r.db'}"


def test_an_absolute_sqlite_path_stays(tmp_path: Path):
    (tmp_path / FILE_NAME).write_text("registry: sqlite:////var/lib/fairtrial/r.db\n")
    assert load_settings(tmp_path, {}).registry == "sqlite:////var/lib/fairtrial/r.db"


@pytest.mark.parametrize(
    "written", ["2026-11-01T02:00:00+02:00", "2026-11-01T00:00:00Z", "'2026-11-01T00:00:00+00:00'"]
)
def test_a_simulated_clock_stands_at_a_moment_in_utc(tmp_path: Path, written: str):
    (tmp_path / FILE_NAME).write_text(f"clock: {written}\n")
    clock = load_settings(tmp_path, {}).clock
    assert clock == datetime(2026, 11, 1, tzinfo=UTC)
    assert type(clock) is datetime


def test_the_machine_s_clock_may_be_named(tmp_path: Path):
    (tmp_path / FILE_NAME).write_text("clock: system\n")
    assert load_settings(tmp_path, {}).clock is None


def test_every_problem_is_named_with_its_line_and_the_nearest_right_name(tmp_path: Path):
    (tmp_path / FILE_NAME).write_text("catalog: m.yaml\nregistry: 3\nclock: 2026-11-01\none_person: [ada]\n")
    with pytest.raises(Invalid) as caught:
        load_settings(tmp_path, {"FAIRTRIAL_SOURCES": " "})
    found = {problem.path[0]: problem for problem in caught.value.problems}
    assert set(found) == {"catalog", "registry", "clock", "one_person", "FAIRTRIAL_SOURCES"}
    assert "Did you mean 'catalogue'?" in found["catalog"].message
    assert (found["catalog"].line, found["clock"].line) == (1, 3)
    assert found["FAIRTRIAL_SOURCES"].line is None
    assert "2026-11-01T00:00:00Z" in found["clock"].message


def test_a_clock_without_a_time_zone_is_refused(tmp_path: Path):
    with pytest.raises(Invalid, match="time zone"):
        load_settings(tmp_path, {"FAIRTRIAL_CLOCK": "2026-11-01T00:00:00"})


def test_the_template_says_what_the_defaults_are(tmp_path: Path):
    (tmp_path / FILE_NAME).write_text(workspace_file(FILE_NAME))
    written = load_settings(tmp_path, {})
    (tmp_path / FILE_NAME).write_text("{}\n")
    assert load_settings(tmp_path, {}) == written


def test_the_address_of_the_pages_is_a_web_address(tmp_path: Path):
    (tmp_path / FILE_NAME).write_text("address: https://fairtrial.example.org/\n")
    assert load_settings(tmp_path, {}).address == "https://fairtrial.example.org"
    assert (
        load_settings(tmp_path, {"FAIRTRIAL_ADDRESS": "http://localhost:8501"}).address
        == "http://localhost:8501"
    )
    for wrong in ("fairtrial.example.org", "ftp://x", "https://x/?id=1"):
        with pytest.raises(Invalid, match="address of the pages"):
            load_settings(tmp_path, {"FAIRTRIAL_ADDRESS": wrong})


def test_a_worker_refreshes_and_takes_looks_by_itself_unless_told_otherwise(tmp_path: Path):
    assert (load_settings(tmp_path, {}).refresh, load_settings(tmp_path, {}).looks) == (
        timedelta(hours=6),
        "system",
    )
    (tmp_path / FILE_NAME).write_text("refresh: never\nlooks: owner\n")
    assert (load_settings(tmp_path, {}).refresh, load_settings(tmp_path, {}).looks) == (None, "owner")
    assert load_settings(tmp_path, {"FAIRTRIAL_REFRESH": "90m"}).refresh == timedelta(minutes=90)
    wrong = {"FAIRTRIAL_REFRESH": ("often", "30s", "6"), "FAIRTRIAL_LOOKS": ("everybody", "true")}
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(Invalid, match=r"never|is not allowed; give system"):
                load_settings(tmp_path, {name: value})


def test_the_largest_file_that_pages_take_is_a_whole_number_of_megabytes(tmp_path: Path):
    assert load_settings(tmp_path, {}).upload_limit == 200
    (tmp_path / FILE_NAME).write_text("upload_limit: 25\n")
    assert load_settings(tmp_path, {}).upload_limit == 25
    for wrong in ("0", "much", "2.5", "20000"):
        with pytest.raises(Invalid, match="give whole megabytes from 1 to 10000"):
            load_settings(tmp_path, {"FAIRTRIAL_UPLOAD_LIMIT": wrong})


def test_a_changed_setting_is_written_whole_and_leaves_nothing_beside_it(tmp_path: Path):
    file = tmp_path / FILE_NAME
    file.write_text("# mine\nregistry: r.db\n# clock: 2026-01-01T00:00:00Z\n")
    change_setting(file, "clock", "2026-02-01T00:00:00Z")
    assert file.read_text() == '# mine\nregistry: r.db\nclock: "2026-02-01T00:00:00Z"\n'
    assert list(tmp_path.iterdir()) == [file]
