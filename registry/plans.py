"""A plan to register from a design, and the design that a kept plan resolves to."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from experiments.canaries.design import CanaryDesign, reopen_canary
from experiments.designs.design import Design, parse_design, reopen
from experiments.designs.metrics import Catalogue
from experiments.forms.problems import Invalid, Problem
from experiments.shadows.design import ShadowDesign
from experiments.shadows.design import reopen as reopen_shadow
from registry.errors import Unknown
from registry.kinds import AB, CANARY, KINDS, SHADOW, EntryKind, kind_of
from registry.lifecycle.drafting import is_unfinished
from registry.records import LockedPlan, Plan
from registry.store import Dossier

AnyDesign: TypeAlias = Design | ShadowDesign | CanaryDesign
"""A design of any kind of entry."""


def plan_to_register(design: AnyDesign) -> Plan:
    """The plan that a design amounts to; its hash is the design's own."""
    return Plan(
        material=design.material,
        administrative=design.administrative,
        sha256=design.sha256,
        written=design.document.text,
        title=design.title,
    )


def locked_design(dossier: Dossier) -> tuple[Design, LockedPlan]:
    """The A/B design as it was locked last.

    Raises:
        Unknown: no plan is locked yet, or it is the plan of a shadow or a canary.
        Invalid: the locked text no longer resolves to the locked plan.
    """
    plan = _locked(dossier, AB)
    return reopen(plan.material, plan.written), plan


def locked_shadow(dossier: Dossier) -> tuple[ShadowDesign, LockedPlan]:
    """The shadow's design as it was locked last; raises like ``locked_design``."""
    plan = _locked(dossier, SHADOW)
    return reopen_shadow(plan.material, plan.written), plan


def locked_canary(dossier: Dossier) -> tuple[CanaryDesign, LockedPlan]:
    """The canary's design as it was locked last; raises like ``locked_design``."""
    plan = _locked(dossier, CANARY)
    return reopen_canary(plan.material, plan.written), plan


def reopened(material: Mapping[str, Any], written: str) -> AnyDesign:
    """The design of any kind that a kept plan resolves to, told apart by its schema.

    Raises:
        Invalid: the text no longer resolves to the kept plan.
    """
    kind = kind_of(material)
    if kind is SHADOW:
        return reopen_shadow(material, written)
    return reopen_canary(material, written) if kind is CANARY else reopen(material, written)


def _locked(dossier: Dossier, kind: EntryKind) -> LockedPlan:
    current = dossier.experiment
    if current.kind != kind.name:
        raise Unknown(f"{current.id} is {KINDS[current.kind].words}, not {kind.words}")
    if not dossier.plans:
        raise Unknown(f"{current.id} has no locked plan yet; it is {dossier.words}")
    return dossier.plans[-1]


def saved_design(dossier: Dossier, catalogue: Catalogue | None = None) -> Design:
    """The design as last saved: the draft, or the locked one.

    Args:
        catalogue: of the workspace, to say what an unfinished draft still lacks.

    Raises:
        Invalid: it is an unfinished draft, or its text no longer resolves to the saved plan.
    """
    if not is_unfinished(dossier.draft):
        return reopen(dossier.draft, dossier.draft_written)
    said = "is no complete design yet; its owner goes on with it under Register, or saves a file over it"
    missing = () if catalogue is None else unfinished_problems(dossier, catalogue)
    raise Invalid(f"{dossier.experiment.id}, an unfinished draft", missing or [Problem((), said)])


def unfinished_problems(dossier: Dossier, catalogue: Catalogue) -> tuple[Problem, ...]:
    """What an unfinished draft still lacks, as the check of a design says it; none where it only has to be saved again."""
    try:
        parse_design(dossier.draft_written, catalogue)
    except Invalid as invalid:
        return invalid.problems
    return ()
