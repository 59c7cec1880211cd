"""A rollout plan: what was written, resolved and frozen, with one canonical form and hash.

``load_rollout`` (a file), ``parse_rollout`` (text) and ``declare_rollout`` (keyword arguments) all go through the same
validation, which reports every problem at once. ``reopen`` gives back what was planned.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any, Final, Literal

from pydantic import ValidationError

from experiments.forms.documents import (
    Document,
    document_of,
    parse_document,
    read_text,
    scan_document,
    sha256_of,
)
from experiments.forms.drafts import draft_of
from experiments.forms.problems import Invalid, Problem
from experiments.forms.validation import collect
from experiments.rollouts.meaning import rollout_findings
from experiments.rollouts.written import ADMINISTRATIVE, RiskBudget, RungPlan, WrittenRollout

SCHEMA: Final = "rollout/1"

Rung = Literal["shadow", "canary", "ab"]


class RolloutDesign:
    """A resolved rollout plan. Equal meaning gives equal ``material`` and equal ``sha256``.

    Built by ``load_rollout``, ``parse_rollout`` or ``declare_rollout``; never changed afterwards.
    """

    def __init__(self, written: WrittenRollout, document: Document) -> None:
        self.written = written
        self.document = document

    @property
    def title(self) -> str:
        return self.written.title

    @property
    def model(self) -> str:
        return self.written.model

    @property
    def champion(self) -> str:
        return self.written.champion.version

    @property
    def candidate(self) -> str:
        return self.written.candidate.version

    @property
    def risk_budget(self) -> RiskBudget:
        return self.written.risk_budget

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The rungs of this rollout, in the one order there is."""
        planned = self._plans
        return tuple(rung for rung, plan in planned.items() if plan is not None)

    def rung(self, name: Rung) -> RungPlan:
        """What the plan says of one of its rungs.

        Raises:
            KeyError: the rung is left out.
        """
        plan = self._plans[name]
        if plan is None:
            raise KeyError(name)
        return plan

    @property
    def _plans(self) -> dict[Rung, RungPlan | None]:
        rungs = self.written.rungs
        return {"shadow": rungs.shadow, "canary": rungs.canary, "ab": rungs.ab}

    @cached_property
    def material(self) -> dict[str, Any]:
        """The canonical document of everything that decides."""
        w = self.written
        return {
            "schema": SCHEMA,
            "model": w.model,
            "champion": w.champion.model_dump(mode="json"),
            "candidate": w.candidate.model_dump(mode="json"),
            "rungs": w.rungs.model_dump(mode="json"),
            "left_out": w.left_out.model_dump(mode="json"),
            "risk_budget": {
                "share": str(w.risk_budget.share),
                "units": w.risk_budget.units,
                "duration": w.risk_budget.duration,
            },
            "anything_else": w.anything_else,
        }

    @property
    def administrative(self) -> dict[str, Any]:
        """What decides nothing; not part of the hash."""
        return self.written.model_dump(mode="json", include=set(ADMINISTRATIVE))

    @cached_property
    def sha256(self) -> str:
        return sha256_of(self.material)

    def __repr__(self) -> str:
        return f"<RolloutDesign {self.title!r} {self.sha256[:12]}>"


def load_rollout(file: FilePath) -> RolloutDesign:
    """Read and resolve a rollout file.

    Raises:
        Invalid: every problem of the file at once, each with its line.
    """
    what = f"rollout {file}"
    return rollout_of(scan_document(read_text(file, what), what, file=str(file)))


def parse_rollout(text: str) -> RolloutDesign:
    """A rollout plan from YAML text; raises like ``load_rollout``."""
    return rollout_of(scan_document(text, "rollout"))


def declare_rollout(**fields: Any) -> RolloutDesign:
    """A rollout plan from keyword arguments, named as in a file; raises like ``load_rollout``."""
    return rollout_of(document_of(fields, "rollout"))


def reopen(material: Mapping[str, Any], written: str) -> RolloutDesign:
    """The rollout plan behind what was kept, from what was kept alone.

    Raises:
        Invalid: the text no longer resolves to the kept document.
    """
    what = "kept rollout"
    if material.get("schema") != SCHEMA:
        message = f"{material.get('schema')!r} is not a schema that this code reads; it reads {SCHEMA}"
        raise Invalid(what, [Problem(("schema",), message)])
    design = rollout_of(parse_document(written, what))
    if design.sha256 != sha256_of(dict(material)):
        parts = material.keys() | design.material.keys()
        differing = sorted(part for part in parts if material.get(part) != design.material.get(part))
        message = f"no longer resolves to what was planned: {', '.join(differing)} would differ"
        raise Invalid(what, [Problem((), message)])
    return design


def rollout_of(document: Document) -> RolloutDesign:
    """Validate a document and resolve it: types, then meaning as far as it can be read.

    Raises:
        Invalid: every problem at once.
    """
    problems = list(document.faults)
    draft = draft_of(WrittenRollout, document.body)
    try:
        WrittenRollout.model_validate(document.body)
    except ValidationError as error:
        problems += collect(error, WrittenRollout, document)
    problems += [document.problem(path, message) for path, message in rollout_findings(draft)]
    if not problems:
        return RolloutDesign(draft, document)
    found = sorted(dict.fromkeys(problems), key=lambda problem: problem.line or 0)
    raise Invalid(f"rollout {document.file}" if document.file else "rollout", found)
