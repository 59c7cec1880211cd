"""A person at a browser: does what people do, and notices what they would not."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.browser.served import NAME

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Request, Response

PATIENCE = 60_000
"""Milliseconds until something is there that has to come: a busy machine is no reason to fail."""

HERE = frozenset({"127.0.0.1", "localhost", NAME})

PROBE = re.compile(r"/[a-z]+/_stcore/(health|host-config)")
"""On every page but the first, Streamlit's script first takes the page's address for the server's and asks there in vain."""

HEIGHT = 900

REFLOWING = 150
"""Milliseconds that a page and its charts take for another width."""

WENT_WRONG = ("Something went wrong", "This page cannot be shown")

ANSWERING = 1_500
"""Milliseconds within which a click that draws the page anew begins to."""

_COUNT_RUNS = """
window.runs = 0
new MutationObserver(changes => {
  for (const change of changes) {
    if (change.attributeName === 'data-test-script-state' && change.target.dataset.testScriptState !== 'notRunning') window.runs++
  }
}).observe(document, {subtree: true, attributeFilter: ['data-test-script-state']})
"""

_TURN = "to => { history.pushState({}, '', to); dispatchEvent(new PopStateEvent('popstate', {state: {}})) }"

_IS_SETTLED = """() => {
  const app = document.querySelector('[data-testid="stApp"]')
  const drawn = app && app.dataset.testScriptState === 'notRunning' && app.dataset.testConnectionState === 'CONNECTED'
  if (!drawn || !document.querySelector('h1')) { window.settledSince = undefined; return false }
  window.settledSince ??= performance.now()
  return performance.now() - window.settledSince > 150
}"""


class Visitor:
    """One browser window on one app.

    Attributes:
        noticed: everything that must not be: script errors, requests to other hosts, addresses of ours that are not there.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.noticed: list[str] = []
        context.on("request", self._asked)
        context.on("response", self._answered)
        context.on("console", self._said)
        context.add_init_script(_COUNT_RUNS)
        context.on("weberror", lambda error: self.noticed.append(f"exception: {error.error}"))
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE)

    # What people do

    def open(self, address: str = "") -> None:
        """Go to an address; Streamlit begins a new session."""
        self.page.goto(f"{self.url}/{address}")
        self.settle()

    def turn_to(self, address: str) -> None:
        """Go to an address as the browser's own buttons do: in the session that there is, without loading anew."""
        self._do(lambda: self.page.evaluate(_TURN, f"{self.url}/{address}"))

    def resize(self, width: int) -> None:
        self.page.set_viewport_size({"width": width, "height": HEIGHT})
        self.page.wait_for_timeout(REFLOWING)

    def go(self, page: str) -> None:
        """Follow a link of the sidebar."""
        link = self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=page, exact=True)
        self._do(link.click)

    def follow(self, link: str) -> None:
        """Follow a link of the page."""
        self._do(self.main.get_by_role("link", name=link).first.click)

    def act_as(self, person: str) -> None:
        self.choose("Act as", person)
        self.page.get_by_test_id("stSidebar").get_by_text(f"({person}) ·").wait_for()

    def sign_in(self, account: str) -> None:
        """Come in from the provider's page, as one of its accounts."""
        if not self.page.url.startswith(self.url):
            self.open()
        self.button("Sign in").click()
        self.page.get_by_role("button", name=account, exact=True).click()
        self.page.wait_for_url(f"{self.url}/**")
        self.settle()

    def sign_out(self) -> None:
        self.button("Sign out").click()
        self.button("Sign in").wait_for()
        self.settle()

    def press(self, button: str) -> None:
        self._do(self.button(button).click)

    def type(self, label: str, text: str) -> None:
        field = self.page.get_by_label(label, exact=True).first
        field.fill(text)
        self._do(lambda: field.press("Tab"), draws=not _in_form(field))

    def choose(self, label: str, option: str) -> None:
        """Choose in a list that opens."""
        self.page.get_by_test_id("stSelectbox").filter(has_text=label).locator("input").click()
        self._do(self.page.get_by_role("option", name=option).click)

    def tick(self, option: str) -> None:
        """Choose one of several that all stand there."""
        found = self.main.get_by_text(option).first
        self._do(found.click, draws=not _in_form(found))

    def tab(self, name: str) -> None:
        """Show a part of an experiment."""
        self._do(self.main.get_by_role("radio", name=name, exact=True).click)

    def download(self, button: str, folder: Path) -> Path:
        with self.page.expect_download() as coming:
            self.button(button).click()
        found = folder / coming.value.suggested_filename
        coming.value.save_as(found)
        return found

    # What people see

    @property
    def main(self) -> Locator:
        return self.page.get_by_test_id("stMain")

    def button(self, name: str) -> Locator:
        """By its whole name; of one with an icon, the name without it."""
        return self.page.get_by_role("button", name=re.compile(rf"(\w+ )?{re.escape(name)}")).first

    def text(self) -> str:
        return self.main.inner_text()

    def sees(self, words: str) -> None:
        """Wait until these words are on the page."""
        self.main.get_by_text(words).first.wait_for()

    def settle(self) -> None:
        """Wait until the page is drawn and stays so."""
        self.page.evaluate("() => { window.settledSince = undefined }")
        self.page.wait_for_function(_IS_SETTLED, timeout=PATIENCE)
        said = self.text()
        self.noticed += [f"{self.page.url}: {words}" for words in WENT_WRONG if words in said]

    def _do(self, act: Callable[[], object], *, draws: bool = True) -> None:
        """Act, and wait for what comes of it; an act that draws nothing anew after all is only waited for a moment."""
        from playwright.sync_api import TimeoutError as NothingCame

        before = self.page.evaluate("window.runs")
        act()
        if draws:
            with suppress(NothingCame):
                self.page.wait_for_function(f"window.runs > {before}", timeout=ANSWERING)
        self.settle()

    # What people do not notice

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname not in HERE:
            self.noticed.append(f"request outside: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and not _is_probe(response.url):
            self.noticed.append(f"{response.status}: {response.url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _is_probe(message.location["url"]):
            self.noticed.append(f"console: {message.text}")


def _in_form(element: Locator) -> bool:
    """What is filled in there is sent with the form's button."""
    return bool(element.evaluate("one => one.closest('[data-testid=\"stForm\"]') !== null"))


def _is_probe(url: str) -> bool:
    return PROBE.fullmatch(urlsplit(url).path) is not None
