"""The readout of a shadow: one immutable object that pages, files and the terminal render, and that is sealed.

It has the parts of an A/B readout where they mean the same (``experiments.readouts.readout``). Its fields stand in the order
in which it is read.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from experiments.readouts.readout import (
    Check,
    Comparison,
    Interval,
    Look,
    Part,
    Registration,
    Reproduce,
    SequentialPath,
)
from experiments.readouts.sealed import Sealed
from experiments.shadows.verdict import ShadowCode

Bound = Literal["margin", "worsening", "at_most", "at_least", "difference"]


class PairedComparison(Comparison):
    """One number of both models on the same requests. The champion stands in the place of control.

    Attributes:
        bound: what ``limit`` is a limit of: the difference (margin, worsening), the value itself (at_most, at_least), or, in
            a test for a difference, 0.
        pairs, units: that it rests on.
    """

    bound: Bound
    pairs: int
    units: int


class Condition(Part):
    """One line of the gate: what was declared, and whether it holds."""

    name: str
    state: Literal["holds", "broken", "not ruled out", "not measured", "invalid"]
    detail: str


class DayRequests(Part):
    day: datetime
    both: int
    champion_only: int
    candidate_only: int


class LevelRequests(Part):
    """Requests at one level, by which model logged them."""

    level: str
    both: int
    champion_only: int
    candidate_only: int


class MissingAtRandom(Part):
    """Whether unmatched requests are like the others, by one attribute or by the champion's score.

    Attributes:
        largest_gap: unmatched share of the worst level over that of all.
        p_value: that all levels miss alike, by unit; computed where the gap is beyond the declared one.
    """

    attribute: str
    levels: tuple[LevelRequests, ...]
    worst: str | None
    largest_gap: float | None
    p_value: float | None
    not_computed: str | None = None


class PairingReport(Part):
    """Which requests are pairs, and what became of the others."""

    requests: int
    both: int
    champion_only: int
    candidate_only: int
    matched_share: float | None
    without_unit: int
    incomplete: int
    answered: int
    labelled: int
    label_share: float | None
    units: int
    broken_rows: int
    duplicated: int
    conflicting_labels: int
    other_inputs: int
    with_hash: int
    days: tuple[DayRequests, ...]
    missing: tuple[MissingAtRandom, ...]


class Failures(Part):
    """Errors or timeouts by pair."""

    name: str
    both: int
    candidate_only: int
    champion_only: int
    neither: int
    comparison: PairedComparison


class Percentile(Part):
    """One percentile of both models' latency over the same pairs, and its paired difference by unit."""

    q: float
    comparison: PairedComparison


class AnswerPair(Part):
    champion: str
    candidate: str
    pairs: int


class ScoreBins(Part):
    """Both models' scores over the same bins; ``upper`` is the edge above, None of the last."""

    upper: float | None
    champion: int
    candidate: int


class Estimated(Part):
    """A number with its interval by unit."""

    name: str
    value: float | None
    interval: Interval | None
    method: str
    not_computed: str | None = None


class Agreement(Part):
    """How far the two models say the same, and how far the champion says the same as itself."""

    answers: tuple[AnswerPair, ...]
    same: Estimated | None
    kappa: Estimated | None
    score_difference: Estimated | None
    score_correlation: Estimated | None
    score_bins: tuple[ScoreBins, ...]
    score_stability: Estimated | None
    answer_stability: Estimated | None
    noise_floor: Estimated | None
    noise_excess: Estimated | None
    noise_note: str


class Flips(Part):
    """Decisions at the live threshold that the candidate would have turned."""

    threshold: float
    pairs: int
    to_positive: int
    to_negative: int
    share: Estimated
    net: Estimated


class Quality(Part):
    """Right and wrong on mature labels, overall or at a level of a segment."""

    level: str | None = None
    both: int
    candidate_only: int
    champion_only: int
    neither: int
    p_value: float | None
    method: str
    note: str


class SegmentReport(Part):
    """The deciding measure at every level of an attribute, with Holm's adjustment and a test of heterogeneity."""

    attribute: str
    comparisons: tuple[PairedComparison, ...]
    tables: tuple[Quality, ...]
    heterogeneity_p_value: float | None
    heterogeneity_method: str
    not_computed: str | None = None


class ReliabilityBin(Part):
    lower: float
    upper: float
    requests: int
    mean_score: float | None
    positive_share: float | None
    interval: Interval | None


class Reliability(Part):
    """Whether one model's scores are probabilities."""

    model: str
    bins: tuple[ReliabilityBin, ...]
    expected_error: float | None
    by_chance: float | None
    mean_score: float | None
    positive_share: float | None
    brier: Estimated | None
    log_loss: Estimated | None
    not_computed: str | None = None


class Calibration(Part):
    """Both models' reliability, and the paired difference of what their scores lose."""

    models: tuple[Reliability, ...]
    differences: tuple[PairedComparison, ...]


class Detectable(Part):
    """What this number of pairs could have told."""

    discordant_pairs: int | None
    share_of_discordant: float | None
    difference: float | None
    power: float
    alpha: float
    sides: int
    unit: str
    sentence: str
    not_computed: str | None = None


class ShadowVerdict(Part):
    code: ShadowCode
    row: int
    rule_in_words: str
    reasons: tuple[str, ...]
    sentence: str
    paragraph: str


class ShadowReadout(Sealed):
    """A sealed look at a shadow, in the order in which it is read. ``sha256`` is over everything else."""

    SCHEMA: ClassVar[str] = "shadow-readout/1"
    schema_: Literal["shadow-readout/1"] = "shadow-readout/1"
    simulated: bool
    released_at: datetime
    registration: Registration
    design: dict[str, Any]
    look: Look
    verdict: ShadowVerdict
    gate: tuple[Condition, ...]
    validity: tuple[Check, ...]
    pairing: PairingReport
    failures: tuple[Failures, ...]
    latency: tuple[Percentile, ...]
    agreement: Agreement | None
    flips: Flips | None
    primary: PairedComparison | None
    quality: Quality | None
    segments: tuple[SegmentReport, ...]
    declared_limits: tuple[PairedComparison, ...]
    calibration: Calibration | None
    detectable: Detectable | None
    sequential: tuple[SequentialPath, ...]
    limits: tuple[str, ...]
    plan_kept: tuple[Check, ...]
    reproduce: Reproduce
