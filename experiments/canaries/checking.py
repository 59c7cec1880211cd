"""From the evidence of a check to its readout: validity, guardrails, the answer by the map, and its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analysis.guardrails import GuardrailState
from experiments.canaries import words
from experiments.canaries.account import flow_of, limits_of, plan_kept, steps_of
from experiments.canaries.comparing import StepEstimates
from experiments.canaries.design import CanaryDesign
from experiments.canaries.evidence import CanaryEvidence
from experiments.canaries.judging import CheckMoment, JudgedGuardrail, judge_guardrails, units_a_day
from experiments.canaries.past import PastCheck
from experiments.canaries.readout import CanaryCheck, CanaryReadout, CanaryVerdict, CheckDecision
from experiments.canaries.schedule import share_of_plan, slots_of
from experiments.canaries.stopping import CheckStatus, enough_in_step
from experiments.canaries.validity import validity_of
from experiments.canaries.verdict import RULE, Findings, MappedCheck, verdict_of
from experiments.logs.sql import at_moment
from experiments.logs.watermark import Watermark
from experiments.readouts.context import versions
from experiments.readouts.judgement import failed_of
from experiments.readouts.readout import Check, Registration, Reproduce, Statement


@dataclass(frozen=True, slots=True)
class CheckContext:
    """Everything of a check's readout that is not computed from its evidence.

    Attributes:
        held: the checks of what can be mended; none of them may still hold.
        past: the checks sealed before, in order.
    """

    registration: Registration
    look: CanaryCheck
    released_at: datetime
    simulated: bool
    manifest: tuple[dict[str, Any], ...]
    statements: tuple[Statement, ...]
    held: tuple[Check, ...] = ()
    past: tuple[PastCheck, ...] = ()
    ledger_head: str | None = None
    ledger_count: int | None = None


def look_of(
    design: CanaryDesign, status: CheckStatus, begun: Sequence[datetime], watermark: Watermark
) -> CanaryCheck:
    """The check that a status calls due, as its readout holds it.

    Raises:
        ValueError: the status names no declared time.
    """
    if status.slot is None or status.at is None:
        raise ValueError("status: it names no declared time; take a check that is due")
    slot, step = status.slot, design.steps[status.slot.step - 1]
    return CanaryCheck(
        k=status.k,
        of=status.of,
        step=slot.step,
        steps=len(design.steps),
        slot=slot.place,
        slots=step.checks,
        share=float(step.share),
        began=begun[-1],
        at=status.at,
        cut_off=status.at,
        watermark=None if watermark.us is None else at_moment(watermark.us),
        watermark_why=watermark.why,
        held=slot.held,
        time_up=slot.time_up,
        final=slot.final,
        share_of_plan=0.0,
        steps_begun=tuple(begun),
    )


def make_canary_readout(
    design: CanaryDesign, evidence: CanaryEvidence, context: CheckContext
) -> CanaryReadout:
    """The readout of a check. The same evidence and context give the same readout.

    Raises:
        ValueError: for a check that is held, or whose outcomes were not read though there are mature units.
    """
    standing = [check.name for check in context.held if check.result == "hold"]
    if standing:
        raise ValueError(
            f"context.held: {', '.join(standing)}; a held check has no readout, mend the logs first"
        )
    if not evidence.read and min(evidence.analysed_in_all()) > 0:
        raise ValueError("evidence.read: False with mature units; read the guardrails first")
    look, past = context.look, context.past
    units = evidence.analysed(look.step)
    slot = next(s for s in slots_of(design) if (s.step, s.place) == (look.step, look.slot))
    share = max(share_of_plan(design, slot, units), past[-1].share_of_plan if past else 0.0)
    checks = [*context.held, *validity_of(design, evidence)]
    failed = failed_of(checks)
    estimates = StepEstimates(design, evidence)
    seconds = (look.at - look.began).total_seconds() - design.maturity
    moment = CheckMoment(look.k, look.at, look.step, share, units_a_day(units, seconds))
    judged = judge_guardrails(design, estimates, moment, past)
    mapped = verdict_of(
        Findings.of(
            valid=not failed,
            guardrails=[one.state for one in judged],
            enough_units=enough_in_step(design, look.step, units),
            held=look.held,
            time_up=look.time_up,
            last_step=look.step == len(design.steps),
            needs=design.steps[look.step - 1].needs,
            when_unanswered=design.steps[look.step - 1].when_unanswered,
            breach=design.written.breach,
        )
    )
    shown = () if mapped.code == "INVALID" else tuple(_with_words(one) for one in judged)
    verdict = _verdict(design, evidence, look, mapped, shown, failed)
    look = look.model_copy(update={"share_of_plan": share, "decision": DECISIONS[mapped.code]})
    return CanaryReadout(
        simulated=context.simulated,
        released_at=context.released_at,
        registration=context.registration,
        design=design.material,
        look=look,
        validity=tuple(checks),
        steps=steps_of(design, evidence),
        flow=flow_of(evidence),
        guardrails=tuple(reading for one in shown for reading in one.readings),
        verdict=verdict,
        limits=limits_of(design, evidence, context.registration),
        plan_kept=plan_kept(design, context.registration, look, past),
        reproduce=Reproduce(
            design_sha256=design.sha256,
            manifest=context.manifest,
            evidence_sha256=evidence.sha256,
            evidence=_kept(evidence, mapped).as_json(),
            versions=versions(),
            statements=context.statements,
            ledger_head=context.ledger_head,
            ledger_count=context.ledger_count,
        ),
    )


DECISIONS: dict[str, CheckDecision] = {
    "CONTINUE": "CONTINUE",
    "DO NOT PASS": "STOP FOR HARM",
    "INVALID": "STOP AS INVALID",
    "PASS": "PASSED",
    "INCONCLUSIVE": "TIME IS UP",
}


def _kept(evidence: CanaryEvidence, mapped: MappedCheck) -> CanaryEvidence:
    """An invalid check shows no effect: of the outcomes read it keeps only the hash."""
    return evidence.without_outcomes() if mapped.code == "INVALID" else evidence


def _with_words(judged: JudgedGuardrail) -> JudgedGuardrail:
    readings = tuple(
        reading.model_copy(update={"outlook": words.outlook(reading)}) for reading in judged.readings
    )
    return JudgedGuardrail(judged.measure, judged.state, readings)


def _verdict(
    design: CanaryDesign,
    evidence: CanaryEvidence,
    look: CanaryCheck,
    mapped: MappedCheck,
    judged: Sequence[JudgedGuardrail],
    failed: Sequence[Check],
) -> CanaryVerdict:
    step = design.steps[look.step - 1]
    following = design.steps[look.step].share if look.step < len(design.steps) else step.share
    share = {"advance": float(following), "pause": 0.0, "roll back": 0.0}.get(
        mapped.action, float(step.share)
    )
    control, candidate = evidence.analysed(look.step)
    units = (
        f"step {look.step} has {control:,} mature units of {design.control.name} and {candidate:,} of {design.candidate.name}, "
        f"and asks for {step.minimum_units:,} in each"
    )
    return CanaryVerdict(
        code=mapped.code,
        call=mapped.call,
        action=mapped.action,
        row=mapped.row,
        share=share,
        rule_in_words=RULE,
        reasons=(mapped.reason, *_reasons(judged, failed)),
        sentence=words.sentence_of(mapped, judged, failed, float(step.share), float(following), units),
    )


def _reasons(judged: Sequence[JudgedGuardrail], failed: Sequence[Check]) -> list[str]:
    """What of the guardrails and the checks stands in the way of passing."""
    found = [
        f"{one.measure.label}: {one.state.value}" for one in judged if one.state is not GuardrailState.WITHIN
    ]
    return found + [f"{check.name}: {check.detail}" for check in failed]
