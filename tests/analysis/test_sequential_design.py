"""Futility and the characteristics of a whole design, against rpact, gsDesign and Jennison & Turnbull."""

import math
from itertools import accumulate

import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from analysis.sequential import group_sequential_design, stopping_probabilities
from analysis.sequential.boundaries import BOUNDARY_TYPES, efficacy_boundary, null_crossing
from analysis.sequential.futility import futility_boundary
from analysis.sequential.spending import increments
from tests.references.sequential_grid import Walk

RPACT = "rpact tests/testthat/test-f_design_group_sequential.R"  # commit b101e4b; line numbers at each test
PARAMETERS = {"kim-demets": 2.0, "hwang-shih-decani": -4.0, "wang-tsiatis": 0.25}


def equal(looks):
    return [(look + 1) / looks for look in range(looks)]


def test_linear_spending_has_the_characteristics_rpact_gives():
    # RPACT L83-125: HSD gamma 0, beta 0.14
    design = group_sequential_design("hwang-shih-decani", 0.03, [0.2, 0.4, 1.0], 1, 0.0, 0.86)
    assert design.critical == pytest.approx([2.5121443, 2.4228747, 2.0280392], abs=2e-7)
    assert design.drift**2 == pytest.approx(9.4594101, abs=2e-7)
    assert design.drift**2 / design.inflation == pytest.approx(8.7681899, abs=2e-7)
    assert design.inflation == pytest.approx(1.0788327, abs=2e-7)
    power_by_look = list(accumulate(design.under_full.efficacy))
    assert power_by_look == pytest.approx([0.12783451, 0.34055165, 0.86], abs=2e-8)
    assert design.expected_n_h1 == pytest.approx(0.83081135, abs=2e-8)
    assert design.expected_n_half == pytest.approx(1.0142116, abs=2e-7)
    assert design.expected_n_h0 == pytest.approx(1.0697705, abs=2e-7)


def test_non_binding_futility_agrees_with_rpact():
    # RPACT L236-285: alpha spending rho 2.2, beta spending rho 3.2, beta 0.34
    design = group_sequential_design("kim-demets", 0.03, [0.3, 0.7, 1.0], 1, 2.2, 0.66, "kim-demets", 3.2)
    assert design.critical == pytest.approx([2.8594012, 2.2435708, 1.9735737], abs=2e-7)
    assert design.futility == pytest.approx([-1.1558435, 0.72836893], abs=2e-7)
    assert design.inflation == pytest.approx(1.0555891, abs=2e-7)
    assert design.expected_n_h1 == pytest.approx(0.86740735, abs=2e-8)
    assert design.expected_n_half == pytest.approx(0.87361707, abs=2e-8)
    assert design.expected_n_h0 == pytest.approx(0.75480974, abs=2e-8)


@pytest.mark.parametrize(
    ("information", "binding", "critical", "futility", "power_by_look"),
    [
        # RPACT L466-479
        ([0.4, 0.75, 1.0], False, [2.1280732, 1.4368565, 1.2468994], [-0.83725762, 0.35992547],
         [0.10903632, 0.42541278, 0.59]),
        # RPACT L602-615
        ([0.4, 0.75, 1.0], True, [2.1280732, 1.4362896, 1.2218662], [-0.84937686, 0.34328914],
         [0.1067887, 0.41918821, 0.59]),
        # RPACT L648-661
        ([0.4, 0.75, 0.85, 1.0], True, [2.1280732, 1.4362706, 1.4203748, 1.2576258],
         [-0.84247693, 0.35276055, 0.62744509], [0.10806422, 0.422855, 0.4950578, 0.59]),
    ],
)  # fmt: skip
def test_beta_spending_agrees_with_rpact(information, binding, critical, futility, power_by_look):
    design = group_sequential_design(
        "lan-demets-obf", 0.13, information, 1, None, 0.59, "kim-demets", 2.5, binding
    )
    assert design.critical == pytest.approx(critical, abs=2e-7)
    assert design.futility == pytest.approx(futility, abs=2e-7)
    assert list(accumulate(design.under_full.efficacy)) == pytest.approx(power_by_look, abs=2e-8)


@pytest.mark.parametrize(
    ("binding", "critical", "futility", "power_by_look"),
    [
        # RPACT L388-402 and L555-569: beta spent 0.01, 0.05, 0.3 by the user
        (False, [1.5446617, 1.4828682, 1.4620058], [-1.2557044, -0.16828659], [0.31774348, 0.5598179, 0.7]),
        (True, [1.5446617, 1.4827312, 1.4588737], [-1.2569879, -0.17011271], [0.31728597, 0.55917233, 0.7]),
    ],
)
def test_type_two_error_spent_by_hand_agrees_with_rpact(binding, critical, futility, power_by_look):
    information, beta_added = [0.35, 0.7, 1.0], [0.01, 0.04]
    efficacy = efficacy_boundary("lan-demets-pocock", 0.13, information)
    assert efficacy.spent == pytest.approx([0.061214062, 0.10266465, 0.13], abs=2e-8)

    def boundaries(drift):
        return futility_boundary(
            information, 1, drift, beta_added,
            critical=None if binding else efficacy.critical,
            alpha_added=increments(efficacy.spent),
        )  # fmt: skip

    drift = brentq(lambda d: boundaries(d).type_two - 0.3, 1.0, 4.0, xtol=1e-12)
    both = boundaries(drift)
    assert both.critical == pytest.approx(critical, abs=2e-7)
    assert both.futility == pytest.approx(futility, abs=2e-7)
    (under,) = stopping_probabilities(information, both.critical, 1, [drift], both.futility)
    assert list(accumulate(under.efficacy)) == pytest.approx(power_by_look, abs=2e-8)


def test_a_two_sided_wedge_agrees_with_rpact():
    # RPACT L694-742, second case. The first case sets the first wedge to nothing by a rule of rpact's own
    # (no wedge where the one-sided futility bound is negative, and beta rescaled), which is not used here.
    design = group_sequential_design(
        "lan-demets-obf", 0.05, [0.4, 0.65, 1.0], 2, None, 0.8, "kim-demets", 1.5, True
    )
    assert design.critical == pytest.approx([3.3568694, 2.5549656, 1.9350784], abs=2e-7)
    assert design.futility == pytest.approx([0.32391511, 0.91946811], abs=2e-7)


def test_binding_futility_at_given_bounds_leaves_wang_tsiatis_its_level():
    # RPACT L318-326: Delta 0.4, futility at 0.5244
    critical = [2.3284312, 2.1725031, 2.0861776, 2.0270171]
    (under,) = stopping_probabilities(equal(4), critical, 1, [0.0], [0.5244] * 3)
    assert under.power == pytest.approx(0.035, abs=2e-8)


def test_pampallona_and_tsiatis_bounds_have_the_published_errors():
    # RPACT L1613-1625: Delta1 0.1, Delta0 0.45, alpha 0.035, beta 0.05, not binding
    information = [0.2, 0.4, 0.8, 1.0]
    critical = [3.6322099, 2.7527004, 2.0861568, 1.9080201]
    futility = [-0.41499566, 0.38106631, 1.4738957]
    assert sum(null_crossing(critical, information, 1)) == pytest.approx(0.035, abs=2e-8)
    # futility_k = drift √t - (drift - c) t^(Delta0 - 1/2): solved for the drift at the first look
    shape = 0.2 ** (0.45 - 0.5)
    drift = (futility[0] - critical[-1] * shape) / (math.sqrt(0.2) - shape)
    (under,) = stopping_probabilities(information, critical, 1, [drift], futility)
    assert under.power == pytest.approx(0.95, abs=2e-7)


def test_a_design_for_two_rates_has_the_sizes_rpact_gives():
    # rpact tests/testthat/test-f_design_plan_rates.R L181-200: 0.5 against 0.3, one-sided 0.025, power 0.9
    design = group_sequential_design("wang-tsiatis", 0.025, [0.2, 0.5, 1.0], 1, 0.3, 0.9)
    pooled = math.sqrt(2 * 0.4 * 0.6) * norm.isf(0.025)
    apart = math.sqrt(0.5 * 0.5 + 0.3 * 0.7) * norm.isf(0.1)
    fixed = 2 * ((pooled + apart) / 0.2) ** 2
    assert fixed * design.inflation == pytest.approx(261.60183, abs=2e-5)
    assert fixed * design.expected_n_h0 == pytest.approx(260.14823, abs=2e-5)
    assert fixed * design.expected_n_half == pytest.approx(244.79812, abs=2e-5)
    assert fixed * design.expected_n_h1 == pytest.approx(190.51949, abs=2e-5)
    assert design.under_full.efficacy == pytest.approx([0.08379162, 0.40937259, 0.40683579], abs=2e-8)
    # the same file, L296-315, L350-375 and L132-149: one design, other fixed sizes
    for largest, under_null, under_full in [
        (201.70565, 200.58487, 146.89828),
        (267.48868, 266.00237, 194.80676),
        (26.111979, 25.966887, 19.016842),
    ]:
        assert design.expected_n_h0 / design.inflation == pytest.approx(under_null / largest, abs=2e-7)
        assert design.expected_n_h1 / design.inflation == pytest.approx(under_full / largest, abs=2e-7)


def test_fifteen_pocock_looks_have_the_expected_sizes_of_the_book():
    # Jennison & Turnbull 2000, by gsDesign tests/testthat/test-outputs.R (test.JT.Pocock), in percent
    design = group_sequential_design("pocock", 0.05, equal(15), 2, power=0.9)
    assert 100 * design.inflation == pytest.approx(130.5, abs=0.051)
    drifts = [0.0, design.drift / 2, design.drift, 1.5 * design.drift]
    under = stopping_probabilities(equal(15), design.critical, 2, drifts)
    sizes = [100 * design.inflation * each.expected_information for each in under]
    assert sizes == pytest.approx([126.4, 111.2, 66.4, 35.4], abs=0.051)


@pytest.mark.parametrize(
    ("rho", "looks", "largest", "expected"),
    # Jennison & Turnbull 2000, power family for both errors, by gsDesign (test.JT.Power.type3), in percent
    [(2.0, 3, 107.2, [68.1, 83.9, 73.8]), (3.0, 4, 104.0, [69.2, 84.2, 74.2])],
)
def test_the_power_family_with_binding_futility_agrees_with_the_book(rho, looks, largest, expected):
    design = group_sequential_design(
        "kim-demets", 0.05, equal(looks), 1, rho, 0.9, "kim-demets", rho, binding=True
    )
    assert 100 * design.inflation == pytest.approx(largest, abs=0.051)
    sizes = [design.expected_n_h0, design.expected_n_half, design.expected_n_h1]
    assert [100 * size for size in sizes] == pytest.approx(expected, abs=0.051)


def test_a_one_sided_gamma_design_agrees_with_gsdesign():
    # gsDesign tests/testthat/_snaps/independent-test-print.gsDesign.md (test.type = 1)
    design = group_sequential_design("hwang-shih-decani", 0.025, equal(5), 1, -4.0, 0.9)
    assert design.nominal == pytest.approx([0.0006, 0.0014, 0.0036, 0.0088, 0.0214], abs=5.1e-5)
    assert increments(design.spent) == pytest.approx([0.0006, 0.0013, 0.0028, 0.0063, 0.0140], abs=5.1e-5)
    assert design.under_full.efficacy == pytest.approx([0.037, 0.1512, 0.2647, 0.2699, 0.1771], abs=5.1e-5)
    fixed_drift = design.drift / math.sqrt(design.inflation)
    assert fixed_drift == pytest.approx(3.2415, abs=5.1e-5)
    assert design.expected_n_h0 == pytest.approx(1.0197, abs=5.1e-5)
    assert design.expected_n_h1 == pytest.approx(0.7366, abs=5.1e-5)


def test_a_two_sided_gamma_design_agrees_with_gsdesign():
    # the same file (test.type = 2): 0.025 on each side
    design = group_sequential_design("hwang-shih-decani", 0.05, equal(5), 2, -4.0, 0.9)
    assert design.expected_n_h0 == pytest.approx(1.016, abs=5.1e-5)
    assert design.expected_n_h1 == pytest.approx(0.7366, abs=5.1e-5)


def test_a_gamma_design_with_binding_futility_agrees_with_gsdesign():
    # the same file (test.type = 3)
    design = group_sequential_design(
        "hwang-shih-decani", 0.025, equal(5), 1, -4.0, 0.9, "hwang-shih-decani", -2.0, binding=True
    )
    assert design.nominal == pytest.approx([0.0006, 0.0014, 0.0036, 0.0089, 0.0245], abs=5.1e-5)
    below = norm.cdf([*design.futility, design.critical[-1]])
    assert below == pytest.approx([0.1777, 0.4727, 0.7440, 0.9058, 0.9755], abs=5.1e-5)
    assert design.expected_n_h0 == pytest.approx(0.5636, abs=5.1e-5)
    assert design.expected_n_h1 == pytest.approx(0.7306, abs=5.1e-5)
    assert design.under_full.efficacy == pytest.approx([0.0397, 0.1610, 0.2743, 0.2677, 0.1573], abs=5.1e-5)
    assert design.under_null.futility == pytest.approx([0.1777, 0.3135, 0.2708, 0.1527, 0.0602], abs=5.1e-5)


@pytest.mark.parametrize("binding", [False, True])
@pytest.mark.parametrize("kind", BOUNDARY_TYPES)
def test_both_errors_are_what_was_asked_by_a_second_recursion(kind, binding):
    information = [0.3, 0.62, 1.0]
    design = group_sequential_design(
        kind, 0.03, information, 1, PARAMETERS.get(kind), 0.85, "hwang-shih-decani", -2.0, binding
    )

    def crossing(drift, obeyed):
        walk, total = Walk(information, drift), 0.0
        for bound, stop in zip(design.critical, [*design.futility, -math.inf], strict=True):
            total += walk.tail(bound)
            walk.go_on(stop if obeyed else -math.inf, bound)
        return total

    assert crossing(0.0, obeyed=binding) == pytest.approx(0.03, abs=1e-7)
    assert crossing(design.drift, obeyed=True) == pytest.approx(0.85, abs=1e-6)
    assert design.under_full.power == pytest.approx(0.85, abs=1e-9)
    assert list(accumulate(design.under_full.futility)) == pytest.approx(design.type_two_spent, abs=1e-9)


def test_overruling_binding_futility_breaks_the_level_and_the_other_kind_does_not():
    level = {}
    for binding in (False, True):
        design = group_sequential_design(
            "lan-demets-obf", 0.025, equal(4), 1, None, 0.8, "lan-demets-pocock", None, binding
        )
        level[binding] = sum(null_crossing(design.critical, design.information, 1))
    assert level[False] == pytest.approx(0.025, abs=1e-10)
    assert level[True] > 0.026


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("kind", BOUNDARY_TYPES)
def test_every_path_stops_once_and_power_is_reached(kind, sides):
    design = group_sequential_design(kind, 0.05, [0.2, 0.5, 0.8, 1.0], sides, PARAMETERS.get(kind), 0.8)
    for under in (design.under_null, design.under_half, design.under_full):
        assert sum(under.efficacy) + sum(under.harm) + sum(under.futility) == pytest.approx(1, abs=1e-9)
    assert sum(design.under_null.efficacy) + sum(design.under_null.harm) == pytest.approx(0.05, abs=1e-9)
    assert design.under_full.power == pytest.approx(0.8, abs=1e-9)
    assert design.inflation > 1
    assert design.expected_n_h1 < design.expected_n_half < design.expected_n_h0 < design.inflation


def test_turning_the_drift_turns_efficacy_into_harm():
    critical = efficacy_boundary("lan-demets-obf", 0.05, equal(4), 2).critical
    up, down = stopping_probabilities(equal(4), critical, 2, [1.7, -1.7])
    assert up.efficacy == pytest.approx(down.harm, abs=1e-13)
    assert up.harm == pytest.approx(down.efficacy, abs=1e-13)
    assert up.futility == pytest.approx(down.futility, abs=1e-13)


def test_a_design_with_more_looks_needs_a_larger_maximum():
    designs = [
        group_sequential_design("pocock", 0.05, equal(looks), 2, power=0.8) for looks in (2, 5, 20, 50)
    ]
    assert [d.inflation for d in designs] == sorted(d.inflation for d in designs)


def test_without_a_power_the_characteristics_are_missing_with_the_reason():
    design = group_sequential_design("pocock", 0.05, equal(3), 2)
    assert design.inflation is None
    assert design.expected_n_h0 is None
    assert "no power was given" in design.not_computed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"power": 1.0}, "power: 1.0 is not allowed; give a number above 0.025 and below 1"),
        ({"power": 0.01}, "power: 0.01 is not allowed"),
        ({"power": None, "futility": "lan-demets-obf"}, "needs a power"),
        ({"futility": "pocock"}, "futility: spending: 'pocock' is not known"),
        ({"futility": "kim-demets"}, "futility: parameter: kim-demets needs one"),
        ({"binding": True}, "binding: true was given without a futility boundary"),
        ({"futility_parameter": 2.0}, "was given without futility"),
    ],
)
def test_bad_futility_and_power_are_refused_with_what_is_allowed(change, says):
    arguments = {
        "boundary": "lan-demets-obf", "alpha": 0.025, "information": [0.5, 1.0], "power": 0.8,
    }  # fmt: skip
    with pytest.raises(ValueError, match=says):
        group_sequential_design(**(arguments | change))


@pytest.mark.parametrize("binding", [False, True])
@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("kind", BOUNDARY_TYPES)
def test_odd_designs_still_have_their_errors(kind, sides, binding):
    # looks close to the end, a small level and a type-II error spent early: found hard by a random search
    design = group_sequential_design(
        kind,
        0.0025,
        [0.05, 0.9, 0.97, 1.0],
        sides,
        PARAMETERS.get(kind),
        0.64,
        "lan-demets-pocock",
        None,
        binding,
    )
    crossing = sum(design.under_null.efficacy) + sum(design.under_null.harm)
    assert crossing == pytest.approx(0.0025, abs=1e-10) if binding else crossing <= 0.0025
    assert sum(design.under_full.futility) == pytest.approx(0.36, abs=1e-9)


def test_a_fraction_off_one_by_rounding_is_the_planned_end():
    design = group_sequential_design("pocock", 0.05, [0.1 + 0.2, 0.1 * 3 + 0.3, 0.1 * 10 - 1e-12], 2)
    assert design.information[-1] == 1.0
