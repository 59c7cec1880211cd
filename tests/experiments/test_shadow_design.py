"""Shadow designs: every problem at once, defaults stated, equal meaning an equal hash, reopened from what was locked."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.forms.documents import sha256_of
from experiments.forms.problems import Invalid
from experiments.shadows.design import ShadowDesign, declare_shadow, parse_shadow, reopen
from tests.experiments.shadows import WRITTEN, changed, shadow


def messages(changes: dict[str, Any]) -> list[str]:
    with pytest.raises(Invalid) as raised:
        declare_shadow(**changed(WRITTEN, changes))
    return [str(problem) for problem in raised.value.problems]


SEGMENT = {"attribute": "country"}
LIMIT = {"measure": "latency_p95", "worsening": 20, "reason": "20 ms cost a session"}
SEQUENTIAL = {"rule": "group-sequential", "minimum_duration": "7d", "maximum_duration": "28d"}
ALWAYS_VALID = {"rule": "always-valid", "burn_in": 200}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"candidate": {"version": "v3"}},
            "candidate.version: 'v3' is the champion's too; a champion-against-champion control is a third logged model, mapped "
            "as control in the source",
        ),
        (
            {"primary": {"measure": "absolute_error"}},
            "primary.measure: 'absolute_error' is not a measure of a binary task. Did you mean 'squared_error'? Allowed: correctness, "
            "log_loss, squared_error.",
        ),
        (
            {"primary": {"measure": "corectness"}},
            "primary.measure: 'corectness' is not allowed here. Did you mean 'correctness'? Allowed: correctness, "
            "absolute_error, squared_error, log_loss, score.",
        ),
        (
            {"primary": {"margin": None, "reason": None}},
            "primary.margin: is missing: the largest worsening you would still accept",
        ),
        ({"primary": {"reason": None}}, "primary.reason: is missing: say why this margin"),
        (
            {"primary": {"margin": 5}},
            "primary.margin: 5 is not allowed; give a share below 1: 0.005 is half a percentage point",
        ),
        (
            {"primary": {"mde": 0.02}},
            "primary.mde: belongs to purpose: superiority; leave it out",
        ),
        (
            {"primary": {"purpose": "superiority"}},
            "primary.margin: belongs to purpose: non-inferiority; leave it out, or change the purpose",
        ),
        (
            {"primary": {"test": "tango"}},
            "primary.test: 'tango' is not a test of correctness with unit: user. Allowed: linearised, obuchowski, sequence.",
        ),
        (
            {"unit": "request", "primary": {"test": "exact"}},
            "primary.test: 'exact' tests for a difference; against a margin use tango, or leave it out",
        ),
        (
            {"primary": {"test": "sequence"}},
            "primary.test: 'sequence' does not fit stopping rule fixed: an always-valid design rests on a confidence sequence, "
            "and no other rule does",
        ),
        (
            {"limits": []},
            "limits: is empty; name at least one thing the candidate must not worsen (latency_p95, error_share), or say why "
            "there is none in no_limits_reason",
        ),
        (
            {"no_limits_reason": "there is none to speak of"},
            "no_limits_reason: there are limits; leave it out",
        ),
        (
            {"limits": [{**LIMIT, "at_most": 300}]},
            "limits[0]: give exactly one of at_most, worsening",
        ),
        (
            {"limits": [{"measure": "agreement", "at_most": 0.9, "reason": "they should agree"}]},
            "limits[0].at_most: 'at_most' is not a limit of agreement. Did you mean 'at_least'? Allowed: at_least.",
        ),
        (
            {"limits": [{"measure": "error_share", "worsening": 2, "reason": "two per cent"}]},
            "limits[0].worsening: 2 is not allowed; give a share from 0 to 1",
        ),
        ({"limits": [LIMIT, LIMIT]}, "limits[1]: limits latency_p95 worsening a second time; keep one"),
        (
            {
                "threshold": None,
                "limits": [{"measure": "flipped_share", "at_most": 0.1, "reason": "few may flip"}],
            },
            "limits[0].measure: flipped_share needs the live threshold; give threshold",
        ),
        (
            {"task": "multiclass"},
            "threshold: belongs to a binary task, not to multiclass; leave it out",
        ),
        ({"segments": [SEGMENT, SEGMENT]}, "segments[1].attribute: 'country' is listed twice"),
        (
            {"segments": [{**SEGMENT, "margin": 0.02}]},
            "segments[0].reason: is missing: say why this margin",
        ),
        (
            {"minimum_labels": None},
            "minimum_labels: is missing; give it, or size.discordance, from which it follows",
        ),
        (
            {"unit": "request", "size": {"requests_per_unit": 4}},
            "size: the request is the unit; leave requests_per_unit and design_effect out",
        ),
        (
            {"stopping": {"futility": {"spending": "lan-demets-obf"}}},
            "stopping.futility: a shadow exposes nobody and has no futility stop; leave it out",
        ),
        (
            {"stopping": {"boundary": "pocock"}},
            "stopping.boundary: belongs to rule: group-sequential, not to fixed; leave it out",
        ),
        (
            {"stopping": {"rule": "always-valid"}, "window": "1d"},
            "stopping.burn_in: is missing: a confidence sequence says nothing before a declared number of units, for example "
            "1000",
        ),
        (
            {"stopping": SEQUENTIAL},
            "window: is missing: with several looks by user it says how long since a user's first request its requests count, "
            "for example 7d",
        ),
        ({"window": "7d"}, "window: belongs to several looks with unit: user; leave it out"),
        (
            {"stopping": {**SEQUENTIAL, "looks": [0.5, 0.4, 1]}, "window": "1d"},
            "stopping.looks: 0.5, 0.4, 1 is not allowed; give rising shares above 0, the last 1",
        ),
        (
            {"stopping": ALWAYS_VALID, "window": "1d", "limits": [LIMIT]},
            "limits[0].measure: latency_p95 is a quantile, which an always-valid design cannot watch; use latency_mean, or "
            "another rule",
        ),
        (
            {"stopping": {"minimum_duration": "10d"}},
            "stopping.minimum_duration: 10d is not allowed; give a multiple of the step 7d",
        ),
        ({"owner": "ada", "reviewer": "ada"}, "reviewer: 'ada' is the owner; somebody else locks the plan"),
        (
            {"owner": "ada", "deciders": ["ada"]},
            "deciders[0]: 'ada' owns the shadow or the model; somebody else approves it",
        ),
        (
            {"label_delay": 3},
            "label_delay: 3 has no unit; write a number with s, m, h, d or w, for example 7d",
        ),
    ],
)
def test_a_bad_value_is_told_with_what_is_allowed(changes: dict[str, Any], expected: str) -> None:
    assert expected in messages(changes)


def test_all_problems_are_told_at_once_each_with_its_line() -> None:
    text = """
title: Router v4 in the shadow of v3
hypothesis: v4 answers as well as v3
model: router
champion: {version: v3}
candidate: {version: v3}
task: binery
primary: {margin: 2}
limits:
  - {measure: latency_p95, worsening: -1, reason: 20 ms cost a session}
"""
    with pytest.raises(Invalid) as raised:
        parse_shadow(text)
    found = {(problem.line, problem.path) for problem in raised.value.problems}
    assert found == {
        (6, ("candidate", "version")),
        (7, ("task",)),
        (8, ("primary", "reason")),
        (10, ("limits", 0, "worsening")),
    }


def test_equal_meaning_has_an_equal_hash_and_a_different_margin_another() -> None:
    design = shadow()
    same = shadow(
        {
            "stopping": {"rule": "fixed", "minimum_duration": "1w", "step": "7d", "maximum_duration": "2w"},
            "primary": {
                "measure": "correctness",
                "purpose": "non-inferiority",
                "alpha": "2.5%",
                "test": "obuchowski",
            },
            "label_delay": "48h",
            "sample": "100%",
            "title": "Another title that is for people",
            "owner": "mira",
        }
    )
    assert same.sha256 == design.sha256
    assert shadow({"primary": {"margin": 0.04}}).sha256 != design.sha256
    assert shadow({"candidate": {"version": "v4", "hash": "abcdef0123"}}).sha256 != design.sha256


def test_the_order_of_limits_and_segments_is_no_part_of_the_meaning() -> None:
    limits = [LIMIT, {"measure": "cost", "worsening": 1, "reason": "the price per request"}]
    segments = [{"attribute": "country", "levels": ["FR", "DE"]}, {"attribute": "plan"}]
    one = shadow({"limits": limits, "segments": segments})
    other = shadow(
        {
            "limits": limits[::-1],
            "segments": [{"attribute": "plan"}, {"attribute": "country", "levels": ["DE", "FR"]}],
        }
    )
    assert one.sha256 == other.sha256


def test_a_locked_design_is_reopened_from_what_was_locked() -> None:
    design = shadow({"segments": [SEGMENT]})
    assert reopen(design.material, design.document.text).sha256 == design.sha256
    assert sha256_of(design.material) == design.sha256


def test_a_text_that_resolves_to_something_else_is_refused_with_what_differs() -> None:
    design, other = shadow(), shadow({"primary": {"margin": 0.01}})
    with pytest.raises(Invalid, match="primary would differ"):
        reopen(design.material, other.document.text)
    with pytest.raises(Invalid, match=r"'design/1' is not a schema that this code reads; it reads shadow/1"):
        reopen({**design.material, "schema": "design/1"}, design.document.text)


@pytest.mark.parametrize(
    ("changes", "test"),
    [
        ({}, "obuchowski"),
        ({"unit": "request"}, "tango"),
        ({"unit": "request", "primary": {"purpose": "superiority", "margin": None, "reason": None}}, "exact"),
        ({"primary": {"measure": "log_loss"}}, "obuchowski"),
        ({"stopping": ALWAYS_VALID, "window": "1d"}, "sequence"),
        ({"unit": "request", "stopping": SEQUENTIAL}, "tango"),
    ],
)
def test_the_test_that_decides_follows_from_unit_measure_and_rule(changes: dict[str, Any], test: str) -> None:
    assert shadow(changes).primary.test == test


def test_the_number_of_labels_follows_from_the_discordance() -> None:
    # Tango's score test of non-inferiority: z_α √(2q̃ − d²)… by analysis.paired.sample_size_paired, whose own tests hold the
    # published sizes; 10 % discordance, margin 2 points, 80 % power at one-sided 2.5 %
    design = shadow({"minimum_labels": None, "primary": {"margin": 0.02}, "size": {"discordance": 0.1}})
    assert 1900 < design.planned_labels < 2050
    fourfold = shadow(
        {
            "minimum_labels": None,
            "primary": {"margin": 0.02},
            "size": {"discordance": 0.1, "requests_per_unit": 4, "design_effect": 1.5},
        }
    )
    assert fourfold.planned_labels == pytest.approx(1.5 * design.planned_labels, abs=2)
    assert fourfold.planned_units == -(-fourfold.planned_labels // 4)


def test_several_looks_need_more_labels_than_one() -> None:
    size = {
        "minimum_labels": None,
        "unit": "request",
        "primary": {"margin": 0.02},
        "size": {"discordance": 0.1},
    }
    one = shadow(size)
    several = shadow({**size, "stopping": {**SEQUENTIAL, "boundary": "pocock"}})
    assert several.planned_labels > 1.1 * one.planned_labels


def test_a_design_cannot_be_changed() -> None:
    design: ShadowDesign = shadow()
    with pytest.raises(Exception, match="frozen"):
        design.written.title = "Something else altogether"  # type: ignore[misc]
