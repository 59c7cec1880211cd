"""A design as people write it: YAML fields or keyword arguments, with every default stated here.

Only ``title``, ``hypothesis``, ``arms``, ``primary`` and ``guardrails`` (or a reason for having none) have to be
written. What the fields mean together is checked in ``checks``; what they resolve to stands in ``design``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from experiments.durations import DAY, WEEK, Duration
from experiments.metrics import REFERENCE, Baseline, Frozen, Name


def _share(value: Any) -> Fraction:
    """0.5, ``50%`` and ``1/2`` are one share; decimals are taken as written, so thirds need ``1/3``."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{value!r} is not a share; write 0.5, 50% or 1/2")
    text = str(value).strip()
    try:
        return Fraction(text[:-1].strip()) / 100 if text.endswith("%") else Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{value!r} is not a share; write 0.5, 50% or 1/2") from None


def _reference(value: Any) -> str:
    if not isinstance(value, str) or REFERENCE.fullmatch(value) is None:
        raise ValueError(
            f"{value!r} is not a metric reference; write name or name@version, for example revenue@2"
        )
    return value


def _moment(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _one_line(value: str) -> str:
    return re.sub(r"\s+", " ", value).strip()


Share = Annotated[Fraction, BeforeValidator(_share), PlainSerializer(str, return_type=str)]
MetricReference = Annotated[str, BeforeValidator(_reference)]
Moment = Annotated[datetime, AfterValidator(_moment)]
Prose = Annotated[str, AfterValidator(_one_line)]
Column = Annotated[str, Field(min_length=1, max_length=200)]


class Amount(Frozen):
    """An effect or margin: ``{absolute: 0.015}`` in the metric's own unit, or ``{relative: 0.05}`` of control."""

    absolute: float | None = Field(default=None, gt=0)
    relative: float | None = Field(default=None, gt=0, lt=1)

    @model_validator(mode="before")
    @classmethod
    def _bare_number_is_absolute(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"absolute": value}
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> Amount:
        if (self.absolute is None) == (self.relative is None):
            raise ValueError(
                "give exactly one of absolute (in the metric's unit) and relative (a share of control)"
            )
        return self

    @property
    def kind(self) -> Literal["absolute", "relative"]:
        return "absolute" if self.absolute is not None else "relative"

    @property
    def value(self) -> float:
        return self.absolute if self.absolute is not None else (self.relative or 0.0)


class Hypothesis(Frozen):
    because: Prose = Field(min_length=5, description="why the change should work")
    expect: Literal["increase", "decrease", "no worsening"] = Field(
        description="what the primary metric will do"
    )
    population: Prose = Field(default="all eligible units", min_length=3)


class Units(Frozen):
    randomisation: Name = Field(default="user", description="the thing that is assigned")
    analysis: Name | None = Field(default=None, description="default: the randomisation unit")


class Arm(Frozen):
    name: Name
    share: Share | None = Field(default=None, description="default: equal shares")
    version: str | None = Field(default=None, min_length=1, description="model or flag version, or its hash")
    description: str = ""


class LayerSlot(Frozen):
    """A range of a layer: experiments with disjoint ranges of one layer share no unit."""

    name: Name
    start: Share = Fraction(0)
    end: Share = Fraction(1)


class AssignmentRule(Frozen):
    """How units come to arms. ``fairtrial``: our hash, so the log can be audited; ``external``: elsewhere."""

    key: str | None = Field(
        default=None, min_length=1, description="the experiment's key in the logs; default: from the title"
    )
    method: Literal["fairtrial", "external"] = "fairtrial"
    salt: str | None = Field(default=None, min_length=1, description="default: the key")
    layer: LayerSlot | None = None
    exposure: Literal["assignment", "exposures"] = Field(
        default="assignment",
        description="first moment the arms could differ: assignment itself, or the exposures log",
    )


class Condition(Frozen):
    """One eligibility condition on an attribute known before assignment."""

    attribute: Column
    is_: str | float | bool | None = Field(default=None, alias="is")
    is_not: str | float | bool | None = None
    one_of: tuple[str | float, ...] | None = None
    none_of: tuple[str | float, ...] | None = None
    at_least: float | None = None
    below: float | None = None

    model_config = ConfigDict(populate_by_name=True, extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _exactly_one(self) -> Condition:
        given = [
            name
            for name in ("is_", "is_not", "one_of", "none_of", "at_least", "below")
            if getattr(self, name) is not None
        ]
        if len(given) != 1:
            raise ValueError("give exactly one of is, is_not, one_of, none_of, at_least, below")
        return self


class Covariate(Frozen):
    """A pre-exposure quantity for CUPED: the metric itself over a window before exposure, or an attribute."""

    metric: MetricReference | None = None
    attribute: Column | None = None
    window: Duration = Field(default=2 * WEEK, gt=0, description="how long before first exposure")
    variance_reduction: float | None = Field(
        default=None, ge=0, lt=1, description="expected 1 − (1 − R²); used for n only when given"
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Covariate:
        if (self.metric is None) == (self.attribute is None):
            raise ValueError("give exactly one of metric (over a window before exposure) and attribute")
        return self


class Primary(Frozen):
    metric: MetricReference
    mde: Amount | None = Field(
        default=None, description="the smallest improvement worth shipping, for example 0.015"
    )
    margin: Amount | None = Field(
        default=None, description="non-inferiority only: the largest worsening accepted"
    )
    alpha: float = Field(
        default=0.05, gt=0, le=0.10, description="two-sided for superiority, one-sided for non-inferiority"
    )
    sides: Literal[1, 2] | None = Field(
        default=None, description="default: 2 for superiority, 1 for non-inferiority"
    )
    one_sided_reason: Prose | None = None
    test: Literal["welch", "score", "miettinen-nurminen", "delta", "quantile"] | None = Field(
        default=None, description="default by type: score for yes/no, welch for means, delta for ratios"
    )
    window: Duration | None = None
    covariates: tuple[Covariate, ...] = Field(default=(), max_length=5)
    without_history: Literal["zero", "exclude"] = Field(
        default="zero", description="units without a pre-period value"
    )
    baseline: Baseline | None = None


class Guardrail(Frozen):
    metric: MetricReference
    margin: Amount = Field(description="the largest worsening you would still accept, absolute or relative")
    reason: Prose = Field(min_length=10, description="why this margin: from cost, not from data")
    alpha: float = Field(default=0.025, gt=0, le=0.10, description="one-sided")
    role: Literal["must-hold", "monitor"] = "must-hold"
    test: Literal["welch", "score", "delta", "quantile"] | None = None
    window: Duration | None = None
    segment: Column | None = Field(default=None, description="every level of this attribute must hold")
    covariates: tuple[Covariate, ...] = Field(default=(), max_length=5)
    minimum_units: int = Field(default=2, ge=2, description="fewer analysed units in an arm: missing")
    baseline: Baseline | None = None


class Secondary(Frozen):
    metrics: tuple[MetricReference, ...] = Field(default=(), max_length=10)
    multiplicity: Literal["holm", "benjamini-hochberg"] = "holm"


class Power(Frozen):
    power: float = Field(default=0.80, ge=0.5, le=0.99)
    reason: Prose | None = Field(default=None, description="required below 0.80")
    units_per_day: float | None = Field(default=None, gt=0, description="expected traffic, all arms together")
    design_effect: float = Field(default=1.0, ge=1, description="variance inflation by clusters")
    units_per_arm: int | None = Field(
        default=None, ge=2, description="smallest arm; overrides the computed n, with a reason when smaller"
    )
    override_reason: Prose | None = None


class FixedRule(Frozen):
    """One look, at the first whole step of enrolment at which the planned information has come."""

    rule: Literal["fixed"] = "fixed"
    minimum_duration: Duration | None = Field(
        default=None, gt=0, description="of enrolment; default: from traffic, in whole weeks"
    )
    maximum_duration: Duration | None = Field(
        default=None, gt=0, description="of enrolment; default: twice the minimum"
    )
    step: Duration = Field(
        default=WEEK, ge=DAY, description="enrolment ends on whole steps, so that weekdays balance"
    )
    part_weeks_reason: Prose | None = None
    if_short: Literal["read", "abandon"] = Field(
        default="read", description="too few units at the maximum duration"
    )


class Rules(Frozen):
    several_arms: Literal["exclude", "first arm", "delivered arm"] = "exclude"
    warn_crossover: float = Field(default=0.01, ge=0, le=1)
    fail_crossover: float = Field(
        default=0.05, ge=0, le=1, description="larger share of units in several arms: INVALID"
    )
    delivered_differs: Literal["keep", "exclude"] = Field(
        default="keep", description="units whose delivered arm is not the assigned one"
    )
    missing_outcomes: Literal["as the metric says", "failure"] = Field(
        default="as the metric says", description="failure: a missing yes/no outcome counts as 0"
    )
    max_missing: float = Field(
        default=1.0, gt=0, le=1, description="larger missing share of a metric: not measured"
    )


class Validity(Frozen):
    alpha: float = Field(default=0.001, gt=0, le=0.05, description="the SRM α: shared by all blocking checks")
    minimum_join_rate: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="share of analysed units with any event; below: the look is held",
    )
    max_clock_oddities: float = Field(
        default=0.01, ge=0, le=1, description="share of rows with impossible times; above: the look is held"
    )
    max_assignment_mismatch: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of units whose logged arm is not the hash's; above: INVALID",
    )


class WrittenDesign(Frozen):
    """Everything that may be written. Fields marked ‘not part of the hash’ may change without amending the plan."""

    title: Annotated[str, AfterValidator(_one_line), Field(min_length=10, max_length=120)]
    hypothesis: Hypothesis
    arms: tuple[Arm, ...] = Field(min_length=2, description="control first")
    primary: Primary
    guardrails: tuple[Guardrail, ...] = Field(default=(), max_length=8)
    no_guardrails_reason: Prose | None = None

    purpose: Literal["superiority", "non-inferiority"] = "superiority"
    background: Prose = ""
    outcome_data_seen: Prose = Field(
        default="no", description="'no', or what was seen of these units' outcomes"
    )
    units: Units = Units()
    assignment: AssignmentRule = AssignmentRule()
    eligibility: tuple[Condition, ...] = ()
    secondary: Secondary = Secondary()
    segments: tuple[Column, ...] = Field(default=(), max_length=5, description="pre-exposure attributes")
    sensitivity: tuple[Literal["unadjusted", "uncapped", "per-protocol"], ...] = ()
    window: Duration | None = Field(default=None, gt=0, description="default: the primary metric's, else 7d")
    label_delay: Duration = Field(default=0, description="how long until an outcome is surely in the log")
    maturity: Duration | None = Field(default=None, gt=0, description="default: window + label_delay")
    power: Power = Power()
    stopping: FixedRule = FixedRule()
    rules: Rules = Rules()
    validity: Validity = Validity()
    multiple_treatments: Literal["holm", "bonferroni"] = Field(
        default="holm", description="over treatments, against control"
    )
    which_ships: Literal["largest effect", "first listed"] = Field(
        default="largest effect", description="when several may"
    )
    decision_rule: Literal["R-1", "R-2"] | None = Field(
        default=None, description="default: R-1 superiority, R-2 non-inferiority"
    )
    source: Name = Field(default="main", description="which source of the sources files")
    anything_else: Prose = Field(default="", description="blank prints: Nothing else was pre-registered.")

    owner: str | None = Field(default=None, description="not part of the hash")
    team: str | None = Field(default=None, description="not part of the hash")
    links: tuple[str, ...] = Field(default=(), description="not part of the hash")
    tags: tuple[str, ...] = Field(default=(), description="not part of the hash")
    expected_start: Moment | None = Field(default=None, description="not part of the hash")
    rollback: str = Field(default="", description="how to undo this, and who does; not part of the hash")


ADMINISTRATIVE = ("title", "owner", "team", "links", "tags", "expected_start", "rollback")
