"""One guardrail over all steps: each step's own difference, averaged with the steps' information, against the margin."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.effects import ArmEstimate, Effect
from analysis.proportions import Proportion, ScoreMethod
from analysis.quantiles import quantile_estimate
from analysis.ratios import ratio_estimate
from analysis.stratified import (
    compare_stratified,
    stratified_arms,
    weight,
)
from analysis.stratified_proportions import compare_stratified_proportions
from experiments.canaries.cohort import cohort_of
from experiments.canaries.design import CANDIDATE, CONTROL, CanaryDesign
from experiments.canaries.evidence import CanaryEvidence
from experiments.canaries.readout import StepValue
from experiments.cohorts.quantile_reading import quantile_arm
from experiments.designs.measures import Measure
from experiments.readouts.estimates import EVERYONE, Among, Estimator, proportion
from experiments.readouts.readout import ArmValue

METHODS = {
    "welch": "Welch t",
    "delta": "Welch t of the linearised ratio (delta method)",
    "quantile": "t of the difference of quantiles (outer order statistics, clustered by unit)",
}


@dataclass(frozen=True, slots=True)
class AgainstMargin:
    """The stratified test at the margin, turned so that more is worse.

    Attributes:
        effect: two-sided, at the level asked for; its null is the margin.
        z: above 0 where the candidate is worse than the margin; None where there is no test.
        weight: Σ w_s of the units with a value.
        missing: why the guardrail was not measured, else None.
    """

    effect: Effect
    z: float | None
    weight: float
    missing: str | None

    @property
    def variance(self) -> float:
        """Of the score Σ w_s · gap_s."""
        return (self.weight * (self.effect.standard_error or 0.0)) ** 2

    @property
    def gap(self) -> float | None:
        """Distance from the estimate to the margin on the scale of the standard error, above 0 inside it."""
        if self.effect.statistic is None or self.effect.standard_error is None or self.z is None:
            return None
        return -math.copysign(self.effect.statistic, self.z) * self.effect.standard_error


class StepEstimates:
    """Every guardrail of a canary, step by step, from one piece of evidence."""

    def __init__(self, design: CanaryDesign, evidence: CanaryEvidence) -> None:
        self.design, self.evidence = design, evidence
        cohort = cohort_of(design)
        self._steps = [
            (step.step, Estimator(cohort, evidence.of_step(step)))
            for step in evidence.steps
            if step.outcomes is not None
        ]

    def against_margin(self, index: int, alpha: float, among: Among = EVERYONE) -> AgainstMargin:
        """The declared test at the margin, and the interval of what it does not reject.

        Args:
            alpha: one-sided, of each bound.
        """
        measure = self.design.measures[index]
        null, multiple = limit_of(measure)
        if measure.test in {"score", "miettinen-nurminen"}:
            pairs = [
                (self._proportion(e, index, CONTROL, among), self._proportion(e, index, CANDIDATE, among))
                for _, e in self._steps
            ]
            method: ScoreMethod = "score" if measure.test == "score" else "miettinen-nurminen"
            effect = compare_stratified_proportions(
                pairs, alpha=2 * alpha, null=null, multiple=multiple, method=method
            )
            weights = [weight(control.n, candidate.n) for control, candidate in pairs]
        else:
            strata = [
                (self._estimate(e, index, CONTROL, among), self._estimate(e, index, CANDIDATE, among))
                for _, e in self._steps
            ]
            effect = compare_stratified(
                strata, method=METHODS[measure.test], alpha=2 * alpha, null=null, multiple=multiple
            )
            weights = list(stratified_arms(strata).weights)
        z = effect.z
        if z is not None and measure.metric.direction == "higher":
            z = -z
        missing = self._why_missing(index, effect, among)
        return AgainstMargin(effect, z if missing is None else None, math.fsum(weights), missing)

    def by_step(self, index: int, among: Among = EVERYONE) -> tuple[StepValue, ...]:
        """What each step adds to the comparison."""
        found = []
        for number, estimator in self._steps:
            control = estimator.arm_value(index, CONTROL, among)
            candidate = estimator.arm_value(index, CANDIDATE, among)
            left_out = None
            if self.design.measures[index].test in METHODS:
                pair = (
                    self._estimate(estimator, index, CONTROL, among),
                    self._estimate(estimator, index, CANDIDATE, among),
                )
                left_out = stratified_arms([pair]).left_out[0]
            found.append(
                StepValue(
                    step=number,
                    control=control.value,
                    candidate=candidate.value,
                    n_control=control.n,
                    n_candidate=candidate.n,
                    weight=0.0 if left_out else weight(control.n, candidate.n),
                    left_out=left_out,
                )
            )
        return tuple(found)

    def arm_value(self, index: int, arm: int, stratified: float | None, among: Among = EVERYONE) -> ArmValue:
        """An arm over all steps: its counts added up, its value as the stratified comparison averages it."""
        values = [estimator.arm_value(index, arm, among) for _, estimator in self._steps]
        successes = [value.successes for value in values if value.successes is not None]
        requests = [value.requests for value in values if value.requests is not None]
        return ArmValue(
            arm=self.design.arms[arm].name,
            n=sum(value.n for value in values),
            missing=sum(value.missing for value in values),
            value=stratified,
            successes=sum(successes) if successes else None,
            requests=sum(requests) if requests else None,
        )

    def levels_logged(self, segment: str) -> tuple[str, ...]:
        """Levels of a segment seen among the analysed units of any step."""
        found = {level for _, estimator in self._steps for level in estimator.levels(segment)}
        return tuple(sorted(found))

    def _why_missing(self, index: int, effect: Effect, among: Among) -> str | None:
        measure = self.design.measures[index]
        if not self._steps:
            return "no unit is mature yet"
        absent = set(self.evidence.absent_events()) & set(measure.metric.events())
        if absent:
            return f"since the canary began no row of the outcome logs is of event {', '.join(map(repr, sorted(absent)))}"
        arms = [self.arm_value(index, arm, None, among) for arm in (CONTROL, CANDIDATE)]
        few = [
            f"{arm.arm}: {arm.n:,} units with a value, {measure.minimum_units:,} declared"
            for arm in arms
            if arm.n < measure.minimum_units
        ]
        if few:
            return "; ".join(few)
        limit = self.design.written.rules.max_missing
        for arm in arms:
            units = arm.n + arm.missing
            if units and arm.missing / units > limit:
                return f"{arm.missing / units:.1%} of {arm.arm} has no value; at most {limit:.0%} is allowed"
        if effect.not_computed is not None:
            return effect.not_computed
        return None if effect.z is not None and math.isfinite(effect.z) else "no test statistic"

    def _proportion(self, estimator: Estimator, index: int, arm: int, among: Among) -> Proportion:
        return proportion(estimator.comoments(index, arm, among))

    def _estimate(self, estimator: Estimator, index: int, arm: int, among: Among) -> ArmEstimate:
        metric = self.design.measures[index].metric
        if metric.type == "quantile":
            held = estimator.outcomes.quantile(index, among.segment)
            for sums in held.arms if held else ():
                if held is not None and sums.arm == arm and sums.level == among.level:
                    return quantile_estimate(
                        quantile_arm(sums, metric.quantile or 0.5, held.scale, held.alpha)
                    )
            return ArmEstimate(0, None, None, 1.0, "no requests")
        moments = estimator.comoments(index, arm, among)
        return ratio_estimate(moments) if metric.type == "ratio" else ArmEstimate.of_mean(moments.marginal(0))


def limit_of(measure: Measure) -> tuple[float, float | None]:
    """The effect at the margin: a difference, or (with a relative margin) the multiple of control.

    Raises:
        ValueError: a measure without a margin.
    """
    if measure.margin is None:
        raise ValueError(f"{measure.label} has no margin")
    margin, higher = measure.margin.value, measure.metric.direction == "higher"
    if measure.margin.kind == "relative":
        return 0.0, 1 - margin if higher else 1 + margin
    return (-margin if higher else margin), None
