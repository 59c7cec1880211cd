"""The calculator's sequential half against published boundaries and sequences."""

from __future__ import annotations

import math

import pytest


def test_boundaries_of_lan_demets_o_brien_fleming(fairtrial):
    # Reboussin, DeMets, Kim & Lan 2000 (ldbounds), one-sided 0.025, five equal looks.
    document = fairtrial(
        "calc sequential --type lan-demets-obf --alpha 0.025 --sides 1 --information 0.2,0.4,0.6,0.8,1 --json"
    ).document
    assert document["critical"] == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=1.5e-4)
    assert document["spent"][-1] == 0.025
    assert (document["futility"], document["inflation"]) == (None, None)


def test_two_sides_take_the_total_level(fairtrial):
    # rpact, test-f_design_group_sequential: two-sided 0.09, looks at 0.4, 0.65 and 1.
    document = fairtrial(
        "calc sequential --type lan-demets-obf --alpha 0.09 --sides 2 --information 0.4,0.65,1 --json"
    ).document
    assert document["critical"] == pytest.approx([2.9623919, 2.2442359, 1.7391729], abs=2e-7)
    assert document["spent"] == pytest.approx([0.0030525896, 0.025803646, 0.09], abs=2e-9)


def test_the_cost_of_a_linear_spending_design(fairtrial):
    # rpact: Hwang-Shih-DeCani gamma 0, looks at 0.2, 0.4 and 1, one-sided 0.03, beta 0.14.
    document = fairtrial(
        "calc sequential --type hwang-shih-decani --param 0 --alpha 0.03 --sides 1 --information 0.2,0.4,1 "
        "--power 0.86 --json"
    ).document
    assert document["critical"] == pytest.approx([2.5121443, 2.4228747, 2.0280392], abs=2e-7)
    assert document["inflation"] == pytest.approx(1.0788327, abs=2e-7)
    assert document["expected_n_h1"] == pytest.approx(0.83081135, abs=2e-7)
    assert document["expected_n_half"] == pytest.approx(1.0142116, abs=2e-7)
    assert document["expected_n_h0"] == pytest.approx(1.0697705, abs=2e-7)


def test_futility_by_spending_beta_not_binding(fairtrial):
    # rpact: Kim-DeMets rho 2.2 and, for beta, 3.2; looks at 0.3, 0.7 and 1; one-sided 0.03, beta 0.34.
    document = fairtrial(
        "calc sequential --type kim-demets --param 2.2 --alpha 0.03 --sides 1 --information 0.3,0.7,1 --power 0.66 "
        "--futility kim-demets --futility-param 3.2 --json"
    ).document
    assert document["critical"] == pytest.approx([2.8594012, 2.2435708, 1.9735737], abs=2e-7)
    assert document["futility"] == pytest.approx([-1.1558435, 0.72836893], abs=2e-7)
    assert document["inflation"] == pytest.approx(1.0555891, abs=2e-7)


def test_binding_futility_lowers_the_last_critical_value(fairtrial):
    line = (
        "calc sequential --type lan-demets-obf --alpha 0.13 --sides 1 --information 0.4,0.75,1 --power 0.59 "
        "--futility kim-demets --futility-param 2.5 --json"
    )
    # rpact: the same design without and with binding futility.
    assert fairtrial(line).document["critical"][-1] == pytest.approx(1.2468994, abs=2e-7)
    assert fairtrial(f"{line} --binding").document["critical"][-1] == pytest.approx(1.2218662, abs=2e-7)


def test_wang_tsiatis_uses_the_information_fraction(fairtrial):
    # rpact: Delta 0.24, looks at 0.3, 0.8 and 1, two-sided 0.025.
    document = fairtrial(
        "calc sequential --type wang-tsiatis --param 0.24 --alpha 0.025 --sides 2 --information 0.3,0.8,1 --json"
    ).document
    assert document["critical"] == pytest.approx([3.2029374, 2.4819703, 2.3420706], abs=2e-7)


def test_repeated_p_values_as_published_at_looks_taken_so_far(fairtrial):
    # lrstat, repeatedPValue: looks at 1/3 and 2/3, stage-wise p 0.0062 and 0.0002.
    z = "2.5007,3.5400838"  # their normal quantiles
    document = fairtrial(
        "calc sequential-analysis --type lan-demets-obf --alpha 0.025 --sides 1 "
        f"--information 0.333333333333,0.666666666667 --z {z} --json"
    ).document
    assert document["repeated_p"] == pytest.approx([0.1140577, 0.002393359], abs=2e-5)
    assert document["decision"] == ["CONTINUE", "EFFICACY"]
    assert document["stopped_at"] == 2


def test_a_test_that_goes_on_has_no_stagewise_figures(fairtrial):
    ran = fairtrial(
        "calc sequential-analysis --type lan-demets-obf --alpha 0.025 --sides 1 --information 0.4,0.7,1 --z 1.1 --json"
    )
    assert ran.exit_code == 0
    assert ran.document["decision"] == ["CONTINUE"]
    assert ran.document["planned"] == [0.4, 0.7, 1.0]
    assert (ran.document["stagewise_p"], ran.document["stagewise_ci"]) == (None, None)
    assert "not stopped" in ran.document["not_computed"]


def test_after_a_single_look_the_adjusted_figures_are_the_fixed_ones(fairtrial):
    document = fairtrial(
        "calc sequential-analysis --type lan-demets-obf --alpha 0.05 --sides 2 --information 1 --z 2.1 "
        "--estimate-scale 0.5 --json"
    ).document
    assert document["stagewise_p"] == pytest.approx(0.03572884, abs=1e-8)  # 2 (1 - Phi(2.1))
    assert document["median_unbiased"] == pytest.approx(2.1 * 0.5, abs=1e-9)
    assert document["stagewise_ci"] == pytest.approx(
        [0.5 * (2.1 - 1.959964), 0.5 * (2.1 + 1.959964)], abs=1e-6
    )
    assert document["repeated_ci"][0] == pytest.approx(document["stagewise_ci"], abs=1e-8)


def test_negative_z_is_read_as_a_number(fairtrial):
    document = fairtrial(
        "calc sequential-analysis --type pocock --alpha 0.05 --sides 2 --information 0.5,1 --z -3.1 --json"
    ).document
    assert document["decision"] == ["HARM"]


def test_over_and_underrunning(fairtrial):
    line = "calc sequential-analysis --type lan-demets-obf --alpha 0.025 --sides 1 --json"
    over = fairtrial(f"{line} --information 0.5,1.2 --z 1,2").document
    assert over["planned"] == [0.5, 1.0]
    assert over["spent"][-1] == 0.025
    under = fairtrial(f"{line} --information 0.5,0.9 --z 1,2 --final").document
    assert under["spent"][-1] == 0.025
    going_on = fairtrial(f"{line} --information 0.5,0.9 --z 1,2").document
    assert going_on["spent"][-1] < 0.025


def test_the_confidence_sequence_is_robbins_normal_mixture(fairtrial):
    # confseq, TestTwoSidedNormalMixture: v_opt = v = 100, alpha 0.05: bound of the sum 30.35209; at s = 10 the
    # log of the mixture is -0.6510052.
    document = fairtrial(
        "calc confidence-sequence --estimate 0.1 --variance 1 --n 100 --planned-n 100 --alpha 0.05 --json"
    ).document
    assert document["upper"] - 0.1 == pytest.approx(0.3035209, abs=1e-7)
    assert 0.1 - document["lower"] == pytest.approx(0.3035209, abs=1e-7)
    assert document["log_evidence"] == pytest.approx(-0.6510052, abs=1e-7)
    assert document["p_value"] == 1


def test_the_one_sided_sequence_has_its_own_mixture(fairtrial):
    # confseq, TestOneSidedNormalMixture: bound of the sum 27.66071.
    document = fairtrial(
        "calc confidence-sequence --estimate 0.1 --variance 1 --n 100 --planned-n 100 --alternative greater --json"
    ).document
    assert 0.1 - document["lower"] == pytest.approx(0.2766071, abs=1e-7)
    assert document["upper"] is None


def test_evidence_beyond_the_sequence_gives_a_small_p(fairtrial):
    document = fairtrial(
        "calc confidence-sequence --estimate 0.32 --variance 1 --n 100 --planned-n 100 --json"
    ).document
    assert document["lower"] > 0
    assert document["p_value"] == pytest.approx(math.exp(-document["log_evidence"]), rel=1e-12)
    assert document["p_value"] < 0.05


def test_before_the_burn_in_nothing_is_said(fairtrial):
    ran = fairtrial(
        "calc confidence-sequence --estimate 0.3 --variance 1 --n 100 --planned-n 1000 --burn-in 500 --json"
    )
    assert ran.exit_code == 1
    assert ran.document["lower"] is None
    assert "burn-in" in ran.document["not_computed"]
