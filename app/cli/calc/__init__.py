"""The calculator: statistics on numbers typed in; no design, no log and no registry."""

import typer

from app.cli.calc import allocation, compare, paired, power, sequence, sequential

commands = typer.Typer(
    name="calc",
    help="Statistics on numbers typed in: no design, no log, no registry. Arms are control first.",
    no_args_is_help=True,
)
for module in (allocation, compare, power, paired, sequential, sequence):
    commands.add_typer(module.commands)
