"""Who gets in by signing in, who does not and is told why, and how one gets out again."""

from __future__ import annotations

import pytest

from tests.browser.served import NAME, change_address, fairtrial, free_port, served, workspace
from tests.browser.steps import begin

pytestmark = pytest.mark.browser

ADDRESSES = ("experiment?id=EXP-0001&tab=readout", "?act_as=mira@example.org")
"""A page that somebody may have the address of, and one that would do on a simulated clock without sign-in."""


TITLE = "What at www.example.org somebody wrote who was let go"


def lists_pages(at):
    return at.page.get_by_test_id("stSidebarNav").is_visible()


def buttons(at):
    """What can be pressed; an icon is drawn from a word that stands before the label."""
    return [said.split("\n")[-1] for said in at.main.get_by_role("button").all_inner_texts()]


@pytest.mark.postgres
def test_without_signing_in_every_address_shows_only_the_way_in(team, visitor):
    at = visitor(team.url)
    for address in ADDRESSES:
        at.open(address)
        at.sees("Sign in to see the experiments.")
        assert buttons(at) == ["Sign in"]
        assert at.main.get_by_role("link").count() == 0
        assert not lists_pages(at)


@pytest.mark.postgres
def test_whoever_is_unknown_or_unverified_is_told_so_and_can_only_leave(team, visitor):
    told = {
        "stranger@example.org": "You are signed in as stranger@example.org, who is not known here.",
        "MIRA@example.org": "The sign-in does not vouch for mira@example.org",
        "OLA@example.org": "The sign-in does not vouch for ola@example.org",
    }
    at = visitor(team.url)
    for account, why in told.items():
        at.sign_in(account)
        at.sees(why)
        at.turn_to("audit")
        at.sees(why)
        assert not lists_pages(at)
        assert buttons(at) == ["Sign out, to sign in as somebody else"]
        at.sign_out()
        at.sees("Sign in to see the experiments.")


@pytest.mark.postgres
def test_a_sign_in_ends_when_the_provider_says(team, visitor):
    at = visitor(team.url)
    at.sign_in("DAN@example.org")
    at.page.wait_for_timeout(1_000)
    at.open("audit")
    at.sees("The sign-in has expired. Sign in again.")
    assert not lists_pages(at)


@pytest.mark.postgres
def test_whoever_signs_in_is_nobody_else_and_can_sign_out(team, visitor):
    at = visitor(team.url)
    at.sign_in("mira@example.org")
    at.open("?act_as=ola@example.org")
    sidebar = at.page.get_by_test_id("stSidebar")
    assert lists_pages(at)
    assert "Mira (mira@example.org) · Analyst · signed in" in sidebar.inner_text()
    for offered_without_sign_in in ("Act as", "Let a week pass"):
        assert offered_without_sign_in not in sidebar.inner_text()
    before = team.provider.signed_out
    at.sign_out()
    assert team.provider.signed_out == before + 1
    at.open("audit")
    at.sees("Sign in to see the experiments.")


@pytest.mark.postgres
def test_a_role_that_is_taken_away_is_gone_with_the_next_act(team, visitor):
    """And somebody who is let go sees nothing more, signed in or not."""

    def admin(*arguments):
        fairtrial(team.folder, "people", *arguments, token=team.token)

    admin("add", "noor@example.org", "--name", "Noor", "--role", "analyst")
    at = visitor(team.url)
    at.sign_in("noor@example.org")
    begin(at, TITLE)
    admin("revoke", "noor@example.org", "analyst")
    at.type("Why should it work?", "because nobody noticed that I may not say so any more")
    at.sees("may not")
    at.go("Experiments")
    at.sees("somebody wrote who was let go")
    assert at.page.locator("a[href*='www.example.org']").count() == 0
    admin("let-go", "noor@example.org", "--reason", "Moved to another team.")
    at.go("Audit log")
    at.sees("noor@example.org may no longer act here.")


@pytest.fixture
def without_sign_in(chromium, tmp_path):
    """A team's workspace on a simulated clock, by this machine's own name and by the one that a proxy would have."""
    folder = workspace(tmp_path / "workspace")
    port = free_port()
    change_address(folder, f"http://{NAME}:{port}")
    with served(folder, port) as here:
        yield here, f"http://{NAME}:{port}"


def test_a_proxy_before_pages_without_sign_in_makes_nobody_anybody(without_sign_in, visitor):
    inside, outside = map(visitor, without_sign_in)
    inside.open()
    inside.act_as("ola")
    outside.open("?act_as=ola")
    outside.sees("These pages are served to other machines, and sign-in is not set up.")
    assert not lists_pages(outside)
