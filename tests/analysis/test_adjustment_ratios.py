import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.adjustment import adjust_means, adjust_ratios
from analysis.moments import CoMoments
from analysis.ratios import (
    Ratio,
    compare_linearised,
    compare_linearised_to_multiple,
    compare_ratios,
    linearise,
)
from tests.references.ratio_adjustment_reference import adjusted_difference, jackknife_standard_error

CLICKS = Ratio(0, 1)
CLICKS_BEFORE = Ratio(2, 3)
AGE = 4


def _arm(chance, n, *, lift=0.0, strength=4.0, resemblance=1.0):
    """Clicks and views after and before exposure, and age; users differ in how readily they click.

    A smaller ``strength`` makes users differ more; ``resemblance`` 0 makes the time before tell nothing.
    """
    rate = chance.beta(0.3 * strength, 0.7 * strength, n)
    earlier = np.where(chance.random(n) < resemblance, rate, chance.permutation(rate))
    views, views_before = 1 + chance.poisson(chance.gamma(2, 6, n)), chance.poisson(chance.gamma(2, 10, n))
    clicks = chance.binomial(views, np.clip(rate + lift, 0, 1))
    clicks_before = chance.binomial(views_before, earlier)
    age = 40 + 20 * rate + chance.normal(0, 5, n)
    return np.column_stack([clicks, views, clicks_before, views_before, age]).astype(float)


def _arms(seed, n_c=400, n_t=300, **how):
    chance = np.random.default_rng(seed)
    return _arm(chance, n_c, **how), _arm(chance, n_t, **how)


def _parts(arm):
    return (arm[:, 0], arm[:, 1]), (arm[:, 2], arm[:, 3]), arm[:, 4]


def _adjusted(arms, covariates=(CLICKS_BEFORE, AGE), outcome=CLICKS):
    return adjust_ratios(*map(CoMoments.of, arms), outcome, covariates)


def _effect(adjustment, **question):
    return compare_linearised(adjustment.control, adjustment.treatment, **question)


def test_the_adjusted_ratio_is_that_of_least_squares_on_the_linearised_units():
    arms = _arms(201, lift=0.02)
    adjustment = _adjusted(arms)
    effect = _effect(adjustment)
    difference, standard_error, theta = adjusted_difference(*map(_parts, arms))
    assert effect.estimate == pytest.approx(difference, rel=1e-9)
    assert effect.standard_error == pytest.approx(standard_error, rel=1e-9)
    assert [c.value for c in adjustment.coefficients] == pytest.approx(theta, rel=1e-9)


def test_the_standard_error_is_the_one_of_leaving_out_each_unit():
    arms = _arms(202, n_c=4000, n_t=3000)
    adjustment = _adjusted(arms)
    theta = np.array([c.value for c in adjustment.coefficients])
    expected = jackknife_standard_error(*map(_parts, arms), theta)
    assert _effect(adjustment).standard_error == pytest.approx(expected, rel=2e-3)


def test_a_ratio_to_a_constant_is_adjusted_as_a_mean():
    arms = _arms(203)
    constant = [np.column_stack([arm[:, [0, 2]], np.ones(len(arm))]) for arm in arms]
    ratio = _adjusted(constant, (Ratio(1, 2),), Ratio(0, 2))
    mean = adjust_means(*(CoMoments.of(arm[:, :2]) for arm in constant))
    assert ratio.control.mean == pytest.approx(mean.control.mean, rel=1e-12)
    assert ratio.treatment.m2 == pytest.approx(mean.treatment.m2, rel=1e-9)
    assert ratio.coefficients[0].value == pytest.approx(mean.coefficients[0].value, rel=1e-9)


def test_a_mean_may_be_adjusted_by_a_ratio():
    arms = _arms(204)
    effect = _effect(_adjusted(arms, (CLICKS_BEFORE,), AGE))
    difference, standard_error, _ = adjusted_difference(
        *((arm[:, 4], (arm[:, 2], arm[:, 3])) for arm in arms)
    )
    assert (effect.estimate, effect.standard_error) == pytest.approx((difference, standard_error), rel=1e-9)


@given(st.integers(0, 10_000), st.sampled_from(["two-sided", "greater", "less"]))
def test_swapping_the_arms_mirrors_the_adjusted_ratio(seed, alternative):
    arms = _arms(seed, n_c=40, n_t=60)
    mirrored = {"two-sided": "two-sided", "greater": "less", "less": "greater"}[alternative]
    one = _effect(_adjusted(arms), alternative=alternative)
    other = _effect(_adjusted(arms[::-1]), alternative=mirrored)
    assert other.estimate == pytest.approx(-one.estimate, rel=1e-8, abs=1e-12)
    assert other.p_value == pytest.approx(one.p_value, rel=1e-8)
    assert other.ci == pytest.approx((-one.ci[1], -one.ci[0]), rel=1e-8, abs=1e-12)


@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(0.01, 100), st.floats(-1000, 1000))
def test_the_units_of_the_sums_and_the_origin_of_a_covariate_do_not_matter(
    seed, numerator, denominator, origin
):
    arms = _arms(seed, n_c=40, n_t=60)
    scale = np.array([numerator, denominator, denominator, numerator, 1.0])
    one = _adjusted(arms)
    other = _adjusted([arm * scale + [0, 0, 0, 0, origin] for arm in arms])
    assert _effect(other).p_value == pytest.approx(_effect(one).p_value, rel=1e-6)
    assert _effect(other).estimate == pytest.approx(
        _effect(one).estimate * numerator / denominator, rel=1e-6, abs=1e-12 * numerator / denominator
    )
    assert other.variance_reduction == pytest.approx(one.variance_reduction, abs=1e-8)


def test_a_covariate_that_tells_nothing_leaves_the_ratio_nearly_as_it_was():
    arms = _arms(205, n_c=20_000, n_t=20_000, resemblance=0.0)
    adjustment = _adjusted(arms, (CLICKS_BEFORE,))
    plain = compare_ratios(*(CoMoments.of(arm[:, :2]) for arm in arms))
    effect = _effect(adjustment)
    assert abs(adjustment.variance_reduction) < 0.001
    assert effect.standard_error == pytest.approx(plain.standard_error, rel=1e-3)
    assert abs(effect.estimate - plain.estimate) < 0.1 * plain.standard_error


def test_the_variance_reduction_is_the_squared_correlation_of_the_linearised_ratios():
    arms = _arms(206, n_c=20_000, n_t=20_000)
    pair = linearise(CoMoments.of(arms[0]), [CLICKS, CLICKS_BEFORE])
    correlation = pair.covariance(0, 1) / (pair.marginal(0).sd * pair.marginal(1).sd)
    assert _adjusted(arms, (CLICKS_BEFORE,)).variance_reduction == pytest.approx(correlation**2, abs=0.01)
    assert correlation**2 > 0.3


def test_a_unit_without_history_pulls_neither_way():
    """0 of 0 before exposure stands at the arm's ratio: the arms' ratios before exposure do not move."""
    arms = _arms(207)
    newcomers = [np.vstack([arm, [[3, 10, 0, 0, 45]]]) for arm in arms]
    for with_newcomer, without in zip(newcomers, arms, strict=True):
        before = [linearise(CoMoments.of(arm), [CLICKS_BEFORE]).means[0] for arm in (with_newcomer, without)]
        assert before[0] == pytest.approx(before[1], rel=1e-12)


def test_a_relative_margin_of_an_adjusted_ratio_is_judged_by_its_own_inversion():
    adjustment = _adjusted(_arms(208, n_c=3000, n_t=3000))
    effect = compare_linearised_to_multiple(
        adjustment.control, adjustment.treatment, 0.95, alternative="greater", alpha=0.025
    )
    assert effect.scale == "relative"
    assert (effect.p_value < 0.025) == (effect.ci[0] > -0.05)


def test_a_ratio_covariate_without_history_in_an_arm_is_left_out_and_reported():
    control, treatment = _arms(209)
    treatment[:, 2:4] = 0
    adjustment = adjust_ratios(
        CoMoments.of(control), CoMoments.of(treatment), CLICKS, [CLICKS_BEFORE, AGE], ["clicks before", "age"]
    )
    assert adjustment.coefficients[0].not_used == "the denominator's mean is 0 in treatment"
    assert adjustment.coefficients[0].value is None
    alone = _adjusted((control, treatment), (AGE,))
    assert (adjustment.control, adjustment.treatment) == (alone.control, alone.treatment)
    assert adjustment.coefficients[1].value == alone.coefficients[0].value
    none_left = _adjusted((control, treatment), (CLICKS_BEFORE,))
    assert none_left.variance_reduction == 0.0
    plain = compare_ratios(CoMoments.of(control[:, :2]), CoMoments.of(treatment[:, :2]))
    assert _effect(none_left) == plain


def test_an_outcome_without_denominator_or_units_says_so():
    control, treatment = _arms(210)
    control[:, :2] = 0
    assert _adjusted((control, treatment)).not_computed == "control arm: the denominator's mean is 0"
    assert _adjusted((control, treatment[:1])).not_computed == (
        "control arm: the denominator's mean is 0; treatment arm: fewer than 2 units (found 1)"
    )
    assert _adjusted((control[:0], treatment)).not_computed == "control arm: fewer than 2 units (found 0)"


@pytest.mark.parametrize(
    ("covariates", "names", "message"),
    [((), None, "names: 0 for 0 covariates"), ((CLICKS_BEFORE,), ["a", "b"], "names: 2 for 1 covariates")],
)
def test_covariates_and_names_that_do_not_fit_are_refused(covariates, names, message):
    arms = [CoMoments.of(arm) for arm in _arms(211, n_c=5, n_t=5)]
    with pytest.raises(ValueError, match=message):
        adjust_ratios(*arms, CLICKS, covariates, names)


def test_arms_of_different_variables_are_refused():
    control, treatment = (CoMoments.of(arm) for arm in _arms(212, n_c=5, n_t=5))
    with pytest.raises(ValueError, match="5 and 4 variables"):
        adjust_ratios(control, treatment.select([0, 1, 2, 3]), CLICKS, [CLICKS_BEFORE])


def _coverage(seed, replays, n):
    """Coverage of a true difference of 0.03, and the mean variance reduction, with and without adjustment."""
    chance = np.random.default_rng(seed)
    covered = plain_covered = 0
    reduction = width = plain_width = 0.0
    for _ in range(replays):
        # Rates of 0.1 to 0.9, so that a lift of 0.03 is 0.03 for everybody.
        arms = []
        for lift in (0.0, 0.03):
            rate = chance.uniform(0.1, 0.9, n)
            views = np.exp(chance.uniform(0, np.log(200), n)).astype(int)
            before = np.where(chance.random(n) < 0.8, np.ceil(views * chance.uniform(0.5, 1.5, n)), 0).astype(
                int
            )
            arms.append(
                np.column_stack(
                    [chance.binomial(views, rate + lift), views, chance.binomial(before, rate), before]
                )
            )
        adjustment = _adjusted(arms, (CLICKS_BEFORE,))
        effect = _effect(adjustment, relative=None)
        plain = compare_ratios(*(CoMoments.of(arm[:, :2]) for arm in arms), relative=None)
        covered += effect.ci[0] <= 0.03 <= effect.ci[1]
        plain_covered += plain.ci[0] <= 0.03 <= plain.ci[1]
        reduction += adjustment.variance_reduction / replays
        width += (effect.ci[1] - effect.ci[0]) / replays
        plain_width += (plain.ci[1] - plain.ci[0]) / replays
    return covered / replays, plain_covered / replays, reduction, width / plain_width


def test_the_adjusted_interval_holds_its_coverage_and_is_narrower():
    # 2,000 replays of 400 units per arm: Monte-Carlo standard error 0.0049.
    covered, plain_covered, reduction, width = _coverage(213, 2000, 400)
    assert abs(covered - 0.95) < 3 * 0.0049
    assert abs(plain_covered - 0.95) < 3 * 0.0049
    assert reduction > 0.25
    assert width == pytest.approx(np.sqrt(1 - reduction), abs=0.01)
