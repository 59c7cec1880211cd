"""The page of one experiment as somebody sees it: visit it, read its words, press its buttons."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from streamlit.testing.v1 import AppTest

from app.cli.session import open_workspace_registry
from app.identity import ACT_AS
from app.settings import load_settings
from registry.store import Dossier, show
from tests.app.life import ID, START

TABS = ("plan", "live", "looks", "readout", "history")


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
    assert not page.exception
    assert "Something went wrong" not in words(page)
    return page


def words(page: AppTest) -> str:
    """All that the page sends to the browser, as one text."""
    return "\n".join(
        str(getattr(element.proto, "body", None) or element.proto) for element in [*page.main, *page.sidebar]
    )


def off(page: AppTest, label: str) -> str:
    """Why a button cannot be pressed, as it stands beside it; fails where it can."""
    button = next(one for one in page.button if one.label == label)
    assert button.disabled, f"{label} can be pressed"
    said = words(page)
    begin = said.index(f"{label}: ") + len(label) + 2
    return said[begin : said.index("</p>", begin)]


def press(page: AppTest, label: str) -> AppTest:
    """Press a button that can be pressed."""
    button = next(one for one in page.button if one.label == label)
    assert not button.disabled, f"{label} cannot be pressed"
    button.click().run()
    assert not page.exception
    return page


def life_day(number: int) -> datetime:
    """So many days after the experiment's first."""
    return START + timedelta(days=number)


def dossier(folder: Path) -> Dossier:
    with open_workspace_registry(load_settings(folder)) as registry:
        return show(registry, ID)
