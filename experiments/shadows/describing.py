"""What a readout shows beside what decides: errors, latency, decisions flipped, and what could have been detected.

Intervals here are of this look alone, at 95 %, by unit. They describe; none of them changes the verdict.
"""

from __future__ import annotations

from typing import Final

from analysis.paired import (
    ClusteredShare,
    DeclaredTest,
    at_one_look,
    decision_flips,
    detectable_clustered_difference,
    detectable_share,
    quantile_comparison,
)
from analysis.paired.clustered import ClusteredDifference
from experiments.readouts import words
from experiments.readouts.comparisons import interval
from experiments.readouts.readout import Interval
from experiments.shadows.comparing import Subject, difference_of, shown
from experiments.shadows.design import ShadowDesign
from experiments.shadows.evidence import ContentEvidence, PairingEvidence
from experiments.shadows.limiting import paired_quantiles
from experiments.shadows.measures import POINTS
from experiments.shadows.readout import (
    Detectable,
    Estimated,
    Failures,
    Flips,
    PairedComparison,
    Percentile,
)
from experiments.shadows.unit_sums import UnitSums

LEVEL: Final = 0.95


def plain(alpha: float = 1 - LEVEL, direction: str = "lower") -> DeclaredTest:
    return DeclaredTest(alpha, 2, "higher" if direction == "higher" else "lower")


def difference_shown(
    design: ShadowDesign, sums: UnitSums, subject: Subject, *, by_score: bool
) -> PairedComparison:
    """A paired difference that only describes."""
    result = at_one_look(difference_of(sums, by_score=by_score), plain(direction=subject.direction))
    values = sums.mean("champion"), sums.mean("candidate")
    return shown(design, subject, result, values, sums.pairs, state="")


def failures_of(design: ShadowDesign, pairing: PairingEvidence) -> tuple[Failures, ...]:
    """Errors and timeouts by pair, of what is logged; they may be shown before the look."""
    found = []
    for sums in pairing.failures:
        words_of = {"error_share": "share of errors", "timeout_share": "share of timeouts"}[sums.name]
        subject = Subject(sums.name, words_of, "monitor", POINTS, "lower", "difference", limit=0.0)
        candidate, champion, both = (sums.total(name) for name in ("candidate", "champion", "both"))
        found.append(
            Failures(
                name=sums.name,
                both=both,
                candidate_only=candidate - both,
                champion_only=champion - both,
                neither=sums.pairs - candidate - champion + both,
                comparison=difference_shown(design, sums, subject, by_score=True),
            )
        )
    return tuple(found)


def latency_of(design: ShadowDesign, content: ContentEvidence) -> tuple[Percentile, ...]:
    """Both models' percentiles over the same pairs, with the difference by unit."""
    found = []
    for one in content.latency:
        subject = Subject(
            f"latency_p{one.q * 100:g}",
            f"{one.q * 100:g}th percentile of latency",
            "monitor",
            "ms",
            "lower",
            "difference",
            limit=0.0,
        )
        quantiles = paired_quantiles(one)
        result = at_one_look(quantile_comparison(quantiles), plain())
        values = quantiles.champion.estimate, quantiles.candidate.estimate
        comparison = shown(design, subject, result, values, one.requests.pairs, state="")
        found.append(Percentile(q=one.q, comparison=comparison))
    return tuple(found)


def flips_of(design: ShadowDesign, content: ContentEvidence) -> Flips | None:
    """Decisions at the live threshold that the candidate would have turned, by direction."""
    sums = content.quantity("flips")
    if sums is None or design.written.threshold is None or sums.pairs == 0:
        return None
    found = decision_flips(sums.comoments, level=LEVEL)
    return Flips(
        threshold=design.written.threshold,
        pairs=sums.pairs,
        to_positive=sums.total("to_positive"),
        to_negative=sums.total("to_negative"),
        share=of_share("decisions flipped", found.flipped),
        net=of_difference("positive decisions, candidate − champion", found.net),
    )


def detectable_of(design: ShadowDesign, content: ContentEvidence) -> Detectable | None:
    """What this number of pairs could have told, at the declared level and power."""
    primary = design.primary
    sums, table = content.quantity(primary.measure.name), content.table()
    if sums is None or sums.pairs == 0:
        return None
    power = design.written.size.power
    found = detectable_clustered_difference(
        sums.candidate_less_champion, alpha=primary.alpha, power=power, sides=primary.sides
    )
    discordant = None if table is None or primary.measure.name != "correctness" else table.discordant
    sentence = f"Not computed: {found.not_computed}."
    if found.difference is not None:
        size = words.size(float(words.significant(found.difference)), "absolute", primary.measure.unit)
        pairs = f"{words.count(sums.pairs)} labelled pairs"
        if discordant is not None:
            pairs += f", {words.count(discordant)} of them discordant"
        sentence = f"With {pairs}, a true difference of {size} would have been found with {power:.0%} power."
    share = (
        None
        if discordant is None
        else detectable_share(discordant, alpha=primary.alpha, power=power, sides=primary.sides)
    )
    return Detectable(
        discordant_pairs=discordant,
        share_of_discordant=None if share is None else share.share,
        difference=found.difference,
        power=power,
        alpha=primary.alpha,
        sides=primary.sides,
        unit=primary.measure.unit,
        sentence=sentence,
        not_computed=found.not_computed,
    )


def of_share(name: str, found: ClusteredShare) -> Estimated:
    return Estimated(
        name=name,
        value=found.share,
        interval=at_level(found.ci),
        method="share with Wilson's interval by unit",
        not_computed=found.not_computed,
    )


def of_difference(name: str, found: ClusteredDifference) -> Estimated:
    return Estimated(
        name=name,
        value=found.difference,
        interval=at_level(found.ci),
        method=f"difference by unit ({found.method})",
        not_computed=found.not_computed,
    )


def at_level(ci: tuple[float, float] | None) -> Interval | None:
    return interval(ci, LEVEL)
