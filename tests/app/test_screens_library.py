"""The list, metrics, audit log and help: the right rows, filters in the address, words that cannot drift."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.cli.session import open_workspace_registry
from app.overview.catalogue import described, gone
from app.overview.glossary import HELD, STATES, TERMS, VERDICTS, roles, states
from app.overview.listing import Filters, as_csv, listed
from app.overview.trail import as_jsonl
from app.screens import pieces
from app.settings import load_settings
from app.worker import Worker
from experiments.designs.metrics import load_catalogue
from experiments.readouts.verdict import Findings, PrimaryState, verdict_of
from registry.actors import Person, Role
from registry.lifecycle import possible_acts
from registry.lifecycle.states import RULES, WORK, Who
from registry.portfolio import last_plans, portfolio
from registry.records import State
from registry.store import export_ledger, find_ledger, show
from tests.app.browsing import sent, served_to_this_machine, visit
from tests.app.life import ID


def pressed(page: AppTest, label: str) -> AppTest:
    """The page after a button was pressed."""
    with served_to_this_machine():
        return next(button for button in page.button if button.label == label).click().run()


# Experiments


def test_the_list_shows_state_owner_metric_and_a_verdict_once_released(at):
    at("running")
    row = visit("experiments").table[0].value.iloc[0]
    assert ID in row["Experiment"]
    assert (row["State"], row["Owner"], row["Verdict"]) == ("Running", "mira", "not released")
    assert row["Primary metric"] == "success@1"
    at("decided")
    row = visit("experiments").table[0].value.iloc[0]
    assert (row["State"], row["Verdict"]) == ("Decided\\: shipped", "✓ SHIP")


def test_filters_stand_in_the_address(at):
    at("running")
    assert (
        len(visit("experiments", query={"owner": "mira", "state": "Running", "text": "SMALL change"}).table)
        == 1
    )
    for query in ({"text": "no such words"}, {"state": "Running", "text": "zebra"}):
        shown = visit("experiments", query=query)
        assert len(shown.table) == 0
        assert "No experiment matches" in shown.info[0].value
    unknown = visit("experiments", query={"state": "No such state"})
    assert not unknown.exception
    assert len(unknown.table) == 1


def test_an_empty_list_says_what_will_be_there(at):
    at("founded")
    assert "Register the first one" in visit("experiments").info[0].value


def test_many_rows_go_into_a_grid_with_a_text_for_those_who_cannot_see_it(at, monkeypatch):
    at("running")
    monkeypatch.setattr(pieces, "FEW", 0)
    monkeypatch.setattr("app.screens.experiments.FEW", 0)
    shown = visit("experiments")
    (grid,) = shown.dataframe
    assert grid.value.loc[0, "Experiment"] == f"experiment?id={ID}"
    assert "1 experiments with state" in sent(shown)


def test_progress_comes_from_the_worker_and_is_of_units(at):
    life = at("running")
    with open_workspace_registry(load_settings()) as registry:
        assert listed(portfolio(registry))[0].progress is None
    life.ok("--version")
    _work(life.folder, "look-status", ID)
    with open_workspace_registry(load_settings()) as registry:
        (row,) = listed(portfolio(registry))
    assert row.progress is not None
    assert 0 < row.progress <= 1
    assert "of the planned units" in row.progress_words
    assert row.comes_next.startswith("The look, about ")


def test_the_file_of_the_list_holds_every_row_and_no_formula(at):
    at("running")
    with open_workspace_registry(load_settings()) as registry:
        found = portfolio(registry)
    bad = replace(found.experiments[0], title='=HYPERLINK("x")', owner="@mira")
    rows = listed(replace(found, experiments=(bad,)))
    (line,) = csv.DictReader(io.StringIO(as_csv(rows)))
    assert (line["id"], line["title"], line["owner"]) == (ID, '\'=HYPERLINK("x")', "'@mira")


def test_a_title_is_no_markup(at):
    at("running")
    with open_workspace_registry(load_settings()) as registry:
        found = portfolio(registry)
    title = "[click](http://x) ![p](http://y) **b** $x$ :red[r]"
    assert pieces.plain(title).count("\\") == sum(title.count(mark) for mark in "[]*$:!_|") - title.count("!")
    assert listed(found, Filters(text="small"))[0].id == ID


def _work(folder: Path, kind: str, entity: str) -> None:
    from registry import jobs

    with open_workspace_registry(load_settings(folder)) as registry:
        jobs.request(registry, "mira", kind, entity)
    Worker(folder).run(once=True)


# Metrics


def test_metrics_are_said_in_words_with_where_they_are_used(at):
    at("running")
    with open_workspace_registry(load_settings()) as registry:
        plans = last_plans(registry)
    catalogue = load_catalogue(Path("metrics.yaml"))
    one = next(metric for metric in described(catalogue, plans) if metric.name == "success")
    assert one.direction == "higher is better"
    assert one.formula == "1 when it has a done event in the window, else 0"
    assert one.window == "1 day from first exposure"
    assert one.baseline == "30% (made up)"
    assert one.missing.startswith("A unit without any event counts as 0.")
    assert [(use.experiment, use.role) for use in one.uses] == [(ID, "primary")]
    shown = visit("metrics", query={"metric": "success@1"})
    assert "In 1 experiment, the newest first" in sent(shown)


def test_a_version_that_only_plans_still_name_is_said_to_be_gone(at):
    at("running")
    with open_workspace_registry(load_settings()) as registry:
        plans = last_plans(registry)
    text = (
        Path("metrics.yaml")
        .read_text(encoding="utf-8")
        .replace("name: success, version: 1", "name: success, version: 2")
    )
    Path("metrics.yaml").write_text(text, encoding="utf-8")
    assert [one.reference for one in gone(load_catalogue(Path("metrics.yaml")), plans)] == ["success@1"]
    assert "No longer in the catalogue" in sent(visit("metrics"))


def test_every_metric_of_the_template_is_described():
    from app.templates import workspace_file
    from experiments.designs.metrics import parse_catalogue

    catalogue = parse_catalogue(workspace_file("metrics.yaml"))
    every = described(catalogue, {})
    assert {one.type for one in every} >= {"ratio of two sums", "quantile of values", "sum of values"}
    assert all(one.formula and one.missing and one.window for one in every)


def test_a_broken_catalogue_is_said_in_words(at):
    at("running")
    Path("metrics.yaml").write_text("metrics: [{name: x}]\n", encoding="utf-8")
    assert "This page cannot be shown" in visit("metrics").error[0].value


# Audit log


def test_the_log_is_filtered_by_the_address(at):
    at("decided")
    rows = visit("audit", query={"entity": ID, "action": "read outcomes"}).table[-1].value
    assert set(rows["Act"]) == {"read outcomes"}
    assert list(visit("audit", query={"actor": "dan"}).table[-1].value["Act"]) == ["decide"]
    none = visit("audit", query={"entity": ID, "since": "2030-01-01"})
    assert "No record matches" in none.info[0].value


def test_who_read_outcomes_is_told(at):
    at("running")
    assert "Nobody: no outcome" in sent(visit("audit"))
    at("read_out")
    readers = visit("audit").table[0].value
    assert set(readers["Who"]) == {"system"}
    assert set(readers["Of"]) == {ID}


def test_the_chain_is_verified_and_a_change_behind_its_back_is_named(at):
    life = at("running")
    assert "The record is whole" in pressed(visit("audit"), "Verify the chain").success[0].value
    with sqlite3.connect(life.folder / ".fairtrial" / "registry.db") as database:
        database.execute("UPDATE experiments SET title = 'Another one'")
    (said,) = [error.value for error in pressed(visit("audit"), "Verify the chain").error]
    assert "changed behind its back" in said
    assert "experiments" in said


def test_a_record_is_shown_with_what_it_changed(at):
    at("running")
    with open_workspace_registry(load_settings()) as registry:
        (entry,) = find_ledger(registry, action="register")
        assert json.loads(as_jsonl([entry])) == json.loads(list(export_ledger(registry))[entry.seq - 1])
    changed = visit("audit", query={"record": str(entry.seq)}).table[-1].value
    assert f"experiments {ID}" in set(changed["Of"])
    assert "registered" in set(changed["Is since"])


def test_the_log_is_paged(at, monkeypatch):
    at("decided")
    monkeypatch.setattr("app.screens.audit.PAGE", 5)
    first = visit("audit").table[-1].value
    second = visit("audit", query={"page": "2"}).table[-1].value
    assert len(first) == len(second) == 5
    assert int(first["Record"].iloc[-1]) == int(second["Record"].iloc[0]) + 1


# Help


def test_the_map_of_verdicts_is_the_one_that_decides():
    """Each line of the page against the function that gives the verdict, in its order."""
    from analysis.guardrails import GuardrailState as Guard

    ok = {
        "valid": True,
        "harm_stop": False,
        "stopped_by_hand": False,
        "guardrails": frozenset({Guard.WITHIN}),
    }
    cases = (
        {"valid": False, "primary": PrimaryState.MET},
        {"harm_stop": True, "primary": PrimaryState.MET},
        {"primary": PrimaryState.HARMED},
        {"primary": PrimaryState.MET, "guardrails": frozenset({Guard.BEYOND})},
        {"primary": PrimaryState.MISSING},
        {"primary": PrimaryState.MET, "stopped_by_hand": True},
        {"primary": PrimaryState.MET},
        {"primary": PrimaryState.MET, "guardrails": frozenset({Guard.NOT_RULED_OUT})},
        {"primary": PrimaryState.RULED_OUT},
        {"primary": PrimaryState.UNDECIDED},
    )
    mapped = [verdict_of(Findings(**(ok | case))) for case in cases]
    assert [one.row for one in mapped] == list(range(1, len(VERDICTS) + 1))
    assert [one.code for one in mapped] == [code for _, code, _ in VERDICTS]


def test_every_state_and_role_is_explained():
    assert set(STATES) == set(State)
    assert [one.role for one in roles()] == [role.value for role in Role]
    assert all(one.acts for one in roles())
    assert len(states()) == len(State)
    assert list(TERMS) == sorted(TERMS, key=str.casefold)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
def test_what_a_role_may_do_is_what_the_registry_permits(at, role):
    """For somebody who holds the one role and is all that the rules ask of a person in it."""
    at("running")
    with open_workspace_registry(load_settings()) as registry:
        running = show(registry, ID).experiment
    held = Person("somebody", "Somebody", True, frozenset({role}))
    told = {one.role: one.acts for one in roles()}[role.value]
    for state in State:
        as_analyst = replace(running, state=state, owner="somebody", reviewer="other", administrative={})
        as_reviewer = replace(running, state=state, owner="other", reviewer="somebody", administrative={})
        as_decider = replace(running, state=state, owner="other", reviewer="other2", administrative={})
        for one in (as_analyst, as_reviewer, as_decider):
            for verb in possible_acts(held, one):
                assert verb in told, (role, state, verb)
    claimed = [rule.verb for rule in RULES.values() if any(HELD[who] is role for who in rule.who)]
    assert [verb for verb in claimed if verb not in told] == []
    assert all((what in told) is (role in allowed) for what, allowed in WORK.items())
    assert set(HELD) == set(Who)


def test_words_are_found(at):
    at("running")
    shown = visit("help", query={"word": "guardrail"})
    assert "**Guardrail**" in sent(shown)
    assert "**Watermark**" not in sent(shown)
    assert "No term holds that" in sent(visit("help", query={"word": "zebra"}))


@pytest.mark.parametrize("address", ["shadow", "ladder", "monitors"])
def test_a_place_of_a_later_page_says_what_will_be_there(at, address):
    at("running")
    assert "Here will be" in visit(address).info[0].value
