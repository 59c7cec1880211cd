"""A shadow through its page alone: written, reviewed, locked, checked, looked at, signed."""

from __future__ import annotations

from collections.abc import Callable

from app.cli.session import open_workspace_registry
from app.settings import load_settings
from registry.kinds import Choice
from registry.records import State, Verdict
from registry.store import show
from tests.app.experiment_page.page import off, press, words
from tests.app.ladder_life import REASON, SHADOW
from tests.app.shadow_page.life import ShadowLife
from tests.app.shadow_page.page import ID, visit


def test_a_shadow_is_written_reviewed_locked_looked_at_and_signed_on_its_page(
    life: ShadowLife, work: Callable[[], None]
) -> None:
    life.founded()
    assert "No model is in shadow" in words(visit(id=""))
    page = visit(new=True)
    page.text_area(key="shadow.new.text").set_value("task: binary\nfoo: 1\n").run()
    assert "foo" in words(page)
    assert next(one for one in page.button if one.label == "Save draft").disabled
    page.text_area(key="shadow.new.text").set_value(SHADOW).run()
    assert "What it takes to pass" in words(page)
    press(page, "Save draft")
    page = visit()
    page.selectbox(key="shadow.reviewer").set_value("ola").run()
    press(page, "Send for review")

    page = visit(person="ola")
    press(page, "Ask the logs")
    work()
    page = visit(person="ola")
    assert "no unit has been exposed" in words(page)
    page.text_input(key="shadow.lock.confirm").set_value("SHD-0009")
    press(page, "Register and lock")
    assert "Not locked" in words(page)
    page.text_input(key="shadow.lock.confirm").set_value(ID)
    press(page, "Register and lock")

    life.logged()
    page = visit("live")
    assert off(page, "Run look 1").startswith("nobody has asked the logs yet")
    press(page, "Check now")
    work()
    assert off(visit("live", "ola"), "Run look 1").startswith("only the owner (mira)")
    press(visit("live"), "Run look 1")
    work()
    page = visit("readout", "dan")
    assert "Gate to canary" in words(page)
    assert len(page.get("download_button")) == 5
    assert off(visit("readout", "mira"), "Sign it").startswith("only a decider who is neither")
    page = visit("readout", "dan")
    page.radio(key="shadow.choice").set_value(Choice.APPROVE)
    page.text_area(key="shadow.reason").set_value(REASON * 2)
    press(page, "Sign it")
    with open_workspace_registry(load_settings(life.folder)) as registry:
        dossier = show(registry, ID)
    assert dossier.experiment.state is State.DECIDED
    assert dossier.experiment.verdict is Verdict.PASS
    assert dossier.decision is not None
    assert dossier.decision.decision == Choice.APPROVE
    assert "Signed by" in words(visit("readout", "vic"))
