"""From evidence to the readout: validity first, then effects, guardrails, the verdict by the map, and its words.

A failed validity check ends the work before any effect is computed: an INVALID readout holds no estimate.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from typing import Any

from analysis.guardrails import GuardrailState, worst
from analysis.multiplicity import adjust
from experiments import words
from experiments.cohort import FATE_WORDS, Fate
from experiments.design import Design
from experiments.durations import DAY
from experiments.estimates import (
    NON_INFERIORITY,
    NON_INFERIORITY_WORDS,
    STATE_WORDS,
    Estimator,
    against_margin,
    comparison,
    deciding_alternative,
    interaction,
    superiority,
)
from experiments.evidence import Evidence, units_in
from experiments.readout import (
    ArmUnits,
    ArmVerdict,
    Check,
    Comparison,
    Look,
    Readout,
    Registration,
    Reproduce,
    Segment,
    Sensitivity,
    Statement,
    Verdict,
)
from experiments.validity import cohort_checks, outcome_checks, tests_sharing_alpha
from experiments.verdict import RULES, Findings, MappedVerdict, PrimaryState, verdict_of


@dataclass(frozen=True, slots=True)
class Context:
    """What a readout says beside the numbers: who registered what, which look, what was read by which code."""

    registration: Registration
    look: Look
    released_at: datetime
    simulated: bool
    manifest: tuple[dict[str, Any], ...]
    statements: tuple[Statement, ...]
    held: tuple[Check, ...] = ()
    ledger_head: str | None = None
    ledger_count: int | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One treatment: its comparisons and what they mean for the map."""

    treatment: int
    primary: Comparison
    state: PrimaryState
    guardrails: tuple[Comparison, ...]
    states: tuple[GuardrailState, ...]


def validity_of(design: Design, evidence: Evidence) -> list[Check]:
    """The blocking checks of a look, with their shared α."""
    shared = tests_sharing_alpha(design, evidence.cohort, evidence.outcomes)
    checks = cohort_checks(design, evidence.cohort, shared)
    if evidence.outcomes is not None:
        checks += outcome_checks(design, evidence.cohort, evidence.outcomes, shared)
    return checks


def cohort_is_valid(design: Design, evidence: Evidence) -> bool:
    """Whether the checks that need no outcome pass, so that outcomes may be read at all."""
    return not any(
        c.result == "fail" and c.blocking for c in validity_of(design, Evidence(evidence.cohort, None))
    )


def make_readout(design: Design, evidence: Evidence, context: Context) -> Readout:
    """The readout of a look. The same evidence and context give the same readout."""
    checks = [*context.held, *validity_of(design, evidence)]
    failed = [check for check in checks if check.result == "fail" and check.blocking]
    if failed or evidence.outcomes is None:
        return _assemble(design, evidence, context, checks, None, failed)
    estimator = Estimator(design, evidence)
    return _assemble(design, evidence, context, checks, estimator, failed)


def judge_all(estimator: Estimator) -> list[Judged]:
    """Primary and guardrails of every treatment, the primary's level shared over treatments as declared."""
    design = estimator.design
    levels = _levels(estimator)
    judged = []
    for treatment in range(1, len(design.arms)):
        primary, state = _primary(estimator, treatment, levels[treatment])
        guardrails: list[Comparison] = []
        states: list[GuardrailState] = []
        for index, measure in enumerate(design.measures):
            if measure.role not in {"must-hold", "monitor"}:
                continue
            found, state_of = _guardrail(estimator, index, treatment)
            guardrails += found
            if measure.role == "must-hold":
                states.append(state_of)
        judged.append(Judged(treatment, primary, state, tuple(guardrails), tuple(states)))
    return judged


def _levels(estimator: Estimator) -> dict[int, tuple[float, float | None]]:
    """The level at which each treatment's primary is tested, and its adjusted p.

    Holm's step-down, kept dual to the intervals: a treatment rejected at its step is shown at that step's level, and from
    the first that is not rejected on, all are shown at the level at which it failed.
    """
    design, measure = estimator.design, estimator.design.primary
    treatments = range(1, len(design.arms))
    m = len(treatments)
    if m == 1:
        return {1: (measure.alpha, None)}
    p_values: dict[str, float | None] = {}
    for treatment in treatments:
        if measure.margin is not None:
            p_values[str(treatment)] = against_margin(estimator, 0, treatment)[2]
        else:
            effect, _ = estimator.effect(
                0, treatment, alpha=measure.alpha, alternative=deciding_alternative(measure)
            )
            p_values[str(treatment)] = effect.p_value
    family = adjust(p_values, method=design.written.multiple_treatments, alpha=measure.alpha)
    levels: dict[int, tuple[float, float | None]] = {}
    if design.written.multiple_treatments == "bonferroni":
        return {t: (measure.alpha / m, family.members[str(t)].adjusted) for t in treatments}
    order = sorted(treatments, key=lambda t: (p_values[str(t)] is None, p_values[str(t)] or 0.0, t))
    step, failed = 0, False
    for treatment in order:
        level = measure.alpha / (m - step)
        levels[treatment] = (level, family.members[str(treatment)].adjusted)
        p_value = p_values[str(treatment)]
        failed = failed or p_value is None or p_value >= level
        if not failed:
            step += 1
    return levels


def _primary(
    estimator: Estimator, treatment: int, at: tuple[float, float | None]
) -> tuple[Comparison, PrimaryState]:
    measure, (alpha, adjusted_p) = estimator.design.primary, at
    if measure.margin is not None:
        effect, guardrail, p_value = against_margin(estimator, 0, treatment)
        state = NON_INFERIORITY[guardrail.state]
        found = comparison(
            estimator,
            0,
            treatment,
            effect,
            state=NON_INFERIORITY_WORDS[guardrail.state],
            p_value=p_value,
            limit=guardrail.limit,
            not_computed=guardrail.reason,
        )
    else:
        effect, adjustment = estimator.effect(
            0, treatment, alpha=alpha, alternative=deciding_alternative(measure)
        )
        state = superiority(measure, effect, alpha)
        reason = _unmeasured(estimator, 0, treatment)
        if reason is not None:
            state = PrimaryState.MISSING
        found = comparison(
            estimator,
            0,
            treatment,
            effect,
            state=STATE_WORDS[state],
            adjustment=adjustment,
            not_computed=reason,
        )
    if adjusted_p is not None:
        found = found.model_copy(
            update={
                "adjusted_p_value": adjusted_p,
                "multiplicity": estimator.design.written.multiple_treatments,
            }
        )
    return found, state


def _unmeasured(estimator: Estimator, index: int, treatment: int) -> str | None:
    limit = estimator.design.written.rules.max_missing
    for arm in (0, treatment):
        value = estimator.arm_value(index, arm)
        total = value.n + value.missing
        if total and value.missing / total > limit:
            return f"{value.missing / total:.1%} of {value.arm} has no value; at most {limit:.0%} is allowed"
    return None


def _guardrail(estimator: Estimator, index: int, treatment: int) -> tuple[list[Comparison], GuardrailState]:
    """A guardrail of one treatment; with a segment every level must hold, and an empty level is missing."""
    measure = estimator.design.measures[index]
    if measure.segment is None:
        return _guardrail_at(estimator, index, treatment, None, None)
    found: list[Comparison] = []
    states = []
    for level in estimator.levels(measure.segment):
        one, state = _guardrail_at(estimator, index, treatment, measure.segment, level)
        found += one
        states.append(state)
    return found, worst(states)


def _guardrail_at(
    estimator: Estimator, index: int, treatment: int, segment: str | None, level: str | None
) -> tuple[list[Comparison], GuardrailState]:
    effect, guardrail, p_value = against_margin(estimator, index, treatment, segment, level)
    found = comparison(
        estimator,
        index,
        treatment,
        effect,
        state=NON_INFERIORITY_WORDS[guardrail.state],
        segment=segment,
        level=level,
        p_value=p_value,
        limit=guardrail.limit,
        not_computed=guardrail.reason,
    )
    return [found], guardrail.state


def _secondary(estimator: Estimator) -> list[Comparison]:
    """Secondary metrics, adjusted over metrics and treatments together. They never change the verdict."""
    design = estimator.design
    found: dict[str, Comparison] = {}
    for index, measure in enumerate(design.measures):
        if measure.role != "secondary":
            continue
        for treatment in range(1, len(design.arms)):
            effect, _ = estimator.effect(index, treatment, alpha=measure.alpha)
            found[f"{measure.label} {treatment}"] = comparison(estimator, index, treatment, effect, state="")
    method = design.written.secondary.multiplicity
    family = adjust({name: c.p_value for name, c in found.items()}, method=method) if found else None
    adjusted = []
    for name, one in found.items():
        member = family.members[name] if family else None
        one = one.model_copy(
            update={"adjusted_p_value": member.adjusted if member else None, "multiplicity": method}
        )
        adjusted.append(one.model_copy(update={"state": words.effect_reading(one)}))
    return adjusted


def _segments(estimator: Estimator) -> list[Segment]:
    design = estimator.design
    found: list[Segment] = []
    for attribute in sorted(design.written.segments):
        for treatment in range(1, len(design.arms)):
            effects = {}
            rows = []
            for level in estimator.levels(attribute):
                effect, _ = estimator.effect(0, treatment, alpha=0.05, segment=attribute, level=level)
                effects[level] = effect
                rows.append(
                    comparison(estimator, 0, treatment, effect, state="", segment=attribute, level=level)
                )
            p_value, how = interaction(effects)
            found.append(
                Segment(
                    attribute=attribute,
                    comparisons=tuple(rows),
                    interaction_p_value=p_value,
                    interaction_method=how if p_value is not None else "Cochran's Q",
                    not_computed=None if p_value is not None else how,
                )
            )
    if not found:
        return []
    family = adjust({str(i): s.interaction_p_value for i, s in enumerate(found)}, method="holm")
    return [
        s.model_copy(update={"adjusted_interaction_p_value": family.members[str(i)].adjusted})
        for i, s in enumerate(found)
    ]


def _sensitivity(estimator: Estimator) -> list[Sensitivity]:
    """The declared sensitivity analyses of the primary: the same test, one choice undone."""
    design = estimator.design
    found = []
    for analysis in sorted(set(design.written.sensitivity)):
        if estimator.outcomes.family(0, analysis) is None:
            continue
        for treatment in range(1, len(design.arms)):
            effect, adjustment = estimator.effect(0, treatment, alpha=design.primary.alpha, variant=analysis)
            found.append(
                Sensitivity(
                    analysis=analysis,
                    comparison=comparison(
                        estimator, 0, treatment, effect, state="", adjustment=adjustment, variant=analysis
                    ),
                )
            )
    return found


def _verdict_of(design: Design, judged: Judged, stopped_by_hand: bool, checks: int) -> ArmVerdict:
    mapped = verdict_of(
        Findings.of(
            valid=True, primary=judged.state, guardrails=judged.states, stopped_by_hand=stopped_by_hand
        )
    )
    return ArmVerdict(
        treatment=design.arms[judged.treatment].name,
        code=mapped.code,
        row=mapped.row,
        reason=mapped.reason,
        sentence=_sentence(design, judged, mapped, checks),
    )


def _sentence(design: Design, judged: Judged, mapped: MappedVerdict, checks: int) -> str:
    must_hold = [g for g in judged.guardrails if g.role == "must-hold"]
    primary = judged.primary
    if mapped.row == 7:
        make = words.ship if design.primary.margin is None else words.within_margin
        return make(primary, must_hold, checks)
    if mapped.row == 3:
        return words.harmed(primary)
    if mapped.row == 4:
        return " ".join(words.guardrail_beyond(g) for g in must_hold if g.state == "Beyond margin")
    if mapped.row == 5:
        missing = [g for g in must_hold if g.state == "Missing"]
        return words.not_measured([primary, *missing] if judged.state is PrimaryState.MISSING else missing)
    if mapped.row == 6:
        return words.stopped_by_hand(primary)
    if mapped.row == 8:
        return " ".join(
            words.guardrail_open(primary, g) for g in must_hold if g.state == "Margin not ruled out"
        )
    if mapped.row == 9:
        return words.ruled_out(primary)
    return words.imprecise(primary, units_to_decide(design, judged))


def units_to_decide(design: Design, judged: Judged) -> int | None:
    """Units per arm at which this result's interval would be half as wide as the distance planned for.

    Width goes with 1/√n, so n × (half width / planned distance)² × 2²; None where there is no interval.
    """
    found = judged.primary.interval
    distance = judged.primary.margin if judged.primary.margin_kind == "absolute" else judged.primary.mde
    if found is None or found.low is None or found.high is None or not distance:
        return None
    half = (found.high - found.low) / 2
    n = max(judged.primary.control_value.n, judged.primary.treatment_value.n)
    return max(max(design.plan.n_per_arm), round(n * (2 * half / distance) ** 2))


def _assemble(
    design: Design,
    evidence: Evidence,
    context: Context,
    checks: Sequence[Check],
    estimator: Estimator | None,
    failed: Sequence[Check],
) -> Readout:
    judged = judge_all(estimator) if estimator else []
    passed = sum(1 for check in checks if check.result in {"pass", "warn"})
    if estimator is None:
        reasons = tuple(f"{check.name}: {check.detail}" for check in failed)
        sentence = words.invalid(failed)
        by_treatment: tuple[ArmVerdict, ...] = ()
        code, ships = verdict_of(Findings.of(valid=False, primary=PrimaryState.MISSING)).code, None
    else:
        by_treatment = tuple(_verdict_of(design, one, context.look.stopped_by_hand, passed) for one in judged)
        ships = _which_ships(design, judged, by_treatment)
        deciding = next((v for v in by_treatment if v.treatment == ships), by_treatment[0])
        code = deciding.code if len(by_treatment) == 1 or ships else _overall(by_treatment)
        chosen = [deciding] if len(by_treatment) == 1 or ships else list(by_treatment)
        reasons = tuple(
            f"{v.treatment}: {v.reason}" if len(by_treatment) > 1 else v.reason for v in by_treatment
        )
        sentence = " ".join(
            v.sentence if len(chosen) == 1 else f"{v.treatment}: {v.sentence}" for v in chosen
        )
    readout = Readout(
        simulated=context.simulated,
        released_at=context.released_at,
        registration=context.registration,
        design=design.material,
        look=context.look,
        validity=tuple(checks),
        units=_units(design, evidence),
        flow=_flow(evidence),
        primary=tuple(one.primary for one in judged),
        guardrails=tuple(g for one in judged for g in one.guardrails),
        secondary=tuple(_secondary(estimator)) if estimator else (),
        segments=tuple(_segments(estimator)) if estimator else (),
        sensitivity=tuple(_sensitivity(estimator)) if estimator else (),
        verdict=Verdict(
            code=code,
            rule=design.decision_rule,
            rule_in_words=RULES[design.decision_rule],
            ships=ships,
            reasons=reasons,
            sentence=sentence,
            paragraph="",
            by_treatment=by_treatment,
        ),
        limits=_limits(design, context),
        plan_kept=_plan_kept(design, evidence, context),
        reproduce=Reproduce(
            design_sha256=design.sha256,
            manifest=context.manifest,
            evidence_sha256=evidence.sha256,
            # An INVALID readout shows no effect, so it keeps the counts of the cohort and only the hash of the rest.
            evidence=evidence.as_json() if estimator else Evidence(evidence.cohort, None).as_json(),
            versions=versions(),
            statements=context.statements,
            ledger_head=context.ledger_head,
            ledger_count=context.ledger_count,
        ),
    )
    verdict = readout.verdict.model_copy(update={"paragraph": paragraph(design, readout)})
    return readout.model_copy(update={"verdict": verdict})


def _overall(verdicts: Sequence[ArmVerdict]) -> Any:
    """No treatment ships: DO NOT SHIP only when that is the verdict of every one."""
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


def _units(design: Design, evidence: Evidence) -> tuple[ArmUnits, ...]:
    fates = evidence.cohort.fates
    after = (Fate.AFTER_CUT_OFF, Fate.NOT_MATURE, Fate.ANALYSED)
    found = []
    for index, arm in enumerate(design.arms):
        excluded = {
            FATE_WORDS[fate]: units_in(fates, index, fate) for fate in Fate if fate is not Fate.ANALYSED
        }
        found.append(
            ArmUnits(
                arm=arm.name,
                planned_share=float(arm.share),
                planned=design.plan.n_per_arm[index],
                assigned=units_in(fates, index, *Fate),
                exposed=units_in(fates, index, Fate.NOT_ELIGIBLE, *after),
                eligible=units_in(fates, index, *after),
                mature=units_in(fates, index, Fate.ANALYSED),
                analysed=units_in(fates, index, Fate.ANALYSED),
                excluded={reason: n for reason, n in excluded.items() if n},
            )
        )
    return tuple(found)


def _flow(evidence: Evidence) -> dict[str, int]:
    cohort = evidence.cohort
    outside = sum(c.units for c in cohort.fates if c.arm is None)
    return {
        "units in the assignment log": cohort.units,
        "assignment rows": sum(c.assignment_rows for c in cohort.fates),
        "exposure rows": sum(c.exposure_rows for c in cohort.fates),
        "units in more than one arm": cohort.several_arms,
        "units whose delivered arm differs": cohort.delivered_differs,
        "units in no arm of the design": outside,
        "units exposed before assignment": cohort.exposed_before_assigned,
    }


def _plan_kept(design: Design, evidence: Evidence, context: Context) -> tuple[Check, ...]:
    look, registration = context.look, context.registration
    late = [label for label in registration.labels if label in {"late", "retrospective"}]
    analysed = [units_in(evidence.cohort.fates, arm, Fate.ANALYSED) for arm in range(len(design.arms))]
    planned = design.plan.n_per_arm
    reached = look.information >= 1
    amended = len(registration.amendments)
    return (
        Check(
            name="Registered before first exposure",
            result="warn" if late else "pass",
            detail=f"labelled {', '.join(late)}" if late else "yes",
            rule="registered and locked before any unit was exposed",
            blocking=False,
        ),
        Check(
            name="Sample reached",
            result="pass" if reached else "warn",
            detail=", ".join(
                f"{arm.name} {words.count(n)} of {words.count(want)}"
                for arm, n, want in zip(design.arms, analysed, planned, strict=True)
            )
            + f"; {look.information:.0%} of the planned information",
            rule="at least the planned information",
            blocking=False,
        ),
        Check(
            name="Looks as planned",
            result="warn" if look.stopped_by_hand else "pass",
            detail=f"{look.k} of {look.of}" + (", stopped by hand" if look.stopped_by_hand else ""),
            rule="outcomes read only at the declared look",
            blocking=False,
        ),
        Check(
            name="Maturity",
            result="pass",
            detail=f"every analysed unit had {design.maturity / DAY:g} days"
            if look.cut_off is not None
            else "the source has no times and is declared complete",
            rule=f"window {design.window / DAY:g} d + label delay {design.written.label_delay / DAY:g} d",
            blocking=False,
        ),
        Check(
            name="Amendments",
            result="pass" if amended == 0 else "warn",
            detail=f"{amended}" if amended else "none",
            rule="every change of the plan is listed with what had been read before it",
            blocking=False,
        ),
        Check(
            name="Outcome reads before this look",
            result="pass" if registration.outcome_reads_before == 0 else "warn",
            detail=f"{registration.outcome_reads_before}",
            rule="none",
            blocking=False,
        ),
    )


def _limits(design: Design, context: Context) -> tuple[str, ...]:
    found = [
        f"It speaks of {design.written.hypothesis.population}, in the period of this experiment; another population or season may differ.",
        f"Outcomes count for {design.window / DAY:g} days after first exposure; effects that come later, or that wear off, are not seen.",
        "Units are taken as independent: if one unit's arm changes another unit's outcome, the comparison is biased.",
    ]
    if context.look.short:
        found.append("It was read out with fewer units than planned, so a true effect may have been missed.")
    if "self-reviewed" in context.registration.labels:
        found.append("Owner and reviewer are the same person: nobody else checked the plan.")
    for label in ("late", "retrospective"):
        if label in context.registration.labels:
            found.append("Registered after the first exposure. Treat the result as exploratory.")
            break
    return tuple(found)


def paragraph(design: Design, readout: Readout) -> str:
    """For a sceptical stakeholder: what was declared, what was found, how sure, what it cannot say."""
    primary_name = design.primary.metric.reference
    arms = ", ".join(arm.name for arm in design.treatments)
    target = (
        f"not be worse than the margin of {design.primary.margin.value:g} ({design.primary.margin.kind})"
        if design.primary.margin is not None
        else f"improve, with {design.primary.mde.value:g} ({design.primary.mde.kind}) as the smallest improvement worth shipping"
        if design.primary.mde is not None
        else "improve"
    )
    late = any(label in {"late", "retrospective"} for label in readout.registration.labels)
    when = "After exposure had begun" if late else "Before any unit was exposed"
    total = sum(units.analysed for units in readout.units)
    held = "1 guardrail" if len(design.guardrails) == 1 else f"{len(design.guardrails)} guardrails"
    text = (
        f"{when} we declared that {arms} would be compared with {design.control.name} on one metric, {primary_name}, "
        f"which should {target}; that {held} had to hold; and when we would look. "
        f"{words.count(total)} units were analysed. "
    )
    if readout.verdict.code == "INVALID":
        return text + readout.verdict.sentence
    text += readout.verdict.sentence
    primary = readout.primary[0]
    if primary.p_value is not None and primary.interval is not None and len(readout.primary) == 1:
        if design.primary.margin is None:
            text += (
                f" The {words.level(primary.interval)} confidence interval is {words.bounds(primary)}: "
                f"intervals made this way contain the true value in "
                f"{words.level(primary.interval)} of experiments. A difference this large or larger would be seen in "
                f"{_percent(primary.p_value)} of experiments if there were no true difference ({words.p(primary.p_value)})."
            )
        else:
            text += (
                f" If the true worsening were exactly the margin, data this favourable would be seen in {_percent(primary.p_value)} of "
                f"experiments ({words.p(primary.p_value)})."
            )
    return text + " " + readout.limits[0]


def _percent(p_value: float) -> str:
    return "less than 0.01%" if p_value < 0.0001 else f"{words.significant(100 * p_value, 2)}%"


def versions() -> dict[str, str]:
    """The code that computed: Fairtrial, Python and the libraries whose numbers could differ."""
    found = {"python": ".".join(str(part) for part in sys.version_info[:3])}
    for name in ("fairtrial", "duckdb", "numpy", "scipy", "statsmodels"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
