"""A catalogue and a design that are right, for tests that change one thing."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from ruamel.yaml import YAML

from experiments.designs.design import Design, declare
from experiments.designs.metrics import parse_catalogue
from experiments.forms.problems import Invalid

CATALOGUE_TEXT = """
metrics:
  - {name: success, version: 1, type: conversion, event: done, direction: higher, window: 7d,
     baseline: {mean: 0.2, source: October}}
  - {name: errors, version: 1, type: proportion, event: failed, direction: lower,
     baseline: {mean: 0.05, source: October}}
  - {name: revenue, version: 1, type: sum, event: paid, direction: higher, unit: EUR, baseline: {mean: 3, sd: 16, source: September}}
  - {name: revenue, version: 2, type: sum, event: paid, direction: higher, unit: EUR, cap: 500, decimals: 2,
     baseline: {mean: 3.1, sd: 12, source: October}}
  - {name: sessions, version: 1, type: count, event: session, direction: higher, baseline: {mean: 4, sd: 5, source: October}}
  - {name: rating, version: 1, type: mean, event: rated, direction: higher, unit: stars, baseline: {mean: 4, sd: 1, source: October}}
  - {name: return_week_2, version: 1, type: retention, event: session, direction: higher, starts: 7d, window: 14d,
     baseline: {mean: 0.3, source: October}}
  - {name: failure_rate, version: 1, type: ratio, numerator: {event: failed}, denominator: {event: asked}, direction: lower,
     unit: failures per request, baseline: {mean: 0.004, sd: 0.02, source: October}}
  - {name: p95_latency, version: 1, type: quantile, quantile: 0.95, event: ms, direction: lower, unit: ms,
     baseline: {mean: 410, sd: 640, source: October}}
  - {name: balance, version: 1, type: sum, event: booked, direction: higher, unit: EUR, baseline: {mean: -2, sd: 9, source: October}}
  - {name: novelty, version: 1, type: sum, event: new, direction: higher, unit: items}
"""
CATALOGUE = parse_catalogue(CATALOGUE_TEXT)

WRITTEN: dict[str, Any] = {
    "title": "Ranker v7 against v6",
    "hypothesis": {"because": "fresher features", "expect": "increase"},
    "arms": [{"name": "control"}, {"name": "treatment"}],
    "primary": {"metric": "success", "mde": {"absolute": 0.015}},
    "guardrails": [
        {"metric": "p95_latency", "margin": {"absolute": 20}, "reason": "20 ms cost 0.1% of sessions"}
    ],
    "assignment": {"key": "ranker-v7"},
}
"""The least that a design says, and a key, so that its title is for people only."""

NON_INFERIORITY: dict[str, Any] = {
    **WRITTEN,
    "purpose": "non-inferiority",
    "hypothesis": {"because": "the same code", "expect": "no worsening"},
    "primary": {"metric": "success", "margin": {"absolute": 0.01}},
}


def yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with groups of fields merged and everything else replaced."""
    merged = deepcopy(base)
    for name, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = changed(merged[name], value) if both else deepcopy(value)
    return merged


def design(changes: str = "", base: dict[str, Any] = WRITTEN) -> Design:
    """The right design with what a piece of YAML changes."""
    return declare(CATALOGUE, **changed(base, yaml(changes) or {}))


def messages(fields: dict[str, Any]) -> list[str]:
    """What is wrong with a design given as Python values."""
    try:
        declare(CATALOGUE, **fields)
    except Invalid as error:
        return [str(problem) for problem in error.problems]
    return []
