"""A draft on the experiment's page: where it is written, and what an unfinished one still lacks."""

from __future__ import annotations

from app.cli.session import open_workspace_registry
from app.settings import load_settings
from registry import lifecycle
from registry.lifecycle.drafting import unfinished
from tests.app.experiment_page.page import visit, words

HALF = "title: Half a plan for everybody\nprimary: {metric: sucess}\n"


def begun(folder, written: str) -> None:
    with open_workspace_registry(load_settings(folder)) as registry:
        lifecycle.create_draft(registry, "mira", unfinished(written, "Half a plan for everybody"))


def test_an_unfinished_draft_says_what_it_lacks_step_by_step_and_where_it_is_gone_on_with(at):
    begun(at("founded").folder, HALF)
    page = visit("plan")
    said = words(page)
    assert "What it still lacks" in said
    assert "Step 3, Primary metric: &#x27;sucess&#x27; is not a metric of the catalogue." in said
    assert "Step 2, arms: is missing" in said
    assert "none yet: the draft is unfinished" in said
    links = [one.proto for one in page.main if one.type == "page_link"]
    assert [(one.label, one.query_string) for one in links] == [
        ("Go on with it under Register", "id=EXP-0001")
    ]


def test_somebody_else_is_led_to_where_it_can_be_read(at):
    begun(at("founded").folder, HALF)
    assert "See the draft of mira under Register" in words(visit("plan", "ola"))


def test_one_that_cannot_be_checked_says_so(at):
    folder = at("founded").folder
    begun(folder, HALF)
    (folder / "metrics.yaml").write_text("metrics: 3\n")
    assert "It cannot be checked now" in words(visit("plan"))


def test_a_complete_draft_lacks_nothing_and_shows_its_protocol(at):
    life = at("founded")
    life.ok("register design.yaml --draft --as mira")
    said = words(visit("plan"))
    assert "Go on with it under Register" in said
    assert "What it still lacks" not in said
    assert "Success means" in said
