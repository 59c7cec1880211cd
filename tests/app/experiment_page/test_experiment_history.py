"""History: versions, proposals, records and a clone."""

from __future__ import annotations

from app.cli.session import open_workspace_registry
from app.settings import load_settings
from registry.store import show
from tests.app.experiment_page.page import off, press, visit, words
from tests.app.life import ID


def test_history_has_versions_records_and_a_clone(at):
    life = at("decided")
    page = visit("history")
    said = words(page)
    for text in (
        "Version 1 (current)",
        "The plan was not amended.",
        "Registered and locked plan",
        "Decided: shipped.",
    ):
        assert text in said
    page.text_input(key="clone.title").set_value("A small change, once more")
    page = press(page, "Clone it as a new draft")
    assert "Cloned" in page.success[0].value
    with open_workspace_registry(load_settings(life.folder)) as registry:
        assert show(registry, "EXP-0002").experiment.cloned_from == ID
    assert "only an analyst may; you are ola." in off(visit("history", "ola"), "Clone it as a new draft")
