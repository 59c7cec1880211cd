"""From an idea to a signed decision by clicking: alone at one machine, on DuckDB and SQLite, in turn as three people."""

from __future__ import annotations

import pytest

from tests.browser.steps import from_idea_to_decision

pytestmark = pytest.mark.browser


def test_an_experiment_goes_from_a_template_to_a_signed_decision(app, visitor, tmp_path):
    at = visitor(app)
    at.open()

    def turn(person):
        at.act_as(person)
        return at

    from_idea_to_decision(turn, tmp_path, let_a_week_pass=lambda at: at.press("Let a week pass"))
