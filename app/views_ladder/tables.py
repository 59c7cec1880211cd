"""The tables of the ladder: guardrails against their limits, the steps, the history, and predicted against realised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.declared_words import amount_in_words, duration_in_words
from app.export.blocks import Cell, Table, table
from app.formats import NOTHING, Quantity, count, finite, instant, share, short_hash, shortest
from app.readings import Reading, comparison_name, reading
from app.views_ladder.opened import CanaryStanding, LadderView
from experiments.canaries.readout import CanaryReadout, GuardrailReading
from registry.ladder import Realised, Said, Transition

_UNANSWERED = {
    "hold": "the share is held",
    "proceed": "the next step may be taken",
    "roll back": "rolled back",
}


def guardrails_table(check: CanaryReadout, canary: CanaryStanding) -> Table:
    """Each guardrail of a sealed check: what is not ruled out now, against its limit; the rule, and what a breach does."""
    harm = canary.design.written.harm
    breach = canary.design.written.breach
    records: list[dict[str, Cell]] = [
        {
            "Guardrail": comparison_name(one.comparison),
            "Worsening not ruled out": _bounds(one),
            "Limit": _limit(one),
            "State": reading(one.comparison.state),
            "Rule": f"one-sided, α {shortest(one.harm_alpha)} over all checks ({harm.spending})",
            "If breached": breach,
        }
        for one in check.guardrails
    ]
    return table(f"Guardrails at check {check.look.k}, sealed {instant(check.released_at)}", records)


def declared_guardrails(canary: CanaryStanding) -> Table:
    """The guardrails before anything was sealed: limits and rules, no number."""
    design = canary.design
    records: list[dict[str, Cell]] = [
        {
            "Guardrail": one.label,
            "Worsening not ruled out": "closed until a check is sealed",
            "Limit": NOTHING if one.margin is None else amount_in_words(one, one.margin),
            "Rule": f"one-sided, α {shortest(design.written.harm.alpha)} over all guardrails ({design.written.harm.spending})",
            "If breached": design.written.breach,
        }
        for one in design.guardrails
    ]
    return table("Guardrails as declared", records)


def steps_table(canary: CanaryStanding) -> Table:
    """The steps as declared, and how far each has come."""
    begun = canary.steps.begun
    records: list[dict[str, Cell]] = [
        {
            "Step": f"{step.number}",
            "Share": share(float(step.share)),
            "Stands": _step_reading(canary, step.number),
            "Began": instant(begun[step.number - 1]) if step.number <= len(begun) else NOTHING,
            "Hold": duration_in_words(step.hold),
            "Minimum users in each arm": count(step.minimum_units),
            "Needs": f"every guardrail {step.needs}"
            if step.needs == "within margin"
            else "no guardrail breached",
            "Time limit": duration_in_words(step.time_limit),
            "If unanswered": _UNANSWERED[step.when_unanswered],
            "Approver": "as the shadow's sign-off" if step.number == 1 else "a decider, not owner or author",
        }
        for step in canary.design.steps
    ]
    return table("Steps of the canary", records, numeric=("Share", "Minimum users in each arm"))


def history_table(view: LadderView) -> Table:
    """Every transition, the last first: who, when, on which evidence, why, and what moved."""
    records: list[dict[str, Cell]] = [_transition(one) for one in reversed(view.file.transitions)]
    return table("Every step, the last first", records)


def realised_table(rows: Sequence[Realised]) -> Table:
    """What shadow and canary had said, beside what the A/B found."""
    records: list[dict[str, Cell]] = []
    for row in rows:
        records.append(_said(row.found, row.found.measure, NOTHING))
        for said, inside in zip(row.predicted, row.inside, strict=True):
            word = {True: "yes", False: "no", None: "cannot be said"}[inside]
            records.append(_said(said, f"{row.found.measure}: as {said.measure}", word))
    return table("Predicted against realised", records)


def evidence_words(one: Mapping[str, Any]) -> str:
    """A piece of evidence as it is named in the history: SHD-0001 sealed readout PASS 1a2b3c4d."""
    said = str(one.get("verdict") or one.get("decision") or "").replace("_", " ")
    check = f" {one['k']}" if one.get("k") is not None else ""
    return " ".join(
        f"{one['entry']} {one['what']}{check} {said} {short_hash(str(one['sha256']))[:8]}".split()
    )


def _bounds(one: GuardrailReading) -> str:
    if not one.points:
        return one.comparison.not_computed or "not measured"
    written = Quantity.of([one.comparison])
    low, high = finite(one.points[-1].low), finite(one.points[-1].high)
    lower = "no lower bound" if low is None else written.effect(low)
    upper = "no upper bound" if high is None else written.effect(high)
    return f"{lower} to {upper}"


def _limit(one: GuardrailReading) -> str:
    return Quantity.of([one.comparison]).declared_effect(one.margin)


def _step_reading(canary: CanaryStanding, number: int) -> Reading:
    on = len(canary.steps.begun)
    if number > on:
        return Reading("ahead", "○", "circle", "plain")
    if number < on:
        return Reading("passed", "✓", "circle", "good")
    last = canary.last_of_step
    if last is None:
        return Reading("on", "◉", "circle", "good")
    action = last.verdict.action
    tone = (
        "good" if action in {"advance", "finish"} else "bad" if action in {"pause", "roll back"} else "plain"
    )
    return Reading(last.verdict.call.lower(), "✕" if tone == "bad" else "◉", "circle", tone)  # type: ignore[arg-type]


def _transition(one: Transition) -> dict[str, Cell]:
    step = "" if one.to_step is None else f", step {one.to_step}"
    settled = one.settled_by if one.settled_by not in {None, one.requested_by} else None
    who = one.requested_by if settled is None else f"{one.requested_by}; {settled}"
    reasons = [one.reason] + ([f"{settled}: {one.settled_reason}"] if settled and one.settled_reason else [])
    return {
        "Step": str(one.number),
        "When": instant(one.settled_at or one.requested_at),
        "Who": who,
        "What": f"{one.verb} → {one.to_state.value.replace('_', ' ')}{step}"
        + ("" if one.status == "done" else f" ({one.status})"),
        "Evidence": "; ".join(evidence_words(each) for each in one.evidence) or NOTHING,
        "Alias": "; ".join(f"{m.alias}: {m.before or 'none'} → {m.after or 'none'}" for m in one.aliases)
        or NOTHING,
        "Confirmed": "; ".join(one.confirmed) or NOTHING,
        "Reason": " ".join(reasons),
    }


def _said(one: Said, measure: str, inside: str) -> dict[str, Cell]:
    if one.estimate is None:
        difference = "not computed"
    else:
        low, high = (NOTHING if bound is None else f"{bound:+.4g}" for bound in (one.low, one.high))
        difference = f"{one.estimate:+.4g} ({low} to {high}) {one.unit}".rstrip()
    return {
        "Measure": measure,
        "By": one.entry,
        "Difference": difference,
        "State": reading(one.state) if one.state else NOTHING,
        "A/B inside it": inside,
    }
