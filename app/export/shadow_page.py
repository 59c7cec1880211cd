"""A shadow's readout as a page: in the order in which a reviewer reads it. No number is made here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from app.export.blocks import Block, Bullets, Figure, Folded, Page, Section, VerdictBox, Words
from app.export.head import facts_of, labels_of, watermark_of
from app.export.paired import (
    answers_table,
    estimated_table,
    failures_table,
    gate_table,
    levels_table,
    methods_of_pairs,
    paired_table,
    pairing_table,
    quality_table,
    reliability_table,
)
from app.export.records import amendments_table, checks_table
from app.export.reproducing import reproduce_blocks
from app.export.sequential import sequential_blocks
from app.formats import count, p_clause, share, shortest
from app.readings import LABEL_WORDS, verdict_reading
from experiments.shadows.readout import Estimated, PairedComparison, Quality, SegmentReport, ShadowReadout

if TYPE_CHECKING:
    from app.charts import Drawn


def shadow_page_of(readout: ShadowReadout) -> Page:
    """The page of a shadow's readout, the same for every form that people read."""
    verdict = readout.verdict
    return Page(
        experiment=readout.registration.experiment,
        title=readout.registration.title,
        watermark=watermark_of(readout),
        labels=tuple((label, LABEL_WORDS.get(label, "")) for label in labels_of(readout)),
        facts=tuple(facts_of(readout)),
        verdict=VerdictBox(
            verdict.code,
            verdict_reading(verdict.code),
            verdict.sentence,
            verdict.reasons,
            f"Row {verdict.row} of the map: {verdict.rule_in_words}",
        ),
        paragraph=verdict.paragraph,
        sections=tuple(_sections(readout)),
    )


def gate_sentence(readout: ShadowReadout) -> str:
    """``Gate to canary: NOT YET. 5 of 6 conditions hold``."""
    holding = sum(one.state == "holds" for one in readout.gate)
    open_now = "OPEN" if readout.verdict.code == "PASS" else "CLOSED"
    if readout.verdict.code in {"CONTINUE", "INCONCLUSIVE"}:
        open_now = "NOT YET"
    return f"Gate to canary: {open_now}. {holding} of {len(readout.gate)} conditions hold."


def _sections(readout: ShadowReadout) -> Iterator[Section]:
    goes_on = readout.verdict.code == "CONTINUE"
    if not goes_on and readout.gate:
        yield Section("gate", "Gate", (Words(gate_sentence(readout)), gate_table(readout.gate)))
    if readout.plan_kept:
        kept = checks_table("What was planned and what happened", readout.plan_kept, blocking=False)
        yield Section("plan", "Plan kept?", (kept,))
    yield Section("pairing", "Pairing", tuple(_pairing(readout)))
    yield Section("failures", "Errors and timeouts", tuple(_failures(readout)))
    if goes_on:
        yield Section("primary", "Comparison", (Words("No comparison is reported: the shadow goes on."),))
    else:
        yield from _contents(readout)
    yield Section("limits", "What a shadow cannot tell", (Bullets(readout.limits),))
    yield Section("deviations", "Amendments", tuple(_amendments(readout)))
    yield Section("reproduce", "Reproduce", tuple(reproduce_blocks(readout)))


def _contents(readout: ShadowReadout) -> Iterator[Section]:
    """What is in a readout whose answers and labels were read."""
    if readout.latency:
        yield Section("latency", "Latency", tuple(_latency(readout)))
    if readout.agreement is not None or readout.flips is not None:
        yield Section("agreement", "Agreement", tuple(_agreement(readout)))
    yield Section("primary", "Quality on mature labels", tuple(_primary(readout)))
    if readout.segments:
        yield Section("segments", "Declared segments", tuple(_segments(readout)))
    if readout.declared_limits:
        yield Section("declared", "Declared limits", tuple(_limits(readout)))
    if readout.sequential:
        yield Section("sequential", "Sequential", tuple(sequential_blocks(readout)))
    if readout.calibration is not None:
        yield Section("calibration", "Calibration", tuple(_calibration(readout)))
    if readout.detectable is not None:
        found = readout.detectable
        yield Section(
            "detectable",
            "What could have been detected",
            (Words(found.sentence or found.not_computed or ""),),
        )


def _pairing(readout: ShadowReadout) -> Iterator[Block]:
    yield checks_table("Checks and the rules declared for them", readout.validity)
    yield pairing_table(readout.pairing)
    if readout.pairing.days:

        def days() -> Drawn:
            from app.charts.shadows import days_covered

            return days_covered(readout.pairing.days)

        yield Figure("Requests by day", days)
    for found in readout.pairing.missing:
        words = f"{found.attribute}: not computed: {found.not_computed}." if found.not_computed else ""
        if found.p_value is not None:
            words = f"{found.attribute}: do all levels miss alike, by user? {p_clause(found.p_value)}."
        if words:
            yield Words(words)
        yield Folded(f"Requests by {found.attribute}", (levels_table(found.attribute, found.levels),))


def _failures(readout: ShadowReadout) -> Iterator[Block]:
    if not readout.failures:
        yield Words("The logs name no errors and no timeouts.")
        return
    yield failures_table(readout.failures)
    yield paired_table("Share of failures", [one.comparison for one in readout.failures], called="Failure")


def _latency(readout: ShadowReadout) -> Iterator[Block]:
    def percentiles() -> Drawn:
        from app.charts.shadows import latency_percentiles

        return latency_percentiles(readout.latency)

    yield Figure("Percentiles of both models over the same pairs", percentiles)
    yield paired_table(
        "Percentiles and their paired differences, by user", [one.comparison for one in readout.latency]
    )


def _agreement(readout: ShadowReadout) -> Iterator[Block]:
    found = readout.agreement
    if found is not None:
        yield estimated_table(
            "How far the two models say the same",
            (
                found.same,
                found.kappa,
                found.score_difference,
                found.score_correlation,
                _named(found.score_stability, "of the scores"),
                _named(found.answer_stability, "of the answers"),
                found.noise_floor,
                found.noise_excess,
            ),
        )
        yield Words(found.noise_note)
        if found.score_bins:
            bins = found.score_bins

            def overlay() -> Drawn:
                from app.charts.shadows import score_overlay

                return score_overlay(bins, *_versions(readout))

            yield Figure("Scores of both models", overlay)
        if found.answers:
            yield Folded("Answers of both models", (answers_table(found.answers, *_versions(readout)),))
    if readout.flips is not None:
        flips = readout.flips
        yield Words(
            f"At the live threshold of {shortest(flips.threshold)} the candidate would have turned {count(flips.to_positive)} "
            f"decisions to positive and {count(flips.to_negative)} to negative, of {count(flips.pairs)}."
        )
        yield estimated_table("Decisions flipped", (flips.share, flips.net))


def _primary(readout: ShadowReadout) -> Iterator[Block]:
    if readout.primary is None:
        yield Words("The primary was not measured.")
        return
    if readout.pairing.label_share is not None:
        yield Words(f"Labels have come for {share(readout.pairing.label_share)} of the mature pairs.")
    if readout.quality is not None:
        yield from _quality(readout.quality)
    yield Figure("Candidate against champion, on the same requests", partial(_forest, (readout.primary,)))
    yield paired_table("The deciding comparison", [readout.primary])
    yield methods_of_pairs([readout.primary])


def _quality(found: Quality) -> Iterator[Block]:
    def bar() -> Drawn:
        from app.charts.shadows import discordant_bar

        return discordant_bar(found)

    yield quality_table(found)
    yield Figure("Where just one model is right", bar)
    tested = "not computed" if found.p_value is None else p_clause(found.p_value)
    yield Words(f"{found.method}: {tested}. {found.note}".strip())


def _segments(readout: ShadowReadout) -> Iterator[Block]:
    yield Words("Every level has to stay within its margin: a total can hold while one group collapses.")
    for segment in readout.segments:
        yield from _segment(readout, segment)


def _segment(readout: ShadowReadout, segment: SegmentReport) -> Iterator[Block]:
    if segment.heterogeneity_p_value is not None:
        yield Words(
            f"By {segment.attribute}: is the difference the same at every level? {segment.heterogeneity_method}: "
            f"{p_clause(segment.heterogeneity_p_value)}."
        )
    elif segment.not_computed:
        yield Words(f"By {segment.attribute}: heterogeneity not computed: {segment.not_computed}.")
    if not segment.comparisons:
        return
    primary = readout.primary
    overall = None if primary is None else primary.estimate
    yield Figure(f"By {segment.attribute}", partial(_forest, segment.comparisons, overall, segment.attribute))
    yield paired_table(f"By {segment.attribute}", segment.comparisons, called="Level")
    yield Folded(
        "Right and wrong, and how the numbers were made",
        (*(quality_table(one) for one in segment.tables), methods_of_pairs(segment.comparisons)),
    )


def _limits(readout: ShadowReadout) -> Iterator[Block]:
    yield Words("Each is an interval against its limit; only “within margin” passes.")
    yield paired_table("Declared limits", readout.declared_limits)
    yield methods_of_pairs(readout.declared_limits)


def _calibration(readout: ShadowReadout) -> Iterator[Block]:
    found = readout.calibration
    if found is None:
        return
    drawn = tuple(one for one in found.models if one.bins)
    if drawn:

        def curves() -> Drawn:
            from app.charts.shadows import reliability_curves

            return reliability_curves(drawn)

        yield Figure("How often a score came true", curves)
    for one in found.models:
        if one.not_computed:
            yield Words(f"{one.model}: not computed: {one.not_computed}.")
        else:
            yield estimated_table(f"{one.model}: loss of its scores", (one.brier, one.log_loss))
            yield Folded(f"Reliability of {one.model}", (reliability_table(one),))
    if found.differences:
        yield paired_table("Paired differences of the losses", found.differences)


def _amendments(readout: ShadowReadout) -> Iterator[Block]:
    plan = readout.registration
    yield Words(f"Outcome accesses before the plan was locked: {count(plan.outcome_reads_before)}.")
    if plan.amendments:
        yield amendments_table(plan.amendments)
    else:
        yield Words("The plan was not amended.")


def _named(found: Estimated | None, of: str) -> Estimated | None:
    return None if found is None else found.model_copy(update={"name": f"{found.name} {of}"})


def _versions(readout: ShadowReadout) -> tuple[str, str]:
    """The champion's and the candidate's version, as the design names them."""
    return readout.design["champion"]["version"], readout.design["candidate"]["version"]


def _forest(
    compared: tuple[PairedComparison, ...], overall: float | None = None, attribute: str = ""
) -> Drawn:
    from app.charts.shadows import paired_forest

    return paired_forest(compared, overall=overall, by=attribute)
