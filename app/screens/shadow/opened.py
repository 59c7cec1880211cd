"""One shadow as the tabs draw it: read once a run, from the registry alone."""

from __future__ import annotations

from dataclasses import dataclass

from app.screens.experiment.opened import Opened
from app.screens.frame import Here
from app.views_experiment.findings import findings_of
from app.views_shadow.standing import Standing, standing_of
from experiments.forms.problems import Invalid
from experiments.shadows.design import ShadowDesign, reopen
from registry.kinds import SHADOW
from registry.records import Experiment
from registry.store import Dossier, show


class NoShadow(Exception):  # noqa: N818 - named as what was found
    """What has this id is no shadow."""


@dataclass(frozen=True, slots=True)
class OpenedShadow:
    """A shadow, its design and what the worker found of it.

    Attributes:
        entry: as the parts that every kind of entry shares draw it.
        design: None where its text no longer resolves (``why_no_design``).
    """

    entry: Opened
    design: ShadowDesign | None
    why_no_design: str | None
    standing: Standing

    @property
    def here(self) -> Here:
        return self.entry.here

    @property
    def dossier(self) -> Dossier:
        return self.entry.dossier

    @property
    def current(self) -> Experiment:
        return self.entry.dossier.experiment

    @property
    def id(self) -> str:
        return self.entry.id

    @property
    def unit(self) -> str:
        """What is independent, as the design names it."""
        return "unit" if self.design is None else self.design.written.unit

    @property
    def revision(self) -> int:
        return self.entry.revision


def opened_shadow(here: Here, id: str) -> OpenedShadow:
    """A shadow of the registry.

    Raises:
        Unknown: there is nothing with this id.
        NoShadow: it is something else.
    """
    dossier = show(here.registry, id)
    if dossier.experiment.kind != SHADOW.name:
        raise NoShadow(f"{id} is no shadow.")
    design, why = None, None
    try:
        design = reopen(dossier.draft, dossier.draft_written)
    except Invalid as invalid:
        why = str(invalid)
    entry = Opened(here, dossier, None, None, findings_of(here.registry, dossier))
    return OpenedShadow(entry, design, why, standing_of(here.registry, id))
