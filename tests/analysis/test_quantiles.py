import math

import numpy as np
import pytest
from scipy import stats

from analysis.effects import Effect
from analysis.moments import CoMoments
from analysis.quantiles import (
    OuterLevels,
    QuantileArm,
    compare_quantiles,
    compare_quantiles_to_multiple,
    outer_levels,
)


def _inverse_cdf(sorted_values, level):
    return float(sorted_values[math.ceil(level * len(sorted_values)) - 1])


def _arm(values, sizes, q, alpha=0.05) -> QuantileArm:
    """The three passes over one arm's requests: estimate, counts by user, look-up at the outer levels."""
    ordered = np.sort(values)
    estimate = _inverse_cdf(ordered, q)
    below = np.add.reduceat(values <= estimate, np.concatenate([[0], np.cumsum(sizes)[:-1]]))
    levels = outer_levels(CoMoments.of(np.column_stack([below, sizes])), q, alpha=alpha)
    if levels.not_computed:
        return QuantileArm(levels, estimate, None, None)
    return QuantileArm(
        levels, estimate, _inverse_cdf(ordered, levels.lower), _inverse_cdf(ordered, levels.upper)
    )


def _users(chance, users, between=0.5, within=0.5, most=500):
    """Latencies of users with 1 to `most` requests each; users differ from each other by `between` in the log."""
    sizes = np.exp(chance.uniform(0, math.log(most), users)).astype(int)
    return np.exp(
        chance.normal(0, between, users).repeat(sizes) + chance.normal(0, within, sizes.sum())
    ), sizes


def test_with_one_request_each_the_levels_are_those_of_the_binomial():
    values = np.random.default_rng(1).normal(size=10_000)
    arm = _arm(values, np.ones(10_000, dtype=int), 0.9)
    reach = stats.t.isf(0.025, 9999) * math.sqrt(0.9 * 0.1 / 9999)
    assert (arm.levels.lower, arm.levels.upper) == pytest.approx((0.9 - reach, 0.9 + reach), abs=1e-9)


def test_the_standard_error_of_a_median_is_the_asymptotic_one():
    # √(π/2)/√n for a standard normal sample (Kenney & Keeping 1962, p. 211).
    arms = [
        _arm(np.random.default_rng(i).normal(size=40_000), np.ones(40_000, dtype=int), 0.5) for i in (2, 3)
    ]
    effect = compare_quantiles(*arms, relative=None)
    assert effect.standard_error == pytest.approx(math.sqrt(math.pi / 2 / 40_000 * 2), rel=0.05)


def test_the_levels_are_those_of_resampling_whole_users():
    chance = np.random.default_rng(4)
    values, sizes = _users(chance, 400)
    arm = _arm(values, sizes, 0.95)
    below = np.add.reduceat(values <= arm.estimate, np.concatenate([[0], np.cumsum(sizes)[:-1]]))
    draws = chance.integers(0, 400, (4000, 400))
    spread = np.std(below[draws].sum(axis=1) / sizes[draws].sum(axis=1))
    assert (arm.levels.upper - arm.levels.lower) / 2 / stats.t.isf(0.025, 399) == pytest.approx(
        spread, rel=0.05
    )


def test_swapping_the_arms_mirrors_every_result():
    chance = np.random.default_rng(5)
    a, b = (_arm(*_users(chance, 200), 0.95) for _ in range(2))
    one, other = compare_quantiles(a, b, null=0.1), compare_quantiles(b, a, null=-0.1)
    assert one.estimate == -other.estimate
    assert one.p_value == pytest.approx(other.p_value, rel=1e-12)
    assert one.ci == pytest.approx((-other.ci[1], -other.ci[0]), rel=1e-12)


def test_the_interval_excludes_the_null_exactly_when_p_is_below_alpha():
    chance = np.random.default_rng(6)
    for shift in np.linspace(-1, 1, 30):
        effect = compare_quantiles(
            _arm(*_users(chance, 300), 0.8), _arm(*_users(chance, 300), 0.8), null=float(shift), alpha=0.1
        )
        assert (effect.p_value < 0.1) == (not effect.ci[0] <= shift <= effect.ci[1])


def test_the_level_of_the_look_up_hardly_matters():
    values, sizes = _users(np.random.default_rng(7), 2000)
    errors = [
        compare_quantiles(arm, arm).standard_error
        for arm in (_arm(values, sizes, 0.9, alpha) for alpha in (0.05, 0.2))
    ]
    assert errors[0] == pytest.approx(errors[1], rel=0.15)


def test_a_relative_margin_is_held_against_the_ratio_of_quantiles():
    chance = np.random.default_rng(8)
    effect = compare_quantiles_to_multiple(
        _arm(*_users(chance, 800), 0.5), _arm(*_users(chance, 800), 0.5), 1.3, alternative="less"
    )
    assert effect.scale == "relative"
    assert effect.ci[1] < 0.3
    assert effect.p_value < 0.05


@pytest.mark.parametrize(
    ("requests", "q", "reason"),
    [
        (CoMoments.of([[9.0, 10.0]]), 0.9, "fewer than 2 units (found 1)"),
        (CoMoments.of([[0.0, 0.0], [0.0, 0.0]]), 0.9, "no requests"),
        (CoMoments.of([[9.0, 10.0], [18.0, 20.0]]), 0.9, "every unit has the same share"),
        (CoMoments.of([[10.0, 10.0], [5.0, 6.0], [9.0, 9.0]]), 0.95, "too few units for the 0.95 quantile"),
    ],
)
def test_what_cannot_be_looked_up_says_why(requests, q, reason):
    levels = outer_levels(requests, q)
    assert reason in levels.not_computed
    assert (levels.lower, levels.upper) == (None, None)
    fine = QuantileArm(OuterLevels(q, q - 0.01, q + 0.01, 0.05, 50), 3.0, 2.0, 4.0)
    effect = compare_quantiles(fine, QuantileArm(levels, None, None, None))
    assert effect.p_value is None
    assert effect.not_computed.startswith("treatment arm: ")
    assert reason in effect.not_computed


def test_values_too_coarse_to_bound_the_quantile_say_so():
    coarse = QuantileArm(OuterLevels(0.5, 0.4, 0.6, 0.05, 50), 100.0, 100.0, 100.0)
    assert "too coarse for an interval" in compare_quantiles(coarse, coarse).not_computed


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: outer_levels(CoMoments.of([[1.0, 2.0]]), 1.0), "q: 1.0 is not allowed"),
        (lambda: outer_levels(CoMoments.of([[3.0, 2.0]]), 0.5), "give those at or below first, then all"),
        (
            lambda: QuantileArm(OuterLevels(0.5, 0.4, 0.6, 0.05, 50), 1.0, 2.0, 3.0),
            "quantiles rise with their levels",
        ),
        (
            lambda: QuantileArm(OuterLevels(0.5, 0.4, 0.6, 0.05, 50), 1.0, None, 3.0),
            "look up all three levels",
        ),
        (
            lambda: QuantileArm(OuterLevels(0.5, None, None, 0.05, 1, "few"), 1.0, 0.5, 3.0),
            "there are no outer levels to look up",
        ),
    ],
)
def test_bad_quantiles_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_two_different_quantiles_are_not_compared():
    a = QuantileArm(OuterLevels(0.5, 0.4, 0.6, 0.05, 50), 1.0, 0.5, 3.0)
    b = QuantileArm(OuterLevels(0.9, 0.85, 0.95, 0.05, 50), 1.0, 0.5, 3.0)
    with pytest.raises(ValueError, match="give the same in both"):
        compare_quantiles(a, b)


def _covers(effect: Effect) -> bool:
    return effect.ci[0] <= 0 <= effect.ci[1]


def _coverage(seed, replays, users, q, **spread):
    """Coverage of a true difference of 0: clustered by user, and as if every request were a unit of its own."""
    chance = np.random.default_rng(seed)
    clustered = naive = 0
    for _ in range(replays):
        drawn = [_users(chance, users, **spread) for _ in range(2)]
        clustered += _covers(compare_quantiles(*(_arm(v, s, q) for v, s in drawn), relative=None))
        naive += _covers(
            compare_quantiles(*(_arm(v, np.ones(len(v), dtype=int), q) for v, _ in drawn), relative=None)
        )
    return clustered / replays, naive / replays


def test_users_with_1_to_500_requests_keep_coverage_and_the_naive_interval_does_not():
    # 300 replays of 200 users per arm: Monte-Carlo standard error 0.0126.
    clustered, naive = _coverage(9, 300, 200, 0.95)
    assert clustered > 0.95 - 3 * 0.0126
    assert naive < 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("q", "users"), [(0.5, 300), (0.9, 300), (0.95, 300), (0.5, 2000), (0.95, 2000), (0.99, 2000)]
)
def test_coverage_over_quantiles_and_numbers_of_users(q, users):
    # 400 replays: Monte-Carlo standard error 0.0109.
    clustered, naive = _coverage(10, 400, users, q)
    assert clustered > 0.95 - 3 * 0.0109
    assert naive < 0.5
