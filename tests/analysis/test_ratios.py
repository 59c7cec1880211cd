import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.effects import compare_means
from analysis.moments import CoMoments, Moments
from analysis.ratios import Ratio, compare_ratios, compare_ratios_to_multiple, linearise, linearised_ratio
from tests.references.two_sample_reference import ratio_jackknife_variance


def _orders_and_sessions():
    """Co-moments of orders and sessions per user, from tea-tasting's sums and cross-products."""

    def arm(n, orders, sessions, oo, so, ss):
        sums = np.array([orders, sessions], dtype=float)
        cross = np.array([[oo, so], [so, ss]], dtype=float) - np.outer(sums, sums) / n
        return CoMoments(n, tuple(sums / n), tuple(map(tuple, cross)))

    return arm(53, 30, 105, 58, 80, 259), arm(47, 18, 89, 30, 41, 205)


def test_orders_per_session_are_those_of_tea_tasting():
    # e10v/tea-tasting 90306f1, tests/metrics/test_mean.py::test_ratio_of_means_analyze_ratio_greater_equal_var
    control, treatment = _orders_and_sessions()
    effect = compare_ratios(control, treatment)
    assert effect.control_mean == pytest.approx(0.285714285714, abs=1e-9)
    assert effect.treatment_mean == pytest.approx(0.202247191011, abs=1e-9)
    assert effect.estimate == pytest.approx(-0.083467094703, abs=1e-9)
    # The published statistic is Student's with a pooled variance, which the linearised moments give too.
    c, t = linearised_ratio(control), linearised_ratio(treatment)
    pooled = (c.m2 + t.m2) / (c.n + t.n - 2)
    statistic = effect.estimate / math.sqrt(pooled * (1 / c.n + 1 / t.n))
    assert statistic == pytest.approx(-1.07940488134, abs=1e-9)
    assert stats.t.sf(statistic, 98) == pytest.approx(0.858471634753, abs=1e-9)


def _units(seed, n, per_unit=6.0, rate=0.3):
    chance = np.random.default_rng(seed)
    denominator = 1 + chance.poisson(per_unit, n)
    return chance.binomial(denominator, chance.beta(3 * rate, 3 * (1 - rate), n)), denominator


def test_the_variance_is_the_one_of_leaving_out_each_unit():
    numerator, denominator = _units(1, 4000)
    moments = linearised_ratio(CoMoments.of(np.column_stack([numerator, denominator])))
    assert moments.mean == pytest.approx(numerator.sum() / denominator.sum(), rel=1e-12)
    expected = ratio_jackknife_variance(numerator, denominator)
    assert moments.variance / moments.n == pytest.approx(expected, rel=2e-3)


def test_a_ratio_to_a_constant_is_the_mean():
    x = np.random.default_rng(2).gamma(2, 3, (2, 50))
    arms = [CoMoments.of(np.column_stack([row, np.ones(50)])) for row in x]
    means = [Moments.of(row) for row in x]
    one, other = compare_ratios(*arms), compare_means(*means)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-10)
    assert one.ci == pytest.approx(other.ci, rel=1e-10)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.sampled_from(["two-sided", "greater", "less"]))
def test_swapping_the_arms_mirrors_every_result(seed, alternative):
    arms = [CoMoments.of(np.column_stack(_units(seed + i, 30 + 10 * i))) for i in (0, 1)]
    mirrored = {"two-sided": "two-sided", "greater": "less", "less": "greater"}[alternative]
    one = compare_ratios(*arms, alternative=alternative)
    other = compare_ratios(*reversed(arms), alternative=mirrored)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-10)
    assert one.ci == pytest.approx((-other.ci[1], -other.ci[0]), rel=1e-10)


@given(st.floats(0.1, 100), st.floats(0.1, 100))
def test_the_units_of_numerator_and_denominator_do_not_change_p(numerator_scale, denominator_scale):
    arms = [np.column_stack(_units(seed, 60)) for seed in (3, 4)]
    plain = compare_ratios(*map(CoMoments.of, arms))
    scaled = compare_ratios(*(CoMoments.of(arm * [numerator_scale, denominator_scale]) for arm in arms))
    assert scaled.p_value == pytest.approx(plain.p_value, rel=1e-8)
    assert scaled.estimate == pytest.approx(plain.estimate * numerator_scale / denominator_scale, rel=1e-8)


def test_a_relative_margin_of_a_ratio_is_tested_on_the_linearised_units():
    control, treatment = (CoMoments.of(np.column_stack(_units(seed, 500))) for seed in (5, 6))
    effect = compare_ratios_to_multiple(control, treatment, 1.1, alternative="less", alpha=0.025)
    assert effect.scale == "relative"
    assert effect.estimate == pytest.approx(effect.treatment_mean / effect.control_mean - 1)
    assert (effect.p_value < 0.025) == (effect.ci[1] < 0.1)


def test_an_arm_whose_denominator_never_occurs_says_so():
    control = CoMoments.of([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    treatment = CoMoments.of([[1.0, 2.0], [2.0, 2.0]])
    effect = compare_ratios(control, treatment)
    assert effect.not_computed == "control arm: the denominator's mean is 0"
    assert effect.p_value is None
    empty = compare_ratios(CoMoments.of(np.empty((0, 2))), treatment)
    assert empty.not_computed == "control arm: fewer than 2 units (found 0)"
    single = compare_ratios(CoMoments.of([[1.0, 2.0]]), treatment)
    assert single.not_computed == "control arm: fewer than 2 units (found 1)"
    with pytest.raises(ValueError, match="variable 1 has mean 0"):
        linearised_ratio(control)


def test_a_ratio_that_is_the_same_for_every_unit_has_no_variation():
    for share in (0.5, 0.9, 1 / 3):
        arms = [CoMoments.of([[share * d, d] for d in (1.0, 2.0, 7.0, 30.0 + i)]) for i in (0, 1)]
        assert compare_ratios(*arms).not_computed == "no variation in either arm"


def test_linearising_keeps_other_variables_as_they_are():
    numerator, denominator = _units(7, 80)
    x = np.random.default_rng(8).normal(size=80)
    both = linearise(CoMoments.of(np.column_stack([numerator, denominator, x])), [Ratio(0, 1), 2])
    ratio = numerator.sum() / denominator.sum()
    values = (numerator - ratio * denominator) / denominator.mean()
    assert both.means == pytest.approx((ratio, x.mean()))
    assert both.covariance(0, 1) == pytest.approx(np.cov(values, x)[0, 1])


def _false_positives(seed, replays, users):
    """Share of A/A experiments with p < 5 %: by user, and as if every request were a unit of its own."""
    chance = np.random.default_rng(seed)
    requests = np.exp(chance.uniform(0, math.log(500), (replays, 2, users))).astype(int)
    rates = chance.beta(1, 4, (replays, 2, users))
    errors = chance.binomial(requests, rates)
    clustered = naive = 0
    for e, r in zip(errors, requests, strict=True):
        arms = [CoMoments.of(np.column_stack([e[i], r[i]])) for i in (0, 1)]
        clustered += compare_ratios(*arms, relative=None).rejects_null
        flat = [
            Moments(int(n.sum()), k.sum() / n.sum(), k.sum() * (1 - k.sum() / n.sum()))
            for k, n in zip(e, r, strict=True)
        ]
        naive += compare_means(*flat, relative=None).rejects_null
    return clustered / replays, naive / replays


def test_users_with_1_to_500_requests_keep_the_level_and_the_naive_test_does_not():
    # 3,000 replays of 300 users per arm: Monte-Carlo standard error 0.004.
    clustered, naive = _false_positives(9, 3000, 300)
    assert abs(clustered - 0.05) < 0.012
    assert naive > 0.5
