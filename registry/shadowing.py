"""Takes a look of a shadow: gates, the one read of answers and labels, the sealed readout; and recomputes a sealed one.

Everything that needs permission or leaves a trace is an act of ``registry.lifecycle``; what the logs say is
``experiments.shadows``. What the models said and what was true is read here and nowhere else, after that was written down.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from experiments.cohorts.cohort import CutOff
from experiments.logs.sql import at_moment
from experiments.logs.watermark import Watermark
from experiments.looks.stopping import LookStatus
from experiments.readouts.context import Context
from experiments.readouts.past import PastLook
from experiments.readouts.readout import Look
from experiments.rollouts.beginnings import first_request, predictions_begun
from experiments.shadows import looking
from experiments.shadows.design import ShadowDesign
from experiments.shadows.judgement import make_shadow_readout
from experiments.shadows.logs import PredictionSources
from experiments.shadows.looking import ShadowTaken
from experiments.shadows.readout import ShadowReadout
from experiments.shadows.status import ShadowStatus, shadow_status
from registry import lifecycle
from registry.actors import SYSTEM_ID
from registry.database import Registry
from registry.lifecycle import Exposure, StopReason
from registry.looks import LookReport, WentOn
from registry.plans import locked_shadow
from registry.records import LockedPlan, State, Verdict
from registry.store import Dossier, document, head, show
from registry.taking import (
    AWAITING_A_LOOK,
    at_stop,
    complete_up_to,
    held_on_error,
    hold,
    moment_of,
    refuse_not_due,
    refuse_unless_awaiting,
    registration_of,
    release,
    stopped_by_hand_at,
)

STOPS: Final = {
    "STOP FOR EFFICACY": StopReason.EFFICACY,
    "STOP FOR FUTILITY": StopReason.FUTILITY,
    "STOP FOR HARM": StopReason.BREACH,
}
"""Why a shadow ended, by the decision of its look."""


def exposure_of_shadow(design: ShadowDesign, predictions: PredictionSources) -> Exposure:
    """What the logs say now, for the lock: the first mirrored request, and whether the data are all there.

    Raises:
        Invalid: a log that is there cannot be read.
    """
    if not predictions_begun(design, predictions):
        return Exposure(None)
    first, any_rows = first_request(design, predictions)
    if not any_rows:
        return Exposure(None)
    status, _ = looking.look_status(design, predictions)
    return Exposure(first, data_complete=status.due)


def notice_start(registry: Registry, shadow: str, predictions: PredictionSources) -> State:
    """Note that a registered shadow is running, once the logs show its first mirrored request."""
    dossier = show(registry, shadow)
    if dossier.experiment.state is not State.REGISTERED:
        return dossier.experiment.state
    design, _ = locked_shadow(dossier)
    if not predictions_begun(design, predictions):
        return State.REGISTERED
    first, any_rows = first_request(design, predictions)
    if not any_rows:
        return State.REGISTERED
    return lifecycle.start(registry, SYSTEM_ID, shadow, first or registry.clock.now()).state


def report(registry: Registry, shadow: str, predictions: PredictionSources) -> LookReport:
    """Whether the look is due, and if not, what is missing and when it is expected. Reads no answer and no label."""
    notice_start(registry, shadow, predictions)
    dossier = show(registry, shadow)
    design, _ = locked_shadow(dossier)
    if dossier.experiment.state not in AWAITING_A_LOOK:
        return LookReport(shadow, dossier.experiment.state, None, None)
    status, watermark = _status(dossier, design, predictions, past_looks(registry, dossier))
    return LookReport(shadow, dossier.experiment.state, status, watermark)


def status(registry: Registry, shadow: str, predictions: PredictionSources) -> ShadowStatus:
    """A shadow while it runs: pairing, errors, timeouts and label maturity. Reads no answer and no label."""
    notice_start(registry, shadow, predictions)
    dossier = show(registry, shadow)
    design, _ = locked_shadow(dossier)
    past = past_looks(registry, dossier)
    return shadow_status(design, predictions, now=registry.clock.now(), experiment=shadow, past=past)


def take(
    registry: Registry, actor: str, shadow: str, predictions: PredictionSources
) -> ShadowReadout | WentOn:
    """Take the next declared look of a shadow; one that ends it is released, of one that goes on only that is said.

    Raises:
        Refused: the look is not due, is held, or the shadow is in another state. The refusal is in the ledger.
        Unknown: no plan is locked yet, or it is no shadow.
        Invalid: a log cannot be read; a look that was opened for it is held.
    """
    notice_start(registry, shadow, predictions)
    dossier = show(registry, shadow)
    design, plan = locked_shadow(dossier)
    refuse_unless_awaiting(registry, actor, dossier, design.look_count)
    last = dossier.looks[-1] if dossier.looks else None
    if last is not None and last.outcome == "stop" and last.readout_sha256 is not None:
        return _released(registry, shadow, sealed_look(registry, last.readout_sha256))
    past = past_looks(registry, dossier)
    status, watermark = _status(dossier, design, predictions, past)
    if not status.due:
        refuse_not_due(registry, actor, shadow, status.k, status.missing, status.expected)
    if dossier.experiment.state is State.STOPPED:
        lifecycle.mature(registry, SYSTEM_ID, shadow, complete_up_to(registry, watermark))
    cut_off, k = status.cut_off, status.k
    lifecycle.open_look(registry, actor, shadow, k, status.of, moment_of(registry, cut_off))
    with held_on_error(registry, shadow, k):
        taken = looking.take_look(
            design,
            predictions,
            past=past,
            cut_off=cut_off,
            before_outcomes=recording(registry, shadow, f"look {k}"),
        )
    if any(check.result == "hold" for check in taken.held):
        hold(registry, actor, shadow, k, taken.held)
    taken = replace(taken, status=replace(taken.status, k=k, of=status.of, final=status.final))
    readout = _seal(registry, dossier, design, plan, taken, cut_off, past)
    if readout.verdict.code == "CONTINUE":
        following, _ = looking.look_status(design, predictions, (*past, past_look(readout)))
        return WentOn(shadow, k, status.of, following)
    return _released(registry, shadow, readout)


def sealed_look(registry: Registry, sha256: str) -> ShadowReadout:
    """A sealed readout from its document."""
    return ShadowReadout.of_document(json.loads(document(registry, sha256)))


def past_looks(registry: Registry, dossier: Dossier) -> tuple[PastLook, ...]:
    """The looks that went on, as the next one builds on them."""
    hashes = [look.readout_sha256 for look in dossier.looks if look.outcome == "continue"]
    return tuple(past_look(sealed_look(registry, one)) for one in hashes if one is not None)


def past_look(readout: ShadowReadout) -> PastLook:
    """A sealed look that went on, as what the next one builds on."""
    own = readout.sequential[0].points[-1]
    before = None if own.cut_off is None else round(own.cut_off.timestamp() * 1_000_000)
    return PastLook(own.k, before, own.cut_off, own.information, readout.sequential)


def recording(registry: Registry, entry: str, purpose: str) -> Callable[[int], None]:
    """What writes a read of outcomes down before it is done."""
    return lambda rows: lifecycle.record_outcome_read(registry, SYSTEM_ID, entry, purpose, rows)


def _released(registry: Registry, shadow: str, readout: ShadowReadout) -> ShadowReadout:
    release(registry, shadow, readout.verdict.code, readout.look.watermark)
    return readout


def _status(
    dossier: Dossier, design: ShadowDesign, predictions: PredictionSources, past: tuple[PastLook, ...]
) -> tuple[LookStatus, Watermark]:
    """The status of the next declared look; of a shadow stopped by hand, that of the look at its stop."""
    status, watermark = looking.look_status(design, predictions, past)
    stopped = stopped_by_hand_at(dossier.experiment)
    if stopped is None:
        return status, watermark
    return at_stop(status, watermark, stopped[0], design.maturity, stopped[1]), watermark


def _seal(
    registry: Registry,
    dossier: Dossier,
    design: ShadowDesign,
    plan: LockedPlan,
    taken: ShadowTaken,
    cut_off: CutOff,
    past: tuple[PastLook, ...],
) -> ShadowReadout:
    shadow, status, end = dossier.experiment.id, taken.status, head(registry)
    readout = make_shadow_readout(
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
                stopped_by_hand=dossier.experiment.stopped_by_hand,
                enrolment_start=status.start,
                harm_stop=None,
                watches=0,
            ),
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
    goes_on = readout.verdict.code == "CONTINUE"
    failed = next(
        (check.name for check in readout.validity if check.result == "fail" and check.blocking), None
    )
    lifecycle.seal_look(
        registry,
        SYSTEM_ID,
        shadow,
        status.k,
        readout.document(),
        stop=None if goes_on else _stop_reason(readout),
        verdict=None if goes_on else Verdict(readout.verdict.code),
        because=None if goes_on else failed,
    )
    return readout


def _stop_reason(readout: ShadowReadout) -> StopReason:
    look = readout.look
    if look.stopped_by_hand:
        return StopReason.STOPPED_BY_HAND
    if readout.verdict.code == Verdict.INVALID:
        return StopReason.INVALID
    if look.decision in STOPS:
        return STOPS[look.decision]
    return StopReason.MAXIMUM_DURATION if look.short else StopReason.FINAL
