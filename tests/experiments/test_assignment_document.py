"""docs/assignment.md is what other services implement: its numbers and its code are checked here."""

import re
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest

from experiments.assignment import STATES, Assignment, Layer, position

DOCUMENT = (Path(__file__).parents[2] / "docs" / "assignment.md").read_text(encoding="utf-8")


def table_rows(first_heading: str) -> list[list[str]]:
    """Return the cells of the table whose first column has this heading."""
    lines = DOCUMENT.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_heading} |")) + 2
    rows = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return rows


def reference_digits(salt: str, unit: str) -> str:
    """The two first steps of the document, apart from the code under test."""
    return sha256(salt.encode("utf-8") + b":" + unit.encode("utf-8")).hexdigest()[:13]


@pytest.mark.parametrize("row", table_rows("salt"))
def test_each_vector_of_the_document_holds(row: list[str]) -> None:
    salt, unit, digits, place, halves, three = row
    assert reference_digits(salt, unit) == digits
    assert int(digits, 16) == int(place) == position(salt, unit)
    assert Assignment(salt, (("control", "0.5"), ("treatment", "0.5"))).arm_of(unit) == halves
    arms = (("control", "0.34"), ("small", "0.33"), ("large", "0.33"))
    assert Assignment(salt, arms).arm_of(unit) == three


@pytest.mark.parametrize("row", table_rows("layer"))
def test_each_layer_vector_of_the_document_holds(row: list[str]) -> None:
    name, unit, digits, place, first, second = row
    assert reference_digits(f"layer:{name}", unit) == digits
    assert int(digits, 16) == int(place)
    assert Layer(name, 0, "0.25").holds(unit) == (first == "yes")
    assert Layer(name, "0.25", "0.60").holds(unit) == (second == "yes")


def test_the_vectors_reach_every_arm_and_both_sides_of_each_slot() -> None:
    vectors, layers = table_rows("salt"), table_rows("layer")
    assert {row[4] for row in vectors} == {"control", "treatment"}
    assert {row[5] for row in vectors} == {"control", "small", "large"}
    assert {(row[4], row[5]) for row in layers} == {("yes", "no"), ("no", "yes"), ("no", "no")}
    assert any(not row[1].isascii() for row in vectors)
    assert any(not row[0].isascii() for row in vectors)


def test_the_stated_boundaries_are_those_of_the_code() -> None:
    stated = re.search(r"boundaries of \*three\* are (\d+) \(0.34\) and (\d+) \(0.67\)", DOCUMENT)
    assert stated is not None
    ranges = Assignment("s", (("control", "0.34"), ("small", "0.33"), ("large", "0.33"))).ranges
    assert [int(number) for number in stated.groups()] == [ranges[0].high, ranges[1].high]


def test_the_documents_own_python_gives_the_same_arms() -> None:
    program = re.search(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    assert program is not None
    names: dict[str, object] = {}
    exec(program.group(1), names)
    arms = (("control", "0.1"), ("a", "1/3"), ("b", Fraction(17, 30)))
    assignment = Assignment("größe", arms)
    for i in range(2_000):
        assert names["arm"]("größe", f"ü{i}", arms) == assignment.arm_of(f"ü{i}")  # type: ignore[operator]


def test_the_table_of_answers_names_every_state() -> None:
    stated = {word.split(":")[0] for row in table_rows("state") for word in row[0].split(", ")}
    assert set(STATES) <= stated
