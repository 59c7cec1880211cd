"""A design: what was written, resolved against the metric catalogue, frozen, with one canonical form and hash.

``load_design`` (a file), ``parse_design`` (text) and ``declare`` (keyword arguments) all go through the same
validation, which reports every problem at once. ``reopen`` gives back what was locked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any, Literal

from pydantic import ValidationError

from experiments.designs.canonical import SCHEMA, locked_catalogue, material_of, with_locked_defaults
from experiments.designs.meaning.design import design_findings
from experiments.designs.measures import Measure as Measure
from experiments.designs.measures import ResolvedCovariate as ResolvedCovariate
from experiments.designs.measures import guardrails_of, primary_of, secondary_of
from experiments.designs.metrics import Catalogue
from experiments.designs.sample import SamplePlan, sample_plan
from experiments.designs.sequential import planned_looks
from experiments.designs.written import ADMINISTRATIVE, DEFAULT_WINDOW, LayerSlot, WrittenDesign
from experiments.designs.written_stopping import Stopping
from experiments.forms.documents import (
    Document,
    document_of,
    parse_document,
    read_text,
    scan_document,
    sha256_of,
)
from experiments.forms.drafts import draft_of
from experiments.forms.durations import DAY, WEEK
from experiments.forms.durations import written as written_duration
from experiments.forms.problems import Invalid, Problem
from experiments.forms.validation import Finding, collect


@dataclass(frozen=True, slots=True)
class ResolvedArm:
    name: str
    share: Fraction
    version: str | None


class Design:
    """A resolved design. Equal meaning gives equal ``material`` and equal ``sha256``.

    Built by ``load_design``, ``parse_design`` or ``declare``; never changed afterwards.
    """

    def __init__(self, written: WrittenDesign, catalogue: Catalogue, document: Document) -> None:
        self.written = written
        self.document = document
        self.key = written.assignment.key or slug(written.title)
        self.salt = written.assignment.salt or self.key
        equal = Fraction(1, len(written.arms))
        self.arms = tuple(
            ResolvedArm(a.name, a.share if a.share is not None else equal, a.version) for a in written.arms
        )
        primary = catalogue[written.primary.metric]
        self.window = written.window or written.primary.window or primary.window or DEFAULT_WINDOW
        self.maturity = written.maturity or self.window + written.label_delay
        self.primary = primary_of(written, catalogue, self.window)
        self.guardrails = guardrails_of(written, catalogue, self.window)
        self.secondary = secondary_of(written, catalogue, self.window)

    @property
    def title(self) -> str:
        return self.written.title

    @property
    def control(self) -> ResolvedArm:
        return self.arms[0]

    @property
    def treatments(self) -> tuple[ResolvedArm, ...]:
        return self.arms[1:]

    @property
    def layer(self) -> LayerSlot | None:
        return self.written.assignment.layer

    @property
    def decision_rule(self) -> Literal["R-1", "R-2"]:
        return "R-1" if self.written.purpose == "superiority" else "R-2"

    @property
    def stopping(self) -> Stopping:
        return self.written.stopping

    @property
    def multiple_treatments(self) -> Literal["holm", "bonferroni", "dunnett"]:
        """How several treatments share the primary's α."""
        return self.written.multiple_treatments or ("bonferroni" if self.stopping.sequential else "holm")

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Primary, guardrails, secondary: the order in which moments are laid out."""
        return (self.primary, *self.guardrails, *self.secondary)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Pre-exposure attributes the design uses, in a fixed order."""
        named = [c.attribute for c in self.written.eligibility]
        named += self.written.segments
        named += [g.segment for g in self.guardrails if g.segment]
        named += [c.attribute for m in self.measures for c in m.covariates if c.attribute]
        return tuple(dict.fromkeys(named))

    @cached_property
    def plan(self) -> SamplePlan:
        return sample_plan(self)

    @cached_property
    def minimum_duration(self) -> int:
        """Seconds of enrolment before any look; by default what the planned traffic needs, or one step of several looks."""
        stopping = self.stopping
        if stopping.at is not None:
            return stopping.at[0]
        if stopping.minimum_duration is not None:
            return stopping.minimum_duration
        return stopping.step if stopping.sequential else self._needed_duration

    @cached_property
    def maximum_duration(self) -> int:
        """Seconds of enrolment after which the last look is taken whatever has come; by default twice what is needed."""
        stopping = self.stopping
        if stopping.at is not None:
            return stopping.at[-1]
        if stopping.maximum_duration is not None:
            return stopping.maximum_duration
        return 2 * max(self.minimum_duration, self._needed_duration if stopping.sequential else 0)

    @property
    def look_count(self) -> int:
        """How many looks there may be at most."""
        if self.stopping.rule != "always-valid":
            return len(planned_looks(self.stopping))
        return (self.maximum_duration - self.minimum_duration) // self.stopping.step + 1

    @property
    def _needed_duration(self) -> int:
        """Whole steps of enrolment that the planned traffic needs; a week's where none is declared."""
        needed = WEEK if self.plan.enrolment is None else self.plan.enrolment.enrolment_days * DAY
        return -(-needed // self.stopping.step) * self.stopping.step

    @cached_property
    def material(self) -> dict[str, Any]:
        """The canonical document of everything that decides; see ``canonical``."""
        return material_of(self)

    @property
    def administrative(self) -> dict[str, Any]:
        """What may change without amending the plan; not part of the hash."""
        return self.written.model_dump(mode="json", include=set(ADMINISTRATIVE))

    @cached_property
    def sha256(self) -> str:
        return sha256_of(self.material)

    def __repr__(self) -> str:
        return f"<Design {self.title!r} {self.sha256[:12]}>"


def load_design(file: FilePath, catalogue: Catalogue) -> Design:
    """Read and resolve a design file.

    Raises:
        Invalid: every problem of the file at once, each with its line.
    """
    what = f"design {file}"
    return design_of(scan_document(read_text(file, what), what, file=str(file)), catalogue)


def parse_design(text: str, catalogue: Catalogue) -> Design:
    """A design from YAML text; raises like ``load_design``."""
    return design_of(scan_document(text, "design"), catalogue)


def declare(catalogue: Catalogue, **fields: Any) -> Design:
    """A design from keyword arguments, named as in a design file; raises like ``load_design``.

    ``design.document.text`` is a design file of the same meaning.
    """
    return design_of(document_of(fields, "design"), catalogue)


def reopen(material: Mapping[str, Any], written: str) -> Design:
    """The design behind a locked plan, from what was locked alone: today's catalogue may say something else.

    Raises:
        Invalid: the text no longer resolves to the locked document.
    """
    what = "locked design"
    if material.get("schema") != SCHEMA:
        message = f"{material.get('schema')!r} is not a schema that this code reads; it reads {SCHEMA}"
        raise Invalid(what, [Problem(("schema",), message)])
    document = parse_document(written, what)
    body = with_locked_defaults(document.body, material)
    design = design_of(replace(document, body=body), locked_catalogue(material))
    locked = sha256_of(dict(material))
    if design.sha256 != locked:
        parts = material.keys() | design.material.keys()
        differing = sorted(part for part in parts if material.get(part) != design.material.get(part))
        message = (
            f"resolves to {design.sha256[:12]}, not to the locked {locked[:12]}: {', '.join(differing)} would differ; "
            "this code reads the design otherwise than the code that locked it"
        )
        raise Invalid(what, [Problem((), message)])
    return design


def design_of(document: Document, catalogue: Catalogue) -> Design:
    """Validate a document and resolve it: types, then meaning as far as it can be read, then the sample size.

    Raises:
        Invalid: every problem at once.
    """
    problems = list(document.faults)
    draft = draft_of(WrittenDesign, document.body)
    try:
        WrittenDesign.model_validate(document.body)
    except ValidationError as error:
        problems += collect(error, WrittenDesign, document)
    problems += [document.problem(path, message) for path, message in design_findings(draft, catalogue)]
    if not problems:
        design = Design(draft, catalogue, document)
        problems += [document.problem(path, message) for path, message in _sample_findings(design)]
        if not problems:
            return design
    found = sorted(dict.fromkeys(problems), key=lambda problem: problem.line or 0)
    raise Invalid(f"design {document.file}" if document.file else "design", found)


def _sample_findings(design: Design) -> Iterator[Finding]:
    """Problems that show only once n is computed."""
    power, stopping = design.written.power, design.written.stopping
    try:
        plan = design.plan
    except ValueError as error:
        yield ("power",), f"no sample size can be computed: {error}"
        return
    if plan.total < sum(plan.computed) and power.override_reason is None:
        yield (
            ("power", "units_per_arm"),
            f"{power.units_per_arm} is fewer than the {min(plan.computed)} that {plan.binding} needs; change what it is "
            "derived from, or give override_reason",
        )
    if plan.enrolment is None or stopping.maximum_duration is None:
        return
    needed = -(-plan.enrolment.enrolment_days * DAY // stopping.step) * stopping.step
    if stopping.maximum_duration < needed:
        yield (
            ("stopping", "maximum_duration"),
            f"{written_duration(stopping.maximum_duration)} is not allowed; {plan.total} units at {power.units_per_day:g} a day "
            f"need {written_duration(needed)} of enrolment",
        )


def slug(title: str) -> str:
    """The title as a key: small letters, digits and hyphens."""
    return re.sub(r"[\W_]+", "-", title.casefold()).strip("-")
