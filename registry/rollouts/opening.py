"""The A/B of a rollout is opened from its rung: a draft with the same metrics, and what the shadow hands on."""

from __future__ import annotations

import json

from experiments.designs.metrics import Catalogue
from experiments.rollouts.ab_draft import ab_draft, handed_on
from experiments.shadows.readout import ShadowReadout
from registry import lifecycle
from registry.acts import act
from registry.database import Registry
from registry.plans import locked_canary, plan_to_register
from registry.records import Experiment
from registry.rollouts.evidence import design_of
from registry.rollouts.moving import seen_rollout, touch
from registry.rollouts.people import permit_asking
from registry.rollouts.records import CLOSED, RolloutState, load_rollout
from registry.store import document, show


def open_ab(
    registry: Registry, actor: str, rollout: str, catalogue: Catalogue, *, seen: int | None = None
) -> Experiment:
    """Begin the draft of a rollout's A/B and name it as the entry of that rung; its owner goes on with it as with any draft.

    Raises:
        Refused: the A/B is on or over, or the actor may not ask for steps of this rollout.
        Invalid: every problem of the design that comes out, or no primary is declared for it.
    """
    with registry.reading() as connection:
        planned = load_rollout(connection, rollout)
        design = design_of(connection, planned)
    canary = None if planned.canary is None else locked_canary(show(registry, planned.canary))[0]
    shadow = None if planned.shadow is None else show(registry, planned.shadow).experiment.readout_sha256
    handed = None
    if shadow is not None:
        handed = handed_on(ShadowReadout.of_document(json.loads(document(registry, shadow))))
    draft = ab_draft(design, catalogue, canary=canary, handed=handed)
    with act(registry, actor, "open ab", rollout) as doing:
        current = seen_rollout(doing, rollout, seen)
        permit_asking(doing, current)
        if current.state in CLOSED or current.rung is RolloutState.AB:
            doing.object(
                f"{rollout} is {current.words.lower()}.",
                when_possible="before the A/B begins.",
                what_to_do="Clone the A/B it has, and repeat the rung with the clone.",
            )
        doing.refuse_if_objections()
        doing.summary = f"Opened the A/B of {rollout}: a draft with the canary's guardrails."
    opened = lifecycle.create_draft(registry, actor, plan_to_register(draft))
    with act(registry, actor, "name entry", rollout) as doing:
        current = seen_rollout(doing, rollout, None)
        permit_asking(doing, current)
        doing.refuse_if_objections()
        touch(doing, current, {"ab": opened.id})
        doing.summary = f"Named {opened.id} as the A/B of {rollout}."
    return opened
