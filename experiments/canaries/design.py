"""A canary design: what was written, resolved against the metric catalogue, frozen, with one canonical form and hash.

``load_canary`` (a file), ``parse_canary`` (text) and ``declare_canary`` (keyword arguments) all go through the same
validation, which reports every problem at once. ``reopen_canary`` gives back what was locked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any, Final

from pydantic import ValidationError

from experiments.canaries.canonical import SCHEMA, locked_catalogue_of, material_of
from experiments.canaries.meaning import canary_findings
from experiments.canaries.reach import weakest_reach
from experiments.canaries.schedule import planned_units
from experiments.canaries.written import (
    ADMINISTRATIVE,
    CanaryGuardrail,
    Needs,
    Step,
    Unanswered,
    WrittenCanary,
)
from experiments.designs.canonical import with_locked_defaults
from experiments.designs.declared_tests import default_test
from experiments.designs.design import ResolvedArm, slug
from experiments.designs.measures import Measure
from experiments.designs.metrics import Catalogue
from experiments.forms.documents import (
    Document,
    document_of,
    parse_document,
    read_text,
    scan_document,
    sha256_of,
)
from experiments.forms.drafts import draft_of
from experiments.forms.durations import SECONDS
from experiments.forms.problems import Invalid, Problem
from experiments.forms.validation import Finding, collect

DEFAULT_WINDOW: Final = SECONDS["h"]
CONTROL, CANDIDATE = 0, 1
"""The arms by index, in evidence and readouts."""


@dataclass(frozen=True, slots=True)
class ResolvedStep:
    """A step with every default filled in; durations in seconds, counted from the moment at which it began.

    Attributes:
        number: 1 is the first.
        every: seconds between its checks; the hold time and the time limit are whole multiples of it.
    """

    number: int
    share: Fraction
    hold: int
    minimum_units: int
    needs: Needs
    time_limit: int
    when_unanswered: Unanswered
    every: int

    @property
    def checks(self) -> int:
        """How many there may be until its time is up."""
        return self.time_limit // self.every


class CanaryDesign:
    """A resolved canary. Equal meaning gives equal ``material`` and equal ``sha256``.

    Built by ``load_canary``, ``parse_canary`` or ``declare_canary``; never changed afterwards.
    """

    def __init__(self, written: WrittenCanary, catalogue: Catalogue, document: Document) -> None:
        self.written = written
        self.document = document
        self.key = written.assignment.key or slug(written.title)
        self.salt = written.assignment.salt or self.key
        half = Fraction(1, 2)
        self.arms = (
            ResolvedArm(written.champion.arm or "control", half, written.champion.version),
            ResolvedArm(written.candidate.arm or "candidate", half, written.candidate.version),
        )
        self.window = written.window or DEFAULT_WINDOW
        self.maturity = written.maturity or self.window + written.label_delay
        self.steps = tuple(_step(written, step, number) for number, step in enumerate(written.steps, start=1))
        resolved = [_guardrail(declared, catalogue, self.window) for declared in written.guardrails]
        self.guardrails = tuple(sorted(resolved, key=lambda measure: measure.label))
        self.levels = {
            measure.label: tuple(sorted(declared.levels)) if declared.segment else (None,)
            for measure, declared in zip(resolved, written.guardrails, strict=True)
        }

    @property
    def title(self) -> str:
        return self.written.title

    @property
    def model(self) -> str:
        return self.written.model

    @property
    def control(self) -> ResolvedArm:
        return self.arms[CONTROL]

    @property
    def candidate(self) -> ResolvedArm:
        return self.arms[CANDIDATE]

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The guardrails: a canary reads nothing else."""
        return self.guardrails

    @property
    def attributes(self) -> tuple[str, ...]:
        """Pre-exposure attributes the canary uses, in a fixed order."""
        named = [condition.attribute for condition in self.written.eligibility]
        named += [guardrail.segment for guardrail in self.guardrails if guardrail.segment]
        return tuple(dict.fromkeys(named))

    @property
    def check_count(self) -> int:
        """How many checks there may be at most."""
        return sum(step.checks for step in self.steps)

    @property
    def harm_tests(self) -> int:
        """How many guardrails, and declared levels of their segments, are tested for harm."""
        return sum(len(levels) for levels in self.levels.values())

    @property
    def harm_alpha(self) -> float:
        """What the harm test of one guardrail (or level) may spend over all checks."""
        harm = self.written.harm
        return harm.alpha / self.harm_tests if harm.shared == "bonferroni" else harm.alpha

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
        return f"<CanaryDesign {self.title!r} {self.sha256[:12]}>"


def load_canary(file: FilePath, catalogue: Catalogue) -> CanaryDesign:
    """Read and resolve a canary's file.

    Raises:
        Invalid: every problem of the file at once, each with its line.
    """
    what = f"canary {file}"
    return canary_of(scan_document(read_text(file, what), what, file=str(file)), catalogue)


def parse_canary(text: str, catalogue: Catalogue) -> CanaryDesign:
    """A canary from YAML text; raises like ``load_canary``."""
    return canary_of(scan_document(text, "canary"), catalogue)


def declare_canary(catalogue: Catalogue, **fields: Any) -> CanaryDesign:
    """A canary from keyword arguments, named as in a file; raises like ``load_canary``."""
    return canary_of(document_of(fields, "canary"), catalogue)


def reopen_canary(material: Mapping[str, Any], written: str) -> CanaryDesign:
    """The canary behind a locked plan, from what was locked alone: today's catalogue may say something else.

    Raises:
        Invalid: the text no longer resolves to the locked document.
    """
    what = "locked canary"
    if material.get("schema") != SCHEMA:
        message = f"{material.get('schema')!r} is not a schema that this code reads; it reads {SCHEMA}"
        raise Invalid(what, [Problem(("schema",), message)])
    document = parse_document(written, what)
    body = with_locked_defaults(document.body, material)
    design = canary_of(replace(document, body=body), locked_catalogue_of(material))
    locked = sha256_of(dict(material))
    if design.sha256 != locked:
        parts = material.keys() | design.material.keys()
        differing = sorted(part for part in parts if material.get(part) != design.material.get(part))
        message = (
            f"resolves to {design.sha256[:12]}, not to the locked {locked[:12]}: {', '.join(differing)} would differ; "
            "this code reads the canary otherwise than the code that locked it"
        )
        raise Invalid(what, [Problem((), message)])
    return design


def canary_of(document: Document, catalogue: Catalogue) -> CanaryDesign:
    """Validate a document and resolve it: types, then meaning as far as it can be read, then what it can achieve.

    Raises:
        Invalid: every problem at once.
    """
    problems = list(document.faults)
    draft = draft_of(WrittenCanary, document.body)
    try:
        WrittenCanary.model_validate(document.body)
    except ValidationError as error:
        problems += collect(error, WrittenCanary, document)
    problems += [document.problem(path, message) for path, message in canary_findings(draft, catalogue)]
    if not problems:
        design = CanaryDesign(draft, catalogue, document)
        problems += [document.problem(path, message) for path, message in _reach_findings(design)]
        if not problems:
            return design
    found = sorted(dict.fromkeys(problems), key=lambda problem: problem.line or 0)
    raise Invalid(f"canary {document.file}" if document.file else "canary", found)


def _reach_findings(design: CanaryDesign) -> Iterator[Finding]:
    """What was promised and cannot be reached at the declared traffic; without traffic nothing was."""
    power = design.written.power
    if power.units_per_day is None:
        if power.stops_before is not None:
            yield (
                ("power", "units_per_day"),
                "is missing: how many meet the candidate by a check follows from the traffic",
            )
        return
    for step in design.steps:
        planned = planned_units(design, step, step.time_limit)
        if planned < step.minimum_units:
            yield (
                ("steps", step.number - 1, "minimum_units"),
                f"{step.minimum_units:,} is not reached: {float(step.share):.4g} of {power.units_per_day:,.0f} units a day brings "
                f"{int(planned):,} mature ones to each arm until the time is up",
            )
    weakest = weakest_reach(design)
    users = power.stops_before
    reached = weakest.stopped if users is None else weakest.stopped_before(users)
    if reached >= power.power:
        return
    within = "" if users is None else f" before {users:,} users have met it"
    needed = weakest.users_for(power.power)
    instead = "never by this plan" if needed is None else f"with that probability only once {needed:,} have"
    yield (
        ("power", "power" if users is None else "stops_before"),
        f"a candidate with {weakest.measure.label} at twice its margin is stopped{within} with probability {reached:.2f}, not "
        f"{power.power:g} ({instead}); take larger or longer steps, wider margins, or promise less",
    )


def _step(written: WrittenCanary, step: Step, number: int) -> ResolvedStep:
    limit = step.time_limit or written.time_limit or 2 * step.hold
    return ResolvedStep(
        number=number,
        share=step.share,
        hold=step.hold,
        minimum_units=step.minimum_units,
        needs=step.needs,
        time_limit=limit,
        when_unanswered=step.when_unanswered or written.when_unanswered,
        every=written.checks.every or step.hold,
    )


def _guardrail(declared: CanaryGuardrail, catalogue: Catalogue, window: int) -> Measure:
    metric = catalogue[declared.metric]
    return Measure(
        role="must-hold",
        metric=metric,
        window=declared.window or metric.window or window,
        test=declared.test or default_test(metric, ()),
        alpha=declared.alpha,
        sides=1,
        margin=declared.margin,
        reason=declared.reason,
        segment=declared.segment,
        minimum_units=declared.minimum_units,
        baseline=declared.baseline or metric.baseline,
    )
