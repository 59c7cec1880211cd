import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import power_proportions_2indep, samplesize_proportions_2indep_onetail

from analysis.power import PowerPlan, ProportionsComparison, power_of, sample_size_proportions
from analysis.power.comparison import normal_scale
from analysis.power.proportions import constrained_difference, constrained_ratio
from tests.references.power_formulas import (
    constrained_control_by_likelihood,
    simulated_margin_power,
    simulated_score_power,
)


@pytest.mark.parametrize(
    ("sides", "test", "n", "expected"),
    # metinbulus/pwrss tests/testthat/test-proportions.onetwo.R: 0.65 against 0.60, alpha 0.05
    [
        (2, "score", 1471, 0.800138245),
        (2, "unpooled", 1468, 0.80007028),
        (1, "score", 1159, 0.8002457),
        (1, "score", 500, 0.495262149),
    ],
)
def test_power_of_065_against_060(sides, test, n, expected):
    near = power_of(ProportionsComparison(0.65, -0.05, test=test), (n, n), PowerPlan(sides=sides))
    # pwrss adds, with two sides, the probability of rejecting in the wrong direction; ours leaves it out
    true = math.sqrt((0.65 * 0.35 + 0.60 * 0.40) / n)
    null = math.sqrt(2 * 0.625 * 0.375 / n) if test == "score" else true
    far = stats.norm.sf((0.05 + stats.norm.isf(0.025) * null) / true) if sides == 2 else 0.0
    assert near + far == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("sides", "method", "n"), [(2, "score", 1471), (2, "unpooled", 1468), (1, "score", 1159)]
)
def test_sample_size_of_065_against_060(sides, method, n):
    # metinbulus/pwrss, the same file: the n at which each passes 0.8
    assert sample_size_proportions(0.65, -0.05, sides=sides, method=method).n_per_arm == (n, n)


def test_r_power_prop_test():
    # R power.prop.test(p1 = .5, p2 = .65, power = .5): 83.4373, as held by statsmodels test_proportion.py
    assert sample_size_proportions(0.5, 0.15, power=0.5).unrounded[0] == pytest.approx(83.4373, abs=0.05)


@pytest.mark.parametrize(
    ("p1", "p2", "n1", "n2", "expected"),
    # Stata power twoproportions, as held by statsmodels test_proportion.py::test_power_2indep; the first is
    # printed there as .74156
    [(0.001, 0.015, 550, 550, 0.741558), (0.1, 0.2, 154, 308, 0.799565921153)],
)
def test_stata_power_twoproportions(p1, p2, n1, n2, expected):
    ours = power_of(ProportionsComparison(p1, p2 - p1), (n1, n2), PowerPlan())
    assert ours == pytest.approx(expected, abs=1e-6)


def test_the_documented_calculation():
    # z_{.975}·√(2·.2075·.7925) + z_{.8}·√(.2·.8 + .215·.785), squared, over .015²: 11,471.703
    found = sample_size_proportions(0.20, 0.015, alpha=0.05, power=0.8)
    z_alpha, z_beta = stats.norm.isf(0.025), stats.norm.ppf(0.8)
    by_hand = (
        z_alpha * math.sqrt(2 * 0.2075 * 0.7925) + z_beta * math.sqrt(0.16 + 0.215 * 0.785)
    ) ** 2 / 0.015**2
    assert found.unrounded[0] == pytest.approx(by_hand, rel=1e-12)
    assert (found.n_per_arm, found.total) == ((11472, 11472), 22944)
    assert found.method.startswith("score test")


def test_statsmodels_agrees_at_unequal_allocation():
    ours = sample_size_proportions(0.10, 0.03, sides=1, allocation=(1, 2), power=0.9)
    theirs = samplesize_proportions_2indep_onetail(
        0.03, 0.10, 0.9, ratio=0.5, alpha=0.05, alternative="larger"
    )
    # statsmodels counts the group with the effect, of which there are two for each control
    assert ours.unrounded[1] == pytest.approx(theirs, rel=1e-6)
    power = power_proportions_2indep(
        0.03, 0.10, 300, ratio=0.5, alpha=0.05, alternative="larger", return_results=False
    )
    assert power_of(ProportionsComparison(0.1, 0.03), (150, 300), PowerPlan(sides=1)) == pytest.approx(
        power, abs=1e-9
    )


class TestFarringtonAndManning:
    """Farrington & Manning (1990), Stat Med 9:1447, as held by keaven/gsDesign test.nBinomial.misc."""

    def test_table_1_non_inferiority(self):
        # p1 = p2 = .1, margin .2, one-sided 0.05, power 0.9, 2 units in the second group for 3 in the first
        found = sample_size_proportions(
            0.1, margin=0.2, direction="lower", alpha=0.05, power=0.9, allocation=(3, 2)
        )
        assert found.unrounded == pytest.approx((62.88, 41.92), abs=0.0051)

    @pytest.mark.parametrize(
        ("p1", "p2", "difference", "ratio", "power", "n1", "n2"),
        [
            (0.4, 0.05, 0.2, 1.0, 0.8, 159.6876 / 2, 159.6876 / 2),  # p. 1451
            (0.25, 0.05, 0.1, 1.5, 0.9, 173.2214, 259.8322),  # Table 1
        ],
    )
    def test_superiority_by_a_margin(self, p1, p2, difference, ratio, power, n1, n2):
        control = constrained_difference(p1, p2, 1, ratio, -difference)
        treated = control - difference
        null = control * (1 - control) + treated * (1 - treated) / ratio
        true = p1 * (1 - p1) + p2 * (1 - p2) / ratio
        n = normal_scale(p1 - p2 - difference, null, true, 0.05, power)
        assert (n, ratio * n) == pytest.approx((n1, n2), abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    pc=st.floats(0, 1), pt=st.floats(0, 1), n_control=st.integers(1, 500), n_treatment=st.integers(1, 500),
    shift=st.floats(-0.4, 0.4), ratio=st.floats(0.5, 1.8),
)  # fmt: skip
def test_the_constrained_estimates_maximise_the_likelihood(pc, pt, n_control, n_treatment, shift, ratio):
    ours = constrained_difference(pc, pt, n_control, n_treatment, shift)
    brute = constrained_control_by_likelihood(pc, pt, n_control, n_treatment, lambda x: x + shift)
    assert ours == pytest.approx(brute, abs=2e-4)  # the likelihood is flat where it is greatest
    ours = constrained_ratio(pc, pt, n_control, n_treatment, ratio)
    brute = constrained_control_by_likelihood(pc, pt, n_control, n_treatment, lambda x: ratio * x)
    assert ours == pytest.approx(brute, abs=2e-4)


@pytest.mark.parametrize(
    ("baseline", "effect", "allocation"),
    [(0.2, 0.015, (1, 1)), (0.2, -0.02, (1, 1)), (0.05, 0.01, (3, 1)), (0.5, 0.05, (1, 4))],
)
def test_the_real_score_test_has_the_declared_power_at_the_returned_n(baseline, effect, allocation):
    found = sample_size_proportions(baseline, effect, allocation=allocation)
    rng = np.random.default_rng(20250302)
    simulated = simulated_score_power(
        rng, baseline, baseline + effect, *found.n_per_arm, 0.025, np.sign(effect), 200_000
    )
    # Monte-Carlo standard error 0.0009; the rest is the normal approximation of the counts
    assert simulated == pytest.approx(0.8, abs=0.005)


@pytest.mark.parametrize(
    ("baseline", "effect", "margin", "relative", "direction", "allocation"),
    [
        (0.2, 0.0, 0.02, False, "higher", (1, 1)),
        (0.02, 0.0, 0.01, False, "lower", (1, 1)),
        (0.3, -0.01, 0.04, False, "higher", (1, 2)),
        (0.2, 0.0, 0.1, True, "higher", (1, 1)),
        (0.05, -0.005, 0.2, True, "lower", (2, 1)),
    ],
)
def test_the_real_margin_test_has_the_declared_power(
    baseline, effect, margin, relative, direction, allocation
):
    found = sample_size_proportions(
        baseline, effect, margin=margin, relative=relative, direction=direction, allocation=allocation
    )
    sign = 1 if direction == "higher" else -1
    ratio = 1 - sign * margin if relative else 1.0
    shift = 0.0 if relative else -sign * margin
    simulated = simulated_margin_power(
        np.random.default_rng(20250303), baseline, baseline + effect, *found.n_per_arm, 0.025,
        lambda x: ratio * x + shift, ratio, sign, 40_000,
    )  # fmt: skip
    # Monte-Carlo standard error 0.002
    assert simulated == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(
    ("baseline", "margin", "relative", "direction"),
    [(0.2, 0.02, False, "higher"), (0.2, 0.1, True, "higher"), (0.05, 0.2, True, "lower")],
)
def test_exactly_at_the_margin_the_test_keeps_its_level(baseline, margin, relative, direction):
    n = sample_size_proportions(baseline, margin=margin, relative=relative, direction=direction).n_per_arm
    sign = 1 if direction == "higher" else -1
    ratio = 1 - sign * margin if relative else 1.0
    shift = 0.0 if relative else -sign * margin
    simulated = simulated_margin_power(
        np.random.default_rng(20250304), baseline, ratio * baseline + shift, *n, 0.025,
        lambda x: ratio * x + shift, ratio, sign, 40_000,
    )  # fmt: skip
    # Monte-Carlo standard error 0.0008
    assert simulated == pytest.approx(0.025, abs=0.003)


@settings(max_examples=150, deadline=None)
@given(
    baseline=st.floats(0.001, 0.999),
    part=st.floats(-0.95, 0.95),
    weights=st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)),
    power=st.floats(0.5, 0.99),
    method=st.sampled_from(["score", "unpooled"]),
)
def test_the_returned_n_is_the_smallest_that_reaches_the_power(baseline, part, weights, power, method):
    effect = part * (1 - baseline if part > 0 else baseline)
    assume(abs(effect) > 1e-4)
    found = sample_size_proportions(baseline, effect, power=power, allocation=weights, method=method)
    assert found.achieved_power >= power - 1e-9
    if min(found.n_per_arm) > 1:
        one_less = [n - 1 for n in found.n_per_arm]
        assert power_of(found.comparisons, one_less, found.plan) < power


@settings(max_examples=60, deadline=None)
@given(baseline=st.floats(0.01, 0.9), effect=st.floats(0.001, 0.09), share=st.floats(0.05, 0.9))
def test_counting_failures_instead_of_successes_changes_nothing(baseline, effect, share):
    successes = sample_size_proportions(baseline, effect, allocation=(1, 2))
    failures = sample_size_proportions(1 - baseline, -effect, allocation=(1, 2))
    assert successes.unrounded == pytest.approx(failures.unrounded, rel=1e-6)
    margin = share * baseline
    higher = sample_size_proportions(baseline, margin=margin, direction="higher")
    lower = sample_size_proportions(1 - baseline, margin=margin, direction="lower")
    assert higher.unrounded == pytest.approx(lower.unrounded, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(baseline=st.floats(0.01, 0.9), effect=st.floats(0.001, 0.09))
def test_at_equal_allocation_the_arms_may_be_swapped(baseline, effect):
    there = sample_size_proportions(baseline, effect)
    back = sample_size_proportions(baseline + effect, -effect)
    assert there.unrounded == pytest.approx(back.unrounded, rel=1e-6)


def test_an_adjusted_proportion_is_planned_as_a_mean():
    with pytest.raises(ValueError, match="adjusted proportion is tested as a mean"):
        sample_size_proportions(0.2, 0.01, variance_reduction=0.3)
    plain = sample_size_proportions(0.2, 0.01, method="unpooled").unrounded[0]
    adjusted = sample_size_proportions(0.2, 0.01, method="unpooled", variance_reduction=0.3).unrounded[0]
    assert adjusted == pytest.approx(0.7 * plain)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"baseline": 1.2, "effect": 0.1}, "baseline: 1.2 is not allowed"),
        ({"baseline": 0.2, "effect": 0.9}, "takes the baseline 0.2 out of 0 to 1"),
        ({"baseline": 0.2}, "effect: 0 is not allowed; give the smallest difference worth detecting"),
        ({"baseline": 0.2, "margin": -0.01}, "margin: -0.01 is not allowed"),
        ({"baseline": 0.2, "margin": 0.2}, "it gives away the whole proportion"),
        ({"baseline": 0.9, "margin": 0.1, "direction": "lower"}, "it gives away the whole proportion"),
        ({"baseline": 0.2, "margin": 1.0, "relative": True}, "it gives away the whole proportion"),
        ({"baseline": 0.2, "effect": -0.03, "margin": 0.02}, "at or beyond the margin"),
        ({"baseline": 0, "margin": 0.1, "relative": True, "direction": "lower"}, "give an absolute margin"),
        ({"baseline": 0.2, "effect": 0.1, "method": "arcsine"}, "method: 'arcsine' is unknown"),
        ({"baseline": 0.2, "effect": 0.1, "allocation": (1, 0)}, "allocation: (1, 0) is not allowed"),
        ({"baseline": 0.2, "effect": 0.1, "multiplicity": "hochberg"}, "multiplicity: 'hochberg' is unknown"),
    ],
)
def test_a_bad_input_is_refused_with_what_to_do(arguments, message):
    with pytest.raises(ValueError) as refusal:
        sample_size_proportions(**arguments)
    assert message in str(refusal.value)
