"""A measure's test at a look of several: its repeated interval and p, or its confidence sequence, and its path so far.

A repeated interval is the declared test's own inversion at the level the look allows (Jennison & Turnbull 1989, JRSS B 51,
p. 305): it excludes the null exactly when the boundary is crossed. With a single look that level is α and nothing here
changes a number. A confidence sequence takes the estimate and its standard error, and holds at every look at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from scipy.special import ndtr

from analysis.anytime.sequence import Alternative, ConfidenceSequence, SequencePlan, difference_sequence
from analysis.effects import Effect
from analysis.guardrails import Guardrail, GuardrailState, judge
from analysis.sequential.design import GroupSequentialDesign, group_sequential_design
from analysis.sequential.inference import LARGEST_Z, stagewise_inference
from analysis.sequential.monitoring import SequentialBoundaries, boundaries_at, repeated_p_value
from experiments.designs.design import Measure
from experiments.designs.sequential import boundary_of, efficacy_design, futility_design, planned_looks
from experiments.readouts.asking import answer_of, better
from experiments.readouts.comparisons import Answer
from experiments.readouts.estimates import EVERYONE, Among, Asked, Estimator
from experiments.readouts.readout import (
    Interval,
    Look,
    LookPoint,
    PlannedLook,
    Readout,
    SequentialPath,
)

SAME_INFORMATION: Final = 1e-9
"""Looks whose information differs by no more have seen the same units."""
LEAST_LEVEL: Final = 1e-12
"""A look that may spend no more than this decides nothing, and its interval is open."""


@dataclass(frozen=True, slots=True)
class PastLook:
    """A look sealed before, which went on."""

    k: int
    before_us: int | None
    cut_off: datetime | None
    information: float
    paths: tuple[SequentialPath, ...] = ()

    def point(self, path: SequentialPath) -> LookPoint | None:
        """What this look found of the same metric, treatment and level."""
        same = (one for one in self.paths if _key(one) == _key(path))
        return next((point for one in same for point in one.points if point.k == self.k), None)


def past_of(readout: Readout) -> tuple[PastLook, ...]:
    """The looks before a sealed one, from the paths it holds."""
    if not readout.sequential:
        return ()
    found = []
    for point in readout.sequential[0].points:
        if point.k < readout.look.k:
            found.append(_past_look(point, readout.sequential))
    return tuple(found)


def as_past(readout: Readout) -> PastLook:
    """A sealed look that went on, as what the next one builds on."""
    own = readout.sequential[0].points[-1]
    return _past_look(own, readout.sequential)


def _past_look(point: LookPoint, paths: Sequence[SequentialPath]) -> PastLook:
    before = None if point.cut_off is None else round(point.cut_off.timestamp() * 1_000_000)
    return PastLook(point.k, before, point.cut_off, point.information, tuple(paths))


@dataclass(frozen=True, slots=True)
class AtLook:
    """One comparison at a look.

    Attributes:
        answer: as shown: the repeated interval and p, or those of the confidence sequence.
        judged: as judged, at ``alpha``: the declared test at the look's own level.
        z: positive where the treatment looks better than the null; None where there is no test.
        boundaries: up to this look; None for a confidence sequence or a single look.
    """

    answer: Answer
    judged: Answer
    alpha: float
    z: float | None = None
    boundaries: SequentialBoundaries | None = None
    boundary: GroupSequentialDesign | None = None


class LookTests:
    """Every test of one look, by the design's stopping rule."""

    def __init__(self, estimator: Estimator, look: Look, past: Sequence[PastLook] = ()) -> None:
        self.estimator, self.design, self.look, self.past = estimator, estimator.design, look, tuple(past)
        self.rule = self.design.stopping.rule
        earlier = [one.information for one in past if one.information < look.information - SAME_INFORMATION]
        self.information = (*earlier, look.information)
        self.ends = look.final and not look.stopped_by_hand

    @property
    def interim(self) -> bool:
        """Whether the experiment goes on unless a boundary is crossed."""
        return not look_is_last(self.look)

    def ask(self, index: int, treatment: int, alpha: float, among: Among = EVERYONE) -> AtLook:
        """A measure's declared test at its level ``alpha`` over all looks."""
        measure = self.design.measures[index]
        if measure.role == "harm-stop" or self.rule == "always-valid":
            return self._sequence(index, treatment, alpha, among)
        if self.rule == "fixed":
            answer = answer_of(self.estimator, index, treatment, alpha, among)
            return AtLook(answer, answer, alpha)
        return self._repeated(index, treatment, alpha, among)

    def difference(self, index: int, treatment: int, alpha: float, among: Among) -> Answer:
        """A two-sided test of no difference, whatever the measure declares: for what only describes."""
        asked = Asked(alpha)
        if self.rule == "group-sequential":
            stopping = self.design.stopping
            boundary = group_sequential_design(
                boundary_of(stopping), alpha, planned_looks(stopping), 2, stopping.parameter
            )
            bounds = boundaries_at(boundary, self.information, self.ends)
            asked = Asked(max(2 * float(ndtr(-bounds.critical[-1])), LEAST_LEVEL))
            effect, adjustment = self.estimator.effect(index, treatment, asked, among)
            p_value = None
            if effect.z is not None:
                p_value = repeated_p_value(boundary, self.information, effect.z, bounds.final)
            effect = replace(effect, alpha=alpha, p_value=p_value, method=f"{effect.method}, repeated")
            return Answer(effect, asked, adjustment, p_value)
        effect, adjustment = self.estimator.effect(index, treatment, asked, among)
        plain = Answer(effect, asked, adjustment, effect.p_value)
        if self.rule == "fixed":
            return plain
        two_sided = replace(self.design.measures[index], sides=2, margin=None)
        return self._in_sequence(two_sided, treatment, alpha, plain)

    def unadjusted(self, index: int, treatment: int, alpha: float, among: Among) -> Effect:
        """The effect without covariates, by the same rule; it stands beside an adjusted one."""
        return self.ask(
            index, treatment, alpha, Among("unadjusted", among.segment, among.level)
        ).answer.effect

    # Group-sequential

    def boundary(self, measure: Measure, alpha: float) -> GroupSequentialDesign:
        stopping = self.design.stopping
        if measure.role == "primary" and stopping.futility is not None and stopping.futility.binding:
            return efficacy_design(self.design, measure)
        return group_sequential_design(
            boundary_of(stopping), alpha, planned_looks(stopping), measure.sides, stopping.parameter
        )

    def _repeated(self, index: int, treatment: int, alpha: float, among: Among) -> AtLook:
        measure = self.design.measures[index]
        boundary = self.boundary(measure, alpha)
        bounds = boundaries_at(boundary, self.information, self.ends)
        nominal = measure.sides * float(ndtr(-bounds.critical[-1]))
        closed = nominal < LEAST_LEVEL
        judged = answer_of(self.estimator, index, treatment, max(nominal, LEAST_LEVEL), among)
        if closed:
            judged = _opened(judged)
        z = _better_z(measure, judged)
        p_value = None
        if z is not None:
            p_value = repeated_p_value(boundary, self.information, z, bounds.final)
        level = alpha if measure.sides == 2 else 2 * alpha
        effect = replace(
            judged.effect, alpha=level, p_value=p_value, method=f"{judged.effect.method}, repeated"
        )
        return AtLook(replace(judged, effect=effect, p_value=p_value), judged, nominal, z, bounds, boundary)

    def is_futile(self, z: float | None) -> bool:
        """Whether the primary's z is at or below the declared futility boundary of this look."""
        declared = futility_design(self.design)
        if declared is None or z is None or not self.interim:
            return False
        bounds = boundaries_at(declared, self.information, final=False)
        bound = None if bounds.futility is None else bounds.futility[-1]
        return bound is not None and z <= bound

    # Always-valid

    def _sequence(self, index: int, treatment: int, alpha: float, among: Among) -> AtLook:
        measure = self.design.measures[index]
        plain = answer_of(self.estimator, index, treatment, alpha, among)
        answer = self._in_sequence(measure, treatment, alpha, plain)
        effect = answer.effect
        return AtLook(answer, answer, alpha, None if effect.not_computed else _better_z(measure, plain))

    def _in_sequence(self, measure: Measure, treatment: int, alpha: float, plain: Answer) -> Answer:
        """The answer with the interval and p of the confidence sequence in place of the single test's."""
        effect, level = plain.effect, alpha if measure.sides == 2 else 2 * alpha
        method = "confidence sequence (normal mixture)"
        blank = replace(
            effect,
            alpha=level,
            method=method,
            ci=None,
            p_value=None,
            relative=None if effect.relative is None else replace(effect.relative, ci=None),
        )
        found = self._sequences(measure, treatment, alpha, effect)
        if isinstance(found, str):
            missing = None
            if plain.guardrail is not None:
                missing = replace(plain.guardrail, state=GuardrailState.MISSING, reason=found)
                missing = replace(missing, harmful_bound=None, interval=None)
            return replace(plain, effect=replace(blank, not_computed=found), p_value=None, guardrail=missing)
        lower, upper, p_value = found
        if effect.scale == "relative":
            # The contrast treatment - multiple · control, in units of control; its sign decides, whatever the scale.
            base = abs(effect.control_mean or 1.0)
            lower, upper = effect.null + lower / base, effect.null + upper / base
        else:
            lower, upper = effect.null + lower, effect.null + upper
        shown = replace(blank, ci=(lower, upper), p_value=p_value)
        guardrail = None if plain.guardrail is None else _judged(plain.guardrail, (lower, upper))
        return replace(plain, effect=shown, p_value=p_value, guardrail=guardrail)

    def _sequences(
        self, measure: Measure, treatment: int, alpha: float, effect: Effect
    ) -> tuple[float, float, float] | str:
        """Limits of the contrast around its null, and p; or why there are none."""
        if effect.not_computed is not None or effect.statistic is None or effect.standard_error is None:
            return effect.not_computed or f"a {measure.metric.type} has no confidence sequence"
        contrast, n = effect.statistic * effect.standard_error, effect.n_control + effect.n_treatment
        squared = effect.standard_error**2

        def sequence(side: Alternative) -> ConfidenceSequence:
            plan = self._plan(measure, treatment, alpha, side)
            return difference_sequence(plan, contrast, squared, n)

        if measure.sides == 2:
            both = sequence("two-sided")
            if both.lower is None or both.upper is None or both.p_value is None:
                return both.not_computed or "not computed"
            return both.lower, both.upper, both.p_value
        below, above = sequence("greater"), sequence("less")
        harm_stop = measure.role == "harm-stop"
        decides = (
            better(measure) if not harm_stop else ("less" if better(measure) == "greater" else "greater")
        )
        p_value = (below if decides == "greater" else above).p_value
        if below.lower is None or above.upper is None or p_value is None:
            return below.not_computed or "not computed"
        return below.lower, above.upper, p_value

    def _plan(self, measure: Measure, treatment: int, alpha: float, side: Alternative) -> SequencePlan:
        planned = self.design.plan.n_per_arm
        burn_in = measure.burn_in if measure.role == "harm-stop" else self.design.stopping.burn_in
        return SequencePlan(alpha, planned[0] + planned[treatment], burn_in or 1, side)

    # The path

    def path(
        self, index: int, treatment: int, at: AtLook, alpha: float, among: Among = EVERYONE
    ) -> SequentialPath | None:
        """A deciding measure over the looks taken; None with a single look."""
        measure, design = self.design.measures[index], self.design
        if self.rule == "fixed":
            return None
        effect = at.answer.effect
        low, high = effect.ci or (None, None)
        futility = None if measure.role != "primary" else self._futility_bounds()
        point = LookPoint(
            k=self.look.k,
            cut_off=self.look.cut_off,
            information=self.look.information,
            z=at.z,
            critical=None if at.boundaries is None else _finite(at.boundaries.critical[-1]),
            futility=None if not futility or not self.interim else _finite(futility[-1]),
            spent=None if at.boundaries is None else at.boundaries.spent[-1],
            estimate=_finite(effect.estimate),
            low=_finite(low),
            high=_finite(high),
            p_value=at.answer.p_value,
        )
        path = SequentialPath(
            metric=measure.metric.reference,
            label=measure.label,
            role="primary" if measure.role == "primary" else "must-hold",
            treatment=design.arms[treatment].name,
            segment=among.segment,
            segment_level=among.level,
            unit="percentage points" if measure.metric.is_binary else measure.metric.unit,
            scale=effect.scale,
            direction=measure.metric.direction,
            rule="always-valid" if self.rule == "always-valid" else "group-sequential",
            boundary=self._boundary_words(at),
            alpha=alpha,
            sides=measure.sides,
            level=1 - (alpha if measure.sides == 2 else 2 * alpha),
            null=effect.null,
            points=(),
            planned=self._planned(at, measure),
        )
        before = [found for one in self.past if (found := one.point(path)) is not None]
        path = path.model_copy(update={"points": (*before, point)})
        return path.model_copy(update=self._stagewise(path, at, effect))

    def _futility_bounds(self) -> tuple[float | None, ...] | None:
        declared = futility_design(self.design)
        return None if declared is None else boundaries_at(declared, self.information, self.ends).futility

    def _boundary_words(self, at: AtLook) -> str:
        stopping = self.design.stopping
        if at.boundary is None:
            return f"normal-mixture confidence sequence, burn-in {stopping.burn_in} units"
        parameter = "" if stopping.parameter is None else f" ({stopping.parameter:g})"
        return f"{at.boundary.boundary}{parameter}"

    def _planned(self, at: AtLook, measure: Measure) -> tuple[PlannedLook, ...]:
        if at.boundary is None:
            return ()
        declared = futility_design(self.design) if measure.role == "primary" else None
        inner = None if declared is None else declared.futility
        rows = zip(at.boundary.information, at.boundary.critical, at.boundary.spent, strict=True)
        return tuple(
            PlannedLook(
                information=information,
                critical=_finite(critical),
                futility=_finite(inner[look]) if inner is not None and look < len(inner) else None,
                spent=spent,
            )
            for look, (information, critical, spent) in enumerate(rows)
        )

    def _stagewise(self, path: SequentialPath, at: AtLook, effect: Effect) -> dict[str, object]:
        """Inference by the stage-wise order once nothing follows; the caller drops it where the experiment goes on."""
        if at.boundaries is None or at.boundary is None:
            return {"not_computed": "a confidence sequence needs none: its interval holds at every look"}
        if at.z is None or effect.standard_error is None or effect.statistic is None:
            return {"not_computed": effect.not_computed or "no standard error"}
        crossed = [
            point.k
            for point in path.points[:-1]
            if point.z is not None and point.critical is not None and abs(point.z) >= point.critical
        ]
        if crossed:
            return {
                "not_computed": f"its boundary had been crossed at look {crossed[0]} and the experiment went on, so the stage-wise "
                "order does not hold; the repeated interval does"
            }
        if abs(at.z) > LARGEST_Z:
            return {"not_computed": f"z = {at.z:.1f} at the stop is beyond {LARGEST_Z:g}"}
        bounds = at.boundaries
        found = stagewise_inference(
            bounds.information, bounds.critical, at.z, path.alpha, path.sides, _binding_futility(at)
        )
        unit = effect.standard_error * math.sqrt(bounds.information[-1])
        if effect.scale == "relative":
            unit /= abs(effect.control_mean or 1.0)
        sign = 1 if path.direction == "higher" else -1
        low, high = sorted(effect.null + sign * unit * drift for drift in (found.lower, found.upper))
        return {
            "stagewise_p_value": found.p_value,
            "stagewise_interval": Interval(low=low, high=high, level=found.level),
            "median_unbiased": effect.null + sign * unit * found.median_unbiased,
        }


def look_is_last(look: Look) -> bool:
    return look.final or look.stopped_by_hand or look.harm_stop is not None


def going_on(path: SequentialPath) -> SequentialPath:
    """A path whose experiment goes on: what may be said after a stop is not said."""
    return path.model_copy(
        update={
            "stagewise_p_value": None,
            "stagewise_interval": None,
            "median_unbiased": None,
            "not_computed": "the test has not stopped",
        }
    )


def _binding_futility(at: AtLook) -> tuple[float, ...] | None:
    if at.boundary is None or at.boundaries is None or not at.boundary.binding:
        return None
    bounds = at.boundaries.futility
    return None if bounds is None else tuple(bound for bound in bounds[:-1] if bound is not None)


def _better_z(measure: Measure, answer: Answer) -> float | None:
    """The statistic on the normal scale against the null tested, above 0 on the side that is better."""
    z = answer.effect.z
    if z is None or not math.isfinite(z):
        return None
    return z if better(measure) == "greater" else -z


def _opened(answer: Answer) -> Answer:
    """The answer of a look that may spend nothing: nothing is excluded."""
    if answer.effect.ci is None:
        return answer
    ci = (-math.inf, math.inf)
    guardrail = None if answer.guardrail is None else _judged(answer.guardrail, ci)
    return replace(answer, effect=replace(answer.effect, ci=ci), p_value=1.0, guardrail=guardrail)


def _judged(guardrail: Guardrail, interval: tuple[float, float]) -> Guardrail:
    """The guardrail by another interval; what was missing stays so."""
    if guardrail.state is GuardrailState.MISSING:
        return guardrail
    state = judge(interval, guardrail.margin, guardrail.direction)
    bound = interval[0] if guardrail.direction == "higher" else interval[1]
    return replace(guardrail, state=state, harmful_bound=bound, interval=interval)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _key(path: SequentialPath) -> tuple[str, str, str | None, str | None]:
    return path.label, path.treatment, path.segment, path.segment_level
