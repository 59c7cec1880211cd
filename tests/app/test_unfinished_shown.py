"""A draft that is no complete design yet: every place that shows it says so, and lists what it still lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.session import open_workspace_registry
from app.settings import load_settings
from experiments.designs.metrics import load_catalogue
from experiments.forms.problems import Invalid
from registry import lifecycle
from registry.lifecycle.drafting import unfinished
from registry.plans import saved_design, unfinished_problems
from registry.store import show
from tests.app.life import DESIGN, ID

HALF = "title: Half a plan for everybody\nprimary: {metric: sucess@1}\n"


@pytest.fixture
def half(at) -> Path:
    """A workspace whose one experiment is half a draft of mira's."""
    return begin(at("founded").folder, HALF)


def begin(folder: Path, written: str) -> Path:
    with open_workspace_registry(load_settings(folder)) as registry:
        lifecycle.create_draft(registry, "mira", unfinished(written, "Half a plan for everybody"))
    return folder


def test_the_command_says_that_it_is_unfinished_and_what_it_lacks(half, fairtrial):
    out = fairtrial(f"show {ID}").out
    assert "Unfinished: it is no complete design yet" in out
    assert "'sucess@1'" in out
    assert "is not a metric of the catalogue" in out
    assert "hypothesis" in out
    lacks = fairtrial(f"show {ID} --json").document["unfinished"]
    assert any("arms" in problem for problem in lacks)


def test_a_complete_draft_is_not_called_unfinished(at, fairtrial):
    at("in_review")
    assert "nfinished" not in fairtrial(f"show {ID}").out
    assert "unfinished" not in fairtrial(f"show {ID} --json").document


def test_one_that_only_has_to_be_saved_again_says_so(at, fairtrial):
    begin(at("founded").folder, DESIGN)
    assert "nothing is wrong with it any more" in fairtrial(f"show {ID}").out


def test_without_a_catalogue_it_says_that_it_cannot_be_checked(half, fairtrial):
    (half / "metrics.yaml").unlink()
    assert "cannot be checked now" in fairtrial(f"show {ID}").out


def test_its_design_cannot_be_had_and_the_reason_names_what_is_missing(half):
    catalogue = load_catalogue(half / "metrics.yaml")
    with open_workspace_registry(load_settings(half)) as registry:
        dossier = show(registry, ID)
    with pytest.raises(
        Invalid, match=r"EXP-0001, an unfinished draft: 1 problem\n.*no complete design yet"
    ) as one:
        saved_design(dossier)
    assert "schema" not in str(one.value)
    with pytest.raises(Invalid) as every:
        saved_design(dossier, catalogue)
    assert every.value.problems == unfinished_problems(dossier, catalogue)
    assert {"arms", "hypothesis", "primary"} <= {str(problem.path[0]) for problem in every.value.problems}
