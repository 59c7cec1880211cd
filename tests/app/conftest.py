"""The command line as a person or a program meets it: arguments in; exit code, stdout and stderr out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.cli.main import run
from app.templates import WORKSPACE, design_template, workspace_file
from tests.app.life import STAGES, Life, build_stages


@dataclass(frozen=True)
class Ran:
    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output as the one JSON document it has to be."""

        def refuse(constant: str) -> None:
            raise ValueError(f"{constant} is no JSON")

        document = json.loads(self.out, parse_constant=refuse)
        assert isinstance(document, dict)
        return document


@pytest.fixture
def fairtrial(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run one command through the same door as the installed command: ``fairtrial("calc srm 1 2 --json")``."""

    def call(line: str, *more: str) -> Ran:
        capsys.readouterr()
        exit_code = run([*line.split(), *more])
        captured = capsys.readouterr()
        return Ran(exit_code, captured.out, captured.err)

    return call


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that init writes and a design, as the current one."""
    for name in WORKSPACE:
        (tmp_path / name).write_text(workspace_file(name), encoding="utf-8")
    (tmp_path / "design.yaml").write_text(design_template("model-ab"), encoding="utf-8")
    for variable in ("CATALOGUE", "SOURCES", "OUTCOMES", "REGISTRY", "ONE_PERSON", "CLOCK"):
        monkeypatch.delenv(f"FAIRTRIAL_{variable}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A team's workspace at each stage of one experiment's life."""
    return build_stages(tmp_path_factory.mktemp("stages"))


@pytest.fixture
def at(
    stages: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fairtrial: Callable[..., Ran],
) -> Callable[[str], Life]:
    """A fresh copy of the workspace at a stage, as the current folder: ``at("running")``."""

    def go(stage: str) -> Life:
        folder = shutil.copytree(stages[stage], tmp_path / stage)
        for variable in [name for name in os.environ if name.startswith("FAIRTRIAL_")]:
            monkeypatch.delenv(variable)
        monkeypatch.chdir(folder)
        step = STAGES.index(stage if stage in STAGES else "running") + 1
        return Life(folder, fairtrial, step=step)

    return go
