"""Calibration of both models on mature labels: reliability by bins, and the paired difference of what their scores lose."""

from __future__ import annotations

from analysis.calibration import ScoreBin, calibration
from experiments.readouts.comparisons import interval
from experiments.shadows.comparing import Subject
from experiments.shadows.describing import LEVEL, difference_shown
from experiments.shadows.design import ShadowDesign
from experiments.shadows.distributions import BINS
from experiments.shadows.evidence import ContentEvidence
from experiments.shadows.measures import LOSSES
from experiments.shadows.readout import Calibration, Estimated, Reliability, ReliabilityBin
from experiments.shadows.unit_sums import UnitSums


def calibration_of(design: ShadowDesign, content: ContentEvidence) -> Calibration | None:
    """None outside binary tasks with probabilities."""
    if not content.reliability:
        return None
    differences = []
    for name in ("squared_error", "log_loss"):
        sums = content.quantity(name)
        if sums is not None and sums.pairs:
            measure = LOSSES[name]
            subject = Subject(name, measure.words, "monitor", measure.unit, "lower", "difference", limit=0.0)
            differences.append(difference_shown(design, sums, subject, by_score=False))
    return Calibration(
        models=(_reliability(design, content, 0), _reliability(design, content, 1)),
        differences=tuple(differences),
    )


def _reliability(design: ShadowDesign, content: ContentEvidence, model: int) -> Reliability:
    """One model, 0 for the champion; the bins' intervals take requests for independent and decide nothing."""
    bins = [[0, 0, 0] for _ in range(BINS)]
    for cell in content.reliability:
        own = bins[(cell.champion_bin, cell.candidate_bin)[model]]
        own[0] += cell.pairs
        own[1] += cell.positive
        own[2] += cell.sums[model]
    found = calibration(
        [
            ScoreBin(index / BINS, (index + 1) / BINS, n, positive, total / content.score_scale)
            for index, (n, positive, total) in enumerate(bins)
        ],
        level=LEVEL,
    )
    name = ("champion", "candidate")[model]
    return Reliability(
        model=(design.champion, design.candidate)[model],
        bins=tuple(
            ReliabilityBin(
                lower=one.lower,
                upper=one.upper,
                requests=one.requests,
                mean_score=one.mean_score,
                positive_share=one.positive_share,
                interval=interval(one.ci, LEVEL),
            )
            for one in found.bins
        ),
        expected_error=found.expected_error,
        by_chance=found.by_chance,
        mean_score=found.mean_score,
        positive_share=found.positive_share,
        brier=_mean_loss("Brier score", content.quantity("squared_error"), name),
        log_loss=_mean_loss("log loss", content.quantity("log_loss"), name),
        not_computed=found.not_computed,
    )


def _mean_loss(words: str, sums: UnitSums | None, model: str) -> Estimated | None:
    """A model's own mean; the paired difference, which decides more, has the interval."""
    if sums is None:
        return None
    return Estimated(
        name=words,
        value=sums.mean(model),
        interval=None,
        method="mean over labelled pairs",
        not_computed="shown without an interval; that of the paired difference stands below",
    )
