"""What shadow and canary had said, beside what the A/B found: so that a team learns what its earlier rungs are worth."""

from __future__ import annotations

import json
from dataclasses import dataclass

from experiments.canaries.readout import CanaryReadout
from experiments.readouts.readout import Comparison, Readout
from experiments.shadows.readout import ShadowReadout
from registry import lifecycle
from registry.database import Registry
from registry.errors import Unknown
from registry.rollouts.records import Rollout, load_rollout
from registry.store import document, show


@dataclass(frozen=True, slots=True)
class Said:
    """What one rung said of a measure: candidate − champion, with its interval.

    Attributes:
        state: in the words of its readout.
    """

    entry: str
    measure: str
    unit: str
    estimate: float | None
    low: float | None
    high: float | None
    level: float | None
    state: str


@dataclass(frozen=True, slots=True)
class Realised:
    """One measure of the A/B, and what had been said of it.

    Attributes:
        predicted: by the rungs below, in their order. A shadow speaks of the primary only, in its own measure.
        inside: for each prediction whether the A/B's estimate lies within its interval; None where that cannot be said,
            because one of the two was not computed or another measure was meant.
    """

    role: str
    found: Said
    predicted: tuple[Said, ...]
    inside: tuple[bool | None, ...]


def predicted_and_realised(registry: Registry, actor: str, rollout: str) -> tuple[Realised, ...]:
    """The A/B's measures beside what shadow and canary had said of them; the reading is recorded.

    Raises:
        Refused: the A/B's readout is not released.
        Unknown: the rollout has no A/B.
    """
    with registry.reading() as connection:
        current = load_rollout(connection, rollout)
    if current.ab is None:
        raise Unknown(f"{rollout} has no A/B yet; it is {current.words.lower()}")
    found = Readout.of_document(lifecycle.read_readout(registry, actor, current.ab))
    checks = _last_check(registry, current)
    shadow = _shadow(registry, current)
    return tuple(
        _realised(current.ab, one, checks, shadow if one.role == "primary" else None)
        for one in (*found.primary, *found.guardrails)
    )


def _realised(
    entry: str, one: Comparison, checks: dict[tuple[str, str | None], Said], shadow: Said | None
) -> Realised:
    own = said_of(entry, one)
    canary = checks.get((one.metric, one.level))
    predicted = tuple(said for said in (shadow, canary) if said is not None)
    return Realised(one.role, own, predicted, tuple(_inside(said, own) for said in predicted))


def said_of(entry: str, one: Comparison) -> Said:
    """What a readout's comparison says."""
    interval = one.interval
    return Said(
        entry=entry,
        measure=one.label if one.level is None else f"{one.label}: {one.level}",
        unit=one.unit,
        estimate=one.estimate,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        level=None if interval is None else interval.level,
        state=one.state,
    )


def _inside(said: Said, found: Said) -> bool | None:
    same = said.unit == found.unit
    if not same or found.estimate is None or (said.low is None and said.high is None):
        return None
    above = said.low is None or said.low <= found.estimate
    return above and (said.high is None or found.estimate <= said.high)


def _last_check(registry: Registry, rollout: Rollout) -> dict[tuple[str, str | None], Said]:
    """What the last sealed check of the canary said of each guardrail, by metric and level."""
    if rollout.canary is None:
        return {}
    sealed = [one.readout_sha256 for one in show(registry, rollout.canary).looks if one.readout_sha256]
    if not sealed:
        return {}
    readout = CanaryReadout.of_document(json.loads(document(registry, sealed[-1])))
    compared = (reading.comparison for reading in readout.guardrails)
    return {(one.metric, one.level): said_of(rollout.canary, one) for one in compared}


def _shadow(registry: Registry, rollout: Rollout) -> Said | None:
    sha256 = None if rollout.shadow is None else show(registry, rollout.shadow).experiment.readout_sha256
    if sha256 is None or rollout.shadow is None:
        return None
    readout = ShadowReadout.of_document(json.loads(document(registry, sha256)))
    if readout.primary is None:
        return None
    return said_of(rollout.shadow, readout.primary)
