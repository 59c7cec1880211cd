"""What the fields of a rollout have to mean together; every problem at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from experiments.designs.written import WrittenDesign
from experiments.forms.drafts import as_far_as_readable
from experiments.forms.problems import unknown_name
from experiments.forms.validation import Finding
from experiments.rollouts.routing import LARGEST_SHARE
from experiments.rollouts.written import WrittenRollout

PREFIX: Final = {"shadow": "SHD-", "canary": "CAN-", "ab": "EXP-"}
"""What the id of the entry that runs a rung begins with."""

FIXED: Final = {
    "title": "it is made from the rollout's",
    "arms": "they are champion and candidate",
    "assignment": "it follows from canary_units",
    "owner": "it is the rollout's",
    "deciders": "they are the rollout's",
    "team": "it is the rollout's",
}
"""Fields of an A/B design that the rollout gives."""


def rollout_findings(rollout: WrittenRollout) -> Iterator[Finding]:
    """Every problem of meaning in a rollout, or in the readable part of a draft of one."""
    for check in (versions, left_out, registered, kept_units, baseline, ab_design, budget, people):
        yield from as_far_as_readable(check(rollout))


def versions(rollout: WrittenRollout) -> Iterator[Finding]:
    if rollout.champion.version == rollout.candidate.version:
        yield (
            ("candidate", "version"),
            f"{rollout.candidate.version!r} is the champion already; a rollout replaces one version by another",
        )


def left_out(rollout: WrittenRollout) -> Iterator[Finding]:
    why = rollout.left_out
    for name, plan, reason in (
        ("shadow", rollout.rungs.shadow, why.shadow),
        ("canary", rollout.rungs.canary, why.canary),
    ):
        if plan is None and reason is None:
            yield ("left_out", name), f"is missing: the {name} is left out; say why, in 30 characters or more"
        if plan is not None and reason is not None:
            yield ("left_out", name), f"the {name} is one of the rungs; leave the reason out, or the rung"


def registered(rollout: WrittenRollout) -> Iterator[Finding]:
    rungs = {"shadow": rollout.rungs.shadow, "canary": rollout.rungs.canary, "ab": rollout.rungs.ab}
    for name, plan in rungs.items():
        if plan is not None and plan.registered is not None and not plan.registered.startswith(PREFIX[name]):
            yield (
                ("rungs", name, "registered"),
                f"{plan.registered!r} is not the id of such a rung; it begins with {PREFIX[name]}",
            )


def kept_units(rollout: WrittenRollout) -> Iterator[Finding]:
    ab = rollout.rungs.ab
    if ab.canary_units == "keep" and ab.canary_units_reason is None:
        yield (
            ("rungs", "ab", "canary_units_reason"),
            "is missing: units of the canary are kept, and some of them have met the candidate before; say why that is right",
        )
    if ab.canary_units == "exclude" and ab.canary_units_reason is not None:
        yield (
            ("rungs", "ab", "canary_units_reason"),
            "nobody is kept; leave it out, or write canary_units: keep",
        )


def baseline(rollout: WrittenRollout) -> Iterator[Finding]:
    if rollout.rungs.ab.baseline == "shadow" and rollout.rungs.shadow is None:
        yield ("rungs", "ab", "baseline"), "there is no shadow to take it from; write catalogue"


def ab_design(rollout: WrittenRollout) -> Iterator[Finding]:
    """Names only: the draft itself is checked as every design is, once it is opened."""
    fields = sorted(WrittenDesign.model_fields)
    for name in rollout.rungs.ab.design:
        if name in FIXED:
            yield ("rungs", "ab", "design", name), f"is given by the rollout: {FIXED[name]}; leave it out"
        elif name not in fields:
            yield ("rungs", "ab", "design", name), unknown_name(name, fields, "a field of a design")


def budget(rollout: WrittenRollout) -> Iterator[Finding]:
    share = rollout.risk_budget.share
    if not 0 < share <= LARGEST_SHARE:
        yield (
            ("risk_budget", "share"),
            f"{float(share):.4g} is not allowed; control is as large as the candidate, so give more than 0 and at most 0.5",
        )


def people(rollout: WrittenRollout) -> Iterator[Finding]:
    if rollout.owner is not None and rollout.owner in rollout.deciders:
        yield ("deciders",), f"{rollout.owner!r} is the owner; somebody else approves"
