"""`register` and `review`: a design becomes a draft, goes to its reviewer, and is locked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.errors import BadUsage, failure_of
from app.cli.examples import examples
from app.cli.output import AsJson, Table, figure, note
from app.cli.session import As, ExperimentId, Session, opened
from app.cli.workspace import CatalogueFile, DesignFile, catalogue_in_use

if TYPE_CHECKING:
    from app.protocol import Section
    from registry.lifecycle import Exposure
    from registry.lifecycle.paths import Change
    from registry.plans import AnyDesign
    from registry.records import Label, Plan
    from registry.store import Dossier

commands = typer.Typer()


@commands.command(
    epilog=examples(
        "fairtrial register design.yaml --reviewer ola --as mira",
        "fairtrial register design.yaml --draft --as mira",
    )
)
def register(
    file: DesignFile,
    update: Annotated[
        str | None,
        typer.Option(
            "--update",
            metavar="EXP",
            help="Save the design as the draft of this experiment; taken back from review.",
        ),
    ] = None,
    draft: Annotated[
        bool, typer.Option("--draft", help="Only save the draft; it is sent for review later.")
    ] = False,
    reviewer: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Who is to lock the plan. Default: the design's reviewer."),
    ] = None,
    self_review: Annotated[
        bool,
        typer.Option(
            "--self-review", help="In one-person mode: lock it at once, labelled self-reviewed for ever."
        ),
    ] = False,
    catalogue: CatalogueFile = None,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Save a design as a draft and send it for review.

    An A/B, a shadow or a canary: the file says which in its field kind, or by what it holds. What the reviewer locks is
    hashed; from then on it changes only by amendment.
    """
    from experiments.rollouts.design import RolloutDesign
    from experiments.rollouts.files import load_any
    from registry import lifecycle
    from registry.errors import Refused
    from registry.plans import plan_to_register
    from registry.store import who_is

    if draft and (self_review or reviewer is not None):
        raise BadUsage(
            "--draft goes with neither --reviewer nor --self-review: a draft is sent to nobody yet"
        )
    design = load_any(file, catalogue_in_use(catalogue))
    if isinstance(design, RolloutDesign):
        raise BadUsage(f"{file} is a rollout: begin it with fairtrial ladder plan {file}")
    plan = plan_to_register(design)
    with opened(actor) as session:
        registry, who = session.registry, session.actor
        alone = who_is(registry, who).one_person
        if self_review and not alone:
            raise BadUsage(
                "--self-review is for one-person mode; in a team somebody other than the owner locks a plan"
            )
        if not (draft or reviewer or plan.administrative.get("reviewer") or alone):
            raise BadUsage(
                f"nobody is named to review it; give --reviewer ID, name a reviewer in {file}, or give --draft"
            )
        saved = _save(session, plan, update)
        try:
            if not draft:
                lifecycle.submit(registry, who, saved, reviewer=reviewer)
            if self_review:
                exposure, said = exposure_in_words(session, design)
                note(said)
                lifecycle.register(registry, who, saved, exposure)
        except Refused as refused:
            note(f"{saved} is kept as it is now; go on with: fairtrial register --update {saved} {file}")
            failure = failure_of(refused)
            if not as_json:
                note(str(failure))
            session.answer({"experiment": {"id": saved}}, [], as_json=as_json, failure=failure)
        session.answer_act(saved, as_json=as_json)


@commands.command(
    epilog=examples(
        "fairtrial review EXP-0001 --as ola",
        "fairtrial review EXP-0001 --approve --as ola",
        "fairtrial review EXP-0001 --request-changes 'The margin needs a reason from cost.' --as ola",
    )
)
def review(
    experiment: ExperimentId,
    approve: Annotated[bool, typer.Option("--approve", help="Lock the plan.")] = False,
    request_changes: Annotated[
        str | None, typer.Option(metavar="REASON", help="Send it back to its owner (20 characters or more).")
    ] = None,
    late: Annotated[
        str | None,
        typer.Option(
            metavar="REASON", help="With --approve: units were exposed before; labelled late for ever."
        ),
    ] = None,
    retrospective: Annotated[
        str | None,
        typer.Option(
            metavar="REASON", help="With --approve: the data were there before; labelled so for ever."
        ),
    ] = None,
    diff: Annotated[
        bool,
        typer.Option(
            "--diff", help="What changed since it was last under review, or since what it was cloned from."
        ),
    ] = False,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Show a plan; lock it, or send it back.

    The plan stands in plain words, beside what the logs say of exposures at this moment.
    """
    from registry import lifecycle
    from registry.store import show

    if approve and request_changes is not None:
        raise BadUsage("give --approve or --request-changes, not both")
    declared, reason = _declared(late, retrospective)
    if declared is not None and not approve:
        raise BadUsage(f"--{declared} goes with --approve")
    with opened(actor) as session:
        dossier = show(session.registry, experiment)
        design, seen = _saved(dossier), dossier.experiment.revision
        exposure, said = exposure_in_words(session, design)
        sections = _protocol(design)
        changes = _changes(session, dossier) if diff else None
        document: dict[str, Any] = {
            "sha256": design.sha256,
            "exposure": {
                "first": exposure.first_exposure_at,
                "complete": exposure.data_complete,
                "said": said,
            },
            "protocol": sections,
            **({} if changes is None else {"changes": [change_document(change) for change in changes]}),
        }
        if approve:
            lifecycle.register(
                session.registry,
                session.actor,
                experiment,
                exposure,
                declared=declared,
                reason=reason,
                seen=seen,
            )
        elif request_changes is not None:
            lifecycle.request_changes(session.registry, session.actor, experiment, request_changes, seen=seen)
        text: list[str | Table] = [f"sha256   {design.sha256}", f"exposure {said}", ""]
        for section in sections:
            text += [section.heading, *(f"  {sentence}" for sentence in section.sentences), ""]
        if changes is not None:
            text.append(changes_table(changes) if changes else "Nothing changed in the plan.")
        if approve or request_changes is not None:
            session.answer_act(experiment, as_json=as_json, extra=document, before=text)
        else:
            session.answer_standing(dossier, as_json=as_json, extra=document, before=text)


@commands.command(epilog=examples("fairtrial clone EXP-0001 --as mira"))
def clone(experiment: ExperimentId, actor: As = None, as_json: AsJson = False) -> None:
    """Begin a draft with the plan of another experiment.

    Its text comes from fairtrial show EXP --plan; give it a key and a salt of its own before it goes to review.
    """
    from registry import lifecycle

    with opened(actor) as session:
        session.answer_act(lifecycle.clone(session.registry, session.actor, experiment).id, as_json=as_json)


def exposure_in_words(session: Session, design: AnyDesign) -> tuple[Exposure, str]:
    """What the logs say of exposures now, and the sentence that says so."""
    from app.views_experiment.exposure import exposure_sentence
    from experiments.canaries.design import CanaryDesign
    from experiments.logs.arrival import exposures_begun
    from experiments.rollouts.beginnings import canary_begun, predictions_begun
    from experiments.shadows.design import ShadowDesign
    from registry.canarying import exposure_of_canary
    from registry.looks import exposure_of
    from registry.shadowing import exposure_of_shadow

    if isinstance(design, ShadowDesign):
        predictions = session.predictions
        exposure, begun = exposure_of_shadow(design, predictions), predictions_begun(design, predictions)
        key = f"{design.written.model} {design.candidate}"
    elif isinstance(design, CanaryDesign):
        sources, key = session.sources, design.key
        exposure, begun = exposure_of_canary(design, sources), canary_begun(design, sources)
    else:
        sources, key = session.sources, design.key
        exposure = exposure_of(design, sources, session.outcomes_if_any(design))
        begun = exposures_begun(design, sources)
    return exposure, exposure_sentence(exposure, source=design.written.source, key=key, begun=begun)


def _saved(dossier: Dossier) -> AnyDesign:
    """The design as last saved; an unfinished draft says what it lacks."""
    from registry.lifecycle.drafting import is_unfinished
    from registry.plans import reopened, saved_design

    if is_unfinished(dossier.draft):
        return saved_design(dossier)
    return reopened(dossier.draft, dossier.draft_written)


def _protocol(design: AnyDesign) -> tuple[Section, ...]:
    from app.protocol import protocol
    from app.rung_protocol import rung_protocol
    from experiments.designs.design import Design

    return protocol(design) if isinstance(design, Design) else rung_protocol(design)


def changes_table(changes: tuple[Change, ...]) -> Table:
    rows = [(change.name, change.kind.value, _value(change.old), _value(change.new)) for change in changes]
    return Table(("field", "", "old", "new"), rows, "Changes")


def change_document(change: Change) -> dict[str, Any]:
    return {"field": change.name, "change": change.kind.value, "old": change.old, "new": change.new}


def _value(value: Any) -> str:
    if value is None:
        return figure(None)
    return value if isinstance(value, str) else str(value)


def _save(session: Session, plan: Plan, update: str | None) -> str:
    """The id of the draft that now holds the plan."""
    from registry import lifecycle
    from registry.records import State
    from registry.store import show

    registry, who = session.registry, session.actor
    if update is None:
        return lifecycle.create_draft(registry, who, plan).id
    if show(registry, update).experiment.state is State.IN_REVIEW:
        lifecycle.take_back(registry, who, update)
    return lifecycle.save_draft(registry, who, update, plan).id


def _declared(late: str | None, retrospective: str | None) -> tuple[Label | None, str | None]:
    from registry.records import Label

    if late is not None and retrospective is not None:
        raise BadUsage("give --late or --retrospective, not both")
    if late is not None:
        return Label.LATE, late
    return (None, None) if retrospective is None else (Label.RETROSPECTIVE, retrospective)


def _changes(session: Session, dossier: Dossier) -> tuple[Change, ...]:
    """What the plan changed since it was last sent for review, else since the plan it was cloned from."""
    import json

    from registry.lifecycle.paths import differences
    from registry.store import document, show

    now = dossier.experiment.draft_sha256
    sent = [
        json.loads(entry.detail)["facts"]["sha256"] for entry in dossier.history if entry.action == "submit"
    ]
    earlier = next((sha256 for sha256 in reversed(sent) if sha256 != now), None)
    if earlier is None and dossier.experiment.cloned_from is not None:
        earlier = show(session.registry, dossier.experiment.cloned_from).experiment.draft_sha256
    if earlier is None:
        raise BadUsage(f"--diff: {dossier.experiment.id} has no earlier plan to compare with")
    return differences(json.loads(document(session.registry, earlier)), dossier.draft)
