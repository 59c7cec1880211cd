"""The calculator against published numbers and known data, through the command line itself."""

from __future__ import annotations

import math

import pytest
from scipy.stats import norm


def test_srm_of_cookie_cats(fairtrial):
    # Cookie Cats (90,189 players): Pearson chi-squared 6.9024, p 0.008608, by scipy.stats.chisquare.
    document = fairtrial("calc srm 44700 45489 --planned 1,1 --json").document
    assert document["chi2"] == pytest.approx(6.9024, abs=5e-5)
    assert document["df"] == 1
    assert document["p_value"] == pytest.approx(0.008608, abs=5e-7)


def test_srm_leaves_out_arms_of_planned_share_0_and_counts_them(fairtrial):
    # GrowthBook's test suite, test_srm: users 1000, 1200, 900 with weights .5, .5, 0 give p 0.000020079.
    document = fairtrial("calc srm 1000 1200 900 --planned 0.5,0.5,0 --json").document
    assert document["p_value"] == pytest.approx(0.000020079, abs=5e-10)
    assert document["unplanned"] == 900


def test_srm_plans_equal_shares_unless_told_otherwise(fairtrial):
    assert (
        fairtrial("calc srm 100 120 90 --json").document
        == fairtrial("calc srm 100 120 90 --planned 1,1,1 --json").document
    )


def test_srm_of_nothing_is_not_computed_and_is_no_success(fairtrial):
    ran = fairtrial("calc srm 0 0 --json")
    assert ran.exit_code == 1
    assert ran.document["p_value"] is None
    assert "no units" in ran.document["not_computed"]
    assert "no units" in ran.document["error"]["message"]


def test_compare_proportions_of_the_landing_page(fairtrial):
    # Landing-page test, the double id dropped: z 1.31092, two-sided p 0.189883 (pooled z; statsmodels
    # proportions_ztest). Effects are the second arm minus the first.
    document = fairtrial("calc compare --proportions 17489/145274 17264/145310 --json").document
    assert document["p_value"] == pytest.approx(0.189883, abs=5e-7)
    assert document["statistic"] == pytest.approx(-1.31092, abs=5e-6)
    difference = 17264 / 145310 - 17489 / 145274
    assert document["difference"] == pytest.approx(difference, rel=1e-12)
    assert document["ci"][0] < difference < document["ci"][1]
    assert document["ci"][0] < 0 < document["ci"][1]
    assert document["relative"] == pytest.approx(17264 / 145310 / (17489 / 145274) - 1, rel=1e-12)
    assert document["relative_ci"][0] < 0 < document["relative_ci"][1]
    assert document["level"] == 0.95
    assert "pooled z" in document["method"]


def test_compare_proportions_of_adsmart(fairtrial):
    # AdSmart: 264/4,071 against 308/4,006, pooled z, p 0.035005826.
    document = fairtrial("calc compare --proportions 264/4071 308/4006 --json").document
    assert document["p_value"] == pytest.approx(0.035005826, abs=5e-10)
    assert document["ci"][0] > 0


def test_compare_means_of_cookie_cats(fairtrial):
    # Mean rounds 52.456 and 51.299, Welch p 0.376 (scipy.stats.ttest_ind, equal_var=False).
    document = fairtrial("calc compare --means 52.456,256.7,44700 51.299,103.3,45489 --json").document
    assert document["p_value"] == pytest.approx(0.376, abs=5e-4)
    assert document["difference"] == pytest.approx(51.299 - 52.456, rel=1e-12)
    assert document["method"] == "Welch t"


@pytest.mark.parametrize(
    ("interval", "published"),
    [
        # 5/56 against 0/29: Newcombe 1998, Statistics in Medicine 17, 873, table II, example (d).
        ("score", (-0.0313, 0.1926)),
        ("miettinen-nurminen", (-0.0326, 0.1933)),
        ("newcombe", (-0.0381, 0.1926)),
    ],
)
def test_intervals_of_a_difference_as_published(fairtrial, interval, published):
    document = fairtrial(f"calc compare --proportions 0/29 5/56 --interval {interval} --json").document
    assert document["ci"] == pytest.approx(published, abs=5.1e-5)
    assert document["interval"] == interval


def test_an_interval_that_is_only_shown_leaves_the_test_alone(fairtrial):
    line = "calc compare --proportions 264/4071 308/4006"
    decides = fairtrial(f"{line} --json").document
    for interval in ("newcombe", "agresti-caffo", "wald"):
        shown = fairtrial(f"{line} --interval {interval} --json").document
        assert shown["p_value"] == decides["p_value"]
        assert shown["method"] == decides["method"]
        assert shown["ci"] != decides["ci"]
        assert "stands beside it" in fairtrial(f"{line} --interval {interval}").out


def test_miettinen_nurminen_decides_by_its_own_test(fairtrial):
    # Its variance has N / (N - 1), so z shrinks by the root of (N - 1) / N.
    line = "calc compare --proportions 264/4071 308/4006"
    pooled = fairtrial(f"{line} --json").document["statistic"]
    document = fairtrial(f"{line} --interval miettinen-nurminen --json").document
    assert document["statistic"] == pytest.approx(pooled * math.sqrt(8076 / 8077), rel=1e-12)


def test_a_one_sided_interval_has_an_open_side(fairtrial):
    document = fairtrial("calc compare --proportions 264/4071 308/4006 --alternative greater --json").document
    assert document["ci"][1] is None
    assert document["p_value"] == pytest.approx(0.035005826 / 2, abs=5e-10)


@pytest.mark.parametrize(
    ("treatment", "state"),
    [("1789/9010", "within margin"), ("1750/9010", "margin not ruled out"), ("1500/9010", "beyond margin")],
)
def test_non_inferiority_agrees_with_its_interval(fairtrial, treatment, state):
    line = f"calc compare --proportions 1802/9000 {treatment} --margin 0.015 --json"
    document = fairtrial(line).document
    assert document["state"] == state
    assert document["non_inferior"] == (document["p_value"] < 0.025) == (document["ci"][0] > -0.015)
    assert document["level"] == 0.95
    assert "Farrington–Manning" in document["method"]


def test_where_lower_is_better_the_margin_lies_above_0(fairtrial):
    higher = fairtrial("calc compare --proportions 200/1000 190/1000 --margin 0.05 --json").document
    lower = fairtrial(
        "calc compare --proportions 800/1000 810/1000 --margin 0.05 --direction lower --json"
    ).document
    assert (higher["limit"], lower["limit"]) == (-0.05, 0.05)
    assert lower["p_value"] == pytest.approx(higher["p_value"], rel=1e-9)


def test_a_relative_margin_is_tested_on_the_ratio(fairtrial):
    document = fairtrial(
        "calc compare --means 100,20,4000 99,20,4000 --margin 0.02 --relative --json"
    ).document
    # Welch of treatment - 0.98 * control: (99 - 98) / sqrt(0.1 + 0.98² * 0.1)
    z = 1 / math.sqrt(0.1 + 0.98**2 * 0.1)
    assert document["statistic"] == pytest.approx(z, rel=1e-12)
    assert document["margin_scale"] == "relative"
    assert document["relative"] == pytest.approx(-0.01, rel=1e-9)
    assert document["non_inferior"] is (document["relative_ci"][0] > -0.02)


def test_an_arm_without_units_is_not_computed(fairtrial):
    ran = fairtrial("calc compare --proportions 0/0 1/5 --json")
    assert ran.exit_code == 1
    assert (ran.document["p_value"], ran.document["ci"]) == (None, None)
    assert "control arm: no units" in ran.document["not_computed"]


@pytest.mark.parametrize("extra", ["--proportions 1/5 2/5 --means 1,1,5 1,1,5", ""])
def test_compare_takes_exactly_one_kind_of_arms(fairtrial, extra):
    ran = fairtrial(f"calc compare {extra}")
    assert ran.exit_code == 2
    assert "exactly one of --proportions and --means" in ran.err


def test_power_for_a_proportion_is_the_score_test_s_own(fairtrial):
    # 0.65 against 0.60, two-sided, pooled null variance: 1,471 per group have power 0.800138245 (pwrss, tests
    # of proportions), which counts the far tail too; that is 9e-7 here.
    line = "calc power --metric proportion --baseline 0.60 --mde 0.05 --alpha 0.05 --power 0.8 --json"
    document = fairtrial(line).document
    assert document["n_per_arm"] == [1471, 1471]
    assert document["total"] == 2942
    assert document["achieved_power"] == pytest.approx(0.800138245, abs=1e-6)


def test_power_one_sided_and_unpooled_as_published(fairtrial):
    # pwrss: 1,159 per group one-sided pooled; 1,468 two-sided unpooled.
    line = "calc power --metric proportion --baseline 0.60 --mde 0.05 --json"
    assert fairtrial(f"{line} --sides 1").document["n_per_arm"] == [1159, 1159]
    assert fairtrial(f"{line} --method unpooled").document["n_per_arm"] == [1468, 1468]


def test_power_for_non_inferiority_of_means(fairtrial):
    # Chow, Shao & Wang, non-inferiority of two means: margin 5, sd 10, one-sided 0.05, power 0.8: 50 each.
    document = fairtrial("calc power --metric mean --sd 10 --margin 5 --alpha 0.05 --json").document
    assert document["n_per_arm"] == [50, 50]
    assert document["sides"] == 1


def test_power_for_a_mean_by_hand(fairtrial):
    # (z_0.975 + z_0.8)² * 2 sd² / mde²
    n = (norm.isf(0.025) + norm.ppf(0.8)) ** 2 * 2 * 100
    document = fairtrial("calc power --metric mean --sd 10 --mde 1 --json").document
    assert document["unrounded"] == pytest.approx([n, n], rel=1e-12)
    assert document["n_per_arm"] == [math.ceil(n)] * 2


def test_unequal_allocation_several_treatments_and_variance_reduction_scale_n(fairtrial):
    line = "calc power --metric mean --sd 10 --mde 1 --json"
    plain = fairtrial(line).document["unrounded"][0]
    reduced = fairtrial(f"{line} --variance-reduction 0.3").document["unrounded"][0]
    assert reduced == pytest.approx(0.7 * plain, rel=1e-12)
    unequal = fairtrial(f"{line} --allocation 2,1").document
    assert unequal["n_per_arm"][0] == pytest.approx(2 * unequal["n_per_arm"][1], abs=2)
    dunnett, bonferroni = (
        fairtrial(f"{line} --allocation 1,1,1 --multiplicity {how}").document["total"]
        for how in ("dunnett", "bonferroni")
    )
    assert dunnett < bonferroni


def test_a_relative_mde_is_a_share_of_the_baseline(fairtrial):
    line = "calc power --metric proportion --baseline 0.2 --json"
    assert (
        fairtrial(f"{line} --mde 0.1 --relative").document["n_per_arm"]
        == fairtrial(f"{line} --mde 0.02").document["n_per_arm"]
    )


def test_a_fall_of_a_proportion_needs_another_n_than_a_rise(fairtrial):
    line = "calc power --metric proportion --baseline 0.2 --mde 0.02 --json"
    rise, fall = fairtrial(line).document, fairtrial(f"{line} --direction lower").document
    assert fall["effect"] == -rise["effect"]
    assert fall["total"] < rise["total"]


def test_asked_the_other_way_power_and_detectable_effect_agree_with_n(fairtrial):
    line = "calc power --metric proportion --baseline 0.60 --json --n-per-arm 1471,1471"
    answer = fairtrial(f"{line} --mde 0.05").document
    assert answer["achieved_power"] == pytest.approx(0.800138245, abs=1e-6)
    assert answer["detectable_effect"] == pytest.approx(0.05, abs=1e-4)
    assert fairtrial(line).document["achieved_power"] is None


def test_days_of_traffic_become_whole_weeks(fairtrial):
    document = fairtrial("calc power --metric mean --sd 10 --mde 1 --units-per-day 200 --json").document
    assert document["total"] == 3140
    assert (document["duration"]["enrolment_days"], document["duration"]["enrolment_weeks"]) == (16, 3)


def test_pairs_by_connor_and_exact(fairtrial):
    # Connor 1987 as worked by Chow, Shao & Wang: 0.45 against 0.05 discordant, two-sided, 80 %: 23 pairs.
    line = "calc power --paired --discordant 0.5 --difference 0.4 --json"
    assert fairtrial(line).document["pairs"] == 23
    # pwrss, exact McNemar averaged over the discordant pairs, 0.2 and 0.1: 249 pairs two-sided.
    line = "calc power --paired --discordant 0.3 --difference 0.1 --method exact --json"
    assert fairtrial(line).document["pairs"] == 249


def test_a_paired_question_refuses_what_belongs_to_an_unpaired_one(fairtrial):
    ran = fairtrial("calc power --paired --discordant 0.2 --difference 0.03 --sd 1 --mde 2")
    assert ran.exit_code == 2
    assert "--mde, --sd" in ran.err


def test_mcnemar_of_two_language_models(fairtrial):
    # Grade-school mathematics, 1,319 problems, discordant 209 and 152: exact p 0.003150656880; chi-squared
    # 9.0 without and 8.68698 with continuity correction.
    line = "calc mcnemar --both 425 --candidate-only 209 --champion-only 152 --neither 533 --json"
    document = fairtrial(line).document
    assert document["p_value"] == pytest.approx(0.003150656880, abs=5e-13)
    assert document["difference"] == pytest.approx(57 / 1319, rel=1e-12)
    assert document["level"] == 0.95
    assert fairtrial(f"{line} --method asymptotic").document["statistic"] == pytest.approx(9.0, abs=1e-12)
    assert fairtrial(f"{line} --method corrected").document["statistic"] == pytest.approx(8.68698, abs=5e-6)


@pytest.mark.parametrize(
    ("interval", "published"),
    [
        # Newcombe 1998, Statistics in Medicine 17, 2635, cells 20, 12, 2, 16: methods 8 and 10.
        ("newcombe-uncorrected", (0.0618, 0.3242)),
        ("newcombe", (0.0562, 0.3292)),
    ],
)
def test_intervals_of_a_paired_difference_as_published(fairtrial, interval, published):
    line = "calc mcnemar --both 20 --candidate-only 12 --champion-only 2 --neither 16"
    document = fairtrial(f"{line} --interval {interval} --json").document
    assert document["ci"] == pytest.approx(published, abs=5.1e-5)


def test_tango_s_interval_as_published(fairtrial):
    # Tango 1998, Statistics in Medicine 17, 891, table VII: cells 4, 9, 3, 16 give -0.027 to 0.390.
    document = fairtrial(
        "calc mcnemar --both 4 --candidate-only 9 --champion-only 3 --neither 16 --json"
    ).document
    assert document["ci"] == pytest.approx((-0.027, 0.390), abs=5.1e-4)
    assert document["interval"] == "tango"


def test_paired_non_inferiority_agrees_with_its_interval(fairtrial):
    line = "calc mcnemar --both 900 --candidate-only 40 --champion-only 35 --neither 25 --json"
    for margin in ("0.01", "0.013", "0.02"):
        document = fairtrial(f"{line} --margin {margin}").document
        assert (
            document["non_inferior"] == (document["ci"][0] > -float(margin)) == (document["p_value"] < 0.025)
        )


def test_a_level_of_0_is_refused_not_replaced_by_the_default(fairtrial):
    line = "calc mcnemar --both 9 --candidate-only 4 --champion-only 3 --neither 2 --margin 0.5"
    assert fairtrial(f"{line} --alpha 0").exit_code == 2
    assert fairtrial("calc compare --proportions 1/5 2/5 --margin 0.1 --alpha 0").exit_code == 2
    assert fairtrial("calc compare --proportions 1/5 2/5 --alpha 0").exit_code == 2
