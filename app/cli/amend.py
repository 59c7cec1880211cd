"""`amend`: changing a locked plan in the open, with a reason, its effect on inference, and the reviewer's approval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.errors import BadUsage
from app.cli.examples import examples
from app.cli.output import AsJson, Table
from app.cli.register import change_document, changes_table, exposure_in_words
from app.cli.session import As, ExperimentId, Session, opened
from app.cli.workspace import CatalogueFile, catalogue_in_use

if TYPE_CHECKING:
    from registry.lifecycle import Amendment
    from registry.lifecycle.paths import Change
    from registry.store import Dossier

commands = typer.Typer()

ReasonName = Literal[
    "unforeseen-event",
    "error-in-the-plan",
    "missing-information",
    "untested-assumption-violated",
    "supporting-hypothesis-falsified",
]
"""Why a plan is changed, as it is typed."""

InferenceName = Literal["more-severe", "less-severe", "none", "unknown"]
"""What the change does to how severely the hypothesis is tested, as it is typed."""


@commands.command(
    epilog=examples(
        "fairtrial amend EXP-0001 amended.yaml --reason-code missing-information "
        "--explanation 'The platform is logged since Monday, so that it can be shown as a segment.' "
        "--inference none --as mira",
        "fairtrial amend EXP-0001 --approve --as ola",
        "fairtrial amend EXP-0001 --reject 'This belongs into a new experiment.' --as ola",
    )
)
def amend(
    experiment: ExperimentId,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The design as it is to be."),
    ] = None,
    reason_code: Annotated[ReasonName | None, typer.Option(help="Why; needed for a material change.")] = None,
    explanation: Annotated[str | None, typer.Option(help="Why, in 50 characters or more.")] = None,
    inference: Annotated[
        InferenceName | None, typer.Option(help="How severely the hypothesis is tested afterwards.")
    ] = None,
    approve: Annotated[
        bool, typer.Option("--approve", help="The reviewer: approve what is proposed.")
    ] = False,
    reject: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="The reviewer: reject what is proposed (20 characters or more)."),
    ] = None,
    catalogue: CatalogueFile = None,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Change a locked plan, in the open.

    Propose a change, approve it, or reject it; without any of these, see what is proposed.

    Administrative fields (title, links, tags, owner, expected dates) change at once. How late a change comes is read from
    the logs: before the first exposure all may change, after it only what does not touch the test, after outcomes were
    read nothing.
    """
    from experiments.forms.documents import read_text
    from registry import lifecycle
    from registry.amended import amended_design
    from registry.lifecycle.paths import differences
    from registry.plans import locked_design, plan_to_register
    from registry.store import show

    if sum((file is not None, approve, reject is not None)) > 1:
        raise BadUsage("give one of FILE, --approve and --reject")
    amendment = _amendment(file, reason_code, explanation, inference)
    with opened(actor) as session:
        registry = session.registry
        dossier = show(registry, experiment)
        design, plan = locked_design(dossier)
        seen = dossier.experiment.revision
        if file is not None:
            written = read_text(file, f"design {file}")
            changed = amended_design(dossier, written, catalogue_in_use(catalogue), file=str(file))
            amended = plan_to_register(changed)
            changes = differences(plan.material, amended.material)
            exposure, said = exposure_in_words(session, design)
            lifecycle.amend(
                registry, session.actor, experiment, amended, exposure, amendment=amendment, seen=seen
            )
            _answer(session, experiment, changes, said, as_json=as_json)
            return
        changes, explained = _proposed(session, dossier)
        if approve:
            exposure, said = exposure_in_words(session, design)
            lifecycle.approve_amendment(registry, session.actor, experiment, exposure, seen=seen)
            _answer(session, experiment, changes, said, as_json=as_json)
        elif reject is not None:
            lifecycle.reject_amendment(registry, session.actor, experiment, reject, seen=seen)
            _answer(session, experiment, changes, None, as_json=as_json)
        else:
            session.answer_standing(
                dossier,
                as_json=as_json,
                extra={"changes": [change_document(change) for change in changes], "proposed": explained},
                before=[explained, *([changes_table(changes)] if changes else [])],
            )


def _amendment(
    file: Path | None, code: ReasonName | None, explanation: str | None, inference: InferenceName | None
) -> Amendment | None:
    from registry.lifecycle import Amendment, Inference, ReasonCode

    given = {"--reason-code": code, "--explanation": explanation, "--inference": inference}
    if not any(given.values()):
        return None
    if file is None:
        raise BadUsage(f"{', '.join(option for option, value in given.items() if value)}: go with FILE")
    if code is None or explanation is None or inference is None:
        missing = [option for option, value in given.items() if not value]
        raise BadUsage(f"a material change needs {', '.join(missing)} too")
    return Amendment(ReasonCode(code.replace("-", " ")), explanation, Inference(inference.replace("-", " ")))


def _proposed(session: Session, dossier: Dossier) -> tuple[tuple[Change, ...], str]:
    """What the amendment that waits for approval would change, and who proposed it why."""
    import json

    from registry.lifecycle.paths import differences
    from registry.store import document

    waiting = next((p for p in dossier.proposals if p.kind == "amendment" and p.status == "open"), None)
    if waiting is None or waiting.sha256 is None:
        return (), "No amendment is proposed."
    plan = json.loads(document(session.registry, waiting.sha256))
    content = waiting.content
    return differences(dossier.plans[-1].material, plan), (
        f"{waiting.proposed_by} proposes an amendment, class {content['timing_when_proposed']}: {content['code']}; "
        f"effect on inference: {content['inference']}. {content['explanation']}"
    )


def _answer(
    session: Session, experiment: str, changes: tuple[Change, ...], said: str | None, *, as_json: bool
) -> None:
    shown: list[str | Table] = [changes_table(changes)] if changes else []
    session.answer_act(
        experiment,
        as_json=as_json,
        extra={"changes": [change_document(change) for change in changes], "exposure": said},
        before=[*([] if said is None else [f"exposure {said}"]), *shown],
    )
