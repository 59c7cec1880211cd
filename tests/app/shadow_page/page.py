"""The page of shadows as somebody sees it."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from app.identity import ACT_AS

ID = "SHD-0001"


def visit(tab: str = "", person: str = "mira", id: str = ID, *, new: bool = False) -> AppTest:
    """The page in the current workspace; without an id the list, or a new shadow."""

    def script() -> None:
        from app.screens.shadow import shadow_page

        shadow_page()

    page = AppTest.from_function(script, default_timeout=120)
    page.session_state[ACT_AS] = person
    if id and not new:
        page.query_params["id"] = id
    if new:
        page.query_params["new"] = "1"
    if tab:
        page.query_params["tab"] = tab
    page.run()
    assert not page.exception
    return page
