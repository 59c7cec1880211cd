"""The first page: every experiment in words, verdicts once released, and never an outcome before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit import config
from streamlit.testing.v1 import AppTest

from app.cli import start
from tests.app.life import ID, STAGES

PAGES = Path(start.PAGES)


@pytest.fixture(autouse=True)
def served_to_this_machine() -> Iterator[None]:
    """The pages as `fairtrial app` serves them: without sign-in they refuse any other address."""
    before = st.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    yield
    config.set_option("server.address", before)


def page() -> AppTest:
    shown = AppTest.from_file(str(PAGES), default_timeout=30).run()
    assert not shown.exception
    return shown


def everything(shown: AppTest) -> str:
    """All that the page would send to a browser."""
    return json.dumps(
        [str(element.proto) for element in shown.main] + [t.value.to_csv() for t in shown.table]
    )


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_shown_in_words_and_a_verdict_only_once_released(at, stage):
    at(stage)
    shown = page()
    assert shown.title[0].value == "Experiments"
    assert "Simulated clock" in shown.warning[0].value
    if stage == "founded":
        assert "No experiment is registered yet" in shown.info[0].value
        return
    row = shown.table[0].value.loc[ID]
    words = {
        "in_review": "In review",
        "registered": "Registered",
        "running": "Running",
        "due": "Running",
        "read_out": "Readout ready",
        "decided": "Decided: shipped",
    }
    assert row["State"] == words[stage]
    assert row["Labels"] == "simulated"
    released = stage in ("read_out", "decided")
    assert row["Verdict"] == ("✓ SHIP" if released else "not released")
    assert ("SHIP" in everything(shown).replace("shipped", "")) is released


def test_without_a_registry_the_page_says_so(tmp_path, monkeypatch):
    monkeypatch.delenv("FAIRTRIAL_REGISTRY", raising=False)
    monkeypatch.chdir(tmp_path)
    assert "fairtrial init" in page().error[0].value


def test_many_experiments_go_into_a_grid(at, monkeypatch):
    at("running")
    monkeypatch.setattr("app.screens.home.FEW", 0)
    shown = page()
    assert len(shown.dataframe) == 1


# The command


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been served, instead of serving it."""
    calls: list[Any] = []
    monkeypatch.setattr(start, "serve", lambda arguments, folder: calls.append((arguments, folder)) or 0)
    return calls


def test_the_pages_are_served_to_this_machine_without_statistics(fairtrial, at, served):
    life = at("running")
    ran = fairtrial("app --headless --port 8600 --json")
    assert ran.exit_code == 0
    assert ran.document == {"url": "http://localhost:8600", "folder": str(life.folder)}
    ((arguments, folder),) = served
    assert folder == life.folder
    assert {
        "--server.address=127.0.0.1",
        "--server.port=8600",
        "--server.headless=true",
        "--server.allowedHosts=localhost",
        "--server.allowedHosts=127.0.0.1",
        "--browser.gatherUsageStats=false",
        "--client.showErrorDetails=none",
    } <= set(arguments)


def test_every_option_given_to_streamlit_is_one_it_knows():
    from streamlit import config

    known = set(config.get_config_options())
    options = start.streamlit_arguments("127.0.0.1", 8501, headless=True)[2:]
    assert {option.removeprefix("--").split("=")[0] for option in options} <= known


def test_a_workspace_without_a_registry_serves_nothing(fairtrial, tmp_path, served):
    ran = fairtrial(f"app {tmp_path}")
    assert ran.exit_code == 1
    assert "fairtrial init" in ran.err
    assert served == []


def test_pages_that_could_not_be_served_are_a_refusal(fairtrial, at, monkeypatch):
    at("running")
    monkeypatch.setattr(start, "serve", lambda *_: 1)
    ran = fairtrial("app")
    assert ran.exit_code == 1
    assert "port 8501" in ran.err


@pytest.mark.parametrize("line", ["app no-such-folder", "app --port 0"])
def test_bad_usage(fairtrial, at, line):
    at("running")
    assert fairtrial(line).exit_code == 2
