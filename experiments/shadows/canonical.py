"""The canonical form of a shadow design: everything that decides, in one spelling, so that equal meaning has an equal hash.

It follows that of an A/B design (``experiments.designs.canonical``): defaults filled in, durations in seconds, shares as exact
fractions, limits and segments sorted. Words for people only, and people, are outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from experiments.designs.sequential import boundary_of, planned_looks

if TYPE_CHECKING:
    from experiments.shadows.design import ShadowDesign

SCHEMA: Final = "shadow/1"


def material_of(design: ShadowDesign) -> dict[str, Any]:
    """The document that is locked, hashed and amended."""
    w, primary, stopping = design.written, design.primary, design.stopping
    sequential: dict[str, Any] = {}
    if stopping.rule == "group-sequential":
        sequential = {
            "looks": list(planned_looks(stopping)),
            "boundary": boundary_of(stopping),
            "parameter": stopping.parameter,
        }
    elif stopping.rule == "always-valid":
        sequential = {"burn_in": stopping.burn_in}
    return {
        "schema": SCHEMA,
        "hypothesis": w.hypothesis,
        "model": w.model,
        "champion": w.champion.model_dump(mode="json"),
        "candidate": w.candidate.model_dump(mode="json"),
        "task": w.task,
        "positive": w.positive if w.task == "binary" else None,
        "threshold": w.threshold,
        "unit": w.unit,
        "sample": str(w.sample),
        "primary": {
            "measure": primary.measure.name,
            "purpose": primary.purpose,
            "margin": primary.margin,
            "reason": primary.reason,
            "mde": primary.mde,
            "alpha": primary.alpha,
            "sides": primary.sides,
            "test": primary.test,
            "decimals": primary.decimals,
        },
        "limits": [
            {
                "measure": limit.measure,
                limit.bound: limit.value,
                "alpha": limit.alpha,
                "reason": limit.reason,
            }
            for limit in design.limits
        ],
        "no_limits_reason": w.no_limits_reason,
        "segments": [
            {
                "attribute": segment.attribute,
                "margin": segment.margin,
                "reason": segment.reason,
                "alpha": segment.alpha,
                "levels": list(segment.levels),
                "minimum_pairs": segment.minimum_pairs,
            }
            for segment in design.segments
        ],
        "minimum_pairs": w.minimum_pairs,
        "planned_labels": design.planned_labels,
        "planned_units": design.planned_units,
        "size": w.size.model_dump(mode="json"),
        "matched_share": w.matched_share,
        "window": w.window,
        "label_delay": w.label_delay,
        "label_share": w.label_share,
        "whole_days": w.whole_days,
        "pairing": w.pairing.model_dump(mode="json") | {"answer_within": w.pairing.answer_within},
        "stopping": sequential
        | {
            "rule": stopping.rule,
            "minimum_duration": design.minimum_duration,
            "maximum_duration": design.maximum_duration,
            "step": stopping.step,
            "part_weeks_reason": stopping.part_weeks_reason,
        },
        "source": w.source,
        "anything_else": w.anything_else,
    }
