import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.effects import compare_means, compare_to_multiple
from analysis.guardrails import GuardrailState, judge, judge_effect, worst
from analysis.moments import Moments
from analysis.proportions import Proportion, compare_proportions

WITHIN, BEYOND = GuardrailState.WITHIN, GuardrailState.BEYOND
NOT_RULED_OUT, MISSING = GuardrailState.NOT_RULED_OUT, GuardrailState.MISSING


@pytest.mark.parametrize(
    ("interval", "direction", "state"),
    [
        ((-0.9, 0.4), "higher", WITHIN),
        ((0.2, 0.4), "higher", WITHIN),
        ((-1.5, 0.4), "higher", NOT_RULED_OUT),
        ((-1.5, -0.5), "higher", NOT_RULED_OUT),
        ((-2.5, -1.5), "higher", BEYOND),
        ((-1.0, 0.4), "higher", NOT_RULED_OUT),
        ((-2.0, -1.0), "higher", NOT_RULED_OUT),
        ((-0.4, 0.9), "lower", WITHIN),
        ((-5.0, -3.0), "lower", WITHIN),
        ((-0.4, 1.5), "lower", NOT_RULED_OUT),
        ((1.5, 2.5), "lower", BEYOND),
        ((0.4, 1.0), "lower", NOT_RULED_OUT),
        ((1.0, 2.0), "lower", NOT_RULED_OUT),
        ((-math.inf, math.inf), "lower", NOT_RULED_OUT),
        ((-math.inf, 0.5), "lower", WITHIN),
        ((math.nan, 0.5), "lower", MISSING),
        ((-0.5, math.nan), "higher", MISSING),
        (None, "higher", MISSING),
        (None, "lower", MISSING),
    ],
)
def test_every_place_of_the_interval_has_its_state(interval, direction, state):
    assert judge(interval, 1.0, direction) is state


def test_only_within_the_margin_passes():
    assert [state.passes for state in GuardrailState] == [state is WITHIN for state in GuardrailState]


@given(
    st.floats(-5, 5),
    st.floats(0, 5),
    st.floats(0.01, 3),
    st.sampled_from(["higher", "lower"]),
)
def test_turning_the_direction_and_the_interval_round_changes_nothing(lower, width, margin, direction):
    other = "lower" if direction == "higher" else "higher"
    interval = (lower, lower + width)
    assert judge(interval, margin, direction) is judge((-interval[1], -interval[0]), margin, other)


@given(st.floats(-5, 5), st.floats(0, 5), st.floats(0.01, 3), st.floats(0.01, 3))
def test_a_wider_margin_never_judges_worse(lower, width, margin, more):
    order = [WITHIN, NOT_RULED_OUT, BEYOND]
    narrow = judge((lower, lower + width), margin, "higher")
    assert order.index(judge((lower, lower + width), margin + more, "higher")) <= order.index(narrow)


@given(
    st.integers(2, 500),
    st.floats(-3, 3),
    st.floats(0.1, 5),
    st.floats(0.01, 3),
    st.sampled_from(["higher", "lower"]),
    st.sampled_from([0.005, 0.025, 0.1]),
)
def test_within_is_the_one_sided_test_of_the_margin_at_alpha(n, difference, sd, margin, direction, alpha):
    control, treatment = Moments.from_sd(n, 10, sd), Moments.from_sd(n + 3, 10 + difference, sd)
    guardrail = judge_effect(compare_means(control, treatment, alpha=2 * alpha), margin, direction)
    test = compare_means(
        control,
        treatment,
        alpha=alpha,
        alternative="greater" if direction == "higher" else "less",
        null=guardrail.limit,
    )
    assert (guardrail.state is WITHIN) == test.rejects_null


def test_the_bound_on_the_harmful_side_is_the_one_shown():
    effect = compare_proportions(Proportion(200, 1000), Proportion(195, 1000))
    higher, lower = judge_effect(effect, 0.05, "higher"), judge_effect(effect, 0.05, "lower")
    assert (higher.harmful_bound, higher.limit) == (effect.ci[0], -0.05)
    assert (lower.harmful_bound, lower.limit) == (effect.ci[1], 0.05)
    assert higher.interval == effect.ci
    assert higher.state is WITHIN


def test_a_relative_margin_is_held_against_the_ratio():
    control, treatment = Moments.from_sd(4000, 200, 80), Moments.from_sd(4000, 203, 82)
    effect = compare_to_multiple(control, treatment, 1.05)
    guardrail = judge_effect(effect, 0.05, "lower")
    assert guardrail.scale == "relative"
    assert guardrail.state is WITHIN
    assert judge_effect(effect, 0.02, "lower").state is NOT_RULED_OUT


def test_without_data_a_guardrail_is_missing_and_says_why():
    guardrail = judge_effect(None, 0.1, "lower", absent="the query failed: no column latency_ms")
    assert guardrail.state is MISSING
    assert guardrail.reason == "the query failed: no column latency_ms"
    assert guardrail.interval is None


def test_an_effect_that_could_not_be_computed_is_missing_with_its_reason():
    effect = compare_means(Moments.of([1.0, 2.0]), Moments.of([1.0]))
    guardrail = judge_effect(effect, 0.1, "higher", minimum_units=1)
    assert guardrail.state is MISSING
    assert guardrail.reason == "treatment arm: fewer than 2 units (found 1)"


def test_fewer_units_than_declared_are_missing_however_good_the_interval():
    effect = compare_proportions(Proportion(200, 1000), Proportion(300, 999))
    assert judge_effect(effect, 0.05, "higher", minimum_units=1000).reason == (
        "treatment arm: 999 units, 1000 declared"
    )
    assert judge_effect(effect, 0.05, "higher", minimum_units=999).state is WITHIN


def test_a_one_sided_effect_is_refused():
    arm = Moments.from_sd(10, 1, 1)
    with pytest.raises(ValueError, match="give the two-sided effect at 2α"):
        judge_effect(compare_means(arm, arm, alternative="greater"), 0.1, "higher")


@pytest.mark.parametrize(
    ("margin", "direction", "message"),
    [
        (0.0, "higher", "margin: 0.0 is not allowed"),
        (-0.1, "higher", "margin: -0.1 is not allowed"),
        (math.inf, "higher", "margin: inf is not allowed"),
        (0.1, "up", "direction: 'up' is not allowed"),
    ],
)
def test_bad_margins_and_directions_are_refused_even_without_data(margin, direction, message):
    for call in (
        lambda: judge(None, margin, direction),
        lambda: judge_effect(None, margin, direction),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_an_interval_upside_down_is_refused():
    with pytest.raises(ValueError, match="give the lower bound first"):
        judge((1.0, -1.0), 0.1, "higher")


def test_over_segments_the_worst_level_counts_and_none_is_missing():
    rank = [BEYOND, MISSING, NOT_RULED_OUT, WITHIN]
    for pair in product(GuardrailState, repeat=2):
        assert worst(pair) is min(pair, key=rank.index)
    assert worst([]) is MISSING
    assert worst([WITHIN, WITHIN]) is WITHIN


def test_a_guardrail_exactly_at_its_margin_passes_at_its_alpha():
    # 8,000 replays with the true effect at the margin: Monte-Carlo standard error 0.0017.
    chance = np.random.default_rng(41)
    n, passed = 200, 0
    means = chance.normal([10.0, 10.5], 4 / math.sqrt(n), (8000, 2))
    m2 = 16 * chance.chisquare(n - 1, (8000, 2))
    for (a, b), (s, t) in zip(means.tolist(), m2.tolist(), strict=True):
        effect = compare_means(Moments(n, a, s), Moments(n, b, t), alpha=0.05, relative=None)
        passed += judge_effect(effect, 0.5, "lower").state.passes
    assert abs(passed / 8000 - 0.025) < 0.0052


def test_the_state_does_not_depend_on_what_is_shown_beside_the_interval():
    effect = compare_proportions(Proportion(200, 1000), Proportion(300, 1000))
    assert judge_effect(replace(effect, relative=None), 0.05, "higher") == judge_effect(
        effect, 0.05, "higher"
    )
