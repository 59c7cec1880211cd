"""A real Chromium, where there is one, and windows of it on an app."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.app.life import build_stages
from tests.browser.served import NAME, served, workspace
from tests.browser.visitor import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The system's Chromium. For this package only: while it is open, its event loop is the thread's."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        program = None
    if program is None:
        pytest.skip("no Chromium here; .ci/run installs one")
    with sync_playwright() as playwright:
        # As root, which CI is, Chromium starts only without its sandbox; it opens nothing but our own pages.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", f"--host-resolver-rules=MAP {NAME} 127.0.0.1"]
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[Callable[..., Visitor]]:
    """Opens windows, ``visitor(url, dark=True, width=400)``; at the end none of them has noticed anything amiss."""
    opened: list[Visitor] = []
    contexts = []

    def open_window(url: str, *, dark: bool = False, width: int = 1280) -> Visitor:
        context = chromium.new_context(
            color_scheme="dark" if dark else "light", viewport={"width": width, "height": 900}
        )
        contexts.append(context)
        opened.append(Visitor(context, url))
        return opened[-1]

    yield open_window
    for context in contexts:
        context.close()
    assert [noticed for one in opened for noticed in one.noticed] == []


@pytest.fixture(scope="package")
def app(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A served workspace of its own, with a team and no experiment yet."""
    with served(workspace(tmp_path_factory.mktemp("browser") / "workspace")) as url:
        yield url


@pytest.fixture(scope="package")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A team's workspace at each stage of one experiment's life."""
    return build_stages(tmp_path_factory.mktemp("stages"))
