"""Ending early: who may, with which reason, and what it leaves."""

from __future__ import annotations

import pytest

from tests.app.experiment_page.page import dossier, off, press, visit, words
from tests.app.life import ID


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
