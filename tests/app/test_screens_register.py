"""Registering from the browser: every step, what is saved as it is typed, who may, and what two browsers do to each other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import streamlit as st
from streamlit import config
from streamlit.testing.v1 import AppTest

from app.cli.simulate import document
from app.drafting.steps import STEPS
from app.identity import ACT_AS
from app.screens.register.simulating import BY_WORKER
from app.settings import load_settings
from app.worker import Worker
from experiments.designs.design import parse_design
from experiments.designs.metrics import load_catalogue
from experiments.simulation import simulate
from registry.claims import claim, finish
from registry.findings import SimulationFound
from registry.jobs import Kind, find
from registry.lifecycle import Exposure
from registry.records import State
from registry.store import Dossier, open_registry, show
from tests.app.life import ID


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


# What is wrong, and what is still open


def test_what_is_wrong_is_said_under_its_field_and_marked_at_its_step(at):
    at("founded")
    shown, id = begun()
    go(shown, 3)
    ok(labelled(shown.selectbox, "Primary metric").select("success@1").run())
    ok(labelled(shown.text_input, "Smallest improvement worth shipping").input("a lot").run())
    assert "a lot" in saved(id).draft_written
    assert "is not allowed; give a number" in words(shown).replace("&#x27;", "'")
    assert any(button.label.startswith("! 3 ") for button in shown.button)


def test_another_metric_shows_what_its_number_means_in_its_own_unit(at):
    life = at("founded")
    more = "  - {name: wait, version: 1, type: mean, event: w, direction: lower, unit: ms, baseline: {mean: 9, sd: 3, source: made up}}\n"
    (life.folder / "metrics.yaml").write_text((life.folder / "metrics.yaml").read_text() + more)
    shown, id = begun()
    go(shown, 3)
    ok(labelled(shown.selectbox, "Primary metric").select("success@1").run())
    ok(labelled(shown.text_input, "Smallest improvement worth shipping").input("5").run())
    ok(labelled(shown.selectbox, "Primary metric").select("wait@1").run())
    assert "absolute: 0.05" in saved(id).draft_written
    assert labelled(shown.text_input, "Smallest improvement worth shipping").value == "0.05"


def test_what_people_typed_is_never_a_link(at):
    at("founded")
    begun("See [this](/elsewhere) for everybody")
    again = page()
    button = next(one for one in again.button if one.label.startswith("Go on with"))
    assert "[this](" not in button.label


def test_what_is_only_open_is_pointed_at_once_its_step_was_left(at):
    at("founded")
    shown, _ = begun()
    assert "is missing" not in words(shown)
    go(shown, 2)
    go(shown, 1)
    assert "is missing" in words(shown)


def test_the_last_step_lists_every_problem_with_its_step(at):
    at("founded")
    shown, _ = begun()
    go(shown, 9)
    said = words(shown)
    assert "Step 1, Why should it work?: is missing" in said
    assert "Step 3, " in said
    assert labelled(shown.button, "Send for review").disabled


def test_some_outcome_data_seen_has_to_be_explained(at):
    life = at("founded")
    shown = page(id=uploaded(life))
    go(shown, 9)
    ok(shown.radio[0].set_value("some").run())
    assert "50 characters" in words(shown)
    explained = "The first hundred units were seen by the team in a dashboard last week."
    ok(labelled(shown.text_area, "What has been seen, by whom?").input(explained).run())
    assert "50 characters or more" not in words(shown)
    assert explained in saved(ID).draft_written


# Two browsers, other people, other states


def uploaded(life) -> str:
    """The id of a draft made of the workspace's own design file."""
    life.ok("register design.yaml --draft --as mira")
    return ID


def test_two_browsers_do_not_overwrite_one_another(at):
    id = uploaded(at("founded"))
    one, two = page(id=id), page(id=id)
    ok(labelled(one.text_area, "Why should it work?").input("the first says so").run())
    ok(labelled(two.text_input, "For whom?").input("everybody who signs in").run())
    assert "Not saved. mira changed this draft at" in two.warning[-1].value
    assert "For whom? everybody who signs in" in words(two)
    assert "everybody who signs in" not in saved(id).draft_written
    ok(labelled(two.button, "Put mine on top of what is there now").click().run())
    kept = saved(id).draft_written
    assert "the first says so" in kept
    assert "everybody who signs in" in kept
    assert labelled(two.text_area, "Why should it work?").value == "the first says so"


def test_what_was_typed_can_be_given_up_for_what_is_there(at):
    id = uploaded(at("founded"))
    one, two = page(id=id), page(id=id)
    ok(labelled(one.text_input, "For whom?").input("people of the first").run())
    ok(labelled(two.text_input, "For whom?").input("people of the second").run())
    ok(labelled(two.button, "Take what is there now").click().run())
    assert labelled(two.text_input, "For whom?").value == "people of the first"
    assert "people of the first" in saved(id).draft_written


@pytest.mark.parametrize("person", ["ola", "dan"])
def test_a_draft_of_another_person_is_only_read(at, person):
    shown = page(person, id=uploaded(at("founded")))
    assert "a draft of mira, who alone can change it" in shown.info[0].value
    assert not shown.text_input
    assert not shown.text_area


def test_a_plan_in_review_is_only_read_until_it_is_taken_back(at):
    at("in_review")
    shown = page(id=ID)
    assert "In review by ola" in shown.info[0].value
    assert not shown.text_input
    ok(labelled(shown.button, "Take it back to go on writing").click().run())
    assert saved(ID).experiment.state is State.DRAFT
    assert shown.text_input


def test_a_locked_plan_is_only_read(at):
    at("running")
    shown = page(id=ID)
    assert "changes only by amendment" in shown.info[0].value
    assert not shown.text_input


def test_an_address_of_nothing_says_so(at):
    at("founded")
    assert "EXP-0099" in page(id="EXP-0099").error[0].value


# Files and copies


def test_an_uploaded_file_is_kept_as_it_was_written(at):
    life = at("founded")
    text = "# mine\n" + (life.folder / "design.yaml").read_text()
    shown = page()
    ok(shown.radio[0].set_value("file").run())
    ok(shown.file_uploader[0].upload("mine.yaml", text.encode(), "application/yaml").run())
    ok(labelled(shown.button, "Begin with this file").click().run())
    assert saved(ID).draft_written == text


def test_a_file_that_is_no_design_is_refused_in_words(at):
    at("founded")
    shown = page()
    ok(shown.radio[0].set_value("file").run())
    ok(shown.file_uploader[0].upload("list.yaml", b"- a\n- b\n", "application/yaml").run())
    assert "cannot be read as a design" in shown.error[0].value
    assert not [button for button in shown.button if button.label.startswith("Begin with")]


def test_a_copy_begins_with_another_title_and_key(at):
    at("running")
    shown = page()
    ok(shown.radio[0].set_value("copy").run())
    labelled(shown.text_input, "What changes, for whom?").input("A small change once more").run()
    ok(labelled(shown.button, "Begin").click().run())
    kept = saved("EXP-0002").experiment
    assert (kept.title, kept.assignment_key, kept.cloned_from) == (
        "A small change once more",
        "a-small-change-once-more",
        ID,
    )


def test_the_text_of_the_file_can_be_written_in(at):
    id = uploaded(at("founded"))
    shown = page(id=id)
    area = labelled(shown.text_area, "Design file")
    text = area.value.replace("it is better", "the text says so")
    ok(area.input(text).run())
    ok(labelled(shown.button, "Save this text").click().run())
    assert saved(id).draft_written == text
    assert labelled(shown.text_area, "Why should it work?").value == "the text says so"
    ok(labelled(shown.text_area, "Design file").input("- no\n").run())
    ok(labelled(shown.button, "Save this text").click().run())
    assert "Not saved; what you wrote is still here" in words(shown)
    assert saved(id).draft_written == text


# Preview and rehearsal


def test_the_preview_shows_what_could_happen_and_a_rehearsal(at):
    shown = page(id=uploaded(at("founded")))
    ok(labelled(shown.button, "Design preview").click().run())
    assert "What each metric needs" in words(shown)
    ok(labelled(shown.button, "Simulate this design").click().run())
    assert "DO NOT SHIP" in words(shown)
    ok(shown.radio[0].set_value("a broken allocation").run())
    assert "SIMULATED" in words(shown)
    assert "INVALID" in words(shown)


def test_the_preview_of_an_unfinished_design_says_what_is_open(at):
    at("founded")
    shown, _ = begun()
    ok(labelled(shown.button, "Design preview").click().run())
    assert "The preview needs a complete design" in words(shown)
    assert "Why should it work?" in words(shown)


# Alone


@pytest.fixture
def alone(tmp_path, monkeypatch, fairtrial) -> AppTest:
    """The last step of a complete draft, in a workspace for one person."""
    monkeypatch.chdir(tmp_path)
    assert fairtrial("init . --one-person mira").exit_code == 0
    assert fairtrial("register designs/model-ab.yaml --draft").exit_code == 0
    return go(page(id=ID), 9)


def lock(shown: AppTest) -> None:
    typed = next(one for one in shown.text_input if one.label == f"Type {ID} to lock it")
    ok(typed.input(ID).run())
    ok(labelled(shown.button, "Lock the plan").click().run())


def ask_the_logs(shown: AppTest) -> None:
    ok(labelled(shown.button, "Ask the logs").click().run())
    assert not [button for button in shown.button if button.label == "Ask the logs"]
    Worker(Path()).run(once=True)
    ok(shown.run())


def test_alone_one_locks_the_plan_oneself_and_it_says_so_for_ever(alone):
    assert labelled(alone.button, "Register and lock").disabled
    ask_the_logs(alone)
    ok(labelled(alone.button, "Register and lock").click().run())
    assert labelled(alone.button, "Lock the plan").disabled
    lock(alone)
    kept = saved(ID).experiment
    assert kept.state is State.REGISTERED
    assert "self-reviewed" in [label.value for label in kept.labels]


def test_a_plan_that_comes_after_the_first_exposure_needs_a_reason_and_is_labelled(alone, monkeypatch):
    seen = Exposure(first_exposure_at=datetime(2026, 11, 2, 9, tzinfo=UTC))
    monkeypatch.setattr("registry.looks.exposure_of", lambda *_: seen)
    monkeypatch.setattr("experiments.logs.arrival.exposures_begun", lambda *_: True)
    ask_the_logs(alone)
    ok(labelled(alone.button, "Register and lock").click().run())
    assert "first exposure at 2 Nov 2026, 09:00 UTC" in words(alone)
    lock(alone)
    assert "20 are needed" in words(alone)
    assert saved(ID).experiment.state is State.DRAFT
    reason = next(one for one in alone.text_area if one.label.startswith("Why is it registered only now"))
    ok(reason.input("The flag was switched on a day too early.").run())
    lock(alone)
    assert {"late", "self-reviewed"} <= {label.value for label in saved(ID).experiment.labels}


def test_a_plan_that_changed_after_the_logs_were_asked_is_asked_about_again(alone, fairtrial):
    ask_the_logs(alone)
    design = Path("designs/model-ab.yaml")
    design.write_text(design.read_text().replace("units_per_day: ", "units_per_day: 1"))
    assert fairtrial(f"register designs/model-ab.yaml --update {ID} --draft").exit_code == 0
    again = go(page(id=ID), 9)
    assert "The plan was changed after the logs were asked" in words(again)
    assert labelled(again.button, "Register and lock").disabled


def test_the_worker_is_asked_for_more_replays_and_its_table_is_shown(at):
    id = uploaded(at("founded"))
    shown = page(id=id)
    ok(labelled(shown.button, "Design preview").click().run())
    ok(labelled(shown.button, "Simulate this design").click().run())
    more = next(button for button in shown.button if button.label.startswith("Ask the worker"))
    ok(more.click().run())
    with open_registry(load_settings().registry) as registry:
        job = claim(registry, "worker-1")
        assert job is not None
        assert (job.kind, job.entity, job.parameters["replays"]) == (Kind.SIMULATE, id, BY_WORKER)
        design = parse_design(saved(id).draft_written, load_catalogue(load_settings().catalogue))
        found = {**document(simulate(design, replays=300)), "replays": BY_WORKER}
        finish(registry, job.id, "worker-1", SimulationFound.model_validate(found))
        assert find(registry, job.id).result is not None
    ok(shown.run())
    assert "50\u202f000 replays" in words(shown)
    assert not [button for button in shown.button if button.label.startswith("Ask the worker")]
