"""A shadow design: what was written, resolved and frozen, with one canonical form and hash.

``load_shadow`` (a file), ``parse_shadow`` (text) and ``declare_shadow`` (keyword arguments) all go through the same
validation, which reports every problem at once. ``reopen`` gives back what was locked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any, Final, Literal

from pydantic import ValidationError

from analysis.paired import sample_size_paired
from experiments.designs.sequential import inflation, planned_looks
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
from experiments.forms.durations import WEEK
from experiments.forms.problems import Invalid, Problem
from experiments.forms.validation import collect
from experiments.shadows.canonical import SCHEMA, material_of
from experiments.shadows.meaning import shadow_findings
from experiments.shadows.measures import DEFAULT_LOSS, LOSSES, Bound, Direction, LossMeasure
from experiments.shadows.written import ADMINISTRATIVE, Limited, ShadowLimit, Task, Test, WrittenShadow

LONGEST: Final = 8 * WEEK
"""Of a shadow that declares no maximum duration."""


@dataclass(frozen=True, slots=True)
class ShadowPrimary:
    """The deciding measure with all that it means; margin or mde, as the purpose says."""

    measure: LossMeasure
    purpose: Literal["non-inferiority", "superiority"]
    margin: float | None
    reason: str
    mde: float | None
    alpha: float
    test: Test
    decimals: int

    @property
    def direction(self) -> Direction:
        return self.measure.direction

    @property
    def sides(self) -> Literal[1, 2]:
        return 1 if self.purpose == "non-inferiority" else 2

    @property
    def one_sided_alpha(self) -> float:
        return self.alpha / self.sides


@dataclass(frozen=True, slots=True)
class Limit:
    measure: Limited
    bound: Bound
    value: float
    alpha: float
    reason: str


@dataclass(frozen=True, slots=True)
class SegmentRule:
    attribute: str
    margin: float
    reason: str
    alpha: float
    levels: tuple[str, ...]
    minimum_pairs: int


class ShadowDesign:
    """A resolved shadow design. Equal meaning gives equal ``material`` and equal ``sha256``.

    Built by ``load_shadow``, ``parse_shadow`` or ``declare_shadow``; never changed afterwards.
    """

    def __init__(self, written: WrittenShadow, document: Document) -> None:
        self.written = written
        self.document = document
        self.primary = _primary(written)
        self.limits = tuple(sorted(map(_limit, written.limits), key=lambda one: (one.measure, one.bound)))
        self.segments = tuple(
            sorted(
                (
                    SegmentRule(
                        segment.attribute,
                        segment.margin or self.primary.margin or math.nan,
                        segment.reason or self.primary.reason,
                        segment.alpha,
                        tuple(sorted(segment.levels)),
                        segment.minimum_pairs,
                    )
                    for segment in written.segments
                ),
                key=lambda one: one.attribute,
            )
        )

    @property
    def title(self) -> str:
        return self.written.title

    @property
    def champion(self) -> str:
        return self.written.champion.version

    @property
    def candidate(self) -> str:
        return self.written.candidate.version

    @property
    def task(self) -> Task:
        return self.written.task

    @property
    def by_user(self) -> bool:
        return self.written.unit == "user"

    @property
    def stopping(self) -> Stopping:
        return self.written.stopping

    @property
    def attributes(self) -> tuple[str, ...]:
        """Attributes of requests the design uses, in a fixed order."""
        return tuple(segment.attribute for segment in self.segments)

    @property
    def maturity(self) -> int:
        """Seconds after a request at which its pair and its label are surely in the logs."""
        return max(self.written.label_delay, self.written.pairing.answer_within)

    @cached_property
    def planned_labels(self) -> int:
        """Labelled pairs planned: declared, or what size needs."""
        written, primary = self.written, self.primary
        if written.minimum_labels is not None:
            return written.minimum_labels
        size = written.size
        superiority = primary.purpose == "superiority"
        return sample_size_paired(
            size.discordance or math.nan,
            (primary.mde or 0.0) if superiority else size.difference,
            alpha=primary.alpha,
            power=size.power,
            sides=primary.sides,
            margin=primary.margin,
            design_effect=size.design_effect,
            inflation=inflation(self.stopping, primary.alpha, primary.sides, size.power, futility=False),
        ).pairs

    @property
    def planned_units(self) -> int:
        """Units with a labelled pair planned: information is counted in them."""
        return max(2, math.ceil(self.planned_labels / self.written.size.requests_per_unit))

    @property
    def minimum_duration(self) -> int:
        """Seconds of traffic before any look."""
        return self.stopping.minimum_duration or self.stopping.step

    @property
    def maximum_duration(self) -> int:
        """Seconds of traffic after which the last look is taken whatever has come; by default eight weeks."""
        longest = max(LONGEST // self.stopping.step * self.stopping.step, self.minimum_duration)
        return self.stopping.maximum_duration or longest

    @property
    def look_count(self) -> int:
        """How many looks there may be at most."""
        if self.stopping.rule != "always-valid":
            return len(planned_looks(self.stopping))
        return (self.maximum_duration - self.minimum_duration) // self.stopping.step + 1

    @cached_property
    def material(self) -> dict[str, Any]:
        """The canonical document of everything that decides; this is locked, hashed and amended."""
        return material_of(self)

    @property
    def administrative(self) -> dict[str, Any]:
        """What may change without amending the plan; not part of the hash."""
        return self.written.model_dump(mode="json", include=set(ADMINISTRATIVE))

    @cached_property
    def sha256(self) -> str:
        return sha256_of(self.material)

    def __repr__(self) -> str:
        return f"<ShadowDesign {self.title!r} {self.sha256[:12]}>"


def load_shadow(file: FilePath) -> ShadowDesign:
    """Read and resolve a shadow design file.

    Raises:
        Invalid: every problem of the file at once, each with its line.
    """
    what = f"shadow {file}"
    return shadow_of(scan_document(read_text(file, what), what, file=str(file)))


def parse_shadow(text: str) -> ShadowDesign:
    """A shadow design from YAML text; raises like ``load_shadow``."""
    return shadow_of(scan_document(text, "shadow"))


def declare_shadow(**fields: Any) -> ShadowDesign:
    """A shadow design from keyword arguments, named as in a file; raises like ``load_shadow``."""
    return shadow_of(document_of(fields, "shadow"))


def reopen(material: Mapping[str, Any], written: str) -> ShadowDesign:
    """The shadow design behind a locked plan, from what was locked alone.

    Raises:
        Invalid: the text no longer resolves to the locked document.
    """
    what = "locked shadow"
    if material.get("schema") != SCHEMA:
        message = f"{material.get('schema')!r} is not a schema that this code reads; it reads {SCHEMA}"
        raise Invalid(what, [Problem(("schema",), message)])
    design = shadow_of(parse_document(written, what))
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


def shadow_of(document: Document) -> ShadowDesign:
    """Validate a document and resolve it: types, then meaning as far as it can be read, then the number of labels.

    Raises:
        Invalid: every problem at once.
    """
    problems = list(document.faults)
    draft = draft_of(WrittenShadow, document.body)
    try:
        WrittenShadow.model_validate(document.body)
    except ValidationError as error:
        problems += collect(error, WrittenShadow, document)
    problems += [document.problem(path, message) for path, message in shadow_findings(draft)]
    if not problems:
        design = ShadowDesign(draft, document)
        try:
            _ = design.planned_labels
        except ValueError as error:
            problems.append(document.problem(("size",), f"no number of labels can be computed: {error}"))
        else:
            return design
    found = sorted(dict.fromkeys(problems), key=lambda problem: problem.line or 0)
    raise Invalid(f"shadow {document.file}" if document.file else "shadow", found)


def _primary(written: WrittenShadow) -> ShadowPrimary:
    primary = written.primary
    measure = LOSSES[primary.measure or DEFAULT_LOSS[written.task]]
    return ShadowPrimary(
        measure=measure,
        purpose=primary.purpose,
        margin=primary.margin,
        reason=primary.reason or "",
        mde=primary.mde,
        alpha=primary.alpha or (0.025 if primary.purpose == "non-inferiority" else 0.05),
        test=primary.test or _default_test(written, measure),
        decimals=primary.decimals,
    )


def _default_test(written: WrittenShadow, measure: LossMeasure) -> Test:
    if written.stopping.rule == "always-valid":
        return "sequence"
    if written.unit == "user":
        return "obuchowski"
    if measure.name != "correctness":
        return "linearised"
    one_look = written.primary.purpose == "superiority" and not written.stopping.sequential
    return "exact" if one_look else "tango"


def _limit(written: ShadowLimit) -> Limit:
    bounds: dict[Bound, float | None] = {
        "at_most": written.at_most,
        "at_least": written.at_least,
        "worsening": written.worsening,
    }
    bound, value = next((bound, value) for bound, value in bounds.items() if value is not None)
    return Limit(written.measure, bound, value, written.alpha, written.reason)
