"""Readout: what is missing before the release; afterwards the sealed numbers, downloads, and the decision."""

from __future__ import annotations

from html import escape

import pytest

from app.cli.session import open_workspace_registry
from app.export.blocks import Table, Words
from app.export.page import page_of
from app.settings import load_settings
from experiments.readouts.readout import Readout
from registry import lifecycle
from tests.app import found
from tests.app.experiment_page.page import dossier, off, press, visit, words
from tests.app.life import BROKEN, ID, REASON, Life

LONG = "It costs more than it gives, which the verdict does not know of: two more servers, and the people to run them at night."


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
