import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from analysis.moments import CoMoments
from analysis.paired import ClusterMoments, clustered_share, decision_flips, noise_floor
from tests.references.influence import error_by_user, users_and_requests


def sums(*columns):
    return CoMoments.of(np.column_stack(columns))


def drawn(seed, users=60, share=0.1, alike=2.0):
    rng = np.random.default_rng(seed)
    sizes, _ = users_and_requests(rng, users, most=20)
    return rng.binomial(sizes, rng.beta(share * alike, (1 - share) * alike, users)), sizes


def test_with_one_request_per_user_it_is_wilsons_interval_but_for_students_t():
    hits = np.repeat([1.0, 0.0], [7, 143])
    found = clustered_share(sums(hits, np.ones(150)))
    # The variance has n − 1, and the effective number shrinks by (1.96 / t)²: 150 · 149/150 · (…)².
    effective = 149 * (stats.norm.isf(0.025) / stats.t.isf(0.025, 149)) ** 2
    assert found.effective_requests == pytest.approx(effective, rel=1e-9)
    expected = proportion_confint(effective * 7 / 150, effective, method="wilson")
    assert found.ci == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_effective_requests_are_those_of_the_variance_by_user(seed):
    hits, sizes = drawn(seed)
    user = np.repeat(np.arange(60), sizes)
    values = np.concatenate([[1] * h + [0] * (n - h) for h, n in zip(hits, sizes, strict=True)])
    error = error_by_user(lambda w: np.average(values, weights=w), user)
    share = values.mean()
    shrink = (stats.norm.isf(0.025) / stats.t.isf(0.025, 59)) ** 2
    found = clustered_share(sums(hits, sizes))
    assert found.effective_requests == pytest.approx(share * (1 - share) / error**2 * shrink, rel=1e-5)


def test_where_no_request_counts_users_weigh_as_one_request_each():
    sizes = np.array([1, 1, 1, 97])
    found = clustered_share(sums(np.zeros(4), sizes))
    assert found.share == 0
    assert found.effective_requests == pytest.approx(100**2 / (97**2 + 3))
    assert found.ci == pytest.approx(proportion_confint(0, found.effective_requests, method="wilson"))
    every = clustered_share(sums(np.full(40, 5), np.full(40, 5)))
    assert every.ci == pytest.approx(proportion_confint(40, 40, method="wilson"))
    assert every.ci[1] == 1


def test_the_effective_requests_are_never_more_than_the_requests():
    hits = np.repeat(5, 40)  # every user exactly one half, but for two: less spread than by chance
    hits[:2] = [4, 6]
    found = clustered_share(sums(hits, np.full(40, 10)))
    assert found.effective_requests == 400


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_counting_the_others_mirrors_the_interval(seed):
    hits, sizes = drawn(seed, users=20, share=0.3)
    there, back = clustered_share(sums(hits, sizes)), clustered_share(sums(sizes - hits, sizes))
    assert back.ci == pytest.approx((1 - there.ci[1], 1 - there.ci[0]), abs=1e-12)


def test_what_cannot_be_computed_says_why():
    assert clustered_share(CoMoments(0, (0.0, 0.0), ((0.0, 0.0),) * 2)).not_computed == "no requests"
    one = clustered_share(sums([2.0], [5.0]))
    assert (one.share, one.ci, one.not_computed) == (0.4, None, "fewer than 2 users (found 1)")
    with pytest.raises(ValueError, match="6 of 5 requests is not allowed"):
        clustered_share(sums([6.0], [5.0]))
    with pytest.raises(ValueError, match="level: 1 is not allowed"):
        clustered_share(sums([1.0, 2.0], [5.0, 5.0]), level=1)


def test_flips_are_told_by_direction():
    to_act, to_refrain, pairs = np.array([3, 0, 1, 2]), np.array([0, 1, 0, 0]), np.array([10, 5, 5, 20])
    to_act, to_refrain, pairs = (np.tile(x, 5) for x in (to_act, to_refrain, pairs))
    found = decision_flips(sums(to_act, to_refrain, pairs))
    assert (found.to_act.count, found.to_refrain.count, found.flipped.count) == (30, 5, 35)
    assert found.flipped.share == 7 / 40
    assert found.net.difference == pytest.approx(5 / 40)
    swapped = decision_flips(sums(to_refrain, to_act, pairs))
    assert swapped.to_refrain.ci == found.to_act.ci
    assert swapped.net.difference == pytest.approx(-5 / 40)
    assert swapped.net.ci == pytest.approx((-found.net.ci[1], -found.net.ci[0]))


def test_the_noise_floor_says_how_much_of_the_disagreement_is_the_champions_own():
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 20, 300)
    control = rng.binomial(sizes, 0.02)
    candidate = rng.binomial(sizes, 0.08)
    found = noise_floor(sums(candidate, control, sizes))
    assert found.excess.difference == pytest.approx((candidate.sum() - control.sum()) / sizes.sum())
    assert found.own_part.ratio == pytest.approx(control.sum() / candidate.sum())
    assert found.own_part.ci[0] < 0.25 < found.own_part.ci[1]
    assert found.excess.ci[0] > 0


def test_a_candidate_that_never_disagrees_has_no_part_to_tell():
    sizes = np.full(20, 5)
    found = noise_floor(sums(np.zeros(20), np.repeat([1, 0], 10), sizes))
    assert found.own_part.ratio is None
    assert found.own_part.not_computed == "the champion's estimate 0.0 is not above 0: no ratio to it"


def test_moments_come_out_of_any_sums_of_a_log():
    rng = np.random.default_rng(4)
    candidate, champion, pairs = rng.integers(0, 5, 30), rng.integers(0, 5, 30), rng.integers(5, 9, 30)
    ours = ClusterMoments.of_comoments(
        sums(candidate, champion, pairs), difference=(1, -1, 0), pairs=(0, 0, 1)
    )
    direct = ClusterMoments.of_sums(candidate - champion, pairs)
    for name in ("users", "difference_mean", "pairs_mean", "difference_m2", "pairs_m2", "cross"):
        assert getattr(ours, name) == pytest.approx(getattr(direct, name), rel=1e-12)
    assert ours.effective_users == pytest.approx(pairs.sum() ** 2 / (pairs**2).sum())
    user = np.repeat(np.arange(30), pairs)
    difference = np.repeat((candidate - champion) / pairs, pairs)
    assert ours.standard_error == pytest.approx(
        error_by_user(lambda w: np.average(difference, weights=w), user), rel=1e-6
    )
    with pytest.raises(ValueError, match="3 and 2 weights for 3 sums"):
        ClusterMoments.of_comoments(sums(candidate, champion, pairs), difference=(1, -1, 0), pairs=(0, 1))
    empty = ClusterMoments.of_comoments(
        CoMoments(0, (0.0,) * 2, ((0.0,) * 2,) * 2), difference=(1, 0), pairs=(0, 1)
    )
    assert (empty.users, empty.effective_users, empty.standard_error) == (0, None, None)


def test_a_share_that_few_users_make_says_so():
    hits, sizes = np.zeros(300), np.full(300, 10)
    hits[:3] = 10
    assert clustered_share(sums(hits, sizes)).effective_count == pytest.approx(3)
    # of a share above one-half it is the others that are rare
    assert clustered_share(sums(sizes - hits, sizes)).effective_count == pytest.approx(3)
    assert clustered_share(sums(np.zeros(300), sizes)).effective_count == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "alike", "users", "outside"),
    [
        # spread over some 100, 240 and 700 users: near the nominal 2.5 % on either side
        (0.02, 20.0, 1000, 0.05),
        (0.5, 2.0, 1000, 0.04),
        (0.1, 0.5, 3000, 0.04),
        # over some 7: the upper limit is too low, as the documentation says
        (0.02, 1.0, 400, 0.13),
    ],
)
def test_shares_by_user_cover_as_far_as_users_tell(share, alike, users, outside):
    # 1,500 replays of users with 1 to 500 requests: Monte-Carlo standard error 0.005
    rng = np.random.default_rng(20250312)
    below = above = naive = 0
    for _ in range(1500):
        sizes = np.exp(rng.uniform(0, math.log(500), users)).astype(int)
        hits = rng.binomial(sizes, rng.beta(share * alike, (1 - share) * alike, users))
        low, high = clustered_share(sums(hits, sizes)).ci
        below, above = below + (high < share), above + (low > share)
        low, high = proportion_confint(hits.sum(), sizes.sum(), method="wilson")
        naive += low <= share <= high
    assert below / 1500 < outside + 3 * 0.005
    assert above / 1500 < 0.04
    assert naive / 1500 < 0.7
