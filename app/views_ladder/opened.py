"""A rollout with what is known of its canary: read once a run, from the registry and its sealed checks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from app.views_experiment.findings import Findings, findings_of
from experiments.canaries.design import CanaryDesign
from experiments.canaries.past import as_past
from experiments.canaries.readout import CanaryReadout
from experiments.canaries.state import CanaryState, state_of
from experiments.forms.problems import Invalid
from registry.database import Registry
from registry.ladder import RolloutFile, RolloutState, show_rollout
from registry.plans import locked_canary
from registry.records import State
from registry.rollouts.entitled import Entitled, entitled
from registry.rollouts.steps import StepsBegun, steps_of
from registry.store import Dossier, document, show


@dataclass(frozen=True, slots=True)
class CanaryStanding:
    """A canary that is registered.

    Attributes:
        checks: sealed, in order; what they found is open.
        stands: what its plan allows now; None before its first step.
        findings: of the worker, in counts.
    """

    dossier: Dossier
    design: CanaryDesign
    steps: StepsBegun
    checks: tuple[CanaryReadout, ...]
    stands: CanaryState | None
    findings: Findings

    @property
    def id(self) -> str:
        return self.dossier.experiment.id

    @property
    def last(self) -> CanaryReadout | None:
        """The last sealed check."""
        return self.checks[-1] if self.checks else None

    @property
    def last_of_step(self) -> CanaryReadout | None:
        """The last sealed check, where it is one of the step that is on."""
        last = self.last
        return last if last is not None and last.look.step == len(self.steps.begun) else None


@dataclass(frozen=True, slots=True)
class LadderView:
    """A rollout as its page draws it.

    Attributes:
        may: what whoever looks may do.
        entries: the dossiers of the rungs' entries, by rung, as far as they are named and there.
        canary: None while none is registered for it.
    """

    file: RolloutFile
    may: Entitled
    now: datetime
    entries: dict[RolloutState, Dossier]
    canary: CanaryStanding | None

    @property
    def id(self) -> str:
        return self.file.rollout.id


def ladder_view(registry: Registry, actor: str, rollout: str) -> LadderView:
    """A rollout for somebody.

    Raises:
        Unknown: there is no such rollout.
    """
    file = show_rollout(registry, rollout)
    entries = {}
    for rung in (RolloutState(name) for name in file.design.rungs):
        if (id := file.rollout.entry_of(rung)) is not None:
            entries[rung] = show(registry, id)
    canary = entries.get(RolloutState.CANARY)
    standing = None if canary is None else canary_standing(registry, canary)
    return LadderView(file, entitled(registry, actor, rollout), registry.clock.now(), entries, standing)


def canary_standing(registry: Registry, dossier: Dossier) -> CanaryStanding | None:
    """What is known of a canary; None while no plan of it is locked, or where its text no longer resolves."""
    if not dossier.plans:
        return None
    try:
        design, _ = locked_canary(dossier)
    except Invalid:
        return None  # its page says why
    steps = steps_of(registry, dossier.experiment.id)
    checks = _sealed(registry, dossier)
    stands = None
    if steps.begun:
        stands = state_of(
            design, steps.begun, tuple(as_past(check) for check in checks), registry.clock.now()
        )
    return CanaryStanding(dossier, design, steps, checks, stands, findings_of(registry, dossier))


def is_over(dossier: Dossier) -> bool:
    """Whether no check of a canary is awaited any more."""
    awaiting = {State.REGISTERED, State.RUNNING, State.STOPPED, State.MATURE}
    return dossier.experiment.state not in awaiting


def _sealed(registry: Registry, dossier: Dossier) -> tuple[CanaryReadout, ...]:
    # As registry.canarying.sealed_checks, which stands beside what opens outcome logs.
    hashes = (look.readout_sha256 for look in dossier.looks if look.readout_sha256 is not None)
    return tuple(CanaryReadout.of_document(json.loads(document(registry, one))) for one in hashes)
