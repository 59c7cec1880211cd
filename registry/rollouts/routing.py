"""What is served of a model now, from where its rollout and the entry of its rung stand."""

from __future__ import annotations

from difflib import get_close_matches
from fractions import Fraction
from typing import Any, Final

from sqlalchemy import Connection, select

from experiments.assignment import Assignment, Layer
from experiments.rollouts.routing import Route, Slice, Split, canary_slices
from registry.acts import load_experiment
from registry.canonical import Document
from registry.errors import Unknown
from registry.kinds import KINDS
from registry.lifecycle import paths
from registry.records import Experiment, State, Verdict
from registry.rollouts.evidence import canary_salt, canary_shares, decision_on, locked_plan, looks_of
from registry.rollouts.records import (
    CHAMPION,
    CLOSED,
    Alias,
    Rollout,
    RolloutState,
    Transition,
    aliases_of,
    rollouts_of,
    transitions_of,
)
from registry.tables import aliases

_GOES_ON: Final = frozenset({State.REGISTERED, State.RUNNING})
_ENDED: Final = frozenset({State.STOPPED, State.MATURE, State.READOUT})


def route_in(connection: Connection, model: str) -> Route:
    """What is served of a model now; whatever is not plainly allowed serves the champion to everybody.

    Raises:
        Unknown: no rollout knows the model.
    """
    champion = aliases_of(connection, model).get(CHAMPION)
    if champion is None or champion.version is None:
        raise Unknown(_no_such_model(connection, model))
    known = rollouts_of(connection, model)
    rollout = next((one for one in known if one.state not in CLOSED), known[0])
    done = [one for one in transitions_of(connection, rollout.id) if one.status == "done"]
    if rollout.state is RolloutState.CANARY:
        return _canary(connection, rollout, champion, done[-1])
    if rollout.state is RolloutState.AB:
        return _ab(connection, rollout, champion, done[-1])
    if rollout.state is RolloutState.SHADOW:
        return _shadow(connection, rollout, champion, done[-1])
    return _route(rollout, champion, done[-1], _AT_REST[rollout.state])


_AT_REST: Final = {
    RolloutState.PLANNED: "The rollout is planned and has not begun: the champion for everybody.",
    RolloutState.PAUSED: "The rollout is paused: the champion for everybody.",
    RolloutState.PROMOTED: "The candidate was promoted and is the champion: it is served to everybody.",
    RolloutState.ROLLED_BACK: "The rollout was rolled back: the champion for everybody.",
}


def _shadow(connection: Connection, rollout: Rollout, champion: Alias, last: Transition) -> Route:
    entry = load_experiment(connection, rollout.shadow or "")
    plan = locked_plan(connection, entry.id)
    why = "The candidate is in its shadow: the champion for everybody"
    if entry.state not in _GOES_ON or plan is None:
        return _route(rollout, champion, last, f"{why}; the shadow has ended and nothing is mirrored.")
    share = Fraction(plan[1].get("sample", "1"))
    mirror = (rollout.candidate, share)
    return _route(rollout, champion, last, f"{why}, and mirrored requests for the candidate.", mirror=mirror)


def _canary(connection: Connection, rollout: Rollout, champion: Alias, last: Transition) -> Route:
    entry = load_experiment(connection, rollout.canary or "")
    plan = locked_plan(connection, entry.id)
    if plan is None or rollout.step is None:
        return _route(rollout, champion, last, f"{entry.id} has no locked plan: the champion for everybody.")
    if (ended := _canary_ended(connection, entry)) is not None:
        return _route(rollout, champion, last, f"{entry.id} {ended}: the champion for everybody.")
    material, share = plan[1], canary_shares(plan[1])[rollout.step - 1]
    salt = canary_salt(material)
    why = f"Step {rollout.step} of {entry.id}: the candidate for {float(share):.4g} of all units"
    if salt is None:
        return _route(rollout, champion, last, f"{why}, assigned elsewhere.", share=share)
    slices = canary_slices(share, _arm(material, "candidate"), _arm(material, "champion"))
    outside = paths.text_at(material, ("assignment", "outside"))
    split = Split("canary", _text(material, "key"), salt, *slices, outside=outside)
    return _route(rollout, champion, last, f"{why}, by the hash.", share=share, split=split)


def _canary_ended(connection: Connection, entry: Experiment) -> str | None:
    """Why the canary serves nobody any more; None while it does.

    A passed canary, and one whose time is up, keep their share until somebody decides, as declared.
    """
    if entry.state in _GOES_ON:
        return None
    last = next(iter(reversed(looks_of(connection, entry.id))), None)
    kept = last is not None and last.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)
    if entry.state in _ENDED and kept:
        return None
    decision = decision_on(connection, entry.id)
    accepted = decision is not None and decision.decision == KINDS["canary"].accepting.value
    return None if accepted else f"is {entry.state.value.replace('_', ' ')}"


def _ab(connection: Connection, rollout: Rollout, champion: Alias, last: Transition) -> Route:
    entry = load_experiment(connection, rollout.ab or "")
    plan = locked_plan(connection, entry.id)
    if entry.state not in _GOES_ON or plan is None:
        ended = f"{entry.id} is {entry.state.value.replace('_', ' ')}: the champion for everybody"
        waits = " until the candidate is promoted." if entry.state is State.DECIDED else "."
        return _route(rollout, champion, last, ended + waits)
    material = plan[1]
    arms = [(arm["name"], Fraction(arm["share"]), str(arm["version"])) for arm in material["arms"]]
    held = paths.reservation(material)
    layer = None if held is None else Layer(held.layer, held.start, held.end)
    share = arms[1][1] * (1 if layer is None else layer.range.share)
    why = f"{entry.id} is {entry.state.value}: the candidate for {float(share):.4g} of all units"
    if paths.at(material, ("assignment", "method")) == "external":
        return _route(rollout, champion, last, f"{why}, assigned elsewhere.", share=share)
    salt = _text(material, "salt")
    owned = Assignment(salt, tuple((name, part) for name, part, _ in arms), layer).ranges
    control, candidate = (
        Slice(name, version, held.low, held.high)
        for (name, _, version), held in zip(arms, owned, strict=True)
    )
    split = Split("ab", _text(material, "key"), salt, candidate, control, layer)
    return _route(rollout, champion, last, f"{why}, by the hash.", share=share, split=split)


def _route(
    rollout: Rollout,
    champion: Alias,
    last: Transition,
    reason: str,
    *,
    share: Fraction = Fraction(0),
    split: Split | None = None,
    mirror: tuple[str, Fraction] | None = None,
) -> Route:
    return Route(
        model=rollout.model,
        alias="champion",
        version=champion.version or "",
        share=share,
        split=split,
        mirror=mirror,
        rollout=rollout.id,
        state=rollout.state.value,
        step=rollout.step,
        transition=last.number,
        since=last.settled_at,
        reason=reason,
    )


def _arm(material: Document, which: str) -> tuple[str, str]:
    default = {"candidate": "candidate", "champion": "control"}[which]
    part: dict[str, Any] = material[which]
    return str(part.get("arm") or default), str(part["version"])


def _text(material: Document, name: str) -> str:
    return paths.text_at(material, ("assignment", name)) or ""


def _no_such_model(connection: Connection, model: str) -> str:
    known = connection.execute(select(aliases.c.model).distinct().order_by(aliases.c.model)).scalars().all()
    near = get_close_matches(model, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none yet'}"
    return f"no rollout knows the model {model!r}; {hint}"
