"""Changes of a locked plan, in the open: administrative ones at once, material ones with approval.

What stands in the way of a change is judged by `judging`. Reason codes after Lakens (2024), "When and how to
deviate from a preregistration", Collabra: Psychology 10(1).
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from registry import ledger
from registry.acts import Act, act, load_experiment
from registry.canonical import Document
from registry.database import Registry
from registry.lifecycle.checks import (
    MINIMUM_REASON,
    keep_plan,
    note_clashes,
    note_short_reason,
    reserve,
)
from registry.lifecycle.drafting import plan_of
from registry.lifecycle.exposures import Exposure
from registry.lifecycle.judging import (
    Timing,
    administrative_differences,
    names_of,
    note_forbidden,
    note_in_the_way,
    note_in_the_way_of_words,
    timing_of,
)
from registry.lifecycle.paths import Change, differences
from registry.lifecycle.proposals import (
    AMENDMENT,
    EXPLORATORY,
    note_own_proposal,
    propose,
    required_proposal,
    settle,
)
from registry.lifecycle.states import permit
from registry.records import Experiment, Label, Plan, Proposal
from registry.tables import plans


class ReasonCode(StrEnum):
    """Why a plan is changed."""

    UNFORESEEN_EVENT = "unforeseen event"
    ERROR_IN_THE_PLAN = "error in the plan"
    MISSING_INFORMATION = "missing information"
    UNTESTED_ASSUMPTION_VIOLATED = "untested assumption violated"
    SUPPORTING_HYPOTHESIS_FALSIFIED = "supporting hypothesis falsified"


class Inference(StrEnum):
    """What the change does to how severely the hypothesis is tested."""

    MORE_SEVERE = "more severe"
    LESS_SEVERE = "less severe"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Amendment:
    """What a material change has to say for itself."""

    code: ReasonCode
    explanation: str
    inference: Inference


def amend(
    registry: Registry,
    actor: str,
    experiment: str,
    plan: Plan,
    exposure: Exposure | None,
    *,
    amendment: Amendment | None = None,
    seen: int | None = None,
) -> Experiment:
    """Change a locked plan: material differences once the reviewer approves, administrative ones at once.

    Args:
        exposure: what the logs say now; None to take what the worker found last.
        amendment: reason code, explanation and effect on inference; needed for a material change.
    """
    plan.checked()
    with act(registry, actor, "amend", experiment) as doing:
        current = doing.experiment(seen)
        old = plan_of(doing, current)
        changes = differences(old.material, plan.material)
        if changes:
            _propose(doing, current, plan, changes, exposure, amendment)
        else:
            _save_administrative(doing, current, old, plan)
    return _read(registry, experiment)


def approve_amendment(
    registry: Registry, actor: str, experiment: str, exposure: Exposure | None, *, seen: int | None = None
) -> Experiment:
    """Approve the proposed amendment: the plan's next version. Its timing is computed again, as of now.

    Args:
        exposure: what the logs say now; None to take what the worker found last.
    """
    with act(registry, actor, "approve amendment", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        proposal = required_proposal(doing, AMENDMENT)
        note_own_proposal(doing, proposal)
        old, plan = plan_of(doing, current), _proposed(doing, current, proposal)
        changes = differences(old.material, plan.material)
        timing = timing_of(doing, current, exposure)
        note_forbidden(doing, current, changes, timing)
        note_clashes(doing, current.id, plan.title, plan)
        doing.refuse_if_objections()
        reads = ledger.count(doing.connection, current.id, (ledger.READ_OUTCOMES,))
        version = current.plan_version + 1
        settle(doing, proposal, "approved", None)
        columns = keep_plan(doing, plan)
        doing.insert(
            plans,
            {
                "experiment": current.id,
                "version": version,
                "sha256": plan.sha256,
                "written_sha256": columns["draft_written_sha256"],
                "locked_by": actor,
                "locked_at": doing.now,
                "proposal": proposal.number,
                "timing": timing,
                "outcome_reads_before": reads,
            },
        )
        reserve(doing, current.id, plan)
        labels = {*current.labels} | ({Label.SELF_REVIEWED} if current.owned_by(actor) else set())
        doing.change_experiment(plan_version=version, labels=sorted(labels), **columns)
        doing.facts = _facts(changes, timing) | {"outcome_reads_before": reads}
        doing.summary = f"Approved the amendment: plan version {version}, {plan.sha256[:12]}, class {timing}."
    return _read(registry, experiment)


def reject_amendment(
    registry: Registry, actor: str, experiment: str, reason: str, *, seen: int | None = None
) -> Experiment:
    """Reject the proposed amendment; the plan stays as it is."""
    with act(registry, actor, "reject amendment", experiment) as doing:
        permit(doing, doing.experiment(seen))
        proposal = required_proposal(doing, AMENDMENT)
        doing.reason = note_short_reason(doing, reason, "reject")
        doing.refuse_if_objections()
        settle(doing, proposal, "rejected", doing.reason)
        doing.change_experiment()
        doing.summary = "Rejected the amendment."
    return _read(registry, experiment)


def declare_exploratory(
    registry: Registry, actor: str, experiment: str, analysis: str, *, seen: int | None = None
) -> Experiment:
    """Note an analysis that the plan did not declare; it is exploratory for ever."""
    with act(registry, actor, "declare exploratory", experiment) as doing:
        permit(doing, doing.experiment(seen))
        text = note_short_reason(doing, analysis, "declare exploratory")
        doing.refuse_if_objections()
        number = propose(doing, EXPLORATORY, {"analysis": text}, status="noted")
        doing.change_experiment()
        doing.facts = {"number": number}
        doing.reason = text
        doing.summary = "Declared an exploratory analysis."
    return _read(registry, experiment)


def _propose(
    doing: Act,
    current: Experiment,
    plan: Plan,
    changes: tuple[Change, ...],
    exposure: Exposure | None,
    amendment: Amendment | None,
) -> None:
    timing = note_in_the_way(doing, current, plan, changes, exposure)
    if amendment is None:
        doing.object(
            f"The change is material: {names_of(changes)}.",
            when_possible="with a reason code, an "
            f"explanation ({MINIMUM_REASON['amend']} characters or more) "
            "and the effect on inference.",
            what_to_do=f"Give one of: {', '.join(ReasonCode)}; effect on inference: {', '.join(Inference)}.",
        )
    else:
        doing.reason = note_short_reason(doing, amendment.explanation, "amend")
    doing.refuse_if_objections()
    if amendment is None:
        raise AssertionError("a material change without an amendment was refused above")
    columns = keep_plan(doing, plan)
    number = propose(
        doing,
        AMENDMENT,
        {
            "code": amendment.code.value,
            "explanation": amendment.explanation.strip(),
            "inference": amendment.inference.value,
            "timing_when_proposed": timing.value,
            "diff": _diff(changes),
        },
        sha256=columns["draft_sha256"],
        written_sha256=columns["draft_written_sha256"],
    )
    doing.change_experiment(**{name: columns[name] for name in ("title", "team", "administrative")})
    doing.facts = _facts(changes, timing) | {"proposal": number}
    doing.summary = f"Proposed an amendment, class {timing}: {names_of(changes)}."


def _save_administrative(doing: Act, current: Experiment, old: Plan, plan: Plan) -> None:
    handed_over = note_in_the_way_of_words(doing, current, plan)
    doing.refuse_if_objections()
    columns = keep_plan(doing, plan) | handed_over
    changed = [name for name, value in columns.items() if getattr(current, name) != value]
    if changed:
        doing.change_experiment(**columns)
        doing.facts = {"diff": _diff(administrative_differences(current, old, plan))}
        doing.summary = "Changed administrative fields; the plan stays as locked."


def _proposed(doing: Act, current: Experiment, proposal: Proposal) -> Plan:
    if proposal.sha256 is None or proposal.written_sha256 is None:
        raise ValueError(f"{current.id}: proposal {proposal.number} holds no plan")
    material: Document = json.loads(doing.document(proposal.sha256))
    return Plan(
        material=material,
        administrative=current.administrative,
        sha256=proposal.sha256,
        written=doing.document(proposal.written_sha256),
        title=current.title,
    )


def _facts(changes: tuple[Change, ...], timing: Timing) -> dict[str, Any]:
    return {"timing": timing.value, "diff": _diff(changes)}


def _diff(changes: tuple[Change, ...]) -> list[dict[str, Any]]:
    return [
        {"field": change.name, "change": change.kind.value, "old": change.old, "new": change.new}
        for change in changes
    ]


def _read(registry: Registry, experiment: str) -> Experiment:
    with registry.reading() as connection:
        return load_experiment(connection, experiment)
