"""What the reviewers of a shadow's cases found, as tables of words and counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from analysis.paired.agreement import Kappa
from app.export.blocks import Cell, Table, table
from app.formats import count, decimal, share
from registry.case_findings import CaseFindings, Judged

EXPLORATORY: Final = (
    "Exploratory: a sample in which disagreements are over-represented, judged by few people. Treat it as an idea of what the "
    "models do differently. It changes no verdict."
)


def groups_in_words(groups: Mapping[str, tuple[int, int]]) -> str:
    """``50 of 402 pairs: candidate alone right; …``, by name: how many were drawn, of how many there are."""
    said = (f"{count(drawn)} of {count(of)} pairs: {name}" for name, (drawn, of) in groups.items())
    return "; ".join(said) + "."


def judged_table(found: CaseFindings) -> Table:
    """By group and reviewer, how often each was said, the models by their names."""
    words = {
        Judged.CHAMPION: f"{found.champion} right",
        Judged.CANDIDATE: f"{found.candidate} right",
        Judged.BOTH: "Both right",
        Judged.NEITHER: "Neither right",
        Judged.CANNOT_TELL: "Can't tell",
    }
    records: list[dict[str, Cell]] = []
    for (group, reviewer), counts in found.counts.items():
        record: dict[str, Cell] = {"By the labels": group, "Reviewer": reviewer}
        records.append(record | {words[meant]: count(counts[meant]) for meant in Judged})
    return table("What the reviewers said, by what the labels say", records, numeric=tuple(words.values()))


def agreement_table(found: CaseFindings) -> Table:
    """Cohen's κ of each two reviewers, with its interval or why there is none."""
    records: list[dict[str, Cell]] = [
        {
            "Reviewers": f"{one} and {other}",
            "Cases": count(kappa.pairs),
            "Same answer": "not computed"
            if kappa.observed_agreement is None
            else share(kappa.observed_agreement),
            "Cohen's κ": "not computed" if kappa.kappa is None else decimal(kappa.kappa, 2),
            "95% CI": _interval(kappa),
        }
        for one, other, kappa in found.agreement
    ]
    return table("How far the reviewers agree beyond chance", records, numeric=("Cases", "Cohen's κ"))


def notes_table(found: CaseFindings) -> Table:
    """What reviewers noted, with the case it is about."""
    words = {Judged.CHAMPION: f"{found.champion} right", Judged.CANDIDATE: f"{found.candidate} right"}
    records: list[dict[str, Cell]] = [
        {
            "Case": str(case.number),
            "Request": case.request,
            "By the labels": case.group,
            "Reviewer": reviewer,
            "Said": words.get(said, said.value),
            "Note": note,
        }
        for case, reviewer, said, note in found.notes
    ]
    return table("Notes", records)


def _interval(kappa: Kappa) -> str:
    if kappa.ci is not None:
        return f"{decimal(kappa.ci[0], 2)} to {decimal(kappa.ci[1], 2)}"
    if kappa.kappa is None:
        return (
            "not computed: every case was given the same one answer"
            if kappa.pairs
            else "not computed: no cases"
        )
    return "not computed: they never differ, or never agree"
