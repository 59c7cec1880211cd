"""`stop`, `abandon`, `withdraw`: ending an experiment before its declared end, always with a reason."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from app.cli.examples import examples
from app.cli.output import AsJson
from app.cli.session import As, ExperimentId, Session, opened

commands = typer.Typer()

AbandonmentName = Literal["operational", "safety", "superseded", "too-little-traffic", "other"]
"""Why an experiment is given up, as it is typed."""


@commands.command(
    epilog=examples(
        "fairtrial stop EXP-0001 --reason 'The candidate filled the disks of two hosts.' --as mira"
    )
)
def stop(
    experiment: ExperimentId,
    reason: Annotated[str, typer.Option(help="Why (20 characters or more).")],
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Stop an experiment by hand.

    Everybody gets control at once. The units exposed so far are read out once mature; the verdict is at most INCONCLUSIVE.
    """
    from registry import lifecycle

    with opened(actor) as session:
        _notice_start(session, experiment)
        lifecycle.stop_by_hand(session.registry, session.actor, experiment, reason)
        session.answer_act(experiment, as_json=as_json)


@commands.command(
    epilog=examples(
        "fairtrial abandon EXP-0001 --code superseded --reason 'Version 8 replaces what was tested here.' --as mira"
    )
)
def abandon(
    experiment: ExperimentId,
    code: Annotated[AbandonmentName, typer.Option(help="What kind of reason.")],
    reason: Annotated[str, typer.Option(help="Why (20 characters or more).")],
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Give an experiment up; its outcomes stay closed.

    The owner and the reviewer each say so; the second one ends it.
    """
    from registry import lifecycle
    from registry.lifecycle import Abandonment

    with opened(actor) as session:
        lifecycle.abandon(
            session.registry, session.actor, experiment, Abandonment(code.replace("-", " ")), reason
        )
        session.answer_act(experiment, as_json=as_json)


@commands.command(
    epilog=examples("fairtrial withdraw EXP-0001 --reason 'The feature is not built after all.' --as mira")
)
def withdraw(
    experiment: ExperimentId,
    reason: Annotated[str, typer.Option(help="Why (20 characters or more).")],
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw an experiment before any exposure.

    It stays listed.
    """
    from registry import lifecycle

    with opened(actor) as session:
        _notice_start(session, experiment)
        lifecycle.withdraw(session.registry, session.actor, experiment, reason)
        session.answer_act(experiment, as_json=as_json)


def _notice_start(session: Session, entry: str) -> None:
    """Note whether it runs already, by the logs of its kind: what has begun is stopped, and not withdrawn."""
    from registry import canarying, looks, shadowing
    from registry.records import State
    from registry.store import show

    current = show(session.registry, entry).experiment
    if current.state is not State.REGISTERED:
        return
    if current.kind == "shadow":
        shadowing.notice_start(session.registry, entry, session.predictions)
    elif current.kind == "canary":
        canarying.notice_start(session.registry, entry, session.sources)
    else:
        looks.notice_start(session.registry, entry, session.sources)
