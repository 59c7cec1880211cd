import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.paired import (
    PairedTable,
    detectable_paired_difference,
    detectable_share,
    mcnemar_exact,
    paired_noninferiority,
    paired_power,
    sample_size_paired,
)
from tests.references.paired_formulas import exact_power_by_enumeration


def rejections(rng, pairs, discordant, difference, rejects, replicates=20_000):
    """Share of simulated experiments that ``rejects``, each distinct table decided once."""
    shares = [(discordant + difference) / 2, (discordant - difference) / 2, 1 - discordant]
    cells, times = np.unique(rng.multinomial(pairs, shares, size=replicates), axis=0, return_counts=True)
    tables = (PairedTable(int(rest), int(b), int(c), 0) for b, c, rest in cells)
    return sum(t * rejects(table) for table, t in zip(tables, times, strict=True)) / replicates


def test_connor_1987():
    # Chow, Shao & Wang, worked example at powerandsamplesize.com: p01 0.45, p10 0.05, 23 pairs
    assert sample_size_paired(0.5, 0.4).pairs == 23


@pytest.mark.parametrize(
    ("pairs", "candidate_only", "champion_only", "sides", "expected"),
    # metinbulus/pwrss tests/testthat/test-proportions.mcnemar.R; the third is G*Power's manual example 5.3
    [(100, 0.2, 0.1, 2, 0.373077084), (200, 0.2, 0.1, 1, 0.80298386), (50, 0.32, 0.08, 1, 0.839356985)],
)
def test_exact_power_is_that_of_pwrss(pairs, candidate_only, champion_only, sides, expected):
    discordant, difference = candidate_only + champion_only, candidate_only - champion_only
    near = paired_power(pairs, discordant, difference, sides=sides, method="exact")
    # pwrss adds, with two sides, the probability of rejecting in the wrong direction
    far = 0.0
    if sides == 2:
        m = np.arange(1, pairs + 1)
        needed = stats.binom.isf(0.025, m, 0.5) + 1
        far = stats.binom.pmf(m, pairs, discordant) @ stats.binom.sf(
            needed - 1, m, champion_only / discordant
        )
    assert near + far == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("sides", "expected"), [(2, 0.98456731), (1, 0.993418)])
def test_approximate_power_is_that_of_pwrss(sides, expected):
    # the same file: p10 0.2, p01 0.1, 500 pairs, normal approximation
    assert paired_power(500, 0.3, 0.1, sides=sides) == pytest.approx(expected, abs=2e-6)


def test_exact_sample_size_reaches_the_power_first():
    # the same file solves to 249 pairs with two sides, and to 200 with one by rounding each of the four cells
    # up; 199 is the first number at which exact power is 0.8
    assert sample_size_paired(0.3, 0.1, method="exact").pairs == 249
    assert sample_size_paired(0.3, 0.1, method="exact", sides=1).pairs == 199
    assert paired_power(199, 0.3, 0.1, method="exact", sides=1) >= 0.8
    assert paired_power(198, 0.3, 0.1, method="exact", sides=1) < 0.8


@pytest.mark.parametrize(
    ("pairs", "discordant", "difference", "sides"), [(12, 0.6, 0.3, 2), (25, 0.4, 0.25, 1), (30, 1.0, 0.4, 2)]
)
def test_exact_power_is_the_sum_over_every_outcome(pairs, discordant, difference, sides):
    brute = exact_power_by_enumeration(pairs, discordant, difference, 0.05, sides)
    assert paired_power(pairs, discordant, difference, sides=sides, method="exact") == pytest.approx(
        brute, abs=1e-12
    )


@pytest.mark.parametrize(("discordant", "difference"), [(0.1, 0.02), (0.3, 0.05), (0.6, 0.1)])
@pytest.mark.parametrize("method", ["connor", "exact"])
def test_the_real_test_has_the_declared_power_at_the_returned_pairs(discordant, difference, method):
    found = sample_size_paired(discordant, difference, method=method)

    def rejects(table):
        if method == "exact":
            return table.candidate_only > table.champion_only and mcnemar_exact(table).p_value < 0.05
        return (table.candidate_only - table.champion_only) / math.sqrt(table.discordant) > stats.norm.isf(
            0.025
        )

    simulated = rejections(np.random.default_rng(20250316), found.pairs, discordant, difference, rejects)
    # Monte-Carlo standard error 0.0028; the rest is the normal approximation
    assert simulated == pytest.approx(found.achieved_power, abs=0.012)
    assert simulated > 0.787


@pytest.mark.parametrize(
    ("difference", "margin", "direction"),
    [(0.0, 0.03, "higher"), (-0.01, 0.04, "higher"), (0.0, 0.03, "lower")],
)
def test_the_real_margin_test_has_the_declared_power(difference, margin, direction):
    found = sample_size_paired(0.2, difference, margin=margin, direction=direction)

    def rejects(table):
        return paired_noninferiority(table, margin, direction=direction).ruled_out

    simulated = rejections(np.random.default_rng(20250317), found.pairs, 0.2, difference, rejects, 10_000)
    # Monte-Carlo standard error 0.004
    assert simulated == pytest.approx(0.8, abs=0.015)


def test_miettinen_needs_a_little_less_than_connor():
    # z_α·ψ + z_β·√(ψ² − δ²(3 + ψ)/4), squared, over ψ·δ²
    z_alpha, z_beta = stats.norm.isf(0.025), stats.norm.ppf(0.8)
    by_hand = (z_alpha * 0.3 + z_beta * math.sqrt(0.09 - 0.01 * 3.3 / 4)) ** 2 / (0.3 * 0.01)
    assert sample_size_paired(0.3, 0.1, method="miettinen").unrounded == pytest.approx(by_hand, rel=1e-12)
    assert sample_size_paired(0.3, 0.1, method="miettinen").pairs < sample_size_paired(0.3, 0.1).pairs


@settings(max_examples=80, deadline=None)
@given(
    discordant=st.floats(0.02, 1.0),
    part=st.floats(0.05, 0.95),
    power=st.floats(0.5, 0.95),
    sides=st.sampled_from([1, 2]),
    method=st.sampled_from(["connor", "miettinen"]),
)
def test_the_returned_pairs_are_the_fewest_that_reach_the_power(discordant, part, power, sides, method):
    difference = part * discordant
    found = sample_size_paired(discordant, difference, power=power, sides=sides, method=method)
    assert found.achieved_power >= power - 1e-9
    if found.pairs > 1:
        assert paired_power(found.pairs - 1, discordant, difference, sides=sides, method=method) < power
    back = sample_size_paired(discordant, -difference, power=power, sides=sides, method=method)
    assert back.pairs == found.pairs


@settings(max_examples=25, deadline=None)
@given(discordant=st.floats(0.1, 1.0), part=st.floats(0.2, 0.95), power=st.floats(0.5, 0.95))
def test_no_smaller_number_of_pairs_reaches_the_exact_power(discordant, part, power):
    difference = part * discordant
    found = sample_size_paired(discordant, difference, power=power, method="exact")
    assume(found.pairs <= 400)
    assert found.achieved_power >= power
    fewer = [paired_power(n, discordant, difference, method="exact") for n in range(1, found.pairs)]
    assert all(p < power for p in fewer)


@settings(max_examples=40, deadline=None)
@given(discordant=st.floats(0.05, 0.8), margin=st.floats(0.005, 0.2), difference=st.floats(-0.004, 0.004))
def test_mirroring_the_direction_changes_nothing(discordant, margin, difference):
    higher = sample_size_paired(discordant, difference, margin=margin, direction="higher")
    lower = sample_size_paired(discordant, -difference, margin=margin, direction="lower")
    assert higher.unrounded == pytest.approx(lower.unrounded, rel=1e-7)
    assert (higher.alpha, higher.sides) == (0.025, 1)


def test_design_effect_and_inflation_multiply_the_pairs():
    plain = sample_size_paired(0.2, 0.03).unrounded
    assert sample_size_paired(0.2, 0.03, design_effect=2.0, inflation=1.1).unrounded == pytest.approx(
        2.2 * plain
    )
    exact = sample_size_paired(0.2, 0.03, method="exact")
    doubled = sample_size_paired(0.2, 0.03, method="exact", design_effect=2.0)
    assert (doubled.pairs, doubled.achieved_power) == (2 * exact.pairs, exact.achieved_power)


@pytest.mark.parametrize("method", ["connor", "miettinen", "exact"])
def test_the_detectable_difference_is_the_inverse_of_the_power(method):
    found = detectable_paired_difference(1319, 0.27, method=method)
    assert paired_power(1319, 0.27, found.difference, method=method) == pytest.approx(0.8, abs=1e-9)
    assert paired_power(1319, 0.27, found.difference * 0.99, method=method) < 0.8


def test_too_few_pairs_detect_nothing_and_say_so():
    found = detectable_paired_difference(5, 0.2)
    assert (found.difference, found.not_computed) == (None, "no difference reaches power 0.8 with 5 pairs")


def test_the_detectable_share_of_a_number_of_discordant_pairs():
    found = detectable_share(30)
    # two-sided 0.05 rejects from 21 of 30
    assert stats.binom.sf(20, 30, 0.5) < 0.025 < stats.binom.sf(19, 30, 0.5)
    assert stats.binom.sf(20, 30, found.share) == pytest.approx(0.8, abs=1e-9)
    assert found.difference_per_discordant_pair == pytest.approx(2 * found.share - 1)


def test_five_discordant_pairs_cannot_reject():
    found = detectable_share(5)
    assert found.share is None
    assert found.not_computed == "5 discordant pairs cannot reject at alpha 0.05, however they fall"
    assert detectable_share(6).share is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"discordant": 0, "difference": 0.1}, "discordant: 0 is not allowed"),
        ({"discordant": 0.1, "difference": 0.2}, "differ by no more than that"),
        ({"discordant": 0.1}, "difference: 0 is not allowed"),
        ({"discordant": 0.1, "difference": 0.01, "method": "mcnemar"}, "method: 'mcnemar' is unknown"),
        (
            {"discordant": 0.1, "margin": 0.01, "method": "exact"},
            "method: exact is not allowed with a margin",
        ),
        ({"discordant": 0.1, "margin": 0.01, "difference": -0.02}, "at or beyond the margin"),
        ({"discordant": 0.1, "margin": 2}, "margin: 2 is not allowed"),
        ({"discordant": 0.1, "margin": 0.01, "sides": 2}, "sides: 2 is not allowed with a margin"),
        ({"discordant": 0.1, "difference": 0.01, "design_effect": 0}, "design_effect: 0 is not allowed"),
        ({"discordant": 0.1, "difference": 0.01, "power": 1}, "power: 1 is not allowed"),
    ],
)
def test_a_bad_input_is_refused_with_what_to_do(arguments, message):
    with pytest.raises(ValueError) as refusal:
        sample_size_paired(**arguments)
    assert message in str(refusal.value)


def test_a_number_of_pairs_below_one_is_refused():
    with pytest.raises(ValueError, match="pairs: 0"):
        paired_power(0, 0.2, 0.05)
    with pytest.raises(ValueError, match="discordant_pairs: -1"):
        detectable_share(-1)
