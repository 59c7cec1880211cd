"""The account a readout gives beside its effects: units by fate, whether the plan was kept, and what it cannot say."""

from __future__ import annotations

from experiments.cohorts.cohort import FATE_WORDS, Fate
from experiments.cohorts.evidence import Evidence, units_in
from experiments.designs.design import Design
from experiments.forms.durations import DAY
from experiments.readouts import words
from experiments.readouts.context import Context
from experiments.readouts.readout import ArmUnits, Check


def units_of(design: Design, evidence: Evidence) -> tuple[ArmUnits, ...]:
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


def flow_of(evidence: Evidence) -> dict[str, int]:
    cohort = evidence.cohort
    outside = sum(c.units for c in cohort.fates if c.arm is None)
    return {
        "units in the assignment log": cohort.units,
        "assignment rows": sum(c.assignment_rows for c in cohort.fates),
        "assignment rows without unit, arm or time": cohort.rows.broken_assignments,
        "assignment rows in an arm the design does not name": cohort.rows.unknown_arms,
        "exposure rows": cohort.rows.exposures,
        "exposure rows without unit or time": cohort.rows.broken_exposures,
        "exposure rows of units never assigned": cohort.rows.stray_exposures,
        "units in more than one arm": cohort.several_arms,
        "units whose delivered arm differs": cohort.delivered_differs,
        "units in no arm of the design": outside,
        "units exposed before assignment": cohort.exposed_before_assigned,
    }


def plan_kept(design: Design, evidence: Evidence, context: Context) -> tuple[Check, ...]:
    look, registration = context.look, context.registration
    late = [label for label in registration.labels if label in {"late", "retrospective"}]
    analysed = [units_in(evidence.cohort.fates, arm, Fate.ANALYSED) for arm in range(len(design.arms))]
    planned = design.plan.n_per_arm
    may_stop = design.stopping.sequential or any(one.role == "harm-stop" for one in design.guardrails)
    stopped = look.decision in {"STOP FOR EFFICACY", "STOP FOR FUTILITY", "STOP FOR HARM"}
    reached = look.information >= 1 or stopped
    reads = look.k - 1 + look.watches
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
            rule="at least the planned information"
            + (", unless a declared boundary stops before" if may_stop else ""),
            blocking=False,
        ),
        Check(
            name="Looks as planned",
            result="warn" if look.stopped_by_hand else "pass",
            detail=f"{look.k} of {look.of}" + (", stopped by hand" if look.stopped_by_hand else ""),
            rule="outcomes read only at declared looks",
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
            result="pass" if registration.outcome_reads_before <= reads else "warn",
            detail=f"{registration.outcome_reads_before}",
            rule="none"
            if reads == 0
            else f"at most {reads}: earlier looks and watches of the declared harm stops",
            blocking=False,
        ),
    )


def limits_of(design: Design, context: Context) -> tuple[str, ...]:
    found = [
        f"It speaks of {design.written.hypothesis.population}, in the period of this experiment; another population or season may differ.",
        f"Outcomes count for {design.window / DAY:g} days after first exposure; effects that come later, or that wear off, are not seen.",
        "Units are taken as independent: if one unit's arm changes another unit's outcome, the comparison is biased.",
    ]
    if context.look.harm_stop is not None:
        found.append(
            "A harm stop ended it early. The other numbers are those of the units mature by then, and were not to be read so soon."
        )
    elif context.look.short:
        found.append("It was read out with fewer units than planned, so a true effect may have been missed.")
    if "self-reviewed" in context.registration.labels:
        found.append("Owner and reviewer are the same person: nobody else checked the plan.")
    for label in ("late", "retrospective"):
        if label in context.registration.labels:
            found.append("Registered after the first exposure. Treat the result as exploratory.")
            break
    return tuple(found)
