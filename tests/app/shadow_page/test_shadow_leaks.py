"""Before the look nothing that only answers and labels hold leaves the app's process; planted leaks are found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.cli.session import open_workspace_registry
from app.screens import navigation
from app.screens.frame import Here, page
from app.screens.navigation import Screen
from app.settings import load_settings
from app.worker import Worker
from registry import jobs
from registry.jobs import Kind
from tests.app.browsing import visit as visit_address
from tests.app.leaks import Escape, watching
from tests.app.shadow_page.leaks import planted
from tests.app.shadow_page.life import ShadowLife
from tests.app.shadow_page.page import ID, visit

TABS = ("plan", "live", "readout", "cases", "history")
PEOPLE = ("mira", "ola", "dan", "oncall", "ada")


@pytest.fixture(autouse=True)
def fresh_caches() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()


def _work(folder: Path) -> list[str]:
    """Everything that the worker may leave behind before the look."""
    said: list[str] = []
    with open_workspace_registry(load_settings(folder)) as registry:
        for kind in (Kind.SHADOW_STATUS, Kind.LOOK_STATUS, Kind.EXPOSURE):
            jobs.request(registry, "mira", kind, ID)
    Worker(folder, said.append).run(once=True)
    return said


def _visit_everything(escape: Escape) -> None:
    for person in PEOPLE:
        for tab in TABS:
            escape.where = f"{person} at {tab}"
            escape.page(visit(tab, person))
    for address in ("", "experiments", "shadow", "audit", "sources"):
        escape.where = f"/{address}"
        escape.page(visit_address(address, "mira"))


def test_nothing_of_answers_and_labels_leaves_the_pages_before_the_look(
    life: ShadowLife, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    canaries = planted(life)
    said = _work(life.folder)
    with watching(life.folder, canaries, monkeypatch, capsys) as escape:
        _visit_everything(escape)
    assert escape.messages > 300
    assert escape.found == []
    assert canaries.found_in("the worker's log", "\n".join(said).encode()) == []
    with open_workspace_registry(load_settings(life.folder)) as registry:
        found = jobs.latest(registry, ID, Kind.SHADOW_STATUS)
        assert found is not None
        assert found.result is not None
        assert found.result["look_due"]


def _mean_score(folder: Path) -> float:
    return float(pd.read_parquet(folder / "logs" / "predictions.parquet")["score"].mean())


def says_a_mean(folder: Path) -> None:
    st.write(f"So far {_mean_score(folder):.4f}")


def shows_an_answer(folder: Path) -> None:
    st.write(pd.read_parquet(folder / "logs" / "predictions.parquet")["prediction"].iloc[0])


def keeps_a_label(folder: Path) -> None:
    st.session_state["kept"] = pd.read_parquet(folder / "logs" / "labels.parquet")["label"].iloc[0]


def reads_where_predictions_are(folder: Path) -> None:
    (folder / "predictions.yaml").read_text(encoding="utf-8")


LEAKS = {
    says_a_mean: "message",
    shows_an_answer: "message",
    keeps_a_label: "session state",
    reads_where_predictions_are: "opened: predictions.yaml",
}


def test_planted_leaks_are_found(life: ShadowLife, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    canaries = planted(life)
    for leak, way in LEAKS.items():

        @page
        def leaking(here: Here, leak: Any = leak) -> None:
            leak(here.settings.folder)

        with monkeypatch.context() as patched:
            screens = {"Work": (Screen(leaking, "Leaking", "home", ""),)}
            patched.setattr(navigation, "SECTIONS", screens)
            with watching(life.folder, canaries, monkeypatch, capsys) as escape:
                shown: AppTest = visit_address("", "mira")
                assert not shown.exception
                escape.page(shown)
        assert any(way in one for one in escape.found), (leak.__name__, escape.found)
