"""Looks and what they find: open, hold, seal, release; every reading of outcomes is recorded."""

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NoReturn

from sqlalchemy import select

from registry import ledger
from registry.actors import Role
from registry.acts import Act, act, load_experiment
from registry.canonical import Document, canonical_json
from registry.clock import as_utc, instant
from registry.database import Registry
from registry.kinds import KINDS
from registry.lifecycle.checks import close, note_short_reason
from registry.lifecycle.states import OPEN_TO_ALL, permit
from registry.records import Experiment, Look, State, Verdict, look_from
from registry.tables import experiments, looks


class StopReason(StrEnum):
    """Why a look ended the experiment."""

    EFFICACY = "efficacy boundary crossed"
    FUTILITY = "futility boundary crossed"
    HARM = "harm stop tripped"
    BREACH = "a declared limit was broken"
    FINAL = "final look"
    MAXIMUM_DURATION = "maximum duration reached"
    STOPPED_BY_HAND = "stopped by hand"
    INVALID = "validity check failed"


def open_look(
    registry: Registry,
    actor: str,
    experiment: str,
    k: int,
    of: int,
    cutoff: datetime,
    *,
    seen: int | None = None,
) -> Look:
    """Open look k of those declared, over the units exposed up to the cut-off; one at a time, in order.

    A look that is held is opened again by this, with its new cut-off. The caller has checked that it is due.
    """
    with act(registry, actor, "open look", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        _note_look_out_of_turn(doing, current, k, of)
        doing.refuse_if_objections()
        row = {
            "of": of,
            "status": "open",
            "cutoff": as_utc(cutoff),
            "opened_by": actor,
            "opened_at": doing.now,
            "held_because": None,
        }
        if _look(doing, current.id, k) is None:
            unsealed = ("sealed_at", "readout_sha256", "outcome", "stop_reason", "verdict")
            doing.insert(looks, {"experiment": current.id, "k": k} | row | dict.fromkeys(unsealed))
        else:
            doing.update(looks, {"experiment": current.id, "k": k}, row)
        doing.change_experiment()
        doing.facts = {"k": k, "of": of, "cutoff": instant(cutoff)}
        doing.summary = f"Opened look {k} of {of}, cut-off {instant(cutoff)}."
    return _read_look(registry, experiment, k)


def refuse_look(
    registry: Registry,
    actor: str,
    experiment: str,
    k: int,
    reason: str,
    *,
    when_possible: str,
    what_to_do: str,
) -> NoReturn:
    """Refuse to open a look that is not due, and record that somebody tried.

    Raises:
        Refused: always.
    """
    with act(registry, actor, "open look", experiment) as doing:
        doing.refuse(f"Look {k}: {reason}", when_possible=when_possible, what_to_do=what_to_do)
    raise AssertionError("an act that refuses does not end")


def hold_look(
    registry: Registry, actor: str, experiment: str, k: int, reason: str, *, seen: int | None = None
) -> Look:
    """Hold an open look for a fault that can be mended; outcomes stay closed."""
    with act(registry, actor, "hold look", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        doing.reason = note_short_reason(doing, reason, "hold look")
        _note_look_not_open(doing, current, k)
        doing.refuse_if_objections()
        doing.update(
            looks, {"experiment": current.id, "k": k}, {"status": "held", "held_because": doing.reason}
        )
        doing.change_experiment()
        doing.facts = {"k": k}
        doing.summary = f"Held look {k}: outcomes stay closed."
    return _read_look(registry, experiment, k)


def seal_look(
    registry: Registry,
    actor: str,
    experiment: str,
    k: int,
    readout: Mapping[str, Any],
    *,
    stop: StopReason | None,
    verdict: Verdict | None,
    because: str | None = None,
    seen: int | None = None,
) -> Look:
    """Seal an open look's readout: with a stop reason and a verdict the experiment stops, else it goes on.

    `because` says what failed when the verdict is INVALID ("allocation").
    """
    if (stop is None) != (verdict is None):
        raise ValueError(
            f"stop {stop}, verdict {verdict}: not allowed; a stop has a verdict, going on has none"
        )
    with act(registry, actor, "seal look", experiment) as doing:
        current = doing.experiment(seen)
        kind = KINDS[current.kind]
        if verdict is not None and verdict not in kind.verdicts:
            raise ValueError(
                f"verdict {verdict}: not allowed for {kind.words}; give one of {', '.join(kind.verdicts)}"
            )
        permit(doing, current)
        _note_look_not_open(doing, current, k)
        if stop is None and current.state is not State.RUNNING:
            doing.object(
                f"{experiment} is {current.state.value}: there is nothing to continue.",
                when_possible="with a stop reason and a verdict.",
                what_to_do="Seal the look as the last one.",
            )
        look = _look(doing, current.id, k)
        if stop is None and look is not None and look.k == look.of:
            doing.object(
                f"Look {k} is the last of {look.of}: it cannot continue.",
                when_possible="with a stop reason and a verdict.",
                what_to_do="Seal the look as the last one.",
            )
        doing.refuse_if_objections()
        ended = (because or StopReason.INVALID) if verdict is Verdict.INVALID else stop
        sha256 = doing.keep_document("readout", canonical_json(dict(readout)))
        doing.update(
            looks,
            {"experiment": current.id, "k": k},
            {
                "status": "sealed",
                "sealed_at": doing.now,
                "readout_sha256": sha256,
                "outcome": "continue" if stop is None else "stop",
                "stop_reason": ended,
                "verdict": verdict,
            },
        )
        stopping = current.state is State.RUNNING and stop is not None
        doing.change_experiment(
            **({"state": State.STOPPED, "stopped_at": doing.now, "stop_reason": ended} if stopping else {})
        )
        # Not at the top: what follows for a rollout is found by code that stands on this package.
        from registry.rollouts.consequences import follow_seal

        follows = follow_seal(doing, current, k, verdict, readout, sha256)
        # What a look that goes on has found stays closed: the record says only that it goes on.
        doing.facts = {"k": k, "outcome": "continue" if stop is None else "stop", "readout": sha256}
        said = "no boundary was crossed." if stop is None else f"stop, {ended}."
        doing.summary = " ".join((f"Sealed look {k}: {said}", *follows))
    return _read_look(registry, experiment, k)


def release(registry: Registry, actor: str, experiment: str, *, seen: int | None = None) -> Experiment:
    """Release the last look's readout, once and for all; an INVALID one closes the experiment."""
    with act(registry, actor, "release", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        last = _last_look(doing, current.id)
        if last is None or last.outcome != "stop" or last.verdict is None:
            doing.object(
                "No look has been sealed as the last one.",
                when_possible="once the last look is sealed.",
                what_to_do="Open the look and seal its readout.",
            )
        elif current.state is State.STOPPED and last.verdict is not Verdict.INVALID:
            doing.object(
                "Not all exposed units are mature yet.",
                when_possible="once all exposed units are mature.",
                what_to_do="Wait until the logs are complete up to the end of the last unit's window.",
            )
        doing.refuse_if_objections()
        if last is None or last.verdict is None:
            raise AssertionError("a look without a verdict was refused above")
        invalid = last.verdict is Verdict.INVALID
        doing.change_experiment(
            state=State.INVALID if invalid else State.READOUT,
            released_at=doing.now,
            readout_sha256=last.readout_sha256,
            verdict=last.verdict,
            **(close(doing, current) | {"stop_reason": last.stop_reason} if invalid else {}),
        )
        doing.facts = {"k": last.k, "readout": last.readout_sha256, "verdict": last.verdict.value}
        doing.summary = f"Released the readout of look {last.k}: {last.verdict}."
    return _read(registry, experiment)


def record_outcome_read(registry: Registry, actor: str, entity: str, purpose: str, rows: int) -> None:
    """Write down a read of outcomes, before it is done. Whoever reads without this reads behind our back.

    Until they are released, only Fairtrial itself and the look committee read an experiment's outcomes.
    """
    if not purpose.strip() or rows < 0:
        raise ValueError(
            f"purpose {purpose!r}, rows {rows}: not allowed; say what for, and how many rows (0 or more)"
        )
    with act(registry, actor, ledger.READ_OUTCOMES, entity) as doing:
        trusted = next(
            (role for role in (Role.SYSTEM, Role.LOOK_COMMITTEE) if role in doing.actor.roles), None
        )
        state = doing.connection.execute(
            select(experiments.c.state).where(experiments.c.id == entity)
        ).scalar_one_or_none()
        closed = state is not None and State(state) not in OPEN_TO_ALL
        if trusted is None and closed:
            doing.refuse(
                f"The outcomes of {entity} are closed until its readout is released.",
                when_possible="once its readout is released.",
                what_to_do="Wait for the declared look.",
            )
        doing.role = trusted or _any_role(doing)
        if state is not None:
            doing.version = load_experiment(doing.connection, entity).plan_version or None
        doing.facts = {"purpose": purpose.strip(), "rows": rows}
        doing.reason = purpose.strip()
        doing.summary = f"Read {rows} rows of outcomes."


def read_readout(registry: Registry, actor: str, experiment: str, k: int | None = None) -> Document:
    """A sealed readout, the released one by default; each reading is recorded.

    Until the release it is closed to everybody but Fairtrial itself, also the one of a look that went on; the checks of
    a canary are open once they are sealed.
    """
    with act(registry, actor, "read readout", experiment) as doing:
        current = doing.experiment(None)
        look = _last_look(doing, experiment) if k is None else _look(doing, experiment, k)
        system = Role.SYSTEM in doing.actor.roles
        if current.released_at is None and not system and not KINDS[current.kind].looks_are_open:
            doing.object(
                f"The readout of {experiment} is not released.",
                when_possible="once it is released.",
                what_to_do="Wait for the declared look.",
            )
        if look is None or look.readout_sha256 is None:
            doing.object(
                f"{experiment} has no sealed readout" + (f" of look {k}." if k else "."),
                when_possible="once the look is sealed.",
                what_to_do="Wait for the declared look.",
            )
        doing.refuse_if_objections()
        if look is None or look.readout_sha256 is None:
            raise AssertionError("a look without a readout was refused above")
        doing.role = Role.SYSTEM if system else _any_role(doing)
        body = doing.document(look.readout_sha256)
        doing.facts = {"k": look.k, "readout": look.readout_sha256}
        doing.summary = f"Read the readout of look {look.k}."
    return dict(json.loads(body))


def _any_role(doing: Act) -> Role:
    return min(doing.actor.roles, default=Role.VIEWER)


def _look(doing: Act, experiment: str, k: int) -> Look | None:
    query = select(looks).where(looks.c.experiment == experiment, looks.c.k == k)
    row = doing.connection.execute(query).mappings().one_or_none()
    return None if row is None else look_from(row)


def _last_look(doing: Act, experiment: str) -> Look | None:
    query = select(looks).where(looks.c.experiment == experiment).order_by(looks.c.k.desc()).limit(1)
    row = doing.connection.execute(query).mappings().one_or_none()
    return None if row is None else look_from(row)


def _note_look_out_of_turn(doing: Act, experiment: Experiment, k: int, of: int) -> None:
    last = _last_look(doing, experiment.id)
    if last is not None and last.status == "open":
        doing.object(
            f"Look {last.k} is open since {instant(last.opened_at)}, opened by {last.opened_by}.",
            when_possible="once it is sealed or held.",
            what_to_do="Wait for it; if its worker died, hold it and open it again.",
        )
        return
    if last is not None and last.outcome == "stop":
        doing.object(
            f"Look {last.k} was the last: {last.stop_reason}.",
            when_possible="never: outcomes are read once.",
            what_to_do="Read its sealed readout; verify recomputes it.",
        )
        return
    if not 1 <= k <= of:
        raise ValueError(f"look {k} of {of}: not allowed; looks are numbered from 1 to those declared")
    turn = 1 if last is None else last.k if last.status == "held" else last.k + 1
    if k != turn:
        doing.object(
            f"Look {k} is out of turn: the next is look {turn}.",
            when_possible="in order, each look once.",
            what_to_do=f"Open look {turn}.",
        )
    if last is not None and of != last.of:
        doing.object(
            f"Look {last.k} was one of {last.of}; {of} looks are not what was declared.",
            when_possible=f"as one of {last.of} looks.",
            what_to_do="Keep to the declared number of looks.",
        )


def _note_look_not_open(doing: Act, experiment: Experiment, k: int) -> None:
    look = _look(doing, experiment.id, k)
    if look is None or look.status != "open":
        found = "was never opened" if look is None else f"is {look.status}"
        doing.object(
            f"Look {k} {found}.",
            when_possible="while it is open.",
            what_to_do="Open it first."
            if look is None or look.status == "held"
            else "Read its sealed readout.",
        )


def _read(registry: Registry, experiment: str) -> Experiment:
    with registry.reading() as connection:
        return load_experiment(connection, experiment)


def _read_look(registry: Registry, experiment: str, k: int) -> Look:
    with registry.reading() as connection:
        query = select(looks).where(looks.c.experiment == experiment, looks.c.k == k)
        return look_from(connection.execute(query).mappings().one())
