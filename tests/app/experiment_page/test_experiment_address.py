"""Which experiment and which tab: by the address, in whatever state; nothing of outcomes before the release."""

from __future__ import annotations

import pytest

from app.cli.session import open_workspace_registry
from app.settings import load_settings
from registry import lifecycle
from registry.actors import SYSTEM_ID
from registry.lifecycle import StopReason
from registry.records import Verdict
from tests.app.experiment_page.page import TABS, visit, words
from tests.app.life import ID


@pytest.mark.parametrize(
    ("stage", "tab"),
    [
        ("in_review", "plan"),
        ("registered", "live"),
        ("running", "live"),
        ("read_out", "readout"),
        ("decided", "readout"),
    ],
)
def test_without_a_tab_in_the_address_the_one_that_matters_is_shown(shown, stage, tab):
    assert shown(stage).segmented_control[0].value == tab


@pytest.mark.parametrize("id", ["", "EXP-9999", "EXP-1; drop", "../etc", "EXP-0001%00"])
def test_an_address_that_names_no_experiment_is_said_to_be_one(at, id):
    at("running")
    page = visit("live", id=id)
    assert page.title[0].value == "Experiment"
    assert "Choose one on Home" in (page.error or page.info)[0].value
    assert not id or id == "EXP-9999" or id not in words(page)


def test_an_address_may_be_in_small_letters_and_name_the_review(at):
    at("in_review")
    assert visit("review", id="exp-0001").segmented_control[0].value == "plan"


def test_an_unknown_tab_is_the_usual_one(shown):
    assert shown("running", "secrets").segmented_control[0].value == "live"


def test_choosing_a_tab_goes_into_the_address(shown):
    page = shown("running")
    page.segmented_control[0].set_value("history").run()
    assert page.query_params["tab"] in ("history", ["history"])
    assert "Began EXP-0001" in words(page)


# Nothing of outcomes before the release


def test_a_look_that_ended_it_tells_no_verdict_until_it_is_released(at):
    life = at("due")
    with open_workspace_registry(load_settings(life.folder)) as registry:
        lifecycle.open_look(registry, "mira", ID, 1, 1, registry.clock.now())
        lifecycle.seal_look(
            registry,
            SYSTEM_ID,
            ID,
            1,
            {"canary": 0.123456},
            stop=StopReason.FINAL,
            verdict=Verdict.DO_NOT_SHIP,
        )
    for tab in TABS:
        said = words(visit(tab))
        assert "DO NOT SHIP" not in said
        assert "canary" not in said
        assert "0.123456" not in said
    assert "final look" in words(visit("looks"))
