"""Stage-wise p-values, intervals and estimates against lrstat, rpact, a second recursion and their own definition."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from analysis.sequential import efficacy_boundary, stagewise_inference, stopping_probabilities
from analysis.sequential.spending import spending_function
from tests.references.sequential_grid import Walk, spending_critical


def hazard_ratio(drift, events):
    """rpact gives drifts of a log-rank test as hazard ratios: log HR = 2 drift / √events at information 1."""
    return math.exp(2 * drift / math.sqrt(events))


def test_one_sided_inference_agrees_with_lrstat():
    # lrstat tests/testthat/test-design-interim-tools.R, getCI: gamma -4, alpha 0.05, stop at the second of 1/3, 2/3
    information = [1 / 3, 2 / 3]
    function = spending_function("hwang-shih-decani", -4.0)
    critical = spending_critical(information, [function(0.05, t) for t in information], 1)
    z = 7 / math.sqrt(4 / 80 * 400)
    found = stagewise_inference(information, critical, z, 0.05, 1)
    unit = math.sqrt(4 * 20**2 / 120)  # a drift of 1 in the mean's unit, 120 being planned
    assert found.p_value == pytest.approx(0.0593, abs=5.1e-5)
    assert found.median_unbiased * unit == pytest.approx(6.9882, abs=5.1e-5)
    assert found.lower * unit == pytest.approx(-0.3764, abs=5.1e-5)
    assert found.upper * unit == pytest.approx(14.3479, abs=5.1e-5)
    assert found.level == pytest.approx(0.90)


def test_inference_after_three_looks_agrees_with_rpact():
    # rpact tests/testthat/test-f_analysis_base_survival.R, x1: Wang-Tsiatis 0.25, futility not binding, 38 events
    information = [0.2, 0.4, 1.0]
    critical = efficacy_boundary("wang-tsiatis", 0.025, information, 1, 0.25).critical
    found = stagewise_inference(information, critical, 2.9, 0.025, 1)
    assert found.p_value == pytest.approx(0.0074535505, abs=1e-9)
    assert hazard_ratio(found.lower, 38) == pytest.approx(1.222663, abs=1e-6)
    assert hazard_ratio(found.upper, 38) == pytest.approx(4.752454, abs=1e-6)
    assert hazard_ratio(found.median_unbiased, 38) == pytest.approx(2.4764002, abs=1e-6)


def test_inference_with_binding_futility_agrees_with_rpact():
    # the same file, x0: Wang-Tsiatis 0.25 with binding futility at 0, 20 events
    information = [0.4, 1.0]

    def critical(constant):
        return [constant * t ** (0.25 - 0.5) for t in information]

    def level(constant):
        (under,) = stopping_probabilities(information, critical(constant), 1, [0.0], [0.0])
        return under.power - 0.025

    found = stagewise_inference(information, critical(brentq(level, 1, 4, xtol=1e-13)), 2.1, 0.025, 1, (0.0,))
    assert found.p_value == pytest.approx(0.021122043, abs=1e-8)
    assert hazard_ratio(found.lower, 20) == pytest.approx(1.0341796, abs=1e-6)
    assert hazard_ratio(found.upper, 20) == pytest.approx(6.2409205, abs=1e-6)
    assert hazard_ratio(found.median_unbiased, 20) == pytest.approx(2.5476534, abs=1e-6)


def tail_by_the_book(information, critical, lower, z, drift):
    walk, total = Walk(information, drift), 0.0
    for look, bound in enumerate(critical):
        if look == len(critical) - 1:
            return total + walk.tail(z)
        total += walk.tail(bound)
        walk.go_on(lower[look], bound)
    return total


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("z", [-2.4, 0.3, 2.2, 5.0])
def test_limits_and_estimate_solve_their_definition_by_a_second_recursion(sides, z):
    information = [0.3, 0.55, 0.9]
    critical = efficacy_boundary("lan-demets-pocock", 0.05, [*information, 1.0], sides).critical[:3]
    lower = [-bound if sides == 2 else -np.inf for bound in critical]
    found = stagewise_inference(information, critical, z, 0.05, sides)
    for drift, probability in [
        (found.lower, 0.05 / sides),
        (found.median_unbiased, 0.5),
        (found.upper, 1 - 0.05 / sides),
    ]:
        assert tail_by_the_book(information, critical, lower, z, drift) == pytest.approx(
            probability, abs=1e-7
        )
    up = tail_by_the_book(information, critical, lower, z, 0.0)
    assert found.p_value == pytest.approx(up if sides == 1 else 2 * min(up, 1 - up), abs=1e-7)


@pytest.mark.parametrize("sides", [1, 2])
def test_a_stop_at_the_first_look_is_the_fixed_test(sides):
    found = stagewise_inference([0.4], [2.5], 2.7, 0.05, sides)
    assert found.p_value == pytest.approx(sides * norm.sf(2.7), rel=1e-12)
    assert found.median_unbiased == pytest.approx(2.7 / math.sqrt(0.4), rel=1e-12)
    half_width = norm.isf(0.05 / sides) / math.sqrt(0.4)
    assert found.lower == pytest.approx(found.median_unbiased - half_width, rel=1e-12)
    assert found.upper == pytest.approx(found.median_unbiased + half_width, rel=1e-12)


def test_the_estimate_after_an_early_looking_history_is_drawn_towards_the_null():
    critical = efficacy_boundary("pocock", 0.05, [0.25, 0.5, 0.75, 1.0], 2).critical
    found = stagewise_inference([0.25, 0.5, 0.75], critical[:3], 2.6, 0.05, 2)
    assert found.median_unbiased < 2.6 / math.sqrt(0.75)


@given(z=st.floats(-4, 6), more=st.floats(0.01, 1), sides=st.sampled_from([1, 2]))
@settings(max_examples=25, deadline=None)
def test_a_larger_z_at_the_same_look_moves_everything_up(z, more, sides):
    critical = (2.9, 2.6, 2.3)
    small = stagewise_inference([0.2, 0.6, 1.0], critical, z, 0.05, sides)
    large = stagewise_inference([0.2, 0.6, 1.0], critical, z + more, 0.05, sides)
    assert small.lower < large.lower
    assert small.median_unbiased < large.median_unbiased
    assert small.upper < large.upper
    assert small.lower < small.median_unbiased < small.upper


@given(z=st.floats(-5, 5))
@settings(max_examples=25, deadline=None)
def test_swapping_the_arms_mirrors_two_sided_inference(z):
    one = stagewise_inference([0.2, 0.6, 1.0], (2.9, 2.6, 2.3), z, 0.05, 2)
    other = stagewise_inference([0.2, 0.6, 1.0], (2.9, 2.6, 2.3), -z, 0.05, 2)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-9)
    assert (one.lower, one.median_unbiased) == pytest.approx((-other.upper, -other.median_unbiased), abs=1e-9)


def test_the_p_value_of_a_harm_keeps_its_digits_when_it_is_tiny():
    harm = stagewise_inference([0.5, 1.0], (9.5, 2.0), -9.0, 0.05, 2)
    benefit = stagewise_inference([0.5, 1.0], (9.5, 2.0), 9.0, 0.05, 2)
    assert 0 < harm.p_value < 1e-17
    assert harm.p_value == pytest.approx(benefit.p_value, rel=1e-9, abs=0)


@pytest.mark.parametrize("z", [12.0, 49.0])
def test_a_first_look_that_could_not_stop_changes_nothing_however_large_z_is(z):
    found = stagewise_inference([0.9, 1.0], (math.inf, 2.0), z, 0.05, 2)
    assert found.lower == pytest.approx(z - norm.isf(0.025), abs=1e-9)
    assert found.median_unbiased == pytest.approx(z, abs=1e-9)
    assert found.upper == pytest.approx(z + norm.isf(0.025), abs=1e-9)


@pytest.mark.parametrize("z", [25.0, 37.0, 49.0])
def test_a_very_large_z_after_the_first_look_still_has_its_interval(z):
    found = stagewise_inference([0.1, 0.5, 1.0], (3.5, 2.9, 2.0), z, 0.05, 2)
    assert 0 < found.p_value <= 0.05
    # Earlier stops are certain under such drifts, so the limits lie where those stops become likely.
    assert found.lower < found.median_unbiased < found.upper < z + 2


def test_a_binding_wedge_and_an_extreme_z_are_refused():
    with pytest.raises(ValueError, match="no place in the stage-wise order"):
        stagewise_inference([0.5, 1.0], (2.9, 2.0), 1.0, 0.05, 2, (0.3,))
    with pytest.raises(ValueError, match="too far out"):
        stagewise_inference([0.5, 1.0], (2.9, 2.0), 51.0, 0.05, 2)
