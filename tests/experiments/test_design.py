"""What a written design resolves to: defaults filled in, metrics pinned, everything that needs an order in one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from experiments.designs.declared_tests import TESTS, default_test
from experiments.designs.design import declare, load_design, parse_design, slug
from experiments.designs.metrics import NO_EVENTS_DEFAULT
from experiments.forms.durations import DAY, WEEK
from tests.experiments.designs import CATALOGUE, NON_INFERIORITY, WRITTEN, design


def test_the_least_design_has_every_default() -> None:
    found = design()
    assert [(arm.name, arm.share) for arm in found.arms] == [
        ("control", Fraction(1, 2)),
        ("treatment", Fraction(1, 2)),
    ]
    assert (found.control.name, [arm.name for arm in found.treatments]) == ("control", ["treatment"])
    assert (found.key, found.salt, found.layer) == ("ranker-v7", "ranker-v7", None)
    assert (found.window, found.maturity, found.decision_rule) == (WEEK, WEEK, "R-1")
    primary, guardrail = found.measures
    assert (primary.role, primary.test, primary.alpha, primary.sides) == ("primary", "score", 0.05, 2)
    assert (guardrail.role, guardrail.test, guardrail.alpha, guardrail.sides) == (
        "must-hold",
        "quantile",
        0.025,
        1,
    )
    assert (found.attributes, found.secondary) == ((), ())


def test_non_inferiority_is_one_sided_at_a_fortieth() -> None:
    found = design(base=NON_INFERIORITY)
    assert (found.primary.alpha, found.primary.sides, found.decision_rule) == (0.025, 1, "R-2")
    assert found.primary.mde is None
    assert found.primary.margin is not None


@pytest.mark.parametrize(
    ("changes", "days"),
    [
        ("", (7, 7, 7)),
        ("window: 14d", (14, 7, 14)),  # success has a window of its own, p95_latency has not
        ("primary: {window: 3d}", (3, 3, 3)),
        ("window: 14d\nprimary: {window: 3d}", (14, 3, 14)),
        (
            "window: 14d\nguardrails: [{metric: p95_latency, window: 2d, margin: 20, reason: 20 ms cost 0.1% of sessions}]",
            (14, 7, 2),
        ),
        (
            "primary: {metric: sessions, mde: {absolute: 0.5}}",
            (7, 7, 7),
        ),
    ],
)
def test_a_window_is_the_measure_s_else_the_metric_s_else_the_design_s(
    changes: str, days: tuple[int, int, int]
) -> None:
    found = design(changes)
    assert (found.window // DAY, found.primary.window // DAY, found.guardrails[0].window // DAY) == days


def test_a_unit_is_mature_after_window_and_label_delay_unless_declared() -> None:
    assert design("label_delay: 2d").maturity == 9 * DAY
    assert design("label_delay: 2d\nmaturity: 30d").maturity == 30 * DAY


@pytest.mark.parametrize("kind", NO_EVENTS_DEFAULT)
def test_every_type_of_metric_has_a_deciding_test(kind: str) -> None:
    assert TESTS[kind]


def test_an_adjusted_proportion_is_tested_as_a_mean() -> None:
    success, revenue = CATALOGUE["success"], CATALOGUE["revenue"]
    assert (default_test(success, ()), default_test(success, (1,))) == ("score", "welch")
    assert (default_test(revenue, ()), default_test(revenue, (1,))) == ("welch", "welch")


def test_guardrails_and_secondary_metrics_stand_in_the_order_of_their_names() -> None:
    found = design(
        """
guardrails:
  - {metric: sessions, margin: {relative: 3%}, reason: three in a hundred}
  - {metric: errors, segment: platform, margin: 0.01, reason: one point more errors}
  - {metric: errors, margin: 0.01, reason: one point more errors}
secondary: {metrics: [revenue, rating]}
"""
    )
    assert [m.label for m in found.measures] == [
        "success@1",
        "errors@1",
        "errors@1 by platform",
        "sessions@1",
        "rating@1",
        "revenue@2",
    ]


def test_the_attributes_a_design_needs_are_named_once_each() -> None:
    found = design(
        """
eligibility: [{attribute: age, at_least: 18}, {attribute: country, is: SE}]
segments: [platform, country]
guardrails: [{metric: errors, segment: tenure, margin: 0.01, reason: one point more errors, covariates: [{attribute: visits}]}]
primary: {covariates: [{attribute: visits}, {attribute: age}]}
"""
    )
    assert found.attributes == ("age", "country", "platform", "tenure", "visits")


def test_covariates_are_measured_before_exposure_in_their_own_window() -> None:
    found = design(
        "primary: {covariates: [{metric: sessions}, {attribute: age}, {metric: revenue@1, window: 28d}]}"
    )
    assert [(c.label, c.window // DAY) for c in found.primary.covariates] == [
        ("age", 0),
        ("revenue@1", 28),
        ("sessions@1", 14),
    ]


def test_each_measure_keeps_its_own_rule_for_units_without_history() -> None:
    found = design(
        """
primary: {covariates: [{metric: sessions}], without_history: exclude}
guardrails:
  - {metric: errors, margin: 0.01, reason: one point more errors, covariates: [{metric: sessions}]}
  - {metric: rating, margin: 0.1, reason: a tenth of a star, covariates: [{metric: sessions}], without_history: exclude}
"""
    )
    assert [m.without_history for m in found.measures] == ["exclude", "zero", "exclude"]


def test_a_file_is_read_with_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "design.yaml"
    file.write_text(declare(CATALOGUE, **WRITTEN).document.text)
    found = load_design(file, CATALOGUE)
    assert found.sha256 == declare(CATALOGUE, **WRITTEN).sha256
    assert found.document.file == str(file)
    assert parse_design(file.read_text(), CATALOGUE).document.file is None


def test_what_a_design_is_shows_its_title_and_hash() -> None:
    found = design()
    assert repr(found) == f"<Design 'Ranker v7 against v6' {found.sha256[:12]}>"


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Ranker v7 vs. v6, signed-in", "ranker-v7-vs-v6-signed-in"),
        ("  __Über-Suche!  ", "über-suche"),
        ("???", ""),
    ],
)
def test_a_title_becomes_a_key_of_letters_digits_and_hyphens(title: str, key: str) -> None:
    assert slug(title) == key
