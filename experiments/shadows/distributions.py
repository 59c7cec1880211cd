"""Distributions of scores and answers in bins: for stability, calibration, and whether pairs miss by score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from experiments.logs.sql import Step, text
from experiments.shadows.cells import sums_by_unit, unit_sums
from experiments.shadows.design import ShadowDesign
from experiments.shadows.evidence import AnswerCell, LevelPlaces, ScoreCell
from experiments.shadows.pairing import BOTH, CHAMPION_ONLY
from experiments.shadows.percentiles import edges
from experiments.shadows.quantities import Quantity, Said, label_positive
from experiments.shadows.reading import ShadowReading
from experiments.shadows.sums import Among
from experiments.shadows.unit_sums import UnitSums

BINS: Final = 10
MOST_CLASSES: Final = 20
SQUARED_AT: Final = 10_000
"""Scores whose squares are added up are kept to four decimals."""
SCORE: Final = "the champion's score"
"""What an attribute is called that is the score in bins."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Both models' scores (of a regression its answers) as whole numbers, and the edges of their common bins.

    Attributes:
        values: as they are, champion's first.
        edges: upper edges by the champion's deciles; the last bin is open above.
    """

    champion: str
    candidate: str
    values: tuple[str, str]
    scale: int
    edges: tuple[int, ...]

    def bin_of(self, value: str) -> str:
        """Which bin a value lies in, as SQL; an edge belongs to the bin below it."""
        if not self.edges:
            return f"CASE WHEN ({value}) IS NOT NULL THEN 0 END"
        cases = " ".join(f"WHEN ({value}) <= {edge} THEN {index}" for index, edge in enumerate(self.edges))
        return f"CASE {cases} WHEN ({value}) IS NOT NULL THEN {len(self.edges)} END"


def scored(reading: ShadowReading, among: Among) -> Scored | None:
    """What the models' scores are, or None where none is logged."""
    design, said = reading.design, reading.said
    scale = 10**design.primary.decimals
    if design.task == "regression":
        if not said.has("prediction"):
            return None
        columns = "CAST(champion_answer AS DOUBLE)", "CAST(candidate_answer AS DOUBLE)"
    elif said.has("score"):
        columns = "champion_score", "candidate_score"
    else:
        return None
    champion, candidate = (f"CAST(round({column} * {scale}) AS BIGINT)" for column in columns)
    return Scored(champion, candidate, columns, scale, edges(reading, champion, among.answered, BINS))


def score_cells(
    reading: ShadowReading, found: Scored, among: Among
) -> tuple[tuple[ScoreCell, ...], tuple[int, ...]]:
    """Answered pairs by the bins of both models; and over all of them their number, Σx, Σy, Σx², Σy² and Σxy."""
    kind = "BIGINT" if reading.design.task == "binary" else "HUGEINT"
    x, y = (f"CAST(round({value} * {SQUARED_AT}) AS {kind})" for value in found.values)
    rows = reading.engine.run(
        Step(
            "score_cells",
            "SELECT champion, candidate, count(*), sum(x), sum(y), sum(x * x), sum(y * y), sum(x * y) FROM "
            f"(SELECT {found.bin_of(found.champion)} AS champion, {found.bin_of(found.candidate)} AS candidate, {x} AS x, {y} AS y "
            f"FROM pairs WHERE {among.answered}) AS scored "
            "WHERE champion IS NOT NULL AND candidate IS NOT NULL GROUP BY champion, candidate ORDER BY champion, candidate",
        )
    )
    cells = tuple(ScoreCell(int(row[0]), int(row[1]), int(row[2])) for row in rows)
    return cells, tuple(sum(int(row[place]) for row in rows) for place in range(2, 8))


def score_bins_by_unit(
    reading: ShadowReading, found: Scored, cells: Sequence[ScoreCell], among: Among
) -> UnitSums:
    """Pairs by bin of either model, by unit: what an interval of the stability index rests on."""
    name = "prediction_psi" if reading.design.task == "regression" else "score_psi"
    bins = [str(index) for index in range(len(found.edges) + 1)]
    joint = {(str(one.champion_bin), str(one.candidate_bin)): one.pairs for one in cells}
    sides = found.bin_of(found.champion), found.bin_of(found.candidate)
    return _by_unit(reading, name, bins, bins, sides, joint, among)


def classes_by_unit(reading: ShadowReading, answers: Sequence[AnswerCell], among: Among) -> UnitSums | None:
    """Pairs by what either model answered, by unit; None with too many classes to be an index's bins."""
    classes = sorted({cell.champion for cell in answers} | {cell.candidate for cell in answers})
    if not 2 <= len(classes) <= MOST_CLASSES:
        return None
    joint = {(one.champion, one.candidate): one.pairs for one in answers}
    sides = "CAST(champion_answer AS VARCHAR)", "CAST(candidate_answer AS VARCHAR)"
    return _by_unit(reading, "prediction_psi", classes, [text(one) for one in classes], sides, joint, among)


def _by_unit(
    reading: ShadowReading,
    name: str,
    values: Sequence[str],
    literals: Sequence[str],
    sides: tuple[str, str],
    joint: Mapping[tuple[str, str], int],
    among: Among,
) -> UnitSums:
    """How many pairs of a unit have each value, of the champion's side and then of the candidate's."""
    names = tuple(f"{side} {value}" for side in ("champion", "candidate") for value in values)
    quantity = Quantity(name, names, names, ())
    if not among.by_user:
        return _of_pairs(quantity, values, joint)
    wanted = [f"{side} = {literal}" for side in ("champion", "candidate") for literal in literals]
    columns = ", ".join(f"count(CASE WHEN {one} THEN 1 END) AS s{place}" for place, one in enumerate(wanted))
    by_unit = (
        f"SELECT {columns}, count(*) AS s{len(wanted)} FROM (SELECT unit, {sides[0]} AS champion, {sides[1]} AS candidate "
        f"FROM pairs WHERE {among.answered}) AS binned WHERE champion IS NOT NULL AND candidate IS NOT NULL GROUP BY unit"
    )
    return sums_by_unit(reading, quantity, by_unit)


def _of_pairs(quantity: Quantity, values: Sequence[str], joint: Mapping[tuple[str, str], int]) -> UnitSums:
    """Where every pair is a unit, products are the counts of the pairs that have both values."""
    sides = [(side, value) for side in (0, 1) for value in values]
    pairs = sum(joint.values())

    def counted(a: tuple[int, str], b: tuple[int, str]) -> int:
        return sum(n for said, n in joint.items() if said[a[0]] == a[1] and said[b[0]] == b[1])

    sums = [counted(one, one) for one in sides]
    products = []
    for i, one in enumerate(sides):
        products += [*(counted(one, other) for other in sides[i:]), sums[i]]
    return unit_sums(quantity, (pairs, *sums, pairs, *products, pairs))


def score_places(
    reading: ShadowReading, found: Scored, cells: Sequence[ScoreCell], among: Among
) -> tuple[LevelPlaces, ...]:
    """Requests that the champion scored, by the bin of its score: those answered by both, and those it alone logged."""
    counted: dict[str, list[int]] = {}
    for cell in cells:
        counted.setdefault(f"tenth {cell.champion_bin + 1:02d}", [0, 0, 0])[0] += cell.pairs
    rows = reading.engine.run(
        Step(
            "levels",
            f"SELECT {score_level(found)} AS level, count(*) FROM pairs WHERE {among.in_time} AND place = {CHAMPION_ONLY} "
            f"AND ({found.champion}) IS NOT NULL GROUP BY level ORDER BY level",
        )
    )
    for level, n in rows:
        counted.setdefault(str(level), [0, 0, 0])[1] += int(n)
    return tuple(LevelPlaces(SCORE, level, *n) for level, n in sorted(counted.items()))


def score_by_level(found: Scored, among: Among) -> str:
    """Requests that the champion scored, a row each: whose, at which level, matched or not."""
    return (
        f"SELECT unit, {score_level(found)} AS level, CASE WHEN place = {BOTH} THEN 1 ELSE 0 END AS matched, "
        f"CASE WHEN place = {BOTH} THEN 0 ELSE 1 END AS lone FROM pairs WHERE ({found.champion}) IS NOT NULL AND "
        f"(({among.answered} AND ({found.candidate}) IS NOT NULL) OR ({among.in_time} AND place = {CHAMPION_ONLY}))"
    )


def score_level(found: Scored) -> str:
    """The bin of the champion's score as the level of an attribute."""
    return f"'tenth ' || lpad(CAST({found.bin_of(found.champion)} + 1 AS VARCHAR), 2, '0')"


@dataclass(frozen=True, slots=True)
class Truth:
    """Where the reliability of probabilities can be told: bins of equal width, and what labels say."""

    scale: int
    positive: str

    def bin_of(self, model: str) -> str:
        """Bins of width 1 / BINS, above the lower edge up to and with the upper one; the first has 0 too."""
        whole = f"CAST(round({model}_score * {self.scale}) AS BIGINT)"
        width = self.scale // BINS
        return f"greatest(({whole} + {width - 1}) // {width} - 1, 0)"


def truth_of(design: ShadowDesign, said: Said) -> Truth | None:
    if (
        design.task != "binary"
        or not said.has("score")
        or not said.has_labels
        or design.primary.decimals == 0
    ):
        return None
    return Truth(10**design.primary.decimals, label_positive(design, said))


def reliability_step(truth: Truth, among: Among) -> Step:
    """Labelled pairs by both models' bins, with their scores' sums and how many were positive."""
    sums = ", ".join(
        f"sum(CAST(round({model}_score * {truth.scale}) AS BIGINT))" for model in ("champion", "candidate")
    )
    return Step(
        "reliability",
        f"SELECT {truth.bin_of('champion')} AS champion, {truth.bin_of('candidate')} AS candidate, count(*), "
        f"count(CASE WHEN {truth.positive} THEN 1 END), {sums} FROM pairs WHERE {among.labelled} "
        "AND champion_score BETWEEN 0 AND 1 AND candidate_score BETWEEN 0 AND 1 GROUP BY champion, candidate "
        "ORDER BY champion, candidate",
    )
