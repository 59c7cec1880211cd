"""``import fairtrial as ft``: everything it names exists, and a package that shadows ours is named."""

import subprocess
import sys
from pathlib import Path

import fairtrial as ft


def test_every_public_name_exists() -> None:
    assert [name for name in ft.__all__ if not hasattr(ft, name)] == []


def test_a_package_that_shadows_ours_is_named(tmp_path: Path) -> None:
    (tmp_path / "analysis").mkdir()
    (tmp_path / "analysis" / "__init__.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", "import fairtrial"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "analysis is taken from" in done.stderr
    assert str(tmp_path) in done.stderr


def test_a_design_can_be_declared_in_python() -> None:
    catalogue = ft.parse_catalogue(
        "metrics: [{name: signup, version: 1, type: conversion, event: signup, direction: higher, "
        "baseline: {mean: 0.1, source: last month}}]"
    )
    design = ft.declare(
        catalogue,
        title="A shorter form for new visitors",
        hypothesis={"because": "fewer fields to fill in", "expect": "increase"},
        arms=[{"name": "control"}, {"name": "treatment"}],
        primary={"metric": "signup", "mde": 0.01},
        no_guardrails_reason="the form touches nothing else",
    )
    assert design.plan.n_per_arm == design.plan.computed
    assert len(design.sha256) == 64
