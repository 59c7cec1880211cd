"""Looks at the information that really arrived: boundaries, decisions, repeated intervals and p-values."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from analysis.sequential import (
    Decision,
    analyse,
    boundaries_at,
    group_sequential_design,
    repeated_p_value,
    replay,
    stagewise_inference,
)
from analysis.sequential.boundaries import BOUNDARY_TYPES, null_crossing
from tests.references.sequential_grid import spending_critical

PARAMETERS = {"kim-demets": 2.0, "hwang-shih-decani": -4.0, "wang-tsiatis": 0.25}


def planned(kind="lan-demets-obf", alpha=0.05, information=(0.25, 0.5, 0.75, 1.0), sides=2, **more):
    return group_sequential_design(kind, alpha, information, sides, PARAMETERS.get(kind), **more)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("kind", BOUNDARY_TYPES)
def test_at_the_planned_information_the_boundaries_are_the_planned_ones(kind, sides):
    design = planned(kind, sides=sides)
    found = boundaries_at(design, design.information)
    assert found.critical == pytest.approx(design.critical, abs=1e-9)
    assert found.spent == pytest.approx(design.spent, abs=1e-14)
    assert found.final


@pytest.mark.parametrize("kind", BOUNDARY_TYPES)
@pytest.mark.parametrize(
    ("information", "final"),
    [
        ([0.31, 0.44, 0.9, 1.0], False),
        ([0.31, 0.44, 0.9, 1.17], False),  # overrunning
        ([0.2, 0.7, 0.86], True),  # underrunning, one look fewer
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0], False),  # more looks than planned
        ([0.4], True),
    ],
)
def test_the_level_is_spent_in_full_whatever_information_arrives(kind, information, final):
    design = planned(kind)
    found = boundaries_at(design, information, final)
    assert found.spent[-1] == design.alpha
    assert list(found.spent) == sorted(found.spent)
    assert 2 * sum(null_crossing(found.critical, information, 2)) == pytest.approx(0.05, abs=1e-9)


def test_an_overrun_boundary_agrees_with_a_second_recursion():
    found = boundaries_at(planned("kim-demets"), [0.3, 0.8, 1.25])
    spent = [0.05 * 0.3**2, 0.05 * 0.8**2, 0.05]
    assert found.critical == pytest.approx(spending_critical([0.3, 0.8, 1.25], spent, 2), abs=1e-6)


def test_a_classic_plan_spends_between_its_looks_by_interpolation():
    design = planned("obrien-fleming")
    found = boundaries_at(design, [0.375, 0.75])
    assert found.spent[0] == pytest.approx((design.spent[0] + design.spent[1]) / 2, rel=1e-12)
    assert found.spent[1] == pytest.approx(design.spent[2], rel=1e-12)


def test_boundaries_of_a_look_do_not_depend_on_looks_after_it():
    design = planned("lan-demets-obf", power=0.8, futility="kim-demets", futility_parameter=2.0, binding=True)
    early, late = boundaries_at(design, [0.3, 0.6]), boundaries_at(design, [0.3, 0.6, 0.61, 1.1])
    assert early.critical == pytest.approx(late.critical[:2], abs=1e-11)
    assert early.futility == pytest.approx(late.futility[:2], abs=1e-11)


@pytest.mark.parametrize("binding", [False, True])
def test_futility_at_the_planned_information_is_the_planned_one(binding):
    design = planned(
        "hwang-shih-decani", 0.025, sides=1, power=0.9, futility="lan-demets-pocock", binding=binding
    )
    found = boundaries_at(design, design.information)
    assert found.futility[:-1] == pytest.approx(design.futility, abs=1e-9)
    assert found.futility[-1] is None
    assert found.critical == pytest.approx(design.critical, abs=1e-9)
    assert (found.robust_critical == found.critical) is not binding


def test_repeated_p_values_agree_with_lrstat():
    # lrstat tests/testthat/test-multiplicity-adjustment.R (repeatedPValue); its root-finding stops at 3e-7
    design = planned("lan-demets-obf", 0.025, [1 / 3, 2 / 3, 1.0], 1)
    for stage_p, repeated in [
        ([0.0062, 0.0002], [0.1140577, 0.002393359]),
        ([0.017, 0.0035], [0.1682137, 0.017160592]),
        ([0.13, 0.06], [0.3820275, 0.128460197]),
    ]:
        found = analyse(design, [1 / 3, 2 / 3], norm.isf(stage_p).tolist())
        assert found.repeated_p == pytest.approx(repeated, abs=3e-6)


def test_a_whole_analysis_agrees_with_rpact():
    # rpact tests/testthat/test-f_analysis_base_survival.R, x1: Wang-Tsiatis 0.25, t = 0.2, 0.4, 1; 8, 15, 38 events;
    # hazard ratios exp(z ± c) with standard error 2/√events
    design = group_sequential_design("wang-tsiatis", 0.025, [0.2, 0.4, 1.0], 1, 0.25)
    errors = [2 / math.sqrt(events) for events in (8, 15, 38)]
    found = analyse(design, [0.2, 0.4, 1.0], [1.52, 1.38, 2.9], errors)
    assert found.decision == (Decision.CONTINUE, Decision.CONTINUE, Decision.EFFICACY)
    # rpact finds these by bisection to 1e-6
    assert found.repeated_p == pytest.approx([0.22249182, 0.19345822, 0.0019646115], abs=1e-6)
    lower, upper = np.exp(found.repeated_ci).T
    assert lower == pytest.approx([0.34217973, 0.54553509, 1.325822], abs=1e-6)
    assert upper == pytest.approx([25.078822, 7.6235796, 4.9517237], abs=1e-5)
    assert found.stagewise_p == pytest.approx(0.0074535505, abs=1e-9)
    assert np.exp(found.stagewise_ci) == pytest.approx([1.222663, 4.752454], abs=1e-6)
    assert math.exp(found.median_unbiased) == pytest.approx(2.4764002, abs=1e-6)


def test_repeated_interval_agrees_with_lrstat():
    # lrstat tests/testthat/test-design-interim-tools.R, getRCI: gamma -4, alpha 0.05, second look at 2/3
    design = group_sequential_design("hwang-shih-decani", 0.05, [1 / 3, 2 / 3, 1.0], 1, -4.0)
    error = math.sqrt(4 / 80 * 400)
    found = analyse(design, [1 / 3, 2 / 3], [0.0, 7 / error], [error, error])
    assert found.repeated_p[1] == pytest.approx(0.2549, abs=5.1e-5)
    assert found.repeated_ci[1] == pytest.approx((-3.2367, 17.2367), abs=5.1e-5)
    assert found.level == pytest.approx(0.9)


@pytest.mark.parametrize("kind", BOUNDARY_TYPES)
@given(z=st.floats(-1, 5), sides=st.sampled_from([1, 2]))
@settings(max_examples=12, deadline=None)
def test_the_repeated_p_value_is_the_level_at_which_the_look_just_rejects(kind, z, sides):
    information = (0.3, 0.62)
    p_value = repeated_p_value(planned(kind, sides=sides), information, z, False)
    if 1e-6 < p_value < (0.49 if sides == 1 else 0.99):
        at_that_level = planned(kind, alpha=p_value, sides=sides)
        critical = boundaries_at(at_that_level, information).critical[-1]
        assert critical == pytest.approx(abs(z) if sides == 2 else z, abs=1e-7)


@pytest.mark.parametrize("kind", BOUNDARY_TYPES)
@given(z=st.lists(st.floats(-4, 4), min_size=4, max_size=4), sides=st.sampled_from([1, 2]))
@settings(max_examples=10, deadline=None)
def test_every_interval_and_p_value_says_the_same_as_the_decision(kind, z, sides):
    design = planned(kind, sides=sides)
    found = analyse(design, [0.28, 0.5, 0.8, 1.05], z)
    for value, critical, (low, high), p_value in zip(
        z, found.boundaries.critical, found.repeated_ci, found.repeated_p, strict=True
    ):
        crossed = value >= critical or (sides == 2 and value <= -critical)
        assert (p_value <= design.alpha) is crossed
        assert (low >= 0 or (sides == 2 and high <= 0)) is crossed
    rejected = found.decision[found.stopped_at - 1] in (Decision.EFFICACY, Decision.HARM)
    assert (found.stagewise_p <= design.alpha) is rejected
    low, high = found.stagewise_ci
    assert (low >= 0 or (sides == 2 and high <= 0)) is rejected
    assert low < found.median_unbiased < high


def test_looks_after_the_stop_are_supplementary_and_change_nothing():
    design = planned()
    short = analyse(design, [0.3, 0.6], [1.0, -3.0])
    long = analyse(design, [0.3, 0.6, 1.0], [1.0, -3.0, 0.0])
    assert short.decision == (Decision.CONTINUE, Decision.HARM)
    assert long.decision == (Decision.CONTINUE, Decision.HARM, Decision.ALREADY_STOPPED)
    assert long.stopped_at == short.stopped_at == 2
    assert long.stagewise_ci == pytest.approx(short.stagewise_ci, abs=1e-10)
    assert long.median_unbiased == pytest.approx(short.median_unbiased, abs=1e-10)


def test_while_it_goes_on_there_is_no_stage_wise_result_and_the_reason_is_given():
    found = analyse(planned(), [0.3, 0.6], [1.0, 1.1])
    assert found.decision == (Decision.CONTINUE, Decision.CONTINUE)
    assert found.stopped_at is found.stagewise_p is found.stagewise_ci is found.median_unbiased is None
    assert found.not_computed == "the test has not stopped"


def test_a_last_look_without_a_crossing_ends_without_rejecting():
    found = analyse(planned(), [0.3, 0.9], [1.0, 1.1], final=True)
    assert found.decision == (Decision.CONTINUE, Decision.NOT_REJECTED)
    assert found.stagewise_p > 0.05


def test_futility_that_does_not_bind_may_be_overruled_and_binding_may_not():
    looks, z = [0.25, 0.5, 0.75], [0.5, -1.5, 3.5]
    futility = {"power": 0.9, "futility": "lan-demets-pocock"}
    loose = analyse(planned(alpha=0.025, sides=1, **futility), looks, z)
    assert loose.decision == (Decision.CONTINUE, Decision.FUTILITY, Decision.EFFICACY)
    assert loose.stopped_at == 3
    strict = analyse(planned(alpha=0.025, sides=1, binding=True, **futility), looks, z)
    assert strict.decision == (Decision.CONTINUE, Decision.FUTILITY, Decision.ALREADY_STOPPED)
    stop = analyse(planned(alpha=0.025, sides=1, **futility), looks[:2], z[:2])
    assert stop.stopped_at == 2
    assert stop.stagewise_p > 0.5


def test_binding_futility_enters_the_stage_wise_result_of_a_one_sided_test():
    design = planned(alpha=0.025, sides=1, power=0.9, futility="lan-demets-pocock", binding=True)
    looks = [0.25, 0.5, 0.75, 1.0]
    found = analyse(design, looks, [0.5, 1.0, 1.6, 1.9])
    bounds = found.boundaries
    by_hand = stagewise_inference(looks, bounds.critical, 1.9, 0.025, 1, bounds.futility[:3])
    assert found.stagewise_p == by_hand.p_value
    assert bounds.critical[-1] < 1.9 < bounds.robust_critical[-1]
    assert found.decision[-1] is Decision.EFFICACY
    assert found.stagewise_p < 0.025
    assert found.repeated_ci[-1][0] < 0  # the repeated interval does not rely on futility


def test_a_binding_wedge_leaves_the_stage_wise_result_out_with_the_reason():
    design = planned(power=0.8, futility="kim-demets", futility_parameter=1.5, binding=True)
    found = analyse(design, [0.25, 0.5], [1.5, 3.5])
    assert found.decision[-1] is Decision.EFFICACY
    assert found.stagewise_p is None
    assert "wedge" in found.not_computed


def test_swapping_the_arms_mirrors_the_whole_analysis():
    looks, z = [0.3, 0.6, 0.8], [0.4, -1.2, -2.9]
    one, other = analyse(planned(), looks, z), analyse(planned(), looks, [-value for value in z])
    assert one.decision[-1] is Decision.HARM
    assert other.decision[-1] is Decision.EFFICACY
    assert one.repeated_p == pytest.approx(other.repeated_p, rel=1e-9)
    assert one.stagewise_p == pytest.approx(other.stagewise_p, rel=1e-9)
    assert one.stagewise_ci == pytest.approx([-limit for limit in reversed(other.stagewise_ci)], abs=1e-9)
    for (low, high), (other_low, other_high) in zip(one.repeated_ci, other.repeated_ci, strict=True):
        assert (low, high) == pytest.approx((-other_high, -other_low), abs=1e-9)


def test_standard_errors_give_every_interval_in_the_unit_of_the_metric():
    looks, z, errors = [0.3, 0.6], [0.4, 3.2], [0.021, 0.0149]
    drift, metric = analyse(planned(), looks, z), analyse(planned(), looks, z, errors)
    assert metric.estimate == pytest.approx([0.4 * 0.021, 3.2 * 0.0149])
    critical = metric.boundaries.critical
    assert metric.repeated_ci[0] == pytest.approx(((0.4 - critical[0]) * 0.021, (0.4 + critical[0]) * 0.021))
    assert drift.median_unbiased == pytest.approx(
        stagewise_inference(looks, critical, 3.2, 0.05, 2).median_unbiased, rel=1e-9
    )
    unit = math.sqrt(0.6) * 0.0149
    assert metric.median_unbiased == pytest.approx(drift.median_unbiased * unit)
    assert metric.stagewise_ci == pytest.approx([limit * unit for limit in drift.stagewise_ci])
    assert metric.stagewise_p == drift.stagewise_p


def test_a_huge_z_has_a_small_p_value_that_is_never_zero():
    found = analyse(planned(), [0.3, 0.6], [45.0, 3.0])
    # the level for z = 37: 2 (1 - Φ(z_{α/4} / √0.3)) = 2 (1 - Φ(37)) at α = 2.5e-88
    assert 0 < found.repeated_p[0] < 1e-87
    assert found.stagewise_p > 0


@pytest.mark.parametrize(
    ("looks", "z", "errors", "says"),
    [
        ([0.3, 0.6], [1.0], None, "z: 1 values for 2 looks"),
        ([0.3], [math.nan], None, "every look needs a finite number"),
        ([0.3], [1.0], [0.0], r"standard_errors: \[0.0\] not allowed"),
        ([0.3], [1.0], [0.1, 0.1], "standard_errors: 2 values for 1 looks"),
        ([0.6, 0.3], [1.0, 1.0], None, "does not rise"),
        ([0.6, 1.0, 1.2], [1.0, 1.0, 1.0], None, "spent all of alpha"),
    ],
)
def test_faulty_looks_are_refused_with_the_reason(looks, z, errors, says):
    with pytest.raises(ValueError, match=says):
        analyse(planned(), looks, z, errors)


def test_replays_stop_where_the_analysis_of_each_does():
    design = planned(power=0.8, futility="kim-demets", futility_parameter=2.0)
    rng = np.random.default_rng(20)
    looks = np.sort(rng.uniform(0.1, 0.95, (12, 3)), axis=1)
    looks[5] = looks[3]
    z = rng.normal(0.5, 2.0, (12, 3))
    ends = replay(design, looks, z, final=True)
    for row in range(12):
        # The analysis lets non-binding futility be overruled; the replay obeys it.
        found = analyse(design, looks[row], z[row], final=True)
        first = next(n for n, d in enumerate(found.decision, 1) if d is not Decision.CONTINUE)
        assert ends.stopped_at[row] == first
        assert ends.efficacy[row] == (found.decision[first - 1] is Decision.EFFICACY)
        assert ends.harm[row] == (found.decision[first - 1] is Decision.HARM)
        assert ends.futility[row] == (found.decision[first - 1] is Decision.FUTILITY)
    shared = replay(design, looks[3], z[[3, 5]], final=True)
    assert shared.stopped_at.tolist() == ends.stopped_at[[3, 5]].tolist()


def test_a_replay_still_going_on_has_stopped_at_no_look():
    ends = replay(planned(), [0.3, 0.6], [[0.1, 0.2], [0.1, 9.0]])
    assert ends.stopped_at.tolist() == [0, 2]
    assert ends.efficacy.tolist() == [False, True]


def test_replays_of_the_wrong_shape_are_refused():
    with pytest.raises(ValueError, match="does not fit information"):
        replay(planned(), [0.3, 0.6, 1.0], [[0.1, 0.2]])


def test_information_off_one_by_rounding_ends_the_test():
    found = analyse(planned(), [0.5, 1 - 1e-12], [0.1, 0.2])
    assert found.decision[-1] is Decision.NOT_REJECTED
    assert found.boundaries.spent[-1] == 0.05
