"""How far the two models say the same: answers, Cohen's kappa, scores, distributions, and the noise floor.

It describes; nothing here changes the verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.bins import category_bins
from analysis.distribution import stability_index
from analysis.moments import exact_comoments
from analysis.paired import (
    ClusteredEstimate,
    at_one_look,
    clustered_kappa,
    clustered_share,
    cohen_kappa,
    noise_floor,
    paired_ratio,
)
from experiments.readouts import words
from experiments.shadows.comparing import difference_of
from experiments.shadows.describing import LEVEL, at_level, of_difference, of_share, plain
from experiments.shadows.distributions import SQUARED_AT
from experiments.shadows.evidence import ContentEvidence
from experiments.shadows.limiting import index_of
from experiments.shadows.readout import Agreement, AnswerPair, Estimated, ScoreBins
from experiments.shadows.unit_sums import UnitSums


def agreement_of(content: ContentEvidence) -> Agreement | None:
    """How far the two models say the same; None where no log tells what they said."""
    decisions, scores = content.quantity("decisions"), content.score_products
    if decisions is None and not scores and content.quantity("answer") is None:
        return None
    bins = _score_bins(content)
    noise = None if content.noise is None else _noise(content.noise, classes=content.noise.scales[0] == 1)
    return Agreement(
        answers=tuple(
            AnswerPair(champion=one.champion, candidate=one.candidate, pairs=one.pairs)
            for one in content.answers
        ),
        same=None if decisions is None else _share("same answer", decisions, "agreeing"),
        kappa=None if decisions is None else _kappa(decisions, content),
        score_difference=_score_difference(content),
        score_correlation=_correlation(content),
        score_bins=bins,
        score_stability=_stability(
            content, "score_psi", [one.champion for one in bins], [one.candidate for one in bins]
        )
        if bins
        else None,
        answer_stability=_answer_stability(content),
        noise_floor=None if noise is None else noise[0],
        noise_excess=None if noise is None else noise[1],
        noise_note=""
        if noise is not None
        else "no champion-against-champion control is logged, so that the noise floor is not known",
    )


def _share(name: str, sums: UnitSums, count: str) -> Estimated:
    index = sums.names.index(count)
    return of_share(name, clustered_share(sums.comoments, level=LEVEL, count=index, of=len(sums.names) - 1))


def _of_estimate(name: str, found: ClusteredEstimate, method: str) -> Estimated:
    return Estimated(
        name=name,
        value=found.estimate,
        interval=at_level(found.ci),
        method=method,
        not_computed=found.not_computed,
    )


def _kappa(decisions: UnitSums, content: ContentEvidence) -> Estimated:
    """Cohen's κ by unit of two classes; of more its value, since their sums by unit are not gathered."""
    if "candidate" in decisions.names:
        rows = [(1, 0, 0, 0), (0, 0, 1, 0), (0, 0, -1, 1), (0, 1, 0, 0), (0, -1, 0, 1)]
        means = [sum(w * m for w, m in zip(row, decisions.comoments.means, strict=True)) for row in rows]
        found = clustered_kappa(decisions.comoments.combine(rows, means), level=LEVEL)
        return _of_estimate("Cohen's kappa", found, "Cohen's kappa, delta method by unit")
    classes = sorted({one.champion for one in content.answers} | {one.candidate for one in content.answers})
    counts = {(one.champion, one.candidate): one.pairs for one in content.answers}
    if len(classes) < 2:
        why = "both models always give the same one answer"
        return Estimated(
            name="Cohen's kappa", value=None, interval=None, method="Cohen's kappa", not_computed=why
        )
    kappa = cohen_kappa(
        [[counts.get((row, column), 0) for column in classes] for row in classes], level=LEVEL
    )
    return Estimated(
        name="Cohen's kappa",
        value=kappa.kappa,
        interval=at_level(kappa.ci),
        method="Cohen's kappa; its interval takes requests for independent",
        not_computed=kappa.not_computed,
    )


def _score_difference(content: ContentEvidence) -> Estimated | None:
    """Of scores, of a regression of its answers."""
    answers = content.quantity("answer")
    if answers is not None and answers.pairs:
        result = at_one_look(difference_of(answers, by_score=False), plain())
        return Estimated(
            name="mean answer, candidate − champion",
            value=result.estimate,
            interval=at_level(result.ci),
            method=result.name,
            not_computed=result.not_computed,
        )
    if not content.score_products or content.score_products[0] == 0:
        return None
    n, x, y, *_ = content.score_products
    return Estimated(
        name="mean score, candidate − champion",
        value=(y - x) / n / SQUARED_AT,
        interval=None,
        method="mean over pairs",
        not_computed="shown without an interval",
    )


def _correlation(content: ContentEvidence) -> Estimated | None:
    if not content.score_products or content.score_products[0] < 2:
        return None
    n, x, y, xx, yy, xy = content.score_products
    found = exact_comoments(n, (x, y), ((xx, xy), (xy, yy)), (SQUARED_AT, SQUARED_AT), (0, 0))
    spread = found.covariance(0, 0) * found.covariance(1, 1)
    return Estimated(
        name="correlation of the scores",
        value=found.covariance(0, 1) / math.sqrt(spread) if spread > 0 else None,
        interval=None,
        method="Pearson's over pairs",
        not_computed="shown without an interval"
        if spread > 0
        else "a model gives every request the same score",
    )


def _score_bins(content: ContentEvidence) -> tuple[ScoreBins, ...]:
    if not content.score_cells:
        return ()
    edges = (*(edge / content.score_scale for edge in content.score_edges), None)
    champion, candidate = [0] * len(edges), [0] * len(edges)
    for cell in content.score_cells:
        champion[cell.champion_bin] += cell.pairs
        candidate[cell.candidate_bin] += cell.pairs
    return tuple(
        ScoreBins(upper=upper, champion=h, candidate=c)
        for upper, h, c in zip(edges, champion, candidate, strict=True)
    )


def _answer_stability(content: ContentEvidence) -> Estimated | None:
    counts: tuple[dict[str | None, int], dict[str | None, int]] = ({}, {})
    for cell in content.answers:
        counts[0][cell.champion] = counts[0].get(cell.champion, 0) + cell.pairs
        counts[1][cell.candidate] = counts[1].get(cell.candidate, 0) + cell.pairs
    if not content.answers:
        return None
    both = category_bins(*counts)
    return _stability(content, "prediction_psi", both.reference, both.current)


def _stability(
    content: ContentEvidence, name: str, champion: Sequence[int], candidate: Sequence[int]
) -> Estimated:
    """Population stability index; with its interval where a limit was declared on it, so that sums by unit were gathered."""
    by_unit = content.quantity(name)
    if by_unit is not None:
        found = index_of(by_unit, LEVEL)
        return Estimated(
            name="population stability index",
            value=found.value,
            interval=at_level(found.ci),
            method=f"stability index by unit{_by_chance(found.expected)}",
            not_computed=found.not_computed,
        )
    return Estimated(
        name="population stability index",
        value=stability_index(champion, candidate).value,
        interval=None,
        method="stability index",
        not_computed="no interval: no limit was declared on it",
    )


def _by_chance(expected: float | None) -> str:
    return (
        ""
        if expected is None
        else f"; {words.significant(expected, 2)} would be expected of equal distributions"
    )


def _noise(sums: UnitSums, *, classes: bool) -> tuple[Estimated, Estimated]:
    """The champion's difference from itself, and what the change of model adds to it."""
    if classes:
        found = noise_floor(sums.comoments, level=LEVEL)
        return (
            of_share("champion against itself: share of other answers", found.control),
            of_difference("other answers beyond the noise floor", found.excess),
        )
    ratio = paired_ratio(sums.comoments.select([1, 0, 2]), level=LEVEL)
    floor = Estimated(
        name="champion against itself: mean absolute difference",
        value=sums.mean("control"),
        interval=None,
        method="mean over pairs",
    )
    excess = Estimated(
        name="noise floor as a part of the mean absolute difference of the models",
        value=ratio.ratio,
        interval=at_level(ratio.ci),
        method="ratio of means by unit, Fieller's interval",
        not_computed=ratio.not_computed,
    )
    return floor, excess
