"""Confidence sequences for proportions and bounded means."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.anytime import (
    bernoulli_sequence,
    bounded_log_evidence,
    bounded_mean_sequence,
    mixture_precision,
)
from tests.references.anytime_mixtures import bernoulli_log_mixture


def test_proportion_sequences_agree_with_confseq():
    # confseq test/uniform_boundaries_unittest.cpp, BernoulliConfidenceIntervalTest
    few = bernoulli_sequence(1, 50, 0.05, 50)
    assert (few.lower, few.upper) == pytest.approx((0, 0.13489), abs=5e-6)
    half = bernoulli_sequence(100, 200, 0.05, 1)
    assert (half.lower, half.upper) == pytest.approx((0.328923, 0.671076), abs=1e-6)


def test_the_one_sided_mixture_agrees_with_confseq():
    # the same file, TestOneSidedBetaBinomialMixture: g 0.2, h 0.8, V 100, S 10, v_opt 100. With g + h = 1 that is
    # p = 0.2, n = V / (g h) = 625, total n p + S; v_opt is planned_n p (1 - p).
    found = bounded_log_evidence(135.0, 625, 0.2, 625.0, 0.05, "greater")
    assert found == pytest.approx(-0.07134019, abs=1e-7)


@pytest.mark.parametrize(
    ("alternative", "side"), [("two-sided", "both"), ("greater", "above"), ("less", "below")]
)
@given(n=st.integers(5, 300), share=st.floats(0, 1), p=st.floats(0.03, 0.97))
@settings(max_examples=25, deadline=None)
def test_the_mixture_is_the_likelihood_ratio_averaged_over_its_prior(alternative, side, n, share, p):
    successes = round(share * n)
    concentration = max(mixture_precision(400, 0.05, alternative != "two-sided") - 1, 1e-3)
    by_quadrature = bernoulli_log_mixture(successes, n, p, concentration, side)
    found = bounded_log_evidence(successes, n, p, 400, 0.05, alternative)
    # Far on the wrong side of a one-sided mixture the incomplete beta underflows; there is no evidence there.
    assert max(found, -1.0) == pytest.approx(max(by_quadrature, -1.0), abs=1e-6)


@given(n=st.integers(1, 2000), share=st.floats(0, 1), null=st.floats(0.01, 0.99))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_the_p_value_is_below_alpha_just_when_the_limits_exclude_the_null(alternative, n, share, null):
    found = bernoulli_sequence(round(share * n), n, 0.05, 500, alternative, null)
    if min(abs(found.lower - null), abs(found.upper - null)) > 1e-9:
        assert (found.p_value < 0.05) is not (found.lower <= null <= found.upper)
    assert 0 <= found.lower <= found.estimate <= found.upper <= 1


@given(n=st.integers(1, 500), share=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_counting_failures_instead_mirrors_the_sequence(n, share):
    successes = round(share * n)
    one, other = bernoulli_sequence(successes, n, 0.05, 200), bernoulli_sequence(n - successes, n, 0.05, 200)
    assert one.lower == pytest.approx(1 - other.upper, abs=1e-9)


def test_a_bounded_mean_is_a_proportion_in_its_own_unit():
    unit = bernoulli_sequence(30.0, 100, 0.05, 500, null=0.5)
    scaled = bounded_mean_sequence(100 * 10 + 40 * 30.0, 100, 0.05, 500, 10.0, 50.0, null=30.0)
    assert scaled.lower == pytest.approx(10 + 40 * unit.lower)
    assert scaled.upper == pytest.approx(10 + 40 * unit.upper)
    assert scaled.estimate == pytest.approx(22)
    assert scaled.p_value == pytest.approx(unit.p_value)


@pytest.mark.parametrize("replays", [2_000, pytest.param(40_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("p", [0.02, 0.5, 0.9])
def test_a_proportion_watched_from_the_first_outcome_errs_at_most_alpha(p, alternative, replays):
    rng = np.random.default_rng(81)
    n, alpha = 600, 0.05
    totals = np.cumsum(rng.random((replays, n)) < p, axis=1)
    # the evidence depends on the total alone: one table for each n instead of one call for each replay
    false_alarm = np.zeros(replays, dtype=bool)
    for size in [*range(1, 100), *range(100, n + 1, 10)]:
        seen, index = np.unique(totals[:, size - 1], return_inverse=True)
        evidence = [bounded_log_evidence(float(t), size, p, 100, alpha, alternative) for t in seen]
        false_alarm |= (np.array(evidence) > -math.log(alpha))[index]
    assert false_alarm.mean() <= alpha + 4 * math.sqrt(alpha / replays)


def test_a_skewed_bounded_mean_is_covered_from_the_first_outcome():
    rng = np.random.default_rng(82)
    outcomes = rng.beta(0.05, 0.45, (1000, 300))  # mean 0.1, mostly near 0 with a few near 1
    totals = np.cumsum(outcomes, axis=1)
    missed = np.zeros(1000, dtype=bool)
    for size in (1, 2, 5, 10, 20, 50, 100, 200, 300):
        evidence = [bounded_log_evidence(float(t), size, 0.1, 100, 0.05) for t in totals[:, size - 1]]
        missed |= np.array(evidence) > -math.log(0.05)
    assert missed.mean() <= 0.05


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((0, 0, 0.05, 100), "n: 0 is not allowed"),
        ((11, 10, 0.05, 100), "successes: 11 is not allowed; give 0 to n = 10"),
        ((1, 10, 0.05, 0), "planned_n: 0 is not allowed"),
        ((1, 10, 1.0, 100), "alpha: 1.0 is not allowed"),
        ((1, 10, 0.05, 100, "up"), "give two-sided, greater or less"),
        ((1, 10, 0.05, 100, "less", 1.0), "null: 1.0 is not allowed"),
    ],
)
def test_bad_arguments_are_refused_with_what_is_allowed(arguments, says):
    with pytest.raises(ValueError, match=says):
        bernoulli_sequence(*arguments)


def test_bounds_out_of_order_are_refused():
    with pytest.raises(ValueError, match="finite bounds in rising order"):
        bounded_mean_sequence(5.0, 10, 0.05, 100, 1.0, 1.0)
