import math

import numpy as np
import pytest
from scipy.special import ndtri

from analysis.paired import (
    ClusterMoments,
    clustered_noninferiority,
    detectable_clustered_difference,
    observed_design_effect,
    sample_size_paired,
    users_needed,
)
from tests.references.paired_formulas import clustered_counts


def test_one_pair_per_user_is_the_plain_sample_size():
    # Connor's (1987) 23 pairs for discordance 0.5 and difference 0.4, two-sided 0.05, power 0.8
    # (powerandsamplesize.com, after Chow, Shao & Wang).
    found = users_needed(0.5, 0.4, pairs_per_user=1, correlation=0)
    assert (found.users, found.pairs.pairs, found.design_effect) == (23, 23, 1)


def test_users_with_one_side_each_need_as_many_users_as_pairs():
    plain = sample_size_paired(0.2, 0.05)
    found = users_needed(0.2, 0.05, pairs_per_user=8, correlation=1)
    assert found.users == pytest.approx(plain.pairs, abs=1)


def test_the_design_effect_is_kishs_and_eldridges():
    # Eldridge, Ashby & Kerry 2006, equation 3: 1 + ((1 + 0.65²)·20 − 1)·0.05 = 2.3725
    found = users_needed(0.2, margin=0.03, pairs_per_user=20, pairs_cv=0.65, correlation=0.05)
    assert found.design_effect == pytest.approx(2.3725)
    assert found.users == math.ceil(found.pairs.pairs / 20)
    assert found.pairs.unrounded == pytest.approx(2.3725 * sample_size_paired(0.2, margin=0.03).unrounded)


@pytest.mark.slow
def test_the_users_asked_for_have_the_power():
    # each user's share of discordant pairs is Beta(1, 1): two discordant pairs of one user agree with correlation
    # 1/3, two pairs with 0.2²·(1/3) / 0.2. 2,000 replays: Monte-Carlo standard error 0.009
    correlation = 0.2 / 3
    found = users_needed(0.2, margin=0.03, pairs_per_user=10, correlation=correlation, power=0.8)
    rng = np.random.default_rng(20250322)
    b, c, n = clustered_counts(rng, found.users, 10, 0.2, 0.0, 2.0, 2000)
    passed = np.mean(
        [
            clustered_noninferiority(ClusterMoments.of_counts(*row), 0.03, method="obuchowski").ruled_out
            for row in zip(b, c, n, strict=True)
        ]
    )
    assert passed == pytest.approx(0.8, abs=0.035)


def test_the_observed_design_effect_finds_the_declared_one():
    rng = np.random.default_rng(3)
    b, c, n = (x[0] for x in clustered_counts(rng, 20_000, 10, 0.2, 0.0, 2.0))
    discordant = (b.sum() + c.sum()) / n.sum()
    found = observed_design_effect(
        ClusterMoments.of_counts(b, c, n), discordant - ((b.sum() - c.sum()) / n.sum()) ** 2
    )
    assert found == pytest.approx(1 + 9 * 0.2 / 3, rel=0.03)
    assert observed_design_effect(ClusterMoments.of_counts([1], [0], [2]), 0.2) is None
    with pytest.raises(ValueError, match="pair_variance: -1 is not allowed"):
        observed_design_effect(ClusterMoments.of_counts(b, c, n), -1)


def test_the_detectable_difference_is_that_many_standard_errors():
    rng = np.random.default_rng(4)
    moments = ClusterMoments.of_counts(*(x[0] for x in clustered_counts(rng, 100, 10, 0.2, 0.0, 2.0)))
    found = detectable_clustered_difference(moments)
    assert found.difference == pytest.approx((ndtri(0.975) + ndtri(0.8)) * moments.standard_error)
    one_sided = detectable_clustered_difference(moments, alpha=0.025, sides=1)
    assert one_sided.difference == found.difference
    more = detectable_clustered_difference(moments, power=0.9)
    assert more.difference > found.difference


def test_what_cannot_be_detected_says_why():
    one = detectable_clustered_difference(ClusterMoments.of_counts([1], [0], [2]))
    assert one.not_computed == "fewer than 2 users (found 1)"
    same = detectable_clustered_difference(ClusterMoments.of_counts([0] * 5, [0] * 5, [3] * 5))
    assert same.not_computed == "the difference per pair is the same for every user"
    with pytest.raises(ValueError) as refusal:
        detectable_clustered_difference(
            ClusterMoments.of_counts([1], [0], [2]), alpha=0.9, power=0.2, sides=4
        )
    for name in ("alpha", "power", "sides"):
        assert f"{name}: " in str(refusal.value)
