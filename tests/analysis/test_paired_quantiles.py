import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analysis.moments import CoMoments
from analysis.paired import (
    PairedQuantiles,
    paired_outer_levels,
    paired_quantile_difference,
    paired_quantile_noninferiority,
    paired_quantile_relative_noninferiority,
)
from analysis.quantiles import OuterLevels, QuantileArm, compare_quantiles
from tests.references.influence import sums_by_user

LIFT = 1.1


def at_level(ordered, level):
    return float(ordered[max(1, math.ceil(level * len(ordered))) - 1])


def read(champion, candidate, user, q, alpha=0.05, resolution=None):
    """The three passes over a log of pairs."""
    ordered = np.sort(champion), np.sort(candidate)
    estimates = [at_level(values, q) for values in ordered]
    requests = CoMoments.of(
        sums_by_user(user, champion <= estimates[0], candidate <= estimates[1], np.ones(len(user)))
    )
    arms = [
        QuantileArm(levels, estimate, *_bounds(values, levels))
        for levels, estimate, values in zip(
            paired_outer_levels(requests, q, alpha=alpha), estimates, ordered, strict=True
        )
    ]
    return PairedQuantiles(*arms, requests, resolution)


def _bounds(ordered, levels):
    if levels.lower is None or levels.upper is None:
        return None, None
    return at_level(ordered, levels.lower), at_level(ordered, levels.upper)


def latencies(rng, users, most=500, lift=LIFT, shared=0.4):
    """Users differ, a request is slow for both models, and each model has its own noise."""
    sizes = np.exp(rng.uniform(0, math.log(most), users)).astype(int)
    user = np.repeat(np.arange(users), sizes)
    base = rng.normal(0, 0.4, users)[user] + rng.normal(0, shared, len(user))
    return (
        np.exp(base + rng.normal(0, 0.3, len(user))),
        lift * np.exp(base + rng.normal(0, 0.3, len(user))),
        user,
    )


def true_quantile(q, shared=0.4):
    return math.exp(math.sqrt(0.4**2 + shared**2 + 0.3**2) * stats.norm.ppf(q))


def test_the_median_of_a_normal_sample_has_its_asymptotic_standard_error():
    # One request per user, correlation ρ of the two values: the indicators at the medians correlate as
    # (2/π)·arcsin ρ (Sheppard 1899), each median has variance π/2 · σ²/n (Kenney & Keeping 1962, p. 211).
    rng, n, rho = np.random.default_rng(1), 40_000, 0.6
    x = rng.normal(size=n)
    y = rho * x + math.sqrt(1 - rho**2) * rng.normal(size=n)
    found = paired_quantile_difference(read(x, y, np.arange(n), 0.5))
    correlation = 2 / math.pi * math.asin(rho)
    assert found.correlation == pytest.approx(correlation, abs=0.02)
    assert found.standard_error == pytest.approx(math.sqrt(math.pi / n * (1 - correlation)), rel=0.05)


def test_the_standard_error_is_that_of_resampling_whole_users():
    rng = np.random.default_rng(2)
    champion, candidate, user = latencies(rng, 300, most=100)
    found = paired_quantile_difference(read(champion, candidate, user, 0.9))
    rows = [np.flatnonzero(user == k) for k in range(300)]
    differences = []
    for _ in range(600):
        chosen = np.concatenate([rows[k] for k in rng.integers(0, 300, 300)])
        differences.append(
            at_level(np.sort(candidate[chosen]), 0.9) - at_level(np.sort(champion[chosen]), 0.9)
        )
    assert found.standard_error == pytest.approx(np.std(differences), rel=0.15)


def test_the_independent_comparison_of_the_same_quantiles_is_wider():
    champion, candidate, user = latencies(np.random.default_rng(3), 300)
    pair = read(champion, candidate, user, 0.95)
    paired, apart = paired_quantile_difference(pair), compare_quantiles(pair.champion, pair.candidate)
    assert paired.difference == apart.estimate
    assert paired.correlation > 0.5
    variance = apart.standard_error**2
    shared = paired.correlation * math.prod(
        (arm.upper - arm.lower) / 2 / stats.t.isf(0.025, 299) for arm in (pair.champion, pair.candidate)
    )
    assert paired.standard_error == pytest.approx(math.sqrt(variance - 2 * shared), rel=1e-9)


def test_swapping_the_models_mirrors_every_result():
    champion, candidate, user = latencies(np.random.default_rng(4), 200)
    there = paired_quantile_difference(read(champion, candidate, user, 0.95), null_difference=0.1)
    back = paired_quantile_difference(read(candidate, champion, user, 0.95), null_difference=-0.1)
    assert back.difference == -there.difference
    assert back.ci == pytest.approx((-there.ci[1], -there.ci[0]), rel=1e-12)
    assert back.p_value == pytest.approx(there.p_value, rel=1e-9)
    assert back.z == pytest.approx(-there.z)


@pytest.mark.parametrize("direction", ["lower", "higher"])
def test_a_margin_is_ruled_out_exactly_when_it_lies_outside_the_interval(direction):
    seen = set()
    for seed in range(30):
        pair = read(*latencies(np.random.default_rng(seed), 150, lift=0.97 + 0.01 * (seed % 7)), 0.5)
        absolute = paired_quantile_noninferiority(pair, 0.03, direction=direction)
        inside = (
            absolute.difference.ci[1] < 0.03 if direction == "lower" else absolute.difference.ci[0] > -0.03
        )
        assert absolute.ruled_out == inside
        relative = paired_quantile_relative_noninferiority(pair, 0.03, direction=direction)
        assert relative.ruled_out == (
            relative.ci[1] < 0.03 if direction == "lower" else relative.ci[0] > -0.03
        )
        seen |= {absolute.ruled_out, relative.ruled_out}
    assert seen == {True, False}


def test_values_too_coarse_for_an_interval_have_one_of_a_step_on_either_side():
    rng = np.random.default_rng(5)
    champion, candidate, user = latencies(rng, 400, most=50)
    coarse = read(np.ceil(champion), np.ceil(candidate), user, 0.5)
    assert (
        "too coarse for an interval; give their resolution" in paired_quantile_difference(coarse).not_computed
    )
    found = paired_quantile_difference(replace(coarse, resolution=1.0))
    assert found.ci[0] <= -1 <= 0 <= 1 <= found.ci[1]
    fine = read(champion, candidate, user, 0.5)
    assert paired_quantile_difference(replace(fine, resolution=1e-9)) == paired_quantile_difference(fine)


def test_the_same_values_have_no_spread_but_with_a_resolution():
    champion, _, user = latencies(np.random.default_rng(6), 100)
    same = read(champion, champion, user, 0.5)
    found = paired_quantile_difference(same)
    assert (
        found.not_computed == "the two models' quantiles move together over all users: no spread to test with"
    )
    assert not paired_quantile_noninferiority(same, 0.1).ruled_out
    with_step = replace(same, resolution=0.01)
    assert paired_quantile_difference(with_step).ci == pytest.approx((-0.01, 0.01))
    assert paired_quantile_noninferiority(with_step, 0.1).ruled_out


def test_too_few_users_are_named_for_both_models():
    champion, candidate, user = latencies(np.random.default_rng(7), 6)
    found = paired_quantile_difference(read(champion, candidate, user, 0.99))
    assert "champion: too few units for the 0.99 quantile" in found.not_computed
    assert "candidate: too few units for the 0.99 quantile" in found.not_computed
    assert (found.ci, found.p_value, found.z) == (None, None, None)
    assert found.champion is not None
    relative = paired_quantile_relative_noninferiority(read(champion, candidate, user, 0.99), 0.1)
    assert relative.not_computed == found.not_computed
    assert relative.ruled_out is False


def test_quantiles_that_do_not_belong_together_are_refused_all_at_once():
    def arm(q, users, alpha=0.05):
        return QuantileArm(OuterLevels(q, q - 0.05, q + 0.05, alpha, users), 1.0, 0.5, 2.0)

    with pytest.raises(ValueError) as refusal:
        PairedQuantiles(arm(0.5, 9), arm(0.9, 8, 0.1), CoMoments.of([[1.0, 2.0]]), 0.0)
    for part in (
        "q: 0.5 for the champion, 0.9 for the candidate",
        "alpha: levels taken at 0.05 and 0.1",
        "requests: 2 variables",
        "requests: 1 users, 9 and 8 in the levels",
        "resolution: 0.0 is not allowed",
    ):
        assert part in str(refusal.value)


def _covers(seed, replays, users, q):
    """Coverage, and how often the margin is ruled out where the truth is the margin."""
    rng = np.random.default_rng(seed)
    inside = wrong = computed = 0
    for _ in range(replays):
        pair = read(*latencies(rng, users), q)
        found = paired_quantile_difference(pair)
        if found.ci is None:
            continue
        computed += 1
        inside += found.ci[0] <= (LIFT - 1) * true_quantile(q) <= found.ci[1]
        wrong += paired_quantile_relative_noninferiority(pair, LIFT - 1).ruled_out
    return inside / computed, wrong / computed, computed / replays


def test_users_with_1_to_500_requests_keep_coverage():
    # 200 replays: Monte-Carlo standard error 0.015 of the coverage, 0.011 of the error
    inside, wrong, computed = _covers(20250314, 200, 200, 0.95)
    assert computed == 1
    assert inside > 0.95 - 3 * 0.0155
    assert wrong < 0.025 + 3 * 0.011


@pytest.mark.slow
@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_coverage_and_error_at_the_margin_over_quantiles(q):
    # 500 replays: Monte-Carlo standard error 0.0097 of the coverage, 0.007 of the error
    inside, wrong, computed = _covers(20250315, 500, 500, q)
    assert computed > 0.99
    assert inside > 0.95 - 3 * 0.0097
    assert wrong < 0.025 + 3 * 0.007
