import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.moments import CoMoments
from analysis.paired import clustered_homogeneity, compare_categories, compare_numbers
from tests.references.influence import covariance_by_user, error_by_user, sums_by_user, users_and_requests


def counts(category, second, user, categories):
    """Sums by user of requests in the first set by category, then of those in the second."""
    columns = [(category == c) & (second == one) for one in (False, True) for c in range(categories)]
    return CoMoments.of(sums_by_user(user, *columns))


def drawn(rng, users=60, categories=4, missing=0.2, alike=1.0):
    """Users prefer categories of their own, and some send requests that often go missing."""
    _, user = users_and_requests(rng, users)
    likes = rng.dirichlet(np.full(categories, alike), users)
    category = (rng.random((len(user), 1)) > likes[user].cumsum(axis=1)).sum(axis=1)
    lost = rng.random(len(user)) < rng.beta(missing * 2, (1 - missing) * 2, users)[user]
    return category, lost, user


@pytest.mark.parametrize("seed", range(3))
def test_the_statistic_is_rao_and_scotts_from_the_covariance_of_the_differences(seed):
    category, lost, user = drawn(np.random.default_rng(seed))

    def difference(w):
        shares = [
            np.array([w[(category == c) & part].sum() for c in range(4)]) / w[part].sum()
            for part in (~lost, lost)
        ]
        return shares[0] - shares[1]

    covariance = covariance_by_user(difference, user)
    pooled = np.array([(category == c).mean() for c in range(4)])
    eigenvalues = np.linalg.eigvals(np.diag(1 / pooled) @ covariance).real
    chi_squared = (difference(np.ones(len(user))) ** 2 / pooled).sum()
    found = clustered_homogeneity(counts(category, lost, user, 4))
    assert found.statistic == pytest.approx(chi_squared / eigenvalues.sum(), rel=1e-5)
    assert found.df == pytest.approx(eigenvalues.sum() ** 2 / (eigenvalues**2).sum(), rel=1e-5)
    assert found.p_value == pytest.approx(stats.f.sf(found.statistic, found.df, found.df * 59), rel=1e-9)


def test_with_one_request_per_user_it_is_pearsons_chi_squared():
    rng = np.random.default_rng(7)
    category, second = rng.integers(0, 5, 20_000), rng.random(20_000) < 0.3
    found = clustered_homogeneity(counts(category, second, np.arange(20_000), 5))
    table = [[((category == c) & (second == one)).sum() for c in range(5)] for one in (False, True)]
    pearson = stats.chi2_contingency(table, correction=False)
    assert found.df == pytest.approx(4, rel=0.01)
    assert found.statistic * found.df == pytest.approx(pearson.statistic, rel=0.02)
    assert found.p_value == pytest.approx(pearson.pvalue, abs=0.01)


@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_neither_the_order_of_sets_nor_of_categories_matters(seed):
    category, lost, user = drawn(np.random.default_rng(seed), users=20)
    there = clustered_homogeneity(counts(category, lost, user, 4))
    back = clustered_homogeneity(counts(3 - category, ~lost, user, 4))
    if there.p_value is None:
        assert back.p_value is None
    else:
        assert back.p_value == pytest.approx(there.p_value, rel=1e-6)
        assert back.distance == pytest.approx(there.distance)


def test_a_category_that_neither_set_has_changes_nothing():
    category, lost, user = drawn(np.random.default_rng(1))
    ours = clustered_homogeneity(counts(category, lost, user, 4))
    more = clustered_homogeneity(counts(category, lost, user, 6))
    assert more.p_value == pytest.approx(ours.p_value, rel=1e-9)
    assert more.shares[0][4:] == (0.0, 0.0)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([[1.0, 2.0, 0.0, 0.0]], "no requests in the second set"),
        ([[0.0, 0.0, 3.0, 0.0]], "no requests in the first set"),
        ([[1.0, 2.0, 1.0, 0.0]], "fewer than 2 users (found 1)"),
        ([[1.0, 0.0, 1.0, 0.0], [2.0, 0.0, 1.0, 0.0]], "all requests are in one category"),
        ([[1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0]], "no spread over users"),
    ],
)
def test_what_cannot_be_computed_says_why(table, reason):
    found = compare_categories(CoMoments.of(table))
    assert reason in found.not_computed
    assert (found.statistic, found.p_value) == (None, None)


def test_another_number_of_sums_is_refused():
    with pytest.raises(ValueError, match="3 variables; give one set's requests"):
        clustered_homogeneity(CoMoments.of([[1.0, 2.0, 3.0]]))
    with pytest.raises(ValueError, match="2 variables; give requests"):
        compare_numbers(CoMoments.of([[1.0, 2.0]]))


def numbers(x, lost, user):
    there = ~lost
    return CoMoments.of(sums_by_user(user, there, x * there, x * x * there, lost, x * lost, x * x * lost))


@pytest.mark.parametrize("seed", range(3))
def test_a_difference_of_means_has_the_standard_error_of_weighing_a_user_a_little_more(seed):
    rng = np.random.default_rng(seed)
    _, lost, user = drawn(rng)
    x = rng.normal(0, 1, 60)[user] + rng.normal(0, 1, len(user)) + 0.3 * lost
    found = compare_numbers(numbers(x, lost, user))

    def difference(w):
        return np.average(x[lost], weights=w[lost]) - np.average(x[~lost], weights=w[~lost])

    error = error_by_user(difference, user)
    assert found.difference.standard_error == pytest.approx(error, rel=1e-6)
    assert found.p_value == pytest.approx(
        2 * stats.t.sf(abs(found.difference.estimate) / error, 59), rel=1e-5
    )
    # Austin 2009, Statistics in Medicine 28:3083, equation 1, here with n in the denominator of the variances
    sd = math.sqrt((x[lost].var() + x[~lost].var()) / 2)
    assert found.standardised == pytest.approx((x[lost].mean() - x[~lost].mean()) / sd, rel=1e-9)
    assert found.standardised_ci == pytest.approx(tuple(bound / sd for bound in found.difference.ci))


def test_the_mean_that_values_are_centred_at_does_not_matter():
    rng = np.random.default_rng(9)
    _, lost, user = drawn(rng)
    x = rng.normal(0, 1, len(user))
    here, there = compare_numbers(numbers(x, lost, user)), compare_numbers(numbers(x + 50, lost, user))
    assert there.standardised == pytest.approx(here.standardised, rel=1e-6)
    assert there.p_value == pytest.approx(here.p_value, rel=1e-6)
    assert there.matched_mean == pytest.approx(here.matched_mean + 50)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([[3.0, 6.0, 12.0, 0.0, 0.0, 0.0]], "no unmatched requests"),
        ([[0.0, 0.0, 0.0, 1.0, 2.0, 4.0]], "no matched requests"),
        ([[3.0, 6.0, 12.0, 1.0, 2.0, 4.0]], "fewer than 2 users (found 1)"),
        ([[3.0, 6.0, 12.0, 1.0, 2.0, 4.0]] * 3, "no spread over users"),
    ],
)
def test_a_number_that_cannot_be_compared_says_why(table, reason):
    found = compare_numbers(CoMoments.of(table))
    assert reason in found.not_computed
    assert (found.p_value, found.standardised) == (None, None)


class TestGuarantees:
    REPLAYS = 1500  # Monte-Carlo standard error 0.0056 at 0.05

    @pytest.mark.parametrize(("categories", "users"), [(4, 150), (12, 150)])
    def test_missing_at_random_is_called_otherwise_at_the_level(self, categories, users):
        rng = np.random.default_rng(20250316)
        ours = pearson = number = 0
        for _ in range(self.REPLAYS):
            category, lost, user = drawn(rng, users=users, categories=categories)
            ours += clustered_homogeneity(counts(category, lost, user, categories)).p_value < 0.05
            table = [
                [((category == c) & (lost == one)).sum() for c in range(categories)] for one in (False, True)
            ]
            pearson += stats.chi2_contingency(np.array(table) + 1e-9, correction=False).pvalue < 0.05
            x = rng.normal(0, 1, users)[user] + rng.normal(0, 1, len(user))
            number += compare_numbers(numbers(x, lost, user)).p_value < 0.05
        assert ours / self.REPLAYS < 0.05 + 3 * 0.0056
        assert ours / self.REPLAYS > 0.02
        assert number / self.REPLAYS == pytest.approx(0.05, abs=3 * 0.0056)
        assert pearson / self.REPLAYS > 0.1

    def test_missing_by_category_is_found(self):
        rng = np.random.default_rng(20250317)
        found = 0
        for _ in range(200):
            category, _, user = drawn(rng, users=150)
            lost = rng.random(len(user)) < np.where(category == 0, 0.4, 0.1)
            found += clustered_homogeneity(counts(category, lost, user, 4)).p_value < 0.05
        assert found > 190
