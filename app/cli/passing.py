"""`pass`: time passes in a workspace on a simulated clock, and its registered experiments get live-like traffic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from app.cli.clock import move_clock
from app.cli.examples import examples
from app.cli.output import AsJson, working
from app.cli.session import opened
from app.cli.times import duration_of

commands = typer.Typer()


@commands.command("pass", epilog=examples("fairtrial pass 7d", "fairtrial pass 1d --json"))
def pass_time(
    duration: Annotated[str, typer.Argument(metavar="DURATION", help="How long, for example 7d.")],
    as_json: AsJson = False,
) -> None:
    """Let time pass on a simulated clock, with traffic.

    The clock moves to the midnight that many days ahead, and every registered experiment gets the traffic that a live
    system would have logged by then. What is true of it follows from its plan's hash, and nobody knows it beforehand.
    """
    from app.demo.passing import bring_traffic
    from app.formats import instant

    with opened() as session:
        ahead = session.registry.clock.now() + duration_of("DURATION", duration)
        until = datetime(ahead.year, ahead.month, ahead.day, tzinfo=UTC)
        until += timedelta(days=until < ahead - timedelta(hours=12))
        move_clock(session, max(until, session.registry.clock.now()))
    with opened() as session, working("Bringing the traffic"):
        passed = bring_traffic(session.settings.folder, session.registry, session.registry.clock.now())
        session.answer(
            {
                "now": passed.until,
                "with_traffic": passed.with_traffic,
                "without_traffic": dict(passed.without),
            },
            [
                f"It is {instant(passed.until)}. Traffic came for {', '.join(passed.with_traffic) or 'no experiment'}.",
                *(f"{id}: {why}" for id, why in passed.without),
            ],
            as_json=as_json,
        )
