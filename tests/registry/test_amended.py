"""A changed text of a locked plan: what it leaves alone stays as it was locked, whatever the catalogue says by now."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from experiments.designs.design import Design, declare, reopen
from experiments.designs.metrics import Catalogue, parse_catalogue
from experiments.forms.documents import document_of
from experiments.forms.problems import Invalid
from registry.amended import amended_design
from registry.errors import Unknown
from registry.lifecycle.paths import differences
from tests.experiments.designs import CATALOGUE, CATALOGUE_TEXT, WRITTEN, changed

REVENUE = {**WRITTEN, "primary": {"metric": "revenue", "mde": {"relative": 0.05}}}
LATER = parse_catalogue(
    CATALOGUE_TEXT.replace("mean: 3.1, sd: 12", "mean: 9, sd: 99").replace("cap: 500", "cap: 900")
    + "  - {name: revenue, version: 3, type: sum, event: paid, direction: higher, unit: EUR, window: 1d,\n"
    "     baseline: {mean: 1, sd: 1, source: later}}\n"
    "  - {name: refunds, version: 1, type: sum, event: refunded, direction: lower, unit: EUR,\n"
    "     baseline: {mean: 1, sd: 2, source: later}}\n"
)
"""The catalogue, after metrics were added, and others were edited that should not have been."""


def amended(locked: Design, fields: dict[str, Any], catalogue: Catalogue = LATER) -> Design:
    dossier: Any = SimpleNamespace(plans=(SimpleNamespace(material=locked.material),))
    return amended_design(dossier, document_of(fields, "design").text, catalogue)


def fields_changed(locked: Design, found: Design) -> set[str]:
    return {change.name.split(".")[0] for change in differences(locked.material, found.material)}


def test_nothing_changed_is_no_difference_though_the_catalogue_did():
    locked = declare(CATALOGUE, **REVENUE)
    assert amended(locked, REVENUE).sha256 == locked.sha256


def test_only_what_was_written_anew_differs():
    locked = declare(CATALOGUE, **REVENUE)
    found = amended(locked, changed(REVENUE, {"anything_else": "The platform is logged since Monday."}))
    assert fields_changed(locked, found) == {"anything_else"}
    assert found.primary.metric.reference == "revenue@2"
    assert reopen(found.material, found.document.text).sha256 == found.sha256


def test_a_version_that_is_written_is_the_one_that_is_meant():
    locked = declare(CATALOGUE, **REVENUE)
    found = amended(locked, changed(REVENUE, {"primary": {"metric": "revenue@3"}}))
    assert found.primary.metric.reference == "revenue@3"
    assert "primary" in fields_changed(locked, found)


def test_a_metric_of_today_s_catalogue_may_be_added_with_its_baseline():
    locked = declare(CATALOGUE, **REVENUE)
    also = {"metric": "refunds", "margin": {"absolute": 0.2}, "reason": "refunds cost us twice"}
    found = amended(locked, {**REVENUE, "guardrails": [*REVENUE["guardrails"], also]})
    assert fields_changed(locked, found) == {"guardrails", "power"}
    assert reopen(found.material, found.document.text).sha256 == found.sha256


def test_a_secondary_metric_that_becomes_a_guardrail_takes_the_baseline_of_today():
    secondary = {**WRITTEN, "secondary": {"metrics": ["errors"]}}
    locked = declare(CATALOGUE, **secondary)
    also = {"metric": "errors", "margin": {"absolute": 0.01}, "reason": "errors cost us users"}
    found = amended(locked, {**WRITTEN, "guardrails": [*WRITTEN["guardrails"], also]})
    added = next(one for one in found.guardrails if one.metric.name == "errors")
    assert added.baseline is not None
    assert added.baseline.mean == 0.05


def test_two_versions_of_a_metric_are_both_to_be_written_out():
    """Else the plan could not be opened again: the bare name would mean the newer one."""
    locked = declare(CATALOGUE, **REVENUE)
    also = {"metric": "revenue@3", "margin": {"absolute": 0.2}, "reason": "the new definition is watched too"}
    with pytest.raises(Invalid, match="write each as name@version"):
        amended(locked, {**REVENUE, "guardrails": [*REVENUE["guardrails"], also]})
    both = changed(REVENUE, {"primary": {"metric": "revenue@2"}})
    found = amended(locked, {**both, "guardrails": [*REVENUE["guardrails"], also]})
    assert reopen(found.material, found.document.text).sha256 == found.sha256


def test_every_problem_of_the_text_is_told_at_once():
    locked: Any = SimpleNamespace(plans=(SimpleNamespace(material=declare(CATALOGUE, **REVENUE).material),))
    with pytest.raises(Invalid) as caught:
        amended_design(locked, "title: x\nprimary: {metric: revenu}\n", LATER, file="amended.yaml")
    assert "amended.yaml" in str(caught.value)
    assert {"primary", "arms"} <= {str(problem.path[0]) for problem in caught.value.problems}


def test_without_a_locked_plan_there_is_nothing_to_amend():
    draft: Any = SimpleNamespace(plans=(), experiment=SimpleNamespace(id="EXP-0001"), words="Draft")
    with pytest.raises(Unknown, match="no locked plan yet"):
        amended_design(draft, "title: x", CATALOGUE)
