"""From evidence to effects: each measure by its declared test, and what the result means against MDE or margin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import chi2, norm

from analysis.adjustment import Adjustment, adjust_means
from analysis.effects import Effect, compare_means, compare_to_multiple
from analysis.guardrails import Guardrail, GuardrailState, judge_effect, worst
from analysis.inference import Alternative
from analysis.moments import CoMoments
from analysis.proportions import Proportion, ScoreMethod, compare_proportions, compare_proportions_to_multiple
from analysis.quantiles import compare_quantiles, compare_quantiles_to_multiple
from analysis.ratios import compare_ratios, compare_ratios_to_multiple
from experiments.cohort import Fate
from experiments.design import Design, Measure
from experiments.evidence import Evidence, FamilyEvidence, QuantileEvidence, units_in
from experiments.quantile_reading import quantile_arm
from experiments.readout import ArmValue, Comparison, Interval
from experiments.verdict import PrimaryState


@dataclass(frozen=True, slots=True)
class ArmData:
    """One arm of one measure (at one level): co-moments, or a quantile."""

    comoments: CoMoments | None
    quantile: QuantileEvidence | None
    arm: int
    level: str | None = None


class Estimator:
    """Effects of one design from one piece of evidence."""

    def __init__(self, design: Design, evidence: Evidence) -> None:
        if evidence.outcomes is None:
            raise ValueError("the evidence holds no outcomes")
        self.design, self.evidence, self.outcomes = design, evidence, evidence.outcomes
        self.analysed = [
            units_in(evidence.cohort.fates, arm, Fate.ANALYSED) for arm in range(len(design.arms))
        ]

    def effect(
        self,
        index: int,
        treatment: int,
        *,
        alpha: float,
        alternative: Alternative = "two-sided",
        null: float = 0.0,
        multiple: float | None = None,
        variant: str = "declared",
        segment: str | None = None,
        level: str | None = None,
    ) -> tuple[Effect, Adjustment | None]:
        """The declared test of one treatment against control.

        Args:
            null: difference tested; with ``multiple`` the test is of treatment = multiple · control instead.
        """
        measure = self.design.measures[index]
        if measure.metric.type == "quantile":
            return self._quantile_effect(
                index, treatment, alpha, alternative, null, multiple, segment, level
            ), None
        control = self.comoments(index, 0, variant, segment, level)
        treated = self.comoments(index, treatment, variant, segment, level)
        if measure.metric.type == "ratio":
            if multiple is not None:
                return compare_ratios_to_multiple(
                    control, treated, multiple, alpha=alpha, alternative=alternative
                ), None
            return compare_ratios(control, treated, alpha=alpha, alternative=alternative, null=null), None
        if measure.test in {"score", "miettinen-nurminen"}:
            method: ScoreMethod = "score" if measure.test == "score" else "miettinen-nurminen"
            c, t = proportion(control), proportion(treated)
            if multiple is not None:
                return compare_proportions_to_multiple(
                    c, t, multiple, alpha=alpha, alternative=alternative, method=method
                ), None
            return compare_proportions(
                c, t, alpha=alpha, alternative=alternative, null=null, method=method
            ), None
        adjustment = None
        c_moments, t_moments = control.marginal(0), treated.marginal(0)
        if measure.covariates and variant != "unadjusted":
            adjustment = adjust_means(control, treated, [c.label for c in measure.covariates])
            if adjustment.control is not None and adjustment.treatment is not None:
                c_moments, t_moments = adjustment.control, adjustment.treatment
        if multiple is not None:
            return compare_to_multiple(
                c_moments, t_moments, multiple, alpha=alpha, alternative=alternative
            ), adjustment
        return compare_means(
            c_moments, t_moments, alpha=alpha, alternative=alternative, null=null
        ), adjustment

    def comoments(
        self,
        index: int,
        arm: int,
        variant: str = "declared",
        segment: str | None = None,
        level: str | None = None,
    ) -> CoMoments:
        family = self._family(index, variant, segment)
        for sums in family.arms:
            if sums.arm == arm and sums.level == level:
                return family.comoments(sums)
        k = len(family.names)
        return CoMoments(0, (0.0,) * k, ((0.0,) * k,) * k)

    def _family(self, index: int, variant: str, segment: str | None) -> FamilyEvidence:
        family = self.outcomes.family(index, variant, segment)
        if family is None:
            raise ValueError(f"no evidence for measure {index}, {variant}, segment {segment}")
        return family

    def levels(self, segment: str) -> tuple[str, ...]:
        """Levels of a segment seen in any arm, also those without a single value of this measure."""
        by_attribute = dict(self.evidence.cohort.by_attribute)
        return tuple(dict.fromkeys(sorted(count.stratum for count in by_attribute.get(segment, ()))))

    def _quantile_effect(
        self,
        index: int,
        treatment: int,
        alpha: float,
        alternative: Alternative,
        null: float,
        multiple: float | None,
        segment: str | None,
        level: str | None,
    ) -> Effect:
        found = self.outcomes.quantile(index, segment)
        q = self.design.measures[index].metric.quantile or 0.5
        arms = {}
        for sums in found.arms if found else ():
            if sums.level == level and sums.arm in {0, treatment} and found is not None:
                arms[sums.arm] = quantile_arm(sums, q, found.scale, found.alpha)
        if len(arms) < 2:
            return Effect(
                "t of the difference of quantiles",
                alternative,
                alpha,
                null,
                0,
                0,
                None,
                None,
                not_computed="no requests in an arm",
            )
        if multiple is not None:
            return compare_quantiles_to_multiple(
                arms[0], arms[treatment], multiple, alpha=alpha, alternative=alternative
            )
        return compare_quantiles(arms[0], arms[treatment], alpha=alpha, alternative=alternative, null=null)

    def arm_value(
        self,
        index: int,
        arm: int,
        variant: str = "declared",
        segment: str | None = None,
        level: str | None = None,
    ) -> ArmValue:
        """What an arm shows, unadjusted: n, missing, mean or rate or ratio or quantile."""
        measure = self.design.measures[index]
        name = self.design.arms[arm].name
        units = self.analysed[arm] if segment is None else self._level_units(segment, level, arm)
        if measure.metric.type == "quantile":
            found = self.outcomes.quantile(index, segment)
            for sums in found.arms if found else ():
                if sums.arm == arm and sums.level == level and found is not None:
                    return ArmValue(
                        arm=name,
                        n=sums.units,
                        missing=units - sums.units,
                        value=sums.estimate / found.scale,
                        requests=sums.requests,
                    )
            return ArmValue(arm=name, n=0, missing=units, value=None)
        plain = "unadjusted" if measure.covariates and variant == "declared" and segment is None else variant
        moments = self.comoments(index, arm, plain, segment, level)
        if moments.n == 0:
            return ArmValue(arm=name, n=0, missing=units, value=None)
        if measure.metric.type == "ratio":
            value = moments.means[0] / moments.means[1] if moments.means[1] else None
            return ArmValue(arm=name, n=moments.n, missing=units - moments.n, value=value)
        marginal = moments.marginal(0)
        successes = round(marginal.mean * marginal.n) if measure.metric.is_binary else None
        return ArmValue(
            arm=name,
            n=marginal.n,
            missing=units - marginal.n,
            value=marginal.mean,
            successes=successes,
            sd=marginal.sd if marginal.n > 1 else None,
        )

    def _level_units(self, segment: str, level: str | None, arm: int) -> int:
        counts = dict(self.evidence.cohort.by_attribute).get(segment, ())
        return sum(count.units for count in counts if count.arm == arm and count.stratum == level)


def proportion(moments: CoMoments) -> Proportion:
    """A yes/no metric's successes and units, exactly: its sums were whole numbers."""
    return Proportion(round(moments.means[0] * moments.n), moments.n)


def improvement_sign(measure: Measure) -> int:
    return 1 if measure.metric.direction == "higher" else -1


def planned_effect(measure: Measure) -> float | None:
    """The MDE as a difference in the metric's unit, above 0; a relative one is of the declared baseline."""
    if measure.mde is None:
        return None
    if measure.mde.kind == "absolute":
        return measure.mde.value
    return None if measure.baseline is None else measure.mde.value * abs(measure.baseline.mean)


def superiority(measure: Measure, effect: Effect, alpha: float) -> PrimaryState:
    """What the deciding test says of a superiority primary at its (adjusted) level."""
    if effect.p_value is None or effect.estimate is None or effect.ci is None:
        return PrimaryState.MISSING
    sign = improvement_sign(measure)
    if effect.p_value < alpha:
        return PrimaryState.MET if sign * effect.estimate > 0 else PrimaryState.HARMED
    planned = planned_effect(measure)
    best = sign * (effect.ci[1] if sign > 0 else effect.ci[0])
    if planned is not None and best < planned:
        return PrimaryState.RULED_OUT
    return PrimaryState.UNDECIDED


NON_INFERIORITY = {
    GuardrailState.WITHIN: PrimaryState.MET,
    GuardrailState.BEYOND: PrimaryState.HARMED,
    GuardrailState.NOT_RULED_OUT: PrimaryState.UNDECIDED,
    GuardrailState.MISSING: PrimaryState.MISSING,
}

STATE_WORDS = {
    PrimaryState.MET: "Improved",
    PrimaryState.HARMED: "Worse",
    PrimaryState.RULED_OUT: "Planned effect ruled out",
    PrimaryState.UNDECIDED: "No evidence of a difference",
    PrimaryState.MISSING: "Not measured",
}
NON_INFERIORITY_WORDS = {
    GuardrailState.WITHIN: "Within margin",
    GuardrailState.BEYOND: "Beyond margin",
    GuardrailState.NOT_RULED_OUT: "Margin not ruled out",
    GuardrailState.MISSING: "Missing",
}


def deciding_alternative(measure: Measure) -> Alternative:
    if measure.sides == 2:
        return "two-sided"
    return "greater" if measure.metric.direction == "higher" else "less"


def against_margin(
    estimator: Estimator, index: int, treatment: int, segment: str | None = None, level: str | None = None
) -> tuple[Effect, Guardrail, float | None]:
    """A measure held against its margin: the two-sided effect at 2α, its state, and the one-sided p at the margin."""
    measure = estimator.design.measures[index]
    if measure.margin is None:
        raise ValueError(f"{measure.label} has no margin")
    margin, higher = measure.margin.value, measure.metric.direction == "higher"
    alternative: Alternative = "greater" if higher else "less"
    where = {"segment": segment, "level": level}
    if measure.margin.kind == "relative":
        multiple = 1 - margin if higher else 1 + margin
        effect, _ = estimator.effect(index, treatment, alpha=2 * measure.alpha, multiple=multiple, **where)  # type: ignore[arg-type]
        tested, _ = estimator.effect(
            index,
            treatment,
            alpha=measure.alpha,
            alternative=alternative,
            multiple=multiple,
            **where,  # type: ignore[arg-type]
        )
    else:
        limit = -margin if higher else margin
        effect, _ = estimator.effect(index, treatment, alpha=2 * measure.alpha, null=limit, **where)  # type: ignore[arg-type]
        tested, _ = estimator.effect(
            index,
            treatment,
            alpha=measure.alpha,
            alternative=alternative,
            null=limit,
            **where,  # type: ignore[arg-type]
        )
    judged = judge_effect(effect, margin, measure.metric.direction, minimum_units=measure.minimum_units)
    if judged.state is not GuardrailState.MISSING and _too_many_missing(estimator, index, treatment):
        judged = Guardrail(
            GuardrailState.MISSING,
            judged.direction,
            judged.margin,
            judged.scale,
            judged.limit,
            None,
            None,
            f"more than {estimator.design.written.rules.max_missing:.0%} of an arm's units have no value",
        )
    return effect, judged, tested.p_value


def _too_many_missing(estimator: Estimator, index: int, treatment: int) -> bool:
    limit = estimator.design.written.rules.max_missing
    for arm in (0, treatment):
        value = estimator.arm_value(index, arm)
        total = value.n + value.missing
        if total and value.missing / total > limit:
            return True
    return False


def comparison(
    estimator: Estimator,
    index: int,
    treatment: int,
    effect: Effect,
    *,
    state: str,
    adjustment: Adjustment | None = None,
    variant: str = "declared",
    segment: str | None = None,
    level: str | None = None,
    p_value: float | None = None,
    limit: float | None = None,
    not_computed: str | None = None,
) -> Comparison:
    """An effect as the readout holds it."""
    measure = estimator.design.measures[index]
    adjusted = adjustment is not None and adjustment.variance_reduction is not None
    unadjusted = None
    if adjusted:
        unadjusted, _ = estimator.effect(
            index, treatment, alpha=effect.alpha, variant="unadjusted", alternative=effect.alternative
        )
    notes = []
    for coefficient in adjustment.coefficients if adjustment else ():
        if coefficient.not_used:
            notes.append(f"covariate {coefficient.covariate} was not used: {coefficient.not_used}")
    relative = effect.relative
    return Comparison(
        metric=measure.metric.reference,
        label=measure.label,
        role=measure.role,
        type=measure.metric.type,
        unit=unit_words(measure),
        direction=measure.metric.direction,
        treatment=estimator.design.arms[treatment].name,
        control_value=estimator.arm_value(index, 0, variant, segment, level),
        treatment_value=estimator.arm_value(index, treatment, variant, segment, level),
        estimate=finite(effect.estimate),
        interval=interval(effect.ci, effect.level),
        p_value=effect.p_value if p_value is None else p_value,
        method=effect.method
        if not adjusted
        else f"{effect.method}, adjusted for {len(measure.covariates)} covariate(s)",
        scale=effect.scale,
        relative=finite(relative.estimate) if relative else None,
        relative_interval=interval(relative.ci, effect.level) if relative else None,
        relative_method=relative.method if relative else None,
        mde=planned_effect(measure),
        margin=measure.margin.value if measure.margin else None,
        margin_kind=measure.margin.kind if measure.margin else None,
        margin_reason=measure.reason,
        limit=limit,
        state=state,
        variance_reduction=adjustment.variance_reduction if adjustment else None,
        unadjusted=interval(unadjusted.ci, unadjusted.level) if unadjusted else None,
        unadjusted_estimate=finite(unadjusted.estimate) if unadjusted else None,
        level=level,
        segment=segment,
        not_computed=not_computed or effect.not_computed,
        notes=tuple(notes),
    )


def unit_words(measure: Measure) -> str:
    return "percentage points" if measure.metric.is_binary else measure.metric.unit


def finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def interval(ci: tuple[float, float] | None, level: float) -> Interval | None:
    """An interval; an open side is None."""
    if ci is None:
        return None
    return Interval(low=finite(ci[0]), high=finite(ci[1]), level=level)


def interaction(effects: Mapping[str, Effect]) -> tuple[float | None, str]:
    """Cochran's Q test that the effect is the same at every level (Cochran 1954, Biometrics 10, 101).

    Q = Σ w (d − d̄)² with w = 1/SE², chi-squared on levels − 1 degrees of freedom. The standard error is that of the
    interval (its width over twice the normal deviate), so that the score interval of a proportion is honoured.
    """
    usable = []
    for effect in effects.values():
        if effect.estimate is None or effect.ci is None or not all(map(math.isfinite, effect.ci)):
            continue
        error = (effect.ci[1] - effect.ci[0]) / (2 * float(norm.isf(effect.alpha / 2)))
        if error > 0:
            usable.append((effect.estimate, 1 / error**2))
    if len(usable) < 2:
        return None, "fewer than 2 levels with an interval"
    whole = math.fsum(w for _, w in usable)
    mean = math.fsum(d * w for d, w in usable) / whole
    q = math.fsum(w * (d - mean) ** 2 for d, w in usable)
    return float(chi2.sf(q, len(usable) - 1)), f"Cochran's Q, {len(usable) - 1} df"


def worst_of(states: list[GuardrailState]) -> GuardrailState:
    return worst(states)
