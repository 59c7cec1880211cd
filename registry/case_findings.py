"""What the reviewers of a shadow's cases found, once it is unblinded: exploratory, and never a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

from analysis.paired.agreement import Kappa, cohen_kappa
from experiments.shadows.cases import Case
from registry.casebook import Pick, cases_in, is_champion_first, picks_in, required, reviews_in
from registry.database import Registry
from registry.errors import Unknown


class Judged(StrEnum):
    """What a pick means of the models, once it is unblinded."""

    CHAMPION = "champion right"
    CANDIDATE = "candidate right"
    BOTH = "both right"
    NEITHER = "neither right"
    CANNOT_TELL = "can't tell"


@dataclass(frozen=True, slots=True)
class CaseFindings:
    """What finished reviewers said of the models, exploratory.

    Attributes:
        counts: by group of cases and reviewer, how often each was said.
        agreement: Cohen's κ of each two reviewers over the cases, by their names.
        notes: case, group, reviewer, what was said of the models, and the note.
    """

    reviewers: tuple[str, ...]
    champion: str
    candidate: str
    counts: Mapping[tuple[str, str], Mapping[Judged, int]]
    agreement: tuple[tuple[str, str, Kappa], ...]
    notes: tuple[tuple[Case, str, Judged, str], ...]


def findings_of(registry: Registry, shadow: str) -> CaseFindings:
    """What the finished reviewers said of the models.

    Raises:
        Unknown: no cases are drawn, or they are not unblinded.
    """
    with registry.reading() as connection:
        book = required(connection, shadow)
        if book.unblinded_at is None:
            raise Unknown(f"the cases of {shadow} are not unblinded")
        names = tuple(one.reviewer for one in reviews_in(connection, shadow) if one.finished_at is not None)
        picks = {name: picks_in(connection, shadow, name) for name in names}
    drawn = cases_in(registry, book)
    judged = {
        name: {
            number: judged_of(said.pick, champion_first=is_champion_first(book.sha256, name, number))
            for number, said in picks[name].items()
        }
        for name in names
    }
    counts = {
        (group.name, name): {
            meant: sum(judged[name][case.number] is meant for case in drawn.cases if case.group == group.name)
            for meant in Judged
        }
        for group in drawn.groups
        for name in names
    }
    notes = tuple(
        (case, name, judged[name][case.number], said.note)
        for case in drawn.cases
        for name in names
        if (said := picks[name][case.number]).note is not None
    )
    agreement = tuple(
        (one, other, _kappa(judged[one], judged[other])) for one, other in combinations(names, 2)
    )
    return CaseFindings(names, drawn.champion, drawn.candidate, counts, agreement, notes)


def judged_of(pick: Pick, *, champion_first: bool) -> Judged:
    """What a pick says of the models."""
    if pick in {Pick.A, Pick.B}:
        return Judged.CHAMPION if (pick is Pick.A) is champion_first else Judged.CANDIDATE
    return Judged(pick.value)


def _kappa(one: Mapping[int, Judged], other: Mapping[int, Judged]) -> Kappa:
    order = list(Judged)
    table = [[0] * len(order) for _ in order]
    for number in one.keys() & other.keys():
        table[order.index(one[number])][order.index(other[number])] += 1
    return cohen_kappa(table)
