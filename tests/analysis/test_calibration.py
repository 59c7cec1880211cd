import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from analysis.calibration import (
    LEAST_PROBABILITY,
    ScoreBin,
    brier_losses,
    calibration,
    log_losses,
    mean_loss,
)
from analysis.moments import CoMoments
from analysis.paired import ClusterMoments, clustered_difference, clustered_share
from tests.references.influence import error_by_user, sums_by_user, users_and_requests


def binned(labels, scores, bins=10, user=None):
    """Sums as a log gives them, in bins of equal width."""
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=float)
    place = np.clip(np.ceil(scores * bins).astype(int) - 1, 0, bins - 1)
    found = []
    for b in range(bins):
        own = place == b
        by_user = None
        if user is not None:
            table = sums_by_user(user, labels * own, own)
            by_user = CoMoments.of(table[table[:, 1] > 0]) if own.any() else None
        found.append(
            ScoreBin(
                b / bins,
                (b + 1) / bins,
                int(own.sum()),
                int(labels[own].sum()),
                float(scores[own].sum()),
                by_user,
            )
        )
    return found


class TestLosses:
    def test_the_examples_of_scikit_learn(self):
        # sklearn.metrics.brier_score_loss, docstring example of scikit-learn 1.5: 0.037...
        assert brier_losses([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.3]).mean() == pytest.approx(0.0375)
        # sklearn.metrics.log_loss, docstring example: 0.21616..., classes ham, spam
        scores = [[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [0.35, 0.65]]
        assert log_losses([1, 0, 0, 1], scores).mean() == pytest.approx(0.21616, abs=5e-6)
        assert log_losses([1, 0, 0, 1], [0.9, 0.1, 0.2, 0.65]).mean() == pytest.approx(0.21616, abs=5e-6)

    def test_briers_own_score_over_two_classes_is_twice_the_other(self):
        p = np.array([0.1, 0.9, 0.8, 0.3])
        both = brier_losses([0, 1, 1, 0], np.column_stack([1 - p, p]))
        assert both == pytest.approx(2 * brier_losses([0, 1, 1, 0], p))

    def test_a_sure_mistake_is_cut(self):
        assert log_losses([0, 1], [1.0, 0.0]) == pytest.approx([-math.log(LEAST_PROBABILITY)] * 2)

    @pytest.mark.parametrize(
        ("labels", "scores", "message"),
        [
            ([0, 1], [0.5], "give one label for each row"),
            ([0, 2], [0.5, 0.5], "labels: give whole numbers from 0 to 1"),
            ([0, np.nan], [0.5, 1.5], "labels: give whole numbers from 0 to 1"),
            ([0, np.nan], [0.5, 1.5], "scores: give probabilities"),
            ([0], [[0.5, 0.6]], "each row must add up to 1"),
        ],
    )
    def test_bad_labels_and_scores_are_refused(self, labels, scores, message):
        with pytest.raises(ValueError, match=message):
            brier_losses(labels, scores)

    def test_a_mean_loss_has_its_interval_by_user(self):
        rng = np.random.default_rng(1)
        _, user = users_and_requests(rng)
        p = rng.beta(2, 2, len(user))
        y = (rng.random(len(user)) < p).astype(int)
        losses = brier_losses(y, p)
        found = mean_loss(CoMoments.of(sums_by_user(user, losses, np.ones(len(user)))))
        assert found.estimate == pytest.approx(losses.mean())
        assert found.standard_error == pytest.approx(
            error_by_user(lambda w: np.average(losses, weights=w), user), rel=1e-6
        )
        assert mean_loss(CoMoments(0, (0.0, 0.0), ((0.0, 0.0),) * 2)).not_computed == "no labelled requests"

    def test_a_paired_difference_of_losses_is_one_of_sums_by_user(self):
        rng = np.random.default_rng(2)
        _, user = users_and_requests(rng)
        p = rng.beta(2, 2, len(user))
        y = (rng.random(len(user)) < p).astype(int)
        q = np.clip(p + rng.normal(0, 0.1, len(user)), 0.01, 0.99)
        ours, theirs = log_losses(y, q), log_losses(y, p)
        sums = CoMoments.of(sums_by_user(user, ours, theirs, np.ones(len(user))))
        moments = ClusterMoments.of_comoments(sums, difference=(1, -1, 0), pairs=(0, 0, 1))
        found = clustered_difference(moments, method="linearised")
        assert found.difference == pytest.approx((ours - theirs).mean())
        assert moments.standard_error == pytest.approx(
            error_by_user(lambda w: np.average(ours - theirs, weights=w), user), rel=1e-6
        )


class TestCalibration:
    def test_the_example_of_torchmetrics(self):
        # torchmetrics.functional.classification.binary_calibration_error, docstring: preds 0.25, 0.25, 0.55, 0.75,
        # 0.75, target 0, 0, 1, 1, 1, 2 bins: l1 0.2900, max 0.3167
        found = calibration(binned([0, 0, 1, 1, 1], [0.25, 0.25, 0.55, 0.75, 0.75], 2))
        assert found.expected_error == pytest.approx(0.29, abs=5e-5)
        assert found.largest_error == pytest.approx(0.3167, abs=5e-5)

    def test_each_bin_has_wilsons_interval(self):
        found = calibration(binned([0, 1, 1, 0, 1, 1], [0.05, 0.05, 0.05, 0.95, 0.95, 0.95], 2))
        for one, hits in zip(found.bins, (2, 2), strict=True):
            assert one.ci == pytest.approx(proportion_confint(hits, 3, method="wilson"))
            assert one.positive_share == pytest.approx(2 / 3)

    def test_with_sums_by_user_the_interval_is_by_user(self):
        rng = np.random.default_rng(3)
        _, user = users_and_requests(rng, users=80)
        p = rng.beta(2, 2, 80)[user]
        y = (rng.random(len(user)) < p).astype(int)
        bins = binned(y, p, 2, user)
        found = calibration(bins)
        for one, given_bin in zip(found.bins, bins, strict=True):
            assert one.ci == clustered_share(given_bin.by_user).ci
        plain = calibration(binned(y, p, 2))
        assert plain.expected_error == found.expected_error

    @settings(deadline=None)
    @given(seed=st.integers(0, 10_000), bins=st.integers(1, 20))
    def test_the_error_is_that_of_the_requests_binned_one_by_one(self, seed, bins):
        rng = np.random.default_rng(seed)
        p = rng.random(200)
        y = (rng.random(200) < p**2).astype(int)
        place = np.clip(np.ceil(p * bins).astype(int) - 1, 0, bins - 1)
        by_hand = sum(
            (place == b).mean() * abs(y[place == b].mean() - p[place == b].mean())
            for b in range(bins)
            if (place == b).any()
        )
        found = calibration(binned(y, p, bins))
        assert found.expected_error == pytest.approx(by_hand)
        assert found.expected_error <= found.largest_error + 1e-12
        assert found.mean_score == pytest.approx(p.mean())

    def test_scores_that_are_right_show_the_error_that_chance_alone_gives(self):
        # 400 replays: the mean error within 3 %, its Monte-Carlo standard error below 1 %
        rng = np.random.default_rng(20250321)
        found = []
        for _ in range(400):
            p = rng.beta(1, 1, 1000)
            found.append(calibration(binned((rng.random(1000) < p).astype(int), p, 10)))
        errors = np.array([one.expected_error for one in found])
        assert errors.mean() == pytest.approx(np.mean([one.by_chance for one in found]), rel=0.05)
        assert errors.min() > 0

    def test_an_empty_bin_is_shown_as_empty(self):
        found = calibration(binned([1, 0], [0.05, 0.04], 10))
        assert found.bins[5].not_computed == "no requests in this bin"
        assert (found.bins[5].positive_share, found.bins[5].ci) == (None, None)
        empty = calibration(binned([], [], 10))
        assert empty.not_computed == "no labelled requests"
        assert empty.expected_error is None

    @pytest.mark.parametrize(
        ("build", "message"),
        [
            (lambda: ScoreBin(0.5, 0.4, 3, 4, 9.0), "give rising edges"),
            (lambda: ScoreBin(0.5, 0.4, 3, 4, 9.0), "positives: 4 of 3"),
            (lambda: ScoreBin(0.0, 0.5, 3, 2, 1.9), "score_sum: 1.9 does not belong to 3 scores"),
            (lambda: calibration([]), "bins: none given"),
            (lambda: calibration(binned([1], [0.5], 2)[::-1]), "give rising bins, none overlapping"),
            (
                lambda: calibration([ScoreBin(0.0, 1.0, 2, 1, 1.0, CoMoments.of([[1.0, 1.0]]))]),
                "by_user: 1 of 1 requests, where the bin has 1 of 2",
            ),
        ],
    )
    def test_sums_that_cannot_be_are_refused(self, build, message):
        with pytest.raises(ValueError, match=message):
            build()
