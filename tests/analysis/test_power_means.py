import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from statsmodels.stats.power import NormalIndPower, TTestIndPower

from analysis.power import (
    MeansComparison,
    PowerPlan,
    power_of,
    ratio_variance,
    sample_size_means,
    sample_size_quantile,
    sample_size_ratio,
)
from tests.references.power_formulas import simulated_welch_power

ONE_SIDED = PowerPlan(sides=1)


@pytest.mark.parametrize(
    ("effect", "n_per_arm", "expected"),
    # R pwr 1.x pwr.t.test / pwr.t2n.test, alternative "greater", alpha 0.05, as held by
    # statsmodels/stats/tests/test_power.py
    [
        (1.0, (30, 30), 0.985459690252),
        (0.01, (30, 30), 0.0540740302836),
        (0.1, (20, 30), 0.0962358908092),
    ],
)
def test_pooled_t_power_is_that_of_r_pwr(effect, n_per_arm, expected):
    comparison = MeansComparison(1, 1, effect, approximation="pooled-t")
    assert power_of(comparison, n_per_arm, ONE_SIDED) == pytest.approx(expected, abs=1e-9)


def test_normal_power_with_the_far_tail_added_is_that_of_r_pwr():
    # R pwr.2p.test(h = .3, n = 80): 0.475100870573, both tails; ours counts the right direction only
    near = power_of(MeansComparison(1, 1, 0.3), (80, 80), PowerPlan())
    far = stats.norm.cdf(stats.norm.ppf(0.025) - 0.3 * math.sqrt(40))
    assert near + far == pytest.approx(0.475100870573, abs=1e-9)
    # R pwr.2p.test(h = .01, n = 80, alternative = "less"): 0.0438089705094, the wrong side of the effect
    wrong_side = stats.norm.cdf(stats.norm.ppf(0.05) - 0.01 * math.sqrt(40))
    assert wrong_side == pytest.approx(0.0438089705094, abs=1e-9)


def test_tea_tasting_orders_sample():
    # e10v/tea-tasting tests/metrics/test_mean.py: noncentral t with Welch's degrees of freedom
    sd = math.sqrt(0.655656565657)
    comparison = MeansComparison(sd, sd, 0.047, approximation="welch-t")
    assert power_of(comparison, (5000, 5000), ONE_SIDED) == pytest.approx(0.895653144823, abs=1e-6)
    assert sample_size_means(sd, 0.05, method="welch-t").total == pytest.approx(8236, abs=2)


def test_gpower_total_for_variance_100():
    # G*Power, held by spotify/confidence tests/samplesize: 39,906 in all at power 0.85, to half a per cent
    assert sample_size_means(10, 0.3, power=0.85).total == pytest.approx(39906, rel=0.005)


def test_chow_shao_wang_non_inferiority_of_two_means():
    # Chow, Shao & Wang, worked example at powerandsamplesize.com: 50 per group
    assert sample_size_means(10, margin=5, alpha=0.05).n_per_arm == (50, 50)


def test_pooled_t_non_inferiority_needs_199_per_group():
    # metinbulus/pwrss tests/testthat/test-means.student.R: d 0.2, margin 0.05, one-sided 0.05, power 0.8
    found = sample_size_means(1, 0.2, margin=0.05, alpha=0.05, method="pooled-t")
    assert found.n_per_arm == (199, 199)


@pytest.mark.parametrize("ratio", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("power", [0.6, 0.8, 0.95])
def test_statsmodels_solves_to_the_same_n(ratio, power):
    ours = sample_size_means(2.0, 0.5, power=power, sides=1, allocation=(1, ratio))
    theirs = NormalIndPower().solve_power(0.25, alpha=0.05, power=power, ratio=ratio, alternative="larger")
    assert ours.unrounded[0] == pytest.approx(theirs, rel=1e-6)
    ours = sample_size_means(2.0, 0.5, power=power, sides=1, allocation=(1, ratio), method="pooled-t")
    theirs = TTestIndPower().solve_power(0.25, alpha=0.05, power=power, ratio=ratio, alternative="larger")
    assert ours.unrounded[0] == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize(
    ("sds", "allocation", "distance"), [((1, 1), (1, 1), 1.1), ((1, 3), (1, 2), 1.4), ((2, 0.5), (3, 1), 1.5)]
)
def test_the_real_welch_test_has_the_declared_power_at_the_returned_n(sds, allocation, distance):
    found = sample_size_means(sds, distance, sides=1, allocation=allocation, method="welch-t")
    replicates = 200_000
    rng = np.random.default_rng(20250301)
    simulated = simulated_welch_power(rng, *sds, distance, *found.n_per_arm, 0.05, replicates)
    # Monte-Carlo standard error 0.0009; the noncentral t with Welch's df is itself an approximation
    assert simulated == pytest.approx(found.achieved_power, abs=0.006)
    assert simulated > 0.795


def test_a_relative_margin_scales_the_control_variance():
    # margin 10 % of a mean of 50, higher is better: tests μt − 0.9·μc, variance σ²·(1 + 0.81)
    found = sample_size_means(10, margin=0.1, relative=True, mean=50)
    z = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    assert found.unrounded[0] == pytest.approx(z**2 * 100 * 1.81 / 25)
    lower = sample_size_means(10, margin=0.1, relative=True, mean=50, direction="lower")
    assert lower.unrounded[0] == pytest.approx(z**2 * 100 * 2.21 / 25)


def test_a_true_improvement_lowers_what_non_inferiority_needs():
    unharmed = sample_size_means(10, margin=1).total
    assert sample_size_means(10, 0.5, margin=1, direction="higher").total < unharmed
    assert sample_size_means(10, -0.5, margin=1, direction="lower").total < unharmed
    assert sample_size_means(10, -0.5, margin=1, direction="higher").total > unharmed


def test_each_scaling_multiplies_the_units():
    plain = sample_size_means(10, 0.1).unrounded[0]
    assert sample_size_means(10, 0.1, variance_reduction=0.4).unrounded[0] == pytest.approx(0.6 * plain)
    assert sample_size_means(10, 0.1, design_effect=2.5).unrounded[0] == pytest.approx(2.5 * plain)
    assert sample_size_means(10, 0.1, inflation=1.03).unrounded[0] == pytest.approx(1.03 * plain)


def test_the_arm_with_the_largest_variance_decides_among_several():
    found = sample_size_means((1, 1, 2), 0.1, allocation=(1, 1, 1))
    assert found.n_per_arm == (*sample_size_means((1, 2), 0.1, comparisons=2).n_per_arm, found.n_per_arm[0])
    assert found.achieved_power == pytest.approx(0.8, abs=1e-4)


def test_a_ratio_needs_what_its_linearised_variance_says():
    variance = ratio_variance(2.0, 5.0, 4.0, 9.0, 3.0)
    # x − 0.4·y has variance 4 − 2·0.4·3 + 0.16·9 = 3.04
    assert variance == pytest.approx(3.04 / 25)
    assert (
        sample_size_ratio(variance, 0.01).n_per_arm == sample_size_means(math.sqrt(variance), 0.01).n_per_arm
    )
    assert "ratio" in sample_size_ratio(variance, 0.01).method


def test_the_linearised_variance_is_that_of_simulated_ratios():
    rng = np.random.default_rng(7)
    views = rng.gamma(2.0, 3.0, size=(4000, 500))
    clicks = 0.1 * views + rng.normal(0, 0.3, size=views.shape)
    ratios = clicks.sum(axis=1) / views.sum(axis=1)
    variance = ratio_variance(0.6, 6.0, 0.01 * 18 + 0.09, 18.0, 0.1 * 18)
    # 4,000 replicates know a variance to 2.2 %
    assert 500 * ratios.var(ddof=1) == pytest.approx(variance, rel=0.07)


def test_a_quantile_is_lower_is_better_unless_told_otherwise():
    # p95 of Exponential(1): q(1 − q) / f² = 0.95·0.05 / 0.05² = 19
    found = sample_size_quantile(19.0, margin=0.2)
    assert found.n_per_arm == sample_size_means(math.sqrt(19), margin=0.2).n_per_arm
    assert found.comparisons[0].direction == "lower"
    assert "quantile" in found.method


@settings(max_examples=60, deadline=None)
@given(
    sd=st.floats(0.1, 50),
    standardised=st.floats(0.02, 1.5),
    weights=st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)),
    power=st.floats(0.5, 0.99),
    method=st.sampled_from(["normal", "welch-t", "pooled-t"]),
)
def test_the_returned_n_is_the_smallest_that_reaches_the_power(sd, standardised, weights, power, method):
    found = sample_size_means(sd, sd * standardised, power=power, allocation=weights, method=method)
    assert found.achieved_power >= power - 1e-9
    if min(found.n_per_arm) > 2:
        one_less = [n - 1 for n in found.n_per_arm]
        assert power_of(found.comparisons, one_less, found.plan) < power


@settings(max_examples=60, deadline=None)
@given(sds=st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), effect=st.floats(0.01, 10))
def test_swapping_the_arms_and_the_sign_mirrors_the_requirement(sds, effect):
    there = sample_size_means(sds, effect, allocation=(1, 2))
    back = sample_size_means(sds[::-1], -effect, allocation=(2, 1))
    assert there.n_per_arm == back.n_per_arm[::-1]


@settings(max_examples=40, deadline=None)
@given(effect=st.floats(0.05, 2), alpha=st.floats(0.001, 0.2), power=st.floats(0.5, 0.95))
def test_more_is_needed_for_less_error_and_for_smaller_effects(effect, alpha, power):
    def needed(effect=effect, alpha=alpha, power=power):
        return sample_size_means(3, effect, alpha=alpha, power=power).unrounded[0]

    assert needed(alpha=alpha / 2) > needed()
    assert needed(power=power + 0.02) > needed()
    assert needed(effect=effect / 2) == pytest.approx(4 * needed())


def test_noncentral_t_power_is_the_integral_over_the_estimated_variance():
    # second route: condition on s²; power = E[Φ(ncp − t_crit·s/σ)]
    n, effect = 12, 1.2
    df = 2 * n - 2
    ncp = effect * math.sqrt(n / 2)
    critical = stats.t.isf(0.025, df)
    integral, _ = integrate.quad(
        lambda v: stats.norm.cdf(ncp - critical * math.sqrt(v / df)) * stats.chi2.pdf(v, df), 0, 200
    )
    comparison = MeansComparison(1, 1, effect, approximation="pooled-t")
    assert power_of(comparison, (n, n), PowerPlan()) == pytest.approx(integral, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sd": 0, "effect": 1}, "sd (control): 0.0 is not allowed"),
        ({"sd": (1, 2, 3), "effect": 1}, "sd: 3 numbers for 2 arms"),
        ({"sd": 1, "effect": math.nan}, "effect: nan is not allowed"),
        ({"sd": 1}, "effect: 0 is not allowed; give the smallest difference worth detecting"),
        ({"sd": 1, "effect": -2, "margin": 1}, "at or beyond the margin 1"),
        ({"sd": 1, "effect": 2, "margin": 1, "direction": "lower"}, "at or beyond the margin 1"),
        ({"sd": 1, "margin": -1}, "margin: -1 is not allowed"),
        ({"sd": 1, "margin": 0.1, "relative": True}, "mean: None is not allowed with a relative margin"),
        ({"sd": 1, "margin": 1.5, "relative": True, "mean": 4}, "share of the mean, below 1"),
        ({"sd": 1, "margin": 1, "sides": 2}, "sides: 2 is not allowed with a margin"),
        ({"sd": (1, 2), "effect": 1, "method": "pooled-t"}, "take welch-t"),
        ({"sd": 1, "effect": 1, "method": "exact"}, "method: 'exact' is unknown"),
    ],
)
def test_a_bad_input_is_refused_with_what_to_do(arguments, message):
    with pytest.raises(ValueError) as refusal:
        sample_size_means(**arguments)
    assert message in str(refusal.value)


def test_all_the_problems_are_told_at_once():
    with pytest.raises(ValueError) as refusal:
        sample_size_means(1, 1, alpha=2, power=7, variance_reduction=1, design_effect=0, inflation=0.5)
    assert [line.split(":")[0] for line in str(refusal.value).splitlines()] == [
        "alpha",
        "power",
        "variance_reduction",
        "design_effect",
        "inflation",
    ]


def test_welch_power_uses_satterthwaites_degrees_of_freedom():
    # 5 and 9 units with variances 4 and 1: v = 0.8 + 1/9, df = v² / (0.8²/4 + (1/9)²/8)
    variance = 0.8 + 1 / 9
    df = variance**2 / (0.8**2 / 4 + (1 / 9) ** 2 / 8)
    by_hand = stats.nct.sf(stats.t.isf(0.025, df), df, 2.5 / math.sqrt(variance))
    comparison = MeansComparison(2, 1, 2.5, approximation="welch-t")
    assert power_of(comparison, (5, 9), PowerPlan()) == pytest.approx(by_hand, rel=1e-12)


def test_the_power_at_the_returned_n_takes_the_scalings_into_account():
    comparison = MeansComparison(10, 10, 1)
    plain = power_of(comparison, (600, 600), PowerPlan())
    assert power_of(comparison, (1200, 1200), PowerPlan(design_effect=2)) == pytest.approx(plain, rel=1e-12)
    assert power_of(comparison, (300, 300), PowerPlan(variance_reduction=0.5)) == pytest.approx(
        plain, rel=1e-12
    )
    assert power_of(comparison, (630, 630), PowerPlan(inflation=1.05)) == pytest.approx(plain, rel=1e-12)
    assert sample_size_means(10, 1, design_effect=3, inflation=1.1).achieved_power == pytest.approx(
        0.8, abs=1e-3
    )
