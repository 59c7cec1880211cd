"""The pages served to this machine, and the page of the one experiment at a stage of its life."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import streamlit as st
from streamlit import config
from streamlit.testing.v1 import AppTest

from tests.app.experiment_page.page import visit
from tests.app.life import Life


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

    def open_page(stage: str, tab: str = "", person: str = "mira") -> AppTest:
        life = at(stage)
        if person == "vic":
            life.ok("people add vic --role viewer --as ada")
        return visit(tab, person)

    return open_page
