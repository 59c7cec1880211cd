import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.contrasts import Contrast, fieller_interval
from analysis.effects import (
    Effect,
    compare_means,
    compare_to_multiple,
)
from analysis.inference import agree_with_test, critical_value, normal_deviate, p_value
from analysis.moments import Moments
from tests.references.two_sample_reference import fieller_closed_form

ALTERNATIVES = ("two-sided", "greater", "less")

arms = st.builds(
    Moments,
    n=st.integers(2, 10_000),
    mean=st.floats(-100, 100).map(lambda x: round(x, 3)),
    m2=st.floats(0.01, 1e6),
)
positive_arms = st.builds(
    Moments, n=st.integers(2, 10_000), mean=st.floats(0.1, 100), m2=st.floats(0.01, 1e6)
)
levels = st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.2])


def _summary(total, total_squares, n):
    return Moments(n, total / n, total_squares - total**2 / n)


def _holds_duality(effect: Effect) -> bool:
    lower, upper = effect.ci
    return (effect.p_value < effect.alpha) == (effect.null < lower or effect.null > upper)


def test_cookie_cats_mean_rounds_have_the_known_p_value():
    # Mean 52.456 (sd 256.7) against 51.299 (sd 103.3): Welch p 0.376, as known of that public data set.
    effect = compare_means(Moments.from_sd(44700, 52.456, 256.7), Moments.from_sd(45489, 51.299, 103.3))
    assert effect.p_value == pytest.approx(0.376, abs=5e-4)
    assert effect.estimate == pytest.approx(-1.157, abs=1e-9)


def test_a_difference_of_means_is_that_of_growthbook():
    # growthbook 8f1db44, packages/stats/tests/frequentist/test_tests.py::test_two_sided_ttest_absolute
    effect = compare_means(_summary(1396.87, 52377.9767, 3407), _summary(2422.7, 134698.29, 3461))
    assert effect.estimate == pytest.approx(0.29, abs=5.1e-6)
    assert effect.standard_error == pytest.approx(0.12478, abs=5.1e-6)
    assert effect.ci == pytest.approx((0.04538, 0.53462), abs=5.1e-6)
    assert effect.p_value == pytest.approx(0.02016, abs=5.1e-6)


@pytest.mark.parametrize(
    ("alpha", "interval", "tolerance"),
    # spotify/confidence e1f8a49, tests/frequentist/test_ttest.py: test_difference and
    # test_difference_with_interval_sizes
    [
        (0.05, (-1.205402, -0.891723), 1e-3),
        (0.01, (-1.255391, -0.841735), 3e-3),
        (0.001, (-1.31414, -0.782024), 3e-3),
    ],
)
def test_intervals_are_those_of_spotify_confidence(alpha, interval, tolerance):
    effect = compare_means(_summary(312, 984, 104), _summary(1969, 5767, 1009), alpha=alpha)
    assert effect.estimate == pytest.approx(-1.0485629, rel=1e-6)
    assert effect.ci == pytest.approx(interval, rel=tolerance)


def test_a_p_value_of_large_arms_is_that_of_spotify_confidence():
    # spotify/confidence e1f8a49, tests/frequentist/test_ttest.py::test_p_value_is_symmetric_and_correct
    control, treatment = _summary(1438602.0, 73305810.0, 48351), _summary(1521974.0, 78621210.0, 50571)
    assert compare_means(control, treatment).p_value == pytest.approx(0.03334, rel=0.01)
    assert compare_means(treatment, control).p_value == compare_means(control, treatment).p_value


def test_orders_per_user_are_those_of_tea_tasting():
    # e10v/tea-tasting 90306f1, tests/metrics/test_mean.py::test_ratio_of_means_analyze_basic; the relative
    # interval there is the delta method on the log ratio.
    effect = compare_means(_summary(30, 58, 53), _summary(18, 30, 47), relative="log-delta")
    assert effect.control_mean == pytest.approx(0.566037735849, abs=1e-9)
    assert effect.treatment_mean == pytest.approx(0.382978723404, abs=1e-9)
    assert effect.estimate == pytest.approx(-0.183059012445, abs=1e-9)
    assert effect.ci == pytest.approx((-0.500435936033, 0.134317911143), abs=1e-9)
    assert effect.statistic == pytest.approx(-1.14476780401, abs=1e-9)
    assert effect.p_value == pytest.approx(0.255123054671, abs=1e-9)
    assert effect.relative.estimate == pytest.approx(-0.323404255319, abs=1e-9)
    assert effect.relative.ci == pytest.approx((-0.659335111119, 0.343789209459), abs=1e-9)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_test_and_interval_are_those_of_scipy_on_raw_values(alternative):
    chance = np.random.default_rng(11)
    for _ in range(20):
        x = chance.gamma(2, 3, chance.integers(2, 60))
        y = chance.normal(5, 1, chance.integers(2, 60))
        effect = compare_means(Moments.of(x), Moments.of(y), alternative=alternative, alpha=0.1)
        expected = stats.ttest_ind(y, x, equal_var=False, alternative=alternative)
        interval = expected.confidence_interval(0.9)
        assert effect.p_value == pytest.approx(expected.pvalue, rel=1e-9)
        assert effect.df == pytest.approx(expected.df, rel=1e-9)
        assert effect.ci == pytest.approx((interval.low, interval.high), rel=1e-9)


@given(arms, arms, st.sampled_from(ALTERNATIVES), levels)
def test_swapping_the_arms_mirrors_every_result(control, treatment, alternative, alpha):
    mirrored = {"two-sided": "two-sided", "greater": "less", "less": "greater"}[alternative]
    one = compare_means(control, treatment, alternative=alternative, alpha=alpha, null=0.5)
    other = compare_means(treatment, control, alternative=mirrored, alpha=alpha, null=-0.5)
    assert one.estimate == -other.estimate
    assert one.p_value == pytest.approx(other.p_value, rel=1e-12)
    assert one.statistic == -other.statistic
    assert one.ci == pytest.approx((-other.ci[1], -other.ci[0]), rel=1e-12, abs=1e-12)


@given(arms, arms, st.sampled_from(ALTERNATIVES), levels, st.floats(-50, 50))
def test_the_interval_excludes_the_null_exactly_when_p_is_below_alpha(c, t, alternative, alpha, null):
    assert _holds_duality(compare_means(c, t, alternative=alternative, alpha=alpha, null=null))


@given(arms, arms, st.sampled_from(ALTERNATIVES), levels)
def test_a_null_at_the_very_bound_keeps_test_and_interval_together(c, t, alternative, alpha):
    for bound in compare_means(c, t, alternative=alternative, alpha=alpha).ci:
        if math.isfinite(bound):
            for null in (bound, math.nextafter(bound, -math.inf), math.nextafter(bound, math.inf)):
                assert _holds_duality(compare_means(c, t, alternative=alternative, alpha=alpha, null=null))


@given(arms, arms)
def test_the_bound_of_the_interval_has_p_equal_to_alpha(control, treatment):
    effect = compare_means(control, treatment, alpha=0.07)
    for bound in effect.ci:
        assert compare_means(control, treatment, null=bound).p_value == pytest.approx(0.07, rel=1e-6)


@given(arms, arms)
def test_a_smaller_alpha_gives_a_wider_interval(control, treatment):
    wide = compare_means(control, treatment, alpha=0.01).ci
    narrow = compare_means(control, treatment, alpha=0.1).ci
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_one_sided_intervals_are_open_on_one_side():
    control, treatment = Moments.from_sd(50, 10, 2), Moments.from_sd(60, 11, 3)
    greater = compare_means(control, treatment, alternative="greater", alpha=0.025)
    less = compare_means(control, treatment, alternative="less", alpha=0.025)
    both = compare_means(control, treatment, alpha=0.05)
    assert greater.ci == (pytest.approx(both.ci[0]), math.inf)
    assert less.ci == (-math.inf, pytest.approx(both.ci[1]))


def test_z_has_the_p_value_of_t_and_its_sign():
    control, treatment = Moments.from_sd(5, 10, 2), Moments.from_sd(6, 13, 3)
    effect = compare_means(control, treatment)
    assert 0 < effect.z < effect.statistic
    assert 2 * stats.norm.sf(effect.z) == pytest.approx(effect.p_value, rel=1e-12)
    assert compare_means(treatment, control).z == -effect.z


def test_z_stays_finite_and_increasing_where_the_tail_of_t_underflows():
    z = [normal_deviate(t, 60_000.0) for t in (35.0, 37.0, 38.0, 40.0, 100.0)]
    assert z == sorted(z)
    assert z[-1] < 100.0
    # Just inside the range of doubles Wallace's approximation and the exact tail agree.
    wallace = (8 * 60_000 + 1) / (8 * 60_000 + 3) * math.sqrt(60_000 * math.log1p(36**2 / 60_000))
    assert normal_deviate(36.0, 60_000.0) == pytest.approx(wallace, rel=1e-6)


def test_a_p_value_far_in_the_tail_is_not_one_minus_something():
    effect = compare_means(Moments.from_sd(5000, 0, 1), Moments.from_sd(5000, 0.5, 1))
    assert effect.p_value == pytest.approx(2 * stats.t.sf(25, 9998), rel=1e-6)
    assert 0 < effect.p_value < 1e-100


@pytest.mark.parametrize(
    ("control", "treatment", "reason"),
    [
        (Moments.of([1.0, 2.0]), Moments.of([1.0]), "treatment arm: fewer than 2 units (found 1)"),
        (
            Moments.of([]),
            Moments.of([]),
            "control arm: fewer than 2 units (found 0); treatment arm: fewer than 2 units (found 0)",
        ),
        (Moments.of([3.0, 3.0]), Moments.of([4.0, 4.0]), "no variation in either arm"),
    ],
)
def test_what_cannot_be_computed_says_why_and_has_no_numbers(control, treatment, reason):
    for effect in (compare_means(control, treatment), compare_to_multiple(control, treatment, 0.9)):
        assert effect.not_computed == reason
        assert (effect.estimate, effect.ci, effect.p_value, effect.statistic) == (None, None, None, None)
        assert effect.z is None
        assert effect.rejects_null is None


def test_one_arm_without_variation_is_tested_on_the_other_arms_degrees_of_freedom():
    effect = compare_means(Moments.of([2.0, 2.0, 2.0]), Moments.of([1.0, 3.0, 4.0, 4.0]))
    expected = stats.ttest_1samp([1.0, 3.0, 4.0, 4.0], 2.0)
    assert effect.df == pytest.approx(3)
    assert effect.p_value == pytest.approx(expected.pvalue)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.0}, "alpha: 0.0 is not allowed"),
        ({"alpha": 5.0}, "give a level between 0 and 1"),
        ({"alternative": "bigger"}, "give one of two-sided, greater, less"),
        ({"null": math.nan}, "null: nan is not allowed"),
        ({"relative": "delta"}, "give log-delta, fieller or None"),
    ],
)
def test_bad_parameters_are_refused_with_what_is_allowed(arguments, message):
    arm = Moments.from_sd(10, 1, 1)
    with pytest.raises(ValueError, match=message):
        compare_means(arm, arm, **arguments)


def test_a_negative_multiple_is_refused():
    arm = Moments.from_sd(10, 1, 1)
    with pytest.raises(ValueError, match=r"multiple: -0.5 is not allowed"):
        compare_to_multiple(arm, arm, -0.5)


@given(positive_arms, positive_arms, st.floats(0.3, 3), st.sampled_from(ALTERNATIVES), levels)
def test_the_ratio_interval_excludes_the_multiple_exactly_when_p_is_below_alpha(
    control, treatment, multiple, alternative, alpha
):
    effect = compare_to_multiple(control, treatment, multiple, alternative=alternative, alpha=alpha)
    if effect.not_computed is None:
        assert effect.null == multiple - 1
        assert _holds_duality(effect)


@given(positive_arms, positive_arms, levels)
def test_each_bound_of_the_ratio_has_p_equal_to_alpha(control, treatment, alpha):
    effect = compare_to_multiple(control, treatment, 1.0, alpha=alpha)
    assume(effect.not_computed is None)
    for bound in effect.ci:
        if math.isfinite(bound) and bound > -1:
            again = compare_to_multiple(control, treatment, bound + 1, alpha=alpha)
            assert again.p_value == pytest.approx(alpha, rel=1e-5)


def test_a_multiple_of_one_is_the_plain_comparison():
    control, treatment = Moments.from_sd(50, 10, 2), Moments.from_sd(60, 11, 3)
    plain, multiple = compare_means(control, treatment), compare_to_multiple(control, treatment, 1.0)
    assert multiple.p_value == plain.p_value
    assert multiple.statistic == plain.statistic


@given(st.floats(1, 50), st.floats(0.001, 1), st.floats(-50, 50), st.floats(0.001, 1), st.floats(0.01, 0.2))
def test_with_known_variances_the_ratio_interval_is_the_closed_form_of_fieller(c, vc, t, vt, alpha):
    q = stats.norm.isf(alpha / 2)
    assume(c > 1.01 * q * math.sqrt(vc))
    interval = fieller_interval(Contrast(c, vc, math.inf, t, vt, math.inf), alpha, "two-sided")
    assert interval == pytest.approx(fieller_closed_form(c, vc, t, vt, q), rel=1e-6, abs=1e-9)


def test_swapping_the_arms_inverts_the_ratio_interval():
    a, b = Moments.from_sd(40, 10, 4), Moments.from_sd(70, 13, 9)
    one = [bound + 1 for bound in compare_to_multiple(a, b, 1.0).ci]
    other = [bound + 1 for bound in compare_to_multiple(b, a, 1.0).ci]
    assert one == pytest.approx([1 / other[1], 1 / other[0]], rel=1e-9)


def test_a_control_not_distinguishable_from_zero_gives_no_interval_that_has_an_end():
    near_zero = Moments.from_sd(10, 0.1, 1)
    unclear = compare_to_multiple(near_zero, Moments.from_sd(10, 0.05, 1), 0.9)
    assert unclear.ci == (-math.inf, math.inf)
    assert unclear.p_value > 0.05
    clear = compare_to_multiple(near_zero, Moments.from_sd(10, 5, 1), 0.9)
    assert clear.ci is None
    assert "not distinguishable from 0" in clear.not_computed


@settings(max_examples=40)
@given(st.floats(0.01, 3), st.floats(-5, 5), st.sampled_from(ALTERNATIVES))
def test_no_ratio_outside_the_interval_is_accepted_and_no_interval_means_a_gap(c, t, alternative):
    contrast = Contrast(c, 1.0, 99, t, 1.0, 99)
    grid = np.concatenate([-np.geomspace(1e-4, 1e4, 60), np.geomspace(1e-4, 1e4, 60)])
    p = np.array([p_value(contrast.statistic(r), contrast.df(r), alternative) for r in grid])
    interval = fieller_interval(contrast, 0.05, alternative)
    if interval is None:
        # What is accepted reaches beyond some ratio that is rejected, on both sides or on the open one.
        peak = -c / t
        assert p_value(contrast.statistic(peak), contrast.df(peak), alternative) < 0.05
    else:
        inside = (interval[0] <= grid) & (grid <= interval[1])
        assert np.array_equal(inside, p >= 0.05)


def test_at_the_edge_of_being_distinguishable_from_zero_the_ratio_interval_is_long_or_open():
    edge = critical_value(0.05, 99, "two-sided")
    for c in (math.nextafter(edge, 9), edge * (1 + 1e-15), edge * (1 + 1e-12), edge * (1 + 1e-6)):
        lower, upper = fieller_interval(Contrast(c, 1.0, 99, 0.3, 1.0, 99), 0.05, "two-sided")
        assert -c / 0.3 < lower < 0
        assert upper > 1e5
    assert fieller_interval(Contrast(edge, 1.0, 99, 0.3, 1.0, 99), 0.05, "two-sided") is None


def test_a_bound_of_exactly_zero_is_found():
    t = critical_value(0.05, math.inf, "two-sided")
    contrast = Contrast(10.0, 1.0, math.inf, t, 1.0, math.inf)
    assert fieller_interval(contrast, 0.05, "two-sided")[0] == pytest.approx(0.0, abs=1e-14)


def test_a_control_below_zero_has_no_relative_effect():
    control, treatment = Moments.from_sd(50, -10, 2), Moments.from_sd(60, 11, 3)
    assert "not above 0" in compare_to_multiple(control, treatment, 0.9).not_computed
    effect = compare_means(control, treatment)
    assert effect.p_value is not None
    assert effect.relative.ci is None
    assert "not above 0" in effect.relative.not_computed
    below = compare_means(treatment, control)
    assert "no logarithm" in below.relative.not_computed


def test_the_fieller_interval_beside_a_difference_is_the_one_of_the_ratio_test():
    control, treatment = Moments.from_sd(50, 10, 2), Moments.from_sd(60, 11, 3)
    beside = compare_means(control, treatment, relative="fieller").relative
    assert beside.ci == pytest.approx(compare_to_multiple(control, treatment, 1.3).ci, rel=1e-12)


def test_rounding_never_moves_an_interval_that_agrees_with_its_test():
    assert agree_with_test((1.0, 2.0), 0.0, 0.01, 0.05) == (1.0, 2.0)
    assert agree_with_test((-1.0, 2.0), 0.0, 0.2, 0.05) == (-1.0, 2.0)
    assert agree_with_test((0.0, 2.0), 0.0, 0.0499, 0.05) == (5e-324, 2.0)
    assert agree_with_test((-2.0, 0.0), 0.0, 0.0499, 0.05) == (-2.0, -5e-324)
    assert agree_with_test((1e-16, 2.0), 0.0, 0.05, 0.05) == (0.0, 2.0)


def test_the_level_is_one_minus_alpha():
    effect = compare_means(Moments.from_sd(50, 10, 2), Moments.from_sd(60, 11, 3), alpha=0.1)
    assert effect.level == 0.9
    assert replace(effect, alpha=0.05).level == 0.95


def _welch_replays(seed, replays, n_c, n_t, draw_c, draw_t):
    chance = np.random.default_rng(seed)
    c, t = draw_c(chance, (replays, n_c)), draw_t(chance, (replays, n_t))
    return [
        compare_means(Moments(n_c, float(mc), float(sc)), Moments(n_t, float(mt), float(s)), relative=None)
        for mc, sc, mt, s in zip(c.mean(1), n_c * c.var(1), t.mean(1), n_t * t.var(1), strict=True)
    ]


def test_welch_holds_its_level_with_unequal_arms_and_spreads():
    # 6,000 replays: Monte-Carlo standard error 0.0028.
    effects = _welch_replays(21, 6000, 20, 60, lambda g, s: g.normal(3, 3, s), lambda g, s: g.normal(3, 1, s))
    rejected = np.mean([effect.rejects_null for effect in effects])
    assert abs(rejected - 0.05) < 0.0085
    covered = np.mean([effect.ci[0] <= 0 <= effect.ci[1] for effect in effects])
    assert covered == 1 - rejected


def test_the_ratio_interval_covers_the_true_ratio():
    # 3,000 replays: Monte-Carlo standard error 0.004.
    chance = np.random.default_rng(22)
    covered = 0
    for _ in range(3000):
        c, t = chance.normal(10, 8, 40), chance.normal(12, 5, 30)
        effect = compare_to_multiple(Moments.of(c), Moments.of(t), 1.2)
        covered += effect.ci[0] <= 0.2 <= effect.ci[1]
    assert abs(covered / 3000 - 0.95) < 0.012
