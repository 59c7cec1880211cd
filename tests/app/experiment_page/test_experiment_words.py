"""What people or a worker wrote is shown as it was written, and is never markup."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from tests.app import found
from tests.app.experiment_page.page import visit, words
from tests.app.life import ID


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
