"""`ladder …`: a candidate's way from shadow over canary and A/B to promotion, and what is served of a model now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.errors import BadUsage
from app.cli.examples import examples
from app.cli.ladder_text import realised_table, rollout_document, rollout_text, slices_table, standing_lines
from app.cli.output import AsJson, Cell, Table, plain, print_json
from app.cli.session import As, Session, opened
from app.cli.workspace import CatalogueFile, catalogue_in_use

if TYPE_CHECKING:
    from registry.ladder import Rollout

commands = typer.Typer(
    name="ladder",
    help="Rollouts: shadow, canary, A/B, promotion; every step on sealed evidence, rollback from everywhere.",
    no_args_is_help=True,
)

RolloutId = Annotated[
    str, typer.Argument(metavar="ROL", help="The rollout's id in the registry, for example ROL-0001.")
]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the step for ever.")]


@commands.command(epilog=examples("fairtrial ladder plan rollout.yaml --as mira"))
def plan(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="The rollout, a YAML file.")
    ],
    check: Annotated[bool, typer.Option("--check", help="Only find its problems; nothing is begun.")] = False,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Begin a candidate's rollout.

    The document names champion, candidate, rungs, criteria and risk budget; it is kept and hashed. Whoever begins it owns it.
    """
    from app.cli.output import answer
    from experiments.forms.documents import read_text, scan_document
    from experiments.rollouts.design import rollout_of
    from experiments.rollouts.files import without_kind
    from registry.ladder import plan_rollout

    what = f"rollout {file}"
    design = rollout_of(without_kind(scan_document(read_text(file, what), what, file=str(file))))
    if check:
        document = {"file": str(file), "sha256": design.sha256, "rungs": design.rungs}
        said = f"{file} has no problems: {' → '.join(design.rungs)} → promoted. sha256 {design.sha256[:12]}"
        answer(document, lambda: [said], as_json=as_json)
        return
    with opened(actor) as session:
        _answer(session, plan_rollout(session.registry, session.actor, design).id, as_json=as_json)


@commands.command(
    epilog=examples(
        "fairtrial ladder show ROL-0001",
        "fairtrial ladder show ROL-0001 --realised --as dan",
        "fairtrial ladder show",
    )
)
def show(
    rollout: Annotated[
        str | None, typer.Argument(metavar="ROL", help="The rollout's id. Default: list them all.")
    ] = None,
    realised: Annotated[
        bool,
        typer.Option(
            "--realised", help="What shadow and canary had said, beside what the A/B found; it is recorded."
        ),
    ] = False,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Show a rollout: where it stands, what the next step needs, what is served, and every step with its evidence."""
    from registry import ladder

    with opened(actor) as session:
        if rollout is None:
            _answer_list(session, ladder.list_rollouts(session.registry), as_json=as_json)
            return
        found = ladder.show_rollout(session.registry, rollout)
        rows = ladder.predicted_and_realised(session.registry, session.actor, rollout) if realised else None
        document = rollout_document(found) | ({} if rows is None else {"realised": rows})
        text = rollout_text(found) + ([] if rows is None else [realised_table(rows)])
        session.answer(document, text, as_json=as_json)


@commands.command(
    epilog=examples(
        "fairtrial ladder advance ROL-0001 --entry CAN-0002 --reason 'The shadow passed and was approved.' --as mira",
        "fairtrial ladder advance ROL-0001 --reason 'The check of step 1 lets it advance.' --as mira",
        "fairtrial ladder advance ROL-0001 --approve --reason 'The guardrails are within margin.' --as dan",
    )
)
def advance(
    rollout: RolloutId,
    reason: Reason,
    entry: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The registered design that runs the rung which begins."),
    ] = None,
    confirm: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="A declared criterion that you confirm, in its words; repeatable."),
    ] = None,
    approve: Annotated[
        bool, typer.Option("--approve", help="As a decider: sign the step that was asked for.")
    ] = False,
    reject: Annotated[
        bool, typer.Option("--reject", help="Reject the step that was asked for, or take your own back.")
    ] = False,
    again: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Begin the rung again with this entry; the one before ended without a pass."
        ),
    ] = None,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Take the next step: a rung, a larger share, or the promotion.

    A rung rests on the signed decision about the one before. A larger share is signed itself: whoever may not sign it asks
    for it with this. Refused with everything that still stands in the way.
    """
    from registry import ladder

    if sum((approve, reject, again is not None)) > 1:
        raise BadUsage("give at most one of --approve, --reject and --again")
    if (approve or reject or again) and entry is not None:
        raise BadUsage("--entry names the entry of a rung that begins; leave it out here")
    confirmed = tuple(confirm or ())
    with opened(actor) as session:
        registry, who = session.registry, session.actor
        if approve:
            ladder.approve(registry, who, rollout, reason, confirmed=confirmed)
        elif reject:
            ladder.reject(registry, who, rollout, reason)
        elif again is not None:
            ladder.repeat(registry, who, rollout, again, reason)
        else:
            ladder.advance(registry, who, rollout, reason, entry=entry, confirmed=confirmed)
        _answer(session, rollout, as_json=as_json)


@commands.command(
    epilog=examples(
        "fairtrial ladder rollback ROL-0001 --reason 'Errors rise since noon.' --as mira",
    )
)
def rollback(rollout: RolloutId, reason: Reason, actor: As = None, as_json: AsJson = False) -> None:
    """Serve everybody the champion, for good. Always possible: for the owner, the model owner and whoever is on call.

    After a promotion the champion of before is served again.
    """
    from registry import ladder

    with opened(actor) as session:
        ladder.roll_back(session.registry, session.actor, rollout, reason)
        _answer(session, rollout, as_json=as_json)


@commands.command(
    epilog=examples("fairtrial ladder pause ROL-0001 --reason 'An incident elsewhere.' --as mira")
)
def pause(rollout: RolloutId, reason: Reason, actor: As = None, as_json: AsJson = False) -> None:
    """Serve everybody the champion for now. For the owner, the model owner and whoever is on call."""
    from registry import ladder

    with opened(actor) as session:
        ladder.pause(session.registry, session.actor, rollout, reason)
        _answer(session, rollout, as_json=as_json)


@commands.command(
    epilog=examples(
        "fairtrial ladder resume ROL-0001 --reason 'The incident is over; it was not ours.' --as mira"
    )
)
def resume(rollout: RolloutId, reason: Reason, actor: As = None, as_json: AsJson = False) -> None:
    """Go on where it was paused by hand; what a breach or a failed check paused is begun again with another entry."""
    from registry import ladder

    with opened(actor) as session:
        ladder.resume(session.registry, session.actor, rollout, reason)
        _answer(session, rollout, as_json=as_json)


@commands.command(epilog=examples("fairtrial ladder draft ROL-0001 --as mira"))
def draft(
    rollout: RolloutId, catalogue: CatalogueFile = None, actor: As = None, as_json: AsJson = False
) -> None:
    """Open the rollout's A/B as a draft.

    Champion against candidate, with the canary's guardrails, what the shadow hands on, and the units that the declared rule
    gives it. Its owner goes on with it as with any draft: fairtrial show EXP --plan.
    """
    from registry import ladder

    with opened(actor) as session:
        opened_ab = ladder.open_ab(session.registry, session.actor, rollout, catalogue_in_use(catalogue))
        session.answer_act(opened_ab.id, as_json=as_json, extra={"rollout": rollout})


@commands.command(
    epilog=examples(
        "fairtrial ladder route router --json",
        "fairtrial ladder route router --unit user-1",
    )
)
def route(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model, as its rollouts name it.")],
    unit: Annotated[
        str | None, typer.Option(metavar="ID", help="Which version answers this unit, by the hash.")
    ] = None,
    mlflow: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="FAIRTRIAL_MLFLOW",
            help="Also set the model's aliases in the MLflow model registry at this address.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is to be served of a model now: alias, version, share, salt, and the two slices of the hash.

    The champion for everybody at once after a pause, a rollback or INVALID. Every change is told by webhook as ladder.route.
    """
    from registry import ladder
    from registry.rollouts.messages import route_document

    with opened() as session:
        found = ladder.route(session.registry, model)
        document: dict[str, Any] = route_document(found)
        text: list[str | Table] = [f"{model}: {found.version} ({found.alias})", found.reason]
        if found.split is not None:
            text.append(slices_table(document))
        if unit is not None:
            version = found.version_for(unit)
            document["unit"] = {"id": unit, "version": version}
            text.append(f"{unit}: {version}")
        if mlflow is not None:
            from app.mlflow_aliases import set_aliases

            moved = set_aliases(mlflow, model, ladder.aliases(session.registry, model))
            document["mlflow"] = moved
            text += [f"MLflow: {one}" for one in moved] or ["MLflow: nothing to move."]
        if as_json:
            print_json({**document, "simulated": session.registry.clock.simulated})
        else:
            session.answer(document, text, as_json=False)


def _answer(session: Session, rollout: str, *, as_json: bool) -> None:
    from registry.ladder import show_rollout
    from registry.store import find_ledger

    found = show_rollout(session.registry, rollout)
    done = find_ledger(session.registry, entity=rollout, limit=1, newest_first=True)[0].summary
    session.answer({**rollout_document(found), "done": done}, [done, *standing_lines(found)], as_json=as_json)


def _answer_list(session: Session, found: tuple[Rollout, ...], *, as_json: bool) -> None:
    rows: list[tuple[Cell, ...]] = [
        (one.id, one.model, f"{one.champion} → {one.candidate}", one.words, one.owner) for one in found
    ]
    text: list[str | Table] = [Table(("rollout", "model", "versions", "stands at", "owner"), rows)]
    if not rows:
        text = ["There is no rollout yet. Begin one: fairtrial ladder plan FILE"]
    session.answer({"rollouts": [plain(one) for one in found]}, text, as_json=as_json)
