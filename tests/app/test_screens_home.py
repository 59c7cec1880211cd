"""Home: what needs whom at which stage, counts, quality; never an effect."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app.cli.session import open_workspace_registry
from app.overview.home import home_of
from app.overview.listing import Filters, as_csv, on_home, rows_of
from app.overview.needs import ago, needs_of
from app.settings import load_settings
from app.worker import Worker
from registry import jobs, lifecycle
from registry.portfolio import portfolio
from registry.sealing import WATCHED
from registry.store import who_is
from tests.app.browsing import PEOPLE, sent, served_to_this_machine, visit
from tests.app.life import BROKEN, ID, STAGES, START, Life

LONG = (
    "The declared rule was met, but the change cannot be undone once it is out, and the team that runs it is away; "
    * 2
)


def needs(person: str) -> list[tuple[str, str]]:
    """What waits for somebody in the current workspace, and where it is done."""
    with open_workspace_registry(load_settings()) as registry:
        return [(need.what, need.tab) for need in needs_of(who_is(registry, person), portfolio(registry))]


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_shown_in_words(at, stage):
    at(stage)
    shown = visit("")
    assert not shown.exception
    assert shown.title[0].value == "Home"
    assert "Simulated clock" in shown.warning[0].value
    if stage == "founded":
        assert "No experiment is registered yet" in shown.info[0].value
        return
    words = {
        "in_review": "In review",
        "registered": "Registered",
        "running": "Running",
        "due": "Running",
        "read_out": "Readout",
        "decided": "Decided",
    }
    assert [(metric.label, metric.value) for metric in shown.metric] == [(words[stage], "1")]


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "founded"])
@pytest.mark.parametrize("person", PEOPLE)
def test_a_verdict_is_said_only_once_released_and_no_number_ever(at, stage, person):
    life = at(stage)
    if person in ("vic", "lou"):
        life.ok(f"people add {person} --role viewer --as ada")
    said = sent(visit("", person))
    released = stage in ("read_out", "decided")
    assert ("✓ SHIP" in said) is released
    assert not any(
        word in said.casefold() for word in ("confidence interval", "p-value", "lift", "winner", "uplift")
    )


def test_a_review_needs_the_reviewer_alone(at):
    at("in_review")
    assert needs("ola") == [("mira asks for your review", "plan")]
    assert needs("mira") == needs("dan") == needs("ada") == []
    assert "mira asks for your review" in sent(visit("", "ola"))
    assert "Nothing needs you" in sent(visit("", "mira"))


def test_requested_changes_need_the_owner_with_the_reason(at):
    life = at("in_review")
    life.ok(
        f"review {ID} --as ola --request-changes", "The margin has no reason that a stranger could follow."
    )
    ((what, _),) = needs("mira")
    assert what == "ola requested changes: The margin has no reason that a stranger could follow."
    assert needs("ola") == []


def test_a_due_look_needs_the_owner_once_the_worker_has_said_so(at):
    life = at("due")
    assert needs("mira") == []
    with open_workspace_registry(load_settings()) as registry:
        jobs.request(registry, "mira", jobs.Kind.LOOK_STATUS, ID)
    Worker(life.folder).run(once=True)
    assert needs("mira") == [("The look is due", "looks")]
    assert needs("ola") == needs("dan") == []


def test_failing_health_comes_first_and_needs_the_owner(tmp_path, monkeypatch, fairtrial):
    monkeypatch.chdir(tmp_path)
    life = Life(tmp_path, fairtrial, faults=BROKEN)
    life.due()
    with open_workspace_registry(load_settings()) as registry:
        jobs.request(registry, "mira", jobs.Kind.HEALTH, ID)
        jobs.request(registry, "mira", jobs.Kind.LOOK_STATUS, ID)
    Worker(life.folder).run(once=True)
    assert [what.split(":")[0] for what, _ in needs("mira")] == ["Health fails", "The look is due"]
    life.fairtrial(f"readout {ID} --as mira")
    assert needs("dan")[0][0].startswith("INVALID (")
    assert needs("mira")[0][0].endswith("clone it as a new experiment")


def test_a_readout_needs_every_decider_and_a_decision_against_it_the_other_one(at):
    at("read_out")
    waiting = [("The readout is released and waits for a decision", "readout")]
    assert needs("dan") == needs("eve") == waiting
    assert needs("mira") == needs("ola") == []
    with open_workspace_registry(load_settings()) as registry:
        lifecycle.decide(registry, "dan", ID, lifecycle.Choice.DO_NOT_SHIP, LONG)
    assert needs("dan") == []
    assert needs("eve") == [
        ("A decision against the verdict needs a second decider (proposed by dan)", "readout")
    ]


def test_nothing_is_needed_of_a_closed_experiment(at):
    at("decided")
    assert [needs(person) for person in ("mira", "ola", "dan", "eve", "ada")] == [[]] * 5


def test_quality_counts_rules_that_were_kept_and_names_who_broke_them(at):
    life = at("running")
    life.ok(f"stop {ID} --as mira --reason", "The service behind it is switched off for maintenance.")
    life.due()
    life.ok(f"readout {ID} --as mira")
    with open_workspace_registry(load_settings()) as registry:
        kept = {one.rule: one for one in home_of(who_is(registry, "mira"), portfolio(registry)).kept}
    assert kept["Ended as planned, not by hand"].broken == (ID,)
    assert (
        kept["Registered before the first exposure"].kept,
        kept["Registered before the first exposure"].of,
    ) == (1, 1)
    assert kept["Decided, with a reason on record"].broken == (ID,)
    assert kept["Decision as the declared rule said"].of == 0


def read_again(life: Life, *purposes: str) -> frozenset[str]:
    """What counts as read again, once outcomes were read for these before the readout."""
    with open_workspace_registry(load_settings()) as registry:
        for purpose in purposes:
            lifecycle.record_outcome_read(registry, "system", ID, purpose, 10)
    life.ok(f"readout {ID} --as mira")
    life.ok(f"readout {ID} --verify --as mira")
    with open_workspace_registry(load_settings()) as registry:
        lifecycle.record_outcome_read(registry, "system", ID, "look 1", 10)  # after the release anybody may
        return portfolio(registry).read_again


def test_a_look_s_outcomes_are_read_once_however_often_a_harm_stop_watches(at):
    assert read_again(at("due"), WATCHED, WATCHED) == frozenset()


def test_outcomes_read_again_for_the_same_look_are_counted_as_such(at):
    assert read_again(at("due"), "look 1") == {ID}
    with open_workspace_registry(load_settings()) as registry:
        kept = {one.rule: one for one in home_of(who_is(registry, "mira"), portfolio(registry)).kept}
    assert kept["Outcomes read once at each look"].broken == (ID,)


# The list and the timeline


def pressed(page: AppTest, label: str) -> AppTest:
    with served_to_this_machine():
        return next(button for button in page.button if button.label == label).click().run()


def rows(page: AppTest) -> list[str]:
    """The experiments of Home's list."""
    listed = [one.value for one in page.table if "Owner" in one.value.columns]
    return [cell.split("]")[0].lstrip("[") for table in listed for cell in table["Experiment"]]


def test_filters_of_the_list_stand_in_the_address(at):
    at("running")
    for query in ({}, {"state": "Running"}, {"owner": "mira", "metric": "success@1", "text": "SMALL change"}):
        assert rows(visit("", query=query)) == [ID], query
    shown = visit("", query={"text": "zebra"})
    assert rows(shown) == []
    assert "No experiment matches these filters" in sent(shown)
    assert rows(pressed(shown, "Clear the filters")) == [ID]


def test_closed_experiments_are_listed_where_their_state_is_asked_for(at):
    at("decided")
    assert rows(visit("")) == []
    assert "None is open" in sent(visit(""))
    shown = visit("", query={"state": "Decided"})
    assert rows(shown) == [ID]
    assert "1 experiment, 0 enrolling now" in sent(shown)


def test_a_star_is_set_found_and_taken_away_by_its_person_alone(at):
    at("running")
    shown = visit("", "mira")
    assert next(one for one in shown.button if one.label == "☆ Star").disabled
    with served_to_this_machine():
        shown = next(box for box in shown.selectbox if box.key == "open").select(ID).run()
    shown = pressed(shown, "☆ Star")
    assert "Starred by me (1)" in sent(shown)
    assert rows(visit("", "mira", {"starred": "true"})) == [ID]
    assert rows(visit("experiments", "mira", {"starred": "true"})) == [ID]
    other = visit("", "ola", {"starred": "true"})
    assert "Starred by me (0)" in sent(other)
    assert rows(other) == []
    pressed(shown, "★ Take the star away")
    assert "Starred by me (0)" in sent(visit("", "mira"))


def test_the_file_holds_what_the_list_found(at):
    at("running")
    page = visit("")
    button = next(iter(page.get("download_button")))
    assert button.label == "Download the list (CSV)"
    with open_workspace_registry(load_settings()) as registry:
        found = portfolio(registry)
    ((head, row),) = [as_csv(rows_of(on_home(found, Filters(text="small")), found)).splitlines()]
    assert head.startswith("id,title,state,")
    assert row.startswith(f"{ID},A small change for everybody,running,Running,mira")
    assert on_home(found, Filters(text="zebra")) == ()
    assert on_home(found, Filters(only=frozenset())) == ()


def test_home_draws_a_timeline_with_its_sentence_and_says_what_is_left_out(at):
    at("running")
    shown = visit("")
    assert shown.header[3].value == "Timeline"
    assert "1 experiment, 1 enrolling now" in sent(shown)
    at("in_review")
    assert "None of those above has begun" in sent(visit(""))


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0, "just now"), (0.5, "30 minutes ago"), (1, "1 hour ago"), (47, "1 day ago"), (-3, "just now")],
)
def test_how_long_ago_is_in_the_largest_whole_unit(hours, words):
    from datetime import timedelta

    assert ago(START - timedelta(hours=hours), START) == words
