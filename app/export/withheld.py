"""No effect leaves here that the verdict withholds.

An INVALID readout holds none; one that does is a defect, and refused in every form. A readout that goes on may keep its
sealed evidence: what people read leaves it out, and the forms that hold everything are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.export.kinds import AnyReadout
from app.export.page import WITHHELD
from experiments.canaries.readout import CanaryReadout
from experiments.readouts.readout import Comparison, Segment
from experiments.shadows.readout import SegmentReport, ShadowReadout


def refuse_effects(readout: AnyReadout, *, whole: bool) -> None:
    """Stop before anything is rendered.

    Args:
        whole: whether the form holds all of the readout, as JSON and CSV do.

    Raises:
        ValueError: the verdict allows no effect, and the readout holds one; every place is named.
    """
    code = readout.verdict.code
    if code not in WITHHELD or (code == "CONTINUE" and not whole):
        return
    if isinstance(readout, CanaryReadout) and code == "CONTINUE":
        return  # a check of guardrails is shown while the canary goes on: nothing else of it is ever read
    found = [place for place, c in _comparisons(readout) if _shows_outcomes(c)]
    found += _contents(readout)
    if found:
        raise ValueError(
            f"verdict {code}: no effect is allowed in the readout, found in {', '.join(found)}; "
            "make the readout again from evidence without outcomes"
        )


def _contents(readout: AnyReadout) -> list[str]:
    """What else shows outcomes, by its place."""
    if isinstance(readout, CanaryReadout):
        return [f"guardrails[{i}].points" for i, one in enumerate(readout.guardrails) if one.points]
    found = [f"sequential[{i}]" for i, path in enumerate(readout.sequential) if path.points]
    if isinstance(readout, ShadowReadout):
        parts = ("quality", "agreement", "flips", "calibration", "detectable")
        found += [part for part in parts if getattr(readout, part) is not None]
        if readout.reproduce.evidence.get("content") is not None:
            found.append("reproduce.evidence.content")
        return found
    found += [
        f"segments[{i}].interaction_p_value"
        for i, segment in enumerate(readout.segments)
        if segment.interaction_p_value is not None
    ]
    if readout.reproduce.evidence.get("outcomes") is not None:
        found.append("reproduce.evidence.outcomes")
    return found


def _comparisons(readout: AnyReadout) -> Iterator[tuple[str, Comparison]]:
    if isinstance(readout, CanaryReadout):
        for index, guardrail in enumerate(readout.guardrails):
            yield f"guardrails[{index}]", guardrail.comparison
        return
    if isinstance(readout, ShadowReadout):
        yield from _paired(readout)
    else:
        for part in ("primary", "guardrails", "secondary"):
            for index, comparison in enumerate(getattr(readout, part)):
                yield f"{part}[{index}]", comparison
        for index, analysis in enumerate(readout.sensitivity):
            yield f"sensitivity[{index}]", analysis.comparison
    segments: Sequence[Segment | SegmentReport] = readout.segments
    for index, segment in enumerate(segments):
        for row, comparison in enumerate(segment.comparisons):
            yield f"segments[{index}].comparisons[{row}]", comparison


def _paired(readout: ShadowReadout) -> Iterator[tuple[str, Comparison]]:
    """What the models said and what was true; errors and timeouts are shown at any time."""
    if readout.primary is not None:
        yield "primary", readout.primary
    for index, percentile in enumerate(readout.latency):
        yield f"latency[{index}]", percentile.comparison
    for index, limit in enumerate(readout.declared_limits):
        yield f"declared_limits[{index}]", limit


def _shows_outcomes(comparison: Comparison) -> bool:
    shown = (
        comparison.estimate,
        comparison.interval,
        comparison.p_value,
        comparison.adjusted_p_value,
        comparison.relative,
        comparison.relative_interval,
        comparison.unadjusted_estimate,
        comparison.unadjusted,
        comparison.control_value.value,
        comparison.treatment_value.value,
        comparison.control_value.successes,
        comparison.treatment_value.successes,
        comparison.control_value.sd,
        comparison.treatment_value.sd,
    )
    return any(value is not None for value in shown)
