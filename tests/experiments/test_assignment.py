"""The hash, the shares and the layers."""

import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.assignment import POSITIONS, Assignment, Layer, Range, moved, position, positions

HALVES = Assignment("ranker-2026", (("control", "0.5"), ("treatment", "0.5")))
UNIT_IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.integers()


def test_the_arm_is_the_same_in_a_new_process_with_another_hash_seed() -> None:
    program = (
        "from experiments.assignment import Assignment\n"
        "a = Assignment('ranker-2026', (('control', '0.5'), ('treatment', '0.5')))\n"
        "print(a.arms_of([f'user-{i}' for i in range(200)]))"
    )
    fresh = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert fresh.stdout.strip() == str(HALVES.arms_of([f"user-{i}" for i in range(200)]))


@given(units=st.lists(UNIT_IDS, max_size=20))
def test_many_units_get_the_same_positions_and_arms_as_each_alone(units: list[str | int]) -> None:
    three = Assignment("s", (("control", "0.2"), ("a", "0.3"), ("b", "0.5")), Layer("l", "0.1", "0.7"))
    assert positions("s", units).tolist() == [position("s", unit) for unit in units]
    assert three.arms_of(units) == [three.arm_of(unit) for unit in units]


def test_an_integer_and_its_decimal_text_are_one_unit_and_a_padded_text_is_another() -> None:
    assert position("s", 42) == position("s", "42") == position("s", int(np.int64(42)))
    assert positions("s", np.array([42, 7]).tolist()).tolist() == [position("s", "42"), position("s", "7")]
    assert position("s", "042") != position("s", "42")
    assert position("s", 2**53 + 1) == position("s", "9007199254740993")


@pytest.mark.parametrize("unit", ["", None, 1.0, float("nan"), True, b"user-1", ("user", 1)])
def test_a_missing_empty_or_inexact_unit_is_an_error_and_never_an_arm(unit: object) -> None:
    with pytest.raises(ValueError, match="give a non-empty text, or an integer"):
        HALVES.arm_of(unit)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="give a non-empty text, or an integer"):
        HALVES.arms_of(["user-1", unit])  # type: ignore[list-item]


def test_boundaries_are_the_floors_of_exact_cumulative_shares() -> None:
    tenths = Assignment("s", tuple((f"arm{i}", "0.1") for i in range(10)))
    # In doubles 0.1 added three times is 0.30000000000000004, whose boundary is one too high.
    assert [owned.low for owned in tenths.ranges] == [i * POSITIONS // 10 for i in range(10)]
    assert tenths.ranges[-1].high == POSITIONS


@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=8))
def test_the_ranges_of_any_shares_cover_every_position_once(weights: list[int]) -> None:
    shares = [Fraction(weight, sum(weights)) for weight in weights]
    ranges = Assignment("s", tuple((f"arm{i}", share) for i, share in enumerate(shares))).ranges
    assert ranges[0].low == 0
    assert ranges[-1].high == POSITIONS
    assert all(left.high == right.low for left, right in pairwise(ranges))
    assert all(abs(r.share - share) < Fraction(1, POSITIONS) for r, share in zip(ranges, shares, strict=True))


@pytest.mark.parametrize("tenth", ["0.1", "1/10", Decimal("0.1"), Fraction(1, 10), 0.1, np.float64(0.1)])
def test_every_way_to_write_a_share_means_the_same_assignment(tenth: Fraction) -> None:
    rest = Fraction(9, 10)
    assert Assignment("s", (("control", rest), ("treatment", tenth))) == Assignment(
        "s", (("control", "0.9"), ("treatment", "0.1"))
    )


def test_thirds_can_be_declared_exactly() -> None:
    thirds = Assignment("s", (("control", "1/3"), ("a", "1/3"), ("b", "1/3")))
    assert thirds.ranges[1] == Range(POSITIONS // 3, 2 * POSITIONS // 3)


def test_all_problems_of_an_assignment_are_told_at_once() -> None:
    with pytest.raises(ValueError) as told:
        Assignment(" s", (("control", 0.5), ("control", "half"), ("", 0)))
    assert str(told.value).splitlines() == [
        "salt: ' s' is not allowed; give printable text without spaces at its ends",
        "arms[1].name: 'control' is used twice; give every arm its own name",
        "arms[1].share: 'half' is not allowed; give a decimal above 0 and below 1,"
        " and leave out an arm that gets nobody",
        "arms[2].name: '' is not allowed; give printable text without spaces at its ends",
        "arms[2].share: 0 is not allowed; give a decimal above 0 and below 1,"
        " and leave out an arm that gets nobody",
    ]


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ((("control", "0.5"), ("treatment", "0.4")), "add up to 1 -0.1;"),
        ((("control", 1 / 3), ("a", 1 / 3), ("b", 1 / 3)), "a third is '1/3'"),
        ((("control", 1),), "give at least two, control first"),
        ((("control", "nan"), ("treatment", "0.5")), r"arms\[0\].share: 'nan' is not allowed"),
        ((("control", float("inf")), ("treatment", "0.5")), r"arms\[0\].share: inf is not allowed"),
        ((("control", True), ("treatment", "0.5")), r"arms\[0\].share: True is not allowed"),
        ((("control", "1/0"), ("treatment", "0.5")), r"arms\[0\].share: '1/0' is not allowed"),
        ((("control", Fraction(1, 2**60)), ("t", 1 - Fraction(1, 2**60))), "owns no position"),
    ],
)
def test_shares_that_are_not_exactly_everybody_are_refused(
    arms: tuple[tuple[str, float], ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Assignment("s", arms)


@pytest.mark.parametrize("salt", ["layer", "layer:search"])
def test_a_salt_that_would_follow_a_layer_is_refused(salt: str) -> None:
    with pytest.raises(ValueError, match="independent of the arms"):
        Assignment(salt, (("control", "0.5"), ("treatment", "0.5")))


@pytest.mark.parametrize(("start", "end"), [("0.5", "0.5"), ("0.6", "0.5"), (-0.1, 1), (0, "1.01"), ("x", 1)])
def test_slots_outside_the_layer_are_refused(start: str, end: str) -> None:
    with pytest.raises(ValueError, match="0 <= start < end <= 1"):
        Layer("search", start, end)


def test_disjoint_slots_of_a_layer_never_share_a_unit_and_together_hold_everybody() -> None:
    slots = [Layer("search", "0", "1/3"), Layer("search", "1/3", "0.7"), Layer("search", "0.7", "1")]
    held = [[slot.holds(f"user-{i}") for slot in slots] for i in range(3_000)]
    assert all(sum(row) == 1 for row in held)
    assert not slots[0].overlaps(slots[1])
    assert Layer("search", "0", "0.34").overlaps(slots[1])
    assert Layer("ads", "0", "1/3").overlaps(slots[1])


def test_a_treatment_of_one_percent_lies_inside_the_treatment_of_five() -> None:
    one, five = (
        Assignment("s", (("control", control), ("treatment", share)))
        for control, share in (("0.99", "0.01"), ("0.95", "0.05"))
    )
    units = [f"user-{i}" for i in range(20_000)]
    treated_at_one = {unit for unit in units if one.arm_of(unit) == "treatment"}
    treated_at_five = {unit for unit in units if five.arm_of(unit) == "treatment"}
    assert treated_at_one < treated_at_five
    # The two boundaries are each rounded down to a position, hence "almost" 4 %.
    assert moved(one, five).keys() == {("control", "treatment")}
    assert abs(moved(one, five)["control", "treatment"] - Fraction(4, 100)) < Fraction(1, POSITIONS)


def test_a_wider_slot_brings_units_in_and_moves_none_between_arms() -> None:
    arms = (("control", "0.5"), ("a", "0.25"), ("b", "0.25"))
    narrow = Assignment("s", arms, Layer("search", 0, "0.02"))
    wide = Assignment("s", arms, Layer("search", 0, "0.10"))
    assert {before for before, _ in moved(narrow, wide)} == {None}
    units = [f"user-{i}" for i in range(20_000)]
    assert all(wide.arm_of(unit) == narrow.arm_of(unit) for unit in units if narrow.arm_of(unit))


def test_growing_both_of_two_treatments_moves_units_between_them() -> None:
    before = Assignment("s", (("control", "0.8"), ("a", "0.1"), ("b", "0.1")))
    after = Assignment("s", (("control", "0.6"), ("a", "0.2"), ("b", "0.2")))
    assert ("a", "b") in moved(before, after)


CHANGES = [
    (Assignment("s", (("c", "0.6"), ("t", "0.4"))), Assignment("s", (("c", "0.6"), ("t", "0.4")))),
    (Assignment("s", (("c", "0.6"), ("t", "0.4"))), Assignment("s2", (("c", "0.6"), ("t", "0.4")))),
    (
        Assignment("s", (("c", "0.6"), ("t", "0.4")), Layer("l", "0.1", "0.5")),
        Assignment("s", (("c", "0.3"), ("t", "0.7")), Layer("l", "0.3", "0.9")),
    ),
    (
        Assignment("s", (("c", "0.6"), ("t", "0.4")), Layer("l", "0.1", "0.5")),
        Assignment("s2", (("t", "0.3"), ("c", "0.7")), Layer("m", "0.3", "0.9")),
    ),
    (
        Assignment("s", (("c", "0.6"), ("t", "0.4"))),
        Assignment("s", (("c", "0.5"), ("t", "0.5")), Layer("l", 0, 0.2)),
    ),
]


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_the_moved_shares_are_those_counted_on_units(before: Assignment, after: Assignment) -> None:
    n = 40_000
    units = [f"user-{i}" for i in range(n)]
    counted: dict[tuple[str | None, str | None], int] = {}
    for change in zip(before.arms_of(units), after.arms_of(units), strict=True):
        counted[change] = counted.get(change, 0) + 1
    expected = moved(before, after)
    for change in {*counted, *expected}:
        if change[0] == change[1]:
            continue
        share = float(expected.get(change, Fraction(0)))
        # 4.5 standard errors: about 1 in 150,000 a comparison, and the units are fixed.
        assert abs(counted.get(change, 0) / n - share) <= 4.5 * (share * (1 - share) / n) ** 0.5
