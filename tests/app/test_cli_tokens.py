"""Tokens by command: made, shown once, listed, revoked, required; and what they prove."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.app.life import ID, Life


def secret_of(life: Life, line: str) -> str:
    return str(life.ok(f"people token create {line} --json").document["secret"])


def test_a_token_says_who_acts(
    fairtrial: Callable[..., Any], at: Callable[[str], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = at("founded")
    made = life.ok("people token create laptop --as mira")
    secret = made.out.splitlines()[1]  # after the line of the simulated clock
    monkeypatch.setenv("FAIRTRIAL_TOKEN", secret)
    life.ok("register design.yaml --reviewer ola")
    assert life.ok(f"show {ID} --json").document["experiment"]["owner"] == "mira"
    refused = fairtrial(f"review {ID} --approve --as ola")
    assert refused.exit_code == 1
    assert "The token is mira's, and ola is named" in refused.err
    assert (
        secret not in refused.err + life.ok("people token list --json").out + life.ok("audit log --json").out
    )


def test_once_tokens_are_required_as_alone_is_refused(
    fairtrial: Callable[..., Any], at: Callable[[str], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = at("founded")
    assert "has no active token" in fairtrial("people require-tokens --as ada").err
    secret = secret_of(life, "laptop --as ada")
    life.ok("people require-tokens --as ada")
    refused = fairtrial("people add noor --as ada --json")
    assert refused.exit_code == 1
    assert "'ada' is a name, not a proof" in refused.document["error"]["problems"][0]["reason"]
    monkeypatch.setenv("FAIRTRIAL_ACTOR", "ada")
    assert fairtrial("people add noor").exit_code == 1
    monkeypatch.setenv("FAIRTRIAL_TOKEN", secret)
    life.ok("people add noor")
    assert len(life.ok("audit log --json --action", "use token refused").document["records"]) == 2
    life.ok("people require-tokens --off")
    monkeypatch.delenv("FAIRTRIAL_TOKEN")
    life.ok("people add ines --as ada")


def test_in_one_person_mode_too_the_person_is_proven_once_tokens_are_required(
    fairtrial: Callable[..., Any], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    life = Life(tmp_path, fairtrial)
    life.ok("init . --one-person uma")
    secret = secret_of(life, "laptop")
    life.ok("people require-tokens")
    assert "none was given" in fairtrial("people token create other").err
    monkeypatch.setenv("FAIRTRIAL_TOKEN", secret)
    life.ok("people token create other")


def test_a_revoked_token_and_nonsense_are_refused_on_record(
    fairtrial: Callable[..., Any], at: Callable[[str], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = at("founded")
    made = life.ok("people token create schedule --for mira --days 30 --as ada --json").document
    id, secret = made["token"]["id"], made["secret"]
    assert (made["token"]["person"], made["token"]["issued_by"]) == ("mira", "ada")
    assert "revoked" in life.ok(f"people token revoke {id} --as mira").out
    (listed,) = life.ok("people token list mira --json").document["tokens"]
    assert listed["standing"] == "revoked"
    assert "secret" not in listed
    for token in (secret, "nonsense-nobody-made"):
        monkeypatch.setenv("FAIRTRIAL_TOKEN", token)
        ran = fairtrial("register design.yaml --reviewer ola --json")
        assert ran.exit_code == 1
        assert token not in ran.out + ran.err
    monkeypatch.delenv("FAIRTRIAL_TOKEN")
    log = life.ok("audit log --json").out
    assert log.count("use token refused") == 2
    assert secret not in log
    assert "nonsense" not in log


def test_bad_usage_names_the_argument(fairtrial: Callable[..., Any], at: Callable[[str], Life]) -> None:
    at("founded")
    ran = fairtrial("people token create --as mira --json", " ")
    assert ran.exit_code == 2
    assert "NAME: '' is not allowed" in ran.document["error"]["message"]
    assert fairtrial("people token create x --days 400 --as mira").exit_code == 2
