"""The hash behaves as chance does: uniform, and independent between salts and layers.

Every test runs on fixed ids, so its result is fixed too. The limit is a p-value of 1e-4 for each of a few
dozen tests: a correct hash had about one chance in 200 to fail when the salts were chosen.
"""

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare, kstest

from experiments.assignment import POSITIONS, Assignment, Layer, positions

N = 40_000
FAMILIES = {
    "consecutive numbers": list(range(N)),
    "numbered names": [f"user-{i}" for i in range(N)],
    "multiples of 1024": [i * 1024 for i in range(N)],
    "long ids that differ in one place": [f"0000-4000-8000-{i:08x}-ffffffffffff" for i in range(N)],
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("salt", ["EXP-0001", "EXP-0002", "layer:search"])
def test_positions_are_uniform(salt: str, family: str) -> None:
    places = positions(salt, FAMILIES[family])
    assert places.min() >= 0
    assert places.max() < POSITIONS
    cells = np.bincount((places * 100) // POSITIONS, minlength=100)
    assert chisquare(cells).pvalue > 1e-4
    assert kstest(places / POSITIONS, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("bit", [0, 1, 2, 25, 50, 51])
def test_single_bits_of_a_position_are_fair(bit: int) -> None:
    ones = int(((positions("EXP-0001", FAMILIES["numbered names"]) >> bit) & 1).sum())
    assert chisquare([ones, N - ones]).pvalue > 1e-4


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("EXP-0001", "EXP-0002"),
        ("EXP-0001", "EXP-0001b"),
        ("a", "b"),
        ("layer:search", "layer:ads"),
        ("layer:search", "search"),
    ],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_positions_under_two_salts_are_independent(first: str, second: str, family: str) -> None:
    one, other = ((positions(salt, FAMILIES[family]) * 10) // POSITIONS for salt in (first, second))
    table = np.bincount(one * 10 + other, minlength=100).reshape(10, 10)
    assert chi2_contingency(table).pvalue > 1e-4


def test_neighbouring_ids_do_not_follow_one_another() -> None:
    cells = (positions("EXP-0001", FAMILIES["consecutive numbers"]) * 10) // POSITIONS
    table = np.bincount(cells[:-1] * 10 + cells[1:], minlength=100).reshape(10, 10)
    assert chi2_contingency(table).pvalue > 1e-4


def test_a_layers_slots_leave_the_planned_shares_and_the_arms_of_others_alone() -> None:
    units = FAMILIES["numbered names"]
    here = Assignment("EXP-0001", (("control", "0.7"), ("treatment", "0.3")), Layer("search", "0.2", "0.6"))
    there = Assignment("EXP-0002", (("control", "0.5"), ("treatment", "0.5")), Layer("ads", "0.5", 1))
    arms, other_arms = here.arm_indices(units), there.arm_indices(units)
    counts = np.bincount(arms + 1, minlength=3)
    assert chisquare(counts, np.array([0.6, 0.4 * 0.7, 0.4 * 0.3]) * N).pvalue > 1e-4
    table = np.bincount((arms + 1) * 3 + other_arms + 1, minlength=9).reshape(3, 3)
    assert chi2_contingency(table).pvalue > 1e-4
