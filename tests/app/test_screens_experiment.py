"""The page of one experiment: the right words for each stage and role, and never an outcome before the release."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from html import escape
from pathlib import Path

import pytest
import streamlit as st
from streamlit import config
from streamlit.testing.v1 import AppTest

from app.cli.session import open_workspace_registry
from app.export.blocks import Table, Words
from app.export.page import page_of
from app.identity import ACT_AS
from app.settings import load_settings
from app.worker import Worker
from experiments.readouts.readout import Readout
from registry import lifecycle
from registry.actors import SYSTEM_ID
from registry.jobs import Kind, jobs_of, latest
from registry.lifecycle import StopReason
from registry.records import Verdict
from registry.store import Dossier, show
from tests.app import found
from tests.app.life import BROKEN, DESIGN_WITH_A_HARM_STOP, ID, REASON, STAGES, START, Life
from tests.app.test_cli_sequential import SEQUENTIAL

PEOPLE = ("mira", "ola", "dan", "vic")
"""Owner, reviewer, decider, viewer."""

TABS = ("plan", "live", "looks", "readout", "history")
WITH_EXPERIMENT = {
    "in_review": "In review",
    "registered": "Registered",
    "running": "Running",
    "due": "Running",
    "watched": "Running",
    "read_out": "Readout ready",
    "decided": "Decided: shipped",
}
"""Every stage that has an experiment, and its state in words."""

RELEASED = ("read_out", "decided")
LONG = "It costs more than it gives, which the verdict does not know of: two more servers, and the people to run them at night."


@pytest.fixture(autouse=True)
def served_to_this_machine() -> Iterator[None]:
    """The pages as `fairtrial app` serves them: without sign-in they refuse any other address."""
    before = st.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    yield
    config.set_option("server.address", before)


@pytest.fixture
def shown(at: Callable[[str], Life]) -> Callable[..., AppTest]:
    """The page at a stage, as somebody sees it: ``shown("running", "live", "mira")``."""

    def open_page(stage: str, tab: str = "", person: str = "mira") -> AppTest:
        life = at(stage)
        if person == "vic":
            life.ok("people add vic --role viewer --as ada")
        return visit(tab, person)

    return open_page


def visit(tab: str = "", person: str = "mira", id: str = ID) -> AppTest:
    """The page in the current workspace."""

    def script() -> None:
        from app.screens.experiment import experiment_page

        experiment_page()

    page = AppTest.from_function(script, default_timeout=60)
    page.session_state[ACT_AS] = person
    if id:
        page.query_params["id"] = id
    if tab:
        page.query_params["tab"] = tab
    page.run()
    assert not page.exception
    assert "Something went wrong" not in words(page)
    return page


def words(page: AppTest) -> str:
    """All that the page sends to the browser, as one text."""
    return "\n".join(
        str(getattr(element.proto, "body", None) or element.proto) for element in [*page.main, *page.sidebar]
    )


def off(page: AppTest, label: str) -> str:
    """Why a button cannot be pressed, as it stands beside it; fails where it can."""
    button = next(one for one in page.button if one.label == label)
    assert button.disabled, f"{label} can be pressed"
    said = words(page)
    begin = said.index(f"{label}: ") + len(label) + 2
    return said[begin : said.index("</p>", begin)]


def press(page: AppTest, label: str) -> AppTest:
    """Press a button that can be pressed."""
    button = next(one for one in page.button if one.label == label)
    assert not button.disabled, f"{label} cannot be pressed"
    button.click().run()
    assert not page.exception
    return page


def life_day(number: int) -> datetime:
    """So many days after the experiment's first."""
    return START + timedelta(days=number)


def dossier(folder: Path) -> Dossier:
    with open_workspace_registry(load_settings(folder)) as registry:
        return show(registry, ID)


# Every stage, tab and role


@pytest.mark.parametrize("stage", WITH_EXPERIMENT)
@pytest.mark.parametrize("person", PEOPLE)
def test_every_tab_is_drawn_at_every_stage_for_every_role_without_any_outcome_log(at, stage, person):
    life = at(stage)
    life.ok("people add vic --role viewer --as ada")
    shutil.rmtree(life.folder / "logs" / "outcomes", ignore_errors=True)
    (life.folder / "outcomes.yaml").unlink()
    for tab in TABS:
        page = visit(tab, person)
        said = words(page)
        assert not page.error
        assert ID in said
        assert "A small change for everybody" in said
        assert WITH_EXPERIMENT[stage] in said
        assert "! simulated" in said
        assert page.segmented_control[0].value == tab
        if stage not in RELEASED:
            for word in ("✓ SHIP", "✕ DO NOT SHIP", "95% CI", "ft-verdict", "Sign the decision"):
                assert word not in said


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


def test_every_stage_of_a_life_is_tried():
    assert {*STAGES} - {"founded"} <= {*WITH_EXPERIMENT}


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


# Live


def test_before_the_first_check_the_page_says_what_will_be_there(shown):
    page = shown("running", "live")
    said = words(page)
    assert "Not checked yet" in said
    assert "Nobody has checked the logs yet" in said
    assert "check health now" in page.info[0].value
    assert "nobody has checked yet whether it is due" in off(page, "Run look 1")
    assert "Nobody has seen outcome data" in said


def test_a_check_that_was_found_is_shown_with_units_and_the_next_look(at):
    life = at("running")
    found.check(life.folder, ID)
    page = visit("live")
    said = words(page)
    assert "Health: Good" in said
    assert "193 units have come, 0 are mature" in said
    assert "Allocation (SRM)" in said
    assert "expected about 5 Nov 2026, 00:00 UTC" in said
    assert "Available about 5 Nov 2026, 00:00 UTC" in off(page, "Run look 1")
    assert "Assigned units 106 / 87" in said
    assert "no evidence of a mismatch" in said


def test_only_the_owner_runs_a_look_that_is_due(at):
    life = at("due")
    found.check(life.folder, ID)
    assert "only the owner (mira) may; you are ola." in off(visit("live", "ola"), "Run look 1")
    page = press(visit("live"), "Run look 1")
    assert "Asked." in page.success[0].value
    with open_workspace_registry(load_settings(life.folder)) as registry:
        job = latest(registry, ID, "look")
    assert job is not None
    assert (job.requested_by, job.state) == ("mira", "queued")
    assert "it is being taken." in off(visit("live"), "Run look 1")


def test_checking_health_asks_the_worker_once(at):
    life = at("running")
    page = press(visit("live", "dan"), "Check health now")
    assert "Asked." in page.success[0].value
    assert "it is being checked." in off(page, "Check health now")
    with open_workspace_registry(load_settings(life.folder)) as registry:
        assert {(job.kind, job.requested_by) for job in jobs_of(registry, ID)} == {
            ("health", "dan"),
            ("look-status", "dan"),
        }
    again = visit("live", "mira")
    assert "Health check: waiting for a worker" in words(again)


def test_a_job_that_failed_says_why_and_what_to_do(at):
    life = at("running")
    found.fail(life.folder, ID, "The log assignments cannot be read.")
    page = visit("live")
    assert "The log assignments cannot be read. Nothing was changed." in page.error[0].value
    press(page, "Check health now")


def test_broken_allocation_is_a_notice_with_what_to_do(at, tmp_path):
    life = at("registered")
    life.faults = BROKEN
    life.running()
    found.check(life.folder, ID)
    said = words(visit("live"))
    assert "Health: Failing" in said
    assert "Assignment audit: failed." in said
    assert "The readout is blocked" in said


def test_harm_stops_are_tripped_or_not_and_nothing_else(shown):
    page = shown("watched", "live")
    said = words(page)
    assert "failure@1" in said
    assert "Not tripped" in said
    assert "worse by more than 10 percentage points, α 0.01 one-sided" in said
    page = press(page, "Watch the harm stops now")
    assert "they are being watched." in off(page, "Watch the harm stops now")


def test_a_watch_is_a_read_of_outcomes_that_everybody_sees(at):
    life = at("watched")
    life.pass_to(life_day(3))
    life.ok(f"watch {ID} --as mira")
    said = words(visit("live", "ola"))
    assert "Only Fairtrial itself has read outcome data, 1 time." in said
    assert "watched 1 time" in said


def test_a_harm_stop_that_trips_stops_it_and_says_only_that(tmp_path, monkeypatch, fairtrial):
    monkeypatch.chdir(tmp_path)
    life = Life(tmp_path, fairtrial, design=DESIGN_WITH_A_HARM_STOP, harm=0.6)
    life.running()
    life.pass_to(life_day(3))
    found.work(life.folder, ID, Kind.WATCH)
    page = visit("live")
    said = words(page)
    assert "Tripped" in said
    assert "Stopped (maturing)" in said
    assert "95% CI" not in said


def test_a_look_that_is_due_is_run_by_the_worker_and_its_readout_can_be_read(at):
    life = at("due")
    found.check(life.folder, ID)
    assert "It is due." in words(visit("readout"))
    press(visit("live"), "Run look 1")
    found.work(life.folder, ID)
    page = visit()
    assert page.segmented_control[0].value == "readout"
    assert "✓ SHIP" in words(page)
    assert "Ended the experiment: final look" in words(visit("looks"))


def test_a_look_that_went_on_says_that_no_boundary_was_crossed_and_what_comes_next(
    tmp_path, monkeypatch, fairtrial
):
    monkeypatch.chdir(tmp_path)
    life = Life(tmp_path, fairtrial, design=SEQUENTIAL, lift=0.0, days=6)
    life.running()
    life.pass_to(life_day(3))
    found.check(tmp_path, ID)
    press(visit("live"), "Run look 1")
    found.work(tmp_path, ID, Kind.LOOK_STATUS)
    page = visit("live")
    said = words(page)
    assert "No boundary was crossed at look 1. The experiment continues as planned." in page.info[0].value
    assert "taken: no boundary was crossed" in said
    assert "Look 2 of 3" in said
    assert "No boundary was crossed" in words(visit("looks"))
    assert "ft-verdict" not in words(visit("readout"))


def test_the_owner_holds_a_look_whose_worker_died(at):
    life = at("due")
    with open_workspace_registry(load_settings(life.folder)) as registry:
        lifecycle.open_look(registry, "mira", ID, 1, 1, registry.clock.now())
    assert "Look 1 of 1 open" in words(visit("live"))
    assert "only Fairtrial itself or the owner (mira) may; you are ola." in off(
        visit("looks", "ola"), "Hold look 1"
    )
    page = visit("looks")
    page.text_area(key="hold.reason").set_value("The host was restarted.")
    page = press(page, "Hold look 1")
    assert "Held: The host was restarted." in words(page)


# Invalid


def test_an_invalid_readout_shows_no_effect_and_can_be_decided(at):
    life = at("registered")
    life.faults = BROKEN
    life.due()
    life.ok(f"readout {ID} --as mira")
    page = visit("readout", "dan")
    said = words(page)
    assert "INVALID" in said
    assert "ft-invalid" in said
    assert "No effect is reported" in said
    assert "95% CI" not in said
    assert not next(one for one in page.button if one.label == "Sign the decision").disabled


# Ending early


@pytest.mark.parametrize(
    ("person", "why"), [("ola", "only the owner (mira) may; you are ola."), ("dan", "you are dan.")]
)
def test_only_the_owner_stops_it_by_hand(shown, person, why):
    assert why in off(shown("running", "live", person), "Stop by hand")


def test_a_short_reason_is_refused_and_kept(at):
    life = at("running")
    page = visit("live")
    page.text_area(key="stop.reason").set_value("too short")
    page = press(page, "Stop by hand")
    assert "The reason has 9 characters" in page.error[0].value
    assert page.text_area(key="stop.reason").value == "too short"
    assert dossier(life.folder).experiment.state == "running"


def test_the_owner_stops_it_by_hand(at):
    life = at("running")
    page = visit("live")
    page.text_area(key="stop.reason").set_value("The candidate filled the disks of two hosts.")
    page = press(page, "Stop by hand")
    assert "Stopped." in page.success[0].value
    assert "Stopped (maturing)" in words(page)
    assert dossier(life.folder).experiment.stopped_by_hand


def test_abandoning_takes_owner_and_reviewer(at):
    life = at("running")
    page = visit("live")
    page.text_area(key="abandon.reason").set_value("Another team has built it already.")
    page = press(page, "Abandon")
    assert "you proposed it" in off(page, "Agree and abandon")
    page = visit("live", "ola")
    page.text_area(key="abandon.reason").set_value("Agreed: there is nothing left to learn.")
    page = press(page, "Agree and abandon")
    assert dossier(life.folder).experiment.state == "abandoned"
    assert "Its outcomes stay closed" in page.info[0].value


def test_what_changed_meanwhile_is_not_overwritten(at):
    life = at("running")
    page = visit("live")
    page.text_area(key="stop.reason").set_value("The candidate filled the disks of two hosts.")
    life.ok(f"abandon {ID} --code other --reason", "Somebody else was quicker than the page.", "--as", "ola")
    page = press(page, "Stop by hand")
    assert "ola was first" in page.warning[-1].value
    assert dossier(life.folder).experiment.state == "running"


# Review


def test_the_reviewer_reads_the_whole_protocol_and_locks_it_by_typing_its_id(at):
    life = at("in_review")
    page = visit("plan", "ola")
    assert "Success means: success@1 is higher than with control" in words(page)
    assert "possible once the logs were asked" in off(page, "Register and lock")
    page = press(page, "Ask the logs")
    assert "waiting for a worker" in words(page)
    Worker(life.folder).run(once=True)
    page = visit("plan", "ola")
    assert "The logs of source main are not there yet: no unit has been exposed." in words(page)
    page = press(page, "Register and lock")
    assert "Not locked" in page.error[0].value
    assert dossier(life.folder).experiment.state == "in_review"
    page.text_input(key="lock.confirm").set_value(ID)
    page = press(page, "Register and lock")
    assert f"{ID} is registered" in page.success[0].value
    locked = dossier(life.folder)
    assert locked.plans[0].locked_by == "ola"
    assert locked.experiment.labels == ("simulated",)


def test_exposures_before_the_lock_need_a_label_with_a_reason(at):
    life = at("in_review")
    life.write_logs(life_day(1))
    life.ok(f"clock --set {life_day(1).isoformat()}")
    found.work(life.folder, ID, Kind.EXPOSURE, by="ola")
    page = visit("plan", "ola")
    assert "show the first exposure at 2 Nov 2026" in words(page)
    page.text_input(key="lock.confirm").set_value(ID)
    page = press(page, "Register and lock")
    assert "Units have been exposed" in page.error[0].value
    page.selectbox(key="lock.label").set_value("late")
    page.text_area(key="lock.reason").set_value("The logs began a day before the plan was read.")
    page = press(page, "Register and lock")
    assert "late" in dossier(life.folder).experiment.labels


def test_what_the_logs_said_long_ago_locks_nothing(at):
    """Also where the page had been open all the while."""
    life = at("in_review")
    found.work(life.folder, ID, Kind.EXPOSURE, by="ola")
    page = visit("plan", "ola")
    life.ok(f"clock --set {life_day(1).isoformat()}")
    page.text_input(key="lock.confirm").set_value(ID)
    page = press(page, "Register and lock")
    assert "possible once the logs were asked" in off(page, "Register and lock")
    assert "too long ago" in words(page)
    assert dossier(life.folder).experiment.state == "in_review"


def test_logs_that_cannot_be_read_keep_the_plan_from_being_locked(at):
    life = at("in_review")
    (life.folder / "sources.yaml").write_text(
        "sources: {main: {assignments: {files: a.csv}}}", encoding="utf-8"
    )
    found.work(life.folder, ID, Kind.EXPOSURE, by="ola")
    page = visit("plan", "ola")
    assert "The logs could not be asked" in page.error[0].value
    assert "possible once the logs were asked" in off(page, "Register and lock")


@pytest.mark.parametrize("person", ["mira", "dan", "vic"])
def test_nobody_but_the_reviewer_locks_or_sends_back(shown, person):
    page = shown("in_review", "plan", person)
    for label in ("Register and lock", "Request changes"):
        assert f"only the reviewer (ola) may; you are {person}." in off(page, label)


def test_the_reviewer_sends_it_back_with_a_reason_and_the_owner_takes_it_back(at):
    life = at("in_review")
    assert "only the owner (mira) may" in off(visit("plan", "ola"), "Take it back to go on writing")
    page = visit("plan", "ola")
    page.text_area(key="changes.reason").set_value("The margin needs a reason from cost.")
    page = press(page, "Request changes")
    assert dossier(life.folder).experiment.state == "draft"
    assert "Its owner edits it under Register" in words(page)
    life.ok("register design.yaml --update EXP-0001 --reviewer ola --as mira")
    assert dossier(life.folder).experiment.state == "in_review"
    press(visit("plan", "mira"), "Take it back to go on writing")
    assert dossier(life.folder).experiment.state == "draft"


# Readout


def test_before_the_release_the_readout_says_what_is_missing(at):
    life = at("running")
    found.check(life.folder, ID)
    page = visit("readout")
    assert "not released" in page.info[0].value
    assert "What is missing: enrolment for this look ends 04 Nov 2026 00:00 UTC" in words(page)


def test_the_page_says_what_the_exported_forms_say_to_the_digit(at):
    life = at("read_out")
    said = words(visit("readout", "dan"))
    with open_workspace_registry(load_settings(life.folder)) as registry:
        sealed = Readout.of_document(lifecycle.read_readout(registry, "mira", ID))
    page = page_of(sealed)
    assert escape(page.verdict.sentence) in said
    assert sealed.sha256 in said
    for section in page.sections:
        for block in section.blocks:
            if isinstance(block, Words):
                assert escape(block.text) in said
            if isinstance(block, Table):
                for row in block.rows:
                    for cell in row:
                        assert escape(str(getattr(cell, "value", cell))) in said


def test_a_view_of_the_readout_is_recorded_once_and_another_view_again(at):
    life = at("read_out")
    before = reads(life)
    page = visit("readout", "dan")
    page.run()
    page.run()
    assert reads(life) == before + 1
    page.segmented_control[0].set_value("looks").run()
    page.segmented_control[0].set_value("readout").run()
    assert reads(life) == before + 2


def reads(life: Life) -> int:
    return sum(entry.action == "read readout" for entry in dossier(life.folder).history)


def test_the_readout_may_be_downloaded_in_every_form_that_there_is(shown):
    labels = {one.proto.label for one in shown("read_out", "readout").get("download_button")}
    assert {"Download HTML", "Download Markdown", "Download JSON", "Download CSV tables"} <= labels


@pytest.mark.parametrize("person", ["mira", "ola", "vic"])
def test_owner_reviewer_and_viewer_do_not_decide(shown, person):
    why = off(shown("read_out", "readout", person), "Sign the decision")
    assert why == f"only a decider who is neither owner nor reviewer may; you are {person}."


def test_a_decider_signs_with_the_verdict(at):
    life = at("read_out")
    page = visit("readout", "dan")
    page.text_area(key="decide.reason").set_value(REASON)
    page = press(page, "Sign the decision")
    assert "no decision is chosen" in page.error[0].value
    page.radio(key="decide.choice").set_value("ship")
    page = press(page, "Sign the decision")
    assert "Signed and recorded." in page.success[0].value
    signed = dossier(life.folder).decision
    assert signed is not None
    assert (signed.decision, signed.arm, signed.decided_by, signed.reason) == (
        "ship",
        "candidate",
        "dan",
        REASON,
    )
    assert REASON in words(page)


def test_against_the_verdict_a_second_decider_signs_too(at):
    life = at("read_out")
    page = visit("readout", "dan")
    page.radio(key="decide.choice").set_value("do_not_ship")
    page.text_area(key="decide.reason").set_value("Too short for that.")
    page = press(page, "Sign the decision")
    assert "100 are needed" in page.error[0].value
    page.text_area(key="decide.reason").set_value(LONG)
    page = press(page, "Sign the decision")
    assert "A second decider has to approve it." in page.success[0].value
    assert dossier(life.folder).decision is None
    assert "you proposed it" in off(page, "Approve the decision")
    page = visit("readout", "eve")
    assert LONG in words(page)
    page.text_area(key="second.reason").set_value("I have seen the bill, and agree with Dan.")
    page = press(page, "Approve the decision")
    signed = dossier(life.folder).decision
    assert signed is not None
    assert (signed.decided_by, signed.approved_by, signed.against_verdict) == ("dan", "eve", True)


def test_whoever_proposed_against_the_verdict_may_take_it_back(at):
    life = at("read_out")
    page = visit("readout", "dan")
    page.radio(key="decide.choice").set_value("repeat")
    page.text_area(key="decide.reason").set_value(LONG)
    page = press(page, "Sign the decision")
    page.text_area(key="second.reason").set_value("I had not seen the second table.")
    page = press(page, "Take it back")
    assert {one.status for one in dossier(life.folder).proposals} == {"rejected"}
    assert any(one.label == "Sign the decision" and not one.disabled for one in page.button)


def test_an_analysis_chosen_after_the_data_is_noted_as_exploratory_for_ever(at):
    at("read_out")
    why = off(visit("readout", "dan"), "Note an exploratory analysis")
    assert why == "only the owner (mira) or an analyst may; you are dan."
    page = visit("readout")
    page.text_area(key="exploratory.text").set_value("Success by country, since Germany looked odd.")
    page = press(page, "Note an exploratory analysis")
    assert "exploratory for ever" in page.success[0].value
    said = words(page)
    assert "EXPLORATORY: 1 noted" in said
    assert "Success by country, since Germany looked odd." in said


# History


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
    page = press(page, "Clone it as a new draft")
    assert "Cloned" in page.success[0].value
    with open_workspace_registry(load_settings(life.folder)) as registry:
        assert show(registry, "EXP-0002").experiment.cloned_from == ID
    assert "only an analyst may; you are ola." in off(visit("history", "ola"), "Clone it as a new draft")


def test_an_amendment_is_shown_with_its_difference_and_settled_by_the_reviewer(at):
    life = at("registered")
    changed = (life.folder / "design.yaml").read_text().replace("absolute: 0.2", "absolute: 0.25")
    (life.folder / "amended.yaml").write_text(changed)
    life.ok(
        f"amend {ID} amended.yaml --as mira --reason-code missing-information --inference none --explanation",
        "The smallest improvement worth shipping was written down wrongly in the first plan.",
    )
    page = visit("history")
    said = words(page)
    assert "primary.mde.value" in said
    assert "only the reviewer (ola) may" in off(page, "Approve the amendment")
    page = press(visit("history", "ola"), "Approve the amendment")
    assert "the plan has a new version" in page.success[0].value
    assert [plan.timing for plan in dossier(life.folder).plans] == [None, "A"]
    assert "What version 2 changed of version 1" in words(page)


def test_every_piece_of_the_page_escapes_what_it_is_given():
    def script() -> None:
        from app.export.blocks import Counted, table
        from app.readings import Reading
        from app.screens.experiment import marks

        bad = "<img src=x>"
        shown = Reading(bad, bad, "circle", "good")
        marks.title(bad, bad)
        marks.chips([(shown, bad)])
        marks.facts([(bad, bad)])
        marks.words(bad)
        marks.words(bad, heading=True)
        marks.bullets([bad])
        marks.notice(shown, bad, [bad])
        marks.bar(0.5, bad)
        marks.table(table(bad, [{bad: bad, "b": shown, "c": Counted(bad, bad)}]))

    said = words(AppTest.from_function(script).run())
    assert said.count("&lt;img src=x&gt;") >= 20
    assert "<img" not in said


def test_a_picture_in_an_error_is_not_fetched(at):
    life = at("running")
    found.fail(life.folder, ID, "no column ![x](http://example.org/x.png)")
    said = visit("live").error[0].value
    assert "![x](" not in said
    assert "x.png" in said


def test_text_that_people_wrote_is_never_markup(at):
    life = at("running")
    reason = "<img src=x onerror=alert(1)> & **bold** of the two hosts"
    life.ok(f"stop {ID} --as mira --reason", reason)
    said = words(visit("history"))
    assert "<img" not in said
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; **bold**" in said
