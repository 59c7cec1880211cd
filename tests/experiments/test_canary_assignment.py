"""Who meets the candidate: the low end of the hash, control from the other end, nobody ever moved."""

from __future__ import annotations

from fractions import Fraction

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from experiments.assignment.hashing import POSITIONS, position
from experiments.canaries.assignment import (
    CanaryAssignment,
    assignment_at,
    canary_arm_sql,
    canary_audit_sql,
)
from experiments.rollouts.routing import canary_slices
from tests.experiments.canary_logs import Canary, Truth

SHARES = st.fractions(Fraction(1, 1000), Fraction(1, 2), max_denominator=1000)
UNITS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


VECTORS = [
    # SHA-256 of "ranker-v8:UNIT", first 13 hexadecimal digits, by coreutils' sha256sum; then the arm at 1, 5, 25 and 50 %
    ("user-52", "01e74cc4da15f", ("candidate", "candidate", "candidate", "candidate")),
    ("user-218", "0b5506656df09", (None, "candidate", "candidate", "candidate")),
    ("é", "3138c8bd44cac", (None, None, "candidate", "candidate")),
    ("user-143", "801a2d8969b0d", (None, None, None, "control")),
    ("42", "cfd574215925c", (None, None, "control", "control")),
    ("user-58", "fdd2a8e42a107", ("control", "control", "control", "control")),
]


@pytest.mark.parametrize(("unit", "digits", "arms"), VECTORS)
def test_vectors_that_any_service_can_repeat(unit: str, digits: str, arms: tuple[str | None, ...]) -> None:
    assert position("ranker-v8", unit) == int(digits, 16)
    shares = (Fraction(share) for share in ("0.01", "0.05", "0.25", "0.5"))
    assert tuple(CanaryAssignment("ranker-v8", share).arm_of(unit) for share in shares) == arms


@given(UNITS, SHARES, SHARES)
def test_nobody_is_ever_moved_when_the_share_grows(unit: str, one: Fraction, other: Fraction) -> None:
    small, large = sorted((one, other))
    before = CanaryAssignment("salt", small).arm_of(unit)
    after = CanaryAssignment("salt", large).arm_of(unit)
    assert before is None or before == after


@given(SHARES)
def test_control_is_as_large_as_the_candidate_and_at_the_other_end(share: Fraction) -> None:
    found = CanaryAssignment("salt", share)
    assert found.candidate_range.low == 0
    assert found.control_range.high == POSITIONS
    assert found.candidate_range.share == found.control_range.share
    assert found.candidate_range.shared_with(found.control_range) == 0
    assert abs(found.candidate_range.share - share) < Fraction(1, 2**50)


def test_at_a_half_everybody_is_in_the_canary() -> None:
    found = CanaryAssignment("salt", Fraction(1, 2))
    assert None not in found.arms_of([f"u{i}" for i in range(500)])


@given(st.lists(st.one_of(UNITS, st.integers()), min_size=1, max_size=30), SHARES)
def test_many_units_at_once_are_the_units_one_by_one(units: list[str | int], share: Fraction) -> None:
    found = CanaryAssignment("salt", share)
    assert found.arms_of(units) == [found.arm_of(unit) for unit in units]


@given(SHARES)
def test_the_serving_side_is_told_the_same_slices(share: Fraction) -> None:
    candidate, control = canary_slices(share, ("candidate", "v8"), ("control", "v7"))
    found = CanaryAssignment("salt", share)
    assert (candidate.low, candidate.high) == (found.candidate_range.low, found.candidate_range.high)
    assert (control.low, control.high) == (found.control_range.low, found.control_range.high)


@pytest.mark.parametrize("share", ["0.001", "0.01", "0.05", "0.25", "0.5", "1/3"])
def test_sql_and_python_agree_on_every_unit(share: str) -> None:
    found = CanaryAssignment("a salt's: own", Fraction(share), "control", "it's new")
    units = [f"user-{i}" for i in range(3_000)] + ["", "é", "user 1"]
    sql = canary_arm_sql(exp.column("unit"), found).sql("duckdb")
    rows = duckdb.execute(f"SELECT {sql} FROM (SELECT unnest(?) AS unit) AS units", [units]).fetchall()
    assert [arm for (arm,) in rows] == [None if unit == "" else found.arm_of(unit) for unit in units]


def test_the_audit_tells_a_logged_arm_that_is_not_the_hashs() -> None:
    found = CanaryAssignment("salt", Fraction(1, 10))
    units = [f"user-{i}" for i in range(400)]
    arms = found.arms_of(units)
    told = [(unit, arm or "candidate") for unit, arm in zip(units, arms, strict=True)] + [("", "control")]
    sql = canary_audit_sql(exp.column("unit"), exp.column("arm"), found).sql("duckdb")
    rows = duckdb.execute(
        f"SELECT {sql} FROM (SELECT unnest(?) AS unit, unnest(?) AS arm) AS logged",
        [[unit for unit, _ in told], [arm for _, arm in told]],
    ).fetchall()
    expected = ["agrees" if arm is not None else "disagrees" for arm in arms] + ["no_unit"]
    assert [result for (result,) in rows] == expected


def test_every_problem_of_an_assignment_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="share") as refused:
        CanaryAssignment("", Fraction(3, 5), "x", "x")
    said = str(refused.value)
    assert "salt: '' is not allowed" in said
    assert "share: 0.6 is not allowed" in said
    assert "'x' is the name of control as well" in said


def test_a_layers_salt_gives_the_places_of_that_layer() -> None:
    """So that a later A/B test can take the part of the layer that holds nobody of the canary."""
    found = CanaryAssignment("layer:ranking", Fraction(1, 20))
    assert {found.arm_of(f"u{i}") for i in range(2_000)} == {"control", "candidate", None}


def test_each_step_has_the_slices_of_its_share() -> None:
    design = Canary(Truth(units_per_day=10, days=1)).design
    assert [assignment_at(design, step).share for step in (1, 2)] == [Fraction(1, 20), Fraction(1, 5)]
    with pytest.raises(ValueError, match="step: 3 is not allowed; give 1 to 2"):
        assignment_at(design, 3)
