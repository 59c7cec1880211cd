import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.moments import CoMoments, Moments, exact_comoments, merge_all

values = st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=30)
rows = st.lists(st.tuples(st.integers(-500, 500), st.integers(-500, 500)), min_size=1, max_size=30)


def test_moments_are_those_of_numpy():
    x = np.random.default_rng(1).normal(3, 2, 1000)
    moments = Moments.of(x)
    assert moments.n == 1000
    assert moments.mean == pytest.approx(np.mean(x), rel=1e-14)
    assert moments.variance == pytest.approx(np.var(x, ddof=1), rel=1e-13)


@given(values, values)
def test_merging_two_parts_gives_the_moments_of_the_whole(left, right):
    merged, whole = Moments.of(left).merge(Moments.of(right)), Moments.of(left + right)
    assert merged.n == whole.n
    assert merged.mean == pytest.approx(whole.mean, rel=1e-12, abs=1e-9)
    assert merged.m2 == pytest.approx(whole.m2, rel=1e-9, abs=1e-9)


@given(values, st.integers(1, 7))
def test_chunking_does_not_change_the_moments(x, size):
    chunks = [Moments.of(x[i : i + size]) for i in range(0, len(x), size)]
    merged, whole = merge_all(chunks), Moments.of(x)
    assert merged.n == whole.n
    assert merged.m2 == pytest.approx(whole.m2, rel=1e-9, abs=1e-9)


def test_an_empty_arm_is_the_identity_of_merging():
    some = Moments.of([1.0, 2.0, 4.0])
    assert some.merge(Moments.of([])) == some == Moments.of([]).merge(some)


def test_a_variance_needs_two_units():
    with pytest.raises(ValueError, match="2 or more units, found 1"):
        _ = Moments.of([3.0]).variance


@pytest.mark.parametrize(
    ("n", "mean", "m2", "message"),
    [
        (-1, 0.0, 0.0, "n: -1 is not allowed"),
        (2, float("nan"), 0.0, "mean: nan is not allowed"),
        (2, 0.0, -1.0, "m2: -1.0 is not allowed"),
        (2, 0.0, float("inf"), "m2: inf is not allowed"),
    ],
)
def test_impossible_moments_are_refused(n, mean, m2, message):
    with pytest.raises(ValueError, match=message):
        Moments(n, mean, m2)


def test_published_summaries_become_moments():
    moments = Moments.from_sd(44700, 52.456, 256.7)
    assert moments.sd == pytest.approx(256.7, rel=1e-14)


def _exact(data, scales=(1, 1), centres=(0, 0)):
    d = [[value - centre for value, centre in zip(row, centres, strict=True)] for row in data]
    k = len(scales)
    sums = [sum(row[i] for row in d) for i in range(k)]
    cross = [[sum(row[i] * row[j] for row in d) for j in range(k)] for i in range(k)]
    return exact_comoments(len(d), sums, cross, scales, centres)


def test_a_mean_of_1_7e9_with_variance_one_twelfth_keeps_every_digit():
    # Uniform on [1.7e9, 1.7e9 + 1), kept in millionths; Σx² − n·mean² has no correct digit here.
    draw = random.Random(7)
    data = [(1_700_000_000_000_000 + draw.randrange(1_000_000), 0) for _ in range(20_000)]
    exact = _exact(data, scales=(1_000_000, 1), centres=(1_700_000_000_500_000, 0))
    values = [Fraction(value, 1_000_000) for value, _ in data]
    mean = sum(values) / len(values)
    m2 = sum((v - mean) ** 2 for v in values)
    assert exact.means[0] == float(mean)
    assert exact.comoments[0][0] == float(m2)
    assert exact.marginal(0).variance == pytest.approx(1 / 12, rel=0.02)
    x = np.array([float(v) for v in values])
    assert abs(np.sum(x**2) - len(x) * np.mean(x) ** 2 - float(m2)) > 1e3


@given(rows, st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_the_provisional_centre_changes_no_bit(data, centre, other):
    assert _exact(data) == _exact(data, centres=(centre, other))


@given(rows, st.randoms())
def test_the_order_of_rows_changes_no_bit_of_exact_moments(data, chance):
    shuffled = list(data)
    chance.shuffle(shuffled)
    assert _exact(data, scales=(100, 7)) == _exact(shuffled, scales=(100, 7))


@given(rows)
def test_exact_moments_are_the_floating_ones_of_the_scaled_values(data):
    exact = _exact(data, scales=(100, 7))
    floating = CoMoments.of([[a / 100, b / 7] for a, b in data])
    assert exact.means == pytest.approx(floating.means, rel=1e-12, abs=1e-12)
    assert np.array(exact.comoments) == pytest.approx(np.array(floating.comoments), rel=1e-9, abs=1e-9)


def test_integers_of_numpy_do_not_overflow():
    n = 3
    big = np.int64(4_000_000_000)
    exact = exact_comoments(n, [np.int64(0)], [[big * 2]], [1], [0])
    assert exact.comoments[0][0] == 8e9
    wide = exact_comoments(10**6, [np.int64(10**12)], [[np.int64(9 * 10**18)]], [np.int64(1)], [np.int64(5)])
    assert wide.comoments[0][0] == float(9 * 10**18 - 10**18)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, [3], [[1]], [1], [0]), "which no data can give"),
        ((0, [1], [[1]], [1], [0]), "0 units cannot have sums"),
        ((2, [1], [[1]], [0], [0]), "scales: .* is not allowed"),
        ((2, [1, 2], [[1]], [1], [0]), "do not agree"),
        ((-2, [1], [[1]], [1], [0]), "n: -2 is not allowed"),
    ],
)
def test_sums_that_belong_to_no_data_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        exact_comoments(*arguments)


def test_comoments_are_those_of_numpy_and_merge():
    x = np.random.default_rng(2).normal(size=(50, 3)) @ np.array([[1, 0.5, 0], [0, 1, 2], [0, 0, 1]])
    whole = CoMoments.of(x)
    covariances = np.array([[whole.covariance(i, j) for j in range(3)] for i in range(3)])
    assert covariances == pytest.approx(np.cov(x, rowvar=False), rel=1e-12)
    merged = CoMoments.of(x[:20]).merge(CoMoments.of(x[20:]))
    assert np.array(merged.comoments) == pytest.approx(np.array(whole.comoments), rel=1e-12)
    assert merged.means == pytest.approx(whole.means, rel=1e-12)


def test_a_marginal_and_a_selection_are_the_moments_of_those_columns():
    x = np.random.default_rng(3).normal(size=(40, 3))
    whole = CoMoments.of(x)
    assert whole.marginal(1).m2 == pytest.approx(Moments.of(x[:, 1]).m2, rel=1e-12)
    chosen, direct = whole.select([2, 0]), CoMoments.of(x[:, [2, 0]])
    assert np.array(chosen.comoments) == pytest.approx(np.array(direct.comoments), rel=1e-12)


def test_linear_combinations_are_those_of_the_columns():
    x = np.random.default_rng(4).normal(size=(40, 2))
    combined = CoMoments.of(x).combine([[1, -2], [0, 3]], [0.0, 0.0])
    direct = CoMoments.of(np.column_stack([x[:, 0] - 2 * x[:, 1], 3 * x[:, 1]]))
    assert np.array(combined.comoments) == pytest.approx(np.array(direct.comoments), rel=1e-12)


def test_a_combination_that_cancels_to_rounding_does_not_vary_at_all():
    x = np.random.default_rng(5).normal(size=1000)
    for factor in (0.1, 0.3, 0.7, 1 / 3, 1.1, 7.7):
        both = CoMoments.of(np.column_stack([x, factor * x]))
        assert both.combine([[factor, -1.0]], [0.0]).comoments == ((0.0,),)
    almost = CoMoments.of(np.column_stack([x, 0.3 * x + 1e-5 * np.sin(1e6 * x)]))
    assert almost.combine([[0.3, -1.0]], [0.0]).marginal(0).sd == pytest.approx(1e-5 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize(
    ("means", "table", "message"),
    [
        ((0.0,), ((1.0, 0.0),), "do not fit 1 means"),
        ((0.0, 0.0), ((1.0, 0.5), (0.4, 1.0)), "not symmetric"),
        ((0.0,), ((-1.0,),), "on the diagonal 0 or more"),
        ((float("inf"),), ((1.0,),), "means: .* is not allowed"),
    ],
)
def test_impossible_comoments_are_refused(means, table, message):
    with pytest.raises(ValueError, match=message):
        CoMoments(3, means, table)
