"""The page of one experiment: the right words for each stage and role, and never an outcome before the release."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import streamlit as st
from streamlit import config
from streamlit.testing.v1 import AppTest

from app.identity import ACT_AS
from tests.app.life import ID, STAGES, Life

PEOPLE = ("mira", "ola", "dan", "vic")
"""Owner, reviewer, decider, viewer."""

TABS = ("plan", "live", "looks", "readout", "history")


@pytest.fixture(autouse=True)
def served_to_this_machine() -> Iterator[None]:
    """The pages as `fairtrial app` serves them: without sign-in they refuse any other address."""
    before = st.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    yield
    config.set_option("server.address", before)


@pytest.fixture
def shown(at: Callable[[str], Life]) -> Callable[..., AppTest]:
    """The page at a stage, as somebody sees it: ``shown("running", "live", "mira")``."""

    def open_page(stage: str, tab: str = "", person: str = "mira", id: str = ID) -> AppTest:
        life = at(stage)
        if person == "vic":
            life.ok("people add vic --role viewer --as ada")
        return visit(tab, person, id)

    return open_page


def visit(tab: str = "", person: str = "mira", id: str = ID) -> AppTest:
    """The page in the current workspace."""

    def script() -> None:
        from app.screens.experiment import experiment_page

        experiment_page()

    page = AppTest.from_function(script, default_timeout=60)
    page.session_state[ACT_AS] = person
    if id:
        page.query_params["id"] = id
    if tab:
        page.query_params["tab"] = tab
    page.run()
    return page


def words(page: AppTest) -> str:
    """All that the page sends to the browser, as one text."""
    return "\n".join(str(element.proto) for element in page.main)


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "founded"])
@pytest.mark.parametrize("tab", TABS)
def test_every_tab_is_drawn_at_every_stage_without_a_fault(shown, stage, tab):
    page = shown(stage, tab)
    assert not page.exception
    assert "Something went wrong" not in words(page)
    assert ID in words(page)
