import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from analysis import score
from analysis.effects import compare_means
from analysis.proportion_intervals import shown_interval, wilson_interval
from analysis.proportions import (
    Proportion,
    compare_proportions,
    compare_proportions_to_multiple,
)
from tests.references.two_sample_reference import (
    interval_by_bisection,
    restricted_rates_by_likelihood,
    score_p_value,
    score_ratio_p_value,
)

ALTERNATIVES = ("two-sided", "greater", "less")
METHODS = ("score", "miettinen-nurminen")


@st.composite
def proportions(draw, largest=400):
    n = draw(st.integers(1, largest))
    return Proportion(draw(st.integers(0, n)), n)


levels = st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.2])


def _agree(effect) -> bool:
    lower, upper = effect.ci
    return (effect.p_value < effect.alpha) == (effect.null < lower or effect.null > upper)


@pytest.mark.parametrize(
    ("control", "treatment", "z", "p"),
    [
        # The landing-page test without its 3,893 mismatched rows and one double id.
        ((17489, 145274), (17264, 145310), -1.31092, 0.189883),
        # Cookie Cats, seven-day retention, gate at level 30 against 40.
        ((8502, 44700), (8279, 45489), -3.1644, 0.00155425),
        # Cookie Cats, one-day retention.
        ((20034, 44700), (20119, 45489), -1.7841, 0.074410),
        # AdSmart, yes among all auctions.
        ((264, 4071), (308, 4006), 2.1083, 0.035005826),
    ],
)
def test_known_public_experiments_have_their_known_results(control, treatment, z, p):
    effect = compare_proportions(Proportion(*control), Proportion(*treatment))
    assert effect.statistic == pytest.approx(z, abs=6e-5)
    assert effect.p_value == pytest.approx(p, abs=6e-7)
    assert effect.df is None
    assert effect.z == effect.statistic
    assert effect.method == "score (pooled z; Mee interval)"


def test_cookie_cats_rates_are_the_known_ones():
    effect = compare_proportions(Proportion(8502, 44700), Proportion(8279, 45489))
    assert effect.control_mean == pytest.approx(0.190201, abs=5e-7)
    assert effect.treatment_mean == pytest.approx(0.182000, abs=5e-7)


@pytest.mark.parametrize(
    ("x_t", "n_t", "x_c", "n_c", "method", "expected", "tolerance"),
    [
        # ocbe-uio/contingencytables b1fde68, tests/testthat/test-ch4.R (Perondi et al. 2004): Mee
        (7, 34, 1, 34, "score", (0.0284, 0.3439), 5.1e-5),
        # R PropCIs diffscoreci, as held by statsmodels test_confint_2indep_propcis: with N/(N − 1)
        (7, 34, 1, 34, "miettinen-nurminen", (0.0270416, 0.3452912), 6e-7),
        # Miettinen & Nurminen (1985), example 4, as held by gsDesign test.ciBinomial.misc
        (0, 10, 0, 20, "miettinen-nurminen", (-0.1658, 0.2843608), 1e-4),
        (72, 756, 20, 573, "miettinen-nurminen", (0.0344, 0.0868), 5.1e-5),
        # Newcombe (1998), example d, as held by petelaud/ratesci tests/testthat/test3.R
        (5, 56, 0, 29, "miettinen-nurminen", (-0.0326, 0.1933), 5.1e-5),
        (5, 56, 0, 29, "score", (-0.0313, 0.1926), 5.1e-5),
        # Gart & Nam (1990), same file
        (7, 25, 2, 25, "score", (-0.014, 0.412), 5.1e-4),
    ],
)
def test_score_intervals_of_a_difference_are_the_published_ones(
    x_t, n_t, x_c, n_c, method, expected, tolerance
):
    effect = compare_proportions(Proportion(x_c, n_c), Proportion(x_t, n_t), method=method)
    assert effect.ci == pytest.approx(expected, abs=tolerance)


def test_score_statistics_at_the_published_bounds_are_the_published_ones():
    # gsDesign test.testBinomial.numerics: 0/10 against 0/20, both bounds of Miettinen & Nurminen's example 4.
    for null, z in ((-0.1658, 1.959962), (0.2843608, -1.959865)):
        effect = compare_proportions(
            Proportion(0, 20), Proportion(0, 10), null=null, method="miettinen-nurminen"
        )
        assert effect.statistic == pytest.approx(z, abs=4e-4)


@pytest.mark.parametrize(
    ("method", "expected", "tolerance"),
    [
        # R PropCIs riskscoreci (Koopman), as held by statsmodels test_confint_2indep_propcis
        ("score", (1.220853, 42.575718), 6e-6),
        # ocbe-uio/contingencytables b1fde68, test-ch4.R
        ("score", (1.2209, 42.5757), 5.1e-5),
        ("miettinen-nurminen", (1.2086, 43.033), 5.1e-5),
    ],
)
def test_score_intervals_of_a_ratio_are_the_published_ones(method, expected, tolerance):
    effect = compare_proportions_to_multiple(Proportion(1, 34), Proportion(7, 34), 1.0, method=method)
    assert [bound + 1 for bound in effect.ci] == pytest.approx(expected, abs=tolerance)
    assert effect.estimate == pytest.approx(6.0)


def test_the_log_interval_of_a_ratio_is_that_of_katz():
    # ocbe-uio/contingencytables b1fde68, test-ch4.R: Katz log interval for 7/34 against 1/34
    effect = compare_proportions(Proportion(1, 34), Proportion(7, 34), relative="log-delta")
    assert [bound + 1 for bound in effect.relative.ci] == pytest.approx((0.9096, 53.8695), abs=5.1e-5)


@pytest.mark.parametrize(
    ("kind", "expected", "tolerance"),
    [
        # R PropCIs, as held by statsmodels test_confint_2indep_propcis
        ("agresti-caffo", (0.01161167, 0.32172166), 6e-8),
        ("wald", (0.02916942, 0.32377176), 6e-8),
        # ocbe-uio/contingencytables b1fde68, test-ch4.R
        ("newcombe", (0.0189, 0.3404), 5.1e-5),
    ],
)
def test_shown_intervals_are_the_published_ones(kind, expected, tolerance):
    assert shown_interval(Proportion(1, 34), Proportion(7, 34), kind) == pytest.approx(
        expected, abs=tolerance
    )


def test_newcombes_example_d_has_his_interval():
    # Newcombe (1998), example d, method 10, as held by petelaud/ratesci test3.R
    interval = shown_interval(Proportion(0, 29), Proportion(5, 56), "newcombe")
    assert interval == pytest.approx((-0.0381, 0.1926), abs=5.1e-5)


@pytest.mark.parametrize(
    ("control", "treatment", "intervals"),
    # spotify/confidence e1f8a49, tests/frequentist/test_chisquared.py: unpooled z interval
    [
        (
            (42, 104),
            (500, 1009),
            {
                0.05: (-0.00752544118156, 0.190913),
                0.01: (-0.0387024, 0.22209),
                0.001: (-0.074883, 0.258271),
            },
        ),
        ((40, 100), (50, 100), {0.05: (-0.03719748, 0.237197)}),
    ],
)
def test_wald_intervals_are_those_of_spotify_confidence(control, treatment, intervals):
    for alpha, expected in intervals.items():
        interval = shown_interval(Proportion(*control), Proportion(*treatment), "wald", alpha=alpha)
        assert interval == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("control", "treatment", "p"),
    # spotify/confidence e1f8a49, test_chisquared.py; e10v/tea-tasting 90306f1, test_proportion.py
    [
        ((42, 104), (500, 1009), 0.074866),
        ((40, 100), (50, 100), 0.155218),
        ((19, 53), (13, 47), 0.380909682312),
    ],
)
def test_the_pooled_z_test_is_the_uncorrected_chi_squared_test(control, treatment, p):
    assert compare_proportions(Proportion(*control), Proportion(*treatment)).p_value == pytest.approx(
        p, abs=1e-6
    )


@pytest.mark.parametrize(
    ("x", "n", "expected"),
    # Newcombe's single-proportion examples, as held by petelaud/ratesci test3.R
    [(15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_wilson_intervals_are_the_published_ones(x, n, expected):
    assert wilson_interval(Proportion(x, n)) == pytest.approx(expected, abs=5.1e-5)


def test_wilson_is_that_of_r_desctools():
    # R DescTools BinomCI, as held by statsmodels test_proportion_confint
    assert wilson_interval(Proportion(100, 200)) == pytest.approx((0.4313609, 0.5686391), abs=6e-8)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_the_pooled_z_test_is_that_of_statsmodels(alternative):
    larger = {"two-sided": "two-sided", "greater": "larger", "less": "smaller"}[alternative]
    z, p = proportions_ztest([300, 260], [1000, 1100], alternative=larger)
    effect = compare_proportions(Proportion(260, 1100), Proportion(300, 1000), alternative=alternative)
    assert effect.statistic == pytest.approx(z, rel=1e-12)
    assert effect.p_value == pytest.approx(p, rel=1e-12)


def test_farrington_manning_rates_maximise_the_likelihood():
    chance = np.random.default_rng(31)
    for _ in range(300):
        n_c, n_t = (int(10 ** chance.uniform(0.5, 6)) for _ in range(2))
        x_c, x_t = (int(chance.binomial(n, 10 ** chance.uniform(-6, 0))) for n in (n_c, n_t))
        delta = float(
            np.clip(x_t / n_t - x_c / n_c + chance.normal(0, 10 ** chance.uniform(-4, -1)), -0.99, 0.99)
        )
        rates = score.restricted_rates(x_c, n_c, x_t, n_t, delta)
        expected = restricted_rates_by_likelihood(x_c, n_c, x_t, n_t, delta)
        assert [float(r) for r in rates] == pytest.approx(expected, rel=1e-9, abs=1e-13)


@settings(max_examples=25)
@given(proportions(), proportions(), st.sampled_from(METHODS), st.floats(-0.9, 0.9))
def test_p_values_of_any_difference_are_those_of_the_chi_squared_form(control, treatment, method, null):
    effect = compare_proportions(control, treatment, null=null, method=method, relative=None)
    counts = (control.successes, control.n, treatment.successes, treatment.n)
    expected = score_p_value(*counts, null, factor=method != "score")
    assert effect.p_value == pytest.approx(expected, rel=1e-6, abs=1e-12)


@settings(max_examples=25)
@given(proportions(), proportions(), st.sampled_from(METHODS), levels)
def test_the_difference_interval_is_the_one_found_by_bisection(control, treatment, method, alpha):
    effect = compare_proportions(control, treatment, alpha=alpha, method=method, relative=None)
    counts = (control.successes, control.n, treatment.successes, treatment.n)
    expected = interval_by_bisection(
        lambda delta: score_p_value(*counts, delta, factor=method != "score"),
        effect.estimate,
        -1.0,
        1.0,
        alpha,
    )
    assert effect.ci == pytest.approx(expected, abs=1e-9)


@settings(max_examples=25)
@given(proportions(), proportions(), st.sampled_from(METHODS), levels)
def test_the_ratio_interval_is_the_one_found_by_bisection(control, treatment, method, alpha):
    effect = compare_proportions_to_multiple(control, treatment, 1.0, alpha=alpha, method=method)
    if effect.not_computed:
        assert control.successes == treatment.successes == 0
        return
    counts = (control.successes, control.n, treatment.successes, treatment.n)
    for side, bound in zip((-1, 1), (b + 1 for b in effect.ci), strict=True):
        if (control.successes if side > 0 else treatment.successes) == 0:
            assert bound == (math.inf if side > 0 else 0.0)
            continue
        start = math.log(effect.estimate + 1) if 0 < effect.estimate + 1 < math.inf else -side * 20.0
        expected = interval_by_bisection(
            lambda u: score_ratio_p_value(*counts, math.exp(u), factor=method != "score"),
            start,
            side * 40.0,
            side * 40.0,
            alpha,
        )[0]
        assert math.log(bound) == pytest.approx(expected, abs=1e-7)


@settings(max_examples=200)
@given(
    proportions(),
    proportions(),
    st.sampled_from(METHODS),
    st.sampled_from(ALTERNATIVES),
    levels,
    st.floats(-0.99, 0.99),
)
def test_the_interval_excludes_the_null_exactly_when_p_is_below_alpha(c, t, method, alternative, alpha, null):
    effect = compare_proportions(
        c, t, method=method, alternative=alternative, alpha=alpha, null=null, relative=None
    )
    assert _agree(effect)
    assert _agree(
        compare_proportions(c, t, method=method, alternative=alternative, alpha=alpha, relative=None)
    )


@settings(max_examples=200)
@given(
    proportions(),
    proportions(),
    st.sampled_from(METHODS),
    st.sampled_from(ALTERNATIVES),
    levels,
    st.floats(0.01, 20),
)
def test_the_ratio_interval_excludes_the_multiple_exactly_when_p_is_below_alpha(
    c, t, method, alternative, alpha, multiple
):
    effect = compare_proportions_to_multiple(
        c, t, multiple, method=method, alternative=alternative, alpha=alpha
    )
    if effect.not_computed is None:
        assert _agree(effect)


@given(
    proportions(),
    proportions(),
    st.sampled_from(METHODS),
    st.sampled_from(ALTERNATIVES),
    st.floats(-0.9, 0.9),
)
def test_swapping_the_arms_mirrors_every_result(control, treatment, method, alternative, null):
    mirrored = {"two-sided": "two-sided", "greater": "less", "less": "greater"}[alternative]
    one = compare_proportions(control, treatment, method=method, alternative=alternative, null=null)
    other = compare_proportions(treatment, control, method=method, alternative=mirrored, null=-null)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-9)
    assert one.statistic == pytest.approx(-other.statistic, rel=1e-9, abs=1e-12)
    assert one.ci == pytest.approx((-other.ci[1], -other.ci[0]), rel=1e-9, abs=1e-12)


@given(proportions(), proportions(), st.sampled_from(METHODS))
def test_calling_successes_failures_mirrors_the_difference(control, treatment, method):
    flipped = [Proportion(arm.n - arm.successes, arm.n) for arm in (control, treatment)]
    one = compare_proportions(control, treatment, method=method)
    other = compare_proportions(*flipped, method=method)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-9)
    assert one.ci == pytest.approx((-other.ci[1], -other.ci[0]), rel=1e-9, abs=1e-12)


@given(proportions(), proportions(), st.sampled_from(METHODS))
def test_swapping_the_arms_inverts_the_ratio_interval(control, treatment, method):
    one = compare_proportions_to_multiple(control, treatment, 1.25, method=method)
    other = compare_proportions_to_multiple(treatment, control, 1 / 1.25, method=method)
    if one.not_computed is None:
        assert one.p_value == pytest.approx(other.p_value, rel=1e-7)
        lower, upper = (bound + 1 for bound in other.ci)
        mirrored = (1 / upper if upper else math.inf, 1 / lower if lower else math.inf)
        assert [bound + 1 for bound in one.ci] == pytest.approx(mirrored, rel=1e-7)


@given(proportions(), proportions(), st.sampled_from(["newcombe", "agresti-caffo", "wald"]))
def test_swapping_the_arms_mirrors_the_shown_intervals(control, treatment, kind):
    lower, upper = shown_interval(control, treatment, kind)
    assert shown_interval(treatment, control, kind) == pytest.approx((-upper, -lower), abs=1e-12)


@given(proportions(), proportions())
def test_a_smaller_alpha_never_gives_a_narrower_interval(control, treatment):
    wide = compare_proportions(control, treatment, alpha=0.01, relative=None).ci
    narrow = compare_proportions(control, treatment, alpha=0.1, relative=None).ci
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]


def test_miettinen_nurminen_decides_by_its_own_test():
    control, treatment = Proportion(40, 100), Proportion(54, 100)
    score_p = compare_proportions(control, treatment).p_value
    own = compare_proportions(control, treatment, method="miettinen-nurminen")
    assert score_p < 0.05
    assert own.p_value > score_p
    assert own.statistic == pytest.approx(
        compare_proportions(control, treatment).statistic * math.sqrt(199 / 200), rel=1e-12
    )


def test_intervals_agree_with_statsmodels():
    # Not its score interval of a difference: statsmodels 0.15.0 has count0 · diff where
    # Miettinen & Nurminen's cubic has nobs0 · diff, which shows as soon as the null is away from 0.
    newcombe = confint_proportions_2indep(60, 400, 45, 380, method="newcomb", compare="diff")
    assert shown_interval(Proportion(45, 380), Proportion(60, 400), "newcombe") == pytest.approx(
        newcombe, abs=1e-12
    )
    ratio = confint_proportions_2indep(60, 400, 45, 380, method="score", compare="ratio", correction=False)
    effect = compare_proportions_to_multiple(Proportion(45, 380), Proportion(60, 400), 1.0)
    assert [bound + 1 for bound in effect.ci] == pytest.approx(ratio, abs=1e-6)


def test_a_null_next_to_zero_is_not_told_from_zero():
    # 1 − p − 1e-300 has no digits left; counting failures instead of successes keeps them.
    for successes in (0, 5):
        effect = compare_proportions(Proportion(successes, 5), Proportion(successes, 5), null=1e-300)
        assert effect.p_value == pytest.approx(1.0)


def test_no_successes_at_all_are_evidence_of_no_difference_and_bound_it():
    effect = compare_proportions(Proportion(0, 500), Proportion(0, 400))
    assert effect.p_value == 1.0
    assert effect.ci[0] == pytest.approx(-(stats.norm.isf(0.025) ** 2) / (500 + 3.8415), rel=1e-3)
    assert effect.relative.not_computed == "no success in either arm: every ratio fits"
    ratio = compare_proportions_to_multiple(Proportion(0, 500), Proportion(0, 400), 1.1)
    assert ratio.p_value is None
    assert ratio.not_computed == "no success in either arm: every ratio fits"


def test_a_ratio_to_a_control_without_successes_has_a_lower_bound_only():
    effect = compare_proportions_to_multiple(Proportion(0, 500), Proportion(9, 500), 1.0)
    assert effect.ci[0] > 0
    assert effect.ci[1] == math.inf
    assert effect.p_value < 0.05


def test_an_arm_without_units_says_so():
    effect = compare_proportions(Proportion(0, 0), Proportion(3, 10))
    assert effect.not_computed == "control arm: no units"
    assert effect.p_value is None
    assert effect.treatment_mean == 0.3
    both = compare_proportions_to_multiple(Proportion(0, 0), Proportion(0, 0), 0.9)
    assert both.not_computed == "control arm: no units; treatment arm: no units"


def test_a_proportion_as_moments_is_its_zeros_and_ones():
    moments = Proportion(30, 100).moments
    assert moments.variance == pytest.approx(np.var([1] * 30 + [0] * 70, ddof=1), rel=1e-12)
    as_mean = compare_means(Proportion(30, 100).moments, Proportion(40, 120).moments)
    assert as_mean.estimate == pytest.approx(40 / 120 - 0.3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Proportion(5, 4), "successes: 5 of 4 is not allowed"),
        (lambda: Proportion(-1, 4), "successes: -1 of 4 is not allowed"),
        (
            lambda: compare_proportions(Proportion(1, 4), Proportion(1, 4), null=1.0),
            "null: 1.0 is not allowed",
        ),
        (lambda: compare_proportions(Proportion(1, 4), Proportion(1, 4), alpha=1), "alpha: 1 is not allowed"),
        (
            lambda: compare_proportions(Proportion(1, 4), Proportion(1, 4), method="newcombe"),
            "give score or miettinen-nurminen",
        ),
        (
            lambda: compare_proportions(Proportion(1, 4), Proportion(1, 4), relative="fieller"),
            "give koopman, log-delta or None",
        ),
        (
            lambda: compare_proportions_to_multiple(Proportion(1, 4), Proportion(1, 4), 0.0),
            "multiple: 0.0 is not allowed",
        ),
        (lambda: shown_interval(Proportion(1, 4), Proportion(1, 4), "mee"), "give one of newcombe"),
        (lambda: shown_interval(Proportion(0, 0), Proportion(1, 4), "wald"), "control: no units"),
        (lambda: score.difference_statistic([1, 5], 4, 1, 4), "successes must lie between 0"),
        (lambda: score.difference_statistic(0, 0, 1, 4), "every arm needs 1 or more units"),
    ],
)
def test_bad_parameters_are_refused_with_what_is_allowed(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_many_comparisons_at_once_are_the_single_ones():
    chance = np.random.default_rng(33)
    x_c, x_t = chance.integers(0, 51, 40), chance.integers(0, 81, 40)
    lower, upper = score.difference_interval(x_c, 50, x_t, 80)
    low_ratio, high_ratio = score.ratio_interval(x_c, 50, x_t, 80)
    for i in range(40):
        control, treatment = Proportion(int(x_c[i]), 50), Proportion(int(x_t[i]), 80)
        assert compare_proportions(control, treatment).ci == pytest.approx((lower[i], upper[i]), abs=1e-12)
        ratio = compare_proportions_to_multiple(control, treatment, 1.0)
        if ratio.not_computed is None:
            assert ratio.ci == pytest.approx((low_ratio[i] - 1, high_ratio[i] - 1), rel=1e-10)


def test_intervals_stay_right_for_a_billion_units():
    lower, upper = score.difference_interval(1000, 10**9, 1100, 10**9)
    expected = 1e-7 + np.array([-1, 1]) * stats.norm.isf(0.025) * math.sqrt(2100) / 1e9
    assert [float(lower), float(upper)] == pytest.approx(expected, rel=2e-3)
    z, _ = score.difference_statistic(1000, 10**9, 1100, 10**9, lower)
    assert float(z) == pytest.approx(stats.norm.isf(0.025), rel=1e-9)


def _exact_rejection(n_c, n_t, p_c, p_t, null, alpha):
    """Probability that the one-sided score test of p_t − p_c > null rejects, summed over every outcome."""
    x_c, x_t = np.meshgrid(np.arange(n_c + 1), np.arange(n_t + 1), indexing="ij")
    z, _ = score.difference_statistic(x_c, n_c, x_t, n_t, null)
    weight = np.outer(
        stats.binom.pmf(np.arange(n_c + 1), n_c, p_c), stats.binom.pmf(np.arange(n_t + 1), n_t, p_t)
    )
    return float(np.sum(weight[z > stats.norm.isf(alpha)]))


@pytest.mark.parametrize("null", [0.0, -0.03])
@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5])
def test_the_score_test_has_its_level_summed_over_every_outcome(rate, null):
    # No Monte-Carlo error: 1,000 against 800 units, exact size of the one-sided 2.5 % test.
    size = _exact_rejection(1000, 800, rate, rate + null, null, 0.025)
    assert 0.022 < size < 0.0275


def test_mee_intervals_cover_and_wald_intervals_do_not_for_rare_events():
    # Exact coverage at 60 against 60 units and 2 % in both arms, by summing over every outcome.
    n, p = 60, 0.02
    x_c, x_t = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    weight = np.outer(*(stats.binom.pmf(np.arange(n + 1), n, p),) * 2)
    lower, upper = score.difference_interval(x_c, n, x_t, n)
    assert np.sum(weight[(lower <= 0) & (upper >= 0)]) > 0.95
    few = [(x, y) for x in range(8) for y in range(8)]
    wald = sum(
        weight[x, y]
        for x, y in few
        if (i := shown_interval(Proportion(x, n), Proportion(y, n), "wald"))[0] < 0 < i[1]
    )
    assert wald < 0.93
