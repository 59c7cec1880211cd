"""`people`, and who acts: a name given, the environment, or the one person of one-person mode."""

from __future__ import annotations

from app.cli.people import RoleName, role_of
from app.cli.records import LabelName, StateName
from registry.actors import Role
from registry.records import Label, State


def test_every_role_state_and_label_of_the_registry_can_be_typed():
    assert {role_of(name) for name in RoleName} == set(Role) - {Role.SYSTEM}
    assert [name.name for name in StateName] == [state.name for state in State]
    assert set(LabelName.__args__) == {label.value for label in Label}


def test_everybody_is_listed_with_their_roles(fairtrial, at):
    at("founded")
    people = {person["id"]: person["roles"] for person in fairtrial("people list --json").document["people"]}
    assert people["mira"] == ["Analyst"]
    assert people["system"] == ["System"]
    assert "ola" in fairtrial("people list").out


def test_an_admin_adds_grants_revokes_and_lets_go(fairtrial, at):
    life = at("founded")
    life.ok("people add noor --role viewer --role on-call --as ada --name", "Noor Ahmed")
    assert "Decider" in life.ok("people grant noor decider --as ada").out
    roles = life.ok("people revoke noor viewer --as ada --json").document["person"]["roles"]
    assert roles == ["Decider", "On-call"]
    assert "no longer active" in life.ok("people let-go noor --as ada --reason", "Left the company.").out
    life.ok("people grant noor admin --as ada")
    assert "no longer active" in fairtrial("people add ines --as noor").err


def test_only_an_admin_changes_people_and_the_attempt_is_on_record(fairtrial, at):
    at("founded")
    ran = fairtrial("people grant mira decider --as mira --json")
    assert ran.exit_code == 1
    (problem,) = ran.document["error"]["problems"]
    assert "Only an admin" in problem["reason"]
    assert problem["what_to_do"]
    (record,) = fairtrial("audit log --json --action", "grant role refused").document["records"]
    assert record["actor"] == "mira"


def test_in_a_team_somebody_has_to_say_who_acts(fairtrial, at, monkeypatch):
    at("founded")
    ran = fairtrial("people add noor --json")
    assert ran.exit_code == 2
    message = ran.document["error"]["message"]
    assert "--as ID" in message
    assert "FAIRTRIAL_ACTOR" in message
    assert "mira" in message
    monkeypatch.setenv("FAIRTRIAL_ACTOR", "ada")
    assert fairtrial("people add noor").exit_code == 0
    assert fairtrial("people add ines --as mira").exit_code == 1


def test_a_stranger_is_refused(fairtrial, at):
    at("founded")
    ran = fairtrial("people add noor --as nobody")
    assert ran.exit_code == 1
    assert "Nobody here is called 'nobody'" in ran.err


def test_an_id_that_is_none_is_bad_usage(fairtrial, at):
    at("founded")
    ran = fairtrial("people add --as ada", "Not An Id")
    assert ran.exit_code == 2
    assert "an id is 1 to 64" in ran.err


def test_alone_nobody_has_to_say_who_acts_until_it_is_a_team(fairtrial, tmp_path, monkeypatch):
    monkeypatch.delenv("FAIRTRIAL_ACTOR", raising=False)
    monkeypatch.chdir(tmp_path)
    fairtrial("init --one-person ada")
    ran = fairtrial("people add noor")
    assert ran.exit_code == 1
    assert "for one person" in ran.err
    assert fairtrial("people become-team").exit_code == 0
    assert fairtrial("people add noor").exit_code == 2
    assert fairtrial("people add noor --as ada").exit_code == 0


def test_settings_that_name_another_one_person_than_the_registry_act_for_nobody(
    fairtrial, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    fairtrial("init --one-person ada")
    monkeypatch.setenv("FAIRTRIAL_ONE_PERSON", "eve")
    ran = fairtrial("people become-team")
    assert ran.exit_code == 2
    assert "'eve'" in ran.err
