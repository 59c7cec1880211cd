"""Takes a check of a canary: gates, the one read of its guardrails, the sealed readout, and what the plan does by itself.

A check belongs to the step that is on, and when each step began is the ladder's to say (`registry.rollouts`). Everything that
needs permission or leaves a trace is an act of ``registry.lifecycle``; what the logs say is ``experiments.canaries``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from experiments.canaries.checking import CheckContext, look_of, make_canary_readout
from experiments.canaries.design import CanaryDesign
from experiments.canaries.looking import TakenCheck, check_status, take_check
from experiments.canaries.past import PastCheck, as_past
from experiments.canaries.readout import CanaryReadout
from experiments.canaries.reproduction import verify_check
from experiments.canaries.state import CanaryState, state_of
from experiments.canaries.stopping import CheckStatus, cut_off_at
from experiments.logs.sources import OutcomeSources, Sources
from experiments.logs.watermark import Watermark
from experiments.looks.reproduction import Verification
from experiments.rollouts.beginnings import canary_begun, first_unit
from registry import lifecycle
from registry.actors import SYSTEM_ID
from registry.acts import act
from registry.database import Registry
from registry.lifecycle import Exposure, StopReason
from registry.plans import locked_canary
from registry.records import LockedPlan, State, Verdict
from registry.rollouts.overdue import roll_back_overdue
from registry.rollouts.steps import StepsBegun, steps_of
from registry.store import Dossier, document, head, show
from registry.taking import (
    AWAITING_A_LOOK,
    held_on_error,
    hold,
    moment_of,
    refuse_not_due,
    refuse_unless_awaiting,
    registration_of,
    release,
)

STOPS: Final = {
    "DO NOT PASS": StopReason.BREACH,
    "PASS": StopReason.FINAL,
    "INCONCLUSIVE": StopReason.MAXIMUM_DURATION,
    "INVALID": StopReason.INVALID,
}
"""Why a canary ended, by the verdict of its last check."""


@dataclass(frozen=True, slots=True)
class CanaryReport:
    """Where a canary stands, in counts and declared times.

    Attributes:
        state: of the entry; ``stands`` what the plan allows now, None before its first step.
        status: of the next check; None where none is awaited.
        checks: the sealed ones, in order; what they found is open.
    """

    canary: str
    state: State
    rollout: str | None
    paused: bool
    steps_begun: tuple[datetime, ...]
    stands: CanaryState | None
    status: CheckStatus | None
    watermark: Watermark | None
    checks: tuple[CanaryReadout, ...]


def exposure_of_canary(design: CanaryDesign, sources: Sources) -> Exposure:
    """What the logs say now, for the lock: the first exposed unit. A canary's data are never complete before its steps."""
    return Exposure(first_unit(design, sources) if canary_begun(design, sources) else None)


def notice_start(registry: Registry, canary: str, sources: Sources) -> State:
    """Note that a registered canary is running, once the logs show its first exposure."""
    dossier = show(registry, canary)
    if dossier.experiment.state is not State.REGISTERED:
        return dossier.experiment.state
    design, _ = locked_canary(dossier)
    first = first_unit(design, sources) if canary_begun(design, sources) else None
    return State.REGISTERED if first is None else lifecycle.start(registry, SYSTEM_ID, canary, first).state


def report(
    registry: Registry, canary: str, sources: Sources, outcomes: OutcomeSources | None
) -> CanaryReport:
    """Where a canary stands and whether a check is due. Reads no outcome; rolls back what its plan says has taken too long."""
    notice_start(registry, canary, sources)
    dossier = show(registry, canary)
    design, _ = locked_canary(dossier)
    steps, checks = steps_of(registry, canary), sealed_checks(registry, dossier)
    past = tuple(as_past(check) for check in checks)
    stands = None
    if steps.begun:
        stands = state_of(design, steps.begun, past, registry.clock.now())
        if stands.overdue and stands.action == "roll back":
            roll_back_overdue(registry, canary, stands.reason)
            steps, dossier = steps_of(registry, canary), show(registry, canary)
    status = watermark = None
    if dossier.experiment.state in AWAITING_A_LOOK and steps.begun and not _ended(past):
        status, watermark = check_status(design, sources, outcomes, steps_begun=steps.begun, past=past)
    return CanaryReport(
        canary=canary,
        state=dossier.experiment.state,
        rollout=steps.rollout,
        paused=steps.paused,
        steps_begun=steps.begun,
        stands=stands,
        status=status,
        watermark=watermark,
        checks=checks,
    )


def take(
    registry: Registry,
    actor: str,
    canary: str,
    sources: Sources,
    outcomes: OutcomeSources,
    extracts: Path,
) -> CanaryReadout:
    """Take the check that is due. What its plan declares for a breach or for time that is up is done as it is sealed.

    Raises:
        Refused: no step has begun, its rollout is paused, the check is not due or is held, or the canary has ended. The
            refusal is in the ledger.
        Unknown: no plan is locked yet, or it is no canary.
        Invalid: a log cannot be read; a check that was opened for it is held.
    """
    notice_start(registry, canary, sources)
    dossier = show(registry, canary)
    design, plan = locked_canary(dossier)
    steps, sealed = steps_of(registry, canary), sealed_checks(registry, dossier)
    if steps.begun:
        refuse_unless_awaiting(registry, actor, dossier, design.check_count)
    if sealed and sealed[-1].verdict.code != "CONTINUE":  # sealed by a process that died before its release
        return _released(registry, canary, sealed[-1])
    _refuse_without_a_step(registry, actor, canary, steps)
    refuse_unless_awaiting(registry, actor, dossier, design.check_count)
    past = tuple(as_past(check) for check in sealed)
    status, _ = check_status(design, sources, outcomes, steps_begun=steps.begun, past=past)
    if not status.due or status.at is None:
        refuse_not_due(registry, actor, canary, status.k, status.missing, status.expected)
        raise AssertionError("a check that is not due was refused above")
    k, cut_off = status.k, cut_off_at(status.at)
    lifecycle.open_look(registry, actor, canary, k, status.of, moment_of(registry, cut_off))
    with held_on_error(registry, canary, k):
        taken = take_check(
            design,
            sources,
            outcomes,
            steps_begun=steps.begun,
            past=past,
            extract=extracts / canary / f"look_{k}",
            before_outcomes=lambda units: lifecycle.record_outcome_read(
                registry, SYSTEM_ID, canary, f"check {k}", units
            ),
        )
    if taken.is_held:
        hold(registry, actor, canary, k, taken.held)
    readout = _seal(registry, dossier, design, plan, taken, steps, past)
    return readout if readout.verdict.code == "CONTINUE" else _released(registry, canary, readout)


def verify(
    registry: Registry,
    actor: str,
    canary: str,
    sources: Sources,
    outcomes: OutcomeSources,
    extracts: Path,
    k: int | None = None,
) -> Verification:
    """Recompute a sealed check, the last by default; that somebody read it, and that outcomes are read again, is recorded.

    Raises:
        Refused: no check is sealed yet.
    """
    sealed = CanaryReadout.of_document(lifecycle.read_readout(registry, actor, canary, k))
    dossier = show(registry, canary)
    design, _ = locked_canary(dossier)
    past = tuple(as_past(check) for check in sealed_checks(registry, dossier) if check.look.k < sealed.look.k)
    units = sum(arm.analysed for step in sealed.steps for arm in step.arms)
    lifecycle.record_outcome_read(registry, SYSTEM_ID, canary, "verify a sealed check", units)
    extract = extracts / canary / f"look_{sealed.look.k}"
    return verify_check(design, sealed, sources, outcomes, past, extract)


def sealed_checks(registry: Registry, dossier: Dossier) -> tuple[CanaryReadout, ...]:
    """The sealed checks of a canary, in order."""
    hashes = [look.readout_sha256 for look in dossier.looks if look.readout_sha256 is not None]
    return tuple(CanaryReadout.of_document(json.loads(document(registry, one))) for one in hashes)


def _ended(past: tuple[PastCheck, ...]) -> bool:
    return bool(past) and past[-1].code != "CONTINUE"


def _refuse_without_a_step(registry: Registry, actor: str, canary: str, steps: StepsBegun) -> None:
    if steps.begun and not steps.paused:
        return
    with act(registry, actor, "open look", canary) as doing:
        doing.experiment(None)
        if steps.paused:
            doing.refuse(
                f"{steps.rollout} is paused: nobody is served the candidate, and no check is taken.",
                when_possible="once it is resumed.",
                what_to_do=f"Resume it: fairtrial ladder resume {steps.rollout}.",
            )
        doing.refuse(
            f"No step of {canary} has begun.",
            when_possible="once a rollout has come to it.",
            what_to_do=f"Advance its rollout with --entry {canary}.",
        )


def _released(registry: Registry, canary: str, readout: CanaryReadout) -> CanaryReadout:
    release(registry, canary, readout.verdict.code, readout.look.watermark)
    return readout


def _seal(
    registry: Registry,
    dossier: Dossier,
    design: CanaryDesign,
    plan: LockedPlan,
    taken: TakenCheck,
    steps: StepsBegun,
    past: tuple[PastCheck, ...],
) -> CanaryReadout:
    canary, end = dossier.experiment.id, head(registry)
    readout = make_canary_readout(
        design,
        taken.evidence,
        CheckContext(
            registration=registration_of(dossier, plan),
            look=look_of(design, taken.status, steps.begun, taken.watermark),
            released_at=registry.clock.now(),
            simulated=registry.clock.simulated,
            manifest=tuple(taken.manifest.as_list()),
            statements=taken.statements,
            held=taken.held,
            past=past,
            ledger_head=end.hash,
            ledger_count=end.count,
        ),
    )
    code = readout.verdict.code
    goes_on = code == "CONTINUE"
    failed = next(
        (check.name for check in readout.validity if check.result == "fail" and check.blocking), None
    )
    lifecycle.seal_look(
        registry,
        SYSTEM_ID,
        canary,
        readout.look.k,
        readout.document(),
        stop=None if goes_on else STOPS[code],
        verdict=None if goes_on else Verdict(code),
        because=None if goes_on else failed,
    )
    return readout
