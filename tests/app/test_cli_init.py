"""`init` and `clock`: a workspace from nothing, overwriting nothing; a simulated clock that only goes forward."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.init import person_id
from app.settings import load_settings
from app.settings_file import with_setting
from app.templates import WORKSPACE, workspace_file


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ACTOR", "REGISTRY", "CLOCK", "ONE_PERSON", "LEDGER_KEY", "LEDGER_ANCHOR"):
        monkeypatch.delenv(f"FAIRTRIAL_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_alone_the_first_registration_takes_two_commands(fairtrial, empty, monkeypatch):
    ran = fairtrial("init my-tests --one-person Ada --json")
    assert ran.exit_code == 0, ran.err
    assert set(ran.document["written"]) == {*WORKSPACE, "designs/model-ab.yaml"}
    assert (ran.document["person"], ran.document["simulated"]) == ("ada", False)
    monkeypatch.chdir(empty / "my-tests")
    ran = fairtrial("register designs/model-ab.yaml --self-review --json")
    assert ran.exit_code == 0, ran.err
    assert ran.document["experiment"]["labels"] == ["self-reviewed"]
    assert ran.document["experiment"]["state"] == "registered"


def test_init_names_the_command_that_comes_next(fairtrial):
    assert (
        "Next: cd alone && fairtrial design preview designs/model-ab.yaml"
        in fairtrial("init alone --one-person ada").out
    )
    assert "Next: cd team && fairtrial people add" in fairtrial("init team --admin ada").out


def test_a_team_s_admin_may_have_a_role_besides(fairtrial, monkeypatch, empty):
    assert fairtrial("init . --role analyst --role decider --admin", "Ada Lovelace").exit_code == 0
    (ada, _) = fairtrial("people list --json").document["people"]
    assert (ada["id"], ada["roles"], ada["one_person"]) == (
        "ada-lovelace",
        ["Admin", "Analyst", "Decider"],
        False,
    )


def test_what_a_team_has_written_already_is_kept(fairtrial, empty):
    (empty / "metrics.yaml").write_text("metrics: []  # ours\n")
    ran = fairtrial("init --one-person ada --json")
    assert "metrics.yaml" not in ran.document["written"]
    assert (empty / "metrics.yaml").read_text() == "metrics: []  # ours\n"


def test_a_workspace_is_started_once(fairtrial, empty):
    fairtrial("init --one-person ada")
    before = (empty / "fairtrial.yaml").read_text()
    ran = fairtrial("init --admin eve --json")
    assert ran.exit_code == 1
    assert "is a workspace already" in ran.document["error"]["message"]
    assert (empty / "fairtrial.yaml").read_text() == before


def test_a_founded_registry_is_joined_and_not_founded_again(fairtrial, empty):
    fairtrial("init first --admin ada")
    registry = str(empty / "first" / ".fairtrial" / "registry.db")
    ran = fairtrial("init second --json --registry", registry)
    assert ran.exit_code == 0, ran.err
    assert ran.document["joined"] is True
    again = fairtrial("init third --admin eve --registry", registry)
    assert again.exit_code == 1
    assert "has been founded already" in again.err
    assert not (empty / "third" / "fairtrial.yaml").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("init", "say who founds the registry"),
        ("init --one-person ada --admin ada", "not both"),
        ("init --one-person ada --role analyst", "--role goes with --admin"),
        ("init --admin !!!", "not allowed as a name"),
        ("init --registry new.db", "say who founds it"),
        ("init --admin ada --role nonesuch", "nonesuch"),
    ],
)
def test_bad_usage_of_init_writes_nothing(fairtrial, empty, line, said):
    ran = fairtrial(line + " --json")
    assert ran.exit_code == 2
    assert said in ran.document["error"]["message"]
    assert not (empty / "fairtrial.yaml").exists()


@pytest.mark.parametrize("option", ["--simulated-clock yesterday", "--registry mysql://host/name"])
def test_settings_that_cannot_be_are_refused_before_anything_is_written(fairtrial, empty, option):
    ran = fairtrial(f"init --admin ada {option}")
    assert ran.exit_code == 1
    assert ran.err.startswith("Error: ")
    assert not (empty / "fairtrial.yaml").exists()


def test_a_name_becomes_an_id():
    assert person_id("Ada Lovelace") == "ada-lovelace"
    assert person_id("ada@example.org") == "ada@example.org"


def test_without_a_registry_every_command_says_where_to_start(fairtrial):
    for line in ("list", "people list", "audit verify", "show EXP-0001", "health EXP-0001"):
        ran = fairtrial(line)
        assert ran.exit_code == 1
        assert "fairtrial init" in ran.err


# The clock


def test_under_a_simulated_clock_every_answer_says_so(fairtrial):
    fairtrial("init --one-person ada --simulated-clock 2026-11-01T00:00:00Z")
    for line in ("people list", "list", "audit log", "audit verify", "clock"):
        assert fairtrial(line).out.startswith("Simulated clock: 1 Nov 2026, 00:00 UTC")
        assert fairtrial(line + " --json").document["simulated"] is True
    assert "Simulated clock" in fairtrial("show EXP-0009").err


def test_a_simulated_clock_is_moved_forward_and_stays_there(fairtrial, empty):
    fairtrial("init --one-person ada --simulated-clock 2026-11-01T00:00:00Z")
    assert fairtrial("clock --advance 36h --json").document["now"] == "2026-11-02T12:00:00Z"
    assert fairtrial("clock --set 2026-12-01 --json").document["now"] == "2026-12-01T00:00:00Z"
    assert load_settings(empty).clock.isoformat() == "2026-12-01T00:00:00+00:00"
    back = fairtrial("clock --set 2026-11-30")
    assert (back.exit_code, "only goes forward" in back.err) == (1, True)


def test_the_machine_s_clock_is_shown_and_never_moved(fairtrial):
    fairtrial("init --one-person ada")
    assert fairtrial("clock --json").document["simulated"] is False
    ran = fairtrial("clock --advance 7d")
    assert ran.exit_code == 1
    assert "nothing moves that" in ran.err


@pytest.mark.parametrize(
    "line", ["clock --advance soon", "clock --set soon", "clock --advance 1d --set 2027-01-01"]
)
def test_bad_usage_of_the_clock(fairtrial, line):
    fairtrial("init --one-person ada --simulated-clock 2026-11-01T00:00:00Z")
    assert fairtrial(line).exit_code == 2


def test_a_setting_is_changed_in_its_place_and_the_comments_stay():
    text = workspace_file("fairtrial.yaml")
    changed = with_setting(text, "clock", "2026-11-01T00:00:00Z")
    assert changed.count("\n") == text.count("\n")
    assert 'clock: "2026-11-01T00:00:00Z"' in changed.splitlines()
    assert "# where assignments and exposures lie" in changed
    assert with_setting(changed, "clock", None).splitlines()[-1].startswith('# clock: "2026')
    assert with_setting("catalogue: m.yaml", "clock", "x") == 'catalogue: m.yaml\nclock: "x"\n'
