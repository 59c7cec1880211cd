"""The same path for a team: on Postgres, each signed in with an OpenID Connect provider, in a browser of their own."""

from __future__ import annotations

import re

import pytest

from tests.browser.provider import Account, provided
from tests.browser.served import NAME, fairtrial, free_port, served, set_up_sign_in, team_workspace
from tests.browser.steps import ID, TITLE, begin, find, from_idea_to_decision
from tests.registry.conftest import _postgres_schema

pytestmark = [pytest.mark.browser, pytest.mark.postgres]


def email(person: str) -> str:
    return f"{person}@example.org"


ACCOUNTS = (
    *(Account(email(person)) for person in ("mira", "ola", "dan", "nobody")),
    Account("MIRA@example.org", verified=False),
    Account("Ola@Example.org", verified=None),
    Account("Dan@example.org", lifetime=8),
)
"""The team, somebody the registry does not know, and addresses of the team that are not vouched for, or not for long."""


@pytest.fixture(scope="module")
def postgres():
    yield from _postgres_schema()


@pytest.fixture(scope="module")
def team(chromium, postgres, tmp_path_factory):
    """A served workspace of a team; its folder, its address, the admin's token and its provider."""
    folder = tmp_path_factory.mktemp("team") / "workspace"
    port = free_port()
    url = f"http://{NAME}:{port}"
    token = team_workspace(folder, postgres)
    with provided(free_port(), f"{url}/oauth2callback", ACCOUNTS) as provider:
        set_up_sign_in(folder, provider, url)
        with served(folder, port, NAME) as at:
            yield folder, at, token, provider


@pytest.fixture
def windows(team, visitor):
    """The window of each person, who signs in the first time they are asked for."""
    opened = {}

    def window(person):
        if person not in opened:
            opened[person] = visitor(team[1])
            opened[person].sign_in(email(person))
        return opened[person]

    return window


def test_an_experiment_goes_from_a_template_to_a_signed_decision(team, windows, tmp_path):
    folder, _, token, _ = team

    def let_a_week_pass(at):
        fairtrial(folder, "pass", "7d", token=token)
        at.page.reload()
        at.settle()

    from_idea_to_decision(windows, tmp_path, let_a_week_pass=let_a_week_pass, reviewer=email("ola"))
    history = fairtrial(folder, "show", ID, "--json")
    for person in ("mira", "ola", "dan"):
        assert email(person) in history
