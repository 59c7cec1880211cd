"""Spending functions: published values, limits, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from analysis.sequential.spending import SPENDING_TYPES, increments, spending_function

PARAMETERS = {"kim-demets": 2.2, "hwang-shih-decani": -4.0}
ALL = [spending_function(name, PARAMETERS.get(name)) for name in SPENDING_TYPES]


def test_the_obrien_fleming_like_function_is_twice_the_tail_beyond_z_of_half_alpha_over_root_t():
    spent = spending_function("lan-demets-obf")(0.025, 0.2)
    # Lan & DeMets 1983, by scipy; first of five looks z = 4.8769 (Reboussin et al. 2000, ldbounds)
    assert spent == pytest.approx(2 * norm.sf(norm.isf(0.0125) / math.sqrt(0.2)), rel=1e-13)
    assert norm.isf(spent) == pytest.approx(4.8769, abs=5e-5)


def test_the_pocock_like_function_spends_alpha_log_of_one_plus_e_minus_one_times_t():
    # rpact tests/testthat/test-f_design_group_sequential.R L388-402: alpha 0.13 at t 0.35, 0.7
    function = spending_function("lan-demets-pocock")
    assert function(0.13, 0.35) == pytest.approx(0.061214062, abs=2e-9)
    assert function(0.13, 0.7) == pytest.approx(0.10266465, abs=2e-8)


def test_the_gamma_family_is_linear_at_zero_and_continuous_there():
    at_zero = spending_function("hwang-shih-decani", 0.0)
    beside = spending_function("hwang-shih-decani", 1e-12)
    assert at_zero(0.03, 0.2) == pytest.approx(0.006, rel=1e-14)
    assert beside(0.03, 0.2) == pytest.approx(0.006, rel=1e-11)


def test_the_power_family_is_t_to_the_rho():
    assert spending_function("kim-demets", 3.0)(0.05, 0.5) == pytest.approx(0.05 / 8, rel=1e-14)


@pytest.mark.parametrize("function", ALL, ids=SPENDING_TYPES)
@given(alpha=st.floats(1e-9, 0.999), t=st.floats(0.02, 1.0), more=st.floats(0.001, 1.0))
def test_spending_rises_with_information_and_with_alpha_and_ends_at_alpha(function, alpha, t, more):
    assert function(alpha, 1.0) == alpha
    assert function(alpha, 1.3) == alpha
    assert 0 <= function(alpha, t) <= alpha
    assert function(alpha, t) <= function(alpha, min(1.0, t * (1 + more)))
    assert function(alpha, t) <= function(min(0.9999, alpha * (1 + more)), t)


def test_what_each_look_spends_adds_up_to_what_was_spent():
    assert increments([0.001, 0.01, 0.025]) == pytest.approx((0.001, 0.009, 0.015))


@pytest.mark.parametrize(
    ("name", "parameter", "says"),
    [
        ("obf", None, "give one of lan-demets-obf"),
        ("lan-demets-obf", 1.0, "has none; leave it out"),
        ("lan-demets-pocock", 0.0, "has none; leave it out"),
        ("kim-demets", None, "give rho"),
        ("kim-demets", 0.0, "give a number above 0"),
        ("kim-demets", math.nan, "give a number above 0"),
        ("hwang-shih-decani", None, "give gamma"),
        ("hwang-shih-decani", 41.0, "give a number from -40 to 40"),
        ("hwang-shih-decani", math.nan, "give a number from -40 to 40"),
    ],
)
def test_a_wrong_name_or_parameter_is_refused_with_what_is_allowed(name, parameter, says):
    with pytest.raises(ValueError, match=says):
        spending_function(name, parameter)
