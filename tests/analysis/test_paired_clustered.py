import math
from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.moments import CoMoments
from analysis.paired import (
    ClusterMoments,
    PairedTable,
    clustered_difference,
    clustered_noninferiority,
    mcnemar_asymptotic,
    mcnemar_exact,
    paired_difference,
)
from analysis.paired.difference import tango_z
from tests.references.paired_formulas import clustered_counts, obuchowski_from_marginals

METHODS = ("obuchowski", "durkalski", "linearised")


def moments_for(method, b, c, n):
    build = ClusterMoments.of_user_shares if method == "durkalski" else ClusterMoments.of_counts
    return build(b, c, n)


def drawn(seed, users=40, difference=0.05, spread=3.0):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 30, users)
    b, c, n = clustered_counts(rng, users, sizes, 0.3, difference, spread)
    return b[0], c[0], n[0]


@pytest.mark.parametrize("seed", range(5))
def test_obuchowskis_statistic_is_the_one_with_marginal_variances_and_covariance(seed):
    b, c, n = drawn(seed)
    rng = np.random.default_rng(seed + 100)
    both = rng.binomial(n - b - c, 0.6)
    found = clustered_difference(ClusterMoments.of_counts(b, c, n), method="obuchowski")
    assert found.statistic**2 == pytest.approx(obuchowski_from_marginals(both + b, both + c, n), rel=1e-10)


def test_the_statistics_of_the_five_groups_in_the_example_of_clust_bin_pair():
    # dgopstein/clust.bin.pair R/durkalski.R, example data; statistics by the published formulas, by hand
    a = np.array([1, 3, 0, 1, 2])
    b = np.array([51, 67, 44, 58, 47])
    c = np.array([18, 26, 43, 21, 28])
    d = np.array([0, 2, 1, 3, 4])
    n = a + b + c + d
    durkalski = clustered_difference(ClusterMoments.of_user_shares(b, c, n), method="durkalski")
    shares = [33 / 70, 41 / 98, 1 / 88, 37 / 83, 19 / 81]
    assert durkalski.statistic**2 == pytest.approx(sum(shares) ** 2 / sum(s * s for s in shares), rel=1e-12)
    obuchowski = clustered_difference(ClusterMoments.of_counts(b, c, n), method="obuchowski")
    # differences 33, 41, 1, 37, 19: (4/5) · 131² / 4501
    assert obuchowski.statistic**2 == pytest.approx(0.8 * 131**2 / 4501, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_linearised_is_the_cluster_robust_regression_on_a_constant(seed):
    b, c, n = drawn(seed)
    users = np.repeat(np.arange(len(n)), n)
    outcomes = np.concatenate(
        [[1] * bk + [-1] * ck + [0] * (nk - bk - ck) for bk, ck, nk in zip(b, c, n, strict=True)]
    )
    fit = sm.OLS(outcomes, np.ones(len(outcomes))).fit(
        cov_type="cluster", cov_kwds={"groups": users, "df_correction": True}, use_t=True
    )
    found = clustered_difference(ClusterMoments.of_counts(b, c, n), method="linearised")
    assert found.difference == pytest.approx(fit.params[0], rel=1e-9)
    assert found.ci == pytest.approx(tuple(fit.conf_int()[0]), rel=1e-7)
    assert found.p_value == pytest.approx(fit.pvalues[0], rel=1e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(4))
def test_the_interval_is_the_inversion_of_the_test(method, seed):
    moments = moments_for(method, *drawn(seed))
    for level in (0.8, 0.95, 0.99):
        ci = clustered_difference(moments, method=method, level=level).ci
        for bound in ci:
            at = clustered_difference(moments, method=method, level=level, null_difference=bound)
            assert at.p_value == pytest.approx(1 - level, rel=1e-6)


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), method=st.sampled_from(METHODS))
def test_swapping_the_models_mirrors_every_result(seed, method):
    b, c, n = drawn(seed)
    there = clustered_difference(moments_for(method, b, c, n), method=method)
    back = clustered_difference(moments_for(method, c, b, n), method=method)
    assert back.difference == pytest.approx(-there.difference)
    assert back.ci == pytest.approx((-there.ci[1], -there.ci[0]))
    assert back.p_value == pytest.approx(there.p_value)


def test_one_pair_per_user_makes_durkalski_mcnemars_chi_squared():
    b = np.repeat([1, 0, 0], [30, 15, 155])
    c = np.repeat([0, 1, 0], [30, 15, 155])
    found = clustered_difference(ClusterMoments.of_user_shares(b, c, np.ones(200)), method="durkalski")
    plain = mcnemar_asymptotic(PairedTable(100, 30, 15, 55))
    assert found.statistic**2 == pytest.approx(plain.statistic)
    assert found.p_value == pytest.approx(plain.p_value)
    obuchowski = clustered_difference(ClusterMoments.of_counts(b, c, np.ones(200)), method="obuchowski")
    assert obuchowski.statistic**2 == pytest.approx(plain.statistic * 199 / 200)


def test_the_moments_may_be_computed_elsewhere():
    b, c, n = drawn(1)
    d = b - c
    centred_d, centred_n = d - d.mean(), n - n.mean()
    given_moments = ClusterMoments(
        len(n), d.mean(), n.mean(), centred_d @ centred_d, centred_n @ centred_n, centred_d @ centred_n
    )
    ours = clustered_difference(ClusterMoments.of_counts(b, c, n), method="obuchowski")
    assert clustered_difference(given_moments, method="obuchowski").ci == pytest.approx(ours.ci, rel=1e-9)


def test_a_mean_difference_of_latencies_may_be_tested_against_any_value():
    rng = np.random.default_rng(5)
    n = rng.integers(1, 20, 60)
    noise = rng.normal(0, 0.01, 60)
    shifted = ClusterMoments.of_sums(noise + 10.0 * n, n)
    found = clustered_difference(shifted, method="linearised", null_difference=10.0)
    plain = clustered_difference(ClusterMoments.of_sums(noise, n), method="linearised")
    assert found.statistic == pytest.approx(plain.statistic, rel=1e-6)
    assert found.p_value == pytest.approx(plain.p_value, rel=1e-6)


class TestGuarantees:
    """Users with 1 to 500 requests each; 4,000 replicates, Monte-Carlo standard error 0.0034 at 0.95."""

    REPLICATES = 4000

    def coverage(self, method, difference=0.02, users=150, spread=2.0, seed=20250306):
        rng = np.random.default_rng(seed)
        sizes = np.minimum(500, np.ceil(rng.lognormal(1.5, 1.2, users))).astype(int)
        b, c, n = clustered_counts(rng, users, sizes, 0.2, difference, spread, self.REPLICATES)
        inside = 0
        for row in zip(b, c, n, strict=True):
            lower, upper = clustered_difference(moments_for(method, *row), method=method).ci
            inside += lower <= difference <= upper
        return inside / self.REPLICATES

    @pytest.mark.slow
    @pytest.mark.parametrize("method", METHODS)
    def test_the_clustered_intervals_hold_their_coverage(self, method):
        assert 0.93 <= self.coverage(method) <= 0.97

    @pytest.mark.slow
    def test_the_interval_that_takes_requests_for_independent_does_not(self):
        rng = np.random.default_rng(20250307)
        sizes = np.minimum(500, np.ceil(rng.lognormal(1.5, 1.2, 150))).astype(int)
        b, c, n = clustered_counts(rng, 150, sizes, 0.2, 0.02, 2.0, 1000)
        inside = 0
        for bk, ck, nk in zip(b.sum(axis=1), c.sum(axis=1), n.sum(axis=1), strict=True):
            lower, upper = paired_difference(PairedTable(int(nk - bk - ck), int(bk), int(ck), 0)).ci
            inside += lower <= 0.02 <= upper
        assert inside / 1000 < 0.85

    def test_false_alarms_with_strong_users(self):
        # no difference, but each user consistently prefers one model: Beta(0.15, 0.15) shares
        rng = np.random.default_rng(20250308)
        b, c, n = clustered_counts(rng, 100, 20, 0.3, 0.0, 0.3, 1000)
        clustered = [
            clustered_difference(ClusterMoments.of_counts(*row), method="obuchowski").p_value < 0.05
            for row in zip(b, c, n, strict=True)
        ]
        naive = [
            mcnemar_exact(PairedTable(0, int(bk), int(ck), 0)).p_value < 0.05
            for bk, ck in zip(b.sum(axis=1), c.sum(axis=1), strict=True)
        ]
        # Monte-Carlo standard error 0.007
        assert np.mean(clustered) == pytest.approx(0.05, abs=0.02)
        assert np.mean(naive) > 0.2

    def test_at_the_margin_the_clustered_test_errs_at_its_level(self):
        rng = np.random.default_rng(20250309)
        sizes = np.minimum(60, np.ceil(rng.lognormal(1.5, 0.8, 200))).astype(int)
        b, c, n = clustered_counts(rng, 200, sizes, 0.2, -0.03, 3.0, 3000)
        ruled_out = [
            clustered_noninferiority(ClusterMoments.of_counts(*row), 0.03, method="obuchowski").ruled_out
            for row in zip(b, c, n, strict=True)
        ]
        # Monte-Carlo standard error 0.003
        assert np.mean(ruled_out) == pytest.approx(0.025, abs=0.011)


class TestFewDiscordantPairs:
    """Where nearly every discordant pair is a loss, users who show none say little: Σ rₖ² alone is far too small."""

    def error(self, users, lost, won, margin, most=1, replays=3000):
        rng = np.random.default_rng(20250323)
        wrong = without = 0
        for _ in range(replays):
            n = np.exp(rng.uniform(0, math.log(most), users)).astype(int) if most > 1 else np.ones(users, int)
            c = rng.binomial(n, lost)
            moments = ClusterMoments.of_counts(rng.binomial(n - c, won), c, n)
            wrong += clustered_noninferiority(moments, margin, method="obuchowski").ruled_out
            as_sums = replace(moments, discordant=None)
            without += clustered_noninferiority(as_sums, margin, method="obuchowski").ruled_out
        return wrong / replays, without / replays

    # 3,000 replays: Monte-Carlo standard error 0.003
    @pytest.mark.parametrize(
        ("users", "lost", "won", "most", "without"),
        [
            (100, 0.01, 0.0, 1, 0.3),
            (300, 0.01, 0.0, 1, 0.15),
            (300, 0.03, 0.0, 1, 0.04),
            (300, 0.01, 0.0, 20, 0.04),
        ],
    )
    def test_the_margin_is_not_ruled_out_more_often_than_declared(self, users, lost, won, most, without):
        wrong, plain = self.error(users, lost, won, lost - won, most)
        assert wrong < 0.025 + 3 * 0.003
        assert plain > without

    def test_many_discordant_pairs_are_judged_by_the_users_own_spread(self):
        moments = ClusterMoments.of_counts(*drawn(4))
        as_sums = replace(moments, discordant=None)
        for null in (-0.05, 0.0, 0.1):
            ours = clustered_difference(moments, method="obuchowski", null_difference=null)
            assert ours == clustered_difference(as_sums, method="obuchowski", null_difference=null)

    @settings(deadline=None)
    @given(
        data=st.lists(
            st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(2, 6)), min_size=12, max_size=60
        ),
        level=st.sampled_from([0.8, 0.95]),
    )
    def test_the_interval_still_inverts_the_test(self, data, level):
        moments = ClusterMoments.of_counts(*(np.array(x) for x in zip(*data, strict=True)))
        found = clustered_difference(moments, method="obuchowski", level=level, null_difference=0.01)
        if found.ci is None:
            return
        for bound in found.ci:
            at = clustered_difference(moments, method="obuchowski", level=level, null_difference=bound)
            assert at.p_value == pytest.approx(1 - level, rel=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_the_margin_is_ruled_out_exactly_when_it_lies_outside_the_interval(method, direction):
    outcomes = set()
    for seed in range(60):
        moments = moments_for(method, *drawn(seed, difference=0.0))
        found = clustered_noninferiority(moments, 0.06, method=method, direction=direction)
        inside = found.ci[0] > -0.06 if direction == "higher" else found.ci[1] < 0.06
        assert found.ruled_out == inside == (found.p_value < 0.025)
        outcomes.add(inside)
    assert outcomes == {True, False}


class TestWhatCannotBeComputed:
    def test_too_few_users(self):
        one = ClusterMoments.of_counts([2], [1], [10])
        for method in ("obuchowski", "linearised"):
            found = clustered_difference(one, method=method)
            assert (found.p_value, found.ci, found.not_computed) == (
                None,
                None,
                "fewer than 2 users (found 1)",
            )
        none = clustered_difference(ClusterMoments.of_counts([], [], []), method="obuchowski")
        assert none.not_computed == "fewer than 2 users (found 0)"

    def test_an_interval_that_does_not_end(self):
        four = ClusterMoments.of_counts([2, 1, 3, 0], [1, 1, 0, 2], [5, 5, 5, 5])
        found = clustered_difference(four, method="obuchowski")
        assert found.not_computed == "4 users are too few for an interval at level 0.95"
        unequal = ClusterMoments.of_counts([2, 1, 3, 0, 1, 0], [1, 1, 0, 2, 0, 0], [5, 5, 5, 500, 1, 1])
        assert (
            "so unequal numbers of pairs" in clustered_difference(unequal, method="obuchowski").not_computed
        )
        assert clustered_noninferiority(unequal, 0.1, method="obuchowski").ruled_out is False

    def test_no_disagreement_at_all(self):
        same = ClusterMoments.of_counts([0] * 9, [0] * 9, [5] * 9)
        found = clustered_difference(same, method="obuchowski")
        assert found.not_computed == "no user's pairs differ from the null difference 0.0"
        found = clustered_difference(same, method="linearised")
        assert found.not_computed == "the difference per pair is the same for every user"

    def test_at_a_margin_no_disagreement_is_evidence(self):
        same = ClusterMoments.of_counts([0] * 200, [0] * 200, [5] * 200)
        found = clustered_noninferiority(same, 0.05, method="obuchowski")
        # as Tango's: 1000 pairs that never disagree have, at a margin δ, the variance 1000·δ(1 − δ) of one-sided losses
        assert found.statistic == pytest.approx(tango_z(PairedTable(0, 0, 0, 1000), -0.05))
        assert found.ruled_out
        few = ClusterMoments.of_counts([0] * 70, [0] * 70, [1] * 70)
        assert not clustered_noninferiority(few, 0.05, method="obuchowski").ruled_out
        assert clustered_difference(few, method="obuchowski").not_computed is not None


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ClusterMoments(-1, math.nan, 1, -1, 0, 0), "users: -1 is not allowed"),
        (lambda: ClusterMoments(-1, math.nan, 1, -1, 0, 0), "difference_mean: nan is not allowed"),
        (lambda: ClusterMoments(3, 0, 0, 1, 0, 0), "pairs_mean: 0 is not allowed"),
        (lambda: ClusterMoments.of_counts([1], [1, 2], [3]), "give one per user"),
        (lambda: ClusterMoments.of_counts([2], [2], [3]), "no more discordant pairs than pairs"),
        (lambda: ClusterMoments.of_sums([1, 2], [0, 1]), "leave users without pairs out"),
        (
            lambda: clustered_difference(
                ClusterMoments.of_counts([1, 2], [1, 0], [3, 4]), method="durkalski"
            ),
            "build ClusterMoments.of_user_shares",
        ),
        (
            lambda: clustered_difference(ClusterMoments.of_counts([1, 2], [1, 0], [3, 4]), method="yang"),
            "method: 'yang' is unknown",
        ),
        (
            lambda: clustered_noninferiority(ClusterMoments.of_counts([1], [1], [3]), 0, method="obuchowski"),
            "margin: 0 is not allowed",
        ),
    ],
)
def test_a_bad_input_is_refused_with_what_to_do(build, message):
    with pytest.raises(ValueError) as refusal:
        build()
    assert message in str(refusal.value)


def test_student_t_is_used_only_by_the_linearised_method():
    moments = ClusterMoments.of_counts(*drawn(2, users=12))
    linearised = clustered_difference(moments, method="linearised")
    assert linearised.p_value == pytest.approx(2 * stats.t.sf(abs(linearised.statistic), 11))
    obuchowski = clustered_difference(moments, method="obuchowski")
    assert obuchowski.p_value == pytest.approx(2 * stats.norm.sf(abs(obuchowski.statistic)))


class TestDiscordantPairsOfALog:
    SUMS = CoMoments.of([[1.0, 0.0, 5.0], [0.0, 2.0, 4.0], [3.0, 1.0, 9.0]])

    def test_they_come_from_the_sums_that_count_them(self):
        found = ClusterMoments.of_comoments(
            self.SUMS, difference=(1, -1, 0), pairs=(0, 0, 1), discordant=(1, 1, 0)
        )
        assert found.discordant == ClusterMoments.of_counts([1, 0, 3], [0, 2, 1], [5, 4, 9]).discordant == 7
        assert found.table == PairedTable(11, 4, 3, 0)

    def test_where_none_counts_them_the_fewest_are_taken_that_make_the_difference(self):
        found = ClusterMoments.of_comoments(
            self.SUMS, difference=(1, -1, 0), pairs=(0, 0, 1), discordant="least"
        )
        assert (found.discordant, found.won, found.table) == (1, 1, PairedTable(17, 1, 0, 0))

    def test_a_loss_has_none(self):
        assert ClusterMoments.of_sums([0.5, 0.2], [1, 2]).table is None

    def test_more_than_there_are_pairs_are_refused(self):
        for wrong in (0, 19):
            with pytest.raises(ValueError, match=f"discordant: {wrong} is not allowed"):
                ClusterMoments.of_comoments(
                    CoMoments.of([[1.0, float(wrong), 9.0], [2.0, 0.0, 9.0]]),
                    difference=(1, 0, 0),
                    pairs=(0, 0, 1),
                    discordant=(0, 1, 0),
                )

    def test_a_share_is_held_against_a_limit_as_one_of_independent_requests_at_best(self):
        # no error in 1,000 requests of 1,000 users: a limit of 0.3 % is not kept (P = 5 % of no error), 0.5 % is
        sums = CoMoments.of(np.column_stack([np.zeros(1000), np.ones(1000)]))
        share = ClusterMoments.of_comoments(sums, difference=(1, 0), pairs=(0, 1), discordant=(1, 0))
        kept = [
            clustered_noninferiority(share, limit, method="obuchowski", direction="lower").ruled_out
            for limit in (0.001, 0.003, 0.005)
        ]
        assert kept == [False, False, True]
