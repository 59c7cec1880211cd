"""What a registry command works with: the workspace's registry, who acts in it, its logs, and how it answers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app.cli.errors import BadUsage, Failure, Refusal
from app.cli.output import Table, answer, note

if TYPE_CHECKING:
    from app.settings import Settings
    from experiments.designs.design import Design
    from experiments.logs.sources import OutcomeSources, Sources
    from experiments.shadows.logs import PredictionSources
    from registry.database import Registry
    from registry.store import Dossier

As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="ID",
        envvar="FAIRTRIAL_ACTOR",
        help="Who acts. Default: whose token FAIRTRIAL_TOKEN holds; in one-person mode, that person.",
    ),
]
ExperimentId = Annotated[
    str, typer.Argument(metavar="EXP", help="The experiment's id in the registry, for example EXP-0001.")
]


@dataclass(frozen=True, slots=True)
class Session:
    """One command's view of a workspace.

    Attributes:
        named: the person named by ``--as`` or FAIRTRIAL_ACTOR; None where nobody was.
        token: from FAIRTRIAL_TOKEN, which proves who is asking; None where there is none.
    """

    settings: Settings
    registry: Registry
    named: str | None
    token: str | None = field(default=None, repr=False)

    @property
    def actor(self) -> str:
        """Who acts: whose token it is, else the person named, else the one person of one-person mode.

        Raises:
            BadUsage: in a team, where nobody was named.
            Refused: the token is not good, or there is none and the registry requires one.
        """
        from registry.store import everybody
        from registry.tokens import proven

        asking = proven(self.registry, self.token, self.named)
        if asking is not None:
            return asking
        people = everybody(self.registry)
        alone = next((person.id for person in people if person.one_person), None)
        configured = self.settings.one_person
        if configured not in (None, alone):
            raise BadUsage(
                f"the settings name {configured!r} as the one person, and the registry is for "
                f"{'a team' if alone is None else repr(alone)}; correct one_person in {self.settings.file}, or give --as ID"
            )
        if alone is not None:
            return alone
        known = ", ".join(person.id for person in people if person.active and person.id != "system")
        raise BadUsage(
            f"nobody says who acts; set FAIRTRIAL_TOKEN, give --as ID, or set FAIRTRIAL_ACTOR (known here: {known or 'nobody'})"
        )

    @property
    def sources(self) -> Sources:
        """The assignments and exposures."""
        from experiments.logs.sources import load_sources

        return load_sources(self.settings.sources)

    @property
    def outcomes(self) -> OutcomeSources:
        """The outcome logs: for what opens a look, and for what asks how far they are complete."""
        from experiments.logs.sources import load_outcome_sources

        return load_outcome_sources(self.settings.outcomes)

    def outcomes_if_any(self, design: Design) -> OutcomeSources | None:
        """The outcome logs, or None while the outcomes file or the logs of the design's source are not there yet."""
        from experiments.logs.arrival import outcomes_begun

        if not self.settings.outcomes.is_file():
            return None
        outcomes = self.outcomes
        named = design.written.source in outcomes.by_name
        return outcomes if named and outcomes_begun(design, outcomes) else None

    @property
    def predictions(self) -> PredictionSources:
        """What the models of a shadow answered, and the labels: for what opens its look, and for what asks how far it is."""
        from experiments.shadows.logs import load_prediction_sources

        return load_prediction_sources(self.settings.predictions)

    @property
    def extracts(self) -> Path:
        """Where the frozen rows behind each readout are kept."""
        return self.settings.folder / ".fairtrial" / "extracts"

    def answer(
        self,
        document: Mapping[str, Any],
        text: Sequence[str | Table],
        *,
        as_json: bool,
        failure: Failure | None = None,
    ) -> None:
        """Answer as every command does, and say so when the clock is simulated."""
        clock = self.registry.clock
        said = [*([_simulated(self.registry)] if clock.simulated else []), *text]
        answer({**document, "simulated": clock.simulated}, lambda: said, as_json=as_json, failure=failure)

    def answer_act(
        self,
        experiment: str,
        *,
        as_json: bool,
        extra: Mapping[str, Any] | None = None,
        before: Sequence[str | Table] = (),
    ) -> None:
        """Answer an act that was done: where the experiment stands now, what the ledger says of it, what comes next."""
        from registry.store import show

        dossier = show(self.registry, experiment)
        done = dossier.history[-1].summary
        self.answer_standing(
            dossier, as_json=as_json, extra={"done": done, **(extra or {})}, before=[*before, done]
        )

    def answer_standing(
        self,
        dossier: Dossier,
        *,
        as_json: bool,
        extra: Mapping[str, Any] | None = None,
        before: Sequence[str | Table] = (),
    ) -> None:
        """Answer with where an experiment stands and what comes next.

        Args:
            before: stands between the two.
        """
        from app.views import standing_of

        standing = standing_of(dossier)
        self.answer(
            {"experiment": standing, **(extra or {})},
            [standing.headline, *before, *next_lines(dossier)],
            as_json=as_json,
        )


@contextmanager
def opened(named: str | None = None) -> Iterator[Session]:
    """The registry of the workspace that the current folder lies in.

    Raises:
        Refusal: there is no registry yet, or it cannot be opened.
        Invalid: the settings have problems.
    """
    from app.settings import load_settings

    settings = load_settings()
    with open_workspace_registry(settings) as registry:
        try:
            yield Session(settings, registry, named, os.environ.get("FAIRTRIAL_TOKEN") or None)
        except typer.Exit:
            raise
        except Exception:
            if registry.clock.simulated:
                note(_simulated(registry))
            raise


def open_workspace_registry(settings: Settings, *, may_be_new: bool = False) -> Registry:
    """The registry that the settings name, under their clock.

    Args:
        may_be_new: whether it may be made now; otherwise a file that is not there is a mistake.

    Raises:
        Refusal: it is not there, or cannot be opened.
    """
    from sqlalchemy.exc import DBAPIError

    from registry.clock import SimulatedClock, SystemClock
    from registry.database import sqlite_file
    from registry.errors import RegistryError
    from registry.store import open_registry

    try:
        file = sqlite_file(settings.registry)
        if file is not None and not may_be_new and not file.is_file():
            raise Refusal(
                f"there is no registry here: {file} does not exist; go to the workspace's folder, or start one with "
                "fairtrial init"
            )
        clock = SystemClock() if settings.clock is None else SimulatedClock(settings.clock)
        return open_registry(settings.registry, clock=clock)
    except ModuleNotFoundError as error:
        raise Refusal(
            f"a registry on Postgres needs the extra: pip install 'fairtrial[postgres]' ({error})"
        ) from error
    except DBAPIError as error:
        raise Refusal(f"the registry cannot be opened: {str(error.orig).splitlines()[0]}") from error
    except RegistryError:
        raise
    except ValueError as error:
        raise Refusal(str(error)) from error


def next_lines(dossier: Dossier) -> list[str]:
    """What usually comes next in the life of an entry, as a command; nothing once it is closed."""
    id, state = dossier.experiment.id, dossier.experiment.state.value
    commands = {
        "draft": f"fairtrial register --update {id} DESIGN.yaml",
        "in_review": f"fairtrial review {id} --approve --as {dossier.experiment.reviewer}",
    } | _NEXT[dossier.experiment.kind]
    command = commands.get(state)
    return [] if command is None else [f"Next: {command.format(id=id)}"]


_SIGN_A_RUNG: Final = (
    "fairtrial decide {id} --approve (or --reject, --request-changes) --reason WHY --as DECIDER"
)
_NEXT: Final = {
    "ab": {
        "registered": "fairtrial assign {id} UNIT …, and fairtrial health {id} once units are exposed",
        "running": "fairtrial health {id}, fairtrial look {id}",
        "stopped": "fairtrial look {id}",
        "mature": "fairtrial readout {id}",
        "readout": "fairtrial decide {id} --ship (or --do-not-ship, --repeat, --defer) --reason WHY --as DECIDER",
        "invalid": "mend the cause; fairtrial decide {id} --repeat --reason WHY --as DECIDER",
    },
    "shadow": {
        "registered": "fairtrial shadow check {id}",
        "running": "fairtrial shadow check {id}, fairtrial shadow readout {id}",
        "stopped": "fairtrial shadow readout {id}",
        "mature": "fairtrial shadow readout {id}",
        "readout": _SIGN_A_RUNG,
        "invalid": "mend the cause; fairtrial clone {id}",
    },
    "canary": {
        "registered": "fairtrial ladder advance ROL --entry {id} --reason WHY",
        "running": "fairtrial canary status {id}, fairtrial canary step {id}",
        "readout": _SIGN_A_RUNG,
        "invalid": "mend the cause; fairtrial clone {id}",
    },
}
"""What comes next in each state, by the kind of the entry."""


def _simulated(registry: Registry) -> str:
    from app.formats import instant

    return f"Simulated clock: {instant(registry.clock.now())}"
