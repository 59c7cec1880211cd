"""The design that a changed text of a locked plan amounts to: what the text leaves alone stays as it was locked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from experiments.designs.canonical import locked_catalogue, with_locked_defaults
from experiments.designs.design import Design, design_of, reopen
from experiments.designs.metrics import Catalogue, Metric
from experiments.forms.documents import scan_document
from experiments.forms.problems import Invalid, Problem
from registry.errors import Unknown
from registry.store import Dossier


def amended_design(
    dossier: Dossier, written: str, catalogue: Catalogue, *, file: str | None = None
) -> Design:
    """What a changed text of a locked plan amounts to.

    Whatever the catalogue has said since: a metric that the plan pins means what it meant, a name without a version is the
    version that is pinned, and a baseline that is not written out is the one of then.

    Args:
        file: where the text stands, for the places of problems.

    Raises:
        Unknown: no plan is locked yet.
        Invalid: every problem of the text at once.
    """
    if not dossier.plans:
        raise Unknown(f"{dossier.experiment.id} has no locked plan yet; it is {dossier.words}")
    material = dossier.plans[-1].material
    what = f"design {file}" if file else "design"
    document = scan_document(written, what, file=file)
    pinned = locked_catalogue(material)
    names = {metric.name: metric.reference for metric in pinned.values()}
    body = with_locked_defaults(_with_versions(document.body, names), material)
    design = design_of(replace(document, body=body), _known(catalogue, pinned, material))
    try:
        reopen(design.material, written)
    except Invalid as invalid:
        said = "two versions of one metric are meant, and one is named without its version; write each as name@version"
        raise Invalid(what, [Problem((), said)]) from invalid
    return design


def _with_versions(value: Any, names: Mapping[str, str]) -> Any:
    """A written body with the pinned version behind every metric that is named without one."""
    if isinstance(value, list):
        return [_with_versions(item, names) for item in value]
    if not isinstance(value, Mapping):
        return value
    found = {key: _with_versions(item, names) for key, item in value.items()}
    if isinstance(found.get("metric"), str):
        found["metric"] = names.get(found["metric"], found["metric"])
    if isinstance(found.get("metrics"), list):
        found["metrics"] = [
            names.get(item, item) if isinstance(item, str) else item for item in found["metrics"]
        ]
    return found


def _known(catalogue: Catalogue, pinned: Catalogue, material: Mapping[str, Any]) -> Catalogue:
    """The catalogue as it is now, but for the metrics that the plan pins.

    A pinned document holds no baseline of a metric. One that the plan did not need may be needed by the change.
    """
    measured = [measure["metric"] for measure in (material["primary"], *material["guardrails"])]
    needed = {f"{metric['name']}@{metric['version']}" for metric in measured}

    def as_then(metric: Metric) -> Metric:
        reference = metric.reference
        if reference in needed or reference not in catalogue:
            return metric
        return metric.model_copy(update={"baseline": catalogue[reference].baseline})

    others = (catalogue[name] for name in catalogue if name not in pinned)
    return Catalogue((*others, *map(as_then, pinned.values())))
