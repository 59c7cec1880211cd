"""A rollout as it is written on the page: every problem of it at once, or the plan that it means, in words."""

from __future__ import annotations

from dataclasses import dataclass

from app.declared_words import duration_in_words, listed, sentence
from app.formats import count, share
from experiments.forms.documents import scan_document
from experiments.forms.problems import Invalid
from experiments.rollouts.design import RolloutDesign, rollout_of
from experiments.rollouts.files import kind_of_document, without_kind

EXAMPLE = """\
kind: rollout
title: Router v4 in place of v3
model: router
champion: {version: v3}
candidate: {version: v4}
rungs:
  shadow: {}
  canary:
    entry: [the on-call rota of this week knows of the canary]
  ab: {}
risk_budget: {share: 25%, units: 20000, duration: 8w}
"""
"""A rollout that is right, to begin with."""

_RUNGS = {
    "shadow": "shadow, where requests are mirrored and nobody is served the candidate",
    "canary": "canary, where a growing share of the users is served the candidate under guardrails",
    "ab": "A/B, which has to show the candidate better",
}


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody wrote, and the plan or the problems that are in it."""

    text: str
    design: RolloutDesign | None
    problems: tuple[str, ...]


def checked(text: str) -> Written:
    """Every problem of a text, or its plan."""
    try:
        document = scan_document(text, "rollout")
        kind = kind_of_document(document.body)
        if "kind" in document.body and kind != "rollout":
            said = f"kind: {kind!r} is not allowed here; a rollout has the field rungs and the line kind: rollout"
            return Written(text, None, (said,))
        return Written(text, rollout_of(without_kind(document)), ())
    except Invalid as invalid:
        return Written(text, None, tuple(str(problem) for problem in invalid.problems))


def plan_in_words(design: RolloutDesign) -> list[str]:
    """What the plan means, in sentences."""
    said = [f"{design.candidate} is to replace {design.champion} of {design.model}, rung by rung."]
    for rung in design.rungs:
        plan = design.rung(rung)
        by = (
            f", run by {plan.registered}"
            if plan.registered
            else ", run by an entry that is named when the rollout reaches it"
        )
        said.append(f"Rung: {_RUNGS[rung]}{by}.")
        if plan.entry:
            said.append(f"Before it begins somebody confirms: {listed(plan.entry)}.")
        if plan.exit:
            said.append(f"Before it is left somebody confirms: {listed(plan.exit)}.")
    for rung in ("shadow", "canary"):
        why = getattr(design.written.left_out, rung)
        if why:
            said.append(f"The {rung} is left out: {sentence(why)}")
    kept = design.written.rungs.ab.canary_units == "keep"
    said.append(
        "Units of the canary's slices are "
        + ("assigned anew in the A/B like all others." if kept else "kept out of the A/B by the hash.")
    )
    budget = design.risk_budget
    at_risk = f"The canary may serve the candidate to at most {share(float(budget.share))} of all units"
    if budget.units is not None:
        at_risk += f", and to {count(budget.units)} units in all"
    if budget.duration is not None:
        at_risk += (
            f", for {duration_in_words(budget.duration)} from the first served share until the A/B begins"
        )
    said.append(at_risk + ".")
    said.append(
        "Every step up rests on a sealed pass and a signature by somebody who is neither owner nor author. Rolling back needs a "
        "reason only."
    )
    return said
