import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.anytime import SequencePlan, confidence_sequence
from analysis.inference import normal_deviate
from analysis.moments import CoMoments
from analysis.paired import (
    ClusterMoments,
    DeclaredTest,
    OneEstimate,
    PairDifference,
    at_any_look,
    at_declared_looks,
    at_one_look,
    clustered_difference,
    clustered_noninferiority,
    mean_comparison,
    paired_quantile_difference,
    paired_quantile_noninferiority,
    paired_quantile_relative_noninferiority,
    paired_ratio_noninferiority,
    quantile_comparison,
    smooth_estimate,
)
from analysis.sequential import analyse, group_sequential_design
from tests.analysis.test_paired_quantiles import latencies, read
from tests.references.paired_formulas import clustered_counts

NON_INFERIOR = DeclaredTest(0.025, 1, "higher", 0.03)


def drawn(seed, users=200, difference=0.0, spread=3.0):
    rng = np.random.default_rng(seed)
    b, c, n = clustered_counts(rng, users, rng.integers(1, 30, users), 0.3, difference, spread)
    return ClusterMoments.of_counts(b[0], c[0], n[0])


def loss_sums(seed, users=150):
    rng = np.random.default_rng(seed)
    pairs = rng.integers(1, 20, users)
    champion = rng.gamma(3 * pairs, 1.0)
    return CoMoments.of(np.column_stack([champion * rng.lognormal(0, 0.1, users), champion, pairs]))


@pytest.mark.parametrize("method", ["obuchowski", "linearised"])
def test_at_one_look_it_is_the_clustered_test_itself(method):
    moments = drawn(1)
    two_sided = at_one_look(PairDifference(moments, method), DeclaredTest(0.05))
    plain = clustered_difference(moments, method=method)
    assert two_sided.p_value == pytest.approx(plain.p_value, rel=1e-9)
    assert two_sided.ci == pytest.approx(plain.ci, rel=1e-9)
    margin = at_one_look(PairDifference(moments, method), NON_INFERIOR)
    declared = clustered_noninferiority(moments, 0.03, method=method)
    assert margin.p_value == pytest.approx(declared.p_value, rel=1e-9)
    assert margin.ci == pytest.approx(declared.ci, rel=1e-9)
    assert margin.better == declared.ruled_out


def test_at_one_look_quantiles_and_means_are_their_own_tests():
    pair = read(*latencies(np.random.default_rng(2), 200), 0.9)
    absolute, relative = DeclaredTest(0.025, 1, "lower", 0.5), DeclaredTest(0.025, 1, "lower", 0.2)
    ours = at_one_look(quantile_comparison(pair), absolute)
    theirs = paired_quantile_noninferiority(pair, 0.5)
    assert ours.ci == pytest.approx(theirs.difference.ci)
    assert ours.p_value == pytest.approx(theirs.difference.p_value)
    assert ours.z == pytest.approx(-theirs.difference.z)
    assert ours.better == theirs.ruled_out
    ours = at_one_look(quantile_comparison(pair, relative=True), relative)
    theirs = paired_quantile_relative_noninferiority(pair, 0.2)
    assert ours.ci == pytest.approx(theirs.ci)
    assert (ours.p_value, ours.z) == pytest.approx((theirs.p_value, theirs.z))
    sums = loss_sums(3)
    ours = at_one_look(mean_comparison(sums), DeclaredTest(0.05, 2, "lower"))
    moments = ClusterMoments.of_comoments(sums, difference=(1, -1, 0), pairs=(0, 0, 1))
    assert ours.ci == pytest.approx(clustered_difference(moments, method="obuchowski").ci, rel=1e-9)
    ours = at_one_look(mean_comparison(sums, relative=True), relative)
    multiple = ClusterMoments.of_comoments(sums, difference=(1, -1.2, 0), pairs=(0, 0, 1))
    at_multiple = clustered_difference(multiple, method="obuchowski", alternative="less")
    assert ours.p_value == pytest.approx(at_multiple.p_value)
    # Fieller's interval on the same users has the same multiples but for the statistic that is inverted
    assert ours.ci == pytest.approx(paired_ratio_noninferiority(sums, 0.2).ci, abs=2e-3)
    assert ours.estimate == pytest.approx(paired_ratio_noninferiority(sums, 0.2).change)
    plain = paired_quantile_difference(pair)
    one = OneEstimate(smooth_estimate(CoMoments.of([[1.0], [2.0], [4.0]]), 7 / 3, (1.0,)), "a mean")
    found = at_one_look(one, DeclaredTest(0.05))
    expected = stats.ttest_1samp([1.0, 2.0, 4.0], 0)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.ci == pytest.approx(tuple(expected.confidence_interval()))
    assert plain.ci is not None


@pytest.mark.parametrize("direction", ["higher", "lower"])
@pytest.mark.parametrize("boundary", ["lan-demets-obf", "pocock"])
def test_at_declared_looks_boundary_and_p_are_those_of_the_group_sequential_test(boundary, direction):
    design = group_sequential_design(boundary, 0.025, [0.4, 0.7, 1.0])
    test = DeclaredTest(0.025, 1, direction, 0.02)
    moments = [drawn(seed, users) for seed, users in ((4, 80), (5, 150), (6, 210))]
    looks = [80 / 200, 150 / 200, 210 / 200]
    found = [
        at_declared_looks(PairDifference(m), test, design, looks[: k + 1]) for k, m in enumerate(moments)
    ]
    sign = 1 if direction == "higher" else -1
    z = [
        sign * clustered_difference(m, method="obuchowski", null_difference=-sign * 0.02).statistic
        for m in moments
    ]
    whole = analyse(design, looks, z)
    assert [one.z for one in found] == pytest.approx(z)
    assert [one.critical for one in found] == pytest.approx(whole.boundaries.critical)
    assert [one.p_value for one in found] == pytest.approx(whole.repeated_p)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(["obuchowski", "linearised", "quantile", "relative"]),
    rule=st.sampled_from(["fixed", "group-sequential", "always-valid"]),
    direction=st.sampled_from(["higher", "lower"]),
    margin=st.sampled_from([0.0, 0.01, 0.05]),
    sides=st.sampled_from([1, 2]),
)
def test_the_verdict_is_the_intervals_and_p_is_below_alpha_just_when_it_crosses(
    seed, kind, rule, direction, margin, sides
):
    test = DeclaredTest(0.05, sides, direction, margin if sides == 1 else 0.0)
    if kind == "quantile":
        comparison = quantile_comparison(read(*latencies(np.random.default_rng(seed), 150, 20, 1.02), 0.5))
    elif kind == "relative":
        comparison = mean_comparison(loss_sums(seed), relative=True)
    else:
        comparison = PairDifference(drawn(seed, difference=0.05 * (seed % 5 - 2)), kind)
    found = by_rule(rule, comparison, test)
    better = found.ci[0] > test.null if direction == "higher" else found.ci[1] < test.null
    worse = found.ci[1] < test.null if direction == "higher" else found.ci[0] > test.null
    assert (found.better, found.worse) == (better, worse)
    crossed = found.better or (sides == 2 and found.worse)
    assert crossed == (found.p_value < 0.05)


def by_rule(rule, comparison, test):
    if rule == "fixed":
        return at_one_look(comparison, test)
    if rule == "always-valid":
        return at_any_look(comparison, test, planned_users=200, burn_in=50)
    design = group_sequential_design("lan-demets-pocock", test.alpha, [0.5, 1.0], test.sides)
    return at_declared_looks(comparison, test, design, [0.5])


@pytest.mark.parametrize("rule", ["fixed", "group-sequential", "always-valid"])
def test_swapping_the_models_mirrors_every_result(rule):
    rng = np.random.default_rng(8)
    b, c, n = (x[0] for x in clustered_counts(rng, 100, rng.integers(1, 30, 100), 0.3, 0.05, 3.0))
    there = by_rule(rule, PairDifference(ClusterMoments.of_counts(b, c, n)), DeclaredTest(0.05))
    back = by_rule(rule, PairDifference(ClusterMoments.of_counts(c, b, n)), DeclaredTest(0.05, 2, "lower"))
    assert back.ci == pytest.approx((-there.ci[1], -there.ci[0]))
    assert back.z == pytest.approx(there.z)
    assert back.p_value == pytest.approx(there.p_value)
    assert (back.better, back.worse) == (there.better, there.worse)


@pytest.mark.parametrize("sides", [1, 2])
def test_at_any_look_it_is_the_asymptotic_sequence_with_the_statistic_of_the_test(sides):
    moments = drawn(9, 2000)
    side = "two-sided" if sides == 2 else "greater"
    plan = SequencePlan(0.05, 1500, 300, side)
    found = at_any_look(
        PairDifference(moments, "linearised"), DeclaredTest(0.05, sides), planned_users=1500, burn_in=300
    )
    estimate = moments.difference_mean / moments.pairs_mean
    theirs = confidence_sequence(plan, estimate, 2000 * moments.standard_error**2, 2000)
    # they differ only by Student's t in the place of the normal, and its p in the place of the statistic
    assert found.ci[0] == pytest.approx(theirs.lower, abs=2e-5)
    assert math.log(found.p_value) == pytest.approx(-max(theirs.log_evidence, 0), abs=0.01)


def test_at_any_look_p_and_critical_value_are_robbins_mixture():
    # Robbins 1970: √(ρ/(n + ρ)) · exp(S²/(2(n + ρ))), S = √n·z, reaches 1/α at the critical value
    found = at_any_look(PairDifference(drawn(12, 400)), DeclaredTest(0.05), planned_users=300, burn_in=100)
    rho = SequencePlan(0.05, 300, 100).precision

    def evidence(z):
        return math.sqrt(rho / (400 + rho)) * math.exp(400 * z**2 / (2 * (400 + rho)))

    assert found.p_value == pytest.approx(min(1, 1 / evidence(found.z)), rel=1e-9)
    assert evidence(found.critical) == pytest.approx(20, rel=1e-9)


def test_a_t_statistic_enters_by_its_p_value():
    moments = drawn(10, 12)
    found = at_one_look(PairDifference(moments, "linearised"), DeclaredTest(0.05))
    plain = clustered_difference(moments, method="linearised")
    assert found.z == pytest.approx(normal_deviate(plain.statistic, 11))
    assert abs(found.z) < abs(plain.statistic)
    assert plain.z == found.z


def test_before_the_burn_in_nothing_is_said():
    found = at_any_look(PairDifference(drawn(11, 99)), NON_INFERIOR, planned_users=500, burn_in=100)
    assert found.not_computed == "99 users are fewer than the declared burn-in of 100"
    assert (found.ci, found.p_value, found.better, found.worse) == (None, None, False, False)


def test_what_has_no_statistic_never_passes():
    same = ClusterMoments.of_counts([0] * 9, [0] * 9, [5] * 9)
    for rule in ("fixed", "group-sequential"):
        found = by_rule(rule, PairDifference(same), DeclaredTest(0.05))
        assert found.not_computed == "no user's pairs differ from the null difference 0.0"
        assert (found.better, found.p_value) == (False, None)


def test_too_few_users_for_bounds_leave_the_interval_open():
    four = ClusterMoments.of_counts([2, 1, 3, 0], [1, 1, 0, 2], [5, 5, 5, 5])
    found = at_one_look(PairDifference(four), DeclaredTest(0.05))
    assert found.ci == (-math.inf, math.inf)
    assert (found.better, found.worse) == (False, False)
    assert found.p_value > 0.05


def test_without_a_champions_mean_above_0_there_is_no_relative_change():
    none = CoMoments.of([[1.0, 0.0, 3.0], [2.0, 0.0, 3.0]])
    found = at_one_look(mean_comparison(none, relative=True), DeclaredTest(0.025, 1, "lower", 0.1))
    assert found.not_computed == "the champion's mean 0.0 is not above 0: no ratio to it"
    empty = CoMoments(0, (0.0,) * 3, ((0.0,) * 3,) * 3)
    assert at_one_look(mean_comparison(empty, relative=True), DeclaredTest(0.05)).not_computed == "no pairs"
    assert at_one_look(mean_comparison(empty), DeclaredTest(0.05)).not_computed is not None


def test_an_early_look_that_may_spend_nothing_crosses_nothing():
    design = group_sequential_design("lan-demets-obf", 0.025, [0.001, 1.0])
    sure = ClusterMoments.of_sums(
        np.full(500, 5.0) + np.random.default_rng(1).normal(0, 0.1, 500), np.full(500, 5)
    )
    found = at_declared_looks(PairDifference(sure), NON_INFERIOR, design, [0.001])
    assert found.ci == (-math.inf, math.inf)
    assert not found.better
    assert found.p_value > 0.025


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DeclaredTest(0.7, 3, "up", -1.0), "sides: 3 is not allowed"),
        (lambda: DeclaredTest(0.7, 3, "up", -1.0), "alpha: 0.7 is not allowed"),
        (lambda: DeclaredTest(0.7, 3, "up", -1.0), "direction: 'up' is unknown"),
        (lambda: DeclaredTest(0.7, 3, "up", -1.0), "margin: -1.0 is not allowed"),
        (lambda: DeclaredTest(0.05, 2, "higher", 0.1), "sides: 2 is not allowed with a margin"),
        (
            lambda: at_declared_looks(
                PairDifference(drawn(1)), NON_INFERIOR, group_sequential_design("pocock", 0.05, [1.0]), [1.0]
            ),
            "where the test declares 0.025 on 1",
        ),
        (
            lambda: at_any_look(PairDifference(drawn(1)), NON_INFERIOR, planned_users=0, burn_in=0),
            "burn_in: 0 is not allowed",
        ),
    ],
)
def test_a_bad_input_is_refused_with_what_to_do(build, message):
    with pytest.raises(ValueError) as refusal:
        build()
    assert message in str(refusal.value)
