import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.moments import CoMoments
from analysis.paired import (
    ClusterMoments,
    clustered_difference,
    paired_ratio,
    paired_ratio_noninferiority,
)
from tests.references.influence import error_by_user


def sums(candidate, champion, pairs):
    return CoMoments.of(np.column_stack([candidate, champion, pairs]))


def drawn(seed, users=80, ratio=1.0):
    rng = np.random.default_rng(seed)
    pairs = rng.integers(1, 20, users)
    champion = rng.gamma(3 * pairs, 1.0)
    candidate = ratio * champion * rng.lognormal(0, 0.1, users)
    return candidate, champion, pairs


@pytest.mark.parametrize("seed", range(3))
def test_testing_a_multiple_is_testing_candidate_less_that_multiple_of_the_champion(seed):
    candidate, champion, pairs = drawn(seed)
    found = paired_ratio_noninferiority(sums(candidate, champion, pairs), 0.05)
    user = np.repeat(np.arange(80), pairs)
    values = np.repeat((candidate - 1.05 * champion) / pairs, pairs)

    # The two means' influence is taken at the ratios that were found, so that the standard error is theirs.
    error = error_by_user(lambda w: np.average(values, weights=w), user)
    assert found.statistic == pytest.approx(-values.mean() / error, rel=1e-6)
    assert found.p_value == pytest.approx(stats.t.sf(found.statistic, 79))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_fiellers_interval_holds_the_multiples_that_are_not_rejected(seed, level):
    candidate, champion, pairs = drawn(seed)
    ci = paired_ratio(sums(candidate, champion, pairs), level=level).ci
    for bound in ci:
        moments = ClusterMoments.of_sums(candidate - bound * champion, pairs)
        at = clustered_difference(moments, method="linearised", level=level)
        assert at.p_value == pytest.approx(1 - level, rel=1e-6)


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_swapping_the_models_inverts_the_ratio(seed):
    candidate, champion, pairs = drawn(seed)
    there = paired_ratio(sums(candidate, champion, pairs))
    back = paired_ratio(sums(champion, candidate, pairs))
    assert back.ratio == pytest.approx(1 / there.ratio)
    assert back.ci == pytest.approx((1 / there.ci[1], 1 / there.ci[0]), rel=1e-9)


@pytest.mark.parametrize("direction", ["lower", "higher"])
def test_the_margin_is_ruled_out_exactly_when_it_lies_outside_the_interval(direction):
    seen = set()
    for seed in range(40):
        ratio = 1 + 0.01 * (seed % 8 - 4)
        found = paired_ratio_noninferiority(sums(*drawn(seed, ratio=ratio)), 0.03, direction=direction)
        inside = found.ci[1] < 0.03 if direction == "lower" else found.ci[0] > -0.03
        assert found.ruled_out == inside == (found.p_value < 0.025)
        seen.add(inside)
    assert seen == {True, False}


def test_a_margin_of_a_share_errs_at_its_level():
    # 4,000 replays at the margin: Monte-Carlo standard error 0.0025
    rng = np.random.default_rng(20250313)
    wrong = 0
    for _ in range(4000):
        pairs = np.exp(rng.uniform(0, math.log(50), 200)).astype(int)
        level = rng.gamma(2.0, 1.0, 200)
        champion = rng.gamma(4 * pairs, level)
        candidate = 1.05 * rng.gamma(4 * pairs, level)
        wrong += paired_ratio_noninferiority(sums(candidate, champion, pairs), 0.05).ruled_out
    assert wrong / 4000 == pytest.approx(0.025, abs=0.0085)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([], "fewer than 2 users (found 0)"),
        ([[1.0, 2.0, 3.0]], "fewer than 2 users (found 1)"),
        ([[1.0, 0.0, 3.0], [2.0, 0.0, 4.0]], "the champion's estimate 0.0 is not above 0: no ratio to it"),
        ([[1.0, -2.0, 3.0], [2.0, 9.0, 4.0]], "the champion's estimate is not told from 0 at this level"),
    ],
)
def test_what_cannot_be_computed_says_why(table, reason):
    moments = CoMoments.of(table) if table else CoMoments(0, (0.0,) * 3, ((0.0,) * 3,) * 3)
    ratio, tested = paired_ratio(moments), paired_ratio_noninferiority(moments, 0.1)
    assert reason in ratio.not_computed
    assert reason in tested.not_computed
    assert (ratio.ci, tested.p_value, tested.ruled_out, tested.z) == (None, None, False, None)


def test_equal_users_have_nothing_to_test_with():
    found = paired_ratio_noninferiority(sums([2.0, 4.0], [2.0, 4.0], [1.0, 2.0]), 0.1)
    assert found.not_computed == "no spread over users: nothing to test with"
    assert not found.ruled_out


def test_bad_parameters_are_refused_all_at_once():
    with pytest.raises(ValueError) as refusal:
        paired_ratio_noninferiority(sums(*drawn(1)), 0, alpha=0.6, direction="up")
    for part in ("margin: 0 is not allowed", "alpha: 0.6 is not allowed", "direction: 'up' is unknown"):
        assert part in str(refusal.value)
    with pytest.raises(ValueError, match="sums: 2 variables"):
        paired_ratio(CoMoments.of([[1.0, 2.0]]))
