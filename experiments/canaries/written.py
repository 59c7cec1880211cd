"""A canary as people write it: YAML fields or keyword arguments, with every default stated here.

Only ``title``, ``model``, ``candidate``, ``champion``, ``steps`` and ``guardrails`` have to be written. What the fields mean
together is checked in ``meaning``; what they resolve to stands in ``design``. A canary has no primary: it asks whether a
candidate is safe at small scale, and leaves to the A/B test whether it is better.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final, Literal

from pydantic import Field

from experiments.designs.metrics import Baseline
from experiments.designs.written import Condition, Rules, Validity
from experiments.designs.written_measures import Amount
from experiments.designs.written_stopping import Spending
from experiments.forms.durations import Duration
from experiments.forms.spellings import (
    Column,
    Count,
    Frozen,
    MetricReference,
    Moment,
    Name,
    Number,
    Prose,
    Rate,
    Share,
)

DEFAULT_SPENDING: Final[Spending] = "lan-demets-pocock"
LARGEST_SHARE: Final = Fraction(1, 2)
FEWEST_UNITS: Final = 30
"""The boundaries are those of large samples; with fewer units in an arm a check would err more often than it says."""

Needs = Literal["within margin", "no breach"]
Unanswered = Literal["hold", "proceed", "roll back"]


class ModelVersion(Frozen):
    """One of the two versions of the model."""

    version: str = Field(min_length=1, description="the version in the serving system")
    hash: str | None = Field(default=None, min_length=1, description="of the artefact that is served")
    arm: Name | None = Field(
        default=None,
        description="what the logs call its users; default: candidate, and control for the champion",
    )


class Step(Frozen):
    """One share of the traffic, how long it is held, and what it takes to go on."""

    share: Share = Field(
        gt=0, description="of all units that get the candidate: 1%, 0.05; control is as large"
    )
    hold: Duration = Field(gt=0, description="how long the share is held before it may grow: 24h")
    minimum_units: Count = Field(
        ge=FEWEST_UNITS, description="mature units of this step in each arm before the step can be answered"
    )
    needs: Needs = Field(
        default="within margin",
        description="to go on: every guardrail within its margin, or none of them beyond it",
    )
    time_limit: Duration | None = Field(
        default=None, gt=0, description="how long the step may stay unanswered; default: the canary's"
    )
    when_unanswered: Unanswered | None = Field(
        default=None, description="what happens when that time is up; default: the canary's"
    )


class CanaryGuardrail(Frozen):
    """A metric that must not be harmed. ``alpha`` is that of the claim "within margin", over all checks."""

    metric: MetricReference = Field(description="name (its newest version) or name@version")
    margin: Amount = Field(
        description="the largest worsening you would still accept, for example {relative: 2%}"
    )
    reason: Prose = Field(min_length=10, description="why this margin: from cost, not from data")
    alpha: Rate = Field(
        default=0.025,
        gt=0,
        le=0.10,
        description="one-sided, over all checks: that it is called within its margin though it is not",
    )
    test: Literal["welch", "score", "miettinen-nurminen", "delta", "quantile"] | None = Field(
        default=None, description="default by type: score for yes/no, welch for means, delta for ratios"
    )
    window: Duration | None = Field(
        default=None, gt=0, description="default: the metric's, else the canary's"
    )
    segment: Column | None = Field(default=None, description="every level of this attribute must hold")
    levels: tuple[str, ...] = Field(
        default=(),
        max_length=20,
        description="of the segment; each has its own test, and a level that is logged and not listed is missing",
    )
    minimum_units: Count = Field(
        default=2,
        ge=2,
        description="fewer mature units in an arm, all steps together: missing, which never passes",
    )
    baseline: Baseline | None = Field(default=None, description="default: the catalogue's")

    @property
    def role(self) -> Literal["must-hold"]:
        """As of an A/B design's guardrail: every one decides."""
        return "must-hold"

    @property
    def covariates(self) -> tuple[()]:
        """None: at a check within hours of exposure there is little history to adjust by, and no time to look at it."""
        return ()


class Harm(Frozen):
    """The sequential harm test: one budget of error for the whole canary."""

    alpha: Rate = Field(
        default=0.05,
        gt=0,
        le=0.20,
        description="one-sided, over all steps and checks: that a candidate no worse than its margins is stopped as harmful",
    )
    shared: Literal["bonferroni", "each"] = Field(
        default="bonferroni", description="α divided by the guardrails, or that of each guardrail by itself"
    )
    spending: Spending = Field(default=DEFAULT_SPENDING, description="how α is spent over the checks")
    parameter: Number | None = Field(default=None, description="its rho or gamma")


class Checks(Frozen):
    """When the guardrails are read within a step."""

    every: Duration | None = Field(
        default=None,
        gt=0,
        description="a check this often within a step; default: at the end of its hold time",
    )
    spending: Spending = Field(
        default=DEFAULT_SPENDING, description='how the α of "within margin" is spent over the checks'
    )
    parameter: Number | None = Field(default=None, description="its rho or gamma")


class CanaryPower(Frozen):
    """What the canary is to achieve, and the traffic that it rests on."""

    power: Rate = Field(
        default=0.80,
        ge=0.5,
        le=0.99,
        description="that a candidate with one guardrail at twice its margin is stopped",
    )
    stops_before: Count | None = Field(
        default=None, ge=1, description="users who have met the candidate by then, at most"
    )
    units_per_day: Number | None = Field(
        default=None,
        gt=0,
        description="units of the whole traffic that come anew each day, both arms and all others",
    )


class CanaryAssignment(Frozen):
    """How units come to the candidate and to control."""

    key: str | None = Field(
        default=None, min_length=1, description="the experiment in the logs; default: made from the title"
    )
    method: Literal["fairtrial", "external"] = Field(
        default="fairtrial",
        description="our hash, so that the log can be audited; or assignment made elsewhere",
    )
    salt: str | None = Field(
        default=None, min_length=1, description="what the hash mixes in; default: the key"
    )
    outside: Name | None = Field(
        default=None,
        description="what the logs call units that are not in the canary, if they log them; the shares are then held against "
        "all traffic",
    )
    exposure: Literal["assignment", "exposures"] = Field(
        default="assignment",
        description="first moment the arms could differ: assignment itself, or the exposures log",
    )


class WrittenCanary(Frozen):
    """Everything that may be written. The fields of ``ADMINISTRATIVE`` may change without amending the plan."""

    title: Prose = Field(min_length=10, max_length=120, description="which candidate, for whom")
    model: Name = Field(description="the model whose candidate is rolled out")
    champion: ModelVersion = Field(description="the version that is served now")
    candidate: ModelVersion = Field(description="the version that is to replace it")
    steps: tuple[Step, ...] = Field(
        min_length=1, max_length=10, description="growing shares, the largest at most 50%"
    )
    guardrails: tuple[CanaryGuardrail, ...] = Field(
        min_length=1, max_length=8, description="what must not be harmed, each with a margin"
    )

    checks: Checks = Field(default=Checks(), description="when the guardrails are read")
    harm: Harm = Field(default=Harm(), description="the harm test over all of them")
    breach: Literal["pause", "roll back"] = Field(
        default="roll back", description="what a guardrail beyond its margin does, at once"
    )
    time_limit: Duration | None = Field(
        default=None, gt=0, description="how long a step may stay unanswered; default: twice its hold time"
    )
    when_unanswered: Unanswered = Field(
        default="hold", description="what happens when that time is up: hold the share, go on, or roll back"
    )
    unit: Name = Field(default="user", description="the thing that is assigned")
    assignment: CanaryAssignment = Field(default=CanaryAssignment(), description="how units come to arms")
    eligibility: tuple[Condition, ...] = Field(
        default=(), description="who can enter; nothing that the candidate could change; all conditions hold"
    )
    window: Duration | None = Field(default=None, gt=0, description="how long outcomes count; default: 1h")
    label_delay: Duration = Field(default=0, description="how long until an outcome is surely in the log")
    maturity: Duration | None = Field(
        default=None, gt=0, description="when a unit may be analysed; default: window + label_delay"
    )
    power: CanaryPower = Field(default=CanaryPower(), description="what it is to achieve")
    rules: Rules = Field(default=Rules(), description="what becomes of irregular units")
    validity: Validity = Field(default=Validity(), description="what blocks or holds a check")
    days_without_rows: Literal["hold", "allow"] = Field(
        default="hold",
        description="a whole day without any row of a log: hold the check, or take it for true",
    )
    source: Name = Field(default="main", description="which source of the sources files")
    anything_else: Prose = Field(default="", description="whatever else is fixed now")

    background: Prose = Field(default="", description="what is different in the candidate, for a stranger")
    owner: str | None = Field(default=None, description="who answers for it")
    model_owner: str | None = Field(default=None, description="who answers for the model")
    reviewer: str | None = Field(default=None, description="who is to lock the plan; not the owner")
    deciders: tuple[str, ...] = Field(default=(), description="who may decide on the verdict")
    team: str | None = Field(default=None, description="whose model it is")
    links: tuple[str, ...] = Field(default=(), description="tickets, documents")
    tags: tuple[str, ...] = Field(default=(), description="to find it again")
    expected_start: Moment | None = Field(default=None, description="a date or moment; UTC unless it says so")
    rollback: Prose = Field(default="", description="how to undo this, and who does")


ADMINISTRATIVE: Final = (
    "title",
    "background",
    "owner",
    "model_owner",
    "reviewer",
    "deciders",
    "team",
    "links",
    "tags",
    "expected_start",
    "rollback",
)
"""What may change without amending the plan; not part of the hash."""
