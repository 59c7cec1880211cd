"""The difference of two plans, field by field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.canonical import canonical_json, sha256_of
from registry.lifecycle.paths import differences

SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text("ab", max_size=2)
NAMES = st.sampled_from(["name", "metric", "margin", "(order)", "a"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)


@given(DOCUMENTS, DOCUMENTS)
def test_two_documents_differ_in_a_field_exactly_when_their_hashes_differ(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert bool(differences(old, new)) is (sha256_of(old) != sha256_of(new))


@given(DOCUMENTS, DOCUMENTS)
def test_the_difference_back_has_old_and_new_swapped(old: dict[str, Any], new: dict[str, Any]) -> None:
    there = {(c.path, canonical_json(c.old), canonical_json(c.new)) for c in differences(old, new)}
    back = {(c.path, canonical_json(c.new), canonical_json(c.old)) for c in differences(new, old)}
    assert there == back


def test_a_new_guardrail_in_front_leaves_the_others_alone() -> None:
    latency = {"metric": {"name": "latency"}, "alpha": 0.025}
    errors = {"metric": {"name": "errors"}, "alpha": 0.025}
    changes = differences({"guardrails": [latency]}, {"guardrails": [errors, latency]})
    assert [(change.name, change.kind.value) for change in changes] == [
        ("guardrails.(order)", "changed"),
        ("guardrails.errors.alpha", "added"),
        ("guardrails.errors.metric.name", "added"),
    ]


def test_arms_that_change_places_differ() -> None:
    control, treatment = {"name": "control"}, {"name": "treatment"}
    (change,) = differences({"arms": [control, treatment]}, {"arms": [treatment, control]})
    assert change.name == "arms.(order)"


def test_numbers_that_are_written_differently_are_different_documents() -> None:
    assert sha256_of({"n": 1}) != sha256_of({"n": 1.0})
    assert sha256_of({"n": True}) != sha256_of({"n": 1})


def test_the_canonical_form_is_the_documented_one() -> None:
    assert canonical_json({"b": [1, 2.5, None], "a": "é"}) == '{"a":"é","b":[1,2.5,null]}'
    # echo -n '{"a":"é","b":[1,2.5,null]}' | sha256sum
    assert sha256_of({"b": [1, 2.5, None], "a": "é"}) == (
        "d764fee2563da33e3d57334755404e635da33c995824b0adfabc4b6e1af4f608"
    )


def test_designs_and_the_registry_write_documents_the_same_way() -> None:
    documents = pytest.importorskip("experiments.forms.documents")
    material = {"b": [1, 2.5, None, {"z": "é"}], "a": True}
    assert documents.canonical_json(material) == canonical_json(material)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        canonical_json({"x": value})


def test_keys_that_are_not_text_are_refused() -> None:
    with pytest.raises(TypeError, match="is not text"):
        canonical_json({1: "one"})
