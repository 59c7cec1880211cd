"""From an idea to a signed decision, step by step, as three people go it at a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from app.export import render
from app.export.blocks import Table
from app.export.page import page_of
from experiments.readouts.readout import Readout
from tests.browser.visitor import Visitor

TITLE = "Ranker v9 against v8 for everybody"
REASON = "The declared rule gave this verdict, and every check passed as declared."
DECISIONS = {"SHIP": "Ship:", "DO NOT SHIP": "Do not ship:", "INCONCLUSIVE": "Repeat:"}
"""What agrees with each verdict: the effect that is true of the demo's traffic follows from the plan's hash."""


def from_idea_to_decision(
    turn: Callable[[str], Visitor],
    folder: Path,
    *,
    let_a_week_pass: Callable[[Visitor], None],
    reviewer: str = "ola",
) -> Readout:
    """The whole path; what was read at its end.

    Args:
        turn: the window of "mira", "ola" or "dan", whose turn it is.
        folder: for what they download.
        reviewer: who is asked for review, as the page lists people.
    """
    id = register(turn("mira"), reviewer)
    lock(turn("ola"), id)
    mira = turn("mira")
    find(mira, id)
    wait_until_due(mira, let_a_week_pass)
    mira.press("Run look 1")
    mira.sees("Readout ready")
    dan = turn("dan")
    find(dan, id)
    dan.tab("Readout")
    found = downloaded_readout(dan, folder)
    sign(dan, DECISIONS[found.verdict.code])
    shown = dan.main.text_content() or ""
    assert [words for words in words_of(found) if words not in shown] == []
    return found


def begin(at: Visitor, title: str) -> str:
    """Begin a draft; its id."""
    at.go("Register")
    at.type("What changes, for whom?", title)
    at.press("Begin")
    at.sees("Draft EXP-")
    (found,) = re.findall(r"Draft (EXP-\d+) ·", at.text())
    return str(found)


def register(at: Visitor, reviewer: str) -> str:
    """Write a plan and send it to a reviewer; its id."""
    id = begin(at, TITLE)
    at.type("Why should it work?", "v9 puts the result people want higher, so fewer give up")
    at.press("3 Primary")
    at.type("Smallest improvement worth shipping", "10")
    at.press("4 Guardrails")
    at.type("Largest worsening you would still accept", "100")
    at.type("Why this margin?", "a tenth of a second costs less than a thousandth of all sessions")
    at.press("5 Sample & power")
    at.type("Units a day, all arms together", "150")
    at.press("9 Review & lock")
    at.tick("No. I have not looked at outcome data for these units")
    at.choose("Reviewer", reviewer)
    at.press("Send for review")
    at.sees(f"In review by {reviewer}")
    return id


def lock(at: Visitor, id: str) -> None:
    at.go("Home")
    at.follow(f"Review: {id}")
    at.press("Ask the logs")
    at.sees("no unit has been exposed.")
    at.type(f"Type {id} to confirm", id)
    at.press("Register and lock")
    at.sees(f"{id} is registered, and its plan is locked.")


def find(at: Visitor, id: str) -> None:
    """Go to the experiment, from wherever one is."""
    at.go("Experiments")
    at.choose("Open an experiment", id)


def wait_until_due(at: Visitor, let_a_week_pass: Callable[[Visitor], None]) -> None:
    """The look is refused with its reason until the plan's units are mature; each check is the worker's."""
    at.tab("Live")
    assert at.button("Run look 1").is_disabled()
    at.sees("Run look 1: nobody has checked yet whether it is due.")
    let_a_week_pass(at)
    check_health(at, "8 Nov 2026")
    at.sees("Run look 1: enrolment for this look ends")
    assert at.button("Run look 1").is_disabled()
    let_a_week_pass(at)
    let_a_week_pass(at)
    check_health(at, "22 Nov 2026")
    at.sees("due now")
    assert at.button("Run look 1").is_enabled()


def check_health(at: Visitor, day: str) -> None:
    at.press("Check health now")
    at.sees(f"last checked {day}, 00:00 UTC")
    at.page.get_by_test_id("stProgress").wait_for(state="detached")
    at.settle()


def downloaded_readout(at: Visitor, folder: Path) -> Readout:
    """The readout as the files say it, which both are what the library makes of the sealed document."""
    at.sees("SHA-256 of this readout:")
    as_json = at.download("Download JSON", folder)
    found = Readout.of_document(json.loads(as_json.read_text()))
    assert f"SHA-256 of this readout: {found.sha256}" in at.text()
    assert at.download("Download HTML", folder).read_text() == render(found, "html")
    return found


def sign(at: Visitor, decision: str) -> None:
    at.tick(decision)
    at.type("Reason (at least 30 characters)", REASON)
    at.press("Sign the decision")
    at.sees("Signed and recorded.")
    at.sees(f"Reason: {REASON}")


def words_of(found: Readout) -> list[str]:
    """The verdict and every cell of every table that is not folded away, as a page made of the readout says them."""
    page = page_of(found)
    tables = [block for section in page.sections for block in section.blocks if isinstance(block, Table)]
    cells = [str(cell) for table in tables for row in table.rows for cell in row]
    assert any(character.isdigit() for cell in cells for character in cell)
    return [page.verdict.code, page.verdict.sentence, *cells]
