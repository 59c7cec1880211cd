"""Tables of a shadow: both models on the same requests, what was declared of them, and how many requests stand behind it."""

from __future__ import annotations

from collections.abc import Sequence

from app.export.blocks import Cell, Table, table
from app.formats import NOTHING, Quantity, count, level, p_value, quantities, share, significant
from app.readings import Reading, reading
from experiments.readouts.readout import Interval
from experiments.shadows.readout import (
    AnswerPair,
    Condition,
    Estimated,
    Failures,
    LevelRequests,
    PairedComparison,
    PairingReport,
    Quality,
    Reliability,
)
from experiments.shadows.words import limit_words

CONDITIONS = {
    "holds": Reading("Holds", "✓", "circle", "good"),
    "broken": Reading("Broken", "✕", "square", "bad"),
    "not ruled out": Reading("Not ruled out", "?", "diamond", "open"),
    "not measured": Reading("Not measured", "!", "triangle-up", "warning"),
    "invalid": Reading("Invalid", "!", "triangle-up", "warning"),
}


def gate_table(gate: Sequence[Condition]) -> Table:
    records: list[dict[str, Cell]] = [
        {"Condition": one.name, "State": CONDITIONS[one.state], "What was found": one.detail} for one in gate
    ]
    return table("What was declared, and whether it holds", records)


def paired_table(caption: str, compared: Sequence[PairedComparison], *, called: str = "Measure") -> Table:
    """One row a comparison: both models' own values, what is held against the declared limit, its interval, the reading."""
    records: list[dict[str, Cell]] = []
    for c, quantity in zip(compared, quantities(compared), strict=True):
        records.append(
            {
                called: c.level or c.label if called == "Level" else c.label,
                c.control_value.arm: quantity.value(c.control_value.value),
                c.treatment_value.arm: quantity.value(c.treatment_value.value),
                "Judged": "its own value" if own_value(c) else "the difference",
                "Estimate": estimate_words(c, quantity),
                "Confidence interval": interval_words(c, quantity),
                "p": p_value(c.p_value),
                "Adjusted p": p_value(c.adjusted_p_value),
                "Declared": limit_words(c) if c.limit is not None and c.bound != "difference" else NOTHING,
                "Reading": NOTHING if not c.state else reading(c.state),
                "Pairs": count(c.pairs),
                "Users": count(c.units) if c.units else NOTHING,
            }
        )
    arms = [arm for c in compared[:1] for arm in (c.control_value.arm, c.treatment_value.arm)]
    return table(
        caption,
        records,
        numeric=(*arms, "Estimate", "Confidence interval", "p", "Adjusted p", "Pairs", "Users"),
    )


def methods_of_pairs(compared: Sequence[PairedComparison]) -> Table:
    """How each number was made, why its limit is what it is, and why it was not computed."""
    records: list[dict[str, Cell]] = [
        {
            "Measure": c.label,
            "Method": c.method,
            "Why this limit": c.margin_reason or NOTHING,
            "Multiplicity": c.multiplicity or NOTHING,
            "Notes": "; ".join([*([f"not computed: {c.not_computed}"] if c.not_computed else []), *c.notes])
            or NOTHING,
        }
        for c in compared
    ]
    return table("How the numbers were made", records)


def own_value(compared: PairedComparison) -> bool:
    """Whether the candidate's own value is held against the limit, not the difference."""
    return compared.bound in {"at_most", "at_least"}


def estimate_words(compared: PairedComparison, quantity: Quantity) -> str:
    if compared.estimate is None:
        return "not computed"
    return quantity.value(compared.estimate) if own_value(compared) else quantity.effect(compared.estimate)


def interval_words(compared: PairedComparison, quantity: Quantity) -> str:
    found = compared.interval
    if found is None:
        return NOTHING
    if not own_value(compared):
        return f"{level(found.level)}: {quantity.bounds(found)}"
    low, high = (NOTHING if one is None else quantity.value(one) for one in (found.low, found.high))
    return f"{level(found.level)}: {low} to {high}"


def pairing_table(found: PairingReport) -> Table:
    """Every mirrored request once, by what became of it."""
    counts = (
        ("requests mirrored and mature", found.requests),
        ("logged by both models", found.both),
        ("by the champion alone", found.champion_only),
        ("by the candidate alone", found.candidate_only),
        ("answered by both, without error or timeout", found.answered),
        ("of them with a label", found.labelled),
        ("users with a labelled pair", found.units),
        ("without a unit", found.without_unit),
        ("incomplete rows", found.incomplete),
        ("rows without a request", found.broken_rows),
        ("requests that a model logged more than once", found.duplicated),
        ("requests with labels that contradict one another", found.conflicting_labels),
        ("pairs with an input hash", found.with_hash),
        ("pairs with different input hashes", found.other_inputs),
    )
    records: list[dict[str, Cell]] = [{"What": what, "Count": count(n)} for what, n in counts]
    for what, fraction in (
        ("matched share", found.matched_share),
        ("labels that have come", found.label_share),
    ):
        records.append({"What": what, "Count": "not computed" if fraction is None else share(fraction)})
    return table("Which requests are pairs", records, numeric=("Count",))


def levels_table(attribute: str, levels: Sequence[LevelRequests]) -> Table:
    records: list[dict[str, Cell]] = [
        {
            "Level": one.level,
            "Both": count(one.both),
            "Champion only": count(one.champion_only),
            "Candidate only": count(one.candidate_only),
        }
        for one in levels
    ]
    return table(f"Requests by {attribute}", records, numeric=("Both", "Champion only", "Candidate only"))


def failures_table(found: Sequence[Failures]) -> Table:
    records: list[dict[str, Cell]] = [
        {
            "Failure": one.comparison.label,
            "Both": count(one.both),
            "Candidate only": count(one.candidate_only),
            "Champion only": count(one.champion_only),
            "Neither": count(one.neither),
        }
        for one in found
    ]
    return table("Failures by pair", records, numeric=("Both", "Candidate only", "Champion only", "Neither"))


def quality_table(found: Quality) -> Table:
    """The two by two of right and wrong."""
    records: list[dict[str, Cell]] = [
        {
            "": "candidate right",
            "Champion right": count(found.both),
            "Champion wrong": count(found.candidate_only),
        },
        {
            "": "candidate wrong",
            "Champion right": count(found.champion_only),
            "Champion wrong": count(found.neither),
        },
    ]
    return table(
        "Right and wrong on the same requests", records, numeric=("Champion right", "Champion wrong")
    )


def estimated_table(caption: str, found: Sequence[Estimated | None]) -> Table:
    records: list[dict[str, Cell]] = [
        {
            "What": one.name,
            "Value": "not computed" if one.value is None else significant(one.value),
            "Confidence interval": _bounds(one.interval),
            "Method": one.method,
            "Notes": one.not_computed or NOTHING,
        }
        for one in found
        if one is not None
    ]
    return table(caption, records, numeric=("Value", "Confidence interval"))


def answers_table(answers: Sequence[AnswerPair], champion: str, candidate: str) -> Table:
    records: list[dict[str, Cell]] = [
        {champion: one.champion, candidate: one.candidate, "Pairs": count(one.pairs)} for one in answers
    ]
    return table("Answers of both models", records, numeric=("Pairs",))


def reliability_table(found: Reliability) -> Table:
    records: list[dict[str, Cell]] = [
        {
            "Scores": f"{significant(one.lower, 2)} to {significant(one.upper, 2)}",
            "Requests": count(one.requests),
            "Mean score": NOTHING if one.mean_score is None else significant(one.mean_score, 3),
            "Positive": NOTHING if one.positive_share is None else share(one.positive_share),
            "Confidence interval": _bounds(one.interval),
        }
        for one in found.bins
    ]
    return table(
        f"Reliability of {found.model}",
        records,
        numeric=("Requests", "Mean score", "Positive", "Confidence interval"),
    )


def _bounds(found: Interval | None) -> str:
    if found is None:
        return NOTHING
    low, high = ("open" if one is None else significant(one, 3) for one in (found.low, found.high))
    return f"{level(found.level)}: {low} to {high}"
