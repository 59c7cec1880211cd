"""No effect leaves here that the verdict withholds.

An INVALID readout holds none; one that does is a defect, and refused in every form. A readout that goes on may keep its
sealed evidence: what people read leaves it out, and the forms that hold everything are refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.export.page import WITHHELD
from experiments.readouts.readout import Comparison, Readout


def refuse_effects(readout: Readout, *, whole: bool) -> None:
    """Stop before anything is rendered.

    Args:
        whole: whether the form holds all of the readout, as JSON and CSV do.

    Raises:
        ValueError: the verdict allows no effect, and the readout holds one; every place is named.
    """
    code = readout.verdict.code
    if code not in WITHHELD or (code == "CONTINUE" and not whole):
        return
    found = [place for place, c in _comparisons(readout) if _shows_outcomes(c)]
    found += [
        f"segments[{i}].interaction_p_value"
        for i, segment in enumerate(readout.segments)
        if segment.interaction_p_value is not None
    ]
    found += [f"sequential[{i}]" for i, path in enumerate(readout.sequential) if path.points]
    if readout.reproduce.evidence.get("outcomes") is not None:
        found.append("reproduce.evidence.outcomes")
    if found:
        raise ValueError(
            f"verdict {code}: no effect is allowed in the readout, found in {', '.join(found)}; "
            "make the readout again from evidence without outcomes"
        )


def _comparisons(readout: Readout) -> Iterator[tuple[str, Comparison]]:
    for part in ("primary", "guardrails", "secondary"):
        for index, comparison in enumerate(getattr(readout, part)):
            yield f"{part}[{index}]", comparison
    for index, segment in enumerate(readout.segments):
        for row, comparison in enumerate(segment.comparisons):
            yield f"segments[{index}].comparisons[{row}]", comparison
    for index, analysis in enumerate(readout.sensitivity):
        yield f"sensitivity[{index}]", analysis.comparison


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
