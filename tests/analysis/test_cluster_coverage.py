"""Coverage where users have 1 to 500 requests each and a user's requests resemble each other.

The naive interval is the textbook's at request level: every request as a unit of its own. True differences are not 0.
"""

import math

import numpy as np
import pytest

from analysis.moments import CoMoments
from analysis.quantiles import QuantileArm, compare_quantiles, outer_levels
from analysis.ratios import compare_ratios, effective_units

MOST = 500
SIZES = np.arange(1, MOST + 1)
Z = 1.959963984540054  # two-sided 95 %
LIFT = 1.05  # treatment over control, for every user


def size_law(tail):
    """P(m requests) ∝ m^−(1 + tail) on 1 to 500: at tail 0 every size counts alike on the log scale."""
    weights = SIZES ** -(1.0 + tail)
    return weights / weights.sum()


def draw_sizes(chance, users, tail):
    return 1 + np.searchsorted(np.cumsum(size_law(tail))[:-1], chance.random(users))


def rate_of_size(sizes, informative):
    """With informative sizes, heavy users have lower values: five hundred requests, three tenths of the value."""
    return sizes**-0.2 if informative else np.ones(len(sizes))


def true_difference(tail, informative, level):
    """Of means over requests: users weigh as many times as they have requests."""
    law = size_law(tail)
    control = level * np.sum(law * SIZES * rate_of_size(SIZES, informative)) / np.sum(law * SIZES)
    return (LIFT - 1) * control


def amounts(chance, sizes, lift, informative):
    """Sums and sums of squares of a user's requests: lognormal users, normal requests, half the variance between users."""
    user = lift * rate_of_size(sizes, informative) * chance.lognormal(-0.18, 0.6, len(sizes))
    total = chance.normal(sizes * user, 0.6 * np.sqrt(sizes))
    within = np.where(sizes > 1, 0.36 * chance.chisquare(np.maximum(sizes - 1, 1)), 0)
    return total, within + total**2 / sizes


def successes(chance, sizes, lift, informative):
    """A fifth of requests succeed; beta users with a correlation of 1/2 between two requests of one user."""
    rate = 0.2 * lift * rate_of_size(sizes, informative)
    total = chance.binomial(sizes, chance.beta(rate, 1 - rate)).astype(float)
    return total, total


DRAWS = {"mean": (amounts, 1.0), "proportion": (successes, 0.2)}


def naive_covers(values, squared_errors, truth):
    difference = values[1] - values[0]
    return abs(difference - truth) <= Z * math.sqrt(sum(squared_errors))


def coverage_of_ratio(kind, *, users, tail, informative, replays, seed):
    """Coverage by user and by request, and the mean number of effective units in an arm."""
    chance = np.random.default_rng(seed)
    draw, level = DRAWS[kind]
    truth = true_difference(tail, informative, level)
    clustered = naive = 0
    effective = 0.0
    for _ in range(replays):
        arms, means, errors = [], [], []
        for lift in (1.0, LIFT):
            sizes = draw_sizes(chance, users, tail)
            total, squares = draw(chance, sizes, lift, informative)
            arms.append(CoMoments.of(np.column_stack([total, sizes])))
            requests = sizes.sum()
            means.append(total.sum() / requests)
            errors.append((squares.sum() / requests - means[-1] ** 2) / requests)
            effective += effective_units(arms[-1]) / replays / 2
        ci = compare_ratios(*arms, relative=None).ci
        clustered += ci[0] <= truth <= ci[1]
        naive += naive_covers(means, errors, truth)
    return clustered / replays, naive / replays, effective


def quantile_of(ordered, level):
    return float(ordered[math.ceil(level * len(ordered)) - 1])


def latency_arm(values, sizes, q):
    """The library's three passes, and beside them the textbook's binomial order statistics over requests."""
    ordered = np.sort(values)
    estimate = quantile_of(ordered, q)
    below = np.add.reduceat(values <= estimate, np.concatenate([[0], np.cumsum(sizes)[:-1]]))
    levels = outer_levels(CoMoments.of(np.column_stack([below, sizes])), q)
    reach = Z * math.sqrt(q * (1 - q) / len(ordered))
    error = (quantile_of(ordered, min(q + reach, 1)) - quantile_of(ordered, q - reach)) / 2 / Z
    if levels.lower is None:
        return QuantileArm(levels, estimate, None, None), estimate, error
    bounds = quantile_of(ordered, levels.lower), quantile_of(ordered, levels.upper)
    return QuantileArm(levels, estimate, *bounds), estimate, error


def coverage_of_p95(*, users, tail, replays, seed):
    """Coverage by user and by request, and the share of replays that had an interval.

    Latencies in ms are lognormal; half of their variance on the log scale lies between users.
    """
    chance = np.random.default_rng(seed)
    truth = (LIFT - 1) * 300 * math.exp(1.6448536269514722 * math.hypot(0.5, 0.5))
    clustered = naive = computed = 0
    for _ in range(replays):
        arms, values, errors = [], [], []
        for lift in (1.0, LIFT):
            sizes = draw_sizes(chance, users, tail)
            logs = chance.normal(0, 0.5, users).repeat(sizes) + chance.normal(0, 0.5, sizes.sum())
            arm, value, error = latency_arm(300 * lift * np.exp(logs), sizes, 0.95)
            arms.append(arm)
            values.append(value)
            errors.append(error**2)
        naive += naive_covers(values, errors, truth)
        ci = compare_quantiles(*arms, relative=None).ci
        if ci is not None:
            computed += 1
            clustered += ci[0] <= truth <= ci[1]
    return clustered / max(computed, 1), naive / replays, computed / replays


def standard_error(replays):
    return math.sqrt(0.95 * 0.05 / replays)


@pytest.mark.parametrize("kind", ["mean", "proportion"])
@pytest.mark.parametrize("informative", [False, True])
def test_a_mean_and_a_proportion_over_requests_hold_their_coverage_and_the_naive_ones_do_not(
    kind, informative
):
    # 1,500 replays of 500 users per arm: Monte-Carlo standard error 0.0056.
    clustered, naive, effective = coverage_of_ratio(
        kind, users=500, tail=0, informative=informative, replays=1500, seed=301
    )
    assert abs(clustered - 0.95) < 3 * standard_error(1500)
    assert naive < 0.5
    assert 130 < effective < 160


def test_a_difference_of_p95_latencies_holds_its_coverage_and_the_naive_one_does_not():
    # 400 replays of 300 users per arm: Monte-Carlo standard error 0.0109. The outer order statistics err to the wide side.
    clustered, naive, computed = coverage_of_p95(users=300, tail=0, replays=400, seed=302)
    assert clustered > 0.95 - 3 * standard_error(400)
    assert naive < 0.5
    assert computed == 1


def test_effective_units_are_the_units_where_all_have_the_same_size():
    assert effective_units(CoMoments.of([[1.0, 4.0], [3.0, 4.0], [0.0, 4.0]])) == pytest.approx(3)


def test_one_unit_with_nearly_all_requests_counts_as_little_more_than_one():
    sizes = np.array([500.0, 1, 1, 1, 1])
    arm = CoMoments.of(np.column_stack([sizes / 2, sizes]))
    assert effective_units(arm) == pytest.approx(sizes.sum() ** 2 / np.sum(sizes**2))
    assert effective_units(arm) < 1.02


def test_effective_units_of_nothing_are_none():
    assert effective_units(CoMoments.of(np.empty((0, 2)))) is None
    assert effective_units(CoMoments.of([[1.0, 0.0], [2.0, 0.0]])) is None


def test_with_few_effective_units_the_interval_is_too_narrow_and_their_number_tells():
    # P(m) ∝ m^−2: 300 users count as about 30. Known and said, not repaired: the sums that an exact small-sample
    # correction needs (of m·y², m²·y, m³) are not among the co-moments. 2,000 replays, standard error 0.0049.
    clustered, _, effective = coverage_of_ratio(
        "mean", users=300, tail=1, informative=False, replays=2000, seed=303
    )
    assert 0.88 < clustered < 0.95 - 3 * standard_error(2000)
    assert effective < 40


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mean", "proportion"])
@pytest.mark.parametrize("informative", [False, True])
@pytest.mark.parametrize(("tail", "users"), [(0, 500), (0, 2000), (0, 5000), (1, 5000)])
def test_coverage_over_laws_of_size_and_numbers_of_users(kind, informative, tail, users):
    # 4,000 replays: Monte-Carlo standard error 0.0034. Sizes ∝ m^−2 may still miss half a point at 5,000 users.
    clustered, naive, effective = coverage_of_ratio(
        kind, users=users, tail=tail, informative=informative, replays=4000, seed=304
    )
    assert abs(clustered - 0.95) < 3 * standard_error(4000) + (0.005 if tail else 0)
    assert naive < 0.6
    assert effective > 100


@pytest.mark.slow
@pytest.mark.parametrize(("tail", "users"), [(0, 300), (0, 1000), (0, 3000), (1, 3000)])
def test_coverage_of_p95_over_laws_of_size_and_numbers_of_users(tail, users):
    # 1,000 replays: Monte-Carlo standard error 0.0069.
    clustered, naive, computed = coverage_of_p95(users=users, tail=tail, replays=1000, seed=305)
    assert clustered > 0.95 - 3 * standard_error(1000)
    assert naive < 0.6
    assert computed > 0.99
