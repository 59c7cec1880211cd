import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.bins import MISSING, Bins, category_bins, quantile_cuts
from analysis.distribution import Band, band_of, ks_from_bins, paired_stability_index, stability_index
from analysis.moments import CoMoments
from tests.references.influence import error_by_user, sums_by_user, users_and_requests

# Mean radius of scikit-learn's breast cancer data, split 70:30 at random state 42, in the bins and counts of optbinning
# 1.0.0 (tests/test_scorecard_monitoring.py::test_default_binary, guillermo-navas-palencia/optbinning@67eb5a3).
TRAIN, TEST = (77, 110, 54, 37, 36, 84), (40, 38, 24, 16, 19, 34)

few = st.lists(st.integers(0, 50), min_size=2, max_size=8)


def index(r, c):
    return sum((b - a) * math.log(b / a) for a, b in zip(r, c, strict=True))


class TestStabilityIndex:
    def test_the_index_of_optbinning(self):
        assert stability_index(TRAIN, TEST).value == pytest.approx(0.02463385, abs=1e-7)

    def test_an_empty_bin_counts_half(self):
        found = stability_index((50, 50, 0, 0), (60, 30, 10, 0))
        assert found.value == pytest.approx(index((0.5, 0.5, 0.005), (0.6, 0.3, 0.1)))
        assert found.empty == (2,)
        assert found.by_bin[3] == 0
        # it weighs more in a larger sample
        larger = stability_index((500, 500, 0, 0), (600, 300, 100, 0))
        assert larger.by_bin[2] > found.by_bin[2]

    @given(reference=few, data=st.data())
    def test_it_is_symmetric_and_its_bins_are_never_negative(self, reference, data):
        current = data.draw(st.lists(st.integers(0, 50), min_size=len(reference), max_size=len(reference)))
        there, back = stability_index(reference, current), stability_index(current, reference)
        if there.value is None:
            assert back.value is None
            return
        assert back.value == pytest.approx(there.value)
        assert min(there.by_bin) >= 0
        assert sum(there.by_bin) == pytest.approx(there.value)
        if there.p_value is not None:
            assert back.p_value == pytest.approx(there.p_value)
            assert back.ci == pytest.approx(there.ci)
            assert there.ci[0] <= there.ci[1]

    def test_equal_shares_have_index_0(self):
        found = stability_index((10, 20, 30), (100, 200, 300))
        assert found.value == 0
        assert found.p_value == 1
        assert found.expected == pytest.approx(2 * (1 / 60 + 1 / 600))

    @pytest.mark.parametrize(
        ("value", "band"),
        [
            (0, Band.STABLE),
            (0.0999, Band.STABLE),
            (0.1, Band.MODERATE),
            (0.2, Band.MODERATE),
            (0.21, Band.LARGE),
        ],
    )
    def test_the_bands(self, value, band):
        assert band_of(value) is band

    def test_its_law_without_a_shift_is_yurdakul_and_naranjos(self):
        # 20,000 replays of 10 bins, 1,000 against 400: Monte-Carlo standard error 0.0015 at 0.05
        rng = np.random.default_rng(20250318)
        shares = np.arange(6, 16) / 105
        reference, current = rng.multinomial(1000, shares, 20_000), rng.multinomial(400, shares, 20_000)
        p = np.array(
            [stability_index(r, c).p_value for r, c in zip(reference[:4000], current[:4000], strict=True)]
        )
        assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.012)
        values = (current / 400 - reference / 1000) * np.log((current * 1000) / (reference * 400))
        assert values.sum(axis=1).mean() == pytest.approx(
            stability_index(reference[0], current[0]).expected, rel=0.05
        )

    @pytest.mark.parametrize("shift", [0.0, 0.05, 0.3, 0.7])
    @pytest.mark.parametrize(("n", "m"), [(2000, 2000), (50_000, 3000)])
    def test_the_interval_covers_the_populations_index(self, shift, n, m):
        # 2,000 replays: Monte-Carlo standard error 0.0049
        rng = np.random.default_rng(20250319)
        cuts = stats.norm.ppf(np.arange(1, 10) / 10)
        r = np.full(10, 0.1)
        c = np.diff(np.concatenate([[0], stats.norm.cdf(cuts - shift), [1]]))
        truth = index(r, c)
        low = high = 0
        for a, b in zip(rng.multinomial(n, r, 2000), rng.multinomial(m, c, 2000), strict=True):
            ci = stability_index(a, b).ci
            low, high = low + (ci[0] > truth), high + (ci[1] < truth)
        assert low / 2000 < 0.025 + 3 * 0.0049
        assert high / 2000 < 0.025 + 3 * 0.0049

    @pytest.mark.parametrize(
        ("reference", "current", "reason"),
        [
            ((0, 0), (3, 4), "no requests in the reference"),
            ((3, 4), (0, 0), "no requests in the current"),
            ((0, 0), (0, 0), "no requests in the reference and the current"),
            ((9, 0), (5, 0), "all requests are in one bin"),
        ],
    )
    def test_what_cannot_be_computed_says_why(self, reference, current, reason):
        found = stability_index(reference, current)
        assert found.not_computed == reason
        assert (found.p_value, found.ci) == (None, None)


def bin_counts(champion, candidate, user, bins):
    return CoMoments.of(
        sums_by_user(user, *(champion == b for b in range(bins)), *(candidate == b for b in range(bins)))
    )


def answers(rng, users=80, bins=5, change=0.2, shift=0.0, most=12):
    _, user = users_and_requests(rng, users, most)
    champion = (rng.random((len(user), 1)) > rng.dirichlet(np.ones(bins), users)[user].cumsum(axis=1)).sum(
        axis=1
    )
    champion = np.minimum(champion, bins - 1)
    moved = rng.random(len(user)) < change
    candidate = np.where(moved, rng.integers(0, bins, len(user)), champion)
    return champion, np.where(rng.random(len(user)) < shift, bins - 1, candidate), user


class TestPairedStabilityIndex:
    @pytest.mark.parametrize("seed", range(3))
    def test_value_and_standard_error_are_those_of_the_requests_themselves(self, seed):
        rng = np.random.default_rng(seed)
        champion, candidate, user = answers(rng, shift=0.3)

        def value(w):
            return index(
                *([w[side == b].sum() / w.sum() for b in range(5)] for side in (champion, candidate))
            )

        found = paired_stability_index(bin_counts(champion, candidate, user, 5))
        assert found.value == pytest.approx(value(np.ones(len(user))), rel=1e-12)
        assert found.value == pytest.approx(
            stability_index(np.bincount(champion, minlength=5), np.bincount(candidate, minlength=5)).value
        )
        linear = error_by_user(value, user)
        # what is added is the variance of the chance part, small beside it under so large a shift
        assert linear < found.standard_error < 1.1 * linear
        assert found.standard_error**2 - linear**2 == pytest.approx(
            _chance_variance(champion, candidate, user), rel=1e-3
        )

    def test_paired_answers_tell_a_shift_that_independent_ones_do_not(self):
        champion, candidate, user = answers(np.random.default_rng(4), users=200, change=0.0, shift=0.02)
        paired = paired_stability_index(bin_counts(champion, candidate, user, 5))
        apart = stability_index(np.bincount(champion, minlength=5), np.bincount(candidate, minlength=5))
        assert paired.value == pytest.approx(apart.value)
        assert paired.p_value < 0.05 < apart.p_value

    def test_swapping_the_models_changes_nothing(self):
        champion, candidate, user = answers(np.random.default_rng(5), shift=0.1)
        there = paired_stability_index(bin_counts(champion, candidate, user, 5))
        back = paired_stability_index(bin_counts(candidate, champion, user, 5))
        assert back.p_value == pytest.approx(there.p_value)
        assert back.ci == pytest.approx(there.ci)

    def test_the_level_holds_and_the_limit_is_not_wrongly_kept(self):
        # 1,500 replays of 200 users: Monte-Carlo standard error 0.0056 at 0.05, 0.004 at 0.025
        rng = np.random.default_rng(20250320)
        alarms = 0
        for _ in range(1500):
            champion, candidate, user = answers(rng, users=200, change=0.3)
            alarms += paired_stability_index(bin_counts(champion, candidate, user, 5)).p_value < 0.05
        assert alarms / 1500 == pytest.approx(0.05, abs=3 * 0.0056)
        truth = index([0.2] * 5, [0.2 * 0.7] * 4 + [0.2 * 0.7 + 0.3])
        low = high = 0
        for _ in range(1500):
            champion, candidate, user = answers(rng, users=200, change=0.0, shift=0.3)
            ci = paired_stability_index(bin_counts(champion, candidate, user, 5)).ci
            low, high = low + (ci[0] > truth), high + (ci[1] < truth)
        assert low / 1500 < 0.025 + 3 * 0.004
        assert high / 1500 < 0.025 + 3 * 0.004

    @pytest.mark.parametrize(
        ("table", "reason"),
        [
            ([[1.0, 2.0, 2.0, 1.0]], "fewer than 2 users (found 1)"),
            ([[0.0, 0.0, 0.0, 0.0]] * 2, "no requests in the reference and the current"),
            ([[2.0, 0.0, 2.0, 0.0], [1.0, 0.0, 1.0, 0.0]], "all requests are in one bin"),
            ([[2.0, 1.0, 1.0, 2.0]] * 3, "no spread over users: every user has the same shares in both"),
        ],
    )
    def test_what_cannot_be_computed_says_why(self, table, reason):
        assert paired_stability_index(CoMoments.of(table)).not_computed == reason

    def test_another_number_of_sums_is_refused(self):
        with pytest.raises(ValueError, match="3 variables; give the reference's counts"):
            paired_stability_index(CoMoments.of([[1.0, 2.0, 3.0]]))


def _chance_variance(champion, candidate, user):
    """2 Σλ² of the covariance of the differences over pooled shares, from requests."""
    k = int(user.max()) + 1
    pooled = (np.bincount(champion, minlength=5) + np.bincount(candidate, minlength=5)) / (2 * len(user))
    sizes = np.bincount(user)
    difference = np.array(
        [np.bincount(champion, minlength=5)[b] - np.bincount(candidate, minlength=5)[b] for b in range(5)]
    ) / len(user)
    rows = np.array(
        [
            [
                ((champion == b) & (user == one)).sum() - ((candidate == b) & (user == one)).sum()
                for b in range(5)
            ]
            for one in range(k)
        ]
    )
    rows = (rows - sizes[:, None] * difference) / len(user)
    rows = rows - rows.mean(axis=0)
    table = rows.T @ rows * k / (k - 1)
    scaled = np.diag(1 / pooled) @ table
    return 2 * np.trace(scaled @ scaled)


class TestKolmogorovSmirnov:
    def test_with_a_value_in_each_bin_it_is_scipys(self):
        # scipy 1.17.1 test_stats.py, TestKSTwoSamples.testTwoVsThree: [1.01, 2.01] v [1, 2, 3], D = 1/3, and
        # testRepeatedValues: values 2, 3, 4, 5, 6, 7 with ties, D = 0.3125.
        two = ks_from_bins((1, 0, 1, 0, 1), (0, 1, 0, 1, 0))
        assert two.statistic == pytest.approx(1 / 3)
        ties = ks_from_bins((3, 4, 5, 4, 0), (0, 3, 4, 5, 4))
        assert ties.statistic == pytest.approx(0.3125)
        rng = np.random.default_rng(1)
        x, y = rng.normal(size=900), rng.normal(0.1, 1, size=700)
        edges = np.sort(np.concatenate([x, y]))
        ours = ks_from_bins(*(np.histogram(v, np.concatenate([edges, [np.inf]]))[0].tolist() for v in (x, y)))
        theirs = stats.ks_2samp(x, y, method="asymp")
        assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-12)
        assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-9)

    @settings(deadline=None)
    @given(seed=st.integers(0, 10_000), bins=st.integers(2, 40))
    def test_the_distance_of_the_values_lies_between_the_two_bounds(self, seed, bins):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=80), rng.normal(rng.normal(), rng.uniform(0.5, 2), size=60)
        cuts = np.concatenate([[-np.inf], np.sort(rng.normal(size=bins - 1)), [np.inf]])
        found = ks_from_bins(*(np.histogram(v, cuts)[0].tolist() for v in (x, y)))
        exact = stats.ks_2samp(x, y).statistic
        assert found.statistic - 1e-12 <= exact <= found.at_most + 1e-12
        assert found.error_bound == found.at_most - found.statistic

    def test_many_bins_of_the_reference_leave_a_small_error(self):
        rng = np.random.default_rng(3)
        x, y = np.sort(rng.normal(size=20_000)), rng.normal(0.05, 1, 5000)
        cuts = np.concatenate([[-np.inf], np.quantile(x, np.arange(1, 1000) / 1000), [np.inf]])
        found = ks_from_bins(*(np.histogram(v, cuts)[0].tolist() for v in (x, y)))
        assert found.error_bound < 0.005

    def test_dependent_requests_have_a_distance_and_no_p_value(self):
        found = ks_from_bins((5, 5), (2, 8), independent=False)
        assert found.statistic == pytest.approx(0.3)
        assert found.p_value is None
        assert found.not_computed.startswith("no p-value")

    def test_the_place_of_the_distance_is_told(self):
        assert ks_from_bins((5, 5, 0), (5, 0, 5)).edge == 1
        assert ks_from_bins((5, 5), (5, 5)).edge is None
        assert ks_from_bins((0, 0), (1, 2)).not_computed == "no requests in the reference"


class TestBins:
    def test_quantiles_of_the_reference_are_the_edges(self):
        # 10 distinct values with 10 each: nine cuts, one after every ten
        assert quantile_cuts(range(10), [10] * 10, 10) == tuple(range(9))
        assert quantile_cuts([1.0, 2.0, 3.0], [1, 1, 1], 2) == (2.0,)

    def test_ties_give_fewer_bins(self):
        assert quantile_cuts([0.0, 1.0, 2.0], [90, 5, 5], 10) == (0.0,)
        assert quantile_cuts([5.0], [7], 10) == ()

    def test_the_cuts_are_the_inverse_distribution_function(self):
        rng = np.random.default_rng(1)
        values, counts = np.unique(rng.integers(0, 200, 5000), return_counts=True)
        spread = np.repeat(values, counts)
        expected = np.quantile(spread, np.arange(1, 10) / 10, method="inverted_cdf")
        assert quantile_cuts(values.tolist(), counts.tolist(), 10) == tuple(np.unique(expected))

    def test_new_vanished_and_missing_categories_are_bins_of_their_own(self):
        bins = category_bins({"a": 5, "b": 9, None: 1}, {"b": 4, "c": 2})
        assert bins == Bins(("b", "a", "c", MISSING), (9, 5, 0, 1), (4, 0, 2, 0))
        assert category_bins({}, {}) == Bins((), (), ())

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: Bins(("a",), (1, 2), (3,)), r"\(1, 2, 1\) values; give one of each"),
            (lambda: Bins(("a",), (-1,), (3,)), r"\[-1\] not allowed; give whole numbers"),
            (lambda: Bins(("a",), (1.5,), (3,)), r"\[1.5\] not allowed"),
            (lambda: quantile_cuts([], [], 1), "bins: 1 is not allowed"),
            (lambda: quantile_cuts([], [], 1), "values, counts: 0 and 0"),
            (
                lambda: quantile_cuts([2.0, 1.0], [1, 0]),
                "values: give distinct finite values in rising order",
            ),
            (lambda: quantile_cuts([2.0, 1.0], [1, 0]), "counts: give the count of each value"),
            (lambda: stability_index((1, 2), (1, 2), level=1.0), "is not allowed"),
        ],
    )
    def test_bad_bins_are_refused(self, call, message):
        with pytest.raises(ValueError, match=message):
            call()
