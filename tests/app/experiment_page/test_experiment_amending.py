"""Amending from the page: edited in the form or as a file, judged before it is sent, sent with its reasons, settled by the reviewer."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.cli.session import open_workspace_registry
from app.settings import load_settings
from app.worker import Worker
from registry.store import show
from tests.app import found
from tests.app.experiment_page.page import dossier, off, press, visit, words
from tests.app.life import ID

WHY = "The traffic is half of what was declared, so that the enrolment takes twice as long as we had planned for it."


def begun(page: AppTest | None = None) -> AppTest:
    return press(page or visit("history"), "Begin an amendment")


def part(page: AppTest, number: int) -> AppTest:
    """Another step of the form."""
    chosen = page.selectbox(key="amend.step")
    page.selectbox(key="amend.step").set_value(chosen.options[number - 1]).run()
    assert not page.exception
    return page


def fill(page: AppTest, label: str, value: str) -> AppTest:
    """Type into a field of the form."""
    one = next(field for field in [*page.text_input, *page.text_area] if field.label == label)
    one.set_value(value).run()
    assert not page.exception
    return page


def as_a_file(page: AppTest, old: str, new: str) -> AppTest:
    """Change the text of the plan, and take it."""
    page.segmented_control(key="amend.way").set_value("As a file").run()
    area = next(one for one in page.text_area if one.label == "Or change it here")
    assert old in str(area.value)
    area.set_value(str(area.value).replace(old, new)).run()
    return press(page, "Take this text")


def send(page: AppTest, label: str = "Send to the reviewer (ola)", why: str = WHY) -> AppTest:
    page.selectbox(key="amend.code").set_value("untested assumption violated")
    page.selectbox(key="amend.inference").set_value("none")
    page.text_area(key="amend.why").set_value(why)
    return press(page, label)


def ask_the_logs(page: AppTest, folder: Path) -> AppTest:
    page = press(page, "Ask the logs")
    Worker(folder).run(once=True)
    page.run()
    assert not page.exception
    return page


LONGER = ("maximum_duration: 4d", "maximum_duration: 6d")


def test_a_longer_duration_is_sent_from_the_form_and_approved_by_the_reviewer(at):
    life = at("running")
    page = part(begun(), 6)
    page = fill(page, "Longest enrolment", "6d")
    said = words(page)
    assert "stopping.maximum_duration" in said
    assert "Material: it makes a new version" in said
    assert "B: after exposure, outcomes closed to all" in said
    page = send(page)
    assert "Sent. ola approves or rejects it" in page.success[0].value
    (waiting,) = dossier(life.folder).proposals
    assert (waiting.content["code"], waiting.content["inference"], waiting.content["explanation"]) == (
        "untested assumption violated",
        "none",
        WHY,
    )
    assert waiting.content["timing_when_proposed"] == "B"
    assert "only the reviewer (ola) may" in off(visit("history"), "Approve the amendment")
    page = press(visit("history", "ola"), "Approve the amendment")
    assert "the plan has a new version" in page.success[0].value
    assert [plan.timing for plan in dossier(life.folder).plans] == [None, "B"]
    assert "What version 2 changed of version 1" in words(page)


def test_what_may_not_change_any_more_is_told_with_why_and_a_new_draft_is_offered(at):
    life = at("running")
    page = fill(part(begun(), 3), "Smallest improvement worth shipping", "25")
    said = words(page)
    assert "primary.mde.value" in said
    page = as_a_file(page, "metric: success@1", "metric: success@1, alpha: 0.1")
    said = words(page)
    assert "no: it touches alpha" in said
    assert "Units have been exposed, and the change touches alpha (primary.alpha)" in said
    assert "Possible: only before the first exposure." in said
    assert "see above what stands in the way" in off(page, "Send to the reviewer (ola)")
    page.text_input(key="amend.clone.title").set_value("A bolder test for everybody")
    page = press(page, "Clone as new draft with these changes")
    assert "you own the new draft" in page.success[0].value
    with open_workspace_registry(load_settings(life.folder)) as registry:
        made = show(registry, "EXP-0002")
    assert (made.experiment.cloned_from, made.experiment.title) == (ID, "A bolder test for everybody")
    assert made.draft["primary"]["alpha"] == 0.1
    assert made.draft["assignment"]["key"] != dossier(life.folder).experiment.assignment_key
    assert dossier(life.folder).proposals == ()


def test_before_the_first_exposure_the_logs_are_asked_and_everything_may_change(at):
    life = at("registered")
    page = as_a_file(begun(), "absolute: 0.2", "absolute: 0.25")
    assert "not known before the logs are asked" in words(page)
    assert "see above what stands in the way" in off(page, "Send to the reviewer (ola)")
    page = ask_the_logs(page, life.folder)
    assert "A: before the first exposure" in words(page)
    page = send(page)
    assert dossier(life.folder).proposals[0].content["timing_when_proposed"] == "A"
    page = visit("history", "ola")
    assert "primary.mde.value" in words(page)
    page = press(page, "Approve the amendment")
    assert [plan.timing for plan in dossier(life.folder).plans] == [None, "A"]


def test_a_finding_of_long_ago_approves_nothing(at):
    life = at("registered")
    page = ask_the_logs(as_a_file(begun(), "absolute: 0.2", "absolute: 0.25"), life.folder)
    send(page)
    life.ok("clock --advance 1h")
    page = visit("history", "ola")
    assert "possible once the logs were asked." in off(page, "Approve the amendment")


def test_after_outcomes_were_read_only_words_may_change(at):
    life = at("read_out")
    page = as_a_file(begun(), *LONGER)
    said = words(page)
    assert "C: after outcomes were seen" in said
    assert "no: it touches the plan, whose outcomes were read" in said
    assert "Declare it as an exploratory analysis, or clone the plan" in said
    page = as_a_file(page, LONGER[1], LONGER[0])
    page.segmented_control(key="amend.way").set_value("In the form").run()
    page = fill(part(page, 1), "Team", "Search")
    assert "Administrative: words, people, links and expected dates." in words(page)
    page = press(page, "Save the change")
    assert "Saved: the plan keeps its version." in page.success[0].value
    assert dossier(life.folder).experiment.team == "Search"
    assert len(dossier(life.folder).plans) == 1


def test_a_new_title_is_no_new_key(at):
    """The key of a plan that names none comes from its title; units must not move to other arms for a word."""
    life = at("founded")
    file = life.folder / "design.yaml"
    file.write_text(file.read_text().replace("assignment: {key: small-change}\n", ""), encoding="utf-8")
    life.registered()
    page = fill(begun(), "What changes, for whom?", "A small change, said better")
    assert "Administrative" in words(page)
    press(page, "Save the change")
    now = dossier(life.folder)
    assert now.experiment.title == "A small change, said better"
    assert now.experiment.assignment_key == "a-small-change-for-everybody"
    assert "assignment" in now.draft_written
    assert visit("plan").segmented_control


@pytest.mark.parametrize(("person", "who"), [("ola", "ola"), ("dan", "dan"), ("vic", "vic")])
def test_only_the_owner_amends(shown, person, who):
    why = off(shown("running", "history", person), "Begin an amendment")
    assert why == f"only the owner (mira) may; you are {who}."


def test_what_is_missing_or_short_is_said_and_what_was_written_stays(at):
    life = at("running")
    page = as_a_file(begun(), *LONGER)
    page = press(page, "Send to the reviewer (ola)")
    assert "choose the reason and its effect on inference" in page.error[0].value
    page = send(page, why="too short")
    assert "The reason has 9 characters; to amend, 50 are needed" in page.error[0].value
    assert page.text_area(key="amend.why").value == "too short"
    assert "stopping.maximum_duration" in words(page)
    assert dossier(life.folder).proposals == ()


def test_problems_of_the_changed_plan_are_told_with_their_field(at):
    at("running")
    page = fill(part(begun(), 3), "Smallest improvement worth shipping", "0")
    said = words(page)
    assert "To mend:" in said
    assert "It can be judged once this is mended." in said
    assert not any(one.label.startswith("Send to the reviewer") for one in page.button)


def test_a_text_that_is_no_design_is_not_taken(at):
    at("running")
    page = as_a_file(begun(), "title: A small change for everybody", "title: [")
    assert "cannot be read as a design" in page.error[0].value
    assert "Nothing differs from the plan yet." in words(page)


def test_while_one_waits_a_second_one_does_not(at):
    at("running")
    page = send(as_a_file(begun(), *LONGER))
    page = as_a_file(begun(page), "maximum_duration: 4d", "maximum_duration: 7d")
    assert "is waiting for a second person already" in words(page)


def test_the_reviewer_rejects_it_with_a_reason(at):
    life = at("running")
    send(as_a_file(begun(), *LONGER))
    page = visit("history", "ola")
    page.text_area(key="amend.reason").set_value("Two more days change nothing: the traffic will not come.")
    page = press(page, "Reject the amendment")
    assert "Rejected" in page.success[0].value
    assert [one.status for one in dossier(life.folder).proposals] == ["rejected"]
    assert len(dossier(life.folder).plans) == 1


def test_what_was_begun_is_shown_against_the_plan_as_it_is_by_now(at):
    life = at("running")
    page = as_a_file(begun(), *LONGER)
    found.check(life.folder, ID)
    life.ok(f"stop {ID} --as mira --reason", "The candidate filled the disks of two hosts.")
    page.run()
    assert "has changed since you began" in page.warning[-1].value
    assert "stopping.maximum_duration" in words(page)


def test_a_comment_is_saved_without_a_version(at):
    life = at("running")
    page = as_a_file(begun(), "title: A small change", "# as agreed on Monday\ntitle: A small change")
    assert "Only what the plan does not rest on differs" in words(page)
    page = press(page, "Save the change")
    assert "# as agreed on Monday" in dossier(life.folder).draft_written
    assert len(dossier(life.folder).plans) == 1


def test_it_can_be_put_away(at):
    at("running")
    page = press(as_a_file(begun(), *LONGER), "Put it away without sending")
    assert any(one.label == "Begin an amendment" for one in page.button)
    page = begun(page)
    assert "Nothing differs from the plan yet." in words(page)


def test_amending_reads_no_log(at):
    """Neither does judging: what the logs say is what the worker found."""
    life = at("running")
    for name in ("logs", "outcomes.yaml", "sources.yaml"):
        (life.folder / name).rename(life.folder / f"away-{name}")
    page = send(as_a_file(begun(), *LONGER))
    assert "Sent." in page.success[0].value
