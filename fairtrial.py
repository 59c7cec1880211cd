"""The public import of Fairtrial for notebooks and scripts: ``import fairtrial as ft``.

What is named here is stable. The four packages have short names, so another package of the same name on the path could take
their place; this module checks that they are ours and says what shadows them.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def _check_packages() -> None:
    """Refuse to go on with somebody else's ``analysis``, ``experiments``, ``registry`` or ``app``."""
    here = Path(__file__).resolve().parent
    foreign = []
    for name in ("analysis", "experiments", "registry", "app"):
        spec = find_spec(name)
        found = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if found is None or found != here / name / "__init__.py":
            foreign.append(f"{name} is taken from {found or 'nowhere'}, not from {here / name}")
    if foreign:
        raise ImportError(
            "Fairtrial's packages are shadowed: "
            + "; ".join(foreign)
            + ". Remove or rename the other package, or start Python "
            "in another folder."
        )


_check_packages()

from analysis.effects import Effect, compare_means  # noqa: E402
from analysis.moments import CoMoments, Moments  # noqa: E402
from analysis.proportions import Proportion, compare_proportions  # noqa: E402
from analysis.ratios import compare_ratios  # noqa: E402
from analysis.srm import srm_test  # noqa: E402
from experiments.assignment import Assignment, Layer  # noqa: E402
from experiments.designs.design import Design, declare, load_design, parse_design  # noqa: E402
from experiments.designs.metrics import Catalogue, Metric, load_catalogue, parse_catalogue  # noqa: E402
from experiments.forms.problems import Invalid, Problem  # noqa: E402
from experiments.logs.sources import (  # noqa: E402
    OutcomeSources,
    Place,
    Sources,
    load_outcome_sources,
    load_sources,
    parse_outcome_sources,
    parse_sources,
)
from experiments.looks.looking import look_status, take_look  # noqa: E402
from experiments.readouts.readout import Readout  # noqa: E402
from experiments.shadows.design import ShadowDesign, declare_shadow, load_shadow  # noqa: E402
from experiments.shadows.logs import (  # noqa: E402
    PredictionSources,
    load_prediction_sources,
    parse_prediction_sources,
)
from experiments.shadows.readout import ShadowReadout  # noqa: E402
from experiments.shadows.status import shadow_status  # noqa: E402

__all__ = [
    "Assignment",
    "Catalogue",
    "CoMoments",
    "Design",
    "Effect",
    "Invalid",
    "Layer",
    "Metric",
    "Moments",
    "OutcomeSources",
    "Place",
    "PredictionSources",
    "Problem",
    "Proportion",
    "Readout",
    "ShadowDesign",
    "ShadowReadout",
    "Sources",
    "compare_means",
    "compare_proportions",
    "compare_ratios",
    "declare",
    "declare_shadow",
    "load_catalogue",
    "load_design",
    "load_outcome_sources",
    "load_prediction_sources",
    "load_shadow",
    "load_sources",
    "look_status",
    "parse_catalogue",
    "parse_design",
    "parse_outcome_sources",
    "parse_prediction_sources",
    "parse_sources",
    "shadow_status",
    "srm_test",
    "take_look",
]
