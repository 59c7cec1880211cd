import csv
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.multinomial import multinomial_p_value
from analysis.srm import localise_srm, srm_test, stratified_srm
from tests.references.two_sample_reference import multinomial_by_enumeration


@pytest.mark.parametrize(
    ("observed", "planned", "p", "tolerance"),
    [
        # growthbook 8f1db44, packages/back-end/test/stats.test.ts
        ([1000, 1200], [0.5, 0.5], 2.0079e-05, 5.1e-10),
        ([1000, 1200, 900], [0.5, 0.5, 0], 2.0079e-05, 5.1e-10),
        ([500, 500], [0.5, 0.5], 1.0, 5.1e-10),
        # Kohavi, Tang & Xu (2020), Trustworthy Online Controlled Experiments, the SRM example
        ([821588, 815482], [1, 1], 1.8e-06, 1e-7),
        # Cookie Cats, 90,189 players
        ([44700, 45489], [1, 1], 0.008608, 5e-7),
        # e10v/tea-tasting 90306f1, tests/metrics/test_proportion.py: normal, without correction
        ([53, 47], [1, 1], 0.5485062355, 1e-9),
        # AdSmart over all days, 4,071 against 4,006
        ([4071, 4006], [1, 1], 0.4695, 5e-5),
    ],
)
def test_p_values_are_the_published_ones(observed, planned, p, tolerance):
    result = srm_test(observed, planned)
    assert result.p_value == pytest.approx(p, abs=tolerance)
    assert result.method == "chi-squared"


def test_cookie_cats_has_its_known_chi_squared():
    result = srm_test([44700, 45489], [0.5, 0.5])
    assert result.statistic == pytest.approx(6.9024, abs=5e-5)
    assert result.df == 1
    assert result.expected == (45094.5, 45094.5)
    assert 0.001 < result.p_value < 0.01


def test_chi_squared_is_that_of_scipy_for_any_weights():
    result = srm_test([300, 200, 600], [3, 2, 5])
    expected = stats.chisquare([300, 200, 600], [330, 220, 550])
    assert (result.statistic, result.p_value) == pytest.approx(
        (expected.statistic, expected.pvalue), rel=1e-12
    )


@given(st.permutations([0, 1, 2]))
def test_the_order_of_the_arms_does_not_matter(order):
    observed, planned = [310, 190, 500], [3.0, 2.0, 5.0]
    shuffled = srm_test([observed[i] for i in order], [planned[i] for i in order])
    assert shuffled.p_value == pytest.approx(srm_test(observed, planned).p_value, rel=1e-12)


def test_units_in_an_arm_that_was_not_planned_are_counted_and_left_out():
    assert srm_test([1000, 1200, 900], [0.5, 0.5, 0]).unplanned == 900


@pytest.mark.parametrize(
    ("observed", "planned", "reason"),
    [
        # growthbook gives p = 1 here, which reads as a pass
        ([1000, 900, 800], [1, 0, 0], "fewer than 2 arms with a planned share"),
        ([0, 0], [1, 1], "no units in any arm"),
    ],
)
def test_what_cannot_be_tested_says_why_and_has_no_p_value(observed, planned, reason):
    result = srm_test(observed, planned)
    assert result.p_value is None
    assert reason in result.not_computed


@pytest.mark.parametrize(
    ("observed", "planned", "message"),
    [
        ([1, 2], [1], "planned: 1 shares for 2 arms"),
        ([-1, 2], [1, 1], "observed: .* is not allowed"),
        ([1, 2], [0, 0], "planned: .* is not allowed"),
        ([1, 2], [1, -1], "planned: .* is not allowed"),
        ([1, 2], [1, math.nan], "planned: .* is not allowed"),
    ],
)
def test_bad_plans_are_refused(observed, planned, message):
    with pytest.raises(ValueError, match=message):
        srm_test(observed, planned)


def test_an_expected_count_below_five_is_tested_exactly_and_the_result_says_so():
    result = srm_test([2, 502 - 2], [0.009, 0.991])
    assert result.method == "exact multinomial"
    assert (result.statistic, result.df) == (None, None)
    assert result.p_value == pytest.approx(stats.binomtest(2, 502, 0.009).pvalue, rel=1e-9)
    assert srm_test([2, 498], [0.01, 0.99]).method == "chi-squared"


def test_the_switch_to_the_exact_test_does_not_depend_on_how_the_total_fell_out():
    methods = {srm_test([k, 400 - k], [0.01, 0.99]).method for k in range(0, 401, 20)}
    assert methods == {"exact multinomial"}


def test_the_exact_binomial_is_that_of_tea_tasting():
    # e10v/tea-tasting 90306f1, tests/metrics/test_proportion.py: binomial, 53 against 47
    assert multinomial_p_value([53, 47], [0.5, 0.5]) == pytest.approx(0.617299413589, abs=1e-9)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 7), min_size=2, max_size=4), st.data())
def test_the_exact_test_is_the_sum_over_every_outcome(counts, data):
    weights = data.draw(st.lists(st.integers(1, 9), min_size=len(counts), max_size=len(counts)))
    shares = [w / sum(weights) for w in weights]
    if sum(counts):
        expected = multinomial_by_enumeration(counts, shares)
        assert multinomial_p_value(counts, shares) == pytest.approx(expected, rel=1e-6)


def test_the_exact_test_has_its_level_summed_over_every_outcome():
    n, shares, alpha = 14, [0.1, 0.3, 0.6], 0.05
    distribution = stats.multinomial(n, shares)
    size = sum(
        distribution.pmf([a, b, n - a - b])
        for a in range(n + 1)
        for b in range(n + 1 - a)
        if multinomial_p_value([a, b, n - a - b], shares) < alpha
    )
    assert 0.03 < size <= alpha


def test_too_many_outcomes_are_refused_with_the_reason():
    result = srm_test([1, 3000, 3000, 3000, 3000], [0.0001, 0.25, 0.25, 0.25, 0.2499])
    assert result.p_value is None
    assert "too many outcomes for the exact test (12001 units, 5 arms)" in result.not_computed


def test_chi_squared_holds_its_level():
    # 200,000 replays at 90,000 units: Monte-Carlo standard error 0.00022 at 1 %.
    chance = np.random.default_rng(61)
    first = chance.binomial(90_000, 0.5, 200_000)
    statistic = (first - 45_000) ** 2 / 45_000 * 2
    own = srm_test([int(first[0]), 90_000 - int(first[0])], [1, 1])
    assert own.statistic == pytest.approx(statistic[0])
    assert abs(np.mean(stats.chi2.sf(statistic, 1) < 0.01) - 0.01) < 0.0007


def _days(seed, days, per_day, shares):
    chance = np.random.default_rng(seed)
    return {
        f"day {d}": [int(c) for c in chance.multinomial(per_day, shares[d % len(shares)])]
        for d in range(days)
    }


def test_assignment_confounded_with_time_is_seen_though_the_totals_balance():
    days = {"mon": [700, 300], "tue": [300, 700]}
    assert srm_test([1000, 1000], [1, 1]).p_value == 1.0
    stratified = stratified_srm(days, [1, 1])
    assert stratified.df == 2
    assert stratified.statistic == pytest.approx(320.0)
    assert stratified.p_value < 1e-60
    located = localise_srm(days, [1, 1])
    assert located.adjusted.rejected == ("mon", "tue")


def test_the_stratified_statistic_is_the_sum_over_strata():
    days = _days(62, 8, 500, [[0.5, 0.5]])
    stratified = stratified_srm(days, [1, 1])
    assert stratified.statistic == pytest.approx(sum(srm_test(c, [1, 1]).statistic for c in days.values()))
    assert stratified.df == 8
    assert stratified.strata == tuple(days)
    assert stratified.pooled == stratified.left_out == ()


def test_small_strata_are_tested_together_and_named():
    days = {"a": [60, 40], "b": [3, 4], "c": [6, 1], "d": [0, 0]}
    stratified = stratified_srm(days, [1, 1])
    assert stratified.strata == ("a",)
    assert stratified.pooled == ("b", "c")
    assert stratified.left_out == ("d",)
    assert stratified.statistic == pytest.approx(4.0 + (9 - 7) ** 2 / 7 * 2)
    assert stratified.df == 2


def test_small_strata_too_small_even_together_are_left_out_and_named():
    stratified = stratified_srm({"a": [60, 40], "b": [3, 4]}, [1, 1])
    assert (stratified.strata, stratified.pooled, stratified.left_out) == (("a",), (), ("b",))
    alone = stratified_srm({"b": [3, 4]}, [1, 1])
    assert alone.p_value is None
    assert "no stratum" in alone.not_computed
    one_arm = stratified_srm({"b": [30, 40]}, [1, 0])
    assert one_arm.p_value is None


def test_the_stratified_test_holds_its_level():
    # 4,000 replays of 10 days with 400 units: Monte-Carlo standard error 0.0034 at 5 %.
    chance = np.random.default_rng(63)
    replays = chance.binomial(400, 0.3, (4000, 10)).tolist()
    p = [stratified_srm({str(d): [x, 400 - x] for d, x in enumerate(row)}, [3, 7]).p_value for row in replays]
    assert abs(np.mean(np.array(p) < 0.05) - 0.05) < 0.0105


def test_a_single_broken_day_is_found_and_the_others_are_not_blamed():
    days = _days(64, 8, 2000, [[0.5, 0.5]])
    days["day 3"] = [1545, 470]
    located = localise_srm(days, [1, 1], alpha=0.001)
    assert located.adjusted.rejected == ("day 3",)
    assert located.strata["day 3"].p_value < 1e-100


def test_a_day_without_units_is_not_computed_and_still_counts_in_the_family():
    located = localise_srm({"a": [700, 300], "b": [0, 0]}, [1, 1])
    assert located.adjusted.not_computed == ("b",)
    assert located.adjusted.members["a"].adjusted == pytest.approx(2 * located.strata["a"].p_value)


def test_adsmart_balances_in_total_and_fails_on_six_of_its_eight_days():
    data = Path(__file__).parents[2].parent / "shared" / "data" / "adsmart.csv"
    if not data.exists():
        pytest.skip("the real data folder ../shared/data is not beside the repository")
    with data.open(encoding="utf-8") as file:
        seen = Counter((row["date"], row["experiment"]) for row in csv.DictReader(file))
    days = sorted({date for date, _ in seen})
    strata = {date: [seen[date, "control"], seen[date, "exposed"]] for date in days}
    totals = [sum(counts) for counts in zip(*strata.values(), strict=True)]
    assert srm_test(totals, [1, 1]).p_value == pytest.approx(0.4695, abs=5e-5)
    assert len(localise_srm(strata, [1, 1], alpha=0.001).adjusted.rejected) == 6
    assert stratified_srm(strata, [1, 1]).p_value < 1e-100
