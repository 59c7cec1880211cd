"""A locked plan comes back from what was locked alone, whatever has become of the catalogue since."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from experiments.designs.canonical import SCHEMA
from experiments.designs.design import Design, declare, load_design, parse_design, reopen
from experiments.designs.metrics import parse_catalogue
from experiments.forms.documents import canonical_json
from experiments.forms.problems import Invalid
from tests.experiments.designs import CATALOGUE, CATALOGUE_TEXT, NON_INFERIORITY, WRITTEN, design
from tests.experiments.test_design_hash import FULL


def reopened(locked: Design) -> Design:
    """Through JSON, as the registry keeps it."""
    return reopen(json.loads(canonical_json(locked.material)), locked.document.text)


@pytest.mark.parametrize("fields", [WRITTEN, NON_INFERIORITY, FULL], ids=["least", "non-inferiority", "full"])
def test_a_locked_design_reopens_with_the_same_hash_and_the_same_numbers(fields: dict[str, Any]) -> None:
    locked = declare(CATALOGUE, **fields)
    again = reopened(locked)
    assert again.sha256 == locked.sha256
    assert again.material == locked.material
    assert again.plan == locked.plan
    assert [m.label for m in again.measures] == [m.label for m in locked.measures]
    assert again.document.text == locked.document.text


def test_a_design_from_a_file_reopens_from_its_text(tmp_path: Any) -> None:
    file = tmp_path / "design.yaml"
    file.write_text(json.dumps(FULL))
    locked = load_design(file, CATALOGUE)
    assert reopen(locked.material, file.read_text()).sha256 == locked.sha256


def test_a_catalogue_that_changed_since_changes_nothing() -> None:
    """Between the two, versions were added and a baseline, a window and a direction were edited."""
    written = {**WRITTEN, "primary": {"metric": "revenue", "mde": {"relative": 0.05}}}
    locked = declare(CATALOGUE, **written)
    later = parse_catalogue(
        CATALOGUE_TEXT.replace("mean: 3.1, sd: 12", "mean: 9, sd: 99").replace("mean: 410", "mean: 500")
        + "  - {name: revenue, version: 3, type: sum, event: paid, direction: higher, unit: EUR, window: 1d,\n"
        "     baseline: {mean: 1, sd: 1, source: later}}\n"
    )
    assert parse_design(locked.document.text, later).sha256 != locked.sha256
    again = reopened(locked)
    assert again.sha256 == locked.sha256
    assert again.primary.metric.reference == "revenue@2"
    assert again.primary.baseline == locked.primary.baseline


WINDOWS = """
metrics:
  - {name: m, version: 1, type: sum, event: e, direction: higher, unit: EUR, baseline: {mean: 5, sd: 5, source: catalogue}}
  - {name: m, version: 2, type: sum, event: e, direction: higher, unit: EUR, window: 3d,
     baseline: {mean: 6, sd: 5, source: catalogue}}
  - {name: success, version: 1, type: conversion, event: done, direction: higher, baseline: {mean: 0.2, source: catalogue}}
"""


def test_one_metric_with_two_windows_and_two_baselines_keeps_each_where_it_stands() -> None:
    margin = {"margin": {"relative": 0.5}, "reason": "half is what we can bear"}
    own = {"mean": 9, "sd": 2, "source": "own"}
    locked = declare(
        parse_catalogue(WINDOWS),
        **{
            **WRITTEN,
            "window": "7d",
            "guardrails": [
                {"metric": "m@1", "segment": "a", "window": "5d", "baseline": own, **margin},
                {"metric": "m@1", "segment": "b", **margin},
                {"metric": "m", "segment": "b", **margin},
                {"metric": "m", "segment": "c", "window": "4d", **margin},
            ],
            "secondary": {"metrics": ["m", "m@1"]},
        },
    )
    again = reopened(locked)
    assert again.sha256 == locked.sha256
    days = [(g.label, g.window // 86_400, g.baseline.mean if g.baseline else None) for g in again.guardrails]
    assert days == [("m@1 by a", 5, 9), ("m@1 by b", 7, 5), ("m@2 by b", 3, 6), ("m@2 by c", 4, 6)]
    assert [(s.label, s.window // 86_400) for s in again.secondary] == [("m@1", 7), ("m@2", 3)]


def test_a_metric_that_is_covariate_and_secondary_too_reopens() -> None:
    locked = design(
        "primary: {covariates: [{metric: sessions, window: 21d}, {metric: revenue}]}\nsecondary: {metrics: [sessions, revenue@1]}"
    )
    assert reopened(locked).material == locked.material


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("primary", "alpha"), 0.04),
        (("primary", "metric", "direction"), "lower"),
        (("primary", "metric", "catalogue_window"), "1d"),
        (("arms", 0, "name"), "old"),
        (("power", "n_per_arm"), [1, 1]),
        (("guardrails", 0, "margin", "value"), 21),
        (("guardrails", 0, "baseline", "mean"), 411),
        (("anything_else",), "More was said."),
    ],
)
def test_a_text_that_no_longer_resolves_to_what_was_locked_is_refused(
    path: tuple[Any, ...], value: object
) -> None:
    locked = declare(CATALOGUE, **WRITTEN)
    material = deepcopy(locked.material)
    place: Any = material
    for part in path[:-1]:
        place = place[part]
    assert place[path[-1]] != value
    place[path[-1]] = value
    with pytest.raises(Invalid, match=r"locked design|design: \d problem"):
        reopen(material, locked.document.text)


def test_the_refusal_names_what_differs() -> None:
    locked = declare(CATALOGUE, **WRITTEN)
    with pytest.raises(Invalid) as raised:
        reopen({**locked.material, "source": "other", "window": 5}, locked.document.text)
    assert "source, window would differ" in str(raised.value)


def test_a_text_of_another_design_is_refused() -> None:
    locked = declare(CATALOGUE, **WRITTEN)
    other = design("primary: {mde: {absolute: 0.02}}")
    with pytest.raises(
        Invalid,
        match=r"resolves to .*, not to the locked .*: power, primary would differ|primary would differ",
    ):
        reopen(locked.material, other.document.text)


@pytest.mark.parametrize("schema", ["design/0", None])
def test_another_schema_is_refused(schema: str | None) -> None:
    locked = declare(CATALOGUE, **WRITTEN)
    with pytest.raises(Invalid, match=f"is not a schema that this code reads; it reads {SCHEMA}"):
        reopen({**locked.material, "schema": schema}, locked.document.text)
