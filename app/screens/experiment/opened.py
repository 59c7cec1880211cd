"""One experiment as the tabs draw it: read once a run, from the registry alone."""

from __future__ import annotations

from dataclasses import dataclass

from app.identity import Identity
from app.screens.frame import Here
from app.views_experiment.findings import Findings, findings_of
from experiments.designs.design import Design
from experiments.forms.problems import Invalid
from registry.lifecycle.drafting import is_unfinished
from registry.plans import saved_design
from registry.store import Dossier, show


@dataclass(frozen=True, slots=True)
class Opened:
    """An experiment, its design and what the worker found of it.

    Attributes:
        design: None while it is unfinished, or where its text no longer resolves (``why_no_design``).
    """

    here: Here
    dossier: Dossier
    design: Design | None
    why_no_design: str | None
    findings: Findings

    @property
    def me(self) -> Identity:
        return self.here.me

    @property
    def id(self) -> str:
        return self.dossier.experiment.id

    @property
    def revision(self) -> int:
        return self.dossier.experiment.revision


def opened_experiment(here: Here, id: str) -> Opened:
    """An experiment of the registry.

    Raises:
        Unknown: there is none with this id.
    """
    dossier = show(here.registry, id)
    design, why = _design(dossier)
    return Opened(here, dossier, design, why, findings_of(here.registry, dossier))


def _design(dossier: Dossier) -> tuple[Design | None, str | None]:
    if is_unfinished(dossier.draft):
        return None, "The draft is no complete design yet; its owner goes on with it under Register."
    try:
        return saved_design(dossier), None
    except Invalid as error:
        return None, str(error)
