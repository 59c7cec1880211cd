import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa

from analysis.moments import CoMoments
from analysis.paired import clustered_kappa, cohen_kappa
from tests.references.influence import error_by_user, sums_by_user, users_and_requests


def sums(champion, candidate, user, categories):
    return CoMoments.of(
        sums_by_user(
            user,
            champion == candidate,
            *(champion == c for c in range(categories)),
            *(candidate == c for c in range(categories)),
        )
    )


def drawn(seed, users=40, categories=3):
    rng = np.random.default_rng(seed)
    _, user = users_and_requests(rng, users)
    champion = rng.integers(0, categories, len(user))
    loyal = rng.beta(2, 1, users)[user]
    candidate = np.where(rng.random(len(user)) < loyal, champion, rng.integers(0, categories, len(user)))
    return champion, candidate, user


def test_with_one_pair_per_user_it_is_the_interval_of_fleiss_cohen_and_everitt():
    # The table of Fleiss, Cohen & Everitt 1969, Psychological Bulletin 72:323: kappa 0.429, standard error 0.0540
    # (as statsmodels gives it).
    table = np.array([[106, 10, 4], [22, 28, 10], [2, 12, 6]])
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(table[i, j])]
    champion, candidate = np.array(pairs).T
    found = clustered_kappa(sums(champion, candidate, np.arange(200), 3))
    theirs = cohens_kappa(table)
    assert found.estimate == pytest.approx(0.429, abs=5e-4)
    assert found.estimate == pytest.approx(theirs.kappa, rel=1e-12)
    assert found.standard_error == pytest.approx(theirs.std_kappa * math.sqrt(200 / 199), rel=1e-10)
    assert found.estimate == pytest.approx(cohen_kappa(table).kappa, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_standard_error_is_that_of_weighing_a_user_a_little_more(seed):
    champion, candidate, user = drawn(seed)

    def kappa(w):
        total = w.sum()
        observed = w[champion == candidate].sum() / total
        expected = sum(w[champion == c].sum() * w[candidate == c].sum() for c in range(3)) / total**2
        return (observed - expected) / (1 - expected)

    found = clustered_kappa(sums(champion, candidate, user, 3))
    assert found.estimate == pytest.approx(kappa(np.ones(len(user))), rel=1e-12)
    assert found.standard_error == pytest.approx(error_by_user(kappa, user), rel=1e-6)


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_swapping_the_models_keeps_kappa(seed):
    champion, candidate, user = drawn(seed, users=15)
    there = clustered_kappa(sums(champion, candidate, user, 3))
    back = clustered_kappa(sums(candidate, champion, user, 3))
    assert back.estimate == pytest.approx(there.estimate)
    assert back.standard_error == pytest.approx(there.standard_error)


@pytest.mark.parametrize(
    ("champion", "candidate", "reason"),
    [
        ([0, 0, 0], [0, 0, 0], "both models always give the same one answer"),
        ([0], [1], "fewer than 2 users (found 1)"),
        ([0, 1, 0], [0, 1, 0], "no spread over users: the interval has no width"),
    ],
)
def test_what_cannot_be_computed_says_why(champion, candidate, reason):
    champion, candidate = np.array(champion), np.array(candidate)
    found = clustered_kappa(sums(champion, candidate, np.arange(len(champion)), 2))
    assert found.not_computed == reason
    assert found.ci is None


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[1.0, 1.0, 1.0]], "give pairs that agree, then each model's answers"),
        ([[1.0, 1.0, 0.0, 1.0]], "give pairs that agree"),
        ([[1.0, 1.0, 0.0, 1.0, 1.0]], "do not add up to the same number of pairs"),
    ],
)
def test_sums_that_cannot_be_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        clustered_kappa(CoMoments.of(table))
