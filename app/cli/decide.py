"""`decide`: what a person signs after the readout; against the verdict two people sign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.errors import BadUsage
from app.cli.examples import examples
from app.cli.output import AsJson
from app.cli.session import As, ExperimentId, opened

if TYPE_CHECKING:
    from registry.database import Registry
    from registry.lifecycle import Choice

commands = typer.Typer()


@commands.command(
    epilog=examples(
        "fairtrial decide EXP-0001 --ship --reason 'The declared rule was met and the guardrails held.' --as dan",
    )
)
def decide(
    experiment: ExperimentId,
    ship: Annotated[bool, typer.Option("--ship", help="Everybody gets the treatment.")] = False,
    do_not_ship: Annotated[bool, typer.Option("--do-not-ship", help="Everybody stays with control.")] = False,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="A new experiment is to answer it; control until then.")
    ] = False,
    defer: Annotated[
        bool, typer.Option("--defer", help="Not now; it is on record, and control stays meanwhile.")
    ] = False,
    arm: Annotated[
        str | None,
        typer.Option(
            metavar="ARM", help="Which treatment ships, where there are several. Default: the readout's."
        ),
    ] = None,
    approve: Annotated[
        bool,
        typer.Option(
            "--approve",
            help="A shadow or canary may go on to the next rung; else, as a second decider, a decision against the verdict.",
        ),
    ] = False,
    reject: Annotated[
        bool,
        typer.Option(
            "--reject",
            help="A shadow or canary goes no further; else a decision against the verdict, or your own taken back.",
        ),
    ] = False,
    request_changes: Annotated[
        bool,
        typer.Option(
            "--request-changes",
            help="Of a shadow or canary: not yet; it is on record, and the decision stays open.",
        ),
    ] = False,
    reason: Annotated[
        str | None,
        typer.Option(help="Why: 30 characters or more, 100 where the decision is against the verdict."),
    ] = None,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Sign what follows from the readout.

    In a team the decider is neither owner nor reviewer; against the verdict a second decider signs too.
    """
    from registry import lifecycle
    from registry.lifecycle import Choice

    asked = {"--ship": ship, "--do-not-ship": do_not_ship, "--repeat": repeat, "--defer": defer}
    asked |= {"--approve": approve, "--reject": reject, "--request-changes": request_changes}
    chosen = [option for option, given in asked.items() if given]
    if len(chosen) != 1:
        raise BadUsage(f"give exactly one of {', '.join(asked)}")
    if reason is None:
        raise BadUsage("--reason is missing; it is kept with the decision for ever")
    if arm is not None and not ship:
        raise BadUsage("--arm goes with --ship")
    with opened(actor) as session:
        registry, who = session.registry, session.actor
        of_a_rung = (approve or reject) and not _awaits_a_second(registry, experiment)
        if approve and not of_a_rung:
            lifecycle.approve_decision(registry, who, experiment, reason)
        elif reject and not of_a_rung:
            lifecycle.reject_decision(registry, who, experiment, reason)
        else:
            choice = Choice(chosen[0].removeprefix("--").replace("-", "_"))
            arm = arm or _arm_of_the_verdict(registry, experiment, choice)
            lifecycle.decide(registry, who, experiment, choice, reason, arm=arm)
        session.answer_act(experiment, as_json=as_json)


def _awaits_a_second(registry: Registry, experiment: str) -> bool:
    """Whether approving or rejecting is about somebody's decision: always of an A/B, else where one is proposed."""
    from registry.lifecycle.proposals import DECISION
    from registry.store import show

    dossier = show(registry, experiment)
    proposed = any(one.kind == DECISION and one.status == "open" for one in dossier.proposals)
    return dossier.experiment.kind == "ab" or proposed


def _arm_of_the_verdict(registry: Registry, experiment: str, choice: Choice) -> str | None:
    """The treatment that the released verdict ships; None where it ships none."""
    import json

    from registry.lifecycle import Choice
    from registry.store import document, show

    sha256 = show(registry, experiment).experiment.readout_sha256
    if choice is not Choice.SHIP or sha256 is None:
        return None
    ships: str | None = json.loads(document(registry, sha256))["verdict"]["ships"]
    return ships
