"""A plan to register from a design, and the design that a kept plan resolves to."""

from experiments.designs.design import Design, reopen
from registry.errors import Unknown
from registry.records import LockedPlan, Plan
from registry.store import Dossier


def plan_to_register(design: Design) -> Plan:
    """The plan that a design amounts to; its hash is the design's own."""
    return Plan(
        material=design.material,
        administrative=design.administrative,
        sha256=design.sha256,
        written=design.document.text,
        title=design.title,
    )


def locked_design(dossier: Dossier) -> tuple[Design, LockedPlan]:
    """The design as it was locked last.

    Raises:
        Unknown: no plan is locked yet.
        Invalid: the locked text no longer resolves to the locked plan.
    """
    if not dossier.plans:
        raise Unknown(f"{dossier.experiment.id} has no locked plan yet; it is {dossier.words}")
    plan = dossier.plans[-1]
    return reopen(plan.material, plan.written), plan


def saved_design(dossier: Dossier) -> Design:
    """The design as last saved: the draft, or the locked one.

    Raises:
        Invalid: its text no longer resolves to the saved plan.
    """
    return reopen(dossier.draft, dossier.draft_written)
