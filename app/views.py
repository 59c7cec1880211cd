"""What pages and commands show of experiments, as plain values. Of outcomes they know only what has been released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.database import Registry
from registry.records import Experiment
from registry.store import Dossier, list_experiments, words_of


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an experiment stands.

    Attributes:
        words: the state as people read it.
        labels: what is printed on it for ever.
        sha256: of the plan as last saved or locked.
        verdict: of the released readout; None before.
    """

    id: str
    title: str
    state: str
    words: str
    labels: tuple[str, ...]
    owner: str
    reviewer: str | None
    team: str | None
    primary_metric: str | None
    plan_version: int
    sha256: str
    registered_at: datetime | None
    released_at: datetime | None
    verdict: str | None
    revision: int

    @property
    def headline(self) -> str:
        """One line: ``EXP-0042  Ranker v7 vs v6: Running [late]``."""
        return f"{self.id}  {self.title}: {self.words}" + "".join(f" [{label}]" for label in self.labels)


@dataclass(frozen=True, slots=True)
class Home:
    """The first page: every experiment, and how many are in each state; no effects."""

    experiments: tuple[Standing, ...]
    counts: tuple[tuple[str, int], ...]
    clock: datetime
    simulated: bool


def home(registry: Registry) -> Home:
    """The first page of a registry, newest experiment first."""
    found = standings(registry, list_experiments(registry))
    words = [one.words for one in found]
    return Home(
        experiments=found,
        counts=tuple((word, words.count(word)) for word in dict.fromkeys(words)),
        clock=registry.clock.now(),
        simulated=registry.clock.simulated,
    )


def standings(registry: Registry, found: Sequence[Experiment]) -> tuple[Standing, ...]:
    """Where each of these experiments stands, in their order."""
    words = words_of(registry, found)
    return tuple(_standing(experiment, words[experiment.id]) for experiment in found)


def standing_of(dossier: Dossier) -> Standing:
    """Where one experiment stands."""
    return _standing(dossier.experiment, dossier.words)


def _standing(experiment: Experiment, words: str) -> Standing:
    released = experiment.released_at is not None
    return Standing(
        id=experiment.id,
        title=experiment.title,
        state=experiment.state.value,
        words=words,
        labels=tuple(label.value for label in experiment.labels),
        owner=experiment.owner,
        reviewer=experiment.reviewer,
        team=experiment.team,
        primary_metric=experiment.primary_metric,
        plan_version=experiment.plan_version,
        sha256=experiment.draft_sha256,
        registered_at=experiment.registered_at,
        released_at=experiment.released_at,
        verdict=experiment.verdict.value if experiment.verdict and released else None,
        revision=experiment.revision,
    )
