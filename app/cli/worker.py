"""`worker`: the process that owns the outcome logs and does what pages ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from app.cli.errors import BadUsage
from app.cli.examples import examples
from app.cli.output import AsJson, answer, note
from app.settings import NEVER

commands = typer.Typer()


@commands.command(epilog=examples("fairtrial worker --once --refresh 6h", "fairtrial worker --once --json"))
def worker(
    once: Annotated[bool, typer.Option("--once", help="Do what waits, then end.")] = False,
    poll: Annotated[
        str, typer.Option(metavar="DURATION", help="How often it asks for work when there is none.")
    ] = "1s",
    refresh: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Ask by itself, so often, for health, the next look's standing and harm stops of what runs; never to wait for "
            "people. Default: the setting refresh; with --once, never.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Do the jobs that pages ask for, and send webhooks, until told to end.

    Health, looks, watches, simulations and checks of sources run here: of a deployment's processes only this one
    loads the outcomes file. SIGTERM and Ctrl-C end it once the job at hand is done; a second one ends it at once.
    Several may run; a job whose worker died is taken up by another after a minute. A look that is due is taken by itself
    where the setting looks says system.
    """
    from app.cli.session import opened
    from app.worker import Worker, ended_by_signals
    from registry.jobs import JobState

    pause = duration("--poll", poll, least=1)
    with opened() as session:  # says at once what is wrong with the workspace
        every = None if once else session.settings.refresh
    if refresh is not None:
        every = None if refresh == NEVER else timedelta(seconds=duration("--refresh", refresh, least=60))
    working = Worker(log=lambda line: note(f"{datetime.now(UTC):%H:%M:%S} {line}"), refresh=every)
    with ended_by_signals(working):
        did = working.run(once=once, poll=pause)
    counts = {state.value: did.count(state) for state in JobState if did.count(state)}
    said = ", ".join(f"{n} {state}" for state, n in counts.items()) or "none waited"
    answer(
        {
            "worker": did.worker,
            "jobs": [
                {"id": job.id, "kind": job.kind, "entity": job.entity, "state": job.state, "error": job.error}
                for job in did.jobs
            ],
            "counts": counts,
            "messages_tried": did.sent,
        },
        lambda: [f"Jobs: {said}. Messages tried: {did.sent}."],
        as_json=as_json,
    )


def duration(option: str, written: str, *, least: int) -> int:
    """Seconds of a written duration.

    Raises:
        BadUsage: not a duration, or one that is too short.
    """
    from experiments.forms.durations import seconds
    from experiments.forms.durations import written as spelled

    try:
        given = seconds(written)
    except ValueError as error:
        raise BadUsage(f"{option}: {error}") from None
    if given < least:
        raise BadUsage(f"{option}: {written} is not allowed; give at least {spelled(least)}")
    return given
