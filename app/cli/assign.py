"""`assign`: which arm a unit gets, and why; by the locked plan, the experiment's state and its decision."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.errors import BadUsage, Refusal, parameters
from app.cli.examples import examples
from app.cli.output import AsJson, Table
from app.cli.session import ExperimentId, opened

if TYPE_CHECKING:
    from experiments.assignment import Served
    from registry.store import Dossier

commands = typer.Typer()


@commands.command(
    epilog=examples("fairtrial assign EXP-0001 user-1 user-2", "fairtrial assign EXP-0001 user-1 --json")
)
def assign(
    experiment: ExperimentId,
    units: Annotated[
        list[str] | None, typer.Argument(metavar="UNIT…", help="Ids of units, as they stand in the logs.")
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read units from standard input, one a line.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say which arm units get, and why.

    Only an answer that is in the experiment belongs into the assignments log. After a stop, an abandonment or
    INVALID everybody gets control at once; the winner only after a decision to ship.
    """
    from experiments.assignment.hashing import unit_text
    from registry.store import show

    named = [*(units or ()), *(line.strip() for line in (sys.stdin if stdin else ()) if line.strip())]
    if not named:
        raise BadUsage("name at least one UNIT, or give --stdin and one unit a line")
    with opened() as session:
        dossier = show(session.registry, experiment)
        with parameters({"unit": "UNIT"}):
            for unit in named:
                unit_text(unit)
        served = serve_units(dossier, named)
        rows = [
            (unit, one.arm or "(none)", "yes" if one.in_experiment else "no", one.reason)
            for unit, one in zip(named, served, strict=True)
        ]
        document = {
            "experiment": experiment,
            "state": dossier.experiment.state,
            "units": [
                {"unit": unit, "arm": one.arm, "in_experiment": one.in_experiment, "reason": one.reason}
                for unit, one in zip(named, served, strict=True)
            ],
        }
        session.answer(document, [Table(("unit", "arm", "in the experiment", "why"), rows)], as_json=as_json)


def serve_units(dossier: Dossier, units: list[str]) -> list[Served]:
    """What each unit is served.

    Raises:
        Refusal: no plan is locked, or units are assigned by something else.
        Unknown: no plan is locked.
    """
    from experiments.assignment import Decided, serve
    from experiments.cohorts.log_checks import assignment_of
    from registry.plans import locked_design

    design, _ = locked_design(dossier)
    if design.written.assignment.method == "external":
        raise Refusal(
            f"the units of {dossier.experiment.id} are assigned outside Fairtrial, as its plan says; ask that service"
        )
    assignment, signed = assignment_of(design), dossier.decision
    decided = None if signed is None else Decided(signed.decision, signed.arm)  # type: ignore[arg-type]
    return [serve(dossier.experiment.state.value, decided, assignment, unit) for unit in units]
