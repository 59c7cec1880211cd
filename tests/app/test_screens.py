"""Every page is drawn for everybody, and what goes wrong is said in words; how the pages are served."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from app import theme
from app.charts.palette import Ink
from app.cli import start
from app.screens import navigation
from app.screens.frame import Here, page
from app.screens.navigation import SECTIONS, Screen
from tests.app.browsing import JOINED_LATER, PEOPLE, addresses, sent, visit


def test_without_a_registry_the_page_says_so(tmp_path, monkeypatch):
    monkeypatch.delenv("FAIRTRIAL_REGISTRY", raising=False)
    monkeypatch.chdir(tmp_path)
    assert "fairtrial init" in visit().error[0].value


@pytest.mark.parametrize("stage", ["founded", "running", "decided"])
@pytest.mark.parametrize(
    "person",
    [
        "mira",
        "vic",
        *(pytest.param(one, marks=pytest.mark.slow) for one in PEOPLE if one not in ("mira", "vic")),
    ],
)
def test_every_page_is_drawn_for_everybody(at, stage, person):
    """Every stage is drawn by the leak test; pages of colleagues join through the navigation."""
    life = at(stage)
    for one, role in JOINED_LATER.items():
        life.ok(f"people add {one} --role {role} --as ada")
    for address, query in addresses():
        shown = visit(address, person, query)
        assert not shown.exception, (address, query)
        assert shown.title or "<h1" in sent(shown), (address, query)
        assert not [error.value for error in shown.error if "Something went wrong" in error.value], address


def test_an_address_is_of_one_page_only():
    found = [screen.address for screens in SECTIONS.values() for screen in screens]
    assert len(found) == len(set(found))
    assert found.count("") == 1


def test_sessions_share_no_page_object():
    """Streamlit marks the page of a run as callable, once; in a shared one another session's run would find the mark."""
    one, other = navigation.pages(), navigation.pages()
    assert not {id(page) for pages in one.values() for page in pages} & {
        id(page) for pages in other.values() for page in pages
    }


def test_a_fault_is_said_without_a_trace_and_with_a_number_to_tell_an_admin(at, monkeypatch, caplog):
    at("running")

    @page
    def broken(here: Here) -> None:
        raise RuntimeError("secret of the machine")

    monkeypatch.setattr(navigation, "SECTIONS", {"Work": (Screen(broken, "Broken", "home", ""),)})
    shown = visit()
    (said,) = [error.value for error in shown.error]
    assert said.startswith("Something went wrong on this page. Nothing was changed.")
    assert "secret" not in sent(shown)
    number = said.rsplit(" ", 1)[1]
    assert number in caplog.text


# The command


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been served, instead of serving it."""
    calls: list[Any] = []
    monkeypatch.setattr(start, "serve", lambda arguments, folder: calls.append((arguments, folder)) or 0)
    monkeypatch.setattr("app.worker.start_worker", lambda _: subprocess.Popen([sys.executable, "-c", ""]))
    return calls


def test_the_pages_are_served_to_this_machine_without_statistics(fairtrial, at, served):
    life = at("running")
    ran = fairtrial("app --headless --port 8600 --json")
    assert ran.exit_code == 0
    assert ran.document == {"url": "http://localhost:8600", "folder": str(life.folder)}
    ((arguments, folder),) = served
    assert folder == life.folder
    assert {
        "--server.address=127.0.0.1",
        "--server.port=8600",
        "--server.headless=true",
        "--server.allowedHosts=localhost",
        "--server.allowedHosts=127.0.0.1",
        "--browser.gatherUsageStats=false",
        "--client.showErrorDetails=none",
    } <= set(arguments)


def test_every_option_given_to_streamlit_is_one_it_knows():
    from streamlit import config

    known = set(config.get_config_options())
    options = start.streamlit_arguments("127.0.0.1", 8501, headless=True)[2:]
    assert {option.removeprefix("--").split("=")[0] for option in options} <= known


def test_a_workspace_without_a_registry_serves_nothing(fairtrial, tmp_path, served):
    ran = fairtrial(f"app {tmp_path}")
    assert ran.exit_code == 1
    assert "fairtrial init" in ran.err
    assert served == []


def test_pages_that_could_not_be_served_are_a_refusal(fairtrial, at, monkeypatch):
    at("running")
    monkeypatch.setattr(start, "serve", lambda *_: 1)
    ran = fairtrial("app")
    assert ran.exit_code == 1
    assert "port 8501" in ran.err


@pytest.mark.parametrize("line", ["app no-such-folder", "app --port 0"])
def test_bad_usage(fairtrial, at, line):
    at("running")
    assert fairtrial(line).exit_code == 2


# The theme


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def faded(colour: str, surface: str, opacity: float) -> str:
    mixed = (
        round(int(colour[at : at + 2], 16) * opacity + int(surface[at : at + 2], 16) * (1 - opacity))
        for at in (1, 3, 5)
    )
    return "#" + "".join(f"{part:02X}" for part in mixed)


def test_contrast_is_computed_as_published():
    """#767676 on white is the usual example of 4.54:1 (WebAIM)."""
    assert round(contrast("#767676", "#FFFFFF"), 2) == 4.54


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_text_of_the_theme_has_a_contrast_of_four_and_a_half(mode):
    colours = theme.colours(mode)
    surfaces = (colours["backgroundColor"], colours["secondaryBackgroundColor"])
    for surface in surfaces:
        assert contrast(colours["textColor"], surface) > 12
        assert contrast(faded(colours["textColor"], surface, 0.6), surface) > 4.5  # captions
        assert contrast(colours["linkColor"], surface) > 4.5
        assert contrast(colours["borderColor"], surface) > 3
        assert contrast(colours["primaryColor"], surface) > 3
        for name in theme.MEANT:
            assert contrast(colours[f"{name}TextColor"], surface) > 4.5, name
    for name in theme.MEANT:
        assert contrast(colours[f"{name}TextColor"], colours[f"{name}BackgroundColor"]) > 4.5, name
    assert contrast("#FFFFFF", colours["primaryColor"]) > 4.5


def test_every_categorical_colour_of_a_chart_has_a_contrast_of_three():
    ink: Ink
    for ink in theme.CATEGORICAL:
        assert contrast(ink.light, "#FFFFFF") > 3
        assert contrast(ink.dark, "#0E1117") > 3
