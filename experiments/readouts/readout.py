"""The readout: one immutable object that pages, files and the terminal render, and that is sealed as canonical JSON.

Numbers are computed once, here upstream of every form; nothing that renders a readout queries or computes again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from experiments.forms.documents import canonical_json, sha256_of

SCHEMA = "readout/1"

VerdictCode = Literal["SHIP", "DO NOT SHIP", "INCONCLUSIVE", "INVALID", "CONTINUE"]
LookDecision = Literal[
    "CONTINUE", "STOP FOR EFFICACY", "STOP FOR FUTILITY", "STOP FOR HARM", "STOP AS INVALID", "NO BOUNDARY"
]
"""What a look called for; NO BOUNDARY ends an experiment at its last look without a crossing."""
CheckResult = Literal["pass", "warn", "fail", "hold", "not applicable"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Registration(Part):
    """What was declared, and the labels it carries for ever."""

    experiment: str
    title: str
    owner: str | None
    reviewer: str | None
    version: int
    design_sha256: str
    locked_at: datetime | None
    labels: tuple[str, ...] = ()
    amendments: tuple[dict[str, Any], ...] = ()
    outcome_reads_before: int = 0


class Look(Part):
    """Which look this is, where its cohort ends, and what it called for.

    Attributes:
        information: reached share of the planned information, of the treatment that has least.
        final: nothing is looked at after it, by the declared rule.
        harm_stop: the harm stop that tripped between looks and ended the experiment.
        watches: how often the declared harm stops have been watched, each a recorded read of outcomes.
    """

    k: int
    of: int
    final: bool
    cut_off: datetime | None
    watermark: datetime | None
    watermark_why: str
    information: float
    short: bool
    stopped_by_hand: bool
    enrolment_start: datetime | None
    decision: LookDecision = "NO BOUNDARY"
    harm_stop: str | None = None
    watches: int = 0


class Check(Part):
    """One validity check: what was found and the declared rule it was held against."""

    name: str
    result: CheckResult
    detail: str
    rule: str
    p_value: float | None = None
    blocking: bool = True


class ArmUnits(Part):
    """Unit flow of one arm, in the order of the cohort."""

    arm: str
    planned_share: float
    planned: int
    assigned: int
    exposed: int
    eligible: int
    mature: int
    analysed: int
    excluded: dict[str, int]


class ArmValue(Part):
    """What one arm shows of one metric. ``successes`` for yes/no metrics."""

    arm: str
    n: int
    missing: int
    value: float | None
    successes: int | None = None
    sd: float | None = None
    requests: int | None = None


class Interval(Part):
    low: float | None
    high: float | None
    level: float


class Comparison(Part):
    """One metric, one treatment against control, as declared."""

    metric: str
    label: str
    role: Literal["primary", "must-hold", "monitor", "harm-stop", "secondary"]
    type: str
    unit: str
    direction: Literal["higher", "lower"]
    treatment: str
    control_value: ArmValue
    treatment_value: ArmValue
    estimate: float | None
    interval: Interval | None
    p_value: float | None
    method: str
    scale: Literal["absolute", "relative"] = "absolute"
    relative: float | None = None
    relative_interval: Interval | None = None
    relative_method: str | None = None
    mde: float | None = None
    margin: float | None = None
    margin_kind: Literal["absolute", "relative"] | None = None
    margin_reason: str = ""
    limit: float | None = None
    state: str = ""
    adjusted_p_value: float | None = None
    multiplicity: str | None = None
    variance_reduction: float | None = None
    unadjusted: Interval | None = None
    unadjusted_estimate: float | None = None
    level: str | None = None
    segment: str | None = None
    not_computed: str | None = None
    notes: tuple[str, ...] = ()


class LookPoint(Part):
    """One look of one metric's sequential test. ``z`` is above 0 where the treatment looks better than the null.

    Attributes:
        information: share of the planned information reached.
        critical: z from which the look decides for the treatment (and below whose negative against it); None where the
            look spends nothing, or the rule has no boundary in z.
        futility: z at or below which the look stops for futility.
        spent: cumulative type-I error by this look, over both sides of a two-sided test.
        standard_error: of the estimate as it enters z, on the scale of the estimate.
        low, high: the repeated interval (or confidence sequence) of the effect at this look; None where open.
        p_value: repeated (or always-valid) p at this look.
    """

    k: int
    cut_off: datetime | None
    information: float
    z: float | None
    critical: float | None
    futility: float | None
    spent: float | None
    estimate: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    p_value: float | None


class PlannedLook(Part):
    """A look that was declared, and its boundary at the planned information."""

    information: float
    critical: float | None
    futility: float | None
    spent: float | None


class SequentialPath(Part):
    """A deciding metric over the looks taken: its boundaries, and what may be said after the stop.

    Attributes:
        boundary: by its name, with its parameter.
        level: confidence level of the repeated intervals, all looks together.
        null: the effect tested: 0, or the margin.
        standard_error: of the last look's estimate, which turns z into the metric's unit.
        stagewise_p_value, stagewise_interval, median_unbiased: by stage-wise ordering at the stop, in the metric's unit.
        not_computed: why these are None.
    """

    metric: str
    label: str
    role: Literal["primary", "must-hold", "harm-stop"]
    treatment: str
    segment: str | None
    segment_level: str | None
    unit: str
    scale: Literal["absolute", "relative"]
    direction: Literal["higher", "lower"]
    rule: Literal["group-sequential", "always-valid"]
    boundary: str
    alpha: float
    sides: int
    level: float
    null: float
    points: tuple[LookPoint, ...]
    planned: tuple[PlannedLook, ...]
    stagewise_p_value: float | None = None
    stagewise_interval: Interval | None = None
    median_unbiased: float | None = None
    not_computed: str | None = None


class Segment(Part):
    """A declared segment: the primary by level, with an interaction test. Never changes the verdict."""

    attribute: str
    comparisons: tuple[Comparison, ...]
    interaction_p_value: float | None
    interaction_method: str
    adjusted_interaction_p_value: float | None = None
    not_computed: str | None = None


class Sensitivity(Part):
    analysis: str
    comparison: Comparison


class ArmVerdict(Part):
    """The verdict for one treatment, and the row of the map that gave it."""

    treatment: str
    code: VerdictCode
    row: int
    reason: str
    sentence: str


class Verdict(Part):
    code: VerdictCode
    rule: str
    rule_in_words: str
    ships: str | None
    reasons: tuple[str, ...]
    sentence: str
    paragraph: str
    by_treatment: tuple[ArmVerdict, ...]


class Statement(Part):
    """One statement of SQL that ran, by the name of its step."""

    step: str
    sql: str


class Reproduce(Part):
    """What is needed to make these numbers again."""

    design_sha256: str
    manifest: tuple[dict[str, Any], ...]
    evidence_sha256: str
    evidence: dict[str, Any]
    versions: dict[str, str]
    statements: tuple[Statement, ...]
    ledger_head: str | None = None
    ledger_count: int | None = None


class Readout(Part):
    """A sealed result. ``sha256`` is over the canonical JSON of everything else."""

    schema_: Literal["readout/1"] = "readout/1"
    simulated: bool
    released_at: datetime
    registration: Registration
    design: dict[str, Any]
    look: Look
    validity: tuple[Check, ...]
    units: tuple[ArmUnits, ...]
    flow: dict[str, int]
    primary: tuple[Comparison, ...]
    guardrails: tuple[Comparison, ...]
    secondary: tuple[Comparison, ...]
    segments: tuple[Segment, ...]
    sensitivity: tuple[Sensitivity, ...]
    sequential: tuple[SequentialPath, ...] = ()
    verdict: Verdict
    limits: tuple[str, ...]
    plan_kept: tuple[Check, ...]
    reproduce: Reproduce

    def body(self) -> dict[str, Any]:
        """Everything as JSON values, without the seal."""
        values = self.model_dump(mode="json")
        values["schema"] = values.pop("schema_")
        return values

    @property
    def sha256(self) -> str:
        return sha256_of(self.body())

    def document(self) -> dict[str, Any]:
        """The machine form: the body and its SHA-256."""
        return {**self.body(), "sha256": self.sha256}

    def canonical(self) -> str:
        return canonical_json(self.document())

    @classmethod
    def of_document(cls, document: dict[str, Any]) -> Readout:
        """A readout from its machine form.

        Raises:
            ValueError: the seal does not match the content, or the schema is not this one.
        """
        values = dict(document)
        sealed = values.pop("sha256", None)
        if values.get("schema") != SCHEMA:
            raise ValueError(f"schema: {values.get('schema')!r} is not allowed; this version reads {SCHEMA}")
        values["schema_"] = values.pop("schema")
        readout = cls.model_validate(values)
        if readout.sha256 != sealed:
            raise ValueError(
                "sha256: the seal does not match the content; the document was changed after sealing"
            )
        return readout
