"""Arms compared within strata: published numbers, a second implementation, and what a drifting base rate does to it."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chi2, chisquare
from statsmodels.stats.contingency_tables import StratifiedTable

from analysis.effects import ArmEstimate, compare_means
from analysis.moments import CoMoments, Moments
from analysis.proportions import Proportion, compare_proportions, compare_proportions_to_multiple
from analysis.ratios import ratio_estimate
from analysis.stratified import (
    compare_stratified,
    shares_by_stratum,
    stratified_arms,
    units_still_needed,
    weight,
)
from analysis.stratified_proportions import compare_stratified_proportions
from tests.references.stratified import score_z, weighted_difference

# Agresti (2013), Categorical Data Analysis, 3rd ed., table 6.9: (x, n) of drug and of control in eight centres
AGRESTI = [
    ((11, 36), (10, 37)),
    ((16, 20), (22, 32)),
    ((14, 19), (7, 19)),
    ((2, 16), (1, 17)),
    ((6, 17), (0, 12)),
    ((1, 11), (0, 10)),
    ((1, 5), (1, 9)),
    ((4, 6), (6, 7)),
]


def pairs(tables: list[tuple[tuple[int, int], tuple[int, int]]]) -> list[tuple[Proportion, Proportion]]:
    """(control, treatment) of every stratum."""
    return [(Proportion(*control), Proportion(*drug)) for drug, control in tables]


def moments(values: list[float]) -> ArmEstimate:
    return ArmEstimate.of_mean(Moments.of(np.asarray(values, dtype=float)))


def test_the_common_risk_difference_is_that_of_a_textbook() -> None:
    """Agresti (2013), p. 231: the Mantel–Haenszel difference of proportions is 0.130, with standard error 0.050."""
    found = compare_stratified_proportions(pairs(AGRESTI))
    assert found.estimate == pytest.approx(0.130, abs=5e-4)
    assert found.standard_error == pytest.approx(0.050, abs=1.5e-3)


def test_the_stratified_interval_of_miettinen_and_nurminen_is_that_of_another_package() -> None:
    """cicalc 0.1.0 (R, GSK Biostatistics), README: 7/10 v 5/10 and 5/10 v 4/10, difference 0.15, interval (−0.1606, 0.4338)."""
    found = compare_stratified_proportions(
        pairs([((7, 10), (5, 10)), ((5, 10), (4, 10))]), method="miettinen-nurminen"
    )
    assert found.estimate == pytest.approx(0.15)
    assert found.ci == pytest.approx((-0.1606, 0.4338), abs=5e-5)


def test_at_no_difference_miettinen_and_nurminens_z_is_that_of_cochran_mantel_and_haenszel() -> None:
    """statsmodels StratifiedTable.test_null_odds(correction=False): the variance with N − 1 is the hypergeometric one."""
    tables = [
        np.array([[drug[0], drug[1] - drug[0]], [control[0], control[1] - control[0]]])
        for drug, control in AGRESTI
    ]
    known = StratifiedTable(tables).test_null_odds(correction=False)
    found = compare_stratified_proportions(pairs(AGRESTI), method="miettinen-nurminen")
    assert found.statistic**2 == pytest.approx(known.statistic, rel=1e-10)
    assert found.p_value == pytest.approx(known.pvalue, rel=1e-9)


@pytest.mark.parametrize("delta", [-0.3, -0.05, 0.02, 0.2])
@pytest.mark.parametrize("factor", [False, True])
def test_the_score_statistic_is_that_of_a_second_implementation(delta: float, factor: bool) -> None:
    tables = [(control[0], control[1], drug[0], drug[1]) for drug, control in AGRESTI]
    method = "miettinen-nurminen" if factor else "score"
    found = compare_stratified_proportions(pairs(AGRESTI), null=delta, method=method)
    assert found.statistic == pytest.approx(score_z(tables, delta, factor=factor), rel=1e-7)


COUNTS = st.tuples(st.integers(0, 30), st.integers(2, 30)).map(lambda pair: (min(pair), pair[1]))
NULLS = st.integers(-500, 500).map(lambda thousandths: thousandths / 1000)
STRATA = st.lists(st.tuples(COUNTS, COUNTS), min_size=1, max_size=4)


@given(STRATA, NULLS, st.sampled_from([0.01, 0.05, 0.3]))
def test_the_score_interval_excludes_a_value_exactly_when_the_test_rejects_it(
    tables: list[tuple[tuple[int, int], tuple[int, int]]], null: float, alpha: float
) -> None:
    found = compare_stratified_proportions(pairs(tables), null=null, alpha=alpha)
    assume(found.not_computed is None)
    low, high = found.ci
    assume(min(abs(null - low), abs(null - high)) > 1e-9)
    assert (null < low or null > high) == (found.p_value < alpha)


@given(STRATA, st.floats(0.3, 3.0))
def test_the_interval_of_the_ratio_excludes_a_ratio_exactly_when_its_test_rejects_it(
    tables: list[tuple[tuple[int, int], tuple[int, int]]], ratio: float
) -> None:
    found = compare_stratified_proportions(pairs(tables), multiple=ratio)
    assume(found.not_computed is None)
    low, high = found.ci
    assume(min(abs(ratio - 1 - low), abs(ratio - 1 - high)) > 1e-8)
    assert (ratio - 1 < low or ratio - 1 > high) == (found.p_value < 0.05)


@given(COUNTS, COUNTS, NULLS)
def test_one_stratum_is_the_plain_score_test(
    drug: tuple[int, int], control: tuple[int, int], null: float
) -> None:
    found = compare_stratified_proportions(pairs([(drug, control)]), null=null)
    plain = compare_proportions(Proportion(*control), Proportion(*drug), null=null, relative=None)
    assume(found.not_computed is None)
    assert found.statistic == pytest.approx(plain.statistic, rel=1e-9, abs=1e-12)
    assert found.ci == pytest.approx(plain.ci, rel=1e-7, abs=1e-9)
    assert found.estimate == pytest.approx(plain.estimate, abs=1e-12)


def test_one_stratum_is_the_plain_score_test_of_the_ratio() -> None:
    found = compare_stratified_proportions(pairs([((30, 200), (20, 210))]), multiple=1.1)
    plain = compare_proportions_to_multiple(Proportion(20, 210), Proportion(30, 200), 1.1)
    assert found.statistic == pytest.approx(plain.statistic, rel=1e-12)
    assert found.ci == pytest.approx(plain.ci, rel=1e-9)


VALUES = st.lists(st.integers(-20, 20), min_size=2, max_size=6)
MEANS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=4)


@given(MEANS)
def test_means_and_their_standard_error_are_those_of_exact_fractions(
    strata: list[tuple[list[int], list[int]]],
) -> None:
    units = [
        (index, treated, Fraction(value))
        for index, pair in enumerate(strata)
        for treated, arm in zip((False, True), pair, strict=True)
        for value in arm
    ]
    gap, variance, information = weighted_difference(units)
    assume(variance > 0)
    arms = [(moments(control), moments(treated)) for control, treated in strata]
    found = compare_stratified(arms, method="Welch t")
    assert found.estimate == pytest.approx(float(gap), abs=1e-10)
    assert found.standard_error == pytest.approx(math.sqrt(variance), rel=1e-10)
    assert stratified_arms(arms).information == pytest.approx(float(information))


@given(MEANS)
def test_a_relative_margin_tests_the_multiple_of_control_within_every_stratum(
    strata: list[tuple[list[int], list[int]]],
) -> None:
    shifted = [([v + 50 for v in control], [v + 50 for v in treated]) for control, treated in strata]
    units = [
        (index, treated, Fraction(value))
        for index, pair in enumerate(shifted)
        for treated, arm in zip((False, True), pair, strict=True)
        for value in arm
    ]
    multiple = Fraction(21, 20)
    gap, variance, _ = weighted_difference(units, multiple)
    assume(variance > 0)
    found = compare_stratified(
        [(moments(control), moments(treated)) for control, treated in shifted],
        method="Welch t",
        multiple=float(multiple),
    )
    assume(found.not_computed is None)
    assert found.statistic == pytest.approx(float(gap) / math.sqrt(variance), rel=1e-9, abs=1e-12)


@given(MEANS)
def test_swapping_the_arms_mirrors_the_stratified_difference(
    strata: list[tuple[list[int], list[int]]],
) -> None:
    arms = [(moments(control), moments(treated)) for control, treated in strata]
    there = compare_stratified(arms, method="Welch t")
    back = compare_stratified([(t, c) for c, t in arms], method="Welch t")
    assume(there.not_computed is None)
    assert there.estimate == pytest.approx(-back.estimate, abs=1e-12)
    assert there.ci == pytest.approx((-back.ci[1], -back.ci[0]), abs=1e-12)


@given(STRATA, NULLS)
def test_swapping_the_arms_mirrors_the_stratified_score_test(
    tables: list[tuple[tuple[int, int], tuple[int, int]]], null: float
) -> None:
    there = compare_stratified_proportions(pairs(tables), null=null)
    back = compare_stratified_proportions(pairs([(c, d) for d, c in tables]), null=-null)
    assume(there.not_computed is None)
    assert there.statistic == pytest.approx(-back.statistic, rel=1e-9, abs=1e-9)
    assert there.ci == pytest.approx((-back.ci[1], -back.ci[0]), abs=1e-8)


@given(STRATA, st.randoms(use_true_random=False))
def test_the_order_of_the_strata_changes_nothing(
    tables: list[tuple[tuple[int, int], tuple[int, int]]], shuffled: object
) -> None:
    other = list(tables)
    shuffled.shuffle(other)  # type: ignore[attr-defined]
    assert compare_stratified_proportions(pairs(tables)) == compare_stratified_proportions(pairs(other))


def test_strata_of_one_size_and_spread_count_alike_and_one_stratum_is_plain_welch() -> None:
    control, treated = [1.0, 2.0, 3.0, 5.0], [2.0, 4.0, 4.0, 6.0, 9.0]
    plain = compare_means(Moments.of(np.array(control)), Moments.of(np.array(treated)), relative=None)
    found = compare_stratified([(moments(control), moments(treated))], method="Welch t")
    assert (found.estimate, found.df, found.p_value) == pytest.approx(
        (plain.estimate, plain.df, plain.p_value)
    )
    assert found.ci == pytest.approx(plain.ci)
    twice = compare_stratified([(moments(control), moments(treated))] * 2, method="Welch t")
    assert twice.standard_error == pytest.approx(plain.standard_error / math.sqrt(2))
    assert twice.df == pytest.approx(2 * plain.df)


def test_a_base_rate_that_drifts_while_shares_change_is_no_effect_within_strata() -> None:
    """Rates 2, 6 and 18 % in both arms; the candidate has 1, 5 and 25 % of the units, all others are control."""
    rates, shares, traffic = (0.02, 0.06, 0.18), (0.01, 0.05, 0.25), 100_000
    strata = []
    for rate, share in zip(rates, shares, strict=True):
        n_t = round(traffic * share)
        n_c = traffic - n_t
        strata.append((Proportion(round(rate * n_c), n_c), Proportion(round(rate * n_t), n_t)))
    within = compare_stratified_proportions(strata)
    assert within.estimate == pytest.approx(0.0, abs=1e-6)
    pooled = compare_proportions(
        Proportion(sum(c.successes for c, _ in strata), sum(c.n for c, _ in strata)),
        Proportion(sum(t.successes for _, t in strata), sum(t.n for _, t in strata)),
    )
    assert pooled.estimate > 0.05
    assert pooled.p_value < 1e-100


def test_a_stratum_without_units_in_one_arm_takes_no_part_and_says_so() -> None:
    full = (moments([1.0, 2.0, 4.0]), moments([2.0, 3.0, 7.0]))
    lonely = (moments([1.0, 2.0]), ArmEstimate(0, None, None, math.inf, "fewer than 2 units (found 0)"))
    arms = stratified_arms([full, lonely])
    assert arms.weights == (weight(3, 3), 0.0)
    assert arms.left_out == (None, "treatment arm: fewer than 2 units (found 0)")
    assert compare_stratified([full, lonely], method="t") == compare_stratified([full], method="t")


def test_nothing_to_compare_is_said_and_never_a_number() -> None:
    empty = ArmEstimate(0, None, None, math.inf, "no requests")
    found = compare_stratified([(empty, empty)], method="t")
    assert (found.estimate, found.p_value, found.ci) == (None, None, None)
    assert found.not_computed == "control arm: no requests; treatment arm: no requests"
    none = compare_stratified_proportions([(Proportion(0, 0), Proportion(3, 9))])
    assert (none.p_value, none.not_computed) == (None, "no stratum has units in both arms")


def test_no_failure_in_either_arm_still_says_something_about_a_margin() -> None:
    """At 0 of 500 in both arms a worsening of 2 points is far from what was seen."""
    found = compare_stratified_proportions([(Proportion(0, 300), Proportion(0, 300))] * 2, null=0.02)
    assert found.not_computed is None
    assert found.statistic < -2.5
    assert found.ci[1] < 0.02


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"null": 1.0}, "null"),
        ({"multiple": 0.0}, "multiple"),
        ({"alpha": 0.0}, "alpha"),
        ({"alternative": "larger"}, "alternative"),
    ],
)
def test_bad_arguments_are_refused_by_name(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        compare_stratified_proportions([(Proportion(1, 9), Proportion(2, 9))], **change)  # type: ignore[arg-type]


def test_the_units_still_needed_would_bring_the_estimate_just_inside_the_margin() -> None:
    """With so many more, the same estimate lies exactly ``critical`` standard errors inside."""
    gap, se, information, critical = 0.01, 0.008, 400.0, 2.3
    more = units_still_needed(gap, se, information, critical)
    assert more is not None
    then = information + more / 2
    assert gap / (se * math.sqrt(information / then)) == pytest.approx(critical)
    assert units_still_needed(0.05, se, information, critical) == 0.0
    assert units_still_needed(0.0, se, information, critical) is None
    assert units_still_needed(-0.01, se, information, critical) is None
    with pytest.raises(ValueError, match=r"standard_error: 0\.0 is not allowed.*critical: inf"):
        units_still_needed(gap, 0.0, information, math.inf)


def test_ratios_are_linearised_within_their_stratum() -> None:
    """Clicks per view in two strata of different rates: the delta method by numpy, unit by unit."""
    rng = np.random.default_rng(8)
    strata, gaps, variances, weights = [], [], [], []
    for rate, sizes in ((0.2, (40, 35)), (0.6, (90, 110))):
        pair, parts = [], []
        for n in sizes:
            views = rng.poisson(4, n) + 1.0
            clicks = rng.binomial(views.astype(int), rate).astype(float)
            ratio = clicks.sum() / views.sum()
            residual = (clicks - ratio * views) / views.mean()
            parts.append((ratio, residual.var(ddof=1) / n))
            pair.append(ratio_estimate(CoMoments.of(np.column_stack([clicks, views]))))
        strata.append((pair[0], pair[1]))
        gaps.append(parts[1][0] - parts[0][0])
        variances.append(parts[0][1] + parts[1][1])
        weights.append(sizes[0] * sizes[1] / sum(sizes))
    w = np.array(weights)
    found = compare_stratified(strata, method="delta", null=0.05)
    assert found.estimate == pytest.approx(np.average(gaps, weights=w))
    assert found.standard_error == pytest.approx(math.sqrt(np.sum(w**2 * variances)) / w.sum(), rel=1e-9)


def test_shares_that_differ_by_stratum_are_tested_against_their_own_plan() -> None:
    """The sum of scipy's chi-squared of each step at 1, 5 and 25 % in either slice."""
    counts = {"1": [12, 9, 1003], "5": [63, 44, 920], "25": [260, 249, 500]}
    planned = {name: [s, s, 1 - 2 * s] for name, s in (("1", 0.01), ("5", 0.05), ("25", 0.25))}
    parts = [
        chisquare(counts[name], np.array(planned[name]) * sum(counts[name])).statistic for name in counts
    ]
    found = shares_by_stratum({name: (counts[name], planned[name]) for name in counts})
    assert found.statistic == pytest.approx(sum(parts))
    assert found.df == 6
    assert found.p_value == pytest.approx(chi2.sf(sum(parts), 6))


def test_a_stratum_too_small_to_test_is_named_and_left_out() -> None:
    found = shares_by_stratum(
        {"1": ([1, 2, 100], [0.01, 0.01, 0.98]), "5": ([50, 45, 900], [0.05, 0.05, 0.9])}
    )
    assert (found.strata, found.left_out) == (("5",), ("1",))
    none = shares_by_stratum({"1": ([0, 0, 0], [0.01, 0.01, 0.98])})
    assert (none.p_value, none.not_computed) == (
        None,
        "no stratum has an expected count of 5 or more in each arm",
    )
