"""A design: what was written, resolved against the metric catalogue, frozen, with one canonical form and hash.

``load_design`` (a file), ``parse_design`` (text) and ``declare`` (keyword arguments) all go through the same
validation, which reports every problem at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any, Literal, get_type_hints

from pydantic import TypeAdapter, ValidationError

from experiments.checks import DEFAULT_WINDOW, default_test, findings
from experiments.documents import Document, parse_document, read_document, sha256_of
from experiments.durations import DAY, WEEK
from experiments.durations import written as written_duration
from experiments.metrics import Baseline, Catalogue, Metric
from experiments.problems import Invalid, Path, Problem
from experiments.sample import SamplePlan, sample_plan
from experiments.validation import collect
from experiments.written import ADMINISTRATIVE, Amount, Covariate, LayerSlot, WrittenDesign

SCHEMA = "design/1"


@dataclass(frozen=True, slots=True)
class ResolvedArm:
    name: str
    share: Fraction
    version: str | None


@dataclass(frozen=True, slots=True)
class ResolvedCovariate:
    """A covariate with its metric pinned; ``window`` seconds before first exposure, or an attribute."""

    metric: Metric | None
    attribute: str | None
    window: int
    variance_reduction: float | None

    @property
    def label(self) -> str:
        return self.metric.reference if self.metric else str(self.attribute)


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric in its role: what is tested, over which window, against what, at which level."""

    role: Literal["primary", "must-hold", "monitor", "secondary"]
    metric: Metric
    window: int
    test: str
    alpha: float
    sides: int
    mde: Amount | None = None
    margin: Amount | None = None
    reason: str = ""
    segment: str | None = None
    covariates: tuple[ResolvedCovariate, ...] = ()
    without_history: Literal["zero", "exclude"] = "zero"
    minimum_units: int = 2
    baseline: Baseline | None = None

    @property
    def label(self) -> str:
        return f"{self.metric.reference} by {self.segment}" if self.segment else self.metric.reference


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
        self.primary = self._primary(catalogue)
        self.guardrails = tuple(self._guardrails(catalogue))
        self.secondary = tuple(self._secondary(catalogue))

    def _primary(self, catalogue: Catalogue) -> Measure:
        declared = self.written.primary
        metric = catalogue[declared.metric]
        superiority = self.written.purpose == "superiority"
        return Measure(
            role="primary",
            metric=metric,
            window=declared.window or metric.window or self.window,
            test=declared.test or default_test(metric, declared.covariates),
            alpha=declared.alpha if superiority or "alpha" in declared.model_fields_set else 0.025,
            sides=declared.sides or (2 if superiority else 1),
            mde=declared.mde,
            margin=declared.margin,
            covariates=_covariates(declared.covariates, catalogue),
            without_history=declared.without_history,
            baseline=declared.baseline or metric.baseline,
        )

    def _guardrails(self, catalogue: Catalogue) -> list[Measure]:
        resolved = []
        for declared in self.written.guardrails:
            metric = catalogue[declared.metric]
            resolved.append(
                Measure(
                    role=declared.role,
                    metric=metric,
                    window=declared.window or metric.window or self.window,
                    test=declared.test or default_test(metric, declared.covariates),
                    alpha=declared.alpha,
                    sides=1,
                    margin=declared.margin,
                    reason=declared.reason,
                    segment=declared.segment,
                    covariates=_covariates(declared.covariates, catalogue),
                    minimum_units=declared.minimum_units,
                    baseline=declared.baseline or metric.baseline,
                )
            )
        return sorted(resolved, key=lambda measure: measure.label)

    def _secondary(self, catalogue: Catalogue) -> list[Measure]:
        metrics = sorted((catalogue[r] for r in self.written.secondary.metrics), key=lambda m: m.reference)
        return [
            Measure(
                "secondary",
                metric,
                metric.window or self.window,
                default_test(metric, ()),
                0.05,
                2,
                baseline=metric.baseline,
            )
            for metric in metrics
        ]

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
        """Seconds of enrolment before the look; by default what the planned traffic needs, in whole weeks."""
        declared = self.written.stopping.minimum_duration
        if declared is not None:
            return declared
        step = self.written.stopping.step
        if self.plan.enrolment is None:
            return max(step, WEEK - WEEK % step if step <= WEEK else step)
        return -(-self.plan.enrolment.enrolment_days * DAY // step) * step

    @cached_property
    def maximum_duration(self) -> int:
        """Seconds of enrolment after which the look is taken whatever has come; by default twice the minimum."""
        return self.written.stopping.maximum_duration or 2 * self.minimum_duration

    @cached_property
    def material(self) -> dict[str, Any]:
        """The canonical document of everything that decides: defaults filled in, metrics pinned, words folded."""
        w = self.written
        return {
            "schema": SCHEMA,
            "hypothesis": w.hypothesis.model_dump(mode="json"),
            "purpose": w.purpose,
            "background": w.background,
            "outcome_data_seen": w.outcome_data_seen,
            "units": {
                "randomisation": w.units.randomisation,
                "analysis": w.units.analysis or w.units.randomisation,
            },
            "arms": [{"name": a.name, "share": str(a.share), "version": a.version} for a in self.arms],
            "assignment": {
                "key": self.key,
                "method": w.assignment.method,
                "salt": self.salt,
                "layer": None if w.assignment.layer is None else w.assignment.layer.model_dump(mode="json"),
                "exposure": w.assignment.exposure,
            },
            "eligibility": sorted(
                (c.model_dump(mode="json", by_alias=True, exclude_none=True) for c in w.eligibility),
                key=sha256_of,
            ),
            "primary": _canonical_measure(self.primary),
            "guardrails": [_canonical_measure(g) for g in self.guardrails],
            "no_guardrails_reason": None if self.guardrails else w.no_guardrails_reason,
            "secondary": {
                "metrics": [_canonical_measure(s) for s in self.secondary],
                "multiplicity": w.secondary.multiplicity,
            },
            "segments": sorted(w.segments),
            "sensitivity": sorted(set(w.sensitivity)),
            "window": self.window,
            "label_delay": w.label_delay,
            "maturity": self.maturity,
            "power": {
                "power": w.power.power,
                "design_effect": w.power.design_effect,
                "reason": w.power.reason,
                "override_reason": w.power.override_reason,
                "n_per_arm": list(self.plan.n_per_arm),
                "binding": self.plan.binding,
            },
            "stopping": {
                "rule": w.stopping.rule,
                "minimum_duration": self.minimum_duration,
                "maximum_duration": self.maximum_duration,
                "step": w.stopping.step,
                "part_weeks_reason": w.stopping.part_weeks_reason,
                "if_short": w.stopping.if_short,
            },
            "rules": w.rules.model_dump(mode="json"),
            "validity": w.validity.model_dump(mode="json"),
            "multiple_treatments": w.multiple_treatments if len(self.treatments) > 1 else None,
            "which_ships": w.which_ships if len(self.treatments) > 1 else None,
            "decision_rule": self.decision_rule,
            "source": w.source,
            "anything_else": w.anything_else,
        }

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
    return design_of(read_document(file, f"design {file}"), catalogue)


def parse_design(text: str, catalogue: Catalogue) -> Design:
    """A design from YAML text; raises like ``load_design``."""
    return design_of(parse_document(text, "design"), catalogue)


def declare(catalogue: Catalogue, **fields: Any) -> Design:
    """A design from keyword arguments, named as in a design file; raises like ``load_design``."""
    return design_of(Document(dict(fields), ""), catalogue)


def reopen(material: Mapping[str, Any], written: str) -> Design:
    """The design behind a locked plan, from what was locked alone: today's catalogue may say something else.

    Raises:
        Invalid: the text no longer resolves to the locked document.
    """
    design = parse_design(written, _catalogue_of(material))
    locked = sha256_of(dict(material))
    if design.sha256 != locked:
        message = f"resolves to {design.sha256[:12]}, not to the locked {locked[:12]}; this code reads the design otherwise"
        raise Invalid("locked design", [Problem((), message)])
    return design


def _catalogue_of(material: Mapping[str, Any]) -> Catalogue:
    """The metrics that a locked document pins, a deciding measure's own entry before a covariate's."""
    measures = [material["primary"], *material["guardrails"], *material["secondary"]["metrics"]]
    found: dict[str, Metric] = {}
    for body, baseline in [
        *((measure["metric"], measure.get("baseline")) for measure in measures),
        *((c["metric"], None) for measure in measures for c in measure["covariates"] if c["metric"]),
    ]:
        metric = Metric.model_validate(
            {**body, "window": written_duration(body["window"]), "baseline": baseline}
        )
        found.setdefault(metric.reference, metric)
    return Catalogue(tuple(found.values()))


def design_of(document: Document, catalogue: Catalogue) -> Design:
    """Validate a document and resolve it: types, then meaning for whatever could be read, then the sample size."""
    problems: list[Problem] = []
    written: WrittenDesign | None = None
    try:
        written = WrittenDesign.model_validate(document.body)
        fields = {name: getattr(written, name) for name in WrittenDesign.model_fields}
    except ValidationError as error:
        problems += collect(error, WrittenDesign, document)
        fields = _readable_fields(document)
    problems += [document.problem(path, message) for path, message in findings(fields, catalogue)]
    if written is not None and not problems:
        design = Design(written, catalogue, document)
        problems += [document.problem(path, message) for path, message in _sample_findings(design)]
        if not problems:
            return design
    problems.sort(key=lambda p: (p.line is None, p.line or 0))
    raise Invalid(f"design {document.file}" if document.file else "design", problems)


def _readable_fields(document: Document) -> dict[str, Any]:
    """The top-level fields that are valid on their own, so that their meaning is checked all the same."""
    types = get_type_hints(WrittenDesign, include_extras=True)
    fields: dict[str, Any] = {}
    for name, info in WrittenDesign.model_fields.items():
        if name not in document.body:
            if not info.is_required():
                fields[name] = info.get_default(call_default_factory=True)
            continue
        try:
            fields[name] = TypeAdapter(types[name]).validate_python(document.body[name])
        except ValidationError:
            continue
    return fields


def _sample_findings(design: Design) -> list[tuple[Path, str]]:
    """Problems that show only once n is computed."""
    try:
        plan = design.plan
    except ValueError as error:
        return [(("power",), f"no sample size can be computed: {error}")]
    found: list[tuple[Path, str]] = []
    power = design.written.power
    if plan.overridden and plan.total < sum(plan.computed) and power.override_reason is None:
        found.append(
            (
                ("power", "units_per_arm"),
                f"{power.units_per_arm} is fewer than the {min(plan.computed)} that {plan.binding} needs; change what it is "
                "derived from, or give override_reason",
            )
        )
    if design.maximum_duration < design.minimum_duration:
        found.append(
            (("stopping", "maximum_duration"), "is shorter than the enrolment the planned traffic needs")
        )
    return found


def _covariates(declared: tuple[Covariate, ...], catalogue: Catalogue) -> tuple[ResolvedCovariate, ...]:
    resolved = [
        ResolvedCovariate(
            catalogue[c.metric] if c.metric else None,
            c.attribute,
            c.window if c.metric else 0,
            c.variance_reduction,
        )
        for c in declared
    ]
    return tuple(sorted(resolved, key=lambda c: (c.label, c.window)))


def _canonical_measure(measure: Measure) -> dict[str, Any]:
    body: dict[str, Any] = {
        "metric": measure.metric.canonical(measure.window),
        "role": measure.role,
        "test": measure.test,
        "alpha": measure.alpha,
        "sides": measure.sides,
        "minimum_units": measure.minimum_units,
        "covariates": [
            {
                "metric": None if c.metric is None else c.metric.canonical(c.window),
                "attribute": c.attribute,
                "window": c.window,
            }
            for c in measure.covariates
        ],
    }
    if measure.covariates:
        body["without_history"] = measure.without_history
    if measure.role == "primary":
        body["mde"] = _amount(measure.mde)
    if measure.role != "secondary":
        body["margin"] = _amount(measure.margin)
        body["baseline"] = None if measure.baseline is None else measure.baseline.model_dump(mode="json")
    if measure.role in {"must-hold", "monitor"}:
        body["reason"] = measure.reason
        body["segment"] = measure.segment
    return body


def _amount(amount: Amount | None) -> dict[str, Any] | None:
    return None if amount is None else {"kind": amount.kind, "value": amount.value}


def slug(title: str) -> str:
    """The title as a key: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", title.casefold()).strip("-")
