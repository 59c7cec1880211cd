import numpy as np
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from analysis.effects import compare_means, compare_to_multiple
from analysis.interaction import interaction
from analysis.moments import Moments
from analysis.proportions import Proportion, compare_proportions

MEANS = {
    "de": compare_means(Moments.from_sd(400, 10, 3), Moments.from_sd(420, 10.6, 3.2)),
    "fr": compare_means(Moments.from_sd(300, 11, 2), Moments.from_sd(280, 10.9, 2.5)),
    "us": compare_means(Moments.from_sd(900, 9, 4), Moments.from_sd(910, 9.9, 4), alpha=0.01),
}


def test_q_is_that_of_a_meta_analysis_of_the_levels():
    effects = list(MEANS.values())
    expected = combine_effects(
        np.array([effect.estimate for effect in effects]),
        np.array([effect.standard_error**2 for effect in effects]),
    )
    found = interaction(MEANS)
    assert found.statistic == pytest.approx(expected.q, rel=1e-9)
    assert found.p_value == pytest.approx(expected.test_homogeneity().pvalue, rel=1e-9)
    assert found.common == pytest.approx(expected.mean_effect_fe, rel=1e-9)
    assert found.df == 2
    assert found.levels == ("de", "fr", "us")


def test_the_order_of_the_levels_does_not_matter():
    assert interaction(dict(reversed(MEANS.items()))).p_value == pytest.approx(interaction(MEANS).p_value)


def test_levels_without_an_interval_are_left_out_and_named():
    few = compare_means(Moments.of([1.0]), Moments.of([2.0]))
    found = interaction({**MEANS, "jp": few})
    assert found.left_out == ("jp",)
    assert found.p_value == interaction(MEANS).p_value
    alone = interaction({"de": MEANS["de"], "jp": few})
    assert alone.p_value is None
    assert alone.not_computed == "fewer than 2 levels with an interval (found 1)"


def test_one_sided_effects_and_mixed_scales_are_refused():
    arms = Moments.from_sd(40, 10, 3), Moments.from_sd(42, 11, 3)
    with pytest.raises(ValueError, match="one-sided at b; give two-sided effects"):
        interaction({"a": compare_means(*arms), "b": compare_means(*arms, alternative="greater")})
    with pytest.raises(ValueError, match="absolute and relative; give all on the same one"):
        interaction({"a": compare_means(*arms), "b": compare_to_multiple(*arms, 1.0)})


def test_the_test_holds_its_level_for_proportions():
    # 400 replays of 4 levels with different rates and the same difference: Monte-Carlo standard error 0.011.
    chance = np.random.default_rng(1)
    rates = np.array([0.1, 0.2, 0.3, 0.5])
    rejected = 0
    for _ in range(400):
        x, y = chance.binomial(800, rates), chance.binomial(600, rates + 0.03)
        found = interaction(
            {
                str(i): compare_proportions(
                    Proportion(int(x[i]), 800), Proportion(int(y[i]), 600), relative=None
                )
                for i in range(4)
            }
        )
        rejected += found.p_value < 0.05
    assert abs(rejected / 400 - 0.05) < 0.033


def test_an_effect_in_one_level_only_is_seen():
    found = interaction(
        {
            "old": compare_proportions(Proportion(500, 5000), Proportion(505, 5000)),
            "new": compare_proportions(Proportion(500, 5000), Proportion(700, 5000)),
        }
    )
    assert found.p_value < 1e-4
