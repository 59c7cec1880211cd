import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.meta_analysis import combine_effects

from analysis.paired import (
    PairedTable,
    cohen_kappa,
    heterogeneity,
    heterogeneity_of_estimates,
    segment_analysis,
)
from tests.references.paired_formulas import tango_statistic_by_likelihood

STEADY = PairedTable(800, 60, 55, 85)
COLLAPSED = PairedTable(60, 4, 30, 6)


class TestHeadlineAndSubgroup:
    """A headline that holds while a small segment collapses."""

    def test_the_collapsed_segment_fails_the_gate_and_the_heterogeneity_test_sees_it(self):
        found = segment_analysis({"desktop": STEADY, "voice": COLLAPSED}, margin=0.03)
        by_name = {s.name: s for s in found.segments}
        assert by_name["desktop"].noninferiority.ruled_out
        assert not by_name["voice"].noninferiority.ruled_out
        assert not found.all_within_margin
        assert found.heterogeneity.p_value < 1e-4

    def test_segments_that_hold_pass_together(self):
        found = segment_analysis({"a": STEADY, "b": STEADY}, margin=0.05)
        assert found.all_within_margin
        assert found.heterogeneity.p_value == 1.0

    def test_an_empty_segment_never_passes_and_counts_in_the_family(self):
        tables = {"a": STEADY, "b": COLLAPSED, "new": PairedTable(0, 0, 0, 0)}
        found = segment_analysis(tables, margin=0.9)
        assert not found.all_within_margin
        empty = found.segments[2]
        assert (empty.adjusted_p, empty.test.not_computed, empty.difference.not_computed) == (
            None,
            "no pairs",
            "no pairs",
        )
        collapsed = found.segments[1]
        assert collapsed.adjusted_p == pytest.approx(3 * collapsed.test.p_value)
        assert found.segments[0].adjusted_p == pytest.approx(min(1, 2 * found.segments[0].test.p_value))

    def test_without_a_margin_nothing_is_claimed_to_be_within_it(self):
        found = segment_analysis({"a": STEADY})
        assert found.segments[0].noninferiority is None
        assert not found.all_within_margin
        assert segment_analysis({}).all_within_margin is False


class TestHeterogeneity:
    TABLES = (STEADY, PairedTable(300, 40, 20, 90), PairedTable(120, 9, 14, 30))

    def test_wald_weights_are_cochrans_q(self):
        found = heterogeneity(self.TABLES, weights="wald")
        variances = [
            (t.discordant - (t.candidate_only - t.champion_only) ** 2 / t.pairs) / t.pairs**2
            for t in self.TABLES
        ]
        theirs = combine_effects(np.array([t.difference for t in self.TABLES]), np.array(variances))
        assert found.statistic == pytest.approx(theirs.q, rel=1e-9)
        assert found.common_difference == pytest.approx(theirs.mean_effect_fe, rel=1e-9)
        assert found.p_value == pytest.approx(stats.chi2.sf(theirs.q, 2), rel=1e-9)

    def test_score_weights_minimise_the_sum_of_squared_score_statistics(self):
        def distance(difference):
            return sum(
                tango_statistic_by_likelihood(t.candidate_only, t.champion_only, t.pairs, difference) ** 2
                for t in self.TABLES
            )

        brute = optimize.minimize_scalar(distance, bounds=(-0.05, 0.05), method="bounded")
        found = heterogeneity(self.TABLES)
        assert found.statistic == pytest.approx(brute.fun, rel=1e-4)
        assert found.common_difference == pytest.approx(brute.x, abs=1e-4)

    @pytest.mark.parametrize("weights", ["score", "wald"])
    def test_swapping_the_models_changes_only_the_sign_of_the_common_difference(self, weights):
        there = heterogeneity(self.TABLES, weights=weights)
        back = heterogeneity([t.swapped() for t in self.TABLES], weights=weights)
        assert back.statistic == pytest.approx(there.statistic, rel=1e-7)
        assert back.common_difference == pytest.approx(-there.common_difference, abs=1e-7)

    @pytest.mark.parametrize("weights", ["score", "wald"])
    def test_equal_segments_give_its_level_of_false_alarms(self, weights):
        rng = np.random.default_rng(20250310)
        cells = rng.multinomial(400, [0.6, 0.12, 0.08, 0.2], size=(1500, 4))
        p = [
            heterogeneity([PairedTable(*map(int, row)) for row in segments], weights=weights).p_value
            for segments in cells
        ]
        # Monte-Carlo standard error 0.0056
        assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.017)

    def test_a_segment_without_discordant_pairs_has_score_weights_only(self):
        tables = [PairedTable(30, 0, 0, 20), STEADY]
        assert heterogeneity(tables).p_value is not None
        found = heterogeneity(tables, weights="wald")
        assert (found.statistic, found.p_value) == (None, None)
        assert "score weights can be used" in found.not_computed

    def test_what_cannot_be_computed_says_why(self):
        assert heterogeneity([STEADY]).not_computed == "fewer than 2 segments with pairs (found 1)"
        assert heterogeneity([PairedTable(1, 0, 0, 1)] * 2).not_computed == "no discordant pairs"

    def test_estimates_with_standard_errors_of_clustered_segments(self):
        found = heterogeneity_of_estimates([0.1, -0.1], [0.05, 0.05])
        assert (found.statistic, found.df) == (pytest.approx(8.0), 1)
        with pytest.raises(ValueError, match="give one for each"):
            heterogeneity_of_estimates([0.1], [0.1, 0.2])
        with pytest.raises(ValueError, match="weights: 'equal' is unknown"):
            heterogeneity([STEADY], weights="equal")


class TestKappa:
    @pytest.mark.parametrize("counts", [[[20, 5], [10, 15]], [[44, 5, 1], [7, 20, 3], [9, 5, 6]]])
    def test_statsmodels_agrees(self, counts):
        ours, theirs = cohen_kappa(counts), cohens_kappa(np.array(counts))
        assert ours.kappa == pytest.approx(theirs.kappa, rel=1e-12)
        assert ours.standard_error == pytest.approx(theirs.std_kappa, rel=1e-10)
        assert ours.ci == pytest.approx((theirs.kappa_low, theirs.kappa_upp), rel=1e-9)

    def test_a_worked_example(self):
        # agreement 0.7, by chance 0.5: kappa 0.4
        assert cohen_kappa([[20, 5], [10, 15]]).kappa == pytest.approx(0.4)

    def test_coverage(self):
        rng = np.random.default_rng(20250311)
        shares = np.array([[0.45, 0.1], [0.05, 0.4]])
        truth = (0.85 - (0.55 * 0.5 + 0.45 * 0.5)) / (1 - 0.5)
        inside = 0
        for cells in rng.multinomial(500, shares.ravel(), size=2000):
            low, high = cohen_kappa(cells.reshape(2, 2)).ci
            inside += low <= truth <= high
        # Monte-Carlo standard error 0.005
        assert inside / 2000 == pytest.approx(0.95, abs=0.015)

    @pytest.mark.parametrize(
        ("counts", "why"),
        [
            ([[0, 0], [0, 0]], "no pairs"),
            ([[9, 0], [0, 0]], "both models always give the same one answer"),
            (
                [[9, 0], [0, 5]],
                "the large-sample interval has no width: the models never disagree, or never agree",
            ),
        ],
    )
    def test_what_cannot_be_computed_says_why(self, counts, why):
        found = cohen_kappa(counts)
        assert (found.ci, found.not_computed) == (None, why)

    @pytest.mark.parametrize("counts", [[[1, 2, 3]], [[1]], [[1, -2], [3, 4]], [[1, 0.5], [3, 4]]])
    def test_anything_but_a_square_table_of_counts_is_refused(self, counts):
        with pytest.raises(ValueError, match="counts"):
            cohen_kappa(counts)
