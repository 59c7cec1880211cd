"""The same path for a team: on Postgres, each signed in with an OpenID Connect provider, in a browser of their own."""

from __future__ import annotations

import pytest

from tests.browser.served import fairtrial
from tests.browser.steps import from_idea_to_decision

pytestmark = [pytest.mark.browser, pytest.mark.postgres]


def test_an_experiment_goes_from_a_template_to_a_signed_decision(team, visitor, tmp_path):
    opened = {}

    def turn(person):
        if person not in opened:
            opened[person] = visitor(team.url)
            opened[person].sign_in(f"{person}@example.org")
        return opened[person]

    def let_a_week_pass(at):
        fairtrial(team.folder, "pass", "7d", token=team.token)
        at.page.reload()
        at.settle()

    found = from_idea_to_decision(turn, tmp_path, let_a_week_pass=let_a_week_pass, reviewer="ola@example.org")
    told = fairtrial(team.folder, "show", found.registration.experiment)
    for person in ("mira", "ola", "dan"):
        assert f"{person}@example.org" in told
