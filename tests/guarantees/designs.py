"""The designs whose guarantees are measured: one catalogue, the populations behind it, and what each design declares."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from ruamel.yaml import YAML

from experiments.designs.design import Design, declare
from experiments.designs.metrics import Catalogue, parse_catalogue
from tests.experiments.designs import changed
from tests.guarantees.populations import (
    Population,
    clicks_per_view,
    points,
    points_with_history,
    spend,
    yes_no,
)

POPULATIONS: Final[Mapping[str, Population]] = {
    "bought": yes_no(0.2),
    "points": points(),
    "spent": spend(),
    "click_rate": clicks_per_view(),
    "crashed": yes_no(0.05),
    "complained": yes_no(0.1),
}
WITH_HISTORY: Final = points_with_history()
OUTCOMES: Final = {
    "bought": "yes/no, 20 %",
    "points": "mean, symmetric",
    "spent": f"mean, skewness {POPULATIONS['spent'].skewness:.0f}, capped",
    "click_rate": "ratio, clicks per view",
    "adjusted": "mean, adjusted (CUPED)",
}
KINDS: Final = {
    "bought": "type: conversion, event: buy, direction: higher",
    "points": "type: mean, event: rate, unit: points, cap: 6, direction: higher",
    "spent": "type: sum, event: pay, unit: EUR, cap: 520, direction: higher",
    "click_rate": "type: ratio, numerator: {event: click}, denominator: {event: view}, unit: clicks per view, direction: higher",
    "crashed": "type: conversion, event: crash, direction: lower",
    "complained": "type: conversion, event: complain, direction: lower",
}
PRIMARIES: Final = {
    "bought": "{metric: bought, mde: {absolute: 0.03}}",
    "points": "{metric: points, mde: {absolute: 0.1}}",
    "spent": "{metric: spent, mde: {absolute: 3}}",
    "click_rate": "{metric: click_rate, mde: {absolute: 0.02}}",
    "adjusted": "{metric: points, mde: {absolute: 0.1}, covariates: [{metric: points, window: 14d, variance_reduction: 36%}]}",
}
GUARDRAILS: Final = (
    "[{metric: crashed, margin: {absolute: 0.02}, reason: two crashes in a hundred},"
    " {metric: complained, margin: {absolute: 0.03}, reason: three complaints in a hundred}]"
)
WRITTEN: Final[dict[str, Any]] = {
    "title": "A design whose guarantees are measured",
    "hypothesis": {"because": "it has to be measured", "expect": "increase"},
    "arms": [{"name": "control"}, {"name": "treatment"}],
    "no_guardrails_reason": "the primary's error is measured alone",
    "assignment": {"key": "guarantee"},
}


def yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@cache
def catalogue() -> Catalogue:
    lines = [
        f"  - {{name: {name}, version: 1, {KINDS[name]}, baseline: {{mean: {one.mean:.6g}{_sd(one)}, source: the generator}}}}"
        for name, one in POPULATIONS.items()
    ]
    return parse_catalogue("metrics:\n" + "\n".join(lines))


@cache
def design(primary: str, changes: str = "") -> Design:
    """A design by its primary's name in ``PRIMARIES`` and a piece of YAML that changes or adds to it."""
    asked = yaml(changes) or {}
    written = changed({**WRITTEN, "primary": yaml(PRIMARIES[primary])}, asked)
    if "guardrails" in written:
        del written["no_guardrails_reason"]
    if "margin" in written["primary"]:
        written["primary"].pop("mde", None)
    return declare(catalogue(), **written)


def populations(found: Design, effects: Mapping[str, float]) -> dict[int, tuple[Population, ...]]:
    """Of every measure that is judged, by arm: ``effects`` by metric, in the metric's unit, in every treatment alike."""
    drawn = {}
    for index, measure in enumerate(found.measures):
        one = WITH_HISTORY if measure.covariates else POPULATIONS[measure.metric.name]
        treated = one.treated(effects.get(measure.metric.name, 0.0))
        drawn[index] = (one, *(treated for _ in found.treatments))
    return drawn


def _sd(one: Population) -> str:
    return "" if one.is_yes_no else f", sd: {one.sd:.6g}"
