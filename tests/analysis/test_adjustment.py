import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.adjustment import adjust_means, apply_adjustment
from analysis.effects import compare_means
from analysis.moments import CoMoments, Moments
from analysis.ratios import Ratio, linearise
from tests.references.two_sample_reference import cuped_by_least_squares


def _arms(seed, n_c=80, n_t=120, k=2, effect=0.5, shift=0.3):
    """Outcome and covariates of two arms; `shift` moves the covariates of the treatment."""
    chance = np.random.default_rng(seed)
    arms = []
    for n, lift, move in ((n_c, 0.0, 0.0), (n_t, effect, shift)):
        x = chance.normal(5, 2, (n, k)) + move
        y = x @ np.linspace(1, 0.2, k) + chance.normal(0, 1, n) + lift
        arms.append((y, x))
    return arms


def _comoments(arms):
    return [CoMoments.of(np.column_stack([y, x])) for y, x in arms]


def test_theta_is_that_of_growthbook():
    # growthbook 8f1db44, packages/stats/tests/test_shared_models.py::TestComputeTheta; both arms identical, so
    # that θ within arms and over all units are the same.
    arm = CoMoments.of(np.column_stack([[2.0, 1.0, 5.0, 3.0], [0.3, 0.5, 0.9, 22.0]]))
    assert adjust_means(arm, arm).coefficients[0].value == pytest.approx(0.01864, abs=5.1e-6)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_theta_and_effect_are_those_of_a_regression_on_arm_and_covariates(k):
    arms = _arms(101, k=k)
    adjustment = adjust_means(*_comoments(arms))
    difference, theta = cuped_by_least_squares(*arms[0], *arms[1])
    assert [c.value for c in adjustment.coefficients] == pytest.approx(theta, rel=1e-9)
    effect = compare_means(adjustment.control, adjustment.treatment)
    assert effect.estimate == pytest.approx(difference, rel=1e-9)


def test_the_adjusted_moments_are_those_of_the_adjusted_values():
    arms = _arms(102)
    adjustment = adjust_means(*_comoments(arms))
    theta = np.array([c.value for c in adjustment.coefficients])
    centre = np.vstack([x for _, x in arms]).mean(axis=0)
    for (y, x), moments in zip(arms, (adjustment.control, adjustment.treatment), strict=True):
        expected = Moments.of(y - (x - centre) @ theta)
        assert moments.mean == pytest.approx(expected.mean, rel=1e-10)
        assert moments.m2 == pytest.approx(expected.m2, rel=1e-10)


def _tea_tasting():
    """Co-moments of orders, sessions and their covariates per user, from tea-tasting's sums."""
    names = ("o", "s", "oc", "sc")

    def arm(n, sums, squares):
        cross = np.array([[squares[frozenset((a, b))] for b in names] for a in names], dtype=float)
        s = np.array([sums[a] for a in names], dtype=float)
        centred = cross - np.outer(s, s) / n
        return CoMoments(n, tuple(s / n), tuple(map(tuple, (centred + centred.T) / 2)))

    def squares(ss, so, s_sc, s_oc, oo, o_sc, o_oc, scsc, sc_oc, ococ):
        pairs = {
            ("s",): ss, ("s", "o"): so, ("s", "sc"): s_sc, ("s", "oc"): s_oc, ("o",): oo,
            ("o", "sc"): o_sc, ("o", "oc"): o_oc, ("sc",): scsc, ("sc", "oc"): sc_oc, ("oc",): ococ,
        }  # fmt: skip
        return {frozenset(pair): value for pair, value in pairs.items()}

    control = arm(
        53, {"o": 30, "s": 105, "oc": 28, "sc": 102}, squares(259, 80, 260, 76, 58, 94, 56, 380, 118, 90)
    )
    treatment = arm(
        47, {"o": 18, "s": 89, "oc": 15, "sc": 92}, squares(205, 41, 213, 36, 30, 42, 23, 290, 42, 31)
    )
    return control, treatment


def test_with_its_own_theta_an_adjusted_ratio_is_that_of_tea_tasting():
    # e10v/tea-tasting 90306f1, tests/metrics/test_mean.py::test_ratio_of_means_analyze_ratio_less_use_norm: θ is
    # taken there from both arms as one sample, the tail from the normal distribution.
    control, treatment = _tea_tasting()
    ratios = [Ratio(0, 1), Ratio(2, 3)]
    total = linearise(control.merge(treatment), ratios)
    theta = [total.comoments[0][1] / total.comoments[1][1]]
    adjusted = apply_adjustment(linearise(control, ratios), linearise(treatment, ratios), theta)
    effect = compare_means(*adjusted, alternative="less", relative=None)
    assert effect.estimate == pytest.approx(-0.0202256167975, abs=1e-9)
    assert effect.statistic == pytest.approx(-0.357318898631, abs=1e-9)
    assert stats.norm.cdf(effect.statistic) == pytest.approx(0.360426541773, abs=1e-9)


def test_with_a_given_theta_the_lift_of_a_declining_ratio_is_that_of_growthbook():
    # growthbook 8f1db44, packages/stats/tests/test_shared_models.py::TestEffectMomentsCupedRatioNegativeBaseline,
    # θ = 0.5, lift relative to the unadjusted control ratio
    control = [
        [12.0, 19.0, 16.0, 24.0, 21.0, 9.0, 14.0, 26.0], [1.0, 2.0, 1.5, 2.5, 2.0, 1.0, 1.5, 2.5],
        [16.0, 11.0, 21.0, 19.0, 26.0, 11.0, 9.0, 21.0], [1.5, 1.0, 2.0, 2.0, 2.5, 1.0, 1.0, 2.0],
    ]  # fmt: skip
    treatment = [
        [14.0, 9.0, 17.0, 23.0, 9.0, 18.0, 22.0, 13.0], [1.5, 1.0, 2.0, 2.5, 1.0, 2.0, 2.5, 1.5],
        [11.0, 17.0, 22.0, 27.0, 10.0, 27.0, 21.0, 16.0], [1.0, 1.5, 2.0, 2.5, 1.0, 2.5, 2.0, 1.5],
    ]  # fmt: skip
    arms = [
        linearise(CoMoments.of(np.transpose(arm)), [Ratio(0, 1), Ratio(2, 3)]) for arm in (control, treatment)
    ]
    adjusted = apply_adjustment(*arms, [0.5])
    lift = (adjusted[1].mean - adjusted[0].mean) / arms[0].means[0]
    assert lift == pytest.approx(-0.1372068, abs=1e-7)


def test_the_variance_reduction_is_the_squared_correlation_within_arms():
    arms = _arms(103, n_c=20_000, n_t=20_000, k=1, shift=0.0)
    adjustment = adjust_means(*_comoments(arms))
    correlation = np.corrcoef(arms[0][0], arms[0][1][:, 0])[0, 1]
    assert adjustment.variance_reduction == pytest.approx(correlation**2, abs=0.01)


def test_an_effect_on_the_outcome_does_not_enter_theta():
    near, far = _arms(104), _arms(104, effect=1000.0)
    values = [[c.value for c in adjust_means(*_comoments(arms)).coefficients] for arms in (near, far)]
    assert values[0] == pytest.approx(values[1], rel=1e-9)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.floats(-1e3, 1e3), st.floats(0.01, 100), st.sampled_from([-1, 1]))
def test_neither_origin_nor_unit_of_a_covariate_matters(seed, origin, unit, sign):
    arms = _arms(seed, n_c=25, n_t=30)
    moved = [(y, x * [1.0, sign * unit] + [0.0, origin]) for y, x in arms]
    one, other = adjust_means(*_comoments(arms)), adjust_means(*_comoments(moved))
    assert other.control.mean == pytest.approx(one.control.mean, rel=1e-7, abs=1e-7)
    assert other.treatment.m2 == pytest.approx(one.treatment.m2, rel=1e-6)
    assert other.variance_reduction == pytest.approx(one.variance_reduction, abs=1e-6)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_swapping_the_arms_mirrors_the_adjusted_effect(seed):
    control, treatment = _comoments(_arms(seed, n_c=25, n_t=30))
    one, other = adjust_means(control, treatment), adjust_means(treatment, control)
    assert [c.value for c in one.coefficients] == pytest.approx([c.value for c in other.coefficients])
    assert compare_means(one.control, one.treatment).p_value == pytest.approx(
        compare_means(other.treatment, other.control).p_value
    )


def test_a_covariate_that_does_not_vary_is_left_out_and_reported():
    arms = [(y, np.column_stack([x[:, 0], np.full(len(y), 0.1)])) for y, x in _arms(105)]
    adjustment = adjust_means(*_comoments(arms), ["orders before", "country share"])
    assert adjustment.coefficients[1].not_used == "does not vary within the arms"
    assert adjustment.coefficients[1].value is None
    alone = adjust_means(*(arm.select([0, 1]) for arm in _comoments(arms)))
    assert adjustment.control == alone.control
    assert adjustment.coefficients[0].value == alone.coefficients[0].value


def test_a_covariate_determined_by_others_is_left_out_and_reported():
    arms = [(y, np.column_stack([x, 3 * x[:, 0] - x[:, 1] + 7])) for y, x in _arms(106)]
    adjustment = adjust_means(*_comoments(arms), ["a", "b", "c"])
    assert adjustment.coefficients[2].not_used == "determined by a, b"
    without = adjust_means(*(arm.select([0, 1, 2]) for arm in _comoments(arms)))
    assert adjustment.control.mean == pytest.approx(without.control.mean, rel=1e-12)
    assert adjustment.control.m2 == pytest.approx(without.control.m2, rel=1e-12)


def test_two_covariates_that_are_nearly_but_not_quite_the_same_are_both_used():
    chance = np.random.default_rng(107)
    arms = [(y, np.column_stack([x[:, 0], x[:, 0] + chance.normal(0, 0.01, len(y))])) for y, x in _arms(107)]
    adjustment = adjust_means(*_comoments(arms))
    assert [c.not_used for c in adjustment.coefficients] == [None, None]
    difference, theta = cuped_by_least_squares(*arms[0], *arms[1])
    assert [c.value for c in adjustment.coefficients] == pytest.approx(theta, rel=1e-5)
    assert compare_means(adjustment.control, adjustment.treatment).estimate == pytest.approx(
        difference, rel=1e-9
    )


def test_with_no_usable_covariate_the_unadjusted_outcome_remains_and_the_reason_is_given():
    arms = [(y, np.zeros((len(y), 1))) for y, _ in _arms(108)]
    control, treatment = _comoments(arms)
    adjustment = adjust_means(control, treatment)
    assert adjustment.control == control.marginal(0)
    assert adjustment.treatment == treatment.marginal(0)
    assert adjustment.variance_reduction == 0.0
    assert adjustment.coefficients[0].not_used is not None


def test_a_timestamp_of_small_spread_is_a_covariate_that_varies():
    arms = [(y, 1.7e9 + (x[:, :1] - 5) / 7) for y, x in _arms(109)]
    adjustment = adjust_means(*_comoments(arms))
    assert adjustment.coefficients[0].not_used is None
    assert adjustment.variance_reduction > 0.5


def test_too_few_units_say_so():
    single = CoMoments.of([[1.0, 2.0]])
    several = CoMoments.of([[1.0, 2.0], [2.0, 1.0], [0.0, 3.5]])
    assert adjust_means(several, single).not_computed == "treatment arm: fewer than 2 units (found 1)"
    wide = [CoMoments.of(np.random.default_rng(i).normal(size=(2, 4))) for i in (1, 2)]
    assert adjust_means(*wide).not_computed == "4 units are too few for 2 covariates"


@pytest.mark.parametrize(
    ("variables", "names", "message"),
    [
        ((1, 1), None, "give the outcome and then the same covariates"),
        ((2, 3), None, "2 and 3 variables"),
        ((3, 3), ["a"], "1 names for 2 covariates"),
    ],
)
def test_arms_that_do_not_fit_are_refused(variables, names, message):
    arms = [CoMoments.of(np.random.default_rng(3).normal(size=(5, k))) for k in variables]
    with pytest.raises(ValueError, match=message):
        adjust_means(*arms, names)


def test_the_adjusted_test_holds_its_level_with_uneven_arms_and_effects():
    # 3,000 A/A replays, 200 against 100 units, two covariates: Monte-Carlo standard error 0.004.
    chance = np.random.default_rng(110)
    rejected, reduction = 0, 0.0
    for _ in range(3000):
        arms = []
        for n in (200, 100):
            x = chance.gamma(2, 2, (n, 2))
            arms.append(CoMoments.of(np.column_stack([x[:, 0] + chance.normal(0, 1, n), x])))
        adjustment = adjust_means(*arms)
        reduction += adjustment.variance_reduction / 3000
        rejected += compare_means(adjustment.control, adjustment.treatment, relative=None).rejects_null
    assert abs(rejected / 3000 - 0.05) < 0.0145
    assert 0.85 < reduction < 0.93
