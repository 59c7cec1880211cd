"""The metric pages: who vouches, what designs declared, what a metric can show; what is not known says so."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import NormalDist

import pytest
from streamlit.testing.v1 import AppTest

from app.cli.session import open_workspace_registry
from app.overview.catalogue import described, unverified
from app.overview.metric_power import WEEKS, false_alarms, sensitivity
from app.overview.metric_uses import Change, changes, margins
from app.screens.register.fields import about, verified_first
from app.settings import load_settings
from app.worker import Worker
from experiments.designs.metrics import Baseline, Metric, load_catalogue, parse_catalogue
from registry import jobs
from registry.canonical import sha256_of
from registry.portfolio import last_plans, last_simulations
from registry.stewardship import verified, verify_metric
from registry.store import find_ledger
from tests.app.browsing import sent, served_to_this_machine, visit
from tests.app.life import DESIGN_WITH_A_HARM_STOP, ID, METRICS, Life

REASON = "Compared with the October report: equal."


def catalogue():
    return load_catalogue(Path("metrics.yaml"))


def stewarded(life: Life) -> None:
    life.ok("people add sam --role metric-steward --as ada")


def vouched(life: Life, *references: str) -> None:
    stewarded(life)
    with open_workspace_registry(load_settings()) as registry:
        for reference in references:
            verify_metric(registry, "sam", catalogue()[reference], REASON)


def with_form(page: AppTest, label: str, text: str) -> AppTest:
    with served_to_this_machine():
        next(area for area in page.text_area if area.label == label).input(text)
        return next(button for button in page.button if "success@1" in button.label).click().run()


# Who vouches


def test_a_steward_verifies_on_the_page_and_takes_it_back(at):
    life = at("running")
    stewarded(life)
    page = visit("metrics", "sam", {"metric": "success@1"})
    assert "No metric steward vouches for this version yet" in sent(page)
    page = with_form(page, "What was checked", REASON)
    assert f"by sam, 3 Nov 2026, 12:00 UTC: {REASON}" in sent(page)
    page = with_form(
        visit("metrics", "sam", {"metric": "success@1"}), "Why the verification is taken back", "oh"
    )
    assert "The reason has 2 characters" in page.error[0].value
    page = with_form(page, "Why the verification is taken back", "The event is logged twice since Monday.")
    assert "No metric steward vouches for this version yet" in sent(page)
    with open_workspace_registry(load_settings()) as registry:
        acts = [record.action for record in find_ledger(registry, entity="metric:success@1")]
    assert acts == ["verify metric", "unverify metric refused", "unverify metric"]


@pytest.mark.parametrize("person", ["mira", "ada"])
def test_nobody_else_is_offered_to_verify(at, person):
    at("running")
    page = visit("metrics", person, {"metric": "success@1"})
    assert not page.text_area
    assert "A metric steward may verify it" in sent(page)


def test_the_filter_shows_only_what_is_verified_as_it_is_defined_now(at):
    life = at("running")
    vouched(life, "success@1", "failure@1")
    text = METRICS.replace("event: failed", "event: crashed")
    Path("metrics.yaml").write_text(text, encoding="utf-8")
    page = visit("metrics", "mira", {"verified": "true"})
    assert list(page.selectbox(key="metric").options) == ["success@1"]
    edited = visit("metrics", "mira", {"metric": "failure@1"})
    assert "The catalogue defines it otherwise than when it was verified" in sent(edited)


def test_the_form_offers_verified_metrics_first_and_says_what_is_not(at):
    life = at("running")
    vouched(life, "failure@1")
    with open_workspace_registry(load_settings()) as registry:
        known = verified(registry)
    assert verified_first(catalogue(), known) == ["failure@1", "success@1"]
    assert verified_first(catalogue(), None) == ["success@1", "failure@1"]
    assert dict(about(catalogue()["failure@1"], known))["Verified"] == "✓ by a metric steward"
    assert dict(about(catalogue()["success@1"], known))["Verified"].startswith("not by a metric steward yet")
    assert "Verified" not in dict(about(catalogue()["success@1"]))
    assert unverified(catalogue().values(), known) == ("success@1",)


def test_a_design_that_names_an_unverified_metric_gets_a_note_and_passes(at):
    life = at("running")
    ran = life.ok("design check design.yaml")
    assert "no metric steward vouches yet for success@1" in ran.out
    vouched(life, "success@1")
    assert "steward" not in life.ok("design check design.yaml").out
    assert life.ok("design check design.yaml --json").document["not_verified"] == []


def test_the_command_line_lists_verifies_and_takes_back(at):
    life = at("running")
    stewarded(life)
    refused = life.fairtrial("metric verify success@1 --as mira --reason", REASON)
    assert refused.exit_code == 1
    assert "Only a metric steward may verify a metric" in refused.err
    unknown = life.fairtrial("metric verify succes@1 --as sam --reason", REASON)
    assert unknown.exit_code == 2
    assert "Did you mean 'success'" in unknown.err
    life.ok("metric verify success --as sam --reason", REASON)
    found = life.ok("metric list --json").document["metrics"]
    assert {one["reference"]: one["standing"] for one in found} == {
        "failure@1": "not verified",
        "success@1": "verified",
    }
    assert [one["reference"] for one in life.ok("metric list --verified --json").document["metrics"]] == [
        "success@1"
    ]
    life.ok("metric unverify success@1 --as sam --reason", "The event is logged twice since Monday.")
    assert "There is no such metric" in life.ok("metric list --verified").out


# What designs declared


def test_margins_are_those_of_designs_with_their_reasons(tmp_path, monkeypatch, fairtrial):
    monkeypatch.chdir(tmp_path)
    Life(tmp_path, fairtrial, design=DESIGN_WITH_A_HARM_STOP).in_review()
    with open_workspace_registry(load_settings()) as registry:
        plans = last_plans(registry)
    (one,) = margins("failure@1", plans)
    assert (one.experiment, one.role, one.margin, one.why) == (
        ID,
        "harm stop",
        "10 percentage points",
        "people give up on failures",
    )
    assert margins("success@1", plans) == ()
    page = visit("metrics", "mira", {"metric": "failure@1"})
    assert "people give up on failures" in sent(page)
    assert "no design has declared one" in sent(visit("metrics", "mira", {"metric": "success@1"}))


def test_margins_are_written_in_the_metric_s_unit():
    metric = {"name": "latency", "version": 2, "type": "quantile", "unit": "ms"}
    measure = {
        "metric": metric,
        "role": "must-hold",
        "margin": {"kind": "absolute", "value": 20.0},
        "reason": "",
    }
    relative = measure | {"margin": {"kind": "relative", "value": 0.05}}
    plan = {"primary": measure | {"margin": None}, "guardrails": [measure, relative]}
    found = margins("latency@2", {"EXP-0001": plan})
    assert [(one.margin, one.why) for one in found] == [
        ("20 ms", "no reason is written"),
        ("5% of the control's value", "no reason is written"),
    ]


def test_what_changed_between_versions_is_said_rule_by_rule():
    text = METRICS + (
        "  - {name: success, version: 2, type: conversion, event: done, direction: higher, window: 2d, at_least: 2}\n"
    )
    newer, older = (one for one in described(parse_catalogue(text), {}) if one.name == "success")
    assert changes(older, newer) == (
        Change(
            "What a unit contributes",
            "1 when it has a done event in the window, else 0",
            "1 when it has at least 2 done events in the window, else 0",
        ),
        Change("Window", "1 day from first exposure", "2 days from first exposure"),
        Change("Baseline", "30% (made up)", "none given: a design gives its own"),
    )
    assert changes(newer, newer) == ()


# What it can show


def metric(**more) -> Metric:
    return Metric.model_validate(
        {"name": "m", "version": 1, "type": "conversion", "event": "e", "direction": "higher"} | more
    )


def test_the_smallest_effect_is_that_of_the_calculator():
    found = sensitivity(metric(baseline=Baseline(mean=0.2, source="October")), [500, 1000, 4000])
    assert (found.traffic, found.designs, found.not_known) == (1000, 3, None)
    # Roots of the power of the score test, found anew with scipy (norm, brentq): 0.02745, 0.01927, 0.01569, 0.01356
    assert [(week.weeks, week.units, week.effect) for week in found.weeks] == [
        (1, "7\u202f000", "2.7 percentage points"),
        (2, "14\u202f000", "1.9 percentage points"),
        (3, "21\u202f000", "1.6 percentage points"),
        (4, "28\u202f000", "1.4 percentage points"),
    ]
    assert len(found.weeks) == WEEKS


def test_the_smallest_effect_on_a_mean_is_that_of_a_z_test_by_hand():
    revenue = metric(
        type="sum", unit="EUR", direction="lower", baseline=Baseline(mean=12, sd=40, source="October")
    )
    found = sensitivity(revenue, [1000])
    by_hand = (NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)) * 40 * math.sqrt(2 / 3500)
    assert 2.65 < by_hand < 2.75
    assert found.weeks[0].effect == "2.7 EUR"


@pytest.mark.parametrize(
    ("more", "traffic", "why"),
    [
        ({}, [1000], "the catalogue gives no baseline"),
        ({"baseline": {"mean": 0.2, "source": "October"}}, [], "declares its traffic"),
        ({"baseline": {"mean": 3, "source": "October"}, "type": "sum"}, [1000], "no standard deviation"),
    ],
)
def test_what_is_not_known_says_so_and_shows_no_number(more, traffic, why):
    found = sensitivity(metric(**more), traffic)
    assert found.weeks == ()
    assert why in (found.not_known or "")


def test_a_week_of_too_few_units_says_so():
    found = sensitivity(metric(baseline=Baseline(mean=0.2, source="October")), [0.2])
    assert found.weeks[0].effect == "not known: fewer than 2 units in an arm"


def test_false_alarms_come_from_the_last_simulation_of_the_plan_as_it_is(at):
    life = at("running")
    assert "Not simulated yet" in sent(visit("metrics", "mira", {"metric": "success@1"}))
    with open_workspace_registry(load_settings()) as registry:
        jobs.request(registry, "mira", jobs.Kind.SIMULATE, ID, {"replays": 400, "seed": 7})
    Worker(life.folder).run(once=True)
    with open_workspace_registry(load_settings()) as registry:
        plans, simulated = last_plans(registry), last_simulations(registry, [ID])
    (one,) = false_alarms("success@1", plans, simulated)
    none = next(row for row in simulated[ID]["rows"] if row["truth"] == "0")
    assert (one.share, one.error, one.replays) == (
        none["ship"]["value"],
        none["ship"]["standard_error"],
        400,
    )
    assert one.nominal == 0.025
    assert abs(one.share - 0.025) < 4 * one.error  # a score test of one primary and nothing else
    assert "its rule allows 2.5%" in sent(visit("metrics", "mira", {"metric": "success@1"}))
    assert false_alarms("failure@1", plans, simulated) == ()
    changed = {ID: plans[ID] | {"window": 1}}
    assert sha256_of(changed[ID]) != sha256_of(plans[ID])
    assert false_alarms("success@1", changed, simulated) == ()
