"""Cases on the page: drawn by the worker, judged blind, opened when two people have finished."""

from __future__ import annotations

from collections.abc import Callable

from app.cli.session import open_workspace_registry
from app.settings import load_settings
from registry.casebook import Pick, casebook_of, picks_of
from registry.casework import finish_review, judge_case
from tests.app.experiment_page.page import off, press, words
from tests.app.shadow_page.life import ShadowLife
from tests.app.shadow_page.page import ID, visit

MODEL_WORDS = ("champion alone right", "candidate alone right", "both say the same")


def test_cases_are_drawn_judged_blind_and_opened(life: ShadowLife, work: Callable[[], None]) -> None:
    life.due()
    assert "Cases open with a sealed look" in words(visit("cases"))
    life.read_out()
    press(visit("cases"), "Draw the cases")
    work()
    assert "owns SHD-0001: somebody else has to" in words(visit("cases", "mira"))

    page = visit("cases", "ola")
    said = words(page)
    assert not [one for one in MODEL_WORDS if one in said]
    assert "0 of 120 judged" in said
    shortcuts = {one.label: one.proto.shortcut for one in page.button if one.proto.shortcut}
    assert shortcuts == {
        "A right": "1",
        "B right": "2",
        "Both right": "3",
        "Neither right": "4",
        "Can't tell": "5",
    }
    page.text_area(key=f"shadow.note.{ID}.1").set_value("A answers the question.").run()
    press(page, "A right")
    assert "1 of 120 judged" in words(page)
    assert "Case 2" in words(page)
    press(page, "Can't tell")
    press(page, "Previous case")
    assert "You said: can&#x27;t tell" in words(page)
    assert off(page, "Finish my review").startswith("118 cases are not judged yet")
    assert off(page, "Open which model said what").startswith("0 of the 2 people")

    with open_workspace_registry(load_settings(life.folder)) as registry:
        assert picks_of(registry, "ola", ID)[1].note == "A answers the question."
        book = casebook_of(registry, ID)
        assert book is not None
        for number in range(3, book.cases + 1):
            judge_case(registry, "ola", ID, number, Pick.A)
        for number in range(1, book.cases + 1):
            judge_case(registry, "dan", ID, number, Pick.B if number % 2 else Pick.A)
        finish_review(registry, "dan", ID)
    press(visit("cases", "ola"), "Finish my review")
    page = visit("cases", "ola")
    assert not [one for one in MODEL_WORDS if one in words(page)]
    assert off(visit("cases", "oncall"), "Open which model said what").startswith("for the owner (mira)")
    press(page, "Open which model said what")
    said = words(visit("cases", "oncall"))
    assert "EXPLORATORY" in said
    assert "It changes no verdict" in said
    assert "Cohen&#x27;s κ" in said
    assert all(one in said for one in MODEL_WORDS)
    assert "A answers the question." in said
