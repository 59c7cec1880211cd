"""From evidence to the readout of a shadow: pairing first, then limits, the deciding measure, the verdict by the map, its words.

Pairs that cannot be trusted end the work before anything of the models is compared: an INVALID readout holds no comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.guardrails import GuardrailState
from analysis.paired import PairedResult
from experiments.readouts.context import Context, versions
from experiments.readouts.judgement import failed_of
from experiments.readouts.paths import going_on
from experiments.readouts.readout import Check, Look, LookDecision, Reproduce, SequentialPath
from experiments.readouts.verdict import PrimaryState
from experiments.shadows import words
from experiments.shadows.account import pairing_report, plan_kept
from experiments.shadows.agreement import agreement_of
from experiments.shadows.comparing import ShadowTests
from experiments.shadows.deciding import (
    judge_primary,
    judge_segment,
    quality_of,
)
from experiments.shadows.describing import detectable_of, failures_of, flips_of, latency_of
from experiments.shadows.design import ShadowDesign
from experiments.shadows.evidence import ContentEvidence, ShadowEvidence
from experiments.shadows.gate import Judged, gate_of
from experiments.shadows.limiting import judge_limits
from experiments.shadows.paths import path_of
from experiments.shadows.readout import (
    PairedComparison,
    ShadowReadout,
    ShadowVerdict,
)
from experiments.shadows.reliability import calibration_of
from experiments.shadows.validity import content_checks, coverage_checks, score_checks, trust_checks
from experiments.shadows.verdict import RULE, Findings, MappedShadow, verdict_of


def make_shadow_readout(design: ShadowDesign, evidence: ShadowEvidence, context: Context) -> ShadowReadout:
    """The readout of a look. The same evidence and context give the same readout.

    Raises:
        ValueError: for a look that is held, or whose answers were not read though its pairs can be trusted.
    """
    standing = [check.name for check in context.held if check.result == "hold"]
    if standing:
        raise ValueError(
            f"context.held: {', '.join(standing)}; a held look has no readout, mend the logs first"
        )
    trust = trust_checks(design, evidence.pairing)
    if evidence.content is not None:
        trust += score_checks(design, evidence.content)
    coverage = coverage_checks(design, evidence.pairing, ends=True)
    checks = [*context.held, *trust, *coverage]
    failed = failed_of(trust)
    if failed:
        mapped = verdict_of(Findings.of(valid=False, measured=False, primary=PrimaryState.MISSING))
        reasons = tuple(f"{check.name}: {check.detail}" for check in failed)
        return _assembled(
            design,
            evidence,
            replace(context, look=_decided(context, "STOP AS INVALID")),
            checks,
            _verdict(mapped, reasons, words.invalid(failed)),
            kept=ShadowEvidence(evidence.pairing, None),
        )
    if evidence.content is None:
        raise ValueError(
            "evidence.content: None with pairs that can be trusted; the look is not due, so it has no readout"
        )
    checks += content_checks(design, evidence.pairing, evidence.content)
    return _judged(design, evidence, evidence.content, context, checks)


def _judged(
    design: ShadowDesign,
    evidence: ShadowEvidence,
    content: ContentEvidence,
    context: Context,
    checks: Sequence[Check],
) -> ShadowReadout:
    tests = ShadowTests(design, context.look, context.past)
    unmeasured = tuple(f"{check.name}: {check.detail}" for check in checks if check.result == "fail")
    judged = Judged(
        judge_primary(tests, content),
        tuple(judge_limits(tests, evidence)),
        tuple(judge_segment(tests, content, rule) for rule in design.segments),
        unmeasured,
    )
    mapped = verdict_of(
        Findings.of(
            valid=True,
            measured=not unmeasured,
            primary=judged.primary.state,
            limits=(one.state for one in judged.limits),
            segments=(state for segment in judged.segments for state in segment.states),
            stopped_by_hand=context.look.stopped_by_hand,
            interim=tests.interim,
            boundary_crossed=design.stopping.sequential and judged.primary.state is PrimaryState.MET,
        )
    )
    decision = _decision(design, mapped)
    sentence = _sentence(judged, mapped, context, checks)
    reasons = (mapped.reason, *(unmeasured if mapped.row == 5 else ()))
    context = replace(context, look=_decided(context, decision))
    readout = _assembled(design, evidence, context, checks, _verdict(mapped, reasons, sentence), evidence)
    table = content.table()
    readout = readout.model_copy(
        update={
            "gate": gate_of(judged, checks),
            "failures": failures_of(design, evidence.pairing),
            "latency": latency_of(design, content),
            "agreement": agreement_of(content),
            "flips": flips_of(design, content),
            "calibration": calibration_of(design, content),
            "detectable": detectable_of(design, content),
            "sequential": tuple(
                going_on(one) if decision == "CONTINUE" else one for one in _paths(tests, judged)
            ),
            "primary": judged.primary.comparison,
            "quality": None if table is None else quality_of(table, by_user=design.by_user),
            "segments": tuple(segment.report for segment in judged.segments),
            "declared_limits": tuple(one.comparison for one in judged.limits),
        }
    )
    return _with_paragraph(design, readout)


def _paths(tests: ShadowTests, judged: Judged) -> list[SequentialPath]:
    """Everything that decides over the looks taken, the primary first; nothing with a single look."""
    compared: list[tuple[PairedComparison, PairedResult | None]] = [
        (judged.primary.comparison, judged.primary.result),
        *((one.comparison, one.result) for one in judged.limits),
    ]
    for segment in judged.segments:
        compared += zip(segment.report.comparisons, segment.results, strict=False)
    paths = [path_of(tests, found, result) for found, result in compared if result is not None]
    return [path for path in paths if path is not None]


def _decision(design: ShadowDesign, mapped: MappedShadow) -> LookDecision:
    if mapped.code == "CONTINUE":
        return "CONTINUE"
    if not design.stopping.sequential:
        return "NO BOUNDARY"
    if mapped.code == "PASS":
        return "STOP FOR EFFICACY"
    return "STOP FOR HARM" if mapped.row in {2, 3, 4} else "NO BOUNDARY"


def _decided(context: Context, decision: LookDecision) -> Look:
    return context.look.model_copy(update={"decision": decision})


def _verdict(mapped: MappedShadow, reasons: tuple[str, ...], sentence: str) -> ShadowVerdict:
    return ShadowVerdict(
        code=mapped.code,
        row=mapped.row,
        rule_in_words=RULE,
        reasons=reasons,
        sentence=sentence,
        paragraph="",
    )


def _sentence(judged: Judged, mapped: MappedShadow, context: Context, checks: Sequence[Check]) -> str:
    primary = judged.primary.comparison
    beyond = judged.of_state(GuardrailState.BEYOND)
    match mapped.row:
        case 2:
            return words.broken([one for one in beyond if one.segment is None])
        case 3:
            return words.worse(primary)
        case 4:
            return words.collapsed([one for one in beyond if one.segment is not None])
        case 5:
            missing = [
                *judged.unmeasured,
                *(
                    f"{one.label}: {one.not_computed or 'no data'}"
                    for one in judged.of_state(GuardrailState.MISSING)
                ),
            ]
            if judged.primary.state is PrimaryState.MISSING:
                missing.append(f"{primary.label}: {primary.not_computed or 'no data'}")
            return words.not_measured(missing)
        case 6:
            return words.stopped_by_hand(primary)
        case 7:
            return words.passed(primary, checks, len(judged.limits), len(judged.levels))
        case 8:
            return words.not_ruled_out(primary, judged.of_state(GuardrailState.NOT_RULED_OUT))
        case 9:
            return words.ruled_out(primary)
        case 11:
            return words.goes_on(context.look)
        case _:
            return words.imprecise(primary)


def _assembled(
    design: ShadowDesign,
    evidence: ShadowEvidence,
    context: Context,
    checks: Sequence[Check],
    verdict: ShadowVerdict,
    kept: ShadowEvidence,
) -> ShadowReadout:
    """The readout without comparisons: who, when, what was checked, and how to make it again."""
    pairing = pairing_report(evidence.pairing)
    readout = ShadowReadout(
        simulated=context.simulated,
        released_at=context.released_at,
        registration=context.registration,
        design=design.material,
        look=context.look,
        verdict=verdict,
        gate=(),
        validity=tuple(checks),
        pairing=pairing,
        failures=(),
        latency=(),
        agreement=None,
        flips=None,
        primary=None,
        quality=None,
        segments=(),
        declared_limits=(),
        calibration=None,
        detectable=None,
        sequential=(),
        limits=words.limits_of(design, pairing, context.look),
        plan_kept=plan_kept(design, evidence.pairing, context),
        reproduce=Reproduce(
            design_sha256=design.sha256,
            manifest=context.manifest,
            evidence_sha256=evidence.sha256,
            evidence=kept.as_json(),
            versions=versions(),
            statements=context.statements,
            ledger_head=context.ledger_head,
            ledger_count=context.ledger_count,
        ),
    )
    return _with_paragraph(design, readout) if verdict.code == "INVALID" else readout


def _with_paragraph(design: ShadowDesign, readout: ShadowReadout) -> ShadowReadout:
    verdict = readout.verdict.model_copy(update={"paragraph": words.paragraph(design, readout)})
    return readout.model_copy(update={"verdict": verdict})
