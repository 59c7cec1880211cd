"""`register`, `review`, `clone`: a design becomes a draft, goes to its reviewer, and is locked."""

from __future__ import annotations

import pytest

from tests.app.life import DESIGN, ID, START

WHY = "The margin needs a reason that comes from cost."


def test_a_design_is_saved_and_sent_to_its_reviewer(fairtrial, at):
    at("founded")
    ran = fairtrial("register design.yaml --reviewer ola --as mira --json")
    assert ran.exit_code == 0
    experiment = ran.document["experiment"]
    assert (experiment["id"], experiment["state"], experiment["reviewer"]) == (ID, "in_review", "ola")
    checked = fairtrial("design check design.yaml --json").document["sha256"]
    assert experiment["sha256"] == checked


def test_a_draft_waits_and_is_updated_and_sent_later(fairtrial, at):
    life = at("founded")
    assert "Draft" in life.ok("register design.yaml --draft --as mira").out
    (life.folder / "design.yaml").write_text(DESIGN + "anything_else: The weather was fine.\n")
    updated = life.ok(f"register --update {ID} design.yaml --reviewer ola --as mira --json").document
    assert updated["experiment"]["state"] == "in_review"
    assert len(fairtrial("list --json").document["experiments"]) == 1


def test_a_plan_under_review_is_taken_back_changed_and_sent_again(fairtrial, at):
    life = at("in_review")
    before = life.ok(f"show {ID} --json").document["experiment"]["sha256"]
    (life.folder / "design.yaml").write_text(DESIGN + "anything_else: The weather was fine.\n")
    life.ok(f"register --update {ID} design.yaml --reviewer ola --as mira")
    actions = [record["action"] for record in life.ok(f"show {ID} --json").document["history"]]
    assert actions[-3:] == ["take back", "save draft", "submit"]
    ran = life.ok(f"review {ID} --diff --as ola --json").document
    assert ran["experiment"]["sha256"] != before
    assert [(c["field"], c["old"], c["new"]) for c in ran["changes"]] == [
        ("anything_else", "", "The weather was fine.")
    ]


def test_without_a_reviewer_nothing_is_saved(fairtrial, at):
    at("founded")
    ran = fairtrial("register design.yaml --as mira")
    assert ran.exit_code == 2
    assert "--reviewer ID" in ran.err
    assert fairtrial("list --json").document["experiments"] == []


def test_a_refused_submission_says_that_the_draft_is_kept(fairtrial, at):
    at("founded")
    ran = fairtrial("register design.yaml --reviewer dan --as mira --json")
    assert ran.exit_code == 1
    assert ran.document["experiment"]["id"] == ID
    assert "'dan' is not a reviewer" in ran.document["error"]["problems"][0]["reason"]
    assert f"register --update {ID} design.yaml" in ran.err
    assert fairtrial("list --json").document["experiments"][0]["state"] == "draft"


def test_a_design_with_problems_is_not_registered(fairtrial, at):
    life = at("founded")
    (life.folder / "design.yaml").write_text(DESIGN.replace("success@1", "sucess@1"))
    ran = fairtrial("register design.yaml --reviewer ola --as mira --json")
    assert (ran.exit_code, ran.document["error"]["kind"]) == (1, "invalid")
    assert fairtrial("list --json").document["experiments"] == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("register", "FILE"),
        ("register design.yaml --draft --reviewer ola --as mira", "--draft"),
        ("register design.yaml --self-review --as mira", "one-person mode"),
        (f"review {ID} --approve --request-changes no --as ola", "not both"),
        (f"review {ID} --late because", "--late goes with --approve"),
        (f"review {ID} --approve --late because --retrospective because", "not both"),
        (f"review {ID} --diff", "no earlier plan"),
        (f"review {ID} --approve", "nobody says who acts"),
    ],
)
def test_bad_usage(fairtrial, at, line, said):
    at("in_review")
    ran = fairtrial(line + " --json")
    assert ran.exit_code == 2
    assert said in ran.document["error"]["message"]


def test_the_review_shows_the_protocol_and_what_the_logs_say_and_changes_nothing(fairtrial, at):
    at("in_review")
    ran = fairtrial(f"review {ID}")
    assert ran.exit_code == 0
    assert "Success means: success@1 is higher" in ran.out
    assert "no unit has been exposed" in ran.out
    assert f"Next: fairtrial review {ID} --approve --as ola" in ran.out
    document = fairtrial(f"review {ID} --json").document
    assert document["exposure"]["first"] is None
    assert document["protocol"][0]["heading"] == "Question"
    assert document["experiment"]["state"] == "in_review"


def test_the_reviewer_locks_and_nobody_else_does(fairtrial, at):
    at("in_review")
    for other in ("mira", "ada", "dan"):
        ran = fairtrial(f"review {ID} --approve --as {other} --json")
        assert ran.exit_code == 1
        assert "Only the reviewer" in ran.document["error"]["problems"][0]["reason"]
    ran = fairtrial(f"review {ID} --approve --as ola --json")
    assert ran.exit_code == 0
    assert ran.document["experiment"]["state"] == "registered"
    assert ran.document["experiment"]["plan_version"] == 1


def test_the_reviewer_sends_a_plan_back_with_a_reason(fairtrial, at):
    at("in_review")
    assert fairtrial(f"review {ID} --as ola --request-changes", "no").exit_code == 1
    ran = fairtrial(f"review {ID} --as ola --json --request-changes", WHY)
    assert ran.document["experiment"]["state"] == "draft"


def test_exposed_units_make_it_late_and_that_has_to_be_said(fairtrial, at):
    life = at("in_review")
    life.pass_to(START.replace(hour=18))
    assert "show the first exposure at 2 Nov 2026" in fairtrial(f"review {ID}").out
    ran = fairtrial(f"review {ID} --approve --as ola --json")
    assert ran.exit_code == 1
    assert "declared as late" in ran.document["error"]["problems"][0]["when_possible"]
    ran = fairtrial(
        f"review {ID} --approve --as ola --json --late", "The switch was turned on a day too early."
    )
    assert "late" in ran.document["experiment"]["labels"]


def test_data_that_are_there_already_make_it_retrospective(fairtrial, at):
    life = at("in_review")
    life.pass_to(START.replace(day=8))
    assert "complete already" in fairtrial(f"review {ID}").out
    reason = "The logs of last week are analysed by the plan written now."
    assert fairtrial(f"review {ID} --approve --as ola --late", reason).exit_code == 1
    ran = fairtrial(f"review {ID} --approve --as ola --json --retrospective", reason)
    assert "retrospective" in ran.document["experiment"]["labels"]


def test_a_log_that_is_there_and_cannot_be_read_stops_the_lock(fairtrial, at):
    life = at("in_review")
    broken = life.folder / "logs" / "assignments" / "dt=2026-11-01" / "part.parquet"
    broken.parent.mkdir(parents=True)
    broken.write_text("this is no parquet")
    ran = fairtrial(f"review {ID} --approve --as ola")
    assert ran.exit_code == 1
    assert "assignments" in ran.err
    assert fairtrial("list --json").document["experiments"][0]["state"] == "in_review"


def test_alone_a_plan_is_locked_at_once_and_labelled_for_ever(fairtrial, at, tmp_path, monkeypatch):
    (tmp_path / "alone").mkdir()
    life = at("founded")
    for name in ("design.yaml", "metrics.yaml", "sources.yaml", "outcomes.yaml"):
        (tmp_path / "alone" / name).write_text((life.folder / name).read_text())
    monkeypatch.chdir(tmp_path / "alone")
    life.ok("init --one-person uma")
    ran = fairtrial("register design.yaml --self-review --json")
    assert ran.exit_code == 0, ran.err
    assert (ran.document["experiment"]["state"], ran.document["experiment"]["labels"]) == (
        "registered",
        ["self-reviewed"],
    )
    assert "no unit has been exposed" in ran.err
    again = fairtrial("register design.yaml --self-review --json")
    assert again.exit_code == 1
    assert "has the same title" in again.document["error"]["problems"][0]["reason"]


def test_a_clone_begins_with_the_same_plan_as_a_draft(fairtrial, at):
    at("registered")
    ran = fairtrial(f"clone {ID} --as mira --json").document["experiment"]
    assert (ran["id"], ran["state"]) == ("EXP-0002", "draft")
    assert fairtrial("clone EXP-0007 --as mira").exit_code == 1
    assert fairtrial("show EXP-0002 --plan").out == DESIGN
