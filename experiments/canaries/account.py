"""The account a check gives beside its guardrails: units by step and fate, whether the plan was kept, what it cannot say."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from analysis.stratified import weight
from experiments.canaries.design import CanaryDesign
from experiments.canaries.evidence import CanaryEvidence, StepEvidence
from experiments.canaries.past import PastCheck
from experiments.canaries.readout import CanaryCheck, StepUnits
from experiments.canaries.schedule import planned_units
from experiments.canaries.words import percent
from experiments.cohorts.cohort import FATE_WORDS, Fate
from experiments.cohorts.evidence import units_in
from experiments.forms.durations import written as written_duration
from experiments.logs.sql import at_moment
from experiments.readouts.readout import ArmUnits, Check, Registration

AFTER_EXPOSURE = (Fate.AFTER_CUT_OFF, Fate.NOT_MATURE, Fate.ANALYSED)


def steps_of(design: CanaryDesign, evidence: CanaryEvidence) -> tuple[StepUnits, ...]:
    """Every step of the plan; those that have not begun hold no units."""
    found = []
    for step in design.steps:
        held = evidence.steps[step.number - 1] if step.number <= len(evidence.steps) else None
        planned = round(planned_units(design, step, step.hold))
        arms = () if held is None else tuple(_arm(design, held, arm, planned) for arm in (0, 1))
        found.append(
            StepUnits(
                step=step.number,
                share=float(step.share),
                began=None if held is None else at_moment(held.begun_us),
                minimum_units=step.minimum_units,
                arms=arms,
                information=0.0 if held is None else weight(held.analysed(0), held.analysed(1)),
            )
        )
    return tuple(found)


def _arm(design: CanaryDesign, step: StepEvidence, arm: int, planned: int) -> ArmUnits:
    fates = step.fates
    excluded = {FATE_WORDS[fate]: units_in(fates, arm, fate) for fate in Fate if fate is not Fate.ANALYSED}
    return ArmUnits(
        arm=design.arms[arm].name,
        planned_share=float(design.steps[step.step - 1].share),
        planned=planned,
        assigned=units_in(fates, arm, *Fate),
        exposed=units_in(fates, arm, Fate.NOT_ELIGIBLE, *AFTER_EXPOSURE),
        eligible=units_in(fates, arm, *AFTER_EXPOSURE),
        mature=units_in(fates, arm, Fate.ANALYSED),
        analysed=units_in(fates, arm, Fate.ANALYSED),
        excluded={reason: n for reason, n in excluded.items() if n},
    )


def flow_of(evidence: CanaryEvidence) -> dict[str, int]:
    counted = evidence.as_cohort()
    before = sum(c.units for c in evidence.outside if c.fate in AFTER_EXPOSURE)
    return {
        "units in the assignment log": evidence.units,
        "units exposed before the first step began": before,
        "units never exposed, broken or in no arm": sum(c.units for c in evidence.outside) - before,
        "assignment rows": sum(c.assignment_rows for c in counted.fates),
        "assignment rows without unit, arm or time": evidence.rows.broken_assignments,
        "assignment rows in an arm the canary does not name": evidence.rows.unknown_arms,
        "exposure rows": evidence.rows.exposures,
        "exposure rows without unit or time": evidence.rows.broken_exposures,
        "exposure rows of units never assigned": evidence.rows.stray_exposures,
        "units in more than one arm": evidence.several_arms,
        "units exposed before assignment": evidence.exposed_before_assigned,
    }


def plan_kept(
    design: CanaryDesign, registration: Registration, look: CanaryCheck, past: Sequence[PastCheck]
) -> tuple[Check, ...]:
    held = [
        f"step {number} for {written_duration(int((later - earlier).total_seconds()))}"
        for number, (earlier, later) in enumerate(pairwise(look.steps_begun), start=1)
    ]
    short = [
        step.number
        for step, earlier, later in zip(design.steps, look.steps_begun, look.steps_begun[1:], strict=False)
        if (later - earlier).total_seconds() < step.hold
    ]
    not_called = [
        step
        for step in range(1, look.step)
        if not any(check.step == step and check.action == "advance" for check in past)
    ]
    amended = len(registration.amendments)
    return (
        Check(
            name="Shares as planned",
            result="warn" if short else "pass",
            detail=(", ".join(held) or "the first step is on")
            + (f"; step {', '.join(map(str, short))} was shorter than its hold time" if short else ""),
            rule=", ".join(
                f"{percent(float(step.share))} for {written_duration(step.hold)}" for step in design.steps
            ),
            blocking=False,
        ),
        Check(
            name="Steps answered before the next",
            result="warn" if not_called else "pass",
            detail=f"step {', '.join(map(str, not_called))} was left without a check that let it advance"
            if not_called
            else "every step before this one had a check that let it advance",
            rule="the share grows only on a sealed check",
            blocking=False,
        ),
        Check(
            name="Maturity",
            result="pass",
            detail=f"every analysed unit had {written_duration(design.maturity)}",
            rule=f"window {written_duration(design.window)} + label delay {written_duration(design.written.label_delay)}",
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
            name="Outcome reads before this check",
            result="pass" if registration.outcome_reads_before <= len(past) else "warn",
            detail=f"{registration.outcome_reads_before}",
            rule=f"at most {len(past)}: earlier checks" if past else "none",
            blocking=False,
        ),
    )


def limits_of(design: CanaryDesign, evidence: CanaryEvidence, registration: Registration) -> tuple[str, ...]:
    found = [
        "It asks whether the candidate is safe, not whether it is better: no primary metric was read.",
        f"Outcomes count for {written_duration(design.window)} after first exposure; harm that comes later, or only after many "
        "uses, is not seen.",
        "It speaks of the units that came while it ran; those who come often come first, so an early step has more of them.",
        "Units are taken as independent: if one unit's arm changes another unit's outcome, the comparison is biased.",
    ]
    if any(measure.metric.when_no_events == "zero" for measure in design.measures):
        found.append(
            "A guardrail that counts events takes a unit without any for a good one. Rows lost for one arm alone, while its other "
            "rows arrive, would look like an improvement."
        )
    if evidence.audit is None:
        found.append(
            "Units are assigned outside of Fairtrial, so that the log could not be held against the hash."
        )
    if "self-reviewed" in registration.labels:
        found.append("Owner and reviewer are the same person: nobody else checked the plan.")
    return tuple(found)
