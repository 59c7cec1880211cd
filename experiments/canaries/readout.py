"""The readout of one check of a canary: one immutable object that pages, files and the terminal render, and that is sealed.

It has the parts of an A/B readout where they mean the same (``experiments.readouts.readout``). There is no primary.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from experiments.canaries.verdict import Action, Call, CanaryCode
from experiments.forms.documents import canonical_json, sha256_of
from experiments.readouts.readout import ArmUnits, Check, Comparison, Part, Registration, Reproduce

SCHEMA = "canary-readout/1"

CheckDecision = Literal["CONTINUE", "STOP FOR HARM", "STOP AS INVALID", "PASSED", "TIME IS UP"]


class CanaryCheck(Part):
    """Which check this is, and where its cohort ends. Named and shaped as the look of an A/B readout.

    Attributes:
        k, of: the number of this check, and of all there may be.
        step: number of the step, from 1, of ``steps``; ``slot`` of ``slots`` is its place among those of the step.
        at: the declared time of the check; units exposed so long before it that they are mature take part.
        cut_off: exclusive: units first exposed before it could be mature.
        held, time_up: whether the step's hold time and its time limit are over.
        final: the last that the schedule has.
        share_of_plan: at which the spending functions are read.
    """

    k: int
    of: int
    step: int
    steps: int
    slot: int
    slots: int
    share: float
    began: datetime
    at: datetime
    cut_off: datetime | None
    watermark: datetime | None
    watermark_why: str
    held: bool
    time_up: bool
    final: bool
    share_of_plan: float
    steps_begun: tuple[datetime, ...]
    decision: CheckDecision = "CONTINUE"
    stopped_by_hand: bool = False


class StepUnits(Part):
    """One step: its share, when it began, and what became of the units first exposed in it, control first."""

    step: int
    share: float
    began: datetime | None
    minimum_units: int
    arms: tuple[ArmUnits, ...]
    information: float


class StepValue(Part):
    """One guardrail within one step: what it adds to the stratified comparison."""

    step: int
    control: float | None
    candidate: float | None
    n_control: int
    n_candidate: int
    weight: float
    left_out: str | None = None


class CheckPoint(Part):
    """One check of one guardrail's two sequential tests; z is above 0 where the candidate is worse than the margin.

    Attributes:
        share_of_plan: at which α was read.
        weight: Σ w_s of the units with a value.
        variance: of the score Σ w_s · gap.
        harm_critical: z at or above which it is beyond its margin; None where open.
        within_critical: −z at or above which it is within its margin.
        low, high: worsening not ruled out: low by the harm test, high by the test of "within margin"; on the margin's scale.
    """

    k: int
    at: datetime
    step: int
    share_of_plan: float
    weight: float
    variance: float
    z: float
    harm_critical: float | None
    harm_spent: float
    harm_p_value: float
    within_critical: float | None
    within_spent: float
    within_p_value: float
    estimate: float | None
    low: float | None
    high: float | None


class GuardrailReading(Part):
    """A guardrail (or one level of its segment) at this check.

    Attributes:
        comparison: candidate against control, stratified by step; its interval is open to no check's luck: its harmful side
            holds over all checks at the guardrail's α, its other side at that of the harm test.
        worsening: the estimate turned so that more is worse, on the margin's scale.
        by_step: the strata.
        points: this check and those before it.
        units_needed: further units in each arm, all mature, until its margin could be ruled out if the estimate stays; None
            where it is already settled, or where more of the same would not settle it.
        days_needed: at the rate of this step.
        outlook: that in words.
    """

    comparison: Comparison
    worsening: float | None
    margin: float
    harm_alpha: float
    within_alpha: float
    by_step: tuple[StepValue, ...]
    points: tuple[CheckPoint, ...]
    units_needed: int | None = None
    days_needed: float | None = None
    outlook: str = ""


class CanaryVerdict(Part):
    """What the check calls for, by the map.

    Attributes:
        code: the verdict; CONTINUE while the canary goes on.
        call: what was found, in the words of a canary.
        action: what follows by the declared plan.
        share: that may be served next: larger after "advance", 0 after "pause" and "roll back", else as it is.
    """

    code: CanaryCode
    call: Call
    action: Action
    row: int
    share: float
    rule_in_words: str
    reasons: tuple[str, ...]
    sentence: str
    paragraph: str = ""


class CanaryReadout(Part):
    """A sealed check. ``sha256`` is over the canonical JSON of everything else."""

    schema_: Literal["canary-readout/1"] = "canary-readout/1"
    simulated: bool
    released_at: datetime
    registration: Registration
    design: dict[str, Any]
    look: CanaryCheck
    validity: tuple[Check, ...]
    steps: tuple[StepUnits, ...]
    flow: dict[str, int]
    guardrails: tuple[GuardrailReading, ...]
    verdict: CanaryVerdict
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
    def of_document(cls, document: dict[str, Any]) -> CanaryReadout:
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
