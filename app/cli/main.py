"""The command `fairtrial`: its command groups, and the one place where exit codes are decided.

To add commands, write a module that offers `commands`, a `typer.Typer` (named: a group; unnamed: its commands
stand beside the groups), and add it to `MODULES`. Modules import the heavy libraries inside their commands, so
that `fairtrial --help` stays quick.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

import typer

from app.cli import (
    amend,
    assign,
    audit,
    calc,
    canary,
    clock,
    decide,
    demo,
    design,
    ending,
    init,
    ladder,
    metric,
    passing,
    people,
    readout,
    records,
    register,
    shadow,
    source,
    start,
    watch,
    webhook,
    worker,
)
from app.cli.errors import Failure, UsageError, failure_of
from app.cli.output import BAD_USAGE, FAULT, OK, REFUSED, note, print_json

MODULES = (
    init,
    design,
    source,
    people,
    register,
    amend,
    assign,
    watch,
    readout,
    decide,
    ending,
    shadow,
    canary,
    ladder,
    records,
    audit,
    clock,
    passing,
    demo,
    start,
    worker,
    webhook,
    metric,
    calc,
)

app = typer.Typer(
    name="fairtrial",
    help="Decide whether a change may ship: declared before it runs, closed until the look, sealed.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExample:\n  fairtrial design new --template model-ab design.yaml",
)
for module in MODULES:
    app.add_typer(module.commands)


def main() -> None:
    """The entry point of the installed command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without thin spaces or α shows ? instead
            stream.reconfigure(errors="replace")
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` for example, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code; nothing is raised."""
    as_json = "--json" in arguments
    try:
        code = _command().main(list(arguments), prog_name="fairtrial", standalone_mode=False)
    except typer.Abort:
        return _failed(Failure("refused", "stopped before anything was done", (), REFUSED), as_json)
    except BrokenPipeError:
        return OK
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # nothing was asked: the help, but no success
            note(str(error))
            return BAD_USAGE
        return _failed(failure_of(error), as_json)
    except Exception as error:
        failure = failure_of(error)
        if failure.exit_code == FAULT:
            traceback.print_exc()
        return _failed(failure, as_json)
    return code if isinstance(code, int) else OK


@cache
def _command() -> Any:
    """All commands, built once however many are run in one process."""
    return typer.main.get_command(app)


def _failed(failure: Failure, as_json: bool) -> int:
    if as_json:
        print_json(failure.document)
    note(str(failure))
    return failure.exit_code


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"fairtrial {version('fairtrial')}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version."),
    ] = False,
) -> None:
    """Options that stand before a command."""
