"""A file handed in by a real browser: what Streamlit's server takes in is handed on, looked over, mapped and added."""

from __future__ import annotations

import pytest

from app.overview.example_logs import example_log
from tests.browser.served import served, workspace

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [1280, 400])
def test_a_source_begins_with_a_file_of_assignments_and_is_given_its_outcomes(
    chromium, visitor, tmp_path, width
):
    folder = workspace(tmp_path / "workspace")
    files = {kind: tmp_path / f"{kind}.csv" for kind in ("assignments", "outcomes")}
    for kind, file in files.items():
        file.write_text(
            example_log(kind).replace("unit", "who") if kind == "assignments" else example_log(kind)
        )
    with served(folder) as url:
        at = visitor(url, width=width)
        at.open("sources?add=&act_as=mira")
        at.tick("a new source")
        at.type("Name of the new source", "handed")
        _hand_in(at, files["assignments"])
        at.sees("no column of the file is mapped to unit")
        assert at.button("Add it to handed").is_disabled()
        at.choose("unit (needed)", "who")
        at.press("Look it over with these columns")
        at.sees("Nothing is wrong with it. Nothing is saved yet.")
        assert not (folder / "logs").exists()
        at.press("Add it to handed")
        at.sees("Added to assignments of handed")
        at.open("sources?add=handed&act_as=mira")
        at.tick("outcomes: what happened to the units afterwards")
        _hand_in(at, files["outcomes"])
        at.sees("Outcomes are closed: of an outcome file no row, no value and no time is shown")
        at.press("Add it to handed")
        at.sees("Added to outcomes_0 of handed")
        at.press("See handed")
        at.sees("The 2 files that were handed in for handed and added")
        at.page.goto("about:blank")  # before its server ends
    assert [file.name for file in (folder / ".fairtrial" / "uploads").iterdir()] == []


def _hand_in(at, file):
    at.page.locator("input[type=file]").set_input_files(str(file))
    at.sees("SHA-256")
    at.settle()
