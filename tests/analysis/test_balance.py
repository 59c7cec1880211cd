"""Balance before exposure: the standardised difference by hand and by another route, and Welch's p."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.balance import balance_of
from analysis.moments import Moments

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=30).filter(lambda x: np.ptp(x) > 1e-3)


def test_it_is_the_difference_in_pooled_standard_deviations():
    """By hand: means 2 and 4, variances 1 and 3, so d = 2 / √2."""
    found = balance_of(Moments(10, 2.0, 9.0), Moments(10, 4.0, 27.0))
    assert found.standardised_difference == pytest.approx(math.sqrt(2), rel=1e-15)
    assert (found.control, found.treatment, found.not_computed) == (10, 10, None)


@given(VALUES, VALUES)
def test_its_p_is_that_of_welch_s_test(one: list[float], other: list[float]):
    """Against scipy.stats.ttest_ind with unequal variances."""
    found = balance_of(Moments.of(one), Moments.of(other))
    expected = stats.ttest_ind(other, one, equal_var=False).pvalue
    assert found.p_value == pytest.approx(expected, rel=1e-8, abs=1e-12)
    pooled = math.sqrt((np.var(one, ddof=1) + np.var(other, ddof=1)) / 2)
    assert found.standardised_difference == pytest.approx(
        (np.mean(other) - np.mean(one)) / pooled, rel=1e-6, abs=1e-9
    )


@given(VALUES, VALUES, st.floats(0.01, 100), st.floats(-1e3, 1e3))
def test_another_unit_of_measurement_changes_nothing_and_swapping_the_arms_its_sign(
    one: list[float], other: list[float], scale: float, shift: float
):
    found = balance_of(Moments.of(one), Moments.of(other))
    moved = balance_of(
        Moments.of([scale * x + shift for x in one]), Moments.of([scale * x + shift for x in other])
    )
    swapped = balance_of(Moments.of(other), Moments.of(one))
    assert moved.standardised_difference == pytest.approx(found.standardised_difference, rel=1e-5, abs=1e-7)
    assert found.standardised_difference is not None
    assert swapped.standardised_difference == pytest.approx(-found.standardised_difference, rel=1e-12)


@pytest.mark.parametrize(
    ("control", "treatment", "why"),
    [
        (Moments(1, 2.0, 0.0), Moments(9, 2.0, 3.0), "fewer than 2 units with a value (found 1)"),
        (Moments(9, 2.0, 3.0), Moments(0, 0.0, 0.0), "fewer than 2 units with a value (found 0)"),
        (Moments(9, 2.0, 0.0), Moments(9, 2.0, 0.0), "every unit of an arm has the same value"),
    ],
)
def test_what_cannot_be_computed_says_why(control: Moments, treatment: Moments, why: str):
    found = balance_of(control, treatment)
    assert (found.standardised_difference, found.p_value, found.not_computed) == (None, None, why)
