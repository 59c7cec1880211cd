"""From evidence to effects: what is asked of two arms, answered by the measure's declared test."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.adjustment import Adjustment, adjust_ratios
from analysis.effects import Effect, compare_means, compare_to_multiple
from analysis.inference import Alternative
from analysis.moments import CoMoments, Moments
from analysis.proportions import Proportion, ScoreMethod, compare_proportions, compare_proportions_to_multiple
from analysis.quantiles import compare_quantiles, compare_quantiles_to_multiple
from analysis.ratios import (
    Ratio,
    compare_linearised,
    compare_linearised_to_multiple,
    compare_ratios,
    compare_ratios_to_multiple,
)
from experiments.cohorts.cohort import Fate
from experiments.cohorts.evidence import Evidence, units_in
from experiments.cohorts.quantile_reading import quantile_arm
from experiments.designs.design import Design, Measure
from experiments.readouts.readout import ArmValue


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a treatment and its control.

    Attributes:
        alpha: level of the test and of its interval, two-sided or one-sided as ``alternative`` says.
        null: the difference tested; with ``multiple`` the test is of treatment = multiple · control instead.
    """

    alpha: float
    alternative: Alternative = "two-sided"
    null: float = 0.0
    multiple: float | None = None


@dataclass(frozen=True, slots=True)
class Among:
    """By which analysis, and among which units."""

    variant: str = "declared"
    segment: str | None = None
    level: str | None = None


EVERYONE = Among()


class Estimator:
    """Effects of one design from one piece of evidence."""

    def __init__(self, design: Design, evidence: Evidence) -> None:
        if evidence.outcomes is None:
            raise ValueError("evidence: it holds no outcomes; effects need a look that read them")
        self.design, self.evidence, self.outcomes = design, evidence, evidence.outcomes

    def effect(
        self, index: int, treatment: int, asked: Asked, among: Among = EVERYONE
    ) -> tuple[Effect, Adjustment | None]:
        """The declared test of one treatment against control, and the adjustment it rests on, if any."""
        measure = self.design.measures[index]
        absent = self.absent(index)
        if absent is not None:
            values = [self.arm_value(index, arm, among) for arm in (0, treatment)]
            return _not_computed(asked, values[0].n, values[1].n, absent), None
        if measure.metric.type == "quantile":
            return self._quantile_effect(index, treatment, asked, among), None
        control, treated = self.comoments(index, 0, among), self.comoments(index, treatment, among)
        if measure.test in {"score", "miettinen-nurminen"}:
            return _proportion_effect(measure, control, treated, asked), None
        of_ratio = measure.metric.type == "ratio"
        adjustment = None
        if measure.covariates and among.variant != "unadjusted":
            outcome, *covariates = _variables(measure)
            names = [c.label for c in measure.covariates]
            adjustment = adjust_ratios(control, treated, outcome, covariates, names)
            if adjustment.control is not None and adjustment.treatment is not None:
                compare = _linearised_effect if of_ratio else _mean_effect
                return compare(adjustment.control, adjustment.treatment, asked), adjustment
        if of_ratio:
            return _ratio_effect(control, treated, asked), adjustment
        return _mean_effect(control.marginal(0), treated.marginal(0), asked), adjustment

    def absent(self, index: int) -> str | None:
        """Why a measure was not measured at all: a misspelt event would otherwise pass for a metric of zeros."""
        events = [
            event
            for event in self.design.measures[index].metric.events()
            if event in self.outcomes.absent_events
        ]
        return f"no row of the outcome logs is of event {', '.join(map(repr, events))}" if events else None

    def comoments(self, index: int, arm: int, among: Among = EVERYONE) -> CoMoments:
        """Co-moments of an arm; those of no units where the evidence has none."""
        family = self.outcomes.family(index, among.variant, among.segment)
        if family is None:
            raise ValueError(f"no evidence for measure {index}, {among}")
        for sums in family.arms:
            if sums.arm == arm and sums.level == among.level:
                return family.comoments(sums)
        k = len(family.names)
        return CoMoments(0, (0.0,) * k, ((0.0,) * k,) * k)

    def levels(self, segment: str) -> tuple[str, ...]:
        """Levels of a segment seen in any arm, also those without a single value of this measure."""
        by_attribute = dict(self.evidence.cohort.by_attribute)
        return tuple(dict.fromkeys(sorted(count.stratum for count in by_attribute.get(segment, ()))))

    def arm_value(self, index: int, arm: int, among: Among = EVERYONE) -> ArmValue:
        """What an arm shows, unadjusted: n, missing, mean or rate or ratio or quantile."""
        measure, name = self.design.measures[index], self.design.arms[arm].name
        units = self._units(arm, among)
        if self.absent(index) is not None:
            return ArmValue(arm=name, n=0, missing=units, value=None)
        if measure.metric.type == "quantile":
            found = self.outcomes.quantile(index, among.segment)
            for sums in found.arms if found else ():
                if sums.arm == arm and sums.level == among.level and found is not None:
                    return ArmValue(
                        arm=name,
                        n=sums.units,
                        missing=units - sums.units,
                        value=sums.estimate / found.scale,
                        requests=sums.requests,
                    )
            return ArmValue(arm=name, n=0, missing=units, value=None)
        if measure.covariates and among.variant == "declared":
            among = Among("unadjusted", among.segment, among.level)
        moments = self.comoments(index, arm, among)
        if moments.n == 0:
            return ArmValue(arm=name, n=0, missing=units, value=None)
        if measure.metric.type == "ratio":
            value = moments.means[0] / moments.means[1] if moments.means[1] else None
            return ArmValue(arm=name, n=moments.n, missing=units - moments.n, value=value)
        marginal = moments.marginal(0)
        return ArmValue(
            arm=name,
            n=marginal.n,
            missing=units - marginal.n,
            value=marginal.mean,
            successes=proportion(moments).successes if measure.metric.is_binary else None,
            sd=marginal.sd if marginal.n > 1 else None,
        )

    def too_many_missing(self, index: int, treatment: int, among: Among = EVERYONE) -> str | None:
        """Why a measure counts as not measured, by the declared largest share of missing units."""
        limit = self.design.written.rules.max_missing
        for arm in (0, treatment):
            value = self.arm_value(index, arm, among)
            units = value.n + value.missing
            if units and value.missing / units > limit:
                share = value.missing / units
                return f"{share:.1%} of {value.arm} has no value; at most {limit:.0%} is allowed"
        return None

    def _units(self, arm: int, among: Among) -> int:
        """Analysed units of an arm, or of one level of a segment; a per-protocol analysis leaves some out."""
        if among.variant == "per-protocol":
            delivered = self.evidence.cohort.as_delivered or ()
            return sum(count.units for count in delivered if count.arm == arm)
        if among.segment is None:
            return units_in(self.evidence.cohort.fates, arm, Fate.ANALYSED)
        counts = dict(self.evidence.cohort.by_attribute).get(among.segment, ())
        return sum(count.units for count in counts if count.arm == arm and count.stratum == among.level)

    def _quantile_effect(self, index: int, treatment: int, asked: Asked, among: Among) -> Effect:
        found = self.outcomes.quantile(index, among.segment)
        q = self.design.measures[index].metric.quantile or 0.5
        arms = {}
        for sums in found.arms if found else ():
            if sums.level == among.level and sums.arm in {0, treatment} and found is not None:
                arms[sums.arm] = quantile_arm(sums, q, found.scale, found.alpha)
        if len(arms) < 2:
            empty = [self.design.arms[arm].name for arm in (0, treatment) if arm not in arms]
            n = [arms[arm].levels.units if arm in arms else 0 for arm in (0, treatment)]
            return _not_computed(asked, n[0], n[1], f"no requests in {' and '.join(empty)}")
        if asked.multiple is not None:
            return compare_quantiles_to_multiple(
                arms[0],
                arms[treatment],
                asked.multiple,
                alpha=asked.alpha,
                alternative=asked.alternative,
            )
        return compare_quantiles(
            arms[0], arms[treatment], alpha=asked.alpha, alternative=asked.alternative, null=asked.null
        )


def proportion(moments: CoMoments) -> Proportion:
    """A yes/no metric's successes and units, exactly: its sums were whole numbers."""
    return Proportion(round(moments.means[0] * moments.n), moments.n)


def _variables(measure: Measure) -> list[Ratio | int]:
    """Where a measure and then each of its covariates stand in its family: a ratio has two variables."""
    found: list[Ratio | int] = []
    position = 0
    for metric in (measure.metric, *(covariate.metric for covariate in measure.covariates)):
        is_ratio = metric is not None and metric.type == "ratio"
        found.append(Ratio(position, position + 1) if is_ratio else position)
        position += 2 if is_ratio else 1
    return found


def _not_computed(asked: Asked, n_control: int, n_treatment: int, reason: str) -> Effect:
    return Effect(
        "not computed",
        asked.alternative,
        asked.alpha,
        asked.null,
        n_control,
        n_treatment,
        None,
        None,
        scale="absolute" if asked.multiple is None else "relative",
        not_computed=reason,
    )


def _ratio_effect(control: CoMoments, treated: CoMoments, asked: Asked) -> Effect:
    if asked.multiple is not None:
        return compare_ratios_to_multiple(
            control, treated, asked.multiple, alpha=asked.alpha, alternative=asked.alternative
        )
    return compare_ratios(control, treated, alpha=asked.alpha, alternative=asked.alternative, null=asked.null)


def _linearised_effect(control: Moments, treated: Moments, asked: Asked) -> Effect:
    if asked.multiple is not None:
        return compare_linearised_to_multiple(
            control, treated, asked.multiple, alpha=asked.alpha, alternative=asked.alternative
        )
    return compare_linearised(
        control, treated, alpha=asked.alpha, alternative=asked.alternative, null=asked.null
    )


def _proportion_effect(measure: Measure, control: CoMoments, treated: CoMoments, asked: Asked) -> Effect:
    method: ScoreMethod = "score" if measure.test == "score" else "miettinen-nurminen"
    c, t = proportion(control), proportion(treated)
    if asked.multiple is not None:
        return compare_proportions_to_multiple(
            c, t, asked.multiple, alpha=asked.alpha, alternative=asked.alternative, method=method
        )
    return compare_proportions(
        c, t, alpha=asked.alpha, alternative=asked.alternative, null=asked.null, method=method
    )


def _mean_effect(control: Moments, treated: Moments, asked: Asked) -> Effect:
    if asked.multiple is not None:
        return compare_to_multiple(
            control, treated, asked.multiple, alpha=asked.alpha, alternative=asked.alternative
        )
    return compare_means(control, treated, alpha=asked.alpha, alternative=asked.alternative, null=asked.null)
