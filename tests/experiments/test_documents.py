"""YAML with line numbers in, canonical JSON and its hash out."""

from __future__ import annotations

import hashlib
import math
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.forms.documents import (
    canonical_json,
    document_of,
    parse_document,
    read_document,
    scan_document,
    sha256_of,
)
from experiments.forms.problems import Invalid


def faults(text: str) -> list[str]:
    with pytest.raises(Invalid) as raised:
        parse_document(text, "design", file="design.yaml")
    return [str(problem) for problem in raised.value.problems]


def test_values_are_plain_and_every_path_has_its_line() -> None:
    document = parse_document(
        "title: Ranker\narms:\n  - name: control\n    share: 0.50\n  - {name: treatment}\nwindow:\n  7d\n",
        "design",
    )
    assert document.body == {
        "title": "Ranker",
        "arms": [{"name": "control", "share": 0.5}, {"name": "treatment"}],
        "window": "7d",
    }
    assert document.lines == {
        ("title",): 1,
        ("arms",): 2,
        ("arms", 0): 3,
        ("arms", 0, "name"): 3,
        ("arms", 0, "share"): 4,
        ("arms", 1): 5,
        ("arms", 1, "name"): 5,
        ("window",): 6,
    }
    assert document.line(("arms", 0, "version")) == 3  # not written: where its parent stands
    assert document.line(("hypothesis", "because")) is None


@pytest.mark.parametrize(
    ("scalar", "expected"),
    [
        ("1_000", 1000),
        ("-12", -12),
        ("+12", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("007", 7),
        ("1e-3", 0.001),
        ("0.50", 0.5),
        ("-.inf", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("no", "no"),
        ("~", None),
        ("", None),
        ("null", None),
        ("2026-11-03", "2026-11-03"),
        ("2026-02-30", "2026-02-30"),
        ("50%", "50%"),
        ("1/2", "1/2"),
        ("1:30", "1:30"),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
        ("é", "é"),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(scalar: str, expected: object) -> None:
    found = parse_document(f"a: {scalar}", "design").body["a"]
    assert (found, type(found)) == (expected, type(expected))


def test_not_a_number_is_read_and_left_to_the_field_to_refuse() -> None:
    assert math.isnan(parse_document("a: .nan", "design").body["a"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["design.yaml:1: (document): expected named fields, found nothing"]),
        ("# only a comment\n", ["design.yaml:1: (document): expected named fields, found nothing"]),
        ("- a\n- b\n", ["design.yaml:1: (document): expected named fields, found a list"]),
        ("Ranker", ["design.yaml:1: (document): expected named fields, found a single value"]),
        (
            "a: 1\nb: {c: 1, c: 2}\na: 3\na: 4\n",
            [
                "design.yaml:2: b.c: is written twice (first on line 2); keep one",
                "design.yaml:3: a: is written twice (first on line 1); keep one",
                "design.yaml:4: a: is written twice (first on line 1); keep one",
            ],
        ),
        (
            "a:\n\tb: 1\n",
            [
                "design.yaml:2: (document): not valid YAML: found character '\\t' that cannot start any token "
                "(indent with spaces, not with tabs)"
            ],
        ),
        (
            "a: b: c\n",
            [
                "design.yaml:1: (document): not valid YAML: mapping values are not allowed here (quote text that holds ': ')"
            ],
        ),
        (
            "a: @b\n",
            [
                "design.yaml:1: (document): not valid YAML: found character '@' that cannot start any token "
                "(quote text that starts with a reserved sign)"
            ],
        ),
        (
            "a: 1\n---\nb: 2\n",
            [
                "design.yaml:2: (document): not valid YAML: but found another document (write one document a file)"
            ],
        ),
        ("a: &loop [*loop]\n", ["design.yaml:1: a[0]: refers to itself (&loop)"]),
        (
            "base: &base {a: 1}\nb: {<<: *base}\n",
            ["design.yaml:2: b.<<: merging fields with << is not supported; write them out"],
        ),
        (
            "a: !secret 3\nb: !!int three\n",
            [
                "design.yaml:1: a: '3' has the tag !secret; write plain text or a number",
                "design.yaml:2: b: 'three' is not a YAML int",
            ],
        ),
        ("? [a]\n: b\n", ["design.yaml:1: (document): a field's name is one word, not a list or a group"]),
        ('a: "\\ud800"\n', ["design.yaml:1: a: holds half of a surrogate pair; write the character itself"]),
        (
            "a: \x01\n",
            [
                "design.yaml: (document): not valid YAML: unacceptable character #x0001: special characters are not allowed"
            ],
        ),
        (
            "a: " + "[" * 1_200,
            ["design.yaml: (document): not valid YAML: lists or fields are nested too deep"],
        ),
    ],
)
def test_what_is_no_plain_document_says_why_and_where(text: str, expected: list[str]) -> None:
    assert faults(text) == expected


def test_an_anchor_used_twice_is_two_values() -> None:
    assert parse_document("a: &x [1]\nb: *x\n", "design").body == {"a": [1], "b": [1]}


def test_a_scanned_document_keeps_its_faults_beside_the_first_of_each_duplicate() -> None:
    document = scan_document("a: 1\na: 2\n", "design")
    assert document.body == {"a": 1}
    assert [str(fault) for fault in document.faults] == ["2: a: is written twice (first on line 1); keep one"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for content, reason in ((None, "cannot be read: No such file"), (b"a: \xff", "is not UTF-8 text")):
        file = tmp_path / "design.yaml"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(Invalid) as raised:
            read_document(file, "design")
        (problem,) = raised.value.problems
        assert str(problem).startswith(f"{file}: (document): {reason}")


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "design.yaml"
    file.write_bytes("a: 1\r\nb: é\r\n".encode("utf-8-sig"))
    document = read_document(file, "design")
    assert document.body == {"a": 1, "b": "é"}
    assert document.lines[("b",)] == 2


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text("abc", min_size=1), JSON, max_size=4))
def test_the_text_of_a_document_from_python_parses_to_the_same_values(fields: dict[str, Any]) -> None:
    document = document_of(fields, "design")
    assert document.body == fields
    assert canonical_json(parse_document(document.text, "design").body) == canonical_json(fields)


def test_python_values_are_written_as_a_file_would() -> None:
    document = document_of(
        {"a": Fraction(1, 3), "b": timedelta(days=7), "c": date(2026, 11, 3), "d": (1, 2)}, "design"
    )
    assert document.body == {"a": "1/3", "b": "604800s", "c": "2026-11-03", "d": [1, 2]}


def test_python_values_that_no_file_holds_are_all_named() -> None:
    with pytest.raises(Invalid) as raised:
        document_of({"a": {1}, "b": [b"x"], "c": "\ud800"}, "design")
    assert [problem.path for problem in raised.value.problems] == [("a",), ("b", 0), ("c",)]


@given(JSON)
def test_the_hash_is_that_of_the_canonical_json(value: Any) -> None:
    assert sha256_of(value) == hashlib.sha256(canonical_json(value).encode()).hexdigest()


def test_canonical_json_sorts_keys_spares_spaces_and_has_no_nan() -> None:
    assert canonical_json({"b": [1, 2.5, None, True], "a": "é"}) == '{"a":"é","b":[1,2.5,null,true]}'
    with pytest.raises(ValueError):
        canonical_json({"a": math.nan})
