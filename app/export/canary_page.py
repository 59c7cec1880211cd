"""A canary's check as a page: what is held against its margin, step by step. There is no primary, and no number is made here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.export.blocks import (
    Block,
    Bullets,
    Cell,
    Figure,
    Folded,
    Page,
    Section,
    Table,
    VerdictBox,
    Words,
    table,
)
from app.export.effects import effects_table, methods_table
from app.export.head import labels_of, plan_facts, watermark_of
from app.export.records import amendments_table, checks_table, flow_table
from app.export.reproducing import reproduce_blocks
from app.formats import NOTHING, count, instant, p_value, share, significant
from app.readings import LABEL_WORDS, comparison_name, verdict_reading
from experiments.canaries.readout import CanaryReadout, GuardrailReading, StepUnits

if TYPE_CHECKING:
    from app.charts import Drawn

WITHHELD = frozenset({"INVALID"})


def canary_page_of(readout: CanaryReadout) -> Page:
    """The page of one check of a canary, the same for every form that people read."""
    verdict = readout.verdict
    return Page(
        experiment=readout.registration.experiment,
        title=readout.registration.title,
        watermark=watermark_of(readout),
        labels=tuple((label, LABEL_WORDS.get(label, "")) for label in labels_of(readout)),
        facts=tuple(_facts(readout)),
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


def _facts(readout: CanaryReadout) -> Iterator[tuple[str, str]]:
    check = readout.look
    yield "Check", f"{check.k} of at most {check.of}; number {check.slot} of {check.slots} in its step"
    yield (
        "Step",
        f"{check.step} of {check.steps}, {share(check.share)} of all users, since {instant(check.began)}",
    )
    yield "The check's decision", f"{check.decision}; by the plan: {readout.verdict.action}"
    yield "Share that may be served next", share(readout.verdict.share)
    yield (
        "Data to",
        f"{instant(check.watermark)} ({check.watermark_why})" if check.watermark else check.watermark_why,
    )
    yield "Users exposed until", instant(check.cut_off)
    yield "Budget read at", f"{share(check.share_of_plan)} of the plan"
    yield "Released", instant(readout.released_at)
    yield from plan_facts(readout.registration)


def _sections(readout: CanaryReadout) -> Iterator[Section]:
    if readout.plan_kept:
        kept = checks_table("What was planned and what happened", readout.plan_kept, blocking=False)
        yield Section("plan", "Plan kept?", (kept,))
    checks = checks_table("Checks and the rules declared for them", readout.validity)
    yield Section("validity", "Validity", (checks,))
    if readout.verdict.code in WITHHELD:
        yield Section("guardrails", "Guardrails", (Words("No effect is reported."),))
    else:
        yield Section("guardrails", "Guardrails", tuple(_guardrails(readout)))
    yield Section("steps", "Steps", tuple(_steps(readout)))
    yield Section("limits", "Limits", (Bullets(readout.limits or ("None were stated.",)),))
    plan = readout.registration
    amended: Block = (
        amendments_table(plan.amendments) if plan.amendments else Words("The plan was not amended.")
    )
    yield Section("deviations", "Amendments", (amended,))
    yield Section("reproduce", "Reproduce", tuple(reproduce_blocks(readout)))


def _guardrails(readout: CanaryReadout) -> Iterator[Block]:
    if not readout.guardrails:
        yield Words("No guardrail was judged.")
        return

    def bounds() -> Drawn:
        from app.charts.canaries import bounds_over_checks

        return bounds_over_checks(readout.guardrails)

    compared = [one.comparison for one in readout.guardrails]
    yield Words(
        "Candidate against a concurrent equal slice, compared within each step, so that a base rate that drifts is not read as an "
        "effect. The margin is the largest worsening accepted; the budget of false alarms is one for all steps and checks."
    )
    if any(one.points for one in readout.guardrails):
        yield Figure("What is not ruled out, over the checks, against the limit", bounds)
    yield effects_table("Difference, and the margin it is held against", compared)
    outlooks = tuple(
        f"{comparison_name(one.comparison)}: {one.outlook}" for one in readout.guardrails if one.outlook
    )
    if outlooks:
        yield Bullets(outlooks)
    for one in readout.guardrails:
        name = comparison_name(one.comparison)
        yield Folded(f"{name}: check by check, and step by step", (_points(one), _by_step(one)))
    yield methods_table("How the numbers were made", compared)


def _points(found: GuardrailReading) -> Table:
    records: list[dict[str, Cell]] = [
        {
            "Check": str(point.k),
            "At": instant(point.at),
            "Step": str(point.step),
            "Budget read at": share(point.share_of_plan),
            "z": significant(point.z, 3),
            "Breach at z": NOTHING if point.harm_critical is None else significant(point.harm_critical, 3),
            "Within at −z": NOTHING
            if point.within_critical is None
            else significant(point.within_critical, 3),
            "p of harm": p_value(point.harm_p_value),
            "p of within": p_value(point.within_p_value),
        }
        for point in found.points
    ]
    return table(
        f"{comparison_name(found.comparison)} at each check",
        records,
        numeric=("Budget read at", "z", "Breach at z", "Within at −z", "p of harm", "p of within"),
    )


def _by_step(found: GuardrailReading) -> Table:
    records: list[dict[str, Cell]] = [
        {
            "Step": str(one.step),
            "Control": NOTHING if one.control is None else significant(one.control),
            "Candidate": NOTHING if one.candidate is None else significant(one.candidate),
            "Users, control": count(one.n_control),
            "Users, candidate": count(one.n_candidate),
            "Left out": one.left_out or NOTHING,
        }
        for one in found.by_step
    ]
    return table(
        f"{comparison_name(found.comparison)} within each step",
        records,
        numeric=("Control", "Candidate", "Users, control", "Users, candidate"),
    )


def _steps(readout: CanaryReadout) -> Iterator[Block]:
    records: list[dict[str, Cell]] = [_step(one) for one in readout.steps]
    yield table(
        "Users by the step in which they first came",
        records,
        numeric=[h for h in records[0] if h != "Began"] if records else (),
    )
    if readout.flow:
        yield flow_table(readout.flow)


def _step(one: StepUnits) -> dict[str, Cell]:
    record: dict[str, Cell] = {"Step": str(one.step), "Share": share(one.share), "Began": instant(one.began)}
    for arm in one.arms:
        record[f"{arm.arm}: assigned"] = count(arm.assigned)
        record[f"{arm.arm}: mature"] = count(arm.mature)
        record[f"{arm.arm}: analysed"] = count(arm.analysed)
    return record | {"Needed": count(one.minimum_units)}
