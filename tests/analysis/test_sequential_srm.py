import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import gammaln

from analysis.sequential_srm import SequentialSRM, log_dirichlet_multinomial, sequential_srm_path
from tests.references.two_sample_reference import bayes_factor_by_prediction


def test_marginal_likelihoods_are_those_of_ssrm():
    # optimizely/ssrm c44f538, ssrm_test/test_ssrm_test.py::test_sequential_posteriors
    units = [0, 1, 0, 1, 2]
    counts = np.zeros(3, dtype=int)
    found = []
    for arm in units:
        counts[arm] += 1
        found.append(log_dirichlet_multinomial(counts.tolist(), [1, 1, 1]))
    expected = [-1.09861228867, -2.48490664979, -3.40119738166, -4.49980967033, -6.44571981939]
    assert found == pytest.approx(expected, abs=1e-9)


def test_the_bayes_factor_is_built_from_both_marginal_likelihoods_of_ssrm():
    # Same test: log m0 after five units with null shares 0.4, 0.4, 0.2 is −5.27460083993.
    state = SequentialSRM.start([0.4, 0.4, 0.2], concentration=3).update([2, 2, 1])
    log_m1 = log_dirichlet_multinomial([2, 2, 1], [1.2, 1.2, 0.6])
    assert state.log_bayes_factor == pytest.approx(log_m1 + 5.27460083993, abs=1e-9)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.floats(0.5, 1000))
def test_the_bayes_factor_is_the_product_of_the_predictions(units, concentration):
    shares = [0.5, 0.3, 0.2]
    counts = np.cumsum(np.eye(3, dtype=int)[units], axis=0).tolist()
    path = sequential_srm_path(counts, shares, concentration=concentration)
    expected = bayes_factor_by_prediction(units, shares, [concentration * share for share in shares])
    assert [state.log_bayes_factor for state in path] == pytest.approx(expected, abs=1e-8)
    running = np.maximum(np.maximum.accumulate(expected), 0)
    assert [state.p_value for state in path] == pytest.approx(np.exp(-running).tolist(), abs=1e-8)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=20))
def test_p_never_rises_and_never_passes_one(steps):
    counts = np.cumsum(steps, axis=0).tolist()
    p = [state.p_value for state in sequential_srm_path(counts, [1, 1])]
    assert all(later <= earlier for earlier, later in zip([1.0, *p], p, strict=False))


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_swapping_the_arms_changes_nothing(a, b):
    one = SequentialSRM.start([1, 3]).update([a, b])
    other = SequentialSRM.start([3, 1]).update([b, a])
    assert one.log_bayes_factor == pytest.approx(other.log_bayes_factor, abs=1e-9)


def test_an_hour_without_units_changes_nothing():
    path = sequential_srm_path([[50, 60], [50, 60]], [1, 1])
    assert path[0] == path[1]


def test_before_any_unit_p_is_one():
    assert SequentialSRM.start([1, 1]).p_value == 1.0
    assert SequentialSRM.start([1, 1]).update([0, 0]).p_value == 1.0


def test_overwhelming_evidence_stays_in_logarithms():
    # optimizely/ssrm c44f538, test_overflow: exp() of the two marginal likelihoods overflows
    state = SequentialSRM.start([0.5, 0.5]).update([200_000, 1])
    assert state.log_bayes_factor > 100_000
    assert state.p_value == 0.0


def test_cookie_cats_totals_at_the_end_are_no_alarm_at_one_in_a_thousand():
    state = SequentialSRM.start([1, 1]).update([44700, 45489])
    by_hand = (
        gammaln(5000 + 44700)
        + gammaln(5000 + 45489)
        - gammaln(10000 + 90189)
        - 2 * gammaln(5000)
        + gammaln(10000)
        + 90189 * math.log(2)
    )
    assert state.log_bayes_factor == pytest.approx(by_hand, abs=1e-6)
    assert state.p_value > 0.001


def test_a_broken_allocation_is_found_long_before_its_end():
    chance = np.random.default_rng(71)
    counts = np.cumsum(chance.multinomial(2000, [0.52, 0.48], 28), axis=0).tolist()
    alarms = [day for day, state in enumerate(sequential_srm_path(counts, [1, 1])) if state.p_value < 0.001]
    assert 0 < alarms[0] < 14


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SequentialSRM.start([1]), "give two or more weights above 0"),
        (lambda: SequentialSRM.start([1, 0]), "give two or more weights above 0"),
        (lambda: SequentialSRM.start([1, 1], concentration=0), "concentration: 0 is not allowed"),
        (lambda: SequentialSRM.start([1, 1]).update([1, 2, 3]), "3 arms, planned 2"),
        (
            lambda: SequentialSRM.start([1, 1]).update([5, 5]).update([6, 4]),
            "cumulative counts, which never fall",
        ),
    ],
)
def test_bad_starts_and_updates_are_refused(call, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        call()


def _false_alarms(looks, per_look, replays, concentration, seed):
    """Share of clean 1:1 experiments alarmed at 5 %: by the sequential test, by chi-squared at every look."""
    chance = np.random.default_rng(seed)
    first = np.cumsum(chance.binomial(per_look, 0.5, (replays, looks)), axis=1)
    n = per_look * np.arange(1, looks + 1)
    k = concentration / 2
    log_bayes_factor = (
        gammaln(k + first)
        + gammaln(k + n - first)
        - gammaln(2 * k + n)
        - 2 * gammaln(k)
        + gammaln(2 * k)
        + n * math.log(2)
    )
    own = SequentialSRM.start([1, 1], concentration=concentration)
    for look in range(3):
        own = own.update([int(first[0, look]), int(n[look] - first[0, look])])
        assert own.log_bayes_factor == pytest.approx(log_bayes_factor[0, look], abs=1e-6)
    chi_squared = (2 * first - n) ** 2 / n
    return (
        np.mean(np.any(log_bayes_factor > math.log(20), axis=1)),
        np.mean(np.any(chi_squared > stats.chi2.isf(0.05, 1), axis=1)),
    )


@pytest.mark.parametrize("concentration", [10, 1000, 10_000])
def test_looking_every_day_keeps_the_level_where_chi_squared_does_not(concentration):
    # 4,000 clean experiments of 100 looks: Monte-Carlo standard error 0.0034 at 5 %.
    sequential, chi_squared = _false_alarms(100, 500, 4000, concentration, 72)
    assert sequential < 0.05 + 3 * 0.0034
    assert chi_squared > 0.3
