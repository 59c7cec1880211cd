"""Who may press what, in which state of a shadow: the page offers what the registry allows, and says why not beside the rest."""

from __future__ import annotations

import pytest

from tests.app.shadow_page.life import ShadowLife
from tests.app.shadow_page.page import visit

TABS = ("plan", "live", "readout", "cases", "history")
PEOPLE = ("mira", "ola", "dan", "oncall", "ada")
ALWAYS = {"Let a day pass", "Let a week pass"}

MAY = {
    "registered": {"mira": {"Check now", "Withdraw", "Abandon"}, "ola": {"Check now", "Abandon"}},
    "read_out": {"mira": {"Draw the cases"}, "dan": {"Draw the cases", "Sign it"}},
    "signed": {},
}
"""Buttons that can be pressed on any tab; everybody else has those of ``OTHERS``."""

OTHERS = {"registered": {"Check now"}, "read_out": {"Draw the cases"}, "signed": {"Draw the cases"}}


@pytest.mark.parametrize("stage", MAY)
def test_the_page_offers_each_person_what_they_may_do_and_nothing_else(life: ShadowLife, stage: str) -> None:
    getattr(life, stage)()
    for person in PEOPLE:
        offered: set[str] = set()
        for tab in TABS:
            page = visit(tab, person)
            assert not page.error, (person, tab)
            offered |= {one.label for one in page.button if not one.disabled}
        assert offered - ALWAYS == MAY[stage].get(person, OTHERS[stage]), person


def test_an_id_of_something_else_or_of_nothing_is_said(life: ShadowLife) -> None:
    life.founded()
    assert "It is SHD- and a number" in visit(id="EXP-0001").error[0].value.replace("it is", "It is")
    assert "no shadow SHD-0077" in visit(id="SHD-0077").error[0].value
