"""Opens a look, reads outcomes once, seals the readout and releases it; and recomputes a sealed one.

Everything that needs permission or leaves a trace is an act of ``registry.lifecycle``; what the logs say is
``experiments.looks.looking``. Outcomes are read here and nowhere else, after the read has been written down.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path

from experiments.designs.design import Design
from experiments.logs.arrival import exposures_begun, outcomes_begun
from experiments.logs.sources import OutcomeSources, Sources
from experiments.logs.sql import microseconds
from experiments.logs.watermark import Watermark
from experiments.looks import looking
from experiments.looks.reproduction import Verification, verify_readout
from experiments.looks.stopping import LookStatus
from experiments.looks.watching import mature_days
from experiments.readouts.past import PastLook, as_past
from experiments.readouts.readout import Readout
from registry import lifecycle
from registry.actors import SYSTEM_ID
from registry.database import Registry
from registry.lifecycle import Exposure
from registry.plans import locked_design
from registry.records import State
from registry.sealing import harm_of, seal
from registry.store import Dossier, document, show
from registry.taking import (
    AWAITING_A_LOOK,
    at_stop,
    complete_up_to,
    held_on_error,
    hold,
    moment_of,
    refuse_not_due,
    refuse_unless_awaiting,
    release,
    stopped_by_hand_at,
)


@dataclass(frozen=True, slots=True)
class WentOn:
    """A look that crossed no boundary: all that is said of it. Its readout is sealed and closed.

    Attributes:
        status: of the look that follows.
    """

    experiment: str
    k: int
    of: int
    status: LookStatus


@dataclass(frozen=True, slots=True)
class LookReport:
    """Where an experiment stands before its look, in counts; no status in a state that awaits no look."""

    experiment: str
    state: State
    status: LookStatus | None
    watermark: Watermark | None


def exposure_of(design: Design, sources: Sources, outcomes: OutcomeSources | None) -> Exposure:
    """What the logs say now, for the lock and for amendments: first exposure, and whether the data are all there.

    Data without times count as complete; so do logs in which the planned look would already be due. Logs that are
    not there yet hold no exposure.

    Raises:
        Invalid: a log that is there cannot be read.
    """
    if not exposures_begun(design, sources):
        return Exposure(None)
    if outcomes is not None and not outcomes_begun(design, outcomes):
        outcomes = None
    status, watermark = looking.look_status(design, sources, outcomes)
    enrolled = sum(status.enrolled)
    if status.start is None:
        complete = watermark.us is None and enrolled > 0
        return Exposure(None, data_complete=complete)
    first = looking.first_exposure(design, sources)
    return Exposure(first, data_complete=status.due)


def notice_start(registry: Registry, experiment: str, sources: Sources) -> State:
    """Note that a registered experiment is running, once the logs show its first exposure."""
    dossier = show(registry, experiment)
    if dossier.experiment.state is not State.REGISTERED:
        return dossier.experiment.state
    design, _ = locked_design(dossier)
    if not exposures_begun(design, sources):
        return State.REGISTERED
    first = looking.first_exposure(design, sources)
    if first is None:
        status, _ = looking.look_status(design, sources, None)
        if sum(status.enrolled) == 0:
            return State.REGISTERED
        first = registry.clock.now()  # data without times: they are there, nobody can say since when
    return lifecycle.start(registry, SYSTEM_ID, experiment, first).state


def report(
    registry: Registry, experiment: str, sources: Sources, outcomes: OutcomeSources | None
) -> LookReport:
    """Whether the look is due, and if not, what is missing and when it is expected. Reads no outcome."""
    notice_start(registry, experiment, sources)
    dossier = show(registry, experiment)
    design, _ = locked_design(dossier)
    if dossier.experiment.state not in AWAITING_A_LOOK:
        return LookReport(experiment, dossier.experiment.state, None, None)
    past = past_looks(registry, dossier)
    status, watermark = _status(dossier, design, sources, outcomes, past)
    return LookReport(experiment, dossier.experiment.state, status, watermark)


def take(
    registry: Registry,
    actor: str,
    experiment: str,
    sources: Sources,
    outcomes: OutcomeSources,
    extracts: Path,
) -> Readout | WentOn:
    """Take the next declared look: gates, then the one read of outcomes, then the sealed readout.

    A look that ends the experiment is released; of one that goes on only that is said. A look that was sealed by a process
    that died before its release is released.

    Raises:
        Refused: the look is not due, is held, or the experiment is in another state. The refusal is in the ledger.
        Unknown: no plan is locked yet.
        Invalid: a log cannot be read; a look that was opened for it is held.
    """
    notice_start(registry, experiment, sources)
    dossier = show(registry, experiment)
    design, plan = locked_design(dossier)
    refuse_unless_awaiting(registry, actor, dossier, design.look_count)
    last = dossier.looks[-1] if dossier.looks else None
    if last is not None and last.outcome == "stop" and last.readout_sha256 is not None:
        sealed = Readout.of_document(json.loads(document(registry, last.readout_sha256)))
        return _release(registry, experiment, sealed)
    past = past_looks(registry, dossier)
    status, watermark = _status(dossier, design, sources, outcomes, past)
    if not status.due:
        refuse_not_due(registry, actor, experiment, status.k, status.missing, status.expected)
    if dossier.experiment.state is State.STOPPED:
        lifecycle.mature(registry, SYSTEM_ID, experiment, complete_up_to(registry, watermark))
    cut_off, k = status.cut_off, status.k
    lifecycle.open_look(registry, actor, experiment, k, status.of, moment_of(registry, cut_off))
    with held_on_error(registry, experiment, k):
        taken = looking.take_look(
            design,
            sources,
            outcomes,
            past=past,
            cut_off=cut_off,
            extract=extracts / experiment / f"look_{k}",
            before_outcomes=lambda units: lifecycle.record_outcome_read(
                registry, SYSTEM_ID, experiment, f"look {k}", units
            ),
        )
    if taken.is_held:
        hold(registry, actor, experiment, k, taken.held)
    taken = replace(taken, status=replace(taken.status, k=k, of=status.of, final=status.final))
    readout = seal(registry, dossier, design, plan, taken, cut_off, past)
    if readout.verdict.code == "CONTINUE":
        following, _ = looking.look_status(design, sources, outcomes, (*past, as_past(readout)))
        return WentOn(experiment, k, status.of, following)
    return _release(registry, experiment, readout)


def past_looks(registry: Registry, dossier: Dossier) -> tuple[PastLook, ...]:
    """The looks that went on, as the next one builds on them."""
    hashes = [look.readout_sha256 for look in dossier.looks if look.outcome == "continue"]
    sealed = (Readout.of_document(json.loads(document(registry, one))) for one in hashes if one is not None)
    return tuple(as_past(readout) for readout in sealed)


def verify(
    registry: Registry,
    actor: str,
    experiment: str,
    sources: Sources,
    outcomes: OutcomeSources,
    extracts: Path,
) -> Verification:
    """Recompute the released readout; that somebody read it, and that outcomes are read again, is recorded.

    Raises:
        Refused: nothing is released yet.
    """
    sealed = Readout.of_document(lifecycle.read_readout(registry, actor, experiment))
    design, _ = locked_design(show(registry, experiment))
    units = sum(units.analysed for units in sealed.units)
    lifecycle.record_outcome_read(registry, SYSTEM_ID, experiment, "verify a sealed readout", units)
    return verify_readout(design, sealed, sources, outcomes, extracts / experiment / f"look_{sealed.look.k}")


def _release(registry: Registry, experiment: str, readout: Readout) -> Readout:
    release(registry, experiment, readout.verdict.code, readout.look.watermark)
    return readout


def _status(
    dossier: Dossier,
    design: Design,
    sources: Sources,
    outcomes: OutcomeSources | None,
    past: tuple[PastLook, ...],
) -> tuple[LookStatus, Watermark]:
    """The status of the next declared look; of a stopped experiment, that of the look at its stop.

    Stopped by hand, it takes in everybody exposed until then, and waits for them; a harm stop takes in those mature then.
    """
    status, watermark = looking.look_status(design, sources, outcomes, past)
    current = dossier.experiment
    if harm_of(dossier) is None or current.stopped_at is None:
        stopped = stopped_by_hand_at(current)
    else:
        stopped = microseconds(current.stopped_at.astimezone(UTC)), "a harm stop tripped"
    if stopped is None:
        return status, watermark
    before, why = stopped
    if harm_of(dossier) is not None and status.start is not None:
        mature = mature_days(design, microseconds(status.start), before)
        before = before if mature is None or mature.before_us is None else mature.before_us
    return at_stop(status, watermark, before, design.maturity, why), watermark
