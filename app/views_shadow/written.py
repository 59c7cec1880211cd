"""A shadow's design as it is written on the page: every problem of it at once, or the design that it means."""

from __future__ import annotations

from dataclasses import dataclass

from experiments.forms.documents import scan_document
from experiments.forms.problems import Invalid
from experiments.rollouts.files import kind_of_document, without_kind
from experiments.shadows.design import ShadowDesign, shadow_of

EXAMPLE = """\
kind: shadow
title: Router v4 in the shadow of v3
hypothesis: v4 answers as well as v3, and costs less
model: router
champion: {version: v3}
candidate: {version: v4}
task: binary
threshold: 0.5
primary:
  margin: 0.01
  reason: one more wrong answer in a hundred costs less than half of what v4 saves
limits:
- {measure: error_share, worsening: 0.01, reason: the error budget of the service}
minimum_pairs: 1000
minimum_labels: 5000
label_delay: 2d
stopping: {minimum_duration: 7d, maximum_duration: 28d}
"""
"""A design that is right, to begin with."""


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody wrote, and the design or the problems that are in it."""

    text: str
    design: ShadowDesign | None
    problems: tuple[str, ...]


def checked(text: str) -> Written:
    """Every problem of a text, or its design."""
    what = "shadow"
    try:
        document = scan_document(text, what)
        kind = kind_of_document(document.body)
        if kind != "shadow":
            said = f"this is the design of {_a(kind)}; the design of a shadow has the field task and the line kind: shadow"
            return Written(text, None, (said,))
        return Written(text, shadow_of(without_kind(document)), ())
    except Invalid as invalid:
        return Written(text, None, tuple(str(problem) for problem in invalid.problems))


def _a(kind: str) -> str:
    return "an A/B" if kind == "ab" else f"a {kind}"
