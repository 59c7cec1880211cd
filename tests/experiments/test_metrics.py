# ruff: noqa: E501 - a message is one line
"""The catalogue of metrics: a closed vocabulary with versions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.designs.metrics import (
    BINARY,
    NO_EVENTS_DEFAULT,
    Catalogue,
    Metric,
    load_catalogue,
    parse_catalogue,
    parts_of,
)
from experiments.forms.problems import Invalid
from tests.experiments.designs import CATALOGUE

TABLE = r"""
{type: count, event: view, drection: lower}
=> metrics[0].drection: 'drection' is not a field here. Did you mean 'direction'? Allowed: at_least, baseline, cap, centre, decimals, denominator, direction, event, meaning, name, no_events, null_values, numerator, quantile, starts, type, unit, version, window.

{type: rate, event: view}
=> metrics[0].type: 'rate' is not allowed here. Did you mean 'ratio'? Allowed: count, sum, mean, proportion, conversion, retention, ratio, quantile.

{type: count, event: view, direction: up}
=> metrics[0].direction: 'up' is not allowed here. Allowed: higher, lower.

{type: count}
=> metrics[0].event: is missing: which event (or wide column) the count is made of

{type: count, event: ""}
=> metrics[0].event: '' is not allowed; give at least 1 character (which event (or wide column); not for a ratio)

{type: count, event: SELECT 1, sql: SELECT 1}
=> metrics[0].sql: 'sql' is not a field here. Allowed: at_least, baseline, cap, centre, decimals, denominator, direction, event, meaning, name, no_events, null_values, numerator, quantile, starts, type, unit, version, window.

{type: ratio}
=> metrics[0].numerator: is missing: a ratio needs numerator and denominator, each with an event
=> metrics[0].denominator: is missing: a ratio needs numerator and denominator, each with an event

{type: ratio, event: view, numerator: {event: click}, denominator: {event: view}}
=> metrics[0].event: a ratio names its events in numerator and denominator; leave event out

{type: ratio, numerator: {event: click, agregate: sum}, denominator: view}
=> metrics[0].numerator.agregate: 'agregate' is not a field here. Did you mean 'aggregate'? Allowed: aggregate, cap, event.
=> metrics[0].denominator: 'view' is not allowed; give a group of fields (aggregate, cap, event) (ratio only)

{type: sum, event: paid, numerator: {event: click}}
=> metrics[0].numerator: belongs to a ratio, not to a sum

{type: ratio, cap: 5, numerator: {event: click}, denominator: {event: view}}
=> metrics[0].cap: has no meaning for a ratio; cap its parts instead

{type: conversion, event: bought, cap: 1}
=> metrics[0].cap: has no meaning for a conversion

{type: conversion, event: bought, at_least: 0}
=> metrics[0].at_least: 0 is not allowed; give at least 1 (conversion only: how many events make one)

{type: count, event: bought, at_least: 2}
=> metrics[0].at_least: belongs to a conversion, not to a count

{type: retention, event: session}
=> metrics[0].starts: is missing: from when on an event counts as a return, for example 7d

{type: retention, event: session, starts: 7d, window: 7d}
=> metrics[0].window: 7d is not allowed; it must be longer than starts 7d

{type: count, event: session, starts: 7d}
=> metrics[0].starts: belongs to a retention, not to a count

{type: quantile, event: ms}
=> metrics[0].quantile: is missing: the level, for example 0.95

{type: quantile, event: ms, quantile: 95}
=> metrics[0].quantile: 95 is not allowed; give less than 1 (quantile only: its level, 0.95)

{type: mean, event: ms, quantile: 0.95}
=> metrics[0].quantile: belongs to a quantile, not to a mean

{type: proportion, event: done, baseline: {mean: 20, source: October}}
=> metrics[0].baseline.mean: 20 is not allowed; a yes/no metric's baseline lies between 0 and 1

{type: sum, event: paid, baseline: {mean: .nan, sd: -1}}
=> metrics[0].baseline.mean: .nan is not allowed; give a finite number (per unit; of a ratio or quantile its value)
=> metrics[0].baseline.sd: -1 is not allowed; give more than 0 (per unit; of a ratio or quantile that of its linearised form; a yes/no metric needs none)
=> metrics[0].baseline.source: is missing (the period and the data it was read from)

{type: sum, event: paid, window: 7}
=> metrics[0].window: 7 has no unit; write a number with s, m, h, d or w, for example 7d

{type: sum, event: paid, window: 0s}
=> metrics[0].window: '0s' is not allowed; give more than 0s (how long outcomes count from first exposure; default: the design's)

{type: sum, event: paid, decimals: 12}
=> metrics[0].decimals: 12 is not allowed; give at most 9 (decimals of a logged value that are kept, exactly)

{type: sum, event: paid, no_events: skip}
=> metrics[0].no_events: 'skip' is not allowed here. Allowed: zero, missing.

{type: sum, event: paid, version: 0}
=> metrics[0].version: 0 is not allowed; give at least 1 (1, 2, …; name@version is what a design pins)

{type: sum, event: paid, version: 1.5}
=> metrics[0].version: 1.5 is not allowed; give a whole number (1, 2, …; name@version is what a design pins)

{type: sum, event: paid, name: Revenue}
=> metrics[0].name: 'Revenue' is not allowed; use small letters, digits and _, starting with a letter, at most 63

{type: sum, event: paid, quantile: 0.5, at_least: 3, starts: 1d, decimals: many}
=> metrics[0].decimals: 'many' is not allowed; give a whole number (decimals of a logged value that are kept, exactly)
=> metrics[0].quantile: belongs to a quantile, not to a sum
=> metrics[0].at_least: belongs to a conversion, not to a sum
=> metrics[0].starts: belongs to a retention, not to a sum
"""
"""A metric (name m, version 1 and direction higher unless it says so), and every message it gives."""


def _rows(table: str) -> list[tuple[str, list[str]]]:
    rows = []
    for block in re.split(r"\n{2,}", table.strip()):
        metric, *expected = block.splitlines()
        rows.append((metric, [line.removeprefix("=> ") for line in expected]))
    return rows


def catalogue_with(metric: str) -> str:
    body = metric[1:-1]
    for name, value in (("name", "m"), ("version", "1"), ("direction", "higher")):
        if f"{name}:" not in body:
            body = f"{name}: {value}, {body}"
    return f"metrics: [{{{body}}}]"


def faults(text: str) -> list[str]:
    with pytest.raises(Invalid) as raised:
        parse_catalogue(text)
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize(("metric", "expected"), _rows(TABLE), ids=[metric for metric, _ in _rows(TABLE)])
def test_each_fault_of_a_metric_has_its_own_message(metric: str, expected: list[str]) -> None:
    assert sorted(fault.removeprefix("1: ") for fault in faults(catalogue_with(metric))) == sorted(expected)


def test_every_metric_of_a_catalogue_is_checked_and_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "metrics.yaml"
    file.write_text(
        "metrics:\n"
        "  - {name: a, version: 1, type: count, direction: higher}\n"
        "  - {name: b, version: 1, type: sum, event: e, direction: higher, version: 2}\n"
        "  - just a name\n"
        "  - {name: a, version: 1, type: count, event: e, direction: higher}\n"
        "units: 5\n"
    )
    with pytest.raises(Invalid) as raised:
        load_catalogue(file)
    assert [str(problem).removeprefix(f"{file}:") for problem in raised.value.problems] == [
        "2: metrics[0].event: is missing: which event (or wide column) the count is made of",
        "3: metrics[1].version: is written twice (first on line 3); keep one",
        "4: metrics[2]: 'just a name' is not allowed; give a group of fields (at_least, baseline, cap, centre, decimals, "
        "denominator, direction, event, meaning, name, no_events, null_values, numerator, quantile, starts, type, unit, "
        "version, window)",
        "5: metrics[3]: a@1 is defined twice (also metrics[0])",
        "6: units: 'units' is not a field here. Allowed: metrics.",
    ]


@pytest.mark.parametrize("text", ["metrics: []", "metrics:", "metrics: {name: a}", "other: 1"])
def test_a_catalogue_without_metrics_is_refused(text: str) -> None:
    assert "1: metrics: is missing: a list of metrics, each with its version" in faults(text) or (
        "metrics: is missing: a list of metrics, each with its version" in faults(text)
    )


def test_a_bare_name_is_the_newest_version_and_a_pinned_one_stays() -> None:
    assert CATALOGUE["revenue"].version == 2
    assert CATALOGUE["revenue@1"].version == 1
    assert "revenue" in CATALOGUE
    assert "revenue@3" not in CATALOGUE
    assert "revenue@1" in list(CATALOGUE)
    assert len(CATALOGUE) == len(list(CATALOGUE))
    with pytest.raises(KeyError):
        _ = CATALOGUE["sales"]


def test_the_newest_version_is_the_largest_number_wherever_it_stands() -> None:
    one, ten, two = (
        Metric(name="m", version=v, type="count", event="e", direction="higher") for v in (1, 10, 2)
    )
    assert Catalogue((one, ten, two))["m"] is ten


def test_what_is_not_there_is_explained_with_the_nearest_name() -> None:
    assert CATALOGUE.explain_missing("revenu").startswith(
        "'revenu' is not a metric of the catalogue. Did you mean 'revenue'?"
    )
    assert (
        CATALOGUE.explain_missing("revenue@7")
        == "'revenue@7' is not a version of revenue. Allowed: revenue@1, revenue@2."
    )


def test_a_metric_made_in_python_is_checked_as_well() -> None:
    with pytest.raises(ValueError, match="is missing: the level"):
        Metric(name="m", version=1, type="quantile", event="ms", direction="lower")


@pytest.mark.parametrize(("kind", "expected"), NO_EVENTS_DEFAULT.items())
def test_a_unit_without_events_is_what_its_type_says_unless_declared(kind: str, expected: str) -> None:
    fields = {"name": "m", "version": 1, "type": kind, "event": "e", "direction": "higher"}
    fields |= {"quantile": {"quantile": 0.5}, "retention": {"starts": "1d"}}.get(kind, {})
    if kind == "ratio":
        fields |= {"event": None, "numerator": {"event": "e"}, "denominator": {"event": "f"}}
    metric = Metric.model_validate(fields)
    other = "missing" if expected == "zero" else "zero"
    declared = Metric.model_validate(fields | {"no_events": other})
    assert (metric.when_no_events, declared.when_no_events) == (expected, other)
    assert metric.can_be_missing is (expected == "missing")
    assert metric.is_binary is (kind in BINARY)
    explicit = Metric.model_validate(fields | {"no_events": expected})
    assert metric.canonical(7) == explicit.canonical(7) != declared.canonical(7)


def test_words_and_baseline_are_no_part_of_what_a_metric_means() -> None:
    bare = {"name": "m", "version": 1, "type": "sum", "event": "paid", "direction": "higher"}
    with_words = bare | {
        "meaning": "Money spent.",
        "baseline": {"mean": 3, "sd": 4, "source": "October"},
    }
    assert Metric.model_validate(bare).canonical(60) == Metric.model_validate(with_words).canonical(60)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"event": "ordered"},
        {"direction": "lower"},
        {"unit": "EUR"},
        {"type": "mean"},
        {"no_events": "missing"},
        {"null_values": "zero"},
        {"cap": 500},
        {"decimals": 2},
        {"window": "3d"},
    ],
)
def test_whatever_changes_a_value_or_its_reading_changes_the_canonical_form(
    change: dict[str, object],
) -> None:
    bare = {"name": "m", "version": 1, "type": "sum", "event": "paid", "direction": "higher"}
    assert Metric.model_validate(bare).canonical(60) != Metric.model_validate(bare | change).canonical(60)


def test_a_ratio_has_parts_and_events_and_nothing_else_has() -> None:
    ratio = CATALOGUE["failure_rate"]
    assert [part.event for part in parts_of(ratio)] == ["failed", "asked"]
    assert ratio.events() == ("failed", "asked")
    assert CATALOGUE["sessions"].events() == ("session",)
    with pytest.raises(ValueError, match="sessions@1 is a count, not a ratio"):
        parts_of(CATALOGUE["sessions"])
