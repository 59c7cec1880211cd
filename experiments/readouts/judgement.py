"""From evidence to the readout: validity first, then effects, guardrails, the verdict by the map, and its words.

A failed validity check ends the work before any effect is computed: an INVALID readout holds no estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.guardrails import GuardrailState
from experiments.cohorts.evidence import Evidence
from experiments.designs.design import Design
from experiments.readouts import words
from experiments.readouts.account import flow_of, limits_of, plan_kept, units_of
from experiments.readouts.boundaries import LookTests
from experiments.readouts.context import Context as Context
from experiments.readouts.context import versions as versions
from experiments.readouts.deciding import HARM_WORDS, Judged, judge_all
from experiments.readouts.estimates import Estimator
from experiments.readouts.exploration import secondary, segments, sensitivity
from experiments.readouts.paragraph import paragraph
from experiments.readouts.paths import going_on
from experiments.readouts.readout import (
    ArmVerdict,
    Check,
    LookDecision,
    Readout,
    Reproduce,
    Verdict,
    VerdictCode,
)
from experiments.readouts.validity import cohort_checks, outcome_checks
from experiments.readouts.verdict import RULES, Findings, MappedVerdict, PrimaryState, verdict_of

HARMFUL = frozenset({2, 3, 4})
"""Rows of the map in which the treatment did harm."""
HARM_TRIPPED = HARM_WORDS[GuardrailState.BEYOND]


def validity_of(design: Design, evidence: Evidence) -> list[Check]:
    """The blocking checks of a look, with their shared α."""
    checks = cohort_checks(design, evidence.cohort)
    if evidence.outcomes is not None:
        checks += outcome_checks(design, evidence.cohort, evidence.outcomes)
    return checks


def cohort_is_valid(design: Design, evidence: Evidence) -> bool:
    """Whether the checks that need no outcome pass, so that outcomes may be read at all."""
    return not failed_of(cohort_checks(design, evidence.cohort))


def failed_of(checks: Sequence[Check]) -> list[Check]:
    return [check for check in checks if check.result == "fail" and check.blocking]


def make_readout(design: Design, evidence: Evidence, context: Context) -> Readout:
    """The readout of a look. The same evidence and context give the same readout.

    Raises:
        ValueError: for a look that is held, or whose outcomes were not read though its cohort is valid.
    """
    standing = [check.name for check in context.held if check.result == "hold"]
    if standing:
        raise ValueError(
            f"context.held: {', '.join(standing)}; a held look has no readout, mend the logs first"
        )
    checks = [*context.held, *validity_of(design, evidence)]
    failed = failed_of(checks)
    if failed:
        return _invalid(design, evidence, context, checks, failed)
    if evidence.outcomes is None:
        raise ValueError(
            "evidence.outcomes: None with a valid cohort; the look is not due, so it has no readout"
        )
    return _judged(design, evidence, context, checks)


def _invalid(
    design: Design, evidence: Evidence, context: Context, checks: Sequence[Check], failed: Sequence[Check]
) -> Readout:
    mapped = verdict_of(Findings.of(valid=False, primary=PrimaryState.MISSING))
    verdict = Verdict(
        code=mapped.code,
        rule=design.decision_rule,
        rule_in_words=RULES[design.decision_rule],
        ships=None,
        reasons=tuple(f"{check.name}: {check.detail}" for check in failed),
        sentence=words.invalid(failed),
        paragraph="",
        by_treatment=(),
    )
    # It shows no effect, so it keeps the counts of the cohort and, of outcomes that were read, only the hash.
    decision: LookDecision = "STOP AS INVALID" if design.stopping.sequential else "NO BOUNDARY"
    ended = replace(context, look=context.look.model_copy(update={"decision": decision}))
    return _assembled(design, evidence, Evidence(evidence.cohort, None), ended, checks, verdict)


def _judged(design: Design, evidence: Evidence, context: Context, checks: Sequence[Check]) -> Readout:
    tests = LookTests(Estimator(design, evidence), context.look, context.past)
    judged = judge_all(tests)
    by_treatment = [_verdict_of(tests, one, checks, interim=tests.interim) for one in judged]
    decision = _decision(tests, judged, by_treatment)
    if decision != "CONTINUE" and tests.interim:
        by_treatment = [
            _verdict_of(tests, one, checks, interim=False) if verdict.code == "CONTINUE" else verdict
            for one, verdict in zip(judged, by_treatment, strict=True)
        ]
    ships = _which_ships(design, judged, by_treatment)
    several = len(by_treatment) > 1
    shown = [one for one in by_treatment if ships is None or one.treatment == ships]
    sentence = " ".join(
        one.sentence if len(shown) == 1 else f"{one.treatment}: {one.sentence}" for one in shown
    )
    look = context.look.model_copy(update={"decision": decision})
    if decision == "CONTINUE":
        sentence = words.goes_on(look)
    elif design.stopping.sequential or look.harm_stop is not None:
        sentence = f"{words.stopped(look)} {sentence}"
    verdict = Verdict(
        code="SHIP" if ships else _overall(by_treatment, decision),
        rule=design.decision_rule,
        rule_in_words=RULES[design.decision_rule],
        ships=ships,
        reasons=tuple(f"{one.treatment}: {one.reason}" if several else one.reason for one in by_treatment),
        sentence=sentence,
        paragraph="",
        by_treatment=tuple(by_treatment),
    )
    paths = [path for one in judged for path in one.paths]
    readout = _assembled(design, evidence, evidence, replace(context, look=look), checks, verdict)
    readout = readout.model_copy(
        update={
            "primary": tuple(one.primary for one in judged),
            "guardrails": tuple(g for one in judged for g in one.guardrails),
            "secondary": tuple(secondary(tests)),
            "segments": tuple(segments(tests)),
            "sensitivity": tuple(sensitivity(tests)),
            "sequential": tuple(going_on(path) if decision == "CONTINUE" else path for path in paths),
        }
    )
    return _with_paragraph(design, readout)


def _decision(tests: LookTests, judged: Sequence[Judged], verdicts: Sequence[ArmVerdict]) -> LookDecision:
    """What the look calls for: it ends the experiment once one treatment may ship, or none can any more."""
    codes = {verdict.code for verdict in verdicts}
    if tests.look.harm_stop is not None or any(one.tripped for one in judged):
        return "STOP FOR HARM"
    if "CONTINUE" in codes and "SHIP" not in codes:
        return "CONTINUE"
    if not tests.design.stopping.sequential:
        return "NO BOUNDARY"
    if "SHIP" in codes:
        return "STOP FOR EFFICACY"
    if any(verdict.row in HARMFUL for verdict in verdicts):
        return "STOP FOR HARM"
    return "STOP FOR FUTILITY" if tests.interim else "NO BOUNDARY"


def _assembled(
    design: Design,
    evidence: Evidence,
    kept: Evidence,
    context: Context,
    checks: Sequence[Check],
    verdict: Verdict,
) -> Readout:
    """The readout without effects: who, when, what was checked, and how to make it again."""
    readout = Readout(
        simulated=context.simulated,
        released_at=context.released_at,
        registration=context.registration,
        design=design.material,
        look=context.look,
        validity=tuple(checks),
        units=units_of(design, evidence),
        flow=flow_of(evidence),
        primary=(),
        guardrails=(),
        secondary=(),
        segments=(),
        sensitivity=(),
        verdict=verdict,
        limits=limits_of(design, context),
        plan_kept=plan_kept(design, evidence, context),
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


def _with_paragraph(design: Design, readout: Readout) -> Readout:
    verdict = readout.verdict.model_copy(update={"paragraph": paragraph(design, readout)})
    return readout.model_copy(update={"verdict": verdict})


def _verdict_of(tests: LookTests, judged: Judged, checks: Sequence[Check], *, interim: bool) -> ArmVerdict:
    design, look = tests.design, tests.look
    mapped = verdict_of(
        Findings.of(
            valid=True,
            primary=judged.state,
            guardrails=judged.states,
            harm_stop=look.harm_stop is not None or bool(judged.tripped),
            stopped_by_hand=look.stopped_by_hand,
            interim=interim,
            boundary_crossed=design.stopping.sequential and judged.state is PrimaryState.MET,
        )
    )
    return ArmVerdict(
        treatment=design.arms[judged.treatment].name,
        code=mapped.code,
        row=mapped.row,
        reason=mapped.reason,
        sentence=_sentence(tests, judged, mapped, checks),
    )


def _sentence(tests: LookTests, judged: Judged, mapped: MappedVerdict, checks: Sequence[Check]) -> str:
    design, primary = tests.design, judged.primary
    must_hold = [g for g in judged.guardrails if g.role == "must-hold"]
    match mapped.row:
        case 2:
            stops = [g for g in judged.guardrails if g.role == "harm-stop" and g.state == HARM_TRIPPED]
            return words.harm_tripped(stops, tests.look)
        case 3:
            return words.harmed(primary)
        case 4:
            return " ".join(words.guardrail_beyond(g) for g in must_hold if g.state == "Beyond margin")
        case 5:
            missing = [g for g in must_hold if g.state == "Missing"]
            return words.not_measured(
                [primary, *missing] if judged.state is PrimaryState.MISSING else missing
            )
        case 6:
            return words.stopped_by_hand(primary)
        case 7:
            make = words.ship if design.primary.margin is None else words.within_margin
            return make(primary, must_hold, checks)
        case 8:
            unsure = [g for g in must_hold if g.state == "Margin not ruled out"]
            return " ".join(words.guardrail_open(primary, g) for g in unsure)
        case 9:
            futile = judged.state is PrimaryState.FUTILE and tests.rule == "group-sequential"
            return words.futile(primary) if futile else words.ruled_out(primary)
        case 11:
            return words.goes_on(tests.look)
        case _:
            return words.imprecise(primary, units_to_decide(design, judged))


def units_to_decide(design: Design, judged: Judged) -> int | None:
    """Units per arm at which this result's interval would be half as wide as the distance planned for.

    Width goes with 1/√n, so n × (half width / planned distance)² × 2²; None where there is no interval.
    """
    found = judged.primary.interval
    distance = judged.primary.margin if design.primary.margin is not None else judged.primary.mde
    if found is None or found.low is None or found.high is None or not distance:
        return None
    half = (found.high - found.low) / 2
    n = max(judged.primary.control_value.n, judged.primary.treatment_value.n)
    return max(max(design.plan.n_per_arm), round(n * (2 * half / distance) ** 2))


def _overall(verdicts: Sequence[ArmVerdict], decision: LookDecision) -> VerdictCode:
    """No treatment ships: DO NOT SHIP only when that is the verdict of every one."""
    if decision == "CONTINUE":
        return "CONTINUE"
    codes = {verdict.code for verdict in verdicts}
    return "DO NOT SHIP" if codes == {"DO NOT SHIP"} else "INCONCLUSIVE"


def _which_ships(design: Design, judged: Sequence[Judged], verdicts: Sequence[ArmVerdict]) -> str | None:
    """Of the treatments that may ship, the one the design's rule names."""
    may = [one for one, verdict in zip(judged, verdicts, strict=True) if verdict.code == "SHIP"]
    if not may:
        return None
    if design.written.which_ships == "first listed":
        return design.arms[may[0].treatment].name
    sign = 1 if design.primary.metric.direction == "higher" else -1
    best = max(may, key=lambda one: (sign * (one.primary.estimate or 0.0), -one.treatment))
    return design.arms[best.treatment].name
