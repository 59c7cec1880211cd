"""Watches the declared harm stops of a running experiment; one that trips stops it at once."""

from __future__ import annotations

from experiments.logs.sources import OutcomeSources, Sources
from experiments.looks import watching
from experiments.looks.watching import Watched, harm_stops
from registry import lifecycle
from registry.actors import SYSTEM_ID
from registry.acts import act
from registry.database import Registry
from registry.lifecycle import StopReason
from registry.looks import notice_start
from registry.plans import locked_design
from registry.records import State
from registry.sealing import WATCHED
from registry.store import show


def watch(
    registry: Registry, actor: str, experiment: str, sources: Sources, outcomes: OutcomeSources
) -> Watched:
    """Read the outcomes of the harm stops once, as recorded, and stop the experiment where one has tripped.

    Anybody may ask for it, also a schedule: only whether one tripped comes out.

    Raises:
        Refused: the experiment is not running, or declares no harm stop.
        Unknown: no plan is locked yet.
        Invalid: a log cannot be read.
    """
    notice_start(registry, experiment, sources)
    dossier = show(registry, experiment)
    design, _ = locked_design(dossier)
    if dossier.experiment.state is not State.RUNNING or not harm_stops(design):
        with act(registry, actor, "watch harm stops", experiment) as doing:
            doing.experiment(None)
            why = f"is {dossier.words}" if harm_stops(design) else "declares no harm stop"
            doing.refuse(
                f"{experiment} {why}.",
                when_possible="while an experiment that declares a harm stop is running.",
                what_to_do="Nothing: there is nothing to watch.",
            )
    found = watching.watch(
        design,
        sources,
        outcomes,
        before_outcomes=lambda units: lifecycle.record_outcome_read(
            registry, SYSTEM_ID, experiment, WATCHED, units
        ),
    )
    if found.tripped:
        what = "; ".join(found.tripped)
        lifecycle.stop(registry, SYSTEM_ID, experiment, StopReason.HARM, what=what)
    return found
