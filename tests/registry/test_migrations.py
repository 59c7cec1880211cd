"""The tables: made when a registry is opened, the same as the models, and never understood from the future."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from registry import store
from registry.errors import SchemaTooNew
from registry.tables import APPEND_ONLY, metadata

ROOT = Path(__file__).parents[2]


def test_the_migrations_make_exactly_the_tables_of_the_models(url: str) -> None:
    with store.open_registry(url) as opened, opened.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_registry_made_by_a_newer_version_is_left_alone(url: str) -> None:
    with store.open_registry(url) as opened, opened.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match="'9999', which this Fairtrial does not know"):
        store.open_registry(url)


def test_opening_again_changes_nothing(url: str) -> None:
    with store.open_registry(url) as first, store.open_registry(url) as second:
        assert store.head(first) == store.head(second)


def test_sqlite_is_set_up_for_several_processes_and_power_cuts(tmp_path: Path) -> None:
    with store.open_registry(str(tmp_path / "r.db")) as opened, opened.reading() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30_000, "synchronous": 2}


def test_every_append_only_table_has_its_triggers(tmp_path: Path) -> None:
    with store.open_registry(str(tmp_path / "r.db")) as opened, opened.reading() as connection:
        rows = connection.execute(
            text("SELECT tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
        ).all()
    for table in APPEND_ONLY:
        verbs = {sql.split(" BEFORE ")[1].split()[0] for name, sql in rows if name == table.name}
        assert verbs == {"UPDATE", "DELETE"}


def test_a_registry_lives_in_a_file_or_on_postgres(tmp_path: Path) -> None:
    for url in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(ValueError, match="name a file"):
            store.open_registry(url)
    with pytest.raises(ValueError, match="mysql"):
        store.open_registry("mysql://somewhere/registry")


def test_a_folder_with_a_percent_sign_in_its_name_does_not_matter(tmp_path: Path) -> None:
    folder = tmp_path / "100% real"
    folder.mkdir()
    with store.open_registry(str(folder / "r.db")) as opened:
        assert store.head(opened).count == 0


def test_what_is_installed_holds_the_migrations(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    source, installed = tmp_path / "source", tmp_path / "installed"
    for name in ("analysis", "experiments", "registry", "app"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "fairtrial.py"):
        shutil.copy(ROOT / name, source / name)
    build = "from setuptools import setup; setup()"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", build, "-q", "build_py", "--build-lib", str(installed)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    opening = "import sys, registry; from registry import store; store.open_registry(sys.argv[1]); print(registry.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", opening, str(tmp_path / "r.db")],
        cwd=installed,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(installed) in done.stdout
