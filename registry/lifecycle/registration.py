"""The lock: a reviewer registers a plan, and says openly if units were exposed before."""

from registry import ledger
from registry.acts import Act, act, load_experiment
from registry.clock import instant
from registry.database import Registry
from registry.lifecycle.checks import note_clashes, note_short_reason, note_unfit_reviewer, reserve
from registry.lifecycle.drafting import plan_of
from registry.lifecycle.exposures import Exposure, exposure_found
from registry.lifecycle.states import permit
from registry.records import Experiment, Label, State
from registry.tables import plans


def register(
    registry: Registry,
    actor: str,
    experiment: str,
    exposure: Exposure | None,
    *,
    declared: Label | None = None,
    reason: str | None = None,
    seen: int | None = None,
) -> Experiment:
    """Lock a plan. The reviewer does; alone, the owner, and the label says so for ever.

    Args:
        exposure: what the logs say now; None to take what the worker found last, for a process that opens no log. With
            exposures in them the plan is not a pre-registration any more. One that comes between the finding and the lock
            labels the experiment late once it starts.
        declared: `Label.LATE` or `Label.RETROSPECTIVE`, to lock it all the same under that label.
    """
    if declared not in (None, Label.LATE, Label.RETROSPECTIVE):
        raise ValueError(
            f"declared: {declared} is not allowed; give Label.LATE, Label.RETROSPECTIVE or nothing"
        )
    with act(registry, actor, "register", experiment) as doing:
        current = doing.experiment(seen)
        permit(doing, current)
        if current.reviewer is not None:
            note_unfit_reviewer(doing, current, current.reviewer)
        plan = plan_of(doing, current)
        exposure = exposure or exposure_found(doing, plan.sha256)
        reads = ledger.count(doing.connection, current.id, (ledger.READ_OUTCOMES,))
        timing = _timing_label(doing, exposure, reads, declared)
        if timing is not None:
            doing.reason = note_short_reason(doing, reason, "register late")
        note_clashes(doing, current.id, current.title, plan)
        doing.refuse_if_objections()

        labels = {*current.labels} | ({timing} if timing else set())
        if current.owned_by(actor):
            labels.add(Label.SELF_REVIEWED)
        first = exposure.first_exposure_at
        doing.change_experiment(
            state=State.REGISTERED,
            plan_version=1,
            labels=sorted(labels),
            registered_at=doing.now,
            first_exposure_at=first,
        )
        doing.insert(
            plans,
            {
                "experiment": current.id,
                "version": 1,
                "sha256": plan.sha256,
                "written_sha256": current.draft_written_sha256,
                "locked_by": actor,
                "locked_at": doing.now,
                "proposal": None,
                "timing": None,
                "outcome_reads_before": reads,
            },
        )
        reserve(doing, current.id, plan)
        doing.facts = {
            "sha256": plan.sha256,
            "first_exposure_at": None if first is None else instant(first),
            "data_complete": exposure.data_complete,
            "outcome_reads_before": reads,
        } | ({} if exposure.job is None else {"found_by_job": exposure.job})
        doing.summary = f"Registered and locked plan {plan.sha256[:12]}" + (
            f" ({timing})." if timing else "."
        )
    with registry.reading() as connection:
        return load_experiment(connection, experiment)


def _timing_label(doing: Act, exposure: Exposure, reads: int, declared: Label | None) -> Label | None:
    """The label that the facts demand, or the stronger one that was declared."""
    if exposure.data_complete:
        needed, why = Label.RETROSPECTIVE, "The data this plan asks for are complete already."
    elif reads:
        needed, why = Label.RETROSPECTIVE, f"Outcomes of it were read {reads} times already."
    elif exposure.first_exposure_at is not None:
        needed, why = (
            Label.LATE,
            f"Units have been exposed since {exposure.first_exposure_at:%d %b %Y %H:%M} UTC.",
        )
    else:
        return declared
    if declared is Label.RETROSPECTIVE or declared is needed:
        return declared
    doing.object(
        why,
        when_possible=f"declared as {needed}, with a reason; the label is printed on it for ever.",
        what_to_do=f"Register it as {needed}, or clone it as a new experiment with a salt of its own. "
        "The draft is kept.",
    )
    return needed
