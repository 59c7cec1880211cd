"""A design file of any kind: an A/B, a shadow, a canary or a rollout, told apart by its ``kind`` or by what it holds.

``kind`` is for the file alone: the plan that is locked names its schema, and its text is kept without that line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any, Final, TypeAlias

from experiments.canaries.design import CanaryDesign, canary_of
from experiments.designs.design import Design, design_of
from experiments.designs.metrics import Catalogue
from experiments.forms.documents import Document, read_text, scan_document
from experiments.forms.problems import Invalid, Problem, unknown_name
from experiments.rollouts.design import RolloutDesign, rollout_of
from experiments.shadows.design import ShadowDesign, shadow_of

AnyDesign: TypeAlias = Design | ShadowDesign | CanaryDesign | RolloutDesign

KINDS: Final = ("ab", "shadow", "canary", "rollout")
OWN_FIELD: Final = {"rungs": "rollout", "steps": "canary", "task": "shadow"}
"""Fields that only one kind has, where no ``kind`` is written."""

_LINE: Final = re.compile(r"""kind:\s*["']?\w+["']?\s*(#.*)?""")


def load_any(file: FilePath, catalogue: Catalogue) -> AnyDesign:
    """Read and resolve a design file of whatever kind it is.

    Raises:
        Invalid: every problem of the file at once, each with its line.
    """
    what = f"design {file}"
    return any_of(scan_document(read_text(file, what), what, file=str(file)), catalogue)


def any_of(document: Document, catalogue: Catalogue) -> AnyDesign:
    """The design of a document, of whatever kind it is; raises like ``load_any``."""
    kind, rest = kind_of_document(document.body), without_kind(document)
    if kind not in KINDS:
        problem = document.problem(("kind",), unknown_name(kind, KINDS, "a kind of design"))
        raise Invalid(f"design {document.file}" if document.file else "design", [problem])
    if kind == "shadow":
        return shadow_of(rest)
    if kind == "canary":
        return canary_of(rest, catalogue)
    return rollout_of(rest) if kind == "rollout" else design_of(rest, catalogue)


def kind_of_document(body: Mapping[str, Any]) -> str:
    """The kind that is written, else the one whose own field is there, else that of an A/B."""
    if "kind" in body:
        return str(body["kind"])
    return next((kind for field, kind in OWN_FIELD.items() if field in body), "ab")


def without_kind(document: Document) -> Document:
    """The document without its ``kind``; every other line stays where it was.

    Raises:
        Invalid: the kind does not stand on a line of its own, so that it cannot be taken out.
    """
    if "kind" not in document.body:
        return document
    line = document.line(("kind",)) or 1
    lines = document.text.splitlines(keepends=True)
    written = lines[line - 1]
    if _LINE.fullmatch(written.strip()) is None:
        message = "write it on a line of its own, for example kind: shadow"
        problem = Problem(("kind",), message, line, document.file)
        raise Invalid(f"design {document.file}" if document.file else "design", [problem])
    lines[line - 1] = written[len(written.rstrip("\r\n")) :]
    body = {name: value for name, value in document.body.items() if name != "kind"}
    return replace(document, body=body, text="".join(lines))
