"""Measures as people write them: the primary, guardrails, secondary metrics, with their effects, margins and covariates."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from experiments.designs.metrics import Baseline
from experiments.forms.durations import WEEK, Duration
from experiments.forms.spellings import Column, Count, Frozen, MetricReference, Number, Prose, Rate, shown


class Amount(Frozen):
    """An effect or margin: ``{absolute: 0.015}`` in the metric's own unit, or ``{relative: 0.05}`` of control."""

    absolute: Number | None = Field(default=None, gt=0, description="in the metric's own unit")
    relative: Rate | None = Field(default=None, gt=0, lt=1, description="as a share of control, 5% or 0.05")

    @model_validator(mode="before")
    @classmethod
    def _bare_number_is_absolute(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"absolute": value}
        if value is not None and not isinstance(value, dict | Amount):
            raise ValueError(
                f"{shown(value)} is not allowed; write {{absolute: 0.015}} in the metric's unit or {{relative: 5%}} of control"
            )
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


class Covariate(Frozen):
    """A pre-exposure quantity for CUPED: a metric over a window before exposure, or an attribute."""

    metric: MetricReference | None = Field(
        default=None, description="measured before each unit's first exposure"
    )
    attribute: Column | None = Field(default=None, description="or a pre-exposure attribute that is a number")
    window: Duration = Field(
        default=2 * WEEK, gt=0, description="of the metric: how long before first exposure"
    )
    variance_reduction: Rate | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="share of the variance it is expected to remove; without it the sample size counts on nothing",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Covariate:
        if (self.metric is None) == (self.attribute is None):
            raise ValueError("give exactly one of metric (over a window before exposure) and attribute")
        return self


class Primary(Frozen):
    metric: MetricReference = Field(description="name (its newest version) or name@version")
    mde: Amount | None = Field(
        default=None,
        description="superiority: the smallest improvement worth shipping, for example {absolute: 0.015}",
    )
    margin: Amount | None = Field(
        default=None, description="non-inferiority: the largest worsening you would still accept"
    )
    alpha: Rate | None = Field(
        default=None,
        gt=0,
        le=0.10,
        description="default: 0.05 two-sided for superiority, 0.025 one-sided for non-inferiority",
    )
    sides: Literal[1, 2] | None = Field(
        default=None, description="default: 2 for superiority, 1 for non-inferiority"
    )
    one_sided_reason: Prose | None = Field(
        default=None, min_length=5, description="required for one-sided superiority"
    )
    test: Literal["welch", "score", "miettinen-nurminen", "delta", "quantile"] | None = Field(
        default=None,
        description="default by type: score for yes/no, welch for means and with covariates, delta for ratios",
    )
    window: Duration | None = Field(
        default=None, gt=0, description="default: the metric's, else the design's"
    )
    covariates: tuple[Covariate, ...] = Field(default=(), max_length=5, description="CUPED adjustment")
    without_history: Literal["zero", "exclude"] = Field(
        default="zero", description="a unit without a pre-period value: its covariate is 0, or it is left out"
    )
    baseline: Baseline | None = Field(default=None, description="default: the catalogue's")


class Guardrail(Frozen):
    metric: MetricReference = Field(description="name (its newest version) or name@version")
    margin: Amount = Field(
        description="the largest worsening you would still accept, for example {relative: 2%}"
    )
    reason: Prose = Field(min_length=10, description="why this margin: from cost, not from data")
    alpha: Rate = Field(default=0.025, gt=0, le=0.10, description="one-sided; the interval is at 1 − 2α")
    role: Literal["must-hold", "monitor", "harm-stop"] = Field(
        default="must-hold",
        description="must-hold decides; monitor is shown; harm-stop is watched and ends the experiment at once",
    )
    burn_in: Count | None = Field(
        default=None,
        ge=2,
        description="harm-stop: units of the two arms compared before which it says nothing; required",
    )
    test: Literal["welch", "score", "miettinen-nurminen", "delta", "quantile"] | None = Field(
        default=None, description="default by type, as for the primary"
    )
    window: Duration | None = Field(
        default=None, gt=0, description="default: the metric's, else the design's"
    )
    segment: Column | None = Field(
        default=None,
        description="every level of this attribute must hold; the sample size is that for all units together",
    )
    covariates: tuple[Covariate, ...] = Field(default=(), max_length=5, description="CUPED adjustment")
    without_history: Literal["zero", "exclude"] = Field(default="zero", description="as for the primary")
    minimum_units: Count = Field(
        default=2, ge=2, description="fewer analysed units in an arm: missing, which never passes"
    )
    baseline: Baseline | None = Field(default=None, description="default: the catalogue's")


class Secondary(Frozen):
    metrics: tuple[MetricReference, ...] = Field(
        default=(), max_length=10, description="supporting evidence only"
    )
    multiplicity: Literal["holm", "benjamini-hochberg"] = Field(
        default="holm", description="over all of them"
    )
