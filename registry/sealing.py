"""Seals a look: what was declared and found becomes one readout, kept under its hash before anybody sees it."""

from __future__ import annotations

from typing import Final

from experiments.cohorts.cohort import CutOff
from experiments.designs.design import Design
from experiments.logs.sql import at_moment
from experiments.looks.looking import Taken
from experiments.readouts.judgement import Context, make_readout
from experiments.readouts.past import PastLook
from experiments.readouts.readout import Look, Readout
from registry import lifecycle
from registry.actors import SYSTEM_ID
from registry.database import Registry
from registry.lifecycle import StopReason
from registry.records import LockedPlan, Verdict
from registry.store import Dossier, head
from registry.taking import registration_of

WATCHED: Final = "watch the declared harm stops"
"""The purpose under which a watch of harm stops is recorded as a read of outcomes."""

STOPS: Final = {
    "STOP FOR EFFICACY": StopReason.EFFICACY,
    "STOP FOR FUTILITY": StopReason.FUTILITY,
    "STOP FOR HARM": StopReason.HARM,
}


def seal(
    registry: Registry,
    dossier: Dossier,
    design: Design,
    plan: LockedPlan,
    taken: Taken,
    cut_off: CutOff,
    past: tuple[PastLook, ...],
) -> Readout:
    """Make the readout of an open look and seal it; unless it goes on, the experiment stops."""
    experiment, stopped_by_hand = dossier.experiment.id, dossier.experiment.stopped_by_hand
    status, harm = taken.status, harm_of(dossier)
    end, now = head(registry), registry.clock.now()
    readout = make_readout(
        design,
        taken.evidence,
        Context(
            registration=registration_of(dossier, plan),
            look=Look(
                k=status.k,
                of=status.of,
                final=status.final,
                cut_off=None if cut_off.before_us is None else at_moment(cut_off.before_us),
                watermark=None if taken.watermark.us is None else at_moment(taken.watermark.us),
                watermark_why=taken.watermark.why,
                information=status.information,
                short=status.short,
                stopped_by_hand=stopped_by_hand,
                enrolment_start=status.start,
                harm_stop=harm,
                watches=sum(entry.reason == WATCHED for entry in dossier.history),
            ),
            released_at=now,
            simulated=registry.clock.simulated,
            manifest=tuple(taken.manifest.as_list()),
            statements=taken.statements,
            held=taken.held,
            past=past,
            ledger_head=end.hash,
            ledger_count=end.count,
        ),
    )
    if readout.verdict.code == "CONTINUE":
        lifecycle.seal_look(
            registry, SYSTEM_ID, experiment, status.k, readout.document(), stop=None, verdict=None
        )
        return readout
    failed = next(
        (check.name for check in readout.validity if check.result == "fail" and check.blocking), None
    )
    lifecycle.seal_look(
        registry,
        SYSTEM_ID,
        experiment,
        status.k,
        readout.document(),
        stop=_stop_reason(readout),
        verdict=Verdict(readout.verdict.code),
        because=failed,
    )
    return readout


def harm_of(dossier: Dossier) -> str | None:
    """The harm stop that ended the experiment between looks, if one did."""
    reason = dossier.experiment.stop_reason or ""
    return reason.removeprefix(f"{StopReason.HARM}: ") if reason.startswith(f"{StopReason.HARM}: ") else None


def _stop_reason(readout: Readout) -> StopReason:
    look = readout.look
    if look.stopped_by_hand:
        return StopReason.STOPPED_BY_HAND
    if readout.verdict.code == "INVALID":
        return StopReason.INVALID
    if look.decision in STOPS:
        return STOPS[look.decision]
    return StopReason.MAXIMUM_DURATION if look.short else StopReason.FINAL
