"""Registering from the browser: every step, what is saved as it is typed, who may, and what two browsers do to each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import streamlit as st
from streamlit import config
from streamlit.testing.v1 import AppTest

from app.drafting.steps import STEPS
from app.identity import ACT_AS
from app.settings import load_settings
from experiments.designs.design import parse_design
from experiments.designs.metrics import load_catalogue
from registry.records import State
from registry.store import Dossier, open_registry, show


@pytest.fixture(autouse=True)
def served_to_this_machine() -> Iterator[None]:
    before = st.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    yield
    config.set_option("server.address", before)


def page(as_: str = "mira", id: str | None = None) -> AppTest:
    """The page as a person sees it who has opened it by its address."""

    def script() -> None:
        from app.screens.register import register_page

        register_page()

    shown = AppTest.from_function(script, default_timeout=30)
    shown.session_state[ACT_AS] = as_
    if id is not None:
        shown.query_params["id"] = id
    return ok(shown.run())


def ok(shown: AppTest) -> AppTest:
    assert not shown.exception, shown.exception
    return shown


def saved(id: str) -> Dossier:
    settings = load_settings()
    with open_registry(settings.registry) as registry:
        return show(registry, id)


def labelled(elements, label: str):
    return next(one for one in elements if one.label == label)


def words(shown: AppTest) -> str:
    """All that is written on the page."""
    kinds = (
        shown.markdown,
        shown.caption,
        shown.info,
        shown.warning,
        shown.error,
        shown.subheader,
        shown.title,
    )
    html = [str(one.proto) for one in shown.get("html")]
    return "\n".join([*(one.value for kind in kinds for one in kind), *html])


def begun(title: str = "A bolder button for everybody") -> tuple[AppTest, str]:
    shown = page()
    labelled(shown.text_input, "What changes, for whom?").input(title).run()
    labelled(shown.button, "Begin").click()
    ok(shown.run())
    found = shown.query_params["id"]
    return shown, found if isinstance(found, str) else found[0]


def go(shown: AppTest, number: int) -> AppTest:
    button = next(one for one in shown.button if one.label[2:].startswith(f"{number} "))
    return ok(button.click().run())


def test_a_template_begins_a_draft_in_the_registry_at_once(at):
    at("founded")
    _, id = begun()
    kept = saved(id)
    assert kept.experiment.state is State.DRAFT
    assert kept.experiment.title == "A bolder button for everybody"
    assert kept.experiment.owner == "mira"


def test_a_viewer_is_told_who_can_register(at):
    at("founded")
    shown = page("dan")
    assert "Only an analyst" in shown.info[0].value
    assert not shown.radio


def test_what_is_typed_is_saved_field_by_field_and_every_step_is_drawn(at):
    at("founded")
    shown, id = begun()
    ok(labelled(shown.text_area, "Why should it work?").input("people see it sooner").run())
    assert "because: people see it sooner" in saved(id).draft_written
    assert "saved" in shown.caption[0].value
    for step in STEPS:
        go(shown, step.number)
        assert step.asks in shown.subheader[0].value


def test_a_sensible_experiment_is_registered_by_answering_what_is_asked(at):
    at("founded")
    shown, id = begun()
    labelled(shown.text_area, "Why should it work?").input("people see it sooner").run()
    go(shown, 3)
    ok(labelled(shown.selectbox, "Primary metric").select("success@1").run())
    ok(labelled(shown.text_input, "Smallest improvement worth shipping").input("5").run())
    assert "absolute: 0.05" in saved(id).draft_written
    go(shown, 4)
    ok(labelled(shown.button, "Add a guardrail").click().run())
    ok(labelled(shown.selectbox, "Metric").select("failure@1").run())
    ok(labelled(shown.text_input, "Largest worsening you would still accept").input("2").run())
    ok(
        labelled(shown.text_area, "Why this margin?")
        .input("two in a hundred can be answered by support")
        .run()
    )
    go(shown, 5)
    ok(labelled(shown.text_input, "Units a day, all arms together").input("900").run())
    go(shown, 9)
    assert labelled(shown.button, "Send for review").disabled
    ok(shown.radio[0].set_value("no").run())
    ok(labelled(shown.selectbox, "Reviewer").select("ola").run())
    send = labelled(shown.button, "Send for review")
    assert not send.disabled, words(shown)
    ok(send.click().run())
    kept = saved(id)
    assert (kept.experiment.state, kept.experiment.reviewer) == (State.IN_REVIEW, "ola")
    assert "In review by ola" in words(shown)
    again = parse_design(kept.draft_written, load_catalogue(load_settings().catalogue))
    assert again.sha256 == kept.experiment.draft_sha256
