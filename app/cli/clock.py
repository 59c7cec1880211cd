"""`clock`: what time it is in this workspace, and moving a simulated clock forward."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Annotated

import typer

from app.cli.errors import BadUsage, Refusal
from app.cli.examples import examples
from app.cli.output import AsJson
from app.cli.session import Session, opened
from app.cli.times import duration_of, moment_of

commands = typer.Typer()


@commands.command(
    epilog=examples(
        "fairtrial clock",
        "fairtrial clock --advance 7d",
        "fairtrial clock --set 2030-01-01T00:00:00Z",
    )
)
def clock(
    advance: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Move a simulated clock forward, by 7d for example."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--set", metavar="TIME", help="Move a simulated clock forward to this moment."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show this workspace's time.

    A simulated clock (init --simulated-clock) is moved here, and only forward.
    """
    from app.formats import instant

    if advance is not None and to is not None:
        raise BadUsage("give --advance or --set, not both")
    with opened() as session:
        now = session.registry.clock.now()
        if advance is not None:
            move_clock(session, now + duration_of("--advance", advance))
        elif to is not None:
            move_clock(session, moment_of("--set", to))
    with opened() as session:
        now, simulated = session.registry.clock.now(), session.registry.clock.simulated
        session.answer({"now": now}, [] if simulated else [instant(now)], as_json=as_json)


def move_clock(session: Session, moment: datetime) -> None:
    """Write the new time into the settings, where every later command finds it."""
    from app.formats import instant
    from app.settings_file import change_setting

    clock, file = session.registry.clock, session.settings.file
    if not clock.simulated:
        raise Refusal(
            "the clock of this workspace is the machine's, and nothing moves that; a simulated clock is chosen when a "
            "workspace is started: fairtrial init --simulated-clock TIME"
        )
    if file is None or os.environ.get("FAIRTRIAL_CLOCK"):
        raise Refusal(
            "the clock is set by FAIRTRIAL_CLOCK; change that, or unset it to use the settings file"
        )
    if moment < clock.now():
        raise Refusal(f"{instant(moment)} is before {instant(clock.now())}; a clock only goes forward")
    change_setting(file, "clock", moment.isoformat().replace("+00:00", "Z"))
