"""A design as people write it, through the registry: the paths the registry looks at are where designs put things."""

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from experiments.designs.design import Design, parse_design
from experiments.designs.metrics import parse_catalogue
from registry import lifecycle, store
from registry.canonical import canonical_json, sha256_of
from registry.errors import Refused
from registry.lifecycle import Amendment, Exposure, Inference, ReasonCode
from registry.lifecycle.paths import differences, forbidden_after_exposure, reservation
from registry.records import Plan
from registry.verification import verify

CATALOGUE = parse_catalogue(
    """
metrics:
  - {name: success, version: 3, type: proportion, event: success, direction: higher, meaning: a task done}
  - {name: latency, version: 1, type: mean, event: latency, direction: lower, meaning: waiting time, unit: ms}
"""
)

DESIGN = """
title: Ranker v7 vs v6 for signed-in search
hypothesis: {because: it ranks better, expect: increase}
arms:
  - {name: control, version: v6}
  - {name: treatment, version: v7}
assignment: {key: ranker-7, layer: {name: search, start: 0, end: 1/3}}
primary:
  metric: success
  mde: 0.015
  baseline: {mean: 0.2, source: October}
guardrails:
  - metric: latency
    margin: 20
    reason: twenty milliseconds cost less than a thousandth of sessions
    baseline: {mean: 300, sd: 100, source: October}
power: {units_per_day: 5000}
team: Search
"""


def designed(text: str = DESIGN) -> Design:
    return parse_design(text, CATALOGUE)


def plan_of(design: Design) -> Plan:
    return Plan(design.material, design.administrative, design.sha256, DESIGN, design.title)


def test_designs_and_the_registry_write_and_hash_documents_the_same_way() -> None:
    design = designed()
    assert sha256_of(design.material) == design.sha256
    assert canonical_json(design.administrative)


def test_a_design_is_locked_with_its_key_salt_metric_and_part_of_the_layer(team: Any) -> None:
    locked = team.registered(plan_of(designed()))
    assert (locked.assignment_key, locked.salt) == ("ranker-7", "ranker-7")
    assert (locked.primary_metric, locked.team) == ("success@3", "Search")
    held = store.show(team.registry, locked.id).reservation
    assert held is not None
    assert (held.layer, str(held.start), str(held.end)) == ("search", "0", "1/3")
    assert verify(team.registry).ok


def test_a_design_without_a_layer_reserves_nothing() -> None:
    assert (
        reservation(designed(DESIGN.replace("layer: {name: search, start: 0, end: 1/3}", "")).material)
        is None
    )


@pytest.mark.parametrize(
    ("written", "instead", "what"),
    [
        ("metric: success", "metric: latency@1", "the primary metric"),
        ("  mde: 0.015", "  mde: 0.015\n  alpha: 0.01", "alpha"),
        ("    margin: 20", "    margin: 25", "a margin, upward"),
        ("    margin: 20", "    margin: {relative: 0.05}", "a margin's kind"),
        ("    margin: 20", "    margin: 20\n    role: monitor", "what a guardrail is for"),
        ("team: Search", "validity: {alpha: 0.01}", "the validity checks and their alpha"),
        ("team: Search", "rules: {several_arms: first arm}", "the rules for exclusion"),
        ("team: Search", "eligibility: [{attribute: country, is: NL}]", "who is excluded"),
        ("team: Search", "stopping: {step: 14d}", "the stopping rule and its looks"),
        ("  mde: 0.015", "  mde: 0.03", "the sample, downward"),
        ("{name: treatment, version: v7}", "{name: treatment, share: 40%}", "the planned shares"),
    ],
)
def test_what_a_written_change_touches_is_found_where_designs_put_it(
    written: str, instead: str, what: str
) -> None:
    text = DESIGN.replace(written, instead, 1)
    if "share" in instead:
        text = text.replace("{name: control, version: v6}", "{name: control, share: 60%}")
    if "latency@1" in instead:
        changed = deepcopy(designed().material)
        changed["primary"]["metric"] = changed["guardrails"][0]["metric"]
    else:
        changed = designed(text).material
    touched = forbidden_after_exposure(differences(designed().material, changed))
    assert any(words.startswith(what) for words in touched), touched


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("  mde: 0.015", "  mde: 0.01"),
        ("    margin: 20", "    margin: 15"),
        ("version: v7", "version: v7.1"),
        ("team: Search", "segments: [country]"),
    ],
)
def test_a_written_change_that_decides_nothing_more_may_be_amended_while_it_runs(
    team: Any, written: str, instead: str
) -> None:
    id = team.running(plan_of(designed())).id
    changed = designed(DESIGN.replace(written, instead, 1))
    assert changed.sha256 != designed().sha256
    because = Amendment(
        ReasonCode.MISSING_INFORMATION, "It was not known when the plan was written. " * 2, Inference.NONE
    )
    lifecycle.amend(team.registry, "mira", id, plan_of(changed), Exposure(None), amendment=because)
    amended = lifecycle.approve_amendment(team.registry, "ola", id, Exposure(None))
    assert (amended.plan_version, amended.draft_sha256) == (2, changed.sha256)


def test_exposures_in_the_logs_stop_the_lock_of_a_design(team: Any) -> None:
    waiting = team.in_review(plan_of(designed()))
    with pytest.raises(Refused, match="Units have been exposed"):
        lifecycle.register(team.registry, "ola", waiting.id, Exposure(team.clock.now() - timedelta(days=1)))
