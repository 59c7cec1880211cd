"""The readout as a page: which section follows which, and what stands in it. No number is made here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.export.blocks import Block, Bullets, Figure, Folded, Page, Section, VerdictBox, Words
from app.export.effects import arms_table, effects_table, methods_table, segment_tables, sensitivity_tables
from app.export.head import facts_of, labels_of, watermark_of
from app.export.kinds import AnyReadout
from app.export.records import (
    amendments_table,
    checks_table,
    exclusions_table,
    flow_table,
    units_table,
    verdicts_table,
)
from app.export.reproducing import reproduce_blocks
from app.export.sequential import interval_notes, sequential_blocks
from app.formats import count, p_clause, share
from app.readings import LABEL_WORDS, verdict_reading
from experiments.canaries.readout import CanaryReadout
from experiments.readouts.readout import Check, Readout, Segment
from experiments.shadows.readout import ShadowReadout

if TYPE_CHECKING:
    from app.charts import Drawn

WITHHELD = frozenset({"INVALID", "CONTINUE"})
"""Verdicts whose readouts hold no effect."""


_BEHIND = "What each arm shows, and how the numbers were made"


def page_of(readout: AnyReadout) -> Page:
    """The page of a readout of any kind, the same for every form that people read."""
    if isinstance(readout, ShadowReadout):
        from app.export.shadow_page import shadow_page_of

        return shadow_page_of(readout)
    if isinstance(readout, CanaryReadout):
        from app.export.canary_page import canary_page_of

        return canary_page_of(readout)
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
            f"Rule {verdict.rule}: {verdict.rule_in_words}",
        ),
        paragraph=verdict.paragraph,
        sections=tuple(_sections(readout)),
    )


def _sections(readout: Readout) -> Iterator[Section]:
    withheld = readout.verdict.code in WITHHELD
    if len(readout.verdict.by_treatment) > 1:
        yield Section("treatments", "Verdict by treatment", (verdicts_table(readout.verdict.by_treatment),))
    if readout.plan_kept:
        yield Section(
            "plan",
            "Plan kept?",
            (checks_table("What was planned and what happened", readout.plan_kept, blocking=False),),
        )
    yield Section("validity", "Validity", tuple(_validity(readout)))
    if withheld:
        yield Section("primary", "Primary metric", (Words("No effect is reported."),))
    else:
        yield Section("primary", "Primary metric", tuple(_primary(readout)))
        yield Section("guardrails", "Guardrails", tuple(_guardrails(readout)))
        if readout.sequential:
            yield Section("sequential", "Sequential", tuple(sequential_blocks(readout)))
    yield Section("units", "Units", tuple(_units(readout)))
    if not withheld:
        if readout.secondary:
            yield Section("secondary", "Declared secondary metrics", tuple(_secondary(readout)))
        if readout.sensitivity:
            yield Section("sensitivity", "Declared sensitivity analyses", tuple(_sensitivity(readout)))
        if readout.segments:
            yield Section("segments", "Declared segments", tuple(_segments(readout)))
    yield Section("deviations", "Deviations and amendments", tuple(_deviations(readout)))
    yield Section("limits", "Limits", (Bullets(readout.limits or ("None were stated.",)),))
    yield Section("reproduce", "Reproduce", tuple(reproduce_blocks(readout)))


def _validity(readout: Readout) -> Iterator[Block]:
    def allocation() -> Drawn:
        from app.charts import allocation_bar

        return allocation_bar(readout.units, _allocation_check(readout))

    yield checks_table("Checks and the rules declared for them", readout.validity)
    if readout.units:
        yield Figure("How the analysed units are shared between the arms", allocation)


def _allocation_check(readout: Readout) -> Check | None:
    """The check over the totals of the arms, which is the first that is called allocation."""
    return next((c for c in readout.validity if c.name.casefold().startswith("allocation")), None)


def _primary(readout: Readout) -> Iterator[Block]:
    compared = readout.primary
    if not compared:
        yield Words("The primary metric was not measured.")
        return

    def forest() -> Drawn:
        from app.charts import primary_forest

        return primary_forest(compared)

    yield Figure("How far each treatment arm differs from control", forest)
    yield effects_table("Difference by the declared test", compared)
    yield arms_table("What each arm shows", compared)
    yield methods_table("How the numbers were made", compared)
    levels = dict.fromkeys(c.interval.level for c in compared if c.interval)
    notes = [
        f"Confidence interval (CI): intervals made this way contain the true value in {share(level)} of experiments."
        for level in levels
    ]
    notes.append(
        "p: how often a difference this large or larger would be seen if there were no true difference."
    )
    if any(c.margin is not None for c in compared):
        notes[-1] = (
            "p: how often a result this far inside the margin would be seen if the truth lay at the margin."
        )
    notes += interval_notes(readout.sequential)
    notes.append("pp: percentage points, the difference of two percentages.")
    yield Bullets(tuple(notes))


def _guardrails(readout: Readout) -> Iterator[Block]:
    compared = readout.guardrails
    if not compared:
        yield Words("No guardrail was declared.")
        return

    def forest() -> Drawn:
        from app.charts import guardrail_forest

        return guardrail_forest(compared)

    yield Words(
        "The margin is the largest worsening that was accepted beforehand. Only “within margin” passes."
    )
    yield Figure("Each guardrail against its margin", forest)
    yield effects_table("Difference, and the margin it is held against", compared)
    yield arms_table("What each arm shows", compared)
    yield methods_table("How the numbers were made", compared)


def _units(readout: Readout) -> Iterator[Block]:
    if not readout.units:
        yield Words("No unit was assigned.")
        return

    def flow() -> Drawn:
        from app.charts import unit_flow

        return unit_flow(readout.units)

    yield Figure("From assigned to analysed", flow)
    yield units_table(readout.units)
    if any(u.excluded for u in readout.units):
        yield exclusions_table(readout.units)
    if readout.flow:
        yield flow_table(readout.flow)


def _secondary(readout: Readout) -> Iterator[Block]:
    yield Words("Supporting evidence only. It does not change the verdict.")
    yield effects_table("Differences", readout.secondary)
    sentences = tuple(c.state for c in readout.secondary if c.state.endswith("."))
    if sentences:
        yield Bullets(sentences)
    yield arms_table("What each arm shows", readout.secondary)
    yield methods_table("How the numbers were made", readout.secondary)


def _sensitivity(readout: Readout) -> Iterator[Block]:
    def forest() -> Drawn:
        from app.charts import sensitivity_forest

        return sensitivity_forest(readout.sensitivity, readout.primary)

    yield Words("The same estimate with one choice of the analysis undone. It does not change the verdict.")
    yield Figure("The primary metric under each declared analysis", forest)
    effects, behind = sensitivity_tables(readout.sensitivity)
    yield effects
    yield Folded(_BEHIND, behind)


def _segments(readout: Readout) -> Iterator[Block]:
    yield Words("Declared before the data. A segment does not change the verdict.")
    for segment in readout.segments:
        yield from _segment(readout, segment)


def _segment(readout: Readout, segment: Segment) -> Iterator[Block]:
    arms = ", ".join(dict.fromkeys(c.treatment for c in segment.comparisons))
    if not segment.comparisons:
        yield Words(f"By {segment.attribute}: {segment.not_computed or 'no level was seen'}.")
        return

    def forest() -> Drawn:
        from app.charts import segment_forest

        return segment_forest(segment, readout.primary)

    if segment.interaction_p_value is None:
        yield Words(f"By {segment.attribute}, {arms}: interaction test not computed: {segment.not_computed}.")
    else:
        adjusted = segment.adjusted_interaction_p_value
        more = "" if adjusted is None else f", adjusted over the segments {p_clause(adjusted)}"
        yield Words(
            f"By {segment.attribute}, {arms}: is the effect the same at every level? "
            f"{segment.interaction_method}: {p_clause(segment.interaction_p_value)}{more}."
        )
    yield Figure(f"By {segment.attribute}, {arms}", forest)
    effects, behind = segment_tables(segment)
    yield effects
    yield Folded(_BEHIND, behind)


def _deviations(readout: Readout) -> Iterator[Block]:
    plan, look = readout.registration, readout.look
    found = [f"{label}: {LABEL_WORDS.get(label, '')}".rstrip(": ") for label in labels_of(readout)]
    if look.stopped_by_hand:
        found.append("Stopped by hand before the declared end.")
    if look.short:
        found.append(
            f"The planned sample was not reached: {share(look.information)} of the planned information."
        )
    found += [
        f"{c.name}: {c.detail} (planned: {c.rule})."
        for c in readout.plan_kept
        if c.result in {"fail", "warn"}
    ]
    yield Bullets(tuple(found)) if found else Words("No deviation from the plan was found.")
    yield Words(f"Outcome accesses before the plan was locked: {count(plan.outcome_reads_before)}.")
    if plan.amendments:
        yield Words(f"Analysed by version {plan.version} of the plan.")
        yield amendments_table(plan.amendments)
    else:
        yield Words("The plan was not amended.")
