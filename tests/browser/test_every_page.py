"""Every page as a browser draws it: light, dark and narrow, without an error, a sideways scroll or a picture without words."""

from __future__ import annotations

import pytest

from app.demo.stage import without_settings_from_outside
from app.screens.navigation import SECTIONS
from tests.app.browsing import QUERIES
from tests.app.life import Life, quietly
from tests.browser.served import served
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

WIDE, NARROW = 1280, 400

_TOO_WIDE = (
    "() => Math.max(document.body.scrollWidth, document.documentElement.scrollWidth) - window.innerWidth"
)
_MAIN_TOO_WIDE = "main => main.scrollWidth - main.clientWidth"
_LEVEL_ONE = "() => document.querySelectorAll('h1').length"
_WITHOUT_WORDS = """() => {
  const named = one => one.getAttribute('alt') || one.getAttribute('aria-label') || one.getAttribute('aria-hidden') === 'true'
    || one.closest('[aria-label], [aria-hidden="true"], [role="presentation"]')
  const pictures = '[data-testid="stMain"] :is(img, canvas, [role="img"], [role="graphics-document"], [data-testid="stVegaLiteChart"] svg)'
  return [...document.querySelectorAll(pictures)].filter(one => !named(one)).map(one => one.outerHTML.slice(0, 200))
}"""
_UNNAMED = """() => [...document.querySelectorAll('button, a[href], input, textarea')]
  .filter(one => one.checkVisibility() && one.tabIndex >= 0)
  .filter(one => !one.innerText?.trim() && !one.getAttribute('aria-label') && !one.title && !one.labels?.length
    && !one.getAttribute('aria-labelledby') && one.getAttribute('aria-hidden') !== 'true')
  .map(one => one.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def decided(chromium, tmp_path_factory):
    """The app on the workspace of an experiment that was decided."""
    folder = tmp_path_factory.mktemp("decided")
    with without_settings_from_outside():
        Life(folder, quietly(folder)).decided()
    with served(folder) as url:
        yield url


def addresses() -> list[str]:
    found = []
    for screens in SECTIONS.values():
        for screen in screens:
            for query in QUERIES.get(screen.address, ({},)):
                asked = "&".join(f"{name}={value}" for name, value in query.items())
                found.append(f"{screen.address}?{asked}" if asked else screen.address)
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_page_is_drawn(decided, visitor, dark):
    """Drawn on a wide screen and made narrow, and in the dark the other way round."""
    first, then = (NARROW, WIDE) if dark else (WIDE, NARROW)
    at = visitor(decided, dark=dark, width=first)
    at.open()
    amiss, drawn, before = {}, {}, ""
    for address in addresses():
        at.resize(first)
        page, _, asked = address.partition("?")
        (at.open if asked and page == before else at.turn_to)(address)
        before = page
        found = amiss_on(at)
        if (other := drawn.setdefault(at.text(), page)) != page:
            found.append(f"the page {other!r} is drawn here")
        at.resize(then)
        found += amiss_on(at)
        if found:
            amiss[address] = found
    assert amiss == {}


def amiss_on(at: Visitor) -> list[str]:
    found = []
    if (over := at.page.evaluate(_TOO_WIDE)) > 0:
        found.append(f"at {at.page.viewport_size}, the page is {over} pixels too wide")
    if (over := at.main.evaluate(_MAIN_TOO_WIDE)) > 0:
        found.append(f"what is on the page is {over} pixels too wide")
    if (ones := at.page.evaluate(_LEVEL_ONE)) != 1:
        found.append(f"{ones} headings of the first level")
    found += [f"a picture without words: {one}" for one in at.page.evaluate(_WITHOUT_WORDS)]
    found += [f"a control without a name: {one}" for one in at.page.evaluate(_UNNAMED)]
    return found
