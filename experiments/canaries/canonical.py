"""The canonical form of a canary: everything that decides, in one spelling, so that equal meaning has an equal hash.

It follows that of an A/B design (``experiments.designs.canonical``): defaults filled in, metrics pinned, durations in
seconds, shares as exact fractions, guardrails sorted; steps keep their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from experiments.designs.canonical import locked_catalogue
from experiments.designs.measures import Measure
from experiments.designs.metrics import Catalogue
from experiments.forms.documents import sha256_of

if TYPE_CHECKING:
    from experiments.canaries.design import CanaryDesign

SCHEMA: Final = "canary/1"


def material_of(design: CanaryDesign) -> dict[str, Any]:
    """The document that is locked, hashed and amended."""
    w = design.written
    conditions = [c.model_dump(mode="json", by_alias=True, exclude_none=True) for c in w.eligibility]
    return {
        "schema": SCHEMA,
        "model": w.model,
        "champion": w.champion.model_dump(mode="json") | {"arm": design.control.name},
        "candidate": w.candidate.model_dump(mode="json") | {"arm": design.candidate.name},
        "steps": [
            {
                "share": str(step.share),
                "hold": step.hold,
                "minimum_units": step.minimum_units,
                "needs": step.needs,
                "time_limit": step.time_limit,
                "when_unanswered": step.when_unanswered,
                "every": step.every,
            }
            for step in design.steps
        ],
        "guardrails": [
            _guardrail(guardrail) | {"levels": [level for level in design.levels[guardrail.label] if level]}
            for guardrail in design.guardrails
        ],
        "checks": w.checks.model_dump(mode="json", include={"spending", "parameter"}),
        "harm": w.harm.model_dump(mode="json"),
        "breach": w.breach,
        "unit": w.unit,
        "assignment": {
            "key": design.key,
            "method": w.assignment.method,
            "salt": design.salt,
            "outside": w.assignment.outside,
            "exposure": w.assignment.exposure,
        },
        "eligibility": sorted(conditions, key=sha256_of),
        "window": design.window,
        "label_delay": w.label_delay,
        "maturity": design.maturity,
        "power": w.power.model_dump(mode="json"),
        "rules": w.rules.model_dump(mode="json"),
        "validity": w.validity.model_dump(mode="json"),
        "days_without_rows": w.days_without_rows,
        "source": w.source,
        "anything_else": w.anything_else,
    }


def locked_catalogue_of(material: Mapping[str, Any]) -> Catalogue:
    """The metrics that a locked canary pins."""
    first, *others = material["guardrails"]
    return locked_catalogue({"primary": first, "guardrails": others, "secondary": {"metrics": []}})


def _guardrail(measure: Measure) -> dict[str, Any]:
    margin = measure.margin
    return {
        "metric": measure.metric.canonical(measure.window),
        "margin": None if margin is None else {"kind": margin.kind, "value": margin.value},
        "reason": measure.reason,
        "alpha": measure.alpha,
        "test": measure.test,
        "segment": measure.segment,
        "minimum_units": measure.minimum_units,
        "baseline": None if measure.baseline is None else measure.baseline.model_dump(mode="json"),
        "covariates": [],
    }
