"""Normal mixtures against confseq, their integrals, and a walk that is watched for ever."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.anytime import evidence_p_value, log_mixture, mixture_bound, mixture_precision
from tests.references.anytime_mixtures import normal_log_mixture

# confseq test/uniform_boundaries_unittest.cpp, commit 70b1ef3: v_opt 100, alpha 0.05, S 10, V 100; bounds on the sum


def test_the_two_sided_mixture_agrees_with_confseq():
    precision = mixture_precision(100, 0.05)
    assert precision == pytest.approx(12.60056, abs=1e-5)
    assert log_mixture(10, 100, precision) == pytest.approx(-0.6510052, abs=1e-7)
    assert mixture_bound(100, 0.05, precision) == pytest.approx(30.35209, abs=1e-5)


def test_the_one_sided_mixture_agrees_with_confseq():
    precision = mixture_precision(100, 0.05, one_sided=True)
    assert log_mixture(10, 100, precision, one_sided=True) == pytest.approx(-0.06502391, abs=1e-8)
    assert mixture_bound(100, 0.05, precision, one_sided=True) == pytest.approx(27.66071, abs=1e-5)


@pytest.mark.parametrize("one_sided", [False, True])
@given(away=st.floats(-8, 20), variance=st.floats(0.1, 500), precision=st.floats(0.5, 200))
@settings(max_examples=40, deadline=None)
def test_the_mixture_is_the_integral_over_its_prior(one_sided, away, variance, precision):
    total = away * math.sqrt(variance + precision)
    by_quadrature = normal_log_mixture(total, variance, precision, one_sided)
    assert log_mixture(total, variance, precision, one_sided) == pytest.approx(by_quadrature, abs=1e-7)


@pytest.mark.parametrize("one_sided", [False, True])
@given(variance=st.floats(1e-3, 1e9), alpha=st.floats(1e-12, 0.49), precision=st.floats(1e-2, 1e6))
@settings(max_examples=100, deadline=None)
def test_the_bound_is_where_the_mixture_reaches_one_over_alpha(one_sided, variance, alpha, precision):
    bound = mixture_bound(variance, alpha, precision, one_sided)
    reached = log_mixture(bound, variance, precision, one_sided)
    assert reached == pytest.approx(-math.log(alpha), rel=1e-9)


@given(variance=st.floats(0.1, 1e6), alpha=st.floats(1e-6, 0.4))
def test_a_one_sided_bound_is_below_the_two_sided_one_and_above_that_at_twice_alpha(variance, alpha):
    precision = mixture_precision(1000, alpha)
    one = mixture_bound(variance, alpha, precision, one_sided=True)
    assert one < mixture_bound(variance, alpha, precision)
    # Half the prior's mass doubled: the two-sided mixture at twice alpha is never wider.
    assert one >= mixture_bound(variance, 2 * alpha, precision) * (1 - 1e-12)


def test_the_bound_is_narrowest_relative_to_its_spread_near_the_planned_variance():
    precision = mixture_precision(1000, 0.05)
    relative = {v: mixture_bound(v, 0.05, precision) / math.sqrt(v) for v in (100, 500, 1000, 2000, 10_000)}
    assert min(relative, key=relative.get) == 1000


@pytest.mark.parametrize("replays", [4_000, pytest.param(60_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_a_gaussian_walk_watched_at_every_step_crosses_with_at_most_alpha(alpha, one_sided, replays):
    rng = np.random.default_rng(8)
    steps = np.unique(np.geomspace(1, 20_000, 500).astype(int))
    precision = mixture_precision(50, alpha, one_sided)
    bound = np.array([mixture_bound(step, alpha, precision, one_sided) for step in steps])
    crossed = 0
    for _ in range(replays // 2000):
        gaps = np.sqrt(np.diff(steps, prepend=0))
        walk = np.cumsum(gaps * rng.standard_normal((2000, steps.size)), axis=1)
        crossed += int(((walk if one_sided else np.abs(walk)) >= bound).any(axis=1).sum())
    # Watched at 500 times up to 400 times the planned variance, most of the level is used and never more than it.
    assert 0.4 * alpha < crossed / replays <= alpha + 4 * math.sqrt(alpha / replays)


def test_a_precision_chosen_from_the_current_variance_loses_the_level_which_is_why_it_is_planned():
    rng = np.random.default_rng(9)
    steps = np.unique(np.geomspace(1, 1_000_000, 600).astype(int))
    walk = np.cumsum(np.sqrt(np.diff(steps, prepend=0)) * rng.standard_normal((2000, steps.size)), axis=1)
    chased = [mixture_bound(step, 0.05, mixture_precision(step, 0.05)) for step in steps]
    planned = [mixture_bound(step, 0.05, mixture_precision(1000, 0.05)) for step in steps]
    assert (np.abs(walk) >= planned).any(axis=1).mean() < 0.05
    assert (np.abs(walk) >= chased).any(axis=1).mean() > 0.055


def test_the_p_value_is_one_without_evidence_and_never_zero():
    assert evidence_p_value(-3.0) == 1.0
    assert evidence_p_value(math.log(20)) == pytest.approx(0.05)
    assert 0 < evidence_p_value(1e6) < 1e-300


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((0.0, 0.05), "planned_variance: 0.0 is not allowed"),
        ((100, 1.0), "above 0 and below 1"),
        ((100, 0.5, True), "above 0 and below 0.5"),
        ((-1, 2.0), r"planned_variance: -1.*alpha: 2.0"),
    ],
)
def test_bad_parameters_are_refused_with_what_is_allowed(arguments, says):
    with pytest.raises(ValueError, match=says):
        mixture_precision(*arguments)
