"""The account a shadow's readout gives beside its comparisons: which requests are pairs, and whether the plan was kept."""

from __future__ import annotations

from experiments.forms.durations import written
from experiments.logs.sql import DAY_US, at_moment
from experiments.readouts import words
from experiments.readouts.context import Context
from experiments.readouts.readout import Check
from experiments.shadows.design import ShadowDesign
from experiments.shadows.evidence import PairingEvidence
from experiments.shadows.missing import missing_at_random
from experiments.shadows.readout import DayRequests, PairingReport


def pairing_report(found: PairingEvidence) -> PairingReport:
    return PairingReport(
        requests=found.requests,
        both=found.both,
        champion_only=found.champion_only,
        candidate_only=found.candidate_only,
        matched_share=found.matched_share,
        without_unit=found.without_unit,
        incomplete=found.incomplete,
        answered=found.answered,
        labelled=found.labelled,
        label_share=found.label_share if found.has_labels else None,
        units=found.units,
        broken_rows=found.broken_rows,
        duplicated=found.duplicated,
        conflicting_labels=found.conflicting_labels,
        other_inputs=found.other_inputs,
        with_hash=found.with_hash,
        days=tuple(
            DayRequests(
                day=at_moment(one.day * DAY_US),
                both=one.both,
                champion_only=one.champion_only,
                candidate_only=one.candidate_only,
            )
            for one in found.days
        ),
        missing=tuple(missing_at_random(found.levels, found.missing)),
    )


def plan_kept(design: ShadowDesign, found: PairingEvidence, context: Context) -> tuple[Check, ...]:
    look, registration = context.look, context.registration
    late = [label for label in registration.labels if label in {"late", "retrospective"}]
    stopped = look.decision in {"STOP FOR EFFICACY", "STOP FOR HARM"}
    amended, noun = len(registration.amendments), "users" if design.by_user else "requests"
    return (
        Check(
            name="Registered before the first pair",
            result="warn" if late else "pass",
            detail=f"labelled {', '.join(late)}" if late else "yes",
            rule="registered and locked before any request was mirrored",
            blocking=False,
        ),
        Check(
            name="Sample reached",
            result="pass" if look.information >= 1 or stopped else "warn",
            detail=f"{words.count(found.units)} of {words.count(design.planned_units)} {noun} with a labelled pair, "
            f"{words.count(found.labelled)} of {words.count(design.planned_labels)} labelled pairs",
            rule="at least the planned units"
            + (", unless a declared boundary stops before" if design.stopping.sequential else ""),
            blocking=False,
        ),
        Check(
            name="Looks as planned",
            result="warn" if look.stopped_by_hand else "pass",
            detail=f"{look.k} of {look.of}" + (", stopped by hand" if look.stopped_by_hand else ""),
            rule="answers and labels read only at declared looks",
            blocking=False,
        ),
        Check(
            name="Maturity",
            result="pass",
            detail=f"every judged pair had {written(design.maturity)}"
            if look.cut_off is not None
            else "the source has no times and is declared complete",
            rule=f"label delay {written(design.written.label_delay)}, answers within {written(design.written.pairing.answer_within)}",
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
            name="Reads of answers and labels before this look",
            result="pass" if registration.outcome_reads_before <= look.k - 1 else "warn",
            detail=f"{registration.outcome_reads_before}",
            rule="none" if look.k == 1 else f"at most {look.k - 1}: the looks before",
            blocking=False,
        ),
    )
