"""Every page as a person meets it: the real navigation, at an address, as somebody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from google.protobuf.text_format import MessageToString
from streamlit import config
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.cli.start import PAGES
from app.identity import ACT_AS
from app.screens.navigation import SECTIONS
from tests.app.life import ID

PEOPLE = {
    "mira": "owner",
    "ola": "reviewer",
    "dan": "decider",
    "vic": "viewer",
    "lou": "look committee",
    "ada": "admin",
}
"""Who visits, and as what."""

JOINED_LATER = {"vic": "viewer", "lou": "look-committee"}
"""Those of `PEOPLE` that the lives of `tests.app.life` do not have; the role as the command line writes it."""

TABS = ("plan", "live", "looks", "readout", "history")

QUERIES: dict[str, tuple[dict[str, str], ...]] = {
    "experiment": tuple({"id": ID, "tab": tab} for tab in TABS),
    "audit": ({}, {"entity": ID}),
    "register": ({}, {"id": ID}),
    "metrics": ({}, {"metric": "failure@1"}),
    "sources": ({}, {"source": "main"}, {"add": "main"}),
}
"""What follows the address of a page that shows more than one thing."""


def addresses() -> Iterator[tuple[str, dict[str, str]]]:
    """Every page of the navigation, each with all it can be asked to show."""
    for screens in SECTIONS.values():
        for screen in screens:
            for query in QUERIES.get(screen.address, ({},)):
                yield screen.address, query


def visit(address: str = "", person: str = "mira", query: dict[str, str] | None = None) -> AppTest:
    """A page of the current workspace, drawn once, served to this machine as `fairtrial app` does."""
    page = AppTest.from_file(str(PAGES), default_timeout=60)
    page._page_hash = calc_hash(address)  # what a browser sends of an address
    page.session_state[ACT_AS] = person
    for name, value in (query or {}).items():
        page.query_params[name] = value
    with served_to_this_machine():
        return page.run()


@contextmanager
def served_to_this_machine() -> Iterator[None]:
    """Without sign-in the pages refuse any other address."""
    before = st.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    try:
        yield
    finally:
        config.set_option("server.address", before)


def sent(page: AppTest) -> str:
    """All words that a page sends to the browser."""
    tables = [table.value.to_csv() for table in (*page.table, *page.dataframe)]
    elements = [element.proto for part in (page.main, page.sidebar) for element in part]
    return "\n".join([*(MessageToString(one, as_utf8=True) for one in elements if one is not None), *tables])
