"""What taking a look has in common for an A/B, a shadow and a canary: refusing, holding, closing at a stop, releasing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from experiments.cohorts.cohort import CutOff
from experiments.logs.sql import at_moment, microseconds
from experiments.logs.watermark import Watermark
from experiments.looks.stopping import LookStatus
from experiments.readouts.readout import Check, Registration
from registry import lifecycle
from registry.actors import SYSTEM_ID
from registry.acts import act
from registry.database import Registry
from registry.kinds import KINDS
from registry.records import Experiment, LockedPlan, State, Verdict
from registry.store import Dossier, show

AWAITING_A_LOOK: Final = frozenset({State.RUNNING, State.STOPPED, State.MATURE})


def refuse_unless_awaiting(registry: Registry, actor: str, dossier: Dossier, looks: int) -> None:
    """Refuse a look in a state that awaits none; the refusal is in the ledger."""
    if dossier.experiment.state not in AWAITING_A_LOOK:
        k = len(dossier.looks) or 1
        lifecycle.open_look(registry, actor, dossier.experiment.id, k, max(k, looks), registry.clock.now())


def refuse_not_due(
    registry: Registry, actor: str, entry: str, k: int, missing: Sequence[str], expected: datetime | None
) -> None:
    """Refuse a look that is not due, with what is missing and when it is expected; the refusal is in the ledger."""
    when = "once enough units are mature." if expected is None else f"about {expected:%d %b %Y %H:%M} UTC."
    with act(registry, actor, "open look", entry) as doing:
        word = _word(doing.experiment(None)).capitalize()
        doing.refuse(
            f"{word} {k} of {entry} is not due: {'; '.join(missing)}.",
            when_possible=when,
            what_to_do=f"Wait; outcome data stay closed until the declared {word.lower()}.",
        )


@contextmanager
def held_on_error(registry: Registry, entry: str, k: int) -> Iterator[None]:
    """Hold an open look whose logs cannot be read; the error goes on to whoever asked."""
    try:
        yield
    except BaseException as error:
        said = str(error).splitlines() or [type(error).__name__]
        reason = f"The logs could not be read: {said[0]}"
        lifecycle.hold_look(registry, SYSTEM_ID, entry, k, reason[:500])
        raise


def hold(registry: Registry, actor: str, entry: str, k: int, checks: Sequence[Check]) -> None:
    """Hold an open look for what can be mended, and refuse it to whoever asked.

    Raises:
        Refused: always.
    """
    standing = [check for check in checks if check.result == "hold"]
    reason = "; ".join(f"{check.name}: {check.detail} (rule: {check.rule})" for check in standing)
    lifecycle.hold_look(registry, SYSTEM_ID, entry, k, reason[:500])
    with act(registry, actor, "take look", entry) as doing:
        word = _word(doing.experiment(None))
        doing.refuse(
            f"{word.capitalize()} {k} of {entry} is held: {reason}.",
            when_possible=f"once it is mended; a held {word} is opened again.",
            what_to_do=f"Mend the logs or the source file, then take the {word} again. Outcomes stay closed.",
        )


def release(registry: Registry, entry: str, verdict: str, watermark: datetime | None) -> None:
    """Release a readout that ended its entry; what stopped with it is mature, for its units were when it was read."""
    stopped = show(registry, entry).experiment.state is State.STOPPED
    if stopped and verdict != Verdict.INVALID:
        lifecycle.mature(registry, SYSTEM_ID, entry, watermark or registry.clock.now())
    lifecycle.release(registry, SYSTEM_ID, entry)


def moment_of(registry: Registry, cut_off: CutOff) -> datetime:
    """When a cohort ends; now, where it has no end."""
    return registry.clock.now() if cut_off.before_us is None else at_moment(cut_off.before_us)


def complete_up_to(registry: Registry, watermark: Watermark) -> datetime:
    return registry.clock.now() if watermark.us is None else at_moment(watermark.us)


def at_stop(status: LookStatus, watermark: Watermark, before_us: int, maturity: int, why: str) -> LookStatus:
    """The status of the look at a stop: everybody exposed before it, waited for until they are mature.

    Args:
        maturity: seconds after exposure until a unit may be analysed.
        why: what stopped it, to begin the sentence that says what is waited for.
    """
    mature_at = at_moment(before_us) + timedelta(seconds=maturity)
    due = watermark.us is None or mature_at <= at_moment(watermark.us)
    missing = (
        f"{why} and its last unit is mature {mature_at:%d %b %Y %H:%M} UTC; the logs are complete up to "
        f"{at_moment(watermark.us or 0):%d %b %Y %H:%M} UTC"
    )
    return replace(
        status,
        due=due,
        cut_off=CutOff(before_us, watermark.us),
        mature_at=mature_at,
        expected=None if due else mature_at,
        missing=() if due else (missing,),
        final=True,
    )


def stopped_by_hand_at(current: Experiment) -> tuple[int, str] | None:
    """When an entry was stopped by hand, in microseconds, and how that is said; None where it was not."""
    if current.stopped_at is None or not current.stopped_by_hand:
        return None
    stopped = current.stopped_at.astimezone(UTC)
    return microseconds(stopped), f"it was stopped by hand {stopped:%d %b %Y %H:%M} UTC"


def registration_of(dossier: Dossier, plan: LockedPlan) -> Registration:
    """Who declared what when, as a readout repeats it."""
    current = dossier.experiment
    return Registration(
        experiment=current.id,
        title=current.title,
        owner=current.owner,
        reviewer=current.reviewer,
        version=plan.version,
        design_sha256=plan.sha256,
        locked_at=current.registered_at,
        labels=tuple(label.value for label in current.labels),
        amendments=tuple(
            {
                "version": amended.version,
                "at": amended.locked_at.isoformat(),
                "by": amended.locked_by,
                "timing": amended.timing,
                "sha256": amended.sha256,
                "outcome_reads_before": amended.outcome_reads_before,
            }
            for amended in dossier.plans[1:]
        ),
        outcome_reads_before=dossier.outcome_reads,
    )


def _word(current: Experiment) -> str:
    return "check" if KINDS[current.kind].looks_are_open else "look"
