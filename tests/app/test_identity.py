"""Who is at a page: only a vouched-for address where sign-in is set up, and nobody by accident where it is not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import streamlit as st
from streamlit import config
from streamlit.runtime.secrets import Secrets
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.cli.start import PAGES, streamlit_arguments
from app.identity import ACT_AS, NobodyHere, identify, is_sign_in_set_up
from app.screens.navigation import SECTIONS
from registry.clock import SimulatedClock, SystemClock
from registry.database import Registry
from registry.membership import add_person, found, let_go
from registry.store import open_registry
from tests.app.life import START

AUTH = {"auth": {"redirect_uri": "set", "cookie_secret": "up"}}
MIRA = {"is_logged_in": True, "email": "mira@example.org", "email_verified": True}
HERE, ELSEWHERE = "localhost", "fairtrial.example.org"


def registry_at(folder: Path, *, simulated: bool = True, one_person: bool = False) -> Registry:
    clock = SimulatedClock(START) if simulated else SystemClock()
    opened = open_registry(f"sqlite:///{folder / 'registry.db'}", clock=clock)
    found(opened, "ada@example.org", "Ada", one_person=one_person)
    return opened


@pytest.fixture
def team(tmp_path):
    """A team on a simulated clock, which would let anybody choose who to be if there were no sign-in."""
    with registry_at(tmp_path) as opened:
        for person in ("mira", "max"):
            add_person(opened, "ada@example.org", f"{person}@example.org", person.title())
        let_go(opened, "ada@example.org", "max@example.org", "Moved to another team.")
        yield opened


def signed_in(registry, user, **where):
    reached = {"served_to": "127.0.0.1", "reached_at": HERE} | where
    return identify(registry, signs_in=True, user=user, **reached)


def without_sign_in(registry, served_to="127.0.0.1", reached_at=HERE):
    return identify(registry, served_to=served_to, reached_at=reached_at, signs_in=False, user={})


# Signed in


@pytest.mark.parametrize("where", [HERE, ELSEWHERE])
def test_a_verified_address_is_the_person(team, where):
    found = signed_in(team, MIRA | {"email": " Mira@Example.ORG "}, reached_at=where)
    assert (found.id, found.how, found.chosen, found.signed_in) == (
        "mira@example.org",
        "signed in",
        False,
        True,
    )


@pytest.mark.parametrize("vouched", [True, "true", "True", 1, "1"])
@pytest.mark.parametrize("claim", ["email_verified", "xms_edov"])
def test_providers_write_that_an_address_is_verified_in_their_ways(team, claim, vouched):
    user = {"is_logged_in": True, "email": "mira@example.org", claim: vouched}
    assert signed_in(team, user).id == "mira@example.org"


@pytest.mark.parametrize("said", [{}, *({"email_verified": no} for no in (False, "false", 0, "", None, []))])
def test_an_address_that_nobody_vouches_for_lets_nobody_in(team, said):
    user = {"is_logged_in": True, "email": "mira@example.org", **said}
    with pytest.raises(NobodyHere, match="does not vouch for mira@example") as nobody:
        signed_in(team, user)
    assert (nobody.value.can_sign_in, nobody.value.can_sign_out) == (False, True)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"email": None}, "gave no e-mail address"),
        ({"email": "noor@example.org"}, "noor@example.org, who is not known here"),
        ({"email": "system"}, "system, who is not known here"),
        ({"email": "max@example.org"}, "max@example.org may no longer act here"),
        ({"is_logged_in": False}, "Sign in to see the experiments"),
        ({"exp": time.time() - 1}, "The sign-in has expired"),
    ],
)
def test_anybody_else_is_told_why_they_are_not_let_in(team, changed, why):
    with pytest.raises(NobodyHere, match=why):
        signed_in(team, MIRA | changed)


# Not signed in


def test_on_a_simulated_clock_one_chooses_who_to_be_on_this_machine_only(team):
    assert without_sign_in(team).chosen


@pytest.mark.parametrize(
    ("served_to", "reached_at"),
    [("0.0.0.0", HERE), ("", HERE), ("127.0.0.1", ELSEWHERE), ("127.0.0.1", ""), ("127.0.0.1", "10.0.0.7")],
)
@pytest.mark.parametrize("one_person", [True, False])
def test_reached_from_elsewhere_there_is_no_local_identity(tmp_path, one_person, served_to, reached_at):
    with registry_at(tmp_path, one_person=one_person) as opened:
        assert without_sign_in(opened).id == "ada@example.org"
        with pytest.raises(NobodyHere, match="sign-in is not set up"):
            without_sign_in(opened, served_to, reached_at)


def test_a_team_on_the_machine_s_clock_has_to_sign_in(tmp_path):
    with (
        registry_at(tmp_path, simulated=False) as opened,
        pytest.raises(NobodyHere, match="for a team, and sign-in is not set up"),
    ):
        without_sign_in(opened)


@pytest.mark.parametrize("one_person", [True, False])
def test_where_sign_in_is_set_up_nobody_gets_a_local_identity(tmp_path, one_person):
    with registry_at(tmp_path, one_person=one_person) as opened, pytest.raises(NobodyHere, match="Sign in"):
        signed_in(opened, {})


# Secrets


@pytest.fixture
def secrets(tmp_path, monkeypatch):
    """The one file that secrets are read from, which is not there yet."""
    before = st.get_option("secrets.files")
    monkeypatch.setattr(st, "secrets", Secrets())
    config.set_option("secrets.files", [str(tmp_path / "secrets.toml")])
    yield tmp_path / "secrets.toml"
    config.set_option("secrets.files", before)


def test_sign_in_is_set_up_by_a_section_of_the_secrets(secrets):
    assert not is_sign_in_set_up()
    secrets.write_text('[auth]\nclient_id = "fairtrial"\n')
    assert is_sign_in_set_up()


def test_other_secrets_set_up_no_sign_in(secrets):
    secrets.write_text('[database]\npassword = "secret"\n')
    assert not is_sign_in_set_up()


@pytest.mark.parametrize("written", [b"[auth\nclient_id = 1", b"[auth]\nclient_id = \xff"])
def test_secrets_that_cannot_be_read_let_nobody_in(secrets, written):
    secrets.write_bytes(written)
    with pytest.raises(NobodyHere, match="the secrets cannot be read") as nobody:
        is_sign_in_set_up()
    assert str(secrets) in str(nobody.value)
    assert not nobody.value.can_sign_in


# Pages


LEFT_TO_NOBODY = ["title", "markdown", "text", "button"]


def visit_as(user: dict[str, object], address: str = "", **query: str) -> AppTest:
    """A page where sign-in is set up, drawn once."""
    page = AppTest.from_file(str(PAGES), default_timeout=60)
    page._page_hash = calc_hash(address)  # what a browser sends of an address
    page.secrets, page.user = AUTH, user
    page.query_params.update(query)
    return page.run()


def test_without_signing_in_every_address_shows_only_the_way_in(at):
    at("decided")
    shown = {
        screen.address: visit_as({"is_logged_in": False}, screen.address, id="EXP-0001", act_as="ola")
        for screens in SECTIONS.values()
        for screen in screens
    }
    assert len(shown) > 10
    for address, page in shown.items():
        assert not page.exception, address
        assert [button.label for button in page.button] == ["Sign in"], address
        assert [text.value for text in page.text] == ["Sign in to see the experiments."], address
        assert not page.sidebar.children, address
        assert [one.type for one in page.main.children.values()] == LEFT_TO_NOBODY, address


def test_whoever_signed_in_cannot_choose_to_be_somebody_else(at):
    life = at("running")
    life.ok("people add mira@example.org --name Mira --role analyst --as ada")
    page = visit_as(MIRA, act_as="ola")
    page.session_state[ACT_AS] = "ola"
    page.run()
    assert [box.label for box in page.sidebar.selectbox] == []
    assert [button.label for button in page.sidebar.button] == ["Sign out"]
    assert any("mira@example.org" in said.value for said in page.sidebar.text)


def test_a_sign_in_that_is_not_set_up_completely_is_said_in_words(at, monkeypatch):
    at("running")
    page = visit_as({"is_logged_in": False})
    page.button[0].click().run()
    assert not page.exception
    assert "[auth] in .streamlit/secrets.toml is not complete" in page.error[0].value


# Serving


def test_the_pages_answer_under_their_own_name_and_ask_nobody_outside_for_it():
    """Without a name Streamlit asks an outside server for this machine's address (streamlit.net_util.get_external_ip)."""
    for host, address, name in (
        ("127.0.0.1", None, "localhost"),
        ("0.0.0.0", None, "localhost"),
        ("127.0.0.1", "https://fairtrial.example.org", "fairtrial.example.org"),
    ):
        arguments = streamlit_arguments(host, 8501, headless=True, address=address)
        assert f"--browser.serverAddress={name}" in arguments
        assert f"--server.allowedHosts={name}" in arguments
