"""The canonical form of a design: everything that decides, in one spelling, so that equal meaning has an equal hash.

Defaults are filled in, metrics are pinned with all that they mean, durations are seconds, shares are exact fractions,
prose is folded to one line. What has no order (guardrails, secondary metrics, segments, covariates, conditions,
sensitivity analyses) is sorted; arms are not, because the hash assigns units by their order. Whatever a reviewer
approves is inside: reasons and sources as well as numbers. Words for people only, and people, are outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from experiments.designs.measures import Measure
from experiments.designs.metrics import Catalogue, Metric
from experiments.designs.sequential import boundary_of, planned_looks
from experiments.designs.written import Condition
from experiments.designs.written_measures import Amount
from experiments.designs.written_stopping import Stopping
from experiments.forms.documents import sha256_of
from experiments.forms.spellings import REFERENCE

if TYPE_CHECKING:
    from experiments.designs.design import Design

SCHEMA = "design/1"


def material_of(design: Design) -> dict[str, Any]:
    """The document that is locked, hashed and amended."""
    w = design.written
    several = len(design.treatments) > 1
    return {
        "schema": SCHEMA,
        "hypothesis": w.hypothesis.model_dump(mode="json"),
        "purpose": w.purpose,
        "outcome_data_seen": "no" if w.outcome_data_seen.casefold() == "no" else w.outcome_data_seen,
        "units": {
            "randomisation": w.units.randomisation,
            "analysis": w.units.analysis or w.units.randomisation,
        },
        "arms": [{"name": a.name, "share": str(a.share), "version": a.version} for a in design.arms],
        "assignment": {
            "key": design.key,
            "method": w.assignment.method,
            "salt": design.salt,
            "layer": None if w.assignment.layer is None else w.assignment.layer.model_dump(mode="json"),
            "exposure": w.assignment.exposure,
        },
        "eligibility": _without_order([_condition(condition) for condition in w.eligibility]),
        "primary": _measure(design.primary) | {"one_sided_reason": _one_sided_reason(design)},
        "guardrails": [_measure(guardrail) for guardrail in design.guardrails],
        "no_guardrails_reason": w.no_guardrails_reason,
        "secondary": {
            "metrics": [_measure(secondary) for secondary in design.secondary],
            "multiplicity": w.secondary.multiplicity if design.secondary else None,
        },
        "segments": sorted(w.segments),
        "sensitivity": sorted(w.sensitivity),
        "window": design.window,
        "label_delay": w.label_delay,
        "maturity": design.maturity,
        "power": {
            "power": w.power.power,
            "design_effect": w.power.design_effect,
            "reason": w.power.reason,
            "override_reason": w.power.override_reason,
            "n_per_arm": list(design.plan.n_per_arm),
            "binding": design.plan.binding,
        },
        "stopping": _sequential(w.stopping)
        | {
            "rule": w.stopping.rule,
            "minimum_duration": design.minimum_duration,
            "maximum_duration": design.maximum_duration,
            "step": w.stopping.step,
            "part_weeks_reason": w.stopping.part_weeks_reason,
            "if_short": w.stopping.if_short,
        },
        "rules": w.rules.model_dump(mode="json"),
        "validity": w.validity.model_dump(mode="json"),
        "multiple_treatments": design.multiple_treatments if several else None,
        "which_ships": w.which_ships if several else None,
        "decision_rule": design.decision_rule,
        "source": w.source,
        "anything_else": w.anything_else,
    }


def locked_catalogue(material: Mapping[str, Any]) -> Catalogue:
    """The metrics that a locked document pins."""
    measures = [*material["secondary"]["metrics"], material["primary"], *material["guardrails"]]
    pinned = [measure["metric"] for measure in measures]
    pinned += [c["metric"] for measure in measures for c in measure["covariates"] if c["metric"]]
    metrics: dict[str, Metric] = {}
    for body in pinned:
        own = {name: value for name, value in body.items() if name != "catalogue_window"}
        metric = Metric.model_validate(own | {"window": body["catalogue_window"]})
        metrics.setdefault(metric.reference, metric)
    return Catalogue(tuple(metrics.values()))


def with_locked_defaults(body: Mapping[str, Any], material: Mapping[str, Any]) -> dict[str, Any]:
    """What was written, with the baselines that the catalogue gave at the time written out.

    Metrics with all that they mean are pinned; their baselines are not, because a baseline belongs to a measure.
    """
    filled = dict(body)
    if isinstance(body.get("primary"), Mapping):
        filled["primary"] = _with_baseline(body["primary"], [material["primary"]])
    if isinstance(body.get("guardrails"), list):
        filled["guardrails"] = [
            _with_baseline(guardrail, material["guardrails"]) if isinstance(guardrail, Mapping) else guardrail
            for guardrail in body["guardrails"]
        ]
    return filled


def _with_baseline(written: Mapping[str, Any], locked: list[dict[str, Any]]) -> dict[str, Any]:
    reference = REFERENCE.fullmatch(str(written.get("metric")))
    if reference is None or written.get("baseline") is not None:
        return dict(written)
    name, version = reference.groups()
    same = [
        measure
        for measure in locked
        if measure["metric"]["name"] == name
        and measure.get("segment") == written.get("segment")
        and version in (None, str(measure["metric"]["version"]))
    ]
    newest = max(same, key=lambda measure: int(measure["metric"]["version"]), default={})
    return {**written, "baseline": newest.get("baseline")}


def _measure(measure: Measure) -> dict[str, Any]:
    body: dict[str, Any] = {
        "metric": measure.metric.canonical(measure.window),
        "role": measure.role,
        "test": measure.test,
        "alpha": measure.alpha,
        "sides": measure.sides,
        "minimum_units": measure.minimum_units,
        "covariates": [
            {
                "metric": None if c.metric is None else c.metric.canonical(c.window),
                "attribute": c.attribute,
                "window": c.window,
                "variance_reduction": c.variance_reduction or 0.0,
            }
            for c in measure.covariates
        ],
    }
    if measure.covariates:
        body["without_history"] = measure.without_history
    if measure.role == "primary":
        body["mde"] = _amount(measure.mde)
    if measure.role != "secondary":
        body["margin"] = _amount(measure.margin)
        body["baseline"] = None if measure.baseline is None else measure.baseline.model_dump(mode="json")
    if measure.role == "harm-stop":
        body["burn_in"] = measure.burn_in
    if measure.role in {"must-hold", "monitor", "harm-stop"}:
        body["reason"] = measure.reason
        body["segment"] = measure.segment
    return body


def _sequential(stopping: Stopping) -> dict[str, Any]:
    """What the rule of several looks adds; one look adds nothing."""
    if stopping.rule == "fixed":
        return {}
    if stopping.rule == "always-valid":
        return {"burn_in": stopping.burn_in}
    futility = stopping.futility
    return {
        "looks": None if stopping.at is not None else list(planned_looks(stopping)),
        "at": None if stopping.at is None else list(stopping.at),
        "boundary": boundary_of(stopping),
        "parameter": stopping.parameter,
        "futility": None if futility is None else futility.model_dump(mode="json"),
    }


def _amount(amount: Amount | None) -> dict[str, Any] | None:
    return None if amount is None else {"kind": amount.kind, "value": amount.value}


def _one_sided_reason(design: Design) -> str | None:
    one_sided = design.written.purpose == "superiority" and design.primary.sides == 1
    return design.written.primary.one_sided_reason if one_sided else None


def _condition(condition: Condition) -> dict[str, Any]:
    """One of a single value is that value; a list of values has no order."""
    body: dict[str, Any] = condition.model_dump(mode="json", by_alias=True, exclude_none=True)
    for several, single in (("one_of", "is"), ("none_of", "is_not")):
        if several in body:
            values = _without_order(body.pop(several))
            body |= {single: values[0]} if len(values) == 1 else {several: values}
    return body


def _without_order(values: list[Any]) -> list[Any]:
    return list({sha256_of(value): value for value in sorted(values, key=sha256_of)}.values())
