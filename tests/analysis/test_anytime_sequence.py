"""Asymptotic confidence sequences, harm stops and burn-in."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.anytime import (
    RunningSequence,
    SequencePlan,
    confidence_sequence,
    difference_sequence,
    harm_stop,
    least_burn_in,
)
from tests.references.anytime_mixtures import one_sided_half_width, tuned_rho, waudby_smith_half_width

PLAN = SequencePlan(0.05, 10_000, 100)


def test_a_sequence_agrees_with_growthbook():
    # GrowthBook packages/stats/tests/frequentist/test_tests.py, TestSequentialTTest: relative effect, tuning N 1000
    plan = SequencePlan(0.05, 1000, 1)
    found = difference_sequence(plan, 0.50336, 0.33341**2, 3000 + 3461)
    assert (found.lower, found.upper) == pytest.approx((-0.55844, 1.56516), abs=1e-5)
    assert found.p_value == 1


def test_the_one_sided_limit_is_just_inside_the_closed_form_growthbook_uses():
    # the same file, TestSequentialOneSidedGreaterTTest: tuning N 5000
    point, error, n = 0.234376666667, 0.129830812542, 6461
    deviation = error * math.sqrt(n)
    closed_form = point - one_sided_half_width(deviation, n, tuned_rho(0.10, 5000), 0.05)
    assert closed_form == pytest.approx(-0.126568441728, abs=1e-9)
    # Its p-value, 0.46316492, is where a bisection over levels stops; the exact root is 0.46304736.
    touching = one_sided_half_width(deviation, n, tuned_rho(0.10, 5000), 0.46304736)
    assert touching == pytest.approx(point, abs=1e-7)
    own = difference_sequence(SequencePlan(0.05, 5000, 1, "greater"), point, error**2, n)
    assert own.upper == math.inf
    assert closed_form < own.lower < closed_form + 0.002
    # Twice alpha in the two-sided sequence is close, but it is not a one-sided sequence: it is a little too narrow.
    assert own.lower < difference_sequence(SequencePlan(0.10, 5000, 1), point, error**2, n).lower


@given(
    n=st.integers(100, 10**7),
    variance=st.floats(1e-6, 1e6),
    alpha=st.floats(1e-6, 0.9),
    planned=st.integers(50, 10**6),
)
def test_the_interval_is_equation_nine_of_waudby_smith_and_others(n, variance, alpha, planned):
    plan = SequencePlan(alpha, planned, 1)
    found = confidence_sequence(plan, 0.0, variance, n)
    expected = waudby_smith_half_width(math.sqrt(variance), n, 1 / math.sqrt(plan.precision), alpha)
    assert found.upper == pytest.approx(expected, rel=1e-10)
    assert found.lower == -found.upper


@given(
    z=st.floats(-8, 8),
    n=st.integers(100, 10**6),
    alternative=st.sampled_from(["two-sided", "greater", "less"]),
    null=st.floats(-2, 2),
)
def test_the_p_value_is_below_alpha_just_when_the_interval_excludes_the_null(z, n, alternative, null):
    plan = SequencePlan(0.05, 2000, 100, alternative)
    found = confidence_sequence(plan, null + z / math.sqrt(n), 1.0, n, null)
    if min(abs(found.lower - null), abs(found.upper - null)) > 1e-12:
        assert (found.p_value < 0.05) is not (found.lower <= null <= found.upper)


def test_swapping_the_arms_mirrors_the_interval():
    one = confidence_sequence(PLAN, 0.03, 1.2, 5000)
    other = confidence_sequence(PLAN, -0.03, 1.2, 5000)
    assert (one.lower, one.upper, one.p_value) == (-other.upper, -other.lower, other.p_value)
    greater = confidence_sequence(SequencePlan(0.05, 10_000, 100, "greater"), 0.03, 1.2, 5000)
    less = confidence_sequence(SequencePlan(0.05, 10_000, 100, "less"), -0.03, 1.2, 5000)
    assert (greater.lower, greater.p_value) == (-less.upper, less.p_value)


def test_a_difference_from_its_squared_standard_error_is_the_same_sequence():
    squared_error = 0.21 / 3000 + 0.24 / 2000
    assert difference_sequence(PLAN, 0.01, squared_error, 5000) == confidence_sequence(
        PLAN, 0.01, 5000 * squared_error, 5000
    )


def test_before_the_burn_in_and_without_variance_there_is_no_interval_but_a_reason():
    early = confidence_sequence(PLAN, 0.5, 1.0, 99)
    assert early.lower is early.upper is early.p_value is None
    assert early.not_computed == "99 units are fewer than the declared burn-in of 100"
    flat = confidence_sequence(PLAN, 0.0, 0.0, 500)
    assert flat.p_value is None
    assert "no variance" in flat.not_computed


def test_the_running_sequence_keeps_the_smallest_p_value_and_the_intersection():
    running = RunningSequence()
    looks = [(200, 0.4), (1000, 0.16), (4000, 0.01)]
    sequences = [confidence_sequence(PLAN, estimate, 1.0, n) for n, estimate in looks]
    for sequence in sequences:
        running = running.updated(sequence)
    assert running.p_value == min(s.p_value for s in sequences)
    assert running.lower == max(s.lower for s in sequences)
    assert running.upper == min(s.upper for s in sequences)
    assert running.last_n == 4000
    assert not running.contradictory
    # The second look excluded 0, the third holds it: the evidence once seen stays.
    assert sequences[2].lower < 0 < running.lower
    assert running.p_value < 0.05


def test_a_look_without_a_result_leaves_the_evidence_as_it_was():
    running = RunningSequence().updated(confidence_sequence(PLAN, 0.5, 1.0, 50))
    assert running == RunningSequence(last_n=50)


def test_intervals_without_a_common_value_are_called_contradictory():
    running = RunningSequence()
    for n, estimate in [(1000, 0.5), (100_000, -0.5)]:
        running = running.updated(confidence_sequence(PLAN, estimate, 1.0, n))
    assert running.contradictory


def test_a_sequence_that_goes_back_in_n_is_refused():
    running = RunningSequence().updated(confidence_sequence(PLAN, 0.0, 1.0, 500))
    with pytest.raises(ValueError, match="499 is not allowed after 500"):
        running.updated(confidence_sequence(PLAN, 0.0, 1.0, 499))


@pytest.mark.parametrize("harmful", ["increase", "decrease"])
def test_a_harm_stop_trips_just_when_its_bound_passes_the_margin(harmful):
    sign = 1 if harmful == "increase" else -1
    settings = {"harmful": harmful, "alpha": 0.01, "planned_n": 20_000, "burn_in": 500}
    for worsening, trips in [(0.2, True), (0.05, False), (-0.2, False)]:
        found = harm_stop(sign * worsening, 4.0, 20_000, margin=0.02, **settings)
        assert found.tripped is trips
        assert (found.worsening_at_least > 0.02) is trips
        assert (found.p_value < 0.01) is trips
    # a worsening inside the margin never trips, however sure
    assert harm_stop(sign * 0.019, 1e-6, 10**6, margin=0.02, **settings).tripped is False


def test_a_harm_stop_before_its_burn_in_is_not_judged():
    found = harm_stop(
        9.0, 1.0, 499, margin=0.0, harmful="increase", alpha=0.01, planned_n=20_000, burn_in=500
    )
    assert found.tripped is None
    assert "burn-in of 500" in found.not_computed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"margin": -0.1}, "margin: -0.1 is not allowed"),
        ({"harmful": "up"}, "give increase or decrease"),
        ({"alpha": 0.5}, "alpha: 0.5 is not allowed"),
        ({"planned_n": 0}, "planned_n: 0 is not allowed"),
        ({"burn_in": 0}, "burn_in: 0 is not allowed"),
        ({"variance": -1.0}, "variance: -1.0 is not allowed"),
        ({"estimate": math.nan}, "estimate: nan is not allowed"),
        ({"n": 0}, "n: 0 is not allowed"),
    ],
)
def test_bad_parameters_are_refused_with_what_is_allowed(change, says):
    arguments = {
        "estimate": 0.1, "variance": 1.0, "n": 1000, "margin": 0.0, "harmful": "increase",
        "alpha": 0.01, "planned_n": 1000, "burn_in": 500,
    }  # fmt: skip
    with pytest.raises(ValueError, match=says):
        harm_stop(**(arguments | change))


def test_an_unknown_alternative_is_refused():
    with pytest.raises(ValueError, match="give two-sided, greater or less"):
        SequencePlan(0.05, 1000, 100, "both")


def proportion(p):
    return p * (1 - p), p * (1 - p) * (1 - 2 * p)


def burn_in_for_proportion(p, share, alpha=0.05):
    variance, third = proportion(p)
    return least_burn_in(alpha, (1 - share, share), (variance, variance), (third, third))


def test_the_burn_in_grows_with_skewness_an_unequal_split_and_a_smaller_level():
    assert burn_in_for_proportion(0.05, 0.5) == 100  # equal arms: the skewness cancels, 50 units in each arm
    assert burn_in_for_proportion(0.05, 0.2) == 1706
    assert burn_in_for_proportion(0.05, 0.1) > burn_in_for_proportion(0.05, 0.2)
    assert burn_in_for_proportion(0.01, 0.1) > burn_in_for_proportion(0.05, 0.1)
    assert burn_in_for_proportion(0.05, 0.1, 0.001) > burn_in_for_proportion(0.05, 0.1, 0.05)
    assert burn_in_for_proportion(0.95, 0.2) == burn_in_for_proportion(0.05, 0.2)


def test_faulty_moments_for_the_burn_in_are_told_at_once():
    with pytest.raises(ValueError, match=r"alpha: 0 .*shares: .*variances: .*third_moments: "):
        least_burn_in(0, (0.5, 0.6), (1.0, 0.0), (0.0, math.inf))


@pytest.mark.parametrize("replays", [4_000, pytest.param(40_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("share", [0.5, 0.2, 0.05])
@pytest.mark.parametrize("p", [0.02, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("planned", [1, 4])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_watched_from_the_burn_in_on_a_difference_of_proportions_errs_at_most_alpha(
    alternative, planned, p, share, replays
):
    """The stated grid: proportions by shares, looks at 120 n from the burn-in to three times the planned
    n.
    """
    rng = np.random.default_rng(71)
    alpha, burn_in = 0.05, burn_in_for_proportion(p, share)
    plan = SequencePlan(alpha, planned * burn_in, burn_in, alternative)
    n = np.unique(np.geomspace(burn_in, 3 * planned * burn_in, 120).round().astype(int))
    treated = np.round(n * share).astype(int)
    estimate, squared_error = 0.0, 0.0
    for sign, count in ((1, treated), (-1, n - treated)):
        mean = np.cumsum(rng.binomial(np.diff(count, prepend=0), p, (replays, n.size)), axis=1) / count
        estimate = estimate + sign * mean
        squared_error = squared_error + mean * (1 - mean) / (count - 1)
    # one standardised sequence a look gives the half-width for all replays
    half_width = np.array(
        [(s.upper if alternative != "greater" else -s.lower) for s in
         (confidence_sequence(plan, 0.0, 1.0, int(k)) for k in n)]
    )  # fmt: skip
    error = np.sqrt(n * squared_error)
    away = {"two-sided": np.abs(estimate), "greater": estimate, "less": -estimate}[alternative]
    false_alarms = (away > error * half_width).any(axis=1).mean()
    assert false_alarms <= 1.1 * alpha + 3 * math.sqrt(alpha / replays)


def test_without_a_burn_in_a_small_arm_makes_the_sequence_miss_its_level():
    rng = np.random.default_rng(72)
    plan = SequencePlan(0.05, 2000, 1)
    n = np.arange(10, 4001, 10)
    treated = n // 10
    false_alarm = np.zeros(1000, dtype=bool)
    means = [
        np.cumsum(rng.binomial(np.diff(count, prepend=0), 0.05, (1000, n.size)), axis=1) / count
        for count in (treated, n - treated)
    ]
    squared_error = sum(m * (1 - m) / c for m, c in zip(means, (treated, n - treated), strict=True))
    for look, size in enumerate(n):
        half_width = confidence_sequence(plan, 0.0, 1.0, int(size)).upper
        wide = half_width * np.sqrt(size * squared_error[:, look])
        false_alarm |= (np.abs(means[0] - means[1])[:, look] > wide) & (squared_error[:, look] > 0)
    assert false_alarm.mean() > 0.1
