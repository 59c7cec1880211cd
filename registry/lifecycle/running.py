"""From the first exposure to the last mature unit: start, stop, mature."""

from datetime import datetime

from registry.acts import act, load_experiment
from registry.clock import as_utc, instant
from registry.database import Registry
from registry.lifecycle.checks import first_exposure, note_short_reason
from registry.lifecycle.looking import StopReason
from registry.lifecycle.states import permit
from registry.records import Experiment, Label, State


def start(
    registry: Registry, actor: str, experiment: str, first_exposure_at: datetime, *, seen: int | None = None
) -> Experiment:
    """Note the first exposure; one from before the lock labels the experiment `late` for ever."""
    with act(registry, actor, "start", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        doing.refuse_if_objections()
        first = first_exposure(current.first_exposure_at, as_utc(first_exposure_at))
        labels = {*current.labels}
        early = current.registered_at is not None and first is not None and first < current.registered_at
        if early and Label.RETROSPECTIVE not in labels:
            labels.add(Label.LATE)
        doing.change_experiment(state=State.RUNNING, first_exposure_at=first, labels=sorted(labels))
        doing.summary = f"Running: the first exposure was at {instant(first_exposure_at)}" + (
            ", before the plan was locked." if early else "."
        )
    return _read(registry, experiment)


def stop_by_hand(
    registry: Registry, actor: str, experiment: str, reason: str, *, seen: int | None = None
) -> Experiment:
    """Stop for an operational reason; unless a boundary was crossed, the verdict is at most INCONCLUSIVE."""
    with act(registry, actor, "stop by hand", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        if current.kind == "canary":
            doing.object(
                f"{current.id} is a canary: it serves what its rollout says.",
                when_possible="never for a canary.",
                what_to_do="Pause its rollout or roll it back: fairtrial ladder pause, fairtrial ladder rollback.",
            )
        doing.reason = note_short_reason(doing, reason, "stop by hand")
        doing.refuse_if_objections()
        doing.change_experiment(
            state=State.STOPPED,
            stopped_at=doing.now,
            stop_reason=StopReason.STOPPED_BY_HAND,
            stopped_by_hand=True,
        )
        doing.summary = "Stopped by hand before its declared end."
    return _read(registry, experiment)


def stop(
    registry: Registry,
    actor: str,
    experiment: str,
    reason: StopReason,
    *,
    what: str | None = None,
    seen: int | None = None,
) -> Experiment:
    """Stop between looks, as declared: a harm stop tripped (``what`` names it), or the maximum duration is over."""
    if reason not in (StopReason.HARM, StopReason.MAXIMUM_DURATION):
        raise ValueError(
            f"reason: {reason} is not allowed; between looks only harm or the maximum duration stops"
        )
    with act(registry, actor, "stop", experiment) as doing:
        permit(doing, doing.experiment(seen))
        doing.refuse_if_objections()
        said = str(reason) if what is None else f"{reason}: {what}"
        doing.change_experiment(state=State.STOPPED, stopped_at=doing.now, stop_reason=said)
        doing.summary = f"Stopped: {said}."
    return _read(registry, experiment)


def mature(
    registry: Registry, actor: str, experiment: str, watermark: datetime, *, seen: int | None = None
) -> Experiment:
    """Note that all exposed units are mature by the logs' watermark."""
    with act(registry, actor, "mature", experiment) as doing:
        permit(doing, doing.experiment(seen))
        doing.refuse_if_objections()
        doing.change_experiment(state=State.MATURE, matured_at=doing.now)
        doing.facts = {"watermark": instant(watermark)}
        doing.summary = f"All exposed units are mature; the logs are complete up to {instant(watermark)}."
    return _read(registry, experiment)


def _read(registry: Registry, experiment: str) -> Experiment:
    with registry.reading() as connection:
        return load_experiment(connection, experiment)
