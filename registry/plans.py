"""A plan to register from a design, and the design that a kept plan resolves to."""

from experiments.designs.design import Design, parse_design, reopen
from experiments.designs.metrics import Catalogue
from experiments.forms.problems import Invalid, Problem
from registry.errors import Unknown
from registry.lifecycle.drafting import is_unfinished
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
