"""The declared sample size: what analysis.power gives for the metric that needs most, and how long it takes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from analysis.power import (
    sample_size_means,
    sample_size_proportions,
    sample_size_quantile,
    sample_size_ratio,
)
from experiments.designs.sample import by_week, detectable, planned_comparison, planned_effect
from experiments.forms.durations import DAY, WEEK
from experiments.forms.problems import Invalid
from tests.experiments.designs import NON_INFERIORITY, WRITTEN, changed, design

ALONE = changed(WRITTEN, {"guardrails": [], "no_guardrails_reason": "nothing can be harmed here"})
"""One deciding metric, so that it is given the whole power."""


def n(changes: str = "", base: dict[str, Any] = ALONE) -> tuple[int, ...]:
    return design(changes, base).plan.n_per_arm


def test_the_example_of_the_issue_by_the_textbook_formula() -> None:
    """Fleiss, Levin & Paik (2003), equation 4.14 without continuity correction: 20 % against 21.5 %."""
    p, q = 0.20, 0.215
    mean = (p + q) / 2
    z_alpha, z_beta = norm.isf(0.025), norm.isf(0.2)
    spread = z_alpha * math.sqrt(2 * mean * (1 - mean)) + z_beta * math.sqrt(p * (1 - p) + q * (1 - q))
    assert n() == (math.ceil((spread / (q - p)) ** 2),) * 2


def test_a_mean_by_the_textbook_formula() -> None:
    """Chow, Shao, Wang & Lokhnygina (2018), section 3.2: 2·(z_α + z_β)²·σ² / effect²."""
    exact = 2 * (norm.isf(0.025) + norm.isf(0.2)) ** 2 * 12**2 / 0.5**2
    assert n("primary: {metric: revenue, mde: {absolute: 0.5}}") == (math.ceil(exact),) * 2


PRIMARIES = [
    ("", sample_size_proportions(0.2, 0.015)),
    ("primary: {test: miettinen-nurminen}", sample_size_proportions(0.2, 0.015)),
    ("primary: {test: welch}", sample_size_proportions(0.2, 0.015, method="unpooled")),
    ("primary: {mde: {absolute: null, relative: 10%}}", sample_size_proportions(0.2, 0.02)),
    ("primary: {alpha: 0.01}", sample_size_proportions(0.2, 0.015, alpha=0.01)),
    ("primary: {sides: 1, one_sided_reason: good reason}", sample_size_proportions(0.2, 0.015, sides=1)),
    ("power: {power: 0.9}", sample_size_proportions(0.2, 0.015, power=0.9)),
    ("power: {design_effect: 2}", sample_size_proportions(0.2, 0.015, design_effect=2)),
    ("primary: {baseline: {mean: 0.3, source: here}}", sample_size_proportions(0.3, 0.015)),
    (
        "primary: {metric: errors, mde: {absolute: 0.005}}\nhypothesis: {expect: decrease}",
        sample_size_proportions(0.05, -0.005),
    ),
    ("primary: {metric: revenue, mde: {absolute: 0.5}}", sample_size_means(12, 0.5)),
    (
        "primary: {metric: revenue, mde: {absolute: null, relative: 10%}}",
        sample_size_means(12, 0.31),
    ),
    (
        "primary: {metric: revenue, mde: {absolute: 0.5}, covariates: [{metric: revenue, variance_reduction: 0.3},"
        " {attribute: age, variance_reduction: 0.1}]}",
        sample_size_means(12, 0.5, variance_reduction=0.4),
    ),
    (
        "primary: {metric: revenue, mde: {absolute: 0.5}, covariates: [{metric: revenue}]}",
        sample_size_means(12, 0.5),
    ),
    (
        "primary: {covariates: [{metric: sessions, variance_reduction: 20%}]}",
        sample_size_proportions(0.2, 0.015, variance_reduction=0.2, method="unpooled"),
    ),
    (
        "primary: {metric: failure_rate, mde: {absolute: 0.0005}}\nhypothesis: {expect: decrease}",
        sample_size_ratio(0.02**2, -0.0005),
    ),
    (
        "primary: {metric: p95_latency, mde: {absolute: 20}}\nhypothesis: {expect: decrease}",
        sample_size_quantile(640**2, -20),
    ),
    (
        "arms: [{name: a, share: 0.8}, {name: b, share: 0.2}]",
        sample_size_proportions(0.2, 0.015, allocation=(0.8, 0.2)),
    ),
    (
        "arms: [{name: a, share: 1/3}, {name: b, share: 2/3}]",
        sample_size_proportions(0.2, 0.015, allocation=(1 / 3, 2 / 3)),
    ),
    (
        "arms: [{name: a}, {name: b}, {name: c}]",
        sample_size_proportions(0.2, 0.015, allocation=(1, 1, 1), multiplicity="holm"),
    ),
    (
        "arms: [{name: a, share: 0.5}, {name: b, share: 0.3}, {name: c, share: 0.2}]\nmultiple_treatments: bonferroni",
        sample_size_proportions(0.2, 0.015, allocation=(0.5, 0.3, 0.2), multiplicity="bonferroni"),
    ),
]


@pytest.mark.parametrize(("changes", "expected"), PRIMARIES, ids=[changes for changes, _ in PRIMARIES])
def test_n_is_what_the_power_analysis_gives_for_the_declared_test(changes: str, expected: Any) -> None:
    found = design(changes, ALONE).plan
    assert found.n_per_arm == found.computed == expected.n_per_arm
    assert found.requirements[0].power_at_plan == pytest.approx(expected.achieved_power)
    assert found.total == sum(expected.n_per_arm)


MARGINS = [
    ("", sample_size_proportions(0.2, margin=0.01)),
    (
        "primary: {margin: {absolute: null, relative: 5%}}",
        sample_size_proportions(0.2, margin=0.05, relative=True),
    ),
    ("primary: {alpha: 0.05}", sample_size_proportions(0.2, margin=0.01, alpha=0.05)),
    (
        "primary: {metric: errors, margin: {absolute: 0.005}}",
        sample_size_proportions(0.05, margin=0.005, direction="lower"),
    ),
    (
        "primary: {metric: errors, margin: {absolute: null, relative: 10%}}",
        sample_size_proportions(0.05, margin=0.1, direction="lower", relative=True),
    ),
    ("primary: {metric: revenue, margin: {absolute: 0.5}}", sample_size_means(12, margin=0.5)),
    (
        "primary: {metric: revenue, margin: {absolute: null, relative: 10%}}",
        sample_size_means(12, margin=0.1, relative=True, mean=3.1),
    ),
    (
        "primary: {metric: failure_rate, margin: {absolute: null, relative: 10%}}",
        sample_size_ratio(0.02**2, margin=0.1, relative=True, ratio=0.004, direction="lower"),
    ),
    (
        "primary: {metric: p95_latency, margin: {absolute: null, relative: 5%}}",
        sample_size_quantile(640**2, margin=0.05, relative=True, quantile=410, direction="lower"),
    ),
]


@pytest.mark.parametrize(("changes", "expected"), MARGINS, ids=[changes for changes, _ in MARGINS])
def test_non_inferiority_is_planned_against_its_margin_with_no_true_difference(
    changes: str, expected: Any
) -> None:
    base = changed(NON_INFERIORITY, {"guardrails": [], "no_guardrails_reason": "nothing else can be harmed"})
    assert n(changes, base) == expected.n_per_arm


def test_beta_is_split_over_the_primary_and_the_guardrails_that_must_hold() -> None:
    plan = design(
        """
guardrails:
  - {metric: p95_latency, margin: {absolute: 20}, reason: 20 ms cost 0.1% of sessions}
  - {metric: errors, margin: {absolute: 0.01}, reason: one point more errors}
  - {metric: revenue, margin: {relative: 1%}, reason: only to be watched, role: monitor}
power: {power: 0.85}
secondary: {metrics: [sessions]}
"""
    ).plan
    power = 1 - 0.15 / 3
    assert plan.power_per_test == pytest.approx(power)
    assert [(r.role, r.metric, r.n_per_arm) for r in plan.requirements] == [
        ("primary", "success@1", sample_size_proportions(0.2, 0.015, power=power).n_per_arm),
        (
            "must-hold",
            "errors@1",
            sample_size_proportions(0.05, margin=0.01, power=power, direction="lower").n_per_arm,
        ),
        (
            "must-hold",
            "p95_latency@1",
            sample_size_quantile(640**2, margin=20, power=power, direction="lower").n_per_arm,
        ),
    ]
    assert plan.binding == "p95_latency@1"
    assert plan.n_per_arm == plan.requirements[2].n_per_arm
    assert all(r.power_at_plan >= power for r in plan.requirements)


def test_the_metric_that_needs_most_is_named_and_another_margin_names_another() -> None:
    wide = design("guardrails: [{metric: p95_latency, margin: {absolute: 90}, reason: far more than we see}]")
    assert wide.plan.binding == "success@1"
    assert design().plan.binding == "p95_latency@1"
    assert design().plan.total > wide.plan.total


def test_a_guardrail_keeps_its_own_alpha_for_each_of_several_treatments_as_it_is_tested() -> None:
    plan = design("arms: [{name: a}, {name: b}, {name: c}]").plan
    power = plan.power_per_test
    assert [r.size.tail_alpha for r in plan.requirements] == [0.05 / 2 / 2, 0.025]
    latency = sample_size_quantile(
        640**2, margin=20, power=power, direction="lower", allocation=(1, 1, 1), multiplicity="none"
    )
    assert plan.requirements[1].n_per_arm == latency.n_per_arm


def test_a_guardrail_within_a_segment_is_planned_for_all_units_and_says_so() -> None:
    segmented = design(
        "guardrails: [{metric: p95_latency, segment: country, margin: {absolute: 20}, reason: 20 ms cost sessions}]"
    ).plan
    assert segmented.n_per_arm == design().plan.n_per_arm
    assert segmented.binding == "p95_latency@1 by country"
    assert segmented.requirements[1].assumed.endswith("all units together, a level has fewer")


def test_what_was_assumed_is_said_in_words() -> None:
    assert [r.assumed for r in design().plan.requirements] == [
        "baseline 0.2 (October); true effect 0.015 absolute",
        "baseline 410, sd 640 (October); no true difference, margin 20 absolute",
    ]


def test_an_override_is_of_the_smallest_arm_and_keeps_the_allocation() -> None:
    plan = design(
        "arms: [{name: a, share: 0.5}, {name: b, share: 0.3}, {name: c, share: 0.2}]\npower: {units_per_arm: 100001}"
    ).plan
    assert plan.n_per_arm == (250_003, 150_002, 100_001)
    assert plan.overridden
    assert plan.computed != plan.n_per_arm
    assert plan.requirements[0].power_at_plan > plan.power_per_test


def test_a_larger_override_needs_no_reason_and_a_smaller_one_does() -> None:
    enough = design("", ALONE).plan.n_per_arm[0]
    assert n(f"power: {{units_per_arm: {enough + 1}}}") == (enough + 1,) * 2
    assert not design(f"power: {{units_per_arm: {enough}}}", ALONE).plan.overridden
    with pytest.raises(Invalid, match=f"{enough - 1} is fewer than the {enough} that success@1 needs"):
        design(f"power: {{units_per_arm: {enough - 1}}}", ALONE)
    fewer = design(f"power: {{units_per_arm: {enough - 1}, override_reason: no more traffic}}", ALONE).plan
    assert fewer.overridden
    assert fewer.requirements[0].power_at_plan < 0.8


@given(st.integers(50, 200_000), st.integers(1, 21), st.integers(0, 10))
@settings(max_examples=40)
def test_enrolment_lasts_whole_weeks_until_the_planned_units_have_come(
    per_day: int, window: int, delay: int
) -> None:
    found = design(
        f"power: {{units_per_day: {per_day}}}\nprimary: {{window: {window}d}}\nwindow: {window}d\nlabel_delay: {delay}d",
        ALONE,
    )
    plan = found.plan
    assert plan.enrolment is not None
    assert (
        plan.enrolment.enrolment_days * per_day >= plan.total > (plan.enrolment.enrolment_days - 1) * per_day
    )
    assert plan.enrolment.maturity_days == window + delay
    assert found.minimum_duration % WEEK == 0
    assert found.minimum_duration - WEEK < plan.enrolment.enrolment_days * DAY <= found.minimum_duration
    assert found.minimum_duration == plan.enrolment.enrolment_weeks * WEEK
    assert found.maximum_duration == 2 * found.minimum_duration


def test_without_traffic_a_week_is_the_least_and_two_the_most() -> None:
    assert (design().minimum_duration, design().maximum_duration) == (WEEK, 2 * WEEK)
    assert design().plan.enrolment is None


def test_enrolment_follows_the_declared_step() -> None:
    found = design(
        "power: {units_per_day: 3000}\nstopping: {step: 2d, part_weeks_reason: robots have no weekdays}",
        ALONE,
    )
    days = math.ceil(found.plan.total / 3000)
    assert found.minimum_duration == math.ceil(days / 2) * 2 * DAY
    for step, least in ((1, 7), (2, 8), (7, 7), (14, 14)):
        found = design(f"stopping: {{step: {step}d, part_weeks_reason: robots have no weekdays}}", ALONE)
        assert found.minimum_duration == least * DAY


def test_declared_durations_stand() -> None:
    found = design("stopping: {minimum_duration: 21d, maximum_duration: 28d}")
    assert (found.minimum_duration, found.maximum_duration) == (3 * WEEK, 4 * WEEK)


def test_planned_information_is_the_harmonic_mean_of_the_arms() -> None:
    plan = design("arms: [{name: a, share: 0.8}, {name: b, share: 0.2}]").plan
    control, treatment = plan.n_per_arm
    assert plan.information(1) == pytest.approx(control * treatment / (control + treatment))


def test_at_the_planned_n_the_binding_metric_detects_what_it_was_planned_for() -> None:
    found = design("", ALONE)
    size = detectable(found, found.plan, found.plan.n_per_arm)["success@1"].value
    assert size == pytest.approx(0.015, rel=1e-3)
    assert size is not None
    assert size <= 0.015
    both = design()
    limits = detectable(both, both.plan, both.plan.n_per_arm)
    assert limits["p95_latency@1"].value == pytest.approx(20, rel=1e-3)
    assert (limits["success@1"].value or 1) < 0.015


def test_more_weeks_detect_less() -> None:
    plan = design("", ALONE).plan
    weeks = by_week(plan, units_per_day=3000, weeks=6)
    effects = [week.effect for week in weeks]
    assert effects == sorted(effects, key=lambda effect: -(effect or 0))
    enough = next(week for week in weeks if min(week.n_per_arm) >= plan.n_per_arm[0])
    assert (enough.effect or 1) <= 0.015


def test_an_effect_is_planned_in_the_direction_of_improvement() -> None:
    better = design("primary: {metric: revenue, mde: {absolute: null, relative: 10%}}", ALONE).primary
    lower = design("primary: {metric: errors, mde: {absolute: 0.01}}\nhypothesis: {expect: decrease}", ALONE)
    assert planned_effect(better) == pytest.approx(0.31)
    assert planned_effect(lower.primary) == -0.01
    assert planned_effect(design().guardrails[0]) == 0
    assert planned_comparison(design().guardrails[0]).margin == 20
