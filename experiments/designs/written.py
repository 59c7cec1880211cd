"""A design as people write it: YAML fields or keyword arguments, with every default stated here.

Only ``title``, ``hypothesis``, ``arms``, ``primary`` and ``guardrails`` (or a reason for having none) have to be
written. What the fields mean together is checked in ``meaning``; what they resolve to stands in ``design``. The table
in docs/design.md is made of the descriptions here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from experiments.designs.written_measures import Amount as Amount
from experiments.designs.written_measures import Covariate as Covariate
from experiments.designs.written_measures import Guardrail, Primary, Secondary
from experiments.designs.written_stopping import Futility as Futility
from experiments.designs.written_stopping import Stopping
from experiments.forms.durations import WEEK, Duration
from experiments.forms.spellings import Column as Column
from experiments.forms.spellings import Count, Frozen, Name, Number, Prose, Rate, Share
from experiments.forms.spellings import Moment as Moment

DEFAULT_WINDOW = WEEK


class Hypothesis(Frozen):
    because: Prose = Field(min_length=5, description="why the change should work")
    expect: Literal["increase", "decrease", "no worsening"] = Field(
        description="what the primary metric will do"
    )
    population: Prose = Field(default="all eligible units", min_length=3, description="for whom")


class Units(Frozen):
    randomisation: Name = Field(default="user", description="the thing that is assigned")
    analysis: Name | None = Field(
        default=None,
        description="what is averaged over; default: the randomisation unit; if finer, ratio or quantile metrics",
    )


class Arm(Frozen):
    name: Name = Field(description="the arm in the logs; the first arm is control")
    share: Share | None = Field(
        default=None, description="0.5, 50% or 1/2; default: equal shares; kept exactly"
    )
    version: str | None = Field(default=None, min_length=1, description="model or flag version, or its hash")
    description: Prose = Field(default="", description="for people")


class LayerSlot(Frozen):
    """A range of a layer: experiments with disjoint ranges of one layer share no unit."""

    name: Name = Field(description="the layer; experiments in one layer can exclude one another")
    start: Share = Field(default=Fraction(0), description="where this experiment's part of the layer starts")
    end: Share = Field(default=Fraction(1), description="where it ends, exclusive")


class AssignmentRule(Frozen):
    """How units come to arms."""

    key: str | None = Field(
        default=None,
        min_length=1,
        description="the experiment in the logs; default: made from the title (then a new title is a new key)",
    )
    method: Literal["fairtrial", "external"] = Field(
        default="fairtrial",
        description="our hash, so that the log can be audited; or assignment made elsewhere",
    )
    salt: str | None = Field(
        default=None, min_length=1, description="what the hash mixes in; default: the key"
    )
    layer: LayerSlot | None = Field(default=None, description="default: all units, no layer")
    exposure: Literal["assignment", "exposures"] = Field(
        default="assignment",
        description="first moment the arms could differ: assignment itself, or the exposures log",
    )


class Condition(Frozen):
    """One eligibility condition on an attribute known before assignment; a missing value is never eligible."""

    attribute: Column = Field(description="a pre-exposure attribute of the assignments log")
    is_: str | Number | bool | None = Field(default=None, alias="is", description="equal to")
    is_not: str | Number | bool | None = Field(default=None, description="different from")
    one_of: tuple[str | Number, ...] | None = Field(default=None, min_length=1, description="one of these")
    none_of: tuple[str | Number, ...] | None = Field(default=None, min_length=1, description="none of these")
    at_least: Number | None = Field(default=None, description="this number or more")
    below: Number | None = Field(default=None, description="less than this number")

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    @model_validator(mode="after")
    def _exactly_one(self) -> Condition:
        given = (self.is_, self.is_not, self.one_of, self.none_of, self.at_least, self.below)
        if sum(condition is not None for condition in given) != 1:
            raise ValueError("give exactly one of is, is_not, one_of, none_of, at_least, below")
        return self


class Power(Frozen):
    power: Rate = Field(
        default=0.80,
        ge=0.5,
        le=0.99,
        description="that the verdict is SHIP if the MDE is true and nothing harmed",
    )
    reason: Prose | None = Field(default=None, min_length=5, description="required for power below 0.80")
    units_per_day: Number | None = Field(
        default=None,
        gt=0,
        description="expected traffic of this experiment, all arms together; what follows from it is locked, it is not",
    )
    design_effect: Number = Field(
        default=1.0, ge=1, description="variance inflation by clusters beyond the unit"
    )
    units_per_arm: Count | None = Field(
        default=None,
        ge=2,
        description="in the smallest arm, instead of the computed number; smaller needs a reason",
    )
    override_reason: Prose | None = Field(
        default=None, min_length=5, description="required for fewer units than computed"
    )


class Rules(Frozen):
    several_arms: Literal["exclude", "first arm", "delivered arm"] = Field(
        default="exclude", description="units in more than one arm"
    )
    warn_crossover: Rate = Field(
        default=0.01, ge=0, le=1, description="share of units in several arms that warns"
    )
    fail_crossover: Rate = Field(
        default=0.05, ge=0, le=1, description="a larger share of units in several arms: INVALID"
    )
    delivered_differs: Literal["keep", "exclude"] = Field(
        default="keep", description="units whose delivered arm is not the assigned one"
    )
    missing_outcomes: Literal["as the metric says", "failure"] = Field(
        default="as the metric says", description="failure: a missing yes/no outcome counts as 0"
    )
    max_missing: Rate = Field(
        default=1.0, gt=0, le=1, description="a larger missing share of a metric: not measured"
    )


class Validity(Frozen):
    alpha: Rate = Field(
        default=0.001, gt=0, le=0.05, description="the SRM α, shared by all checks that block a readout"
    )
    minimum_join_rate: Rate = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of analysed units with any row; below, or none at all: the look is held",
    )
    max_clock_oddities: Rate = Field(
        default=0.01, ge=0, le=1, description="share of rows with impossible times; above: the look is held"
    )
    max_assignment_mismatch: Rate = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of units whose logged arm is not the hash's; above: INVALID",
    )


class WrittenDesign(Frozen):
    """Everything that may be written. The fields of ``ADMINISTRATIVE`` may change without amending the plan."""

    title: Prose = Field(min_length=10, max_length=120, description="what changes, for whom")
    hypothesis: Hypothesis = Field(description="one sentence, one metric, one direction")
    arms: tuple[Arm, ...] = Field(
        min_length=2, description="control first; the order is part of the plan, since the hash assigns by it"
    )
    primary: Primary = Field(description="exactly one metric; others can be secondary")
    guardrails: tuple[Guardrail, ...] = Field(
        default=(), max_length=8, description="what must not be harmed, each with a margin"
    )
    no_guardrails_reason: Prose | None = Field(
        default=None, min_length=10, description="required without guardrails"
    )

    purpose: Literal["superiority", "non-inferiority"] = Field(
        default="superiority", description="what the primary has to show"
    )
    outcome_data_seen: Prose = Field(
        default="no", description="no, or in at least 50 characters what was seen of these units' outcomes"
    )
    units: Units = Field(default=Units(), description="what is assigned and what is analysed")
    assignment: AssignmentRule = Field(default=AssignmentRule(), description="how units come to arms")
    eligibility: tuple[Condition, ...] = Field(
        default=(), description="who can enter; nothing that the treatment could change; all conditions hold"
    )
    secondary: Secondary = Field(default=Secondary(), description="metrics that do not decide")
    segments: tuple[Column, ...] = Field(
        default=(), max_length=5, description="pre-exposure attributes by which the primary is shown"
    )
    sensitivity: tuple[Literal["unadjusted", "uncapped", "per-protocol"], ...] = Field(
        default=(),
        description="the primary once more: without covariates, without cap, delivered as assigned",
    )
    window: Duration | None = Field(
        default=None, gt=0, description="how long outcomes count; default: the primary's, else 7d"
    )
    label_delay: Duration = Field(default=0, description="how long until an outcome is surely in the log")
    maturity: Duration | None = Field(
        default=None, gt=0, description="when a unit may be analysed; default: window + label_delay"
    )
    power: Power = Field(default=Power(), description="the sample size, and what it rests on")
    stopping: Stopping = Field(default=Stopping(), description="when outcomes are read")
    rules: Rules = Field(default=Rules(), description="what becomes of irregular units")
    validity: Validity = Field(default=Validity(), description="what blocks or holds a readout")
    multiple_treatments: Literal["holm", "bonferroni", "dunnett"] | None = Field(
        default=None,
        description="how several treatments share the primary's α; default: holm with one look, bonferroni with several",
    )
    which_ships: Literal["largest effect", "first listed"] = Field(
        default="largest effect", description="when several treatments may"
    )
    decision_rule: Literal["R-1", "R-2"] | None = Field(
        default=None, description="default: R-1 for superiority, R-2 for non-inferiority"
    )
    source: Name = Field(default="main", description="which source of the sources files")
    anything_else: Prose = Field(
        default="", description="whatever else is fixed now; blank prints: Nothing else was pre-registered."
    )

    background: Prose = Field(default="", description="what is different between the arms, for a stranger")
    owner: str | None = Field(default=None, description="who answers for it")
    reviewer: str | None = Field(default=None, description="who is to lock the plan; not the owner")
    deciders: tuple[str, ...] = Field(default=(), description="who may decide on the verdict")
    team: str | None = Field(default=None, description="whose experiment it is")
    links: tuple[str, ...] = Field(default=(), description="tickets, documents")
    tags: tuple[str, ...] = Field(default=(), description="to find it again")
    expected_start: Moment | None = Field(default=None, description="a date or moment; UTC unless it says so")
    rollback: Prose = Field(default="", description="how to undo this, and who does")


ADMINISTRATIVE = (
    "title",
    "background",
    "owner",
    "reviewer",
    "deciders",
    "team",
    "links",
    "tags",
    "expected_start",
    "rollback",
)
"""What may change without amending the plan; not part of the hash."""
