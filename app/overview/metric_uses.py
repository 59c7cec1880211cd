"""What designs declared about a metric, and what changed from one of its versions to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.formats import shortest
from app.overview.catalogue import Described

COMPARED = {
    "Meaning": "meaning",
    "Type": "type",
    "What a unit contributes": "formula",
    "Direction": "direction",
    "Window": "window",
    "Unit": "unit",
    "Cap": "cap",
    "Missing": "missing",
    "Baseline": "baseline",
}
"""What two versions are compared by: the rule as the page calls it, and where it stands."""


@dataclass(frozen=True, slots=True)
class DeclaredMargin:
    """The largest worsening that a design accepts of a metric, and why."""

    experiment: str
    role: str
    margin: str
    why: str


@dataclass(frozen=True, slots=True)
class Change:
    """One rule that two versions of a metric have differently."""

    rule: str
    before: str
    after: str


def changes(older: Described, newer: Described) -> tuple[Change, ...]:
    """What is different in the newer version, in the page's words."""
    found = ((rule, getattr(older, name), getattr(newer, name)) for rule, name in COMPARED.items())
    return tuple(
        Change(rule, before or "not written", after or "not written")
        for rule, before, after in found
        if before != after
    )


def margins(reference: str, plans: Mapping[str, Mapping[str, Any]]) -> tuple[DeclaredMargin, ...]:
    """The margins that designs declare for a metric version, the newest design first."""
    return tuple(
        DeclaredMargin(
            experiment,
            str(measure.get("role", "guardrail")).replace("-", " "),
            _margin(measure),
            measure.get("reason") or "no reason is written",
        )
        for experiment, plan in sorted(plans.items(), reverse=True)
        for measure in (plan.get("primary") or {}, *(plan.get("guardrails") or ()))
        if measure.get("margin") and _names(measure, reference)
    )


def _names(measure: Mapping[str, Any], reference: str) -> bool:
    metric = measure["metric"]
    return f"{metric['name']}@{metric['version']}" == reference


def _margin(measure: Mapping[str, Any]) -> str:
    value, metric = measure["margin"]["value"], measure["metric"]
    if measure["margin"]["kind"] == "relative":
        return f"{shortest(100 * value)}% of the control's value"
    if metric["type"] in ("proportion", "conversion", "retention"):
        return f"{shortest(100 * value)} percentage points"
    return f"{shortest(value)} {metric.get('unit') or ''}".strip()
