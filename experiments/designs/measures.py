"""Measures: each metric of a design in its role, with every default filled in and the metric pinned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from experiments.designs.declared_tests import default_test
from experiments.designs.metrics import Baseline, Catalogue, Metric
from experiments.designs.written import WrittenDesign
from experiments.designs.written_measures import Amount, Covariate, Guardrail, Primary


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

    role: Literal["primary", "must-hold", "monitor", "harm-stop", "secondary"]
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
    burn_in: int | None = None
    baseline: Baseline | None = None

    @property
    def label(self) -> str:
        return f"{self.metric.reference} by {self.segment}" if self.segment else self.metric.reference


def primary_of(written: WrittenDesign, catalogue: Catalogue, window: int) -> Measure:
    """The primary; ``window`` is the design's."""
    declared, superiority = written.primary, written.purpose == "superiority"
    return replace(
        _tested(declared, catalogue, window),
        test=_watched_test(written, declared, catalogue),
        alpha=declared.alpha or (0.05 if superiority else 0.025),
        sides=declared.sides or (2 if superiority else 1),
        mde=declared.mde,
    )


def guardrails_of(written: WrittenDesign, catalogue: Catalogue, window: int) -> tuple[Measure, ...]:
    """The guardrails in the order of their names; ``window`` is the design's."""
    resolved = [
        replace(
            _tested(declared, catalogue, window),
            role=declared.role,
            alpha=declared.alpha,
            reason=declared.reason,
            segment=declared.segment,
            minimum_units=declared.minimum_units,
            burn_in=declared.burn_in,
            test=_watched_test(written, declared, catalogue),
        )
        for declared in written.guardrails
    ]
    return tuple(sorted(resolved, key=lambda measure: measure.label))


def secondary_of(written: WrittenDesign, catalogue: Catalogue, window: int) -> tuple[Measure, ...]:
    """The secondary metrics in the order of their names; ``window`` is the design's."""
    metrics = sorted((catalogue[r] for r in written.secondary.metrics), key=lambda metric: metric.reference)
    return tuple(
        Measure(
            role="secondary",
            metric=metric,
            window=metric.window or window,
            test=default_test(metric, ()),
            alpha=0.05,
            sides=2,
            baseline=metric.baseline,
        )
        for metric in metrics
    )


def _watched_test(written: WrittenDesign, declared: Primary | Guardrail, catalogue: Catalogue) -> str:
    """The declared test; what a confidence sequence watches is tested as a mean."""
    metric = catalogue[declared.metric]
    harm_stop = isinstance(declared, Guardrail) and declared.role == "harm-stop"
    if metric.is_binary and (harm_stop or written.stopping.rule == "always-valid"):
        return "welch"
    return declared.test or default_test(metric, declared.covariates)


def _tested(declared: Primary | Guardrail, catalogue: Catalogue, window: int) -> Measure:
    """What the primary and a guardrail resolve alike."""
    metric = catalogue[declared.metric]
    return Measure(
        role="primary",
        metric=metric,
        window=declared.window or metric.window or window,
        test="",
        alpha=0.025,
        sides=1,
        margin=declared.margin,
        covariates=_covariates(declared.covariates, catalogue),
        without_history=declared.without_history,
        baseline=declared.baseline or metric.baseline,
    )


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
