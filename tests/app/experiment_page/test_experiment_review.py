"""Review: the whole protocol, the lock, and the ways back."""

from __future__ import annotations

import pytest

from app.worker import Worker
from registry.jobs import Kind
from tests.app import found
from tests.app.experiment_page.page import dossier, life_day, off, press, visit, words
from tests.app.life import ID


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
