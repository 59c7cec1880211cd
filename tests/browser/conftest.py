"""A real Chromium, where there is one, and windows of it on an app."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.provider import Account, Provider, provided
from tests.browser.served import NAME, free_port, served, set_up_sign_in, team_workspace, workspace
from tests.browser.visitor import HEIGHT, Visitor
from tests.registry.conftest import _postgres_schema

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")

ACCOUNTS = (
    *(Account(f"{person}@example.org") for person in ("mira", "ola", "dan", "noor", "stranger")),
    Account("MIRA@example.org", verified=False),
    Account("OLA@example.org", verified=None),
    Account("DAN@example.org", lifetime=1),
)
"""The team and somebody else; and addresses of the team that nobody vouches for, or not for long."""


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
            color_scheme="dark" if dark else "light", viewport={"width": width, "height": HEIGHT}
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


@dataclass(frozen=True)
class Team:
    """A served workspace of a team that signs in.

    Attributes:
        token: the admin's.
    """

    folder: Path
    url: str
    token: str
    provider: Provider


@pytest.fixture(scope="package")
def team(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A team on Postgres, set up as docs/operations.md says."""
    folder = tmp_path_factory.mktemp("team") / "workspace"
    port = free_port()
    url = f"http://{NAME}:{port}"
    with contextmanager(_postgres_schema)() as registry:
        token = team_workspace(folder, registry)
        with provided(free_port(), f"{url}/oauth2callback", ACCOUNTS) as provider:
            set_up_sign_in(folder, provider, url)
            with served(folder, port, NAME):
                yield Team(folder, url, token, provider)
